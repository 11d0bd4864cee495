//! The target pool itself.
//!
//! Invariant: its name stays. Triggers and sign-up have steps of their own, which are laid over what it has.

use serde_json::{Map, Value, json};

use super::{ADD_ATTRIBUTES, Found, Immutable, ManualTask, Patch, Phase, Step, UPDATE_POOL, lacking};
use crate::{
    import::{
        ORIGINAL_SUB,
        configure::{ADDED_MAX, IMMUTABLE, custom_name, entry, is_own, settings},
    },
    marks::Part,
    snapshot::{
        Json, POOL_LEVEL,
        diff::{ConfigDifference, DifferenceKind},
    },
};

/// What the target pool's settings lack of `wanted`.
pub(super) fn differences(wanted: &Json, found: &Found) -> Vec<ConfigDifference> {
    let there = found.json(Part::Pool, POOL_LEVEL).map(settings).unwrap_or_default();
    let mut differences = lacking(wanted.expose(), &Value::Object(there));
    // The name of an existing target is its owner's. The marker needs no more than to be there.
    let limits_of_marker = format!("SchemaAttributes[{ORIGINAL_SUB}]/StringAttributeConstraints");
    differences.retain(|difference| {
        difference.path != "Name" && !difference.path.starts_with(&limits_of_marker) && !is_of_cognito(difference)
    });
    differences
}

/// Whether a difference in the schema is Cognito's own: what it makes itself, and how it shows what nobody can set otherwise.
fn is_of_cognito(difference: &ConfigDifference) -> bool {
    let Some((name, member)) = difference
        .path
        .strip_prefix("SchemaAttributes[")
        .and_then(|rest| rest.split_once(']'))
    else {
        return false;
    };
    let is_empty = difference
        .before
        .as_ref()
        .is_none_or(|before| *before.expose() == json!({}));
    match member {
        _ if is_own(name) => true,
        "" => false,
        // All that a pool decides of a standard attribute.
        _ if custom_name(name).is_none() => !["/Required", "/Mutable"].contains(&member),
        _ => is_empty && member.ends_with("Constraints"),
    }
}

/// The calls that mend it.
pub(super) fn patch(wanted: &Json, found: &Found, patch: &mut Patch, immutable: &mut Vec<Immutable>) {
    let mut changes = Map::new();
    let mut added = Vec::new();
    for difference in differences(wanted, found) {
        let member = difference.path.split(['/', '[']).next().unwrap_or_default();
        if let Some(attribute) = missing_attribute(&difference) {
            added.push(entry(attribute));
        } else if IMMUTABLE.contains(&member) {
            immutable.push(Immutable::of("pool/pool", &difference));
        } else {
            changes.insert(member.to_owned(), wanted.expose()[member].clone());
        }
    }
    for entries in added.chunks(ADDED_MAX) {
        let input = json!({"CustomAttributes": entries});
        patch.steps.push(step(ADD_ATTRIBUTES, "custom attributes", input));
    }
    if !changes.is_empty() {
        patch.steps.push(step(UPDATE_POOL, "settings", Value::Object(changes)));
    }
    let trigger = found
        .json(Part::Pool, POOL_LEVEL)
        .map(|pool| &pool["LambdaConfig"]["PreSignUp"]);
    if trigger.is_some_and(|trigger| !trigger.is_null()) {
        let what = "the target has this trigger already, which runs for every user that is made";
        patch
            .manual
            .push(ManualTask::beside("pool/pool/LambdaConfig/PreSignUp", what));
    }
}

/// The custom attribute that is all of a difference.
fn missing_attribute(difference: &ConfigDifference) -> Option<&Value> {
    let name = difference.path.strip_prefix("SchemaAttributes[")?.strip_suffix(']')?;
    let is_custom = name.starts_with("custom:") || name.starts_with("dev:");
    let is_missing = difference.kind == DifferenceKind::Removed && is_custom;
    difference.before.as_ref().map(Json::expose).filter(|_| is_missing)
}

/// An entry of `AddCustomAttributes` as `DescribeUserPool` shows it afterwards.
pub(super) fn as_shown(entry: &Value) -> Value {
    let prefix = if entry["DeveloperOnlyAttribute"] == true {
        "dev:custom:"
    } else {
        "custom:"
    };
    let mut shown = entry.clone();
    shown["Name"] = json!(format!("{prefix}{}", entry["Name"].as_str().unwrap_or_default()));
    shown
}

fn step(operation: &'static str, subject: &str, input: Value) -> Step {
    Step {
        phase: Phase::Pool,
        operation,
        subject: subject.to_owned(),
        client: None,
        input: Json::new(input),
    }
}
