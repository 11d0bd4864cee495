//! What `attach` and `detach` have in common: looking at pool, stack and functions, asking, and changing.
//!
//! * [`asking`]: what the operator means and agrees to. [`pool`]: the one update of the pool, checked and put back.
//! * [`functions`]: Lambda. [`view`]: what is shown.
//!
//! Invariant: everything is read and shown before anything is changed.

pub(crate) mod asking;
mod functions;
pub(crate) mod pool;
pub(crate) mod view;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader, PoolWriter},
    },
    attach::{Deployed, Function, ParameterChange, Plan, Seen, Slots, Target, slots_of},
    error::{Error, ErrorKind},
    port::RawPool,
    quota::Share,
    settings::region_of_pool,
};

use self::{
    functions::Functions,
    pool::{Pool, Shown},
};
use crate::{
    context::{Context, usage},
    doctor::{State, trail},
    output::say,
    stack::{Described, Stacks},
    untyped::Untyped,
};

/// One attempt: what became of an update is looked at before there is another.
const ONE_ATTEMPT: Patience = Patience {
    attempts: 1,
    millis: 30_000,
};

/// A function that could not be looked at.
const UNTOLD: Function = Function {
    is_ready: false,
    is_told: false,
    chains_to: None,
    may_be_invoked: false,
};

/// The services that an attachment needs, in the pool's Region.
#[derive(Debug)]
pub(crate) struct Attachment<'a> {
    context: &'a Context,
    id: &'a str,
    region: String,
    untyped: Untyped,
    functions: Functions,
    reader: PoolReader,
    writer: PoolWriter,
}

/// What there is, as read once.
#[derive(Debug)]
pub(crate) struct Found {
    /// The pool.
    pub(crate) shown: Shown,
    /// For the decision.
    pub(crate) seen: Seen,
    stack: Described,
}

/// Why everything is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Purpose {
    Attach,
    /// Whether Cognito may invoke a function, and what other functions are, does not matter. What cannot be looked at beside pool
    /// and stack does not keep a function of ours in its slot.
    Detach,
}

impl<'a> Attachment<'a> {
    /// Clients for the one pool that is meant.
    ///
    /// # Errors
    /// `BadSetting` without a pool, or in another Region than the pool's; `Denied` without credentials.
    pub(crate) async fn connect(context: &'a Context) -> Result<Self, Error> {
        let id = context.pool()?;
        let connection = context.connect().await?;
        let (home, region) = (region_of_pool(id).unwrap_or_default(), connection.region().to_owned());
        if home != region {
            return Err(usage(&format!(
                "a pool's functions and their stack are in the pool's own Region: give --region {home}; --region, AWS_REGION or the \
                 profile say {region}"
            )));
        }
        let governor = Governor::new(Share::default(), 1);
        let cognito = connection.cognito();
        Ok(Self {
            context,
            id,
            region,
            functions: Functions::new(aws_sdk_lambda::Client::new(&connection.config)),
            untyped: Untyped::new(connection.config.clone()),
            reader: PoolReader::new(cognito.clone(), governor.clone(), Patience::REPLICATOR),
            writer: PoolWriter::new(cognito, governor, ONE_ATTEMPT),
        })
    }

    /// The pool's id.
    pub(crate) fn id(&self) -> &str {
        self.id
    }

    /// The pool.
    pub(crate) fn pool(&self) -> Pool<'_, PoolReader, PoolWriter> {
        Pool {
            id: self.id,
            reader: &self.reader,
            writer: &self.writer,
        }
    }

    /// Looks at the pool, at the stack of this name and at the functions.
    ///
    /// # Errors
    /// `NotFound` without such a stack, `Unmet` when it is not one of infra/primary.yaml; as the services answer.
    pub(crate) async fn look(&self, stack: &str, purpose: Purpose) -> Result<Found, Error> {
        let shown = self.pool().show().await?;
        let described = Stacks::new(&self.untyped).describe(stack).await?;
        let deployed = Deployed::read(
            &described.name,
            &described.status,
            &described.outputs,
            &described.parameters,
        )?;
        let arn = shown.pool.expose()["Arn"].as_str();
        let asked_for = arn.filter(|_| purpose == Purpose::Attach);
        let slots = slots_of(shown.pool.expose());
        let mut functions = BTreeMap::new();
        for (slot, function) in deployed.in_force(&slots) {
            let function = match self.functions.look(&function, asked_for).await {
                Err(error) if purpose == Purpose::Detach => {
                    self.context.output.note(&error.what);
                    Some(UNTOLD)
                }
                function => function?,
            };
            functions.extend(function.map(|function| (slot, function)));
        }
        let mut holders = BTreeMap::new();
        for (slot, held) in slots.iter().filter(|_| purpose == Purpose::Attach) {
            if !deployed.owns(*slot, held) {
                holders.insert(held.clone(), self.functions.holder(held).await?);
            }
        }
        let (others, unread) = self.others(&deployed, purpose).await?;
        let seen = Seen {
            pool: self.id.to_owned(),
            others,
            unread,
            slots,
            stack: deployed,
            functions,
            holders,
        };
        Ok(Found {
            shown,
            seen,
            stack: described,
        })
    }

    /// The slots of the stack's other pools, and which of them a detachment could not look at. A pool that does not exist any more
    /// has none.
    async fn others(
        &self,
        stack: &Deployed,
        purpose: Purpose,
    ) -> Result<(BTreeMap<String, Slots>, BTreeSet<String>), Error> {
        let (mut others, mut unread) = (BTreeMap::new(), BTreeSet::new());
        for pool in stack.pools.iter().filter(|pool| *pool != self.id) {
            match self.reader.call("DescribeUserPool", json!({"UserPoolId": pool})).await {
                Ok(answer) => drop(others.insert(pool.clone(), slots_of(&answer["UserPool"]))),
                Err(error) if error.kind == ErrorKind::NotFound => {}
                Err(error) if purpose == Purpose::Detach => {
                    self.context.output.note(&error.what);
                    unread.insert(pool.clone());
                }
                Err(error) => return Err(error),
            }
        }
        Ok((others, unread))
    }

    /// What the functions are that slots get back.
    pub(crate) async fn targets(&self, found: &Found, plan: &Plan) -> BTreeMap<String, Target> {
        let pool_arn = found.shown.pool.expose()["Arn"].as_str().unwrap_or_default();
        let mut targets = BTreeMap::new();
        for change in plan.slots.iter().filter(|change| change.changes()) {
            if let Some(arn) = &change.after {
                targets.insert(arn.clone(), self.functions.target(arn, pool_arn).await);
            }
        }
        targets
    }

    /// What is to be known of the trail: without one, administrators' changes are not heard of. The triggers need none.
    pub(crate) async fn trail(&self) -> Option<String> {
        let finding = trail::check(&self.untyped).await;
        let fix = finding.fix.unwrap_or_default();
        (finding.state != State::Ok).then(|| format!("trail: {}; {fix}", finding.what))
    }

    /// Shows the difference: as the answer, or beside the document on standard error.
    ///
    /// # Errors
    /// As [`crate::output::Output::write`].
    pub(crate) fn show(&self, found: &Found, plan: &Plan, warnings: &[String]) -> Result<(), Error> {
        for line in view::difference(self.id, &found.seen.stack.name, plan, warnings) {
            if self.context.output.json {
                self.context.output.note(&line);
            } else {
                self.context.output.line(&line)?;
            }
        }
        Ok(())
    }

    /// Runs every function that is to get into a slot, before anything is changed.
    ///
    /// # Errors
    /// `Unmet` when one does not answer as it has to; as Lambda answers.
    pub(crate) async fn try_out(&self, plan: &Plan) -> Result<(), Error> {
        for change in plan.slots.iter().filter(|change| change.changes()) {
            if let Some(arn) = &change.after {
                self.functions.try_out(arn, self.id, &self.region).await?;
            }
        }
        Ok(())
    }

    /// Waits until every function that is to get into a slot invokes what it has to, and may do so.
    ///
    /// # Errors
    /// `Unmet` when one does not; as Lambda answers.
    pub(crate) async fn await_chains(&self, plan: &Plan) -> Result<(), Error> {
        for change in plan.slots.iter().filter(|change| change.changes()) {
            if let Some(arn) = &change.after {
                self.functions.await_chain(arn, change.chained.as_deref()).await?;
                if change.chained.is_some() {
                    self.functions.try_out(arn, self.id, &self.region).await?;
                }
            }
        }
        Ok(())
    }

    /// Changes the stack's parameters, and waits until that is done.
    ///
    /// # Errors
    /// `Unmet` when the stack does not come to that; as CloudFormation answers.
    pub(crate) async fn update_stack(&self, found: &Found, changes: &[ParameterChange]) -> Result<(), Error> {
        if changes.is_empty() {
            return Ok(());
        }
        let says = |line: &str| {
            if self.context.wants_progress() {
                say(line);
            }
        };
        Stacks::new(&self.untyped).update(&found.stack, changes, says).await
    }
}
