//! The clock of the alarms: the machine's, with hours that pass at once.
//!
//! An alarm over fifteen minutes or a day cannot be waited for. What a test lets pass is added to every instant after it, so that ages
//! and lags across it grow by it too; in between nothing happens, because no time passes on the machine.
//!
//! Invariant: monotone; two instants are never nearer to each other than on the machine.

use std::time::Duration;

/// Where hours were let pass: the machine's instant and how long, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clock(Vec<(i64, i64)>);

impl Clock {
    /// Lets `time` pass at the machine's instant `at`.
    pub fn skip(&mut self, at: i64, time: Duration) {
        self.0.push((at, i64::try_from(time.as_millis()).unwrap_or(i64::MAX)));
    }

    /// The instant on this clock of an instant of the machine. Of the very millisecond of a skip, it is the one before.
    #[must_use]
    pub fn at(&self, millis: i64) -> i64 {
        let before = self.0.iter().filter(|(at, _)| *at < millis);
        millis + before.map(|(_, time)| time).sum::<i64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passed_lies_between_before_and_after() {
        let mut clock = Clock::default();
        assert_eq!(clock.at(100), 100);
        clock.skip(100, Duration::from_secs(60));
        clock.skip(200, Duration::from_secs(1));
        assert_eq!(
            [clock.at(99), clock.at(100), clock.at(101), clock.at(201)],
            [99, 100, 60_101, 61_201]
        );
    }
}
