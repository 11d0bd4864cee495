//! Making a user: once, whatever becomes of the answers.
//!
//! `AdminCreateUser` may have made a user although no answer came, and a killed import may have made one that no document
//! names. Both are found by their user name. [`ORIGINAL_SUB`] alone does not make them the import's own, because whoever signs
//! up under that name could write it: see `adopt`.
//!
//! Invariant: `MessageAction` is `SUPPRESS` in every call, so that nobody is written to; and nobody else's user is touched. Who
//! is there is noted before anything else is done with them.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        ORIGINAL_SUB,
        adopt::missing,
        pairs::Paired,
        progress::{Outcome, TAKEN, UNANSWERED},
        recreate::Recreation,
        shape::{Shape, UserNames},
    },
    personal::{Personal, Sub},
    port::{RawPool, ReadPool, Refusal, WritePool},
};

use crate::{
    jobs::Imported,
    random::random_password,
    target::{Found, Target, Trouble, pairs},
};

/// How often a user is made whose making nobody answers for.
pub(crate) const ATTEMPTS_MAX: u32 = 8;
/// Wait after the first unanswered attempt; it doubles from there.
pub(crate) const WAIT: Duration = Duration::from_millis(400);
/// Names that are there already: as a name, or as an alias.
const EXISTS: [&str; 2] = ["UsernameExistsException", "AliasExistsException"];
/// Of a user who is not there, Cognito says `UserNotFoundException`: this is the pool.
const NO_POOL: &str = "ResourceNotFoundException";

/// States that an administrator or an import job leads to, and no sign-up. [API: UserStatusType]
const ADMINISTRATORS: [&str; 2] = ["FORCE_CHANGE_PASSWORD", "RESET_REQUIRED"];

/// What is known of earlier attempts.
#[derive(Clone, Copy)]
pub(crate) struct Known<'a> {
    /// When jobs ran.
    pub(crate) imported: &'a Imported,
    /// Whom imports of other plans made here.
    pub(crate) earlier: &'a Paired,
}

/// The name by which a user is called who is there: their own, or, where Cognito made it, the `sub`, because an address may
/// be somebody else's by then.
pub(crate) fn name_of(shape: &Shape, user: &Recreation, sub: &Sub) -> Personal {
    match shape.names {
        UserNames::Own => user.username.clone(),
        _ => Personal::new(sub.as_str()),
    }
}

impl<P: ReadPool + RawPool, W: WritePool> Target<'_, P, W> {
    /// Makes `user`, who came by no job, or finds that an earlier attempt did, and notes them. Whether this very call made
    /// them: nobody can have done anything with them yet.
    pub(crate) async fn create(
        &self,
        user: &Recreation,
        shape: &Shape,
        known: Known<'_>,
        outcome: &mut Outcome,
    ) -> Result<bool, Trouble> {
        let (found, fresh) = match &outcome.new {
            // Never made again: they may have deleted themselves.
            Some(new) => (self.look(&name_of(shape, user, new), new, false).await?, false),
            None => self.make(user, shape, known).await?,
        };
        outcome.new = Some(found.sub.clone());
        let name = name_of(shape, user, &found.sub);
        // First of all: whoever is disabled must not use what they are given next.
        if !user.enabled && found.enabled {
            self.disable(&name).await?;
        }
        if !fresh {
            let mut missing = missing(&user.attributes, &found.attributes, shape);
            missing.remove(ORIGINAL_SUB);
            self.set(&name, &missing).await?;
        }
        Ok(fresh)
    }

    /// The user, and whether this call made them.
    async fn make(&self, user: &Recreation, shape: &Shape, known: Known<'_>) -> Result<(Found, bool), Trouble> {
        let mut input = self.about(&user.username);
        input["UserAttributes"] = pairs(&user.attributes);
        input["MessageAction"] = json!("SUPPRESS");
        // Where users sign in by a code, one without a password would be confirmed at once, and an import that goes on after a
        // kill could not tell whether the random password is set.
        if user.temporary_password || shape.signs_in_by_code() {
            input["TemporaryPassword"] = json!(random_password()?.expose());
        }
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS_MAX {
            match self.writer.change("AdminCreateUser", input.clone()).await {
                Ok(answer) => {
                    let found = answer.get("User").and_then(|made| Found::read(made, "Attributes"));
                    let found = found.ok_or_else(Trouble::unreadable)?;
                    return Ok((found, true));
                }
                Err(Refusal::Refused(code)) if EXISTS.contains(&code.as_str()) => {
                    let found = self.find(&user.username).await?;
                    return adopt(user, shape, known, found.ok_or(Trouble::User(code))?);
                }
                Err(Refusal::Refused(code)) if code == NO_POOL => {
                    let what = format!("the user pool {} is not there", self.pool);
                    return Err(Trouble::Import(Error::new(ErrorKind::NotFound, what)));
                }
                Err(Refusal::Refused(code)) => return Err(Trouble::User(code)),
                Err(Refusal::Doubtful(_)) => {
                    if let Some(found) = self.find(&user.username).await? {
                        return adopt(user, shape, known, found);
                    }
                }
                Err(Refusal::Failed(error)) => return Err(Trouble::Import(error)),
            }
            sleep(wait).await;
            wait *= 2;
        }
        Err(Trouble::User(UNANSWERED.to_owned()))
    }
}

/// Takes a user over who is there, if the import made them.
///
/// The marker is needed and does not suffice: where clients may write it, anybody could sign up under the name with it. So an
/// earlier import's chunk names the user, or they are in a state that no sign-up reaches, or a job of this import made them.
fn adopt(user: &Recreation, shape: &Shape, known: Known<'_>, found: Found) -> Result<(Found, bool), Trouble> {
    let is_named = shape.names != UserNames::Own || found.is_named(&user.username, shape);
    let is_noted = known.earlier.new_sub(&user.sub).as_ref() == Some(&found.sub);
    let is_made_by_administrator = ADMINISTRATORS.contains(&found.status.as_str());
    let is_by_job = found.created.is_some_and(|created| known.imported.covers(created));
    if found.is_of(&user.sub) && is_named && (is_noted || is_made_by_administrator || is_by_job) {
        return Ok((found, false));
    }
    Err(Trouble::User(TAKEN.to_owned()))
}
