//! The table of operations against AWS's own model, as the pinned botocore carries it.
//!
//! Invariant: the model is the oracle. What AWS adds fails here, by name, until the table says what it means for the backup.

use std::{collections::BTreeSet, process::Command};

use twinpool_shared::operation::{Meaning, Nothing, OPERATIONS, meaning};
use twinpool_tests::stand_ins::ensure;

/// Names of the operations in the newest model among the pinned environments, moto's. The AWS CLI bundles an older one.
fn of_aws() -> BTreeSet<String> {
    const PROGRAM: &str = "import json, botocore.loaders\n\
        model = botocore.loaders.Loader().load_service_model('cognito-idp', 'service-2')\n\
        print(json.dumps(list(model['operations'])))";
    let done = Command::new(ensure("moto").join("bin/python"))
        .args(["-c", PROGRAM])
        .output()
        .expect("Python runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    serde_json::from_slice(&done.stdout).expect("a list of names")
}

#[test]
fn the_table_names_exactly_the_operations_of_the_model() {
    let of_aws = of_aws();
    assert!(of_aws.len() > 100, "that is not the model of cognito-idp");
    let ours: BTreeSet<String> = OPERATIONS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let missing: Vec<_> = of_aws.difference(&ours).collect();
    let extra: Vec<_> = ours.difference(&of_aws).collect();
    assert!(
        missing.is_empty(),
        "add to shared/src/operation.rs, with a meaning: {missing:?}"
    );
    assert!(extra.is_empty(), "AWS has no such operation (any more): {extra:?}");
}

#[test]
fn what_a_name_says_is_what_the_table_says() {
    for name in of_aws() {
        let core = name.strip_prefix("Admin").unwrap_or(&name);
        let says = |verbs: &[&str]| verbs.iter().any(|verb| core.starts_with(verb));
        let meaning = meaning(&name).expect("every operation is in the table");
        if says(&[
            "Create", "Update", "Set", "Delete", "Add", "Remove", "Disable", "Enable", "Tag", "Untag", "Confirm",
        ]) {
            assert_ne!(meaning, Meaning::Nothing(Nothing::Reads), "{name} writes");
        }
        if says(&["Describe", "List"]) {
            assert_eq!(meaning, Meaning::Nothing(Nothing::Reads), "{name} reads");
        }
    }
}
