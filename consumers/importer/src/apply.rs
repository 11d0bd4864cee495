//! Carrying out a plan, from its lease to its report.
//!
//! Invariant: the backup is held against the plan's digests before the first write; what no longer agrees is not begun.
//! Once there is a pool, the import is finished all the same, by the chunks that are laid out, and the report warns.

mod sign_up;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::time::Instant;
use twinpool_shared::{
    adapter::lease::Holder,
    documents::Kept,
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        configure::{Step, Wanted},
        mapping::Place,
        plan::{Plan, TargetPool, UsersWay},
        progress::{State, Tally, keys},
        recreate::NotMade,
        select::{Class, Order, Ordered},
        shape::{Marker, Shape},
    },
    port::{Backup, RawPool, ReadPool, WritePool},
    snapshot::reading,
};

use crate::{
    Importer, Phase,
    chosen::Chooser,
    configuration::{Configured, FailedStep, Setting},
    jobs::Imported,
    lanes::Work,
    plan::{Subject, groups},
};

/// What an operator may say about an import.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyOptions {
    /// Who imports.
    pub holder: Holder,
    /// Whether users who failed are tried again. What is not finished is finished in any case.
    pub retry_failed: bool,
    /// Whether sign-up and outside providers are opened although users could not be made. Whoever comes first then has their
    /// names.
    pub open_sign_up: bool,
}

/// What an import came to, all attempts together.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyReport {
    /// The plan.
    pub plan: String,
    /// Id of the pool.
    pub pool: String,
    /// New ids of app clients, by their old ones.
    pub clients: BTreeMap<String, String>,
    /// Settings that Cognito refused.
    pub settings_failed: Vec<FailedStep>,
    /// What is to be done by hand in an existing target, beside the plan's own list.
    pub manual: Vec<String>,
    /// Users who are there.
    pub users: u64,
    /// Of those, who came by an import job.
    pub by_csv: u64,
    /// Memberships that are there.
    pub memberships: u64,
    /// Outside identities that are linked.
    pub links: u64,
    /// Users who were not made, by the plan's own reason.
    pub not_made: BTreeMap<NotMade, u64>,
    /// Users who failed, in whole or in part, by stage and code: `create: InvalidParameterException`.
    pub failed: BTreeMap<String, u64>,
    /// How many users that are; [`Importer::outcomes`] names them.
    pub failed_users: u64,
    /// What an operator has to know of this attempt.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// How long this attempt took.
    pub seconds: u64,
}

impl ApplyReport {
    /// Whether something failed that another attempt may mend.
    #[must_use]
    pub fn is_partial(&self) -> bool {
        self.failed_users > 0 || !self.settings_failed.is_empty()
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Carries out `plan`, from where an earlier attempt stopped. Doing it again changes nothing.
    ///
    /// Whoever made this importer has told its governor the account's quotas, where they may be asked for
    /// ([`twinpool_shared::adapter::pool::PoolReader::live_limits`]).
    ///
    /// # Errors
    /// `Held` when another import of the pool is at work, `Unmet` when the backup no longer agrees with the plan; else as
    /// Cognito and the table answer. Users and settings that fail are no error; the report counts them.
    pub async fn apply(&self, plan: &Plan, options: &ApplyOptions) -> Result<ApplyReport, Error> {
        let tenure = self.tenure(&plan.source.pool, &options.holder);
        tenure.during(Box::pin(self.carry_out_plan(plan, options))).await
    }

    async fn carry_out_plan(&self, plan: &Plan, options: &ApplyOptions) -> Result<ApplyReport, Error> {
        let began = Instant::now();
        let source = plan.source.pool.as_str();
        let groups = groups(&self.backup, source).await?;
        let key = keys::state(source, &plan.id);
        let state = self.documents(source).load::<State>(&key).await?;
        let begun = state.is_some_and(|(state, _)| state.pool.is_some() || state.making);
        let mut warnings = Vec::new();
        let wanted = self.wanted_settings(plan, &groups).await?;
        let planned = plan.steps.iter().map(|step| step.digest.as_str());
        if !planned.eq(wanted.steps.iter().map(Step::digest)) {
            if !begun {
                return Err(outdated("the settings in the backup are"));
            }
            let what =
                "the settings in the backup are no longer those of the plan; the import goes on with those of now";
            warnings.push(what.to_owned());
        }
        if !begun {
            self.is_as_planned(plan, &wanted).await?;
        }
        let chooser = Chooser::new(&self.backup, source, plan.selection()).await?;
        let layout = {
            let users = self.users_in_order(plan, &chooser).await?;
            self.lay_out(plan, &users, &options.holder.owner).await?
        };
        warnings.extend(layout.warning.clone());
        let setting = Setting {
            plan: &plan.id,
            source,
            owner: &options.holder.owner,
            target: &plan.target.pool,
            wanted: &wanted,
        };
        let mut configured = Box::pin(self.configure(&setting)).await?;
        unshaped(&configured.failed)?;
        let shape = self.shape_of(&configured.pool).await?;
        let mut work = Work {
            plan,
            pool: &configured.pool,
            shape: &shape,
            chooser: &chooser,
            layout: &layout,
            groups: &groups,
            imported: &Imported::default(),
            owner: &options.holder.owner,
            retry: options.retry_failed,
        };
        let state = self.documents(source).load::<State>(&key).await?;
        let finished = state.is_some_and(|(state, _)| state.users.is_some());
        let imported = if plan.users.way == UsersWay::Csv && !finished {
            Box::pin(self.jobs(&work)).await?
        } else {
            Imported::default()
        };
        work.imported = &imported;
        let tally = self.lanes(&work).await?;
        let state = self.documents(source).load::<State>(&key).await?;
        let (state, version) = state.map_or_else(Default::default, |(state, version)| (state, Some(version)));
        let state = State {
            users: Some(tally.clone()),
            ..state
        };
        self.documents(source)
            .supersede(&key, &state, version, Kept::Always)
            .await?;
        self.watch.phase(Phase::Triggers, None);
        let (closed, why) = sign_up::closed(&tally, &plan.target.pool, options.open_sign_up);
        let left = self.open(&setting, &configured.pool, closed).await?;
        self.watch.finished(Phase::Triggers);
        warnings.extend(why.filter(|_| !left.is_empty()));
        configured.failed.extend(left);
        Ok(ApplyReport {
            warnings,
            ..report(plan, configured, tally, began.elapsed().as_secs())
        })
    }

    /// The settings of the backup as of the plan's instant.
    async fn wanted_settings(&self, plan: &Plan, groups: &BTreeMap<String, GroupRecord>) -> Result<Wanted, Error> {
        let source = plan.source.pool.as_str();
        let recorded = reading::at(&self.backup, source, plan.source.as_of).await?;
        let subject = Subject {
            recorded: &recorded,
            groups,
            mapping: &plan.mapping,
            place: &Place::new(source, &plan.target.region, &plan.target.account)?,
            as_of: plan.source.as_of,
            plan: &plan.id,
        };
        subject.wanted(match &plan.target.pool {
            TargetPool::New { name } => name,
            TargetPool::Existing { .. } => "",
        })
    }

    /// The users of the backup as of the plan's instant, in their order.
    async fn users_in_order(&self, plan: &Plan, chooser: &Chooser) -> Result<Ordered, Error> {
        self.watch.phase(Phase::Backup, Some(plan.users.counts.chosen));
        let mut order = Order::new();
        chooser
            .each(&self.backup, |item| {
                let record = &item.record;
                order.push(&record.sub, record.last_seen, Class::of(record), &item.content_hash);
                self.watch.advanced(Phase::Backup, 1);
                Ok(())
            })
            .await?;
        self.watch.finished(Phase::Backup);
        Ok(order.finish())
    }

    /// The shape of the target, as it is now.
    pub(crate) async fn shape_of(&self, pool: &str) -> Result<Shape, Error> {
        let input = json!({"UserPoolId": pool});
        let described = self.reader.call("DescribeUserPool", input.clone()).await?;
        let mfa = self.reader.call("GetUserPoolMfaConfig", input).await?;
        let shape = Shape::of(&described["UserPool"], Some(&mfa))?;
        if shape.marker() != Marker::There {
            let what = "the target has no custom:original_sub, by which users are found again: see the failed settings";
            return Err(Error::new(ErrorKind::Rejected, what));
        }
        Ok(shape)
    }
}

/// Before anything is made: the backup or the target no longer agrees with the plan.
pub(crate) fn outdated(what: &str) -> Error {
    let what =
        format!("{what} no longer those of the plan, so nothing was changed; make a new one with `twinpool plan`");
    Error::new(ErrorKind::Unmet, what)
}

/// Settings by which users are made. Without one of them users would come out otherwise than planned, and stay so.
const SHAPING: [&str; 3] = ["CreateUserPool", "AddCustomAttributes", "SetUserPoolMfaConfig"];

/// The error when a setting was refused by which users are made.
fn unshaped(failed: &[FailedStep]) -> Result<(), Error> {
    let Some(step) = failed.iter().find(|step| SHAPING.contains(&step.operation.as_str())) else {
        return Ok(());
    };
    let what = format!(
        "no user was made, because the setting {} shapes users and was refused: cognito-idp:{} failed with {}; mend that and \
         apply the plan again",
        step.path, step.operation, step.code
    );
    Err(Error::new(ErrorKind::Unmet, what))
}

fn report(plan: &Plan, configured: Configured, tally: Tally, seconds: u64) -> ApplyReport {
    ApplyReport {
        plan: plan.id.clone(),
        pool: configured.pool,
        clients: configured.clients,
        settings_failed: configured.failed,
        manual: configured.manual.iter().map(ToString::to_string).collect(),
        users: tally.users,
        by_csv: tally.by_csv,
        memberships: tally.memberships,
        links: tally.links,
        not_made: tally.not_made,
        failed: tally.failed,
        failed_users: tally.failed_users,
        warnings: Vec::new(),
        seconds,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_setting_that_shapes_users_stops_the_import_before_the_first_user() {
        let failed = |operation: &str| FailedStep {
            path: "mfa".to_owned(),
            operation: operation.to_owned(),
            code: "InvalidParameterException".to_owned(),
        };
        assert_eq!(unshaped(&[failed("SetUICustomization"), failed("CreateGroup")]), Ok(()));
        for operation in SHAPING {
            let stopped = unshaped(&[failed("CreateGroup"), failed(operation)]).expect_err("stopped");
            for part in ["mfa", operation, "InvalidParameterException", "apply the plan again"] {
                assert!(stopped.what.contains(part), "{stopped}");
            }
        }
    }
}
