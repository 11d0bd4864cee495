//! What the page says of a plan.

use std::collections::BTreeMap;

use twinpool_shared::{
    import::{
        estimate::{Live, Work, estimate},
        mapping::Mapping,
        plan::{Freshness, PlannedStep, Reconciled, Source, Target, UserCounts, Users, UsersWay},
        recreate::{Loss, NotMade},
    },
    quota::Share,
    time::Timestamp,
};

use super::*;

pub(crate) fn plan() -> Plan {
    let at = Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant");
    let counts = UserCounts {
        chosen: 1_010,
        made: 1_000,
        statuses: BTreeMap::from([("CONFIRMED".to_owned(), 1_000), ("UNCONFIRMED".to_owned(), 10)]),
        not_made: BTreeMap::from([(NotMade::Unconfirmed, 10)]),
        losses: BTreeMap::from([(Loss::Password, 1_000), (Loss::Totp, 5)]),
        passwords: 1_000,
        memberships: 1_000,
        ..UserCounts::default()
    };
    let step = |operation: &str, phase: &str, subject: &str| PlannedStep {
        phase: phase.to_owned(),
        operation: operation.to_owned(),
        subject: subject.to_owned(),
        digest: "9f86d081".to_owned(),
    };
    let steps = vec![
        step("CreateUserPool", "pool", "people"),
        step("CreateUserPoolClient", "clients", "web"),
        step("CreateGroup", "groups", "admins"),
        step("CreateGroup", "groups", "staff"),
    ];
    let work = Work {
        steps: &steps,
        users: &counts,
        way: UsersWay::Api,
    };
    let mut estimate = estimate(&work, &Live::new(), Share::default());
    estimate.active_users_cents = Some(0);
    Plan {
        id: "20261123T080000Z-0a1b2c3d".to_owned(),
        made_at: at,
        made_by: "0.1.0".to_owned(),
        source: Source {
            table: "twinpool-backup".to_owned(),
            pool: "us-east-1_EXAMPLE".to_owned(),
            account: "111122223333".to_owned(),
            as_of: at,
            freshness: Freshness {
                reconcile: Some(Reconciled {
                    run: "2026-11-23T02:00:00.000Z".to_owned(),
                    finished_at: at.plus_millis(-3_600_000),
                    drift_left: 0,
                    guard: None,
                }),
                ..Freshness::default()
            },
        },
        target: Target {
            region: "us-west-2".to_owned(),
            account: "111122223333".to_owned(),
            pool: TargetPool::New {
                name: "people".to_owned(),
            },
        },
        users: Users {
            way: UsersWay::Api,
            include_deleted: false,
            deleted_after: None,
            counts,
            digest: "60303ae2".to_owned(),
            chunks: 11,
        },
        mapping: Mapping::default(),
        steps,
        changes: None,
        left_out: Vec::new(),
        manual: vec!["attach the web ACL".to_owned()],
        estimate,
    }
}

#[test]
fn a_plan_says_what_is_made_how_long_it_takes_and_what_is_lost() {
    let sections = sections(&plan());
    let titles: Vec<&str> = sections.iter().map(|section| section.title).collect();
    assert_eq!(titles.len(), 7, "{titles:?}");
    let rows = |title: &str| {
        &sections
            .iter()
            .find(|section| section.title.starts_with(title))
            .expect(title)
            .rows
    };
    assert_eq!(
        rows("Configuration")[2],
        ["groups", "CreateGroup", "2", "admins, staff"]
    );
    assert_eq!(rows("Calls")[0][..2], ["UserUpdate", "1,000"]);
    assert!(
        rows("What does not")
            .iter()
            .any(|row| row[0] == "totp" && row[1] == "5")
    );
    assert!(rows("Users who are not made")[0][2].contains("sign up again"));
    assert_eq!(rows("To be done by hand")[0], ["attach the web ACL"]);
    let notes: Vec<&String> = sections.iter().flat_map(|section| &section.notes).collect();
    for says in [
        "wait for UserUpdate",
        "would save nothing",
        "at least 1 min 23 s at 50 %",
        "unverified",
    ] {
        assert!(notes.iter().any(|note| note.contains(says)), "{says}: {notes:?}");
    }
}

#[test]
fn whose_clock_it_is_is_said_only_of_the_present() {
    let says = |plan: &Plan| {
        summary(plan)
            .iter()
            .any(|line| line.contains("by the clock of the computer"))
    };
    let mut plan = plan();
    assert!(says(&plan));
    plan.source.as_of = plan.made_at.plus_millis(-1);
    assert!(!says(&plan));
}

#[test]
fn what_was_accepted_is_said() {
    let mut plan = plan();
    plan.source.freshness.accepted = vec!["the last reconcile was finished 30 hours ago".to_owned()];
    assert!(
        summary(&plan)
            .iter()
            .any(|line| line.contains("--allow-stale: the last reconcile"))
    );
}
