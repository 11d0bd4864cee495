//! Changing a user pool, in the raw way of [`super::raw`] and under the rules of [`super::calls`].
//!
//! Invariant: an attempt whose answer was lost is repeated only where a second one changes nothing
//! ([`crate::import::repeatable`]); anything else is told to the caller, who looks. Reads do not go this way.

use aws_sdk_cognitoidentityprovider::{Client, error::ProvideErrorMetadata};
use serde_json::Value;

use super::{
    calls::{Call, Failure, Next, Patience, patiently, reads, without_retries},
    raw,
};
use crate::{
    adapter::governor::Governor,
    error::{Error, ErrorKind},
    import::repeatable,
    port::{Refusal, WritePool},
};

/// A resource's limit is reached: more groups of a user, links, pools, than there may be. Unlike `TooManyRequestsException` it
/// does not pass. [API: common errors of cognito-idp]
const LIMIT_REACHED: &str = "LimitExceededException";
/// Somebody else changes the same thing at this moment; nothing was changed. [API]
const AT_THE_SAME_TIME: &str = "ConcurrentModificationException";
/// Cognito's own refusal of what is asked. IAM says `AccessDeniedException`. [API]
const NOT_AUTHORIZED: &str = "NotAuthorizedException";

/// Changes pools of one Region.
#[derive(Clone, Debug)]
pub struct PoolWriter {
    client: Client,
    governor: Governor,
    patience: Patience,
}

impl PoolWriter {
    /// A writer over `client`, whose own retries are switched off: every attempt is admitted by `governor`.
    #[must_use]
    pub fn new(client: Client, governor: Governor, patience: Patience) -> Self {
        Self {
            client: without_retries(&client),
            governor,
            patience,
        }
    }
}

impl WritePool for PoolWriter {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        if reads(operation) {
            let what = format!("cognito-idp:{operation} is no change");
            return Err(Refusal::Failed(Error::new(ErrorKind::Rejected, what)));
        }
        let (category, operation) = raw::known(operation).map_err(Refusal::Failed)?;
        let body = input.to_string();
        let call = Call {
            name: &format!("cognito-idp:{operation} on the pool"),
            category,
            operation,
            pool: raw::pool_of(&input),
        };
        let send = || raw::send(&self.client, operation, body.clone());
        let next = |failure: &Failure<_>| next(failure, repeatable(operation));
        match patiently(&self.governor, self.patience, &call, next, send).await {
            // It was made, and nobody knows what was answered.
            Ok(answer) => raw::read(operation, &answer).map_err(Refusal::Doubtful),
            Err(failure) => Err(refusal(failure)),
        }
    }
}

fn next<E: ProvideErrorMetadata>(failure: &Failure<E>, repeatable: bool) -> Next {
    match failure.code() {
        LIMIT_REACHED => Next::End,
        AT_THE_SAME_TIME => Next::Again,
        _ if failure.lost && repeatable => Next::Again,
        _ if failure.error.kind == ErrorKind::Throttled => Next::Slower,
        _ => Next::End,
    }
}

fn refusal<E: ProvideErrorMetadata>(failure: Failure<E>) -> Refusal {
    let code = failure.code();
    match failure.error.kind {
        _ if failure.lost => Refusal::Doubtful(failure.error),
        ErrorKind::Denied if code != NOT_AUTHORIZED => Refusal::Failed(failure.error),
        ErrorKind::Throttled if code != LIMIT_REACHED => Refusal::Failed(failure.error),
        _ if code.is_empty() => Refusal::Failed(failure.error),
        _ => Refusal::Refused(code.to_owned()),
    }
}

#[cfg(test)]
mod tests;
