//! The steps of an import as functions of a state machine: each takes an order and gives an answer, and everything else is in
//! the table. The same code as in one process.
//!
//! Invariant: a step can be repeated. What it finished before is not done again, and only a drill's pool is ever removed. An
//! answer holds ids and counts, because a state machine shows it to whoever may look at its executions.

mod fit;
mod order;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use tokio::time::{Instant, timeout_at};
use twinpool_shared::{
    adapter::lease::Holder,
    documents::Kept,
    error::{Error, ErrorKind},
    import::{
        estimate::Live,
        plan::{Plan, file},
        progress::keys,
        recreate::NotMade,
    },
    port::{Backup, RawPool, ReadPool, WritePool},
    quota::Share,
};

pub use self::order::{Order, Step, Wanted};
use crate::{
    ApplyOptions, ApplyReport, Importer, configuration::CLOSED, drill::is_drill, plan::PlanOrder, verify::VerifyOrder,
};

/// For how long a step that was killed keeps other imports out: as long as a function of Lambda can run.
const LEASE_SECONDS: i64 = 900;

/// What a step answers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Answer {
    /// The plan.
    Plan {
        /// Its id.
        plan: String,
        /// Users who are made.
        users: u64,
        /// The least that it takes.
        floor_seconds: u64,
        /// What somebody has to do by hand.
        manual: usize,
    },
    /// Whether the plan is carried out; if not, the step is ordered again.
    Apply {
        /// Whether it is.
        done: bool,
        /// What it came to.
        #[serde(skip_serializing_if = "Option::is_none")]
        figures: Option<Figures>,
    },
    /// What the comparison came to.
    Verify {
        /// Whether nothing is unexplained.
        equal: bool,
        /// Differences that have to be.
        differences_expected: u64,
        /// Differences that nothing explains.
        differences_unexpected: u64,
    },
    /// Whether there was something to remove.
    Remove {
        /// Whether there was.
        removed: bool,
    },
}

/// What an import came to, all attempts together. Who failed, and which client became which, is in the table; which settings
/// were refused is in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Figures {
    /// Id of the pool.
    pub pool: String,
    /// Users who are there.
    pub users: u64,
    /// Of those, who came by an import job.
    pub by_csv: u64,
    /// Memberships that are there.
    pub memberships: u64,
    /// Outside identities that are linked.
    pub links: u64,
    /// App clients that are there.
    pub clients: usize,
    /// Users who were not made, by the plan's own reason.
    pub not_made: BTreeMap<NotMade, u64>,
    /// Users who failed, in whole or in part, by stage and code: `create: InvalidParameterException`.
    pub failed: BTreeMap<String, u64>,
    /// How many users that are.
    pub failed_users: u64,
    /// Settings that Cognito refused.
    pub settings_failed: usize,
    /// Whether sign-up or outside providers stay closed on purpose, because of users who could not be made or linked.
    pub sign_up_closed: bool,
}

impl From<ApplyReport> for Figures {
    fn from(report: ApplyReport) -> Self {
        let (closed, refused): (Vec<_>, Vec<_>) = report.settings_failed.iter().partition(|step| step.code == CLOSED);
        Self {
            pool: report.pool,
            users: report.users,
            by_csv: report.by_csv,
            memberships: report.memberships,
            links: report.links,
            clients: report.clients.len(),
            not_made: report.not_made,
            failed: report.failed,
            failed_users: report.failed_users,
            settings_failed: refused.len(),
            sign_up_closed: !closed.is_empty(),
        }
    }
}

/// Where the function runs, and what it may use.
#[derive(Clone, Debug)]
pub struct Place {
    /// The table.
    pub table: String,
    /// Region of the table's replica and of the target.
    pub region: String,
    /// The account.
    pub account: String,
    /// For how long the backup keeps what was superseded.
    pub retention_seconds: i64,
    /// How much of the quotas an import uses.
    pub share: Share,
    /// Quotas that the account was asked for.
    pub live: Live,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Carries out one step until `deadline`.
    ///
    /// # Errors
    /// As the step's own method; `NotFound` when there is no such plan, `BadSetting` when it is one of the other state machine,
    /// `Unmet` when a plan's comparison would not fit into an invocation, `Unavailable` when the step's time was over. The step
    /// may be ordered again.
    pub async fn step(&self, order: &Order, place: &Place, deadline: Instant) -> Result<Answer, Error> {
        let pool = order.pool.as_str();
        let holder = Holder {
            owner: order.owner.clone(),
            seconds: LEASE_SECONDS,
            steal: true,
        };
        match &order.step {
            Step::Plan { drill, wanted } => {
                let time = deadline.saturating_duration_since(Instant::now());
                let asked = wanted.order(order, *drill, place, (self.clock)())?;
                within(
                    deadline,
                    self.plan_and_store(&asked, |plan| fit::check(plan, place, time)),
                )
                .await
            }
            Step::Apply {
                plan,
                drill,
                retry_failed,
                open_sign_up,
            } => {
                let plan = self.stored_plan(pool, plan).await?;
                of_machine(&plan, *drill)?;
                let options = ApplyOptions {
                    holder,
                    retry_failed: *retry_failed,
                    open_sign_up: *open_sign_up,
                };
                // Cut off as by a kill, which costs what was done since a lane's chunks at work were last stored.
                let applied = timeout_at(deadline, Box::pin(self.apply(&plan, &options))).await;
                let applied = applied.ok().transpose()?;
                for warning in applied.iter().flat_map(|report| &report.warnings) {
                    tracing::warn!(plan = plan.id, warning, "the import is finished otherwise than planned");
                }
                let figures = applied.map(Figures::from);
                Ok(Answer::Apply {
                    done: figures.is_some(),
                    figures,
                })
            }
            Step::Verify { plan, target } => {
                let order = VerifyOrder::of(&self.stored_plan(pool, plan).await?, target);
                let verified = within(deadline, self.verify(&order)).await?;
                Ok(Answer::Verify {
                    equal: verified.equal,
                    differences_expected: verified.differences_expected,
                    differences_unexpected: verified.differences_unexpected,
                })
            }
            Step::Remove { plan } => {
                let removed = match self.stored_plan(pool, plan).await {
                    Ok(plan) => {
                        // The documents of a restore are its sub map: they stay, also where its pool is gone.
                        of_machine(&plan, true)?;
                        within(deadline, self.remove_drill_as(&plan, &holder)).await?
                    }
                    // The plan goes after the pool: an attempt whose answer was lost has removed both.
                    Err(error) if error.kind == ErrorKind::NotFound => true,
                    Err(error) => return Err(error),
                };
                Ok(Answer::Remove { removed })
            }
        }
    }

    /// Plans, and stores the plan if it is `fit`.
    async fn plan_and_store(
        &self,
        asked: &PlanOrder,
        fit: impl FnOnce(&Plan) -> Result<(), Error>,
    ) -> Result<Answer, Error> {
        let plan = Box::pin(self.plan(asked, |_| Ok(()))).await?;
        fit(&plan)?;
        let key = keys::plan(&asked.pool, &plan.id);
        let text = file::seal(&plan)?;
        self.documents(&asked.pool).replace(&key, &text, Kept::Always).await?;
        Ok(Answer::Plan {
            users: plan.users.counts.made,
            floor_seconds: plan.estimate.seconds,
            manual: plan.manual.len(),
            plan: plan.id,
        })
    }

    /// The plan that a step before has stored.
    async fn stored_plan(&self, pool: &str, id: &str) -> Result<Plan, Error> {
        let stored = self.documents(pool).load::<String>(&keys::plan(pool, id)).await?;
        let (text, _) = stored.ok_or_else(|| Error::new(ErrorKind::NotFound, format!("the plan {id} in the table")))?;
        file::open(&text)
    }
}

/// Refuses the plan of a restore in a drill, which would remove what it made, and a drill's in a restore, which would leave it.
fn of_machine(plan: &Plan, drill: bool) -> Result<(), Error> {
    let what = match (drill, is_drill(plan)) {
        (true, false) => "of a restore, and a drill removes what it made: go on with it in the restore's state machine",
        (false, true) => "of a drill, and a restore leaves what it made: go on with it in the drill's state machine",
        (true, true) | (false, false) => return Ok(()),
    };
    let what = format!("the plan {} is {what}", plan.id);
    Err(Error::new(ErrorKind::BadSetting, what))
}

/// Carries out `work` until `deadline`.
async fn within<T>(deadline: Instant, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let over = |_elapsed| Error::new(ErrorKind::Unavailable, "the invocation's time was over");
    timeout_at(deadline, Box::pin(work)).await.map_err(over)?
}
