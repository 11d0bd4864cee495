//! The reconcile as it is deployed: Scheduler, state machine, function and table, with the pool on the local cloud.
//!
//! Every CloudTrail event is dropped and no trigger attached, so that nothing but the reconcile can have written.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use aws_sdk_dynamodb::types::AttributeValue;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use twinpool_shared::{item::user_key, personal::Sub};
use twinpool_tests::{
    compare::{self, Deleted, MfaSettings},
    stack::{Execution, Failure, Options, PRIMARY, PoolKind, Stack},
};

const GROUPS: [&str; 3] = ["readers", "staff", "writers"];
const ENDS_WITHIN: Duration = Duration::from_secs(180);
const QUIET_WITHIN: Duration = Duration::from_secs(30);

fn silent() -> Value {
    json!({"trail": {"drop_percent": 100}})
}

async fn start(name: &str, schedule: Option<&str>) -> Stack {
    let options = Options {
        name: name.into(),
        pools: vec![PoolKind::Username],
        config: silent(),
        attach_triggers: false,
        quota_share_percent: 100,
        reconcile_schedule: schedule.map(str::to_owned),
        ..Options::default()
    };
    Stack::start(options).await.expect("the stack starts")
}

fn pool(stack: &Stack) -> &str {
    &stack.pools[0].id
}

/// Creates users, each of them a member of one group, and returns their subs.
async fn populate(stack: &Stack, count: usize) -> Vec<Sub> {
    let pool = pool(stack);
    for name in GROUPS {
        let group = json!({"UserPoolId": pool, "GroupName": name});
        by_hand(stack, "CreateGroup", group).await.expect("a group");
    }
    let users = stream::iter(0..count).map(|number| async move {
        let name = format!("user-{number:03}");
        let email = json!([{"Name": "email", "Value": format!("{name}@example.com")}]);
        let user = json!({"UserPoolId": pool, "Username": name, "UserAttributes": email, "MessageAction": "SUPPRESS"});
        let answer = by_hand(stack, "AdminCreateUser", user).await?;
        let member = json!({"UserPoolId": pool, "Username": name, "GroupName": GROUPS[number % GROUPS.len()]});
        by_hand(stack, "AdminAddUserToGroup", member).await?;
        let attributes = answer["User"]["Attributes"].as_array().into_iter().flatten();
        let mut subs = attributes
            .filter(|one| one["Name"] == "sub")
            .filter_map(|one| Sub::new(one["Value"].as_str()?));
        subs.next()
            .ok_or_else(|| Failure("AdminCreateUser answered no sub".to_owned()))
    });
    users.buffered(8).try_collect().await.expect("users")
}

async fn by_hand(stack: &Stack, operation: &str, input: Value) -> Result<Value, Failure> {
    stack.control.by_hand(operation, Some(PRIMARY), input).await
}

async fn delete_user(stack: &Stack, number: usize) {
    let user = json!({"UserPoolId": pool(stack), "Username": format!("user-{number:03}")});
    by_hand(stack, "AdminDeleteUser", user).await.expect("AdminDeleteUser");
}

async fn reconcile(stack: &Stack, input: Value) -> Execution {
    stack.reconcile(&input, ENDS_WITHIN).await.expect("an execution")
}

/// What a reconcile that has to succeed came to.
async fn reconciled(stack: &Stack, input: Value) -> Value {
    let execution = reconcile(stack, input).await;
    assert!(execution.succeeded(), "{}: {}", execution.status, execution.cause);
    execution.of(pool(stack))
}

async fn agrees(stack: &Stack, deleted: &[Deleted]) {
    stack.drained(QUIET_WITHIN).await.expect("the replicas are in step");
    let found = compare::compare(stack, deleted, MfaSettings::Skipped)
        .await
        .expect("a comparison");
    let named: Vec<String> = found
        .differences
        .iter()
        .map(|one| format!("{}: {}", one.subject, one.what))
        .collect();
    assert!(named.is_empty(), "{named:?}");
}

type Item = HashMap<String, AttributeValue>;

/// Every item of a user or group, by its keys; what runs note for themselves is left out.
async fn records(stack: &Stack) -> BTreeMap<(String, String), Item> {
    let scan = stack
        .dynamodb
        .scan()
        .table_name(&stack.deployment.table)
        .consistent_read(true);
    let pages: Vec<Item> = scan.into_paginator().items().send().try_collect().await.expect("Scan");
    let text = |item: &Item, name: &str| item[name].as_s().expect("a text").clone();
    let keyed = pages
        .into_iter()
        .map(|item| ((text(&item, "pk"), text(&item, "sk")), item));
    keyed.filter(|((pk, _), _)| !pk.ends_with("#run")).collect()
}

async fn remove_by_hand(stack: &Stack, sub: &Sub) {
    let key = user_key(pool(stack), sub);
    let deleting = stack.dynamodb.delete_item().table_name(&stack.deployment.table);
    let deleting = deleting
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk));
    deleting.send().await.expect("DeleteItem");
}

#[tokio::test(flavor = "multi_thread")]
async fn executions_fill_an_empty_backup_then_write_nothing_then_mend_what_was_lost_and_one_runs_at_a_time() {
    let stack = start("state-machine", None).await;
    let subs = populate(&stack, 70).await;

    let first = reconciled(&stack, json!({})).await;
    assert_eq!(
        (&first["users"], &first["drift_left"]),
        (&json!(70), &json!(0)),
        "{first}"
    );
    agrees(&stack, &[]).await;
    let filled = records(&stack).await;
    assert!(
        filled.keys().any(|(_, sk)| sk.starts_with("config#")),
        "the configuration was not captured"
    );

    let second = reconciled(&stack, json!({})).await;
    assert_eq!(
        (&second["writes"], &second["drift_found"]),
        (&json!(0), &json!(0)),
        "{second}"
    );
    assert!(records(&stack).await == filled, "an unchanged pool changed the backup");

    let both = tokio::join!(reconcile(&stack, json!({})), reconcile(&stack, json!({})));
    let (held, done) = if both.0.succeeded() { (both.1, both.0) } else { both };
    assert!(done.succeeded(), "{}", done.cause);
    assert_eq!(held.status, "FAILED", "two runs at the same time");
    assert!(
        held.cause.starts_with(pool(&stack)) && held.cause.contains("(held)"),
        "{}",
        held.cause
    );

    remove_by_hand(&stack, &subs[3]).await;
    delete_user(&stack, 4).await;
    let third = reconciled(&stack, json!({"pools": [pool(&stack)]})).await;
    assert_eq!(
        (&third["drift_found"], &third["drift_left"]),
        (&json!(2), &json!(0)),
        "{third}"
    );
    assert_eq!(third["deleted"], json!(1), "{third}");
    let buried = Deleted {
        pool: pool(&stack).to_owned(),
        sub: subs[4].to_string(),
        was_seen: true,
    };
    agrees(&stack, &[buried]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_guard_waits_for_an_operator_and_a_pool_that_fails_does_not_stop_the_others() {
    let stack = start("state-machine-guard", None).await;
    let pool = pool(&stack).to_owned();
    let subs = populate(&stack, 40).await;

    // The pool that is not configured comes first, and the execution fails for it; the other one is reconciled all the same.
    let mixed = reconcile(&stack, json!({"pools": ["us-east-1_NotOurs1", pool]})).await;
    assert_eq!(mixed.status, "FAILED");
    assert!(
        mixed.cause.starts_with("us-east-1_NotOurs1: ") && mixed.cause.contains("(other_pool)"),
        "{}",
        mixed.cause
    );
    assert!(!mixed.cause.contains(&format!("{pool}: ")), "{}", mixed.cause);
    agrees(&stack, &[]).await;

    for number in 0..25 {
        delete_user(&stack, number).await;
    }
    let refused = reconciled(&stack, json!({})).await;
    assert!(refused["guard"].is_string(), "{refused}");
    assert_eq!(
        (&refused["deleted"], &refused["drift_left"]),
        (&json!(0), &json!(25)),
        "{refused}"
    );

    let unnamed = reconcile(&stack, json!({"allow_deletes": 25})).await;
    assert_eq!(unnamed.status, "FAILED");
    assert!(
        unnamed.cause.starts_with("allow_deletes needs pools"),
        "{}",
        unnamed.cause
    );

    let allowed = reconciled(&stack, json!({"pools": [pool], "allow_deletes": 25})).await;
    assert_eq!(
        (&allowed["deleted"], &allowed["guard"]),
        (&json!(25), &Value::Null),
        "{allowed}"
    );
    let deleted = subs[..25].iter().map(|sub| Deleted {
        pool: pool.clone(),
        sub: sub.to_string(),
        was_seen: true,
    });
    agrees(&stack, &deleted.collect::<Vec<_>>()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_schedule_starts_a_reconcile_of_every_pool() {
    // The local Scheduler starts at once what was due before it was created.
    let stack = start("state-machine-schedule", Some("at(2026-01-01T03:00:00)")).await;
    let started = async {
        loop {
            if let Some(arn) = stack.reconciles().await.expect("ListExecutions").pop() {
                return arn;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let arn = tokio::time::timeout(QUIET_WITHIN, started)
        .await
        .expect("an execution starts");
    let ended = async {
        loop {
            let execution = stack.execution(&arn).await.expect("DescribeExecution");
            if execution.status != "RUNNING" {
                return execution;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    };
    let execution = tokio::time::timeout(ENDS_WITHIN, ended).await.expect("it ends");
    assert!(execution.succeeded(), "{}", execution.cause);
    assert_eq!(execution.of(pool(&stack))["users"], json!(0));
}
