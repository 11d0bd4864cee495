//! Who is let in by a resource's own policy: Cognito by the triggers, another account's roles by the table and its keys.
//!
//! Invariant: a resource lets in whom it names, for what the roles' own policies allow, and no more.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{FUNCTIONS, IN_ITS_NAME, allowed, needed};
use crate::templates::document::{Templates, elements, references};

#[test]
fn cognito_may_invoke_each_trigger_for_each_pool_of_this_account_and_for_no_other() {
    let templates = Templates::load();
    let arn = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${PoolId}";
    let mut invoked = BTreeMap::new();
    for permission in templates.of_type("AWS::Lambda::Permission") {
        let id = permission.id;
        assert_eq!(permission.property("Principal"), "cognito-idp.amazonaws.com", "{id}");
        assert_eq!(permission.property("Action"), "lambda:InvokeFunction", "{id}");
        assert_eq!(
            *permission.property("SourceAccount"),
            json!({"Ref": "AWS::AccountId"}),
            "{id}"
        );
        assert_eq!(*permission.property("SourceArn"), json!({"Fn::Sub": arn}), "{id}");
        // Of the loop over the pools: one for each.
        assert!(id.ends_with("&{PoolId}"), "{id} is not one of a loop");
        for function in references(permission.property("FunctionName")) {
            *invoked.entry(function).or_insert(0) += 1;
        }
    }
    let once = |id: &str| (id.to_owned(), 1);
    let wanted = ["PostConfirmation", "PostAuthentication", "CustomMessage"].map(once);
    assert_eq!(invoked, BTreeMap::from(wanted));
    let template = templates.of("primary.yaml");
    assert_eq!(
        template["Resources"]["Fn::ForEach::Pools"][1],
        json!({"Ref": "UserPoolIds"})
    );
}

#[test]
fn the_account_of_the_backup_lets_in_what_the_roles_do_and_no_more() {
    let templates = Templates::load();
    let of = |functions: &[&str]| {
        let functions = FUNCTIONS.iter().filter(|(_, id, _)| functions.contains(id));
        let needed = functions.flat_map(|(_, id, sources)| needed(id, sources));
        let needed: BTreeSet<String> = needed.filter(|action| action.starts_with("dynamodb:")).collect();
        needed
    };
    let table = templates.resource("backup-account.yaml", "Table");
    let let_in = |role: &str| {
        let replicas = elements(table.property("Replicas")).into_iter();
        let policies = replicas.flat_map(|replica| elements(&replica["ResourcePolicy"]));
        let statements = policies.flat_map(|policy| elements(&policy["PolicyDocument"]["Statement"]));
        let statements: Vec<&Value> = statements
            .filter(|statement| references(&statement["Principal"]).contains(role))
            .collect();
        allowed(&statements)
    };
    assert_eq!(let_in("WriterRoleArns"), of(&["Replicator", "Reconciler"]));
    assert_eq!(let_in("ReaderRoleArns"), of(&["Importer"]));
    // The keys there, as the roles' own policies have it.
    let wanted = IN_ITS_NAME
        .iter()
        .filter(|(_, action, _)| action.ends_with(" via dynamodb"));
    let wanted: BTreeSet<String> = wanted.map(|(_, action, _)| (*action).to_owned()).collect();
    for (file, role) in [
        ("backup-account.yaml", "WriterRoleArns"),
        ("recovery-key.yaml", "ReaderRoleArns"),
    ] {
        let key = templates.resource(file, "Key");
        let statements = elements(&key.property("KeyPolicy")["Statement"]).into_iter();
        let statements: Vec<&Value> = statements
            .filter(|statement| references(&statement["Principal"]).contains(role))
            .collect();
        assert_eq!(allowed(&statements), wanted, "{file}");
    }
}
