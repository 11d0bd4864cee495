//! The reconciler function: one step of a run, as the state machine orders it. Wires environment, clients and handler.

use std::{
    collections::BTreeMap,
    panic::AssertUnwindSafe,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures::FutureExt;
use lambda_runtime::{LambdaEvent, service_fn};
use serde_json::value::RawValue;
use tokio::time::Instant;
use twinpool_reconciler::{Answer, Order, Reconciler, configuration::CaptureReport};
use twinpool_shared::{
    adapter::{
        aws::{COGNITO_BUDGET, CONSUMER_BUDGET, sdk_config},
        governor::Governor,
        lambda::{emit, now, region, report_panics_by_place, start_logs, variable},
        pool::{Patience, PoolReader},
        table::Table,
    },
    error::{Error, ErrorKind},
    metric::{self, Metric},
    run::RunResult,
    settings::ReconcilerSettings,
    time::Timestamp,
};

/// Kept of an invocation's time for answering.
const ANSWERING_MILLIS: u64 = 5_000;

/// What one process makes once.
struct Function {
    settings: ReconcilerSettings,
    table: Table,
    cognito: aws_sdk_cognitoidentityprovider::Client,
    /// By how many share the quota: what a throttle taught is still known in the next invocation.
    governors: Mutex<BTreeMap<u32, Governor>>,
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
            // Caught here: the runtime would put a panic's message into its answer.
            let handled = AssertUnwindSafe(function.handle(event.payload.get(), deadline).boxed_local())
                .catch_unwind()
                .await;
            match handled {
                Ok(Ok(answer)) => Ok(answer),
                Ok(Err(error)) => {
                    tracing::error!(error = %error, "the step failed");
                    Err(lambda_runtime::Error::from(error.to_string()))
                }
                Err(_panic) => Err(lambda_runtime::Error::from("a bug: the code panicked")),
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

async fn start() -> Result<Function, Error> {
    let settings = ReconcilerSettings::load(&variable)?;
    let sdk = sdk_config(&region()?, CONSUMER_BUDGET).await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&sdk), &settings.table);
    let cognito = sdk_config(&region()?, COGNITO_BUDGET).await;
    Ok(Function {
        settings,
        table,
        cognito: aws_sdk_cognitoidentityprovider::Client::new(&cognito),
        governors: Mutex::default(),
    })
}

impl Function {
    async fn handle(&self, order: &str, deadline: Instant) -> Result<Answer, Error> {
        let order: Order = serde_json::from_str(order).map_err(|error| {
            let what = format!("the order is none: column {}", error.column());
            Error::new(ErrorKind::Unreadable, what)
        })?;
        if !self.settings.pools.contains(&order.pool) {
            let what = format!("pool {} is not in TWINPOOL_POOLS", order.pool);
            return Err(Error::new(ErrorKind::OtherPool, what));
        }
        let governor = {
            let mut governors = self.governors.lock().unwrap_or_else(PoisonError::into_inner);
            let made = || Governor::new(self.settings.share, order.workers);
            governors.entry(order.workers).or_insert_with(made).clone()
        };
        let reconciler = Reconciler {
            reader: PoolReader::new(self.cognito.clone(), governor, Patience::WALK),
            backup: self.table.clone(),
            clock: Arc::new(now),
            retention_seconds: self.settings.retention_seconds,
            watch: Box::new(()),
        };
        let answer = reconciler.step(&order, deadline).await?;
        match &answer {
            Answer::Sweep { run, result } => report(&order.pool, run, result),
            Answer::Configuration { report } => report_configuration(report),
            _ => {}
        }
        Ok(answer)
    }
}

fn report_configuration(report: &CaptureReport) {
    #[expect(clippy::cast_precision_loss, reason = "a configuration has 15 parts")]
    let incomplete = report.incomplete.len() as f64;
    emit("reconciler", &[(metric::CONFIGURATION_INCOMPLETE, vec![incomplete])]);
    for part in &report.incomplete {
        tracing::error!(
            part = part.part.as_str(),
            reason = part.reason,
            "a part of the configuration could not be captured"
        );
    }
}

fn report(pool: &str, run: &str, result: &RunResult) {
    #[expect(clippy::cast_precision_loss, reason = "a pool has at most 40,000,000 users")]
    let count = |metric: Metric, count: u64| (metric, vec![count as f64]);
    // A run's id is the instant at which it began.
    let millis = Timestamp::parse(run).map_or(0, |began| result.finished_at.millis_since(began).max(0));
    let metrics = [
        count(metric::DRIFT_FOUND, result.drift_found),
        count(metric::DRIFT_LEFT, result.drift_left),
        count(metric::RECONCILE_FINISHED, 1),
        count(metric::RECONCILE_TIME, u64::try_from(millis).unwrap_or_default()),
        count(metric::USERS_WALKED, result.users.users),
        count(metric::USERS_BURIED, result.deleted),
        count(metric::GUARD_TRIPPED, u64::from(result.guard.is_some())),
    ];
    emit("reconciler", &metrics);
    match &result.guard {
        Some(trip) => tracing::error!(
            run,
            reason = trip.reason,
            what = trip.what,
            suspects = trip.suspects,
            allowance = trip.allowance,
            "nothing was deleted: more is missing than may be deleted without an operator; look, then `twinpool reconcile --allow-deletes N`"
        ),
        None => tracing::info!(
            run,
            users = result.users.users,
            drift_found = result.drift_found,
            "finished"
        ),
    }
    // A line a status, for the dashboard: as a metric each status would be billed.
    for (status, users) in &result.users.statuses {
        tracing::info!(pool, run, status, users, "users of a status");
    }
}
