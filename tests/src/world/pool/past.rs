//! What a real pool forgets: every state that a user ever had.
//!
//! Invariant: states are in the order in which they were, and time passes between two of them or does not; it never goes back.

use std::collections::BTreeSet;

use twinpool_shared::{observation::UserRead, user::Factors};

/// A user as the pool has them, whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserTruth {
    /// What ListUsers shows.
    pub read: UserRead,
    /// Groups.
    pub groups: BTreeSet<String>,
    /// MFA settings.
    pub factors: Factors,
}

/// One user's past.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// Every state the user ever had and since when, in milliseconds since the start, the oldest first.
    pub states: Vec<(i64, UserTruth)>,
    /// When the user was deleted, in milliseconds since the start.
    pub deleted_at: Option<i64>,
}

impl Past {
    /// The state that the user has, or had last.
    #[must_use]
    pub fn last(&self) -> Option<&UserTruth> {
        self.states.last().map(|(_, state)| state)
    }

    /// Whether the user had, at `millis` since the start or later, a state of which `holds` is true.
    pub fn had_since(&self, millis: i64, holds: impl Fn(&UserTruth) -> bool) -> bool {
        let ends = self.states.iter().skip(1).map(|(since, _)| *since);
        let ends = ends.chain([self.deleted_at.unwrap_or(i64::MAX)]);
        let mut intervals = self.states.iter().zip(ends);
        intervals.any(|((_, state), end)| end > millis && holds(state))
    }
}
