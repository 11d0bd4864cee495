//! A pool rebuilt by the importer as the command line runs it: a plan, then an apply, each as a process of its own would.
//!
//! Invariant: nobody is missing, nobody failed and nobody was written to, or there is no figure.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use twinpool_importer::{
    ApplyOptions, ApplyReport, HttpUpload, Importer, Phase, Watch,
    plan::{PlanOrder, Wish},
};
use twinpool_localcloud::gateway::identity::ACCOUNT;
use twinpool_shared::{
    adapter::{
        governor::Governor,
        lease::Holder,
        pool::{Patience, PoolReader, PoolWriter},
    },
    error::Error,
    import::{
        estimate::{ASKED, Live},
        mapping::Mapping,
        plan::{Plan, UsersWay},
        select::Deleted,
    },
    quota::Share,
};

use super::cloud::{Cloud, RECOVERY, Traffic};
use crate::{
    bench::{events::now, memory_table::MemoryTable, reconciler::RETENTION_SECONDS},
    stack::Failure,
};

/// Seconds of a lease of `twinpool apply`.
const LEASE_SECONDS: i64 = 120;

/// What an import came to, and how long it took.
pub(super) struct Restored {
    /// Its own report.
    pub(super) report: ApplyReport,
    /// Seconds of the plan.
    pub(super) plan_seconds: f64,
    /// Seconds of the apply.
    pub(super) apply_seconds: f64,
    /// Seconds of its phases, each from its beginning to its end.
    pub(super) phases: BTreeMap<Phase, f64>,
    /// Calls of the plan.
    pub(super) of_plan: Traffic,
    /// Calls of the apply.
    pub(super) of_apply: Traffic,
}

impl Restored {
    /// Seconds of a phase; not a number when it did not end.
    pub(super) fn seconds(&self, phase: Phase) -> f64 {
        self.phases.get(&phase).copied().unwrap_or(f64::NAN)
    }
}

/// Rebuilds the pool `source` from its backup in a new pool.
pub(super) async fn restore(cloud: &Cloud, source: &str, backup: &MemoryTable) -> Result<Restored, Failure> {
    let meter = cloud.meter();
    let began = Instant::now();
    let plan = plan(cloud, source, backup).await?;
    let plan_seconds = began.elapsed().as_secs_f64();
    let of_plan = meter.read();
    let meter = cloud.meter();
    let began = Instant::now();
    let stopwatch = Stopwatch::default();
    let importer = importer(cloud, backup, Box::new(stopwatch.clone()));
    live_quotas(&importer).await;
    let options = ApplyOptions {
        holder: Holder {
            owner: "bench".to_owned(),
            seconds: LEASE_SECONDS,
            steal: false,
        },
        retry_failed: false,
        open_sign_up: false,
    };
    let report = Box::pin(importer.apply(&plan, &options)).await;
    let report = report.map_err(|error| Failure::new("the import", error))?;
    let apply_seconds = began.elapsed().as_secs_f64();
    let of_apply = meter.read();
    let counts = &plan.users.counts;
    let whole = (report.users, report.memberships, report.links) == (counts.made, counts.memberships, counts.links);
    if report.is_partial() || !whole || of_apply.messages > 0 {
        let what = format!(
            "{} users, {} memberships and {} links were made of {counts:?}, and {} messages sent; failed: {:?}, {:?}",
            report.users, report.memberships, report.links, of_apply.messages, report.failed, report.settings_failed
        );
        return Err(Failure::new("the import", what));
    }
    Ok(Restored {
        report,
        plan_seconds,
        apply_seconds,
        phases: stopwatch.read(),
        of_plan,
        of_apply,
    })
}

async fn plan(cloud: &Cloud, source: &str, backup: &MemoryTable) -> Result<Plan, Failure> {
    let importer = importer(cloud, backup, Box::new(()));
    let live = live_quotas(&importer).await;
    let order = order(source, live);
    let plan = Box::pin(importer.plan(&order, |_| Ok(()))).await;
    plan.map_err(|error: Error| Failure::new("the plan", error))
}

/// What `twinpool plan --users api` orders, of an account with these quotas.
pub(super) fn order(source: &str, live: Live) -> PlanOrder {
    PlanOrder {
        table: "backup".to_owned(),
        pool: source.to_owned(),
        region: RECOVERY.to_owned(),
        account: ACCOUNT.to_owned(),
        target: Wish::New(None),
        as_of: None,
        deleted: Deleted::Not,
        way: UsersWay::Api,
        mapping: Mapping::default(),
        allow_stale: false,
        retention_seconds: RETENTION_SECONDS,
        maker: "bench".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        live,
        share: whole_quota(),
    }
}

fn whole_quota() -> Share {
    Share::new(100).unwrap_or_default()
}

fn importer(
    cloud: &Cloud,
    backup: &MemoryTable,
    watch: Box<dyn Watch>,
) -> Importer<PoolReader, PoolWriter, MemoryTable> {
    let governor = Governor::new(whole_quota(), 1);
    let client = cloud.cognito(RECOVERY);
    Importer {
        reader: PoolReader::new(client.clone(), governor.clone(), Patience::WALK),
        writer: PoolWriter::new(client, governor, Patience::WALK),
        backup: backup.clone(),
        clock: Arc::new(now),
        watch,
        upload: Box::new(HttpUpload),
    }
}

/// As the command line asks before it plans or applies.
async fn live_quotas(importer: &Importer<PoolReader, PoolWriter, MemoryTable>) -> Live {
    let live = importer.reader.live_limits(&ASKED).await;
    live.into_iter()
        .filter_map(|(category, rps)| Some((category, rps?)))
        .collect()
}

/// When a phase began, and its seconds once it ended.
type Times = BTreeMap<Phase, (Instant, Option<f64>)>;

/// Times phases.
#[derive(Clone, Debug, Default)]
struct Stopwatch(Arc<Mutex<Times>>);

impl Stopwatch {
    /// Seconds of the phases that ended.
    fn read(&self) -> BTreeMap<Phase, f64> {
        let phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = phases
            .iter()
            .filter_map(|(phase, (_, seconds))| Some((*phase, (*seconds)?)));
        ended.collect()
    }
}

impl Watch for Stopwatch {
    fn phase(&self, phase: Phase, _: Option<u64>) {
        let mut phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        phases.insert(phase, (Instant::now(), None));
    }

    fn finished(&self, phase: Phase) {
        let mut phases = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((began, seconds)) = phases.get_mut(&phase) {
            *seconds = Some(began.elapsed().as_secs_f64());
        }
    }
}
