//! Looking on at a run: for progress bars, for reports of single differences, for tests.
//!
//! Invariant: a finding names its subject by `sub` or group name and its field by name; never a value.

use twinpool_shared::{personal::Sub, reconcile::Field};

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Probe and groups.
    Plan,
    /// Members of the groups.
    Members,
    /// Users.
    Users,
    /// Whoever was not shown.
    Sweep,
}

/// Whom a finding is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A user.
    User(Sub),
    /// A group.
    Group(String),
}

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Whom it is about.
    pub subject: Subject,
    /// In what pool and backup differed.
    pub field: Field,
}

/// Looks on.
pub trait Watch: Send + Sync {
    /// A phase begins; `expected` is how much it will have to advance by, as far as is known.
    fn phase(&self, phase: Phase, expected: Option<u64>) {
        let _ = (phase, expected);
    }

    /// So many more entries were walked.
    fn advanced(&self, by: u64) {
        let _ = by;
    }

    /// A difference was found.
    fn found(&self, finding: &Finding) {
        let _ = finding;
    }
}

/// Nobody looks on.
impl Watch for () {}
