//! The synchronous call of a pool's Lambda function.
//!
//! Invariant: exactly one invocation for one trigger, never a retry, and whatever goes wrong with it fails the user's call.

use std::time::Duration;

use serde_json::Value;

use super::upstream::{Answer, Upstream};
use crate::pools::{ApiError, TriggerCall};

/// How long Cognito waits for a function.
const LIMIT: Duration = Duration::from_secs(5);

/// Invoke one trigger; the error is what the user's call answers.
pub(super) async fn invoke(upstream: Option<&Upstream>, trigger: &TriggerCall) -> Result<(), ApiError> {
    let slot = &trigger.slot;
    let Some(upstream) = upstream else {
        return Err(unexpected(slot, "ResourceNotFoundException."));
    };
    match tokio::time::timeout(
        LIMIT,
        upstream.invoke(&trigger.function_arn, "RequestResponse", trigger.event.to_string()),
    )
    .await
    {
        Err(_elapsed) => Err(unexpected(slot, "Socket timeout while invoking Lambda function.")),
        Ok(Err(_unreachable)) => Err(unexpected(slot, "ServiceException.")),
        Ok(Ok(answer)) => judge(trigger, &answer),
    }
}

fn judge(trigger: &TriggerCall, answer: &Answer) -> Result<(), ApiError> {
    let slot = &trigger.slot;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if answer.headers.contains_key("x-amz-function-error") {
        let message = body["errorMessage"].as_str().unwrap_or_default();
        // AWS ends the sentence itself.
        let message = message.strip_suffix('.').unwrap_or(message);
        return Err(error(
            "UserLambdaValidationException",
            format!("{slot} failed with error {message}."),
        ));
    }
    if !answer.status.is_success() {
        let code = super::answers::error_type(&answer.headers)
            .or(body["__type"].as_str())
            .unwrap_or("ServiceException");
        return Err(unexpected(
            slot,
            &format!("{}.", code.split(':').next().unwrap_or(code)),
        ));
    }
    // The function must hand the event back. A response that is no object cannot hold an answer either.
    let same = ["triggerSource", "userPoolId", "version"]
        .iter()
        .all(|member| body[member] == trigger.event[member]);
    if !body.is_object() || !same || !(body["response"].is_object() || body["response"].is_null()) {
        return Err(error(
            "InvalidLambdaResponseException",
            "Unrecognizable lambda output".to_owned(),
        ));
    }
    Ok(())
}

fn unexpected(slot: &str, why: &str) -> ApiError {
    error(
        "UnexpectedLambdaException",
        format!("{slot} invocation failed due to error {why}"),
    )
}

fn error(code: &str, message: String) -> ApiError {
    ApiError {
        status: 400,
        code: code.to_owned(),
        message,
    }
}
