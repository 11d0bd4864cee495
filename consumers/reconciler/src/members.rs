//! Walking the members of the groups, and keeping them in the table, sorted by the prefix whose users they are.
//!
//! A group has no order that helps: its members are of every prefix. They are kept so that the walk of a prefix finds its own,
//! also in another function of the state machine, also after a kill.
//!
//! Invariant: a member counts only when the document that holds it is counted in the checkpoint. Documents are written before
//! they are counted.

use std::collections::{BTreeMap, HashMap};

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;
use twinpool_shared::{
    documents::value,
    error::{Error, ErrorKind},
    personal::Sub,
    port::{Backup, ReadPool},
    run::{MembersCheckpoint, Run, keys},
};

use crate::{Reconciler, is_over};

/// Members after which documents are written: a document of one prefix alone stays below DynamoDB's 400 KB.
const KEPT_MAX: usize = 8_000;
/// Documents written at the same time, for one list.
const CONCURRENCY_MAX: usize = 8;

/// Members of one prefix, by group.
type Members = BTreeMap<String, Vec<Sub>>;

/// The groups of the users of one prefix.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    names: Vec<String>,
    groups: HashMap<Sub, Vec<u32>>,
}

impl Roster {
    fn add(&mut self, group: String, members: Vec<Sub>) {
        let place = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.names.push(group);
        for sub in members {
            self.groups.entry(sub).or_default().push(place);
        }
    }

    /// Names of the groups of a user. One that was walked twice is named twice.
    pub(crate) fn of(&self, sub: &Sub) -> impl Iterator<Item = &str> {
        let places = self.groups.get(sub).into_iter().flatten();
        places.filter_map(|place| self.names.get(usize::try_from(*place).ok()?).map(String::as_str))
    }
}

/// The walk's prefix that covers a user.
fn prefix_of<'a>(run: &'a Run, sub: &Sub) -> &'a str {
    // All but the last, which stands for the users of none, are of one length and in order.
    let Some((rest, prefixes)) = run.prefixes.split_last() else {
        return "";
    };
    let length = prefixes.first().map_or(0, String::len);
    let found = sub.as_str().get(..length).and_then(|first| {
        let place = prefixes.binary_search_by(|prefix| prefix.as_str().cmp(first)).ok()?;
        prefixes.get(place)
    });
    found.unwrap_or(rest)
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Walks the groups of one list until `deadline`; whether it came to the end.
    pub(crate) async fn members(
        &self,
        pool: &str,
        run: &Run,
        list: usize,
        deadline: Option<Instant>,
    ) -> Result<bool, Error> {
        let key = keys::members_checkpoint(pool, &run.id, list);
        let mut at = self
            .load::<MembersCheckpoint>(pool, &key)
            .await?
            .map(|(at, _)| at)
            .unwrap_or_default();
        if at.done {
            return Ok(true);
        }
        let names = self
            .load::<Vec<String>>(pool, &keys::group_list(pool, &run.id, list))
            .await?;
        let names = names.map(|(names, _)| names).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("run {} has no list {list} of groups", run.id),
            )
        })?;
        // Stored before anything is walked: an attempt that is killed must not share its number with the next.
        at.attempts.push(0);
        self.replace(pool, &key, &at).await?;
        let mut resumed = at.token.is_some();
        let mut kept: BTreeMap<&str, Members> = BTreeMap::new();
        let mut count = 0;
        while let Some(group) = names.get(at.group) {
            let page = match self.reader.members_page(pool, group, at.token.as_deref()).await {
                Ok(page) => page,
                // A token lives for an hour, and this one is an earlier attempt's. The list is walked anew; what was kept of it
                // no longer counts.
                Err(error) if error.kind == ErrorKind::Rejected && resumed => {
                    at = MembersCheckpoint {
                        attempts: at.attempts.iter().map(|_| 0).collect(),
                        ..MembersCheckpoint::default()
                    };
                    resumed = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            resumed = false;
            // A group that is gone has no members.
            let (members, token) = page.map_or_else(|| (Vec::new(), None), |page| (page.entries, page.token));
            self.watch.advanced(members.len() as u64);
            at.memberships += members.len() as u64;
            count += members.len();
            for sub in members {
                let of_prefix = kept.entry(prefix_of(run, &sub)).or_default();
                of_prefix.entry(group.clone()).or_default().push(sub);
            }
            at.token = token;
            if at.token.is_none() {
                at.group += 1;
            }
            let over = is_over(deadline);
            if count >= KEPT_MAX || over {
                self.keep(pool, run, list, &mut at, std::mem::take(&mut kept)).await?;
                count = 0;
                self.replace(pool, &key, &at).await?;
            }
            if over {
                return Ok(false);
            }
        }
        self.keep(pool, run, list, &mut at, kept).await?;
        at.done = true;
        self.replace(pool, &key, &at).await?;
        Ok(true)
    }

    async fn keep(
        &self,
        pool: &str,
        run: &Run,
        list: usize,
        at: &mut MembersCheckpoint,
        kept: BTreeMap<&str, Members>,
    ) -> Result<(), Error> {
        let attempt = at.attempts.len().saturating_sub(1);
        let Some(count) = at.attempts.last_mut() else {
            return Ok(());
        };
        let number = *count;
        let writes = kept.into_iter().map(|(prefix, members)| {
            let key = keys::members(pool, &run.id, prefix, (list, attempt, number));
            async move { self.replace(pool, &key, &members).await }
        });
        let writes: Vec<_> = writes.collect();
        stream::iter(writes)
            .buffer_unordered(CONCURRENCY_MAX)
            .try_collect::<()>()
            .await?;
        *count += 1;
        Ok(())
    }

    /// The groups of the users of one prefix, from all lists.
    pub(crate) async fn roster(&self, pool: &str, run: &Run, prefix: &str) -> Result<Roster, Error> {
        let pk = keys::lease(pool).pk;
        let mut counted = Vec::with_capacity(run.group_lists);
        // All lists by one query: there may be hundreds of lists, and hundreds of prefixes that ask.
        for document in self.backup.documents(&pk, &keys::members_checkpoints(&run.id)).await? {
            let at: MembersCheckpoint = value(&document)?;
            if at.done {
                counted.push(at.attempts);
            }
        }
        // Without one list its members would seem to have left. All there: in the order of their keys they are in their own.
        if counted.len() != run.group_lists {
            let walked = counted.len();
            let what = format!(
                "of {} lists of groups of run {} only {walked} are walked to their end",
                run.group_lists, run.id
            );
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        let first = keys::members_prefix(&run.id, prefix);
        let mut roster = Roster::default();
        for document in self.backup.documents(&pk, &first).await? {
            let place = document.key.sk.strip_prefix(&first).map(|rest| rest.split('#'));
            let place: Vec<usize> = place
                .into_iter()
                .flatten()
                .filter_map(|part| part.parse().ok())
                .collect();
            let counts = match place[..] {
                [list, attempt, number] => counted
                    .get(list)
                    .and_then(|attempts| attempts.get(attempt))
                    .is_some_and(|count| usize::try_from(*count).is_ok_and(|count| number < count)),
                _ => false,
            };
            if counts {
                for (group, members) in value::<Members>(&document)? {
                    roster.add(group, members);
                }
            }
        }
        Ok(roster)
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{item::SHARDS, run::GroupTally, time::EPOCH};

    use super::*;

    fn run_of(prefixes: Vec<String>) -> Run {
        Run {
            id: "r".to_owned(),
            started_at: EPOCH,
            members_from: EPOCH,
            prefixes,
            group_lists: 0,
            estimated_users: None,
            sample: Vec::new(),
            groups: GroupTally::default(),
            result: None,
        }
    }

    fn prefix(run: &Run, sub: &str) -> String {
        prefix_of(run, &Sub::new(sub).unwrap()).to_owned()
    }

    #[test]
    fn every_first_digit_finds_its_prefix_and_nothing_else_does() {
        for digits in 1..=3 {
            let mut prefixes = vec![String::new()];
            for _ in 0..digits {
                let longer = |prefix: &String| SHARDS.map(|digit| format!("{prefix}{digit}"));
                prefixes = prefixes.iter().flat_map(longer).collect();
            }
            let hexadecimal = prefixes.clone();
            prefixes.push("_".to_owned());
            let run = run_of(prefixes);
            for expected in hexadecimal {
                assert_eq!(prefix(&run, &format!("{expected}-rest")), expected);
            }
            for other in ["_", "G00", "zz-top", "-000"] {
                assert_eq!(prefix(&run, other), "_", "{other} with {digits} digits");
            }
        }
    }

    #[test]
    fn one_walk_of_everybody_covers_everybody() {
        let run = run_of(vec![String::new()]);
        assert_eq!(prefix(&run, "0f1e"), "");
        assert_eq!(prefix(&run, "_"), "");
    }
}
