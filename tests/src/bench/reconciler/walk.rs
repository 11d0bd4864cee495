//! Whole runs against the local cloud's pool: seconds against what the quota allows, and calls.
//!
//! The floor is what no walk can beat: the lists that were called, at the full rate of their quota (or the share of it that
//! Twinpool is given). A group's members follow one chain of tokens, one call after the other; a pool whose memberships are
//! all in one group is therefore held by the latency of a call instead, and is compared with that.
//!
//! Invariant: the calls are those that the local cloud counted, not those that the reconciler says it made.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use serde_json::json;
use twinpool_localcloud::gateway::{
    config::Config,
    instance::{Emulator, LocalCloud},
};
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader},
        table::Table,
    },
    port::Backup,
    quota::{Category, Share},
};

use super::{
    reconcile,
    scene::{self, Shape},
};
use crate::{
    bench::{
        Places,
        figures::figure,
        memory_table::MemoryTable,
        replicator::create_table,
        report::{Goal, Report},
    },
    stack::{Failure, control::Control},
    stand_ins::sdk_config,
};

const USERS: usize = 20_000;
const SHAPES: [Shape; 2] = [
    Shape {
        title: "100 groups of 200",
        users: USERS,
        groups: 100,
    },
    Shape {
        title: "one group of 20,000",
        users: USERS,
        groups: 1,
    },
];
const COGNITO_MILLIS: u64 = 80;
/// Of every request to the table in memory.
const TABLE_MILLIS: u64 = 5;
const PAGE: usize = 60;
const TABLE: &str = "backup";

/// Measures the walks.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    let folder = places.scratch.join("reconciler");
    let settings = json!({"latency_ms": {"cognito": COGNITO_MILLIS}, "trail": {"drop_percent": 100.0}}).to_string();
    let settings = Config::parse(settings.as_bytes()).map_err(|why| Failure::new("the configuration", why))?;
    let cloud = LocalCloud::start(0, &folder, Emulator::MiniStack, settings).await;
    let cloud = cloud.map_err(|error| Failure::new("the local cloud", error))?;
    let sdk = sdk_config(cloud.endpoint()).await;
    let bench = Bench {
        cognito: aws_sdk_cognitoidentityprovider::Client::new(&sdk),
        cloud,
    };
    let control = Control::new(bench.cloud.endpoint());
    for shape in SHAPES {
        let pool = scene::create(&control, shape).await?;
        let table = MemoryTable::new(Duration::from_millis(TABLE_MILLIS));
        for (pass, percent) in [("first run", 100), ("nothing to mend", 100), ("nothing to mend", 50)] {
            let before = table.user_writes();
            let walk = bench.walk(shape, &pool, table.clone(), percent).await?;
            let expected = if pass == "first run" { USERS as u64 } else { 0 };
            let written = table.user_writes() - before;
            if written != expected {
                return Err(Failure(format!(
                    "{pass}: {written} users were written instead of {expected}"
                )));
            }
            walk.rows(&format!("{}, {pass}", shape.title), shape, report);
        }
        if shape.groups > 1 {
            bench.over_ministack(shape, &pool, &sdk, report).await?;
        }
    }
    report.note(format!(
        "reconciler: {USERS} users and {USERS} memberships; quotas as documented (UserList 30 a second), {COGNITO_MILLIS} ms a \
         call of Cognito; the table is maps in the bench's own process at {TABLE_MILLIS} ms a request. The floor is the \
         UserList calls that were made at 30 a second times the share."
    ));
    Ok(())
}

struct Bench {
    cognito: aws_sdk_cognitoidentityprovider::Client,
    cloud: LocalCloud,
}

impl Bench {
    /// One run, by a reconciler of its own.
    async fn walk<B: Backup>(&self, shape: Shape, pool: &str, backup: B, percent: u8) -> Result<Walk, Failure> {
        let share = Share::new(percent).map_err(|error| Failure::new("the share", error))?;
        let reader = PoolReader::new(self.cognito.clone(), Governor::new(share, 1), Patience::WALK);
        let (calls, throttled) = self.counted();
        let began = Instant::now();
        let run = Box::pin(reconcile(reader, backup, pool)).await?;
        let seconds = began.elapsed().as_secs_f64();
        let users = &run.result.users;
        let all = shape.users as u64;
        if (users.users, users.memberships) != (all, all) || run.result.drift_left > 0 {
            let what = format!(
                "{} users and {} memberships were walked",
                users.users, users.memberships
            );
            return Err(Failure(what));
        }
        let (calls_after, throttled_after) = self.counted();
        let made = calls_after.into_iter().map(|(operation, count)| {
            let before = calls.get(&operation).copied().unwrap_or(0);
            (operation, figure(usize::try_from(count - before).unwrap_or(usize::MAX)))
        });
        Ok(Walk {
            percent,
            seconds,
            calls: made.filter(|(_, count)| *count > 0.0).collect(),
            throttled: figure(usize::try_from(throttled_after - throttled).unwrap_or(usize::MAX)),
        })
    }

    /// Calls of Cognito by operation, and how many were refused by a quota.
    fn counted(&self) -> (BTreeMap<String, u64>, u64) {
        const SERVICE: &str = "cognito-idp";
        let counters = self.cloud.gateway().counters();
        let calls = counters.calls.get(SERVICE).cloned().unwrap_or_default();
        let throttled = counters
            .throttled
            .get(SERVICE)
            .map_or(0, |refused| refused.values().sum());
        (calls, throttled)
    }

    /// For information: the same over the emulator's table.
    async fn over_ministack(
        &self,
        shape: Shape,
        pool: &str,
        sdk: &aws_config::SdkConfig,
        report: &mut Report,
    ) -> Result<(), Failure> {
        create_table(self.cloud.endpoint(), TABLE).await?;
        let table = Table::new(aws_sdk_dynamodb::Client::new(sdk), TABLE);
        for pass in ["first run", "nothing to mend"] {
            let walk = self.walk(shape, pool, table.clone(), 100).await?;
            let what = format!("{}, {pass}, MiniStack's table, share 100 %", shape.title);
            report.row(format!("{what}: seconds"), walk.seconds, "s", Goal::None);
            let ratio = walk.seconds / walk.floor();
            report.row(format!("{what}: of the floor"), ratio, "times", Goal::None);
        }
        Ok(())
    }
}

/// What a run took.
struct Walk {
    percent: u8,
    seconds: f64,
    /// By operation.
    calls: BTreeMap<String, f64>,
    throttled: f64,
}

impl Walk {
    fn of(&self, operation: &str) -> f64 {
        self.calls.get(operation).copied().unwrap_or(0.0)
    }

    /// Calls a second that the share allows.
    fn rate(&self) -> f64 {
        Category::UserList.default_rps() * f64::from(self.percent) / 100.0
    }

    /// Seconds that the UserList calls take at that rate.
    fn floor(&self) -> f64 {
        (self.of("ListUsers") + self.of("ListUsersInGroup")) / self.rate()
    }

    /// The same when the members are one chain: its calls one after the other, each as long as a call takes.
    fn floor_of_one_chain(&self) -> f64 {
        let members = self.of("ListUsersInGroup");
        let seconds = figure(usize::try_from(COGNITO_MILLIS).unwrap_or(usize::MAX)) / 1_000.0;
        (members * seconds).max(members / self.rate()) + self.of("ListUsers") / self.rate()
    }

    fn rows(&self, name: &str, shape: Shape, report: &mut Report) {
        let name = format!("{name}, share {} %", self.percent);
        let goal = Goal::AtMost(if self.percent == 100 { 1.15 } else { 1.10 });
        report.row(format!("{name}: seconds"), self.seconds, "s", Goal::None);
        if shape.groups > 1 {
            report.row(
                format!("{name}: of the floor"),
                self.seconds / self.floor(),
                "times",
                goal,
            );
        } else {
            report.row(
                format!("{name}: of the floor"),
                self.seconds / self.floor(),
                "times",
                Goal::None,
            );
            let ratio = self.seconds / self.floor_of_one_chain();
            report.row(format!("{name}: of the floor of one chain"), ratio, "times", goal);
        }
        for operation in ["ListUsers", "ListUsersInGroup"] {
            report.row(format!("{name}: {operation}"), self.of(operation), "calls", Goal::None);
        }
        let users = figure(shape.users) / figure(PAGE);
        // Each user has one membership.
        let most = (users + users + figure(shape.groups) + 32.0).floor();
        let all = self.calls.values().sum();
        report.row(
            format!("{name}: calls of Cognito in all"),
            all,
            "calls",
            Goal::AtMost(most),
        );
        report.row(format!("{name}: throttled"), self.throttled, "calls", Goal::None);
    }
}
