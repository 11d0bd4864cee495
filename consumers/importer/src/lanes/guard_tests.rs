//! Users through the lanes days later, and what an import must not give to whom: names that are somebody else's by now, passwords
//! that people chose, names of the living, retries without end.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use serde_json::json;
use twinpool_shared::{
    import::{
        plan::TargetPool,
        progress::{GONE, LIVING_FIRST, Stage, UNANSWERED},
        shape::Shape,
    },
    item::UserItem,
    personal::Personal,
    user::{Factors, Tombstone, UserRecord},
};

use crate::testing::{SOURCE, TARGET, User, World, described, facet, now, user};

fn people() -> Vec<UserRecord> {
    (0..30).map(user).collect()
}

async fn retried(world: &World) -> BTreeMap<String, u64> {
    let tally = world.import(true).await.expect("nobody kills it");
    tally.expect("nothing stops it").failed
}

fn failed(stage: &str, code: &str) -> BTreeMap<String, u64> {
    BTreeMap::from([(format!("{stage}: {code}"), 1)])
}

/// Somebody else, who signed up.
fn stranger() -> User {
    User {
        sub: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "CONFIRMED".to_owned(),
        ..User::default()
    }
}

#[tokio::test(start_paused = true)]
async fn who_has_the_name_of_somebody_who_left_gets_nothing_of_theirs() {
    for (stage, operation) in [
        ("create", "AdminDisableUser"),
        ("password", "AdminSetUserPassword"),
        ("memberships", "AdminAddUserToGroup"),
    ] {
        let world = World::with(people());
        world
            .pool
            .refuse(operation, "user-3", Some("InvalidParameterException"));
        let tally = world.imported().await;
        assert_eq!(tally.failed, failed(stage, "InvalidParameterException"));
        world.finish(&tally).await;
        world.pool.refuse(operation, "user-3", None);
        world.pool.put("user-3", stranger());
        assert_eq!(retried(&world).await, failed(stage, GONE));
        assert_eq!(world.pool.users()["user-3"], stranger(), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_people_can_sign_up_whoever_was_not_made_a_moment_ago_is_looked_at() {
    // Killed a bit later each time, until everybody is made and nobody in a group.
    for steps in (20..1_000).step_by(10) {
        let mut world = World::with(people());
        world.plan.target.pool = TargetPool::Existing { id: TARGET.to_owned() };
        world.network.kill_after(Some(steps));
        assert!(world.import(false).await.is_none(), "it has to be killed first");
        world.network.kill_after(None);
        let outcomes = world.outcomes().await;
        if outcomes.is_empty() || outcomes.iter().any(|user| user.done < Some(Stage::Password)) {
            continue;
        }
        world.pool.put("user-5", stranger());
        let tally = world.imported().await;
        assert_eq!(tally.failed, failed("memberships", GONE));
        assert_eq!(world.pool.users()["user-5"], stranger());
        return;
    }
    panic!("no such moment");
}

#[tokio::test(start_paused = true)]
async fn the_first_pass_into_a_new_pool_asks_for_nobody_who_was_made_a_moment_ago() {
    let world = World::with(people());
    world.imported().await;
    assert_eq!(world.pool.asked(), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_password_is_never_set_again_without_a_look() {
    for every in [2, 3, 5] {
        let world = World::with(people());
        world.network.loses_every.store(every, Ordering::Relaxed);
        let tally = world.imported().await;
        assert_eq!(tally.failed_users, 0, "every {every}");
        for (name, user) in world.pool.users() {
            assert_eq!(user.passwords, 1, "{name}, every {every}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_could_not_be_disabled_is_noted_and_gets_nothing_until_they_are() {
    let world = World::with(people());
    world
        .pool
        .refuse("AdminDisableUser", "user-3", Some("InternalErrorException"));
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.failed_users), (30, 1));
    assert_eq!(tally.failed, failed("create", "InternalErrorException"));
    let user = &world.pool.users()["user-3"];
    assert_eq!((user.passwords, user.groups.len()), (0, 0));
    let outcomes = world.outcomes().await;
    let outcome = outcomes.iter().find(|outcome| outcome.sub == people()[3].sub);
    assert_eq!(
        outcome
            .and_then(|outcome| outcome.new.as_ref())
            .map(ToString::to_string),
        Some(user.sub.clone())
    );
    world.pool.refuse("AdminDisableUser", "user-3", None);
    assert_eq!(retried(&world).await, BTreeMap::new());
    let user = &world.pool.users()["user-3"];
    assert_eq!((user.disabled, user.passwords, user.groups.len()), (true, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_second_plan_takes_over_whom_an_earlier_one_made() {
    let mut world = World::with(people());
    let tally = world.imported().await;
    world.finish(&tally).await;
    world.pool.made();
    let earlier = std::mem::replace(&mut world.plan.id, "20261124T100000Z-0badcafe".to_owned());
    world.plan.target.pool = TargetPool::Existing { id: TARGET.to_owned() };
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.failed_users), (30, 0));
    let made = world.pool.made();
    assert!(
        made.iter().all(|(operation, _)| operation == "AdminAddUserToGroup"),
        "{made:?}"
    );
    let imports = world.importer().imports_of(SOURCE).await.expect("readable");
    let ids: Vec<&str> = imports.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids, [world.plan.id.as_str(), earlier.as_str()], "the newest first");
    // A confirmed user with the marker whom no plan made is somebody else still.
    let forger = User {
        attributes: BTreeMap::from([("custom:original_sub".to_owned(), people()[5].sub.as_str().to_owned())]),
        ..stranger()
    };
    world.pool.put("user-5", forger);
    world.plan.id = "20261125T100000Z-0badcafe".to_owned();
    assert_eq!(world.imported().await.failed, failed("create", "name-taken"));
}

#[tokio::test(start_paused = true)]
async fn deleted_users_wait_while_a_living_one_may_take_their_name() {
    let mut people = people();
    people[1].deleted = Some(Tombstone {
        at: now(),
        cause: "test".to_owned(),
    });
    let mut world = World::with(people);
    world.plan.users.include_deleted = true;
    world.pool.refuse("AdminCreateUser", "user-5", Some(UNANSWERED));
    let tally = world.imported().await;
    assert!(!world.pool.users().contains_key("user-1"));
    assert_eq!(tally.failed[&format!("create: {LIVING_FIRST}")], 1);
    world.pool.refuse("AdminCreateUser", "user-5", None);
    assert_eq!(retried(&world).await, BTreeMap::new());
    assert_eq!(world.pool.users().len(), 30);
    let made = world.pool.made();
    let place = |name: &str| made.iter().position(|(of, n)| of == "AdminCreateUser" && n == name);
    assert!(place("user-5") < place("user-1"), "the living first");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_is_taken_keeps_no_deleted_user_back() {
    let mut people = people();
    people[1].deleted = Some(Tombstone {
        at: now(),
        cause: "test".to_owned(),
    });
    let mut world = World::with(people);
    world.plan.users.include_deleted = true;
    world.pool.put("user-5", stranger());
    assert_eq!(world.imported().await.failed, failed("create", "name-taken"));
    assert!(world.pool.users().contains_key("user-1"));
}

#[tokio::test(start_paused = true)]
async fn an_attempt_retries_once_and_the_next_one_again() {
    let mut world = World::with(people());
    let code = Some("InvalidParameterException");
    world.pool.refuse("AdminCreateUser", "user-5", code);
    world.pool.refuse("AdminAddUserToGroup", "user-6", code);
    world.imported().await;
    world.owner = "execution-1".to_owned();
    assert_eq!(retried(&world).await.len(), 2);
    world.pool.refuse("AdminCreateUser", "user-5", None);
    world.pool.refuse("AdminAddUserToGroup", "user-6", None);
    assert_eq!(retried(&world).await.len(), 2, "the same attempt goes on with others");
    world.owner = "execution-2".to_owned();
    assert_eq!(retried(&world).await, BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn a_preferred_name_that_the_person_chose_since_stays() {
    let mut people = people();
    for number in [5, 6] {
        let attributes = people[number].attributes.as_mut().expect("attributes");
        let name = Personal::new(format!("annie-{number}"));
        attributes.data.values.insert("preferred_username".to_owned(), name);
    }
    let mut world = World::with(people);
    let mut pool = described();
    pool["AliasAttributes"] = json!(["preferred_username"]);
    let attribute = json!({"Name": "preferred_username", "AttributeDataType": "String", "Mutable": true,
        "Required": false, "DeveloperOnlyAttribute": false});
    pool["SchemaAttributes"].as_array_mut().expect("a list").push(attribute);
    world.shape = Shape::of(&pool, None).expect("a shape");
    for name in ["user-5", "user-6"] {
        let code = Some("InvalidParameterException");
        world.pool.refuse("AdminUpdateUserAttributes", name, code);
    }
    assert_eq!(world.imported().await.failed_users, 2);
    for name in ["user-5", "user-6"] {
        world.pool.refuse("AdminUpdateUserAttributes", name, None);
    }
    world.pool.edit("user-5", |user| {
        user.attributes
            .insert("preferred_username".to_owned(), "anna".to_owned());
    });
    assert_eq!(retried(&world).await, BTreeMap::new());
    let users = world.pool.users();
    assert_eq!(users["user-5"].attributes["preferred_username"], "anna");
    assert_eq!(users["user-6"].attributes["preferred_username"], "annie-6");
}

#[tokio::test(start_paused = true)]
async fn the_second_factor_comes_before_the_groups() {
    let mut people = people();
    people[5].factors = Some(facet(Factors {
        preferred: None,
        enabled: ["EMAIL_OTP".to_owned()].into(),
    }));
    let mut world = World::with(people);
    world.shape.mfa.email = true;
    world.imported().await;
    let made = world.pool.made();
    let made: Vec<&str> = made
        .iter()
        .filter(|(_, name)| name == "user-5")
        .map(|(operation, _)| operation.as_str())
        .collect();
    assert_eq!(
        made,
        [
            "AdminCreateUser",
            "AdminSetUserPassword",
            "AdminSetUserMFAPreference",
            "AdminAddUserToGroup",
            "AdminAddUserToGroup"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn users_are_made_as_they_were_at_the_plans_instant() {
    let hour = 3_600_000;
    let named = |name: &str| {
        let mut record = user(5);
        let attributes = record.attributes.as_mut().expect("attributes");
        attributes.data.values.insert("name".to_owned(), Personal::new(name));
        record
    };
    let mut people = people();
    people[5] = named("now");
    let mut world = World::with(people);
    // The double writes current items a millisecond before now.
    world.plan.source.as_of = now().plus_millis(-hour);
    let version = |number: u64, name: &str, hours: i64| {
        UserItem::current(SOURCE, number, named(name), now().plus_millis(-hours * hour), 86_400)
    };
    world.table.renumber(3);
    for number in 0..30 {
        if number != 5 {
            for (version, hours) in [(1, 4), (2, 2)] {
                let written = now().plus_millis(-hours * hour);
                let item = UserItem::current(SOURCE, version, user(number), written, 86_400);
                world.table.supersede(item);
            }
        }
    }
    world.table.supersede(version(1, "first", 4));
    let stopped = world.import(false).await.expect("nobody kills it");
    let stopped = stopped.expect_err("the second version may be the one").to_string();
    assert!(stopped.contains("every version"), "{stopped}");
    assert!(!world.pool.users().contains_key("user-5"));
    world.table.supersede(version(2, "second", 2));
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.failed_users), (30, 0));
    assert_eq!(world.pool.users()["user-5"].attributes["name"], "second");
}
