//! How bad a world is: drawn once from the seed, and ended by [`Weather::calm_down`].
//!
//! Invariant: weather delays, repeats, loses and refuses; it never invents.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::life::Draw;

/// What a world is made to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Story {
    /// No event is lost, nobody touches the table, and only the replicator works: it has to converge alone.
    ReplicatorAlone,
    /// Events are lost, the table is edited by hand, users appear without any event: the reconciler has to mend it.
    Reconciled,
    /// The same without the reconciler: the backup cannot be right. It proves that the verdict sees it.
    Unattended,
}

/// The chances of one world.
#[derive(Debug)]
pub struct Weather {
    /// How old the index is that ListUsers and ListUsersInGroup answer from, at most.
    pub stale_millis_max: u64,
    /// How old an eventually consistent read of the table is, at most.
    pub table_stale_millis_max: u64,
    /// Calls refused before they did anything, for good: the adapters' own retries are over by then.
    pub refused_per_mille: u64,
    /// Calls that did their work and whose answer is lost.
    pub lost_answers_per_mille: u64,
    /// Events that never come.
    pub lost_events_percent: u64,
    /// Messages that come twice.
    pub doubled_percent: u64,
    /// Events that come minutes late instead of seconds.
    pub late_percent: u64,
    /// Batches and runs that are killed.
    pub killed_percent: u64,
    /// Lists that are cut into short and empty pages.
    pub short_pages_percent: u64,
    /// Batches after which a consumer is away for minutes.
    pub away_percent: u64,
    /// How wrong a machine's clock is, at most, either way.
    pub skew_millis_max: u64,
    calm: AtomicBool,
}

/// Longest lag of an index that a tombstone survives: below the consistency window less two skews either way.
const STALE_MILLIS: [u64; 4] = [0, 900, 8_000, 45_000];

impl Weather {
    /// The weather of a seed.
    pub fn of(draw: &mut Draw, story: Story) -> Self {
        let alone = story == Story::ReplicatorAlone;
        let mut up_to = |most: u64| if draw.percent(30) { 0 } else { draw.below(most + 1) };
        let lost_events = up_to(40);
        let mut weather = Self {
            stale_millis_max: 0,
            table_stale_millis_max: up_to(5_000),
            refused_per_mille: up_to(8),
            lost_answers_per_mille: up_to(5),
            lost_events_percent: if alone { 0 } else { lost_events },
            doubled_percent: up_to(30),
            late_percent: up_to(30),
            killed_percent: up_to(40),
            short_pages_percent: up_to(60),
            away_percent: up_to(10),
            skew_millis_max: up_to(2_000),
            calm: AtomicBool::new(false),
        };
        // The replicator alone believes a read after 15 s and cannot tell two changes of one second apart: see `people`.
        let bounds = if alone { &STALE_MILLIS[..3] } else { &STALE_MILLIS[..] };
        let bound = draw.below(bounds.len() as u64);
        weather.stale_millis_max = bounds[usize::try_from(bound).unwrap_or(0)];
        weather
    }

    /// From now on nothing fails, is lost, doubled or killed. Reads stay as old as they are.
    pub fn calm_down(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    /// Whether the storm is over.
    #[must_use]
    pub fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// A machine's skew in milliseconds.
    pub fn skew(&self, draw: &mut Draw) -> i64 {
        let most = i64::try_from(self.skew_millis_max).unwrap_or(0);
        i64::try_from(draw.below(2 * self.skew_millis_max + 1)).unwrap_or(0) - most
    }
}
