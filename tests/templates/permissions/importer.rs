//! What `infra/recovery.yaml` allows the importer beside its calls: on which pools, with which tags, and which roles it passes.
//!
//! Invariant: no pool that an import did not make can be read, changed or removed, and nothing is written but its own notes.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::statements;
use crate::templates::document::{Templates, elements};

const FILE: &str = "recovery.yaml";

/// The statement `sid` of the importer's role.
fn statement<'a>(templates: &'a Templates, sid: &str) -> &'a Value {
    let found = statements(templates, FILE, "ImporterRole");
    let found = found.into_iter().find(|statement| statement["Sid"] == sid);
    found.unwrap_or_else(|| panic!("no statement {sid}"))
}

fn actions(statement: &Value) -> BTreeSet<&str> {
    elements(&statement["Action"])
        .into_iter()
        .filter_map(Value::as_str)
        .collect()
}

#[test]
fn an_import_writes_nothing_to_the_table_but_its_own_notes() {
    let templates = Templates::load();
    let (reads, writes) = (
        statement(&templates, "ReadsTheBackup"),
        statement(&templates, "WritesItsOwnNotes"),
    );
    let of_table = statements(&templates, FILE, "ImporterRole").into_iter();
    let of_table = of_table.filter(|statement| actions(statement).iter().any(|action| action.starts_with("dynamodb:")));
    assert_eq!(of_table.count(), 2, "no third statement is about the table");
    for action in actions(reads) {
        assert!(
            ["dynamodb:GetItem", "dynamodb:BatchGetItem", "dynamodb:Query"].contains(&action),
            "{action}"
        );
    }
    // Without the second line a call without a key would meet the first one.
    let keys = |kind: &str, key: &str| {
        json!({
            format!("ForAllValues:{kind}"): {"dynamodb:LeadingKeys": [{"Fn::Sub": format!("${{PoolId}}#{key}")}]},
            "Null": {"dynamodb:LeadingKeys": "false"},
        })
    };
    assert_eq!(reads["Condition"], keys("StringLike", "*"));
    assert_eq!(writes["Condition"], keys("StringEquals", "import"));
}

#[test]
fn the_policy_lets_every_permission_be_tried_that_a_plan_tries() {
    let templates = Templates::load();
    let mut tried = actions(statement(&templates, "SetsPoolsThatItMade"));
    tried.extend(actions(statement(&templates, "MakesUsers")));
    assert!(tried.remove("cognito-idp:CreateUserImportJob"), "it is never tried");
    let statement = statement(&templates, "TriesPermissions");
    assert_eq!(
        actions(statement),
        tried,
        "left: TriesPermissions, right: what changes a pool"
    );
    // The pool of the trials, which is nobody's.
    let pool = "arn:${AWS::Partition}:cognito-idp:${AWS::Region}:${AWS::AccountId}:userpool/${AWS::Region}_twinpool";
    assert_eq!(statement["Resource"], json!({"Fn::Sub": pool}));
}

#[test]
fn the_policy_changes_no_pool_without_the_tag_and_passes_no_role_but_to_cognito() {
    let templates = Templates::load();
    let tagged = [
        "ReadsPoolsThatItMade",
        "SetsPoolsThatItMade",
        "MakesUsers",
        "RemovesPoolsOfDrills",
        "TagsWhatItMade",
    ];
    for sid in tagged {
        let condition = &statement(&templates, sid)["Condition"]["Null"];
        assert_eq!(condition["aws:ResourceTag/twinpool:plan"], "false", "{sid}");
    }
    for sid in ["MakesPools", "TagsWhatItMade"] {
        let condition = &statement(&templates, sid)["Condition"]["Null"];
        assert_eq!(condition["aws:RequestTag/twinpool:plan"], "false", "{sid}");
    }
    let without = ["MakesPools", "FindsItsPool", "TriesPermissions"];
    for statement in statements(&templates, FILE, "ImporterRole") {
        let changes = actions(statement)
            .into_iter()
            .any(|action| action.starts_with("cognito-idp:"));
        let sid = statement["Sid"].as_str().unwrap_or_default();
        // What takes no resource only reads; that it is listed is asserted with the other wildcards.
        let about_nothing = statement["Resource"] == "*" && sid.is_empty();
        assert!(
            !changes || about_nothing || tagged.contains(&sid) || without.contains(&sid),
            "a statement about pools that is not judged here: {statement}"
        );
    }
    let passes = statements(&templates, FILE, "ImporterRole").into_iter();
    let passes: Vec<&Value> = passes
        .filter(|statement| actions(statement).iter().any(|action| action.starts_with("iam:")))
        .collect();
    let [passes] = passes[..] else {
        panic!("one statement is about roles: {passes:?}");
    };
    assert_eq!(actions(passes), BTreeSet::from(["iam:PassRole"]));
    assert_eq!(passes["Resource"], json!({"Ref": "PassedRoleArns"}));
    assert_eq!(
        passes["Condition"],
        json!({"StringEquals": {"iam:PassedToService": ["cognito-idp.amazonaws.com", "cognito-identity.amazonaws.com"]}})
    );
}
