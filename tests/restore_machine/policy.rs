//! What `infra/recovery.yaml` allows the importer, held against what the importer's code calls.
//!
//! Invariant: the calls are read from the code and its tables, so that neither a new call nor a left-over permission goes unseen.

use std::{collections::BTreeSet, fs, path::Path};

use twinpool_shared::{
    marks::Part,
    operation::OPERATIONS,
    snapshot::plan::{CLIENT_SECRETS, DOMAIN, LISTINGS, OF_CLIENT, POOL, RISK, SINGLES},
};

/// Every operation of Cognito that the importer's code names, that the adapter makes of its calls, and that show a configuration.
fn called() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let sources = ["consumers/importer/src", "shared/src/import"].map(|folder| sources(&root.join(folder)));
    let sources = sources.concat();
    let in_code = named(&sources).map(str::to_owned);
    let adapter = fs::read_to_string(root.join("shared/src/adapter/pool.rs")).expect("a source is text");
    let by_adapter = methods(&adapter, &sources);
    let by_adapter = by_adapter.filter_map(|method| named(method).next().map(str::to_owned));
    let by_adapter: Vec<String> = by_adapter.collect();
    assert!(by_adapter.len() > 4, "that is not all of it: {by_adapter:?}");
    // Neither compared nor set: replicas, tags and limits are the account's own affair.
    let listings = || LISTINGS.iter().filter(|listing| listing.part != Part::Replicas);
    let described = listings().filter_map(|listing| Some(listing.describe?.operation));
    let captured = [POOL.operation, RISK.operation, DOMAIN.operation, CLIENT_SECRETS]
        .into_iter()
        .chain(SINGLES.iter().map(|call| call.operation))
        .chain(listings().map(|listing| listing.operation))
        .chain(OF_CLIENT.iter().map(|call| call.operation))
        .chain(described);
    in_code.chain(by_adapter).chain(captured.map(str::to_owned)).collect()
}

/// Operations of Cognito that stand in a piece of code.
fn named(code: &str) -> impl Iterator<Item = &'static str> {
    let names = OPERATIONS.iter().map(|(name, _)| *name);
    names.filter(|name| code.contains(&format!("\"{name}\"")))
}

/// The methods of an adapter that `code` or the adapter itself calls.
fn methods<'a>(adapter: &'a str, code: &'a str) -> impl Iterator<Item = &'a str> {
    adapter.split("async fn ").skip(1).filter(move |method| {
        let name = method.split(['(', '<']).next().unwrap_or_default();
        let called = format!(".{name}(");
        code.contains(&called) || adapter.contains(&called)
    })
}

/// All code in a folder but tests.
fn sources(folder: &Path) -> String {
    let mut found = String::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = path.file_stem().and_then(|name| name.to_str()).unwrap_or_default();
        if name == "testing" || name.ends_with("tests") {
            continue;
        }
        if path.is_dir() {
            found.push_str(&sources(&path));
        } else {
            let code = fs::read_to_string(&path).expect("a source is text");
            found.push_str(code.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default());
        }
    }
    found
}

/// The statements of the importer's own policy, each from its `Sid` on.
fn statements() -> Vec<String> {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/recovery.yaml");
    let template = fs::read_to_string(template).expect("the template");
    let role = template
        .split("\n  ImporterRole:\n")
        .nth(1)
        .expect("the importer's role");
    let role = role.split("\n  ImporterLogs:\n").next().unwrap_or_default();
    let code = role.lines().filter(|line| !line.trim_start().starts_with('#'));
    let code = code.collect::<Vec<_>>().join("\n");
    code.split("- Sid: ").map(str::to_owned).collect()
}

/// The statement `sid`.
fn statement(sid: &str) -> String {
    let found = statements()
        .into_iter()
        .find(|statement| statement.lines().next() == Some(sid));
    found.unwrap_or_else(|| panic!("no statement {sid}"))
}

/// Operations of Cognito that a part of the policy allows.
fn operations(part: &str) -> BTreeSet<String> {
    let actions = part.split("cognito-idp:").skip(1).filter_map(|rest| {
        let end = rest.find(|next: char| !next.is_ascii_alphanumeric())?;
        Some(rest[..end].to_owned())
    });
    // The ARNs of pools name the service too.
    actions.filter(|name| !name.is_empty()).collect()
}

#[test]
fn the_policy_allows_every_call_of_the_importer_and_no_other() {
    let statements = statements().concat();
    assert!(!statements.contains("cognito-idp:*"), "an action with a wildcard");
    let mut needed = called();
    assert!(needed.len() > 50, "that is not all of it: {needed:?}");
    // Not called by itself: it may be judged where CreateUserPool comes with tags.
    needed.insert("TagResource".to_owned());
    assert_eq!(
        operations(&statements),
        needed,
        "left: infra/recovery.yaml, right: what is called"
    );
}

#[test]
fn the_policy_of_the_table_allows_every_call_of_the_importer_and_no_other() {
    const CALLS: [(&str, &str); 12] = [
        ("BatchGetItem", "batch_get_item"),
        ("BatchWriteItem", "batch_write_item"),
        ("DeleteItem", "delete_item"),
        ("DescribeTable", "describe_table"),
        ("ExecuteStatement", "execute_statement"),
        ("GetItem", "get_item"),
        ("PutItem", "put_item"),
        ("Query", "query"),
        ("Scan", "scan"),
        ("TransactGetItems", "transact_get_items"),
        ("TransactWriteItems", "transact_write_items"),
        ("UpdateItem", "update_item"),
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let read = |path: &str| fs::read_to_string(root.join(path)).expect("a source is text");
    let folders = ["consumers/importer/src", "shared/src/import"].map(|folder| sources(&root.join(folder)));
    let beside = [
        "shared/src/documents.rs",
        "shared/src/adapter/lease.rs",
        "shared/src/snapshot/reading.rs",
    ];
    let code = folders.concat() + &beside.map(read).concat();
    let adapter = read("shared/src/adapter/table.rs");
    let needed: BTreeSet<&str> = methods(&adapter, &code)
        .flat_map(|method| {
            let calls = CALLS.iter().filter(|(_, call)| method.contains(&format!(".{call}()")));
            calls.map(|(action, _)| *action)
        })
        .collect();
    let template = read("infra/recovery.yaml");
    let policy = template
        .split("\"ImporterTable&{PoolId}\":")
        .nth(1)
        .expect("the policy");
    let policy = policy.split("\n  # ----").next().unwrap_or_default();
    let actions = policy.split("dynamodb:").skip(1);
    let actions = actions.filter_map(|rest| rest.split(|next: char| !next.is_ascii_alphanumeric()).next());
    let allowed: BTreeSet<&str> = actions.filter(|name| !["", "LeadingKeys"].contains(name)).collect();
    assert_eq!(allowed, needed, "left: infra/recovery.yaml, right: what is called");
    // Nothing is written but what an import notes for itself.
    let (reads, writes) = policy.split_once("Sid: WritesItsOwnNotes").expect("two statements");
    assert!(
        !reads.contains("PutItem") && !reads.contains("BatchWriteItem"),
        "{reads}"
    );
    assert!(
        writes.contains("ForAllValues:StringEquals: {dynamodb:LeadingKeys: [!Sub \"${PoolId}#import\"]}"),
        "{writes}"
    );
}

#[test]
fn the_policy_lets_every_permission_be_tried_that_a_plan_tries() {
    let changes = [statement("SetsPoolsThatItMade"), statement("MakesUsers")].concat();
    let mut tried = operations(&changes);
    assert!(tried.remove("CreateUserImportJob"), "it is never tried");
    let statement = statement("TriesPermissions");
    assert_eq!(
        operations(&statement),
        tried,
        "left: TriesPermissions, right: what changes a pool"
    );
    // The pool of the trials, which is nobody's.
    let pools: Vec<&str> = statement.lines().filter(|line| line.contains("Resource:")).collect();
    assert!(
        matches!(pools[..], [pool] if pool.ends_with(":userpool/${AWS::Region}_twinpool\"")),
        "{pools:?}"
    );
}

#[test]
fn the_policy_changes_no_pool_without_the_tag_and_passes_no_role_but_to_cognito() {
    for sid in [
        "ReadsPoolsThatItMade",
        "SetsPoolsThatItMade",
        "MakesUsers",
        "RemovesPoolsOfDrills",
        "TagsWhatItMade",
    ] {
        let statement = statement(sid);
        assert!(
            statement.contains("\"aws:ResourceTag/twinpool:plan\": \"false\""),
            "{statement}"
        );
    }
    for sid in ["MakesPools", "TagsWhatItMade"] {
        let statement = statement(sid);
        assert!(
            statement.contains("\"aws:RequestTag/twinpool:plan\": \"false\""),
            "{statement}"
        );
    }
    let passes: Vec<String> = statements()
        .into_iter()
        .filter(|statement| statement.contains("iam:"))
        .collect();
    let [passes] = &passes[..] else {
        panic!("one statement is about roles: {passes:?}");
    };
    assert!(passes.contains("Action: iam:PassRole\n"), "{passes}");
    assert!(passes.contains("Resource: !Ref PassedRoleArns\n"), "{passes}");
    let to = passes.split("iam:PassedToService:").nth(1).expect("a condition");
    let services: Vec<&str> = to
        .split_whitespace()
        .filter(|word| word.contains(".amazonaws.com"))
        .collect();
    assert_eq!(
        services,
        ["cognito-idp.amazonaws.com", "cognito-identity.amazonaws.com"]
    );
}
