//! [`Backup`] in memory: conditional puts, consistent and eventual reads, lost answers, and a memory of every write.
//!
//! Invariant: each method takes as many steps as the adapter's requests, so that a kill can fall between any two. A write
//! is checked by [`rules`] in the instant in which it is stored.

mod by_hand;
mod describe;
pub mod rules;
mod store;
mod truth;

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use twinpool_shared::{
    error::Error,
    item::{GroupItem, Key, USER_PREFIX, UserItem, group_key, user_key},
    marks::Part,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    time::Timestamp,
};

pub use by_hand::Edit;
pub use store::Store;

use super::{clock::WorldClock, journal::Journal, locked, network::Network, pool::PoolDouble};

struct Inner {
    store: Mutex<Store>,
    pool: PoolDouble,
    clock: WorldClock,
    network: Network,
    journal: Arc<Journal>,
}

/// The table, as one machine reaches it.
#[derive(Clone)]
pub struct TableDouble {
    inner: Arc<Inner>,
    /// Who writes, for the journal.
    who: &'static str,
}

impl TableDouble {
    /// An empty table; what is written is judged against `pool`.
    #[must_use]
    pub fn new(pool: PoolDouble, clock: WorldClock, network: Network, journal: Arc<Journal>) -> Self {
        Self {
            inner: Arc::new(Inner {
                store: Mutex::default(),
                pool,
                clock,
                network,
                journal,
            }),
            who: "table",
        }
    }

    /// The same table, as `who` reaches it.
    #[must_use]
    pub fn reached_by(&self, who: &'static str) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            who,
        }
    }

    /// How many current items of users and groups were stored so far.
    #[must_use]
    pub fn writes(&self) -> u64 {
        locked(&self.inner.store).writes
    }

    /// The current items of all users.
    #[must_use]
    pub fn current_users(&self) -> BTreeMap<Sub, Arc<UserItem>> {
        locked(&self.inner.store).current_users()
    }

    /// The items of all groups.
    #[must_use]
    pub fn current_groups(&self) -> BTreeMap<String, GroupItem> {
        locked(&self.inner.store).current_groups()
    }

    /// Looks through the whole history of every user once more.
    pub fn check_history(&self) {
        for what in rules::history(&locked(&self.inner.store)) {
            self.inner.journal.violation(what);
        }
    }

    /// Whether somebody edited or removed the user's item by hand.
    #[must_use]
    pub fn was_edited_by_hand(&self, sub: &Sub) -> bool {
        locked(&self.inner.store).by_hand.contains(sub)
    }

    async fn reach(&self) -> Result<(), Error> {
        self.inner.network.reach().await
    }

    async fn answer(&self) -> Result<(), Error> {
        self.inner.network.answer().await
    }

    /// Notes what a write breaks.
    fn judge(&self, broken: Vec<String>) {
        for what in broken {
            self.inner.journal.violation(format!("{what} by {}", self.who));
        }
    }

    fn put_aside(&self, old: &UserItem) {
        let mut store = locked(&self.inner.store);
        self.judge(rules::put_aside(&store, old));
        store.versions.insert(old.key.clone(), old.clone());
    }

    fn replace_user(&self, next: &UserItem, replaced: Option<u64>) -> Written {
        let mut store = locked(&self.inner.store);
        let now = self.inner.clock.elapsed_millis();
        let before = store.user(&next.key);
        if before.as_ref().map(|item| item.version) != replaced {
            self.inner
                .journal
                .note(self.who, format!("conflict {}", describe::short(&next.record.sub)));
            return Written::Conflict;
        }
        self.judge(rules::replace(&store, before.as_deref(), next, &self.inner.pool, now));
        // What was forged may be carried along by a writer that read it.
        if !store.by_hand.contains(&next.record.sub) {
            let before = before.as_ref().map(|item| &item.record);
            self.judge(truth::broken(before, &next.record, &self.inner.pool, self.inner.clock));
        }
        self.inner.journal.note(self.who, describe::user(next));
        store.put_user(next, now);
        Written::Stored
    }

    fn replace_group(&self, next: &GroupItem, replaced: Option<u64>) -> Written {
        let mut store = locked(&self.inner.store);
        let before = store.groups.get(&next.key);
        if before.map(|item| item.version) != replaced {
            return Written::Conflict;
        }
        self.judge(rules::replace_group(before, next));
        self.inner.journal.note(self.who, describe::group(next));
        store.groups.insert(next.key.clone(), next.clone());
        store.writes += 1;
        Written::Stored
    }

    fn replace_document(&self, next: &Document, replaced: Option<u64>) -> Written {
        let mut store = locked(&self.inner.store);
        if store.documents.get(&next.key).map(|item| item.version) != replaced {
            return Written::Conflict;
        }
        store.documents.insert(next.key.clone(), next.clone());
        Written::Stored
    }
}

impl Backup for TableDouble {
    async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.reach().await?;
        let found: HashMap<Sub, UserItem> = {
            let store = locked(&self.inner.store);
            let items = subs.iter().filter_map(|sub| {
                let item = store.user(&user_key(pool, sub))?;
                Some((sub.clone(), UserItem::clone(&item)))
            });
            items.collect()
        };
        self.answer().await?;
        Ok(found)
    }

    async fn user_versions(&self, _pool: &str, sub: &Sub) -> Result<Vec<UserItem>, Error> {
        self.reach().await?;
        let mut versions: Vec<UserItem> = {
            let store = locked(&self.inner.store);
            let of_user = store.versions.values().filter(|item| item.record.sub == *sub);
            of_user.cloned().collect()
        };
        versions.sort_by_key(|item| std::cmp::Reverse(item.version));
        self.answer().await?;
        Ok(versions)
    }

    async fn put_user(&self, next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
        if let Some(old) = superseded {
            self.reach().await?;
            self.put_aside(old);
            self.answer().await?;
        }
        self.reach().await?;
        let written = self.replace_user(next, superseded.map(|old| old.version));
        self.answer().await?;
        Ok(written)
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        self.reach().await?;
        let network = &self.inner.network;
        let age = network.below(network.weather().table_stale_millis_max + 1);
        let at = self.inner.clock.elapsed_millis() - i64::try_from(age).unwrap_or(0);
        let short = network.percent(network.weather().short_pages_percent);
        let size = if short { 1 + network.below(3) } else { 1_000 };
        let size = usize::try_from(size).unwrap_or(1);
        // Where only superseded versions of release 0.1 were read, the adapter leaves a page empty that is not the last.
        if short && token.is_none() && network.percent(30) {
            return Ok(Page {
                entries: Vec::new(),
                token: Some(format!("{USER_PREFIX}{sub_prefix}")),
            });
        }
        let page = locked(&self.inner.store).page_of((partition, sub_prefix), token, at, size);
        self.answer().await?;
        Ok(page)
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
        self.reach().await?;
        let found = locked(&self.inner.store).groups.get(&group_key(pool, name)).cloned();
        self.answer().await?;
        Ok(found)
    }

    async fn groups(&self, pool: &str) -> Result<Vec<GroupItem>, Error> {
        self.reach().await?;
        let found = locked(&self.inner.store).groups_of(pool);
        self.answer().await?;
        Ok(found)
    }

    async fn put_group(&self, next: &GroupItem, replaced: Option<u64>) -> Result<Written, Error> {
        self.reach().await?;
        let written = self.replace_group(next, replaced);
        self.answer().await?;
        Ok(written)
    }

    async fn mark(&self, pool: &str, part: Part, at: Timestamp, cause: &str) -> Result<Written, Error> {
        self.reach().await?;
        let written = locked(&self.inner.store).mark(pool, part, at, cause);
        self.answer().await?;
        Ok(written)
    }

    async fn marks(&self, pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        self.reach().await?;
        let found = locked(&self.inner.store).marks_of(pool);
        self.answer().await?;
        Ok(found)
    }

    async fn clear_mark(&self, pool: &str, part: Part, at: Timestamp) -> Result<Written, Error> {
        self.reach().await?;
        let written = locked(&self.inner.store).clear_mark(pool, part, at);
        self.answer().await?;
        Ok(written)
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.reach().await?;
        let found = locked(&self.inner.store).documents.get(key).cloned();
        self.answer().await?;
        Ok(found)
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        self.reach().await?;
        let written = self.replace_document(next, replaced);
        self.answer().await?;
        Ok(written)
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        self.reach().await?;
        let found = locked(&self.inner.store).documents_of(pk, sk_prefix);
        self.answer().await?;
        Ok(found)
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        self.reach().await?;
        {
            let mut store = locked(&self.inner.store);
            for key in keys {
                if store.holds_a_user_or_group(key) {
                    self.judge(vec![format!("{} is no document and was removed", key.sk)]);
                }
                store.documents.remove(key);
            }
        }
        self.answer().await
    }
}
