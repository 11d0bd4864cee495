//! Pages 02 and 03: the replicator is stopped, comes and goes, gets what it cannot handle, and a table that throttles.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_lambda::primitives::Blob;
use serde_json::json;
use twinpool_shared::{item::user_key, personal::Sub};

use super::{
    drill::{Drill, MINUTE},
    page::{Page, Terminal, said},
};

const LATE: [&str; 4] = [
    "replication-late",
    "queue-old",
    "replicator-throttled",
    "table-throttled",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_a_poisoned_and_a_throttled_replicator_lose_nothing() {
    let mut drill = Drill::start("runbook-queue", json!({}), true).await;
    let mut subs = Vec::new();
    for name in ["ann", "ben", "cai"] {
        subs.push(drill.town.sign_up(&drill.stack, name).await);
    }
    drill.agrees("before").await;
    Box::pin(stopped(&mut drill, &subs)).await;
    Box::pin(throttled(&mut drill)).await;
    Box::pin(poisoned(&mut drill, &subs[1])).await;
}

/// Somebody sets the replicator's concurrency to 0.
async fn stopped(drill: &mut Drill, subs: &[String]) {
    // It comes and goes: three times six minutes late.
    for _ in 0..3 {
        drill.concurrency("replicator", Some(0)).await;
        drill.town.edit(&drill.stack, "ann").await;
        drill.something_waits().await;
        drill.let_pass(6 * MINUTE).await;
        drill.concurrency("replicator", None).await;
        drill.drained().await;
    }
    drill.rings(&["replication-late"]).await;

    drill.concurrency("replicator", Some(0)).await;
    drill.town.sign_up(&drill.stack, "dee").await;
    drill.town.sign_in(&drill.stack, "ben").await;
    drill.town.disable(&drill.stack, "ben").await;
    drill.town.delete(&drill.stack, "cai", &subs[2]).await;
    drill.something_waits().await;
    // What Lambda's poller meets, which the emulator's does not even try.
    let invoking = drill
        .stack
        .lambda
        .invoke()
        .function_name(&drill.stack.deployment.functions["replicator"]);
    let refused = invoking.payload(Blob::new(r#"{"Records": []}"#)).send().await;
    assert!(refused.is_err_and(|error| error.into_service_error().is_too_many_requests_exception()));
    drill.rings(&["replicator-throttled"]).await;
    for _ in 0..3 {
        drill.let_pass(16 * MINUTE).await;
        drill.telemetry.ringing(&drill.stack).await.expect("CloudWatch");
    }
    drill.rings(&["queue-old"]).await;

    let mut page = Page::open("03-replication-late.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-queue-old"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    assert!(
        said(&look, "get-function-concurrency").contains("\"ReservedConcurrentExecutions\": 0"),
        "{look:?}"
    );
    page.section(&mut terminal, "A function that was stopped").await;
    drill.agrees("after the stop").await;
    drill.parked(0).await;
    page.section(&mut terminal, "A table that throttles").await;
    drill.let_pass(30 * MINUTE).await;
    drill.silent(&LATE).await;
    let over = page.section(&mut terminal, "Over").await;
    let on = said(&over, "describe-alarms");
    assert!(LATE.iter().all(|name| !on.contains(name)), "{on}");
    page.typed_whole();
}

/// The table refuses every write for a while.
async fn throttled(drill: &mut Drill) {
    let refused =
        ["PutItem", "UpdateItem"].map(|name| json!({"service": "dynamodb", "operation": name, "kind": "throttle"}));
    drill.faults(json!({"faults": refused})).await;
    drill.town.sign_up(&drill.stack, "eli").await;
    drill.town.edit(&drill.stack, "ann").await;
    drill.rings(&["table-throttled"]).await;
    drill.parked(0).await;
    let mut page = Page::open("03-replication-late.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    page.section(&mut terminal, "Your shell").await;
    let look = page.section(&mut terminal, "Look").await;
    let given_back = said(&look, "given back");
    assert!(
        given_back.contains("dynamodb:") && given_back.contains("(throttled)"),
        "{look:?}"
    );
    drill.faults(json!({})).await;
    drill.agrees("after the throttles").await;
    drill.parked(0).await;
    drill.let_pass(30 * MINUTE).await;
    drill.silent(&LATE).await;
}

/// Three messages of a batch that cannot be handled: nobody's, another pool's, and one whose item somebody has damaged.
async fn poisoned(drill: &mut Drill, sub: &str) {
    let sub = Sub::new(sub).expect("a sub");
    let key = user_key(drill.pool(), &sub);
    let table = &drill.stack.deployment.table.clone();
    let reading = drill.stack.dynamodb.get_item().table_name(table).consistent_read(true);
    let reading = reading
        .key("pk", AttributeValue::S(key.pk))
        .key("sk", AttributeValue::S(key.sk));
    let whole = reading
        .send()
        .await
        .expect("GetItem")
        .item
        .expect("ben is in the backup");
    let mut damaged = whole.clone();
    damaged.insert("version".to_owned(), AttributeValue::S("one".to_owned()));
    let putting = drill
        .stack
        .dynamodb
        .put_item()
        .table_name(table)
        .set_item(Some(damaged));
    putting.send().await.expect("PutItem");

    drill.concurrency("replicator", Some(0)).await;
    let elsewhere = json!({
        "schema_version": 1, "id": "by-hand", "pool": {"id": "us-east-1_Elsewhere"}, "subject": {"user": sub.to_string()},
        "cause": "SomethingNew", "occurred_at": "2026-01-10T12:00:00.000Z", "seen_at": "2026-01-10T12:00:00.000Z",
    });
    for body in ["zq7personal is no change", &elsewhere.to_string()] {
        let sending = drill
            .stack
            .sqs
            .send_message()
            .queue_url(&drill.stack.deployment.queue_url);
        sending.message_body(body).send().await.expect("SendMessage");
    }
    drill.town.edit(&drill.stack, "ben").await;
    drill.town.edit(&drill.stack, "ann").await;
    drill.concurrency("replicator", None).await;
    drill.parked(3).await;
    drill.rings(&["parked-changes"]).await;
    drill.drained().await;

    let mut page = Page::open("02-changes-parked.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-parked-changes"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    let letters = said(&look, "receive-message");
    for reason in ["unreadable", "other_pool", "bad_item"] {
        assert!(letters.contains(reason), "{letters}");
    }
    assert!(!letters.contains("zq7personal"), "a body is shown");
    // Mended as the table of the page says.
    let putting = drill.stack.dynamodb.put_item().table_name(table).set_item(Some(whole));
    putting.send().await.expect("PutItem");
    let moved = page.section(&mut terminal, "Redrive").await;
    let task: Vec<&str> = said(&moved, "list-message-move-tasks").split_whitespace().collect();
    assert_eq!(task, ["COMPLETED", "3", "None"]);
    drill.agrees("after the redrive").await;
    drill.parked(2).await;
    let mut reasons = Vec::new();
    for _ in 0..2 {
        let deleted = page.section(&mut terminal, "Delete the hopeless one").await;
        reasons.push(said(&deleted, "echo").to_owned());
    }
    reasons.sort();
    assert_eq!(reasons, ["other_pool", "unreadable"]);
    drill.parked(0).await;
    // As EventBridge parks what it could not hand over.
    let queue = drill.queue("EventDeadLetterQueue").await;
    drill.letter(&queue, "NO_PERMISSIONS").await;
    drill.rings(&["events-parked"]).await;
    let events = page.section(&mut terminal, "Events that EventBridge parked").await;
    assert!(
        said(&events, "receive-message").starts_with("NO_PERMISSIONS"),
        "{events:?}"
    );
    assert!(
        said(&events, "describe-execution").starts_with("SUCCEEDED"),
        "{events:?}"
    );
    drill.let_pass(2 * MINUTE).await;
    drill.silent(&["parked-changes", "events-parked"]).await;
    let over = page.section(&mut terminal, "Over").await;
    let on = said(&over, "describe-alarms");
    assert!(!on.contains("parked-changes") && !on.contains("events-parked"), "{on}");
    page.typed_whole();
    drill.agrees("at the end").await;
}
