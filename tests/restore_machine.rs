//! Drill and restore as they are deployed: state machines, function and table in the recovery Region, while the primary one is
//! refused.
//!
//! Every CloudTrail event is dropped and no trigger attached: the backup is what one reconcile wrote.

use std::{collections::BTreeMap, time::Duration};

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::config::Region;
use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use twinpool_tests::{
    restoring::portrait::{Face, Portrait},
    stack::{Failure, Options, PRIMARY, PoolKind, RECOVERY, Stack},
    stand_ins::Cognito,
};

const GROUPS: [&str; 2] = ["readers", "staff"];
/// Three chunks. The quotas alone make them longer than an invocation lasts that is as short as below, and two of them, which a
/// lane has at work, shorter.
const USERS: usize = 260;
/// Of it five seconds are kept for answering.
const INVOCATION_SECONDS: i32 = 20;
const ENDS_WITHIN: Duration = Duration::from_secs(240);
const QUIET_WITHIN: Duration = Duration::from_secs(30);

fn pool(stack: &Stack) -> &str {
    &stack.pools[0].id
}

async fn by_hand(stack: &Stack, operation: &str, mut input: Value) -> Result<Value, Failure> {
    input["UserPoolId"] = json!(pool(stack));
    stack.control.by_hand(operation, Some(PRIMARY), input).await
}

/// Creates users, each a member of one group, every tenth disabled.
async fn populate(stack: &Stack) {
    for name in GROUPS {
        by_hand(stack, "CreateGroup", json!({"GroupName": name}))
            .await
            .expect("a group");
    }
    let users = stream::iter(0..USERS).map(|number| async move {
        let name = format!("user-{number:03}");
        let email = json!([
            {"Name": "email", "Value": format!("{name}@example.com")}, {"Name": "email_verified", "Value": "true"},
        ]);
        let user = json!({"Username": name, "UserAttributes": email, "MessageAction": "SUPPRESS"});
        by_hand(stack, "AdminCreateUser", user).await?;
        let password = json!({"Username": name, "Password": "Correct-horse-1", "Permanent": true});
        by_hand(stack, "AdminSetUserPassword", password).await?;
        let member = json!({"Username": name, "GroupName": GROUPS[number % GROUPS.len()]});
        by_hand(stack, "AdminAddUserToGroup", member).await?;
        if number % 10 == 0 {
            by_hand(stack, "AdminDisableUser", json!({"Username": name})).await?;
        }
        Ok::<_, Failure>(())
    });
    users.buffered(8).try_collect::<()>().await.expect("users");
}

async fn shorten_invocations(stack: &Stack) {
    let config = stack.lambda.config().to_builder().region(Region::new(RECOVERY)).build();
    let lambda = aws_sdk_lambda::Client::from_conf(config);
    let update = lambda
        .update_function_configuration()
        .function_name("twinpool-recovery-importer")
        .timeout(INVOCATION_SECONDS);
    update.send().await.expect("UpdateFunctionConfiguration");
}

/// The pools of the recovery Region.
async fn rebuilt(recovery: &Cognito) -> Vec<String> {
    let listed = recovery.must("ListUserPools", json!({"MaxResults": 60})).await;
    let pools = listed["UserPools"].as_array().into_iter().flatten();
    pools
        .filter_map(|pool| pool["Id"].as_str().map(str::to_owned))
        .collect()
}

/// Sort keys of what imports of the pool noted for themselves, in the recovery Region; without the lease and their register.
async fn notes(stack: &Stack) -> Vec<String> {
    let pk = AttributeValue::S(format!("{}#import", pool(stack)));
    let query = stack.dynamodb_recovery.query().table_name(&stack.deployment.table);
    let query = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", pk);
    let found = query.consistent_read(true).send().await.expect("Query");
    let keys = found.items().iter().filter_map(|item| item["sk"].as_s().ok().cloned());
    keys.filter(|sk| sk != "lease" && sk != "imports").collect()
}

/// Users as a copy has them: the `sub` is its own.
fn faces(portrait: &Portrait) -> BTreeMap<String, Face> {
    let users = portrait.users.iter().map(|(first, face)| {
        let face = Face {
            sub: String::new(),
            ..face.clone()
        };
        (first.clone(), face)
    });
    users.collect()
}

#[track_caller]
fn assert_figures(output: &Value) {
    let applied = &output["applied"];
    let users = json!(USERS);
    assert_eq!(
        (&applied["users"], &applied["memberships"]),
        (&users, &users),
        "{output}"
    );
    assert_eq!(
        (&applied["failed_users"], &applied["settings_failed"]),
        (&json!(0), &json!(0)),
        "{output}"
    );
    assert_eq!(output["verified"]["differences_unexpected"], json!(0), "{output}");
    let text = output.to_string();
    assert!(!text.contains("user-0") && !text.contains("example.com"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_rebuilds_verifies_and_removes_and_a_restore_rebuilds_the_same_and_leaves_it() {
    let silent = json!({"trail": {"drop_percent": 100}});
    let stack = Stack::start(Options {
        name: "restore-machine".into(),
        pools: vec![PoolKind::Username],
        config: silent.clone(),
        attach_triggers: false,
        recovery: true,
        ..Options::default()
    });
    let stack = stack.await.expect("the stack starts");
    populate(&stack).await;
    let reconciled = stack.reconcile(&json!({}), ENDS_WITHIN).await.expect("an execution");
    assert!(reconciled.succeeded(), "{}", reconciled.cause);
    stack.drained(QUIET_WITHIN).await.expect("the replicas are in step");
    let lost = Portrait::of(&Cognito::new(stack.endpoint()), pool(&stack)).await;
    assert_eq!(lost.users.len(), USERS);
    shorten_invocations(&stack).await;
    let mut config = silent;
    config["faults"] = json!([{"kind": "refuse_region", "region": PRIMARY}]);
    stack.configure(config).await.expect("the primary is refused");
    stack.control.reset_counters().await.expect("counters");
    let recovery = Cognito::in_region(stack.endpoint(), RECOVERY);

    let order = json!({"pool": pool(&stack)});
    let drill = stack.drill(&order, ENDS_WITHIN).await.expect("an execution");
    assert!(drill.succeeded(), "{}", drill.cause);
    assert_figures(&drill.output);
    assert_eq!(drill.output["removed"], json!(true), "{}", drill.output);
    let applies = stack.entered(&drill.arn, "Apply").await.expect("a history");
    assert!(applies > 1, "one invocation was enough: nothing was gone on with");
    assert_eq!(
        rebuilt(&recovery).await,
        Vec::<String>::new(),
        "the drill's pool is left"
    );
    assert_eq!(notes(&stack).await, Vec::<String>::new(), "the drill's notes are left");

    let restore = stack.restore(&order, ENDS_WITHIN).await.expect("an execution");
    assert!(restore.succeeded(), "{}", restore.cause);
    assert_figures(&restore.output);
    assert_eq!(restore.output["removed"], Value::Null, "{}", restore.output);
    let there = rebuilt(&recovery).await;
    assert_eq!(json!(there), json!([restore.output["applied"]["pool"]]));
    let portrait = Portrait::of(&recovery, &there[0]).await;
    assert_eq!(portrait.doubles, Vec::<String>::new());
    assert_eq!(faces(&portrait), faces(&lost));

    let again = json!({"pool": pool(&stack), "plan": restore.output["plan"]});
    let again = stack.restore(&again, ENDS_WITHIN).await.expect("an execution");
    assert!(again.succeeded(), "{}", again.cause);
    assert_figures(&again.output);
    assert_eq!(rebuilt(&recovery).await, there, "the same plan made another pool");

    for (order, told) in [
        (json!({"pool": pool(&stack), "user": "csv"}), "`user`"),
        (json!({"pool": pool(&stack), "plan": "none"}), "(not_found)"),
        (json!({"pool": "us-east-1_NotOurs1"}), "(other_pool)"),
    ] {
        let refused = stack.restore(&order, ENDS_WITHIN).await.expect("an execution");
        assert_eq!(refused.status, "FAILED");
        assert!(refused.cause.contains(told), "{}", refused.cause);
    }
    assert_eq!(rebuilt(&recovery).await, there);
    // It would remove at the end what a restore made.
    let taken_over = json!({"pool": pool(&stack), "plan": restore.output["plan"]});
    let taken_over = stack.drill(&taken_over, ENDS_WITHIN).await.expect("an execution");
    assert_eq!(taken_over.status, "FAILED");
    assert!(taken_over.cause.contains("of a restore"), "{}", taken_over.cause);
    assert_eq!(rebuilt(&recovery).await, there);
    assert!(!notes(&stack).await.is_empty(), "the sub map of the restore is gone");
    let counters = stack.control.counters().await.expect("counters");
    assert_eq!((counters.mails, counters.sms), (0, 0), "nobody is told of any of it");
}
