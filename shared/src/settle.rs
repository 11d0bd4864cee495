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
/// For how long after an event a read in the event's own second may still be from before it.
const SAME_SECOND_DOUBT_MILLIS: i64 = 10 * SECOND_MILLIS;
/// Seconds to wait before a change that was only announced by a message is looked for: the user has to type a code.
pub const ANNOUNCED_DELAY_SECONDS: u32 = 5;
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

/// Whether the stored record already reflects `change`, so that no read is needed: its account was read in a state modified
/// after the event. This is what makes a burst of events cost one read.
#[must_use]
pub fn already_reflected(change: &Change, stored: Option<&UserRecord>) -> bool {
    let modified_later = || {
        stored
            .and_then(UserRecord::modified)
            .is_some_and(|modified| modified > change.occurred_at.second_end())
    };
    match change.ask() {
        Some(Ask::User(Expect::Modified | Expect::Enabled(_))) => modified_later(),
        Some(Ask::User(Expect::Anything | Expect::Gone | Expect::Member(_)) | Ask::Factors) | None => false,
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
    let certain = matches!(expect, Expect::Anything | Expect::Member(_));
    if !certain && same_second && no_news && recent && change.attempt == 0 {
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
    active_at.is_some_and(|active_at| active_at.same_month(now))
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
        Verdict::Park(_) => Verdict::Settled,
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
mod tests {
    use Doubt::{Membership, Missing, Stale, StillVisible};
    use Verdict::{Park, Settled};

    use super::*;
    use crate::{
        change::{PoolRef, Profile, SCHEMA_VERSION, Subject},
        personal::Sub,
        user::{Account, Attributes, Facet, Tombstone},
    };

    const UPDATE: &str = "AdminUpdateUserAttributes";
    const DISABLE: &str = "AdminDisableUser";
    const ENABLE: &str = "AdminEnableUser";
    const DELETE: &str = "AdminDeleteUser";
    const ADD: &str = "AdminAddUserToGroup";
    const REMOVE: &str = "AdminRemoveUserFromGroup";
    const FACTORS: &str = "SetUserMFAPreference";
    const LINK: &str = "AdminLinkProviderForUser";

    /// The event's second: it happened somewhere between 10,000 and 10,999.
    const EVENT: i64 = 10_000;
    const NOW: i64 = 12_000;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn change(cause: &str, attempt: u32) -> Change {
        Change {
            schema_version: SCHEMA_VERSION,
            id: "1".into(),
            pool: PoolRef::Any,
            subject: Subject::User(Sub::new("0f1e").unwrap()),
            cause: cause.into(),
            occurred_at: at(EVENT),
            seen_at: at(EVENT),
            group: Some("g".into()),
            profile: None,
            attempt,
        }
    }

    fn carrying(cause: &str) -> Change {
        Change {
            profile: Some(Profile {
                attributes: Attributes::default(),
                status: None,
            }),
            ..change(cause, 0)
        }
    }

    fn account(enabled: bool, modified: i64) -> Account {
        Account {
            enabled,
            created: at(0),
            modified: at(modified),
        }
    }

    fn read(enabled: bool, modified: i64) -> Option<UserRead> {
        let account = account(enabled, modified);
        Some(UserRead {
            attributes: Attributes::default(),
            status: "CONFIRMED".into(),
            account,
        })
    }

    fn shows(modified: i64) -> Option<UserRead> {
        read(true, modified)
    }

    fn unknown() -> UserRecord {
        UserRecord::new(Sub::new("0f1e").unwrap())
    }

    fn known(modified: i64) -> Option<UserRecord> {
        let data = account(true, modified);
        let facet = Facet {
            as_of: at(modified),
            observed_at: at(modified),
            source: "ListUsers".into(),
            data,
        };
        Some(UserRecord {
            account: Some(facet),
            ..unknown()
        })
    }

    fn buried(tombstone: i64, alive_at: Option<i64>) -> Option<UserRecord> {
        let deleted = Some(Tombstone {
            at: at(tombstone),
            cause: DELETE.into(),
        });
        Some(UserRecord {
            deleted,
            alive_at: alive_at.map(at),
            ..unknown()
        })
    }

    fn again(delay_seconds: u32, why: Doubt) -> Verdict {
        Verdict::Again { delay_seconds, why }
    }

    #[test]
    fn reads_are_judged_row_by_row() {
        type Row = (
            &'static str,
            &'static str,
            u32,
            Option<UserRecord>,
            Option<UserRead>,
            i64,
            Verdict,
        );
        let rows: Vec<Row> = vec![
            ("not found: wait", UPDATE, 0, None, None, NOW, again(1, Missing)),
            ("... longer", UPDATE, 3, None, None, NOW, again(8, Missing)),
            ("... a last time", UPDATE, 6, None, None, NOW, again(64, Missing)),
            ("... and park", UPDATE, 7, None, None, NOW, Park(Missing)),
            ("whatever is expected", LINK, 0, None, None, NOW, again(1, Missing)),
            ("factors too", FACTORS, 7, None, None, NOW, Park(Missing)),
            (
                "a known user as well",
                UPDATE,
                0,
                known(EVENT),
                None,
                NOW,
                again(1, Missing),
            ),
            ("not found: as announced", DELETE, 0, known(EVENT), None, NOW, Settled),
            (
                "not found: as known",
                UPDATE,
                0,
                buried(9_999, None),
                None,
                NOW,
                Settled,
            ),
            (
                "seen after the deletion",
                UPDATE,
                0,
                buried(9_999, Some(10_000)),
                None,
                NOW,
                again(1, Missing),
            ),
            // A deleted user who is still shown.
            ("an echo", DELETE, 0, None, shows(9_000), NOW, again(1, StillVisible)),
            (
                "an echo of that second",
                DELETE,
                1,
                None,
                shows(10_999),
                NOW,
                again(2, StillVisible),
            ),
            (
                "a last look",
                DELETE,
                6,
                None,
                shows(9_000),
                NOW,
                again(64, StillVisible),
            ),
            ("then the pool is believed", DELETE, 7, None, shows(9_000), NOW, Settled),
            ("changed after it", DELETE, 0, None, shows(11_000), NOW, Settled),
            (
                "an echo for another event",
                LINK,
                0,
                buried(10_999, None),
                shows(5_000),
                70_999,
                again(1, StillVisible),
            ),
            (
                "bounded as well",
                LINK,
                7,
                buried(10_999, None),
                shows(5_000),
                70_999,
                Settled,
            ),
            (
                "too late for an echo",
                LINK,
                0,
                buried(10_999, None),
                shows(5_000),
                71_000,
                Settled,
            ),
            (
                "changed in that second",
                LINK,
                0,
                buried(10_999, None),
                shows(10_999),
                NOW,
                again(1, StillVisible),
            ),
            (
                "changed after the tombstone",
                LINK,
                0,
                buried(10_999, None),
                shows(11_000),
                NOW,
                Settled,
            ),
            (
                "a tombstone long overcome",
                LINK,
                0,
                buried(10_999, Some(11_000)),
                shows(5_000),
                NOW,
                Settled,
            ),
            // A state from before the event.
            ("stale", UPDATE, 0, None, shows(9_999), NOW, again(1, Stale)),
            ("stale, once more", UPDATE, 3, None, shows(9_999), NOW, again(8, Stale)),
            ("stale for good", UPDATE, 4, None, shows(9_999), NOW, Settled),
            ("no expectation, no doubt", LINK, 0, None, shows(1), NOW, Settled),
            ("memberships do not modify", ADD, 0, known(1), shows(1), NOW, Settled),
            ("factors do not modify", FACTORS, 0, known(1), shows(1), NOW, Settled),
            (
                "not disabled yet",
                DISABLE,
                0,
                None,
                read(true, 9_999),
                NOW,
                again(1, Stale),
            ),
            ("the flag is proof", DISABLE, 0, None, read(false, 9_999), NOW, Settled),
            ("the stamp is proof", DISABLE, 0, None, read(true, 11_000), NOW, Settled),
            (
                "not enabled yet",
                ENABLE,
                0,
                None,
                read(false, 9_999),
                NOW,
                again(1, Stale),
            ),
            ("enabled", ENABLE, 0, None, read(true, 9_999), NOW, Settled),
            // A state of the event's own second.
            ("reached", UPDATE, 0, None, shows(10_000), NOW, Settled),
            (
                "reached, and news",
                UPDATE,
                0,
                known(9_999),
                shows(10_000),
                NOW,
                Settled,
            ),
            (
                "reached, no news",
                UPDATE,
                0,
                known(10_000),
                shows(10_000),
                NOW,
                again(2, Stale),
            ),
            (
                "older than known",
                UPDATE,
                0,
                known(10_001),
                shows(10_000),
                NOW,
                again(2, Stale),
            ),
            (
                "end of the second",
                UPDATE,
                0,
                known(10_999),
                shows(10_999),
                NOW,
                again(2, Stale),
            ),
            (
                "after the second",
                UPDATE,
                0,
                known(11_000),
                shows(11_000),
                NOW,
                Settled,
            ),
            ("one doubt only", UPDATE, 1, known(10_000), shows(10_000), NOW, Settled),
            (
                "still recent",
                UPDATE,
                0,
                known(10_000),
                shows(10_000),
                19_999,
                again(2, Stale),
            ),
            ("long ago", UPDATE, 0, known(10_000), shows(10_000), 20_000, Settled),
            (
                "the flag, no news",
                DISABLE,
                0,
                known(9_000),
                read(false, 9_000),
                NOW,
                again(2, Stale),
            ),
            (
                "certain without a stamp",
                LINK,
                0,
                known(10_000),
                shows(10_000),
                NOW,
                Settled,
            ),
            (
                "certain by the list",
                ADD,
                0,
                known(10_000),
                shows(10_000),
                NOW,
                Settled,
            ),
        ];
        for (what, cause, attempt, stored, read, now, expected) in rows {
            let verdict = judge_user(&change(cause, attempt), stored.as_ref(), false, read.as_ref(), at(now));
            assert_eq!(verdict, expected, "{what}");
        }
    }

    #[test]
    fn a_deletion_elsewhere_in_the_batch_explains_a_missing_user() {
        assert_eq!(judge_user(&change(UPDATE, 7), None, true, None, at(NOW)), Settled);
        assert_eq!(
            judge_user(&change(UPDATE, 0), None, true, shows(9_999).as_ref(), at(NOW)),
            again(1, Stale)
        );
    }

    #[test]
    fn what_is_carried_needs_no_read() {
        assert_eq!(
            judge_user(&carrying("PostConfirmation_ConfirmSignUp"), None, false, None, at(NOW)),
            Settled
        );
    }

    #[test]
    fn lists_are_judged_by_the_named_group() {
        let with = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        for (cause, attempt, groups, expected) in [
            (ADD, 0, with(&["g", "h"]), Settled),
            (ADD, 0, with(&["h"]), again(1, Membership)),
            (ADD, 3, with(&[]), again(8, Membership)),
            (ADD, 4, with(&[]), Settled),
            (REMOVE, 0, with(&["h"]), Settled),
            (REMOVE, 2, with(&["g"]), again(4, Membership)),
            (UPDATE, 0, with(&[]), Settled),
            (FACTORS, 0, with(&["g"]), Settled),
        ] {
            assert_eq!(
                judge_groups(&change(cause, attempt), &groups),
                expected,
                "{cause} {attempt} {groups:?}"
            );
        }
        assert_eq!(
            judge_groups(
                &Change {
                    group: None,
                    ..change(ADD, 0)
                },
                &with(&[])
            ),
            Settled,
            "no group is named"
        );
        assert_eq!(judge_groups(&carrying(ADD), &with(&[])), Settled);
    }

    #[test]
    fn a_later_state_answers_an_earlier_event() {
        for (cause, by_a_later_state) in [
            (UPDATE, true),
            (DISABLE, true),
            (DELETE, false),
            (ADD, false),
            (FACTORS, false),
            (LINK, false),
        ] {
            assert_eq!(
                already_reflected(&change(cause, 0), known(11_000).as_ref()),
                by_a_later_state,
                "{cause}"
            );
            assert!(
                !already_reflected(&change(cause, 0), known(10_999).as_ref()),
                "{cause}: the same second"
            );
            assert!(
                !already_reflected(&change(cause, 0), Some(&unknown())),
                "{cause}: never read"
            );
            assert!(!already_reflected(&change(cause, 0), None), "{cause}: never stored");
        }
        assert!(!already_reflected(&carrying(UPDATE), known(11_000).as_ref()));
    }

    #[test]
    fn what_was_only_announced_waits_once() {
        let announced = change("CustomMessage_UpdateUserAttribute", 0);
        assert_eq!(first_delay_seconds(&announced, at(EVENT)), Some(5));
        assert_eq!(first_delay_seconds(&announced, at(EVENT + 4_999)), Some(5));
        assert_eq!(
            first_delay_seconds(&announced, at(EVENT + 5_000)),
            None,
            "the queue was slow enough"
        );
        assert_eq!(first_delay_seconds(&announced.again(), at(EVENT)), None);
        assert_eq!(first_delay_seconds(&carrying("CustomMessage_SignUp"), at(EVENT)), None);
        assert_eq!(first_delay_seconds(&change(UPDATE, 0), at(EVENT)), None);
    }

    #[test]
    fn factors_are_read_in_the_month_of_activity_only() {
        let october = Timestamp::parse("2026-10-31T23:59:59.999Z").unwrap();
        let november = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
        assert!(may_read_factors(Some(november), november));
        assert!(!may_read_factors(Some(october), november));
        assert!(!may_read_factors(None, november));
    }

    #[test]
    fn waits_double_up_to_a_minute() {
        let delays: Vec<_> = [0, 1, 2, 3, 4, 5, 6, 7, 31, 32, u32::MAX].map(delay_seconds).into();
        assert_eq!(delays, [1, 2, 4, 8, 16, 32, 64, 64, 64, 64, 64]);
    }

    #[test]
    fn doubts_have_names_of_their_own() {
        let names = [Stale, Missing, StillVisible, Membership].map(Doubt::as_str);
        let expected = [
            "stale_read",
            "user_missing_without_delete",
            "deleted_user_still_visible",
            "membership_not_visible",
        ];
        assert_eq!(names, expected);
    }
}
