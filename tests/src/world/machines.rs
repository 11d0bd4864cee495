//! The consumers as they are deployed: called with batches, started at night, killed at any moment.
//!
//! Invariant: a kill drops the future where it stands. What it did before stays done, and nothing else happens.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::Instant;
use twinpool_reconciler::{Allowed, Finding, Holder, Options, Reconciler, Report, Subject, Watch};
use twinpool_replicator::Replicator;
use twinpool_shared::{
    error::{Error, ErrorKind},
    port::Clock,
    settings::ReplicatorSettings,
};

use super::{
    clock::wait,
    journal::Journal,
    locked,
    pool::PoolDouble,
    queue::{QueueDouble, QueueOutbox, RECEIVES_MAX, Received},
    table::TableDouble,
    weather::Weather,
};
use crate::life::Draw;

/// What an invocation has for its work: its 60 s less the 14 s for concluding.
const WORK: Duration = Duration::from_secs(46);
/// Longest life of a batch or a run that is to be killed.
const KILLED_BATCH_MILLIS_MAX: u64 = 300;
const KILLED_RUN_MILLIS_MAX: u64 = 20_000;
/// For how long a killed run keeps others out.
const LEASE_SECONDS: i64 = 900;
/// How long superseded versions and tombstones are kept.
const RETENTION_SECONDS: i64 = 35 * 86_400;

/// What happened to the machines.
#[derive(Debug, Default)]
pub struct Counters {
    /// Batches handled or killed.
    pub batches: AtomicU64,
    /// Messages of those.
    pub messages: AtomicU64,
    /// Batches and runs killed.
    pub killed: AtomicU64,
    /// Runs that came to a result.
    pub runs: AtomicU64,
    /// Runs that failed.
    pub failed_runs: AtomicU64,
}

/// One machine's surroundings.
#[derive(Clone)]
pub struct Place {
    /// Name in the journal.
    pub who: &'static str,
    /// The pool.
    pub pool: PoolDouble,
    /// The table, as this machine reaches it.
    pub table: TableDouble,
    /// The queue.
    pub queue: QueueDouble,
    /// The machine's clock.
    pub clock: Clock,
    /// The weather.
    pub weather: Arc<Weather>,
    /// The journal.
    pub journal: Arc<Journal>,
    /// What happened to the machines.
    pub counters: Arc<Counters>,
    /// The machine's draws.
    pub draw: Arc<Mutex<Draw>>,
}

impl Place {
    fn below(&self, end: u64) -> u64 {
        locked(&self.draw).below(end)
    }

    fn percent(&self, percent: u64) -> bool {
        locked(&self.draw).percent(percent)
    }

    /// When this work is to be killed, if it is.
    fn kill(&self, millis_max: u64) -> Option<u64> {
        let mut draw = locked(&self.draw);
        let killed = draw.percent(self.weather.killed_percent) && !self.weather.is_calm();
        killed.then(|| draw.below(millis_max))
    }

    /// Carries out `work`, unless it is killed before.
    async fn carry_out<T>(&self, work: impl Future<Output = T>, kill: Option<u64>) -> Option<T> {
        let killed = async {
            match kill {
                Some(millis) => wait(millis).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = work => Some(done),
            () = killed => {
                self.journal.note(self.who, "KILLED");
                self.counters.killed.fetch_add(1, Ordering::Relaxed);
                None
            }
        }
    }
}

/// The replicator's settings, read as the function reads them.
fn settings(pool: &str) -> Result<ReplicatorSettings, Error> {
    let receives = RECEIVES_MAX.to_string();
    ReplicatorSettings::load(&|name| {
        let value = match name {
            "TWINPOOL_QUEUE_URL" => "http://127.0.0.1/111122223333/changes",
            "TWINPOOL_DLQ_URL" => "http://127.0.0.1/111122223333/dead-letters",
            "TWINPOOL_TABLE" => "backup",
            "TWINPOOL_POOLS" => pool,
            "TWINPOOL_MAX_RECEIVES" => receives.as_str(),
            _ => return None,
        };
        Some(value.to_owned())
    })
}

/// Receives and handles batches for ever.
///
/// # Errors
/// When the settings are wrong, or a batch cannot be built.
pub async fn replicate(place: Place) -> Result<(), Error> {
    let mut replicator = started(&place)?;
    loop {
        let batch = place.queue.receive().await;
        if batch.is_empty() {
            continue;
        }
        place.counters.batches.fetch_add(1, Ordering::Relaxed);
        place.counters.messages.fetch_add(batch.len() as u64, Ordering::Relaxed);
        note(&place, &batch);
        let event = serde_json::from_value(event(&batch));
        let event = event.map_err(|_| Error::new(ErrorKind::Unreadable, "the batch is no event of SQS"))?;
        let handling = Box::pin(replicator.handle(event, Instant::now() + WORK));
        let Some(response) = place.carry_out(handling, place.kill(KILLED_BATCH_MILLIS_MAX)).await else {
            // The next invocation is another process.
            replicator = started(&place)?;
            continue;
        };
        let failed: Vec<&str> = response
            .batch_item_failures
            .iter()
            .map(|failure| failure.item_identifier.as_str())
            .collect();
        for received in batch {
            if failed.contains(&received.id.to_string().as_str()) {
                place.journal.note(place.who, format!("gives back {}", received.id));
            } else {
                place.queue.acknowledge(received.id);
            }
        }
        // An outage, so that messages pile up and come in big batches.
        if !place.weather.is_calm() && place.percent(place.weather.away_percent) {
            wait(place.below(240_000)).await;
        }
    }
}

fn started(place: &Place) -> Result<Replicator<PoolDouble, TableDouble, QueueOutbox>, Error> {
    Ok(Replicator::new(
        settings(place.pool.id())?,
        place.queue.outbox(),
        place.queue.outbox(),
        place.table.clone(),
        place.pool.clone(),
        Arc::clone(&place.clock),
    ))
}

fn event(batch: &[Received]) -> Value {
    let records = batch.iter().map(|received| {
        json!({
            "messageId": received.id.to_string(),
            "receiptHandle": received.receipt,
            "body": received.body,
            "attributes": { "ApproximateReceiveCount": received.receives.to_string() },
            "messageAttributes": {},
        })
    });
    json!({ "Records": records.collect::<Vec<_>>() })
}

/// Notes what a batch is about.
fn note(place: &Place, batch: &[Received]) {
    for received in batch {
        let change: Value = serde_json::from_str(&received.body).unwrap_or_default();
        let subject = change["subject"].to_string();
        let subject = subject.get(..28).unwrap_or(&subject);
        let (cause, attempt) = (
            change["cause"].as_str().unwrap_or("?"),
            change["attempt"].as_u64().unwrap_or(0),
        );
        let line = format!(
            "receives {} ({}. time) {cause} {subject} attempt {attempt}",
            received.id, received.receives
        );
        place.journal.note(place.who, line);
    }
}

/// Tells the journal what a run finds.
struct Witness(&'static str, Arc<Journal>);

impl Watch for Witness {
    fn found(&self, finding: &Finding) {
        let subject = match &finding.subject {
            Subject::User(sub) => sub.as_str().get(..6).unwrap_or(sub.as_str()),
            Subject::Group(name) => name,
        };
        self.1
            .note(self.0, format!("finds {subject}: {}", finding.field.name()));
    }
}

/// A run, killed or to its end.
pub async fn reconcile(place: &Place) -> Option<Result<Report, Error>> {
    let reconciler = Reconciler {
        reader: place.pool.clone(),
        backup: place.table.clone(),
        clock: Arc::clone(&place.clock),
        retention_seconds: RETENTION_SECONDS,
        watch: Box::new(Witness(place.who, Arc::clone(&place.journal))),
    };
    let options = Options {
        holder: Holder {
            owner: place.who.to_owned(),
            seconds: LEASE_SECONDS,
            steal: true,
        },
        allowed: Allowed::default(),
        fresh: false,
    };
    place.journal.note(place.who, "begins a run");
    let run = Box::pin(reconciler.run(place.pool.id(), &options));
    let done = place.carry_out(run, place.kill(KILLED_RUN_MILLIS_MAX)).await;
    match &done {
        Some(Ok(report)) => {
            place.counters.runs.fetch_add(1, Ordering::Relaxed);
            let result = &report.result;
            let line = format!(
                "ends run {}: {} found, {} left, {} deleted, {} undecided",
                report.run.id, result.drift_found, result.drift_left, result.deleted, result.users.undecided
            );
            place.journal.note(place.who, line);
        }
        Some(Err(error)) => {
            place.counters.failed_runs.fetch_add(1, Ordering::Relaxed);
            place.journal.note(place.who, format!("fails: {error}"));
        }
        None => {}
    }
    done
}

/// Runs again and again, and goes on with what was killed.
pub async fn reconcile_for_ever(place: Place) -> Result<(), Error> {
    loop {
        wait(place.below(300_000)).await;
        for _ in 0..4 {
            if let Some(Ok(_)) = reconcile(&place).await {
                break;
            }
            wait(place.below(60_000)).await;
        }
    }
}
