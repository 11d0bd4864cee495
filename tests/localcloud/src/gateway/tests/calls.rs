//! Calls to Cognito: routing, errors, faults, quotas, triggers, counters.
//!
//! Invariant: every fault is judged by both sides: what the client saw and what was applied.

use serde_json::json;

use super::doubles::{Stage, signature};
use crate::gateway::locked;

/// CloudTrail at once, so that tests need not wait.
const PLAIN: &str = r#"{"trail": {"delay_ms": 0}}"#;

#[tokio::test]
async fn a_signed_call_reaches_the_core_with_region_and_caller() {
    let stage =
        Stage::set(r#"{"stale_list_ms": 250, "callers": {"AKIDLOCAL": "arn:aws:iam::111122223333:role/replicator"}}"#)
            .await;
    let reply = stage
        .cognito("ListUsers", json!({"UserPoolId": "us-east-1_POOL"}))
        .await
        .expect("an answer");
    assert_eq!(
        (reply.status, &reply.headers["content-type"]),
        (200, &"application/x-amz-json-1.1".parse().expect("a value"))
    );
    assert!(reply.headers.contains_key("x-amzn-requestid"));
    assert_eq!(reply.json()["Answered"], "ListUsers");
    let calls = locked(&stage.core.calls).clone();
    assert_eq!(calls[0].region.as_deref(), Some("us-east-1"));
    assert_eq!(
        calls[0].caller.as_deref(),
        Some("arn:aws:sts::111122223333:assumed-role/replicator/AKIDLOCAL")
    );
    assert_eq!(calls[0].stale_by_millis, 250);
    let counters = stage.control("counters").await;
    assert_eq!(counters["calls"]["cognito-idp"]["ListUsers"], 1);
    assert_eq!(counters["by_caller"]["replicator"]["ListUsers"], 1);
}

#[tokio::test]
async fn an_unsigned_call_is_the_users_own() {
    let stage = Stage::set(PLAIN).await;
    let target = [("x-amz-target", "AWSCognitoIdentityProviderService.SignUp")];
    stage
        .send("POST", "/", &target, r#"{"ClientId": "c"}"#)
        .await
        .expect("an answer");
    let counters = stage.control("counters").await;
    assert_eq!((&counters["mails"], &counters["sms"]), (&json!(1), &json!(1)));
    assert_eq!(counters["became_active"], json!({"anonymous": 1}));
    let messages = stage.control("messages?pool=us-east-1_POOL&sub=sub-1").await;
    assert_eq!(messages[0]["code"], "123456");
    assert_eq!(stage.control("messages?sub=other").await, json!([]));
    stage
        .send("POST", "/_localcloud/reset-counters", &[], "")
        .await
        .expect("an answer");
    assert_eq!(stage.control("counters").await["mails"], 0);
}

#[tokio::test]
async fn errors_have_the_services_shape() {
    let stage = Stage::set(PLAIN).await;
    let reply = stage.cognito("AdminGetUser", json!({})).await.expect("an answer");
    assert_eq!(reply.status, 400);
    assert_eq!(reply.headers["x-amzn-errortype"], "UserNotFoundException");
    assert_eq!(
        reply.json(),
        json!({"__type": "UserNotFoundException", "message": "User does not exist."})
    );
    let target = [("x-amz-target", "AWSCognitoIdentityProviderService.ListUsers")];
    let reply = stage.send("POST", "/", &target, "[").await.expect("an answer");
    assert_eq!(reply.json()["__type"], "SerializationException");
    assert_eq!(
        stage.control("counters").await["errors"]["cognito-idp"]["UserNotFoundException"],
        1
    );
}

#[tokio::test]
async fn keys_health_support_user_and_unknown_control_paths() {
    let stage = Stage::set(PLAIN).await;
    let keys = stage
        .send("GET", "/us-east-1_POOL/.well-known/jwks.json", &[], "")
        .await
        .expect("an answer");
    assert_eq!(keys.json()["keys"][0]["kid"], "scripted");
    assert_eq!(stage.control("health").await["status"], "ok");
    assert_eq!(stage.control("user?pool=p&sub=s").await, json!({"sub": "s"}));
    assert_eq!(stage.control("billable?pool=p").await, json!(7));
    assert_eq!(
        stage
            .send("GET", "/_localcloud/support", &[], "")
            .await
            .expect("an answer")
            .status,
        200
    );
    assert_eq!(
        stage
            .send("GET", "/_localcloud/nothing", &[], "")
            .await
            .expect("an answer")
            .status,
        404
    );
}

#[tokio::test]
async fn a_call_by_hand_goes_around_quota_and_faults() {
    let stage =
        Stage::set(r#"{"faults": [{"kind": "http503"}], "quotas": {"overrides": {"LocalcloudFederatedSignIn": 0}}}"#)
            .await;
    let call = json!({"operation": "LocalcloudFederatedSignIn", "region": "us-east-1", "input": {"UserPoolId": "p"}});
    let reply = stage
        .send("POST", "/_localcloud/cognito", &[], call.to_string())
        .await
        .expect("an answer");
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(locked(&stage.core.calls)[0].caller, None);
    assert_eq!(stage.control("counters").await["calls"], json!({}));
    let reply = stage
        .send("POST", "/_localcloud/cognito", &[], r#"{"op": 1}"#)
        .await
        .expect("an answer");
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn quotas_throttle_and_can_be_switched_off() {
    let stage = Stage::set(r#"{"quotas": {"overrides": {"ListUsers": 1}}}"#).await;
    assert_eq!(
        stage.cognito("ListUsers", json!({})).await.expect("an answer").status,
        200
    );
    let refused = stage.cognito("ListUsers", json!({})).await.expect("an answer");
    assert_eq!(
        refused.json(),
        json!({"__type": "TooManyRequestsException", "message": "Rate exceeded"})
    );
    assert_eq!(
        stage.control("counters").await["throttled"]["cognito-idp"]["ListUsers"],
        1
    );
    stage
        .send("PUT", "/_localcloud/config", &[], r#"{"quotas": {"enabled": false}}"#)
        .await
        .expect("an answer");
    assert_eq!(
        stage.cognito("ListUsers", json!({})).await.expect("an answer").status,
        200
    );
    assert_eq!(stage.control("config").await["quotas"]["enabled"], false);
    let mistake = stage
        .send("PUT", "/_localcloud/config", &[], r#"{"quota": 1}"#)
        .await
        .expect("an answer");
    assert_eq!(mistake.status, 400);
}

#[tokio::test]
async fn faults_before_the_call_apply_nothing() {
    let stage = Stage::set(
        r#"{"faults": [
            {"operation": "A", "count": 1, "kind": "throttle"}, {"operation": "B", "kind": "http500"}, {"operation": "C", "kind": "http503"},
            {"operation": "D", "kind": "drop_connection"}, {"operation": "E", "kind": "timeout", "delay_ms": 30},
            {"operation": "F", "region": "us-east-1", "kind": "refuse_region"}, {"operation": "G", "kind": "deny"}]}"#,
    )
    .await;
    let throttled = stage.cognito("A", json!({})).await.expect("an answer");
    assert_eq!(
        (throttled.status, throttled.json()["__type"].clone()),
        (400, json!("TooManyRequestsException"))
    );
    assert_eq!(stage.cognito("B", json!({})).await.expect("an answer").status, 500);
    assert_eq!(stage.cognito("C", json!({})).await.expect("an answer").status, 503);
    let denied = stage.cognito("G", json!({})).await.expect("an answer");
    assert_eq!(
        (denied.status, denied.json()["__type"].clone()),
        (400, json!("AccessDeniedException"))
    );
    for severed in ["D", "E", "F"] {
        assert!(stage.cognito(severed, json!({})).await.is_none(), "{severed}");
    }
    assert!(locked(&stage.core.calls).is_empty());
    assert_eq!(
        stage
            .cognito("A", json!({}))
            .await
            .expect("its count is used up")
            .status,
        200
    );
    assert_eq!(
        stage.control("counters").await["faults_fired"]["cognito-idp:A:throttle"],
        1
    );
}

#[tokio::test]
async fn faults_after_the_call_apply_it_once() {
    let stage = Stage::set(
        r#"{"faults": [{"operation": "A", "kind": "lost_response"}, {"operation": "B", "kind": "malformed_body"}]}"#,
    )
    .await;
    assert!(stage.cognito("A", json!({})).await.is_none());
    let broken = stage.cognito("B", json!({})).await.expect("an answer");
    assert!(serde_json::from_str::<serde_json::Value>(&broken.text).is_err());
    assert_eq!(locked(&stage.core.calls).len(), 2);
}

#[tokio::test]
async fn an_empty_page_leads_on_to_the_real_one() {
    let stage = Stage::set(r#"{"faults": [{"kind": "empty_page", "count": 3}]}"#).await;
    let first = stage.cognito("ListUsers", json!({})).await.expect("an answer").json();
    assert_eq!(first["Users"], json!([]));
    let second = stage
        .cognito("ListUsers", json!({"PaginationToken": first["PaginationToken"]}))
        .await
        .expect("an answer")
        .json();
    assert_eq!(second, first, "an empty page of an empty page leads to the same place");
    let page = stage
        .cognito("ListUsersInGroup", json!({"NextToken": "real"}))
        .await
        .expect("an answer")
        .json();
    stage
        .cognito("ListUsers", json!({"PaginationToken": first["PaginationToken"]}))
        .await
        .expect("an answer");
    stage
        .cognito("ListUsersInGroup", json!({"NextToken": page["NextToken"]}))
        .await
        .expect("an answer");
    let calls = locked(&stage.core.calls).clone();
    assert_eq!(calls[0].input, json!({}));
    assert_eq!(calls[1].input, json!({"NextToken": "real"}));
}

#[tokio::test]
async fn faults_in_a_region_hit_unsigned_calls_of_its_clients() {
    let stage = Stage::set(PLAIN).await;
    stage
        .cognito("DescribeUserPoolClient", json!({"ClientId": "client-1"}))
        .await
        .expect("an answer");
    let rules = r#"{"faults": [{"region": "us-east-1", "kind": "refuse_region"}]}"#;
    stage
        .send("PUT", "/_localcloud/config", &[], rules)
        .await
        .expect("an answer");
    let target = [("x-amz-target", "AWSCognitoIdentityProviderService.InitiateAuth")];
    assert!(
        stage
            .send("POST", "/", &target, r#"{"ClientId": "client-1"}"#)
            .await
            .is_none()
    );
    // {"iss":"https://cognito-idp.us-east-1.amazonaws.com/us-east-1_POOL"}
    let token = r#"{"AccessToken": "e30.eyJpc3MiOiJodHRwczovL2NvZ25pdG8taWRwLnVzLWVhc3QtMS5hbWF6b25hd3MuY29tL3VzLWVhc3QtMV9QT09MIn0.x"}"#;
    assert!(stage.send("POST", "/", &target, token).await.is_none());
    assert!(
        stage
            .send("POST", "/", &target, r#"{"ClientId": "client-2"}"#)
            .await
            .is_some()
    );
}

#[tokio::test]
async fn a_trigger_is_called_once_and_its_failure_fails_the_call() {
    let stage = Stage::set(PLAIN).await;
    let arn = |name: &str| json!({"Function": format!("arn:aws:lambda:us-east-1:111122223333:function:{name}")});
    for (name, code, message) in [
        (
            "broken",
            "UserLambdaValidationException",
            "PostConfirmation failed with error no luck.",
        ),
        (
            "forgetful",
            "InvalidLambdaResponseException",
            "Unrecognizable lambda output",
        ),
        (
            "missing",
            "UnexpectedLambdaException",
            "PostConfirmation invocation failed due to error ResourceNotFoundException.",
        ),
    ] {
        let reply = stage.cognito("ConfirmSignUp", arn(name)).await.expect("an answer");
        assert_eq!(reply.json(), json!({"__type": code, "message": message}));
        assert_eq!(stage.seen(&format!("function:{name}/")).len(), 1);
    }
    assert_eq!(
        stage
            .cognito("ConfirmSignUp", arn("good"))
            .await
            .expect("an answer")
            .status,
        200
    );
    let invoked = stage.seen("function:good/");
    assert_eq!(invoked.len(), 1);
    assert_eq!(invoked[0].headers["x-amz-invocation-type"], "RequestResponse");
    assert_eq!(invoked[0].json()["triggerSource"], "PostConfirmation_ConfirmSignUp");
}

#[tokio::test]
async fn a_trigger_has_five_seconds() {
    let stage = Stage::set(PLAIN).await;
    let begun = std::time::Instant::now();
    let input = json!({"Function": "arn:aws:lambda:us-east-1:111122223333:function:silent"});
    let reply = stage.cognito("ConfirmSignUp", input).await.expect("an answer");
    assert_eq!(reply.json()["__type"], "UnexpectedLambdaException");
    assert!((4.9..6.5).contains(&begun.elapsed().as_secs_f64()));
}

#[tokio::test]
async fn a_key_that_is_the_account_is_a_function_nobody_knows() {
    let stage = Stage::set(PLAIN).await;
    let signature = signature("111122223333", "cognito-idp");
    let headers = [
        ("x-amz-target", "AWSCognitoIdentityProviderService.ListUsers"),
        ("authorization", signature.as_str()),
    ];
    stage.send("POST", "/", &headers, "{}").await.expect("an answer");
    assert_eq!(
        stage.control("counters").await["by_caller"]["unidentified-function"]["ListUsers"],
        1
    );
}
