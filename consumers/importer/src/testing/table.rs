//! The backup: users, versions and documents.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use twinpool_shared::{
    error::{Error, ErrorKind},
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
    users: Arc<Mutex<HashMap<Sub, UserItem>>>,
    /// Superseded versions.
    versions: Arc<Mutex<HashMap<Sub, Vec<UserItem>>>>,
    /// Writes that are refused for their throughput, from now on.
    throttles: Arc<AtomicU64>,
    documents: Arc<Mutex<BTreeMap<Key, Document>>>,
}

impl TableDouble {
    pub(crate) fn new(network: &Arc<Network>, items: Vec<UserItem>) -> Self {
        let users = items.into_iter().map(|item| (item.record.sub.clone(), item));
        Self {
            network: Arc::clone(network),
            users: Arc::new(Mutex::new(users.collect())),
            versions: Arc::default(),
            throttles: Arc::default(),
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

impl TableDouble {
    /// Adds a superseded version of a user.
    pub(crate) fn supersede(&self, item: UserItem) {
        let sub = item.record.sub.clone();
        locked(&self.versions).entry(sub).or_default().push(item);
    }

    /// Current items are of this version from now on.
    pub(crate) fn renumber(&self, version: u64) {
        locked(&self.users).values_mut().for_each(|item| item.version = version);
    }

    /// The next `writes` of chunks are refused for their throughput.
    pub(crate) fn throttle(&self, writes: u64) {
        self.throttles.store(writes, Ordering::Relaxed);
    }

    fn admit(&self, key: &Key) -> Result<(), Error> {
        if !key.sk.contains("#chunk#") {
            return Ok(());
        }
        let left = |left: u64| left.checked_sub(1);
        match self.throttles.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left) {
            Ok(_) => Err(Error::new(ErrorKind::Throttled, "dynamodb:PutItem on the table")),
            Err(_) => Ok(()),
        }
    }
}

impl Backup for TableDouble {
    async fn users(&self, _: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.network.step().await;
        let users = locked(&self.users);
        let found = subs.iter().filter_map(|sub| users.get(sub));
        Ok(found.map(|item| (item.record.sub.clone(), item.clone())).collect())
    }

    async fn user_versions(&self, _: &str, sub: &Sub) -> Result<Vec<UserItem>, Error> {
        self.network.step().await;
        Ok(locked(&self.versions).get(sub).cloned().unwrap_or_default())
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.network.step().await;
        Ok(locked(&self.documents).get(key).cloned())
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        self.network.step().await;
        self.admit(&next.key)?;
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
        keys.iter().try_for_each(|key| self.admit(key))?;
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
