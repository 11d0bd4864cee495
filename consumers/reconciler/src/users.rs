//! Walking the users of one prefix, and holding them against the backup.
//!
//! Invariant: the end of a walk is a missing token, never an empty page; and whoever the walk did not show is only noted here.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, future::try_join, stream};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    item::{OTHER_SHARD, SHARDS, UserItem, shard_partitions},
    observation::{Evidence, Observation, UserRead},
    personal::Sub,
    port::{Backup, ReadPool},
    reconcile::{
        Field, Seen, Shard, Walked, differences, disputed, effective_groups, groups_as_of, groups_evidence,
        profile_evidence, walked_groups,
    },
    run::{Pending, Run, UserTally, keys},
    time::Timestamp,
    user::UserRecord,
};

use crate::{Finding, Reconciler, Subject, members::Roster};

/// Users written at the same time, in one walk.
const CONCURRENCY_MAX: usize = 8;
/// Partitions read at the same time, in one walk.
const PARTITIONS_MAX: usize = 4;
/// Users in one pending document of those whom the walk did not show: below DynamoDB's 400 KB.
const GONE_MAX: usize = 4_000;
/// The same of those with a lost membership, each with up to 100 groups of up to 128 characters.
const LEFT_MAX: usize = 5;

/// What the walk of one prefix holds users against.
struct Ground<'a> {
    pool: &'a str,
    run: &'a Run,
    groups: BTreeMap<String, GroupRecord>,
    roster: Roster,
}

/// A user in whom pool and backup may differ.
struct Case {
    sub: Sub,
    walked: Walked,
    read_at: Timestamp,
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

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Walks the users of `prefix`, once: what a finished walk came to is kept.
    pub(crate) async fn users(&self, pool: &str, run: &Run, prefix: &str) -> Result<UserTally, Error> {
        let key = keys::users_checkpoint(pool, &run.id, prefix);
        if let Some((tally, _)) = self.load::<UserTally>(&key).await? {
            return Ok(tally);
        }
        let ground = Ground {
            pool,
            run,
            groups: self.group_records(pool).await?,
            roster: self.roster(pool, run, prefix).await?,
        };
        let mut shard = self.stored(&ground, prefix).await?;
        let mut tally = UserTally::default();
        let mut pending = Pending::default();
        if prefix.starts_with(OTHER_SHARD) {
            Box::pin(self.look_for_each(&ground, &mut shard, &mut tally, &mut pending)).await?;
        } else {
            Box::pin(self.walk(&ground, prefix, &mut shard, &mut tally, &mut pending)).await?;
        }
        tally.living = shard.living();
        pending.gone = shard.missing();
        tally.suspects = pending.gone.len() as u64;
        tally.losses = pending.left.len() as u64;
        tally.pending = self.store_pending(pool, run, prefix, &pending).await?;
        self.replace(pool, &key, &tally).await?;
        Ok(tally)
    }

    /// The backup's users of `prefix`.
    async fn stored(&self, ground: &Ground<'_>, prefix: &str) -> Result<Shard, Error> {
        let shards = match prefix.chars().next() {
            Some(first) => vec![first],
            None => SHARDS.into_iter().chain([OTHER_SHARD]).collect(),
        };
        // The place of those without a prefix is named by its shard, not by how their `sub` begins.
        let sub_prefix = if prefix.starts_with(OTHER_SHARD) { "" } else { prefix };
        let partitions: Vec<String> = shards
            .into_iter()
            .flat_map(|shard| shard_partitions(ground.pool, shard))
            .collect();
        let mut pages = stream::iter(partitions)
            .map(|partition| async move {
                let mut users = Vec::new();
                let mut token = None;
                loop {
                    let page = self.backup.users_in(&partition, sub_prefix, token.as_deref()).await?;
                    users.extend(page.entries);
                    token = page.token;
                    if token.is_none() {
                        return Ok::<Vec<UserItem>, Error>(users);
                    }
                }
            })
            .buffered(PARTITIONS_MAX);
        let mut shard = Shard::default();
        while let Some(users) = pages.try_next().await? {
            for item in users {
                shard.note(&item.record, &ground.groups);
            }
        }
        Ok(shard)
    }

    async fn walk(
        &self,
        ground: &Ground<'_>,
        prefix: &str,
        shard: &mut Shard,
        tally: &mut UserTally,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        let filter = (!prefix.is_empty()).then_some(prefix);
        let in_prefix = ground.run.sample.iter().filter(|sub| sub.as_str().starts_with(prefix));
        let mut sample: BTreeSet<&Sub> = in_prefix.collect();
        // Before the page is asked for: a page does not show whoever was deleted a window before this, however long the page
        // before it takes to be mended.
        let mut read_at = (self.clock)();
        let mut page = self.reader.users_page(ground.pool, filter, None).await?;
        loop {
            self.watch.advanced(page.entries.len() as u64);
            let mut cases = Vec::new();
            for (sub, user) in page.entries {
                if !sub.as_str().starts_with(prefix) {
                    let what = format!("cognito-idp:ListUsers answered to the prefix {prefix} with another user");
                    return Err(Error::new(ErrorKind::Unavailable, what));
                }
                sample.remove(&sub);
                let walked = ground.walked(&sub, user);
                let seen = shard.see(&sub, &walked);
                if seen != Seen::Again {
                    count(tally, &sub, &walked);
                }
                if seen == Seen::Differs {
                    cases.push(Case { sub, walked, read_at });
                }
            }
            // The next page is fetched while this one is mended.
            let token = page.token;
            let next = async {
                let Some(token) = &token else { return Ok(None) };
                let asked_at = (self.clock)();
                let next = self.reader.users_page(ground.pool, filter, Some(token)).await?;
                Ok(Some((asked_at, next)))
            };
            let (next, ()) = try_join(next, Box::pin(self.mend(ground, cases, tally, pending))).await?;
            match next {
                Some(next) => (read_at, page) = next,
                None => break,
            }
        }
        tally.sample_missing = sample.into_iter().cloned().collect();
        Ok(())
    }

    /// Users whose `sub` no prefix covers. No pool is known to have any; each is looked for by name.
    async fn look_for_each(
        &self,
        ground: &Ground<'_>,
        shard: &mut Shard,
        tally: &mut UserTally,
        pending: &mut Pending,
    ) -> Result<(), Error> {
        for sub in shard.missing() {
            let read_at = (self.clock)();
            if let Some(user) = self.reader.find_user(ground.pool, &sub).await? {
                let walked = ground.walked(&sub, user);
                count(tally, &sub, &walked);
                if shard.see(&sub, &walked) == Seen::Differs {
                    let case = Case { sub, walked, read_at };
                    self.mend(ground, vec![case], tally, pending).await?;
                }
            }
        }
        Ok(())
    }

    /// Looks closer at those who differ, and mends what does.
    async fn mend(
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
        let fields = differences(record, &walked, &ground.groups);
        if fields.is_empty() {
            return Ok(Mended::default());
        }
        let as_of = groups_as_of(&walked.groups, &ground.groups, ground.run.members_from);
        // An event that is younger than the walk knows better.
        let held = record.and_then(|record| record.groups.as_ref());
        let knows_better = held.is_some_and(|facet| facet.as_of > as_of);
        let loses = fields.iter().any(|field| matches!(field, Field::LeftGroup(_))) && !knows_better;
        let joins = fields
            .iter()
            .any(|field| matches!(field, Field::JoinedGroup(_) | Field::MissingInBackup));
        let profile = profile_evidence(&walked.user, read_at);
        let disputed = record.map_or_else(Vec::new, |record| disputed(record, &profile, &walked, &ground.groups));
        let mut observations = vec![profile];
        if joins && !loses {
            observations.push(groups_evidence(walked.groups.clone(), as_of, read_at));
        }
        let mut written = self
            .writer()
            .user(ground.pool, &sub, item.clone(), &observations)
            .await?
            .is_some();
        // A tombstone that is so young is not contradicted by a list that may show who is gone.
        let mut undecided = disputed.contains(&Field::Buried);
        if !undecided && !disputed.is_empty() {
            // The backup says that it is newer than what the pool shows. One of the two is mistaken: look once more.
            let again = self.look_again(ground, &sub).await?;
            (written, undecided) = (written || again.0, again.1);
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

    /// A second look at a user whose record claims to be newer than the pool: whether it was written, and whether it is still
    /// open. A walk may show a list from before a change; what it shows twice, a window later than the record, is so.
    async fn look_again(&self, ground: &Ground<'_>, sub: &Sub) -> Result<(bool, bool), Error> {
        let read_at = (self.clock)();
        let Some(user) = self.reader.find_user(ground.pool, sub).await? else {
            return Ok((false, false));
        };
        let stored = self
            .backup
            .users(ground.pool, std::slice::from_ref(sub))
            .await?
            .remove(sub);
        let walked = ground.walked(sub, user);
        let differs = |item: Option<&UserItem>| {
            let fields = differences(item.map(|item| &item.record), &walked, &ground.groups);
            fields.iter().any(Field::is_of_profile)
        };
        if !differs(stored.as_ref()) {
            return Ok((false, false));
        }
        let contradicted = Observation {
            source: "ListUsers".to_owned(),
            evidence: Evidence::Contradicted {
                user: walked.user.clone(),
                read_at,
            },
        };
        let written = self
            .writer()
            .user(ground.pool, sub, stored, &[contradicted])
            .await?
            .is_some();
        Ok((written, !written))
    }

    /// Stores what is left for the end; in how many documents.
    async fn store_pending(&self, pool: &str, run: &Run, prefix: &str, pending: &Pending) -> Result<usize, Error> {
        let gone = pending.gone.chunks(GONE_MAX).map(|gone| Pending {
            gone: gone.to_vec(),
            left: Vec::new(),
        });
        let left = pending.left.chunks(LEFT_MAX).map(|left| Pending {
            gone: Vec::new(),
            left: left.to_vec(),
        });
        let mut number = 0;
        for part in gone.chain(left) {
            self.replace(pool, &keys::pending(pool, &run.id, prefix, number), &part)
                .await?;
            number += 1;
        }
        Ok(number)
    }
}

impl Ground<'_> {
    fn walked(&self, sub: &Sub, user: UserRead) -> Walked {
        Walked {
            user,
            groups: walked_groups(self.roster.of(sub), &self.groups),
        }
    }

    /// Groups of a user whose members nobody walked, because the pool does not list them and they are kept all the same.
    fn kept_groups(&self, record: Option<&UserRecord>) -> Vec<String> {
        let kept = &self.run.groups.kept;
        if kept.is_empty() {
            return Vec::new();
        }
        let held = record.map(|record| effective_groups(record, &self.groups));
        let held = held.into_iter().flatten();
        held.filter(|name| kept.contains(name)).collect()
    }
}

fn count(tally: &mut UserTally, sub: &Sub, walked: &Walked) {
    tally.users += 1;
    tally.memberships += walked.groups.len() as u64;
    match tally.statuses.get_mut(&walked.user.status) {
        Some(count) => *count += 1,
        None => {
            tally.statuses.insert(walked.user.status.clone(), 1);
        }
    }
    if tally.control.is_none() {
        tally.control = Some(sub.clone());
    }
}

fn count_drift(tally: &mut UserTally, fields: &[Field]) {
    tally.drifted += u64::from(fields.iter().any(Field::is_drift));
    let kinds: BTreeSet<&str> = fields.iter().map(Field::kind).collect();
    for kind in kinds {
        tally.count_drift(kind);
    }
}
