//! Users by import jobs.

use std::{collections::BTreeMap, sync::atomic::Ordering};

use twinpool_shared::{import::plan::UsersWay, personal::Personal, user::UserRecord};

use crate::testing::{User, World, user};

fn people() -> Vec<UserRecord> {
    let mut people: Vec<UserRecord> = (0..150).map(user).collect();
    // A line break cannot go by a file.
    let attributes = people[20].attributes.as_mut().expect("attributes");
    attributes
        .data
        .values
        .insert("name".to_owned(), Personal::new("Ann\nB"));
    people
}

fn world() -> World {
    let mut world = World::with(people());
    world.plan.users.way = UsersWay::Csv;
    world.plan.mapping.import_logs_role = Some("arn:aws:iam::111122223333:role/import".to_owned());
    world
}

fn check(world: &World) {
    let users = world.pool.users();
    assert_eq!(users.len(), 150);
    for (name, user) in &users {
        // Who is disabled must not be enabled even for a moment.
        let by_api = name == "user-20" || user.disabled;
        assert_eq!(
            user.status,
            if by_api { "CONFIRMED" } else { "RESET_REQUIRED" },
            "{name}"
        );
        assert_eq!(user.passwords > 0, by_api, "{name}");
        assert_eq!(user.groups.len(), 2, "{name}");
        assert_eq!(user.disabled, name.ends_with('3'), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_makes_who_fits_and_the_lanes_do_the_rest() {
    let world = world();
    let tally = world.imported().await;
    assert_eq!(
        (tally.users, tally.by_csv, tally.memberships, tally.failed_users),
        (150, 134, 300, 0)
    );
    check(&world);
}

#[tokio::test(start_paused = true)]
async fn killed_anywhere_no_user_is_in_two_files() {
    let whole = {
        let world = world();
        world.imported().await;
        world.network.steps()
    };
    for part in 0..20 {
        let world = world();
        world
            .network
            .loses_every
            .store(if part % 2 == 0 { 0 } else { 3 }, Ordering::Relaxed);
        world.network.kill_after(Some(1 + whole * part / 60));
        assert!(world.import(false).await.is_none(), "part {part}");
        let tally = world.imported().await;
        assert_eq!((tally.users, tally.failed_users), (150, 0), "part {part}");
        check(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_role_for_the_logs_nothing_is_begun() {
    let mut world = world();
    world.plan.mapping.import_logs_role = None;
    let refused = world
        .import(false)
        .await
        .expect("nobody kills it")
        .expect_err("no role");
    assert!(refused.what.contains("import_logs_role"), "{refused}");
    assert_eq!(world.pool.made(), []);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_does_not_succeed_stops_the_import_and_another_attempt_makes_another_job() {
    for status in ["Failed", "Stopped", "Expired"] {
        let world = world();
        world.pool.jobs_end(Some(status));
        let stopped = world
            .import(false)
            .await
            .expect("nobody kills it")
            .expect_err("the job did not succeed");
        assert!(
            stopped.what.contains("import-1") && stopped.what.contains(status),
            "{stopped}"
        );
        assert_eq!(world.pool.users().len(), 0, "nobody by the API instead");
        world.pool.jobs_end(None);
        let tally = world.imported().await;
        assert_eq!(
            (tally.users, tally.by_csv, tally.failed_users),
            (150, 134, 0),
            "{status}"
        );
        check(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_lists_show_late_is_waited_for() {
    // Late, or never by a prefix.
    for pages in [40, u32::MAX] {
        let world = world();
        world.pool.lag(pages);
        let tally = world.imported().await;
        assert_eq!(
            (tally.users, tally.by_csv, tally.failed_users),
            (150, 134, 0),
            "{pages}"
        );
        check(&world);
    }
}

#[tokio::test(start_paused = true)]
async fn who_had_no_row_did_not_come_by_a_job_and_gets_a_password() {
    let mut world = world();
    world.shape.first_factors = ["EMAIL_OTP".to_owned()].into();
    let earlier = User {
        sub: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "FORCE_CHANGE_PASSWORD".to_owned(),
        attributes: BTreeMap::from([("custom:original_sub".to_owned(), people()[20].sub.as_str().to_owned())]),
        ..User::default()
    };
    world.pool.put("user-20", earlier);
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.by_csv, tally.failed_users), (150, 134, 0));
    check(&world);
}

#[tokio::test(start_paused = true)]
async fn only_who_was_made_while_a_job_ran_came_by_it() {
    // A confirmed user with the marker: by a job, where it ran then; else by a sign-up.
    for (age, failed) in [(0, 0), (3_600, 1)] {
        let mut world = world();
        world.shape.first_factors = ["EMAIL_OTP".to_owned()].into();
        let confirmed = User {
            sub: "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
            status: "CONFIRMED".to_owned(),
            attributes: BTreeMap::from([("custom:original_sub".to_owned(), people()[30].sub.as_str().to_owned())]),
            age,
            ..User::default()
        };
        world.pool.put("user-30", confirmed);
        let tally = world.imported().await;
        assert_eq!(tally.failed_users, failed, "{age}");
        let groups = world.pool.users()["user-30"].groups.len();
        assert_eq!(groups, if failed == 0 { 2 } else { 0 }, "{age}");
    }
}

#[tokio::test(start_paused = true)]
async fn of_two_users_with_one_marker_neither_is_taken_by_it() {
    let world = world();
    let other = User {
        sub: "0fffffff-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "RESET_REQUIRED".to_owned(),
        attributes: BTreeMap::from([("custom:original_sub".to_owned(), people()[30].sub.as_str().to_owned())]),
        ..User::default()
    };
    world.pool.put("other", other.clone());
    let tally = world.imported().await;
    assert_eq!((tally.users, tally.by_csv, tally.failed_users), (150, 133, 0));
    let users = world.pool.users();
    assert_eq!(users["other"], other);
    assert_eq!(users["user-30"].groups.len(), 2, "found by name");
}

#[tokio::test(start_paused = true)]
async fn users_are_listed_only_while_somebody_is_open_and_not_for_long() {
    let world = world();
    // One whom a job made has gone before the list: the job's count is never reached.
    world.pool.lag(u32::MAX);
    let began = tokio::time::Instant::now();
    let tally = world.imported().await;
    assert!(
        began.elapsed() < std::time::Duration::from_secs(60),
        "{:?}",
        began.elapsed()
    );
    assert_eq!((tally.users, tally.by_csv), (150, 134));
    assert!(world.pool.asked().0 > 0);
    assert_eq!(world.imported().await, tally);
    assert_eq!(world.pool.asked(), (0, 0), "everybody is noted");
}

#[tokio::test(start_paused = true)]
async fn a_retry_looks_at_who_came_by_a_job_in_a_list_which_bills_nobody() {
    let world = world();
    let code = Some("ResourceNotFoundException");
    for name in ["user-30", "user-31"] {
        world.pool.refuse("AdminAddUserToGroup", name, code);
    }
    assert_eq!(world.imported().await.failed_users, 2);
    for name in ["user-30", "user-31"] {
        world.pool.refuse("AdminAddUserToGroup", name, None);
    }
    world.pool.edit("user-31", |user| {
        user.sub = "ffffffff-ffff-ffff-ffff-ffffffffffff".to_owned();
    });
    world.pool.asked();
    let tally = world.import(true).await.expect("nobody kills it").expect("done");
    assert_eq!(tally.failed, BTreeMap::from([("memberships: gone".to_owned(), 1)]));
    assert_eq!(world.pool.asked(), (2, 0));
    let users = world.pool.users();
    assert_eq!((users["user-30"].groups.len(), users["user-31"].groups.len()), (2, 0));
}
