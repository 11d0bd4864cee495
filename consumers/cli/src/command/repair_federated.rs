//! `twinpool repair-federated`: gives users back their old `sub`, groups and disabled flag whom Cognito made at a sign-in.
//!
//! Invariant: safe to run again and again, for as long as somebody has not signed in yet.

use std::path::PathBuf;

use twinpool_importer::federated::RepairReport;
use twinpool_shared::{error::Error, quota::Share};

use super::apply::holder;
use crate::{
    context::Context,
    exit::Exit,
    figures::thousands,
    importing::{self, Bars, read_plan},
    reconciling,
};

/// Arguments of `repair-federated`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that twinpool plan wrote
    #[arg(value_name = "PLAN")]
    plan: PathBuf,
    /// Percent of Cognito's quotas to use; the rest is your application's
    #[arg(long, value_name = "PERCENT", default_value = "50", value_parser = reconciling::share)]
    share: Share,
    /// For how long a killed run keeps others out
    #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(i64).range(5..=900))]
    lease_seconds: i64,
}

/// Mends whoever has signed in.
///
/// # Errors
/// As [`twinpool_importer::Importer::repair_federated`].
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let plan = read_plan(context, &args.plan)?;
    let connection = context.connect_recovery(&plan.target.region).await?;
    importing::is_of_account(&connection, &plan).await?;
    let bars = Bars::new(context.wants_progress());
    let importer = importing::importer(&connection, &plan.source.table, args.share, &bars);
    let report = Box::pin(importer.repair_federated(&plan, &holder(args.lease_seconds))).await?;
    if context.output.json {
        context
            .output
            .document("repair-federated", &plan.source.pool, &report)?;
    } else {
        context.output.line(&sentence(&report))?;
    }
    Ok(if report.failed.is_empty() {
        Exit::Ok
    } else {
        Exit::Partial
    })
}

fn sentence(report: &RepairReport) -> String {
    let RepairReport {
        federated,
        mended,
        waiting,
        failed,
    } = report;
    let again = if *waiting > 0 {
        "; run it again once they have"
    } else {
        ""
    };
    let failed: Vec<String> = failed
        .iter()
        .map(|(code, users)| format!("{} by {code}", thousands(*users)))
        .collect();
    let failed = if failed.is_empty() {
        String::new()
    } else {
        format!(", failed: {}", failed.join(", "))
    };
    format!(
        "{} users are known by an outside identity alone: {} are mended, {} have not signed in yet{failed}{again}",
        thousands(*federated),
        thousands(*mended),
        thousands(*waiting)
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::output::tests::documented;

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        let report = RepairReport {
            federated: 12,
            mended: 9,
            waiting: 3,
            failed: BTreeMap::from([("memberships: ResourceNotFoundException".to_owned(), 1)]),
        };
        let said = sentence(&report);
        assert!(
            said.contains("failed: 1 by memberships") && said.ends_with("run it again once they have"),
            "{said}"
        );
        assert_eq!(
            serde_json::to_value(report).expect("JSON"),
            documented("repair-federated")
        );
    }
}
