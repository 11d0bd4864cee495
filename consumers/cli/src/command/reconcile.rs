//! `twinpool reconcile`: the whole pool against the whole backup, and what differs is mended.
//!
//! Invariant: `--dry-run` writes nothing.

use std::{collections::BTreeMap, sync::Arc, time::Instant};

use serde::Serialize;
use twinpool_reconciler::{
    Allowed, Holder, Options, Reconciler,
    configuration::{CaptureReport, Incomplete, capture},
    rehearsal::Rehearsal,
};
use twinpool_shared::{
    adapter::{governor::Governor, lambda::now},
    error::Error,
    marks::Part,
    port::{Backup, Clock},
    quota::Share,
    run::{GuardTrip, RunResult},
    settings::RETENTION_DAYS_DEFAULT,
};

use crate::{
    context::{Connection, Context},
    exit::Exit,
    output::Output,
    reconciling::{self, Onlooker},
};

const DAY_SECONDS: i64 = 86_400;

/// Arguments of `reconcile`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Find the differences and write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Delete up to N users who are no longer in the pool, after the guard has refused and you have looked
    #[arg(long, value_name = "N")]
    pub(crate) allow_deletes: Option<u64>,
    /// Delete up to N groups that are no longer in the pool, after the guard has refused and you have looked
    #[arg(long, value_name = "N")]
    pub(crate) allow_group_deletes: Option<u64>,
    /// Take up to N users out of groups in which the pool no longer shows them, after the guard has refused and you have looked
    #[arg(long, value_name = "N")]
    pub(crate) allow_lost_memberships: Option<u64>,
    /// Begin anew, also when a run did not end
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Take over from a run that was killed, when its lease has expired
    #[arg(long)]
    pub(crate) steal: bool,
    /// Percent of Cognito's quotas to use; the rest is your application's
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = reconciling::share)]
    pub(crate) share: Share,
    /// For how long a killed run keeps others out
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(i64).range(5..=900))]
    pub(crate) lease_seconds: i64,
    /// Days that superseded versions and deleted users are kept
    #[arg(long, value_name = "DAYS", env = "TWINPOOL_RETENTION_DAYS", hide_env_values = true, default_value_t = RETENTION_DAYS_DEFAULT,
        value_parser = clap::value_parser!(i64).range(29..=3_650))]
    pub(crate) retention_days: i64,
}

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) run: String,
    /// Whether it went on with a run that had not ended: what that one had walked was not walked again.
    pub(crate) resumed: bool,
    pub(crate) dry_run: bool,
    pub(crate) seconds: f64,
    pub(crate) users: u64,
    pub(crate) memberships: u64,
    pub(crate) groups: u64,
    /// Calls to Cognito, by operation.
    pub(crate) calls: BTreeMap<String, u64>,
    /// Items of users and groups that were written, or would have been.
    pub(crate) writes: u64,
    /// Users by kind of difference.
    pub(crate) drift: BTreeMap<String, u64>,
    pub(crate) drift_found: u64,
    pub(crate) drift_left: u64,
    pub(crate) deleted: u64,
    pub(crate) reappeared: u64,
    pub(crate) undecided: u64,
    /// Set when deletions wait for an operator.
    pub(crate) guard: Option<GuardTrip>,
    /// `None` for a dry run.
    pub(crate) configuration: Option<CaptureReport>,
}

/// Runs a reconcile, from its beginning or from where a killed one stopped.
///
/// # Errors
/// `Held` when another run is at work; else as Cognito and the table answer.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    if !args.dry_run {
        connection.writes_at_home()?;
    }
    let backup = connection.backup(table);
    let onlooker = Onlooker::new(context.wants_progress());
    let outcome = if args.dry_run {
        work(args, &connection, pool, Rehearsal::new(backup), &onlooker).await?
    } else {
        work(args, &connection, pool, backup, &onlooker).await?
    };
    if context.output.json {
        context.output.document("reconcile", pool, &outcome)?;
    } else {
        print(&context.output, &outcome)?;
    }
    Ok(exit(&outcome))
}

/// A run over `backup`.
pub(crate) async fn work<B: Backup>(
    args: &Args,
    connection: &Connection,
    pool: &str,
    backup: B,
    onlooker: &Onlooker,
) -> Result<Outcome, Error> {
    let began = Instant::now();
    let governor = Governor::new(args.share, 1);
    let clock: Clock = Arc::new(now);
    let reconciler = Reconciler {
        reader: reconciling::reader(connection, &governor),
        backup,
        clock: Arc::clone(&clock),
        retention_seconds: args.retention_days * DAY_SECONDS,
        watch: Box::new(onlooker.clone()),
    };
    let options = Options {
        holder: Holder {
            owner: owner(),
            seconds: args.lease_seconds,
            steal: args.steal,
        },
        allowed: Allowed {
            users: args.allow_deletes,
            groups: args.allow_group_deletes,
            memberships: args.allow_lost_memberships,
        },
        fresh: args.fresh,
    };
    let report = Box::pin(reconciler.run(pool, &options)).await?;
    let configuration = if args.dry_run {
        None
    } else {
        let capture = capture(
            &reconciler.reader,
            &reconciler.backup,
            &clock,
            pool,
            reconciler.retention_seconds,
        );
        // The users are done, whatever becomes of the configuration: their result must be told.
        let captured = Box::pin(capture).await;
        Some(captured.unwrap_or_else(|error| CaptureReport {
            incomplete: vec![Incomplete {
                part: Part::Pool,
                reason: error.to_string(),
            }],
            ..CaptureReport::default()
        }))
    };
    let calls = governor.calls();
    let RunResult {
        users,
        drift_found,
        drift_left,
        deleted,
        reappeared,
        guard,
        ..
    } = report.result;
    Ok(Outcome {
        run: report.run.id,
        resumed: report.resumed,
        dry_run: args.dry_run,
        seconds: began.elapsed().as_secs_f64(),
        users: users.users,
        memberships: users.memberships,
        groups: report.run.groups.groups,
        calls: calls
            .into_iter()
            .map(|(operation, count)| (operation.to_owned(), count))
            .collect(),
        writes: users.writes + report.run.groups.writes,
        drift: users.drift,
        drift_found,
        drift_left,
        deleted,
        reappeared,
        undecided: users.undecided,
        guard,
        configuration,
    })
}

fn exit(outcome: &Outcome) -> Exit {
    let incomplete = outcome
        .configuration
        .as_ref()
        .is_some_and(|report| !report.incomplete.is_empty());
    if outcome.guard.is_some() {
        Exit::GuardTripped
    } else if outcome.dry_run && outcome.drift_found > 0 {
        Exit::Differences
    } else if incomplete || outcome.drift_left > 0 || outcome.undecided > 0 {
        Exit::Partial
    } else {
        Exit::Ok
    }
}

/// Who runs: host, process and instant. Containers may share the first two.
pub(crate) fn owner() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = host.trim();
    format!(
        "{}:{}:{}",
        if host.is_empty() { "cli" } else { host },
        std::process::id(),
        now().as_millis()
    )
}

fn print(output: &Output, outcome: &Outcome) -> Result<(), Error> {
    if outcome.resumed {
        output.line(&format!(
            "went on with the run of {}: what it had walked by then was not walked again (--fresh begins anew)",
            outcome.run
        ))?;
    }
    let verb = if outcome.dry_run { "would be written" } else { "written" };
    output.line(&format!(
        "{} users, {} memberships, {} groups walked in {:.1} s with {} calls",
        outcome.users,
        outcome.memberships,
        outcome.groups,
        outcome.seconds,
        outcome.calls.values().sum::<u64>(),
    ))?;
    output.line(&format!(
        "{} items {verb}; drift found {}, left {}",
        outcome.writes, outcome.drift_found, outcome.drift_left
    ))?;
    let kinds = outcome.drift.iter();
    let rows: Vec<Vec<String>> = kinds
        .map(|(kind, users)| vec![kind.clone(), users.to_string()])
        .collect();
    output.table(&["difference", "users"], &rows)?;
    if outcome.deleted > 0 {
        output.line(&format!(
            "{} users are gone from the pool; the backup keeps what was known of them",
            outcome.deleted
        ))?;
    }
    if let Some(configuration) = &outcome.configuration {
        output.line(&format!(
            "configuration: {} parts, {} differences written",
            configuration.captured.len(),
            configuration.written.values().sum::<u64>()
        ))?;
        for part in &configuration.incomplete {
            output.line(&format!(
                "configuration of {} not complete: {}",
                part.part.as_str(),
                part.reason
            ))?;
        }
    }
    match &outcome.guard {
        Some(trip) => explain(output, trip),
        None => Ok(()),
    }
}

/// Says what the guard kept, and what would let it go.
pub(crate) fn explain(output: &Output, trip: &GuardTrip) -> Result<(), Error> {
    output.line(&format!(
        "GUARD: {} {} of {} are missing in the pool ({}); {} may go without you. The backup keeps all of them.",
        trip.suspects, trip.what, trip.living, trip.reason, trip.allowance
    ))?;
    for example in &trip.examples {
        output.line(&format!("  {example}"))?;
    }
    let more = trip.suspects.saturating_sub(trip.examples.len() as u64);
    if more > 0 {
        output.line(&format!("  and {more} more: twinpool verify --json lists them"))?;
    }
    match (trip.flag(), trip.reason.as_str()) {
        (Some(flag), _) => {
            let looked = if trip.what == "memberships" { "" } else { ", each after a look for it by name" };
            output.line(&format!("If this is right: twinpool reconcile {flag} lets them go{looked}."))
        }
        (None, "pool_shows_nobody") => output.line(
            "No flag empties a backup. If the pool is meant to be empty, keep the backup or delete its table.",
        ),
        (None, _) => output.line(
            "No flag overrides this: the pool's answers contradict each other. Try again later; look at `twinpool doctor`.",
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::output::tests::documented;

    fn outcome() -> Outcome {
        Outcome {
            run: "2026-11-23T03:00:00.000Z".to_owned(),
            resumed: false,
            dry_run: false,
            seconds: 12.5,
            users: 1_000,
            memberships: 800,
            groups: 12,
            calls: BTreeMap::from([("ListUsers".to_owned(), 34)]),
            writes: 3,
            drift: BTreeMap::from([("different".to_owned(), 2)]),
            drift_found: 3,
            drift_left: 1,
            deleted: 0,
            reappeared: 0,
            undecided: 0,
            guard: Some(GuardTrip {
                reason: "too_many_missing".to_owned(),
                what: "users".to_owned(),
                suspects: 900,
                allowance: 38,
                living: 1_900,
                walked: 1_000,
                examples: vec!["3c9a1b2d-0051-7076-79e2-0123456789ab".to_owned()],
            }),
            configuration: Some(CaptureReport {
                captured: BTreeSet::from([Part::Pool, Part::Mfa]),
                written: BTreeMap::from([(Part::Pool, 1)]),
                absent: BTreeMap::from([(
                    Part::Risk,
                    BTreeMap::from([("UserPoolAddOnNotEnabledException".to_owned(), 1)]),
                )]),
                incomplete: vec![Incomplete {
                    part: Part::Clients,
                    reason: "cognito-idp:ListUserPoolClients failed with AccessDeniedException (denied)".to_owned(),
                }],
                calls: BTreeMap::from([("DescribeUserPool".to_owned(), 1)]),
            }),
        }
    }

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        assert_eq!(serde_json::to_value(outcome()).expect("JSON"), documented("reconcile"));
    }

    #[test]
    fn the_exit_says_the_most_urgent_thing() {
        let mut outcome = outcome();
        assert_eq!(exit(&outcome), Exit::GuardTripped);
        outcome.guard = None;
        assert_eq!(exit(&outcome), Exit::Partial, "drift left, configuration incomplete");
        outcome.drift_left = 0;
        assert_eq!(exit(&outcome), Exit::Partial, "configuration incomplete");
        outcome.configuration = None;
        assert_eq!(exit(&outcome), Exit::Ok, "drift that was mended is no failure");
        outcome.dry_run = true;
        assert_eq!(exit(&outcome), Exit::Differences);
        outcome.drift_found = 0;
        assert_eq!(exit(&outcome), Exit::Ok);
        outcome.undecided = 1;
        assert_eq!(exit(&outcome), Exit::Partial);
    }
}
