//! Long walks: a large pool, a large group, many groups.
//!
//! Invariant: every page is asked for as a client does, 60 at a time; a page costs what it holds, not what lies before it.

use serde_json::{Value, json};

use super::{Play, merge};

const USERS: usize = 20_000;
const GROUPS: usize = 10_000;

/// How many entries a walk meets, and in how many pages.
fn walk(play: &mut Play, operation: &str, (entries, token): (&str, &str), more: &Value) -> (usize, usize) {
    let (mut seen, mut pages, mut next) = (0, 0, Value::Null);
    while pages == 0 || !next.is_null() {
        let input = json!({ "UserPoolId": play.pool, "Limit": 60, token: next });
        let page = play.ok(operation, merge(input, more.clone()));
        seen += page[entries].as_array().map_or(0, Vec::len);
        next = page[token].clone();
        pages += 1;
    }
    (seen, pages)
}

#[test]
fn twenty_thousand_users_and_memberships_and_all_groups_are_walked() {
    let mut play = Play::with(json!({}));
    for number in 0..GROUPS {
        let group = json!({ "UserPoolId": play.pool, "GroupName": format!("group{number}") });
        play.ok("CreateGroup", group);
    }
    let of_group = json!({ "GroupName": "group0" });
    for number in 0..USERS {
        let name = format!("u{number}");
        play.admin("AdminCreateUser", &name, json!({ "MessageAction": "SUPPRESS" }));
        play.admin("AdminAddUserToGroup", &name, of_group.clone());
        play.now += 20;
    }
    let (users, members) = (("Users", "PaginationToken"), ("Users", "NextToken"));
    let expected = (USERS, USERS.div_ceil(60));
    // What is stale is read from the history, which holds a third of the users.
    for (stale, later) in [(0, 0), (1_000, 10_000)] {
        play.stale = stale;
        play.now += later;
        assert_eq!(walk(&mut play, "ListUsers", users, &json!({})), expected);
        assert_eq!(walk(&mut play, "ListUsersInGroup", members, &of_group), expected);
        let by_prefix = "0123456789abcdef".chars().map(|digit| {
            let filter = json!({ "Filter": format!("sub ^= \"{digit}\"") });
            walk(&mut play, "ListUsers", users, &filter).0
        });
        assert_eq!(by_prefix.sum::<usize>(), USERS);
    }
    let groups = walk(&mut play, "ListGroups", ("Groups", "NextToken"), &json!({}));
    assert_eq!(groups, (GROUPS, GROUPS.div_ceil(60)));
}
