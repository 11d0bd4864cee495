//! Somebody who empties a user pool.
//!
//! Invariant: whoever it says is deleted was deleted, and nobody is left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::stack::{Failure, PRIMARY, PoolHandle, Stack};

/// Deletes every user of `pool`, past the quotas: a script would take its time. Their `sub`s.
pub(super) async fn delete_everybody(stack: &Stack, pool: &PoolHandle) -> Result<BTreeSet<String>, Failure> {
    let by_hand = |operation, input| stack.control.by_hand(operation, Some(PRIMARY), input);
    let mut gone = BTreeMap::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"UserPoolId": pool.id});
        if !token.is_null() {
            input["PaginationToken"] = token;
        }
        let mut page = by_hand("ListUsers", input).await?;
        for user in page["Users"].as_array().into_iter().flatten() {
            let attributes = user["Attributes"].as_array().into_iter().flatten();
            let sub = attributes
                .filter(|attribute| attribute["Name"] == "sub")
                .find_map(|sub| sub["Value"].as_str());
            let sub = sub.ok_or_else(|| Failure("ListUsers shows a user without a sub".to_owned()))?;
            gone.insert(sub.to_owned(), user["Username"].clone());
        }
        token = page["PaginationToken"].take();
        if token.is_null() {
            break;
        }
    }
    for username in gone.values() {
        by_hand("AdminDeleteUser", json!({"UserPoolId": pool.id, "Username": username})).await?;
    }
    Ok(gone.into_keys().collect())
}
