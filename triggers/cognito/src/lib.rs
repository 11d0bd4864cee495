//! The Cognito triggers of the primary pool.
//!
//! A user is waiting, at most 5 s, and an error fails their sign-in. So the event goes back to Cognito as the bytes that came,
//! whatever happens to the change; what could not be sent is counted and found by the nightly reconcile. The three binaries
//! differ by their name only, because the event itself says what it is.
//!
//! * [`Trigger`]: one invocation, with the chained function beside it.
//! * [`Refused`]: the only way for an invocation to fail, which is the chained function's, or a probe's.
//!
//! Invariant: nothing of Twinpool's own (settings, queue, time, a panic) ever fails or changes anybody's sign-in. A probe may fail:
//! it comes from an operator and never from Cognito, so that nobody's sign-in hangs on it.

mod capture;
mod probe;
mod refused;
mod trigger;

use aws_sdk_lambda::Client as LambdaClient;
use aws_sdk_sqs::Client as SqsClient;
use lambda_runtime::service_fn;
use tracing::error;
use twinpool_shared::{
    adapter::{
        aws::{TRIGGER_BUDGET, sdk_config},
        chain::{CHAIN_BUDGET, Chain},
        lambda::{region, report_panics_by_place, start_logs, variable},
        queue::Queue,
    },
    error::Error,
    settings::TriggerSettings,
};

pub use self::{refused::Refused, trigger::Trigger};

/// Runs the trigger named `function` until Lambda ends the process.
///
/// # Errors
/// Only when the Lambda runtime API itself cannot be reached. Wrong settings are logged, and every user goes through.
pub fn run(function: &'static str) -> Result<(), lambda_runtime::Error> {
    start_logs();
    report_panics_by_place();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let trigger = from_environment(function).await;
        let trigger = &trigger;
        lambda_runtime::run(service_fn(move |event| trigger.handle(event))).await
    })
}

/// The trigger with its clients. A client is made only for what is configured.
async fn from_environment(function: &'static str) -> Trigger {
    let settings = TriggerSettings::load(&variable);
    let region = region();
    let queue = match both(settings.queue_url, &region) {
        Ok((url, region)) => Ok(Queue::new(
            SqsClient::new(&sdk_config(region, TRIGGER_BUDGET).await),
            url,
        )),
        Err(error) => Err(error),
    };
    let chain = match settings.chain_to.transpose() {
        None => Ok(None),
        Some(function_arn) => match both(function_arn, &region) {
            Ok((function_arn, region)) => {
                let client = LambdaClient::new(&sdk_config(region, CHAIN_BUDGET).await);
                Ok(Some(Chain::new(client, function_arn)))
            }
            Err(error) => Err(error),
        },
    };
    let mut said = None;
    for wrong in [queue.as_ref().err(), chain.as_ref().err()].into_iter().flatten() {
        // Without a Region both say the same.
        if said != Some(wrong) {
            error!(error = %wrong, "wrong settings: users go through, their changes are not sent");
        }
        said = Some(wrong);
    }
    Trigger::new(function, queue, chain)
}

fn both<T>(setting: Result<T, Error>, region: &Result<String, Error>) -> Result<(T, &str), Error> {
    match (setting, region) {
        (Ok(setting), Ok(region)) => Ok((setting, region)),
        (Err(error), _) => Err(error),
        (Ok(_), Err(error)) => Err(error.clone()),
    }
}
