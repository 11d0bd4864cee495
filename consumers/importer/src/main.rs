//! The importer function: one step of an import, as the state machine orders it. Wires environment, clients and handler.

use std::{panic::AssertUnwindSafe, process::ExitCode, sync::Arc, time::Duration};

use futures::FutureExt;
use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;
use twinpool_importer::{
    HttpUpload, Importer,
    step::{Answer, Order, Place},
};
use twinpool_shared::{
    adapter::{
        aws::{COGNITO_BUDGET, CONSUMER_BUDGET, sdk_config},
        governor::Governor,
        lambda::{now, region, report_panics_by_place, start_logs, variable},
        pool::{Patience, PoolReader, PoolWriter},
        table::Table,
    },
    error::{Error, ErrorKind},
    import::estimate::{ASKED, Live},
    settings::ReconcilerSettings,
};

/// Kept of an invocation's time for answering.
const ANSWERING_MILLIS: u64 = 5_000;

/// What one process makes once.
struct Function {
    settings: ReconcilerSettings,
    region: String,
    table: Table,
    cognito: aws_sdk_cognitoidentityprovider::Client,
    /// What a throttle taught is still known in the next invocation.
    governor: Governor,
    live: Live,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    start_logs();
    report_panics_by_place();
    let function = match start().await {
        Ok(function) => Arc::new(function),
        Err(error) => {
            tracing::error!(error = %error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let function = Arc::clone(&function);
        async move {
            let left = event
                .context
                .deadline
                .saturating_sub(u64::try_from(now().as_millis()).unwrap_or(0));
            let deadline = Instant::now() + Duration::from_millis(left.saturating_sub(ANSWERING_MILLIS));
            let account = event.context.invoked_function_arn.split(':').nth(4).unwrap_or_default();
            // Caught here: the runtime would put a panic's message into its answer.
            let handled = AssertUnwindSafe(function.handle(event.payload.get(), account, deadline).boxed_local())
                .catch_unwind()
                .await;
            match handled {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => {
                    tracing::error!(error = %error, "the step failed");
                    Err(told(error.kind.as_str(), error.to_string()))
                }
                Err(_panic) => Err(told("panic", "a bug: the code panicked".to_owned())),
            }
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

/// An error by its kind, which is what the state machine retries by.
fn told(kind: &str, message: String) -> Diagnostic {
    Diagnostic {
        error_type: kind.to_owned(),
        error_message: message,
    }
}

async fn start() -> Result<Function, Error> {
    let settings = ReconcilerSettings::load(&variable)?;
    let region = region()?;
    let sdk = sdk_config(&region, CONSUMER_BUDGET).await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), &settings.table);
    let cognito = sdk_config(&region, COGNITO_BUDGET).await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&cognito);
    let governor = Governor::new(settings.share, 1);
    let reader = PoolReader::new(cognito.clone(), governor.clone(), Patience::WALK);
    let live = reader.live_limits(&ASKED).await.into_iter();
    Ok(Function {
        settings,
        region,
        table,
        cognito,
        governor,
        live: live.filter_map(|(category, rps)| Some((category, rps?))).collect(),
    })
}

impl Function {
    async fn handle(&self, order: &str, account: &str, deadline: Instant) -> Result<Answer, Error> {
        let order: Order = serde_json::from_str(order).map_err(|error| {
            // An order holds ids, names of pools and ARNs, so the error may say which member it does not know.
            let what = format!("the order cannot be read: {error}");
            Error::new(ErrorKind::Unreadable, what)
        })?;
        if !self.settings.pools.contains(&order.pool) {
            let what = format!("pool {} is not in TWINPOOL_POOLS", order.pool);
            return Err(Error::new(ErrorKind::OtherPool, what));
        }
        let importer = Importer {
            reader: PoolReader::new(self.cognito.clone(), self.governor.clone(), Patience::WALK),
            writer: PoolWriter::new(self.cognito.clone(), self.governor.clone(), Patience::WALK),
            backup: self.table.clone(),
            clock: Arc::new(now),
            watch: Box::new(()),
            upload: Box::new(HttpUpload),
        };
        let place = Place {
            table: self.settings.table.clone(),
            region: self.region.clone(),
            account: account.to_owned(),
            retention_seconds: self.settings.retention_seconds,
            share: self.settings.share,
            live: self.live.clone(),
        };
        Box::pin(importer.step(&order, &place, deadline)).await
    }
}
