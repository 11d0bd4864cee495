//! Whether an existing pool may be filled.
//!
//! Invariant: the pool of the backup is never the target, and a pool with people of its own only when its id was given twice.

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        ORIGINAL_SUB,
        plan::{PLAN_TAG, TargetPool, file},
        progress::{State, keys},
    },
    port::{Backup, RawPool, ReadPool, WritePool},
};

use crate::{Importer, drill};

/// Whether the target is another pool than that of the backup.
///
/// # Errors
/// `BadSetting` when it is the same.
pub(super) fn is_another(target: &TargetPool, source: &str) -> Result<(), Error> {
    match target {
        TargetPool::Existing { id } if id == source => {
            let what = format!(
                "--target {id} is the pool of the backup itself: name another pool, or leave it out for a new one"
            );
            Err(Error::new(ErrorKind::BadSetting, what))
        }
        _ => Ok(()),
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// What is told of imports of the backup of `source` that made a pool and did not come to its end: a second pool is seldom
    /// what is wanted.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub(super) async fn unfinished(&self, source: &str) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        for (id, state) in self.imports_of(source).await? {
            let Some(pool) = state.pool.filter(|_| state.users.is_none()) else {
                continue;
            };
            // A drill stores its plan before it makes anything. One that this version cannot read is told by its pool.
            let stored = self.documents(source).load::<String>(&keys::plan(source, &id)).await?;
            let plan = stored.and_then(|(text, _)| file::open(&text).ok());
            lines.push(match plan.filter(drill::is_drill) {
                Some(plan) => format!("a drill was cut off: remove it with {}", drill::removal(&plan)),
                None => format!(
                    "an import is unfinished: {id} into {pool}; twinpool apply its plan to go on with it, or remove that pool \
                     first if it is to be given up"
                ),
            });
        }
        Ok(lines)
    }

    /// Whether `pool` may be filled without a second word: an import of the backup of `source` made it, nobody is in it, or the
    /// import was there before.
    ///
    /// # Errors
    /// `BadSetting` with the flag that confirms it; else as Cognito and the table answer.
    pub(super) async fn may_be_filled(&self, source: &str, pool: &str) -> Result<(), Error> {
        let described = self
            .reader
            .call("DescribeUserPool", json!({"UserPoolId": pool}))
            .await?;
        let tag = described
            .pointer("/UserPool/UserPoolTags")
            .and_then(|tags| tags.get(PLAN_TAG));
        if let Some(plan) = tag.and_then(Value::as_str) {
            // Anybody can set a tag, and the pool of another backup has one.
            let state = self.documents(source).load::<State>(&keys::state(source, plan)).await?;
            if state.is_some_and(|(state, _)| state.pool.as_deref() == Some(pool)) {
                return Ok(());
            }
        }
        let mut token = None;
        loop {
            let page = self.reader.users_page(pool, None, token.as_deref()).await?;
            let mut users = page.entries.iter().map(|(_, user)| &user.attributes.values);
            if users.any(|values| values.contains_key(ORIGINAL_SUB)) {
                return Ok(());
            }
            match page.token {
                Some(next) if page.entries.is_empty() => token = Some(next),
                _ if page.entries.is_empty() => return Ok(()),
                _ => {
                    let what = format!(
                        "--target {pool} has users whom no import made: if these are to stay beside those of the backup, confirm it \
                         with --into-existing {pool}"
                    );
                    return Err(Error::new(ErrorKind::BadSetting, what));
                }
            }
        }
    }
}
