//! Two configurations, compared field by field, for a person to read.
//!
//! `LastModifiedDate` is left out. Lists whose order means nothing are compared as sets, and lists of named entries by name.
//!
//! Invariant: no secret is in a difference. Where one differs, [`SECRET_CHANGED`] stands for its value.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    Json,
    normal::{NOT_COMPARED_ANYWHERE, is_unordered},
};
use crate::canon::{ContentHash, canonical_bytes};

/// Stands for the value of a secret.
pub const SECRET_CHANGED: &str = "[secret changed]";
/// Longest text that is shown as it is, in bytes. A longer one, an image for example, is shown by length and hash.
pub const TEXT_BYTES_MAX: usize = 2_000;
/// Members that name an entry of a list.
const NAMES: [&str; 5] = ["Name", "ScopeName", "EventSource", "RegionName", "ClientSecretId"];

/// What became of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DifferenceKind {
    /// It was not there before.
    Added,
    /// It is not there any more.
    Removed,
    /// It has another value.
    Changed,
}

/// One difference.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigDifference {
    /// Where: names from the outermost to the field, joined by `/`; an entry of a list by its name in brackets.
    pub path: String,
    /// What became of it.
    pub kind: DifferenceKind,
    /// Its value before, secrets masked. A whole object when all of it was removed.
    pub before: Option<Json>,
    /// Its value after, secrets masked. A whole object when all of it was added.
    pub after: Option<Json>,
}

/// The differences from `before` to `after`, in the order of their paths.
#[must_use]
pub fn diff_config(before: &Json, after: &Json) -> Vec<ConfigDifference> {
    let mut found = Vec::new();
    compare("", "", before.expose(), after.expose(), &mut found);
    found
}

fn compare(path: &str, name: &str, before: &Value, after: &Value, found: &mut Vec<ConfigDifference>) {
    match (before, after) {
        (Value::Object(before), Value::Object(after)) => {
            members(before, after, found, |name| {
                if path.is_empty() {
                    name.to_owned()
                } else {
                    format!("{path}/{name}")
                }
            });
        }
        (Value::Array(old), Value::Array(new)) => match (by_name(old), by_name(new)) {
            (Some(old), Some(new)) if is_unordered(name) || names(&old).eq(names(&new)) => {
                members(&old.into_iter().collect(), &new.into_iter().collect(), found, |name| {
                    format!("{path}[{name}]")
                });
            }
            _ if is_unordered(name) && sorted(old) == sorted(new) => {}
            _ => changed(path, name, before, after, found),
        },
        _ => changed(path, name, before, after, found),
    }
}

fn members(
    before: &Map<String, Value>,
    after: &Map<String, Value>,
    found: &mut Vec<ConfigDifference>,
    path: impl Fn(&str) -> String,
) {
    let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names.into_iter().filter(|name| *name != NOT_COMPARED_ANYWHERE) {
        match (before.get(name), after.get(name)) {
            (Some(before), Some(after)) => compare(&path(name), name, before, after, found),
            (before, after) => found.push(ConfigDifference {
                path: path(name),
                kind: if after.is_some() {
                    DifferenceKind::Added
                } else {
                    DifferenceKind::Removed
                },
                before: before.map(|value| shown(name, value)),
                after: after.map(|value| shown(name, value)),
            }),
        }
    }
}

fn changed(path: &str, name: &str, before: &Value, after: &Value, found: &mut Vec<ConfigDifference>) {
    if before != after {
        found.push(ConfigDifference {
            path: path.to_owned(),
            kind: DifferenceKind::Changed,
            before: Some(shown(name, before)),
            after: Some(shown(name, after)),
        });
    }
}

/// The entries with their names, when each has one of its own.
fn by_name(entries: &[Value]) -> Option<Vec<(String, Value)>> {
    let name = |entry: &Value| {
        let name = NAMES.iter().find_map(|name| entry.get(name)).and_then(Value::as_str);
        name.map(str::to_owned).or_else(|| asset_name(entry))
    };
    let named: Option<Vec<_>> = entries
        .iter()
        .map(|entry| name(entry).zip(Some(entry.clone())))
        .collect();
    named.filter(|named| names(named).collect::<BTreeSet<_>>().len() == named.len())
}

fn names(named: &[(String, Value)]) -> impl Iterator<Item = &str> {
    named.iter().map(|(name, _)| name.as_str())
}

/// What names an image of a managed-login style: there is one for each category, colour mode and format.
fn asset_name(entry: &Value) -> Option<String> {
    let text = |name: &str| entry.get(name).and_then(Value::as_str);
    Some(format!(
        "{} {} {}",
        text("Category")?,
        text("ColorMode")?,
        text("Extension")?
    ))
}

fn sorted(entries: &[Value]) -> Vec<Vec<u8>> {
    let mut sorted: Vec<_> = entries.iter().map(canonical_bytes).collect();
    sorted.sort_unstable();
    sorted
}

/// A value as it may be shown.
fn shown(name: &str, value: &Value) -> Json {
    Json::new(masked(name, value))
}

fn masked(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => {
            let members = members.iter().map(|(name, value)| (name.clone(), masked(name, value)));
            Value::Object(members.collect())
        }
        Value::Array(entries) => Value::Array(entries.iter().map(|entry| masked(name, entry)).collect()),
        _ if is_secret(name) => Value::from(SECRET_CHANGED),
        Value::String(text) if text.len() > TEXT_BYTES_MAX => {
            let hash = ContentHash::of_bytes(text.as_bytes());
            Value::from(format!("[{} bytes, sha-256 {hash}]", text.len()))
        }
        _ => value.clone(),
    }
}

/// Whether a member of this name holds a secret: `ClientSecret`, `ClientSecretValue`, and in `ProviderDetails` `client_secret`
/// and `private_key`, or whatever a later version of the API calls the like.
fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let plain = plain.to_ascii_lowercase();
    let about_a_secret = ["id", "date", "arn"].iter().any(|end| plain.ends_with(end));
    (plain.contains("secret") && !about_a_secret)
        || ["password", "privatekey", "apikey"]
            .iter()
            .any(|end| plain.ends_with(end))
}
