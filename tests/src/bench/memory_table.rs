//! The backup table as maps in this process: what is measured over it is the reconciler and the importer, beyond what an
//! emulator can take.
//!
//! It keeps the conditions of writes and takes a given time for each request of the adapter. Nothing else may be concluded
//! from it: no capacity, no throttling, no stale reads.
//!
//! Invariant: a conditional write is refused when its condition does not hold.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use twinpool_shared::{
    error::Error,
    item::{GroupItem, Key, USER_PREFIX, UserItem, group_key, user_key},
    marks::Part,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    time::Timestamp,
};

/// Items of a page: about a megabyte of users, DynamoDB's limit.
const PAGE: usize = 600;

/// A table; clones are the same one.
#[derive(Clone, Default)]
pub(super) struct MemoryTable {
    delay: Duration,
    items: Arc<Mutex<Items>>,
}

#[derive(Default)]
struct Items {
    users: BTreeMap<Key, UserItem>,
    groups: BTreeMap<Key, GroupItem>,
    documents: BTreeMap<Key, Document>,
    /// Current items of users written so far.
    user_writes: u64,
}

impl MemoryTable {
    /// An empty table that takes `delay` for each request.
    pub(super) fn new(delay: Duration) -> Self {
        Self {
            delay,
            items: Arc::default(),
        }
    }

    /// Current items of users written so far.
    pub(super) fn user_writes(&self) -> u64 {
        self.locked().user_writes
    }

    async fn request(&self) {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Items> {
        self.items.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Puts `next` in the place of the version `replaced`, when that is what is there.
fn put<T: Clone>(
    items: &mut BTreeMap<Key, T>,
    key: &Key,
    next: &T,
    replaced: Option<u64>,
    of: fn(&T) -> u64,
) -> Written {
    if items.get(key).map(of) != replaced {
        return Written::Conflict;
    }
    items.insert(key.clone(), next.clone());
    Written::Stored
}

/// The items of one partition whose sort key begins with `prefix`, after `after`.
fn range<'a, T>(
    items: &'a BTreeMap<Key, T>,
    pk: &'a str,
    prefix: &'a str,
    after: Option<&str>,
) -> impl Iterator<Item = (&'a Key, &'a T)> {
    let from = Key {
        pk: pk.to_owned(),
        sk: after.unwrap_or(prefix).to_owned(),
    };
    let skipped = usize::from(after.is_some() && items.contains_key(&from));
    let found = items.range(from..).skip(skipped);
    found.take_while(move |(key, _)| key.pk == pk && key.sk.starts_with(prefix))
}

impl Backup for MemoryTable {
    async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.request().await;
        let items = self.locked();
        let found = subs.iter().filter_map(|sub| {
            let item = items.users.get(&user_key(pool, sub))?;
            Some((sub.clone(), item.clone()))
        });
        Ok(found.collect())
    }

    async fn user_versions(&self, _: &str, _: &Sub) -> Result<Vec<UserItem>, Error> {
        unreachable!("no bench changes a user behind the instant of a plan, and a reconcile reads no history")
    }

    async fn put_user(&self, next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
        if superseded.is_some() {
            // The old version, which nobody reads here.
            self.request().await;
        }
        self.request().await;
        let mut items = self.locked();
        let replaced = superseded.map(|old| old.version);
        let written = put(&mut items.users, &next.key, next, replaced, |item| item.version);
        items.user_writes += u64::from(written == Written::Stored);
        Ok(written)
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        self.request().await;
        let items = self.locked();
        let prefix = format!("{USER_PREFIX}{sub_prefix}");
        let found = range(&items.users, partition, &prefix, token).take(PAGE);
        let entries: Vec<UserItem> = found.map(|(_, item)| item.clone()).collect();
        // As DynamoDB: a full page has a token, even when nothing follows.
        let last = entries.last().filter(|_| entries.len() == PAGE);
        let token = last.map(|item| item.key.sk.clone());
        Ok(Page { entries, token })
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
        self.request().await;
        Ok(self.locked().groups.get(&group_key(pool, name)).cloned())
    }

    async fn groups(&self, pool: &str) -> Result<Vec<GroupItem>, Error> {
        self.request().await;
        let first = group_key(pool, "");
        let items = self.locked();
        let found = range(&items.groups, &first.pk, &first.sk, None);
        Ok(found.map(|(_, item)| item.clone()).collect())
    }

    async fn put_group(&self, next: &GroupItem, replaced: Option<u64>) -> Result<Written, Error> {
        self.request().await;
        let groups = &mut self.locked().groups;
        Ok(put(groups, &next.key, next, replaced, |item| item.version))
    }

    async fn mark(&self, _pool: &str, _part: Part, _at: Timestamp, _cause: &str) -> Result<Written, Error> {
        self.request().await;
        Ok(Written::Stored)
    }

    async fn marks(&self, _pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        self.request().await;
        Ok(Vec::new())
    }

    async fn clear_mark(&self, _pool: &str, _part: Part, _at: Timestamp) -> Result<Written, Error> {
        self.request().await;
        Ok(Written::Stored)
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.request().await;
        Ok(self.locked().documents.get(key).cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        self.request().await;
        let documents = &mut self.locked().documents;
        Ok(put(documents, &next.key, next, replaced, |document| document.version))
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        self.request().await;
        let items = self.locked();
        let found = range(&items.documents, pk, sk_prefix, None);
        Ok(found.map(|(_, document)| document.clone()).collect())
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        self.request().await;
        let documents = &mut self.locked().documents;
        for key in keys {
            documents.remove(key);
        }
        Ok(())
    }
}
