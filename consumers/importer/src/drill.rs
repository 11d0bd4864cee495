//! Rehearsing a restore: a plan carried out into a pool of its own, compared with the backup, and removed.
//!
//! Invariant: removes nothing but a pool that has the plan's tag and the name of a drill, and the documents of that plan. A pool
//! without both is never removed, whoever asks.

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::time::Instant;
use twinpool_shared::{
    adapter::lease::Holder,
    documents::Kept,
    error::{Error, ErrorKind},
    import::{
        configure::update_input,
        plan::{PLAN_TAG, Plan, TargetPool, file},
        progress::{State, keys},
    },
    item::Key,
    port::{Backup, RawPool, ReadPool, Refusal, WritePool},
    time::Timestamp,
};

use crate::{
    ApplyOptions, ApplyReport, Importer, Phase,
    configuration::WAITS_SECONDS,
    verify::{VerifyOrder, VerifyReport},
};

pub use twinpool_shared::import::configure::DRILL_PREFIX as NAME_PREFIX;

/// What a drill came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrillReport {
    /// The plan.
    pub plan: String,
    /// Id of the pool that was made.
    pub target: String,
    /// Whether it was removed again.
    pub removed: bool,
    /// The least that the plan said it takes.
    pub floor_seconds: u64,
    /// How long the import took.
    pub apply_seconds: f64,
    /// How long the comparison took.
    pub verify_seconds: f64,
    /// How long the removal took.
    pub removal_seconds: f64,
    /// What the import came to.
    pub applied: ApplyReport,
    /// What the comparison came to.
    pub verified: VerifyReport,
}

/// The name of a drill's pool.
#[must_use]
pub fn name(at: Timestamp) -> String {
    let plain: String = at.to_string().chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{NAME_PREFIX}{}", plain.to_lowercase())
}

/// Whether `plan` is a drill's.
pub(crate) fn is_drill(plan: &Plan) -> bool {
    matches!(&plan.target.pool, TargetPool::New { name } if name.starts_with(NAME_PREFIX))
}

/// The command that removes what the drill of `plan` made.
#[must_use]
pub fn removal(plan: &Plan) -> String {
    format!(
        "twinpool drill --target-region {} --pool {} --table {} --remove {}",
        plan.target.region, plan.source.pool, plan.source.table, plan.id
    )
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Stores `plan`, carries it out, compares, and removes what it made, unless it is to be kept. It is also removed when
    /// something failed on the way.
    ///
    /// # Errors
    /// `BadSetting` for a plan that is no drill's; else as [`Self::apply`], [`Self::verify`] and [`Self::remove_drill_as`].
    pub async fn drill(&self, plan: &Plan, options: &ApplyOptions, keep: bool) -> Result<DrillReport, Error> {
        if !is_drill(plan) {
            let what =
                format!("the plan makes no pool whose name begins with {NAME_PREFIX}: make the drill's own plan");
            return Err(Error::new(ErrorKind::BadSetting, what));
        }
        let source = plan.source.pool.as_str();
        let key = keys::plan(source, &plan.id);
        let text = file::seal(plan)?;
        self.documents(source).replace(&key, &text, Kept::Always).await?;
        let rehearsed = Box::pin(self.rehearse(plan, options)).await;
        let began = Instant::now();
        let removed = if keep {
            Ok(false)
        } else {
            Box::pin(self.remove_drill_as(plan, &options.holder)).await
        };
        let (mut report, removed) = match (rehearsed, removed) {
            (Ok(report), Ok(removed)) => (report, removed),
            (Err(error), Ok(_)) => return Err(error),
            (Ok(_), Err(left)) => return Err(Error::new(left.kind, still_there(&left, plan))),
            (Err(error), Err(left)) => {
                let what = format!("{}; and {}", error.what, still_there(&left, plan));
                return Err(Error::new(error.kind, what));
            }
        };
        report.removed = removed;
        report.removal_seconds = began.elapsed().as_secs_f64();
        Ok(report)
    }

    async fn rehearse(&self, plan: &Plan, options: &ApplyOptions) -> Result<DrillReport, Error> {
        let began = Instant::now();
        let applied = Box::pin(self.apply(plan, options)).await?;
        let apply_seconds = began.elapsed().as_secs_f64();
        let verified = Box::pin(self.verify(&VerifyOrder::of(plan, &applied.pool))).await?;
        Ok(DrillReport {
            plan: plan.id.clone(),
            target: applied.pool.clone(),
            removed: false,
            floor_seconds: plan.estimate.seconds,
            apply_seconds,
            verify_seconds: verified.seconds,
            removal_seconds: 0.0,
            applied,
            verified,
        })
    }

    /// The plan `id` of a drill of `source`, which is stored before anything is made.
    ///
    /// # Errors
    /// `NotFound` when there is none: nothing was made, or all of it is removed; else as the table answers.
    pub async fn plan_of_drill(&self, source: &str, id: &str) -> Result<Plan, Error> {
        let stored = self.documents(source).load::<String>(&keys::plan(source, id)).await?;
        let (text, _) = stored.ok_or_else(|| {
            let what = format!("the plan {id} in the table: nothing was made by it, or all of it is removed");
            Error::new(ErrorKind::NotFound, what)
        })?;
        file::open(&text)
    }

    /// [`Self::remove_drill`], as `holder` of the lease: while the drill is still at work, its pool stays.
    ///
    /// # Errors
    /// `Held` when an import of the pool is at work; else as [`Self::remove_drill`].
    pub async fn remove_drill_as(&self, plan: &Plan, holder: &Holder) -> Result<bool, Error> {
        let tenure = self.tenure(&plan.source.pool, holder);
        tenure.during(Box::pin(self.remove_drill(plan))).await
    }

    /// Removes the pool that the drill of `plan` made, with its domain and the documents of the plan. `true` when it is gone,
    /// also where there was none. An answer that was lost may have led to two: all with the drill's name and tag go.
    ///
    /// # Errors
    /// `BadSetting` when the pool is not of that drill; else as Cognito and the table answer. Doing it again goes on.
    pub async fn remove_drill(&self, plan: &Plan) -> Result<bool, Error> {
        let source = plan.source.pool.as_str();
        let state = self
            .documents(source)
            .load::<State>(&keys::state(source, &plan.id))
            .await?;
        let state = state.map(|(state, _)| state).unwrap_or_default();
        self.watch.phase(Phase::Removal, Some(3));
        let mut pools = BTreeSet::from_iter(state.pool.clone());
        // One that was about to be made may be listed late; nobody knows its id.
        let looks = if state.pool.is_none() && state.making {
            WAITS_SECONDS.len()
        } else {
            1
        };
        for seconds in WAITS_SECONDS.iter().take(looks) {
            tokio::time::sleep(Duration::from_secs(*seconds)).await;
            pools.extend(self.pools_of_drill(plan).await?);
        }
        for pool in pools {
            self.remove_pool(plan, &pool).await?;
        }
        self.watch.advanced(Phase::Removal, 2);
        self.remove_documents(plan).await?;
        self.watch.finished(Phase::Removal);
        Ok(true)
    }

    /// The pools of the drill, by name and tag: a drill that was killed may have noted none.
    async fn pools_of_drill(&self, plan: &Plan) -> Result<Vec<String>, Error> {
        let mut pools = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let mut input = json!({"MaxResults": 60});
            if let Some(token) = token {
                input["NextToken"] = json!(token);
            }
            let page = self.reader.call("ListUserPools", input).await?;
            let listed = page.get("UserPools").and_then(Value::as_array);
            for id in listed.into_iter().flatten().filter_map(|pool| {
                let is_named = pool.get("Name").and_then(Value::as_str) == Some(plan.target_name());
                pool.get("Id").and_then(Value::as_str).filter(|_| is_named)
            }) {
                let shown = match self.reader.call("DescribeUserPool", json!({"UserPoolId": id})).await {
                    Ok(shown) => shown,
                    // Removed before, and listed still.
                    Err(error) if error.kind == ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                if is_of_drill(shown.get("UserPool").unwrap_or(&Value::Null), plan).is_ok() {
                    pools.push(id.to_owned());
                }
            }
            token = page.get("NextToken").and_then(Value::as_str).map(str::to_owned);
            if token.is_none() {
                return Ok(pools);
            }
        }
    }

    async fn remove_pool(&self, plan: &Plan, pool: &str) -> Result<(), Error> {
        let of = json!({"UserPoolId": pool});
        let answer = match self.reader.call("DescribeUserPool", of.clone()).await {
            Ok(answer) => answer,
            // Removed before.
            Err(error) if error.kind == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        };
        let shown = answer.get("UserPool").unwrap_or(&Value::Null);
        is_of_drill(shown, plan)?;
        for domain in ["Domain", "CustomDomain"]
            .iter()
            .filter_map(|name| shown.get(name)?.as_str())
        {
            let input = json!({"UserPoolId": pool, "Domain": domain});
            self.remove("DeleteUserPoolDomain", input).await?;
        }
        if shown.get("DeletionProtection").and_then(Value::as_str) == Some("ACTIVE") {
            // Says everything again: without its tag a pool that then stays would never be removed.
            let mut input = update_input(shown, &json!({"DeletionProtection": "INACTIVE"}));
            input["UserPoolId"] = json!(pool);
            self.remove("UpdateUserPool", input).await?;
        }
        self.remove("DeleteUserPool", of).await
    }

    async fn remove(&self, operation: &str, input: Value) -> Result<(), Error> {
        match self.writer.change(operation, input).await {
            // Gone is gone.
            Ok(_) => Ok(()),
            Err(Refusal::Refused(code)) if code == "ResourceNotFoundException" => Ok(()),
            Err(Refusal::Refused(code)) => {
                let what = format!("cognito-idp:{operation} was refused: {code}; the drill's pool is still there");
                Err(Error::new(ErrorKind::Rejected, what))
            }
            Err(Refusal::Doubtful(error) | Refusal::Failed(error)) => Err(error),
        }
    }

    /// The state goes nearly last: it knows the pool. The plan goes last: without it nobody can ask for the removal again.
    async fn remove_documents(&self, plan: &Plan) -> Result<(), Error> {
        let source = plan.source.pool.as_str();
        let chunks = (0..plan.users.chunks as usize).map(|number| keys::chunk(source, &plan.id, number));
        let chunks: Vec<Key> = chunks.collect();
        self.remove_paced(&chunks).await?;
        let state = keys::state(source, &plan.id);
        let rest = self.backup.documents(&state.pk, &format!("{}#", plan.id)).await?;
        let rest: Vec<Key> = rest.into_iter().map(|document| document.key).collect();
        let (id, plan) = (plan.id.as_str(), keys::plan(source, &plan.id));
        let others: Vec<Key> = rest.into_iter().filter(|key| *key != state && *key != plan).collect();
        self.remove_paced(&others).await?;
        self.backup.remove_documents(&[state]).await?;
        self.forget_import(source, id).await?;
        self.backup.remove_documents(&[plan]).await
    }
}

/// What is told of a removal that failed.
fn still_there(error: &Error, plan: &Plan) -> String {
    format!(
        "what the drill made was not removed: {}; remove it with {}",
        error.what,
        removal(plan)
    )
}

/// Whether a pool is the one that the drill of `plan` made.
fn is_of_drill(shown: &Value, plan: &Plan) -> Result<(), Error> {
    let name = shown.get("Name").and_then(Value::as_str).unwrap_or_default();
    let tags = shown.get("UserPoolTags");
    let tag = tags.and_then(|tags| tags.get(PLAN_TAG)).and_then(Value::as_str);
    let planned = matches!(&plan.target.pool, TargetPool::New { name: planned } if planned == name);
    if planned && name.starts_with(NAME_PREFIX) && tag == Some(plan.id.as_str()) {
        return Ok(());
    }
    let what = format!(
        "the pool has not the name and the tag {PLAN_TAG} of this drill, so it was not removed; remove it by hand if it is one"
    );
    Err(Error::new(ErrorKind::BadSetting, what))
}

#[cfg(test)]
mod tests;
