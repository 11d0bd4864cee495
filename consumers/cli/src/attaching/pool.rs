//! Setting the trigger slots of a pool, and nothing else of it.
//!
//! Source: API reference, `UpdateUserPool` ("if you don't provide a value for an attribute, Amazon Cognito sets it to its default
//! value"), `SetUserPoolMfaConfig`.
//!
//! Invariant: `UpdateUserPool` is sent to a pool that is as it was when the operator was shown the difference. What came out
//! otherwise than sent is put back once and named. An answer that was lost is settled by looking.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;
use twinpool_shared::{
    attach::{LAMBDA_CONFIG, anything, beside_the_slots},
    error::{Error, ErrorKind},
    import::configure::{UPDATE_POOL, form, update_input},
    port::{RawPool, Refusal, WritePool},
    snapshot::{Json, diff::diff_config},
};

const SET_MFA: &str = "SetUserPoolMfaConfig";
/// Attempts of an update that was not carried out.
const ATTEMPTS_MAX: u32 = 4;
const BACKOFF: Duration = Duration::from_secs(1);
/// Somebody else changes the pool at this moment; nothing was changed. [API]
const AT_THE_SAME_TIME: &str = "ConcurrentModificationException";

/// A pool and the two ways to it.
#[derive(Debug)]
pub(crate) struct Pool<'a, R, W> {
    pub(crate) id: &'a str,
    pub(crate) reader: &'a R,
    pub(crate) writer: &'a W,
}

/// What a pool shows of its settings.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shown {
    /// `UserPool` of `DescribeUserPool`.
    pub(crate) pool: Json,
    /// `GetUserPoolMfaConfig`.
    mfa: Json,
}

/// What became of the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// They are as wanted, and everything else is as it was.
    Set,
    /// Somebody else had changed these settings; nothing was done.
    Changed(BTreeSet<String>),
    /// These settings came out otherwise than they were sent. The pool, slots included, was put back.
    PutBack(BTreeSet<String>),
    /// The same, but these settings are still otherwise than before.
    Left(BTreeSet<String>),
}

impl Shown {
    /// Names of whatever differs, but for slots and dates.
    fn differences(&self, after: &Self) -> BTreeSet<String> {
        let mut names = beside_the_slots(self.pool.expose(), after.pool.expose());
        names.extend(self.mfa_differences(after));
        names
    }

    /// Names of whatever differs.
    fn changes(&self, after: &Self) -> BTreeSet<String> {
        let mut names = anything(self.pool.expose(), after.pool.expose());
        names.extend(self.mfa_differences(after));
        names
    }

    fn mfa_differences(&self, after: &Self) -> impl Iterator<Item = String> {
        let differences = diff_config(&self.mfa, &after.mfa).into_iter();
        differences.map(|difference| format!("MFA/{}", difference.path))
    }

    /// Whether the slots are as in `config`.
    fn has(&self, config: &Value) -> bool {
        self.config() == *config
    }

    fn config(&self) -> Value {
        let config = &self.pool.expose()[LAMBDA_CONFIG];
        if config.is_null() { json!({}) } else { config.clone() }
    }
}

impl<R: RawPool, W: WritePool> Pool<'_, R, W> {
    /// What the pool shows now.
    ///
    /// # Errors
    /// As Cognito answers.
    pub(crate) async fn show(&self) -> Result<Shown, Error> {
        let input = json!({"UserPoolId": self.id});
        let mut pool = self.reader.call("DescribeUserPool", input.clone()).await?;
        let mfa = self.reader.call("GetUserPoolMfaConfig", input).await?;
        let pool = pool["UserPool"].take();
        if !pool.is_object() {
            let what = "cognito-idp:DescribeUserPool answered without UserPool";
            return Err(Error::new(ErrorKind::Unavailable, what));
        }
        Ok(Shown {
            pool: Json::new(pool),
            mfa: Json::new(mfa),
        })
    }

    /// Gives the pool the slots `config`, if it is still as `before`.
    ///
    /// # Errors
    /// `Unmet` when Cognito refuses the update, which then changed nothing; as Cognito answers.
    pub(crate) async fn set(&self, before: &Shown, config: &Value) -> Result<Outcome, Error> {
        let changed = before.changes(&self.show().await?);
        if !changed.is_empty() {
            return Ok(Outcome::Changed(changed));
        }
        if let Some(changed) = self.update(before, config).await? {
            return Ok(Outcome::Changed(changed));
        }
        let after = self.show().await?;
        let mut settings = before.differences(&after);
        if !after.has(config) {
            settings.insert(LAMBDA_CONFIG.to_owned());
        }
        if settings.is_empty() {
            return Ok(Outcome::Set);
        }
        let left = self.put_back(before).await?;
        Ok(if left.is_empty() {
            Outcome::PutBack(settings)
        } else {
            Outcome::Left(left)
        })
    }

    /// Sends the update until it is carried out. What somebody else changed meanwhile, if somebody did.
    async fn update(&self, before: &Shown, config: &Value) -> Result<Option<BTreeSet<String>>, Error> {
        let mut attempt = 1;
        loop {
            let error = match self.writer.change(UPDATE_POOL, self.whole(before, config)).await {
                Ok(_) => return Ok(None),
                Err(Refusal::Refused(code)) if code != AT_THE_SAME_TIME => return Err(refused(&code)),
                Err(Refusal::Refused(code)) => Error::new(
                    ErrorKind::Contended,
                    format!("cognito-idp:{UPDATE_POOL} failed with {code}"),
                ),
                Err(Refusal::Failed(error)) if error.kind != ErrorKind::Throttled => return Err(error),
                Err(Refusal::Failed(error) | Refusal::Doubtful(error)) => error,
            };
            sleep(BACKOFF.saturating_mul(attempt)).await;
            let now = self.show().await?;
            if now.has(config) {
                // It was carried out, and the answer was lost.
                return Ok(None);
            }
            let changed = before.changes(&now);
            if !changed.is_empty() {
                return Ok(Some(changed));
            }
            if attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Gives the pool everything that it was set to; what is otherwise even then.
    async fn put_back(&self, before: &Shown) -> Result<BTreeSet<String>, Error> {
        let refusal = self
            .writer
            .change(UPDATE_POOL, self.whole(before, &before.config()))
            .await;
        let mut now = self.show().await?;
        if before.mfa_differences(&now).next().is_some() {
            let mut input = form(SET_MFA, before.mfa.expose());
            input["UserPoolId"] = json!(self.id);
            // What it came to is seen below.
            let _seen = self.writer.change(SET_MFA, input).await;
            now = self.show().await?;
        }
        let mut left = before.differences(&now);
        if !now.has(&before.config()) {
            left.insert(LAMBDA_CONFIG.to_owned());
        }
        match refusal {
            // Permissions that ended meanwhile: the operator needs the reason more than the names.
            Err(Refusal::Failed(error)) if !left.is_empty() && error.kind == ErrorKind::Denied => {
                let names: Vec<String> = left.into_iter().collect();
                let what = format!(
                    "{}; these settings are left otherwise than before: {}",
                    error.what,
                    names.join(", ")
                );
                Err(Error::new(ErrorKind::Denied, what))
            }
            _ => Ok(left),
        }
    }

    fn whole(&self, shown: &Shown, config: &Value) -> Value {
        let mut input = update_input(shown.pool.expose(), &json!({}));
        input[LAMBDA_CONFIG] = config.clone();
        input["UserPoolId"] = json!(self.id);
        input
    }
}

fn refused(code: &str) -> Error {
    let what = format!(
        "cognito-idp:{UPDATE_POOL} refuses the pool's own settings with {code}, and would refuse any change of them: put right what \
         it names (its roles and senders are checked anew by every update)"
    );
    Error::new(ErrorKind::Unmet, what)
}

#[cfg(test)]
mod tests;
