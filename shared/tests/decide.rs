//! When a record is worth a write.
//!
//! Invariant: nothing is left unwritten that a reader of the backup could tell apart.

use proptest::{collection, option, prelude::*};
use twinpool_shared::{
    group::GroupRecord,
    merge::{Decision, absorb, absorb_group, decide, decide_group, merge},
    time::EPOCH,
    user::{Facet, UserRecord},
};

use crate::{
    generate::{NARROW, cases, group_evidence, group_record, observation, sub, user_record},
    model,
};

fn without_stamp<T: Clone>(facet: &Option<Facet<T>>) -> Option<Facet<T>> {
    facet.clone().map(|facet| Facet {
        observed_at: EPOCH,
        source: String::new(),
        ..facet
    })
}

/// All that a write must not lose: everything but `observed_at`, `source` and the exact `alive_at`.
fn worth(record: &UserRecord) -> (UserRecord, bool) {
    let kept = UserRecord {
        attributes: without_stamp(&record.attributes),
        status: without_stamp(&record.status),
        account: without_stamp(&record.account),
        groups: without_stamp(&record.groups),
        factors: without_stamp(&record.factors),
        factors_due: record.factors_due,
        last_seen: record.last_seen,
        alive_at: None,
        deleted: record.deleted.clone(),
        ..UserRecord::new(record.sub.clone())
    };
    (kept, model::exists(&record.deleted, record.alive_at))
}

fn group_worth(record: &GroupRecord) -> (GroupRecord, bool) {
    let kept = GroupRecord {
        settings: without_stamp(&record.settings),
        alive_at: None,
        deleted: record.deleted.clone(),
        ..GroupRecord::new(record.name.clone())
    };
    (kept, model::exists(&record.deleted, record.alive_at))
}

/// `record`, or the same with one member taken from `other`: records that differ in exactly one thing are the hard ones.
fn with_one_member_of(record: &UserRecord, other: UserRecord, which: u8) -> UserRecord {
    let mut mixed = record.clone();
    match which {
        0 => mixed.attributes = other.attributes,
        1 => mixed.status = other.status,
        2 => mixed.account = other.account,
        3 => mixed.groups = other.groups,
        4 => mixed.factors = other.factors,
        5 => mixed.factors_due = other.factors_due,
        6 => mixed.last_seen = other.last_seen,
        7 => mixed.alive_at = other.alive_at,
        8 => mixed.deleted = other.deleted,
        _ => {
            for (mine, theirs) in [(&mut mixed.status, other.status)] {
                if let (Some(mine), Some(theirs)) = (mine.as_mut(), theirs) {
                    (mine.observed_at, mine.source) = (theirs.observed_at, theirs.source);
                }
            }
        }
    }
    mixed
}

proptest! {
    #![proptest_config(cases(3_000))]

    #[test]
    fn a_user_is_written_when_and_only_when_it_says_more(
        before in user_record(NARROW), other in user_record(NARROW), which in 0..=9_u8,
    ) {
        let after = with_one_member_of(&before, other, which);
        let expected =
            if worth(&before) == worth(&after) { Decision::Unchanged } else { Decision::Write(after.clone()) };
        prop_assert_eq!(decide(Some(&before), after.clone()), expected);
        prop_assert_eq!(decide(None, after.clone()), Decision::Write(after));
    }

    #[test]
    fn a_group_is_written_when_and_only_when_it_says_more(before in group_record(NARROW), other in group_record(NARROW), which in 0..4) {
        let mut after = before.clone();
        match which {
            0 => after.settings = other.settings,
            1 => after.alive_at = other.alive_at,
            2 => after.deleted = other.deleted,
            _ => if let (Some(mine), Some(theirs)) = (after.settings.as_mut(), other.settings) {
                (mine.observed_at, mine.source) = (theirs.observed_at, theirs.source);
            },
        }
        let expected =
            if group_worth(&before) == group_worth(&after) { Decision::Unchanged } else { Decision::Write(after.clone()) };
        prop_assert_eq!(decide_group(Some(&before), after.clone()), expected);
        prop_assert_eq!(decide_group(None, after.clone()), Decision::Write(after));
    }

    /// `merge` is `absorb` of everything and then `decide`.
    #[test]
    fn merge_joins_and_decides(
        stored in option::of(user_record(NARROW)), observations in collection::vec(observation(NARROW), 0..5),
    ) {
        let mut after = stored.clone().unwrap_or_else(|| UserRecord::new(sub("0f1e")));
        observations.iter().for_each(|observation| absorb(&mut after, observation));
        let decision = merge(stored.as_ref(), || UserRecord::new(sub("0f1e")), &observations);
        prop_assert_eq!(decision, decide(stored.as_ref(), after));
    }

    /// Once written, the same evidence is no second write.
    #[test]
    fn what_is_written_is_not_written_again(
        stored in option::of(user_record(NARROW)), observations in collection::vec(observation(NARROW), 0..5),
        group in group_record(NARROW), evidence in group_evidence(NARROW),
    ) {
        let empty = || UserRecord::new(sub("0f1e"));
        if let Decision::Write(written) = merge(stored.as_ref(), empty, &observations) {
            prop_assert_eq!(merge(Some(&written), empty, &observations), Decision::Unchanged);
        }
        let mut after = group;
        absorb_group(&mut after, &evidence.0, &evidence.1);
        let mut again = after.clone();
        absorb_group(&mut again, &evidence.0, &evidence.1);
        prop_assert_eq!(decide_group(Some(&after), again), Decision::Unchanged);
    }
}
