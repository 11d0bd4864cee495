//! The documented figures that walk and import live on, and the arithmetic of shares.

use std::collections::BTreeSet;

use super::*;
use crate::operation::{Meaning, Nothing, OPERATIONS, meaning};

#[test]
fn every_operation_is_one_of_cognitos_and_counts_once() {
    let mut seen = BTreeSet::new();
    for category in Category::ALL {
        for operation in category.operations() {
            assert!(seen.insert(*operation), "{operation} is listed twice");
            assert_eq!(category_of(operation), Some(category));
            assert!(OPERATIONS.iter().any(|(name, _)| name == operation), "{operation}");
        }
        assert_eq!(format!("{category:?}"), category.as_str());
    }
    assert_eq!(category_of("ListUsersInGroups"), None);
}

#[test]
fn what_a_walk_and_an_import_live_on_has_the_documented_rate() {
    for (operation, rps, adjustable, per_pool) in [
        ("ListUsers", 30.0, false, false),
        ("ListUsersInGroup", 30.0, false, false),
        ("AdminGetUser", 120.0, true, false),
        ("AdminCreateUser", 50.0, true, false),
        ("AdminAddUserToGroup", 25.0, false, false),
        ("AdminSetUserPassword", 30.0, false, false),
        ("AdminListGroupsForUser", 50.0, true, false),
        ("DescribeUserPool", 15.0, false, false),
        ("ListGroups", 20.0, false, true),
        ("ListUserPoolClients", 15.0, false, true),
        ("GetProvisionedLimit", 1.0, false, false),
    ] {
        let category = category_of(operation).unwrap();
        assert_eq!(
            (
                category.default_rps(),
                category.is_adjustable(),
                category.is_per_pool_and_operation()
            ),
            (rps, adjustable, per_pool),
            "{operation}"
        );
    }
}

#[test]
fn a_share_is_from_one_to_a_hundred() {
    assert_eq!(Share::default().percent(), 50);
    assert_eq!(Share::new(1).map(Share::percent), Ok(1));
    assert_eq!(Share::new(100).map(Share::percent), Ok(100));
    for bad in [0, 101] {
        let error = Share::new(bad).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains("from 1 to 100"), "{error}");
    }
}

#[test]
fn the_parts_of_all_workers_come_to_the_share_and_no_second_holds_more() {
    for (percent, limit, workers, rps) in [
        (100, 30.0, 1, 29.7),
        (50, 30.0, 1, 15.0),
        (50, 30.0, 4, 3.75),
        (1, 1.0, 1, 0.01),
    ] {
        let one = Share::new(percent).unwrap().allot(limit, workers);
        assert!((one.rps - rps).abs() < 1e-9, "{one:?}");
        assert!(one.burst >= 1.0 && one.burst <= BURST_CALLS_MAX, "{one:?}");
        assert!(
            one.rps + one.burst <= limit / f64::from(workers) + 1.0 + 1e-9,
            "{one:?}"
        );
    }
    assert_eq!(Share::default().allot(30.0, 0), Share::default().allot(30.0, 1));
}

#[test]
fn operations_of_the_reading_categories_only_read() {
    for category in Category::ALL {
        let name = category.as_str();
        for operation in category.operations() {
            let reads = meaning(operation) == Some(Meaning::Nothing(Nothing::Reads));
            if name.ends_with("Read") || name == "UserList" {
                assert!(reads, "{operation}");
            } else if name != "LimitManagement" {
                assert!(!reads, "{operation}");
            }
        }
    }
}
