//! Comparing a rebuilt pool with the backup: every user, attribute, flag, group, membership, link, client and setting.
//!
//! What the target has to show is decided in [`twinpool_shared::import::expect`] and [`twinpool_shared::import::configure`];
//! here it is read and counted.
//!
//! Invariant: changes nothing, and calls a difference expected only with a reason. Of the walk nothing is kept but 20 bytes for
//! each user and for each membership.

mod members;
mod mended;
mod report;
mod seen;
mod settings;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use twinpool_shared::{
    error::Error,
    group::GroupRecord,
    import::{
        ORIGINAL_SUB,
        expect::{Found, Way, compare},
        mapping::Mapping,
        plan::{Plan, UsersWay},
        recreate::{Fate, NotMade, recreate},
        select::{Selection, effective},
        shape::Shape,
    },
    item::{SHARDS, UserItem},
    observation::UserRead,
    personal::Sub,
    port::{Backup, RawPool, ReadPool, WritePool},
};

pub use self::report::{Difference, Explained, VerifyReport};
use self::{
    members::Memberships,
    report::Tally,
    seen::{Met, Seen},
};
use crate::{
    Importer, Phase,
    chosen::Chooser,
    configuration::captured,
    plan::{Subject, groups, shape},
};

/// Lists of the target at the same time; they hide the latency of a call at the full quota.
const CHAINS: usize = 4;

/// What is compared.
#[derive(Clone, Debug)]
pub struct VerifyOrder {
    /// The pool of the backup.
    pub pool: String,
    /// The pool that was rebuilt.
    pub target: String,
    /// Its Region.
    pub region: String,
    /// The account.
    pub account: String,
    /// Whom the import made, as of which instant.
    pub selection: Selection,
    /// By which way; `Csv` also allows what `Api` leaves.
    pub way: Way,
    /// The mapping file of the plan.
    pub mapping: Mapping,
    /// The plan, where one was given.
    pub plan: Option<String>,
}

impl VerifyOrder {
    /// What `plan` made in `target`.
    #[must_use]
    pub fn of(plan: &Plan, target: &str) -> Self {
        Self {
            pool: plan.source.pool.clone(),
            target: target.to_owned(),
            region: plan.target.region.clone(),
            account: plan.target.account.clone(),
            selection: plan.selection(),
            way: match plan.users.way {
                UsersWay::Csv => Way::Csv,
                UsersWay::Api | UsersWay::Auto => Way::Api,
            },
            mapping: plan.mapping.clone(),
            plan: Some(plan.id.clone()),
        }
    }
}

/// What users are compared by.
struct Comparison<'a, B> {
    order: &'a VerifyOrder,
    backup: &'a B,
    groups: &'a BTreeMap<String, GroupRecord>,
    shape: &'a Shape,
    /// Attributes that identity providers set.
    mapped: &'a BTreeSet<String>,
    chooser: &'a Chooser,
    members: &'a Memberships,
    seen: &'a Mutex<Seen>,
    tally: &'a Mutex<Tally>,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Compares the target with the backup.
    ///
    /// # Errors
    /// As Cognito and the table answer. Differences are no error.
    pub async fn verify(&self, order: &VerifyOrder) -> Result<VerifyReport, Error> {
        let began = Instant::now();
        let (recorded, place) = settings::recorded(&self.backup, order).await?;
        let groups = groups(&self.backup, &order.pool).await?;
        let chooser = Chooser::new(&self.backup, &order.pool, order.selection).await?;
        let subject = Subject {
            recorded: &recorded,
            groups: &groups,
            mapping: &order.mapping,
            place: &place,
            as_of: order.selection.as_of,
            plan: order.plan.as_deref().unwrap_or_default(),
        };
        let wanted = subject.wanted("")?;
        let found = captured(&self.reader, &self.clock, &order.target, &wanted).await?;
        let shape = shape(&found.configuration)?;
        let mapped = self.mapped(&order.target).await?;
        let mut tally = Tally::default();
        self.compare_settings(order, &wanted, &found, &mut tally).await?;
        let tally = Mutex::new(tally);
        let estimated = self.reader.estimated_users(&order.target).await?;
        self.watch.phase(Phase::Verify, Some(estimated));
        let members = self
            .memberships(&order.target, found.groups.into_keys().collect())
            .await?;
        let seen = Mutex::new(Seen::default());
        let comparison = Comparison {
            order,
            backup: &self.backup,
            groups: &groups,
            shape: &shape,
            mapped: &mapped,
            chooser: &chooser,
            members: &members,
            seen: &seen,
            tally: &tally,
        };
        let prefixes: Vec<String> = SHARDS.iter().map(char::to_string).collect();
        stream::iter(prefixes)
            .map(|prefix| self.walk(&comparison, Some(prefix)))
            .buffer_unordered(CHAINS)
            .try_collect::<()>()
            .await?;
        if self.somebody_is_missing(&comparison).await? {
            // Nobody is called missing because of a filter: whoever the prefixes did not show may still be in the whole list.
            locked(&tally).forget_strangers();
            self.walk(&comparison, None).await?;
        }
        self.missing(&comparison).await?;
        self.watch.finished(Phase::Verify);
        let seen = seen.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        let tally = tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(tally.report(order, &seen, &members, began.elapsed()))
    }

    /// Compares the users of one list of the target.
    async fn walk(&self, comparison: &Comparison<'_, B>, prefix: Option<String>) -> Result<(), Error> {
        let target = &comparison.order.target;
        let mut token = None;
        loop {
            let page = self
                .reader
                .users_page(target, prefix.as_deref(), token.as_deref())
                .await?;
            let walked = page.entries.len() as u64;
            self.page(comparison, page.entries).await?;
            self.watch.advanced(Phase::Verify, walked);
            match page.token {
                Some(next) => token = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn page(&self, comparison: &Comparison<'_, B>, users: Vec<(Sub, UserRead)>) -> Result<(), Error> {
        let mut ours: Vec<(Sub, Sub, UserRead)> = Vec::with_capacity(users.len());
        for (sub, user) in users {
            match original(&user) {
                Some(old) => ours.push((old, sub, user)),
                None => locked(comparison.tally).stranger(&user.status),
            }
        }
        let subs: BTreeSet<Sub> = ours.iter().map(|(old, ..)| old.clone()).collect();
        let subs: Vec<Sub> = subs.into_iter().collect();
        let items = comparison.backup.users(&comparison.order.pool, &subs).await?;
        for (old, sub, user) in ours {
            let item = match items.get(&old) {
                Some(current) => comparison.chooser.choose(comparison.backup, current.clone()).await?,
                None => None,
            };
            let Some(item) = item else {
                locked(comparison.tally).stranger(&user.status);
                continue;
            };
            // The lock is let go before anything is waited for.
            let met = locked(comparison.seen).find(&old, &sub);
            match met {
                Met::First => self.compare(comparison, &item, (&sub, &user)).await?,
                Met::Again => {}
                Met::Twice => locked(comparison.tally).twice(&old),
            }
        }
        Ok(())
    }

    async fn compare(
        &self,
        comparison: &Comparison<'_, B>,
        item: &UserItem,
        (sub, user): (&Sub, &UserRead),
    ) -> Result<(), Error> {
        let old = &item.record.sub;
        let fate = comparison.fate(item);
        // Reading MFA settings makes a user billable; setting a preference has done so already.
        let factors = match &fate {
            Fate::Made(made) if made.factors.is_some() => {
                let name = &user.attributes.username;
                self.reader.factors_of(&comparison.order.target, name).await?
            }
            _ => None,
        };
        let groups = comparison.members.of(sub);
        let found = Found {
            sub,
            user,
            groups: &groups,
            case_sensitive: comparison.shape.case_sensitive,
            factors: factors.as_ref(),
        };
        let differences = if matches!(fate, Fate::NotMade(NotMade::FederatedOnly)) {
            let wanted = effective(&item.record, comparison.groups, comparison.order.selection.as_of);
            let wanted = mended::Wanted::of(&item.record, wanted, comparison.mapped, comparison.shape);
            mended::compare(&wanted, &found, comparison.shape)
        } else {
            compare(&fate, comparison.order.way, Some(&found))
        };
        locked(comparison.tally).user(old, &fate, &differences);
        Ok(())
    }

    /// Whether somebody of the backup was not shown.
    async fn somebody_is_missing(&self, comparison: &Comparison<'_, B>) -> Result<bool, Error> {
        let mut missing = false;
        let visit = |item: UserItem| {
            missing |=
                matches!(comparison.fate(&item), Fate::Made(_)) && !locked(comparison.seen).has(&item.record.sub);
            Ok(())
        };
        comparison.chooser.each(comparison.backup, visit).await?;
        Ok(missing)
    }

    /// Counts whoever was not shown.
    async fn missing(&self, comparison: &Comparison<'_, B>) -> Result<(), Error> {
        let visit = |item: UserItem| {
            let old = &item.record.sub;
            if !locked(comparison.seen).has(old) {
                let fate = comparison.fate(&item);
                let differences = compare(&fate, comparison.order.way, None);
                locked(comparison.tally).user(old, &fate, &differences);
            }
            Ok(())
        };
        comparison.chooser.each(comparison.backup, visit).await
    }
}

impl<B> Comparison<'_, B> {
    fn fate(&self, item: &UserItem) -> Fate {
        let groups = effective(&item.record, self.groups, self.order.selection.as_of);
        recreate(&item.record, groups, self.shape)
    }
}

/// The `sub` in the backup that a user of the target was made from.
fn original(user: &UserRead) -> Option<Sub> {
    let marker = user.attributes.values.get(ORIGINAL_SUB)?;
    Sub::new(marker.expose())
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
