//! What two answers have to agree on, and where they do not.
//!
//! Invariant: only what cannot be equal is normalised away: instants, ids and the order of elements that have names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::{Map, Value, json};

/// One place where two answers differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// The operation, and its place in the script.
    pub(super) operation: String,
    pub(super) step: usize,
    /// Members by `.`, elements by their name in brackets; `error OURS|THEIRS` for different outcomes.
    pub(super) path: String,
    pub(super) ours: Value,
    pub(super) theirs: Value,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            operation,
            step,
            path,
            ours,
            theirs,
        } = self;
        write!(f, "step {step}: {operation}: {path}: ours {ours}, theirs {theirs}")
    }
}

/// An answer with the ids of `kept` by their names, without instants, without the values of the attributes and members in `hidden`.
pub(super) fn normalised(value: &Value, kept: &BTreeMap<String, String>, hidden: &BTreeSet<String>) -> Value {
    match value {
        Value::Object(members) => {
            let attribute = members.get("Name").and_then(Value::as_str);
            let is_hidden = attribute.is_some_and(|name| hidden.contains(name));
            let member = |(name, value): (&String, &Value)| {
                let value = if name.ends_with("Date") && !value.is_object() {
                    json!("{date}")
                } else if (is_hidden && name == "Value") || hidden.contains(name) {
                    json!("{hidden}")
                } else {
                    normalised(value, kept, hidden)
                };
                (name.clone(), value)
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(elements) => {
            let mut elements: Vec<_> = elements
                .iter()
                .map(|element| normalised(element, kept, hidden))
                .collect();
            elements.sort_by_key(|element| name_of(element).map_or_else(|| element.to_string(), str::to_owned));
            Value::Array(elements)
        }
        Value::String(text) => {
            let named = kept.iter().fold(text.clone(), |text, (name, id)| {
                text.replace(id, &format!("{{{name}}}"))
            });
            Value::String(named)
        }
        other => other.clone(),
    }
}

/// What an element of a list is called.
pub(super) fn name_of(element: &Value) -> Option<&str> {
    ["Username", "GroupName", "ClientName", "Name"]
        .iter()
        .find_map(|member| element.get(member)?.as_str())
}

/// Where two normalised answers differ, each with its path.
pub(super) fn differences(ours: &Value, theirs: &Value, path: &str, found: &mut Vec<(String, Value, Value)>) {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
            for name in names {
                let path = if path.is_empty() {
                    name.clone()
                } else {
                    format!("{path}.{name}")
                };
                differences(&ours[name], &theirs[name], &path, found);
            }
        }
        (Value::Array(left), Value::Array(right)) => {
            let by_name = |elements: &[Value]| -> Option<BTreeMap<String, Value>> {
                elements
                    .iter()
                    .map(|element| Some((name_of(element)?.to_owned(), element.clone())))
                    .collect()
            };
            match (by_name(left), by_name(right)) {
                (Some(left), Some(right)) => {
                    let names: BTreeSet<_> = left.keys().chain(right.keys()).collect();
                    for name in names {
                        let element = |side: &BTreeMap<String, Value>| side.get(name).cloned().unwrap_or_default();
                        differences(&element(&left), &element(&right), &format!("{path}[{name}]"), found);
                    }
                }
                _ if left == right => {}
                _ => found.push((path.to_owned(), ours.clone(), theirs.clone())),
            }
        }
        _ if ours == theirs => {}
        _ => found.push((path.to_owned(), ours.clone(), theirs.clone())),
    }
}
