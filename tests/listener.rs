//! The listener's binary as EventBridge would meet it.
//!
//! Invariant under test: an event is lost only with a counted reason, and a listener that cannot work says so and ends.

use serde_json::{Value, json};
use twinpool_shared::change::{Change, PoolRef, Subject};
use twinpool_tests::{
    runtime_host::{Function, Outcome, RuntimeHost},
    scripted_http::{Script, ScriptedServer},
};

const POOL: &str = "us-east-1_EXAMPLE01";

fn function(sqs: &str) -> Function {
    Function::new("admin-events")
        .with("TWINPOOL_QUEUE_URL", format!("{sqs}/111122223333/changes"))
        .with("TWINPOOL_POOLS", POOL)
        .with("TWINPOOL_OWN_ROLES", "twinpool-importer")
        .with("AWS_ENDPOINT_URL_SQS", sqs)
}

fn record(name: &str) -> Value {
    let path = format!("{}/fixtures/cloudtrail/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).expect("the fixture exists");
    serde_json::from_str(&text).expect("the fixture is JSON")
}

fn renamed(mut record: Value, name: &str) -> Value {
    record["detail"]["eventName"] = json!(name);
    record
}

/// Invokes and waits for the one metric line.
async fn invoke(host: &RuntimeHost, event: &Value) -> (Outcome, Value) {
    let before = host.output().stdout.len();
    let outcome = host.invoke(event.to_string()).await.outcome;
    let output = host.output_when(|output| output.stdout.len() > before).await;
    assert_eq!(output.stdout.len(), before + 1, "{output:?}");
    let line = serde_json::from_str(&output.stdout[before]).expect("standard output holds metrics only");
    (outcome, line)
}

#[tokio::test]
async fn both_kinds_of_records_become_changes() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function(sqs.endpoint()).start().await;
    host.ready().await.unwrap();
    let probe = sqs.take_received();
    assert_eq!(probe.len(), 1, "one call at start");
    assert_eq!(probe[0].target, "AmazonSQS.GetQueueAttributes");
    for (name, sub, kind) in [
        (
            "admin-update-user-attributes",
            "0f1e2d3c-ce3a-4282-9f87-000000000001",
            "AWS API Call via CloudTrail",
        ),
        (
            "page-confirm-post",
            "3c9a1b2d-0051-7076-79e2-0123456789ab",
            "AWS Service Event via CloudTrail",
        ),
    ] {
        let event = record(name);
        assert_eq!(event["detail-type"], kind);
        let (outcome, line) = invoke(&host, &event).await;
        assert_eq!(outcome, Outcome::Response("null".into()));
        assert_eq!(
            (&line["ChangeSent"], &line["Function"]),
            (&json!(1.0), &json!("admin-events"))
        );
        let received = sqs.take_received();
        assert_eq!(received.len(), 1);
        let request: Value = serde_json::from_slice(&received[0].body).unwrap();
        let change = Change::parse(request["MessageBody"].as_str().unwrap()).unwrap();
        assert_eq!(change.pool, PoolRef::Id(POOL.to_owned()));
        assert!(matches!(&change.subject, Subject::User(user) if user.as_str() == sub));
        assert_eq!(change.id, event["detail"]["eventID"].as_str().unwrap());
    }
}

#[tokio::test]
async fn what_needs_nothing_is_counted_with_its_reason() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function(sqs.endpoint()).start().await;
    host.ready().await.unwrap();
    sqs.take_received();
    for (event, reason) in [
        (json!({}), "not_cognito"),
        (json!("text"), "not_cognito"),
        (
            json!({"detail": {"eventSource": "iam.amazonaws.com", "eventName": "CreateRole"}}),
            "not_cognito",
        ),
        (record("admin-delete-user-failed"), "call_failed"),
        (record("page-signup-post-failed"), "call_failed"),
        (record("admin-update-user-attributes-own-role"), "own_write"),
        (record("admin-set-user-password-other-pool"), "other_pool"),
        (record("admin-get-user"), "reads"),
        (renamed(record("admin-disable-user"), "ForgotPassword"), "starts"),
        (record("respond-password-verifier"), "sign_in"),
    ] {
        let lines = host.output().stderr.len();
        let (outcome, line) = invoke(&host, &event).await;
        assert_eq!(outcome, Outcome::Response("null".into()));
        assert_eq!(line["EventIgnored"], json!(1.0), "{reason}");
        let output = host.output_when(|output| output.stderr.len() > lines).await;
        let line: Value = serde_json::from_str(&output.stderr[lines]).unwrap();
        assert_eq!((&line["level"], &line["reason"]), (&json!("INFO"), &json!(reason)));
    }
    assert!(sqs.take_received().is_empty());
}

#[tokio::test]
async fn a_change_that_was_not_sent_fails_the_invocation() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function(sqs.endpoint()).start().await;
    host.ready().await.unwrap();
    for (script, kind) in [
        (Script::error(503, "ServiceUnavailable"), "(unavailable)"),
        (Script::error(403, "AccessDenied"), "(denied)"),
        (Script::Close, "(unavailable)"),
    ] {
        sqs.play(script);
        let lines = host.output().stderr.len();
        let (outcome, line) = invoke(&host, &record("admin-disable-user")).await;
        let Outcome::FunctionError(error) = outcome else {
            panic!("not an error: {outcome:?}");
        };
        let error: Value = serde_json::from_slice(&error).unwrap();
        assert_eq!(error["errorType"], "Twinpool.ChangeNotSent");
        let message = error["errorMessage"].as_str().unwrap();
        assert!(
            message.contains("sqs:SendMessage") && message.contains(kind),
            "{message}"
        );
        assert_eq!(line["ChangeNotSent"], json!(1.0));
        let output = host.output_when(|output| output.stderr.len() > lines).await;
        assert_eq!(output.stderr.len(), lines + 1, "one line: {output:?}");
    }
    sqs.play(Script::sqs_takes_it());
    let (outcome, _) = invoke(&host, &record("admin-disable-user")).await;
    assert_eq!(outcome, Outcome::Response("null".into()), "it goes on");
}

#[tokio::test]
async fn a_listener_that_cannot_work_ends_with_one_line() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let good = function(sqs.endpoint());
    for (function, script, says) in [
        (
            good.clone().without("TWINPOOL_QUEUE_URL"),
            Script::sqs_takes_it(),
            "TWINPOOL_QUEUE_URL is not set",
        ),
        (
            good.clone().with("TWINPOOL_QUEUE_URL", "changes"),
            Script::sqs_takes_it(),
            "TWINPOOL_QUEUE_URL is not a queue URL",
        ),
        (
            good.clone().without("TWINPOOL_POOLS"),
            Script::sqs_takes_it(),
            "TWINPOOL_POOLS is not set",
        ),
        (
            good.clone().with("TWINPOOL_POOLS", "EXAMPLE01"),
            Script::sqs_takes_it(),
            "TWINPOOL_POOLS has",
        ),
        (
            good.clone().without("AWS_REGION"),
            Script::sqs_takes_it(),
            "AWS_REGION is not set",
        ),
        (
            good.clone(),
            Script::error(403, "AccessDenied"),
            "sqs:GetQueueAttributes on the queue in TWINPOOL_QUEUE_URL failed with AccessDenied (denied); grant",
        ),
        (
            good.clone(),
            Script::error(400, "QueueDoesNotExist"),
            "sqs:GetQueueAttributes on the queue in TWINPOOL_QUEUE_URL failed with QueueDoesNotExist (not_found)",
        ),
    ] {
        sqs.play(script);
        let host = function.start().await;
        let status = host.exited().await;
        assert_eq!(host.ready().await, Err(status), "it never asks for an event");
        assert_eq!(status.code(), Some(1), "{says}");
        let output = host.finish().await;
        assert_eq!(output.stderr.len(), 1, "{output:?}");
        assert!(output.stderr[0].starts_with(says), "{output:?}");
        assert!(output.stdout.is_empty());
    }
}
