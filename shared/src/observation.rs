//! Evidence about a user or a group, in the form that `merge` takes.
//!
//! Invariant: every `as_of` made here is a lower bound for the instant at which the content was still current.

use std::collections::BTreeSet;

use crate::{
    group::GroupSettings,
    time::{SECOND_MILLIS, Timestamp},
    user::{Account, Attributes, CONSISTENCY_WINDOW_MILLIS, Factors},
};

/// Cognito waits 5 s for a trigger: what its event shows was true no longer ago than that. Clock differences inside AWS are
/// milliseconds and are covered as well.
pub const TRIGGER_LIMIT_MILLIS: i64 = 5 * SECOND_MILLIS;

/// How much an event says about the attributes it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The event announces new content (sign-up, confirmation).
    News,
    /// The event only shows content (sign-in). It dates from the start of the UTC day, which is still a lower bound, so that
    /// signing in again with the same attributes is no write.
    Evidence,
}

/// What `ListUsers` shows of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserRead {
    /// User name and attributes.
    pub attributes: Attributes,
    /// `UserStatus`.
    pub status: String,
    /// Enabled, created, modified.
    pub account: Account,
}

/// One piece of evidence about one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A trigger carried the user's attributes.
    Carried {
        /// User name and attributes.
        attributes: Attributes,
        /// `cognito:user_status`, when the event had it.
        status: Option<String>,
        /// How much it says.
        weight: Weight,
        /// When the trigger function received it.
        received_at: Timestamp,
    },
    /// An authoritative read found the user.
    Read {
        /// What it showed.
        user: UserRead,
        /// When it was made.
        read_at: Timestamp,
    },
    /// A second authoritative read contradicts a record that says it is newer than the user's last modification. What the
    /// record says cannot have been true: the read shows the user as they were within the consistency window.
    Contradicted {
        /// What it showed.
        user: UserRead,
        /// When it was made.
        read_at: Timestamp,
    },
    /// A deletion was announced, or noticed by a walk, and an authoritative read no longer finds the user.
    Gone {
        /// Instant of the announcement, whole seconds; for a walk, of the read that did not find them.
        announced_at: Timestamp,
    },
    /// The user's groups were read because of an event, or walked.
    Groups {
        /// All of the user's groups.
        groups: BTreeSet<String>,
        /// Instant of the event: the read was made after it. For a walk, [`walked_as_of`].
        announced_at: Timestamp,
        /// When it was made.
        read_at: Timestamp,
    },
    /// The user's factors were read because of an event.
    Factors {
        /// What the read showed.
        factors: Factors,
        /// Instant of the event: the read was made after it.
        announced_at: Timestamp,
        /// When it was made.
        read_at: Timestamp,
    },
    /// The factors changed, and reading them now could make the user billable.
    FactorsChanged {
        /// Instant of the event.
        announced_at: Timestamp,
    },
    /// The user signed in.
    SignedIn {
        /// When the trigger was received, by its own clock.
        at: Timestamp,
    },
}

/// Evidence and where it came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Trigger source or API name.
    pub source: String,
    /// The evidence.
    pub evidence: Evidence,
}

/// One piece of evidence about one group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GroupEvidence {
    /// An authoritative read found the group.
    Read {
        /// What it showed.
        settings: GroupSettings,
        /// When it was made.
        read_at: Timestamp,
    },
    /// A second authoritative read contradicts a record that says it is newer; see [`Evidence::Contradicted`].
    Contradicted {
        /// What it showed.
        settings: GroupSettings,
        /// When it was made.
        read_at: Timestamp,
    },
    /// A deletion was announced, or noticed by a walk, and the group is not found any more.
    Gone {
        /// Instant of the announcement, whole seconds.
        announced_at: Timestamp,
    },
}

/// The earliest instant at which Cognito can have shown what a trigger received at `received_at`, by its own clock.
#[must_use]
pub fn shown_at(received_at: Timestamp) -> Timestamp {
    received_at.plus_millis(-TRIGGER_LIMIT_MILLIS)
}

/// Lower bound for content that a trigger carried.
#[must_use]
pub fn carried_as_of(weight: Weight, received_at: Timestamp) -> Timestamp {
    let shown_at = shown_at(received_at);
    match weight {
        Weight::News => shown_at,
        Weight::Evidence => shown_at.day_start(),
    }
}

/// Lower bound for the groups of a user that a walk of all groups, begun at `walk_began`, has shown.
///
/// A list may be a consistency window old. A membership in a group is newer than the group, though: a group created just
/// before the walk has members all the same.
#[must_use]
pub fn walked_as_of(walk_began: Timestamp, newest_group_created: Option<Timestamp>) -> Timestamp {
    let shown_at = walk_began.plus_millis(-CONSISTENCY_WINDOW_MILLIS);
    newest_group_created.map_or(shown_at, |created| created.max(shown_at))
}

/// The latest instant at which an authoritative read proves existence: its newest modification, or the read itself less the
/// time for which the index may go on showing what is gone.
#[must_use]
pub fn alive_at(modified: Timestamp, read_at: Timestamp) -> Timestamp {
    modified.max(read_at.plus_millis(-CONSISTENCY_WINDOW_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn carried_content_dates_from_before_the_trigger_limit() {
        let received = at("2026-11-23T10:00:07.250Z");
        assert_eq!(carried_as_of(Weight::News, received), at("2026-11-23T10:00:02.250Z"));
        assert_eq!(carried_as_of(Weight::Evidence, received), at("2026-11-23T00:00:00Z"));
        let just_after_midnight = at("2026-11-23T00:00:02Z");
        assert_eq!(
            carried_as_of(Weight::Evidence, just_after_midnight),
            at("2026-11-22T00:00:00Z")
        );
    }

    #[test]
    fn a_read_proves_existence_up_to_a_window_ago() {
        let read_at = at("2026-11-23T10:01:00Z");
        assert_eq!(
            alive_at(at("2020-01-01T00:00:00Z"), read_at),
            at("2026-11-23T10:00:00Z")
        );
        assert_eq!(
            alive_at(at("2026-11-23T10:00:59Z"), read_at),
            at("2026-11-23T10:00:59Z")
        );
    }
}
