//! Percentiles, and what `/proc` says about a process and the machine.
//!
//! Invariant: a percentile is a value that was measured (nearest rank), never an interpolation.

use std::{fs, time::Duration};

/// The kernel counts CPU time in hundredths of a second on every architecture that Linux has for Lambda.
const TICKS_A_SECOND: f64 = 100.0;

/// Measured values, sorted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Distribution(Vec<f64>);

impl Distribution {
    /// Of these values.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = f64>) -> Self {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The value that `percent` of all values do not exceed; 100 = the largest. Not a number when there are none, which
    /// meets no target.
    #[must_use]
    pub fn percentile(&self, percent: usize) -> f64 {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or(f64::NAN)
    }
}

/// Milliseconds.
#[must_use]
pub fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1_000.0
}

/// As a figure.
#[must_use]
#[expect(
    clippy::cast_precision_loss,
    reason = "counts and sizes of a bench are far below 2^52"
)]
pub fn figure(count: usize) -> f64 {
    count as f64
}

/// Memory of a process in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// Resident now.
    pub resident_kib: u64,
    /// Resident at most, so far.
    pub peak_kib: u64,
}

/// Memory of a process; `None` when it has ended or the system has no `/proc`.
#[must_use]
pub fn memory(process: u32) -> Option<Memory> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Memory {
        resident_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

/// CPU time of a process so far, user and system, in seconds. Zero when it has ended.
#[must_use]
pub fn cpu_seconds(process: u32) -> f64 {
    stat(&process.to_string()).map_or(0.0, |(_, ticks)| ticks / TICKS_A_SECOND)
}

/// CPU time so far of all living processes of a group.
#[must_use]
pub fn cpu_seconds_of_group(group: u32) -> f64 {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let processes = entries.filter_map(|entry| stat(entry.file_name().to_str()?));
    let ticks: f64 = processes.filter(|(of, _)| *of == group).map(|(_, ticks)| ticks).sum();
    ticks / TICKS_A_SECOND
}

/// Process group, and CPU time in ticks.
fn stat(process: &str) -> Option<(u32, f64)> {
    let text = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The name in parentheses may hold anything; after it: state, parent, group, ..., utime and stime (fields 14 and 15).
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok());
    Some((fields.get(2)?.parse().ok()?, ticks(11)? + ticks(12)?))
}

/// Name of the processor.
#[must_use]
pub fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    name.map_or_else(|| "an unknown processor".to_owned(), |(_, name)| name.trim().to_owned())
}

/// Load average of the last minute.
#[must_use]
pub fn load() -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace()
        .next()
        .and_then(|load| load.parse().ok())
        .unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_a_measured_value() {
        let hundred = Distribution::of((1..=100).rev().map(f64::from));
        assert_eq!(
            [50, 99, 100].map(|percent| hundred.percentile(percent)),
            [50.0, 99.0, 100.0]
        );
        let thirty = Distribution::of((1..=30).map(f64::from));
        assert_eq!([0, 50, 99].map(|percent| thirty.percentile(percent)), [1.0, 15.0, 30.0]);
        assert!(Distribution::default().percentile(50).is_nan());
    }

    #[test]
    fn our_own_process_uses_cpu() {
        let own = std::process::id();
        let group = stat("self").expect("Linux").0;
        // At least a tick.
        while cpu_seconds(own) == 0.0 {
            std::hint::spin_loop();
        }
        assert!(cpu_seconds_of_group(group) > 0.0);
        assert!(load() >= 0.0 && !processor().is_empty());
    }
}
