//! Any order, any duplication and any batching of the same evidence end in the same record, and it is the right one.
//!
//! Invariant: "the same" is equality of the whole record, stamps and sources included.

use std::collections::BTreeMap;

use proptest::{collection, prelude::*, sample};
use twinpool_shared::{
    group::GroupRecord,
    merge::{Decision, absorb, absorb_group, merge},
    observation::{GroupEvidence, Observation},
    personal::Sub,
    user::UserRecord,
};

use crate::{
    generate::{NARROW, WIDE, cases, group_evidence, observation, sub},
    model,
};

const SUBS: [&str; 3] = ["0f1e", "7c1d", "Gx"];

fn fold<'a>(observations: impl IntoIterator<Item = &'a Observation>) -> UserRecord {
    let mut record = UserRecord::new(sub(SUBS[0]));
    observations
        .into_iter()
        .for_each(|observation| absorb(&mut record, observation));
    record
}

fn fold_group<'a>(evidence: impl IntoIterator<Item = &'a (String, GroupEvidence)>) -> GroupRecord {
    let mut record = GroupRecord::new("g");
    evidence
        .into_iter()
        .for_each(|(source, evidence)| absorb_group(&mut record, source, evidence));
    record
}

/// Calls `visit` with every permutation of `0..length` (Heap's algorithm) and returns how many there were.
fn permutations(length: usize, visit: &mut dyn FnMut(&[usize])) -> usize {
    fn heap(order: &mut [usize], length: usize, visit: &mut dyn FnMut(&[usize]), count: &mut usize) {
        if length <= 1 {
            *count += 1;
            return visit(order);
        }
        for at in 0..length {
            heap(order, length - 1, visit, count);
            if at + 1 < length {
                order.swap(if length.is_multiple_of(2) { at } else { 0 }, length - 1);
            }
        }
    }
    let (mut order, mut count) = ((0..length).collect::<Vec<_>>(), 0);
    heap(&mut order, length, visit, &mut count);
    count
}

#[test]
fn every_permutation_is_visited_once() {
    let mut seen = std::collections::BTreeSet::new();
    assert_eq!(permutations(6, &mut |order| assert!(seen.insert(order.to_vec()))), 720);
    assert_eq!(seen.len(), 720);
}

/// A sequence, and the same evidence in another order, with duplicates, cut into batches.
fn scrambled<T: Clone + std::fmt::Debug>(
    items: impl Strategy<Value = T>,
    length_max: usize,
) -> impl Strategy<Value = (Vec<T>, Vec<Vec<T>>)> {
    (collection::vec(items, 0..=length_max)).prop_flat_map(|items| {
        let length = items.len();
        let duplicates = collection::vec(any::<sample::Index>(), 0..=length.min(10));
        let again = items.clone();
        let order = duplicates.prop_map(move |duplicates| {
            let mut all = again.clone();
            all.extend(
                duplicates
                    .iter()
                    .filter(|_| !again.is_empty())
                    .map(|index| index.get(&again).clone()),
            );
            all
        });
        let order = order.prop_shuffle();
        (Just(items), order, collection::vec(any::<sample::Index>(), 0..=5)).prop_map(|(items, order, cuts)| {
            let mut cuts: Vec<_> = cuts.iter().map(|cut| cut.index(order.len() + 1)).collect();
            cuts.sort_unstable();
            let mut batches = Vec::new();
            let mut from = 0;
            for cut in cuts.into_iter().chain([order.len()]) {
                batches.push(order.get(from..cut).unwrap_or_default().to_vec());
                from = cut;
            }
            (items, batches)
        })
    })
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn all_720_orders_make_the_same_user(observations in collection::vec(observation(NARROW), 6)) {
        let expected = model::user(sub(SUBS[0]), &observations);
        let mut different = None;
        permutations(observations.len(), &mut |order| {
            let record = fold(order.iter().map(|at| &observations[*at]));
            if record != expected && different.is_none() {
                different = Some((order.to_vec(), record));
            }
        });
        prop_assert_eq!(different, None, "expected {:?}", expected);
    }

    #[test]
    fn all_orders_of_few_make_the_same_user(observations in collection::vec(observation(WIDE), 0..6)) {
        let expected = model::user(sub(SUBS[0]), &observations);
        let mut different = None;
        permutations(observations.len(), &mut |order| {
            let record = fold(order.iter().map(|at| &observations[*at]));
            if record != expected {
                different = Some((order.to_vec(), record));
            }
        });
        prop_assert_eq!(different, None, "expected {:?}", expected);
    }

    #[test]
    fn all_720_orders_make_the_same_group(evidence in collection::vec(group_evidence(NARROW), 6)) {
        let expected = model::group("g", &evidence);
        let mut different = None;
        permutations(evidence.len(), &mut |order| {
            let record = fold_group(order.iter().map(|at| &evidence[*at]));
            if record != expected {
                different = Some((order.to_vec(), record));
            }
        });
        prop_assert_eq!(different, None, "expected {:?}", expected);
    }
}

proptest! {
    #![proptest_config(cases(2_000))]

    /// Several users' evidence interleaved, shuffled, doubled and batched: each user's record is the model's.
    #[test]
    fn shuffled_doubled_and_batched_users(
        (items, batches) in scrambled((sample::select(&SUBS[..]), observation(NARROW)), 40)
    ) {
        let mut expected: BTreeMap<Sub, Vec<Observation>> = BTreeMap::new();
        for (user, observation) in items {
            expected.entry(sub(user)).or_default().push(observation);
        }
        let mut records: BTreeMap<Sub, UserRecord> = BTreeMap::new();
        for batch in batches {
            let mut by_user: BTreeMap<Sub, Vec<Observation>> = BTreeMap::new();
            for (user, observation) in batch {
                by_user.entry(sub(user)).or_default().push(observation);
            }
            for (user, observations) in by_user {
                let before = records.remove(&user);
                let after = match merge(before.as_ref(), || UserRecord::new(user.clone()), &observations) {
                    Decision::Write(after) => after,
                    // Not worth a write, but still what is known: kept here, because this is about the record.
                    Decision::Unchanged => {
                        let mut after = before.clone().expect("only a stored record can be unchanged");
                        observations.iter().for_each(|observation| absorb(&mut after, observation));
                        after
                    }
                };
                records.insert(user, after);
            }
        }
        let expected: BTreeMap<_, _> =
            expected.into_iter().map(|(user, evidence)| (user.clone(), model::user(user, &evidence))).collect();
        prop_assert_eq!(records, expected);
    }

    #[test]
    fn shuffled_and_doubled_wide_users((items, batches) in scrambled(observation(WIDE), 40)) {
        prop_assert_eq!(fold(batches.iter().flatten()), model::user(sub(SUBS[0]), &items));
    }

    #[test]
    fn shuffled_doubled_and_batched_groups((items, batches) in scrambled(group_evidence(NARROW), 40)) {
        prop_assert_eq!(fold_group(batches.iter().flatten()), model::group("g", &items));
    }

    #[test]
    fn absorbing_again_changes_nothing(observations in collection::vec(observation(WIDE), 1..12), again in any::<sample::Index>()) {
        let record = fold(&observations);
        let mut twice = record.clone();
        absorb(&mut twice, again.get(&observations));
        prop_assert_eq!(twice, record);
    }

    #[test]
    fn life_and_death_are_the_models(observations in collection::vec(observation(NARROW), 0..12)) {
        let record = fold(&observations);
        prop_assert_eq!(record.is_alive(), model::exists(&record.deleted, record.alive_at));
    }
}
