//! What every function of ours shares: environment, clock, logs and metrics.
//!
//! Logs go to standard error as JSON, metrics to standard output; Lambda keeps both.
//!
//! Invariant: only Twinpool's own targets are logged below warnings. At TRACE the Lambda runtime and the SDKs print raw
//! events and items, whatever an operator sets as the level.

use std::io::Write;

use lambda_runtime::tracing::subscriber::{EnvFilter, fmt};

use crate::{
    error::{Error, ErrorKind},
    metric::{self, Metric},
    time::Timestamp,
};

/// A variable of the environment; empty counts as absent.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the environment, for the mains"
)]
#[must_use]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The present.
#[expect(
    clippy::disallowed_methods,
    reason = "the one place that reads the clock, for handlers that pass it on"
)]
#[must_use]
pub fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// The Region that Lambda sets.
///
/// # Errors
/// `BadSetting` outside Lambda, when nobody sets it.
pub fn region() -> Result<String, Error> {
    variable("AWS_REGION").ok_or_else(|| Error::new(ErrorKind::BadSetting, "AWS_REGION is not set"))
}

/// Starts logging: JSON lines on standard error, at the level of `AWS_LAMBDA_LOG_LEVEL` (default INFO) for Twinpool's own
/// targets and at WARN for everybody else's.
pub fn start_logs() {
    let level = variable("AWS_LAMBDA_LOG_LEVEL").unwrap_or_default().to_lowercase();
    let level = if ["error", "warn", "info", "debug"].contains(&level.as_str()) {
        level.as_str()
    } else {
        "info"
    };
    let own = [
        "twinpool_shared",
        "twinpool_triggers",
        "twinpool_admin_events",
        "twinpool_replicator",
        "twinpool_reconciler",
    ];
    let mains = [
        "post_confirmation",
        "post_authentication",
        "custom_message",
        "admin_events",
        "replicator",
        "reconciler",
    ];
    let targets = own.iter().chain(&mains).map(|target| format!("{target}={level}"));
    let directives: Vec<String> = std::iter::once("warn".to_owned()).chain(targets).collect();
    let filter = EnvFilter::new(directives.join(","));
    // A second start (tests in one process) keeps the first.
    let _ = fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init();
}

/// Makes a panic one log line with its place and without its message: the message may quote a value of the event.
pub fn report_panics_by_place() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        lambda_runtime::tracing::error!(target: "twinpool_shared", place, "a bug: the code panicked");
    }));
}

/// Writes metrics of the function named `function` to standard output.
pub fn emit(function: &str, values: &[(Metric, Vec<f64>)]) {
    let mut text = metric::lines(function, now(), values).join("\n");
    if !text.is_empty() {
        text.push('\n');
        // A closed standard output must not fail anybody's sign-in.
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }
}
