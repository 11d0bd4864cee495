//! Marks: a document beside the pool's, and the user's tombstone without its end.
//!
//! Invariant: of a user's record only the end is touched, and only on the condition that nobody else wrote it meanwhile.

use serde::{Deserialize, Serialize};
use twinpool_shared::{
    error::{Error, ErrorKind},
    item::{SCHEMA_VERSION, UserItem, undelete_key},
    personal::{Personal, Sub},
    port::{Backup, Document, Written},
    time::Timestamp,
    writer::CONFLICTS_MAX,
};

/// Content of a mark.
#[derive(Serialize, Deserialize)]
struct Mark {
    sub: Sub,
    marked_at: Timestamp,
    deleted_at: Timestamp,
    deleted_by: String,
}

/// Marks of one pool.
pub(super) struct Marks<'a, B> {
    pub(super) backup: &'a B,
    pub(super) pool: &'a str,
    /// How long an unmarked tombstone is kept.
    pub(super) retention_seconds: i64,
}

impl<B: Backup> Marks<'_, B> {
    /// Marks a deleted user; `false` when that was done before. The document comes first: were this killed in between, the
    /// list would show a marked user who expires, and marking again would mend it.
    pub(super) async fn mark(&self, sub: &Sub, now: Timestamp) -> Result<bool, Error> {
        let user = self.stored(sub).await?;
        let Some(tombstone) = user.record.deleted.as_ref().filter(|_| !user.record.is_alive()) else {
            return Err(Error::new(ErrorKind::NotFound, "the user is not deleted"));
        };
        let body = Mark {
            sub: sub.clone(),
            marked_at: now,
            deleted_at: tombstone.at,
            deleted_by: tombstone.cause.clone(),
        };
        let body = serde_json::to_string(&body)
            .map_err(|_| Error::new(ErrorKind::Rejected, "the mark could not be written as JSON"))?;
        let document = Document {
            key: undelete_key(self.pool, sub),
            schema_version: SCHEMA_VERSION,
            pool: self.pool.to_owned(),
            version: 1,
            written_at: now,
            expires_at: None,
            body: Personal::new(body),
        };
        let marked = self.backup.put_document(&document, None).await? == Written::Stored;
        let kept = self.set_end(sub, now, None).await?;
        Ok(marked || kept)
    }

    /// Takes a mark away; `false` when there was none. The end comes first: were this killed in between, the user would
    /// still be listed as marked.
    pub(super) async fn unmark(&self, sub: &Sub, now: Timestamp) -> Result<bool, Error> {
        let key = undelete_key(self.pool, sub);
        if self.backup.document(&key).await?.is_none() {
            return Ok(false);
        }
        match self
            .set_end(sub, now, Some(now.as_seconds() + self.retention_seconds))
            .await
        {
            // The user is gone from the table, and the mark is all that is left.
            Err(error) if error.kind == ErrorKind::NotFound => {}
            other => {
                other?;
            }
        }
        self.backup.remove_documents(&[key]).await?;
        Ok(true)
    }

    /// Sets the end of a deleted user's item; `false` when it has that end, or the user lives.
    async fn set_end(&self, sub: &Sub, now: Timestamp, end: Option<i64>) -> Result<bool, Error> {
        for _ in 0..CONFLICTS_MAX {
            let stored = self.stored(sub).await?;
            if stored.record.is_alive() || stored.expires_at.is_none() == end.is_none() {
                return Ok(false);
            }
            let next = UserItem {
                version: stored.version + 1,
                written_at: now,
                expires_at: end,
                ..stored.clone()
            };
            let superseded = stored.superseded(now, self.retention_seconds);
            if self.backup.put_user(&next, Some(&superseded)).await? == Written::Stored {
                return Ok(true);
            }
        }
        Err(Error::new(
            ErrorKind::Contended,
            format!("{CONFLICTS_MAX} other writes of the user came first"),
        ))
    }

    async fn stored(&self, sub: &Sub) -> Result<UserItem, Error> {
        let mut users = self.backup.users(self.pool, std::slice::from_ref(sub)).await?;
        let user = users.remove(sub);
        user.ok_or_else(|| Error::new(ErrorKind::NotFound, "the backup has no such user"))
    }
}
