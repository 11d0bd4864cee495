//! A world in one process: a user pool, a backup table, a queue and the machines between them, on virtual time.
//!
//! The doubles stand behind the ports of [`twinpool_shared::port`], so that replicator and reconciler run in it as they
//! are deployed, thousands of histories a minute. Everything that is left to chance comes from one seed: what people do,
//! when a message arrives, how old a read is, which call fails, when a process is killed and how wrong each clock is.
//!
//! Invariant: one seed is one history. Nothing here reads the real time, starts a thread, or depends on the order of a
//! hash map; so everything has to run on one current-thread runtime whose clock is paused.

pub mod clock;
pub mod history;
pub mod journal;
pub mod machines;
pub mod network;
pub mod people;
pub mod pool;
pub mod queue;
pub mod table;
pub mod tally;
pub mod trail;
pub mod verdict;
pub mod weather;

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks what only one task at a time ever touches: no guard lives across an await.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
