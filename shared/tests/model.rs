//! What a record must be, said a second time and differently: collect all evidence, sort it, take the last.
//!
//! Invariant: shares no code with `merge`: instants are computed on plain milliseconds here, and nothing is folded.

use serde::Serialize;
use twinpool_shared::{
    group::GroupRecord,
    observation::{Evidence, GroupEvidence, Observation, Weight},
    personal::Sub,
    time::Timestamp,
    user::{Facet, Tombstone, UserRecord},
};

const DAY: i64 = 24 * 60 * 60 * 1_000;

fn millis(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn day_of(instant: Timestamp) -> Timestamp {
    millis(instant.as_millis() - instant.as_millis().rem_euclid(DAY))
}

fn end_of_second(instant: Timestamp) -> Timestamp {
    millis(instant.as_millis() - instant.as_millis().rem_euclid(1_000) + 999)
}

fn carried_since(weight: Weight, received_at: Timestamp) -> Timestamp {
    let earliest = millis(received_at.as_millis() - 5_000);
    if weight == Weight::News {
        earliest
    } else {
        day_of(earliest)
    }
}

/// A second read contradicts whatever claims to be newer than the user, up to a minute before the read.
fn contradicted_since(modified: Timestamp, read_at: Timestamp) -> Timestamp {
    let minute_before = millis(read_at.as_millis() - 60_000);
    if minute_before > modified {
        minute_before
    } else {
        modified
    }
}

fn facet<T: Clone>(as_of: Timestamp, observed_at: Timestamp, observation: &Observation, data: &T) -> Facet<T> {
    Facet {
        as_of,
        observed_at,
        source: observation.source.clone(),
        data: data.clone(),
    }
}

/// The last of `candidates`, sorted by `as_of`, `observed_at`, canonical bytes and source.
fn last<T: Serialize>(candidates: impl Iterator<Item = Facet<T>>) -> Option<Facet<T>> {
    let mut candidates: Vec<_> = candidates.collect();
    candidates.sort_by_cached_key(|facet| {
        let bytes = serde_json::to_vec(&facet.data).expect("data is JSON");
        (
            facet.as_of.as_millis(),
            facet.observed_at.as_millis(),
            bytes,
            facet.source.clone(),
        )
    });
    candidates.pop()
}

/// The record that `evidence` makes, whatever its order.
pub(crate) fn user(sub: Sub, evidence: &[Observation]) -> UserRecord {
    let all = || evidence.iter();
    UserRecord {
        attributes: last(all().filter_map(|o| match &o.evidence {
            Evidence::Carried {
                attributes,
                weight,
                received_at,
                ..
            } => Some(facet(carried_since(*weight, *received_at), *received_at, o, attributes)),
            Evidence::Read { user, read_at } => Some(facet(user.account.modified, *read_at, o, &user.attributes)),
            Evidence::Contradicted { user, read_at } => Some(facet(
                contradicted_since(user.account.modified, *read_at),
                *read_at,
                o,
                &user.attributes,
            )),
            _ => None,
        })),
        status: last(all().filter_map(|o| match &o.evidence {
            Evidence::Carried {
                status: Some(status),
                weight,
                received_at,
                ..
            } => Some(facet(carried_since(*weight, *received_at), *received_at, o, status)),
            Evidence::Read { user, read_at } => Some(facet(user.account.modified, *read_at, o, &user.status)),
            Evidence::Contradicted { user, read_at } => Some(facet(
                contradicted_since(user.account.modified, *read_at),
                *read_at,
                o,
                &user.status,
            )),
            _ => None,
        })),
        account: last(all().filter_map(|o| match &o.evidence {
            Evidence::Read { user, read_at } => Some(facet(user.account.modified, *read_at, o, &user.account)),
            Evidence::Contradicted { user, read_at } => Some(facet(
                contradicted_since(user.account.modified, *read_at),
                *read_at,
                o,
                &user.account,
            )),
            _ => None,
        })),
        groups: last(all().filter_map(|o| match &o.evidence {
            Evidence::Groups {
                groups,
                announced_at,
                read_at,
            } => Some(facet(*announced_at, *read_at, o, groups)),
            _ => None,
        })),
        factors: last(all().filter_map(|o| match &o.evidence {
            Evidence::Factors {
                factors,
                announced_at,
                read_at,
            } => Some(facet(*announced_at, *read_at, o, factors)),
            _ => None,
        })),
        factors_due: all()
            .filter_map(|o| match o.evidence {
                Evidence::FactorsChanged { announced_at } => Some(announced_at),
                _ => None,
            })
            .max(),
        last_seen: all()
            .filter_map(|o| match o.evidence {
                Evidence::SignedIn { at } => Some(day_of(millis(at.as_millis() - 5_000))),
                _ => None,
            })
            .max(),
        alive_at: all()
            .filter_map(|o| match &o.evidence {
                Evidence::Read { user, read_at } | Evidence::Contradicted { user, read_at } => {
                    Some([user.account.modified, millis(read_at.as_millis() - 60_000)])
                }
                _ => None,
            })
            .flatten()
            .max(),
        deleted: all()
            .filter_map(|o| match o.evidence {
                Evidence::Gone { announced_at } => Some((end_of_second(announced_at), o.source.clone())),
                _ => None,
            })
            .max()
            .map(|(at, cause)| Tombstone { at, cause }),
        ..UserRecord::new(sub)
    }
}

/// The record that `evidence` makes of a group, whatever its order.
pub(crate) fn group(name: &str, evidence: &[(String, GroupEvidence)]) -> GroupRecord {
    let reads = || {
        evidence.iter().filter_map(|(source, evidence)| match evidence {
            GroupEvidence::Read { settings, read_at } => Some((source, settings, settings.modified, *read_at)),
            GroupEvidence::Contradicted { settings, read_at } => {
                let since = contradicted_since(settings.modified, *read_at);
                Some((source, settings, since, *read_at))
            }
            GroupEvidence::Gone { .. } => None,
        })
    };
    GroupRecord {
        settings: last(reads().map(|(source, settings, as_of, read_at)| Facet {
            as_of,
            observed_at: read_at,
            source: source.clone(),
            data: settings.clone(),
        })),
        alive_at: reads()
            .flat_map(|(_, settings, _, read_at)| [settings.created, millis(read_at.as_millis() - 60_000)])
            .max(),
        deleted: evidence
            .iter()
            .filter_map(|(source, evidence)| match evidence {
                GroupEvidence::Gone { announced_at } => Some((end_of_second(*announced_at), source.clone())),
                GroupEvidence::Read { .. } | GroupEvidence::Contradicted { .. } => None,
            })
            .max()
            .map(|(at, cause)| Tombstone { at, cause }),
        ..GroupRecord::new(name)
    }
}

/// Whether the record's user exists: never deleted, or seen strictly after it.
pub(crate) fn exists(deleted: &Option<Tombstone>, alive_at: Option<Timestamp>) -> bool {
    let Some(tombstone) = deleted else { return true };
    alive_at.map(Timestamp::as_millis).unwrap_or(i64::MIN) > tombstone.at.as_millis()
}
