//! The functions of an attachment: what Lambda says of them, and whether they answer.
//!
//! Source: Lambda API reference, `GetFunctionConfiguration`, `GetPolicy`, `Invoke`.
//!
//! * [`probing`]: running one for real.
//!
//! Invariant: only a function of the stack gets a made-up event. Somebody else's function is never invoked from here, nor by one of
//! ours on our behalf.

mod probing;

use std::time::Duration;

use aws_sdk_lambda::{
    Client,
    types::{EnvironmentResponse, LastUpdateStatus, State},
};
use tokio::time::{Instant, sleep};
use twinpool_shared::{
    adapter::aws::classify,
    attach::{Function, Holder, Target, may_invoke},
    error::{Error, ErrorKind},
};

use crate::doctor::functions::{CHAIN_TO, QUEUE_URL, name};

const POLL: Duration = Duration::from_millis(500);
/// A function whose settings were updated is ready again within seconds.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// The functions of one Region.
#[derive(Debug)]
pub(super) struct Functions {
    client: Client,
}

impl Functions {
    pub(super) fn new(client: Client) -> Self {
        Self { client }
    }

    /// What Lambda says of a function; `None` when it does not exist. Without `pool_arn` nobody asks whether Cognito may invoke
    /// it, and it counts as not permitted.
    ///
    /// # Errors
    /// As Lambda answers.
    pub(super) async fn look(&self, arn: &str, pool_arn: Option<&str>) -> Result<Option<Function>, Error> {
        let answer = self.client.get_function_configuration().function_name(arn).send().await;
        let answer = answer.map_err(|error| classify(&call("GetFunctionConfiguration", arn), &error));
        let answer = match answer {
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(None),
            answer => answer?,
        };
        let updated = answer.last_update_status.as_ref();
        let is_ready = answer.state.as_ref().is_none_or(|state| *state == State::Active)
            && updated.is_none_or(|status| *status == LastUpdateStatus::Successful);
        let environment = answer.environment.as_ref();
        let may_be_invoked = match pool_arn {
            Some(pool_arn) => self
                .policy(arn)
                .await?
                .is_some_and(|policy| may_invoke(&policy, pool_arn)),
            None => false,
        };
        Ok(Some(Function {
            is_ready,
            is_told: is_told(environment),
            chains_to: variable(environment, CHAIN_TO),
            may_be_invoked,
        }))
    }

    async fn policy(&self, arn: &str) -> Result<Option<String>, Error> {
        let answer = self.client.get_policy().function_name(arn).send().await;
        match answer.map_err(|error| classify(&call("GetPolicy", arn), &error)) {
            Err(error) if error.kind == ErrorKind::NotFound => Ok(None),
            answer => Ok(answer?.policy),
        }
    }

    /// What a function is that holds a slot. Twinpool's are told by their settings, never by name.
    ///
    /// # Errors
    /// As Lambda answers.
    pub(super) async fn holder(&self, arn: &str) -> Result<Holder, Error> {
        let answer = self.client.get_function_configuration().function_name(arn).send().await;
        match answer.map_err(|error| classify(&call("GetFunctionConfiguration", arn), &error)) {
            Ok(answer) => Ok(holder(answer.environment.as_ref())),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Holder::Missing),
            // Another account's, as a rule.
            Err(error) if error.kind == ErrorKind::Denied => Ok(Holder::Unread),
            Err(error) => Err(error),
        }
    }

    /// What a function is that a slot gets back. It is never invoked for that. Whatever keeps it from being looked at does not
    /// keep a function of Twinpool's in its slot, so there is no error.
    pub(super) async fn target(&self, arn: &str, pool_arn: &str) -> Target {
        match self.look(arn, Some(pool_arn)).await {
            Ok(Some(function)) if function.may_be_invoked => Target::Fine,
            Ok(Some(_)) => Target::NotPermitted,
            Ok(None) => Target::Missing,
            Err(_) => Target::Unread,
        }
    }

    /// Waits until a function chains to `chain` and can be invoked.
    ///
    /// # Errors
    /// `Unmet` when it does not come to that; as Lambda answers.
    pub(super) async fn await_chain(&self, arn: &str, chain: Option<&str>) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let function = self.look(arn, None).await?;
            if function.is_some_and(|function| function.is_ready && function.agrees(chain)) {
                return Ok(());
            }
            if begun.elapsed() > READY_WITHIN {
                let what = format!(
                    "the function {} is not ready, or does not invoke {}, as the stack says; look at its state and at {CHAIN_TO}",
                    name(arn),
                    chain.map_or("nothing", name)
                );
                return Err(Error::new(ErrorKind::Unmet, what));
            }
            sleep(POLL).await;
        }
    }
}

/// Whether Lambda told the variables, or that there are none.
fn is_told(environment: Option<&EnvironmentResponse>) -> bool {
    environment.is_none_or(|environment| environment.error.is_none())
}

fn variable(environment: Option<&EnvironmentResponse>, name: &str) -> Option<String> {
    let value = environment?.variables.as_ref()?.get(name);
    value.filter(|value| !value.is_empty()).cloned()
}

fn holder(environment: Option<&EnvironmentResponse>) -> Holder {
    if variable(environment, QUEUE_URL).is_some() {
        Holder::Twinpools
    } else if is_told(environment) {
        Holder::Theirs
    } else {
        Holder::Unread
    }
}

fn call(operation: &str, arn: &str) -> String {
    format!("lambda:{operation} on {}", name(arn))
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::EnvironmentError;

    use super::*;

    #[test]
    fn variables_that_are_not_told_are_not_taken_for_none() {
        let with = |name: &str| EnvironmentResponse::builder().variables(name, "value").build();
        let error = EnvironmentError::builder().error_code("AccessDeniedException").build();
        let untold = EnvironmentResponse::builder().error(error).build();
        assert_eq!(holder(Some(&with(QUEUE_URL))), Holder::Twinpools);
        assert_eq!(holder(Some(&with("THEIRS"))), Holder::Theirs);
        assert_eq!(holder(None), Holder::Theirs);
        assert_eq!(holder(Some(&untold)), Holder::Unread);
        assert!(!is_told(Some(&untold)) && is_told(None) && is_told(Some(&with(CHAIN_TO))));
        assert_eq!(variable(Some(&with(CHAIN_TO)), CHAIN_TO).as_deref(), Some("value"));
    }
}
