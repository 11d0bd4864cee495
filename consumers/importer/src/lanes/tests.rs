//! Users through the lanes: undisturbed, killed, with lost answers, with names that are taken.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use serde_json::json;
use twinpool_shared::{
    import::{progress::Stage, recreate::NotMade},
    personal::Personal,
    user::{Factors, UserRecord},
};

use crate::testing::{User, World, facet, user};

const USERS: u32 = 230;

fn people() -> Vec<UserRecord> {
    let mut people: Vec<UserRecord> = (0..USERS).map(user).collect();
    people[7].status = Some(facet("FORCE_CHANGE_PASSWORD".to_owned()));
    people[8].status = Some(facet("UNCONFIRMED".to_owned()));
    people[9].status = Some(facet("EXTERNAL_PROVIDER".to_owned()));
    let identities = json!([{"providerName": "Google", "userId": "g-1", "primary": false}]).to_string();
    let attributes = people[12].attributes.as_mut().expect("attributes");
    attributes
        .data
        .values
        .insert("identities".to_owned(), Personal::new(identities));
    people[15].factors = Some(facet(Factors {
        preferred: None,
        enabled: ["SOFTWARE_TOKEN_MFA".to_owned()].into(),
    }));
    people
}

/// Users of the target without what depends on the order in which they were made.
fn users(world: &World) -> BTreeMap<String, User> {
    let users = world.pool.users().into_iter();
    users
        .map(|(name, user)| {
            let plain = User {
                sub: String::new(),
                ..user
            };
            (name, plain)
        })
        .collect()
}

/// What an undisturbed import makes.
async fn undisturbed() -> BTreeMap<String, User> {
    let world = World::with(people());
    world.imported().await;
    users(&world)
}

#[tokio::test(start_paused = true)]
async fn everybody_is_made_with_what_they_had() {
    let world = World::with(people());
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.memberships, tally.links), (228, 456, 1));
    assert_eq!(
        tally.not_made,
        BTreeMap::from([(NotMade::Unconfirmed, 1), (NotMade::FederatedOnly, 1)])
    );
    assert_eq!(tally.failed_users, 0);
    let users = world.pool.users();
    assert_eq!(users.len(), 228);
    assert_eq!(users["user-7"].status, "FORCE_CHANGE_PASSWORD");
    for (name, user) in &users {
        let number: u32 = name
            .strip_prefix("user-")
            .and_then(|n| n.parse().ok())
            .expect("a number");
        assert_eq!(user.disabled, number % 10 == 3, "{name}");
        assert_eq!(user.passwords, u32::from(number != 7), "{name}");
        assert_eq!(user.groups.len(), 2, "{name}");
        assert_eq!(user.attributes["email_verified"], "true", "{name}");
    }
    assert_eq!(users["user-12"].links, [("Google".to_owned(), "g-1".to_owned())]);
    let made = world.pool.made();
    let place = |operation: &str, name: &str| {
        let found = made.iter().position(|(o, n)| o == operation && n == name);
        found.unwrap_or_else(|| panic!("{operation} {name}"))
    };
    assert!(
        place("AdminDisableUser", "user-3") < place("AdminSetUserPassword", "user-3"),
        "who is disabled never can reset a password"
    );
    assert!(
        place("AdminCreateUser", "user-0") < place("AdminCreateUser", "user-229"),
        "who was seen last comes first"
    );
}

#[tokio::test(start_paused = true)]
async fn no_lane_waits_for_the_end_of_another() {
    let world = World::with((0..1_000).map(user).collect());
    world.imported().await;
    let made = world.pool.made();
    let first = |operation: &str| made.iter().position(|(o, _)| o == operation).expect("made");
    let last = |operation: &str| made.iter().rposition(|(o, _)| o == operation).expect("made");
    assert!(first("AdminSetUserPassword") < last("AdminCreateUser"));
    assert!(first("AdminAddUserToGroup") < last("AdminCreateUser"));
    assert!(first("AdminAddUserToGroup") < last("AdminSetUserPassword"));
}

#[tokio::test(start_paused = true)]
async fn a_finished_import_changes_nothing_when_it_comes_again() {
    let world = World::with(people());
    let first = world.imported().await;
    world.pool.made();
    assert_eq!(world.imported().await, first);
    assert_eq!(world.pool.made(), []);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_make_nobody_twice_and_lose_nobody() {
    let wanted = undisturbed().await;
    for every in [2, 3, 7, 20] {
        let world = World::with(people());
        world.network.loses_every.store(every, Ordering::Relaxed);
        let tally = world.imported().await;
        assert_eq!((tally.users, tally.failed_users), (228, 0), "every {every}");
        assert_eq!(users(&world), wanted, "every {every}");
        let creates = world
            .pool
            .made()
            .into_iter()
            .filter(|(operation, _)| operation == "AdminCreateUser");
        assert_eq!(creates.count(), 228, "every {every}");
    }
}

#[tokio::test(start_paused = true)]
async fn killed_anywhere_and_gone_on_with_the_pool_is_the_same() {
    let wanted = undisturbed().await;
    let whole = {
        let world = World::with(people());
        world.imported().await;
        world.network.steps()
    };
    for part in 0..24 {
        let world = World::with(people());
        world
            .network
            .loses_every
            .store(if part % 2 == 0 { 0 } else { 20 }, Ordering::Relaxed);
        let mut kills = 0;
        // Killed again and again, each time a bit further.
        let every = 1 + whole * (part + 1) / 40;
        loop {
            world.network.kill_after((kills < 6).then_some(every));
            match world.import(false).await {
                None => kills += 1,
                Some(tally) => {
                    let tally = tally.expect("nothing fails");
                    assert_eq!((tally.users, tally.failed_users), (228, 0), "part {part}");
                    break;
                }
            }
        }
        assert_eq!(users(&world), wanted, "part {part}, {kills} kills");
        let outcomes = world.outcomes().await;
        let subs: BTreeMap<String, String> = world
            .pool
            .users()
            .into_iter()
            .map(|(name, user)| (name, user.sub))
            .collect();
        let mapped = outcomes.iter().filter_map(|outcome| outcome.new.as_ref());
        assert_eq!(mapped.count(), subs.len(), "part {part}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_chunk_that_takes_longer_than_an_invocation_is_finished_by_several() {
    let groups = |world: &World| world.pool.users().values().map(|user| user.groups.len()).sum::<usize>();
    let world = World::with((0..90).map(user).collect());
    // Two groups for each of 90 users, 5 s for each call, 8 users at the same time: longer than an invocation, let
    // alone the rest.
    world.network.latency_seconds.store(5, Ordering::Relaxed);
    let mut invocations = 0;
    let tally = loop {
        invocations += 1;
        assert!(
            invocations < 20,
            "it does not come forward: {} memberships",
            groups(&world)
        );
        let invocation = tokio::time::timeout(std::time::Duration::from_secs(120), world.import(false));
        if let Ok(done) = invocation.await {
            break done.expect("nobody kills it").expect("nothing fails");
        }
    };
    assert!(invocations > 2, "{invocations} invocations");
    assert_eq!((tally.users, tally.memberships, groups(&world)), (90, 180, 180));
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_user_stays_as_they_are() {
    let world = World::with(people());
    let stranger = User {
        sub: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "CONFIRMED".to_owned(),
        ..User::default()
    };
    world.pool.put("user-5", stranger.clone());
    let tally = world.imported().await;
    assert_eq!(world.pool.users()["user-5"], stranger);
    assert_eq!(tally.failed, BTreeMap::from([("create: name-taken".to_owned(), 1)]));
    assert_eq!((tally.users, tally.failed_users), (227, 1));
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_for_who_failed_and_for_nobody_else() {
    let world = World::with(people());
    world
        .pool
        .refuse("AdminCreateUser", "user-1", Some("InvalidParameterException"));
    world
        .pool
        .refuse("AdminAddUserToGroup", "user-2", Some("ResourceNotFoundException"));
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.memberships, tally.failed_users), (227, 452, 2));
    world.pool.made();
    assert_eq!(world.imported().await, tally, "not without being asked");
    assert_eq!(world.pool.made(), []);

    world.pool.refuse("AdminCreateUser", "user-1", None);
    world.pool.refuse("AdminAddUserToGroup", "user-2", None);
    let tally = world
        .import(true)
        .await
        .expect("nobody kills it")
        .expect("nothing fails");
    assert_eq!((tally.users, tally.memberships, tally.failed_users), (228, 456, 0));
    let made = world.pool.made();
    assert!(
        made.iter().all(|(_, name)| name == "user-1" || name == "user-2"),
        "{made:?}"
    );
    assert_eq!(
        made.len(),
        6,
        "create, password and two groups of one; two groups of the other: {made:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_password_that_somebody_set_meanwhile_stays() {
    let world = World::with(people());
    // Killed when the first chunks are made and their passwords are being set.
    for steps in (100..).step_by(20) {
        world.network.kill_after(Some(steps));
        assert!(world.import(false).await.is_none(), "it has to be killed first");
        if world.pool.users().values().any(|user| user.passwords > 0) {
            break;
        }
    }
    let (name, _) = world
        .pool
        .users()
        .into_iter()
        .find(|(_, user)| user.passwords > 0)
        .expect("one");
    // By ForgotPassword.
    world.pool.edit(&name, |user| user.passwords = 100);
    world.imported().await;
    assert_eq!(world.pool.users()[&name].passwords, 100);
}

#[tokio::test(start_paused = true)]
async fn failures_are_noted_by_stage_and_name_nobody() {
    let world = World::with(people());
    world
        .pool
        .refuse("AdminSetUserPassword", "user-4", Some("InvalidPasswordException"));
    world.imported().await;
    let outcomes = world.outcomes().await;
    let failed: Vec<_> = outcomes.iter().filter(|outcome| !outcome.failed.is_empty()).collect();
    assert_eq!(failed.len(), 1);
    assert_eq!(
        failed[0].failed,
        BTreeMap::from([(Stage::Password, "InvalidPasswordException".to_owned())])
    );
    assert!(!serde_json::to_string(&outcomes).expect("JSON").contains("example.com"));
}
