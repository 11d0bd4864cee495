//! Determinism and the bill.
//!
//! Invariant: random plays come from a seed that a failure prints.

use std::fmt::Write;

use serde_json::json;

use super::{PASSWORD, Play, pairs};
use crate::pools::random::Random;

/// A random play of many operations, as one text.
fn play(seed: u64) -> String {
    let mut play = Play::usual();
    let mut dice = Random::new(seed);
    let mut story = String::new();
    let pool = play.pool.clone();
    play.ok("CreateGroup", json!({ "UserPoolId": pool, "GroupName": "team" }));
    for _ in 0..300 {
        let name = format!("user{}", dice.next() % 12);
        let attributes = pairs(&json!({ "email": format!("{name}-{}@example.com", dice.next() % 3) }));
        play.now += i64::try_from(dice.next() % 5_000).unwrap_or(0);
        let (operation, input) = match dice.next() % 10 {
            0 | 1 => (
                "AdminCreateUser",
                play.on(&name, json!({ "UserAttributes": attributes })),
            ),
            2 => ("AdminDeleteUser", play.on(&name, json!({}))),
            3 => (
                "AdminUpdateUserAttributes",
                play.on(&name, json!({ "UserAttributes": attributes })),
            ),
            4 => (
                "AdminSetUserPassword",
                play.on(&name, json!({ "Password": PASSWORD, "Permanent": true })),
            ),
            5 => ("AdminAddUserToGroup", play.on(&name, json!({ "GroupName": "team" }))),
            6 => (
                "SignUp",
                play.by_app(json!({ "Username": name, "Password": PASSWORD, "UserAttributes": attributes })),
            ),
            7 => ("AdminConfirmSignUp", play.on(&name, json!({}))),
            8 => ("ListUsers", json!({ "UserPoolId": pool, "Limit": 3 })),
            _ => {
                let parameters = json!({ "USERNAME": name, "PASSWORD": PASSWORD });
                (
                    "InitiateAuth",
                    play.by_app(json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters })),
                )
            }
        };
        let outcome = play.call(operation, input);
        let _ = writeln!(story, "{outcome:?}");
    }
    // Memberships seen from both sides agree, and listing and snapshots tell of the same users.
    let members = play.ok("ListUsersInGroup", json!({ "UserPoolId": pool, "GroupName": "team" }));
    let in_group = members["Users"].as_array().map_or(0, Vec::len);
    let subs = play.cloud.subs(&pool);
    let say_so = subs
        .iter()
        .filter(|sub| play.get(sub)["Groups"] == json!(["team"]))
        .count();
    assert_eq!(in_group, say_so, "seed {seed}");
    let listed = play.ok("ListUsers", json!({ "UserPoolId": pool }));
    assert_eq!(
        listed["Users"].as_array().map_or(0, Vec::len),
        subs.len(),
        "seed {seed}"
    );
    story
}

#[test]
fn the_same_calls_give_the_same_bytes() {
    for seed in 0..5 {
        assert_eq!(play(seed), play(seed), "seed {seed}");
    }
    assert_ne!(play(1), play(2));
}

#[test]
fn a_copy_goes_its_own_way() {
    let mut play = Play::usual();
    play.create("ada", json!({}));
    let copy = play.cloud.clone();
    play.admin("AdminDeleteUser", "ada", json!({}));
    assert_eq!((copy.subs(&play.pool).len(), play.cloud.subs(&play.pool).len()), (1, 0));
}

#[test]
fn reading_by_get_bills_and_listing_does_not() {
    let mut play = Play::usual();
    let sub = play.member("ada");
    let pool = play.pool.clone();
    assert_eq!(play.cloud.billable_this_month(&pool), 1, "creation bills");
    // March: nobody has done anything yet.
    play.now += 30 * 86_400_000;
    let filter = json!({ "UserPoolId": pool, "Filter": format!("sub = \"{sub}\""), "Limit": 1 });
    assert!(play.call("ListUsers", filter).became_active.is_empty());
    let on = play.on("ada", json!({}));
    assert!(play.call("AdminListGroupsForUser", on.clone()).became_active.is_empty());
    assert!(play.call("AdminResetUserPassword", on.clone()).became_active.is_empty());
    assert!(play.call("AdminDisableUser", on.clone()).became_active.is_empty());
    assert!(play.call("AdminEnableUser", on.clone()).became_active.is_empty());
    assert_eq!(play.cloud.billable_this_month(&pool), 0);
    assert_eq!(play.call("AdminGetUser", on.clone()).became_active, [sub]);
    assert!(play.call("AdminGetUser", on).became_active.is_empty(), "once a month");
    assert_eq!(play.cloud.billable_this_month(&pool), 1);
    let password = play.on("ada", json!({ "Password": PASSWORD, "Permanent": true }));
    for month in 0..3 {
        play.now += 31 * 86_400_000;
        assert_eq!(
            play.call("AdminSetUserPassword", password.clone()).became_active.len(),
            1,
            "month {month}"
        );
    }
}
