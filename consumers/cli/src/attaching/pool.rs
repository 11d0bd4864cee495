//! Setting the trigger slots of a pool, and nothing else of it.
//!
//! Source: API reference, `UpdateUserPool` ("if you don't provide a value for an attribute, Amazon Cognito sets it to its default
//! value"; it refuses MFA that is on or optional in a pool without a factor), `SetUserPoolMfaConfig`.
//!
//! Invariant: `UpdateUserPool` is sent to a pool that is as it was when the operator was shown the difference. What came out
//! otherwise than sent is put back once and named. An answer that was lost is settled by looking; where nobody could look, that is
//! said.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};
use tokio::time::sleep;
use twinpool_shared::{
    attach::{LAMBDA_CONFIG, anything, beside_the_slots},
    error::{Directive, Error, ErrorKind},
    import::configure::{UPDATE_POOL, form, update_input},
    port::{RawPool, Refusal, WritePool},
    snapshot::{Json, diff::diff_config},
};

const SET_MFA: &str = "SetUserPoolMfaConfig";
/// Attempts of an update that was not carried out.
const ATTEMPTS_MAX: u32 = 4;
/// Looks at a pool that something was sent to: over half a minute, besides what the reader itself waits.
const LOOKS_MAX: u32 = 9;
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

    /// Names of whatever differs in a pool that was to become this one with the slots `config`.
    fn left(&self, after: &Self, config: &Value) -> BTreeSet<String> {
        let mut left = self.differences(after);
        if !after.has(config) {
            left.insert(LAMBDA_CONFIG.to_owned());
        }
        left
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

    /// The same, after something was sent: patiently, because nobody else will look.
    async fn look(&self) -> Result<Shown, Error> {
        let mut attempt = 1;
        loop {
            match self.show().await {
                Err(error) if error.directive() == Directive::RetryLater && attempt < LOOKS_MAX => {
                    sleep(BACKOFF.saturating_mul(attempt)).await;
                    attempt += 1;
                }
                shown => return shown,
            }
        }
    }

    /// Gives the pool the slots `config`, if it is still as `before`.
    ///
    /// # Errors
    /// `Unmet` when Cognito refuses the update, which then changed nothing; as Cognito answers. What was sent and could not be
    /// looked at afterwards, and what could not be put back, is said in the error.
    pub(crate) async fn set(&self, before: &Shown, config: &Value) -> Result<Outcome, Error> {
        let changed = before.changes(&self.show().await?);
        if !changed.is_empty() {
            return Ok(Outcome::Changed(changed));
        }
        let input = self.whole(before, config);
        let carried_out = self.carry_out(UPDATE_POOL, &input, before, |now| now.has(config));
        if let Some(changed) = carried_out.await? {
            return Ok(Outcome::Changed(changed));
        }
        let after = self.look().await.map_err(|error| not_verified(UPDATE_POOL, &error))?;
        let settings = before.left(&after, config);
        if settings.is_empty() {
            return Ok(Outcome::Set);
        }
        let left = self.put_back(before, after).await?;
        Ok(if left.is_empty() {
            Outcome::PutBack(settings)
        } else {
            Outcome::Left(left)
        })
    }

    /// Sends a change of the pool, which is as `base`, until it is carried out, which `is_done` tells of a pool. What somebody else
    /// changed meanwhile, if somebody did.
    async fn carry_out(
        &self,
        operation: &str,
        input: &Value,
        base: &Shown,
        is_done: impl Fn(&Shown) -> bool,
    ) -> Result<Option<BTreeSet<String>>, Error> {
        let mut attempt = 1;
        let mut is_doubtful = false;
        loop {
            let error = match self.writer.change(operation, input.clone()).await {
                Ok(_) => return Ok(None),
                Err(Refusal::Refused(code)) if code != AT_THE_SAME_TIME => return Err(refused(operation, &code)),
                Err(Refusal::Refused(code)) => Error::new(
                    ErrorKind::Contended,
                    format!("cognito-idp:{operation} failed with {code}"),
                ),
                Err(Refusal::Failed(error)) if error.kind != ErrorKind::Throttled => return Err(error),
                Err(Refusal::Failed(error)) => error,
                Err(Refusal::Doubtful(error)) => {
                    is_doubtful = true;
                    error
                }
            };
            sleep(BACKOFF.saturating_mul(attempt)).await;
            let now = match self.look().await {
                Err(error) if is_doubtful => return Err(not_verified(operation, &error)),
                now => now?,
            };
            if is_done(&now) {
                // It was carried out, and the answer was lost.
                return Ok(None);
            }
            let changed = base.changes(&now);
            if !changed.is_empty() {
                return Ok(Some(changed));
            }
            if attempt == ATTEMPTS_MAX {
                return Err(error);
            }
            attempt += 1;
        }
    }

    /// Gives the pool, which is as `now`, everything that it was set to; what is otherwise even then.
    ///
    /// The factors come first: MFA that is on or optional is refused while the pool has no factor. They come again where the
    /// update, which takes no factors, turned them off once more.
    async fn put_back(&self, before: &Shown, mut now: Shown) -> Result<BTreeSet<String>, Error> {
        let slots = before.config();
        let pool = self.whole(before, &slots);
        let mut mfa = form(SET_MFA, before.mfa.expose());
        mfa["UserPoolId"] = json!(self.id);
        let mut failures = Vec::new();
        for operation in [SET_MFA, UPDATE_POOL, SET_MFA] {
            let is_mfa = operation == SET_MFA;
            let is_done = |now: &Shown| {
                if is_mfa {
                    before.mfa_differences(now).next().is_none()
                } else {
                    before.left(now, &slots).is_empty()
                }
            };
            if is_done(&now) {
                continue;
            }
            let input = if is_mfa { &mfa } else { &pool };
            let sent = self.carry_out(operation, input, &now, is_done).await;
            now = self.look().await.map_err(|error| not_verified(operation, &error))?;
            match sent {
                Ok(None) => {}
                // Theirs is not overwritten; what it is stands among what is left.
                Ok(Some(_)) => break,
                Err(error) => failures.push(error),
            }
        }
        let left = before.left(&now, &slots);
        match failures.first() {
            Some(first) if !left.is_empty() => Err(not_put_back(first.kind, &failures, &left)),
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

fn refused(operation: &str, code: &str) -> Error {
    let what = format!(
        "cognito-idp:{operation} refuses the pool's own settings with {code}, and would refuse any change of them: put right what \
         it names (its roles and senders are checked anew by every update)"
    );
    Error::new(ErrorKind::Unmet, what)
}

/// What was sent may be in force, and another run would look at the slots only.
fn not_verified(operation: &str, error: &Error) -> Error {
    let what = format!(
        "cognito-idp:{operation} was sent, not verified: {}; compare {LAMBDA_CONFIG} with the difference that was shown, and every other \
         setting of DescribeUserPool and GetUserPoolMfaConfig with what it was; running this again compares the slots only",
        error.what
    );
    Error::new(error.kind, what)
}

fn not_put_back(kind: ErrorKind, failures: &[Error], left: &BTreeSet<String>) -> Error {
    let reasons: Vec<&str> = failures.iter().map(|error| error.what.as_str()).collect();
    let names: Vec<&str> = left.iter().map(String::as_str).collect();
    let what = format!(
        "the pool came out otherwise than it was sent, and could not be put back: {}; these settings are left otherwise than before: \
         {}; set them by hand",
        reasons.join("; also: "),
        names.join(", ")
    );
    Error::new(kind, what)
}

#[cfg(test)]
mod tests;
