//! What an app client may read and write of its users: the `sub` of the backup is for reading only.
//!
//! Sources: API reference, `CreateUserPoolClient`: `WriteAttributes` and `ReadAttributes`, which are shown only when they were
//! given. Cognito takes an empty list for none (aws-cdk issue 21835), and a client without one is taken for one that may write
//! everything: to be refused the marker, it needs a list.
//!
//! Invariant: no client may write [`ORIGINAL_SUB`]. A user who could would take another one's place for whoever goes by it.

use serde_json::{Value, json};

use super::manual::Adjusted;
use crate::import::ORIGINAL_SUB;

const READ: &str = "ReadAttributes";
const WRITE: &str = "WriteAttributes";
/// Stands in a list that would be empty otherwise. Every pool has it, and it is nobody's data.
const HARMLESS: &str = "updated_at";

/// Takes the marker from what the client of `input`, which stands at `path`, may write, and adds it to what it may read, where
/// there are lists. `writable` is what a client without a list may write. What was adjusted.
pub(super) fn adjust(path: &str, input: &mut Value, writable: &[String]) -> Vec<Adjusted> {
    let mut adjusted = Vec::new();
    let mut note = |list: &str, why: &str| {
        adjusted.push(Adjusted {
            path: format!("{path}/{list}"),
            why: why.to_owned(),
        });
    };
    if let Some(Value::Array(read)) = input.get_mut(READ)
        && !read.is_empty()
        && !has_marker(read)
    {
        read.push(json!(ORIGINAL_SUB));
        note(
            READ,
            "custom:original_sub is added, so that the application can read it",
        );
    }
    let given = input.get(WRITE).and_then(Value::as_array);
    let given = given.filter(|list| !list.is_empty()).cloned();
    if given.as_ref().is_some_and(|list| !has_marker(list)) {
        return adjusted;
    }
    let mut write = given.unwrap_or_else(|| writable.iter().map(|name| json!(name)).collect());
    write.retain(|name| name != ORIGINAL_SUB);
    if write.is_empty() {
        write.push(json!(HARMLESS));
    }
    input[WRITE] = Value::Array(write);
    note(
        WRITE,
        "names everything that the client could write but custom:original_sub, which users must not write",
    );
    adjusted
}

fn has_marker(list: &[Value]) -> bool {
    list.iter().any(|name| name == ORIGINAL_SUB)
}
