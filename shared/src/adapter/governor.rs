//! Lets calls to Cognito start no faster than Twinpool's share of the quota.
//!
//! One token bucket per category of operations, and one per pool and operation where AWS counts these as well. A refusal slows
//! a category down, answers speed it up again ([`Pace`]): it then takes more of the bucket's tokens to start a call.
//!
//! Invariant: a call is waited for and never refused here, and calls of a category start in the order in which they asked.
//! Time is tokio's alone, so that a test may let it fly.

use std::{
    collections::BTreeMap,
    num::NonZeroU32,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use governor::{
    Quota, RateLimiter,
    clock::Clock,
    middleware::NoOpMiddleware,
    state::{InMemoryState, NotKeyed},
};
use tokio::time::{Instant, sleep};

use crate::{
    pace::Pace,
    quota::{Allotment, Category, POOL_OPERATION_RPS, Share},
    time::Timestamp,
};

/// Tokens that a call takes at full speed: fine enough for a burst of one and a bit, and for every speed below.
const CALL: NonZeroU32 = NonZeroU32::MIN.saturating_add(999);

/// Paces the calls to Cognito of one account in one Region. Clones are the same governor.
#[derive(Clone, Debug)]
pub struct Governor {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    share: Share,
    workers: u32,
    since: Instant,
    buckets: Mutex<BTreeMap<Limit, Arc<Bucket>>>,
    tallies: Mutex<BTreeMap<&'static str, Tally>>,
}

/// What is limited.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Limit {
    Category(Category),
    PoolOperation(&'static str, String),
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    calls: u64,
    throttles: u64,
}

impl Governor {
    /// Takes `share` of the documented quotas, divided among `workers` that run at the same time (at least one).
    #[must_use]
    pub fn new(share: Share, workers: u32) -> Self {
        Self {
            inner: Arc::new(Inner {
                share,
                workers,
                since: Instant::now(),
                buckets: Mutex::default(),
                tallies: Mutex::default(),
            }),
        }
    }

    /// From now on the account has `limit_rps` requests a second in `category`.
    pub fn learn(&self, category: Category, limit_rps: f64) {
        let bucket = Arc::new(self.bucket_of(limit_rps));
        locked(&self.inner.buckets).insert(Limit::Category(category), bucket);
    }

    /// Waits until a call of `operation` to `pool` may start, and counts it.
    pub async fn admit(&self, category: Category, operation: &'static str, pool: &str) {
        if category.is_per_pool_and_operation() {
            let limit = Limit::PoolOperation(operation, pool.to_owned());
            self.bucket(limit, POOL_OPERATION_RPS).admit().await;
        }
        self.category(category).admit().await;
        locked(&self.inner.tallies).entry(operation).or_default().calls += 1;
    }

    /// A call in `category` was answered, and not refused for its quota.
    pub fn answered(&self, category: Category) {
        locked(&self.category(category).pace).on_answered(self.now());
    }

    /// A call of `operation` was refused for its quota.
    pub fn throttled(&self, category: Category, operation: &'static str) {
        locked(&self.category(category).pace).on_throttled(self.now());
        locked(&self.inner.tallies).entry(operation).or_default().throttles += 1;
    }

    /// Calls a second that may start in `category` at present.
    #[must_use]
    pub fn rate(&self, category: Category) -> f64 {
        locked(&self.category(category).pace).rate()
    }

    /// Calls by operation, those that were refused or got no answer included.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<&'static str, u64> {
        self.tally(|tally| tally.calls)
    }

    /// Calls refused for their quota, by operation.
    #[must_use]
    pub fn throttles(&self) -> BTreeMap<&'static str, u64> {
        self.tally(|tally| tally.throttles)
    }

    fn tally(&self, figure: impl Fn(&Tally) -> u64) -> BTreeMap<&'static str, u64> {
        let tallies = locked(&self.inner.tallies);
        let figures = tallies.iter().map(|(operation, tally)| (*operation, figure(tally)));
        figures.filter(|(_, figure)| *figure > 0).collect()
    }

    fn category(&self, category: Category) -> Arc<Bucket> {
        self.bucket(Limit::Category(category), category.default_rps())
    }

    fn bucket(&self, limit: Limit, limit_rps: f64) -> Arc<Bucket> {
        let mut buckets = locked(&self.inner.buckets);
        let bucket = buckets
            .entry(limit)
            .or_insert_with(|| Arc::new(self.bucket_of(limit_rps)));
        Arc::clone(bucket)
    }

    fn bucket_of(&self, limit_rps: f64) -> Bucket {
        Bucket::new(self.inner.share.allot(limit_rps, self.inner.workers))
    }

    /// Since this governor began: a clock that nobody sets.
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(i64::try_from(self.inner.since.elapsed().as_millis()).unwrap_or(i64::MAX))
    }
}

type Tokens = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Tokens of one limit, and how many of them a call takes.
#[derive(Debug)]
struct Bucket {
    tokens: Tokens,
    pace: Mutex<Pace>,
    /// Whoever holds it is the next to start.
    turn: tokio::sync::Mutex<()>,
}

impl Bucket {
    fn new(allotment: Allotment) -> Self {
        let per_call = f64::from(CALL.get());
        // Rounded up: a token may come late, never early.
        let nanos = (1e9 / (allotment.rps * per_call)).ceil() as u64;
        let burst = NonZeroU32::new((allotment.burst * per_call) as u32);
        // A call has to fit; a burst is one at least.
        let burst = burst.unwrap_or(CALL).max(CALL);
        let quota = Quota::with_period(Duration::from_nanos(nanos)).unwrap_or(Quota::per_second(CALL));
        Self {
            tokens: RateLimiter::direct_with_clock(quota.allow_burst(burst), TokioClock(Instant::now())),
            pace: Mutex::new(Pace::new(allotment.rps)),
            turn: tokio::sync::Mutex::default(),
        }
    }

    async fn admit(&self) {
        let _turn = self.turn.lock().await;
        let mut owed = self.price();
        // In parts, because a slow call costs more tokens than the bucket holds.
        while let Some(part) = NonZeroU32::new(owed) {
            let part = part.min(CALL);
            match self.take(part) {
                Some(wait) => sleep(wait).await,
                None => owed -= part.get(),
            }
        }
    }

    /// Tokens that a call takes at the present pace.
    fn price(&self) -> u32 {
        let pace = locked(&self.pace);
        (f64::from(CALL.get()) * pace.limit() / pace.rate()).ceil() as u32
    }

    /// Takes tokens, or says how long to wait for them.
    fn take(&self, tokens: NonZeroU32) -> Option<Duration> {
        match self.tokens.check_n(tokens) {
            Ok(Ok(())) => None,
            Ok(Err(not_until)) => Some(not_until.wait_time_from(self.tokens.clock().now())),
            // More than the bucket holds, which a part never is; a second's wait beats a panic, and a call that is not paced.
            Err(_) => Some(Duration::from_secs(1)),
        }
    }
}

/// tokio's clock, which stands still in tests.
#[derive(Clone, Debug)]
struct TokioClock(Instant);

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every holder leaves a whole value behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
