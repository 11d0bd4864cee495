//! Trying a function of Twinpool's for real, before anybody's sign-in depends on it.
//!
//! Source: Lambda API reference, `Invoke`; Lambda developer guide: what was changed in IAM or in a function's settings takes seconds
//! to be in force everywhere.
//!
//! Invariant: only a function of the stack is tried, and by an event that it answers itself: what it chains to is not run.

use std::time::Duration;

use aws_sdk_lambda::primitives::Blob;
use serde_json::Value;
use tokio::time::{Instant, sleep};
use twinpool_shared::{
    adapter::aws::classify,
    attach::{PROBE_REFUSED, probe},
    error::{Error, ErrorKind},
};

use super::{Functions, call};
use crate::doctor::functions::name;

const POLL: Duration = Duration::from_secs(1);
/// A permission that was given with the stack is in force by then.
const ALLOWED_WITHIN: Duration = Duration::from_mins(1);

/// What a function answered.
#[derive(Debug, PartialEq, Eq)]
enum Heard {
    /// The event, as it has to.
    Itself,
    /// That it may not invoke what it chains to, in its own words.
    NotAllowed(String),
    /// Anything else, or it failed.
    Otherwise,
}

fn heard(event: &Value, has_failed: bool, payload: &[u8]) -> Heard {
    let answer: Value = serde_json::from_slice(payload).unwrap_or_default();
    if !has_failed {
        return if answer == *event {
            Heard::Itself
        } else {
            Heard::Otherwise
        };
    }
    match answer["errorMessage"].as_str() {
        Some(message) if answer["errorType"] == PROBE_REFUSED => Heard::NotAllowed(message.to_owned()),
        _ => Heard::Otherwise,
    }
}

impl Functions {
    /// Runs a function of the stack with an event of no user, which it has to answer with itself; for up to a minute where it may
    /// not yet invoke what it chains to.
    ///
    /// # Errors
    /// `Unmet` when it fails or answers otherwise; as Lambda answers.
    pub(in crate::attaching) async fn try_out(&self, arn: &str, pool: &str, region: &str) -> Result<(), Error> {
        let event = probe(pool, region);
        let begun = Instant::now();
        loop {
            let request = self.client.invoke().function_name(arn);
            let answer = request.payload(Blob::new(event.to_string())).send().await;
            let answer = answer.map_err(|error| classify(&call("InvokeFunction", arn), &error))?;
            let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
            let what = match heard(&event, answer.function_error.is_some(), &payload) {
                Heard::Itself => return Ok(()),
                Heard::NotAllowed(_) if begun.elapsed() < ALLOWED_WITHIN => {
                    sleep(POLL).await;
                    continue;
                }
                Heard::NotAllowed(message) => format!(
                    "the function {} may not invoke the function that it chains to, so users would go through without that one: {message}",
                    name(arn)
                ),
                Heard::Otherwise => format!(
                    "the function {} does not answer an event of no user with itself, so users would be kept out; its log in \
                     /aws/lambda/{} says why",
                    name(arn),
                    name(arn)
                ),
            };
            return Err(Error::new(ErrorKind::Unmet, what));
        }
    }
}

#[cfg(test)]
mod tests;
