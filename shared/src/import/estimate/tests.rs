//! Estimates against figures worked out by hand.

use super::*;

fn counts(users: u64, memberships: u64) -> UserCounts {
    UserCounts {
        chosen: users,
        made: users,
        passwords: users,
        memberships,
        ..UserCounts::default()
    }
}

fn all() -> Share {
    Share::new(100).expect("a share")
}

fn by_api(users: &UserCounts, live: &Live, share: Share) -> Estimate {
    let work = Work {
        steps: &[],
        users,
        way: UsersWay::Api,
    };
    estimate(&work, live, share)
}

fn seconds_of(estimate: &Estimate, phase: &str) -> u64 {
    let found = estimate.phases.iter().find(|time| time.phase == phase);
    found.unwrap_or_else(|| panic!("a phase {phase}")).seconds
}

#[test]
fn half_a_million_users_with_one_group_each_wait_for_their_memberships() {
    let found = by_api(&counts(500_000, 500_000), &Live::new(), all());
    // 500,000 / 50 = 10,000 s = 2.8 h; / 30 = 16,667 s = 4.6 h; / 25 = 20,000 s = 5.6 h.
    assert_eq!(seconds_of(&found, "users"), 10_000);
    assert_eq!(seconds_of(&found, "passwords"), 16_667);
    assert_eq!(seconds_of(&found, "memberships"), 20_000);
    assert_eq!(found.seconds, 20_000, "the stages overlap");
    assert_eq!(found.bottleneck.as_deref(), Some("UserUpdate"));
    assert_eq!(found.active_users, 500_000);
    let busiest: Vec<_> = found.categories.iter().map(|time| time.category.as_str()).collect();
    assert_eq!(busiest, ["UserUpdate", "UserAccountRecovery", "UserCreation"]);
}

#[test]
fn stages_of_one_category_wait_for_each_other() {
    let users = UserCounts {
        disabled: 100,
        later: 200,
        links: 300,
        preferences: 25,
        ..counts(1_000, 400)
    };
    let found = by_api(&users, &Live::new(), all());
    // 100 + 200 + 300 + 400 calls of UserUpdate at 25.
    assert_eq!(found.seconds, 40);
    assert_eq!(seconds_of(&found, "links"), 12);
    assert_eq!(seconds_of(&found, "MFA preferences"), 1);
}

#[test]
fn a_share_and_a_live_quota_count() {
    let half = Share::new(50).expect("a share");
    assert_eq!(by_api(&counts(500_000, 500_000), &Live::new(), half).seconds, 40_000);
    let live = Live::from([(Category::UserUpdate, 100.0)]);
    let found = by_api(&counts(500_000, 500_000), &live, all());
    assert_eq!(found.bottleneck.as_deref(), Some("UserAccountRecovery"));
    let update = found.categories.iter().find(|time| time.category == "UserUpdate");
    assert!(update.is_some_and(|time| time.live && time.rps == 100 && time.seconds == 5_000));
}

#[test]
fn a_raise_saves_what_the_next_category_leaves() {
    // Passwords take longer: a raise saves nothing.
    let raised = by_api(&counts(500_000, 0), &Live::new(), all())
        .raised
        .expect("a raise");
    assert_eq!(
        (raised.saved_seconds, raised.bottleneck.as_str()),
        (0, "UserAccountRecovery")
    );
    // 300,000 invited users have no password to set: 300,000 / 50 = 6,000 s, and 60,000 passwords / 30 = 2,000 s.
    let users = UserCounts {
        passwords: 60_000,
        ..counts(300_000, 0)
    };
    let raised = by_api(&users, &Live::new(), all()).raised.expect("a raise");
    assert_eq!(
        (raised.to_rps, raised.seconds, raised.saved_seconds),
        (150, 2_000, 4_000)
    );
}

#[test]
fn import_jobs_create_nobody_one_by_one_and_bill_only_who_is_changed() {
    let users = UserCounts {
        by_csv: 90_000,
        csv_active: 10_000,
        memberships: 10_000,
        ..counts(100_000, 10_000)
    };
    let work = Work {
        steps: &[],
        users: &users,
        way: UsersWay::Csv,
    };
    let found = estimate(&work, &Live::new(), all());
    assert_eq!(seconds_of(&found, "users"), 200, "10,000 by the API at 50");
    assert_eq!(seconds_of(&found, "passwords"), 334);
    // 1,500 pages at 30, and 90,000 users at 33.
    assert_eq!(seconds_of(&found, "import jobs"), 50 + 2_728);
    assert_eq!(found.seconds, 400 + 2_728, "10,000 memberships at 25 after the job");
    assert_eq!(found.active_users, 20_000);
}

#[test]
fn steps_of_the_configuration_follow_one_another_at_five_a_second() {
    let step = |phase: &str, operation: &str, subject: u32| PlannedStep {
        phase: phase.to_owned(),
        operation: operation.to_owned(),
        subject: subject.to_string(),
        digest: String::new(),
    };
    let mut steps = vec![step("pool", "CreateUserPool", 0)];
    steps.extend((0..300).map(|group| step("groups", "CreateGroup", group)));
    let work = Work {
        steps: &steps,
        users: &UserCounts::default(),
        way: UsersWay::Api,
    };
    let found = estimate(&work, &Live::new(), all());
    let phases: Vec<_> = found
        .phases
        .iter()
        .map(|time| (time.phase.as_str(), time.seconds))
        .collect();
    assert_eq!(phases, [("pool", 1), ("groups", 60)]);
    assert_eq!((found.seconds, found.bottleneck, found.raised), (61, None, None));
}
