//! Documents of a reconcile: how long they are kept.
//!
//! Invariant: see [`twinpool_shared::documents`].

use serde::{Serialize, de::DeserializeOwned};
use twinpool_shared::{
    adapter::lease::{Holder, Tenure},
    documents::{Documents, Kept},
    error::Error,
    item::Key,
    port::{Backup, ReadPool},
    run::keys,
};

use crate::Reconciler;

/// Documents of a run that has ended are of no use; two days let an operator look at them.
const KEPT: Kept = Kept::Seconds(2 * 86_400);

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    fn documents<'a>(&'a self, pool: &'a str) -> Documents<'a, B> {
        Documents {
            backup: &self.backup,
            pool,
            clock: &self.clock,
        }
    }

    /// The right to reconcile `pool`.
    pub(crate) fn tenure<'a>(&'a self, pool: &'a str, holder: &'a Holder) -> Tenure<'a, B> {
        Tenure {
            documents: self.documents(pool),
            key: keys::lease(pool),
            holder,
        }
    }

    /// The value stored under `key`, with its version.
    pub(crate) async fn load<T: DeserializeOwned>(&self, pool: &str, key: &Key) -> Result<Option<(T, u64)>, Error> {
        self.documents(pool).load(key).await
    }

    /// Stores `content` under `key`, whatever is there.
    pub(crate) async fn replace<T: Serialize + Sync>(&self, pool: &str, key: &Key, content: &T) -> Result<(), Error> {
        self.documents(pool).replace(key, content, KEPT).await
    }

    /// The same, to be kept for so long.
    pub(crate) async fn replace_for<T: Serialize + Sync>(
        &self,
        pool: &str,
        key: &Key,
        content: &T,
        kept_seconds: i64,
    ) -> Result<(), Error> {
        let kept = Kept::Seconds(kept_seconds);
        self.documents(pool).replace(key, content, kept).await
    }
}
