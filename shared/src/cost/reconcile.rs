//! The calls and units of one reconcile, derived from `consumers/reconciler`, step by step.
//!
//! Invariant: follows the code's own arithmetic (probe, prefixes, lists, documents). When that changes, so does this, and the
//! comparison with the demo's counters says so.

mod groups;
mod table;

use super::{
    Meter, Pool, Usage,
    coefficient::{
        LIST_TRANSITIONS, LOG_BYTES_PER_INVOCATION, PREFIX_TRANSITIONS, RECONCILER_GB, RUN_TRANSITIONS, STEP_SECONDS,
    },
    standing::GB,
};
use crate::quota::Category;

pub use groups::Groups;

/// Users, members or groups of a page.
const PAGE: f64 = 60.0;
/// Prefixes that the probe tries: `plan.rs`.
const PROBED_MAX: u64 = 3;
/// Users per prefix at which prefixes get one digit longer: `plan.rs`.
const USERS_PER_PREFIX: u64 = 12_500;
/// Walks at the same time: `CHAINS` of the reconciler.
const CHAINS: u32 = 4;

/// Where a reconcile runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Steps of the state machine.
    StateMachine,
    /// One process: `twinpool reconcile`.
    Process,
}

/// One reconcile.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Users of the pool.
    pub users: u64,
    /// Its groups.
    pub groups: Groups,
    /// Where it runs.
    pub form: Form,
    /// Whether the configuration is captured as well.
    pub configuration: bool,
    /// Users that the backup did not have.
    pub created: u64,
    /// Users in whom it differed.
    pub changed: u64,
    /// Of these, whose record claimed to be newer than the pool: each is looked for once more.
    pub disputed: u64,
    /// Users who are gone.
    pub deleted: u64,
    /// Groups written.
    pub groups_written: u64,
}

impl Walk {
    /// A night on which the backup is right.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        Self {
            users: pool.users,
            groups: Groups::Even {
                groups: pool.groups,
                memberships: pool.memberships,
            },
            form: Form::StateMachine,
            configuration: true,
            created: 0,
            changed: 0,
            disputed: 0,
            deleted: 0,
            groups_written: 0,
        }
    }

    /// Prefixes that are walked, without the place of those who have none: 1 for a pool that shows nobody, else 16, 256, 4,096.
    fn prefixes(&self) -> u64 {
        match self.users {
            0 => 1,
            users if users / 16 <= USERS_PER_PREFIX => 16,
            users if users / 256 <= USERS_PER_PREFIX => 256,
            _ => 4_096,
        }
    }

    /// The walks: with prefixes, the place of users without one is a walk of its own.
    fn walks(&self) -> f64 {
        match self.prefixes() {
            1 => 1.0,
            prefixes => prefixes as f64 + 1.0,
        }
    }

    /// How often the lease is taken: plan, configuration, lists, walks and sweep, or once.
    fn steps(&self) -> f64 {
        match self.form {
            Form::StateMachine => 3.0 + self.groups.lists() + self.walks(),
            Form::Process => 1.0,
        }
    }

    fn pages_of_users(&self) -> f64 {
        let prefixes = self.prefixes() as f64;
        prefixes * expected_pages(self.users as f64 / prefixes)
    }

    /// Pages that show somebody in whom the backup differs.
    fn pages_with_cases(&self) -> f64 {
        let pages = self.pages_of_users();
        pages * (1.0 - (-((self.created + self.changed) as f64) / pages).exp())
    }
}

/// Pages of a list that holds `mean` users on average, drawn at random: the expectation of max(1, ceil(n / 60)).
///
/// Few: by Poisson's distribution, since pages are full or not there at all. Many: the last page is half full.
fn expected_pages(mean: f64) -> f64 {
    const EXACT_MAX: f64 = 600.0;
    let many = (mean - EXACT_MAX).max(0.0) / PAGE;
    let mean = mean.min(EXACT_MAX);
    let (mut pages, mut probability, mut at_most) = (1.0, (-mean).exp(), 0.0);
    // One page more whenever there are more than 60, 120, ...: P(n > 60 k).
    for n in 0_u32..=1_200 {
        at_most += probability;
        if n > 0 && n.is_multiple_of(60) {
            pages += (1.0_f64 - at_most).max(0.0);
        }
        probability *= mean / f64::from(n + 1);
    }
    pages + many
}

/// What one reconcile of `walk` uses, with the sizes, replicas and quota share of `pool`.
#[must_use]
pub fn usage(walk: &Walk, pool: &Pool) -> Usage {
    let mut usage = Usage::default();
    calls_of_cognito(walk, &mut usage);
    table::add(walk, pool, &mut usage);
    if walk.form == Form::StateMachine {
        add_steps(walk, pool, &mut usage);
    }
    usage
}

fn calls_of_cognito(walk: &Walk, usage: &mut Usage) {
    let probe = 1.0 + walk.users.min(PROBED_MAX) as f64;
    // Whoever is gone is looked for, and every hundredth time somebody who is there.
    let proofs = walk.deleted.div_ceil(100);
    let looks = (walk.deleted + proofs + walk.disputed) as f64;
    usage.add(Meter::ListUsers, probe + walk.pages_of_users() + looks);
    usage.add(Meter::ListUsersInGroup, walk.groups.pages());
    usage.add(Meter::ListGroups, walk.groups.count().div_ceil(60).max(1) as f64);
    usage.add(Meter::DescribeUserPool, 1.0 + f64::from(u8::from(walk.configuration)));
}

/// What the state machine and its functions use.
fn add_steps(walk: &Walk, pool: &Pool, usage: &mut Usage) {
    let (steps, lists, walks) = (walk.steps(), walk.groups.lists(), walk.walks());
    usage.add(Meter::Reconciler, steps);
    usage.add(
        Meter::Transitions,
        RUN_TRANSITIONS + LIST_TRANSITIONS * lists + PREFIX_TRANSITIONS * walks,
    );
    // All chains wait for their parts of one quota.
    let quota = pool.share.allot(Category::UserList.default_rps(), 1);
    let listed = usage.get(Meter::ListUsers) + usage.get(Meter::ListUsersInGroup);
    let seconds = listed / quota.rps * f64::from(CHAINS) + steps * STEP_SECONDS;
    usage.add(Meter::GbSeconds, seconds * RECONCILER_GB);
    usage.add(Meter::LogGb, steps * LOG_BYTES_PER_INVOCATION / GB);
}
