//! Virtual time, and clocks that are wrong.
//!
//! Invariant: time passes only when every task waits. tokio's paused clock sees to that.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};
use twinpool_shared::{port::Clock, time::Timestamp};

/// The true time of a world.
#[derive(Clone, Copy, Debug)]
pub struct WorldClock {
    start: Instant,
    base: Timestamp,
}

impl WorldClock {
    /// A clock that shows `base` now.
    #[must_use]
    pub fn starting_at(base: Timestamp) -> Self {
        Self {
            start: Instant::now(),
            base,
        }
    }

    /// Milliseconds since the start.
    #[must_use]
    pub fn elapsed_millis(&self) -> i64 {
        i64::try_from(self.start.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// The true present.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.base.plus_millis(self.elapsed_millis())
    }

    /// When it is `at`, in milliseconds since the start.
    #[must_use]
    pub fn elapsed_at(&self, at: Timestamp) -> i64 {
        at.millis_since(self.base)
    }

    /// The clock of a machine that is `skew_millis` ahead; negative is behind.
    #[must_use]
    pub fn skewed(self, skew_millis: i64) -> Clock {
        Arc::new(move || self.now().plus_millis(skew_millis))
    }

    /// Waits until `elapsed_millis`.
    pub async fn until(&self, elapsed_millis: i64) {
        let left = elapsed_millis.saturating_sub(self.elapsed_millis());
        if left > 0 {
            wait(left.unsigned_abs()).await;
        }
    }
}

/// Waits for so many milliseconds.
pub async fn wait(millis: u64) {
    sleep(Duration::from_millis(millis)).await;
}
