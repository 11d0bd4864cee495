//! Invoking the function that had the trigger slot before Twinpool.
//!
//! Invariant: its answer and its error pass through untouched. Bytes in, bytes out.

use aws_sdk_lambda::{Client, primitives::Blob};

use super::aws::{Budget, classify};
use crate::error::Error;

/// The chained function answers within Cognito's 5 s or not at all; what is left of them is for the way. One attempt: a
/// function that ran must not run twice.
pub const CHAIN_BUDGET: Budget = Budget {
    connect_millis: 500,
    attempt_millis: 4_600,
    operation_millis: 4_700,
    attempts: 1,
    backoff_millis: 25,
};

/// What the chained function said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainAnswer {
    /// Its payload.
    Answered(Vec<u8>),
    /// Its error payload: a JSON object with `errorType` and `errorMessage`.
    Failed(Vec<u8>),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainError {
    /// The function did not run: no permission, no such function, throttled, no connection.
    NotInvoked(Error),
    /// The function may have run, and no answer came in time.
    NoAnswer(Error),
}

/// A function to chain to.
#[derive(Clone, Debug)]
pub struct Chain {
    client: Client,
    function_arn: String,
}

impl Chain {
    /// The function `function_arn`.
    #[must_use]
    pub fn new(client: Client, function_arn: impl Into<String>) -> Self {
        Self {
            client,
            function_arn: function_arn.into(),
        }
    }

    /// Invokes the function with `event` and waits for its answer.
    ///
    /// # Errors
    /// [`ChainError`], which tells whether the function may have run.
    pub async fn invoke(&self, event: &[u8]) -> Result<ChainAnswer, ChainError> {
        let request = self
            .client
            .invoke()
            .function_name(&self.function_arn)
            .payload(Blob::new(event));
        match request.send().await {
            Ok(answer) => {
                let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
                Ok(if answer.function_error.is_some() {
                    ChainAnswer::Failed(payload)
                } else {
                    ChainAnswer::Answered(payload)
                })
            }
            Err(error) => {
                let connected = match &error {
                    aws_sdk_lambda::error::SdkError::TimeoutError(_) => true,
                    aws_sdk_lambda::error::SdkError::DispatchFailure(failure) => {
                        !failure.is_io() || failure.is_timeout()
                    }
                    aws_sdk_lambda::error::SdkError::ResponseError(_) => true,
                    _ => false,
                };
                let error = classify("lambda:InvokeFunction on the function in TWINPOOL_CHAIN_TO", &error);
                Err(if connected {
                    ChainError::NoAnswer(error)
                } else {
                    ChainError::NotInvoked(error)
                })
            }
        }
    }
}
