//! A pool is lost with its Region and rebuilt in another one: `twinpool` as a process, and the importer in this one.
//!
//! A test is several scenarios, because each test is a process with a MiniStack of its own.
//!
//! Invariant: what must come back is read from the lost pool before it was lost, and what came back past the product.

mod choices;
mod kills;
mod names;
mod refusals;
mod round_trip;
mod runbook;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use twinpool_tests::{
    restoring::{
        Outage, RECOVERY,
        portrait::{Face, Portrait},
        program::Ran,
    },
    stand_ins::REGION,
};

/// What must not stand in anything that is written for people or kept in files: what identifies a person, and secrets.
const PERSONAL: [&str; 8] = [
    "@example.com",
    "+12065550100",
    "+4915112345678",
    "O'Neill",
    "Springfield",
    "李小龍",
    "gil-1",
    "1979-02-28",
];

/// Makes a plan into `plan.json`.
async fn plan(outage: &Outage, more: &[&str]) -> Ran {
    let out = outage.path("plan.json");
    let arguments = ["plan", "--target-region", RECOVERY, "--out", &out];
    outage.twinpool(&[&arguments[..], more].concat()).await
}

/// Carries it out.
async fn apply(outage: &Outage, more: &[&str]) -> Ran {
    let plan = outage.path("plan.json");
    let arguments = ["apply", &plan, "--yes", "--share", "100"];
    outage.twinpool(&[&arguments[..], more].concat()).await
}

/// Compares `pool` with the backup.
async fn verify(outage: &Outage, pool: &str, more: &[&str]) -> Ran {
    let plan = outage.path("plan.json");
    let arguments = ["verify", "--target", pool, &plan, "--share", "100"];
    outage.twinpool(&[&arguments[..], more].concat()).await
}

/// The one pool that was rebuilt.
async fn rebuilt(outage: &Outage) -> String {
    let pools = outage.rebuilt().await;
    let [pool] = &pools[..] else {
        panic!("one pool was to be rebuilt, not {}", pools.len());
    };
    pool.clone()
}

/// The users as they have to be in the target: what issue C demands, said once more and independently of the importer.
fn expected_users(lost: &Portrait) -> BTreeMap<String, Face> {
    let comes_back = |face: &&Face| !["UNCONFIRMED", "EXTERNAL_PROVIDER"].contains(&face.status.as_str());
    let users = lost.users.iter().filter(|(_, face)| comes_back(face));
    let expected = users.map(|(sub, face)| {
        let mut face = face.clone();
        if face.status == "RESET_REQUIRED" {
            "CONFIRMED".clone_into(&mut face.status);
        }
        (sub.clone(), face)
    });
    expected.collect()
}

/// The same with what a copy cannot share taken from `there`: its own `sub`, and the user name where that is the `sub`.
fn aligned(mut expected: BTreeMap<String, Face>, there: &Portrait) -> BTreeMap<String, Face> {
    for (first, face) in &mut expected {
        let Some(found) = there.users.get(first) else { continue };
        if face.username == face.sub {
            face.username.clone_from(&found.sub);
        }
        face.sub.clone_from(&found.sub);
    }
    expected
}

/// Holds the users of `there` against those of `lost`.
#[track_caller]
fn assert_users(lost: &Portrait, there: &Portrait) {
    let expected = aligned(expected_users(lost), there);
    let subs = |users: &BTreeMap<String, Face>| users.keys().cloned().collect::<BTreeSet<_>>();
    assert_eq!(subs(&there.users), subs(&expected));
    assert_eq!(there.doubles, Vec::<String>::new());
    for (first, face) in &expected {
        assert_eq!(there.users[first], *face, "{first}");
        assert_ne!(there.users[first].sub, *first, "Cognito gives everybody a new sub");
    }
}

/// The settings that the target must have: those of the lost pool, in the other Region.
fn expected_settings(lost: &Portrait, edit: impl Fn(&str, &mut Value)) -> BTreeMap<String, Value> {
    let there = |value: &Value| -> Value {
        serde_json::from_str(&value.to_string().replace(REGION, RECOVERY)).expect("still JSON")
    };
    let settings = lost.settings.iter();
    let moved = settings.map(|(name, value)| {
        let mut value = there(value);
        edit(name, &mut value);
        (name.clone(), value)
    });
    moved.collect()
}

/// That none of `PERSONAL` nor of `secrets` stands in `texts`.
#[track_caller]
fn assert_discreet(texts: &[(&str, &str)], secrets: &[&str]) {
    for (what, text) in texts {
        assert!(!text.is_empty(), "{what} is empty: nothing was looked at");
        for value in PERSONAL.iter().chain(secrets) {
            assert!(!text.contains(value), "{what} shows a value that it must not: {value}");
        }
    }
}

fn number(value: &Value, pointer: &str) -> u64 {
    let found = value.pointer(pointer).and_then(Value::as_u64);
    found.unwrap_or_else(|| panic!("{pointer} is no number in {value}"))
}

fn unpaced() -> Value {
    json!({"quotas": {"enabled": false}})
}
