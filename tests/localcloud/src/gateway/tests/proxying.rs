//! Calls to the other services.
//!
//! Invariant: what is not meant to be touched arrives byte for byte.

use serde_json::{Value, json};

use super::doubles::Stage;

#[tokio::test]
async fn requests_pass_through_and_are_counted() {
    let stage = Stage::set("{}").await;
    let reply = stage
        .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({"TableName": "t"}))
        .await
        .expect("an answer");
    assert_eq!(reply.text, r#"{"TableName":"t"}"#);
    let seen = &stage.seen("PutItem")[0];
    assert!(
        seen.headers["authorization"]
            .to_str()
            .expect("text")
            .contains("AKIDLOCAL")
    );
    assert_eq!(
        seen.headers["host"],
        stage.endpoint.strip_prefix("http://").expect("a URL")
    );
    let invoke = "/2015-03-31/functions/f/invocations";
    let signature = super::doubles::signature("AKIDLOCAL", "lambda");
    stage
        .send("POST", invoke, &[("authorization", &signature)], "{}")
        .await
        .expect("an answer");
    let signature = super::doubles::signature("AKIDLOCAL", "sns");
    let form = [
        ("authorization", signature.as_str()),
        ("content-type", "application/x-www-form-urlencoded; charset=utf-8"),
    ];
    stage
        .send("POST", "/", &form, "Version=1&Action=Publish")
        .await
        .expect("an answer");
    let counters = stage.control("counters").await;
    assert_eq!(
        counters["calls"],
        json!({"dynamodb": {"PutItem": 1}, "lambda": {"Invoke": 1}, "sns": {"Publish": 1}})
    );
}

#[tokio::test]
async fn large_bodies_stream() {
    let stage = Stage::set("{}").await;
    let body = vec![b'x'; 3 << 20];
    let reply = stage
        .send("PUT", "/bucket/key", &[], body.clone())
        .await
        .expect("an answer");
    assert_eq!(reply.text.len(), body.len());
}

#[tokio::test]
async fn faults_speak_the_services_language() {
    let stage = Stage::set(
        r#"{"faults": [{"service": "dynamodb", "kind": "throttle"}, {"service": "sqs", "kind": "throttle"}, {"service": "lambda", "kind": "throttle"}, {"service": "sns", "kind": "throttle"}]}"#,
    )
    .await;
    let reply = stage
        .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({}))
        .await
        .expect("an answer");
    assert_eq!(
        reply.json()["__type"],
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException"
    );
    let reply = stage
        .aws("sqs", "AmazonSQS.SendMessage", json!({}))
        .await
        .expect("an answer");
    assert_eq!(reply.headers["x-amzn-query-error"], "RequestThrottled;Sender");
    assert_eq!(
        stage.aws("lambda", "x.Y", json!({})).await.expect("an answer").status,
        429
    );
    let signature = super::doubles::signature("AKIDLOCAL", "sns");
    let form = [
        ("authorization", signature.as_str()),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let reply = stage
        .send("POST", "/", &form, "Action=Publish")
        .await
        .expect("an answer");
    assert!(reply.text.contains("<Code>ThrottlingException</Code>"));
    assert!(stage.seen("").is_empty(), "nothing reached the emulator");
}

#[tokio::test]
async fn a_disabled_key_is_told_as_each_service_tells_it() {
    let stage = Stage::set(r#"{"faults": [{"kind": "key_disabled"}]}"#).await;
    let sent = stage
        .aws("sqs", "AmazonSQS.SendMessage", json!({}))
        .await
        .expect("an answer");
    assert_eq!(
        (sent.status, sent.json()["__type"].clone()),
        (400, json!("com.amazonaws.sqs#KmsDisabled"))
    );
    assert_eq!(sent.headers["x-amzn-query-error"], "KMS.DisabledException;Sender");
    let put = stage
        .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({}))
        .await
        .expect("an answer");
    assert_eq!(
        put.json()["__type"],
        "com.amazonaws.dynamodb.v20120810#AccessDeniedException"
    );
    assert_eq!(stage.control("counters").await["errors"]["sqs"]["key_disabled"], 1);
}

#[tokio::test]
async fn a_lost_response_was_applied() {
    let stage = Stage::set(r#"{"faults": [{"service": "dynamodb", "kind": "lost_response", "count": 1}]}"#).await;
    assert!(
        stage
            .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({}))
            .await
            .is_none()
    );
    assert_eq!(stage.seen("PutItem").len(), 1);
    assert!(
        stage
            .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({}))
            .await
            .is_some()
    );
}

#[tokio::test]
async fn messages_are_doubled_and_delayed() {
    let stage =
        Stage::set(r#"{"sqs": {"duplicate_percent": 100, "delay_percent": 100, "delay_seconds_max": 5}}"#).await;
    let input = json!({"QueueUrl": "http://h/111122223333/q", "MessageBody": "b"});
    stage
        .aws("sqs", "AmazonSQS.SendMessage", input.clone())
        .await
        .expect("an answer");
    let bodies: Vec<Value> = stage
        .seen("SendMessage")
        .iter()
        .map(super::doubles::Seen::json)
        .collect();
    assert_eq!(bodies.len(), 2);
    assert!(
        bodies[0]["DelaySeconds"]
            .as_u64()
            .is_some_and(|seconds| (1..=5).contains(&seconds))
    );
    assert_eq!(bodies[1], input);
}

#[tokio::test]
async fn an_absent_emulator_is_said_to_be_absent() {
    let stage = Stage::without_emulator().await;
    let reply = stage
        .aws("dynamodb", "DynamoDB_20120810.PutItem", json!({}))
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, reply.json()["__type"].clone()),
        (502, json!("LocalcloudEmulatorUnavailable"))
    );
    assert_eq!(
        stage
            .cognito("ListUsers", json!({}))
            .await
            .expect("Cognito needs none")
            .status,
        200
    );
}
