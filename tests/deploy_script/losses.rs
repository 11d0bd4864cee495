//! What a change set of primary.yaml would break and CloudFormation takes for harmless: an attached pool's sign-ins, and the table's
//! replica in the recovery Region.
//!
//! Invariant: each refusal stands beside a case that is let through.

use serde_json::{Value, json};

use super::{
    canned::change,
    guards::{POOLS, is_executed, is_refused, primary},
};

fn of(id: &str, mut change: Value) -> Value {
    change["LogicalResourceId"] = id.into();
    change
}

/// A permission as every new version of its function shows it.
fn following(function: &str, replacement: &str) -> [Value; 2] {
    let mut permission = of(
        &format!("{function}Permissionuseast1One"),
        change("Modify", "AWS::Lambda::Permission", Some("Conditional"), None),
    );
    permission["Details"] = json!([{
        "Target": {"Attribute": "Properties", "Name": "FunctionName", "RequiresRecreation": "Always"},
        "Evaluation": "Dynamic", "ChangeSource": "ResourceAttribute", "CausingEntity": format!("{function}.Arn"),
    }]);
    let function = of(
        function,
        change("Modify", "AWS::Lambda::Function", Some(replacement), None),
    );
    [function, permission]
}

#[test]
fn what_fails_sign_ins_is_refused_and_says_how_to_detach() {
    let permission = |action: &str, replacement| {
        of(
            "CustomMessagePermissionuseast1Two",
            change(action, "AWS::Lambda::Permission", replacement, Some("Delete")),
        )
    };
    let function = |action: &str, replacement| {
        of(
            "PostConfirmation",
            change(action, "AWS::Lambda::Function", replacement, None),
        )
    };
    // The removed pool where there is one, else every pool.
    let fewer = [("PARAMETERS", "UserPoolIds=us-east-1_One")];
    let two = "detach first: twinpool detach --stack probe --pool us-east-1_Two";
    let one = "detach first: twinpool detach --stack probe --pool us-east-1_One";
    let alone = following("PostConfirmation", "False")[1].clone();
    for (dangerous, variables, says) in [
        (vec![permission("Remove", None)], &fewer[..], ["is REMOVED", two]),
        (vec![permission("Modify", Some("True"))], &[], ["is REPLACED", one]),
        (vec![function("Remove", None)], &[], [one, two]),
        (vec![function("Modify", Some("True"))], &[], ["is REPLACED", two]),
        (vec![function("Dynamic", None)], &[], ["MAY BE REPLACED", one]),
        // What it would follow is not seen to stay, or does not.
        (vec![alone], &[], ["MAY BE REPLACED", one]),
        (
            following("CustomMessage", "Conditional").to_vec(),
            &[],
            ["!!! CustomMessagePermissionuseast1One", one],
        ),
    ] {
        let canned = primary(&dangerous, &[("UserPoolIds", POOLS)]);
        is_refused(&canned, variables, &[&says[..], &["refused: ", "FAILS"]].concat());
    }
    let canned = primary(&[permission("Remove", None)], &[("UserPoolIds", POOLS)]);
    let text = is_executed(&canned, &[fewer[0], ("ALLOW_REPLACEMENT", "1")]);
    assert!(text.contains(two) && !text.contains(one), "{text}");
}

#[test]
fn a_new_version_and_what_no_sign_in_needs_are_executed() {
    let [function, permission] = following("PostAuthentication", "False");
    let kind = "AWS::Lambda::Permission";
    let canned = primary(
        &[
            function,
            permission,
            of(
                "AdminEventsApiCallsPermission",
                change("Remove", kind, None, Some("Delete")),
            ),
            of(
                "PostConfirmationPermissionuseast1Three",
                change("Add", kind, None, None),
            ),
            of(
                "Replicator",
                change("Modify", "AWS::Lambda::Function", Some("True"), None),
            ),
        ],
        &[("UserPoolIds", POOLS)],
    );
    let text = is_executed(&canned, &[]);
    assert!(!text.contains("!!!"), "{text}");
}

#[test]
fn a_replica_is_not_deleted_unseen_and_never_moved_in_one_step() {
    let table = [change("Modify", "AWS::DynamoDB::GlobalTable", Some("False"), None)];
    let with = |parameters: &[(&str, &str)]| primary(&table, &[&[("UserPoolIds", POOLS)], parameters].concat());
    let allowed = ("ALLOW_REPLACEMENT", "1");
    let there = [("RecoveryRegion", "eu-west-1")];

    let canned = with(&there);
    let moved = ("PARAMETERS", "RecoveryRegion=eu-central-1");
    is_refused(
        &canned,
        &[moved, allowed],
        &["'RecoveryRegion='", "'RecoveryRegion=eu-central-1'"],
    );
    assert!(!canned.was_asked("create-change-set"));

    let canned = with(&there);
    let taken_out = ("PARAMETERS", "RecoveryRegion=");
    is_refused(
        &canned,
        &[taken_out],
        &["!!! RecoveryRegion", "eu-west-1 is DELETED", "refused: "],
    );
    is_executed(&canned, &[taken_out, allowed]);

    // The first one, and the one of a table that is somebody else's.
    is_executed(&with(&[]), &[moved]);
    let theirs = [
        there[0],
        ("ExistingTableArn", "arn:aws:dynamodb:us-east-1:444455556666:table/t"),
    ];
    is_executed(&with(&theirs), &[moved]);
}
