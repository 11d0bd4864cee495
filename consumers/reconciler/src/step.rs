//! The steps of a run as functions of a state machine: each takes an order and gives an answer, and everything else is in the
//! table. The same code as in one process.
//!
//! Invariant: a step can be repeated. What it finished before is not done again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use twinpool_shared::{
    error::{Error, ErrorKind},
    port::{Backup, RawPool, ReadPool},
    run::RunResult,
};

use crate::{
    Allowed, CHAINS, Holder, Reconciler,
    configuration::{CaptureReport, capture},
};

/// For how long a step that was killed keeps other runs out: as long as a function of Lambda can run.
const LEASE_SECONDS: i64 = 900;

/// Kept of a step's time for keeping what was walked.
const KEEPING: Duration = Duration::from_secs(20);

/// What the state machine orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The pool.
    pub pool: String,
    /// The state machine's execution, which holds the lease.
    pub owner: String,
    /// How many steps share the quota at this moment.
    #[serde(default = "one")]
    pub workers: u32,
    /// What to do.
    #[serde(flatten)]
    pub step: Step,
}

fn one() -> u32 {
    1
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Plans a run, or finds the one to go on with.
    Plan {
        /// How many groups may be deleted.
        #[serde(flatten)]
        allowed: Allowed,
    },
    /// Captures the configuration.
    Configuration,
    /// Walks the members of one list of groups, as far as time allows.
    Members {
        /// The run.
        run: String,
        /// The list.
        list: usize,
    },
    /// Walks the users of one prefix.
    Users {
        /// The run.
        run: String,
        /// The prefix.
        prefix: String,
    },
    /// Ends the run.
    Sweep {
        /// The run.
        run: String,
        /// How many users and memberships may be deleted.
        #[serde(flatten)]
        allowed: Allowed,
    },
}

/// What a step answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Answer {
    /// The run, and what there is to do.
    Plan {
        /// The run.
        run: String,
        /// How many steps shall run at the same time.
        workers: usize,
        /// Lists of groups.
        lists: Vec<usize>,
        /// Prefixes of users.
        prefixes: Vec<String>,
    },
    /// What of the configuration was captured.
    Configuration {
        /// What came of it.
        #[serde(flatten)]
        report: CaptureReport,
    },
    /// Whether the list is walked to its end; if not, the step is ordered again.
    Members {
        /// Whether it is.
        done: bool,
    },
    /// The users of the prefix are walked.
    Users {
        /// How many there are.
        users: u64,
        /// In how many the backup was wrong.
        drifted: u64,
    },
    /// The run is ended.
    Sweep {
        /// The run.
        run: String,
        /// What it came to.
        result: Box<RunResult>,
    },
}

impl<P: ReadPool + RawPool, B: Backup> Reconciler<P, B> {
    /// Carries out one step until `deadline`.
    ///
    /// # Errors
    /// `Held` when another run is at work; else as Cognito and the table answer. The step may be ordered again.
    pub async fn step(&self, order: &Order, deadline: Instant) -> Result<Answer, Error> {
        let holder = Holder {
            owner: order.owner.clone(),
            seconds: LEASE_SECONDS,
            steal: true,
        };
        let pool = order.pool.as_str();
        let tenure = self.tenure(pool, &holder);
        tenure.acquire().await?;
        let worked = tokio::time::timeout_at(deadline, tenure.while_held(Box::pin(self.carry_out(order, deadline))));
        let answer = worked
            .await
            .map_err(|_elapsed| Error::new(ErrorKind::Unavailable, "the invocation's time was over"))??;
        if matches!(answer, Answer::Sweep { .. }) {
            tenure.release().await?;
        }
        Ok(answer)
    }

    async fn carry_out(&self, order: &Order, deadline: Instant) -> Result<Answer, Error> {
        let pool = order.pool.as_str();
        match &order.step {
            Step::Plan { allowed } => {
                let (run, _) = Box::pin(self.plan(pool, &order.owner, *allowed, false)).await?;
                Ok(Answer::Plan {
                    run: run.id,
                    // One walk alone takes the whole share.
                    workers: CHAINS.min(run.prefixes.len()),
                    lists: (0..run.group_lists).collect(),
                    prefixes: run.prefixes,
                })
            }
            Step::Configuration => {
                let capture = capture(&self.reader, &self.backup, &self.clock, pool, self.retention_seconds);
                let report = Box::pin(capture).await?;
                Ok(Answer::Configuration { report })
            }
            Step::Members { run, list } => {
                let run = self.planned(pool, run).await?;
                let done = Box::pin(self.members(pool, &run, *list, Some(deadline - KEEPING))).await?;
                Ok(Answer::Members { done })
            }
            Step::Users { run, prefix } => {
                let run = self.planned(pool, run).await?;
                let tally = Box::pin(self.users(pool, &run, prefix)).await?;
                Ok(Answer::Users {
                    users: tally.users,
                    drifted: tally.drifted,
                })
            }
            Step::Sweep { run, allowed } => {
                let run = self.planned(pool, run).await?;
                let result = Box::pin(self.sweep(pool, &run, *allowed)).await?;
                Ok(Answer::Sweep {
                    run: run.id,
                    result: Box::new(result),
                })
            }
        }
    }
}
