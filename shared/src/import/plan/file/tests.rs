//! Plan files that were cut off, edited, or are of another version.

use std::collections::BTreeMap;

use super::*;
use crate::{
    import::{
        estimate::{Live, Work, estimate},
        mapping::Mapping,
        plan::{Freshness, PlannedStep, Reconciled, Source, Target, TargetPool, UserCounts, Users, UsersWay},
        recreate::{Loss, NotMade},
    },
    quota::Share,
    time::Timestamp,
};

fn plan() -> Plan {
    let at = Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant");
    let counts = UserCounts {
        chosen: 1_000,
        made: 990,
        statuses: BTreeMap::from([("CONFIRMED".to_owned(), 990), ("UNCONFIRMED".to_owned(), 10)]),
        not_made: BTreeMap::from([(NotMade::Unconfirmed, 10)]),
        losses: BTreeMap::from([(Loss::Password, 990), (Loss::Totp, 5)]),
        passwords: 990,
        memberships: 500,
        ..UserCounts::default()
    };
    let steps = vec![PlannedStep {
        phase: "pool".to_owned(),
        operation: "CreateUserPool".to_owned(),
        subject: "people".to_owned(),
        digest: "00".to_owned(),
    }];
    let work = Work {
        steps: &steps,
        users: &counts,
        way: UsersWay::Api,
    };
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
                    run: at.to_string(),
                    finished_at: at,
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
        estimate: estimate(&work, &Live::new(), Share::default()),
        users: Users {
            way: UsersWay::Api,
            include_deleted: false,
            deleted_after: None,
            counts,
            digest: "00".to_owned(),
            chunks: 10,
        },
        mapping: Mapping::default(),
        steps,
        changes: None,
        left_out: Vec::new(),
        manual: vec!["attach the web ACL".to_owned()],
    }
}

fn refused(text: &str) -> Error {
    open(text).expect_err("a refusal")
}

#[test]
fn a_plan_reads_back_as_it_was_written() {
    assert_eq!(open(&seal(&plan()).expect("text")).expect("a plan"), plan());
}

#[test]
fn a_plan_with_other_white_space_is_the_same_plan() {
    let text = seal(&plan()).expect("text");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(open(&value.to_string()).expect("a plan"), plan());
}

#[test]
fn a_plan_that_is_cut_off_anywhere_is_refused() {
    let text = seal(&plan()).expect("text");
    // The last line end alone is no loss.
    for end in 0..text.trim_end().len() {
        let Some(part) = text.get(..end) else { continue };
        let error = refused(part);
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains("make a new plan"), "{}", error.what);
    }
}

#[test]
fn a_plan_with_another_figure_is_refused() {
    let text = seal(&plan()).expect("text");
    for (from, to) in [
        ("\"us-west-2\"", "\"eu-west-1\""),
        ("\"chunks\": 10", "\"chunks\": 11"),
        ("\"memberships\": 500", "\"memberships\": 501"),
        ("\"attach the web ACL\"", ""),
        ("\"include_deleted\": false", "\"include_deleted\": true"),
        ("\"id\":", "\"extra\": 1, \"id\":"),
        ("\"checksum\": \"", "\"checksum\": \"0"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text, "{from}");
        assert!(refused(&edited).what.contains("edited"), "{from}");
    }
}

#[test]
fn a_newer_plan_and_another_file_are_told_apart() {
    let newer = seal(&plan()).expect("text").replacen(SCHEMA, "twinpool.plan.v2", 1);
    let error = refused(&newer);
    assert_eq!(error.kind, ErrorKind::Newer);
    assert!(
        error.what.contains("twinpool.plan.v2") && error.what.contains(SCHEMA),
        "{}",
        error.what
    );
    for other in ["{}", "[]", "{\"schema\":\"twinpool.verify.v1\"}", "ann@example.com"] {
        let error = refused(other);
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(!error.what.contains("ann"), "{}", error.what);
    }
}
