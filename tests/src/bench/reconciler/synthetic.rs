//! A pool and its backup that are made up while they are read: as many users as one likes, and no memory but the reconciler's.
//!
//! Users are numbered. Their `sub` begins with the number modulo 4,096, so that the users of a prefix are counted off without
//! a look at the others; each is in one of a hundred groups.
//!
//! Invariant: pool and backup show the same users, but for those that are to be mended; and every call gives way to the other
//! walks, so that as many are under way at a time as over a network.

pub(in crate::bench) mod backup;
pub(in crate::bench) mod people;
mod pool;

use std::{path::Path, time::Instant};

use serde::{Deserialize, Serialize};
use twinpool_shared::error::Error;

use super::reconcile;
use crate::{bench::figures::memory, stack::Failure};
use backup::SyntheticBackup;
use people::People;

/// Users of the smaller of the two sizes that are compared.
pub const SMALL: usize = 100_000;
/// The pool's id.
pub(in crate::bench) const POOL: &str = "us-east-1_SYNTHETIC";

/// What a run over a synthetic pool took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Resident memory before the run, in KiB.
    pub before_kib: u64,
    /// Resident memory at most, in KiB.
    pub peak_kib: u64,
    /// From plan to result.
    pub seconds: f64,
}

/// Reconciles a pool of `users`, of whom the backup is wrong about `changed_percent`; documents are kept in `folder`.
///
/// # Errors
/// When the run fails, or did not see or write what it had to.
pub async fn measure(users: usize, changed_percent: usize, folder: &Path) -> Result<Measured, Failure> {
    let own = || memory(std::process::id()).ok_or_else(|| Failure("this system has no /proc".to_owned()));
    let people = People { users, changed_percent };
    let failed = |error: Error| Failure::new("the documents", error);
    let backup = SyntheticBackup::new(people, folder).map_err(failed)?;
    let before = own()?;
    let began = Instant::now();
    let run = Box::pin(reconcile(people, backup, POOL)).await?;
    let seconds = began.elapsed().as_secs_f64();
    let (walked, expected) = (&run.result.users, users as u64);
    let changed = expected * changed_percent as u64 / 100;
    if (walked.users, walked.memberships, walked.writes) != (expected, expected, changed) {
        let what = format!(
            "{} users and {} memberships were walked, {} users written",
            walked.users, walked.memberships, walked.writes
        );
        return Err(Failure(what));
    }
    Ok(Measured {
        before_kib: before.resident_kib,
        peak_kib: own()?.peak_kib,
        seconds,
    })
}
