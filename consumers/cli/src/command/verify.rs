//! `twinpool verify`: pool and backup, field by field. A reconcile that writes nothing, with everything it found; with
//! `--target`, a rebuilt pool and the backup that it was made from ([`target`]).
//!
//! Invariant: writes nothing, and says equal only when the whole pool was walked.

pub(super) mod target;

use std::path::PathBuf;

use serde::Serialize;
use twinpool_reconciler::rehearsal::Rehearsal;
use twinpool_shared::{error::Error, quota::Share, run::GuardTrip, settings::RETENTION_DAYS_DEFAULT};

use super::reconcile;
use crate::{
    context::Context,
    exit::Exit,
    reconciling::{self, Difference, Onlooker},
};

/// Rows of the table; `--json` has all that are listed.
const ROWS_MAX: usize = 50;

/// Arguments of `verify`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Percent of Cognito's quotas to use; the rest is your application's
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = reconciling::share)]
    share: Share,
    /// Compare this rebuilt pool with the backup, instead of the backup's own pool
    #[arg(long, value_name = "POOL", value_parser = crate::arguments::pool)]
    target: Option<String>,
    /// The plan that the target was made by: as of which instant, and with which mapping
    #[arg(value_name = "PLAN", requires = "target")]
    plan: Option<PathBuf>,
    /// The mapping file, when there is no plan
    #[arg(long, value_name = "FILE", requires = "target", conflicts_with = "plan")]
    mapping: Option<PathBuf>,
    /// Write the comparison as HTML, too
    #[arg(long, value_name = "FILE", requires = "target")]
    report: Option<PathBuf>,
}

/// The document.
#[derive(Debug, Serialize)]
struct Verified {
    equal: bool,
    users: u64,
    memberships: u64,
    groups: u64,
    seconds: f64,
    /// How many differences there are; the first 10,000 are listed.
    difference_count: u64,
    differences: Vec<Difference>,
    /// Set when so much is missing in the pool that a reconcile would not delete it.
    guard: Option<GuardTrip>,
}

/// Walks the pool and lists the differences.
///
/// # Errors
/// As Cognito and the table answer.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    if let Some(target) = &args.target {
        return target::run(context, args, target).await;
    }
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    let onlooker = Onlooker::new(context.wants_progress());
    let rehearsed = reconcile::Args {
        dry_run: true,
        allow_deletes: None,
        allow_group_deletes: None,
        allow_lost_memberships: None,
        fresh: true,
        steal: false,
        share: args.share,
        lease_seconds: 900,
        retention_days: RETENTION_DAYS_DEFAULT,
    };
    let backup = Rehearsal::new(connection.backup(table));
    let outcome = reconcile::work(&rehearsed, &connection, pool, backup, &onlooker).await?;
    let findings = onlooker.findings();
    let verified = Verified {
        equal: findings.count == 0 && outcome.guard.is_none() && outcome.undecided == 0,
        users: outcome.users,
        memberships: outcome.memberships,
        groups: outcome.groups,
        seconds: outcome.seconds,
        difference_count: findings.count + outcome.undecided,
        differences: findings.listed,
        guard: outcome.guard,
    };
    if context.output.json {
        context.output.document("verify", pool, &verified)?;
    } else {
        print(context, &verified)?;
    }
    Ok(if verified.equal { Exit::Ok } else { Exit::Differences })
}

fn print(context: &Context, verified: &Verified) -> Result<(), Error> {
    let output = &context.output;
    let rows = verified.differences.iter().take(ROWS_MAX);
    let rows: Vec<Vec<String>> = rows
        .map(|found| vec![found.kind.to_owned(), found.subject.clone(), found.field.clone()])
        .collect();
    output.table(&["kind", "subject", "difference"], &rows)?;
    let more = verified.differences.len().saturating_sub(rows.len());
    if more > 0 {
        output.line(&format!("and {more} more: --json lists them"))?;
    }
    if let Some(trip) = &verified.guard {
        reconcile::explain(output, trip)?;
    }
    let verdict = if verified.equal { "equal" } else { "they differ" };
    output.line(&format!(
        "{} users, {} memberships, {} groups compared in {:.1} s: {} differences, {verdict}",
        verified.users, verified.memberships, verified.groups, verified.seconds, verified.difference_count
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::documented;

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        let verified = Verified {
            equal: false,
            users: 1_000,
            memberships: 800,
            groups: 12,
            seconds: 12.5,
            difference_count: 1,
            differences: vec![Difference {
                kind: "user",
                subject: "3c9a1b2d-0051-7076-79e2-0123456789ab".to_owned(),
                field: "attribute email".to_owned(),
            }],
            guard: None,
        };
        assert_eq!(serde_json::to_value(verified).expect("JSON"), documented("verify"));
    }
}
