//! The schema: what `DescribeUserPool` shows of it, as entries that `CreateUserPool` and `AddCustomAttributes` take.
//!
//! Sources: API reference, `SchemaAttributeType`, `CreateUserPool` (at most 50 entries), `AddCustomAttributes` (at most 25);
//! developer guide, "Working with user attributes" (standard attributes and their limits; at most 50 custom attributes).
//!
//! Invariant: a standard attribute is told only where it differs from what every pool has.

use serde_json::{Value, json};

use crate::import::ORIGINAL_SUB;

/// The most entries of `Schema` in `CreateUserPool`.
pub(super) const ENTRIES_MAX: usize = 50;
/// The most entries of `CustomAttributes` in `AddCustomAttributes`.
pub(in crate::import) const ADDED_MAX: usize = 25;
/// The most custom attributes of a pool.
const CUSTOM_MAX: usize = 50;
/// Made by Cognito itself.
const OWN: [&str; 2] = ["sub", "identities"];

/// Whether an attribute is made by Cognito itself, in whatever pool.
pub(in crate::import) fn is_own(name: &str) -> bool {
    OWN.contains(&name)
}

/// Name of an attribute.
fn name(attribute: &Value) -> &str {
    attribute["Name"].as_str().unwrap_or_default()
}

/// The name of a custom attribute without its prefixes; `None` for a standard one. `dev:` marks a developer-only attribute.
pub(in crate::import) fn custom_name(name: &str) -> Option<&str> {
    let bare = name.strip_prefix("dev:").unwrap_or(name).strip_prefix("custom:");
    bare.or_else(|| name.strip_prefix("dev:"))
}

/// Adds the attribute that keeps the `sub` of the backup. Whether the schema has it now.
pub(super) fn add_original_sub(attributes: &mut Vec<Value>) -> bool {
    if attributes.iter().any(|attribute| name(attribute) == ORIGINAL_SUB) {
        return true;
    }
    let custom = attributes
        .iter()
        .filter(|attribute| custom_name(name(attribute)).is_some());
    if custom.count() >= CUSTOM_MAX {
        return false;
    }
    attributes.push(json!({
        "Name": ORIGINAL_SUB, "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": true,
        "Required": false, "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "128"},
    }));
    true
}

/// What a client without a list of its own may write: all but the marker, what only Cognito writes, and what only developers
/// do. Attributes that cannot be changed are among them: users give them when they sign up.
///
/// Cognito answers "Invalid write attributes" to a list with one of the rest (seen in aws-cdk issue 20760).
pub(super) fn writable(attributes: &[Value]) -> Vec<String> {
    let names = attributes.iter().map(name);
    let mut names: Vec<String> = names
        .filter(|name| {
            !is_own(name) && !name.ends_with("_verified") && !name.starts_with("dev:") && *name != ORIGINAL_SUB
        })
        .map(str::to_owned)
        .collect();
    names.sort_unstable();
    names
}

/// The entries of `Schema` that make these attributes, standard ones first.
pub(super) fn entries(attributes: &[Value]) -> Vec<Value> {
    let (custom, standard): (Vec<&Value>, Vec<&Value>) = attributes
        .iter()
        .partition(|attribute| custom_name(name(attribute)).is_some());
    let changed = standard.into_iter().filter(|attribute| is_changed(attribute)).cloned();
    changed.chain(custom.into_iter().map(entry)).collect()
}

/// The entry that makes a custom attribute.
pub(in crate::import) fn entry(attribute: &Value) -> Value {
    let mut entry = attribute.clone();
    if let Some(bare) = custom_name(name(attribute)) {
        entry["Name"] = json!(bare);
    }
    entry
}

/// Whether a standard attribute differs from what every pool has.
fn is_changed(attribute: &Value) -> bool {
    let name = name(attribute);
    let flag = |member: &str, usual: bool| attribute[member].as_bool().is_some_and(|flag| flag != usual);
    let limits = |member: &str, usual: Value| attribute.get(member).is_some_and(|limits| *limits != usual);
    let length = match name {
        "birthdate" => json!({"MinLength": "10", "MaxLength": "10"}),
        _ => json!({"MinLength": "0", "MaxLength": "2048"}),
    };
    !is_own(name)
        && (flag("Required", false)
            || flag("Mutable", true)
            || limits("StringAttributeConstraints", length)
            || limits("NumberAttributeConstraints", json!({"MinValue": "0"})))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standard(name: &str, required: bool) -> Value {
        json!({"Name": name, "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": true,
            "Required": required, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}})
    }

    #[test]
    fn only_changed_standard_attributes_are_told_and_custom_ones_without_their_prefix() {
        let sub = json!({"Name": "sub", "Mutable": false, "Required": true});
        let custom = json!({"Name": "custom:tenant", "AttributeDataType": "Number", "Mutable": false});
        let developer = json!({"Name": "dev:custom:old", "DeveloperOnlyAttribute": true});
        let told = entries(&[custom, sub, standard("email", true), standard("name", false), developer]);
        let names: Vec<_> = told.iter().map(name).collect();
        assert_eq!(names, ["email", "tenant", "old"]);
        assert_eq!(told[1]["Mutable"], false);
    }

    #[test]
    fn the_original_sub_is_added_once_and_only_where_there_is_room() {
        let mut attributes = vec![standard("email", true)];
        assert!(add_original_sub(&mut attributes));
        assert!(add_original_sub(&mut attributes));
        assert_eq!(attributes.len(), 2);
        let mut full: Vec<_> = (0..50).map(|n| json!({"Name": format!("custom:a{n}")})).collect();
        assert!(!add_original_sub(&mut full));
        full.truncate(49);
        assert!(add_original_sub(&mut full));
    }
}
