//! Users known by an outside identity alone: Cognito makes them at their next sign-in, and then they are mended.
//!
//! Invariant: their password is never touched: `AdminSetUserPassword` would turn them into native users.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use serde_json::json;
use twinpool_shared::{
    adapter::lease::Holder,
    documents::Kept,
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        ORIGINAL_SUB,
        adopt::missing_of_federated,
        plan::Plan,
        progress::{Chunk, NAMELESS, Outcome, Stage, State, keys},
        recreate::{NotMade, of_federated},
        select::effective,
        shape::Shape,
    },
    item::UserItem,
    personal::{Personal, Sub},
    port::{Backup, RawPool, ReadPool, WritePool},
    user::Attributes,
};

use crate::{
    Importer, Phase,
    chosen::Chooser,
    layout::missing,
    plan::groups,
    target::{Found, Target, Trouble},
};

/// Chunks at the same time.
const CHUNKS_AHEAD: usize = 4;
/// Users of a chunk at the same time.
const USERS_AHEAD: usize = 8;
/// Identity providers of a page of `ListIdentityProviders`, its maximum.
const PROVIDERS_PAGE: u32 = 60;
/// The status of a user whom Cognito made at a sign-in through an outside provider. [API: UserStatusType]
const FEDERATED: &str = "EXTERNAL_PROVIDER";
/// The stage in which the repair is noted, the last one: whoever is mended needs no other.
const MENDED_IN: Stage = Stage::Memberships;

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Users of the backup that are known by an outside identity alone.
    pub federated: u64,
    /// Of those, who has signed in and is mended, now or before.
    pub mended: u64,
    /// Of those, who has not signed in yet.
    pub waiting: u64,
    /// Who could not be mended, by stage and code, as in [`crate::ApplyReport::failed`].
    pub failed: BTreeMap<String, u64>,
}

/// What the repair works on.
struct Repair<'a> {
    plan: &'a Plan,
    pool: &'a str,
    chooser: &'a Chooser,
    groups: &'a BTreeMap<String, GroupRecord>,
    shape: &'a Shape,
    /// Attributes that identity providers set.
    mapped: &'a BTreeSet<String>,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Gives every federated user who has signed in since `plan` was carried out their old `sub`, disabled flag, attributes that
    /// no provider sets, further identities and groups, and notes them in the sub map.
    ///
    /// # Errors
    /// `Held` when another import of the pool is at work, `NotFound` when the plan was not carried out; else as Cognito and the
    /// table answer.
    pub async fn repair_federated(&self, plan: &Plan, holder: &Holder) -> Result<RepairReport, Error> {
        let tenure = self.tenure(&plan.source.pool, holder);
        tenure.during(Box::pin(self.repair(plan, holder))).await
    }

    async fn repair(&self, plan: &Plan, holder: &Holder) -> Result<RepairReport, Error> {
        let source = plan.source.pool.as_str();
        let state = self
            .documents(source)
            .load::<State>(&keys::state(source, &plan.id))
            .await?;
        let state = state.map(|(state, _)| state).filter(|state| state.users.is_some());
        let Some((pool, chunks)) = state.and_then(|state| Some((state.pool.clone()?, state.chunks()))) else {
            let what = format!(
                "the users of plan {} in the table; finish `twinpool apply` first",
                plan.id
            );
            return Err(Error::new(ErrorKind::NotFound, what));
        };
        let chooser = Chooser::new(&self.backup, source, plan.selection()).await?;
        let groups = groups(&self.backup, source).await?;
        let shape = self.shape_of(&pool).await?;
        let mapped = self.mapped(&pool).await?;
        let repair = Repair {
            plan,
            pool: &pool,
            chooser: &chooser,
            groups: &groups,
            shape: &shape,
            mapped: &mapped,
        };
        let expected = plan.users.counts.not_made.get(&NotMade::FederatedOnly).copied();
        self.watch.phase(Phase::Repair, Some(expected.unwrap_or(0)));
        let report = stream::iter(0..chunks)
            .map(|number| Box::pin(self.repair_chunk(&repair, &holder.owner, number)))
            .buffer_unordered(CHUNKS_AHEAD)
            .try_fold(RepairReport::default(), |mut report, chunk| {
                report.federated += chunk.federated;
                report.mended += chunk.mended;
                report.waiting += chunk.waiting;
                for (code, users) in chunk.failed {
                    *report.failed.entry(code).or_default() += users;
                }
                std::future::ready(Ok(report))
            })
            .await?;
        self.watch.finished(Phase::Repair);
        Ok(report)
    }

    /// Attributes that identity providers of the target set at every sign-in.
    pub(crate) async fn mapped(&self, pool: &str) -> Result<BTreeSet<String>, Error> {
        let mut mapped = BTreeSet::new();
        let mut input = json!({"UserPoolId": pool, "MaxResults": PROVIDERS_PAGE});
        loop {
            let mut page = self.reader.call("ListIdentityProviders", input.clone()).await?;
            for provider in page["Providers"].as_array().into_iter().flatten() {
                let asked = json!({"UserPoolId": pool, "ProviderName": provider["ProviderName"]});
                let provider = self.reader.call("DescribeIdentityProvider", asked).await?;
                let mapping = provider["IdentityProvider"]["AttributeMapping"].as_object();
                mapped.extend(mapping.into_iter().flat_map(|mapping| mapping.keys().cloned()));
            }
            let token = page["NextToken"].take();
            if token.is_null() {
                return Ok(mapped);
            }
            input["NextToken"] = token;
        }
    }

    async fn repair_chunk(&self, repair: &Repair<'_>, owner: &str, number: usize) -> Result<RepairReport, Error> {
        let source = repair.plan.source.pool.as_str();
        self.still_held(source, owner).await?;
        let key = keys::chunk(source, &repair.plan.id, number);
        let loaded = self.documents(source).load::<Chunk>(&key).await?;
        let (mut chunk, version) = loaded.ok_or_else(|| missing(number))?;
        let mut report = RepairReport::default();
        let federated = |user: &&mut Outcome| user.not_made == Some(NotMade::FederatedOnly);
        report.federated = chunk.users.iter_mut().filter(federated).count() as u64;
        let left: Vec<Sub> = chunk
            .users
            .iter_mut()
            .filter(|user| federated(user) && (user.new.is_none() || !user.failed.is_empty()))
            .map(|user| user.sub.clone())
            .collect();
        report.mended = report.federated - left.len() as u64;
        self.watch.advanced(Phase::Repair, report.mended);
        if left.is_empty() {
            return Ok(report);
        }
        let before = chunk.clone();
        let items = self.chosen_among(repair.chooser, source, &left).await?;
        let items: HashMap<Sub, UserItem> = items.into_iter().map(|item| (item.record.sub.clone(), item)).collect();
        let target = Target {
            reader: &self.reader,
            writer: &self.writer,
            pool: repair.pool,
        };
        let mut users = stream::iter(chunk.users.iter_mut())
            .filter_map(|user| std::future::ready(items.get(&user.sub).map(|item| (user, item))))
            .map(|(user, item)| async move { mend(&target, repair, user, item).await })
            .buffer_unordered(USERS_AHEAD);
        while let Some(mended) = users.next().await {
            self.watch.advanced(Phase::Repair, 1);
            match mended {
                Ok(Mended::Whole) => report.mended += 1,
                Ok(Mended::Waiting) => report.waiting += 1,
                Ok(Mended::Partly(code)) | Err(Trouble::User(code)) => {
                    let code = format!("{}: {code}", MENDED_IN.as_str());
                    *report.failed.entry(code).or_default() += 1;
                }
                Err(Trouble::Import(error)) => return Err(error),
            }
        }
        drop(users);
        if chunk != before {
            self.documents(source)
                .supersede(&key, &chunk, Some(version), Kept::Always)
                .await?;
        }
        Ok(report)
    }
}

/// What became of a federated user.
enum Mended {
    /// They have not signed in yet.
    Waiting,
    /// All is done.
    Whole,
    /// They are there, and something failed, with this code at first. Another repair tries it again.
    Partly(String),
}

/// Mends a user who has signed in, and notes them. What fails is noted as well, and the rest is done all the same.
async fn mend<P: ReadPool + RawPool, W: WritePool>(
    target: &Target<'_, P, W>,
    repair: &Repair<'_>,
    outcome: &mut Outcome,
    item: &UserItem,
) -> Result<Mended, Trouble> {
    let Some(known) = item.record.attributes.as_ref().map(|facet| &facet.data) else {
        return Err(Trouble::User(NAMELESS.to_owned()));
    };
    let name = &known.username;
    let found = target.find(name).await?;
    let Some(found) = found.filter(|found| found.status == FEDERATED && found.is_named(name, repair.shape)) else {
        return Ok(Mended::Waiting);
    };
    outcome.new = Some(found.sub.clone());
    let code = match give_back(target, repair, outcome, (item, known), &found).await {
        Ok(()) => None,
        Err(Trouble::User(code)) => Some(code),
        Err(stops) => return Err(stops),
    };
    outcome.went_through(MENDED_IN, code.clone());
    Ok(code.map_or(Mended::Whole, Mended::Partly))
}

/// Gives a federated user who is there what they had, as far as Cognito takes it; the first failure is told.
async fn give_back<P: ReadPool + RawPool, W: WritePool>(
    target: &Target<'_, P, W>,
    repair: &Repair<'_>,
    outcome: &mut Outcome,
    (item, known): (&UserItem, &Attributes),
    found: &Found,
) -> Result<(), Trouble> {
    let name = &known.username;
    // First of all: the identity provider lets them in until then. Who stays enabled gets nothing.
    let disabled = item.record.account.as_ref().is_some_and(|facet| !facet.data.enabled);
    if disabled && found.enabled {
        target.disable(name).await?;
    }
    let mut first = Ok(());
    if !found.is_of(&outcome.sub) {
        let marker = BTreeMap::from([(ORIGINAL_SUB.to_owned(), Personal::new(outcome.sub.as_str()))]);
        and_then(&mut first, target.set(name, &marker).await)?;
    }
    let missing = missing_of_federated(&known.values, &found.attributes, repair.mapped, repair.shape);
    and_then(&mut first, target.set(name, &missing).await)?;
    (outcome.links, outcome.memberships) = (0, 0);
    if let Some((own, others)) = of_federated(known) {
        for link in &others {
            // A federated user is named by the identity for which Cognito made them. [API: AdminLinkProviderForUser]
            let made_for = json!({"ProviderName": own.provider, "ProviderAttributeValue": own.user_id.expose()});
            let is_there = link.is_in(found.attributes.get("identities"));
            if is_there || and_then(&mut first, target.link(name, made_for, link).await)? {
                outcome.links += 1;
            }
        }
    }
    for group in effective(&item.record, repair.groups, repair.plan.source.as_of) {
        if and_then(&mut first, target.join(name, &group).await)? {
            outcome.memberships += 1;
        }
    }
    first
}

/// Notes the `first` failure that concerns the user alone. Whether there was none now.
fn and_then(first: &mut Result<(), Trouble>, done: Result<(), Trouble>) -> Result<bool, Trouble> {
    match done {
        Ok(()) => Ok(true),
        Err(Trouble::User(code)) => {
            if first.is_ok() {
                *first = Err(Trouble::User(code));
            }
            Ok(false)
        }
        Err(stops) => Err(stops),
    }
}

#[cfg(test)]
mod tests;
