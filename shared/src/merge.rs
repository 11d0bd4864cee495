//! The heart: how evidence becomes a record.
//!
//! A record is a join-semilattice: every member is the maximum, in its own total order, of what was ever observed. Joining is
//! therefore commutative, associative and idempotent, and any order, any duplication and any batching of the same evidence
//! end in the same record. What comes down to writing is decided apart, by [`decide`].
//!
//! Invariant: pure. No clock, no I/O, no randomness, no dependence on the order of evidence.

use serde::Serialize;

use crate::{
    canon::canonical_bytes,
    group::{GroupRecord, GroupSettings},
    observation::{Evidence, GroupEvidence, Observation, UserRead, alive_at, carried_as_of, shown_at},
    time::Timestamp,
    user::{Facet, Tombstone, UserRecord},
};

/// What is to be done with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision<R> {
    /// The stored record already says it.
    Unchanged,
    /// The record to store next.
    Write(R),
}

/// Joins `observation` into `record`.
pub fn absorb(record: &mut UserRecord, observation: &Observation) {
    let source = observation.source.as_str();
    match &observation.evidence {
        Evidence::Carried {
            attributes,
            status,
            weight,
            received_at,
        } => {
            let as_of = carried_as_of(*weight, *received_at);
            join_facet(&mut record.attributes, as_of, *received_at, source, attributes);
            if let Some(status) = status {
                join_facet(&mut record.status, as_of, *received_at, source, status);
            }
        }
        Evidence::Read { user, read_at } => absorb_read(record, source, user, *read_at, user.account.modified),
        Evidence::Contradicted { user, read_at } => {
            let as_of = alive_at(user.account.modified, *read_at);
            absorb_read(record, source, user, *read_at, as_of);
        }
        Evidence::Gone { announced_at } => bury(&mut record.deleted, *announced_at, source),
        Evidence::Groups {
            groups,
            announced_at,
            read_at,
        } => {
            join_facet(&mut record.groups, *announced_at, *read_at, source, groups);
        }
        Evidence::Factors {
            factors,
            announced_at,
            read_at,
        } => {
            join_facet(&mut record.factors, *announced_at, *read_at, source, factors);
        }
        Evidence::FactorsChanged { announced_at } => join_max(&mut record.factors_due, *announced_at),
        Evidence::SignedIn { at } => join_max(&mut record.last_seen, shown_at(*at).day_start()),
    }
}

fn absorb_read(record: &mut UserRecord, source: &str, user: &UserRead, read_at: Timestamp, as_of: Timestamp) {
    join_facet(&mut record.attributes, as_of, read_at, source, &user.attributes);
    join_facet(&mut record.status, as_of, read_at, source, &user.status);
    join_facet(&mut record.account, as_of, read_at, source, &user.account);
    join_max(&mut record.alive_at, alive_at(user.account.modified, read_at));
}

/// Joins `evidence` into a group's record.
pub fn absorb_group(record: &mut GroupRecord, source: &str, evidence: &GroupEvidence) {
    match evidence {
        GroupEvidence::Read { settings, read_at } => {
            absorb_group_read(record, source, settings, *read_at, settings.modified);
        }
        GroupEvidence::Contradicted { settings, read_at } => {
            let as_of = alive_at(settings.modified, *read_at);
            absorb_group_read(record, source, settings, *read_at, as_of);
        }
        GroupEvidence::Gone { announced_at } => bury(&mut record.deleted, *announced_at, source),
    }
}

fn absorb_group_read(
    record: &mut GroupRecord,
    source: &str,
    settings: &GroupSettings,
    read_at: Timestamp,
    as_of: Timestamp,
) {
    join_facet(&mut record.settings, as_of, read_at, source, settings);
    join_max(&mut record.alive_at, alive_at(settings.created, read_at));
}

/// The record that `stored` and all of `observations` make together, and whether it must be written.
#[must_use]
pub fn merge<'a>(
    stored: Option<&UserRecord>,
    empty: impl FnOnce() -> UserRecord,
    observations: impl IntoIterator<Item = &'a Observation>,
) -> Decision<UserRecord> {
    let mut after = stored.cloned().unwrap_or_else(empty);
    for observation in observations {
        absorb(&mut after, observation);
    }
    decide(stored, after)
}

/// Whether `after` says anything that `stored` does not.
///
/// `observed_at`, `source` and `alive_at` ride along with the next real difference. They never cause a write: otherwise
/// every re-read, and every user in every nightly walk, would cost one.
#[must_use]
pub fn decide(stored: Option<&UserRecord>, after: UserRecord) -> Decision<UserRecord> {
    let says_more = stored.is_none_or(|before| {
        facet_differs(&before.attributes, &after.attributes)
            || facet_differs(&before.status, &after.status)
            || facet_differs(&before.account, &after.account)
            || facet_differs(&before.groups, &after.groups)
            || facet_differs(&before.factors, &after.factors)
            || before.factors_due != after.factors_due
            || before.last_seen != after.last_seen
            || before.deleted != after.deleted
            || before.is_alive() != after.is_alive()
    });
    if says_more {
        Decision::Write(after)
    } else {
        Decision::Unchanged
    }
}

/// [`decide`] for groups.
#[must_use]
pub fn decide_group(stored: Option<&GroupRecord>, after: GroupRecord) -> Decision<GroupRecord> {
    let says_more = stored.is_none_or(|before| {
        facet_differs(&before.settings, &after.settings)
            || before.deleted != after.deleted
            || before.is_alive() != after.is_alive()
    });
    if says_more {
        Decision::Write(after)
    } else {
        Decision::Unchanged
    }
}

fn facet_differs<T: PartialEq>(before: &Option<Facet<T>>, after: &Option<Facet<T>>) -> bool {
    match (before, after) {
        (Some(before), Some(after)) => before.as_of != after.as_of || before.data != after.data,
        (None, None) => false,
        _ => true,
    }
}

/// Keeps the greater of what is there and the new content, by `as_of`, then `observed_at`, then canonical bytes, then source.
fn join_facet<T: Clone + PartialEq + Serialize>(
    slot: &mut Option<Facet<T>>,
    as_of: Timestamp,
    observed_at: Timestamp,
    source: &str,
    data: &T,
) {
    let wins = slot.as_ref().is_none_or(|held| {
        // Bytes are compared only between different contents at the same two instants, which is why this stays cheap.
        (as_of, observed_at).cmp(&(held.as_of, held.observed_at)).then_with(|| {
            if *data == held.data {
                source.cmp(held.source.as_str())
            } else {
                canonical_bytes(data).cmp(&canonical_bytes(&held.data))
            }
        }) == std::cmp::Ordering::Greater
    });
    if wins {
        *slot = Some(Facet {
            as_of,
            observed_at,
            source: source.to_owned(),
            data: data.clone(),
        });
    }
}

fn join_max<T: Ord>(slot: &mut Option<T>, value: T) {
    if slot.as_ref().is_none_or(|held| value > *held) {
        *slot = Some(value);
    }
}

/// A deletion happened no later than at the end of the second that CloudTrail names.
fn bury(slot: &mut Option<Tombstone>, announced_at: Timestamp, cause: &str) {
    join_max(
        slot,
        Tombstone {
            at: announced_at.second_end(),
            cause: cause.to_owned(),
        },
    );
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{
        personal::{Personal, Sub},
        user::{Account, Attributes},
    };

    // The laws (any order, duplication, batching; an independent model) are properties in `shared/tests/merge.rs`. Here stand
    // the examples that say what the laws are for.

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn empty() -> UserRecord {
        UserRecord::new(Sub::new("0f1e").unwrap())
    }

    fn read(username: &str, modified: i64, read_at: i64) -> Observation {
        let attributes = Attributes {
            username: Personal::new(username),
            ..Attributes::default()
        };
        let account = Account {
            enabled: true,
            created: at(0),
            modified: at(modified),
        };
        let user = UserRead {
            attributes,
            status: "CONFIRMED".into(),
            account,
        };
        Observation {
            source: "ListUsers".into(),
            evidence: Evidence::Read {
                user,
                read_at: at(read_at),
            },
        }
    }

    fn groups(name: &str, announced_at: i64, read_at: i64, source: &str) -> Observation {
        let groups = BTreeSet::from([name.to_owned()]);
        let evidence = Evidence::Groups {
            groups,
            announced_at: at(announced_at),
            read_at: at(read_at),
        };
        Observation {
            source: source.into(),
            evidence,
        }
    }

    fn gone(announced_at: i64) -> Observation {
        Observation {
            source: "DeleteUser".into(),
            evidence: Evidence::Gone {
                announced_at: at(announced_at),
            },
        }
    }

    fn write(stored: Option<&UserRecord>, observations: &[Observation]) -> UserRecord {
        match merge(stored, empty, observations) {
            Decision::Write(record) => record,
            Decision::Unchanged => panic!("nothing to write"),
        }
    }

    #[test]
    fn a_stale_read_loses() {
        let record = write(None, &[read("new", 2_000, 2_100), read("old", 1_000, 5_000)]);
        assert_eq!(record.username().unwrap().expose(), "new");
        assert_eq!(
            merge(Some(&record), empty, &[read("old", 1_000, 9_000)]),
            Decision::Unchanged
        );
    }

    #[test]
    fn ties_are_broken_by_sight_then_bytes_then_source() {
        let held = |observations: &[Observation]| {
            let facet = write(None, observations).groups.unwrap();
            (
                facet.data.into_iter().next().unwrap(),
                facet.observed_at.as_millis(),
                facet.source,
            )
        };
        for mut two in [
            [groups("b", 1_000, 10, "x"), groups("a", 1_000, 11, "x")],
            [groups("a", 1_000, 11, "w"), groups("a", 1_000, 11, "x")],
            [groups("a", 1_000, 11, "x"), groups("Z", 1_000, 11, "y")],
        ] {
            let expected = ("a".to_owned(), 11, "x".to_owned());
            assert_eq!(held(&two), expected);
            two.reverse();
            assert_eq!(held(&two), expected);
        }
    }

    #[test]
    fn reading_the_same_again_is_no_write() {
        let record = write(None, &[read("ann", 1_000, 2_000)]);
        assert_eq!(
            merge(Some(&record), empty, &[read("ann", 1_000, 90_000_000)]),
            Decision::Unchanged
        );
        assert_eq!(merge(Some(&record), empty, []), Decision::Unchanged);
    }

    /// By a clock that is ahead, a sign-in of 31 October is one of 1 November, and reading factors would bill November.
    #[test]
    fn a_sign_in_just_after_midnight_is_one_of_the_day_before() {
        let signed_in = |at: &str| Observation {
            source: "PostAuthentication_Authentication".to_owned(),
            evidence: Evidence::SignedIn {
                at: Timestamp::parse(at).unwrap(),
            },
        };
        for (at, day) in [
            ("2026-11-01T00:00:04.999Z", "2026-10-31T00:00:00Z"),
            ("2026-11-01T00:00:05.000Z", "2026-11-01T00:00:00Z"),
        ] {
            let record = write(None, &[signed_in(at)]);
            assert_eq!(record.last_seen, Some(Timestamp::parse(day).unwrap()), "{at}");
        }
    }

    #[test]
    fn a_deletion_keeps_the_last_that_was_known() {
        let known = write(None, &[read("ann", 1_000, 2_000)]);
        let deleted = write(Some(&known), &[gone(70_000)]);
        assert!(!deleted.is_alive());
        assert_eq!(
            deleted.deleted,
            Some(Tombstone {
                at: at(70_999),
                cause: "DeleteUser".into()
            })
        );
        assert_eq!(deleted.username().unwrap().expose(), "ann");
        // The index still shows them a minute later: an echo. Later than that it is no echo.
        assert_eq!(
            merge(Some(&deleted), empty, &[read("ann", 1_000, 130_999)]),
            Decision::Unchanged
        );
        assert!(write(Some(&deleted), &[read("ann", 1_000, 131_000)]).is_alive());
    }

    #[test]
    fn nothing_known_is_still_a_record() {
        assert_eq!(merge(None, empty, []), Decision::Write(empty()));
    }
}
