//! The whole life of a deployment: deployed, changed, detached, deleted, and deployed anew over the data that was kept.
//!
//! Users go on living all the while. One local cloud for all of it, and for the rules' patterns.

mod operator;
mod users;

use std::time::Duration;

use aws_sdk_dynamodb::types::Select;
use aws_sdk_sqs::types::QueueAttributeName;
use serde_json::{Value, json};
use twinpool_tests::{
    compare::{self, MfaSettings},
    stack::{Deployment, Failure, Options, PRIMARY, PoolKind, Stack},
};

use self::{
    operator::{deploy, twinpool},
    users::{meanwhile, one_more},
};
use super::rules;

const QUIET_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(120);

async fn ask(stack: &Stack, service: &str, target: &str, input: Value) -> Result<Value, Failure> {
    stack.control.aws_json(PRIMARY, service, target, &input).await
}

/// What the pool is set to, but for what its users change.
async fn settings(stack: &Stack) -> (Value, Value) {
    let pool = json!({"UserPoolId": stack.pools[0].id});
    let cognito = |operation: &str| format!("AWSCognitoIdentityProviderService.{operation}");
    let described = ask(stack, "cognito-idp", &cognito("DescribeUserPool"), pool.clone()).await;
    let mut described = described.expect("DescribeUserPool");
    let members = described["UserPool"].as_object_mut().expect("a pool");
    members.remove("LastModifiedDate");
    members.remove("EstimatedNumberOfUsers");
    let factors = ask(stack, "cognito-idp", &cognito("GetUserPoolMfaConfig"), pool).await;
    (described, factors.expect("GetUserPoolMfaConfig"))
}

/// What tells a queue, table and key from another one of the same name.
#[derive(Debug, PartialEq, Eq)]
struct Physical {
    queue: (String, String),
    tables: Vec<String>,
    key: String,
}

async fn physical(stack: &Stack) -> Physical {
    let queue = stack.sqs.get_queue_attributes().queue_url(&stack.deployment.queue_url);
    let queue = queue.attribute_names(QueueAttributeName::CreatedTimestamp).send().await;
    let created = queue.expect("GetQueueAttributes").attributes.unwrap_or_default();
    let mut tables = Vec::new();
    for client in [&stack.dynamodb, &stack.dynamodb_recovery] {
        let table = client.describe_table().table_name(&stack.deployment.table).send().await;
        let table = table.expect("DescribeTable").table.expect("a table");
        assert_eq!(table.deletion_protection_enabled, Some(true), "not protected");
        tables.push(table.table_id.expect("an id"));
    }
    let aliases = ask(stack, "kms", "TrentService.ListAliases", json!({}))
        .await
        .expect("ListAliases");
    let wanted = format!("alias/{}", stack.deployment.stack);
    let aliases = aliases["Aliases"].as_array().cloned().unwrap_or_default();
    let alias = aliases.into_iter().find(|alias| alias["AliasName"] == wanted.as_str());
    let key = alias.and_then(|alias| Some(alias["TargetKeyId"].as_str()?.to_owned()));
    Physical {
        queue: (
            stack.deployment.queue_url.clone(),
            created[&QueueAttributeName::CreatedTimestamp].clone(),
        ),
        tables,
        key: key.expect("the stack's key"),
    }
}

/// A key, as DescribeKey shows it.
async fn key(stack: &Stack, id: &str) -> Value {
    let key = ask(stack, "kms", "TrentService.DescribeKey", json!({"KeyId": id})).await;
    key.expect("DescribeKey")["KeyMetadata"].clone()
}

/// Pool and backup say the same, in both Regions, and nothing is parked; how many users there are.
async fn agrees(stack: &Stack) -> usize {
    stack.drained(QUIET_WITHIN).await.expect("the changes arrive");
    assert_eq!(
        stack.parked().await.expect("the dead-letter queue"),
        0,
        "changes are parked"
    );
    let found = compare::compare(stack, &[], MfaSettings::Skipped)
        .await
        .expect("a comparison");
    let named = found
        .differences
        .iter()
        .map(|one| format!("{}: {}", one.subject, one.what));
    let named: Vec<String> = named.collect();
    assert!(named.is_empty(), "{named:?}");
    found.users
}

/// How many items the table has in each Region.
async fn items(stack: &Stack) -> Vec<i32> {
    let mut counts = Vec::new();
    for client in [&stack.dynamodb, &stack.dynamodb_recovery] {
        let scan = client.scan().table_name(&stack.deployment.table).select(Select::Count);
        let mut pages = scan.into_paginator().send();
        let mut count = 0;
        while let Some(page) = pages.next().await {
            count += page.expect("Scan").count;
        }
        counts.push(count);
    }
    counts
}

/// The parameters that the second deployment changes have arrived where they are used.
async fn changed(stack: &Stack) {
    let queue = stack.sqs.get_queue_attributes().queue_url(&stack.deployment.queue_url);
    let queue = queue.attribute_names(QueueAttributeName::RedrivePolicy).send().await;
    let attributes = queue.expect("GetQueueAttributes").attributes.unwrap_or_default();
    let redrive: Value = serde_json::from_str(&attributes[&QueueAttributeName::RedrivePolicy]).expect("JSON");
    assert_eq!(
        redrive["maxReceiveCount"].to_string().trim_matches('"'),
        "7",
        "{redrive}"
    );
    for (function, variable, value) in [
        ("replicator", "TWINPOOL_MAX_RECEIVES", "7"),
        ("reconciler", "TWINPOOL_QUOTA_SHARE", "60"),
    ] {
        let arn = &stack.deployment.functions[function];
        let configuration = stack
            .lambda
            .get_function_configuration()
            .function_name(arn)
            .send()
            .await;
        let variables = configuration.expect("GetFunctionConfiguration").environment;
        let variables = variables.and_then(|set| set.variables).unwrap_or_default();
        assert_eq!(
            variables.get(variable).map(String::as_str),
            Some(value),
            "{function} {variable}"
        );
    }
    let groups = json!({"logGroupNamePrefix": "/aws/lambda/twinpool-replicator"});
    let groups = ask(stack, "logs", "Logs_20140328.DescribeLogGroups", groups)
        .await
        .expect("DescribeLogGroups");
    assert_eq!(groups["logGroups"][0]["retentionInDays"], 30, "{groups}");
}

/// Nothing of the stack is there but what it retains: the table, whole and protected, and the key.
async fn only_data_is_left(stack: &Stack, before: (&Physical, &[i32])) {
    let functions = stack.lambda.list_functions().send().await.expect("ListFunctions");
    let functions = functions.functions.unwrap_or_default();
    assert!(functions.is_empty(), "functions are left: {functions:?}");
    let queues = stack.sqs.list_queues().send().await.expect("ListQueues").queue_urls;
    assert!(queues.unwrap_or_default().is_empty(), "queues are left");
    let rules = ask(stack, "events", "AWSEvents.ListRules", json!({}))
        .await
        .expect("ListRules");
    assert_eq!(rules["Rules"], json!([]), "rules are left");

    for (client, id) in [&stack.dynamodb, &stack.dynamodb_recovery]
        .into_iter()
        .zip(&before.0.tables)
    {
        let table = client.describe_table().table_name(&stack.deployment.table).send().await;
        let table = table.expect("DescribeTable").table.expect("the table is kept");
        assert_eq!(table.table_id.as_ref(), Some(id), "another table");
        let deleting = client.delete_table().table_name(&stack.deployment.table).send().await;
        assert!(deleting.is_err(), "it is not protected");
    }
    assert_eq!(items(stack).await, before.1, "not all of the data");
    assert_eq!(
        key(stack, &before.0.key).await["KeyState"],
        "Enabled",
        "the data cannot be read"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_is_changed_detached_deleted_and_made_anew_over_its_data_and_no_change_is_lost() {
    let mut stack = Stack::start(Options {
        name: "life".into(),
        pools: vec![PoolKind::Username],
        attach_triggers: false,
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    rules::bring_every_change(&stack).await;
    let before = settings(&stack).await;
    twinpool(&stack, "attach", "twinpool").await;
    assert_ne!(settings(&stack).await, before, "nothing was attached");

    let made = physical(&stack).await;
    let change = [
        "--max-receive-count=7",
        "--quota-share=60",
        "--parameter=LogRetentionDays=30",
        "--parameter=AlarmEmail=team@example.com",
    ];
    let (came, _) = meanwhile(&stack, 0, deploy(&stack, &change)).await;
    assert!(came > 5, "only {came} users came while it was deployed again");
    assert_eq!(agrees(&stack).await, came);
    changed(&stack).await;
    assert_eq!(physical(&stack).await, made, "something with data was replaced");
    let key_arn = key(&stack, &made.key).await["Arn"].as_str().expect("an ARN").to_owned();
    rules::tell_when_the_key_is_at_risk(&stack, &key_arn).await;

    twinpool(&stack, "detach", "twinpool").await;
    assert_eq!(settings(&stack).await, before, "the pool is not as it was");
    stack.drained(QUIET_WITHIN).await.expect("the last changes arrive");
    let kept = items(&stack).await;
    deploy(&stack, &["--delete", "--keep-data"]).await;
    only_data_is_left(&stack, (&made, &kept)).await;
    // Nobody listens, and nobody's sign-up fails.
    one_more(&stack, came).await;

    let table = stack
        .dynamodb
        .describe_table()
        .table_name(&stack.deployment.table)
        .send()
        .await;
    let table = table
        .expect("DescribeTable")
        .table
        .and_then(|table| table.table_arn)
        .expect("an ARN");
    let (table, key) = (
        format!("--parameter=ExistingTableArn={table}"),
        format!("--parameter=ExistingTableKeyArn={key_arn}"),
    );
    let anew = deploy(&stack, &["--stack=second", &table, &key]).await;
    let anew: Deployment = serde_json::from_str(&anew).expect("the deployer's answer");
    assert_eq!(anew.table, stack.deployment.table, "another table");
    let tables = stack.dynamodb.list_tables().send().await.expect("ListTables");
    assert_eq!(
        tables.table_names(),
        [anew.table.as_str()],
        "a table beside the one that was brought"
    );
    stack.deployment = anew;
    twinpool(&stack, "attach", "second").await;
    one_more(&stack, came + 1).await;
    stack.drained(QUIET_WITHIN).await.expect("the changes arrive");
    // The records of before are used: the reconcile finds the one user whom nobody heard of, and no other.
    let reconciled = stack.reconcile(&json!({}), ENDS_WITHIN).await.expect("an execution");
    assert!(reconciled.succeeded(), "{}", reconciled.cause);
    let figures = reconciled.of(&stack.pools[0].id);
    assert_eq!(
        (&figures["users"], &figures["drift_found"]),
        (&json!(came + 2), &json!(1)),
        "{figures}"
    );
    assert_eq!(agrees(&stack).await, came + 2);
}
