//! A history in numbers, to see that it was rough enough to prove something.
//!
//! Invariant: it counts what happened, and judges nothing.

/// What happened in one history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Steps that the pool carried out.
    pub operations: u64,
    /// Events that reached the queue.
    pub sent: u64,
    /// Events that did not.
    pub lost: u64,
    /// Batches.
    pub batches: u64,
    /// Messages received.
    pub messages: u64,
    /// Kills.
    pub killed: u64,
    /// Reconciles that ended.
    pub runs: u64,
    /// Reconciles that failed, or found another at work.
    pub failed_runs: u64,
    /// Items written.
    pub writes: u64,
    /// Users with a tombstone at the end.
    pub tombstones: u64,
}

impl Tally {
    /// Adds another history's.
    pub fn add(&mut self, other: &Self) {
        self.operations += other.operations;
        self.sent += other.sent;
        self.lost += other.lost;
        self.batches += other.batches;
        self.messages += other.messages;
        self.killed += other.killed;
        self.runs += other.runs;
        self.failed_runs += other.failed_runs;
        self.writes += other.writes;
        self.tombstones += other.tombstones;
    }
}
