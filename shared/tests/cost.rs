//! The bill: its coefficients against their sources, its arithmetic against AWS's and the reference's own figures.
//!
//! Invariant: a figure here is computed from a fixture, from the template, or written out by hand from a published example.

use proptest::prelude::*;
use serde_json::Value;
use twinpool_shared::cost::{
    Bill, Meter, Pool, Usage, agreement,
    coefficient::{ALARMS, DASHBOARDS, GROUP_BYTES, INDEX_KEY_BYTES, ITEM_BYTES, RECOVERY_ALARMS, TOPIC_KEYS},
    price,
    reconcile::{self, Form, Groups, Walk},
    reference,
};

use crate::format::fixtures;

/// Bytes of a value by DynamoDB's rules: text its UTF-8, a number half a byte a digit and one, lists and maps three and one for
/// each entry.
fn bytes(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len(),
        Value::Number(number) => number.to_string().len().div_ceil(2) + 1,
        Value::Bool(_) | Value::Null => 1,
        Value::Array(values) => 3 + values.iter().map(|value| 1 + bytes(value)).sum::<usize>(),
        Value::Object(values) => {
            3 + values
                .iter()
                .map(|(name, value)| 1 + name.len() + bytes(value))
                .sum::<usize>()
        }
    }
}

fn item_bytes(name: &str) -> u64 {
    let text = std::fs::read_to_string(fixtures("item/v1").join(name)).unwrap();
    let item: Value = serde_json::from_str(&text).unwrap();
    let members = item.as_object().unwrap().iter();
    members.map(|(name, value)| (name.len() + bytes(value)) as u64).sum()
}

fn near(measured: f64, expected: f64, tolerance: f64) {
    assert!(
        (measured / expected - 1.0).abs() <= tolerance,
        "{measured} is not within {tolerance} of {expected}"
    );
}

fn pages(walk: &Walk) -> f64 {
    reconcile::usage(walk, &Pool::new(walk.users, 0, 0)).get(Meter::ListUsers)
}

#[test]
fn item_sizes_are_those_of_the_fixtures() {
    let living = item_bytes("user-living.json");
    near(ITEM_BYTES as f64, living as f64, 0.01);
    near(GROUP_BYTES, item_bytes("group-living.json") as f64, 0.01);
    near(
        (ITEM_BYTES - INDEX_KEY_BYTES) as f64,
        item_bytes("user-superseded.json") as f64,
        0.01,
    );
}

#[test]
fn alarms_dashboards_and_keys_are_those_of_the_templates() {
    let primary = include_str!("../../infra/primary.yaml");
    let recovery = include_str!("../../infra/recovery.yaml");
    let replica_of_the_key = include_str!("../../infra/recovery-key.yaml");
    let count = |template: &str, what: &str| template.matches(what).count() as f64;
    // An alarm looks at one metric, or at those that it adds up: each of these, less the one that the alarm counts for.
    let looked_at = |template: &str| {
        let sums = count(template, "Expression: SUM(METRICS())");
        count(template, "Type: AWS::CloudWatch::Alarm\n") + count(template, "MetricStat:\n") - sums
    };
    assert_eq!(looked_at(primary), ALARMS);
    assert_eq!(looked_at(recovery), RECOVERY_ALARMS);
    for template in [primary, recovery] {
        assert_eq!(count(template, "Type: AWS::CloudWatch::Dashboard\n"), DASHBOARDS);
    }
    assert_eq!(count(primary, "Type: AWS::KMS::Key\n"), 1.0 + TOPIC_KEYS);
    assert_eq!(count(replica_of_the_key, "Type: AWS::KMS::ReplicaKey\n"), 1.0);
    assert_eq!(count(recovery, "Type: AWS::KMS::"), TOPIC_KEYS);
}

#[test]
fn a_reconcile_of_an_empty_pool_is_one_list_of_each() {
    let walk = Walk {
        groups: Groups::Sizes(Vec::new()),
        ..Walk::of(&Pool::new(0, 0, 0))
    };
    let usage = reconcile::usage(&walk, &Pool::new(0, 0, 0));
    assert_eq!(usage.get(Meter::ListUsers), 2.0, "the probe's and the walk's");
    assert_eq!(usage.get(Meter::ListGroups), 1.0);
    assert_eq!(usage.get(Meter::ListUsersInGroup), 0.0);
    assert_eq!(
        usage.get(Meter::DescribeUserPool),
        2.0,
        "the plan's and the configuration's"
    );
}

#[test]
fn a_reconcile_of_a_few_users_is_the_probe_and_a_page_for_each_prefix() {
    let pool = Pool::new(100, 0, 0);
    let walk = Walk {
        groups: Groups::Sizes(vec![0, 60, 61, 1]),
        form: Form::Process,
        ..Walk::of(&pool)
    };
    let usage = reconcile::usage(&walk, &pool);
    near(usage.get(Meter::ListUsers), 1.0 + 3.0 + 16.0, 0.001);
    assert_eq!(usage.get(Meter::ListUsersInGroup), 5.0);
    // Runs, groups twice; of 17 walks groups, checkpoints, members and 16 partitions; 15 parts.
    assert_eq!(usage.get(Meter::Query), 3.0 + 17.0 * 19.0 + 15.0);
    assert_eq!(usage.get(Meter::BatchWriteItem), 2.0);
    assert_eq!(usage.get(Meter::Reconciler), 0.0);
    // The lease's beginning and end, the run's end; four lists with three each; each walk's checkpoint, twice; marks, twice.
    assert_eq!(usage.get(Meter::BatchGetItem), 3.0 + 4.0 * 3.0 + 17.0 * 2.0 + 2.0);
}

#[test]
fn the_calls_of_a_big_walk_keep_to_the_promised_bound() {
    for (users, groups) in [(20_000_u64, 100_u64), (500_000, 1), (500_000, 10_000), (1_000_000, 50)] {
        let walk = Walk {
            groups: Groups::Even {
                groups,
                memberships: users,
            },
            ..Walk::of(&Pool::new(users, 0, 0))
        };
        let usage = reconcile::usage(&walk, &Pool::new(users, 0, 0));
        let listed = usage.get(Meter::ListUsers) + usage.get(Meter::ListUsersInGroup);
        let floor = (users as f64 / 60.0) * 2.0;
        let prefixes = if users > 200_000 { 257.0 } else { 17.0 };
        assert!(
            listed >= floor && listed <= floor + groups as f64 + prefixes,
            "{users}: {listed}"
        );
    }
}

#[test]
fn users_who_differ_are_read_and_written_and_those_who_are_gone_looked_for() {
    let pool = Pool::new(1_000, 0, 0);
    let quiet = Walk::of(&pool);
    let drift = Walk {
        created: 5,
        changed: 3,
        disputed: 1,
        deleted: 2,
        groups_written: 1,
        ..quiet.clone()
    };
    let (before, after) = (reconcile::usage(&quiet, &pool), reconcile::usage(&drift, &pool));
    let more = |meter| after.get(meter) - before.get(meter);
    near(more(Meter::ListUsers), 2.0 + 1.0 + 1.0, 1e-9);
    // Created 1 each, changed and deleted 2 each, a group, and what waits for the sweep, in almost two documents.
    assert!(
        (16.0..=18.0).contains(&more(Meter::PutItem)),
        "{}",
        more(Meter::PutItem)
    );
    assert_eq!(pages(&drift) - pages(&quiet), more(Meter::ListUsers));
}

#[test]
fn no_users_cost_only_what_stands() {
    let nobody = Pool {
        groups: 0,
        ..Pool::new(0, 0, 0)
    };
    let (usage, bill) = (nobody.usage(), nobody.bill());
    for meter in [
        Meter::SendMessage,
        Meter::Triggers,
        Meter::Listener,
        Meter::Replicator,
        Meter::DeleteMessageBatch,
        Meter::StorageGb,
        Meter::RecoveryGb,
        Meter::ListUsersInGroup,
    ] {
        assert_eq!(usage.get(meter), 0.0, "{meter:?}");
    }
    // Four keys, the alarms and dashboards of two Regions, the polls of an idle queue; a reconcile that finds nothing is cents.
    let standing = 4.0 + (ALARMS + RECOVERY_ALARMS) * 0.10 + 2.0 * 3.0 + 5.0 * polls() * 0.40 / 1_000_000.0;
    assert!((standing..standing + 0.40).contains(&bill.total), "{}", bill.total);
}

/// Long polls of 20 s in 30.4 days.
fn polls() -> f64 {
    30.4 * 86_400.0 / 20.0
}

#[test]
fn half_a_million_users_of_whom_one_in_a_hundred_changes_daily_are_a_dollar_of_writes() {
    // The reference's own arithmetic: 20,000 puts a day in both Regions at 1 % churn. At two units a put that is 0.76 dollars
    // a month; the end of each old version in the replica makes it 0.95, and index entries 0.99.
    let still = Pool::new(500_000, 0, 0);
    let churn = Pool::new(500_000, 0, 5_000);
    let units = |pool: &Pool| {
        let usage = pool.usage();
        usage.get(Meter::WriteUnits) + usage.get(Meter::ReplicatedWriteUnits)
    };
    let dollars = (units(&churn) - units(&still)) * price::WRITE_TODAY / 1_000_000.0;
    near(dollars, 0.99, 0.01);
    let puts = churn.usage().get(Meter::PutItem) - still.usage().get(Meter::PutItem);
    near(puts * 2.0 / 30.4, 20_000.0, 0.001);
    // Everything of DynamoDB, nightly walk and storage included, against the same of the reference.
    let (ours, theirs) = (
        churn.bill().of_service("DynamoDB"),
        reference::bill(&churn).dynamodb_today,
    );
    assert!(ours < theirs / 5.0, "{ours} against {theirs}");
}

#[test]
fn the_references_documented_figure_follows_from_its_own_parameters() {
    let documented = reference::DOCUMENTED;
    let pool = Pool {
        groups: 1,
        ..Pool::new(documented.users, 0, 0)
    };
    near(
        reference::dynamodb(&pool, reference::PRICES_2024),
        documented.dynamodb,
        0.10,
    );
    assert_eq!(documented.dynamodb + documented.others, documented.total);
    // 60.8 million write units at today's price.
    near(reference::bill(&pool).dynamodb_today, 38.0, 0.03);
}

#[test]
fn measured_and_modelled_agree_within_a_tenth_and_not_beyond() {
    let modelled: Usage = [(Meter::ListUsers, 100.0), (Meter::PutItem, 10.0)]
        .into_iter()
        .collect();
    let measured: Usage = [
        (Meter::ListUsers, 109.0),
        (Meter::PutItem, 12.0),
        (Meter::Query, 0.0),
        (Meter::BatchWriteItem, 1.0),
    ]
    .into_iter()
    .collect();
    let compared = agreement(&measured, &modelled);
    let holds: Vec<(Meter, bool)> = compared.iter().map(|one| (one.operation, one.holds())).collect();
    let expected = [
        (Meter::ListUsers, true),
        (Meter::Query, true),
        (Meter::PutItem, false),
        (Meter::BatchWriteItem, false),
    ];
    assert_eq!(holds, expected);
    assert_eq!(compared[0].ratio, Some(1.09));
    assert_eq!(compared[3].ratio, None);
}

#[test]
fn meters_have_names_of_their_own() {
    for (meter, name) in Meter::ALL {
        assert_eq!((meter.as_str(), Meter::named(name)), (name, Some(meter)));
    }
}

#[test]
fn every_meter_that_costs_something_is_in_the_price_table_once() {
    let priced: Vec<Meter> = price::TODAY
        .iter()
        .flat_map(|price| price.meters.iter().copied())
        .collect();
    for (meter, name) in Meter::ALL {
        let calls = name.starts_with("dynamodb:");
        // An invocation of the listener is an event of EventBridge and a record of CloudTrail as well.
        let times = match meter {
            _ if calls => 0,
            Meter::Listener => 3,
            _ => 1,
        };
        assert_eq!(priced.iter().filter(|other| **other == meter).count(), times, "{name}");
    }
}

#[test]
fn what_no_pool_can_be_is_refused_with_the_fix() {
    let pool = Pool::new(100, 50, 10);
    pool.check().expect("a pool");
    for (pool, says) in [
        (
            Pool {
                monthly_active: 101,
                ..pool.clone()
            },
            "monthly active users: 101 of 100",
        ),
        (
            Pool {
                groups: 10_001,
                ..pool.clone()
            },
            "at most 10000",
        ),
        (
            Pool {
                memberships: 1_001,
                ..pool.clone()
            },
            "at most 1000 in 10 groups",
        ),
        (
            Pool {
                users: 40_000_001,
                ..pool.clone()
            },
            "at most 40000000",
        ),
        (
            Pool {
                sign_ins_per_active_user_per_day: f64::NAN,
                ..pool.clone()
            },
            "sign-ins a day",
        ),
        (
            Pool {
                reconciles_per_month: -1.0,
                ..pool
            },
            "reconciles a month",
        ),
    ] {
        let error = pool.check().expect_err(says);
        assert!(error.what.contains(says), "{}", error.what);
    }
}

/// The bill of 100,000 users, of whom 30,000 sign in and 1,000 change on a day: service, what, quantity, dollars.
#[test]
fn the_bill_of_a_hundred_thousand_users() {
    let bill: Bill = Pool::new(100_000, 30_000, 1_000).bill();
    let lines: Vec<String> = bill
        .lines
        .iter()
        .map(|line| {
            format!(
                "{} | {} | {:.2} {} | {:.4}",
                line.service, line.what, line.quantity, line.unit, line.dollars
            )
        })
        .chain([format!(
            "total {:.2}, above free {:.2}",
            bill.total, bill.total_above_free
        )])
        .collect();
    let golden = include_str!("cost/100000.txt");
    assert_eq!(lines.join("\n") + "\n", golden);
}

fn pools() -> impl Strategy<Value = Pool> {
    let counts = (
        0_u64..600_000,
        0.0_f64..=1.0,
        0_u64..2_000,
        0.0_f64..=1.0,
        0_u64..50_000,
    );
    let rates = (0.0_f64..3.0, 200_u64..6_000, 0_u64..3, 0.0_f64..120.0, 29_u64..400);
    (counts, rates).prop_map(
        |((users, active, groups, joined, changes), (sign_ins, item, replicas, nights, kept))| {
            let most = users * groups.min(5);
            Pool {
                memberships: (most as f64 * joined) as u64,
                groups,
                sign_ins_per_active_user_per_day: sign_ins,
                item_bytes: item,
                replicas,
                reconciles_per_month: nights,
                retention_days: kept,
                ..Pool::new(users, (users as f64 * active) as u64, changes)
            }
        },
    )
}

proptest! {
    #[test]
    fn more_of_anything_never_costs_less(pool in pools(), more in 1_u64..100_000, rate in 0.0_f64..2.0) {
        let (total, theirs) = (pool.bill().total, reference::bill(&pool).dynamodb_today);
        let bigger = [
            ("users", Pool { users: pool.users + more, ..pool.clone() }),
            ("monthly_active", Pool { monthly_active: pool.monthly_active + more, ..pool.clone() }),
            ("memberships", Pool { memberships: pool.memberships + more, groups: pool.groups.max(1), ..pool.clone() }),
            ("groups", Pool { groups: pool.groups + more % 5_000, ..pool.clone() }),
            ("changes_per_day", Pool { changes_per_day: pool.changes_per_day + more, ..pool.clone() }),
            ("sign_ins", Pool { sign_ins_per_active_user_per_day: pool.sign_ins_per_active_user_per_day + rate, ..pool.clone() }),
            ("item_bytes", Pool { item_bytes: pool.item_bytes + more % 10_000, ..pool.clone() }),
            ("replicas", Pool { replicas: pool.replicas + 1, ..pool.clone() }),
            ("reconciles", Pool { reconciles_per_month: pool.reconciles_per_month + rate, ..pool.clone() }),
            ("retention_days", Pool { retention_days: pool.retention_days + more % 365, ..pool }),
        ];
        for (what, bigger) in bigger {
            let bill = bigger.bill();
            // Rounding of the last digits only.
            prop_assert!(bill.total >= total * (1.0 - 1e-12), "{what}: {} after {total}", bill.total);
            prop_assert!(bill.lines.iter().all(|line| line.dollars.is_finite() && line.dollars >= 0.0));
            prop_assert!(reference::bill(&bigger).dynamodb_today >= theirs * (1.0 - 1e-12), "{what}");
        }
    }

    #[test]
    fn a_bigger_share_of_the_quota_is_a_shorter_and_cheaper_walk(pool in pools(), percent in 1_u8..100) {
        let with = |percent| Pool { share: twinpool_shared::quota::Share::new(percent).unwrap(), ..pool.clone() };
        prop_assert!(with(percent + 1).bill().total <= with(percent).bill().total * (1.0 + 1e-12));
    }

    #[test]
    fn allowances_only_ever_take_away(pool in pools()) {
        let bill = pool.bill();
        prop_assert!(bill.total_above_free <= bill.total);
        let sum: f64 = bill.lines.iter().map(|line| line.dollars).sum();
        prop_assert!((sum - bill.total).abs() < 1e-6);
    }
}
