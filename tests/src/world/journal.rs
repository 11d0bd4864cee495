//! What happened in a world, in order: the failing test's message, and the proof that a seed is one history.
//!
//! Invariant: it shows invented people only; no test that uses real data may have a world.

use std::{fmt::Write, sync::Mutex};

use super::{clock::WorldClock, locked};

/// The journal of one world.
#[derive(Debug)]
pub struct Journal {
    clock: WorldClock,
    lines: Mutex<Vec<String>>,
    violations: Mutex<Vec<String>>,
}

impl Journal {
    /// An empty journal.
    #[must_use]
    pub fn new(clock: WorldClock) -> Self {
        Self {
            clock,
            lines: Mutex::default(),
            violations: Mutex::default(),
        }
    }

    /// Notes what `who` did.
    pub fn note(&self, who: &str, what: impl AsRef<str>) {
        let millis = self.clock.elapsed_millis();
        let (seconds, millis) = (millis / 1_000, millis % 1_000);
        let mut line = String::with_capacity(96);
        // Writing into a String cannot fail.
        let _ = write!(line, "+{seconds:05}.{millis:03} {who:<11} {}", what.as_ref());
        locked(&self.lines).push(line);
    }

    /// Notes that something happened which must never happen.
    pub fn violation(&self, what: impl AsRef<str>) {
        self.note("VIOLATION", what.as_ref());
        locked(&self.violations).push(what.as_ref().to_owned());
    }

    /// What must never happen and did.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        locked(&self.violations).clone()
    }

    /// Every line.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        locked(&self.lines).clone()
    }
}
