//! The backup: users, versions and documents.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex},
};

use twinpool_shared::{
    error::Error,
    item::{GroupItem, Key, UserItem},
    marks::Part,
    personal::Sub,
    port::{Backup, Document, Page, Written},
    time::Timestamp,
};

use super::{Network, locked};

#[derive(Clone)]
pub(crate) struct TableDouble {
    network: Arc<Network>,
    users: Arc<HashMap<Sub, UserItem>>,
    documents: Arc<Mutex<BTreeMap<Key, Document>>>,
}

impl TableDouble {
    pub(crate) fn new(network: &Arc<Network>, items: Vec<UserItem>) -> Self {
        let users = items.into_iter().map(|item| (item.record.sub.clone(), item));
        Self {
            network: Arc::clone(network),
            users: Arc::new(users.collect()),
            documents: Arc::default(),
        }
    }
}

impl TableDouble {
    /// The same documents beside other users.
    pub(crate) fn with_users(&self, items: Vec<UserItem>) -> Self {
        let other = Self::new(&self.network, items);
        Self {
            documents: Arc::clone(&self.documents),
            ..other
        }
    }
}

impl Backup for TableDouble {
    async fn users(&self, _: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.network.step().await;
        let found = subs.iter().filter_map(|sub| self.users.get(sub));
        Ok(found.map(|item| (item.record.sub.clone(), item.clone())).collect())
    }

    async fn user_versions(&self, _: &str, _: &Sub) -> Result<Vec<UserItem>, Error> {
        Ok(Vec::new())
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.network.step().await;
        Ok(locked(&self.documents).get(key).cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        self.network.step().await;
        let written = {
            let mut documents = locked(&self.documents);
            if documents.get(&next.key).map(|there| there.version) == replaced {
                documents.insert(next.key.clone(), next.clone());
                Written::Stored
            } else {
                Written::Conflict
            }
        };
        self.network.step().await;
        Ok(written)
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        let documents = locked(&self.documents);
        let found = documents
            .values()
            .filter(|document| document.key.pk == pk && document.key.sk.starts_with(sk_prefix));
        Ok(found.cloned().collect())
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        let mut documents = locked(&self.documents);
        for key in keys {
            documents.remove(key);
        }
        Ok(())
    }

    async fn groups(&self, _: &str) -> Result<Vec<GroupItem>, Error> {
        Ok(Vec::new())
    }

    async fn put_user(&self, _: &UserItem, _: Option<&UserItem>) -> Result<Written, Error> {
        unreachable!("an import never writes the backup")
    }

    async fn users_in(&self, _: &str, _: &str, _: Option<&str>) -> Result<Page<UserItem>, Error> {
        unreachable!("the order is given")
    }

    async fn group(&self, _: &str, _: &str) -> Result<Option<GroupItem>, Error> {
        unreachable!("the groups are given")
    }

    async fn put_group(&self, _: &GroupItem, _: Option<u64>) -> Result<Written, Error> {
        unreachable!("an import never writes the backup")
    }

    async fn mark(&self, _: &str, _: Part, _: Timestamp, _: &str) -> Result<Written, Error> {
        unreachable!("an import never writes the backup")
    }

    async fn marks(&self, _: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        unreachable!("an import reads no marks")
    }

    async fn clear_mark(&self, _: &str, _: Part, _: Timestamp) -> Result<Written, Error> {
        unreachable!("an import never writes the backup")
    }
}
