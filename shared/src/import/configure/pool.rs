//! The pool itself: what `DescribeUserPool` shows, as input of `CreateUserPool` and of `UpdateUserPool`.
//!
//! Source: API reference, `UserPoolType`, `CreateUserPool`, `UpdateUserPool` ("if you don't provide a value for an attribute,
//! Amazon Cognito sets it to its default value").
//!
//! Invariant: members that this version does not know are sent as they were shown. An update says everything that was set.

use serde_json::{Map, Value, json};

use super::schema;
use crate::import::plan::PLAN_TAG;

/// Shown, and no setting.
const SHOWN_ONLY: [&str; 10] = [
    "Arn",
    "CreationDate",
    "CustomDomain",
    "Domain",
    "EmailConfigurationFailure",
    "EstimatedNumberOfUsers",
    "Id",
    "LastModifiedDate",
    "SmsConfigurationFailure",
    "Status",
];
/// Settings that are fixed when the pool is made.
pub(in crate::import) const IMMUTABLE: [&str; 4] = [
    "AliasAttributes",
    "SchemaAttributes",
    "UsernameAttributes",
    "UsernameConfiguration",
];
/// Members of `VerificationMessageTemplate`, and their older names beside it.
const TEMPLATE: [(&str, &str); 3] = [
    ("EmailMessage", "EmailVerificationMessage"),
    ("EmailSubject", "EmailVerificationSubject"),
    ("SmsMessage", "SmsVerificationMessage"),
];
/// Tags of this prefix are AWS's own; nobody else may set them.
const AWS_TAGS: &str = "aws:";
/// Tags of this prefix are Twinpool's own: they say which plan made a pool, and are no setting of the pool.
const OWN_TAGS: &str = "twinpool:";
/// Member of `AdminCreateUserConfig`: whether nobody can sign up by themselves.
pub(in crate::import) const ADMIN_ONLY: &str = "AllowAdminCreateUserOnly";
/// Triggers that run when an administrator makes a user, or that make users themselves.
const LATE_TRIGGERS: [&str; 2] = ["PreSignUp", "UserMigration"];

/// The settings of a pool, in one form for the backup and for the target: without what is only shown, with what is in force
/// where nothing was said.
#[must_use]
pub(in crate::import) fn settings(shown: &Value) -> Map<String, Value> {
    let mut pool = shown.as_object().cloned().unwrap_or_default();
    pool.retain(|name, value| !SHOWN_ONLY.contains(&name.as_str()) && !value.is_null());
    tidy(&mut pool);
    for list in ["AliasAttributes", "UsernameAttributes"] {
        pool.entry(list).or_insert_with(|| json!([]));
    }
    pool.entry("UsernameConfiguration")
        .or_insert_with(|| json!({"CaseSensitive": true}));
    if let Some(Value::Object(tags)) = pool.get_mut("UserPoolTags") {
        tags.retain(|key, _| !key.starts_with(AWS_TAGS));
    }
    pool
}

/// Removes what Cognito shows twice and takes once: the older names of the verification messages, and
/// `UnusedAccountValidityDays`, which is refused beside `TemporaryPasswordValidityDays`.
fn tidy(pool: &mut Map<String, Value>) {
    for (member, older) in TEMPLATE {
        if pool
            .get("VerificationMessageTemplate")
            .is_some_and(|template| !template[member].is_null())
        {
            pool.remove(older);
        }
    }
    let policy = pool.get("Policies").map(|policies| &policies["PasswordPolicy"]);
    let has_days = policy.is_some_and(|policy| !policy["TemporaryPasswordValidityDays"].is_null());
    if has_days && let Some(Value::Object(invitations)) = pool.get_mut("AdminCreateUserConfig") {
        invitations.remove("UnusedAccountValidityDays");
    }
}

/// Removes the tags that Twinpool gave the pool of the backup, if it was rebuilt once before.
pub(super) fn remove_own_tags(settings: &mut Map<String, Value>) {
    if let Some(Value::Object(tags)) = settings.get_mut("UserPoolTags") {
        tags.retain(|key, _| !key.starts_with(OWN_TAGS));
    }
}

/// Removes from `settings` that users may sign up, where they may. Whether they may.
pub(super) fn take_sign_up(settings: &mut Map<String, Value>) -> bool {
    let Some(Value::Object(config)) = settings.get_mut("AdminCreateUserConfig") else {
        return true;
    };
    if config.get(ADMIN_ONLY) == Some(&json!(true)) {
        return false;
    }
    config.remove(ADMIN_ONLY);
    if config.is_empty() {
        settings.remove("AdminCreateUserConfig");
    }
    true
}

/// Triggers that are attached before the users are made, and those that are attached after it.
pub(super) fn split(triggers: Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (late, early) = triggers
        .into_iter()
        .partition(|(name, _)| LATE_TRIGGERS.contains(&name.as_str()));
    (early, late)
}

/// Input of `CreateUserPool` from [`settings`] without triggers and MFA, and the custom attributes that are added afterwards
/// because they are too many for one call. Nobody can sign up in it.
pub(super) fn create_input(settings: &Map<String, Value>, name: &str, plan: &str) -> (Value, Vec<Vec<Value>>) {
    let mut input = settings.clone();
    input.remove("Name");
    input.insert("PoolName".into(), json!(name));
    for list in ["AliasAttributes", "UsernameAttributes"] {
        if input.get(list) == Some(&json!([])) {
            input.remove(list);
        }
    }
    lay_over(
        input.entry("AdminCreateUserConfig").or_insert_with(|| json!({})),
        &json!({ADMIN_ONLY: true}),
    );
    let attributes = input
        .remove("SchemaAttributes")
        .and_then(|list| list.as_array().cloned());
    let mut entries = schema::entries(&attributes.unwrap_or_default());
    let rest = entries.split_off(entries.len().min(schema::ENTRIES_MAX));
    if !entries.is_empty() {
        input.insert("Schema".into(), Value::Array(entries));
    }
    let mut tags = input
        .remove("UserPoolTags")
        .and_then(|tags| tags.as_object().cloned())
        .unwrap_or_default();
    tags.insert(PLAN_TAG.to_owned(), json!(plan));
    input.insert("UserPoolTags".into(), Value::Object(tags));
    let rest = rest.chunks(schema::ADDED_MAX).map(<[Value]>::to_vec).collect();
    (Value::Object(input), rest)
}

/// Input of `UpdateUserPool` that says again everything that `shown` (what `DescribeUserPool` shows now) is set to, with
/// `changes` laid over it. Without the pool's id.
#[must_use]
pub fn update_input(shown: &Value, changes: &Value) -> Value {
    let mut input = settings(shown);
    input.retain(|name, _| !IMMUTABLE.contains(&name.as_str()));
    if let Some(name) = input.remove("Name") {
        input.insert("PoolName".into(), name);
    }
    let mut input = Value::Object(input);
    lay_over(&mut input, changes);
    input
}

/// Lays `changes` over `base`, object by object; any other value takes the place of the one that is there.
pub(in crate::import) fn lay_over(base: &mut Value, changes: &Value) {
    match (base, changes) {
        (Value::Object(base), Value::Object(changes)) => {
            for (name, change) in changes {
                lay_over(base.entry(name.clone()).or_insert(Value::Null), change);
            }
        }
        (base, changes) => base.clone_from(changes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_update_says_everything_again_that_was_set() {
        let shown = json!({"Id": "p", "Arn": "a", "Name": "main", "Status": "Enabled", "MfaConfiguration": "ON",
            "Policies": {"PasswordPolicy": {"MinimumLength": 12, "TemporaryPasswordValidityDays": 7}},
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true, "UnusedAccountValidityDays": 7},
            "EmailVerificationMessage": "{####}", "VerificationMessageTemplate": {"EmailMessage": "{####}"},
            "UsernameAttributes": ["email"], "SchemaAttributes": [], "UserPoolTags": {"aws:x": "1", "team": "a"},
            "LambdaConfig": {"PreSignUp": "f"}, "SomethingNewer": {"a": 1}});
        let input = update_input(&shown, &json!({"LambdaConfig": {"PostConfirmation": "g"}}));
        let expected = json!({"PoolName": "main", "MfaConfiguration": "ON",
            "Policies": {"PasswordPolicy": {"MinimumLength": 12, "TemporaryPasswordValidityDays": 7}},
            "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": true},
            "VerificationMessageTemplate": {"EmailMessage": "{####}"}, "UserPoolTags": {"team": "a"},
            "LambdaConfig": {"PreSignUp": "f", "PostConfirmation": "g"}, "SomethingNewer": {"a": 1}});
        assert_eq!(input, expected);
    }

    #[test]
    fn attributes_beyond_fifty_are_added_afterwards() {
        let mut attributes: Vec<_> = (0..50).map(|n| json!({"Name": format!("custom:a{n}")})).collect();
        attributes.extend((0..2).map(|n| json!({"Name": format!("std{n}"), "Required": true})));
        let (input, rest) = create_input(&settings(&json!({"SchemaAttributes": attributes})), "main", "plan");
        assert_eq!(input["Schema"].as_array().map(Vec::len), Some(50));
        assert_eq!(rest.iter().map(Vec::len).collect::<Vec<_>>(), [2]);
        assert_eq!(input["UserPoolTags"][PLAN_TAG], "plan");
        assert!(input.get("AliasAttributes").is_none());
    }
}
