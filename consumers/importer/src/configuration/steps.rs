//! Carrying out steps, one after another.
//!
//! Invariant: a make whose answer was lost is looked for, repeatedly, before it is made again. A refusal ends the step,
//! not the import, unless it is the pool's.

use std::time::Duration;

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        configure::{CREATE_CLIENT, Step, UPDATE_CLIENT, UPDATE_POOL, update_input},
        patch::update_client_input,
        plan::TargetPool,
    },
    port::{Backup, RawPool, ReadPool, Refusal, WritePool},
};

use super::{
    Configured, FailedStep, Work,
    look::{Look, look, made_by},
};
use crate::Phase;

/// How often a make is tried whose answer is lost each time.
const ATTEMPTS_MAX: u32 = 6;
/// Seconds before each look for what a make without an answer may have made. `List` operations may show it late.
pub(crate) const WAITS_SECONDS: [u64; 6] = [0, 1, 2, 4, 8, 15];
/// The code of a step whose app client could not be made.
const NO_CLIENT: &str = "ClientNotMade";

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Work<'_, P, W, B> {
    /// The pool, and whether this attempt made it.
    pub(super) async fn pool(&mut self) -> Result<(String, bool), Error> {
        let name = match self.setting.target {
            TargetPool::Existing { id } => {
                self.store_pool(id).await?;
                return Ok((id.clone(), false));
            }
            TargetPool::New { name } => name,
        };
        if let Some(pool) = &self.state.pool {
            return Ok((pool.clone(), false));
        }
        if let Some(pool) = self.made(name, self.state.making).await? {
            self.store_pool(&pool).await?;
            return Ok((pool, false));
        }
        if !self.state.making {
            self.state.making = true;
            self.store_state().await?;
        }
        let pool = self.make_pool(name).await?;
        self.store_pool(&pool).await?;
        self.importer.watch.advanced(Phase::Configuration, 1);
        Ok((pool, true))
    }

    async fn make_pool(&self, name: &str) -> Result<String, Error> {
        let Some(step) = self.setting.wanted.steps.first() else {
            return Err(Error::new(
                ErrorKind::Rejected,
                "the plan has no step that makes a pool",
            ));
        };
        let mut lost = None;
        for _ in 0..ATTEMPTS_MAX {
            self.still_held().await?;
            match self
                .importer
                .writer
                .change(step.operation, step.input.expose().clone())
                .await
            {
                Ok(answer) => return id(&answer, step.operation, "UserPool", "Id"),
                Err(Refusal::Refused(code)) => return Err(refused(step.operation, &code)),
                Err(Refusal::Failed(error)) => return Err(error),
                Err(Refusal::Doubtful(error)) => lost = Some(error),
            }
            if let Some(pool) = self.made(name, true).await? {
                return Ok(pool);
            }
        }
        Err(lost.unwrap_or_else(|| unanswered(step.operation)))
    }

    /// The pool that this plan made, looked for once or, where it is in doubt, repeatedly.
    async fn made(&self, name: &str, is_doubtful: bool) -> Result<Option<String>, Error> {
        let looks = if is_doubtful { WAITS_SECONDS.len() } else { 1 };
        for seconds in WAITS_SECONDS.iter().take(looks) {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            if let Some(pool) = made_by(&self.importer.reader, self.setting.plan, name).await? {
                return Ok(Some(pool));
            }
        }
        Ok(None)
    }

    /// Looks for what a step without an answer may have made, repeatedly.
    async fn look_for(&self, step: &Step, configured: &Configured) -> Result<Look, Error> {
        for seconds in WAITS_SECONDS {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            let look = look(&self.importer.reader, &configured.pool, &configured.clients, step).await?;
            if look != Look::Absent {
                return Ok(look);
            }
        }
        Ok(Look::Absent)
    }

    /// Carries out `steps`; what Cognito refuses is noted.
    pub(super) async fn carry_out(
        &mut self,
        phase: Phase,
        steps: &[Step],
        configured: &mut Configured,
    ) -> Result<(), Error> {
        for step in steps {
            if let Some(code) = self.step(step, configured).await? {
                tracing::warn!(operation = step.operation, path = step.path(), code, "refused");
                configured.failed.push(FailedStep::of(step, &code));
            }
            self.importer.watch.advanced(phase, 1);
        }
        Ok(())
    }

    /// Carries out one step. The code with which Cognito refuses it.
    async fn step(&mut self, step: &Step, configured: &mut Configured) -> Result<Option<String>, Error> {
        let Ok(mut input) = step.call_input(&configured.pool, &configured.clients) else {
            return Ok(Some(NO_CLIENT.to_owned()));
        };
        match step.operation {
            UPDATE_POOL => input = self.whole(&configured.pool, step).await?,
            UPDATE_CLIENT => match self.whole_client(&input, step).await {
                Ok(whole) => input = whole,
                Err(error) if error.kind == ErrorKind::NotFound => return Ok(Some(NO_CLIENT.to_owned())),
                Err(error) => return Err(error),
            },
            _ => {}
        }
        let mut lost = None;
        for _ in 0..ATTEMPTS_MAX {
            self.still_held().await?;
            match self.importer.writer.change(step.operation, input.clone()).await {
                Ok(answer) if step.operation == CREATE_CLIENT => {
                    let new = id(&answer, step.operation, "UserPoolClient", "ClientId")?;
                    self.adopt(step, new, configured).await?;
                    return Ok(None);
                }
                Ok(_) => return Ok(None),
                // The attempt before was carried out, and could not be seen yet.
                Err(Refusal::Refused(code)) if lost.is_some() && is_there(&code) => return Ok(None),
                Err(Refusal::Refused(code)) => return Ok(Some(code)),
                Err(Refusal::Failed(error)) => return Err(error),
                Err(Refusal::Doubtful(error)) => lost = Some(error),
            }
            match self.look_for(step, configured).await? {
                Look::Absent | Look::Set => {}
                Look::There => return Ok(None),
                Look::Client(new) => {
                    self.adopt(step, new, configured).await?;
                    return Ok(None);
                }
            }
        }
        Err(lost.unwrap_or_else(|| unanswered(step.operation)))
    }

    /// Input of an update of the pool, which says everything again that it is set to now.
    async fn whole(&self, pool: &str, step: &Step) -> Result<Value, Error> {
        let shown = self
            .importer
            .reader
            .call("DescribeUserPool", json!({"UserPoolId": pool}))
            .await?;
        let mut input = update_input(&shown["UserPool"], step.input.expose());
        input["UserPoolId"] = json!(pool);
        Ok(input)
    }

    /// The same of the app client that `call` names.
    async fn whole_client(&self, call: &Value, step: &Step) -> Result<Value, Error> {
        let ids = json!({"UserPoolId": call["UserPoolId"], "ClientId": call["ClientId"]});
        let shown = self.importer.reader.call("DescribeUserPoolClient", ids.clone()).await?;
        let mut input = update_client_input(&shown["UserPoolClient"], step.input.expose());
        input["UserPoolId"] = ids["UserPoolId"].clone();
        input["ClientId"] = ids["ClientId"].clone();
        Ok(input)
    }

    async fn adopt(&mut self, step: &Step, new: String, configured: &mut Configured) -> Result<(), Error> {
        if let Some(old) = &step.client {
            configured.clients.insert(old.clone(), new);
            self.store_clients(&configured.clients).await?;
        }
        Ok(())
    }
}

fn id(answer: &Value, operation: &str, of: &str, member: &str) -> Result<String, Error> {
    let id = answer[of][member].as_str().map(str::to_owned);
    id.ok_or_else(|| {
        let what = format!("cognito-idp:{operation} answered without {of}.{member}");
        Error::new(ErrorKind::Unavailable, what)
    })
}

/// Whether the code says that what is made is there already. [API: the errors of each `Create` operation]
fn is_there(code: &str) -> bool {
    code.ends_with("ExistsException") || code == "DuplicateProviderException"
}

fn refused(operation: &str, code: &str) -> Error {
    let what = format!("cognito-idp:{operation} failed with {code}");
    Error::new(ErrorKind::Rejected, what)
}

fn unanswered(operation: &str) -> Error {
    let what = format!("cognito-idp:{operation} was not answered");
    Error::new(ErrorKind::Unavailable, what)
}
