//! One user: birth, episodes, death.
//!
//! Invariant: a person does only what the documented rules of the pool allow in the person's state, so that a refusal is
//! news; after an answer was lost the person's state is what the pool last confirmed.

use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, AuthenticationResultType, ChallengeNameType, DeliveryMediumType, MessageActionType,
    SmsMfaSettingsType,
};

use super::{
    calls::{Calls, Kind, Refused},
    draw::Draw,
    groups,
};
use crate::{
    compare::Deleted,
    stack::{PoolHandle, PoolKind},
};

/// Where a person stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Unborn,
    /// Has to choose a password at the first sign-in.
    Invited,
    Confirmed,
    Disabled,
    Deleted,
    /// Was never created, or nobody knows: the pool decides what the backup must show.
    Unknown,
}

/// One user.
#[derive(Debug)]
pub(super) struct Person {
    draw: Draw,
    tag: String,
    pool: usize,
    state: State,
    /// What calls name the user by.
    name: String,
    sub: String,
    password: String,
    serial: u32,
    token: Option<String>,
    phone: bool,
    /// Whether a trigger carried the profile.
    was_seen: bool,
}

type Done = Result<(), Refused>;

fn attribute(name: &str, value: &str) -> AttributeType {
    AttributeType::builder()
        .name(name)
        .value(value)
        .build()
        .expect("a name is all that it needs")
}

impl Person {
    pub(super) fn new(seed: u64, number: usize, pool: usize) -> Self {
        Self {
            draw: Draw::of(seed, number as u64),
            tag: format!("person-{number}"),
            pool,
            state: State::Unborn,
            name: String::new(),
            sub: String::new(),
            password: String::new(),
            serial: 0,
            token: None,
            phone: false,
            was_seen: false,
        }
    }

    pub(super) fn is_born(&self) -> bool {
        self.state != State::Unborn
    }

    pub(super) fn is_alive(&self) -> bool {
        !matches!(self.state, State::Deleted | State::Unknown)
    }

    /// What a comparison must find of a person who was deleted.
    pub(super) fn epitaph(&self, calls: &Calls<'_>) -> Option<Deleted> {
        (self.state == State::Deleted).then(|| Deleted {
            pool: calls.pools[self.pool].id.clone(),
            sub: self.sub.clone(),
            was_seen: self.was_seen,
        })
    }

    fn next(&mut self, what: &str) -> String {
        self.serial += 1;
        format!("{what}{}", self.serial)
    }

    fn next_email(&mut self) -> String {
        let serial = self.next("v");
        format!("{}.{serial}@example.com", self.tag)
    }

    fn next_password(&mut self) -> String {
        let serial = self.next("Secret-");
        format!("{serial}-{}!", self.draw.below(1_000_000))
    }

    /// Comes into being: by sign-up, by an invitation with a message, or quietly.
    pub(super) async fn birth(&mut self, calls: &Calls<'_>) {
        let pool = &calls.pools[self.pool];
        // Nobody knows, until the pool has answered.
        self.state = State::Unknown;
        let email = self.next_email();
        self.name = match pool.kind {
            PoolKind::Username => self.tag.clone(),
            PoolKind::Email => email.clone(),
        };
        let mut attributes = vec![attribute("email", &email), attribute("custom:plan", "basic")];
        self.phone = self.draw.percent(40);
        if self.phone {
            let number = format!("+3161{:07}", self.draw.below(10_000_000));
            attributes.push(attribute("phone_number", &number));
        }
        let _refusals_are_counted = if self.draw.percent(55) {
            self.sign_up(calls, pool, attributes).await
        } else {
            attributes.push(attribute("email_verified", "true"));
            let message = self.draw.percent(60);
            self.invitation(calls, pool, attributes, message).await
        };
    }

    async fn sign_up(&mut self, calls: &Calls<'_>, pool: &PoolHandle, attributes: Vec<AttributeType>) -> Done {
        let password = self.next_password();
        let sign_up = || {
            let request = calls.cognito.sign_up().client_id(&pool.client_id).username(&self.name);
            request
                .password(&password)
                .set_user_attributes(Some(attributes.clone()))
                .send()
        };
        let answer = calls.make("SignUp", Kind::Change, sign_up).await?;
        self.created(pool, answer.user_sub);
        self.password = password;
        self.was_seen = true;
        let code = calls.code(pool, &self.sub, "SignUp").await?;
        let confirm = || {
            let request = calls.cognito.confirm_sign_up().client_id(&pool.client_id);
            request.username(&self.name).confirmation_code(&code).send()
        };
        calls.make("ConfirmSignUp", Kind::Change, confirm).await?;
        self.state = State::Confirmed;
        Ok(())
    }

    async fn invitation(
        &mut self,
        calls: &Calls<'_>,
        pool: &PoolHandle,
        attributes: Vec<AttributeType>,
        message: bool,
    ) -> Done {
        let password = self.next_password();
        let create = || {
            let request = calls
                .cognito
                .admin_create_user()
                .user_pool_id(&pool.id)
                .username(&self.name);
            let request = if message {
                request.desired_delivery_mediums(DeliveryMediumType::Email)
            } else {
                request.message_action(MessageActionType::Suppress)
            };
            request
                .temporary_password(&password)
                .set_user_attributes(Some(attributes.clone()))
                .send()
        };
        let answer = calls.make("AdminCreateUser", Kind::Change, create).await?;
        let shown = answer.user.and_then(|user| user.attributes).unwrap_or_default();
        let sub = shown.into_iter().find(|attribute| attribute.name == "sub");
        self.created(pool, sub.and_then(|attribute| attribute.value).unwrap_or_default());
        self.password = password;
        self.was_seen = message;
        self.state = State::Invited;
        Ok(())
    }

    fn created(&mut self, pool: &PoolHandle, sub: String) {
        if pool.kind == PoolKind::Email {
            self.name.clone_from(&sub);
        }
        self.sub = sub;
    }

    /// Does one thing. A refusal is counted by the call itself and ends the episode.
    pub(super) async fn episode(&mut self, calls: &Calls<'_>) {
        let pool = &calls.pools[self.pool];
        let _refusals_are_counted = match self.state {
            State::Invited => self.first_sign_in(calls, pool).await,
            State::Disabled => self.enable(calls, pool, true).await,
            State::Confirmed => match self.draw.below(100) {
                0..=23 => self.edit_own(calls, pool).await,
                24..=39 => self.edit_by_admin(calls, pool).await,
                40..=45 => self.delete_attribute(calls, pool).await,
                46..=53 => self.change_email(calls, pool).await,
                54..=61 => self.enable(calls, pool, false).await,
                62..=75 => self.join_or_leave(calls, pool).await,
                76..=77 => groups::churn(calls, pool, &mut self.draw).await,
                78..=83 => self.recover(calls, pool).await,
                84..=88 => self.second_factor(calls, pool).await,
                89..=95 => self.sign_in(calls, pool).await,
                _ => self.delete(calls, pool).await,
            },
            State::Unborn | State::Deleted | State::Unknown => Ok(()),
        };
    }

    async fn first_sign_in(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let session = self.initiate(calls, pool).await?.1;
        let password = self.next_password();
        let respond = || {
            let request = calls.cognito.respond_to_auth_challenge().client_id(&pool.client_id);
            request
                .challenge_name(ChallengeNameType::NewPasswordRequired)
                .set_session(session.clone())
                .challenge_responses("USERNAME", &self.name)
                .challenge_responses("NEW_PASSWORD", &password)
                .send()
        };
        let answer = calls.make("RespondToAuthChallenge", Kind::Change, respond).await?;
        self.password = password;
        self.was_seen = true;
        self.state = State::Confirmed;
        self.keep(answer.authentication_result);
        Ok(())
    }

    fn keep(&mut self, result: Option<AuthenticationResultType>) {
        self.token = result.and_then(|result| result.access_token);
    }

    /// Begins to sign in: the challenge, if any, and its session.
    async fn initiate(
        &mut self,
        calls: &Calls<'_>,
        pool: &PoolHandle,
    ) -> Result<(Option<ChallengeNameType>, Option<String>), Refused> {
        let initiate = || {
            let request = calls.cognito.initiate_auth().client_id(&pool.client_id);
            request
                .auth_flow(AuthFlowType::UserPasswordAuth)
                .auth_parameters("USERNAME", &self.name)
                .auth_parameters("PASSWORD", &self.password)
                .send()
        };
        let answer = calls.make("InitiateAuth", Kind::Step, initiate).await?;
        self.keep(answer.authentication_result);
        Ok((answer.challenge_name, answer.session))
    }

    async fn sign_in(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let (challenge, session) = self.initiate(calls, pool).await?;
        if challenge != Some(ChallengeNameType::SmsMfa) {
            return Ok(());
        }
        let code = calls.code(pool, &self.sub, "Authentication").await?;
        let respond = || {
            let request = calls.cognito.respond_to_auth_challenge().client_id(&pool.client_id);
            request
                .challenge_name(ChallengeNameType::SmsMfa)
                .set_session(session.clone())
                .challenge_responses("USERNAME", &self.name)
                .challenge_responses("SMS_MFA_CODE", &code)
                .send()
        };
        let answer = calls.make("RespondToAuthChallenge", Kind::Step, respond).await?;
        self.keep(answer.authentication_result);
        Ok(())
    }

    /// An access token, by signing in if need be.
    async fn token(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Result<String, Refused> {
        if self.token.is_none() {
            self.sign_in(calls, pool).await?;
        }
        self.token.clone().ok_or(Refused)
    }

    async fn edit_own(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let token = self.token(calls, pool).await?;
        let name = self.next("Name ");
        let points = self.draw.below(1_000).to_string();
        let update = || {
            let request = calls.cognito.update_user_attributes().access_token(&token);
            request
                .user_attributes(attribute("name", &name))
                .user_attributes(attribute("custom:points", &points))
                .send()
        };
        calls.make("UpdateUserAttributes", Kind::Change, update).await.map(drop)
    }

    async fn edit_by_admin(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let plan = self.next("plan-");
        let update = || {
            let request = calls.cognito.admin_update_user_attributes().user_pool_id(&pool.id);
            request
                .username(&self.name)
                .user_attributes(attribute("custom:plan", &plan))
                .send()
        };
        calls
            .make("AdminUpdateUserAttributes", Kind::Change, update)
            .await
            .map(drop)
    }

    async fn delete_attribute(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let name = ["name", "custom:plan"][usize::from(self.draw.percent(50))];
        let delete = || {
            let request = calls.cognito.admin_delete_user_attributes().user_pool_id(&pool.id);
            request.username(&self.name).user_attribute_names(name).send()
        };
        calls
            .make("AdminDeleteUserAttributes", Kind::Change, delete)
            .await
            .map(drop)
    }

    async fn change_email(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let token = self.token(calls, pool).await?;
        let email = self.next_email();
        let update = || {
            let request = calls.cognito.update_user_attributes().access_token(&token);
            request.user_attributes(attribute("email", &email)).send()
        };
        calls.make("UpdateUserAttributes", Kind::Change, update).await?;
        let code = calls.code(pool, &self.sub, "UpdateUserAttribute").await?;
        let verify = || {
            let request = calls.cognito.verify_user_attribute().access_token(&token);
            request.attribute_name("email").code(&code).send()
        };
        calls.make("VerifyUserAttribute", Kind::Change, verify).await.map(drop)
    }

    async fn enable(&mut self, calls: &Calls<'_>, pool: &PoolHandle, enabled: bool) -> Done {
        if enabled {
            let enable = || {
                let request = calls.cognito.admin_enable_user().user_pool_id(&pool.id);
                request.username(&self.name).send()
            };
            calls.make("AdminEnableUser", Kind::Change, enable).await?;
            self.state = State::Confirmed;
        } else {
            let disable = || {
                let request = calls.cognito.admin_disable_user().user_pool_id(&pool.id);
                request.username(&self.name).send()
            };
            calls.make("AdminDisableUser", Kind::Change, disable).await?;
            self.state = State::Disabled;
            // Disabling revokes the tokens.
            self.token = None;
        }
        Ok(())
    }

    async fn join_or_leave(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let group = groups::name(self.draw.below(groups::COUNT));
        if self.draw.percent(70) {
            let add = || {
                let request = calls.cognito.admin_add_user_to_group().user_pool_id(&pool.id);
                request.username(&self.name).group_name(&group).send()
            };
            calls.make("AdminAddUserToGroup", Kind::Change, add).await.map(drop)
        } else {
            let remove = || {
                let request = calls.cognito.admin_remove_user_from_group().user_pool_id(&pool.id);
                request.username(&self.name).group_name(&group).send()
            };
            calls
                .make("AdminRemoveUserFromGroup", Kind::Change, remove)
                .await
                .map(drop)
        }
    }

    async fn recover(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        let forgot = || {
            let request = calls.cognito.forgot_password().client_id(&pool.client_id);
            request.username(&self.name).send()
        };
        calls.make("ForgotPassword", Kind::Step, forgot).await?;
        let code = calls.code(pool, &self.sub, "ForgotPassword").await?;
        let password = self.next_password();
        let confirm = || {
            let request = calls.cognito.confirm_forgot_password().client_id(&pool.client_id);
            request
                .username(&self.name)
                .confirmation_code(&code)
                .password(&password)
                .send()
        };
        calls.make("ConfirmForgotPassword", Kind::Change, confirm).await?;
        self.password = password;
        self.token = None;
        Ok(())
    }

    async fn second_factor(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        if !self.phone {
            return self.sign_in(calls, pool).await;
        }
        let wanted = self.draw.percent(70);
        let set = || {
            let sms = SmsMfaSettingsType::builder()
                .enabled(wanted)
                .preferred_mfa(wanted)
                .build();
            let request = calls.cognito.admin_set_user_mfa_preference().user_pool_id(&pool.id);
            request.username(&self.name).sms_mfa_settings(sms).send()
        };
        calls
            .make("AdminSetUserMFAPreference", Kind::Change, set)
            .await
            .map(drop)
    }

    async fn delete(&mut self, calls: &Calls<'_>, pool: &PoolHandle) -> Done {
        if self.draw.percent(50) {
            let token = self.token(calls, pool).await?;
            let delete = || calls.cognito.delete_user().access_token(&token).send();
            // Without an answer nobody knows; a refusal would be news, and is counted.
            self.state = State::Unknown;
            calls.make("DeleteUser", Kind::Change, delete).await?;
        } else {
            let delete = || {
                let request = calls.cognito.admin_delete_user().user_pool_id(&pool.id);
                request.username(&self.name).send()
            };
            self.state = State::Unknown;
            calls.make("AdminDeleteUser", Kind::Change, delete).await?;
        }
        self.state = State::Deleted;
        Ok(())
    }
}
