//! The replicator function: wires environment, clients and handler.

use std::{panic::AssertUnwindSafe, process::ExitCode, sync::Arc, time::Duration};

use aws_lambda_events::event::sqs::SqsEvent;
use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;
use twinpool_replicator::Replicator;
use twinpool_shared::{
    adapter::{
        aws::{COGNITO_BUDGET, CONSUMER_BUDGET, sdk_config},
        governor::Governor,
        lambda::{now, region, report_panics_by_place, start_logs, variable},
        pool::{Patience, PoolReader},
        queue::Queue,
        table::Table,
    },
    error::Error,
    settings::ReplicatorSettings,
};

/// Kept of an invocation's time for putting back, parking and answering.
const CONCLUDING_MILLIS: u64 = 14_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start_logs();
    report_panics_by_place();
    let replicator = match start().await {
        Ok(replicator) => Arc::new(replicator),
        Err(error) => {
            tracing::error!(error = %error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let replicator = Arc::clone(&replicator);
        async move {
            // Read here and not by the runtime, whose error would quote what it could not read.
            let batch: SqsEvent = serde_json::from_str(event.payload.get()).map_err(|_| "the event is not from SQS")?;
            let left = event
                .context
                .deadline
                .saturating_sub(u64::try_from(now().as_millis()).unwrap_or(0));
            let deadline = Instant::now() + Duration::from_millis(left.saturating_sub(CONCLUDING_MILLIS));
            // Caught here: the runtime would put a panic's message, and with it perhaps a value, into its answer.
            let handled = AssertUnwindSafe(replicator.handle(batch, deadline))
                .catch_unwind()
                .await;
            handled.map_err(|_panic| lambda_runtime::Error::from("a bug: the code panicked"))
        }
    });
    match lambda_runtime::run(handler).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!(error = %error, "the Lambda runtime ended");
            ExitCode::FAILURE
        }
    }
}

async fn start() -> Result<Replicator<PoolReader, Table, Queue>, Error> {
    let settings = ReplicatorSettings::load(&variable)?;
    let sdk = sdk_config(&region()?, CONSUMER_BUDGET).await;
    let queues = aws_sdk_sqs::Client::new(&sdk);
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), &settings.table);
    let cognito = sdk_config(&region()?, COGNITO_BUDGET).await;
    let reader = PoolReader::new(
        aws_sdk_cognitoidentityprovider::Client::new(&cognito),
        Governor::new(settings.share, settings.replicators),
        Patience::REPLICATOR,
    );
    let queue = Queue::new(queues.clone(), &settings.queue_url);
    let dead_letters = Queue::new(queues, &settings.dead_letter_queue_url);
    let replicator = Replicator::new(settings, queue, dead_letters, table, reader, Arc::new(now));
    replicator.check().await?;
    Ok(replicator)
}
