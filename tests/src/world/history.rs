//! One seed's history, from the empty table to the verdict.
//!
//! Invariant: everything is made anew for each seed, and nothing outlives it.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicU64, Ordering},
};

use tokio::task::{JoinHandle, LocalSet, spawn_local};
use twinpool_shared::{
    error::{Error, ErrorKind},
    time::Timestamp,
};

use super::{
    clock::{WorldClock, wait},
    journal::Journal,
    machines::{Counters, Place, reconcile, reconcile_for_ever, replicate},
    network::Network,
    people::People,
    pool::PoolDouble,
    queue::QueueDouble,
    table::TableDouble,
    tally::Tally,
    trail::Ears,
    verdict,
    weather::{Story, Weather},
};
use crate::life::Draw;

/// Longer than the consistency window and every clock's mistake: after this, every read shows the present.
const QUIET_MILLIS: u64 = 130_000;
/// Longest that a queue may take to empty in quiet times: ten receives of seven minutes, and a redrive.
const DRAIN_MILLIS_MAX: i64 = 4 * 3_600_000;
/// Where histories begin, in milliseconds since 1970: 3 February 2026, 10:20:30.123, and shortly before a month ends.
const BEGINNINGS: [i64; 3] = [1_770_114_030_123, 1_777_593_000_500, 1_777_592_400_000];

/// A history and its verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct History {
    /// What happened, in order.
    pub journal: Vec<String>,
    /// What is wrong; empty when all is well.
    pub wrong: Vec<String>,
    /// What happened, in numbers.
    pub tally: Tally,
}

struct World {
    story: Story,
    clock: WorldClock,
    weather: Arc<Weather>,
    journal: Arc<Journal>,
    pool: PoolDouble,
    table: TableDouble,
    queue: QueueDouble,
    ears: Arc<Ears>,
    counters: Arc<Counters>,
    draws: AtomicU64,
    seed: u64,
}

impl World {
    fn new(seed: u64, story: Story) -> Result<Self, Error> {
        let mut draw = Draw::of(seed, 0);
        let beginning = draw.below(BEGINNINGS.len() as u64);
        let base = BEGINNINGS[usize::try_from(beginning).unwrap_or(0)];
        let clock = WorldClock::starting_at(Timestamp::from_millis(base));
        let weather = Arc::new(Weather::of(&mut draw, story));
        let journal = Arc::new(Journal::new(clock));
        journal.note("seed", format!("{seed} {story:?} {weather:?}"));
        let network = |service, number| Network::new(service, Arc::clone(&weather), Draw::of(seed, number));
        let skewed = |draw: &mut Draw| clock.skewed(weather.skew(draw));
        let pool = PoolDouble::new(
            seed,
            clock,
            skewed(&mut draw),
            network("cognito-idp", 1),
            Arc::clone(&journal),
        );
        let pool = pool.map_err(|error| Error::new(ErrorKind::Rejected, error.code))?;
        let table = TableDouble::new(pool.clone(), clock, network("dynamodb", 2), Arc::clone(&journal));
        let queue = QueueDouble::new(clock, network("sqs", 3), Arc::clone(&journal));
        let clocks = (skewed(&mut draw), skewed(&mut draw));
        let events = network("events", 4);
        let ears = Ears::new(pool.id(), queue.clone(), clocks, events, Arc::clone(&journal));
        Ok(Self {
            story,
            clock,
            weather,
            journal,
            pool,
            table,
            queue,
            ears: Arc::new(ears),
            counters: Arc::default(),
            draws: AtomicU64::new(10),
            seed,
        })
    }

    /// A machine with a clock of its own.
    fn place(&self, who: &'static str) -> Place {
        let mut draw = Draw::of(self.seed, self.draws.fetch_add(1, Ordering::Relaxed));
        Place {
            who,
            pool: self.pool.clone(),
            table: self.table.reached_by(who),
            queue: self.queue.clone(),
            clock: self.clock.skewed(self.weather.skew(&mut draw)),
            weather: Arc::clone(&self.weather),
            journal: Arc::clone(&self.journal),
            counters: Arc::clone(&self.counters),
            draw: Arc::new(Mutex::new(draw)),
        }
    }

    fn wrong(&self, when: &str) {
        for what in verdict::differences(self.story, &self.pool, &self.table, &self.ears) {
            self.journal.violation(format!("{when}: {what}"));
        }
    }

    /// Waits until the queue is empty.
    async fn drain(&self, machines: &[Machine]) {
        let end = self.clock.elapsed_millis() + DRAIN_MILLIS_MAX;
        while !self.queue.is_empty() {
            if self.clock.elapsed_millis() > end {
                return self.journal.violation("the queue did not empty");
            }
            if machines.iter().any(JoinHandle::is_finished) {
                return self.journal.violation("a consumer ended");
            }
            wait(5_000).await;
        }
    }

    /// Reconciles until a run has begun after now and ended.
    async fn reconcile_anew(&self, place: &Place) {
        let from = self.clock.now().plus_millis(-5_000);
        for _ in 0..40 {
            match reconcile(place).await {
                Some(Ok(report)) if report.run.started_at >= from => {
                    if report.result.guard.is_some() || report.result.users.undecided > 0 {
                        self.journal.violation("the quiet run decided not everything");
                    }
                    return;
                }
                // It went on with a run from before.
                Some(Ok(_)) => {}
                Some(Err(error)) if error.kind == ErrorKind::Held => wait(60_000).await,
                Some(Err(error)) => self.journal.violation(format!("the quiet run failed: {error}")),
                None => {}
            }
        }
        self.journal.violation("no quiet run ended");
    }

    fn tally(&self, operations: u64) -> Tally {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (sent, lost) = self.ears.tally();
        let users = self.table.current_users();
        Tally {
            operations,
            sent,
            lost,
            batches: of(&self.counters.batches),
            messages: of(&self.counters.messages),
            killed: of(&self.counters.killed),
            runs: of(&self.counters.runs),
            failed_runs: of(&self.counters.failed_runs),
            writes: self.table.writes(),
            tombstones: users.values().filter(|item| !item.record.is_alive()).count() as u64,
        }
    }
}

type Machine = JoinHandle<Result<(), Error>>;

/// Stops a machine, and says so when it had stopped by itself.
async fn stop(machine: Machine, journal: &Journal) {
    machine.abort();
    match machine.await {
        Err(error) if error.is_panic() => journal.violation("a consumer panicked"),
        Ok(Err(error)) => journal.violation(format!("a consumer ended: {error}")),
        Ok(Ok(())) | Err(_) => {}
    }
}

/// Lives one history. Runs on a current-thread runtime whose clock is paused, and on nothing else.
///
/// # Errors
/// When the double refuses to make the pool.
pub async fn live(seed: u64, story: Story) -> Result<History, Error> {
    LocalSet::new().run_until(Box::pin(history(seed, story))).await
}

async fn history(seed: u64, story: Story) -> Result<History, Error> {
    let world = World::new(seed, story)?;
    let consumers = [
        spawn_local(replicate(world.place("replicator A"))),
        spawn_local(replicate(world.place("replicator B"))),
    ];
    let mut runs = Vec::new();
    if story == Story::Reconciled {
        runs.push(spawn_local(reconcile_for_ever(world.place("reconciler"))));
        // Now and then somebody starts a run by hand beside the nightly one.
        if Draw::of(seed, 5).percent(25) {
            runs.push(spawn_local(reconcile_for_ever(world.place("operator"))));
        }
    }
    let mut draw = Draw::of(seed, 6);
    let steps = 30 + draw.below(51);
    let mut people = People::new(
        draw,
        story,
        (world.pool.clone(), world.table.clone()),
        Arc::clone(&world.ears),
        Arc::clone(&world.journal),
    );
    people.live(steps).await;
    world.weather.calm_down();
    world.journal.note("people", "have done");
    for run in runs {
        stop(run, &world.journal).await;
    }
    world.drain(&consumers).await;
    world.queue.redrive();
    world.drain(&consumers).await;
    if story == Story::Reconciled {
        settle(&world, &consumers).await;
    }
    world.wrong("at the end");
    let dead = world.queue.dead();
    for what in verdict::unexplained(&dead, &world.pool, &world.table) {
        world.journal.violation(what);
    }
    world.table.check_history();
    for consumer in consumers {
        stop(consumer, &world.journal).await;
    }
    Ok(History {
        journal: world.journal.lines(),
        wrong: world.journal.violations(),
        tally: world.tally(people.done()),
    })
}

/// The last, quiet reconcile; then one that finds nothing to do; then what the queue could not handle before.
async fn settle(world: &World, consumers: &[Machine]) {
    let place = world.place("last run");
    wait(QUIET_MILLIS).await;
    world.reconcile_anew(&place).await;
    world.wrong("after the last run");
    let writes = world.table.writes();
    wait(QUIET_MILLIS).await;
    world.reconcile_anew(&place).await;
    if world.table.writes() != writes {
        world.journal.violation("a run of an unchanged pool wrote items");
    }
    world.queue.redrive();
    world.drain(consumers).await;
}
