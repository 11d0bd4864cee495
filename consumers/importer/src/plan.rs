//! Making a plan: the backup and the target are read, and everything that would stop `apply` is found now.
//!
//! What is counted, ordered and estimated is decided in [`twinpool_shared::import`]; here it is asked for.
//!
//! Invariant: changes nothing. Permissions are tried by calls that cannot succeed (`permissions`).

mod census;
mod freshness;
mod permissions;
mod settings;
mod target;

use serde_json::Value;
use twinpool_shared::{
    cost::active,
    error::{Error, ErrorKind},
    import::{
        configure::Step,
        estimate::{Estimate, Live, Work, estimate},
        mapping::{Mapping, Place},
        patch::Patch,
        plan::{
            Freshness, Plan, PlannedStep, Source, Target, TargetPool, UserCounts, Users, UsersWay, plan_id, staleness,
        },
        select::{Deleted, Order, Selection},
    },
    marks::Part,
    port::{Backup, RawPool, ReadPool, WritePool},
    quota::Share,
    snapshot::{POOL_LEVEL, reading},
    time::Timestamp,
};

pub use self::census::Affected;
pub(crate) use self::{
    census::groups,
    settings::{Subject, shape},
};
use self::{
    census::{Census, header_of},
    settings::Settings,
};
use crate::{Importer, Phase, chosen::Chooser};

/// What an operator asks for.
#[derive(Clone, Debug)]
pub struct PlanOrder {
    /// Name or ARN of the backup table.
    pub table: String,
    /// The pool whose backup is read.
    pub pool: String,
    /// The Region of the target and of the table's replica.
    pub region: String,
    /// The account.
    pub account: String,
    /// The target.
    pub target: Wish,
    /// The instant as of which the backup is read; now, when it is not given.
    pub as_of: Option<Timestamp>,
    /// Which deleted users come back.
    pub deleted: Deleted,
    /// How users are made.
    pub way: UsersWay,
    /// The mapping file.
    pub mapping: Mapping,
    /// Whether a backup that is found wanting is accepted.
    pub allow_stale: bool,
    /// For how long the backup keeps what was superseded.
    pub retention_seconds: i64,
    /// Who plans: host and process.
    pub maker: String,
    /// The version of Twinpool.
    pub version: String,
    /// Quotas that the account was asked for.
    pub live: Live,
    /// How much of the quotas `apply` will use.
    pub share: Share,
}

/// The target that an operator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A new pool; without a name, of the old one's.
    New(Option<String>),
    /// An existing one, by its id; it has nobody in it, or an import was there before.
    Existing(String),
    /// An existing one, by its id, whoever is in it: the operator has named it twice.
    Peopled(String),
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Makes a plan. `affected` is told of everybody who loses more than their password, or is not made.
    ///
    /// # Errors
    /// `Unmet` for a backup that is found wanting, `BadSetting` for a reference that is not mapped, a target that cannot become
    /// the pool of the backup, or a way that users cannot go there, each with what mends it; `Denied` for a permission that
    /// `apply` would lack; else as Cognito and the table answer.
    pub async fn plan(
        &self,
        order: &PlanOrder,
        mut affected: impl FnMut(&Affected) -> Result<(), Error>,
    ) -> Result<Plan, Error> {
        let now = (self.clock)();
        let retention = freshness::retention_seconds(&self.backup, &order.pool).await?;
        let as_of = instant(order, retention.unwrap_or(order.retention_seconds), now)?;
        let place = Place::new(&order.pool, &order.region, &order.account)?;
        let recorded = reading::at(&self.backup, &order.pool, as_of).await?;
        let source = recorded
            .json(Part::Pool, POOL_LEVEL)
            .ok_or_else(|| no_configuration(&order.pool, as_of))?;
        let freshness = freshness::read(&self.backup, &order.pool, &recorded, as_of).await?;
        let mut freshness = accept(freshness, as_of, order.allow_stale)?;
        let id = plan_id(now, &order.pool, &order.maker);
        let groups = groups(&self.backup, &order.pool).await?;
        let target = match &order.target {
            Wish::Existing(id) | Wish::Peopled(id) => TargetPool::Existing { id: id.clone() },
            Wish::New(name) => TargetPool::New {
                name: name
                    .clone()
                    .or_else(|| text(source, "Name"))
                    .unwrap_or_else(|| order.pool.clone()),
            },
        };
        target::is_another(&target, &order.pool)?;
        is_possible(order)?;
        let subject = Subject {
            recorded: &recorded,
            groups: &groups,
            mapping: &order.mapping,
            place: &place,
            as_of,
            plan: &id,
        };
        let settings = self.settings(&subject, &target).await?;
        if let Wish::Existing(id) = &order.target {
            self.may_be_filled(&order.pool, id).await?;
        }
        let selection = Selection {
            as_of,
            deleted: order.deleted,
        };
        let mut census = Census {
            groups: &groups,
            as_of,
            target: &settings.shape,
            header: header_of(&settings.shape),
            counts: UserCounts::default(),
            order: Order::new(),
        };
        self.watch.phase(Phase::Backup, None);
        let chooser = Chooser::new(&self.backup, &order.pool, selection).await?;
        chooser
            .each(&self.backup, |item| {
                self.watch.advanced(Phase::Backup, 1);
                census.count(&item).as_ref().map_or(Ok(()), &mut affected)
            })
            .await?;
        self.watch.finished(Phase::Backup);
        let Census {
            counts, order: users, ..
        } = census;
        freshness.unreconciled = counts.unreconciled;
        let freshness = accept(freshness, as_of, order.allow_stale)?;
        let users = users.finish();
        let is_new = matches!(target, TargetPool::New { .. });
        let has_role = order.mapping.import_logs_role.is_some();
        let way = order.way.decide(is_new, counts.by_csv, has_role);
        let Settings { wanted, changes, .. } = &settings;
        let steps: Vec<PlannedStep> = wanted.steps.iter().map(planned).collect();
        let changes: Option<(Vec<PlannedStep>, &Patch)> = changes
            .as_ref()
            .map(|patch| (patch.steps.iter().map(planned).collect(), patch));
        let beside = changes
            .as_ref()
            .map(|(_, patch)| patch.manual.as_slice())
            .unwrap_or_default();
        let tasks = wanted.manual.iter().chain(beside).map(ToString::to_string);
        let mut manual = self.unfinished(&order.pool).await?;
        manual.extend(tasks.chain(census::to_block(&counts)));
        let changes = changes.map(|(changes, _)| changes);
        let work = Work {
            steps: changes.as_ref().unwrap_or(&steps),
            users: &counts,
            way,
        };
        let estimate = priced(estimate(&work, &order.live, order.share), settings.tier.as_deref());
        let untried = self.try_permissions(&target, &order.region, (&estimate, way)).await?;
        manual.push(permissions::unproven(&untried));
        let (include_deleted, deleted_after) = match order.deleted {
            Deleted::Not => (false, None),
            Deleted::Since(since) => (true, since),
        };
        Ok(Plan {
            id,
            made_at: now,
            made_by: order.version.clone(),
            source: Source {
                table: order.table.clone(),
                pool: order.pool.clone(),
                account: text(source, "Arn").and_then(|arn| account_of(&arn)).unwrap_or_default(),
                as_of,
                freshness,
            },
            target: Target {
                region: order.region.clone(),
                account: order.account.clone(),
                pool: target,
            },
            users: Users {
                way,
                include_deleted,
                deleted_after,
                counts,
                digest: users.digest().to_string(),
                chunks: u32::try_from(users.chunk_count()).unwrap_or(u32::MAX),
            },
            mapping: order.mapping.clone(),
            left_out: wanted
                .left_out
                .iter()
                .map(|left| format!("{}: {}", left.path, left.arn))
                .collect(),
            steps,
            changes,
            manual,
            estimate,
        })
    }
}

/// The instant as of which the backup is read. What was superseded is kept for the retention, so no earlier one is whole.
fn instant(order: &PlanOrder, retention_seconds: i64, now: Timestamp) -> Result<Timestamp, Error> {
    let as_of = order.as_of.unwrap_or(now);
    let bad = |what: String| Err(Error::new(ErrorKind::BadSetting, what));
    if as_of > now {
        return bad(format!(
            "--as-of {as_of} is in the future; leave it out for the present"
        ));
    }
    let oldest = now.plus_millis(-retention_seconds * 1_000);
    if as_of < oldest {
        return bad(format!(
            "--as-of {as_of} is older than what the backup keeps, which reaches back to {oldest}: give a later instant"
        ));
    }
    Ok(as_of)
}

fn accept(mut freshness: Freshness, now: Timestamp, allow_stale: bool) -> Result<Freshness, Error> {
    let reasons = staleness::reasons(&freshness, now);
    if !reasons.is_empty() && !allow_stale {
        let what = format!(
            "the backup is not fit to rebuild a pool from: {}; --allow-stale takes it as it is",
            reasons.join("; ")
        );
        return Err(Error::new(ErrorKind::Unmet, what));
    }
    freshness.accepted = reasons;
    Ok(freshness)
}

/// Refuses import jobs where none can be made, and where nobody could tell for certain whom they made.
fn is_possible(order: &PlanOrder) -> Result<(), Error> {
    if order.way != UsersWay::Csv {
        return Ok(());
    }
    let bad = |what: &str| Err(Error::new(ErrorKind::BadSetting, what));
    if !matches!(order.target, Wish::New(_)) {
        return bad(
            "--users csv is for a new pool: in one that exists people sign up and reset passwords meanwhile, and are then not \
             told from those whom an import job made; use --users api, or leave out --target for a new pool",
        );
    }
    if order.mapping.import_logs_role.is_none() {
        return bad(
            "--users csv needs a role that writes the logs of import jobs: add \"import_logs_role\": \
             \"arn:aws:iam::ACCOUNT:role/NAME\" to the mapping file, or use --users api",
        );
    }
    Ok(())
}

fn priced(mut estimate: Estimate, tier: Option<&str>) -> Estimate {
    // Pools from before the tiers say none, and are billed as LITE.
    estimate.active_users_cents = active::cents(tier.unwrap_or("LITE"), estimate.active_users);
    estimate
}

fn planned(step: &Step) -> PlannedStep {
    PlannedStep {
        phase: step.phase.as_str().to_owned(),
        operation: step.operation.to_owned(),
        subject: step.subject.clone(),
        digest: step.digest(),
    }
}

fn text(json: &Value, name: &str) -> Option<String> {
    json.get(name).and_then(Value::as_str).map(str::to_owned)
}

fn account_of(arn: &str) -> Option<String> {
    arn.split(':').nth(4).map(str::to_owned)
}

fn no_configuration(pool: &str, as_of: Timestamp) -> Error {
    let what = format!(
        "the backup holds no settings of {pool} as of {as_of}: a reconcile captures them (twinpool reconcile, while the pool can \
         be reached); check --table, --pool and --as-of"
    );
    Error::new(ErrorKind::NotFound, what)
}

#[cfg(test)]
pub(crate) mod tests;
