//! The replicator function: wires environment, clients and handler.

use std::{process::ExitCode, sync::Arc};

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use twinpool_replicator::Replicator;
use twinpool_shared::{
    adapter::{
        aws::{COGNITO_BUDGET, CONSUMER_BUDGET, sdk_config},
        lambda::{now, region, report_panics_by_place, start_logs, variable},
        pool::PoolReader,
        queue::Queue,
        table::Table,
    },
    error::Error,
    settings::ReplicatorSettings,
};

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
            Ok::<_, lambda_runtime::Error>(replicator.handle(batch).await)
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

async fn start() -> Result<Replicator, Error> {
    let settings = ReplicatorSettings::load(&variable)?;
    let sdk = sdk_config(&region()?, CONSUMER_BUDGET).await;
    let queues = aws_sdk_sqs::Client::new(&sdk);
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), &settings.table);
    let cognito = sdk_config(&region()?, COGNITO_BUDGET).await;
    let reader = PoolReader::new(aws_sdk_cognitoidentityprovider::Client::new(&cognito));
    let queue = Queue::new(queues.clone(), &settings.queue_url);
    let dead_letters = Queue::new(queues, &settings.dead_letter_queue_url);
    let replicator = Replicator::new(settings, queue, dead_letters, table, reader, now);
    replicator.check().await?;
    Ok(replicator)
}
