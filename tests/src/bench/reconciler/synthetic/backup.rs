//! The backup: users and groups as the pool has them, but for those that are to be mended. What is written is not kept.
//!
//! Invariant: it keeps nothing in memory that grows with the pool.

use std::{collections::HashMap, path::Path};

use tokio::task::yield_now;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    item::{GroupItem, Key, UserItem},
    marks::Part,
    merge::{absorb, absorb_group},
    observation::GroupEvidence,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    reconcile::{groups_evidence, profile_evidence},
    time::{DAY_MILLIS, Timestamp},
    user::UserRecord,
};

use super::{
    POOL,
    people::{GROUPS, People, group, group_name, groups_of, long_ago, read, spread, sub},
};
use crate::bench::reconciler::{RETENTION_SECONDS, spill::Spill};

/// Items of a page: about a megabyte of users, DynamoDB's limit.
const PAGE: usize = 600;

pub(in crate::bench) struct SyntheticBackup {
    people: People,
    documents: Spill,
}

impl SyntheticBackup {
    pub(in crate::bench) fn new(people: People, folder: &Path) -> Result<Self, Error> {
        Ok(Self {
            people,
            documents: Spill::new(folder.to_path_buf())?,
        })
    }

    fn item(&self, number: usize) -> Result<UserItem, Error> {
        let sub = sub(number).ok_or_else(|| Error::new(ErrorKind::BadItem, "a number makes no sub"))?;
        let seen_at = long_ago().plus_millis(2 * DAY_MILLIS);
        let mut record = UserRecord::new(sub);
        let user = read(number, self.people.changed(number));
        absorb(&mut record, &profile_evidence(&user, seen_at));
        absorb(&mut record, &groups_evidence(groups_of(number), seen_at, seen_at));
        Ok(UserItem::current(POOL, 1, record, seen_at, RETENTION_SECONDS))
    }
}

impl Backup for SyntheticBackup {
    async fn users(&self, _pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        yield_now().await;
        let numbers = subs.iter().filter_map(|sub| self.people.number(sub));
        let items = numbers.map(|number| self.item(number));
        items
            .map(|item| item.map(|item| (item.record.sub.clone(), item)))
            .collect()
    }

    async fn user_versions(&self, _pool: &str, _sub: &Sub) -> Result<Vec<UserItem>, Error> {
        yield_now().await;
        Ok(Vec::new())
    }

    async fn put_user(&self, _next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
        yield_now().await;
        let known = superseded.is_some_and(|old| old.version == 1);
        Ok(if known { Written::Stored } else { Written::Conflict })
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        yield_now().await;
        let unknown = || Error::new(ErrorKind::Rejected, "the partition or the token is none of this backup");
        let digits = partition.rsplit('#').next().unwrap_or_default();
        let (shard, spread_digit) = digits.split_at_checked(1).ok_or_else(unknown)?;
        let digit = usize::from_str_radix(spread_digit, 16).map_err(|_| unknown())?;
        let prefix = if sub_prefix.is_empty() { shard } else { sub_prefix };
        let from: usize = token.map_or(Ok(0), str::parse).map_err(|_| unknown())?;
        let numbers = self.people.of_prefix(prefix).filter(|number| spread(*number) == digit);
        let mut rest = numbers.skip(from);
        let entries: Result<Vec<UserItem>, Error> = rest.by_ref().take(PAGE).map(|number| self.item(number)).collect();
        Ok(Page {
            entries: entries?,
            token: rest.next().map(|_| (from + PAGE).to_string()),
        })
    }

    async fn group(&self, _pool: &str, _name: &str) -> Result<Option<GroupItem>, Error> {
        Ok(None)
    }

    async fn groups(&self, _pool: &str) -> Result<Vec<GroupItem>, Error> {
        yield_now().await;
        let read_at = long_ago();
        let items = (0..GROUPS).map(|number| {
            let mut record = GroupRecord::new(group_name(number));
            let settings = group(number);
            absorb_group(&mut record, "ListGroups", &GroupEvidence::Read { settings, read_at });
            GroupItem::current(POOL, 1, record, read_at)
        });
        Ok(items.collect())
    }

    async fn put_group(&self, _next: &GroupItem, _replaced: Option<u64>) -> Result<Written, Error> {
        Ok(Written::Conflict)
    }

    async fn mark(&self, _pool: &str, _part: Part, _at: Timestamp, _cause: &str) -> Result<Written, Error> {
        Ok(Written::Stored)
    }

    async fn marks(&self, _pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        Ok(Vec::new())
    }

    async fn clear_mark(&self, _pool: &str, _part: Part, _at: Timestamp) -> Result<Written, Error> {
        Ok(Written::Stored)
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.documents.get(key)
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        yield_now().await;
        self.documents.put(next, replaced)
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        yield_now().await;
        self.documents.list(pk, sk_prefix)
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        self.documents.remove(keys);
        Ok(())
    }
}
