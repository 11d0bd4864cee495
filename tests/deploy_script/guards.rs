//! What of infra/ the script knows beyond a change set: where a template may go, what its stack is told, and what comes after it.
//!
//! Invariant: what is said to be refused was not executed, and each refusal stands beside a case that it lets through.

use std::{fs, process::Command};

use serde_json::{Value, json};

use super::{
    BUCKET,
    canned::{Canned, STACK_ID},
    infra,
};

const PRIMARY: &str = "Twinpool, primary Region: a probe";
pub(super) const POOLS: &str = "us-east-1_One,us-east-1_Two";

/// DescribeStacks' answer.
fn stack(status: &str, description: &str, protected: bool, parameters: &[(&str, &str)]) -> Value {
    let parameters: Vec<Value> = parameters
        .iter()
        .map(|(key, value)| json!({"ParameterKey": key, "ParameterValue": value}))
        .collect();
    let stack = json!({"StackId": STACK_ID, "StackStatus": status, "Description": description,
        "EnableTerminationProtection": protected, "Parameters": parameters});
    json!({"Stacks": [stack]})
}

/// A stack of primary.yaml with these parameters, and a change set with these changes.
pub(super) fn primary(changes: &[Value], parameters: &[(&str, &str)]) -> Canned {
    let canned = Canned::of("primary.yaml", changes);
    let empty = |key: &str| json!({"ParameterKey": key, "DefaultValue": ""});
    let declared = json!([{"ParameterKey": "UserPoolIds"}, empty("RecoveryRegion"), empty("ExistingTableArn"), empty("TemplateUrl")]);
    canned.answers(
        "get-template-summary",
        &json!({"Description": PRIMARY, "Parameters": declared}),
    );
    for answer in ["describe-stacks", "afterwards"] {
        canned.answers(answer, &stack("UPDATE_COMPLETE", PRIMARY, true, parameters));
    }
    canned
}

pub(super) fn is_refused(canned: &Canned, variables: &[(&str, &str)], says: &[&str]) {
    let (done, text) = canned.deploy(&[&[("YES", "1")], variables].concat());
    assert!(
        !done && says.iter().all(|said| text.contains(said)),
        "{variables:?}: {text}"
    );
    assert!(!canned.was_asked("execute-change-set"), "{variables:?}");
}

pub(super) fn is_executed(canned: &Canned, variables: &[(&str, &str)]) -> String {
    let (done, text) = canned.deploy(&[&[("YES", "1")], variables].concat());
    assert!(done && canned.was_asked("execute-change-set"), "{variables:?}: {text}");
    text
}

#[test]
fn the_stack_is_told_where_its_template_is_whatever_it_had() {
    let canned = primary(&[], &[("UserPoolIds", POOLS), ("TemplateUrl", "https://old/one")]);
    let sent = |variables: &[(&str, &str)]| {
        is_executed(&canned, variables);
        let copied = canned.asked("cp").expect("an upload");
        let key = copied
            .split_once(&format!("s3://{BUCKET}/"))
            .expect("the bucket")
            .1
            .to_owned();
        assert!(key.starts_with("probe/") && key.ends_with(".template"), "{key}");
        let parameter =
            json!({"ParameterKey": "TemplateUrl", "ParameterValue": format!("http://127.0.0.1:1/{BUCKET}/{key}")});
        let asked = canned.asked("create-change-set").expect("a change set");
        let request: Value = asked
            .split_once("--cli-input-json ")
            .and_then(|(_, request)| serde_json::from_str(request).ok())
            .expect("JSON");
        let parameters = request["Parameters"].as_array().expect("parameters");
        assert!(parameters.contains(&parameter), "{request}");
        assert_eq!(request["TemplateURL"], parameter["ParameterValue"]);
        assert_eq!(asked.matches(r#""TemplateUrl""#).count(), 1, "{asked}");
        key
    };
    assert_eq!(
        sent(&[]),
        sent(&[("PARAMETERS", "TemplateUrl=https://mine")]),
        "the same template, the same URL"
    );
}

#[test]
fn a_template_without_the_parameter_is_told_nothing() {
    let canned = Canned::new(&[]);
    is_executed(&canned, &[]);
    let asked = canned.asked("create-change-set").expect("a change set");
    assert!(!asked.contains("TemplateUrl"), "{asked}");
}

#[test]
fn a_primary_stack_that_was_created_is_protected_and_no_other() {
    let created = |template| {
        let canned = if template == "primary.yaml" {
            primary(&[], &[])
        } else {
            Canned::new(&[])
        };
        canned.there_is_none();
        canned.answers("afterwards", &stack("CREATE_COMPLETE", "", false, &[]));
        canned.events(&[("probe", "CREATE_COMPLETE", "")]);
        canned
    };
    let canned = created("primary.yaml");
    let text = is_executed(&canned, &[("PARAMETERS", "UserPoolIds=us-east-1_One")]);
    assert!(text.contains("termination protection: on"), "{text}");
    let asked = canned.asked("update-termination-protection").expect("a protection");
    assert!(
        asked.contains(STACK_ID) && asked.contains(r#""EnableTerminationProtection": true"#),
        "{asked}"
    );

    let canned = created("probe.yaml");
    let text = is_executed(&canned, &[("PARAMETERS", "QueueName=changes")]);
    assert!(!text.contains("termination protection"), "{text}");
    assert!(!canned.was_asked("update-termination-protection"));

    // Off by somebody's will.
    let canned = primary(&[], &[("UserPoolIds", POOLS)]);
    canned.answers(
        "afterwards",
        &stack("UPDATE_COMPLETE", PRIMARY, false, &[("UserPoolIds", POOLS)]),
    );
    let text = is_executed(&canned, &[]);
    assert!(text.contains("termination protection: OFF"), "{text}");
    assert!(!canned.was_asked("update-termination-protection"));
}

#[test]
fn another_template_s_stack_and_another_region_are_refused() {
    let canned = primary(&[], &[("UserPoolIds", POOLS)]);
    let recovery = stack(
        "UPDATE_COMPLETE",
        "Twinpool, recovery Region: it",
        true,
        &[("UserPoolIds", POOLS)],
    );
    canned.answers("describe-stacks", &recovery);
    is_refused(
        &canned,
        &[],
        &["\"Twinpool, recovery Region\"", "\"Twinpool, primary Region\""],
    );
    let pools = "UserPoolIds=us-east-1_One,eu-west-1_Two";
    canned.answers(
        "describe-stacks",
        &stack("UPDATE_COMPLETE", PRIMARY, true, &[("UserPoolIds", POOLS)]),
    );
    is_refused(
        &canned,
        &[("PARAMETERS", pools)],
        &["eu-west-1_Two", "REGION=eu-west-1"],
    );
    // The value that the stack keeps counts as well.
    canned.answers(
        "describe-stacks",
        &stack("UPDATE_COMPLETE", PRIMARY, true, &[("UserPoolIds", "eu-west-1_Two")]),
    );
    is_refused(&canned, &[], &["REGION=eu-west-1"]);
    assert!(!canned.was_asked("create-change-set"));

    // A recovery stack names pools of the other Region.
    let canned = Canned::of("recovery.yaml", &[]);
    canned.answers(
        "get-template-summary",
        &json!({"Parameters": [{"ParameterKey": "UserPoolIds"}]}),
    );
    is_executed(&canned, &[("PARAMETERS", "UserPoolIds=eu-west-1_Two")]);

    // Another text after the colon, and none at all.
    for description in ["Twinpool, primary Region: of an older version", ""] {
        let canned = primary(&[], &[("UserPoolIds", POOLS)]);
        canned.answers(
            "describe-stacks",
            &stack("UPDATE_COMPLETE", description, true, &[("UserPoolIds", POOLS)]),
        );
        is_executed(&canned, &[]);
    }
}

#[test]
fn the_name_of_another_template_s_stack_is_refused_before_anything_is_made() {
    let canned = primary(&[], &[]);
    canned.there_is_none();
    let parameters = ("PARAMETERS", "UserPoolIds=us-east-1_One");
    for stack in ["twinpool-recovery", "twinpool-recovery-key"] {
        let (done, text) = canned.deploy_to(stack, &[("YES", "1"), parameters]);
        assert!(!done && text.contains("unset STACK"), "{text}");
    }
    assert!(!canned.was_asked("create-change-set"));
    assert!(canned.deploy_to("twinpool", &[("YES", "1"), parameters]).0);
}

#[test]
fn a_failed_creation_says_how_its_empty_table_is_removed() {
    let commands = [
        "aws dynamodb describe-table --region us-east-1 --table-name probe-backup",
        "KEEP probe-backup when it has items",
        "aws dynamodb update-table --region us-east-1 --table-name probe-backup --no-deletion-protection-enabled",
        "aws dynamodb delete-table --region us-east-1 --table-name probe-backup",
        "aws cloudformation delete-stack --region us-east-1 --stack-name probe",
        "infra/README.md, Remove",
    ];
    let canned = primary(&[], &[]);
    canned.there_is_none();
    canned.answers("afterwards", &stack("ROLLBACK_COMPLETE", "", false, &[]));
    canned.events(&[("probe", "ROLLBACK_COMPLETE", "")]);
    let parameters = ("PARAMETERS", "UserPoolIds=us-east-1_One");
    let (done, text) = canned.deploy(&[("YES", "1"), parameters]);
    assert!(!done && commands.iter().all(|command| text.contains(command)), "{text}");
    assert!(!canned.was_asked("update-termination-protection"));
    // The next time, when the stack is there.
    let (done, text) = canned.deploy(&[("YES", "1"), parameters]);
    assert!(!done && commands.iter().all(|command| text.contains(command)), "{text}");

    // A stack that made no table.
    for (template, parameters) in [
        ("primary.yaml", &[("ExistingTableArn", "arn")][..]),
        ("probe.yaml", &[]),
    ] {
        let canned = Canned::of(template, &[]);
        canned.answers("describe-stacks", &stack("ROLLBACK_COMPLETE", "", false, parameters));
        let (done, text) = canned.deploy(&[("YES", "1")]);
        assert!(
            !done && text.contains(commands[4]) && !text.contains("-backup"),
            "{text}"
        );
    }
    let readme = fs::read_to_string(infra("README.md")).expect("a file");
    assert!(readme.contains("\n## Remove\n"), "the section has another name");
}

/// The names by which the script knows what is in primary.yaml.
#[test]
fn the_guards_name_what_primary_yaml_has() {
    let done = Command::new("python3")
        .args([
            "-B",
            "-c",
            "import change_set as c, json; print(json.dumps([c.TEMPLATE_URL, *c.TRIGGERS]))",
        ])
        .env("PYTHONPATH", infra(""))
        .output()
        .expect("Python runs");
    let names: Vec<String> = serde_json::from_slice(&done.stdout).expect("names");
    let (url, triggers) = names.split_first().expect("a name");
    let template = fs::read_to_string(infra("primary.yaml")).expect("a file");
    let has = |text: &str| assert!(template.contains(text), "{text}");
    assert_eq!(triggers.len(), 3);
    for trigger in triggers {
        has(&format!("\n  {trigger}:\n    Type: AWS::Serverless::Function\n"));
        has(&format!(
            "\"{trigger}Permission&{{PoolId}}\":\n        Type: AWS::Lambda::Permission\n"
        ));
    }
    // A trigger more, or a permission by another name.
    assert_eq!(
        template.matches("Principal: cognito-idp.amazonaws.com").count(),
        triggers.len()
    );
    has(&format!("\n  {url}:\n    Type: String\n"));
    has("\n  UserPoolIds:\n");
    has("\n  RecoveryRegion:\n");
    has("\n      TableName: !Sub \"${AWS::StackName}-backup\"\n");
    has("\nDescription: >-\n  Twinpool, primary Region: ");
}
