//! The calls that a function's binary makes, read from the code that it is built from.
//!
//! A function reaches AWS through the adapters that its code makes (`Table::new(...)`), by the methods that it calls of them, and in
//! raw JSON by operation names in its code and in the tables of a pool's configuration.
//!
//! Invariant: the calls are read from the code and its tables, so that neither a new call nor a left-over permission goes unseen.

use std::{collections::BTreeSet, fs, path::Path};

use twinpool_shared::operation::OPERATIONS;

use crate::templates::document::workspace;

/// An adapter, by what its making looks like: the service that its client speaks to, and its code.
const ADAPTERS: [(&str, &str, &str); 4] = [
    ("Queue::new(", "sqs", "shared/src/adapter/queue.rs"),
    ("Chain::new(", "lambda", "shared/src/adapter/chain.rs"),
    ("Table::new(", "dynamodb", "shared/src/adapter/table.rs"),
    ("PoolReader::new(", "cognito-idp", "shared/src/adapter/pool.rs"),
];
/// What else of the adapters' folder makes calls: the first is the operator's alone, the others are the way of raw JSON.
const OTHERS: [&str; 3] = [
    "shared/src/adapter/lookup.rs",
    "shared/src/adapter/pool/raw.rs",
    "shared/src/adapter/pool/write.rs",
];

/// What a binary is built from, as far as it calls something.
pub(super) struct Code<'a> {
    /// Folders and files of the workspace.
    pub(super) sources: &'a [&'a str],
    /// Operations that it takes from tables.
    pub(super) from_tables: &'a [&'a str],
}

/// Actions, as IAM names them (`sqs:SendMessage`).
pub(super) fn of(code: &Code<'_>) -> BTreeSet<String> {
    let text: String = code
        .sources
        .iter()
        .map(|path| sources(&workspace().join(path)))
        .collect();
    let mut found: BTreeSet<String> = code
        .from_tables
        .iter()
        .map(|name| action("cognito-idp", name))
        .collect();
    for (made, service, adapter) in ADAPTERS {
        if text.contains(made) {
            let adapter = sources(&workspace().join(adapter));
            let calls = methods(&adapter, &text).into_iter().flat_map(sdk_calls);
            found.extend(calls.map(|call| action(service, &call)));
        }
    }
    if text.contains("RawPool") || text.contains("PoolWriter") {
        let named = OPERATIONS.iter().map(|(name, _)| *name);
        let named = named.filter(|name| text.contains(&format!("\"{name}\"")));
        found.extend(named.map(|name| action("cognito-idp", name)));
    }
    found
}

/// The methods of an adapter that `code` calls, and those that they call.
fn methods<'a>(adapter: &'a str, code: &str) -> Vec<&'a str> {
    let mut left: Vec<&str> = adapter.split("async fn ").skip(1).collect();
    let mut reached: Vec<&str> = Vec::new();
    loop {
        let called = |method: &&str| {
            let name = method.split(['(', '<']).next().unwrap_or_default();
            let calls = [format!(".{name}("), format!(".{name}::<")];
            // Of itself the code calls methods of its own, which may have the same name.
            let of_another = |call: &String| code.match_indices(call).any(|(at, _)| !code[..at].ends_with("self"));
            calls.iter().any(of_another)
                || reached
                    .iter()
                    .any(|method| calls.iter().any(|call| method.contains(call)))
        };
        let (now, others): (Vec<&str>, Vec<&str>) = left.into_iter().partition(called);
        if now.is_empty() {
            return reached;
        }
        reached.extend(now);
        left = others;
    }
}

/// What is called of a client: `client.send_message()`, over however many lines.
fn sdk_calls(code: &str) -> Vec<String> {
    let dense: String = code.split_whitespace().collect();
    let calls = dense.split("client.").skip(1).filter_map(|rest| {
        let name: String = rest
            .chars()
            .take_while(|letter| letter.is_ascii_lowercase() || *letter == '_')
            .collect();
        rest[name.len()..].starts_with("()").then_some(name)
    });
    calls.collect()
}

/// The action of an SDK's method, or of an operation.
fn action(service: &str, name: &str) -> String {
    let folded = |name: &str| name.replace('_', "").to_lowercase();
    // The one whose action has another name than its operation [Service Authorization Reference: AWS Lambda].
    if service == "lambda" && name == "invoke" {
        return "lambda:InvokeFunction".to_owned();
    }
    let known = OPERATIONS.iter().map(|(known, _)| *known);
    let known = known
        .filter(|_| service == "cognito-idp")
        .find(|known| folded(known) == folded(name));
    let operation = known.map_or_else(|| camel(name), str::to_owned);
    format!("{service}:{operation}")
}

fn camel(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let mut letters = word.chars();
        letters.next().map_or_else(String::new, |first| {
            first.to_ascii_uppercase().to_string() + letters.as_str()
        })
    });
    words.collect()
}

/// All code in a folder, or of a file, but tests.
pub(super) fn sources(path: &Path) -> String {
    let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
    if name == "testing" || name.ends_with("tests") {
        return String::new();
    }
    if path.is_dir() {
        let mut inside: Vec<_> = fs::read_dir(path)
            .expect("a folder")
            .flatten()
            .map(|entry| entry.path())
            .collect();
        inside.sort();
        return inside.iter().map(|path| sources(path)).collect();
    }
    let code = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    code.split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn no_other_file_calls_a_service() {
    let folders = [
        "shared/src",
        "consumers/replicator/src",
        "consumers/reconciler/src",
        "consumers/importer/src",
        "triggers",
    ];
    let mut folders: Vec<_> = folders.iter().map(|folder| workspace().join(folder)).collect();
    let mut calling: BTreeSet<String> = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let code = if path.extension().is_some_and(|extension| extension == "rs") {
                sources(&path)
            } else {
                String::new()
            };
            // Others have clients too: the apps' of a pool.
            if code.contains("aws_sdk_") && sdk_calls(&code).iter().any(|call| call != "config") {
                let path = path.strip_prefix(workspace()).expect("below it");
                calling.insert(path.display().to_string());
            }
        }
    }
    let known = ADAPTERS.iter().map(|(_, _, path)| *path).chain(OTHERS);
    // `write.rs` goes through `raw.rs`.
    let known: BTreeSet<String> = known
        .filter(|path| !path.ends_with("write.rs"))
        .map(str::to_owned)
        .collect();
    assert_eq!(calling, known, "left: who calls, right: whose calls are counted");
}

#[test]
fn calls_are_found_in_code() {
    let adapter = "async fn kept(&self) { self.client\n  .put_item()\n.send().await }
        async fn found(&self) { self.all::<T>().await }
        async fn all<T>(&self) { let page = self.client.query().send(); page.client.name }
        async fn left(&self) { self.client.delete_item() }";
    let reached = methods(adapter, "table.kept(1); table.found(); self.left();");
    let calls: BTreeSet<String> = reached.into_iter().flat_map(sdk_calls).collect();
    assert_eq!(calls, BTreeSet::from(["put_item".to_owned(), "query".to_owned()]));
    assert_eq!(action("dynamodb", "batch_get_item"), "dynamodb:BatchGetItem");
    assert_eq!(
        action("cognito-idp", "admin_set_user_mfa_preference"),
        "cognito-idp:AdminSetUserMFAPreference"
    );
}
