//! The users and groups of a [`Night`](super::Night), by Cognito's own API. Nobody is told of what they do.
//!
//! Invariant: a refused call is a panic that names the operation; no test goes on with less than it asked for.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinpool_shared::personal::Sub;

use super::Night;
use crate::stand_ins::{Cognito, unique};

/// A password that the pools take.
pub const PASSWORD: &str = "Correct-Horse-7";

/// A pool with an app client: their ids.
pub(super) async fn pool(cognito: &Cognito) -> (String, String) {
    let text = |name: &str| json!({"Name": name, "AttributeDataType": "String", "Mutable": true});
    let input = json!({
        "PoolName": unique("night"), "Schema": [text("plan"), text("notes")], "AutoVerifiedAttributes": ["email"],
    });
    let created = cognito.must("CreateUserPool", input).await;
    let pool = created["UserPool"]["Id"].as_str().expect("an id").to_owned();
    let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
    let input = json!({"UserPoolId": pool, "ClientName": "app", "ExplicitAuthFlows": flows});
    let created = cognito.must("CreateUserPoolClient", input).await;
    let client = created["UserPoolClient"]["ClientId"].as_str().expect("an id");
    (pool, client.to_owned())
}

fn listed(attributes: &[(&str, &str)]) -> Value {
    let attributes = attributes.iter();
    attributes
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

fn sub(value: &Value) -> Sub {
    Sub::new(value.as_str().expect("a sub")).expect("a sub")
}

impl Night {
    /// The pool's users: user name to `sub`.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn subs(&self) -> BTreeMap<String, Sub> {
        let mut subs = BTreeMap::new();
        let mut token = Value::Null;
        loop {
            let mut input = json!({"UserPoolId": self.pool, "Limit": 60});
            if !token.is_null() {
                input["PaginationToken"] = token;
            }
            let mut page = self.cognito.must("ListUsers", input).await;
            for user in page["Users"].as_array().expect("users") {
                let attributes = user["Attributes"].as_array().expect("attributes");
                let found = attributes.iter().find(|attribute| attribute["Name"] == "sub");
                let name = user["Username"].as_str().expect("a name").to_owned();
                subs.insert(name, sub(&found.expect("a sub")["Value"]));
            }
            token = page["PaginationToken"].take();
            if token.is_null() {
                return subs;
            }
        }
    }

    /// Creates a user.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn create(&self, username: &str, attributes: &[(&str, &str)]) -> Sub {
        let attributes = listed(attributes);
        let more = [("UserAttributes", attributes), ("MessageAction", json!("SUPPRESS"))];
        let created = self.admin("AdminCreateUser", username, &more).await;
        let attributes = created["User"]["Attributes"].as_array().expect("attributes");
        let found = attributes.iter().find(|attribute| attribute["Name"] == "sub");
        sub(&found.expect("a sub")["Value"])
    }

    /// Creates users `{prefix}0`, `{prefix}1`, ..., each with an e-mail address.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn crowd(&self, prefix: &str, count: usize) -> Vec<Sub> {
        let mut subs = Vec::with_capacity(count);
        for n in 0..count {
            let email = format!("{prefix}{n}@example.com");
            subs.push(self.create(&format!("{prefix}{n}"), &[("email", &email)]).await);
        }
        subs
    }

    /// A user signs up, and does not confirm.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn sign_up(&self, username: &str) -> Sub {
        let email = listed(&[("email", &format!("{username}@example.com"))]);
        let input =
            json!({"ClientId": self.client, "Username": username, "Password": PASSWORD, "UserAttributes": email});
        sub(&self.cognito.must("SignUp", input).await["UserSub"])
    }

    /// A user of an outside identity provider signs in for the first time.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn federate(&self, user_id: &str) -> Sub {
        let input = json!({
            "UserPoolId": self.pool, "ClientId": self.client, "ProviderName": "Corp", "ProviderUserId": user_id,
            "Attributes": {"email": format!("{user_id}@example.com")},
        });
        sub(&self.cognito.must("LocalcloudFederatedSignIn", input).await["UserSub"])
    }

    /// An administrator's call about a user.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn admin(&self, operation: &str, username: &str, more: &[(&str, Value)]) -> Value {
        let mut input = json!({"UserPoolId": self.pool, "Username": username});
        for (name, value) in more {
            input[*name] = value.clone();
        }
        self.cognito.must(operation, input).await
    }

    /// Sets one attribute of a user.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn set(&self, username: &str, name: &str, value: &str) {
        let attributes = listed(&[(name, value)]);
        self.admin("AdminUpdateUserAttributes", username, &[("UserAttributes", attributes)])
            .await;
    }

    /// Deletes a user.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn delete(&self, username: &str) {
        self.admin("AdminDeleteUser", username, &[]).await;
    }

    /// Creates a group with these settings.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn group(&self, name: &str, settings: Value) {
        let mut input = settings;
        input["UserPoolId"] = json!(self.pool);
        input["GroupName"] = json!(name);
        self.cognito.must("CreateGroup", input).await;
    }

    /// Deletes a group.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn delete_group(&self, name: &str) {
        let input = json!({"UserPoolId": self.pool, "GroupName": name});
        self.cognito.must("DeleteGroup", input).await;
    }

    /// A user becomes a member of a group.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn join(&self, username: &str, group: &str) {
        self.admin("AdminAddUserToGroup", username, &[("GroupName", json!(group))])
            .await;
    }

    /// A user is a member of a group no more.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn leave(&self, username: &str, group: &str) {
        self.admin("AdminRemoveUserFromGroup", username, &[("GroupName", json!(group))])
            .await;
    }
}
