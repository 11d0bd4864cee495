//! `twinpool verify --target`: a rebuilt pool against the backup that it was made from.
//!
//! Invariant: writes nothing to any pool. Users are named by the `sub` of the backup, fields by name; no value is shown.

use std::path::Path;

use serde::Serialize;
use twinpool_importer::verify::{Difference, Explained, VerifyOrder, VerifyReport};
use twinpool_shared::{
    adapter::lambda::now,
    error::Error,
    import::{
        expect::Way,
        mapping::Mapping,
        plan::Plan,
        select::{Deleted, Selection},
    },
    settings::region_of_pool,
    time::Timestamp,
};

use super::Args;
use crate::{
    context::{Context, usage},
    doctor::caller,
    exit::Exit,
    figures::thousands,
    importing::{self, Bars, read_plan},
    report::{Report, Section},
};

/// Unexpected differences on the page; `--json` has all that are listed.
const ROWS_MAX: usize = 200;

/// The document.
#[derive(Debug, Serialize)]
pub(in crate::command) struct Compared<'a> {
    target: &'a str,
    plan: &'a Option<String>,
    as_of: Timestamp,
    equal: bool,
    users_wanted: u64,
    users_found: u64,
    users_beside: u64,
    users_unrepaired: u64,
    memberships: u64,
    groups: u64,
    /// How many have to be.
    expected: u64,
    /// Those, by reason.
    reasons: &'a [Explained],
    /// How many nothing explains; the first 10,000 are listed.
    unexpected: u64,
    differences: &'a [Difference],
    seconds: f64,
}

/// Compares, shows, and says by the exit status whether something is unexplained.
///
/// # Errors
/// As [`twinpool_importer::Importer::verify`].
pub(super) async fn run(context: &Context, args: &Args, target: &str) -> Result<Exit, Error> {
    let plan = args.plan.as_deref().map(|path| read_plan(context, path)).transpose()?;
    let region = region_of_pool(target)
        .ok_or_else(|| usage("--target is not a pool id"))?
        .to_owned();
    if let Some(plan) = plan.as_ref().filter(|plan| plan.target.region != region) {
        return Err(usage(&format!(
            "the plan is for {}, and --target is in {region}: give the pool that it made",
            plan.target.region
        )));
    }
    let connection = context.connect_recovery(&region).await?;
    let table = match &plan {
        Some(plan) => plan.source.table.clone(),
        None => context.table_in(&region)?.to_owned(),
    };
    let bars = Bars::new(context.wants_progress());
    let importer = importing::importer(&connection, &table, args.share, &bars);
    let order = match &plan {
        Some(plan) => VerifyOrder::of(plan, target),
        None => {
            let caller = caller::read(&aws_sdk_sts::Client::new(&connection.config)).await?;
            unplanned(context.pool()?, target, &region, caller.account, mapping(args)?)
        }
    };
    let report = Box::pin(importer.verify(&order)).await?;
    drop(importer);
    if let Some(path) = &args.report {
        page(&report, &order.pool, plan.as_ref()).write(path)?;
    }
    if context.output.json {
        context
            .output
            .document("verify-target", &order.pool, &document(&report))?;
    } else {
        show(context, &report)?;
    }
    Ok(if report.equal { Exit::Ok } else { Exit::Differences })
}

fn mapping(args: &Args) -> Result<Mapping, Error> {
    match &args.mapping {
        Some(path) => Mapping::parse(&importing::read_text(path, "mapping")?),
        None => Ok(Mapping::default()),
    }
}

/// Without a plan: the backup as it is now. Nobody knows the way then, so that of the jobs is allowed.
fn unplanned(pool: &str, target: &str, region: &str, account: String, mapping: Mapping) -> VerifyOrder {
    VerifyOrder {
        pool: pool.to_owned(),
        target: target.to_owned(),
        region: region.to_owned(),
        account,
        selection: Selection {
            as_of: now(),
            deleted: Deleted::Not,
        },
        way: Way::Csv,
        mapping,
        plan: None,
    }
}

pub(in crate::command) fn document(report: &VerifyReport) -> Compared<'_> {
    Compared {
        target: &report.target,
        plan: &report.plan,
        as_of: report.as_of,
        equal: report.equal,
        users_wanted: report.users_wanted,
        users_found: report.users_found,
        users_beside: report.users_beside,
        users_unrepaired: report.users_unrepaired,
        memberships: report.memberships,
        groups: report.groups,
        expected: report.differences_expected,
        reasons: &report.expected,
        unexpected: report.differences_unexpected,
        differences: &report.differences,
        seconds: report.seconds,
    }
}

/// What was compared, in sentences.
pub(in crate::command) fn summary(report: &VerifyReport) -> Vec<String> {
    let mut lines = vec![format!(
        "{} of {} users found in {}, with {} memberships in {} groups, as of {}",
        thousands(report.users_found),
        thousands(report.users_wanted),
        report.target,
        thousands(report.memberships),
        thousands(report.groups),
        report.as_of
    )];
    if report.users_beside > 0 {
        lines.push(format!(
            "{} users of the target are of no user of the backup: they came there by themselves",
            thousands(report.users_beside)
        ));
    }
    if report.users_unrepaired > 0 {
        lines.push(format!(
            "{} of these came by an outside identity: twinpool repair-federated gives them what the backup knows",
            thousands(report.users_unrepaired)
        ));
    }
    lines
}

pub(in crate::command) fn verdict(report: &VerifyReport) -> String {
    let expected = thousands(report.differences_expected);
    if report.equal {
        format!("equal: {expected} differences, all of them expected")
    } else {
        format!(
            "they differ: {} differences that nothing explains, and {expected} that are expected",
            thousands(report.differences_unexpected)
        )
    }
}

pub(in crate::command) fn sections(report: &VerifyReport, rows_max: usize) -> Vec<Section> {
    let unexpected = report.differences.iter().take(rows_max).map(|one| {
        vec![
            one.kind.clone(),
            one.subject.clone(),
            one.field.clone(),
            one.what.clone(),
        ]
    });
    let header = &["kind", "subject", "field", "in the target"];
    let mut unexpected = Section::new("Differences that nothing explains", header, unexpected.collect());
    let more = report
        .differences_unexpected
        .saturating_sub(unexpected.rows.len() as u64);
    if more > 0 {
        unexpected
            .notes
            .push(format!("and {} more: --json lists up to 10,000", thousands(more)));
    }
    let expected = report.expected.iter().map(|one| {
        vec![
            one.reason.clone(),
            thousands(one.count),
            format!("expected: {}", one.explanation),
        ]
    });
    let header = &["what", "count", "why"];
    let expected = Section::new("Differences that have to be", header, expected.collect());
    let mut sections = vec![unexpected, expected];
    sections.retain(|section| !section.is_empty());
    sections
}

fn show(context: &Context, report: &VerifyReport) -> Result<(), Error> {
    for line in summary(report) {
        context.output.line(&line)?;
    }
    context.output.sections(&sections(report, ROWS_MAX))?;
    context.output.line("")?;
    context.output.line(&verdict(report))
}

/// The page as HTML.
struct Page {
    title: String,
    verdict: String,
    is_good: bool,
    summary: Vec<String>,
    sections: Vec<Section>,
}

fn page(report: &VerifyReport, pool: &str, plan: Option<&Plan>) -> Page {
    let mut summary = summary(report);
    if let Some(plan) = plan {
        summary.push(format!("plan {}, made at {}", plan.id, plan.made_at));
    }
    Page {
        title: format!("{} compared with the backup of {pool}", report.target),
        verdict: verdict(report),
        is_good: report.equal,
        summary,
        sections: sections(report, usize::MAX),
    }
}

impl Page {
    fn write(&self, path: &Path) -> Result<(), Error> {
        let report = Report {
            title: &self.title,
            verdict: &self.verdict,
            is_good: self.is_good,
            summary: &self.summary,
            sections: &self.sections,
        };
        report.write(path)
    }
}

#[cfg(test)]
pub(in crate::command) mod tests {
    use super::*;
    use crate::output::tests::documented;

    pub(in crate::command) fn report() -> VerifyReport {
        VerifyReport {
            target: "us-west-2_EXAMPLE".to_owned(),
            plan: Some("20261123T080000Z-0a1b2c3d".to_owned()),
            as_of: Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant"),
            equal: false,
            users_wanted: 1_000,
            users_found: 999,
            users_beside: 2,
            users_unrepaired: 1,
            memberships: 1_000,
            groups: 12,
            expected: vec![Explained {
                reason: "totp".to_owned(),
                count: 5,
                explanation: "an authenticator app cannot be restored; register it again".to_owned(),
            }],
            differences_expected: 5,
            differences_unexpected: 1,
            differences: vec![Difference {
                kind: "user".to_owned(),
                subject: "3c9a1b2d-0051-7076-79e2-0123456789ab".to_owned(),
                field: "groups/admins".to_owned(),
                what: "missing".to_owned(),
            }],
            seconds: 12.5,
        }
    }

    #[test]
    fn the_documented_example_has_the_members_of_the_document() {
        assert_eq!(
            serde_json::to_value(document(&report())).expect("JSON"),
            documented("verify-target")
        );
    }

    #[test]
    fn unexplained_differences_are_listed_up_to_a_page_and_counted_beyond() {
        let mut report = report();
        report.differences_unexpected = 500;
        let sections = sections(&report, 1);
        assert_eq!(sections[0].rows.len(), 1);
        assert!(
            sections[0].notes[0].starts_with("and 499 more"),
            "{:?}",
            sections[0].notes
        );
        assert!(sections[1].rows[0][2].starts_with("expected: an authenticator app"));
        assert!(verdict(&report).starts_with("they differ: 500"));
    }

    #[test]
    fn without_anything_unexplained_the_verdict_is_equal() {
        let report = VerifyReport {
            equal: true,
            differences_unexpected: 0,
            differences: Vec::new(),
            ..report()
        };
        assert_eq!(verdict(&report), "equal: 5 differences, all of them expected");
        assert!(summary(&report).iter().any(|line| line.contains("repair-federated")));
    }
}
