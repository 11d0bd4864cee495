//! Documents of runs, as typed values.
//!
//! Invariant: what is replaced is what was read.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    error::{Error, ErrorKind},
    item::{Key, SCHEMA_VERSION},
    personal::Personal,
    port::{Backup, Clock, Document, Written},
};

/// How often a document is read again after another writer was first.
const CONFLICTS_MAX: usize = 6;

/// How long a document is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kept {
    /// For ever.
    Always,
    /// For so many seconds from when it is written.
    Seconds(i64),
}

/// The value of a document.
///
/// # Errors
/// `BadItem` when its body is no such value.
pub fn value<T: DeserializeOwned>(document: &Document) -> Result<T, Error> {
    serde_json::from_str(document.body.expose()).map_err(|_| {
        Error::new(
            ErrorKind::BadItem,
            format!("the document {} cannot be read", document.key.sk),
        )
    })
}

/// The documents of one pool.
pub struct Documents<'a, B> {
    /// The backup.
    pub backup: &'a B,
    /// The pool.
    pub pool: &'a str,
    /// Tells the present.
    pub clock: &'a Clock,
}

impl<B> Clone for Documents<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B> Copy for Documents<'_, B> {}

impl<B: Backup> Documents<'_, B> {
    /// The value stored under `key`, with its version.
    ///
    /// # Errors
    /// As DynamoDB answers; `BadItem` when it is no such value.
    pub async fn load<T: DeserializeOwned>(&self, key: &Key) -> Result<Option<(T, u64)>, Error> {
        let document = self.backup.document(key).await?;
        document
            .map(|document| Ok((value(&document)?, document.version)))
            .transpose()
    }

    /// Stores `content` under `key` in the place of the version `replaced`.
    ///
    /// # Errors
    /// As DynamoDB answers. The write may have been made all the same.
    pub async fn store<T: Serialize + Sync>(
        &self,
        key: &Key,
        content: &T,
        replaced: Option<u64>,
        kept: Kept,
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
            pool: self.pool.to_owned(),
            version: replaced.map_or(1, |version| version + 1),
            written_at: now,
            expires_at: match kept {
                Kept::Always => None,
                Kept::Seconds(seconds) => Some(now.as_seconds() + seconds),
            },
            body: Personal::new(body),
        };
        self.backup.put_document(&document, replaced).await
    }

    /// Stores `content` under `key` in the place of the version `loaded`, and of no other. What an own earlier attempt stored,
    /// whose answer was lost, is no other.
    ///
    /// # Errors
    /// `Held` when another writer was first: two processes do the same work. Else as DynamoDB answers.
    pub async fn supersede<T: Serialize + Sync>(
        &self,
        key: &Key,
        content: &T,
        loaded: Option<u64>,
        kept: Kept,
    ) -> Result<(), Error> {
        if self.store(key, content, loaded, kept).await? == Written::Stored {
            return Ok(());
        }
        let found = self.backup.document(key).await?;
        let own = serde_json::to_string(content).ok();
        if found.is_some_and(|found| {
            found.version == loaded.map_or(1, |version| version + 1) && Some(found.body.expose()) == own.as_deref()
        }) {
            return Ok(());
        }
        let what = format!("another process has written the document {} meanwhile", key.sk);
        Err(Error::new(ErrorKind::Held, what))
    }

    /// Stores `content` under `key`, whatever is there: only the holder of the lease writes it, and only a killed attempt of
    /// the same work can have been there before.
    ///
    /// # Errors
    /// As DynamoDB answers; `Contended` when others wrote it again and again.
    pub async fn replace<T: Serialize + Sync>(&self, key: &Key, content: &T, kept: Kept) -> Result<(), Error> {
        let mut replaced = None;
        for _ in 0..CONFLICTS_MAX {
            if self.store(key, content, replaced, kept).await? == Written::Stored {
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
