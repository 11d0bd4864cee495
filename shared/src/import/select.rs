//! Whom an import makes, as of which instant, and in which order.
//!
//! * [`as_of`] picks the version of a user that was current at the plan's instant.
//! * [`Selection`] says which of these come back: the living, and deleted ones where that is wanted.
//! * [`groups`] says which memberships counted at that instant.
//! * [`order`] keeps the chosen in the order in which they are made, and digests them.
//!
//! Invariant: the same items give the same choice, order and digest, whatever the order in which they were read; so `apply`
//! reads exactly what was planned.

pub mod groups;
pub mod order;

use serde::{Deserialize, Serialize};

pub use self::{
    groups::{effective, existed},
    order::{CHUNK_USERS, Class, Order, Ordered, Run},
};
use crate::{
    item::{UserItem, undelete_marks},
    personal::Sub,
    port::Document,
    time::Timestamp,
    user::UserRecord,
};

/// The item that was current at `instant`: of `current` and its superseded `versions`, in any order, the newest that was
/// written by then.
///
/// `None` when there is none: the user was not in the backup yet. A version lives for the retention of the backup after it was
/// superseded, so this holds for every instant that is younger than the retention; a plan refuses older ones.
#[must_use]
pub fn as_of<'a>(current: &'a UserItem, versions: &'a [UserItem], instant: Timestamp) -> Option<&'a UserItem> {
    let written = versions
        .iter()
        .chain([current])
        .filter(|item| item.written_at <= instant);
    written.max_by_key(|item| item.version)
}

/// Whether [`as_of`] needs the superseded versions of this user.
#[must_use]
pub fn needs_versions(current: &UserItem, instant: Timestamp) -> bool {
    current.written_at > instant
}

/// Whether the version that was current at `instant` may be one that is not among `versions`: their history has expired, or a
/// part of it has not arrived in this Region.
///
/// Versions of a user are numbered without gaps, from 1. So the next one known after the one that [`as_of`] finds has to be the
/// next number, and where it finds none, the first.
#[must_use]
pub fn is_history_incomplete(current: &UserItem, versions: &[UserItem], instant: Timestamp) -> bool {
    let chosen = as_of(current, versions, instant).map_or(0, |item| item.version);
    let later = versions.iter().chain([current]).map(|item| item.version);
    let next = later.filter(|version| *version > chosen).min();
    next.is_some_and(|version| version != chosen + 1)
}

/// Which deleted users come back, besides those marked by `twinpool undelete`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Deleted {
    /// None.
    Not,
    /// Who was deleted at this instant or later; with `None`, everybody whose tombstone is still there.
    Since(Option<Timestamp>),
}

/// Whom an import makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Selection {
    /// The instant as of which the backup is read.
    pub as_of: Timestamp,
    /// Which deleted users come back.
    pub deleted: Deleted,
}

impl Selection {
    /// Whether the user of `record`, which was current at [`Self::as_of`], is chosen. `marked`: [`undelete_mark`] names them.
    ///
    /// A mark counts at whatever time it was set: it is an order to the import, and no part of the past.
    #[must_use]
    pub fn chooses(&self, record: &UserRecord, marked: bool) -> bool {
        if marked || record.is_alive() {
            return true;
        }
        match (self.deleted, &record.deleted) {
            (Deleted::Since(since), Some(tombstone)) => since.is_none_or(|since| tombstone.at >= since),
            _ => false,
        }
    }
}

/// The user whom a mark of `twinpool undelete` brings back; `None` for any other document.
#[must_use]
pub fn undelete_mark(document: &Document) -> Option<Sub> {
    let marks = undelete_marks(&document.pool);
    let sub = document.key.sk.strip_prefix(&marks.sk)?;
    (document.key.pk == marks.pk).then(|| Sub::new(sub)).flatten()
}
