//! Progress of a long command, on standard error: a bar with rate and remaining time on a terminal, a plain line every ten
//! seconds otherwise.
//!
//! Invariant: figures only; nothing of a user.

use std::{
    io::{self, IsTerminal},
    time::{Duration, Instant},
};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use crate::output::say;

const PLAIN_EVERY: Duration = Duration::from_secs(10);
const TEMPLATE: &str = "{prefix} {bar:30} {pos}/{len}  {per_sec}  {eta} left  {msg}";

/// How far a command is.
#[derive(Debug)]
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    plain: Option<Plain>,
}

#[derive(Debug)]
struct Plain {
    what: &'static str,
    total: u64,
    done: u64,
    begun: Instant,
    said: Instant,
}

impl Progress {
    /// Of `total` steps of `what`, for example `partitions`. Not `wanted`: nothing is shown.
    pub(crate) fn start(wanted: bool, what: &'static str, total: u64) -> Self {
        Self::among(wanted, None, what, total)
    }

    /// The same, among the bars of `others`, one line each.
    pub(crate) fn among(wanted: bool, others: Option<&MultiProgress>, what: &'static str, total: u64) -> Self {
        if !wanted {
            return Self { bar: None, plain: None };
        }
        if io::stderr().is_terminal() {
            let style = ProgressStyle::with_template(TEMPLATE).unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = ProgressBar::new(total).with_style(style).with_prefix(what);
            let bar = others.map_or_else(|| bar.clone(), |others| others.add(bar.clone()));
            return Self {
                bar: Some(bar),
                plain: None,
            };
        }
        let now = Instant::now();
        Self {
            bar: None,
            plain: Some(Plain {
                what,
                total,
                done: 0,
                begun: now,
                said: now,
            }),
        }
    }

    /// One step more; see [`Self::advance_by`].
    pub(crate) fn advance(&mut self, found: &str) {
        self.advance_by(1, found);
    }

    /// So many steps more; `found` says what was met so far, for example `1234 users`.
    pub(crate) fn advance_by(&mut self, steps: u64, found: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(found.to_owned());
            bar.inc(steps);
        }
        if let Some(plain) = &mut self.plain {
            plain.done += steps;
            let now = Instant::now();
            if now.duration_since(plain.said) >= PLAIN_EVERY {
                plain.said = now;
                say(&plain_line(
                    plain.what,
                    plain.done,
                    plain.total,
                    now.duration_since(plain.begun),
                    found,
                ));
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn plain_line(what: &str, done: u64, total: u64, elapsed: Duration, found: &str) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for a person to read")]
    let (done_so_far, left) = (done as f64, total.saturating_sub(done) as f64);
    let rate = done_so_far / elapsed.as_secs_f64().max(0.001);
    let remaining = if rate > 0.0 {
        format!("about {:.0} s left", left / rate)
    } else {
        "remaining time unknown".to_owned()
    };
    format!("{what} {done}/{total}, {rate:.1}/s, {remaining}, {found}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_line_has_rate_and_remaining_time() {
        assert_eq!(
            plain_line("partitions", 68, 272, Duration::from_secs(34), "5 users"),
            "partitions 68/272, 2.0/s, about 102 s left, 5 users"
        );
        assert_eq!(
            plain_line("partitions", 0, 272, Duration::from_secs(34), "0 users"),
            "partitions 0/272, 0.0/s, remaining time unknown, 0 users"
        );
    }
}
