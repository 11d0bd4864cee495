//! Planning a run: where a killed one stopped, or a new one: the probe, the groups, the lists to walk.
//!
//! Invariant: a plan is stored before anything of it is walked, and never changes.

use std::collections::BTreeSet;

use twinpool_shared::{
    documents::value,
    error::{Error, ErrorKind},
    item::{OTHER_SHARD, SHARDS, shard_of},
    personal::Sub,
    port::{Backup, ReadPool},
    run::{Run, keys},
    time::{SECOND_MILLIS, Timestamp},
};

use crate::{Allowed, Phase, Reconciler};

/// A run that is older is not gone on with: its walk of the groups is too old to be of use.
const RESUMED_MILLIS_MAX: i64 = 6 * 3_600 * SECOND_MILLIS;
/// Users per prefix at which the prefixes get one digit longer: memory stays flat, and each walk short.
const USERS_PER_PREFIX: u64 = 12_500;
/// Prefixes that the probe tries.
const PROBED_MAX: usize = 3;

/// What the probe found.
struct Probe {
    /// Whether lists by prefix can be trusted to show everybody.
    by_prefix: bool,
    /// Users of a page without a filter.
    sample: Vec<Sub>,
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// The plan of a run that was killed (and `true`), or a new one.
    pub(crate) async fn plan(
        &self,
        pool: &str,
        owner: &str,
        allowed: Allowed,
        fresh: bool,
    ) -> Result<(Run, bool), Error> {
        self.watch.phase(Phase::Plan, None);
        let now = (self.clock)();
        if let Some(run) = self.unfinished(pool, now).await?.filter(|_| !fresh) {
            tracing::info!(run = run.id, owner, "going on with a run that did not end");
            return Ok((run, true));
        }
        let estimated_users = self.reader.estimated_users(pool).await?;
        let probe = self.probe(pool).await?;
        let by_prefix = prefixes(estimated_users);
        // Every user of the sample has to be of a prefix that is walked, also where prefixes have several digits.
        let covered = |sub: &Sub| by_prefix.iter().any(|prefix| sub.as_str().starts_with(prefix));
        let by_prefix = (probe.by_prefix && probe.sample.iter().all(covered)).then_some(by_prefix);
        let sample = if by_prefix.is_some() { probe.sample } else { Vec::new() };
        let prefixes = by_prefix.unwrap_or_else(|| {
            tracing::warn!("lists by prefix cannot be trusted in this pool: one list after the other");
            vec![String::new()]
        });
        let id = now.to_string();
        let (groups, lists) = self.groups(pool, &id, allowed.groups).await?;
        let run = Run {
            id,
            started_at: now,
            members_from: (self.clock)(),
            prefixes,
            group_lists: lists,
            estimated_users: Some(estimated_users),
            sample,
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
        Ok((run, false))
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

    /// The run `id`.
    pub(crate) async fn planned(&self, pool: &str, id: &str) -> Result<Run, Error> {
        let run = self.load::<Run>(pool, &keys::run(pool, id)).await?;
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
