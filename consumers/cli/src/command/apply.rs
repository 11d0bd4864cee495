//! `twinpool apply`: carries out exactly a plan, from where an earlier attempt stopped.
//!
//! Invariant: nothing is changed before the plan was read, found whole, and agreed to.

mod failed;

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, BufRead, IsTerminal, Write},
    path::{Path, PathBuf},
};

use serde::Serialize;
use twinpool_importer::{ApplyOptions, ApplyReport, configuration::FailedStep};
use twinpool_shared::{
    adapter::lease::Holder,
    error::Error,
    import::{plan::Plan, recreate::NotMade},
    quota::Share,
};

use super::{plan::view, reconcile::owner};
use crate::{
    context::{Context, usage},
    exit::Exit,
    figures::{duration, thousands},
    importing::{self, Bars, quoted, read_plan},
    output::Output,
    reconciling,
};

/// Arguments of `apply`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that twinpool plan wrote
    #[arg(value_name = "PLAN")]
    pub(crate) plan: PathBuf,
    /// Try users again who failed; what is not finished is finished in any case
    #[arg(long)]
    pub(crate) retry_failed: bool,
    /// Let people sign up and sign in through outside providers although users could not be made; whoever is first gets a name
    #[arg(long)]
    pub(crate) open_sign_up: bool,
    /// Write who failed as CSV: sub, stage, code
    #[arg(long, value_name = "FILE")]
    pub(crate) failed: Option<PathBuf>,
    /// Percent of Cognito's quotas to use, default: as planned; the rest is your application's
    #[arg(long, value_name = "PERCENT", value_parser = reconciling::share)]
    pub(crate) share: Option<Share>,
    /// For how long a killed import keeps others out
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(i64).range(5..=900))]
    pub(crate) lease_seconds: i64,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

/// The document.
#[derive(Debug, Serialize)]
struct Applied<'a> {
    plan: &'a str,
    /// The plan's file.
    file: String,
    /// Id of the pool.
    target: &'a str,
    /// New ids of app clients, by their old ones.
    clients: &'a BTreeMap<String, String>,
    /// Settings that Cognito refused.
    settings_failed: &'a [FailedStep],
    manual: BTreeSet<&'a String>,
    users: u64,
    by_csv: u64,
    memberships: u64,
    links: u64,
    not_made: &'a BTreeMap<NotMade, u64>,
    /// Users who failed, by stage and code.
    failed: &'a BTreeMap<String, u64>,
    failed_users: u64,
    /// What is otherwise than planned.
    warnings: &'a [String],
    seconds: u64,
    /// The least that the plan said it takes.
    floor_seconds: u64,
    /// What tries again what failed; `null` when nothing did.
    retry: Option<String>,
}

/// Carries out the plan.
///
/// # Errors
/// As [`twinpool_importer::Importer::apply`].
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let plan = read_plan(context, &args.plan)?;
    let connection = context.connect_recovery(&plan.target.region).await?;
    importing::is_of_account(&connection, &plan).await?;
    if !args.yes {
        agree(&plan)?;
    }
    let share = share(args, &plan)?;
    let bars = Bars::new(context.wants_progress());
    let importer = importing::importer(&connection, &plan.source.table, share, &bars);
    // The quotas may have been raised since the plan was made; the governor is told.
    importing::live_quotas(&importer).await;
    let options = ApplyOptions {
        holder: holder(args.lease_seconds),
        retry_failed: args.retry_failed,
        open_sign_up: args.open_sign_up,
    };
    importing::say_who_held(context, &importer, &plan.source.pool).await?;
    let report = Box::pin(importer.apply(&plan, &options)).await?;
    if let Some(path) = &args.failed {
        failed::write(&importer, &plan, path).await?;
    }
    drop(importer);
    let applied = document(&report, &plan, args);
    if context.output.json {
        context.output.document("apply", &plan.source.pool, &applied)?;
    } else {
        print(&context.output, &plan, &applied, args.failed.is_some())?;
    }
    Ok(if report.is_partial() { Exit::Partial } else { Exit::Ok })
}

/// Who imports. An import goes on where the one before was killed, whoever it was: only a lease that has not expired keeps it out.
pub(super) fn holder(seconds: i64) -> Holder {
    Holder {
        owner: owner(),
        seconds,
        steal: true,
    }
}

fn share(args: &Args, plan: &Plan) -> Result<Share, Error> {
    args.share.map_or_else(|| Share::new(plan.estimate.share), Ok)
}

/// Asks whoever sits at the terminal. Without one nobody can agree, and `--yes` has to.
pub(super) fn agree(plan: &Plan) -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(usage(
            "nobody can be asked, because standard input is no terminal: give --yes",
        ));
    }
    let mut stderr = io::stderr().lock();
    for line in view::summary(plan) {
        let _closed = writeln!(stderr, "{line}");
    }
    let _closed = write!(
        stderr,
        "{} users in about {}. Carry it out? [y/N] ",
        thousands(plan.users.counts.made),
        duration(plan.estimate.seconds)
    );
    let _closed = stderr.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && is_yes(&answer) {
        return Ok(());
    }
    Err(usage("nothing was done: the plan was not agreed to"))
}

fn is_yes(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")
}

fn document<'a>(report: &'a ApplyReport, plan: &'a Plan, args: &Args) -> Applied<'a> {
    let file = args.plan.display().to_string();
    Applied {
        plan: &plan.id,
        target: &report.pool,
        clients: &report.clients,
        settings_failed: &report.settings_failed,
        manual: plan.manual.iter().chain(&report.manual).collect(),
        users: report.users,
        by_csv: report.by_csv,
        memberships: report.memberships,
        links: report.links,
        not_made: &report.not_made,
        failed: &report.failed,
        failed_users: report.failed_users,
        warnings: &report.warnings,
        seconds: report.seconds,
        floor_seconds: plan.estimate.seconds,
        retry: report
            .is_partial()
            .then(|| format!("twinpool apply {} --retry-failed", quoted(&args.plan))),
        file,
    }
}

/// Columns of [`settings_failed`].
pub(super) const SETTINGS_COLUMNS: [&str; 3] = ["setting that failed", "operation", "code"];

/// A row for each setting that was refused.
pub(super) fn settings_failed(failed: &[FailedStep]) -> Vec<Vec<String>> {
    let row = |failed: &FailedStep| vec![failed.path.clone(), failed.operation.clone(), failed.code.clone()];
    failed.iter().map(row).collect()
}

fn print(output: &Output, plan: &Plan, report: &Applied<'_>, lists_failed: bool) -> Result<(), Error> {
    output.line(&format!(
        "{} of {} users, {} memberships, {} outside identities are in {} after {} (at least {} were planned)",
        thousands(report.users),
        thousands(plan.users.counts.made),
        thousands(report.memberships),
        thousands(report.links),
        report.target,
        duration(report.seconds),
        duration(report.floor_seconds)
    ))?;
    let clients = report.clients.iter().map(|(old, new)| vec![old.clone(), new.clone()]);
    output.table(&["app client", "is now"], &clients.collect::<Vec<_>>())?;
    let not_made = report.not_made.iter().map(|(reason, users)| {
        vec![
            reason.as_str().to_owned(),
            thousands(*users),
            reason.explanation().to_owned(),
        ]
    });
    output.table(&["not made", "users", "what it means"], &not_made.collect::<Vec<_>>())?;
    let failed = report
        .failed
        .iter()
        .map(|(code, users)| vec![code.clone(), thousands(*users)]);
    output.table(&["failed", "users"], &failed.collect::<Vec<_>>())?;
    if report.failed_users > 0 && !lists_failed {
        output.line("who that is: --failed FILE lists them")?;
    }
    output.table(&SETTINGS_COLUMNS, &settings_failed(report.settings_failed))?;
    for warning in report.warnings {
        output.line(&format!("warning: {warning}"))?;
    }
    for task in &report.manual {
        output.line(&format!("to be done by hand: {task}"))?;
    }
    if let Some(retry) = &report.retry {
        output.line(&format!(
            "{} users and {} settings failed; this tries them again: {retry}",
            thousands(report.failed_users),
            report.settings_failed.len()
        ))?;
    }
    output.line(&format!(
        "Compare it with the backup: twinpool verify --target {} {}",
        report.target,
        quoted(Path::new(&report.file))
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::documented;

    fn args() -> Args {
        Args {
            plan: PathBuf::from("plan.json"),
            retry_failed: false,
            open_sign_up: false,
            failed: None,
            share: None,
            lease_seconds: 120,
            yes: true,
        }
    }

    fn report(failed_users: u64) -> ApplyReport {
        ApplyReport {
            plan: "20261123T080000Z-0a1b2c3d".to_owned(),
            pool: "us-west-2_EXAMPLE".to_owned(),
            clients: BTreeMap::from([("1old".to_owned(), "2new".to_owned())]),
            users: 999,
            memberships: 1_000,
            not_made: BTreeMap::from([(NotMade::Unconfirmed, 10)]),
            failed: BTreeMap::from([("create: InvalidParameterException".to_owned(), 1)]),
            failed_users,
            warnings: vec!["the users in the backup are no longer those of the plan".to_owned()],
            seconds: 85,
            ..ApplyReport::default()
        }
    }

    #[test]
    fn who_failed_can_be_tried_again_by_the_command_that_is_named() {
        let plan = view::tests::plan();
        let failed = report(1);
        let applied = document(&failed, &plan, &args());
        assert_eq!(
            applied.retry.as_deref(),
            Some("twinpool apply plan.json --retry-failed")
        );
        assert_eq!(document(&report(0), &plan, &args()).retry, None);
        assert_eq!(serde_json::to_value(applied).expect("JSON"), documented("apply"));
    }

    #[test]
    fn the_share_is_the_plans_unless_another_is_given() {
        let plan = view::tests::plan();
        assert_eq!(share(&args(), &plan).map(Share::percent), Ok(50));
        let given = Args {
            share: Some(Share::new(80).expect("a share")),
            ..args()
        };
        assert_eq!(share(&given, &plan).map(Share::percent), Ok(80));
    }

    #[test]
    fn only_yes_is_yes() {
        assert!(is_yes("y\n") && is_yes(" YES "));
        for other in ["", "\n", "n", "yesterday", "ja"] {
            assert!(!is_yes(other), "{other}");
        }
    }
}
