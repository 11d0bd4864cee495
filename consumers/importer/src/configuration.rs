//! The configuration of the target: the pool and everything but its users, made or patched.
//!
//! What to call with what is decided in [`twinpool_shared::import::configure`] and [`twinpool_shared::import::patch`]. A pool
//! that this import made in this very attempt is empty, and gets every step; any other is read first, and gets what it lacks.
//!
//! Invariant: whatever may have been made already is looked for before it is made. The id of the pool and of each client is
//! stored before anything else is done with it. Nothing is deleted. A process that has lost the lease makes nothing and stores
//! nothing over what its successor has stored.

mod look;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twinpool_shared::{
    documents::Kept,
    error::Error,
    group::GroupSettings,
    import::{
        configure::{self, ManualTask, Step, Wanted},
        patch::{Found, patch},
        plan::TargetPool,
        progress::{State, keys},
    },
    marks::Part,
    port::{Backup, Clock, RawPool, ReadPool, WritePool},
    snapshot::{reading, survey::Survey},
};

use crate::{Importer, Phase};

pub(crate) use self::steps::WAITS_SECONDS;

/// Which configuration goes where.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The plan's id.
    pub plan: &'a str,
    /// The pool of the backup.
    pub source: &'a str,
    /// Who holds the lease.
    pub owner: &'a str,
    /// The target.
    pub target: &'a TargetPool,
    /// What the target is to be set to.
    pub wanted: &'a Wanted,
}

/// What became of the configuration.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Configured {
    /// Id of the pool.
    pub pool: String,
    /// New ids of app clients, by their old ones.
    pub clients: BTreeMap<String, String>,
    /// Steps that Cognito refused. The import goes on without them; another attempt tries them again.
    pub failed: Vec<FailedStep>,
    /// What an existing target needs beside [`Wanted::manual`].
    pub manual: Vec<ManualTask>,
}

/// A step that Cognito refused.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FailedStep {
    /// Where what it sets stands in the backup.
    pub path: String,
    /// The operation.
    pub operation: String,
    /// Cognito's code, or a reason of [`twinpool_shared::error::ErrorKind`].
    pub code: String,
}

/// The code of a step that stays undone because a step before was refused, which has to be there first.
const NO_TRIGGERS: &str = "TriggersNotAttached";
/// The code of a step that stays undone because users are missing.
pub(crate) const CLOSED: &str = "SignUpStaysClosed";

/// What the pool is set to now, as far as `wanted` has anything to do with it.
///
/// # Errors
/// As Cognito answers; `NotFound` when there is no such pool. What cannot be read is an error: it cannot be compared.
pub async fn captured<P: ReadPool + RawPool>(
    reader: &P,
    clock: &Clock,
    pool: &str,
    wanted: &Wanted,
) -> Result<Found, Error> {
    // Asked although the pool's own settings do not say that there is anything: an earlier attempt may have set it.
    let marked: BTreeSet<Part> = wanted.steps.iter().filter_map(Step::part).collect();
    let survey = Survey::new(pool, BTreeMap::new(), marked).without([Part::Limits, Part::Replicas, Part::Tags]);
    let findings = reading::ask(reader, clock, survey).await?;
    let mut groups: BTreeMap<String, GroupSettings> = BTreeMap::new();
    let mut token = None;
    loop {
        let page = reader.groups_page(pool, token.as_deref()).await?;
        groups.extend(page.entries);
        match page.token {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    Found::new(findings, groups)
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Sets the target as wanted, all but what lets people in beside the import, from where an earlier attempt stopped.
    ///
    /// # Errors
    /// `Rejected` when Cognito refuses the pool itself, `Unmet` when an existing target has other immutable settings; else
    /// as Cognito and the table answer. Doing it again goes on.
    pub async fn configure(&self, setting: &Setting<'_>) -> Result<Configured, Error> {
        let mut work = Work::new(self, setting).await?;
        let steps = setting.wanted.steps.iter().filter(|step| !step.phase.is_after_users());
        let steps: Vec<Step> = steps.cloned().collect();
        self.watch.phase(Phase::Configuration, u64::try_from(steps.len()).ok());
        let (pool, is_new) = work.pool().await?;
        let mut configured = work.configured(&pool);
        if steps.iter().any(|step| !work.state.steps.contains(&step.digest())) {
            if is_new {
                let rest = steps.get(1..).unwrap_or_default();
                work.carry_out(Phase::Configuration, rest, &mut configured).await?;
            } else {
                let lacking = work.lacking(&mut configured).await?;
                work.carry_out(Phase::Configuration, &lacking, &mut configured).await?;
            }
            let failed: BTreeSet<&str> = configured.failed.iter().map(|failed| failed.path.as_str()).collect();
            let done = steps.iter().filter(|step| !failed.contains(step.path().as_str()));
            let done = done.map(Step::digest).collect();
            work.done(done).await?;
        }
        self.watch.finished(Phase::Configuration);
        Ok(configured)
    }

    /// Lets people sign up, attaches the triggers of that, and lets outside providers in, as wanted, once the users are made;
    /// but not what `closed` names. What is left undone comes back, with Cognito's code or the reason.
    ///
    /// # Errors
    /// `Held` when somebody else has taken over; else as Cognito and the table answer.
    pub async fn open(
        &self,
        setting: &Setting<'_>,
        pool: &str,
        closed: &[configure::Phase],
    ) -> Result<Vec<FailedStep>, Error> {
        let mut work = Work::new(self, setting).await?;
        let mut configured = work.configured(pool);
        for phase in [configure::Phase::SignUp, configure::Phase::OutsideSignIn] {
            let steps: Vec<Step> = work.open().filter(|step| step.phase == phase).cloned().collect();
            let reason = if closed.contains(&phase) {
                Some(CLOSED)
            } else {
                // What an outside provider brings has to meet the trigger that may refuse it.
                (!configured.failed.is_empty()).then_some(NO_TRIGGERS)
            };
            match reason {
                Some(reason) => {
                    let left = steps.iter().map(|step| FailedStep::of(step, reason));
                    configured.failed.extend(left);
                }
                None => work.carry_out(Phase::Triggers, &steps, &mut configured).await?,
            }
            let failed: BTreeSet<&str> = configured.failed.iter().map(|failed| failed.path.as_str()).collect();
            let done = steps.iter().filter(|step| !failed.contains(step.path().as_str()));
            let done: Vec<String> = done.map(Step::digest).collect();
            work.done(done).await?;
        }
        Ok(configured.failed)
    }
}

impl FailedStep {
    fn of(step: &Step, code: &str) -> Self {
        Self {
            path: step.path(),
            operation: step.operation.to_owned(),
            code: code.to_owned(),
        }
    }
}

/// The work on one target, with the documents as they were read and then stored by this process.
struct Work<'a, P, W, B> {
    importer: &'a Importer<P, W, B>,
    setting: &'a Setting<'a>,
    state: State,
    state_version: Option<u64>,
    clients: BTreeMap<String, String>,
    clients_version: Option<u64>,
}

impl<'a, P: ReadPool + RawPool, W: WritePool, B: Backup> Work<'a, P, W, B> {
    async fn new(importer: &'a Importer<P, W, B>, setting: &'a Setting<'a>) -> Result<Self, Error> {
        let documents = importer.documents(setting.source);
        let state = documents.load(&keys::state(setting.source, setting.plan)).await?;
        let clients = documents.load(&keys::clients(setting.source, setting.plan)).await?;
        let (state, state_version) = state.map_or_else(Default::default, |(state, version)| (state, Some(version)));
        let (clients, clients_version) =
            clients.map_or_else(Default::default, |(clients, version)| (clients, Some(version)));
        Ok(Self {
            importer,
            setting,
            state,
            state_version,
            clients,
            clients_version,
        })
    }

    fn configured(&self, pool: &str) -> Configured {
        Configured {
            pool: pool.to_owned(),
            clients: self.clients.clone(),
            ..Configured::default()
        }
    }

    /// The steps after the users that are not done.
    fn open(&self) -> impl Iterator<Item = &'a Step> {
        let steps = self.setting.wanted.steps.iter();
        steps.filter(|step| step.phase.is_after_users() && !self.state.steps.contains(&step.digest()))
    }

    /// The steps before the users that the target lacks. Clients that are there are stored as known.
    async fn lacking(&mut self, configured: &mut Configured) -> Result<Vec<Step>, Error> {
        let (importer, wanted) = (self.importer, self.setting.wanted);
        let found = captured(&importer.reader, &importer.clock, &configured.pool, wanted).await?;
        let patch = patch(wanted, &configured.clients, &found).map_err(Error::from)?;
        if patch.clients != configured.clients {
            configured.clients = patch.clients;
            self.store_clients(&configured.clients).await?;
        }
        configured.manual = patch.manual;
        let mut steps = patch.steps;
        steps.retain(|step| !step.phase.is_after_users());
        Ok(steps)
    }

    /// Whether this process still has the right to make anything.
    async fn still_held(&self) -> Result<(), Error> {
        self.importer.still_held(self.setting.source, self.setting.owner).await
    }

    async fn store_state(&mut self) -> Result<(), Error> {
        let key = keys::state(self.setting.source, self.setting.plan);
        let documents = self.importer.documents(self.setting.source);
        documents
            .supersede(&key, &self.state, self.state_version, Kept::Always)
            .await?;
        self.state_version = Some(self.state_version.map_or(1, |version| version + 1));
        Ok(())
    }

    async fn store_clients(&mut self, clients: &BTreeMap<String, String>) -> Result<(), Error> {
        let key = keys::clients(self.setting.source, self.setting.plan);
        let documents = self.importer.documents(self.setting.source);
        documents
            .supersede(&key, clients, self.clients_version, Kept::Always)
            .await?;
        self.clients_version = Some(self.clients_version.map_or(1, |version| version + 1));
        Ok(())
    }

    /// Stores the id of the pool, at once: without it another attempt has to search.
    async fn store_pool(&mut self, pool: &str) -> Result<(), Error> {
        if self.state.pool.as_deref() == Some(pool) {
            return Ok(());
        }
        self.state.pool = Some(pool.to_owned());
        self.store_state().await
    }

    /// Notes that these steps are done.
    async fn done(&mut self, digests: Vec<String>) -> Result<(), Error> {
        if digests.iter().all(|digest| self.state.steps.contains(digest)) {
            return Ok(());
        }
        self.state.steps.extend(digests);
        self.store_state().await
    }
}
