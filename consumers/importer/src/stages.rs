//! What a user goes through after being made: password, outside identities, groups, MFA preference.
//!
//! Invariant: a password is set only for whom nobody can have given one: who was made a moment ago, or still waits for it.

use serde_json::json;
use twinpool_shared::{
    import::{
        progress::{GONE, Outcome, Stage, UNANSWERED},
        recreate::{Link, Preference, Recreation},
        shape::Shape,
    },
    personal::Personal,
    port::{RawPool, Refusal, WritePool},
};

use crate::{
    create::{Known, name_of},
    jobs::Imported,
    random::random_password,
    target::{Target, Trouble},
};

/// How often a link is made whose making nobody answers for.
const LINK_ATTEMPTS_MAX: u32 = 8;
/// The status of a user who was made and has no password of their own. [API: UserStatusType]
const WAITS_FOR_PASSWORD: &str = "FORCE_CHANGE_PASSWORD";

/// A user on the way through a stage.
pub(crate) struct Passing<'a> {
    /// How they are made.
    pub(crate) user: &'a Recreation,
    /// The target's shape.
    pub(crate) shape: &'a Shape,
    /// Whether this process made them a moment ago.
    pub(crate) fresh: bool,
    /// What import jobs did.
    pub(crate) imported: &'a Imported,
}

impl<P: RawPool, W: WritePool> Target<'_, P, W> {
    /// Takes a user through `stage` and notes it. Failures that concern the user alone are noted as well.
    pub(crate) async fn pass(
        &self,
        stage: Stage,
        passing: &mut Passing<'_>,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        let (user, shape) = (passing.user, passing.shape);
        if stage == Stage::Create {
            match outcome.new.as_ref().filter(|_| outcome.by_csv) {
                // A job makes enabled users alone; only who was enabled goes by one.
                Some(_) if user.enabled => {}
                Some(new) => self.disable(&name_of(shape, user, new)).await?,
                None => {
                    let known = Known {
                        new: outcome.new.as_ref(),
                        imported: passing.imported,
                    };
                    let made = self.create(user, shape, &known).await?;
                    outcome.new = Some(made.sub);
                    passing.fresh = made.fresh;
                }
            }
            return Ok(());
        }
        let new = outcome.new.as_ref().ok_or_else(|| Trouble::User(GONE.to_owned()))?;
        let name = name_of(shape, user, new);
        match stage {
            Stage::Create => Ok(()),
            Stage::Password => {
                // Setting a password would end RESET_REQUIRED, which an import job left, and bill the user as active.
                if user.password && !outcome.by_csv {
                    self.set_password(&name, passing.fresh).await?;
                }
                self.set(&name, &user.later).await
            }
            Stage::Memberships => self.restore_memberships(&name, user, outcome).await,
            Stage::Preferences => match &user.factors {
                Some(preference) => {
                    let kept = !passing.fresh && self.has_preference(&name, outcome.by_csv).await?;
                    if kept {
                        Ok(())
                    } else {
                        self.prefer(&name, preference).await
                    }
                }
                None => Ok(()),
            },
        }
    }

    /// Sets a random password. `ForgotPassword` refuses whoever has none.
    async fn set_password(&self, name: &Personal, fresh: bool) -> Result<(), Trouble> {
        if !fresh {
            // The person may have set one since.
            let found = self.find(name).await?.ok_or_else(|| Trouble::User(GONE.to_owned()))?;
            if found.status != WAITS_FOR_PASSWORD {
                return Ok(());
            }
        }
        let mut input = self.about(name);
        input["Password"] = json!(random_password()?.expose());
        input["Permanent"] = json!(true);
        self.change("AdminSetUserPassword", input).await
    }

    /// Links and groups, all that can be; the first failure is told.
    async fn restore_memberships(
        &self,
        name: &Personal,
        user: &Recreation,
        outcome: &mut Outcome,
    ) -> Result<(), Trouble> {
        (outcome.links, outcome.memberships) = (0, 0);
        let mut first = Ok(());
        for link in &user.links {
            match self.link(name, link).await {
                Ok(()) => outcome.links += 1,
                Err(Trouble::User(code)) => first = first.and(Err(Trouble::User(code))),
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

    /// Links an outside identity, once: one that is linked already is refused, and then looked for.
    async fn link(&self, name: &Personal, link: &Link) -> Result<(), Trouble> {
        let input = json!({
            "UserPoolId": self.pool,
            "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": name.expose()},
            "SourceUser": {
                "ProviderName": link.provider,
                "ProviderAttributeName": "Cognito_Subject",
                "ProviderAttributeValue": link.user_id.expose(),
            },
        });
        for _ in 0..LINK_ATTEMPTS_MAX {
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
        }
        Err(Trouble::User(UNANSWERED.to_owned()))
    }

    /// Whether there is a preference already: set by an earlier attempt, or by the person since. What a job leaves of itself,
    /// text messages where the pool demands a factor, is none.
    async fn has_preference(&self, name: &Personal, by_csv: bool) -> Result<bool, Trouble> {
        let found = self.find(name).await?.ok_or_else(|| Trouble::User(GONE.to_owned()))?;
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
