//! How fast to call when others call as well: additive increase, multiplicative decrease; and how long the rest will take.
//!
//! The quota is shared with the application and perhaps with more workers, so that nobody knows what is left of it. Each caller
//! that is refused halves its rate, and each that is answered adds a little: together they stay about where the quota is, and
//! none of them starves (Chiu and Jain, 1989).
//!
//! Invariant: a rate is never above its limit and never zero; no clock is read.

use crate::time::{SECOND_MILLIS, Timestamp};

/// Slowest rate, in calls a second, unless the limit itself is lower.
pub const FLOOR_RPS: f64 = 0.5;
/// From a standstill to the full limit when nothing is refused any more, in milliseconds.
pub const RECOVERY_MILLIS: i64 = 30 * SECOND_MILLIS;
/// Refusals that come within this time of one that halved the rate are answers to calls from before it.
const HALVING_MILLIS: i64 = SECOND_MILLIS;
/// How far back a measured rate looks at least, in milliseconds, once there is so much to look at; twice as far at most.
const MEASURED_MILLIS: i64 = 30 * SECOND_MILLIS;

/// The rate of one caller under one quota.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    limit: f64,
    rate: f64,
    halved_at: Option<Timestamp>,
    /// Up to when the rate has grown since.
    grown_to: Option<Timestamp>,
}

impl Pace {
    /// Starts at the limit, in calls a second.
    #[must_use]
    pub fn new(limit_rps: f64) -> Self {
        Self {
            limit: limit_rps,
            rate: limit_rps,
            halved_at: None,
            grown_to: None,
        }
    }

    /// Calls a second, at present.
    #[must_use]
    pub fn rate(&self) -> f64 {
        self.rate
    }

    /// Calls a second when nothing is refused.
    #[must_use]
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// A call was refused for its quota: half as fast from now on, but halved once a second at most.
    pub fn on_throttled(&mut self, now: Timestamp) {
        let recent = |at: Timestamp| (0..HALVING_MILLIS).contains(&now.millis_since(at));
        if self.halved_at.is_some_and(recent) {
            return;
        }
        self.rate = (self.rate / 2.0).max(FLOOR_RPS.min(self.limit));
        self.halved_at = Some(now);
        self.grown_to = Some(now);
    }

    /// A call was answered: the rate grows by the time that has passed.
    pub fn on_answered(&mut self, now: Timestamp) {
        let Some(grown_to) = self.grown_to else {
            return;
        };
        let passed = now.millis_since(grown_to).clamp(0, RECOVERY_MILLIS);
        self.rate = (self.rate + self.limit * ratio(passed, RECOVERY_MILLIS)).min(self.limit);
        self.grown_to = (self.rate < self.limit).then_some(grown_to.max(now));
    }
}

/// How long the rest takes, by the rate that was reached and not by the one that was hoped for.
#[derive(Clone, Debug, PartialEq)]
pub struct Eta {
    nominal_rps: f64,
    done: u64,
    /// Where the measurement begins.
    from: Mark,
    /// Where the next one will begin.
    next: Mark,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Mark {
    at: Timestamp,
    done: u64,
}

impl Eta {
    /// Nothing is done yet. `nominal_rps` is what the quota and the share promise, in calls a second.
    #[must_use]
    pub fn new(nominal_rps: f64, now: Timestamp) -> Self {
        let start = Mark { at: now, done: 0 };
        Self {
            nominal_rps,
            done: 0,
            from: start,
            next: start,
        }
    }

    /// So many calls were made in all until now.
    pub fn on_progress(&mut self, done: u64, now: Timestamp) {
        self.done = self.done.max(done);
        if now.millis_since(self.next.at) >= MEASURED_MILLIS {
            self.from = self.next;
            self.next = Mark {
                at: now,
                done: self.done,
            };
        }
    }

    /// Calls a second over the last half minute or minute; the nominal rate before there is anything to measure.
    #[must_use]
    pub fn rate(&self, now: Timestamp) -> f64 {
        let passed = now.millis_since(self.from.at);
        let calls = self.done.saturating_sub(self.from.done);
        if passed < SECOND_MILLIS || (calls == 0 && passed < MEASURED_MILLIS) {
            return self.nominal_rps;
        }
        ratio(i64::try_from(calls).unwrap_or(i64::MAX), passed) * 1_000.0
    }

    /// Milliseconds until so many more calls are made; `None` while nothing moves, because then nobody can tell.
    #[must_use]
    pub fn remaining_millis(&self, calls_left: u64, now: Timestamp) -> Option<u64> {
        if calls_left == 0 {
            return Some(0);
        }
        let rate = self.rate(now);
        let left = i64::try_from(calls_left).unwrap_or(i64::MAX);
        (rate > 0.0).then(|| (ratio(left, 1) / rate * 1_000.0).ceil() as u64)
    }
}

/// Both are far below 2^53 wherever it matters: milliseconds of a run, calls of a run.
fn ratio(part: i64, whole: i64) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn a_refusal_halves_once_a_second_and_never_below_the_floor() {
        let mut pace = Pace::new(30.0);
        pace.on_throttled(at(0));
        pace.on_throttled(at(999));
        assert_eq!(pace.rate(), 15.0);
        pace.on_throttled(at(1_000));
        assert_eq!(pace.rate(), 7.5);
        (2..20).for_each(|second| pace.on_throttled(at(second * 1_000)));
        assert_eq!(pace.rate(), FLOOR_RPS);
        let mut slow = Pace::new(0.2);
        slow.on_throttled(at(0));
        assert_eq!(slow.rate(), 0.2, "the limit is lower than the floor");
    }

    #[test]
    fn answers_bring_the_limit_back_in_half_a_minute() {
        let mut pace = Pace::new(30.0);
        pace.on_throttled(at(0));
        pace.on_answered(at(1_000));
        assert_eq!(pace.rate(), 16.0);
        pace.on_answered(at(1_000));
        assert_eq!(pace.rate(), 16.0, "the same second does not count twice");
        (2..=15).for_each(|second| pace.on_answered(at(second * 1_000)));
        assert_eq!(pace.rate(), 30.0);
    }

    #[test]
    fn a_clock_that_steps_back_does_not_grow_the_rate() {
        let mut pace = Pace::new(30.0);
        pace.on_throttled(at(10_000));
        pace.on_answered(at(0));
        assert_eq!(pace.rate(), 15.0);
        pace.on_answered(at(11_000));
        assert_eq!(pace.rate(), 16.0);
    }

    #[test]
    fn the_rest_is_told_by_the_nominal_rate_first_and_by_the_measured_one_then() {
        let mut eta = Eta::new(15.0, at(0));
        assert_eq!(eta.remaining_millis(150, at(0)), Some(10_000));
        assert_eq!(
            eta.remaining_millis(150, at(20_000)),
            Some(10_000),
            "nothing is measured yet"
        );
        eta.on_progress(100, at(20_000));
        assert_eq!(eta.remaining_millis(150, at(20_000)), Some(30_000), "five a second");
        assert_eq!(eta.remaining_millis(0, at(20_000)), Some(0));
    }

    #[test]
    fn a_standstill_has_no_end() {
        let mut eta = Eta::new(15.0, at(0));
        assert_eq!(eta.remaining_millis(1, at(60_000)), None, "not a single answer");
        eta.on_progress(600, at(60_000));
        eta.on_progress(600, at(95_000));
        eta.on_progress(600, at(130_000));
        assert_eq!(eta.remaining_millis(1, at(130_000)), None);
    }

    #[test]
    fn a_slower_last_minute_outweighs_a_fast_hour() {
        let mut eta = Eta::new(15.0, at(0));
        for second in 1..=3_600 {
            eta.on_progress(second * 15, at(i64::try_from(second).unwrap() * 1_000));
        }
        for second in 1..=60 {
            eta.on_progress(54_000 + second, at((3_600 + i64::try_from(second).unwrap()) * 1_000));
        }
        assert!(
            (0.9..=1.1).contains(&eta.rate(at(3_660_000))),
            "{}",
            eta.rate(at(3_660_000))
        );
    }
}
