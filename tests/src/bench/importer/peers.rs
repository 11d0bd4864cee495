//! What a user of Cognito would take instead from the npm registry: the same pool, restored by each tool on the same local cloud.
//!
//! Each tool backs the pool up itself, and restores it as its own instructions say, with its default options, into an empty pool
//! of the same settings. Once more without linked users, because a tool may end at the first of them. What is measured is the
//! restore; Twinpool's plan counts as part of it.
//!
//! Invariant: what a tool lost is read past quotas from both pools ([`portrait`]), by the same comparison for all of them. A tool
//! that cannot be installed is named, and has no row.

mod portrait;
mod tools;

use std::time::Instant;

use super::{
    cloud::{COGNITO_MILLIS, Cloud, RECOVERY, Traffic},
    restore::restore,
    scene::{Shape, back_up},
};
use crate::{
    bench::{
        Places,
        figures::figure,
        report::{Goal, Report},
    },
    stack::Failure,
};
use portrait::{Portrait, lost};
use tools::{TOOLS, Tool};

const LINKED: Shape = Shape {
    users: 1_000,
    groups: 10,
    mixed: true,
    linked: true,
};
const UNLINKED: Shape = Shape {
    linked: false,
    ..LINKED
};

/// Measures the tools beside Twinpool.
pub(in crate::bench) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    let folder = places.scratch.join("peers");
    let cloud = Cloud::start(&folder).await?;
    let linked = Source::create(&cloud, LINKED).await?;
    let unlinked = Source::create(&cloud, UNLINKED).await?;
    for source in [&linked, &unlinked] {
        source.by_twinpool(&cloud, report).await?;
    }
    for tool in TOOLS {
        match tool.install(&folder).await {
            Ok(installed) => {
                for source in [&linked, &unlinked] {
                    source.by_tool(&cloud, &installed, report).await?;
                }
            }
            Err(why) => report.note(format!("{} {} is not in the table: {why}", tool.package, tool.version)),
        }
    }
    report.note(format!(
        "peers: local cloud, quotas as documented, {COGNITO_MILLIS} ms a call of Cognito; {} users, each in one of {} groups, \
         every tenth disabled, every fifth with an address that is not verified, and {} of them with an outside identity, or \
         none. Each tool with its default options and from its own backup of the pool.",
        LINKED.users,
        LINKED.groups,
        LINKED.links()
    ));
    Ok(())
}

/// The pool that is restored.
struct Source {
    shape: Shape,
    pool: String,
    before: Portrait,
}

impl Source {
    async fn create(cloud: &Cloud, shape: Shape) -> Result<Self, Failure> {
        let pool = shape.create(cloud).await?;
        let before = Portrait::of(cloud, super::cloud::PRIMARY, &pool).await?;
        Ok(Self { shape, pool, before })
    }

    /// What a run is called in the report.
    fn title(&self, tool: &str) -> String {
        match self.shape.links() {
            0 => format!("{tool}, nobody linked"),
            links => format!("{tool}, {links} linked"),
        }
    }

    async fn by_twinpool(&self, cloud: &Cloud, report: &mut Report) -> Result<(), Failure> {
        let backup = back_up(cloud, &self.pool).await?;
        let restored = Box::pin(restore(cloud, &self.pool, &backup)).await?;
        let traffic = Traffic {
            calls: restored.of_plan.calls + restored.of_apply.calls,
            throttled: restored.of_plan.throttled + restored.of_apply.throttled,
            messages: restored.of_plan.messages + restored.of_apply.messages,
        };
        let seconds = restored.plan_seconds + restored.apply_seconds;
        let after = Portrait::of(cloud, RECOVERY, &restored.report.pool).await?;
        self.rows(&self.title("Twinpool"), seconds, traffic, &after, report);
        Ok(())
    }

    async fn by_tool(&self, cloud: &Cloud, tool: &tools::Installed<'_>, report: &mut Report) -> Result<(), Failure> {
        let Tool { package, version, .. } = tool.tool;
        let title = self.title(&format!("{package} {version}"));
        let target = self.shape.empty(cloud, RECOVERY).await?;
        tool.back_up(cloud.endpoint(), &self.pool).await?;
        let meter = cloud.meter();
        let began = Instant::now();
        let ended = tool.restore(cloud.endpoint(), &self.pool, &target).await?;
        let seconds = began.elapsed().as_secs_f64();
        let traffic = meter.read();
        let after = Portrait::of(cloud, RECOVERY, &target).await?;
        self.rows(&title, seconds, traffic, &after, report);
        if let Some(failure) = ended {
            report.note(format!("{title}: it ended with {failure}"));
        }
        Ok(())
    }

    fn rows(&self, title: &str, seconds: f64, traffic: Traffic, after: &Portrait, report: &mut Report) {
        let count = |count: u64| figure(usize::try_from(count).unwrap_or(usize::MAX));
        report.row(format!("{title}: seconds"), seconds, "s", Goal::None);
        for (what, measured, unit) in [
            ("calls of Cognito", count(traffic.calls), "calls"),
            ("throttled", count(traffic.throttled), "calls"),
            ("messages to users", count(traffic.messages), "messages"),
            ("users made", figure(after.users()), "users"),
        ] {
            report.row(format!("{title}: {what}"), measured, unit, Goal::None);
        }
        for (what, lost, unit) in lost(&self.before, after) {
            report.row(format!("{title}: {what}"), figure(lost), unit, Goal::None);
        }
    }
}
