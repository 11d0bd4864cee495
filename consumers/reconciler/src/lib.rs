//! The reconciler: the whole pool against the whole backup, and what differs is mended.
//!
//! A run is `plan`ned (probe, groups), then the `members` of all groups are walked, then the `users`, prefix by prefix, and
//! held against the backup; what the walk did not show waits for the `sweep`, which judges all of it together. The steps are
//! the same in one process ([`Reconciler::run`]) and as functions of a state machine; between them everything is in the table.
//!
//! Invariant: it writes only differences, through [`twinpool_shared::writer`], and deletes nobody whom it did not look for by
//! name, nor anybody at all when the guard refuses.

pub mod configuration;
mod documents;
mod groups;
mod members;
mod mend;
mod plan;
pub mod rehearsal;
mod step;
mod sweep;
mod users;
mod watch;

use futures::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use twinpool_shared::{
    error::Error,
    port::{Backup, Clock, ReadPool},
    run::{Run, RunResult},
    writer::Writer,
};

pub use twinpool_shared::adapter::lease::Holder;

pub use step::{Answer, Order, Step};
pub use watch::{Finding, Phase, Subject, Watch};

/// Walks at the same time. Three hide the latency of a call at the full quota; one more covers for a slow one.
pub const CHAINS: usize = 4;

/// Reconciles pools of one Region, made once per process.
pub struct Reconciler<P, B> {
    /// Reads the pool, at its share of the quota.
    pub reader: P,
    /// The backup.
    pub backup: B,
    /// Tells the present.
    pub clock: Clock,
    /// How long superseded versions and tombstones are kept.
    pub retention_seconds: i64,
    /// Who looks on.
    pub watch: Box<dyn Watch>,
}

/// What an operator may say about a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Who runs.
    pub holder: Holder,
    /// What the guard lets go.
    pub allowed: Allowed,
    /// Whether a run that did not end is left alone, and a new one begun.
    pub fresh: bool,
}

/// How many may be deleted, instead of the guard's own allowance: each kind for itself, because each was looked at for itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowed {
    /// Users.
    #[serde(default, rename = "allow_deletes")]
    pub users: Option<u64>,
    /// Groups.
    #[serde(default, rename = "allow_group_deletes")]
    pub groups: Option<u64>,
    /// Users who lose a membership.
    #[serde(default, rename = "allow_lost_memberships")]
    pub memberships: Option<u64>,
}

/// What a run came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// The run.
    pub run: Run,
    /// Its result.
    pub result: RunResult,
    /// Whether it went on with a run that had not ended: what that one had walked was not walked again.
    pub resumed: bool,
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// A whole run in this process, from its plan (or from where a killed run stopped) to its result.
    ///
    /// # Errors
    /// `Held` when another run is at work; else as Cognito and the table answer. A run that failed goes on where it stopped.
    pub async fn run(&self, pool: &str, options: &Options) -> Result<Report, Error> {
        self.tenure(pool, &options.holder)
            .during(self.work(pool, options))
            .await
    }

    async fn work(&self, pool: &str, options: &Options) -> Result<Report, Error> {
        let (run, resumed) = Box::pin(self.plan(pool, &options.holder.owner, options.allowed, options.fresh)).await?;
        self.watch.phase(Phase::Members, None);
        stream::iter(0..run.group_lists)
            .map(|list| Box::pin(self.members_to_the_end(pool, &run, list)))
            .buffer_unordered(CHAINS)
            .try_collect::<()>()
            .await?;
        self.watch.phase(Phase::Users, run.estimated_users);
        stream::iter(&run.prefixes)
            .map(|prefix| Box::pin(async { self.users(pool, &run, prefix).await.map(drop) }))
            .buffer_unordered(CHAINS)
            .try_collect::<()>()
            .await?;
        self.watch.phase(Phase::Sweep, None);
        let result = Box::pin(self.sweep(pool, &run, options.allowed)).await?;
        Ok(Report { run, result, resumed })
    }

    async fn members_to_the_end(&self, pool: &str, run: &Run, list: usize) -> Result<(), Error> {
        // No deadline in a process of its own.
        while !self.members(pool, run, list, None).await? {}
        Ok(())
    }

    fn writer(&self) -> Writer<'_, B> {
        Writer {
            backup: &self.backup,
            clock: &self.clock,
            retention_seconds: self.retention_seconds,
        }
    }
}

/// Whether `deadline` has passed.
fn is_over(deadline: Option<Instant>) -> bool {
    deadline.is_some_and(|deadline| Instant::now() >= deadline)
}
