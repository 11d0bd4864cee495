//! The groups: listed, held against the backup, mended, and divided into lists whose members are walked.
//!
//! Invariant: no group gets a tombstone without the guard's consent and a look for that very group; and of a group that is kept
//! although the pool does not list it, the members are kept as well.

use std::collections::BTreeMap;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::Error,
    group::{GroupRecord, GroupSettings},
    item::GroupItem,
    observation::GroupEvidence,
    port::{Backup, ReadPool},
    reconcile::{Field, Guard, came_again, group_differences},
    run::{GroupTally, GuardTrip, keys},
    time::Timestamp,
    user::CONSISTENCY_WINDOW_MILLIS,
};

use crate::{CHAINS, Finding, Reconciler, Subject, sweep};

/// Groups of one list at most.
const GROUPS_PER_LIST: usize = 50;
/// Lists that few groups are divided into: several rounds of all chains, so that the last list does not hold up the rest.
const LISTS_MIN: usize = 4 * CHAINS;
/// Groups written at the same time.
const CONCURRENCY_MAX: usize = 8;

/// Groups by name, as the pool shows them.
type Listed = BTreeMap<String, GroupSettings>;

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Lists all groups, mends the backup's, and stores their names in lists to walk: what became of them, and how many lists.
    pub(crate) async fn groups(
        &self,
        pool: &str,
        run: &str,
        allowed: Option<u64>,
    ) -> Result<(GroupTally, usize), Error> {
        // Before the list is asked for: it shows no group that was deleted a window before this.
        let read_at = (self.clock)();
        let mut listed = self.listed_groups(pool).await?;
        let items = self.backup.groups(pool).await?;
        let mut stored: BTreeMap<String, GroupItem> =
            items.into_iter().map(|item| (item.record.name.clone(), item)).collect();
        let mut tally = GroupTally::default();
        self.bury_groups(pool, &stored, &mut listed, allowed, &mut tally)
            .await?;
        tally.groups = listed.len() as u64;
        let differing = listed.iter().filter_map(|(name, settings)| {
            let item = stored.remove(name);
            if came_again(item.as_ref(), settings, read_at) {
                tally.again.insert(name.clone());
            }
            let fields = group_differences(item.as_ref().map(|item| &item.record), settings);
            (!fields.is_empty()).then(|| (name, settings.clone(), item, fields))
        });
        let differing: Vec<_> = differing.collect();
        let writes = stream::iter(differing)
            .map(|(name, settings, item, fields)| async move {
                let written = self.mend_group(pool, name, (settings, read_at), item).await?;
                if written {
                    self.found_in_group(name, fields);
                }
                Ok::<bool, Error>(written)
            })
            .buffer_unordered(CONCURRENCY_MAX)
            .try_collect::<Vec<bool>>()
            .await?;
        let written = writes.into_iter().filter(|written| *written).count() as u64;
        tally.drift += written;
        tally.writes += written;
        let names: Vec<&String> = listed.keys().collect();
        let mut lists = 0;
        for list in names.chunks(groups_per_list(names.len())) {
            self.replace(pool, &keys::group_list(pool, run, lists), &list).await?;
            lists += 1;
        }
        Ok((tally, lists))
    }

    async fn listed_groups(&self, pool: &str) -> Result<Listed, Error> {
        let mut listed = Listed::new();
        let mut token = None;
        loop {
            let page = self.reader.groups_page(pool, token.as_deref()).await?;
            listed.extend(page.entries);
            token = page.token;
            if token.is_none() {
                return Ok(listed);
            }
        }
    }

    /// Writes what the pool shows of a group; whether there was anything to write.
    async fn mend_group(
        &self,
        pool: &str,
        name: &str,
        (settings, read_at): (GroupSettings, Timestamp),
        item: Option<GroupItem>,
    ) -> Result<bool, Error> {
        let evidence = [("ListGroups", GroupEvidence::Read { settings, read_at })];
        if self.writer().group(pool, name, item, &evidence).await?.is_some() {
            return Ok(true);
        }
        // The backup says that it is newer than what the pool shows. One of the two is mistaken: look once more.
        let read_at = (self.clock)();
        let Some(settings) = self.reader.group(pool, name).await? else {
            return Ok(false);
        };
        let item = self.backup.group(pool, name).await?;
        let record = item.as_ref().map(|item| &item.record);
        let fields = group_differences(record, &settings);
        // A tombstone that is so young is not contradicted by a list that may show what is gone.
        if fields.is_empty() || fields.contains(&Field::Buried) {
            return Ok(false);
        }
        let evidence = [("GetGroup", GroupEvidence::Contradicted { settings, read_at })];
        Ok(self.writer().group(pool, name, item, &evidence).await?.is_some())
    }

    /// Looks for the groups that are not on the list. Those that are there come onto it; the others get a tombstone or, when
    /// the guard refuses or they are too young to be believed gone, are kept.
    async fn bury_groups(
        &self,
        pool: &str,
        stored: &BTreeMap<String, GroupItem>,
        listed: &mut Listed,
        allowed: Option<u64>,
        tally: &mut GroupTally,
    ) -> Result<(), Error> {
        let living = || stored.values().filter(|item| item.record.is_alive());
        let missing: Vec<&GroupItem> = living()
            .filter(|item| !listed.contains_key(&item.record.name))
            .collect();
        let guard = Guard {
            living: living().count() as u64,
            // A pool may well lose its last group.
            walked: (listed.len() as u64).max(1),
            suspects: missing.len() as u64,
            estimated: None,
            allowed,
        };
        if let Err(refusal) = guard.judge() {
            let names = || missing.iter().map(|item| item.record.name.clone());
            names().for_each(|name| self.found_in_group(&name, vec![Field::MissingInPool]));
            tally.guard = Some(GuardTrip {
                what: "groups".to_owned(),
                ..sweep::trip(guard, refusal, names())
            });
            return Ok(());
        }
        for item in missing {
            let name = &item.record.name;
            if let Some(settings) = self.reader.group(pool, name).await? {
                listed.insert(name.clone(), settings);
                continue;
            }
            let announced_at = (self.clock)();
            let created = item.record.settings.as_ref().map(|settings| settings.data.created);
            if created.is_some_and(|created| announced_at.millis_since(created) < CONSISTENCY_WINDOW_MILLIS) {
                tally.kept.push(name.clone());
                continue;
            }
            let evidence = [("reconcile", GroupEvidence::Gone { announced_at })];
            let written = self.writer().group(pool, name, Some(item.clone()), &evidence).await?;
            if written.is_some() {
                tally.drift += 1;
                tally.writes += 1;
                tally.deleted += 1;
                self.found_in_group(name, vec![Field::MissingInPool]);
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
}

/// How many groups a list has, so that all chains have work until the end.
fn groups_per_list(groups: usize) -> usize {
    groups.div_ceil(LISTS_MIN).clamp(1, GROUPS_PER_LIST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_groups_are_lists_for_every_chain_and_many_are_full_lists() {
        for (groups, lists) in [
            (1_usize, 1),
            (16, 16),
            (17, 9),
            (100, 15),
            (800, 16),
            (801, 17),
            (10_000, 200),
        ] {
            assert_eq!(groups.div_ceil(groups_per_list(groups)), lists, "{groups} groups");
        }
        assert_eq!(groups_per_list(0), 1, "an empty chunk would be a panic");
    }
}
