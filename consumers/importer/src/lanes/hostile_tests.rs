//! Users through the lanes while others act: who signs up under a name, who was faster, who took the lease, a backup that drifts.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use twinpool_shared::{
    error::ErrorKind,
    personal::Personal,
    user::{Factors, Tombstone, UserRecord},
};

use super::{FRESH_MILLIS, Handed};
use crate::testing::{User, World, facet, now, user};

fn people() -> Vec<UserRecord> {
    (0..30).map(user).collect()
}

/// A user of the target who bears the marker of the user `number` of the backup.
fn marked(number: usize, status: &str) -> User {
    let marker = people()[number].sub.as_str().to_owned();
    User {
        sub: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: status.to_owned(),
        attributes: BTreeMap::from([("custom:original_sub".to_owned(), marker)]),
        ..User::default()
    }
}

#[tokio::test(start_paused = true)]
async fn who_signs_up_with_anothers_name_and_marker_gets_nothing_of_theirs() {
    for status in ["CONFIRMED", "UNCONFIRMED", "EXTERNAL_PROVIDER"] {
        let world = World::with(people());
        let forger = marked(5, status);
        world.pool.put("user-5", forger.clone());
        let tally = world.imported().await;
        assert_eq!(
            tally.failed,
            BTreeMap::from([("create: name-taken".to_owned(), 1)]),
            "{status}"
        );
        assert_eq!(world.pool.users()["user-5"], forger, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_in_a_state_that_no_sign_up_reaches_is_taken_over() {
    for (status, passwords) in [("FORCE_CHANGE_PASSWORD", 1), ("RESET_REQUIRED", 0)] {
        let world = World::with(people());
        world.pool.put("user-5", marked(5, status));
        let tally = world.imported().await;
        assert_eq!((tally.users, tally.failed_users), (30, 0), "{status}");
        let user = &world.pool.users()["user-5"];
        assert_eq!((user.groups.len(), user.passwords), (2, passwords), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_taken_over_is_disabled_before_anything_else() {
    let world = World::with(people());
    world.pool.put("user-3", marked(3, "FORCE_CHANGE_PASSWORD"));
    world.imported().await;
    let made = world.pool.made();
    let first = made.iter().find(|(_, name)| name == "user-3").expect("something");
    assert_eq!(first.0, "AdminDisableUser");
    assert!(made.contains(&("AdminUpdateUserAttributes".to_owned(), "user-3".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_preference_that_is_there_stays_and_a_missing_one_is_set() {
    let mut people = people();
    for number in [5, 6] {
        people[number].factors = Some(facet(Factors {
            preferred: None,
            enabled: ["EMAIL_OTP".to_owned()].into(),
        }));
    }
    let mut world = World::with(people);
    world.shape.mfa.email = true;
    let chosen = serde_json::json!({"SMSMfaSettings": {"Enabled": true}});
    let person = User {
        preference: Some(chosen.clone()),
        ..marked(5, "FORCE_CHANGE_PASSWORD")
    };
    world.pool.put("user-5", person);
    let tally = world.imported().await;
    assert_eq!(tally.failed_users, 0);
    let users = world.pool.users();
    assert_eq!(users["user-5"].preference, Some(chosen));
    let set = users["user-6"].preference.as_ref().expect("set");
    assert_eq!(set["EmailMfaSettings"]["Enabled"], true);
}

#[test]
fn nobody_is_fresh_for_longer_than_a_minute_by_the_clock_on_the_wall() {
    let handed = Handed {
        number: 0,
        fresh: 0b10,
        since: now(),
    };
    assert!(handed.is_fresh(1, now()) && handed.is_fresh(1, now().plus_millis(FRESH_MILLIS)));
    assert!(!handed.is_fresh(0, now()), "not made by this process");
    assert!(!handed.is_fresh(1, now().plus_millis(FRESH_MILLIS + 1)));
    assert!(!handed.is_fresh(1, now().plus_millis(-1)), "the clock was set back");
}

#[tokio::test(start_paused = true)]
async fn a_process_that_was_paused_beyond_its_lease_makes_nobody() {
    let mut world = World::with(people());
    let calls = AtomicU32::new(0);
    // The lease is taken by the first of these; then the process is paused.
    world.clock = Arc::new(move || match calls.fetch_add(1, Ordering::Relaxed) {
        0..3 => now(),
        _ => now().plus_millis(120_000),
    });
    let stopped = world
        .import(false)
        .await
        .expect("nobody kills it")
        .expect_err("too late");
    assert_eq!(stopped.kind, ErrorKind::Held, "{stopped}");
    assert_eq!(world.pool.made(), []);
}

#[tokio::test(start_paused = true)]
async fn a_backup_that_drifts_stops_an_import_that_has_not_begun() {
    let mut world = World::with(people());
    world.drift((0..31).map(user).collect());
    let refused = world
        .import(false)
        .await
        .expect("nobody kills it")
        .expect_err("drifted");
    assert_eq!(refused.kind, ErrorKind::Unmet);
    assert!(refused.what.contains("nothing was changed"), "{refused}");
    assert_eq!(world.pool.made(), []);
}

#[tokio::test(start_paused = true)]
async fn once_begun_an_import_is_finished_although_users_appear_and_vanish() {
    let mut world = World::with((0..230).map(user).collect());
    world.begun().await;
    world.network.kill_after(Some(300));
    assert!(world.import(false).await.is_none(), "it has to be killed first");
    // User 500 was seen before all others; user 229 is gone.
    let mut later: Vec<UserRecord> = (0..229).map(user).collect();
    let mut appeared = user(500);
    appeared.last_seen = Some(now());
    later.push(appeared);
    world.drift(later);
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.failed_users), (230, 1));
    assert_eq!(tally.failed, BTreeMap::from([("create: not-in-backup".to_owned(), 1)]));
    let users = world.pool.users();
    assert!(users.contains_key("user-500") && !users.contains_key("user-229"));
    let made = world.pool.made();
    for name in users.keys() {
        let creates = made
            .iter()
            .filter(|(operation, of)| operation == "AdminCreateUser" && of == name);
        assert_eq!(creates.count(), 1, "{name}");
    }
    assert_eq!(world.outcomes().await.len(), 231, "the sub map has all of them");
    let warning = world.lay_out().await.expect("laid out").warning.expect("told");
    assert!(!warning.contains("nothing was changed"), "{warning}");
}

#[tokio::test(start_paused = true)]
async fn verified_users_are_made_before_unverified_ones_and_deleted_ones_last() {
    let mut people: Vec<UserRecord> = (0..230).map(user).collect();
    let attributes = people[0].attributes.as_mut().expect("attributes");
    attributes
        .data
        .values
        .insert("email_verified".to_owned(), Personal::new("false"));
    people[1].deleted = Some(Tombstone {
        at: now(),
        cause: "test".to_owned(),
    });
    let mut world = World::with(people);
    world.plan.users.include_deleted = true;
    world.imported().await;
    let made = world.pool.made();
    let creates = made.iter().filter(|(operation, _)| operation == "AdminCreateUser");
    let order: Vec<&str> = creates.map(|(_, name)| name.as_str()).collect();
    assert_eq!(order.len(), 230);
    assert_eq!(order[228..], ["user-0", "user-1"]);
}
