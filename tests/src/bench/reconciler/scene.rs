//! A pool of the local cloud with many users, made through the control endpoint: past quotas, latency and counters.
//!
//! Invariant: everybody in it is invented.

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};

use crate::stack::{Failure, control::Control};

/// Calls of the control endpoint at the same time.
const AT_ONCE: usize = 16;
const REGION: &str = "us-east-1";

/// How memberships are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shape {
    /// In reports.
    pub(super) title: &'static str,
    /// Users, each in one group.
    pub(super) users: usize,
    /// Groups, of equal size.
    pub(super) groups: usize,
}

/// Creates the pool; its id.
pub(super) async fn create(control: &Control, shape: Shape) -> Result<String, Failure> {
    let call = |operation, input| control.by_hand(operation, Some(REGION), input);
    let created = call("CreateUserPool", json!({"PoolName": shape.title})).await?;
    let pool = created["UserPool"]["Id"].as_str().unwrap_or_default().to_owned();
    for group in 0..shape.groups {
        let input = json!({"UserPoolId": pool, "GroupName": group_name(group), "Precedence": group});
        call("CreateGroup", input).await?;
    }
    let pool_id = pool.as_str();
    stream::iter(0..shape.users)
        .map(|user| async move {
            call("AdminCreateUser", profile(pool_id, user)).await?;
            let group = group_name(user % shape.groups);
            let input = json!({"UserPoolId": pool_id, "Username": username(user), "GroupName": group});
            call("AdminAddUserToGroup", input).await.map(drop)
        })
        .buffer_unordered(AT_ONCE)
        .try_collect::<()>()
        .await?;
    Ok(pool)
}

fn username(user: usize) -> String {
    format!("user-{user}")
}

fn group_name(group: usize) -> String {
    format!("group-{group:03}")
}

/// Eight attributes, as a well-filled profile has.
fn profile(pool: &str, user: usize) -> Value {
    let attributes = [
        ("email", format!("user-{user}@example.com")),
        ("email_verified", "true".to_owned()),
        ("phone_number", format!("+1555{user:07}")),
        ("name", format!("Given Family {user}")),
        ("given_name", "Given".to_owned()),
        ("family_name", "Family".to_owned()),
        ("locale", "en-US".to_owned()),
        ("zoneinfo", "Europe/Vienna".to_owned()),
    ];
    let attributes = attributes.map(|(name, value)| json!({"Name": name, "Value": value}));
    json!({"UserPoolId": pool, "Username": username(user), "MessageAction": "SUPPRESS", "UserAttributes": attributes})
}
