//! What all SDK clients share: credentials, budgets, and how an SDK error becomes ours.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, environment::EnvironmentVariableCredentialsProvider, retry::RetryConfig,
    timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::{orchestrator::HttpResponse, result::SdkError};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::error::{Error, ErrorKind, kind_of_code};

/// How long a call may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Opening a connection, in milliseconds.
    pub connect_millis: u64,
    /// One attempt, in milliseconds.
    pub attempt_millis: u64,
    /// The whole operation with its retries, in milliseconds.
    pub operation_millis: u64,
    /// Attempts, the first included.
    pub attempts: u32,
    /// Longest wait before the first retry, in milliseconds; it doubles from there.
    pub backoff_millis: u64,
}

/// A trigger's send: a user is waiting for it. One retry, a second in all.
pub const TRIGGER_BUDGET: Budget = Budget {
    connect_millis: 300,
    attempt_millis: 450,
    operation_millis: 950,
    attempts: 2,
    backoff_millis: 25,
};

/// A consumer's calls: nobody waits, but a Lambda invocation is paid for and ends.
pub const CONSUMER_BUDGET: Budget = Budget {
    connect_millis: 1_000,
    attempt_millis: 4_000,
    operation_millis: 12_000,
    attempts: 3,
    backoff_millis: 25,
};

/// The listener's send: within its function's timeout of 10 s, so that a queue that hangs is counted and not cut off.
pub const LISTENER_BUDGET: Budget = Budget {
    attempt_millis: 2_500,
    operation_millis: 6_000,
    attempts: 2,
    ..CONSUMER_BUDGET
};

/// A consumer's calls to Cognito: one attempt. What is tried again, and when, is up to `adapter::pool`, which asks the governor
/// first.
pub const COGNITO_BUDGET: Budget = Budget {
    operation_millis: CONSUMER_BUDGET.attempt_millis,
    attempts: 1,
    ..CONSUMER_BUDGET
};

/// Configuration for the clients of a Lambda function: Region and credentials from the environment that Lambda sets, and
/// nothing else is searched, because a search for profiles or instance metadata costs start-up time and can hang.
pub async fn sdk_config(region: &str, budget: Budget) -> SdkConfig {
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(budget.connect_millis))
        .operation_attempt_timeout(Duration::from_millis(budget.attempt_millis))
        .operation_timeout(Duration::from_millis(budget.operation_millis))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(budget.attempts)
        .with_initial_backoff(Duration::from_millis(budget.backoff_millis));
    aws_config::defaults(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .credentials_provider(EnvironmentVariableCredentialsProvider::new())
        .timeout_config(timeouts)
        .retry_config(retries)
        .load()
        .await
}

/// What an SDK error is to us. `call` names operation and resource kind, for example `sqs:SendMessage on the queue`; it is
/// also the permission that an operator has to grant when the call is denied.
pub fn classify<E: ProvideErrorMetadata>(call: &str, error: &SdkError<E, HttpResponse>) -> Error {
    let status = error.raw_response().map(|response| response.status().as_u16());
    match error {
        SdkError::ServiceError(service) => {
            let code = service.err().code().unwrap_or_default();
            let kind = kind_of_code(code, status);
            Error::new(
                kind,
                format!(
                    "{call} failed with {}",
                    if code.is_empty() { "no error code" } else { code }
                ),
            )
        }
        SdkError::TimeoutError(_) => Error::new(ErrorKind::Unavailable, format!("{call} timed out")),
        SdkError::DispatchFailure(_) => {
            Error::new(ErrorKind::Unavailable, format!("{call} got no connection or no answer"))
        }
        SdkError::ResponseError(_) => Error::new(ErrorKind::Unavailable, format!("{call} got an answer that is none")),
        _ => Error::new(ErrorKind::Rejected, format!("{call} could not be built")),
    }
}
