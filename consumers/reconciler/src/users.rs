//! Walking the users of one prefix, and holding them against the backup.
//!
//! Invariant: the end of a walk is a missing token, never an empty page; and whoever the walk did not show is only noted here.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, future::try_join, stream};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    item::{OTHER_SHARD, SHARDS, UserItem, shard_partitions},
    observation::UserRead,
    personal::Sub,
    port::{Backup, ReadPool},
    reconcile::{Seen, Shard, Walked, effective_groups, walked_groups},
    run::{Pending, Run, UserTally, keys},
    user::UserRecord,
};

use crate::{Reconciler, members::Roster, mend::Case};

/// Partitions read at the same time, in one walk.
const PARTITIONS_MAX: usize = 4;
/// Users in one pending document of those whom the walk did not show: below DynamoDB's 400 KB.
const GONE_MAX: usize = 4_000;
/// The same of those with a lost membership, each with up to 100 groups of up to 128 characters.
const LEFT_MAX: usize = 5;

/// What the walk of one prefix holds users against.
pub(crate) struct Ground<'a> {
    pub(crate) pool: &'a str,
    pub(crate) run: &'a Run,
    /// The groups as the backup knows them.
    pub(crate) groups: BTreeMap<String, GroupRecord>,
    roster: Roster,
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Walks the users of `prefix`, once: what a finished walk came to is kept.
    pub(crate) async fn users(&self, pool: &str, run: &Run, prefix: &str) -> Result<UserTally, Error> {
        let key = keys::users_checkpoint(pool, &run.id, prefix);
        if let Some((tally, _)) = self.load::<UserTally>(pool, &key).await? {
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
    /// A user as the walk shows them, with their groups.
    pub(crate) fn walked(&self, sub: &Sub, user: UserRead) -> Walked {
        Walked {
            user,
            groups: walked_groups(
                self.roster.of(sub),
                &self.groups,
                &self.run.groups.again,
                self.run.members_from,
            ),
        }
    }

    /// Groups of a user whose members nobody walked, because the pool does not list them and they are kept all the same. While
    /// the guard keeps groups, nobody leaves any.
    pub(crate) fn kept_groups(&self, record: Option<&UserRecord>) -> Vec<String> {
        let groups = &self.run.groups;
        if groups.kept.is_empty() && groups.guard.is_none() {
            return Vec::new();
        }
        let held = record.map(|record| effective_groups(record, &self.groups));
        let held = held.into_iter().flatten();
        held.filter(|name| groups.guard.is_some() || groups.kept.contains(name))
            .collect()
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
