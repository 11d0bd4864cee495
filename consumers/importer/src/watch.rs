//! Looking on at an import: for progress bars, for tests.
//!
//! Invariant: a failure names a user by `sub` and the reason by its code; never a value.

use twinpool_shared::personal::Sub;

/// What an import is at. Phases from [`Phase::Users`] to [`Phase::Memberships`] overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Reading the backup; counts users.
    Backup,
    /// Pool, domain, clients and all other settings; counts steps.
    Configuration,
    /// Import jobs; counts rows.
    Jobs,
    /// Making users, and disabling those who may not sign in; counts users.
    Users,
    /// Passwords and what Cognito takes only afterwards; counts users.
    Passwords,
    /// MFA preferences; counts users.
    Preferences,
    /// Outside identities and groups; counts users.
    Memberships,
    /// The functions that the pool calls; counts steps.
    Triggers,
    /// Comparing the target with the backup; counts users.
    Verify,
    /// Mending users whom Cognito made at a sign-in; counts users.
    Repair,
    /// Removing a pool that a drill made; counts steps.
    Removal,
}

impl Phase {
    /// Every phase, in order.
    pub const ALL: [Self; 11] = [
        Self::Backup,
        Self::Configuration,
        Self::Jobs,
        Self::Users,
        Self::Passwords,
        Self::Preferences,
        Self::Memberships,
        Self::Triggers,
        Self::Verify,
        Self::Repair,
        Self::Removal,
    ];

    /// Name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backup => "backup",
            Self::Configuration => "configuration",
            Self::Jobs => "jobs",
            Self::Users => "users",
            Self::Passwords => "passwords",
            Self::Preferences => "preferences",
            Self::Memberships => "memberships",
            Self::Triggers => "triggers",
            Self::Verify => "verify",
            Self::Repair => "repair",
            Self::Removal => "removal",
        }
    }
}

/// Looks on.
pub trait Watch: Send + Sync {
    /// A phase begins; `expected` is how much it will have to advance by, as far as is known.
    fn phase(&self, phase: Phase, expected: Option<u64>) {
        let _ = (phase, expected);
    }

    /// So much more of a phase is done.
    fn advanced(&self, phase: Phase, by: u64) {
        let _ = (phase, by);
    }

    /// A phase is done.
    fn finished(&self, phase: Phase) {
        let _ = phase;
    }

    /// A user could not be made completely: an error code of Cognito, or a reason of
    /// [`twinpool_shared::import::progress`].
    fn failed(&self, sub: &Sub, code: &str) {
        let _ = (sub, code);
    }
}

/// Nobody looks on.
impl Watch for () {}
