//! The listener: CloudTrail records, as EventBridge delivers them, become changes on the queue.
//!
//! Nobody waits for it, so it fails where a trigger must not. Wrong settings or a queue that cannot be reached end the process
//! at start with one line; a change that could not be sent fails the invocation, which Lambda tries again and then hands to
//! the function's on-failure destination.
//!
//! Invariant: an event is answered with success only when its change is on the queue or its reason to be ignored is counted.

use std::{fmt, process::ExitCode};

use aws_sdk_sqs::Client;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;
use tracing::info;
use twinpool_shared::{
    adapter::{
        aws::{LISTENER_BUDGET, sdk_config},
        lambda::{emit, now, region, report_panics_by_place, start_logs, variable},
        queue::Queue,
    },
    error::{Directive, Error},
    metric::{CHANGE_NOT_SENT, CHANGE_SENT, EVENT_IGNORED, Metric},
    port::Outbox,
    settings::ListenerSettings,
    trail::{Heard, Listener, read_record},
};

/// Name in metrics.
const FUNCTION: &str = "admin-events";

/// The listener function.
#[derive(Debug)]
pub struct AdminEvents {
    listener: Listener,
    queue: Queue,
}

impl AdminEvents {
    /// A listener for the records that `listener` describes.
    #[must_use]
    pub fn new(listener: Listener, queue: Queue) -> Self {
        Self { listener, queue }
    }

    /// Handles one EventBridge event.
    ///
    /// # Errors
    /// [`NotSent`] when the change may not be on the queue.
    pub async fn handle(&self, event: LambdaEvent<Value>) -> Result<(), NotSent> {
        let request_id = event.context.request_id;
        match read_record(&self.listener, &event.payload, now()) {
            Heard::Ignored(why) => {
                count(EVENT_IGNORED);
                info!(request_id, reason = why.as_str(), "event ignored");
                Ok(())
            }
            Heard::Change(change) => match self.queue.send(&change, 0).await {
                Ok(()) => {
                    count(CHANGE_SENT);
                    info!(request_id, change = change.id, cause = change.cause, "change sent");
                    Ok(())
                }
                Err(error) => {
                    count(CHANGE_NOT_SENT);
                    Err(NotSent(error))
                }
            },
        }
    }
}

fn count(metric: Metric) {
    emit(FUNCTION, &[(metric, vec![1.0])]);
}

/// A change that may not be on the queue.
#[derive(Clone, PartialEq, Eq)]
pub struct NotSent(Error);

/// The Lambda runtime logs a handler's error with `Debug`, as the one line about it.
impl fmt::Debug for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "change not sent: {}", self.0)
    }
}

impl From<NotSent> for Diagnostic {
    fn from(error: NotSent) -> Self {
        Self {
            error_type: "Twinpool.ChangeNotSent".to_owned(),
            error_message: error.0.to_string(),
        }
    }
}

/// Runs the listener until Lambda ends the process.
#[must_use]
pub fn run() -> ExitCode {
    start_logs();
    report_panics_by_place();
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> Result<(), lambda_runtime::Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let function = from_environment().await?;
        let function = &function;
        lambda_runtime::run(service_fn(move |event| function.handle(event))).await
    })
}

/// The listener with a queue that has answered.
async fn from_environment() -> Result<AdminEvents, Error> {
    let settings = ListenerSettings::load(&variable)?;
    let config = sdk_config(&region()?, LISTENER_BUDGET).await;
    let queue = Queue::new(Client::new(&config), settings.queue_url);
    match queue.probe("TWINPOOL_QUEUE_URL").await {
        Err(error) if error.directive() == Directive::Stop => return Err(error),
        // A queue that is slow or away now is no reason not to start: each send says so itself.
        Ok(()) | Err(_) => {}
    }
    let listener = Listener {
        pools: settings.pools,
        own_roles: settings.own_roles,
    };
    Ok(AdminEvents::new(listener, queue))
}
