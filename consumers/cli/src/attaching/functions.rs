//! The functions of an attachment: what Lambda says of them, and whether they answer.
//!
//! Source: Lambda API reference, `GetFunctionConfiguration`, `GetPolicy`, `Invoke`.
//!
//! Invariant: only a function of Twinpool's that chains to nothing gets a made-up event. Somebody else's function is never
//! invoked from here, nor by one of ours on our behalf.

use std::time::Duration;

use aws_sdk_lambda::{
    Client,
    primitives::Blob,
    types::{InvocationType, LastUpdateStatus, State},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};
use twinpool_shared::{
    adapter::aws::classify,
    attach::{Function, Holder, may_invoke, probe},
    error::{Error, ErrorKind},
};

use crate::doctor::functions::{self, CHAIN_TO, name};

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
        let variables = answer.environment.and_then(|environment| environment.variables);
        let chains_to = variables.and_then(|mut variables| variables.remove(CHAIN_TO));
        let may_be_invoked = match pool_arn {
            Some(pool_arn) => self
                .policy(arn)
                .await?
                .is_some_and(|policy| may_invoke(&policy, pool_arn)),
            None => false,
        };
        Ok(Some(Function {
            is_ready,
            chains_to: chains_to.filter(|arn| !arn.is_empty()),
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
        let mut functions = functions::Functions::new(self.client.clone());
        match functions.settings(arn).await {
            Ok(settings) if settings.queue_url.is_some() => Ok(Holder::Twinpools),
            Ok(_) => Ok(Holder::Theirs),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(Holder::Missing),
            Err(error) => Err(error),
        }
    }

    /// Tries a function of Twinpool's: with an event of no user, which it has to answer with itself, or where it `chains`, whether
    /// it could be invoked.
    ///
    /// # Errors
    /// `Unmet` when it fails or answers otherwise; as Lambda answers.
    pub(super) async fn try_out(&self, arn: &str, pool: &str, region: &str, chains: bool) -> Result<(), Error> {
        let request = self.client.invoke().function_name(arn);
        let event = probe(pool, region);
        let request = if chains {
            request.invocation_type(InvocationType::DryRun)
        } else {
            request.payload(Blob::new(event.to_string()))
        };
        let answer = request
            .send()
            .await
            .map_err(|error| classify(&call("InvokeFunction", arn), &error))?;
        if chains {
            return Ok(());
        }
        let payload = answer.payload.map(Blob::into_inner).unwrap_or_default();
        let is_itself = answer.function_error.is_none()
            && serde_json::from_slice::<Value>(&payload).is_ok_and(|answer| answer == event);
        if is_itself {
            return Ok(());
        }
        let what = format!(
            "the function {} does not answer an event of no user with itself, so users would be kept out; its log in /aws/lambda/{} says \
             why",
            name(arn),
            name(arn)
        );
        Err(Error::new(ErrorKind::Unmet, what))
    }

    /// Waits until a function chains to `chain` and can be invoked.
    ///
    /// # Errors
    /// `Unmet` when it does not come to that; as Lambda answers.
    pub(super) async fn await_chain(&self, arn: &str, chain: Option<&str>) -> Result<(), Error> {
        let begun = Instant::now();
        loop {
            let function = self.look(arn, None).await?;
            if function.is_some_and(|function| function.is_ready && function.chains_to.as_deref() == chain) {
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

fn call(operation: &str, arn: &str) -> String {
    format!("lambda:{operation} on {}", name(arn))
}
