//! What of an answer is configuration, and what counts as a difference.
//!
//! Invariant: only members of the outermost object are removed or disregarded. Whatever is nested is kept and compared, known
//! to this version or not.

use serde_json::{Map, Value};

use super::Json;
use crate::{
    canon::{canonical_bytes, content_hash},
    marks::Part,
};

/// Members that are no configuration and are not stored. `EstimatedNumberOfUsers` changes all day; the two failures are the
/// state of the last message that was sent; `ResponseMetadata` is what some stand-ins of AWS add to an answer.
pub const REMOVED: [(Part, &str); 3] = [
    (Part::Pool, "EstimatedNumberOfUsers"),
    (Part::Pool, "SmsConfigurationFailure"),
    (Part::Pool, "EmailConfigurationFailure"),
];
/// Removed from every part.
pub const REMOVED_EVERYWHERE: &str = "ResponseMetadata";

/// Members that are stored but make no difference. `LastModifiedDate` moves when nothing else does; a domain's `Status` is
/// UPDATING for an hour, and its `Version` counts deployments of AWS's.
pub const NOT_COMPARED: [(Part, &str); 2] = [(Part::Domain, "Status"), (Part::Domain, "Version")];
/// Not compared in any part.
pub const NOT_COMPARED_ANYWHERE: &str = "LastModifiedDate";

/// Lists that AWS does not promise to answer in the same order, and whose order means nothing; at any depth. In any other list
/// the order counts: managed login's `authMethodOrder` is one.
pub const UNORDERED: [&str; 25] = [
    "AliasAttributes",
    "AllowedFirstAuthFactors",
    "AllowedOAuthFlows",
    "AllowedOAuthScopes",
    "AllowedScopes",
    "Assets",
    "AttributesRequireVerificationBeforeUpdate",
    "AuthenticatedGrantTypes",
    "AutoVerifiedAttributes",
    "BlockedIPRangeList",
    "CallbackURLs",
    "ClientSecrets",
    "EventFilter",
    "ExplicitAuthFlows",
    "IdpIdentifiers",
    "LogConfigurations",
    "LogoutURLs",
    "ReadAttributes",
    "RecoveryMechanisms",
    "SchemaAttributes",
    "Scopes",
    "SkippedIPRangeList",
    "SupportedIdentityProviders",
    "UsernameAttributes",
    "WriteAttributes",
];

/// An answer without what is no configuration.
#[must_use]
pub fn clean(part: Part, mut answer: Value) -> Json {
    if let Value::Object(members) = &mut answer {
        members.retain(|name, _| name != REMOVED_EVERYWHERE && !REMOVED.contains(&(part, name.as_str())));
    }
    Json::new(answer)
}

/// What two captures are compared by.
#[must_use]
pub fn comparable(part: Part, json: &Json) -> Value {
    let mut value = json.expose().clone();
    if let Value::Object(members) = &mut value {
        members.retain(|name, _| name != NOT_COMPARED_ANYWHERE && !NOT_COMPARED.contains(&(part, name.as_str())));
    }
    order(&mut value);
    value
}

/// Hash of what two captures are compared by: equal hash, no difference.
#[must_use]
pub fn comparison_hash(part: Part, json: &Json) -> String {
    content_hash(&comparable(part, json)).to_string()
}

/// Whether the order of this list means nothing.
#[must_use]
pub fn is_unordered(name: &str) -> bool {
    UNORDERED.contains(&name)
}

/// Puts every list whose order means nothing into one order.
fn order(value: &mut Value) {
    match value {
        Value::Object(members) => order_members(members),
        Value::Array(entries) => entries.iter_mut().for_each(order),
        _ => {}
    }
}

fn order_members(members: &mut Map<String, Value>) {
    for (name, value) in members {
        order(value);
        if let Value::Array(entries) = value
            && is_unordered(name)
        {
            entries.sort_by_cached_key(canonical_bytes);
        }
    }
}
