//! The target: takes every change at once and keeps nothing. What an import of a new pool does not ask is refused.
//!
//! Invariant: answers have the members that Cognito documents and the importer reads.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use tokio::task::yield_now;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Page, RawPool, ReadPool, Refusal, WritePool},
    user::Factors,
};

/// The pool's id.
const ID: &str = "us-west-2_SYNTHETIC";

/// The target, which reads and writes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target;

/// What `DescribeUserPool` shows of the pool `id`.
pub(super) fn described(id: &str) -> Value {
    let attribute = |name: &str, kind: &str| {
        let mut shown = json!({"Name": name, "AttributeDataType": kind, "Mutable": true});
        shown["Required"] = json!(false);
        shown["DeveloperOnlyAttribute"] = json!(false);
        shown
    };
    let texts = [
        "email",
        "phone_number",
        "name",
        "given_name",
        "family_name",
        "locale",
        "zoneinfo",
    ];
    let texts = texts.into_iter().chain(["custom:original_sub"]);
    let schema = texts.map(|name| attribute(name, "String"));
    let schema: Vec<Value> = schema.chain([attribute("email_verified", "Boolean")]).collect();
    let region = id.split('_').next().unwrap_or_default();
    json!({
        "Id": id, "Name": "synthetic", "SchemaAttributes": schema, "AutoVerifiedAttributes": ["email"],
        "Arn": format!("arn:aws:cognito-idp:{region}:111122223333:userpool/{id}"), "UserPoolTier": "ESSENTIALS",
    })
}

fn refused() -> Error {
    Error::new(ErrorKind::Rejected, "a synthetic target does not know this")
}

impl RawPool for Target {
    async fn call(&self, operation: &str, _: Value) -> Result<Value, Error> {
        yield_now().await;
        match operation {
            "DescribeUserPool" => Ok(json!({"UserPool": described(ID)})),
            "GetUserPoolMfaConfig" => Ok(json!({"MfaConfiguration": "OFF"})),
            "ListUserPools" => Ok(json!({"UserPools": []})),
            _ => Err(refused()),
        }
    }
}

impl WritePool for Target {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        yield_now().await;
        match operation {
            "CreateUserPool" => Ok(json!({"UserPool": described(ID)})),
            "AdminCreateUser" => {
                // Users are numbered, and so are their subs.
                let name = input["Username"].as_str().unwrap_or_default();
                let number = name.rsplit('-').next().and_then(|number| number.parse::<u64>().ok());
                let sub = format!("{:08x}-0051-7076-79e2-aaaaaaaaaaaa", number.unwrap_or_default());
                Ok(json!({"User": {
                    "Username": name, "Attributes": [{"Name": "sub", "Value": sub}],
                    "UserStatus": "FORCE_CHANGE_PASSWORD", "Enabled": true,
                }}))
            }
            _ => Ok(json!({})),
        }
    }
}

impl ReadPool for Target {
    async fn find_user(&self, _pool: &str, _sub: &Sub) -> Result<Option<UserRead>, Error> {
        Err(refused())
    }

    async fn groups_of(&self, _pool: &str, _username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        Err(refused())
    }

    async fn group(&self, _pool: &str, _name: &str) -> Result<Option<GroupSettings>, Error> {
        Err(refused())
    }

    async fn factors_of(&self, _pool: &str, _username: &Personal) -> Result<Option<Factors>, Error> {
        Err(refused())
    }

    async fn clients_of(&self, _pool: &str) -> Result<Vec<String>, Error> {
        Err(refused())
    }

    async fn users_page(
        &self,
        _pool: &str,
        _prefix: Option<&str>,
        _token: Option<&str>,
    ) -> Result<Page<(Sub, UserRead)>, Error> {
        Err(refused())
    }

    async fn members_page(&self, _pool: &str, _group: &str, _token: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        Err(refused())
    }

    async fn groups_page(&self, _pool: &str, _token: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        Err(refused())
    }

    async fn estimated_users(&self, _pool: &str) -> Result<u64, Error> {
        Err(refused())
    }
}
