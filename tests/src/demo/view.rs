//! The live view: one line that moves on a terminal, and a plain line every few seconds elsewhere.
//!
//! Invariant: it goes to standard error and shows figures only. Colour is left to the terminal library, which heeds NO_COLOR.

use std::{
    convert::Infallible,
    io::{self, IsTerminal, Write},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};

use crate::{report::Figures, stack::Stack};

const REFRESH: Duration = Duration::from_millis(1_000);
const PLAIN_EVERY: Duration = Duration::from_secs(4);

/// What is going on, set by whoever does it.
#[derive(Clone, Debug, Default)]
pub(super) struct Phase(Arc<Mutex<&'static str>>);

impl Phase {
    pub(super) fn is(&self, name: &'static str) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = name;
    }

    fn get(&self) -> &'static str {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The view.
#[derive(Debug)]
pub(super) struct View {
    bar: Option<ProgressBar>,
    wanted: u64,
    phase: Phase,
    figures: Figures,
}

impl View {
    pub(super) fn new(wanted: u64) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {elapsed:>4} {bar:30.cyan} {pos}/{len} made  {msg}");
            let bar = ProgressBar::new(wanted);
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self {
            bar,
            wanted,
            phase: Phase::default(),
            figures: Figures::default(),
        }
    }

    pub(super) fn phase(&self) -> Phase {
        self.phase.clone()
    }

    /// Shows what happens until it is dropped. A figure that cannot be read right now is shown a moment later.
    pub(super) async fn follow(&mut self, stack: &Stack, progress: &AtomicU64) -> Infallible {
        let mut plain_at = Instant::now();
        loop {
            let _a_moment_later = self.figures.refresh(stack).await;
            let parked = stack.parked().await.unwrap_or_default();
            let waiting = stack.messages_under_way().await.unwrap_or_default();
            let made = progress.load(Ordering::Relaxed);
            let lag = |percent| match self.figures.lag_millis(percent) {
                Some(millis) => format!("{millis} ms"),
                None => "-".to_owned(),
            };
            let text = format!(
                "{} applied, {waiting} waiting, {parked} parked, lag p50 {} p99 {}  [{}]",
                self.figures.applied,
                lag(50),
                lag(99),
                self.phase.get()
            );
            if let Some(bar) = &self.bar {
                bar.set_length(self.wanted.max(made));
                bar.set_position(made);
                bar.set_message(text);
                bar.tick();
            } else if plain_at.elapsed() >= PLAIN_EVERY {
                plain_at = Instant::now();
                let _closed = writeln!(io::stderr().lock(), "{made}/{} made, {text}", self.wanted);
            }
            tokio::time::sleep(REFRESH).await;
        }
    }

    /// Takes the moving line away and gives the figures back.
    pub(super) fn finish(self) -> Figures {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
        self.figures
    }
}
