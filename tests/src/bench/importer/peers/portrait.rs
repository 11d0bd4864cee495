//! Pools read past the product and past quotas, and what one lacks of another.
//!
//! Invariant: a user who was not made lost everything that they had.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use super::super::cloud::Cloud;
use crate::stack::Failure;

/// Calls of the control endpoint at the same time.
const AT_ONCE: usize = 16;

/// The users of a pool, by user name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Portrait(BTreeMap<String, Face>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Face {
    groups: BTreeSet<String>,
    is_verified: bool,
    is_enabled: bool,
    is_linked: bool,
    is_confirmed: bool,
}

impl Portrait {
    /// Reads a pool.
    pub(super) async fn of(cloud: &Cloud, region: &str, pool: &str) -> Result<Self, Failure> {
        let mut users: Vec<Value> = Vec::new();
        let mut token = Value::Null;
        loop {
            let mut input = json!({"UserPoolId": pool});
            if !token.is_null() {
                input["PaginationToken"] = token;
            }
            let mut page = cloud.by_hand(region, "ListUsers", input).await?;
            users.extend(page["Users"].as_array().cloned().unwrap_or_default());
            token = page["PaginationToken"].take();
            if token.is_null() {
                break;
            }
        }
        let faces = stream::iter(users)
            .map(|user| async move {
                let name = user["Username"].as_str().unwrap_or_default().to_owned();
                let input = json!({"UserPoolId": pool, "Username": name});
                let listed = cloud.by_hand(region, "AdminListGroupsForUser", input).await?;
                Ok::<_, Failure>((name, Face::read(&user, &listed["Groups"])))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        Ok(Self(faces))
    }

    /// How many users.
    pub(super) fn users(&self) -> usize {
        self.0.len()
    }
}

impl Face {
    fn read(user: &Value, groups: &Value) -> Self {
        let attribute = |name: &str| {
            let attributes = user["Attributes"].as_array().into_iter().flatten();
            let found = attributes.filter(|attribute| attribute["Name"] == name);
            found.filter_map(|attribute| attribute["Value"].as_str()).next()
        };
        let groups = groups.as_array().into_iter().flatten();
        Self {
            groups: groups
                .filter_map(|group| group["GroupName"].as_str().map(str::to_owned))
                .collect(),
            is_verified: attribute("email_verified") == Some("true"),
            is_enabled: user["Enabled"] == true,
            is_linked: attribute("identities").is_some_and(|identities| identities != "[]"),
            is_confirmed: user["UserStatus"] == "CONFIRMED",
        }
    }

    /// Whether a forgotten password can be replaced: Cognito sends nobody else a code.
    fn gets_codes(&self) -> bool {
        self.is_confirmed && self.is_verified
    }
}

/// How much of each kind `after` lacks of `before`.
pub(super) fn lost(before: &Portrait, after: &Portrait) -> [(&'static str, usize, &'static str); 6] {
    let pairs = || before.0.iter().map(|(name, face)| (face, after.0.get(name)));
    let count = |is_lost: fn(&Face, Option<&Face>) -> bool| pairs().filter(|(had, has)| is_lost(had, *has)).count();
    let memberships = pairs().map(|(had, has)| match has {
        Some(has) => had.groups.difference(&has.groups).count(),
        None => had.groups.len(),
    });
    let unmade = count(|_, has| has.is_none());
    let unverified = count(|had, has| had.is_verified && !has.is_some_and(|has| has.is_verified));
    let enabled = count(|had, has| !had.is_enabled && has.is_some_and(|has| has.is_enabled));
    let unlinked = count(|had, has| had.is_linked && !has.is_some_and(|has| has.is_linked));
    let locked_out = count(|had, has| had.gets_codes() && !has.is_some_and(Face::gets_codes));
    [
        ("users lost", unmade, "users"),
        ("memberships lost", memberships.sum(), "memberships"),
        ("address no longer verified", unverified, "users"),
        ("disabled before, enabled now", enabled, "users"),
        ("outside identity lost", unlinked, "users"),
        ("forgotten password no longer replaced", locked_out, "users"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn face(groups: &[&str], verified: &str, enabled: bool, identities: &str, status: &str) -> Face {
        let groups: Vec<Value> = groups.iter().map(|name| json!({"GroupName": name})).collect();
        let user = json!({
            "Enabled": enabled, "UserStatus": status,
            "Attributes": [{"Name": "email_verified", "Value": verified}, {"Name": "identities", "Value": identities}],
        });
        Face::read(&user, &json!(groups))
    }

    fn portrait(faces: impl IntoIterator<Item = (&'static str, Face)>) -> Portrait {
        Portrait(faces.into_iter().map(|(name, face)| (name.to_owned(), face)).collect())
    }

    #[test]
    fn the_same_pool_lost_nothing_and_another_one_all_that_it_lacks() {
        let whole = || face(&["a", "b"], "true", false, "[{}]", "CONFIRMED");
        let before = portrait([("ann", whole()), ("bob", whole()), ("cyd", whole())]);
        assert!(lost(&before, &before).iter().all(|(_, lost, _)| *lost == 0));
        let poor = face(&["b"], "false", true, "[]", "FORCE_CHANGE_PASSWORD");
        let after = portrait([("ann", whole()), ("bob", poor)]);
        let counts = lost(&before, &after).map(|(_, lost, _)| lost);
        assert_eq!(counts, [1, 3, 2, 1, 2, 2]);
    }
}
