//! Listings: filters, paging under change, staleness.
//!
//! Invariant: pages are checked against a set kept by the test, not against the double's own state.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{Play, attribute, pairs, text};
use crate::pools::random::Random;

fn list(play: &mut Play, more: Value) -> Value {
    let pool = play.pool.clone();
    play.ok("ListUsers", super::merge(json!({ "UserPoolId": pool }), more))
}

fn subs(page: &Value) -> Vec<String> {
    page["Users"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|user| attribute(&user["Attributes"], "sub"))
        .collect()
}

fn usernames(page: &Value) -> Vec<String> {
    page["Users"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|user| text(&user["Username"]))
        .collect()
}

#[test]
fn a_walk_under_change_meets_every_lasting_user_once() {
    for seed in 0..20_u64 {
        let mut play = Play::usual();
        let mut dice = Random::new(seed);
        let mut alive: BTreeMap<String, String> = BTreeMap::new();
        for number in 0..130 {
            let name = format!("user{number}");
            alive.insert(play.create(&name, json!({})), name);
        }
        let filtered = seed % 2 == 1;
        let mut lasting: BTreeSet<String> = alive.keys().cloned().collect();
        let mut met: Vec<String> = Vec::new();
        let mut token = Value::Null;
        for round in 0.. {
            let limit = 1 + dice.next() % 60;
            let mut input = json!({ "Limit": limit, "PaginationToken": token });
            if filtered {
                input["Filter"] = json!("username ^= \"user\"");
            }
            let page = list(&mut play, input);
            met.extend(subs(&page));
            token = page["PaginationToken"].clone();
            if token.is_null() {
                break;
            }
            play.now += 1_000;
            for step in 0..3 {
                let name = format!("user-{seed}-{round}-{step}");
                alive.insert(play.create(&name, json!({})), name);
                let index = usize::try_from(dice.next()).unwrap_or(0) % alive.len();
                let victim = alive.iter().nth(index).map(|(sub, name)| (sub.clone(), name.clone()));
                if let Some((sub, name)) = victim {
                    play.admin("AdminDeleteUser", &name, json!({}));
                    alive.remove(&sub);
                    lasting.remove(&sub);
                }
            }
        }
        let unique: BTreeSet<String> = met.iter().cloned().collect();
        assert_eq!(unique.len(), met.len(), "seed {seed}: nobody twice");
        assert!(lasting.is_subset(&unique), "seed {seed}: nobody skipped");
    }
}

#[test]
fn prefixes_of_sub_add_up_to_the_pool() {
    let mut play = Play::usual();
    let all: BTreeSet<String> = (0..200)
        .map(|number| play.create(&format!("u{number}"), json!({})))
        .collect();
    let mut seen = BTreeSet::new();
    for digit in "0123456789abcdef".chars() {
        let mut token = Value::Null;
        loop {
            let page = list(
                &mut play,
                json!({ "Filter": format!("sub ^= \"{digit}\""), "Limit": 5, "PaginationToken": token }),
            );
            for sub in subs(&page) {
                assert!(sub.starts_with(digit));
                assert!(seen.insert(sub), "once only");
            }
            token = page["PaginationToken"].clone();
            if token.is_null() {
                break;
            }
        }
    }
    assert_eq!(seen, all);
    let one = all.iter().next().cloned().unwrap_or_default();
    assert_eq!(
        subs(&list(
            &mut play,
            json!({ "Filter": format!("sub = \"{one}\""), "Limit": 1 })
        )),
        std::slice::from_ref(&one)
    );
    assert_eq!(
        subs(&list(&mut play, json!({ "Filter": format!("sub ^= \"{one}\"") }))),
        [one]
    );
    assert!(subs(&list(&mut play, json!({ "Filter": "sub = \"none\"" }))).is_empty());
}

#[test]
fn filters_select_and_sort() {
    let mut play = Play::usual();
    for (name, family) in [("c", "Baker"), ("a", "Clark"), ("b", "Adams"), ("d", "baker")] {
        play.create(
            name,
            json!({ "family_name": family, "email": format!("{name}@example.com") }),
        );
    }
    play.admin("AdminDisableUser", "d", json!({}));
    let mut names = |filter: &str| usernames(&list(&mut play, json!({ "Filter": filter })));
    assert_eq!(
        names("family_name ^= \"\""),
        ["b", "c", "a", "d"],
        "sorted by the attribute"
    );
    assert_eq!(names("family_name = \"Baker\""), ["c"]);
    assert_eq!(names("username ^= \"a\""), ["a"]);
    assert_eq!(names("email = \"b@example.com\""), ["b"]);
    assert_eq!(names("status = \"disabled\""), ["d"]);
    assert_eq!(names("cognito:user_status = \"force_change_password\"").len(), 4);
    assert_eq!(names("cognito:user_status = \"CONFIRMED\"").len(), 0);
}

#[test]
fn wrong_limits_tokens_and_attributes_are_refused() {
    let mut play = Play::usual();
    for number in 0..3 {
        play.create(&format!("u{number}"), json!({ "email": "a@example.com" }));
    }
    let pool = play.pool.clone();
    let mut refuse = |more: Value| {
        let error = play.refused("ListUsers", super::merge(json!({ "UserPoolId": pool }), more));
        assert!(error.starts_with("InvalidParameterException"), "{error}");
    };
    refuse(json!({ "Limit": 61 }));
    refuse(json!({ "Limit": -1 }));
    refuse(json!({ "PaginationToken": "bm9uc2Vuc2U" }));
    refuse(json!({ "PaginationToken": "??" }));
    refuse(json!({ "Filter": "custom:a = \"1\"" }));
    refuse(json!({ "AttributesToGet": ["custom:none"] }));
    let page = list(&mut play, json!({ "Limit": 1 }));
    let token = page["PaginationToken"].clone();
    let mut refuse = |more: Value| {
        let error = play.refused("ListUsers", super::merge(json!({ "UserPoolId": pool }), more));
        assert!(error.starts_with("InvalidParameterException"), "{error}");
    };
    refuse(json!({ "PaginationToken": token, "Filter": "sub ^= \"a\"" }));
    play.now += 3_600_001;
    assert!(
        play.refused("ListUsers", json!({ "UserPoolId": pool, "PaginationToken": token }))
            .contains("expired")
    );
    let page = list(&mut play, json!({ "Limit": 0, "AttributesToGet": ["email"] }));
    assert_eq!(page["Users"].as_array().map(Vec::len), Some(3));
    assert_eq!(
        page["Users"][0]["Attributes"],
        json!([{ "Name": "email", "Value": "a@example.com" }])
    );
}

#[test]
fn a_stale_listing_shows_the_past() {
    let mut play = Play::usual();
    let pool = play.pool.clone();
    play.ok("CreateGroup", json!({ "UserPoolId": pool, "GroupName": "team" }));
    let kept = play.create("kept", json!({ "name": "old" }));
    let gone = play.create("gone", json!({}));
    play.admin("AdminAddUserToGroup", "gone", json!({ "GroupName": "team" }));
    play.now += 10_000;
    play.admin(
        "AdminUpdateUserAttributes",
        "kept",
        json!({ "UserAttributes": pairs(&json!({ "name": "new" })) }),
    );
    play.admin("AdminAddUserToGroup", "kept", json!({ "GroupName": "team" }));
    play.admin("AdminDeleteUser", "gone", json!({}));
    let late = play.create("late", json!({}));
    play.now += 5_000;
    let name_of = |page: &Value, sub: &str| {
        page["Users"]
            .as_array()?
            .iter()
            .find(|user| attribute(&user["Attributes"], "sub").as_deref() == Some(sub))
            .map(|user| attribute(&user["Attributes"], "name").unwrap_or_default())
    };
    let now = list(&mut play, json!({}));
    assert_eq!(
        (
            name_of(&now, &kept).as_deref(),
            name_of(&now, &gone),
            name_of(&now, &late).is_some()
        ),
        (Some("new"), None, true)
    );
    play.stale = 6_000;
    let past = list(&mut play, json!({}));
    assert_eq!(
        (
            name_of(&past, &kept).as_deref(),
            name_of(&past, &gone).is_some(),
            name_of(&past, &late)
        ),
        (Some("old"), true, None)
    );
    assert_eq!(
        subs(&list(&mut play, json!({ "Filter": format!("sub = \"{gone}\"") }))),
        std::slice::from_ref(&gone)
    );
    assert_eq!(
        subs(&list(&mut play, json!({ "Filter": "username = \"gone\"" }))),
        std::slice::from_ref(&gone)
    );
    let members = play.ok("ListUsersInGroup", json!({ "UserPoolId": pool, "GroupName": "team" }));
    assert_eq!(subs(&members), [gone]);
    play.stale = 60_000;
    assert!(
        subs(&list(&mut play, json!({}))).is_empty(),
        "before anybody was created"
    );
    play.stale = 0;
    let members = play.ok(
        "ListUsersInGroup",
        json!({ "UserPoolId": pool, "GroupName": "team", "Limit": 1 }),
    );
    assert_eq!((subs(&members), members.get("NextToken")), (vec![kept], None));
}

#[test]
fn short_and_empty_pages_lead_on_to_everybody() {
    for seed in 0..10_u64 {
        let mut play = Play::usual();
        let pool = play.pool.clone();
        play.ok("CreateGroup", json!({ "UserPoolId": pool, "GroupName": "team" }));
        let mut all = BTreeSet::new();
        for number in 0..70 {
            let name = format!("{seed}-{number}");
            all.insert(play.create(&name, json!({})));
            play.admin("AdminAddUserToGroup", &name, json!({ "GroupName": "team" }));
        }
        play.cloud.shorten_pages(100);
        let by_name = json!({ "Filter": "username ^= \"\"" });
        let by_sub = json!({ "Filter": "sub ^= \"\"" });
        for (operation, member, more) in [
            ("ListUsers", "PaginationToken", json!({})),
            ("ListUsers", "PaginationToken", by_name),
            ("ListUsers", "PaginationToken", by_sub),
            ("ListUsersInGroup", "NextToken", json!({ "GroupName": "team" })),
        ] {
            let (mut met, mut token, mut empty) = (Vec::new(), Value::Null, 0);
            loop {
                let input = json!({ "UserPoolId": pool, "Limit": 4, member: token });
                let page = play.ok(operation, super::merge(input, more.clone()));
                let page_subs = subs(&page);
                assert!(page_subs.len() < 4, "seed {seed}: as asked for");
                empty += usize::from(page_subs.is_empty());
                met.extend(page_subs);
                token = page[member].clone();
                if token.is_null() {
                    break;
                }
            }
            assert_eq!((met.len(), met.into_iter().collect()), (70, all.clone()), "seed {seed}");
            assert!(empty > 0, "seed {seed}: no page was empty");
        }
    }
}
