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
        recreate::NotMade,
        select::effective,
        shape::Shape,
    },
    item::UserItem,
    personal::{Personal, Sub},
    port::{Backup, RawPool, ReadPool, WritePool},
};

use crate::{
    Importer, Phase,
    chosen::Chooser,
    layout::missing,
    plan::groups,
    target::{Target, Trouble},
};

/// Chunks at the same time.
const CHUNKS_AHEAD: usize = 4;
/// Users of a chunk at the same time.
const USERS_AHEAD: usize = 8;
/// Identity providers of a page of `ListIdentityProviders`, its maximum.
const PROVIDERS_PAGE: u32 = 60;
/// The status of a user whom Cognito made at a sign-in through an outside provider. [API: UserStatusType]
const FEDERATED: &str = "EXTERNAL_PROVIDER";

/// What became of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RepairReport {
    /// Users of the backup that are known by an outside identity alone.
    pub federated: u64,
    /// Of those, who has signed in and is mended, now or before.
    pub mended: u64,
    /// Of those, who has not signed in yet.
    pub waiting: u64,
    /// Who could not be mended, by code.
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
    /// Gives every federated user who has signed in since `plan` was carried out their old `sub`, groups and disabled flag, and
    /// notes them in the sub map.
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
    async fn mapped(&self, pool: &str) -> Result<BTreeSet<String>, Error> {
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
            .filter(|user| federated(user) && user.new.is_none())
            .map(|user| user.sub.clone())
            .collect();
        report.mended = report.federated - left.len() as u64;
        self.watch.advanced(Phase::Repair, report.mended);
        if left.is_empty() {
            return Ok(report);
        }
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
        let before = report.mended;
        while let Some(mended) = users.next().await {
            self.watch.advanced(Phase::Repair, 1);
            match mended {
                Ok(true) => report.mended += 1,
                Ok(false) => report.waiting += 1,
                Err(Trouble::User(code)) => *report.failed.entry(code).or_default() += 1,
                Err(Trouble::Import(error)) => return Err(error),
            }
        }
        drop(users);
        if report.mended > before {
            self.documents(source)
                .supersede(&key, &chunk, Some(version), Kept::Always)
                .await?;
        }
        Ok(report)
    }
}

/// Mends a user who has signed in; whether they have.
async fn mend<P: RawPool, W: WritePool>(
    target: &Target<'_, P, W>,
    repair: &Repair<'_>,
    outcome: &mut Outcome,
    item: &UserItem,
) -> Result<bool, Trouble> {
    let Some(name) = item.record.username() else {
        return Err(Trouble::User(NAMELESS.to_owned()));
    };
    let Some(found) = target.find(name).await?.filter(|found| found.status == FEDERATED) else {
        return Ok(false);
    };
    // First of all: the identity provider lets them in until then.
    let disabled = item.record.account.as_ref().is_some_and(|facet| !facet.data.enabled);
    if disabled && found.enabled {
        target.disable(name).await?;
    }
    if !found.is_of(&outcome.sub) {
        let marker = BTreeMap::from([(ORIGINAL_SUB.to_owned(), Personal::new(outcome.sub.as_str()))]);
        target.set(name, &marker).await?;
    }
    // What Cognito refuses of them is told once the groups are there.
    let attributes = match &item.record.attributes {
        Some(facet) => {
            let missing = missing_of_federated(&facet.data.values, &found.attributes, repair.mapped, repair.shape);
            match target.set(name, &missing).await {
                Err(Trouble::User(code)) => Some(code),
                Err(stops) => return Err(stops),
                Ok(()) => None,
            }
        }
        None => None,
    };
    let groups = effective(&item.record, repair.groups, repair.plan.source.as_of);
    for group in &groups {
        target.join(name, group).await?;
    }
    if let Some(code) = attributes {
        return Err(Trouble::User(code));
    }
    outcome.new = Some(found.sub);
    outcome.memberships = groups.len() as u64;
    outcome.done = Some(Stage::Preferences);
    Ok(true)
}

#[cfg(test)]
mod tests;
