//! The users of [`super::source`]: everything that a user can be.
//!
//! Invariant: what no administrator's read shows (factors, days of sign-ins, states that only Cognito sets) is written into the
//! backup as the replicator would have written it.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use twinpool_shared::user::{Facet, Factors, Tombstone};

use super::source::{PASSWORD, group_name};
use crate::{
    reconciling::{Night, RETENTION_SECONDS},
    stand_ins::Cognito,
};

/// Whoever has every attribute, and is in a hundred groups.
pub const EVERYTHING: &str = "ann";
/// Disabled, with a verified address.
pub const DISABLED: &str = "bob";
/// Invited, and never came.
pub const INVITED: &str = "cyd";
/// Has to reset the password.
pub const RESET: &str = "dee";
/// Signed up, and did not confirm.
pub const UNCONFIRMED: &str = "eve";
/// Known by an outside identity alone.
pub const FEDERATED: &str = "Corp_frank";
/// Linked with five outside identities.
pub const LINKED: &str = "gil";
/// Text messages as a factor.
pub const BY_SMS: &str = "hoa";
/// Mails as a factor.
pub const BY_EMAIL: &str = "ida";
/// An authenticator app.
pub const BY_APP: &str = "jon";
/// No verified address or number.
pub const UNVERIFIED: &str = "kim";
/// Values and names in many scripts.
pub const UNICODE: &str = "łukasz-李·🙂";
/// A state that only Cognito sets.
pub const ARCHIVED: &str = "lea";
/// Deleted before the Region was lost.
pub const DELETED: &str = "mia";
/// Plain users, beside these.
pub const CROWD: usize = 20;

/// As many characters as a value may have, with what a comma-separated file gets wrong.
#[must_use]
pub fn longest() -> String {
    let start = "a,b\\,\"c\"\n\r\nd\té, =1+1 ";
    let rest = 2_048 - start.len();
    format!("{start}{}", "x".repeat(rest))
}

struct People<'a> {
    cognito: &'a Cognito,
    pool: &'a str,
    client: &'a str,
}

/// Makes the users.
///
/// # Panics
/// When Cognito refuses.
pub async fn create(cognito: &Cognito, pool: &str, client: &str) {
    let people = People { cognito, pool, client };
    people.attributes().await;
    people.states().await;
    people.links().await;
    people.factors().await;
    for number in 0..CROWD {
        let name = format!("crowd{number:02}");
        let email = format!("{name}@example.com");
        people
            .confirmed(&name, &[("email", &email), ("email_verified", "true")])
            .await;
        people.join(&name, number % 7 + 2).await;
    }
}

impl People<'_> {
    async fn call(&self, operation: &str, username: &str, mut more: Value) -> Value {
        more["UserPoolId"] = json!(self.pool);
        more["Username"] = json!(username);
        self.cognito.must(operation, more).await
    }

    async fn create(&self, username: &str, attributes: &[(&str, &str)]) {
        let attributes: Value = attributes
            .iter()
            .map(|(name, value)| json!({"Name": name, "Value": value}))
            .collect();
        let more = json!({"UserAttributes": attributes, "MessageAction": "SUPPRESS"});
        self.call("AdminCreateUser", username, more).await;
    }

    async fn confirmed(&self, username: &str, attributes: &[(&str, &str)]) {
        self.create(username, attributes).await;
        let more = json!({"Password": PASSWORD, "Permanent": true});
        self.call("AdminSetUserPassword", username, more).await;
    }

    async fn join(&self, username: &str, group: usize) {
        self.call("AdminAddUserToGroup", username, json!({"GroupName": group_name(group)}))
            .await;
    }

    async fn attributes(&self) {
        let every = [
            ("name", "Ann O'Neill, \"the\" \\ second\nline"),
            ("given_name", "Ann"),
            ("family_name", "O'Neill"),
            ("middle_name", "-"),
            ("nickname", "annie"),
            ("profile", "https://example.com/ann"),
            ("picture", "https://example.com/ann.png"),
            ("website", "https://ann.example.com"),
            ("email", "Ann@example.com"),
            ("email_verified", "true"),
            ("gender", "f"),
            ("birthdate", "1979-02-28"),
            ("zoneinfo", "Europe/Berlin"),
            ("locale", "de-DE"),
            ("phone_number", "+4915112345678"),
            ("phone_number_verified", "true"),
            ("address", "1 Main St\nSpringfield, 12345"),
            ("updated_at", "1700000000"),
            ("custom:plan", "gold"),
            ("custom:points", "-3"),
            ("custom:vip", "true"),
            ("custom:since", "2020-01-02T03:04:05Z"),
            ("custom:tenant", "t-1"),
        ];
        self.confirmed(EVERYTHING, &every).await;
        let alias = json!({"UserAttributes": [{"Name": "preferred_username", "Value": "Queen Ann"}]});
        self.call("AdminUpdateUserAttributes", EVERYTHING, alias).await;
        for group in 0..100 {
            self.join(EVERYTHING, group).await;
        }
        let unicode = [
            ("email", "lukasz@example.com"),
            ("email_verified", "true"),
            ("name", "Łukasz 李小龍 🙂 مرحبا"),
            ("custom:notes", " spaces at both ends "),
        ];
        self.confirmed(UNICODE, &unicode).await;
        let longest = longest();
        let most = [
            ("email", "n@example.com"),
            ("email_verified", "true"),
            ("custom:notes", longest.as_str()),
        ];
        self.confirmed(&"n".repeat(128), &most).await;
        self.confirmed(UNVERIFIED, &[("email", "kim@example.com")]).await;
    }

    async fn states(&self) {
        let email = |name: &str| format!("{name}@example.com");
        let bob = email(DISABLED);
        self.confirmed(DISABLED, &[("email", &bob), ("email_verified", "true")])
            .await;
        self.join(DISABLED, 2).await;
        self.call("AdminDisableUser", DISABLED, json!({})).await;
        let cyd = email(INVITED);
        self.create(INVITED, &[("email", &cyd), ("email_verified", "true")])
            .await;
        let dee = email(RESET);
        self.confirmed(RESET, &[("email", &dee), ("email_verified", "true")])
            .await;
        self.call("AdminResetUserPassword", RESET, json!({})).await;
        let eve = json!([{"Name": "email", "Value": email(UNCONFIRMED)}]);
        let input =
            json!({"ClientId": self.client, "Username": UNCONFIRMED, "Password": PASSWORD, "UserAttributes": eve});
        self.cognito.must("SignUp", input).await;
        for name in [ARCHIVED, DELETED] {
            let address = email(name);
            self.confirmed(name, &[("email", &address), ("email_verified", "true")])
                .await;
        }
    }

    async fn links(&self) {
        let frank = json!({
            "UserPoolId": self.pool, "ClientId": self.client, "ProviderName": "Corp", "ProviderUserId": "frank",
            "Attributes": {"email": "frank@corp.example.com"},
        });
        self.cognito.must("LocalcloudFederatedSignIn", frank).await;
        self.join(FEDERATED, 3).await;
        self.confirmed(LINKED, &[("email", "gil@example.com"), ("email_verified", "true")])
            .await;
        for (provider, id) in [
            ("Corp", "gil-1"),
            ("Corp", "gil 2, \"x\""),
            ("Corp", "gil-3"),
            ("Google", "10001"),
            ("Google", "10002"),
        ] {
            let input = json!({
                "UserPoolId": self.pool,
                "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": LINKED},
                "SourceUser": {"ProviderName": provider, "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": id},
            });
            self.cognito.must("AdminLinkProviderForUser", input).await;
        }
    }

    async fn factors(&self) {
        let sms = [
            ("email", "hoa@example.com"),
            ("email_verified", "true"),
            ("phone_number", "+12065550100"),
            ("phone_number_verified", "true"),
        ];
        self.confirmed(BY_SMS, &sms).await;
        let wish = json!({"SMSMfaSettings": {"Enabled": true, "PreferredMfa": true}});
        self.call("AdminSetUserMFAPreference", BY_SMS, wish).await;
        let email = [
            ("email", "ida@example.com"),
            ("email_verified", "true"),
            ("phone_number", "+12065550101"),
            ("phone_number_verified", "true"),
        ];
        self.confirmed(BY_EMAIL, &email).await;
        let wish = json!({"EmailMfaSettings": {"Enabled": true, "PreferredMfa": true}});
        self.call("AdminSetUserMFAPreference", BY_EMAIL, wish).await;
        self.confirmed(BY_APP, &[("email", "jon@example.com"), ("email_verified", "true")])
            .await;
    }
}

const DAY_MILLIS: i64 = 86_400_000;

/// What the replicator had heard of, and no list shows: factors, a state, sign-ins, and that [`DELETED`] was deleted.
///
/// # Panics
/// When the backup has no such user.
pub async fn replicate(night: &Night) {
    let subs = night.subs().await;
    night.delete(DELETED).await;
    let at = night.now();
    night
        .edit(&subs[DELETED], |item| {
            let cause = "AdminDeleteUser".to_owned();
            item.record.deleted = Some(Tombstone { at, cause });
            item.expires_at = Some(at.as_seconds() + RETENTION_SECONDS);
            item.gsi_username = None;
            item.gsi_email = None;
        })
        .await;
    let factors = |preferred: &str, enabled: &[&str]| Factors {
        preferred: Some(preferred.to_owned()),
        enabled: enabled.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(),
    };
    for (name, data) in [
        (BY_SMS, factors("SMS_MFA", &["SMS_MFA"])),
        (BY_EMAIL, factors("EMAIL_OTP", &["EMAIL_OTP"])),
        (BY_APP, factors("SOFTWARE_TOKEN_MFA", &["SOFTWARE_TOKEN_MFA"])),
    ] {
        let now = night.now();
        let facet = Facet {
            as_of: now,
            observed_at: now,
            source: "AdminGetUser".to_owned(),
            data,
        };
        night.edit(&subs[name], |item| item.record.factors = Some(facet)).await;
    }
    night
        .edit(&subs[ARCHIVED], |item| {
            if let Some(status) = &mut item.record.status {
                "ARCHIVED".clone_into(&mut status.data);
            }
        })
        .await;
    for (days, name) in [LINKED, EVERYTHING].into_iter().enumerate() {
        let day = i64::try_from(days).expect("it is small");
        let seen = night.now().day_start().plus_millis(-day * DAY_MILLIS);
        night.edit(&subs[name], |item| item.record.last_seen = Some(seen)).await;
    }
}
