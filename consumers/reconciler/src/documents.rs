//! Documents of runs, as typed values.
//!
//! Invariant: what is replaced is what was read.

use serde::{Serialize, de::DeserializeOwned};
use twinpool_shared::{
    error::{Error, ErrorKind},
    item::{Key, SCHEMA_VERSION},
    personal::Personal,
    port::{Backup, Document, ReadPool, Written},
};

use crate::Reconciler;

/// Documents of a run that has ended are of no use; two days let an operator look at them.
const EXPIRES_AFTER_SECONDS: i64 = 2 * 86_400;

/// How often a document is read again after another writer was first.
const CONFLICTS_MAX: usize = 6;

/// The value of a document.
pub(crate) fn value<T: DeserializeOwned>(document: &Document) -> Result<T, Error> {
    serde_json::from_str(document.body.expose()).map_err(|_| {
        Error::new(
            ErrorKind::BadItem,
            format!("the document {} cannot be read", document.key.sk),
        )
    })
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// The value stored under `key`, with its version.
    pub(crate) async fn load<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, u64)>, Error> {
        let document = self.backup.document(key).await?;
        document
            .map(|document| Ok((value(&document)?, document.version)))
            .transpose()
    }

    /// Stores `content` under `key` in the place of the version `replaced`.
    pub(crate) async fn store<T: Serialize + Sync>(
        &self,
        pool: &str,
        key: &Key,
        content: &T,
        replaced: Option<u64>,
        expires_after_seconds: i64,
    ) -> Result<Written, Error> {
        let body = serde_json::to_string(content).map_err(|_| {
            Error::new(
                ErrorKind::Rejected,
                format!("the document {} cannot be written", key.sk),
            )
        })?;
        let now = (self.clock)();
        let document = Document {
            key: key.clone(),
            schema_version: SCHEMA_VERSION,
            pool: pool.to_owned(),
            version: replaced.map_or(1, |version| version + 1),
            written_at: now,
            expires_at: Some(now.as_seconds() + expires_after_seconds),
            body: Personal::new(body),
        };
        self.backup.put_document(&document, replaced).await
    }

    /// Stores `content` under `key`, whatever is there: only the holder of the lease writes it, and only a killed attempt of
    /// the same work can have been there before.
    pub(crate) async fn replace<T: Serialize + Sync>(&self, pool: &str, key: &Key, content: &T) -> Result<(), Error> {
        self.replace_for(pool, key, content, EXPIRES_AFTER_SECONDS).await
    }

    /// The same, to be kept for so long.
    pub(crate) async fn replace_for<T: Serialize + Sync>(
        &self,
        pool: &str,
        key: &Key,
        content: &T,
        expires_after_seconds: i64,
    ) -> Result<(), Error> {
        let mut replaced = None;
        for _ in 0..CONFLICTS_MAX {
            if self.store(pool, key, content, replaced, expires_after_seconds).await? == Written::Stored {
                return Ok(());
            }
            replaced = self.backup.document(key).await?.map(|document| document.version);
        }
        Err(Error::new(
            ErrorKind::Contended,
            format!("{CONFLICTS_MAX} other writes of the document {} came first", key.sk),
        ))
    }
}
