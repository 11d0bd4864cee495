//! The whole thing with the real emulator, installed on first use by `python/ensure ministack`. Where that cannot be done
//! (no Python, no package index), the test says so and checks nothing.
//!
//! Invariant: it starts its own instance in a folder of its own, and leaves no process behind.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

use super::doubles::signature;
use crate::gateway::config::Config;
use crate::gateway::emulator::EmulatorError;
use crate::gateway::instance::{Emulator, LocalCloud, StartError};

async fn call(endpoint: &str, service: &str, target: &str, input: Value) -> Value {
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(endpoint)
        .header("x-amz-target", target)
        .header("authorization", signature("AKIDLOCAL", service))
        .header("content-type", "application/x-amz-json-1.0")
        .body(Full::new(Bytes::from(input.to_string())))
        .expect("a request");
    let body = client
        .request(request)
        .await
        .expect("an answer")
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes();
    serde_json::from_slice(&body).expect("JSON")
}

/// `None` where the emulator cannot be installed.
async fn start(name: &str) -> Option<(LocalCloud, PathBuf)> {
    let folder = std::env::temp_dir().join(format!("twinpool-localcloud-{name}-{}", std::process::id()));
    let config = Config::parse(br#"{"trail": {"delay_ms": 0}}"#).expect("valid");
    match LocalCloud::start(0, &folder, Emulator::MiniStack, config).await {
        Err(StartError::Emulator(error @ EmulatorError::Install(_))) => {
            eprintln!("not tested: {error}");
            None
        }
        started => Some((started.expect("MiniStack starts"), folder)),
    }
}

#[tokio::test]
async fn a_dead_letter_queue_is_redriven_with_attributes_and_only_what_was_there() {
    let Some((cloud, folder)) = start("redrive").await else {
        return;
    };
    let sqs = async |operation: &str, input: Value| {
        call(cloud.endpoint(), "sqs", &format!("AmazonSQS.{operation}"), input).await
    };
    let arn = |name: &str| format!("arn:aws:sqs:us-east-1:111122223333:{name}");
    let dead = sqs("CreateQueue", json!({"QueueName": "dead"})).await["QueueUrl"].clone();
    let policy = json!({"deadLetterTargetArn": arn("dead"), "maxReceiveCount": 5}).to_string();
    let queue = json!({"QueueName": "changes", "Attributes": {"RedrivePolicy": policy}});
    let queue = sqs("CreateQueue", queue).await["QueueUrl"].clone();
    let why = json!({"why": {"DataType": "String", "StringValue": "late"}});
    for number in 0..12 {
        let letter = json!({"QueueUrl": dead, "MessageBody": format!("{number}"), "MessageAttributes": why});
        sqs("SendMessage", letter).await;
    }
    for (source, destination, refused) in [
        (arn("changes"), json!(arn("dead")), "UnsupportedOperation"),
        (arn("dead"), json!(arn("nowhere")), "ResourceNotFoundException"),
        (arn("dead"), Value::Null, "LocalcloudUnsupported"),
        ("dead".to_owned(), json!(arn("changes")), "InvalidAddress"),
    ] {
        let order = json!({"SourceArn": source, "DestinationArn": destination});
        let answer = sqs("StartMessageMoveTask", order).await;
        assert!(
            answer["__type"].as_str().is_some_and(|code| code.ends_with(refused)),
            "{answer}"
        );
    }
    let order = json!({"SourceArn": arn("dead"), "DestinationArn": arn("changes")});
    assert!(sqs("StartMessageMoveTask", order.clone()).await["TaskHandle"].is_string());
    let listed = sqs("ListMessageMoveTasks", json!({"SourceArn": arn("dead")})).await;
    let task = &listed["Results"][0];
    assert_eq!(
        (&task["Status"], &task["ApproximateNumberOfMessagesMoved"]),
        (&json!("COMPLETED"), &json!(12))
    );
    let depth = async |url: &Value| {
        let ask = json!({"QueueUrl": url, "AttributeNames": ["ApproximateNumberOfMessages"]});
        sqs("GetQueueAttributes", ask).await["Attributes"]["ApproximateNumberOfMessages"].clone()
    };
    assert_eq!((depth(&dead).await, depth(&queue).await), (json!("0"), json!("12")));
    let receive = json!({"QueueUrl": queue, "MessageAttributeNames": ["All"]});
    let received = sqs("ReceiveMessage", receive).await;
    assert_eq!(
        received["Messages"][0]["MessageAttributes"]["why"]["StringValue"],
        "late"
    );
    drop(cloud);
    std::fs::remove_dir_all(&folder).expect("a folder of our own");
}

#[tokio::test]
async fn an_event_reaches_a_queue_and_everything_ends_with_the_instance() {
    let Some((cloud, folder)) = start("events").await else {
        return;
    };
    let endpoint = cloud.endpoint().to_owned();
    let queue = call(
        &endpoint,
        "sqs",
        "AmazonSQS.CreateQueue",
        json!({"QueueName": "changes"}),
    )
    .await;
    let url = queue["QueueUrl"].as_str().expect("a queue").to_owned();
    assert!(url.starts_with(&endpoint), "queue URLs lead back to the gateway: {url}");
    let pattern = json!({"source": ["aws.cognito-idp"], "detail": {"eventName": ["CreateUserPool"]}}).to_string();
    call(
        &endpoint,
        "events",
        "AWSEvents.PutRule",
        json!({"Name": "r", "EventPattern": pattern}),
    )
    .await;
    let target = json!({"Rule": "r", "Targets": [{"Id": "q", "Arn": "arn:aws:sqs:us-east-1:111122223333:changes"}]});
    call(&endpoint, "events", "AWSEvents.PutTargets", target).await;

    let created = call(
        &endpoint,
        "cognito-idp",
        "AWSCognitoIdentityProviderService.CreateUserPool",
        json!({"PoolName": "p"}),
    )
    .await;
    let pool = created["UserPool"]["Id"].as_str().expect("a pool").to_owned();
    let receive = json!({"QueueUrl": url, "WaitTimeSeconds": 5});
    let received = call(&endpoint, "sqs", "AmazonSQS.ReceiveMessage", receive).await;
    let event: Value =
        serde_json::from_str(received["Messages"][0]["Body"].as_str().expect("a message")).expect("an event");
    assert_eq!(
        (&event["source"], &event["detail"]["eventName"]),
        (&json!("aws.cognito-idp"), &json!("CreateUserPool"))
    );
    assert_eq!(
        event["detail"]["responseElements"]["userPool"]["id"]
            .as_str()
            .unwrap_or(&pool),
        pool
    );

    let ministack = cloud.whereabouts().ministack_pid.expect("its own MiniStack");
    drop(cloud);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let pid = i32::try_from(ministack).ok().and_then(Pid::from_raw).expect("a pid");
    assert!(test_kill_process(pid).is_err(), "MiniStack has ended");
    std::fs::remove_dir_all(&folder).expect("a folder of our own");
}
