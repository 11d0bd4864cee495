//! What the table holds, and what it ever held.
//!
//! Invariant: nothing that was written is forgotten, so that eventual reads and the rules can look back.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::Arc,
};

use twinpool_shared::{
    item::{GroupItem, Key, USER_PREFIX, UserItem},
    marks::Part,
    personal::Sub,
    port::{Document, Page, Written},
    time::Timestamp,
};

/// A current item and when it became that; `None` once it was removed by hand.
pub(super) type Was = (i64, Option<Arc<UserItem>>);

/// The table's content.
#[derive(Debug, Default)]
pub struct Store {
    /// Every current item that a key ever had, the oldest first.
    pub(super) users: BTreeMap<Key, Vec<Was>>,
    /// Superseded versions.
    pub(super) versions: BTreeMap<Key, UserItem>,
    pub(super) groups: BTreeMap<Key, GroupItem>,
    pub(super) documents: BTreeMap<Key, Document>,
    marks: BTreeMap<(String, Part), (Timestamp, String)>,
    /// Users whose items were edited or removed by hand: their history has a gap that is nobody's fault.
    pub(super) by_hand: BTreeSet<Sub>,
    /// Current items stored by the product.
    pub(super) writes: u64,
}

impl Store {
    /// The current item under `key`.
    pub(super) fn user(&self, key: &Key) -> Option<Arc<UserItem>> {
        self.users
            .get(key)
            .and_then(|was| was.last())
            .and_then(|(_, item)| item.clone())
    }

    pub(super) fn put_user(&mut self, next: &UserItem, now: i64) {
        let was = self.users.entry(next.key.clone()).or_default();
        was.push((now, Some(Arc::new(next.clone()))));
        self.writes += 1;
    }

    pub(super) fn current_users(&self) -> BTreeMap<Sub, Arc<UserItem>> {
        let items = self.users.values().filter_map(|was| was.last()?.1.clone());
        items.map(|item| (item.record.sub.clone(), item)).collect()
    }

    pub(super) fn current_groups(&self) -> BTreeMap<String, GroupItem> {
        let items = self.groups.values().cloned();
        items.map(|item| (item.record.name.clone(), item)).collect()
    }

    pub(super) fn groups_of(&self, pool: &str) -> Vec<GroupItem> {
        self.groups.values().filter(|item| item.pool == pool).cloned().collect()
    }

    /// A page of a partition's current users whose `sub` begins with `sub_prefix`, as they were at `at`.
    pub(super) fn page_of(
        &self,
        (partition, sub_prefix): (&str, &str),
        token: Option<&str>,
        at: i64,
        size: usize,
    ) -> Page<UserItem> {
        let first = format!("{USER_PREFIX}{sub_prefix}");
        let after = Key {
            pk: partition.to_owned(),
            sk: token.unwrap_or(&first).to_owned(),
        };
        let keys = self.users.range((Bound::Excluded(after), Bound::Unbounded));
        let keys = keys.take_while(|(key, _)| key.pk == partition && key.sk.starts_with(&first));
        let mut seen = keys.take(size + 1).collect::<Vec<_>>();
        let more = seen.len() > size;
        seen.truncate(size);
        let as_it_was = |was: &Vec<Was>| was.iter().rev().find(|(since, _)| *since <= at)?.1.clone();
        Page {
            token: seen.last().filter(|_| more).map(|(key, _)| key.sk.clone()),
            entries: seen
                .into_iter()
                .filter_map(|(_, was)| as_it_was(was))
                .map(|item| UserItem::clone(&item))
                .collect(),
        }
    }

    pub(super) fn mark(&mut self, pool: &str, part: Part, at: Timestamp, cause: &str) -> Written {
        let slot = self.marks.entry((pool.to_owned(), part));
        let held = slot.or_insert((Timestamp::from_millis(i64::MIN), String::new()));
        if held.0 >= at {
            return Written::Conflict;
        }
        *held = (at, cause.to_owned());
        Written::Stored
    }

    pub(super) fn marks_of(&self, pool: &str) -> Vec<(Part, Timestamp)> {
        let marks = self.marks.iter().filter(|((home, _), _)| home == pool);
        marks.map(|((_, part), (at, _))| (*part, *at)).collect()
    }

    pub(super) fn clear_mark(&mut self, pool: &str, part: Part, at: Timestamp) -> Written {
        let key = (pool.to_owned(), part);
        match self.marks.get(&key) {
            Some((held, _)) if *held == at => {
                self.marks.remove(&key);
                Written::Stored
            }
            _ => Written::Conflict,
        }
    }

    pub(super) fn documents_of(&self, pk: &str, sk_prefix: &str) -> Vec<Document> {
        let start = Key {
            pk: pk.to_owned(),
            sk: sk_prefix.to_owned(),
        };
        let found = self.documents.range(start..);
        let found = found.take_while(|(key, _)| key.pk == pk && key.sk.starts_with(sk_prefix));
        found.map(|(_, document)| document.clone()).collect()
    }

    pub(super) fn holds_a_user_or_group(&self, key: &Key) -> bool {
        self.users.contains_key(key) || self.versions.contains_key(key) || self.groups.contains_key(key)
    }
}
