//! Planning a run: where a killed one stopped, or a new one: the probe, the groups, the lists to walk.
//!
//! Invariant: a plan is stored before anything of it is walked, and never changes.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::{GroupRecord, GroupSettings},
    item::{GroupItem, OTHER_SHARD, SHARDS, shard_of},
    observation::GroupEvidence,
    personal::Sub,
    port::{Backup, ReadPool},
    reconcile::{Field, Guard, group_differences},
    run::{GroupTally, GuardTrip, Run, keys},
    time::{SECOND_MILLIS, Timestamp},
    user::CONSISTENCY_WINDOW_MILLIS,
};

use crate::{Finding, Phase, Reconciler, Subject, documents::value, sweep};

/// A run that is older is not gone on with: its walk of the groups is too old to be of use.
const RESUMED_MILLIS_MAX: i64 = 6 * 3_600 * SECOND_MILLIS;
/// Groups of one list.
const GROUPS_PER_LIST: usize = 50;
/// Users per prefix at which the prefixes get one digit longer: memory stays flat, and each walk short.
const USERS_PER_PREFIX: u64 = 12_500;
/// Prefixes that the probe tries.
const PROBED_MAX: usize = 3;
/// Groups written at the same time.
const CONCURRENCY_MAX: usize = 8;

/// What the probe found.
struct Probe {
    /// Whether lists by prefix can be trusted to show everybody.
    by_prefix: bool,
    /// Users of a page without a filter.
    sample: Vec<Sub>,
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// The plan of a run that was killed, or a new one.
    pub(crate) async fn plan(&self, pool: &str, owner: &str) -> Result<Run, Error> {
        self.watch.phase(Phase::Plan, None);
        let now = (self.clock)();
        if let Some(run) = self.unfinished(pool, now).await? {
            tracing::info!(run = run.id, owner, "going on with a run that did not end");
            return Ok(run);
        }
        let estimated_users = self.reader.estimated_users(pool).await?;
        let probe = self.probe(pool).await?;
        let prefixes = if probe.by_prefix {
            prefixes(estimated_users)
        } else {
            tracing::warn!("lists by prefix cannot be trusted in this pool: one list after the other");
            vec![String::new()]
        };
        let id = now.to_string();
        let (groups, lists) = self.groups(pool, &id).await?;
        let run = Run {
            id,
            started_at: now,
            members_from: (self.clock)(),
            prefixes,
            group_lists: lists,
            estimated_users: Some(estimated_users),
            sample: if probe.by_prefix { probe.sample } else { Vec::new() },
            groups,
            result: None,
        };
        self.replace_for(pool, &keys::run(pool, &run.id), &run, self.retention_seconds)
            .await?;
        tracing::info!(
            run = run.id,
            prefixes = run.prefixes.len(),
            groups = run.groups.groups,
            "planned"
        );
        Ok(run)
    }

    async fn unfinished(&self, pool: &str, now: Timestamp) -> Result<Option<Run>, Error> {
        let pk = keys::lease(pool).pk;
        let runs = self.backup.documents(&pk, keys::RUNS).await?;
        // Ids sort: the newest is the last.
        let Some(newest) = runs.last() else { return Ok(None) };
        let run: Run = value(newest)?;
        let young = now.millis_since(run.started_at) < RESUMED_MILLIS_MAX;
        Ok((run.result.is_none() && young).then_some(run))
    }

    /// Whether filters by `sub` are what they should be. AWS documents `sub` as searchable and `^=` as "starts with", and not
    /// that one digit is enough.
    async fn probe(&self, pool: &str) -> Result<Probe, Error> {
        let page = self.reader.users_page(pool, None, None).await?;
        let sample: Vec<Sub> = page.entries.into_iter().map(|(sub, _)| sub).collect();
        let firsts: BTreeSet<char> = sample.iter().map(shard_of).collect();
        let mut by_prefix = !sample.is_empty() && !firsts.contains(&OTHER_SHARD);
        for first in firsts.into_iter().take(PROBED_MAX) {
            let prefix = first.to_string();
            let page = self.reader.users_page(pool, Some(&prefix), None).await?;
            let shows = !page.entries.is_empty() || page.token.is_some();
            by_prefix &= shows && page.entries.iter().all(|(sub, _)| sub.as_str().starts_with(&prefix));
        }
        Ok(Probe { by_prefix, sample })
    }

    /// Lists all groups, mends the backup's, and stores their names in lists to walk.
    async fn groups(&self, pool: &str, run: &str) -> Result<(GroupTally, usize), Error> {
        let mut listed: BTreeMap<String, GroupSettings> = BTreeMap::new();
        let mut token = None;
        loop {
            let page = self.reader.groups_page(pool, token.as_deref()).await?;
            listed.extend(page.entries);
            token = page.token;
            if token.is_none() {
                break;
            }
        }
        let read_at = (self.clock)();
        let items = self.backup.groups(pool).await?;
        let mut stored: BTreeMap<String, GroupItem> =
            items.into_iter().map(|item| (item.record.name.clone(), item)).collect();
        let missing: Vec<GroupItem> = stored
            .values()
            .filter(|item| item.record.is_alive() && !listed.contains_key(&item.record.name))
            .cloned()
            .collect();
        let living = stored.values().filter(|item| item.record.is_alive()).count() as u64;
        let mut tally = GroupTally {
            groups: listed.len() as u64,
            ..GroupTally::default()
        };
        let differing = listed.iter().filter_map(|(name, settings)| {
            let item = stored.remove(name);
            let fields = group_differences(item.as_ref().map(|item| &item.record), settings);
            (!fields.is_empty()).then(|| (name, settings.clone(), item, fields))
        });
        let differing: Vec<_> = differing.collect();
        let writes = stream::iter(differing)
            .map(|(name, settings, item, fields)| async move {
                let evidence = [("ListGroups", GroupEvidence::Read { settings, read_at })];
                let written = self.writer().group(pool, name, item, &evidence).await?;
                if written.is_some() {
                    self.found_in_group(name, fields);
                }
                Ok::<bool, Error>(written.is_some())
            })
            .buffer_unordered(CONCURRENCY_MAX)
            .try_collect::<Vec<bool>>()
            .await?;
        let written = writes.into_iter().filter(|written| *written).count() as u64;
        tally.drift += written;
        tally.writes += written;
        self.bury_groups(pool, missing, living, &mut tally).await?;
        let names: Vec<&String> = listed.keys().collect();
        let mut lists = 0;
        for list in names.chunks(GROUPS_PER_LIST) {
            self.replace(pool, &keys::group_list(pool, run, lists), &list).await?;
            lists += 1;
        }
        Ok((tally, lists))
    }

    async fn bury_groups(
        &self,
        pool: &str,
        missing: Vec<GroupItem>,
        living: u64,
        tally: &mut GroupTally,
    ) -> Result<(), Error> {
        let guard = Guard {
            living,
            // A pool may well lose its last group.
            walked: tally.groups.max(1),
            suspects: missing.len() as u64,
            estimated: None,
            allowed: None,
        };
        if let Err(refusal) = guard.judge() {
            let names = missing.iter().map(|item| item.record.name.clone());
            tally.guard = Some(GuardTrip {
                what: "groups".to_owned(),
                ..sweep::trip(guard, refusal, names)
            });
            return Ok(());
        }
        for item in missing {
            let name = item.record.name.clone();
            let read = self.reader.group(pool, &name).await?;
            let announced_at = (self.clock)();
            let created = item.record.settings.as_ref().map(|settings| settings.data.created);
            let young = created.is_some_and(|created| announced_at.millis_since(created) < CONSISTENCY_WINDOW_MILLIS);
            if read.is_some() || young {
                continue;
            }
            let evidence = [("reconcile", GroupEvidence::Gone { announced_at })];
            if self.writer().group(pool, &name, Some(item), &evidence).await?.is_some() {
                tally.drift += 1;
                tally.writes += 1;
                tally.deleted += 1;
                self.found_in_group(&name, vec![Field::MissingInPool]);
            }
        }
        Ok(())
    }

    fn found_in_group(&self, name: &str, fields: Vec<Field>) {
        for field in fields {
            self.watch.found(&Finding {
                subject: Subject::Group(name.to_owned()),
                field,
            });
        }
    }

    /// The groups as the backup knows them now.
    pub(crate) async fn group_records(&self, pool: &str) -> Result<BTreeMap<String, GroupRecord>, Error> {
        let items = self.backup.groups(pool).await?;
        Ok(items
            .into_iter()
            .map(|item| (item.record.name.clone(), item.record))
            .collect())
    }

    /// The run `id`.
    pub(crate) async fn planned(&self, pool: &str, id: &str) -> Result<Run, Error> {
        let run = self.load::<Run>(&keys::run(pool, id)).await?;
        run.map(|(run, _)| run)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, format!("there is no run {id} of pool {pool}")))
    }
}

/// Prefixes of one, two or three digits, whichever keeps a walk short, and the place of whoever has none.
fn prefixes(estimated_users: u64) -> Vec<String> {
    let mut prefixes = vec![String::new()];
    let mut digits = 0;
    while digits < 1 || (digits < 3 && estimated_users / prefixes.len() as u64 > USERS_PER_PREFIX) {
        let longer = prefixes
            .iter()
            .flat_map(|prefix| SHARDS.map(|digit| format!("{prefix}{digit}")));
        prefixes = longer.collect();
        digits += 1;
    }
    prefixes.push(OTHER_SHARD.to_string());
    prefixes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bigger_pools_are_walked_in_shorter_shares() {
        for (users, count) in [
            (0, 17),
            (200_000, 17),
            (200_016, 257),
            (1_000_000, 257),
            (3_300_000, 4_097),
            (40_000_000, 4_097),
        ] {
            let prefixes = prefixes(users);
            assert_eq!(prefixes.len(), count, "{users} users");
            assert_eq!(prefixes.last().map(String::as_str), Some("_"));
            let all: BTreeSet<&String> = prefixes.iter().collect();
            assert_eq!(all.len(), count);
        }
    }
}
