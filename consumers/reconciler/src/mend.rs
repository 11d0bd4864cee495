//! Mending users in whom the walk and the backup differ.
//!
//! Invariant: a record that claims to be newer than the walk is believed until a second look contradicts it; and no membership
//! is taken away here, only noted for the end.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::Error,
    item::UserItem,
    observation::{Evidence, Observation},
    personal::Sub,
    port::{Backup, ReadPool},
    reconcile::{
        Field, Walked, differences, disputed, effective_groups, groups_as_of, groups_evidence, profile_evidence,
    },
    run::{Pending, UserTally},
    time::Timestamp,
};

use crate::{Finding, Reconciler, Subject, users::Ground};

/// Users written at the same time, in one walk.
const CONCURRENCY_MAX: usize = 8;

/// A user in whom pool and backup may differ.
pub(crate) struct Case {
    /// The user.
    pub(crate) sub: Sub,
    /// As the walk showed them.
    pub(crate) walked: Walked,
    /// When it was asked to.
    pub(crate) read_at: Timestamp,
}

/// What became of a case.
#[derive(Default)]
struct Mended {
    fields: Vec<Field>,
    written: bool,
    undecided: bool,
    /// The groups that were shown, when the backup has more.
    left: Option<(Sub, Vec<String>)>,
}

/// What a second look says of a record that claims to be newer than the pool.
enum Look {
    /// By now they say the same, or the user is gone.
    Settled,
    /// The record was mistaken, and is mended.
    Mended,
    /// It may be right: a list may show what was so a window ago.
    Undecided,
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Looks closer at those who differ, and mends what does.
    pub(crate) async fn mend(
        &self,
        ground: &Ground<'_>,
        cases: Vec<Case>,
        tally: &mut UserTally,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        if cases.is_empty() {
            return Ok(());
        }
        let subs: Vec<Sub> = cases.iter().map(|case| case.sub.clone()).collect();
        let mut items = self.backup.users(ground.pool, &subs).await?;
        let work = cases.into_iter().map(|case| {
            let item = items.remove(&case.sub);
            Box::pin(self.mend_one(ground, case, item))
        });
        let work: Vec<_> = work.collect();
        let mended: Vec<Mended> = stream::iter(work).buffered(CONCURRENCY_MAX).try_collect().await?;
        for one in mended {
            tally.writes += u64::from(one.written);
            tally.undecided += u64::from(one.undecided);
            if one.written || one.left.is_some() {
                count_drift(tally, &one.fields);
            }
            pending.left.extend(one.left);
        }
        Ok(())
    }

    async fn mend_one(&self, ground: &Ground<'_>, case: Case, item: Option<UserItem>) -> Result<Mended, Error> {
        let Case {
            sub,
            mut walked,
            read_at,
        } = case;
        let record = item.as_ref().map(|item| &item.record);
        walked.groups.extend(ground.kept_groups(record));
        let mut fields = differences(record, &walked, &ground.groups);
        let as_of = groups_as_of(&walked.groups, &ground.groups, ground.run.members_from);
        let held = record.and_then(|record| record.groups.as_ref());
        if held.is_some_and(|facet| facet.as_of > as_of) {
            // An event that is younger than the walk knows better.
            fields.retain(|field| !matches!(field, Field::JoinedGroup(_) | Field::LeftGroup(_)));
        }
        if fields.is_empty() {
            return Ok(Mended::default());
        }
        let loses = fields.iter().any(|field| matches!(field, Field::LeftGroup(_)));
        let joins = |field: &Field| matches!(field, Field::JoinedGroup(_) | Field::MissingInBackup);
        let profile = profile_evidence(&walked.user, read_at);
        let claims = record.map_or_else(Vec::new, |record| disputed(record, &profile, &walked, &ground.groups));
        let mut observations = vec![profile];
        if fields.iter().any(joins) {
            let mut groups = walked.groups.clone();
            if loses {
                // Until the end, when the guard has seen all losses, the user is in what either says.
                groups.extend(
                    record
                        .map(|record| effective_groups(record, &ground.groups))
                        .unwrap_or_default(),
                );
            }
            observations.push(groups_evidence(groups, as_of, read_at));
        }
        let writer = self.writer();
        let written = writer.user(ground.pool, &sub, item.clone(), &observations).await?;
        let mut written = written.is_some();
        // A tombstone that is so young is not contradicted by a list that may show who is gone.
        let mut undecided = claims.contains(&Field::Buried);
        if !undecided && !claims.is_empty() {
            match self.look_again(ground, &sub).await? {
                Look::Settled => {}
                Look::Mended => written = true,
                Look::Undecided => undecided = true,
            }
        }
        let left = loses.then(|| (sub.clone(), walked.groups.iter().cloned().collect()));
        if written || left.is_some() {
            for field in fields.iter().filter(|field| field.is_drift()) {
                self.watch.found(&Finding {
                    subject: Subject::User(sub.clone()),
                    field: field.clone(),
                });
            }
        }
        Ok(Mended {
            fields,
            written,
            undecided,
            left,
        })
    }

    /// A second look at a user whose record claims to be newer than the pool. A walk may show a list from before a change; what
    /// is shown twice, a window later than the record, is so.
    async fn look_again(&self, ground: &Ground<'_>, sub: &Sub) -> Result<Look, Error> {
        let read_at = (self.clock)();
        let Some(user) = self.reader.find_user(ground.pool, sub).await? else {
            return Ok(Look::Settled);
        };
        let stored = self.backup.users(ground.pool, std::slice::from_ref(sub)).await?;
        let Some(stored) = stored.into_values().next() else {
            return Ok(Look::Undecided);
        };
        let walked = ground.walked(sub, user);
        let fields = differences(Some(&stored.record), &walked, &ground.groups);
        if !fields.iter().any(Field::is_of_profile) {
            return Ok(Look::Settled);
        }
        let contradicted = Observation {
            source: "ListUsers".to_owned(),
            evidence: Evidence::Contradicted {
                user: walked.user.clone(),
                read_at,
            },
        };
        // All or nothing: half of a contradiction would be a write that leaves the difference.
        if !disputed(&stored.record, &contradicted, &walked, &ground.groups).is_empty() {
            return Ok(Look::Undecided);
        }
        let writer = self.writer();
        let written = writer.user(ground.pool, sub, Some(stored), &[contradicted]).await?;
        Ok(if written.is_some() { Look::Mended } else { Look::Settled })
    }
}

fn count_drift(tally: &mut UserTally, fields: &[Field]) {
    tally.drifted += u64::from(fields.iter().any(Field::is_drift));
    let kinds: BTreeSet<&str> = fields.iter().map(Field::kind).collect();
    for kind in kinds {
        tally.count_drift(kind);
    }
}
