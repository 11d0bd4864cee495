//! A seeded generator of users' lives: sign-ups, first sign-ins, edits, groups, recovery, deletion, by the ordinary SDK.
//!
//! The seed decides what each user does and in which order; how different users interleave is up to the moment.
//!
//! Invariant: only what the pool accepted counts as a change, and whoever is in [`Lives::deleted`] was certainly deleted.

mod calls;
mod draw;
mod groups;
mod person;

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{StreamExt, stream};

use crate::{
    compare::Deleted,
    stack::{Failure, Stack},
};
use calls::Calls;
pub use draw::Draw;
use person::Person;

/// What happened so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Changes that the pool accepted, by operation.
    pub changes: BTreeMap<String, u64>,
    /// Calls that it refused for good, by operation and code.
    pub refusals: BTreeMap<String, u64>,
}

impl Made {
    /// All changes.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.changes.values().sum()
    }
}

/// Many users, who go on living from one run to the next.
#[derive(Debug)]
pub struct Lives {
    seed: u64,
    born: usize,
    living: Vec<Person>,
    deleted: Vec<Deleted>,
    made: Made,
    progress: Arc<AtomicU64>,
}

impl Lives {
    /// No user yet. The same seed gives the same users.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            seed,
            born: 0,
            living: Vec::new(),
            deleted: Vec::new(),
            made: Made::default(),
            progress: Arc::default(),
        }
    }

    /// The number of changes made, for a view that runs beside [`Self::run`].
    #[must_use]
    pub fn progress(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.progress)
    }

    /// Everything that happened so far.
    #[must_use]
    pub fn made(&self) -> &Made {
        &self.made
    }

    /// Users who were certainly deleted.
    #[must_use]
    pub fn deleted(&self) -> &[Deleted] {
        &self.deleted
    }

    /// How many users live.
    #[must_use]
    pub fn living(&self) -> usize {
        self.living.len()
    }

    /// Adds `newcomers`, spread over the pools, and lets everybody live until `changes` more were made, `concurrency` users
    /// at the same time.
    ///
    /// # Errors
    /// When the groups that users join cannot be created. What a user is refused is counted, not an error.
    pub async fn run(
        &mut self,
        stack: &Stack,
        newcomers: usize,
        changes: u64,
        concurrency: usize,
    ) -> Result<(), Failure> {
        let calls = Calls::new(stack, Arc::clone(&self.progress));
        if self.born == 0 {
            groups::found(&calls).await?;
        }
        let goal = self.made.total() + changes;
        let mut queue: VecDeque<Person> = std::mem::take(&mut self.living).into();
        for _ in 0..newcomers {
            let pool = self.born % stack.pools.len().max(1);
            queue.push_front(Person::new(self.seed, self.born, pool));
            self.born += 1;
        }
        let unborn = AtomicU64::new(newcomers as u64);
        let turn = Turn {
            calls: &calls,
            goal,
            unborn: &unborn,
            queue: &Mutex::new(queue),
            deleted: &Mutex::new(Vec::new()),
        };
        stream::iter(0..concurrency)
            .for_each_concurrent(None, |_| turn.work())
            .await;
        self.living = std::mem::take(&mut *locked(turn.queue)).into();
        self.deleted.append(&mut locked(turn.deleted));
        self.made.add(calls.made());
        Ok(())
    }
}

impl Made {
    fn add(&mut self, other: Self) {
        for (operation, count) in other.changes {
            *self.changes.entry(operation).or_default() += count;
        }
        for (refusal, count) in other.refusals {
            *self.refusals.entry(refusal).or_default() += count;
        }
    }
}

/// What the workers of one run share.
struct Turn<'a> {
    calls: &'a Calls<'a>,
    goal: u64,
    unborn: &'a AtomicU64,
    queue: &'a Mutex<VecDeque<Person>>,
    deleted: &'a Mutex<Vec<Deleted>>,
}

impl Turn<'_> {
    /// Takes one person after another, for one episode each.
    async fn work(&self) {
        loop {
            let reached = self.calls.total() >= self.goal;
            if reached && self.unborn.load(Ordering::Relaxed) == 0 {
                return;
            }
            let Some(mut person) = locked(self.queue).pop_front() else {
                return;
            };
            let was_born = person.is_born();
            if reached && was_born {
                // Newcomers come first in the queue, so the others are busy with the last of them.
                locked(self.queue).push_back(person);
                return;
            }
            if was_born {
                Box::pin(person.episode(self.calls)).await;
            } else {
                Box::pin(person.birth(self.calls)).await;
                self.unborn.fetch_sub(1, Ordering::Relaxed);
            }
            if person.is_alive() {
                locked(self.queue).push_back(person);
            } else if let Some(deleted) = person.epitaph(self.calls) {
                locked(self.deleted).push(deleted);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
