//! What `BatchWriteItem` may delete, which is the only deletion of an item that a role has.
//!
//! Invariant: no user, group or setting of the backup can be deleted by a function, whatever its code does.

use serde_json::{Value, json};
use twinpool_shared::run::keys;

use super::{role_of, statements};
use crate::templates::document::{Templates, elements};

const CALL: &str = "dynamodb:BatchWriteItem";

/// The statements that allow the call, and what else they allow.
fn about_notes<'a>(statements: impl IntoIterator<Item = &'a Value>) -> Vec<&'a Value> {
    let statements = statements.into_iter();
    statements
        .filter(|statement| elements(&statement["Action"]).contains(&&json!(CALL)))
        .collect()
}

#[test]
fn a_reconcile_deletes_nothing_but_its_own_notes() {
    // What the code removes: both are in one partition, which holds nothing else.
    let [lease, alarm] = [keys::lease("POOL"), keys::alarm("POOL")];
    assert_eq!((lease.pk.as_str(), alarm.pk.as_str()), ("POOL#run", "POOL#run"));

    let templates = Templates::load();
    let role = role_of(templates.resource("primary.yaml", "Reconciler"));
    let of_role = about_notes(statements(&templates, "primary.yaml", &role));
    let [statement] = of_role[..] else {
        panic!("one statement of the reconciler allows {CALL}: {of_role:?}");
    };
    assert_eq!(elements(&statement["Action"]), [&json!(CALL)]);
    // `POOL#run` of each pool: joined with it in between, ended with it, split again.
    let pools = json!({"Pools": {"Fn::Join": ["#run,", {"Ref": "UserPoolIds"}]}});
    let keys = json!({"Fn::Split": [",", {"Fn::Sub": ["${Pools}#run", pools]}]});
    let condition = json!({
        "ForAllValues:StringEquals": {"dynamodb:LeadingKeys": keys},
        "Null": {"dynamodb:LeadingKeys": "false"},
    });
    assert_eq!(statement["Condition"], condition);
    let replicator = role_of(templates.resource("primary.yaml", "Replicator"));
    assert!(about_notes(statements(&templates, "primary.yaml", &replicator)).is_empty());
}

#[test]
fn the_account_of_the_backup_lets_nobody_delete_but_notes() {
    let templates = Templates::load();
    let table = templates.resource("backup-account.yaml", "Table");
    let replicas = elements(table.property("Replicas")).into_iter();
    let policies = replicas.flat_map(|replica| elements(&replica["ResourcePolicy"]));
    let statements: Vec<&Value> = policies
        .flat_map(|policy| elements(&policy["PolicyDocument"]["Statement"]))
        .collect();
    let mut notes = Vec::new();
    for statement in about_notes(statements) {
        assert_eq!(statement["Condition"]["Null"], json!({"dynamodb:LeadingKeys": "false"}));
        let keys = &statement["Condition"]["ForAllValues:StringLike"]["dynamodb:LeadingKeys"];
        notes.extend(elements(keys).into_iter().filter_map(Value::as_str));
    }
    assert_eq!(notes, ["*#run", "*#import"], "of the writers, of the readers");
}
