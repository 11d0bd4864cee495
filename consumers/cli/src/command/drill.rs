//! `twinpool drill`: the restore, rehearsed: plan, apply into a pool of its own, verify, timing, removal.
//!
//! Invariant: removes only the pool that it made itself, told by name and tag. Nobody is mailed, but users are billed as active:
//! so it asks.

use std::{collections::BTreeSet, path::PathBuf};

use serde::Serialize;
use twinpool_importer::{
    ApplyOptions,
    configuration::FailedStep,
    drill::{self, DrillReport, removal},
    plan::Wish,
};
use twinpool_shared::{
    adapter::lambda::now, error::Error, import::plan::Plan, quota::Share, settings::RETENTION_DAYS_DEFAULT,
};

use super::{
    apply::{SETTINGS_COLUMNS, agree, holder, settings_failed},
    plan::{self, Way},
    verify::target::{Compared, document, sections, summary, verdict},
};
use crate::{
    context::Context,
    exit::Exit,
    importing::{self, AwsImporter, Bars},
    output::{Output, say},
    reconciling,
    report::{Report, Section},
};

/// Rows of unexplained differences that are shown.
const ROWS_MAX: usize = 50;

/// Arguments of `drill`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The recovery Region: where the table's replica is read and the pool is made
    #[arg(long, value_name = "REGION")]
    target_region: String,
    /// How users are made: one by one, by import jobs (which bill nobody as active), or whichever suits
    #[arg(long, value_name = "WAY", value_enum, default_value = "auto")]
    users: Way,
    /// The mapping file: what becomes of ARNs and names of the pool's own Region
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Take a backup that is stale or incomplete as it is
    #[arg(long)]
    allow_stale: bool,
    /// Percent of Cognito's quotas to use; the rest is your application's
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = reconciling::share)]
    share: Share,
    /// For how long a killed drill keeps others out
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(i64).range(5..=900))]
    lease_seconds: i64,
    /// Leave the pool for a look at it; remove it with --remove then
    #[arg(long)]
    keep: bool,
    /// Remove what the drill of this plan made, by the plan's id: it was kept, or cut off
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["keep", "report"])]
    remove: Option<String>,
    /// Write the result as HTML, too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// The document.
#[derive(Debug, Serialize)]
struct Drilled<'a> {
    plan: &'a str,
    target: &'a str,
    removed: bool,
    floor_seconds: u64,
    apply_seconds: f64,
    verify_seconds: f64,
    removal_seconds: f64,
    users: u64,
    failed_users: u64,
    /// Settings that Cognito refused.
    settings_failed: &'a [FailedStep],
    manual: BTreeSet<&'a String>,
    /// What is otherwise than planned.
    warnings: &'a [String],
    verified: Compared<'a>,
}

/// The document of `--remove`.
#[derive(Debug, Serialize)]
struct Removed<'a> {
    plan: &'a str,
    removed: bool,
}

/// Rehearses the restore, or removes what an earlier rehearsal left.
///
/// # Errors
/// As [`twinpool_importer::Importer::plan`] and [`twinpool_importer::Importer::drill`].
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let connection = context.connect_recovery(&args.target_region).await?;
    let bars = Bars::new(context.wants_progress());
    let importer = importing::importer(&connection, context.table_in(&args.target_region)?, args.share, &bars);
    if let Some(id) = &args.remove {
        return remove(context, &importer, id, args).await;
    }
    let asked = plan::Asked {
        region: &args.target_region,
        target: Wish::New(Some(drill::name(now()))),
        way: args.users,
        mapping: args.mapping.as_deref(),
        allow_stale: args.allow_stale,
        share: args.share,
        retention_days: RETENTION_DAYS_DEFAULT,
    };
    let order = plan::order(context, &connection, &importer, asked).await?;
    let plan = Box::pin(importer.plan(&order, |_| Ok(()))).await?;
    if !args.yes {
        agree(&plan)?;
    }
    let options = ApplyOptions {
        holder: holder(args.lease_seconds),
        retry_failed: false,
        open_sign_up: false,
    };
    importing::say_who_held(context, &importer, &plan.source.pool).await?;
    if !context.output.quiet {
        say(&format!(
            "if this is cut off, what it made is removed by: {}",
            removal(&plan)
        ));
    }
    let report = Box::pin(importer.drill(&plan, &options, args.keep)).await?;
    drop(importer);
    if let Some(path) = &args.report {
        let sections = shown(&report, usize::MAX);
        let page = Report {
            title: &format!("Drill {}", report.plan),
            verdict: &verdict(&report.verified),
            is_good: report.verified.equal && !report.applied.is_partial(),
            summary: &summary(&report.verified),
            sections: &sections,
        };
        page.write(path)?;
    }
    if context.output.json {
        context
            .output
            .document("drill", &plan.source.pool, &drilled(&report, &plan))?;
    } else {
        print(&context.output, &report, &removal(&plan))?;
    }
    Ok(exit(&report))
}

async fn remove(context: &Context, importer: &AwsImporter, id: &str, args: &Args) -> Result<Exit, Error> {
    let source = context.pool()?;
    let plan = importer.plan_of_drill(source, id).await?;
    let removed = Box::pin(importer.remove_drill_as(&plan, &holder(args.lease_seconds))).await?;
    if context.output.json {
        context
            .output
            .document("drill-removed", source, &Removed { plan: id, removed })?;
    } else {
        context
            .output
            .line(&format!("what the drill of plan {id} made is removed"))?;
    }
    Ok(Exit::Ok)
}

fn exit(report: &DrillReport) -> Exit {
    if report.applied.is_partial() {
        Exit::Partial
    } else if report.verified.equal {
        Exit::Ok
    } else {
        Exit::Differences
    }
}

fn drilled<'a>(report: &'a DrillReport, plan: &'a Plan) -> Drilled<'a> {
    Drilled {
        plan: &report.plan,
        target: &report.target,
        removed: report.removed,
        floor_seconds: report.floor_seconds,
        apply_seconds: report.apply_seconds,
        verify_seconds: report.verify_seconds,
        removal_seconds: report.removal_seconds,
        users: report.applied.users,
        failed_users: report.applied.failed_users,
        settings_failed: &report.applied.settings_failed,
        manual: plan.manual.iter().chain(&report.applied.manual).collect(),
        warnings: &report.applied.warnings,
        verified: document(&report.verified),
    }
}

fn shown(report: &DrillReport, rows_max: usize) -> Vec<Section> {
    let row = |what: &str, seconds: String| vec![what.to_owned(), seconds];
    let rows = vec![
        row("apply, at least", format!("{} s", report.floor_seconds)),
        row("apply", format!("{:.1} s", report.apply_seconds)),
        row("verify", format!("{:.1} s", report.verify_seconds)),
        row("removal", format!("{:.1} s", report.removal_seconds)),
    ];
    let mut sections = vec![Section::new("Time", &["step", "took"], rows)];
    let failed = report.applied.failed.iter();
    let failed = failed.map(|(code, users)| vec![code.clone(), users.to_string()]);
    let failed = Section::new("Users who failed", &["stage and code", "users"], failed.collect());
    let settings = settings_failed(&report.applied.settings_failed);
    let settings = Section::new("Settings that were refused", &SETTINGS_COLUMNS, settings);
    let warnings = report.applied.warnings.iter().map(|warning| vec![warning.clone()]);
    let warnings = Section::new("Warnings", &["otherwise than planned"], warnings.collect());
    let told = [failed, settings, warnings].into_iter();
    sections.extend(told.filter(|section| !section.is_empty()));
    sections.extend(self::sections(&report.verified, rows_max));
    sections
}

fn print(output: &Output, report: &DrillReport, removal: &str) -> Result<(), Error> {
    for line in summary(&report.verified) {
        output.line(&line)?;
    }
    output.sections(&shown(report, ROWS_MAX))?;
    output.line("")?;
    output.line(&verdict(&report.verified))?;
    output.line(&if report.removed {
        format!("the pool {} was removed again", report.target)
    } else {
        format!(
            "the pool {} is still there; when you have looked at it: {removal}",
            report.target
        )
    })
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use twinpool_importer::ApplyReport;

    use super::*;
    use crate::{
        arguments::Arguments,
        command::{Command, verify::target::tests::report},
        output::tests::documented,
    };

    fn drill() -> DrillReport {
        DrillReport {
            plan: "20261123T080000Z-0a1b2c3d".to_owned(),
            target: "us-west-2_EXAMPLE".to_owned(),
            removed: true,
            floor_seconds: 40,
            apply_seconds: 42.5,
            verify_seconds: 12.5,
            removal_seconds: 1.5,
            applied: ApplyReport {
                users: 999,
                ..ApplyReport::default()
            },
            verified: report(),
        }
    }

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        assert_eq!(
            serde_json::to_value(drilled(&drill(), &plan::view::tests::plan())).expect("JSON"),
            documented("drill")
        );
    }

    #[test]
    fn what_a_drill_left_is_removed_by_the_command_that_it_names() {
        let plan = plan::view::tests::plan();
        let arguments = Arguments::try_parse_from(removal(&plan).split_whitespace()).expect("a command line");
        match arguments.command {
            Command::Drill(args) => assert_eq!(args.remove.as_deref(), Some(plan.id.as_str())),
            other => panic!("{other:?}"),
        }
        let removed = Removed {
            plan: &plan.id,
            removed: true,
        };
        assert_eq!(
            serde_json::to_value(removed).expect("JSON"),
            documented("drill-removed")
        );
    }

    #[test]
    fn a_drill_ends_with_the_worst_of_its_results() {
        let mut ended = drill();
        assert_eq!(exit(&ended), Exit::Differences);
        ended.verified.equal = true;
        assert_eq!(exit(&ended), Exit::Ok);
        ended.applied.failed_users = 1;
        assert_eq!(exit(&ended), Exit::Partial);
    }
}
