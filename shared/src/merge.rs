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
    group::GroupRecord,
    observation::{Evidence, GroupEvidence, Observation, alive_at, carried_as_of},
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
        Evidence::Read { user, read_at } => {
            let as_of = user.account.modified;
            join_facet(&mut record.attributes, as_of, *read_at, source, &user.attributes);
            join_facet(&mut record.status, as_of, *read_at, source, &user.status);
            join_facet(&mut record.account, as_of, *read_at, source, &user.account);
            join_max(&mut record.alive_at, alive_at(as_of, *read_at));
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
        Evidence::SignedIn { at } => join_max(&mut record.last_seen, at.day_start()),
    }
}

/// Joins `evidence` into a group's record.
pub fn absorb_group(record: &mut GroupRecord, source: &str, evidence: &GroupEvidence) {
    match evidence {
        GroupEvidence::Read { settings, read_at } => {
            join_facet(&mut record.settings, settings.modified, *read_at, source, settings);
            join_max(&mut record.alive_at, alive_at(settings.created, *read_at));
        }
        GroupEvidence::Gone { announced_at } => bury(&mut record.deleted, *announced_at, source),
    }
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
