//! The configuration of the target: the pool and everything but its users, made or patched.
//!
//! What to call with what is decided in [`twinpool_shared::import::configure`] and [`twinpool_shared::import::patch`]. A pool
//! that this import made in this very attempt is empty, and gets every step; any other is read first, and gets what it lacks.
//!
//! Invariant: whatever may have been made already is looked for before it is made. The id of the pool and of each client is
//! stored before anything else is done with it. Nothing is deleted.

mod look;
mod steps;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use twinpool_shared::{
    documents::{Documents, Kept},
    error::Error,
    group::GroupSettings,
    import::{
        configure::{ManualTask, Step, Wanted},
        patch::{Found, patch},
        plan::TargetPool,
        progress::{State, keys},
    },
    marks::Part,
    port::{Backup, Clock, RawPool, ReadPool, WritePool},
    snapshot::{reading, survey::Survey},
};

use crate::{Importer, Phase};

/// Which configuration goes where.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'a> {
    /// The plan's id.
    pub plan: &'a str,
    /// The pool of the backup.
    pub source: &'a str,
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
        let work = Work {
            importer: self,
            setting,
        };
        let stored = work.stored_state().await?;
        let has_begun = stored.is_some();
        let mut state = stored.unwrap_or_default();
        let clients = work
            .documents()
            .load(&keys::clients(setting.source, setting.plan))
            .await?;
        let steps = setting.wanted.steps.iter().filter(|step| !step.phase.is_after_users());
        let steps: Vec<Step> = steps.cloned().collect();
        self.watch.phase(Phase::Configuration, u64::try_from(steps.len()).ok());
        let (pool, is_new) = work.pool(&mut state, has_begun).await?;
        let mut configured = Configured {
            pool,
            clients: clients.map_or_else(BTreeMap::new, |(clients, _)| clients),
            ..Configured::default()
        };
        if steps.iter().any(|step| !state.steps.contains(&step.digest())) {
            if is_new {
                let rest = steps.get(1..).unwrap_or_default();
                work.carry_out(Phase::Configuration, rest, &mut configured).await?;
            } else {
                let lacking = work.lacking(&mut configured).await?;
                work.carry_out(Phase::Configuration, &lacking, &mut configured).await?;
            }
            let failed: BTreeSet<&str> = configured.failed.iter().map(|failed| failed.path.as_str()).collect();
            let done = steps.iter().filter(|step| !failed.contains(step.path().as_str()));
            work.done(done.map(Step::digest)).await?;
        }
        self.watch.finished(Phase::Configuration);
        Ok(configured)
    }

    /// Lets people sign up and attaches the triggers of that, as wanted, once the users are made. What Cognito refuses comes back.
    ///
    /// # Errors
    /// As Cognito and the table answer.
    pub async fn attach_triggers(&self, setting: &Setting<'_>, pool: &str) -> Result<Vec<FailedStep>, Error> {
        let work = Work {
            importer: self,
            setting,
        };
        let state = work.state().await?;
        let steps = setting.wanted.steps.iter().filter(|step| step.phase.is_after_users());
        let steps: Vec<Step> = steps
            .filter(|step| !state.steps.contains(&step.digest()))
            .cloned()
            .collect();
        let mut configured = Configured {
            pool: pool.to_owned(),
            ..Configured::default()
        };
        work.carry_out(Phase::Triggers, &steps, &mut configured).await?;
        if configured.failed.is_empty() && !steps.is_empty() {
            work.done(steps.iter().map(Step::digest)).await?;
        }
        Ok(configured.failed)
    }
}

/// The work on one target.
struct Work<'a, P, W, B> {
    importer: &'a Importer<P, W, B>,
    setting: &'a Setting<'a>,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Work<'_, P, W, B> {
    /// The steps before the users that the target lacks. Clients that are there are stored as known.
    async fn lacking(&self, configured: &mut Configured) -> Result<Vec<Step>, Error> {
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

    fn documents(&self) -> Documents<'_, B> {
        Documents {
            backup: &self.importer.backup,
            pool: self.setting.source,
            clock: &self.importer.clock,
        }
    }

    async fn state(&self) -> Result<State, Error> {
        Ok(self.stored_state().await?.unwrap_or_default())
    }

    async fn stored_state(&self) -> Result<Option<State>, Error> {
        let key = keys::state(self.setting.source, self.setting.plan);
        let state = self.documents().load(&key).await?;
        Ok(state.map(|(state, _)| state))
    }

    async fn store_state(&self, state: &State) -> Result<(), Error> {
        let key = keys::state(self.setting.source, self.setting.plan);
        self.documents().replace(&key, state, Kept::Always).await
    }

    async fn store_clients(&self, clients: &BTreeMap<String, String>) -> Result<(), Error> {
        let key = keys::clients(self.setting.source, self.setting.plan);
        self.documents().replace(&key, clients, Kept::Always).await
    }

    /// Stores the id of the pool, at once: without it another attempt has to search.
    async fn store_pool(&self, state: &mut State, pool: &str) -> Result<(), Error> {
        if state.pool.as_deref() == Some(pool) {
            return Ok(());
        }
        state.pool = Some(pool.to_owned());
        self.store_state(state).await
    }

    /// Notes that these steps are done.
    async fn done(&self, digests: impl Iterator<Item = String>) -> Result<(), Error> {
        let mut state = self.state().await?;
        state.steps.extend(digests);
        self.store_state(&state).await
    }
}
