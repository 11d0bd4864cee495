//! Runs: the documents by which a long run is exclusive, and goes on after a kill where it stopped.
//!
//! Invariant: a run's lease is held by one owner at a time; who finds it taken over stops.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    item::{Key, run_key},
    personal::Sub,
    reconcile::Refusal,
    time::{SECOND_MILLIS, Timestamp},
};

/// The right to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// Who holds it: host and process, or the execution of the state machine.
    pub owner: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when, unless it is renewed.
    pub until: Timestamp,
}

/// Whether a lease may be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// It is free, or the caller's own.
    Free,
    /// Somebody else holds it.
    Held(Lease),
    /// Somebody else's, expired: they were killed, or are very slow. To be taken with `--steal`.
    Expired(Lease),
}

impl Lease {
    /// Judges a lease found at `now` for `owner`. Clocks may differ by two seconds: it ends that much later for others.
    #[must_use]
    pub fn claim(found: Option<&Self>, owner: &str, now: Timestamp) -> Claim {
        const CLOCK_DIFFERENCE_MILLIS: i64 = 2 * SECOND_MILLIS;
        match found {
            None => Claim::Free,
            Some(lease) if lease.owner == owner => Claim::Free,
            Some(lease) if now <= lease.until.plus_millis(CLOCK_DIFFERENCE_MILLIS) => Claim::Held(lease.clone()),
            Some(lease) => Claim::Expired(lease.clone()),
        }
    }
}

/// A reconcile, from its plan to its result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Its id: the instant at which it began, so that ids sort.
    pub id: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When its walk of the groups began: no membership that it shows is older than this, less the consistency window.
    pub members_from: Timestamp,
    /// `sub` prefixes, one walk each; one empty prefix when prefixes cannot be trusted.
    pub prefixes: Vec<String>,
    /// How many lists of groups are walked.
    pub group_lists: usize,
    /// What the pool said it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub estimated_users: Option<u64>,
    /// Users of a page without a filter: the walks by prefix have to show them, too.
    #[serde(default)]
    pub sample: Vec<Sub>,
    /// What became of the groups.
    pub groups: GroupTally,
    /// When it was finished, and what it came to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<RunResult>,
}

/// What became of the groups.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupTally {
    /// Groups that the pool has.
    pub groups: u64,
    /// Groups in which the backup differed.
    pub drift: u64,
    /// Items written.
    pub writes: u64,
    /// Groups that are deleted in the pool and were not in the backup.
    pub deleted: u64,
    /// Names of groups that the pool does not list and that are kept all the same: nobody walks their members, so that whoever
    /// is in one stays in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<String>,
    /// Names of groups that came again moments before: what is walked may be the members of the one before, and waits for the
    /// next run.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub again: BTreeSet<String>,
    /// Set when deletions of groups wait for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardTrip>,
}

/// What became of the users of one walk, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserTally {
    /// Users that the pool has.
    pub users: u64,
    /// Memberships that the pool has.
    pub memberships: u64,
    /// Living users of the backup, before.
    pub living: u64,
    /// Users in which the backup was wrong, other than by what it could not know yet.
    pub drifted: u64,
    /// By name of the difference (`missing`, `different`, `memberships`, `buried`, `incomplete`, `gone`): users that had it.
    pub drift: BTreeMap<String, u64>,
    /// Users whose difference is too young to be believed; the next run sees.
    pub undecided: u64,
    /// Items written.
    pub writes: u64,
    /// Users by `UserStatus`.
    #[serde(default)]
    pub statuses: BTreeMap<String, u64>,
    /// Users of the backup that the walk did not show.
    pub suspects: u64,
    /// Users of the backup with a membership that the walk did not show.
    pub losses: u64,
    /// Pending documents of the walk. What a killed attempt left beyond them does not count.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub pending: usize,
    /// Users of the sample that this walk should have shown, and did not.
    #[serde(default)]
    pub sample_missing: Vec<Sub>,
    /// A user whom the walk showed, to test the filter by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub control: Option<Sub>,
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl UserTally {
    /// Adds another walk's figures. Its pending documents stay its own.
    pub fn add(&mut self, other: &Self) {
        self.users += other.users;
        self.memberships += other.memberships;
        self.living += other.living;
        self.writes += other.writes;
        self.suspects += other.suspects;
        self.losses += other.losses;
        self.drifted += other.drifted;
        self.undecided += other.undecided;
        self.sample_missing.extend(other.sample_missing.iter().cloned());
        for (name, count) in &other.drift {
            *self.drift.entry(name.clone()).or_default() += count;
        }
        for (name, count) in &other.statuses {
            *self.statuses.entry(name.clone()).or_default() += count;
        }
        if self.control.is_none() {
            self.control.clone_from(&other.control);
        }
    }

    /// Counts one more user with the difference `name`.
    pub fn count_drift(&mut self, name: &str) {
        *self.drift.entry(name.to_owned()).or_default() += 1;
    }
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunResult {
    /// When it was finished.
    pub finished_at: Timestamp,
    /// The users.
    pub users: UserTally,
    /// Users and groups in which the backup differed, other than by what it could not know yet.
    pub drift_found: u64,
    /// Of those, what the run did not mend.
    pub drift_left: u64,
    /// Users who are deleted in the pool and were not in the backup.
    pub deleted: u64,
    /// Suspects that the pool showed after all.
    pub reappeared: u64,
    /// Set when deletions wait for an operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guard: Option<GuardTrip>,
}

/// Deletions that wait for an operator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardTrip {
    /// Why; see [`crate::reconcile::Refusal::as_str`].
    pub reason: String,
    /// What is missing: `users`, `groups` or `memberships`.
    pub what: String,
    /// How many are missing.
    pub suspects: u64,
    /// How many would have been deleted without asking.
    pub allowance: u64,
    /// Living entries of the backup.
    pub living: u64,
    /// Entries that the walk showed.
    pub walked: u64,
    /// Some of them, for an operator to look at.
    pub examples: Vec<String>,
}

impl GuardTrip {
    /// The flag of `twinpool reconcile` with which the deletions would proceed; `None` when no flag does that.
    #[must_use]
    pub fn flag(&self) -> Option<String> {
        let yields = [Refusal::TooMany, Refusal::Incomplete].map(Refusal::as_str);
        let flag = match self.what.as_str() {
            "groups" => "--allow-group-deletes",
            "memberships" => "--allow-lost-memberships",
            _ => "--allow-deletes",
        };
        yields
            .contains(&self.reason.as_str())
            .then(|| format!("{flag} {}", self.suspects))
    }
}

/// How far the walk of a list of groups has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MembersCheckpoint {
    /// Attempts, and how many documents of each count: a killed attempt may have left more.
    pub attempts: Vec<u32>,
    /// Place of the group that is being walked.
    pub group: usize,
    /// Token of its next page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// Memberships walked so far.
    pub memberships: u64,
    /// Whether the list is walked to its end.
    pub done: bool,
}

/// What a walk of users left for the end, when the guard has seen all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pending {
    /// Users that the walk did not show.
    pub gone: Vec<Sub>,
    /// Users with a membership that the walk did not show, and the groups that it did show.
    pub left: Vec<(Sub, Vec<String>)>,
}

/// Keys of a pool's reconcile.
pub mod keys {
    use super::{Key, run_key};

    /// What the sort keys of runs begin with.
    pub const RUNS: &str = "reconcile#run#";

    /// The lease.
    #[must_use]
    pub fn lease(pool: &str) -> Key {
        run_key(pool, "reconcile#lease")
    }

    /// The alarm, while deletions wait for an operator.
    #[must_use]
    pub fn alarm(pool: &str) -> Key {
        run_key(pool, "reconcile#alarm")
    }

    /// A run.
    #[must_use]
    pub fn run(pool: &str, run: &str) -> Key {
        run_key(pool, &format!("{RUNS}{run}"))
    }

    /// Names of the groups in one list.
    #[must_use]
    pub fn group_list(pool: &str, run: &str, list: usize) -> Key {
        run_key(pool, &format!("reconcile#groups#{run}#{list:05}"))
    }

    /// How far the walk of one list of groups has come.
    #[must_use]
    pub fn members_checkpoint(pool: &str, run: &str, list: usize) -> Key {
        run_key(pool, &format!("{}{list:05}", members_checkpoints(run)))
    }

    /// What the sort keys of all lists' checkpoints begin with.
    #[must_use]
    pub fn members_checkpoints(run: &str) -> String {
        format!("reconcile#members-done#{run}#")
    }

    /// What the sort keys of the walked members of one prefix begin with.
    #[must_use]
    pub fn members_prefix(run: &str, prefix: &str) -> String {
        format!("reconcile#members#{run}#{prefix}#")
    }

    /// Walked members of one prefix.
    #[must_use]
    pub fn members(pool: &str, run: &str, prefix: &str, (list, attempt, number): (usize, usize, u32)) -> Key {
        let first = members_prefix(run, prefix);
        run_key(pool, &format!("{first}{list:05}#{attempt:05}#{number:06}"))
    }

    /// The result of the walk of one prefix.
    #[must_use]
    pub fn users_checkpoint(pool: &str, run: &str, prefix: &str) -> Key {
        run_key(pool, &format!("reconcile#users-done#{run}#{prefix}"))
    }

    /// What the sort keys of a run's pending documents begin with.
    #[must_use]
    pub fn pending_prefix(run: &str) -> String {
        format!("reconcile#pending#{run}#")
    }

    /// What the walk of one prefix left for the end.
    #[must_use]
    pub fn pending(pool: &str, run: &str, prefix: &str, number: usize) -> Key {
        let first = pending_prefix(run);
        run_key(pool, &format!("{first}{prefix}#{number:05}"))
    }
}
