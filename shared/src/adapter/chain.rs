//! Invoking the function that had the trigger slot before Twinpool.
//!
//! Invariant: its answer and its error pass through untouched. Bytes in, bytes out. Asking whether it may be invoked never runs it.

use aws_sdk_lambda::{
    Client,
    error::{ConnectorError, SdkError},
    primitives::Blob,
    types::InvocationType,
};

use super::aws::{Budget, classify};
use crate::error::{Error, ErrorKind};

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
    /// The function did not run, and in the slot itself it would have: no permission, no such function, nobody listens.
    NotInvoked(Error),
    /// The function may have run and no answer came, or it would not have run in the slot either (throttled, 5xx).
    NoAnswer(Error),
}

/// What calls are named in errors; also the permission that they need.
const CALL: &str = "lambda:InvokeFunction on the function in TWINPOOL_CHAIN_TO";

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

    /// Asks Lambda whether this function may be invoked with these credentials, without running it.
    ///
    /// Source: Lambda API reference, `Invoke`: `DryRun` validates parameters and verifies that user or role may invoke.
    ///
    /// # Errors
    /// As Lambda answers: `Denied` when it may not be invoked, `NotFound` when there is no such function.
    pub async fn may_be_invoked(&self) -> Result<(), Error> {
        let request = self.client.invoke().function_name(&self.function_arn);
        let answer = request.invocation_type(InvocationType::DryRun).send().await;
        answer.map(drop).map_err(|error| classify(CALL, &error))
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
                let refused_connection =
                    matches!(&error, SdkError::DispatchFailure(failure) if is_refused(failure.as_connector_error()));
                let error = classify(CALL, &error);
                let ours = matches!(error.kind, ErrorKind::Denied | ErrorKind::NotFound) || refused_connection;
                Err(if ours {
                    ChainError::NotInvoked(error)
                } else {
                    ChainError::NoAnswer(error)
                })
            }
        }
    }
}

/// Whether nobody listened, so that the function certainly did not run. A reset connection does not prove it.
fn is_refused(failure: Option<&ConnectorError>) -> bool {
    let mut source = failure.and_then(std::error::Error::source);
    while let Some(error) = source {
        if error
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::ConnectionRefused)
        {
            return true;
        }
        source = error.source();
    }
    false
}
