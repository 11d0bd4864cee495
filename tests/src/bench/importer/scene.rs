//! The pool that is lost, made through the control endpoint, and its backup, made by the reconciler.
//!
//! Invariant: everybody in it is invented.

use std::{sync::Arc, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use twinpool_reconciler::configuration::capture;
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader},
    },
    port::Clock,
    quota::Share,
};

use super::cloud::{Cloud, PRIMARY};
use crate::{
    bench::{
        events::now,
        memory_table::MemoryTable,
        reconciler::{RETENTION_SECONDS, reconcile},
    },
    stack::Failure,
};

/// Calls of the control endpoint at the same time.
const AT_ONCE: usize = 16;
/// Of every request to the table in memory.
pub(super) const TABLE_MILLIS: u64 = 5;
/// The provider of linked users.
const PROVIDER: &str = "Google";
const PASSWORD: &str = "Correct-Horse-Battery-7";

/// A pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// Users, each in one group, all of them with a password.
    pub(super) users: usize,
    /// Groups, of equal size.
    pub(super) groups: usize,
    /// Whether every tenth is disabled and every fifth has an address that is not verified.
    pub(super) mixed: bool,
    /// Whether every twentieth has an outside identity.
    pub(super) linked: bool,
}

impl Shape {
    /// Users with an outside identity.
    pub(super) fn links(self) -> usize {
        (0..self.users).filter(|user| self.is_linked(*user)).count()
    }

    fn is_verified(self, user: usize) -> bool {
        !(self.mixed && user % 5 == 4)
    }

    fn is_disabled(self, user: usize) -> bool {
        self.mixed && user % 10 == 3
    }

    fn is_linked(self, user: usize) -> bool {
        self.linked && user % 20 == 11
    }

    /// Creates the pool in [`PRIMARY`], with everybody in it; its id.
    pub(super) async fn create(self, cloud: &Cloud) -> Result<String, Failure> {
        let pool = self.empty(cloud, PRIMARY).await?;
        let pool_id = pool.as_str();
        let call = |operation, input| cloud.by_hand(PRIMARY, operation, input);
        for group in 0..self.groups {
            let input = json!({"UserPoolId": pool, "GroupName": group_name(group), "Precedence": group});
            call("CreateGroup", input).await?;
        }
        stream::iter(0..self.users)
            .map(|user| self.user(cloud, pool_id, user))
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        Ok(pool)
    }

    /// The same pool in `region` without users and groups, as other tools want it to be there; its id.
    pub(super) async fn empty(self, cloud: &Cloud, region: &str) -> Result<String, Failure> {
        let input = json!({"PoolName": "bench", "AutoVerifiedAttributes": ["email"]});
        let created = cloud.by_hand(region, "CreateUserPool", input).await?;
        let pool = created["UserPool"]["Id"].as_str().unwrap_or_default().to_owned();
        let input = json!({
            "UserPoolId": pool, "ProviderName": PROVIDER, "ProviderType": PROVIDER,
            "ProviderDetails": {"client_id": "1", "client_secret": "bench", "authorize_scopes": "email"},
            "AttributeMapping": {"email": "email"},
        });
        cloud.by_hand(region, "CreateIdentityProvider", input).await?;
        Ok(pool)
    }

    async fn user(self, cloud: &Cloud, pool: &str, user: usize) -> Result<(), Failure> {
        let name = format!("user-{user}");
        let call = |operation, mut input: Value| {
            input["UserPoolId"] = json!(pool);
            cloud.by_hand(PRIMARY, operation, input)
        };
        let profile = json!({"Username": name, "MessageAction": "SUPPRESS", "UserAttributes": self.profile(user)});
        call("AdminCreateUser", profile).await?;
        let password = json!({"Username": name, "Password": PASSWORD, "Permanent": true});
        call("AdminSetUserPassword", password).await?;
        let group = group_name(user % self.groups);
        call("AdminAddUserToGroup", json!({"Username": name, "GroupName": group})).await?;
        if self.is_linked(user) {
            let link = json!({
                "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": name},
                "SourceUser": {
                    "ProviderName": PROVIDER, "ProviderAttributeName": "Cognito_Subject",
                    "ProviderAttributeValue": format!("outside-{user}"),
                },
            });
            call("AdminLinkProviderForUser", link).await?;
        }
        if self.is_disabled(user) {
            call("AdminDisableUser", json!({"Username": name})).await?;
        }
        Ok(())
    }

    /// Eight attributes, as a well-filled profile has.
    fn profile(self, user: usize) -> Value {
        let attributes = [
            ("email", format!("user-{user}@example.com")),
            ("email_verified", self.is_verified(user).to_string()),
            ("phone_number", format!("+1555{user:07}")),
            ("name", format!("Given Family {user}")),
            ("given_name", "Given".to_owned()),
            ("family_name", "Family".to_owned()),
            ("locale", "en-US".to_owned()),
            ("zoneinfo", "Europe/Vienna".to_owned()),
        ];
        Value::Array(
            attributes
                .map(|(name, value)| json!({"Name": name, "Value": value}))
                .into(),
        )
    }
}

fn group_name(group: usize) -> String {
    format!("group-{group:03}")
}

/// Backs up the pool as the reconciler does: users, groups and settings.
pub(super) async fn back_up(cloud: &Cloud, pool: &str) -> Result<MemoryTable, Failure> {
    let table = MemoryTable::new(Duration::from_millis(TABLE_MILLIS));
    let governor = Governor::new(Share::new(100).unwrap_or_default(), 1);
    let reader = PoolReader::new(cloud.cognito(PRIMARY), governor, Patience::WALK);
    Box::pin(reconcile(reader.clone(), table.clone(), pool)).await?;
    let clock: Clock = Arc::new(now);
    let captured = capture(&reader, &table, &clock, pool, RETENTION_SECONDS).await;
    let captured = captured.map_err(|error| Failure::new("the settings", error))?;
    match captured.incomplete.first() {
        Some(incomplete) => Err(Failure::new("the settings", &incomplete.reason)),
        None => Ok(table),
    }
}
