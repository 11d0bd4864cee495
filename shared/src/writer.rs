//! Writing a user or a group: merge, conditional write, merge again when another writer was first.
//!
//! The replicator and the reconciler write through here and nowhere else, which is why they may work on the same users at the
//! same time.
//!
//! Invariant: what is stored is always a merge of what was stored before. No writer replaces what it has not read.

use crate::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    item::{GroupItem, UserItem},
    merge::{Decision, absorb_group, decide_group, merge},
    observation::{GroupEvidence, Observation},
    personal::Sub,
    port::{Backup, Clock, Written},
    time::Timestamp,
    user::UserRecord,
};

/// How often a write is merged anew after another writer was first.
pub const CONFLICTS_MAX: usize = 6;

/// Writes users and groups of one backup.
pub struct Writer<'a, B> {
    /// The backup.
    pub backup: &'a B,
    /// Tells when something is written.
    pub clock: &'a Clock,
    /// How long superseded versions and tombstones are kept.
    pub retention_seconds: i64,
}

impl<B: Backup> Writer<'_, B> {
    /// Merges `observations` into `stored`, which was read consistently, and writes what differs. The instant of the write, or
    /// `None` when there was nothing new.
    ///
    /// # Errors
    /// As the table answers; `Contended` when other writers came first too often.
    pub async fn user(
        &self,
        pool: &str,
        sub: &Sub,
        mut stored: Option<UserItem>,
        observations: &[Observation],
    ) -> Result<Option<Timestamp>, Error> {
        if observations.is_empty() {
            return Ok(None);
        }
        for _ in 0..CONFLICTS_MAX {
            let record = stored.as_ref().map(|item| &item.record);
            let Decision::Write(next) = merge(record, || UserRecord::new(sub.clone()), observations) else {
                return Ok(None);
            };
            let now = (self.clock)();
            let version = stored.as_ref().map_or(1, |item| item.version + 1);
            let next = UserItem {
                unforeseen: stored.as_ref().map(|item| item.unforeseen.clone()).unwrap_or_default(),
                ..UserItem::current(pool, version, next, now, self.retention_seconds)
            };
            let superseded = stored.as_ref().map(|item| item.superseded(now, self.retention_seconds));
            if self.backup.put_user(&next, superseded.as_ref()).await? == Written::Stored {
                return Ok(Some((self.clock)()));
            }
            stored = self.backup.users(pool, std::slice::from_ref(sub)).await?.remove(sub);
            if stored.as_ref() == Some(&next) {
                // The answer of this very write was lost, and the client wrote it again.
                return Ok(Some((self.clock)()));
            }
        }
        Err(contended("user"))
    }

    /// The same for a group.
    ///
    /// # Errors
    /// As for [`Self::user`].
    pub async fn group(
        &self,
        pool: &str,
        name: &str,
        mut stored: Option<GroupItem>,
        evidence: &[(&str, GroupEvidence)],
    ) -> Result<Option<Timestamp>, Error> {
        if evidence.is_empty() {
            return Ok(None);
        }
        for _ in 0..CONFLICTS_MAX {
            let record = stored.as_ref().map(|item| &item.record);
            let mut after = record.cloned().unwrap_or_else(|| GroupRecord::new(name));
            for (source, evidence) in evidence {
                absorb_group(&mut after, source, evidence);
            }
            let Decision::Write(next) = decide_group(record, after) else {
                return Ok(None);
            };
            let replaced = stored.as_ref().map(|item| item.version);
            let now = (self.clock)();
            let next = GroupItem {
                unforeseen: stored.as_ref().map(|item| item.unforeseen.clone()).unwrap_or_default(),
                ..GroupItem::current(pool, replaced.map_or(1, |version| version + 1), next, now)
            };
            if self.backup.put_group(&next, replaced).await? == Written::Stored {
                return Ok(Some((self.clock)()));
            }
            stored = self.backup.group(pool, name).await?;
            if stored.as_ref() == Some(&next) {
                return Ok(Some((self.clock)()));
            }
        }
        Err(contended("group"))
    }
}

fn contended(what: &str) -> Error {
    Error::new(
        ErrorKind::Contended,
        format!("{CONFLICTS_MAX} other writes of one {what} came first"),
    )
}
