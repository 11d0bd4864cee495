//! `twinpool plan`: what an import would do, as a file to carry out and as a page to read.
//!
//! Invariant: changes nothing in any pool. The plan file holds no secret and nothing personal.

pub(super) mod view;

use std::path::{Path, PathBuf};

use serde::Serialize;
use twinpool_importer::plan::{Affected, PlanOrder, Wish};
use twinpool_shared::{
    error::Error,
    import::{
        estimate::Estimate,
        mapping::Mapping,
        plan::{Plan, PlannedStep, UserCounts, UsersWay, file},
        select::Deleted,
    },
    quota::Share,
    settings::{RETENTION_DAYS_DEFAULT, region_of_pool},
    time::Timestamp,
};

use crate::{
    command::reconcile::owner,
    context::{Connection, Context, usage},
    csv,
    doctor::caller,
    exit::Exit,
    importing::{self, AwsImporter, Bars, FileOut, quoted, read_text, write_text},
    instant,
    output::Output,
    reconciling,
    report::{Report, Section},
};

const DAY_SECONDS: i64 = 86_400;
/// What becomes of a disabled user whom only an identity provider knows.
const LET_IN: &str = "disabled, will be let in by the identity provider until repaired; block them there";

/// Arguments of `plan`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// The recovery Region: where the table's replica is read and the pool is made; default: the Region of --target
    #[arg(long, value_name = "REGION", required_unless_present = "target")]
    target_region: Option<String>,
    /// An existing pool to fill, empty or not; nothing in it is deleted. Without it a new pool is made
    #[arg(long, value_name = "POOL", value_parser = crate::arguments::pool, conflicts_with = "name")]
    target: Option<String>,
    /// Again the id of --target, when it has users whom no import made; they stay
    #[arg(long, value_name = "POOL", value_parser = crate::arguments::pool, requires = "target")]
    into_existing: Option<String>,
    /// Name of the new pool; default: that of the old one
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read the backup as it was then; for example 2026-11-23T04:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    as_of: Option<Timestamp>,
    /// Bring back deleted users as well; those marked by twinpool undelete always come back
    #[arg(long)]
    include_deleted: bool,
    /// Of these, only who was deleted at this instant or later
    #[arg(long, value_name = "TIME", value_parser = instant::parse, requires = "include_deleted")]
    deleted_after: Option<Timestamp>,
    /// How users are made: one by one, by import jobs (which bill nobody as active; into a new pool), or whichever suits
    #[arg(long, value_name = "WAY", value_enum, default_value = "auto")]
    users: Way,
    /// The mapping file: what becomes of ARNs and names of the lost Region
    #[arg(long, value_name = "FILE")]
    mapping: Option<PathBuf>,
    /// Take a backup that is stale or incomplete as it is
    #[arg(long)]
    allow_stale: bool,
    /// Percent of Cognito's quotas that the import may use; the rest is your application's
    #[arg(long, value_name = "PERCENT", default_value = "100", value_parser = reconciling::share)]
    share: Share,
    /// Days that the backup keeps superseded versions and deleted users, where it does not say so itself
    #[arg(long, value_name = "DAYS", env = "TWINPOOL_RETENTION_DAYS", hide_env_values = true, default_value_t = RETENTION_DAYS_DEFAULT,
        value_parser = clap::value_parser!(i64).range(29..=3_650))]
    retention_days: i64,
    /// Where to write the plan
    #[arg(long, value_name = "FILE", default_value = "plan.json")]
    out: PathBuf,
    /// Write the page as HTML, too
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Write who loses more than the password, or is not made, as CSV: sub, fate, what, explanation
    #[arg(long, value_name = "FILE")]
    affected: Option<PathBuf>,
}

/// The ways, as the option names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Way {
    Api,
    Csv,
    Auto,
}

impl From<Way> for UsersWay {
    fn from(way: Way) -> Self {
        match way {
            Way::Api => Self::Api,
            Way::Csv => Self::Csv,
            Way::Auto => Self::Auto,
        }
    }
}

/// The document.
#[derive(Debug, Serialize)]
struct Planned<'a> {
    /// Id of the plan.
    plan: &'a str,
    /// Where it was written.
    file: String,
    as_of: Timestamp,
    target_region: &'a str,
    /// Name of the new pool, or id of the existing one.
    target: &'a str,
    /// What was accepted by --allow-stale.
    accepted: &'a [String],
    way: UsersWay,
    users: &'a UserCounts,
    steps: &'a [PlannedStep],
    left_out: &'a [String],
    manual: &'a [String],
    estimate: &'a Estimate,
}

/// Makes a plan, writes it and shows it.
///
/// # Errors
/// As [`twinpool_importer::Importer::plan`].
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let region = region(args)?;
    let connection = context.connect_recovery(&region).await?;
    let bars = Bars::new(context.wants_progress());
    let importer = importing::importer(&connection, context.table_in(&region)?, args.share, &bars);
    let mut affected = Lines::to(args.affected.as_deref())?;
    let asked = Asked {
        region: &region,
        target: wish(args)?,
        way: args.users,
        mapping: args.mapping.as_deref(),
        allow_stale: args.allow_stale,
        share: args.share,
        retention_days: args.retention_days,
    };
    let order = PlanOrder {
        as_of: args.as_of,
        deleted: if args.include_deleted {
            Deleted::Since(args.deleted_after)
        } else {
            Deleted::Not
        },
        ..order(context, &connection, &importer, asked).await?
    };
    let plan = Box::pin(importer.plan(&order, |one| affected.add(one))).await?;
    let affected = affected.finish()?;
    write_text(&args.out, "plan", &file::seal(&plan)?)?;
    if let Some(path) = &args.report {
        report(&plan).write(path)?;
    }
    if context.output.json {
        context
            .output
            .document("planned", &plan.source.pool, &document(&plan, args))?;
    } else {
        print(&context.output, &plan, args, affected)?;
    }
    Ok(Exit::Ok)
}

fn wish(args: &Args) -> Result<Wish, Error> {
    match (&args.target, &args.into_existing) {
        (None, _) => Ok(Wish::New(args.name.clone())),
        (Some(id), None) => Ok(Wish::Existing(id.clone())),
        (Some(id), Some(again)) if id == again => Ok(Wish::Peopled(id.clone())),
        (Some(id), Some(again)) => Err(usage(&format!(
            "--target names {id}, and --into-existing names {again}: give the same pool twice, or leave --into-existing out"
        ))),
    }
}

fn region(args: &Args) -> Result<String, Error> {
    let of_target = args.target.as_deref().and_then(region_of_pool);
    match (args.target_region.as_deref(), of_target) {
        (Some(region), Some(of_target)) if region != of_target => Err(usage(&format!(
            "--target is in {of_target}, and --target-region says {region}: leave --target-region out"
        ))),
        (Some(region), _) | (None, Some(region)) => Ok(region.to_owned()),
        (None, None) => Err(usage("no recovery Region is named: give --target-region")),
    }
}

/// What a plan is asked for, by whichever command.
pub(super) struct Asked<'a> {
    pub(super) region: &'a str,
    pub(super) target: Wish,
    pub(super) way: Way,
    pub(super) mapping: Option<&'a Path>,
    pub(super) allow_stale: bool,
    pub(super) share: Share,
    pub(super) retention_days: i64,
}

/// The order of a plan of the present: with the mapping file, the account, and the quotas that it tells.
///
/// # Errors
/// `BadSetting` for the mapping file; as STS answers. Quotas that the account may not ask for are the documented ones.
pub(super) async fn order(
    context: &Context,
    connection: &Connection,
    importer: &AwsImporter,
    asked: Asked<'_>,
) -> Result<PlanOrder, Error> {
    let mapping = match asked.mapping {
        Some(path) => Mapping::parse(&read_text(path, "mapping")?)?,
        None => Mapping::default(),
    };
    let caller = caller::read(&aws_sdk_sts::Client::new(&connection.config)).await?;
    let live = importing::live_quotas(importer).await;
    Ok(PlanOrder {
        table: context.table_in(asked.region)?.to_owned(),
        pool: context.pool()?.to_owned(),
        region: asked.region.to_owned(),
        account: caller.account,
        target: asked.target,
        as_of: None,
        deleted: Deleted::Not,
        way: asked.way.into(),
        mapping,
        allow_stale: asked.allow_stale,
        retention_seconds: asked.retention_days * DAY_SECONDS,
        maker: owner(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        live,
        share: asked.share,
    })
}

/// Affected users, as CSV: written while the backup is read, because they may be everybody.
#[derive(Debug, Default)]
struct Lines {
    file: Option<FileOut>,
    count: u64,
}

impl Lines {
    fn to(path: Option<&Path>) -> Result<Self, Error> {
        let mut file = path
            .map(|path| FileOut::create(path, "list of affected users"))
            .transpose()?;
        if let Some(file) = &mut file {
            file.write(&csv::record(["sub", "fate", "what", "explanation"]))?;
        }
        Ok(Self { file, count: 0 })
    }

    fn add(&mut self, affected: &Affected) -> Result<(), Error> {
        self.count += 1;
        match &mut self.file {
            Some(file) => file.write(&lines_of(affected)),
            None => Ok(()),
        }
    }

    fn finish(self) -> Result<u64, Error> {
        self.file.map_or(Ok(()), FileOut::finish)?;
        Ok(self.count)
    }
}

fn lines_of(affected: &Affected) -> String {
    let sub = affected.sub.as_str();
    let not_made = affected.not_made.iter();
    let not_made = not_made.map(|reason| csv::record([sub, "not made", reason.as_str(), reason.explanation()]));
    let losses = affected.losses.iter();
    let losses = losses.map(|loss| csv::record([sub, "loses", loss.as_str(), loss.explanation()]));
    let let_in = affected
        .let_in
        .then(|| csv::record([sub, "let in", "disabled", LET_IN]));
    not_made.chain(let_in).chain(losses).collect()
}

fn document<'a>(plan: &'a Plan, args: &Args) -> Planned<'a> {
    Planned {
        plan: &plan.id,
        file: args.out.display().to_string(),
        as_of: plan.source.as_of,
        target_region: &plan.target.region,
        target: plan.target_name(),
        accepted: &plan.source.freshness.accepted,
        way: plan.users.way,
        users: &plan.users.counts,
        steps: plan.calls(),
        left_out: &plan.left_out,
        manual: &plan.manual,
        estimate: &plan.estimate,
    }
}

/// The page as HTML.
struct Page {
    title: String,
    summary: Vec<String>,
    sections: Vec<Section>,
}

fn report(plan: &Plan) -> Page {
    Page {
        title: format!("Plan {}", plan.id),
        summary: view::summary(plan),
        sections: view::sections(plan),
    }
}

impl Page {
    fn write(&self, path: &Path) -> Result<(), Error> {
        let report = Report {
            title: &self.title,
            verdict: "Nothing is changed yet; twinpool apply carries out exactly this.",
            is_good: true,
            summary: &self.summary,
            sections: &self.sections,
        };
        report.write(path)
    }
}

fn print(output: &Output, plan: &Plan, args: &Args, affected: u64) -> Result<(), Error> {
    output.line(&format!("Plan {}", plan.id))?;
    for line in view::summary(plan) {
        output.line(&line)?;
    }
    output.sections(&view::sections(plan))?;
    output.line("")?;
    if affected > 0 && args.affected.is_none() {
        output.line(&format!(
            "{affected} users lose more than their password or are not made; --affected FILE lists them"
        ))?;
    }
    output.line(&format!(
        "Written to {}. Carry it out with: twinpool apply {}",
        args.out.display(),
        quoted(&args.out)
    ))
}

#[cfg(test)]
mod tests;
