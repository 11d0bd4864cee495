//! Nothing is lost: faults of every kind that a wire has, and kills at moments nobody chose.
//!
//! Each run prints its seed; `TWINPOOL_SEED` repeats one.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use twinpool_tests::{
    compare::{self, Deleted, MfaSettings, What},
    life::{Draw, Lives},
    runtime_host::{Function, Outcome},
    stack::{Options, Stack},
    telemetry::changes_not_sent,
};

const DRAINED_WITHIN: Duration = Duration::from_secs(240);
const OPERATIONS: u64 = 2_000;
const KILLS: u32 = 20;

#[expect(
    clippy::disallowed_methods,
    reason = "a test repeats the run that its environment names"
)]
pub(crate) fn seed(test: &str) -> u64 {
    let chosen = std::env::var("TWINPOOL_SEED")
        .ok()
        .map(|text| text.parse().expect("TWINPOOL_SEED is a number"));
    let seed = chosen.unwrap_or_else(|| u64::from(std::process::id()));
    eprintln!("{test}: TWINPOOL_SEED={seed} repeats this run");
    seed
}

async fn differences(stack: &Stack, deleted: &[Deleted]) -> Vec<String> {
    let found = compare::compare(stack, deleted, MfaSettings::Skipped)
        .await
        .expect("a comparison");
    found
        .differences
        .iter()
        .map(|d| format!("{} {}: {}", d.pool, d.subject, d.what))
        .collect()
}

/// 5 % throttles, 2 % 5xx and 2 % lost answers on every call of Twinpool's, messages doubled, delayed and out of order,
/// CloudTrail records likewise, and lists that lag behind.
fn faults(seed: u64) -> Value {
    let mut rules = Vec::new();
    let reads = [
        ("cognito", "ListUsers"),
        ("cognito", "AdminListGroupsForUser"),
        ("cognito", "GetGroup"),
    ];
    let calls = [
        ("dynamodb", "BatchGetItem"),
        ("dynamodb", "PutItem"),
        ("dynamodb", "GetItem"),
        ("dynamodb", "UpdateItem"),
    ];
    for (service, operation) in reads.into_iter().chain(calls).chain([("sqs", "SendMessage")]) {
        for (kind, percent) in [("throttle", 5), ("http500", 2), ("lost_response", 2)] {
            rules.push(json!({"service": service, "operation": operation, "kind": kind, "percent": percent}));
        }
    }
    rules.push(json!({"service": "cognito", "operation": "ListUsers", "kind": "empty_page", "percent": 2}));
    json!({
        "stale_list_ms": 1_500,
        "trail": {"delay_ms": [0, 2_000], "duplicate_percent": 10, "drop_percent": 0},
        "sqs": {"duplicate_percent": 5, "delay_percent": 15, "delay_seconds_max": 3},
        "quotas": {"enabled": false},
        "faults": rules,
        "seed": seed
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_operations_under_faults_end_in_a_true_backup() {
    let seed = seed("faults");
    let options = Options {
        name: "faults".into(),
        max_receive_count: 10,
        visibility_timeout_seconds: 6,
        ..Options::default()
    };
    let stack = Stack::start(options).await.expect("the stack starts");
    stack.configure(faults(seed)).await.expect("faults");
    let mut lives = Lives::new(seed);
    let begun = Instant::now();
    lives.run(&stack, 250, OPERATIONS, 12).await.expect("lives");
    eprintln!("{} operations in {} s", lives.made().total(), begun.elapsed().as_secs());
    assert!(lives.made().total() >= OPERATIONS);
    stack.drained(DRAINED_WITHIN).await.expect("drained under faults");

    let letters = stack.dead_letters().await.expect("dead letters");
    // Lambda's own envelope carries its reason inside; everything else was parked by the replicator.
    let nameless: Vec<_> = letters
        .iter()
        .filter(|l| l.reason.is_none() && !l.body.contains("requestContext"))
        .collect();
    assert!(nameless.is_empty(), "{} dead letters have no reason", nameless.len());
    stack
        .configure(json!({"quotas": {"enabled": false}}))
        .await
        .expect("no more faults");
    if !letters.is_empty() {
        eprintln!(
            "{} parked: {:?}",
            letters.len(),
            letters.iter().filter_map(|l| l.reason.clone()).collect::<BTreeSet<_>>()
        );
        stack.redrive().await.expect("redrive");
        stack.drained(DRAINED_WITHIN).await.expect("drained after the redrive");
        assert_eq!(stack.parked().await.expect("parked"), 0, "a redrive settles everything");
    }
    // A trigger gives up after a second, and lets the user through. What it carried is gone with a user who is deleted before
    // anything else tells of them, and of no other difference is that a reason.
    let (bare, left): (Vec<_>, Vec<_>) = differences(&stack, lives.deleted())
        .await
        .into_iter()
        .partition(|one| one.ends_with(&What::SnapshotMissing.to_string()));
    assert!(left.is_empty(), "{} differences: {left:#?}", left.len());
    let not_sent = changes_not_sent(&stack).await.expect("logs");
    eprintln!(
        "{} tombstones without a snapshot, {not_sent} changes not sent",
        bare.len()
    );
    assert!(bare.len() <= not_sent, "{bare:#?}");
    let counters = stack.control.counters().await.expect("counters");
    for kind in ["throttle", "http500", "lost_response"] {
        let fired: u64 = counters
            .faults_fired
            .iter()
            .filter(|(name, _)| name.contains(kind))
            .map(|(_, n)| *n)
            .sum();
        assert!(fired > 0, "{kind} never fired: {:?}", counters.faults_fired);
    }
    assert!(counters.trail.duplicated > 0);
}

/// Plays Lambda's event source mapping by hand, so that the replicator can be killed at any moment of a batch.
#[tokio::test(flavor = "multi_thread")]
async fn twenty_kills_in_the_middle_of_batches_lose_and_double_nothing() {
    let seed = seed("kills");
    let stack = Stack::start(Options {
        name: "kills".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let mapping = stack
        .lambda
        .update_event_source_mapping()
        .uuid(&stack.deployment.event_source_mapping)
        .enabled(false);
    mapping.send().await.expect("the mapping is switched off");
    let mut lives = Lives::new(seed);
    lives.run(&stack, 60, 400, 8).await.expect("lives");

    let pools: Vec<&str> = stack.pools.iter().map(|pool| pool.id.as_str()).collect();
    let function = Function::new("replicator")
        .with("AWS_ENDPOINT_URL", stack.endpoint())
        .with("TWINPOOL_QUEUE_URL", &stack.deployment.queue_url)
        .with("TWINPOOL_DLQ_URL", &stack.deployment.dlq_url)
        .with("TWINPOOL_TABLE", &stack.deployment.table)
        .with("TWINPOOL_MAX_RECEIVES", "1000")
        .with("TWINPOOL_POOLS", pools.join(","));
    let mut host = function.start().await;
    host.ready().await.expect("the replicator starts");
    let mut draw = Draw::new(seed);
    let (mut killed, mut idle) = (0, 0);
    while idle < 6 {
        let receive = stack
            .sqs
            .receive_message()
            .queue_url(&stack.deployment.queue_url)
            .max_number_of_messages(10);
        let receive = receive.visibility_timeout(4).wait_time_seconds(1);
        let receive = receive
            .message_system_attribute_names(aws_sdk_sqs::types::MessageSystemAttributeName::ApproximateReceiveCount);
        let batch = receive
            .send()
            .await
            .expect("ReceiveMessage")
            .messages
            .unwrap_or_default();
        if batch.is_empty() {
            idle = if stack.messages_under_way().await.expect("count") == 0 {
                idle + 1
            } else {
                0
            };
            continue;
        }
        idle = 0;
        let records: Vec<Value> = batch
            .iter()
            .map(|m| {
                let count = m
                    .attributes
                    .as_ref()
                    .and_then(|a| a.values().next().cloned())
                    .unwrap_or_else(|| "1".into());
                json!({"messageId": m.message_id, "receiptHandle": m.receipt_handle, "body": m.body,
                    "attributes": {"ApproximateReceiveCount": count}, "eventSource": "aws:sqs"})
            })
            .collect();
        let payload = json!({"Records": records}).to_string();
        if killed < KILLS {
            let moment = Duration::from_millis(2 + draw.below(40));
            let invoked = tokio::time::timeout(moment, host.invoke(payload)).await;
            if invoked.is_err() {
                killed += 1;
                host.respawn().await;
                host.ready().await.expect("the replicator starts again");
                continue;
            }
            acknowledge(&stack, &batch, invoked.expect("in time").outcome).await;
        } else {
            let answer = host.invoke(payload).await;
            acknowledge(&stack, &batch, answer.outcome).await;
        }
    }
    assert_eq!(killed, KILLS, "the queue was empty before all kills were made");
    let left = differences(&stack, lives.deleted()).await;
    assert!(left.is_empty(), "{} differences: {left:#?}", left.len());
    no_gap_in_any_history(&stack).await;
}

async fn acknowledge(stack: &Stack, batch: &[aws_sdk_sqs::types::Message], outcome: Outcome) {
    let Outcome::Response(body) = outcome else { return };
    let answer: Value = serde_json::from_slice(&body).expect("a batch response");
    let failures = answer["batchItemFailures"].as_array().cloned().unwrap_or_default();
    let failed: BTreeSet<&str> = failures.iter().filter_map(|f| f["itemIdentifier"].as_str()).collect();
    for message in batch {
        if !failed.contains(message.message_id.as_deref().unwrap_or_default()) {
            let receipt = message.receipt_handle.clone().unwrap_or_default();
            let delete = stack
                .sqs
                .delete_message()
                .queue_url(&stack.deployment.queue_url)
                .receipt_handle(receipt);
            delete.send().await.expect("DeleteMessage");
        }
    }
}

/// Every user's superseded versions are 1, 2, ... up to the one before the current: none lost, none twice.
async fn no_gap_in_any_history(stack: &Stack) {
    let mut versions: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut current: BTreeMap<String, u64> = BTreeMap::new();
    let mut start = None;
    loop {
        let scan = stack
            .dynamodb
            .scan()
            .table_name(&stack.deployment.table)
            .set_exclusive_start_key(start)
            .send()
            .await;
        let page = scan.expect("Scan");
        for item in page.items.unwrap_or_default() {
            let text = |name: &str| item.get(name).and_then(|v| v.as_s().ok()).cloned().unwrap_or_default();
            let (pk, sk) = (text("pk"), text("sk"));
            let version = item
                .get("version")
                .and_then(|v| v.as_n().ok())
                .and_then(|n| n.parse().ok())
                .unwrap_or_default();
            match sk.split('#').collect::<Vec<_>>()[..] {
                ["version", sub, _] => assert!(
                    versions.entry(format!("{pk} {sub}")).or_default().insert(version),
                    "{sk} twice"
                ),
                ["user", sub] => assert_eq!(current.insert(format!("{pk} {sub}"), version), None, "{sk} twice"),
                _ => {}
            }
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            break;
        }
    }
    assert!(!current.is_empty());
    for (user, version) in current {
        let history: Vec<u64> = versions.remove(&user).unwrap_or_default().into_iter().collect();
        assert_eq!(history, (1..version).collect::<Vec<_>>(), "{user}");
    }
    assert!(
        versions.is_empty(),
        "versions without a current item: {:?}",
        versions.keys()
    );
}
