//! Tests of the core as a whole, by its operations.
//!
//! Invariant: every test plays on a clock of its own and reads no other.

mod account;
mod configuration;
mod domains;
mod federation;
mod import_files;
mod import_jobs;
mod life;
mod listing;
mod naming;
mod rebuilding;
mod replay;
mod restoring;
mod settings;
mod sign_in;
mod styles;
mod trail;
mod trigger_events;
mod walks;

use serde_json::{Value, json};

use super::operations::{self, Auth};
use super::{Call, Cloud, Outcome, TokenSigner};

/// 2026-02-03T10:20:30.123Z.
pub(super) const START: i64 = 1_770_114_030_123;
pub(super) const REGION: &str = "eu-central-1";
pub(super) const PASSWORD: &str = "Correct-Horse-1";

/// One cloud with one pool and one client, and a clock.
pub(super) struct Play {
    pub(super) cloud: Cloud,
    pub(super) now: i64,
    pub(super) pool: String,
    pub(super) client: String,
    pub(super) stale: i64,
}

pub(super) fn functions() -> Value {
    json!({
        "PostConfirmation": "arn:aws:lambda:eu-central-1:111122223333:function:confirmed",
        "PostAuthentication": "arn:aws:lambda:eu-central-1:111122223333:function:signed-in",
        "CustomMessage": "arn:aws:lambda:eu-central-1:111122223333:function:message",
    })
}

impl Play {
    /// A pool with these settings, and a client that may sign in with passwords.
    pub(super) fn with(settings: Value) -> Self {
        let cloud = Cloud::new("111122223333", 7, TokenSigner::unsigned());
        let mut play = Self {
            cloud,
            now: START,
            pool: String::new(),
            client: String::new(),
            stale: 0,
        };
        let mut input = json!({ "PoolName": "people" });
        for (member, value) in settings.as_object().into_iter().flatten() {
            input[member] = value.clone();
        }
        play.pool = text(&play.ok("CreateUserPool", input)["UserPool"]["Id"]);
        let pool = play.pool.clone();
        let client = json!({
            "UserPoolId": pool, "ClientName": "app",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        });
        play.client = text(&play.ok("CreateUserPoolClient", client)["UserPoolClient"]["ClientId"]);
        play
    }

    /// E-mail verified automatically, all three triggers.
    pub(super) fn usual() -> Self {
        Self::with(json!({ "AutoVerifiedAttributes": ["email"], "LambdaConfig": functions() }))
    }

    pub(super) fn call(&mut self, operation: &str, input: Value) -> Outcome {
        let signed = operations::find(operation).is_none_or(|found| found.auth == Auth::Signed);
        let call = Call {
            region: signed.then(|| REGION.to_owned()),
            operation: operation.to_owned(),
            input,
            caller: signed.then(|| "arn:aws:sts::111122223333:assumed-role/tester/session".to_owned()),
            stale_by_millis: self.stale,
        };
        self.cloud.apply(&call, self.now)
    }

    #[track_caller]
    pub(super) fn ok(&mut self, operation: &str, input: Value) -> Value {
        match self.call(operation, input).answer {
            Ok(answer) => answer,
            Err(error) => panic!("{operation}: {error:?}"),
        }
    }

    /// The error as `Code: message`.
    #[track_caller]
    pub(super) fn refused(&mut self, operation: &str, input: Value) -> String {
        match self.call(operation, input).answer {
            Ok(answer) => panic!("{operation} succeeded: {answer}"),
            Err(error) => format!("{}: {}", error.code, error.message),
        }
    }

    /// As [`Play::ok`], of the pool.
    #[track_caller]
    pub(super) fn ok_in_pool(&mut self, operation: &str, more: Value) -> Value {
        let input = merge(json!({ "UserPoolId": self.pool }), more);
        self.ok(operation, input)
    }

    /// As [`Play::refused`], of the pool.
    #[track_caller]
    pub(super) fn refused_in_pool(&mut self, operation: &str, more: Value) -> String {
        let input = merge(json!({ "UserPoolId": self.pool }), more);
        self.refused(operation, input)
    }

    /// An administrator's operation on a user.
    #[track_caller]
    pub(super) fn admin(&mut self, operation: &str, username: &str, more: Value) -> Value {
        let input = self.on(username, more);
        self.ok(operation, input)
    }

    /// `more` with pool and user name.
    pub(super) fn on(&self, username: &str, more: Value) -> Value {
        merge(json!({ "UserPoolId": self.pool, "Username": username }), more)
    }

    /// `more` with the client.
    pub(super) fn by_app(&self, more: Value) -> Value {
        merge(json!({ "ClientId": self.client }), more)
    }

    #[track_caller]
    pub(super) fn create(&mut self, username: &str, attributes: Value) -> String {
        let input = json!({ "UserAttributes": pairs(&attributes), "MessageAction": "SUPPRESS" });
        let user = self.admin("AdminCreateUser", username, input);
        attribute(&user["User"]["Attributes"], "sub").unwrap_or_default()
    }

    /// A confirmed user with a verified address and the usual password.
    #[track_caller]
    pub(super) fn member(&mut self, username: &str) -> String {
        let sub = self.create(
            username,
            json!({ "email": format!("{username}@example.com"), "email_verified": "true" }),
        );
        self.admin(
            "AdminSetUserPassword",
            username,
            json!({ "Password": PASSWORD, "Permanent": true }),
        );
        sub
    }

    pub(super) fn sign_in(&mut self, username: &str, password: &str) -> Outcome {
        let input = self.by_app(json!({
            "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": { "USERNAME": username, "PASSWORD": password },
        }));
        self.call("InitiateAuth", input)
    }

    #[track_caller]
    pub(super) fn tokens(&mut self, username: &str) -> Value {
        let answer = self.sign_in(username, PASSWORD).answer.expect("a right password");
        answer["AuthenticationResult"].clone()
    }

    pub(super) fn get(&self, sub: &str) -> Value {
        self.cloud.user_snapshot(&self.pool, sub).unwrap_or_default()
    }

    pub(super) fn status(&self, sub: &str) -> String {
        text(&self.get(sub)["UserStatus"])
    }

    pub(super) fn value(&self, sub: &str, name: &str) -> Option<String> {
        attribute(&self.get(sub)["UserAttributes"], name)
    }
}

pub(super) fn merge(mut base: Value, more: Value) -> Value {
    for (member, value) in more.as_object().into_iter().flatten() {
        base[member] = value.clone();
    }
    base
}

pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// `{a: b}` as `[{Name: a, Value: b}]`.
pub(super) fn pairs(attributes: &Value) -> Value {
    attributes
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect()
}

pub(super) fn attribute(list: &Value, name: &str) -> Option<String> {
    list.as_array()?
        .iter()
        .find(|entry| entry["Name"] == name)
        .map(|entry| text(&entry["Value"]))
}

/// The trigger sources of an outcome.
pub(super) fn sources(outcome: &Outcome) -> Vec<String> {
    outcome
        .triggers
        .iter()
        .map(|trigger| text(&trigger.event["triggerSource"]))
        .collect()
}

pub(super) fn code(outcome: &Outcome) -> String {
    outcome
        .messages
        .last()
        .map(|message| message.code.clone())
        .unwrap_or_default()
}
