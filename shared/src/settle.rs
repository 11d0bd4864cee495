//! Whether a read is believed.
//!
//! `ListUsers` is eventually consistent, events arrive in any order, and one call too many bills a user. Every such question
//! is answered here, purely, from the change, the stored record, the read and the time.
//!
//! Invariant: waiting is bounded. After the last attempt a read is believed or the change is parked with its reason; it is
//! never dropped and never tried for ever.

use std::collections::BTreeSet;

use crate::{
    change::{Ask, Change},
    group::{GroupRecord, GroupSettings},
    observation::UserRead,
    operation::{Expect, Meaning},
    time::{SECOND_MILLIS, Timestamp},
    user::UserRecord,
};

/// How often a read that lags behind its event is repeated before it is believed all the same: 1+2+4+8 s.
pub const STALE_ATTEMPTS_MAX: u32 = 4;
/// How often a user is looked for before the change is parked, or a deleted one before the pool is believed: 1+2+...+64 s,
/// which is beyond the consistency window.
pub const MISSING_ATTEMPTS_MAX: u32 = 7;
/// How old a list may be that `ListUsers` answers with, for the question whether a stored read was made late enough: as long as
/// a lagging read is repeated.
const STALENESS_MILLIS: i64 = 15 * SECOND_MILLIS;
/// For how long after an event a read in the event's own second may still be from before it.
const SAME_SECOND_DOUBT_MILLIS: i64 = 4 * SECOND_MILLIS;
/// Seconds to wait before a change that was only announced by a message is looked for: the user has to type a code.
pub const ANNOUNCED_DELAY_SECONDS: u32 = 5;
/// Longest that a call to Cognito takes with its retries, and some: one begun in October must not end in November.
const CALL_MILLIS_MAX: i64 = 60 * SECOND_MILLIS;
/// Longest wait between two attempts.
const DELAY_SECONDS_MAX: u32 = 64;

/// What becomes of a change after the read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The read (or the record) answers it: done.
    Settled,
    /// Not yet: put it back and look again after so many seconds.
    Again {
        /// Seconds until the next attempt.
        delay_seconds: u32,
        /// Why.
        why: Doubt,
    },
    /// Looked at often enough: the read is believed although it does not show the event. Counted, so that nobody has to guess.
    Believed(Doubt),
    /// Looked for long enough: park it.
    Park(Doubt),
}

/// Why a read is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Doubt {
    /// The read shows the user as before the event.
    Stale,
    /// The user is not found, and no deletion was announced.
    Missing,
    /// The user was deleted, and the index still shows them.
    StillVisible,
    /// The group list does not show the announced membership.
    Membership,
}

impl Doubt {
    /// Name in metrics, logs and the parked message.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale_read",
            Self::Missing => "user_missing_without_delete",
            Self::StillVisible => "deleted_user_still_visible",
            Self::Membership => "membership_not_visible",
        }
    }
}

/// Whether the stored record already reflects `change`, so that no read is needed. This is what makes a burst of events, and
/// a storm of the same one, cost one read.
///
/// A facet reflects an event when its content is from after the event's second, or from within it and read long enough after.
/// A user who was deleted after the event is settled, too.
#[must_use]
pub fn already_reflected(change: &Change, stored: Option<&UserRecord>) -> bool {
    let Some(record) = stored else { return false };
    let (from, to) = (change.occurred_at, change.occurred_at.second_end());
    let reflects = |as_of: Timestamp, observed_at: Timestamp| {
        as_of > to || (as_of >= from && observed_at.millis_since(from) >= STALENESS_MILLIS)
    };
    if !record.is_alive() && record.deleted.as_ref().is_some_and(|tombstone| tombstone.at >= to) {
        return change.ask().is_some();
    }
    match change.ask() {
        Some(Ask::User(expect @ (Expect::Modified | Expect::Enabled(_)))) => {
            record.account.as_ref().is_some_and(|facet| {
                let shown = match expect {
                    Expect::Enabled(enabled) => facet.data.enabled == enabled || facet.data.modified > to,
                    _ => true,
                };
                shown && reflects(facet.data.modified, facet.observed_at)
            })
        }
        Some(Ask::User(Expect::Member(member))) => record.groups.as_ref().is_some_and(|facet| {
            let shown = change
                .group
                .as_ref()
                .is_none_or(|group| facet.data.contains(group) == member);
            shown && reflects(facet.as_of, facet.observed_at)
        }),
        Some(Ask::User(Expect::Anything | Expect::Gone) | Ask::Factors) | None => false,
    }
}

/// Whether a change that was only announced should wait before the first look.
#[must_use]
pub fn first_delay_seconds(change: &Change, now: Timestamp) -> Option<u32> {
    let announced = change.cause.starts_with("CustomMessage_") && change.profile.is_none();
    let age = now.millis_since(change.occurred_at);
    (announced && change.attempt == 0 && age < i64::from(ANNOUNCED_DELAY_SECONDS) * SECOND_MILLIS)
        .then_some(ANNOUNCED_DELAY_SECONDS)
}

/// Judges the read of a user for one change.
///
/// `stored` is the record from before the read; `deletion_announced` says that a deletion of the same user is in the batch.
#[must_use]
pub fn judge_user(
    change: &Change,
    stored: Option<&UserRecord>,
    deletion_announced: bool,
    read: Option<&UserRead>,
    now: Timestamp,
) -> Verdict {
    let expect = match change.ask() {
        Some(Ask::User(expect)) => expect,
        Some(Ask::Factors) => Expect::Anything,
        None => return Verdict::Settled,
    };
    let tombstone = stored
        .filter(|record| !record.is_alive())
        .and_then(|record| record.deleted.as_ref());
    let Some(read) = read else {
        let gone = deletion_announced || expect == Expect::Gone || tombstone.is_some();
        return if gone {
            Verdict::Settled
        } else {
            again(change, Doubt::Missing, MISSING_ATTEMPTS_MAX)
        };
    };
    let modified = read.account.modified;
    if expect == Expect::Gone && modified <= change.occurred_at.second_end() {
        return settle_at_last(change, Doubt::StillVisible, MISSING_ATTEMPTS_MAX);
    }
    if tombstone.is_some_and(|tombstone| crate::observation::alive_at(modified, now) <= tombstone.at) {
        return settle_at_last(change, Doubt::StillVisible, MISSING_ATTEMPTS_MAX);
    }
    let reached = modified >= change.occurred_at;
    let shown = match expect {
        Expect::Modified => reached,
        Expect::Enabled(enabled) => reached || read.account.enabled == enabled,
        Expect::Anything | Expect::Gone | Expect::Member(_) => true,
    };
    if !shown {
        return settle_at_last(change, Doubt::Stale, STALE_ATTEMPTS_MAX);
    }
    // CloudTrail has whole seconds: a state modified in the event's own second may be from before the event. When it brings
    // no news either, one more look decides.
    let same_second = modified <= change.occurred_at.second_end();
    let no_news = stored
        .and_then(UserRecord::modified)
        .is_some_and(|known| known >= modified);
    let recent = now.millis_since(change.occurred_at) < SAME_SECOND_DOUBT_MILLIS;
    // What expects nothing in particular can only be judged by whether it brings news.
    let doubtful = change.ask() == Some(Ask::User(Expect::Anything))
        || (same_second && matches!(expect, Expect::Modified | Expect::Enabled(_) | Expect::Gone));
    if doubtful && no_news && recent && change.attempt == 0 {
        return Verdict::Again {
            delay_seconds: 2,
            why: Doubt::Stale,
        };
    }
    Verdict::Settled
}

/// Judges the read of a user's groups for one change.
#[must_use]
pub fn judge_groups(change: &Change, groups: &BTreeSet<String>) -> Verdict {
    match (change.ask(), &change.group) {
        (Some(Ask::User(Expect::Member(member))), Some(group)) if groups.contains(group) != member => {
            settle_at_last(change, Doubt::Membership, STALE_ATTEMPTS_MAX)
        }
        _ => Verdict::Settled,
    }
}

/// Judges the read of a group for one change; `created` and `modified` are what the read showed.
#[must_use]
pub fn judge_group(
    change: &Change,
    stored: Option<&GroupRecord>,
    deletion_announced: bool,
    read: Option<&GroupSettings>,
) -> Verdict {
    let deleted_here = change.meaning() == Meaning::GroupGone;
    let tombstone = stored
        .filter(|record| !record.is_alive())
        .and_then(|record| record.deleted.as_ref());
    match read {
        None if deletion_announced || deleted_here || tombstone.is_some() => Verdict::Settled,
        None => again(change, Doubt::Missing, MISSING_ATTEMPTS_MAX),
        // Created after the deletion: this is the next group of that name.
        Some(settings) if deleted_here && settings.created <= change.occurred_at.second_end() => {
            settle_at_last(change, Doubt::StillVisible, MISSING_ATTEMPTS_MAX)
        }
        Some(settings) if tombstone.is_some_and(|tombstone| settings.created <= tombstone.at) => {
            settle_at_last(change, Doubt::StillVisible, MISSING_ATTEMPTS_MAX)
        }
        Some(settings) if settings.modified < change.occurred_at => {
            settle_at_last(change, Doubt::Stale, STALE_ATTEMPTS_MAX)
        }
        Some(_) => Verdict::Settled,
    }
}

/// Whether the factors may be read now with AdminGetUser, which makes a user billable for the month.
///
/// Only when the user was certainly active in this same calendar month: by this very change, when it is a sign-in, or by the
/// stored day of the last one. A sign-in of 31 October read on 1 November would bill November.
#[must_use]
pub fn may_read_factors(active_at: Option<Timestamp>, now: Timestamp) -> bool {
    let answered_by = now.plus_millis(CALL_MILLIS_MAX);
    active_at.is_some_and(|active_at| active_at.same_month(now) && active_at.same_month(answered_by))
}

fn again(change: &Change, why: Doubt, attempts_max: u32) -> Verdict {
    if change.attempt < attempts_max {
        Verdict::Again {
            delay_seconds: delay_seconds(change.attempt),
            why,
        }
    } else {
        Verdict::Park(why)
    }
}

fn settle_at_last(change: &Change, why: Doubt, attempts_max: u32) -> Verdict {
    match again(change, why, attempts_max) {
        Verdict::Park(doubt) => Verdict::Believed(doubt),
        verdict => verdict,
    }
}

fn delay_seconds(attempt: u32) -> u32 {
    1_u32
        .checked_shl(attempt)
        .unwrap_or(DELAY_SECONDS_MAX)
        .min(DELAY_SECONDS_MAX)
}

#[cfg(test)]
mod tests;
