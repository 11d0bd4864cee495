//! How much may be deleted from the backup without an operator.
//!
//! A pool that is emptied by mistake, a list that hides users, a filter that finds nobody: each looks like a night with many
//! deletions. The backup exists for that night.
//!
//! Invariant: more than the allowance is refused as a whole, not in part.

use crate::{
    item::UserItem,
    observation::UserRead,
    time::Timestamp,
    user::{CONSISTENCY_WINDOW_MILLIS, UserRecord},
};

/// Deletions that are always allowed, in number; above that, a share of the living.
pub const ALLOWANCE_MIN: u64 = 20;
/// Share of the living that may be deleted in one run, in percent.
const ALLOWANCE_PERCENT: u64 = 2;
/// Share of the pool's own estimate that a walk may fall short of, in percent. The estimate is some hours old.
const SHORTFALL_PERCENT: u64 = 10;

/// What the guard judges by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// Living entries of the backup.
    pub living: u64,
    /// Entries that the walk showed.
    pub walked: u64,
    /// Living entries of the backup that the walk did not show.
    pub suspects: u64,
    /// What the pool itself says it has, if it says so.
    pub estimated: Option<u64>,
    /// Deletions that an operator allowed by number, instead of the allowance: no more than these, also when they are fewer.
    pub allowed: Option<u64>,
}

/// Why deletions are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refusal {
    /// More are missing than may be deleted without an operator.
    TooMany,
    /// The pool shows nobody. An empty pool never empties a backup, whatever an operator allows.
    Empty,
    /// The walk showed far fewer than the pool says it has.
    Incomplete,
    /// The filter did not find, or a walk by prefix did not show, a user who is there: that somebody is not found proves
    /// nothing.
    Blind,
}

impl Refusal {
    /// Name in reports and alarms.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TooMany => "too_many_missing",
            Self::Empty => "pool_shows_nobody",
            Self::Incomplete => "walk_incomplete",
            Self::Blind => "filter_finds_nobody",
        }
    }
}

impl Guard {
    /// How many may be deleted without an operator.
    #[must_use]
    pub fn allowance(&self) -> u64 {
        let share = self.living.saturating_mul(ALLOWANCE_PERCENT) / 100;
        share.max(ALLOWANCE_MIN)
    }

    /// Whether the suspects may be confirmed and deleted.
    ///
    /// # Errors
    /// The reason why not.
    pub fn judge(&self) -> Result<(), Refusal> {
        if self.suspects == 0 {
            return Ok(());
        }
        if self.walked == 0 {
            return Err(Refusal::Empty);
        }
        if let Some(allowed) = self.allowed {
            return if self.suspects <= allowed {
                Ok(())
            } else {
                Err(Refusal::TooMany)
            };
        }
        let shortfall = |estimated: u64| {
            let tolerated = (estimated.saturating_mul(SHORTFALL_PERCENT) / 100).max(ALLOWANCE_MIN);
            self.walked.saturating_add(tolerated) < estimated
        };
        if self.suspects > self.allowance() {
            return Err(Refusal::TooMany);
        }
        if self.estimated.is_some_and(shortfall) {
            return Err(Refusal::Incomplete);
        }
        Ok(())
    }
}

/// What a second look at a suspect says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Suspicion {
    /// The backup knows by now that they are deleted.
    Settled,
    /// The pool shows them after all.
    Present,
    /// Created so recently that a list may not show them yet: look again not before this instant.
    TooYoung(Timestamp),
    /// Gone.
    Gone,
}

/// Judges a suspect by the record as it is now, and a read of the present made at `read_at`.
///
/// A list may be a consistency window old. Whoever was created before that window is on every list that is not older; so only
/// the young are waited for.
#[must_use]
pub fn judge_suspect(item: Option<&UserItem>, read: Option<&UserRead>, read_at: Timestamp) -> Suspicion {
    let Some(record) = item.map(|item| &item.record).filter(|record| record.is_alive()) else {
        return Suspicion::Settled;
    };
    if read.is_some() {
        return Suspicion::Present;
    }
    let old_enough = born_by(record).plus_millis(CONSISTENCY_WINDOW_MILLIS);
    if read_at < old_enough {
        Suspicion::TooYoung(old_enough)
    } else {
        Suspicion::Gone
    }
}

/// The latest instant at which the user can have been created.
fn born_by(record: &UserRecord) -> Timestamp {
    if let Some(account) = &record.account {
        return account.data.created;
    }
    let seen = [
        record.attributes.as_ref().map(|facet| facet.observed_at),
        record.groups.as_ref().map(|facet| facet.observed_at),
        record.alive_at,
    ];
    seen.into_iter().flatten().min().unwrap_or(crate::time::EPOCH)
}
