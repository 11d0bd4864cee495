//! The documents of a run: who may run, under which keys its parts are, and what a reader of another version makes of them.
//!
//! Invariant: keys of one run never meet those of another, and no part's keys begin with another part's.

use std::collections::BTreeSet;

use proptest::{collection, prelude::*};
use serde_json::json;
use twinpool_shared::{
    run::{Claim, GuardTrip, Lease, MembersCheckpoint, Pending, Run, RunResult, UserTally, keys},
    time::Timestamp,
};

use crate::generate::{at, cases, sub};

fn lease(owner: &str, until: Timestamp) -> Lease {
    Lease {
        owner: owner.to_owned(),
        since: at(0),
        until,
    }
}

#[test]
fn a_lease_is_free_to_its_owner_and_to_others_two_seconds_after_its_end() {
    let held = lease("a", at(60_000));
    for (found, owner, now, expected) in [
        (None, "a", 0, Claim::Free),
        (Some(&held), "a", 0, Claim::Free),
        (Some(&held), "a", 86_400_000, Claim::Free),
        (Some(&held), "b", 0, Claim::Held(held.clone())),
        (Some(&held), "b", 60_000, Claim::Held(held.clone())),
        (Some(&held), "b", 61_999, Claim::Held(held.clone())),
        (Some(&held), "b", 62_000, Claim::Held(held.clone())),
        (Some(&held), "b", 62_001, Claim::Expired(held.clone())),
    ] {
        assert_eq!(Lease::claim(found, owner, at(now)), expected, "{owner} at {now}");
    }
}

#[test]
fn what_would_proceed_is_named_and_nothing_else() {
    let trip = |what: &str, reason: &str| GuardTrip {
        reason: reason.to_owned(),
        what: what.to_owned(),
        suspects: 37,
        allowance: 20,
        living: 100,
        walked: 63,
        examples: Vec::new(),
    };
    for (what, reason, flag) in [
        ("users", "too_many_missing", Some("--allow-deletes 37")),
        ("users", "walk_incomplete", Some("--allow-deletes 37")),
        ("users", "pool_shows_nobody", None),
        ("users", "filter_finds_nobody", None),
        ("users", "something newer", None),
        ("groups", "too_many_missing", Some("--allow-group-deletes 37")),
        ("memberships", "too_many_missing", Some("--allow-lost-memberships 37")),
    ] {
        assert_eq!(trip(what, reason).flag().as_deref(), flag, "{what}: {reason}");
    }
}

#[test]
fn no_two_parts_of_a_run_share_a_key() {
    let ids = [at(0).to_string(), at(1).to_string()];
    let mut all = BTreeSet::new();
    let mut count = 0;
    let mut add = |key: twinpool_shared::item::Key| {
        assert_eq!(key.pk, "p#run");
        count += 1;
        assert!(all.insert(key.sk.clone()), "{} twice", key.sk);
    };
    add(keys::lease("p"));
    add(keys::alarm("p"));
    for id in &ids {
        add(keys::run("p", id));
        for list in [0, 1, 199] {
            add(keys::group_list("p", id, list));
            add(keys::members_checkpoint("p", id, list));
        }
        for prefix in ["", "0", "f", "ff", "fff", "_"] {
            add(keys::users_checkpoint("p", id, prefix));
            for number in [0, 1, 1_000] {
                add(keys::pending("p", id, prefix, number));
                add(keys::members("p", id, prefix, (1, 0, u32::try_from(number).unwrap())));
                add(keys::members("p", id, prefix, (0, 1, u32::try_from(number).unwrap())));
            }
        }
    }
    assert_eq!(all.len(), count);
    for (prefix, others) in [("f", ["ff", "fff", "", "_"]), ("", ["f", "ff", "_", "0"])] {
        let own = keys::members_prefix(&ids[0], prefix);
        for other in others {
            let other = keys::members("p", &ids[0], other, (0, 0, 0)).sk;
            assert!(!other.starts_with(&own), "{other} would be read as one of {own}");
        }
    }
}

#[test]
fn lists_are_in_order_of_their_number() {
    let numbers = [0, 9, 10, 99, 100, 199];
    let mut sorted = numbers.map(|list| keys::members_checkpoint("p", "r", list).sk);
    sorted.sort_unstable();
    assert_eq!(sorted, numbers.map(|list| keys::members_checkpoint("p", "r", list).sk));
    let first = keys::members_checkpoints("r");
    assert!(sorted.iter().all(|key| key.starts_with(&first)));
}

#[test]
fn documents_of_another_version_are_read() {
    let instant = at(0).to_string();
    let run = json!({
        "id": instant, "started_at": instant, "members_from": instant, "prefixes": ["0", "_"], "group_lists": 1,
        "groups": {"groups": 1, "drift": 0, "writes": 0, "deleted": 0, "unheard_of": 1}, "unheard_of": {"a": [1]},
    });
    let run: Run = serde_json::from_value(run).unwrap();
    assert_eq!((run.id, run.result, run.estimated_users), (instant, None, None));
    assert!(run.sample.is_empty() && run.groups.kept.is_empty() && run.groups.guard.is_none());
    let checkpoint = json!({"attempts": [1], "group": 2, "memberships": 3, "done": false, "unheard_of": 0});
    let checkpoint: MembersCheckpoint = serde_json::from_value(checkpoint).unwrap();
    assert_eq!((checkpoint.group, checkpoint.token), (2, None));
    let tally = json!({
        "users": 1, "memberships": 0, "living": 1, "drifted": 0, "drift": {}, "undecided": 0, "writes": 0, "suspects": 0,
        "losses": 0,
    });
    let tally: UserTally = serde_json::from_value(tally).unwrap();
    assert_eq!((tally.users, tally.pending, tally.control), (1, 0, None));
}

fn tally() -> impl Strategy<Value = UserTally> {
    let counts = collection::vec(0..50_u64, 8);
    let names = || collection::btree_map("[a-c]", 1..9_u64, 0..3);
    (counts, names(), names(), any::<bool>(), 0..3_usize).prop_map(|(counts, drift, statuses, control, pending)| {
        let control = control.then(|| sub("0f1e"));
        UserTally {
            users: counts[0],
            memberships: counts[1],
            living: counts[2],
            drifted: counts[3],
            drift,
            undecided: counts[4],
            writes: counts[5],
            statuses,
            suspects: counts[6],
            losses: counts[7],
            pending,
            sample_missing: control.iter().cloned().collect(),
            control,
        }
    })
}

proptest! {
    #![proptest_config(cases(256))]

    /// Every figure of a whole run is the sum over its walks, in any order.
    #[test]
    fn the_whole_is_the_sum_of_its_walks(walks in collection::vec(tally(), 0..6)) {
        let sum = |walks: &[UserTally]| {
            let mut whole = UserTally::default();
            walks.iter().for_each(|walk| whole.add(walk));
            whole
        };
        let whole = sum(&walks);
        let mut backwards = walks.clone();
        backwards.reverse();
        prop_assert_eq!(&sum(&backwards), &whole);
        let total = |figure: fn(&UserTally) -> u64| walks.iter().map(figure).sum::<u64>();
        prop_assert_eq!(whole.users, total(|walk| walk.users));
        prop_assert_eq!(whole.memberships, total(|walk| walk.memberships));
        prop_assert_eq!(whole.living, total(|walk| walk.living));
        prop_assert_eq!(whole.drifted, total(|walk| walk.drifted));
        prop_assert_eq!(whole.undecided, total(|walk| walk.undecided));
        prop_assert_eq!(whole.writes, total(|walk| walk.writes));
        prop_assert_eq!(whole.suspects, total(|walk| walk.suspects));
        prop_assert_eq!(whole.losses, total(|walk| walk.losses));
        let named = |names: fn(&UserTally) -> u64| total(names);
        prop_assert_eq!(whole.drift.values().sum::<u64>(), named(|walk| walk.drift.values().sum()));
        prop_assert_eq!(whole.statuses.values().sum::<u64>(), named(|walk| walk.statuses.values().sum()));
        prop_assert_eq!(whole.control.is_some(), walks.iter().any(|walk| walk.control.is_some()));
    }

    /// What is stored is read again as it was.
    #[test]
    fn results_survive_the_table(tally in tally(), gone in collection::vec("[0-9a-f]{1,36}", 0..4)) {
        let pending = Pending {
            left: gone.iter().map(|text| (sub(text), vec!["Gäste \"#1\"".to_owned()])).collect(),
            gone: gone.iter().map(|text| sub(text)).collect(),
        };
        let text = serde_json::to_string(&pending).unwrap();
        prop_assert_eq!(serde_json::from_str::<Pending>(&text).unwrap(), pending);
        let result = RunResult {
            finished_at: at(1),
            users: tally,
            drift_found: 1,
            drift_left: 2,
            deleted: 3,
            reappeared: 4,
            guard: None,
        };
        let text = serde_json::to_string(&result).unwrap();
        prop_assert_eq!(serde_json::from_str::<RunResult>(&text).unwrap(), result);
    }
}
