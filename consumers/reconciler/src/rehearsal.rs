//! A run that writes nothing: the real backup is read, and what would be written goes nowhere.
//!
//! `--dry-run` and `verify` are runs over this.
//!
//! Invariant: not one write reaches the backup.

use std::collections::{BTreeMap, HashMap};

use tokio::sync::Mutex;
use twinpool_shared::{
    error::Error,
    item::{GroupItem, Key, UserItem, group_key},
    marks::Part,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    time::Timestamp,
};

/// A backup that is only read. Documents of the run are kept in memory, and so are groups that would have been written: which
/// memberships count depends on them.
#[derive(Debug)]
pub struct Rehearsal<B> {
    backup: B,
    documents: Mutex<BTreeMap<(String, String), Document>>,
    groups: Mutex<BTreeMap<(String, String), GroupItem>>,
}

impl<B> Rehearsal<B> {
    /// Over `backup`.
    #[must_use]
    pub fn new(backup: B) -> Self {
        Self {
            backup,
            documents: Mutex::default(),
            groups: Mutex::default(),
        }
    }
}

fn place(key: &Key) -> (String, String) {
    (key.pk.clone(), key.sk.clone())
}

impl<B: Backup> Backup for Rehearsal<B> {
    async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.backup.users(pool, subs).await
    }

    async fn user_versions(&self, pool: &str, sub: &Sub) -> Result<Vec<UserItem>, Error> {
        self.backup.user_versions(pool, sub).await
    }

    async fn put_user(&self, _next: &UserItem, _superseded: Option<&UserItem>) -> Result<Written, Error> {
        Ok(Written::Stored)
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        self.backup.users_in(partition, sub_prefix, token).await
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
        let kept = self.groups.lock().await.get(&place(&group_key(pool, name))).cloned();
        match kept {
            Some(item) => Ok(Some(item)),
            None => self.backup.group(pool, name).await,
        }
    }

    async fn groups(&self, pool: &str) -> Result<Vec<GroupItem>, Error> {
        let mut items = self.backup.groups(pool).await?;
        let kept = self.groups.lock().await;
        items.retain(|item| !kept.contains_key(&place(&item.key)));
        items.extend(kept.values().filter(|item| item.pool == pool).cloned());
        Ok(items)
    }

    async fn put_group(&self, next: &GroupItem, _replaced: Option<u64>) -> Result<Written, Error> {
        self.groups.lock().await.insert(place(&next.key), next.clone());
        Ok(Written::Stored)
    }

    async fn mark(&self, _pool: &str, _part: Part, _at: Timestamp, _cause: &str) -> Result<Written, Error> {
        Ok(Written::Stored)
    }

    async fn marks(&self, pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        self.backup.marks(pool).await
    }

    async fn clear_mark(&self, _pool: &str, _part: Part, _at: Timestamp) -> Result<Written, Error> {
        Ok(Written::Stored)
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        Ok(self.documents.lock().await.get(&place(key)).cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        let mut documents = self.documents.lock().await;
        let held = documents.get(&place(&next.key)).map(|document| document.version);
        if held != replaced {
            return Ok(Written::Conflict);
        }
        documents.insert(place(&next.key), next.clone());
        Ok(Written::Stored)
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        let documents = self.documents.lock().await;
        let from = (pk.to_owned(), sk_prefix.to_owned());
        let found = documents
            .range(from..)
            .take_while(|((held, sk), _)| held == pk && sk.starts_with(sk_prefix));
        Ok(found.map(|(_, document)| document.clone()).collect())
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        let mut documents = self.documents.lock().await;
        for key in keys {
            documents.remove(&place(key));
        }
        Ok(())
    }
}
