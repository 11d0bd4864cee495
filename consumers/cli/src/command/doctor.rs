//! `twinpool doctor`: whether everything is there that a copy, and a restore, depend on.

use std::collections::BTreeMap;

use serde::Serialize;
use twinpool_shared::error::Error;

use crate::{
    arguments::queue_url,
    context::{Connection, Context},
    doctor::{Finding, State, alarms, caller, events, functions::Functions, pool, queues, table, trail},
    exit::Exit,
    output::{Output, printable},
    untyped::Untyped,
};

/// Arguments of `doctor`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// URL of the queue of changes
    #[arg(long, value_name = "URL", env = "TWINPOOL_QUEUE_URL", hide_env_values = true, value_parser = queue_url)]
    queue_url: Option<String>,
    /// URL of the dead-letter queue
    #[arg(long, value_name = "URL", env = "TWINPOOL_DLQ_URL", hide_env_values = true, value_parser = queue_url)]
    dlq_url: Option<String>,
}

/// The document.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Diagnosis {
    /// In the order in which they were looked at.
    findings: Vec<Finding>,
    /// How many there are of each state.
    counts: BTreeMap<&'static str, u64>,
}

/// Checks everything, and says what to do. Ends with [`Exit::Precondition`] when something failed.
///
/// # Errors
/// Without credentials or a pool. What a check meets is a finding, not an error.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let pool = context.pool()?;
    let connection = context.connect().await?;
    let findings = check(context, &connection, pool, args).await;
    let diagnosis = Diagnosis {
        counts: counts(&findings),
        findings,
    };
    if context.output.json {
        context.output.document("doctor", pool, &diagnosis)?;
    } else {
        print(&context.output, &diagnosis)?;
    }
    Ok(exit(&diagnosis.findings))
}

async fn check(context: &Context, connection: &Connection, pool: &str, args: &Args) -> Vec<Finding> {
    let untyped = Untyped::new(connection.config.clone());
    let lambda = aws_sdk_lambda::Client::new(&connection.config);
    let mut functions = Functions::new(lambda.clone());

    let caller = caller::read(&aws_sdk_sts::Client::new(&connection.config)).await;
    let mut findings = vec![caller::judge(&caller, connection.region())];
    match context.table() {
        Ok(table) => {
            let dynamodb = aws_sdk_dynamodb::Client::new(&connection.config);
            findings.extend(table::check(&dynamodb, &untyped, table).await);
        }
        Err(_) => findings.push(Finding::unknown(
            "table",
            "not asked",
            "give --table, or set TWINPOOL_TABLE",
        )),
    }
    let account = caller.ok().map(|caller| caller.account);
    let cognito = connection.cognito();
    findings.extend(
        pool::check(
            &cognito,
            &mut functions,
            pool,
            account.as_deref(),
            args.queue_url.as_deref(),
        )
        .await,
    );
    let (of_queues, dead_letters) =
        queues::check(connection, &lambda, args.queue_url.as_deref(), args.dlq_url.as_deref()).await;
    findings.extend(of_queues);
    findings.extend(events::check(&untyped, &mut functions).await);
    findings.push(trail::check(&untyped).await);
    findings.extend(alarms::check(&untyped, dead_letters.as_deref()).await);
    findings
}

fn counts(findings: &[Finding]) -> BTreeMap<&'static str, u64> {
    let mut counts = [State::Ok, State::Warn, State::Fail, State::Unknown]
        .map(|state| (state.as_str(), 0))
        .into();
    for finding in findings {
        let counts: &mut BTreeMap<&'static str, u64> = &mut counts;
        *counts.entry(finding.state.as_str()).or_default() += 1;
    }
    counts
}

fn exit(findings: &[Finding]) -> Exit {
    if findings.iter().any(|finding| finding.state == State::Fail) {
        Exit::Precondition
    } else {
        Exit::Ok
    }
}

fn print(output: &Output, diagnosis: &Diagnosis) -> Result<(), Error> {
    output.write(&text(&diagnosis.findings))?;
    let counts: Vec<String> = diagnosis
        .counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"))
        .collect();
    output.note(&counts.join(", "));
    Ok(())
}

/// A line for each finding, and one for its fix: sentences wrap badly in a table.
fn text(findings: &[Finding]) -> String {
    let width = findings.iter().map(|finding| finding.check.len()).max().unwrap_or(0);
    let indent = " ".repeat("unknown".len() + 2);
    let lines = findings.iter().map(|finding| {
        let what = printable(&finding.what);
        let line = format!("{:<7}  {:<width$}  {what}\n", finding.state.as_str(), finding.check);
        match &finding.fix {
            Some(fix) => format!("{line}{indent}{:<width$}  fix: {}\n", "", printable(fix)),
            None => line,
        }
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::documented;

    fn findings() -> Vec<Finding> {
        vec![
            Finding::ok("table.recovery", "point-in-time recovery is on, 35 days back"),
            Finding::fail(
                "table.replicas",
                "the table is in this Region only",
                "add a replica in the recovery Region (RecoveryRegion of infra/primary.yaml)",
            ),
        ]
    }

    #[test]
    fn only_a_failure_changes_the_exit() {
        let ok = Finding::ok("a", "x");
        let warn = Finding::warn("b", "x", "y");
        let unknown = Finding::unknown("c", "x", "y");
        assert_eq!(exit(&[ok.clone(), warn, unknown]), Exit::Ok);
        assert_eq!(exit(&[ok, Finding::fail("d", "x", "y")]), Exit::Precondition);
    }

    #[test]
    fn every_finding_is_a_line_and_its_fix_another() {
        let text = text(&findings());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "ok       table.recovery  point-in-time recovery is on, 35 days back"
        );
        assert_eq!(lines[1], "fail     table.replicas  the table is in this Region only");
        assert!(lines[2].trim_start().starts_with("fix: add a replica"), "{}", lines[2]);
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let findings = findings();
        let diagnosis = Diagnosis {
            counts: counts(&findings),
            findings,
        };
        assert_eq!(serde_json::to_value(&diagnosis).expect("JSON"), documented("doctor"));
    }
}
