//! What a user goes through after being made: password, MFA preference, outside identities, groups.
//!
//! Invariant: a password is set only for whom nobody can have given one: who was made a moment ago, or still waits for
//! it. Nothing is given to whoever has the name of somebody who is gone.

use serde_json::{Value, json};
use tokio::time::sleep;
use twinpool_shared::{
    import::{
        adopt::missing,
        progress::{GONE, Outcome, Stage, UNANSWERED},
        recreate::{Link, Preference, Recreation},
        shape::{Shape, UserNames},
    },
    personal::{Personal, Sub},
    port::{RawPool, ReadPool, Refusal, WritePool},
};

use crate::{
    create::{ATTEMPTS_MAX, Known, WAIT, name_of},
    random::random_password,
    target::{Found, Target, Trouble},
};

/// The status of a user who was made and has no password of their own. [API: UserStatusType]
const WAITS_FOR_PASSWORD: &str = "FORCE_CHANGE_PASSWORD";

/// A user on the way through a stage.
pub(crate) struct Passing<'a> {
    /// How they are made.
    pub(crate) user: &'a Recreation,
    /// The target's shape.
    pub(crate) shape: &'a Shape,
    /// Whether this process made them a moment ago, by the clock on the wall: asked as late as can be.
    pub(crate) fresh: &'a (dyn Fn() -> bool + Send + Sync),
    /// What earlier attempts did.
    pub(crate) known: Known<'a>,
    /// Whether somebody else may have their name by now: others can sign up, or this is days later.
    pub(crate) guarded: bool,
}

impl<P: ReadPool + RawPool, W: WritePool> Target<'_, P, W> {
    /// Takes a user through `stage` and notes it. Whether this very call made them.
    pub(crate) async fn pass(
        &self,
        stage: Stage,
        passing: &Passing<'_>,
        outcome: &mut Outcome,
    ) -> Result<bool, Trouble> {
        let (user, shape) = (passing.user, passing.shape);
        if stage == Stage::Create && !outcome.by_csv {
            return self.create(user, shape, passing.known, outcome).await;
        }
        let new = outcome.new.clone().ok_or_else(|| Trouble::User(GONE.to_owned()))?;
        let name = &name_of(shape, user, &new);
        let nothing_to_do = match stage {
            Stage::Create => user.enabled,
            Stage::Password => (!user.password || outcome.by_csv) && user.later.is_empty(),
            Stage::Preferences => user.factors.is_none(),
            Stage::Memberships => user.links.is_empty() && user.groups.is_empty(),
        };
        if nothing_to_do {
            return Ok(false);
        }
        let mut found = None;
        // Who is called by the `sub` is nobody else.
        if passing.guarded && shape.names == UserNames::Own && !(passing.fresh)() {
            found = Some(self.look(name, &new, outcome.by_csv).await?);
        }
        match stage {
            // A job makes enabled users alone; only who was enabled goes by one.
            Stage::Create => self.disable(name).await?,
            Stage::Password => {
                // Setting a password would end RESET_REQUIRED, which an import job left, and bill the user as active.
                if user.password && !outcome.by_csv {
                    found = self.set_password(name, &new, passing.fresh, found).await?;
                }
                if !user.later.is_empty() {
                    if found.is_none() && !(passing.fresh)() {
                        found = Some(self.look(name, &new, outcome.by_csv).await?);
                    }
                    let later = found.map_or_else(
                        || user.later.clone(),
                        |found| missing(&user.later, &found.attributes, shape),
                    );
                    self.set(name, &later).await?;
                }
            }
            Stage::Preferences => {
                if let Some(preference) = &user.factors {
                    let kept = !(passing.fresh)() && self.has_preference(name, &new, outcome.by_csv).await?;
                    if !kept {
                        self.prefer(name, preference).await?;
                    }
                }
            }
            Stage::Memberships => self.restore_memberships(name, user, outcome).await?,
        }
        Ok(false)
    }

    /// Sets a random password for whom nobody can have given one. `ForgotPassword` refuses whoever has none.
    ///
    /// A person who has one, and who may have set it since, keeps it: they are looked at unless they are `fresh`, and after each
    /// answer that was lost, because with the first password they can reset it. As they were `found` then.
    async fn set_password(
        &self,
        name: &Personal,
        new: &Sub,
        fresh: &(dyn Fn() -> bool + Send + Sync),
        mut found: Option<Found>,
    ) -> Result<Option<Found>, Trouble> {
        let mut input = self.about(name);
        input["Permanent"] = json!(true);
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS_MAX {
            if found.is_none() && !fresh() {
                found = Some(self.look(name, new, false).await?);
            }
            if found.as_ref().is_some_and(|found| found.status != WAITS_FOR_PASSWORD) {
                return Ok(found);
            }
            input["Password"] = json!(random_password()?.expose());
            match self.writer.change("AdminSetUserPassword", input.clone()).await {
                Ok(_) => return Ok(found),
                Err(Refusal::Refused(code)) => return Err(Trouble::User(code)),
                Err(Refusal::Failed(error)) => return Err(Trouble::Import(error)),
                Err(Refusal::Doubtful(_)) => sleep(wait).await,
            }
            wait *= 2;
            found = Some(self.look(name, new, false).await?);
        }
        match found {
            Some(found) if found.status != WAITS_FOR_PASSWORD => Ok(Some(found)),
            _ => Err(Trouble::User(UNANSWERED.to_owned())),
        }
    }

    /// Links and groups, all that can be; the first failure is told.
    async fn restore_memberships(
        &self,
        name: &Personal,
        user: &Recreation,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        (outcome.links, outcome.unlinked, outcome.memberships) = (0, 0, 0);
        let mut first = Ok(());
        for link in &user.links {
            let native = json!({"ProviderName": "Cognito", "ProviderAttributeValue": name.expose()});
            match self.link(name, native, link).await {
                Ok(()) => outcome.links += 1,
                Err(Trouble::User(code)) => {
                    outcome.unlinked += 1;
                    first = first.and(Err(Trouble::User(code)));
                }
                Err(stops) => return Err(stops),
            }
        }
        for group in &user.groups {
            match self.join(name, group).await {
                Ok(()) => outcome.memberships += 1,
                Err(Trouble::User(code)) => first = first.and(Err(Trouble::User(code))),
                Err(stops) => return Err(stops),
            }
        }
        first
    }

    /// Links an outside identity to the user `name`, who is `destination`, once: one that is linked already is refused, and then
    /// looked for.
    pub(crate) async fn link(&self, name: &Personal, destination: Value, link: &Link) -> Result<(), Trouble> {
        let input = json!({
            "UserPoolId": self.pool,
            "DestinationUser": destination,
            "SourceUser": {
                "ProviderName": link.provider,
                "ProviderAttributeName": "Cognito_Subject",
                "ProviderAttributeValue": link.user_id.expose(),
            },
        });
        let mut wait = WAIT;
        for _ in 0..ATTEMPTS_MAX {
            let code = match self.writer.change("AdminLinkProviderForUser", input.clone()).await {
                Ok(_) => return Ok(()),
                Err(Refusal::Refused(code)) => Some(code),
                Err(Refusal::Doubtful(_)) => None,
                Err(Refusal::Failed(error)) => return Err(Trouble::Import(error)),
            };
            if self
                .find(name)
                .await?
                .is_some_and(|found| link.is_in(found.attributes.get("identities")))
            {
                return Ok(());
            }
            if let Some(code) = code {
                return Err(Trouble::User(code));
            }
            sleep(wait).await;
            wait *= 2;
        }
        Err(Trouble::User(UNANSWERED.to_owned()))
    }

    /// Whether there is a preference already: set by an earlier attempt, or by the person since. What a job leaves of itself,
    /// text messages where the pool demands a factor, is none.
    async fn has_preference(&self, name: &Personal, new: &Sub, by_csv: bool) -> Result<bool, Trouble> {
        // Lists show no factors. Who has a preference is billed for it.
        let found = self.look(name, new, false).await?;
        let mut factors = found.factors.iter();
        Ok(found.preferred.is_some() || factors.any(|factor| !by_csv || factor != "SMS_MFA"))
    }

    async fn prefer(&self, name: &Personal, preference: &Preference) -> Result<(), Trouble> {
        let mut input = self.about(name);
        let kinds = [
            ("SMSMfaSettings", preference.sms, "SMS_MFA"),
            ("EmailMfaSettings", preference.email, "EMAIL_OTP"),
        ];
        for (settings, enabled, kind) in kinds {
            if enabled {
                let preferred = preference.preferred.as_deref() == Some(kind);
                input[settings] = json!({"Enabled": true, "PreferredMfa": preferred});
            }
        }
        self.change("AdminSetUserMFAPreference", input).await
    }
}
