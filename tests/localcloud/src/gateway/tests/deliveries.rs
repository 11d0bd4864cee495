//! CloudTrail records on their way to targets.
//!
//! Invariant: counted at the target, not at the sender.

use serde_json::json;

use super::doubles::Stage;

const LISTENER: &str = "function:listener/";

#[tokio::test]
async fn a_write_reaches_both_rules_and_a_read_only_the_one_that_asks_for_all() {
    let stage = Stage::set(r#"{"trail": {"delay_ms": [0, 5]}}"#).await;
    stage.cognito("AdminDisableUser", json!({})).await.expect("an answer");
    stage.cognito("ListUsers", json!({})).await.expect("an answer");
    stage.quiet().await;
    let invoked = stage.seen(LISTENER);
    assert_eq!(invoked.len(), 1);
    assert_eq!(invoked[0].headers["x-amz-invocation-type"], "Event");
    let event = invoked[0].json();
    assert_eq!(event["detail"]["eventName"], "AdminDisableUser");
    assert_eq!(
        (&event["source"], &event["account"], &event["region"]),
        (&json!("aws.cognito-idp"), &json!("111122223333"), &json!("us-east-1"))
    );
    assert_eq!(
        (&event["id"], &event["time"]),
        (&event["detail"]["eventID"], &event["detail"]["eventTime"])
    );
    let sent = stage.seen("AmazonSQS.SendMessage");
    assert_eq!(sent.len(), 2);
    assert!(
        sent[0].json()["QueueUrl"]
            .as_str()
            .expect("a URL")
            .ends_with("/111122223333/all")
    );
    let trail = &stage.control("counters").await["trail"];
    assert_eq!((&trail["delivered"], &trail["pending"]), (&json!(3), &json!(0)));
    assert_eq!(
        stage.seen("AWSEvents.ListRules").len(),
        1,
        "rules are asked for once a second"
    );
}

#[tokio::test]
async fn events_are_doubled_or_lost_on_request() {
    let stage = Stage::set(r#"{"trail": {"delay_ms": 0, "duplicate_percent": 100}}"#).await;
    stage.cognito("AdminDisableUser", json!({})).await.expect("an answer");
    stage.quiet().await;
    assert_eq!(stage.seen(LISTENER).len(), 2);
    stage
        .send(
            "PUT",
            "/_localcloud/config",
            &[],
            r#"{"trail": {"delay_ms": 0, "drop_percent": 100}}"#,
        )
        .await
        .expect("an answer");
    stage.cognito("AdminDisableUser", json!({})).await.expect("an answer");
    stage.quiet().await;
    assert_eq!(stage.seen(LISTENER).len(), 2);
    let trail = &stage.control("counters").await["trail"];
    assert_eq!((&trail["duplicated"], &trail["dropped"]), (&json!(1), &json!(1)));
    let replay = async |copies: &str| {
        let path = format!("/_localcloud/redeliver?copies={copies}");
        stage.send("POST", &path, &[], "").await.expect("an answer")
    };
    assert_eq!(replay("0").await.status, 400);
    assert_eq!(replay("2").await.json(), json!(1));
    stage.quiet().await;
    assert_eq!(stage.seen(LISTENER).len(), 4, "what was lost comes late, and twice");
    assert_eq!(replay("2").await.json(), json!(0), "once");
}

#[tokio::test]
async fn a_failed_trigger_shows_in_the_record() {
    let stage = Stage::set(r#"{"trail": {"delay_ms": 0}}"#).await;
    let input = json!({"Function": "arn:aws:lambda:us-east-1:111122223333:function:broken"});
    stage.cognito("ConfirmSignUp", input).await.expect("an answer");
    stage.quiet().await;
    assert_eq!(
        stage.seen(LISTENER)[0].json()["detail"]["errorCode"],
        "UserLambdaValidationException"
    );
}
