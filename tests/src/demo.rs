//! The demo: users live in two pools, Twinpool's real functions copy what happens, and every difference is named; then the
//! copy drifts, and an operator's `twinpool` finds and mends it; then the Region is lost, and `twinpool` rebuilds a pool in the
//! other one.
//!
//! Everything runs on this machine against the local cloud, a test double; no figure is a figure of AWS.
//!
//! Invariant: exit status 0 means that [`Report::is_clean`]: an independent comparison of both pools with both Regions' tables
//! found no difference, before the drift and after it was mended, no change is parked, an emptied pool emptied no backup, and the
//! rebuilt pool has everything that can come back.

mod cost;
mod drift;
mod emptying;
mod operator;
mod outage;
mod reconcile;
mod view;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use comfy_table::Table;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::{
    compare::{self, Comparison, Difference, MfaSettings},
    life::Lives,
    report::{Lag, Replication, Report, calls_of_functions},
    stack::{Failure, Options, Stack, target_folder},
};
use drift::Elders;
use view::View;

const DRAINED_WITHIN: Duration = Duration::from_secs(90);

/// Shows Twinpool at work on a local cloud. Needs no AWS account.
#[derive(Clone, Debug, Parser)]
#[command(name = "demo")]
struct Arguments {
    /// Users to be born
    #[arg(long, default_value_t = 200)]
    users: usize,
    /// Changes to be made, at least
    #[arg(long, default_value_t = 1_000)]
    changes: u64,
    /// What the users do; another seed, other lives (default: drawn from the clock)
    #[arg(long)]
    seed: Option<u64>,
    /// Leave everything running at the end, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

/// Runs the demo; everything that it started has ended when this returns.
pub async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        say("demo: signals cannot be received");
        return ExitCode::FAILURE;
    };
    // A signal drops the run, and with it the stack and its processes.
    let outcome = tokio::select! {
        outcome = Box::pin(run(&arguments)) => outcome,
        _ = interrupt.recv() => Ok(Outcome::Interrupted),
        _ = terminate.recv() => Ok(Outcome::Interrupted),
    };
    match outcome {
        Ok(Outcome::Clean) => ExitCode::SUCCESS,
        Ok(Outcome::Differs) => ExitCode::FAILURE,
        Ok(Outcome::Interrupted) => {
            say("demo: interrupted; all that was started has been stopped");
            ExitCode::from(130)
        }
        Err(failure) => {
            say(&format!("demo: {failure}"));
            ExitCode::FAILURE
        }
    }
}

enum Outcome {
    Clean,
    Differs,
    Interrupted,
}

async fn run(arguments: &Arguments) -> Result<Outcome, Failure> {
    let begun = Instant::now();
    let seed = arguments.seed.unwrap_or_else(seed_of_the_moment);
    say(&format!(
        "Twinpool demo: two user pools in us-east-1, their backup in us-east-1 and eu-west-1. Figures from the local cloud, \
         a test double, not from AWS. {} users, {} changes, seed {seed}. To be quick, Twinpool takes all of Cognito's quotas; \
         by default it takes half.",
        arguments.users, arguments.changes
    ));
    let options = Options {
        name: "demo".to_owned(),
        // A change given back in the burst, because the pool's quota was used up, is tried again while somebody watches.
        visibility_timeout_seconds: 5,
        // Nobody else lists users here, and somebody watches.
        quota_share_percent: 100,
        ..Options::default()
    };
    let stack = Stack::start(options).await?;
    say(&format!(
        "up after {:.1} s at {}; logs in {}",
        begun.elapsed().as_secs_f64(),
        stack.endpoint(),
        stack.run_folder().display()
    ));
    let elders = Elders::create(&stack).await?;
    let mut lives = Lives::new(seed);
    let mut view = View::new(arguments.changes);
    let progress = lives.progress();
    let phase = view.phase();
    tokio::select! {
        lived = live(&stack, &mut lives, arguments, &phase) => lived?,
        _ = view.follow(&stack, &progress) => {}
    }
    let mut figures = view.finish();
    figures.refresh(&stack).await?;
    let counters = stack.control.counters().await?;
    let compared = compare::compare(&stack, lives.deleted(), MfaSettings::Compared).await?;
    let (cognito_calls, users_made_billable) = calls_of_functions(&counters, &stack.deployment.stack);
    let replication = Replication {
        changes_made: lives.made().total() + elders.calls(),
        changes_applied: figures.applied,
        parked: stack.parked().await?,
        differences: compared.differences.len(),
        lag_ms: Lag::of(&figures),
        cognito_calls,
        users_made_billable,
    };
    let users = lives.living() + lives.deleted().len() + elders.len();
    conclude(&replication, &compared, (users, &lives), &stack, begun).await?;
    let reconciled = Box::pin(reconcile::run(&stack, &elders, lives.deleted())).await?;
    let restored = Box::pin(outage::run(&stack)).await?;
    let report = Report {
        replication,
        reconcile: reconciled.reconcile,
        restore: restored.restore,
        cost_model: reconciled.cost_model,
        failures: [reconciled.failures, restored.failures].concat(),
        seed,
        seconds: begun.elapsed().as_secs_f64(),
    };
    let file = report_file()?;
    report.write(&file)?;
    say(&format!("{:.1} s in all", report.seconds));
    say(&format!("report: {}", file.display()));
    if arguments.keep {
        say(&format!("kept running at {} until Ctrl-C", stack.endpoint()));
        std::future::pending::<()>().await;
    }
    Ok(if report.is_clean() {
        Outcome::Clean
    } else {
        Outcome::Differs
    })
}

/// A steady time, a burst, a storm of duplicates, and the wait until all has been applied.
async fn live(stack: &Stack, lives: &mut Lives, arguments: &Arguments, phase: &view::Phase) -> Result<(), Failure> {
    let (users, changes) = (arguments.users, arguments.changes);
    phase.is("steady");
    lives.run(stack, users * 6 / 10, changes * 4 / 10, 8).await?;
    phase.is("burst");
    lives.run(stack, users - users * 6 / 10, changes * 35 / 100, 48).await?;
    phase.is("duplicate storm");
    let storm =
        json!({"trail": {"duplicate_percent": 25.0, "delay_ms": [0, 1500]}, "sqs": {"duplicate_percent": 10.0}});
    stack.configure(storm).await?;
    let left = changes.saturating_sub(lives.made().total());
    lives.run(stack, 0, left, 12).await?;
    stack.configure(json!({})).await?;
    phase.is("draining");
    stack.drained(DRAINED_WITHIN).await
}

async fn conclude(
    replication: &Replication,
    compared: &Comparison,
    (users, lives): (usize, &Lives),
    stack: &Stack,
    begun: Instant,
) -> Result<(), Failure> {
    say(&format!(
        "{} changes made by {users} users ({} deleted); {} applied, {} parked; lag p50 {} ms, p99 {} ms, max {} ms; after {:.1} s",
        replication.changes_made,
        lives.deleted().len(),
        replication.changes_applied,
        replication.parked,
        replication.lag_ms.p50,
        replication.lag_ms.p99,
        replication.lag_ms.max,
        begun.elapsed().as_secs_f64()
    ));
    let calls: Vec<String> = replication
        .cognito_calls
        .iter()
        .map(|(operation, count)| format!("{operation} {count}"))
        .collect();
    say(&format!(
        "Cognito calls by Twinpool: {}; users made billable: {}",
        calls.join(", "),
        replication.users_made_billable
    ));
    for (refusal, count) in &lives.made().refusals {
        say(&format!("refused to users: {refusal} ({count} times)"));
    }
    for letter in stack.dead_letters().await? {
        say(&format!("parked: {}", letter.reason.as_deref().unwrap_or("no reason")));
    }
    say(&format!(
        "compared {} users, {} groups, {} tombstones and {} items in two Regions ({} users' MFA settings wait for a sign-in): {}",
        compared.users,
        compared.groups,
        compared.tombstones,
        compared.items,
        compared.factors_due,
        show_differences(&compared.differences)
    ));
    Ok(())
}

/// That there is no difference, or how many, and a table of them.
fn show_differences(differences: &[Difference]) -> String {
    if differences.is_empty() {
        return "no difference".to_owned();
    }
    let mut table = Table::new();
    table.set_header(["pool", "user or group", "difference"]);
    for difference in differences {
        table.add_row([&difference.pool, &difference.subject, &difference.what.to_string()]);
    }
    format!("{} differences\n{table}", differences.len())
}

fn report_file() -> Result<PathBuf, Failure> {
    Ok(target_folder()?.join("demo/report.json"))
}

#[expect(
    clippy::disallowed_methods,
    reason = "a seed that nobody asked for may be any number; it is printed"
)]
fn seed_of_the_moment() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    // Short enough to be typed again.
    u64::from(now.subsec_nanos()) % 1_000_000
}

/// One line on standard output. A closed pipe is no reason to leave processes behind.
fn say(line: &str) {
    let _closed = writeln!(io::stdout().lock(), "{line}");
}
