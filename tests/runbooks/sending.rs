//! Pages 04 and 08: the queue takes nothing, a trigger is throttled, the key is about to be deleted.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    drill::{Drill, MINUTE},
    page::{Page, Terminal, outcome, said},
};

fn broken(services: &[(&str, &str)], kind: &str) -> Value {
    let faults = services
        .iter()
        .map(|(service, operation)| json!({"service": service, "operation": operation, "kind": kind}));
    json!({"faults": faults.collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_sent_is_copied_after_a_refusing_queue_and_after_a_disabled_key() {
    let mut drill = Drill::start("runbook-sending", json!({}), true).await;
    let mut subs = Vec::new();
    for name in ["ann", "ben", "cai", "dee"] {
        subs.push(drill.town.sign_up(&drill.stack, name).await);
    }
    drill.agrees("before").await;
    Box::pin(refused(&mut drill)).await;
    Box::pin(disabled(&mut drill, &subs[3])).await;
}

/// Somebody takes `sqs:SendMessage` away, and throttles a trigger.
async fn refused(drill: &mut Drill) {
    drill.faults(broken(&[("sqs", "SendMessage")], "deny")).await;
    drill.town.sign_up(&drill.stack, "eve").await;
    drill.town.sign_in(&drill.stack, "ann").await;
    drill.town.edit(&drill.stack, "ben").await;
    drill.town.disable(&drill.stack, "cai").await;
    drill.rings(&["change-not-sent", "listener-failing"]).await;
    drill.concurrency("post-authentication", Some(0)).await;
    assert!(
        !drill.town.lets_in(&drill.stack, "ann").await,
        "a throttled trigger refuses nobody"
    );
    drill.rings(&["trigger-throttled"]).await;

    let mut page = Page::open("04-sign-ins-at-risk.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-listener-failing"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    let functions = said(&look, "get-function-concurrency");
    assert!(
        functions.contains("sqs:SendMessage") && functions.contains("(denied)"),
        "{functions}"
    );
    assert!(functions.contains("\"ReservedConcurrentExecutions\": 0"), "{functions}");
    page.section(&mut terminal, "Users are refused").await;
    drill.town.sign_in(&drill.stack, "ann").await;
    // The stack is deployed again.
    drill.faults(json!({})).await;
    let copied = page.section(&mut terminal, "Copy what was not sent").await;
    let outcome = outcome(&copied);
    assert!(
        outcome.starts_with("SUCCEEDED") && outcome.contains("\"drift_left\":0"),
        "{outcome}"
    );
    assert!(
        !outcome.contains("\"drift_found\":0"),
        "nothing had been missed: {outcome}"
    );

    // What the listener could not send, Lambda has parked: one letter for each of its records.
    drill
        .stack
        .drained(super::drill::DRAINED_WITHIN)
        .await
        .expect("drained");
    let letters = drill.stack.dead_letters().await.expect("dead letters");
    assert!(!letters.is_empty() && letters.iter().all(|one| one.body.contains("requestPayload")));
    let mut redrive = Page::open("02-changes-parked.md");
    redrive.section(&mut terminal, "Redrive").await;
    drill.agrees("after the refusing queue").await;
    drill.parked(0).await;
    drill.let_pass(30 * MINUTE).await;
    drill
        .silent(&["change-not-sent", "listener-failing", "trigger-throttled"])
        .await;
    let over = page.section(&mut terminal, "Over").await;
    assert!(!said(&over, "describe-alarms").contains("listener-failing"), "{over:?}");
    page.typed_whole();
}

/// Somebody schedules the deletion of the key. From the gateway, because the emulator encrypts nothing: what SQS and DynamoDB
/// answer then. It is taken away when the key is enabled, which is when AWS would stop answering it.
async fn disabled(drill: &mut Drill, dee: &str) {
    // Something is in the queue when it happens.
    drill.polling(false).await;
    drill.town.edit(&drill.stack, "ann").await;
    drill.something_waits().await;
    let mut page = Page::open("08-key-disabled.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    page.section(&mut terminal, "Your shell").await;
    terminal
        .line("aws kms schedule-key-deletion --key-id $KeyArn --pending-window-in-days 7")
        .await;
    drill
        .faults(broken(
            &[("sqs", "SendMessage"), ("sqs", "ReceiveMessage"), ("dynamodb", "*")],
            "key_disabled",
        ))
        .await;
    drill.polling(true).await;
    drill.town.sign_up(&drill.stack, "fay").await;
    drill.town.sign_in(&drill.stack, "ben").await;
    drill.town.delete(&drill.stack, "dee", dee).await;
    drill.rings(&["change-not-sent", "listener-failing"]).await;
    let log = "aws logs filter-log-events --log-group-name /aws/lambda/$STACK-replicator --filter-pattern '\"given back\"' --query 'events[].message'";
    let mut given_back = String::new();
    for _ in 0..40 {
        given_back = terminal.line(log).await;
        if given_back.contains("(denied)") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert!(
        given_back.contains("dynamodb:") && given_back.contains("(denied)"),
        "{given_back}"
    );
    // AWS's poller cannot receive from a queue without its key, so that no delivery is counted; the emulator's can.
    drill.polling(false).await;

    let look = page.section(&mut terminal, "Look").await;
    assert!(said(&look, "describe-key").starts_with("PendingDeletion"), "{look:?}");
    let enabled = page.section(&mut terminal, "Enable it, at once").await;
    assert_eq!(
        enabled.last().map(|one| one.output.as_str()),
        Some("Enabled"),
        "{enabled:?}"
    );
    drill.faults(json!({})).await;
    drill.polling(true).await;
    let mended = page.section(&mut terminal, "Redrive, then reconcile").await;
    assert!(
        said(&mended, "describe-execution").starts_with("SUCCEEDED"),
        "{mended:?}"
    );
    drill.agrees("after the key").await;
    drill.parked(0).await;
    drill.let_pass(30 * MINUTE).await;
    drill
        .silent(&["change-not-sent", "listener-failing", "queue-old", "parked-changes"])
        .await;
    let over = page.section(&mut terminal, "Over").await;
    assert!(!said(&over, "describe-alarms").contains("listener-failing"), "{over:?}");
    page.typed_whole();
}
