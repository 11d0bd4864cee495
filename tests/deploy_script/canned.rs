//! The script against a stand-in of the AWS CLI, which gives canned answers and notes what it was asked.
//!
//! The answers have the shape of the API reference's DescribeChangeSet, DescribeStacks and DescribeStackEvents.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use serde_json::{Value, json};

use super::{Folder, said};

/// Notes what it was asked and answers with the file of its name; without one, with nothing. `package` copies the template, an execution
/// changes what is described, and its events carry the token that it was given. A shell's script, because it is started often.
const PROGRAM: &str = r#"#!/bin/sh
here=$(dirname "$0")
operation=$2
echo "$operation $*" >> "$here/calls"
case $operation in
  package)
    while [ $# -gt 1 ]; do
      case $1 in --template-file) from=$2 ;; --output-template-file) to=$2 ;; esac
      shift
    done
    cp "$from" "$to" ;;
  execute-change-set)
    echo "$*" | sed 's/.*"ClientRequestToken": "\([^"]*\)".*/\1/' > "$here/token"
    cp "$here/afterwards.json" "$here/describe-stacks.json" ;;
  describe-stack-events)
    sed "s/TOKEN/$(cat "$here/token")/g" "$here/describe-stack-events.json"
    exit ;;
esac
if [ -f "$here/$operation.json" ]; then
  cat "$here/$operation.json"
elif [ "$operation" = describe-stacks ]; then
  echo "An error occurred (ValidationError): Stack with id probe does not exist" >&2
  exit 255
fi
"#;
pub(super) const STACK_ID: &str = "arn:aws:cloudformation:us-east-1:111122223333:stack/probe/5fea7756";

pub(super) struct Canned {
    folder: Folder,
    aws: PathBuf,
}

impl Canned {
    /// A stack that is there, and a change set with these changes.
    pub(super) fn new(changes: &[Value]) -> Self {
        Self::of("probe.yaml", changes)
    }

    /// The same with another template.
    pub(super) fn of(template: &'static str, changes: &[Value]) -> Self {
        let folder = Folder::new(template);
        let aws = folder.0.join("cli/aws");
        fs::create_dir_all(folder.0.join("cli")).expect("a folder");
        fs::write(&aws, PROGRAM).expect("a file");
        fs::set_permissions(&aws, fs::Permissions::from_mode(0o755)).expect("a mode");
        let canned = Self { folder, aws };
        let changes: Vec<Value> = changes
            .iter()
            .map(|change| json!({"Type": "Resource", "ResourceChange": change}))
            .collect();
        canned.answers(
            "create-change-set",
            &json!({"Id": "arn:change-set", "StackId": STACK_ID}),
        );
        canned.answers(
            "describe-change-set",
            &json!({"ChangeSetId": "arn:change-set", "StackId": STACK_ID, "Status": "CREATE_COMPLETE", "Changes": changes}),
        );
        let parameter = |key: &str, default: &str| json!({"ParameterKey": key, "DefaultValue": default});
        let declared = json!([{"ParameterKey": "QueueName"}, parameter("RetentionDays", "7"), parameter("Architecture", "x86_64")]);
        canned.answers("get-template-summary", &json!({"Parameters": declared}));
        canned.stack("describe-stacks", "UPDATE_COMPLETE");
        canned.stack("afterwards", "UPDATE_COMPLETE");
        canned.events(&[("probe", "UPDATE_COMPLETE", "")]);
        canned
    }

    pub(super) fn answers(&self, operation: &str, answer: &Value) {
        let file = self.folder.0.join("cli").join(format!("{operation}.json"));
        fs::write(file, answer.to_string()).expect("a file");
    }

    pub(super) fn stack(&self, operation: &str, status: &str) {
        let parameters = json!([{"ParameterKey": "QueueName", "ParameterValue": "changes"}]);
        let stack = json!({"StackId": STACK_ID, "StackStatus": status, "Parameters": parameters});
        self.answers(operation, &json!({"Stacks": [stack]}));
    }

    /// Resource, status and reason, newest first.
    pub(super) fn events(&self, events: &[(&str, &str, &str)]) {
        let event = |(number, (id, status, reason)): (usize, &(&str, &str, &str))| {
            json!({
                "EventId": number.to_string(), "LogicalResourceId": id, "ResourceType": "AWS::SQS::Queue",
                "ResourceStatus": status, "ResourceStatusReason": reason, "ClientRequestToken": "TOKEN",
            })
        };
        let mut events: Vec<Value> = events.iter().enumerate().map(event).collect();
        // Of an operation before this one.
        events.push(json!({
            "EventId": "old", "LogicalResourceId": "Yesterday", "ResourceStatus": "CREATE_FAILED",
            "ResourceStatusReason": "something else", "ClientRequestToken": "another",
        }));
        self.answers("describe-stack-events", &json!({"StackEvents": events}));
    }

    /// Whether it succeeded, and what it said.
    pub(super) fn deploy(&self, variables: &[(&str, &str)]) -> (bool, String) {
        self.deploy_to("probe", variables)
    }

    pub(super) fn deploy_to(&self, stack: &str, variables: &[(&str, &str)]) -> (bool, String) {
        let done = self.folder.deploy(&self.aws, "http://127.0.0.1:1", stack, variables);
        (done.status.success(), said(&done))
    }

    pub(super) fn there_is_none(&self) {
        fs::remove_file(self.folder.0.join("cli/describe-stacks.json")).expect("a stack until now");
    }

    pub(super) fn was_asked(&self, operation: &str) -> bool {
        self.asked(operation).is_some()
    }

    /// What the last call of an operation was.
    pub(super) fn asked(&self, operation: &str) -> Option<String> {
        let calls = fs::read_to_string(self.folder.0.join("cli/calls")).unwrap_or_default();
        let of = |call: &&str| call.split(' ').next() == Some(operation);
        calls.lines().rfind(of).map(str::to_owned)
    }
}

pub(super) fn change(action: &str, kind: &str, replacement: Option<&str>, policy: Option<&str>) -> Value {
    let mut change = json!({"Action": action, "LogicalResourceId": "It", "ResourceType": kind});
    if let Some(replacement) = replacement {
        change["Replacement"] = replacement.into();
    }
    if let Some(policy) = policy {
        change["PolicyAction"] = policy.into();
    }
    change
}

#[test]
fn what_would_lose_a_table_a_key_or_a_queue_is_refused() {
    let table = "AWS::DynamoDB::GlobalTable";
    for (dangerous, says) in [
        (
            change("Remove", "AWS::KMS::Key", None, Some("Retain")),
            "is REMOVED from the stack: it is kept",
        ),
        (
            change("Remove", "AWS::SQS::Queue", None, Some("Delete")),
            "is REMOVED from the stack: lost",
        ),
        (
            change("Modify", table, Some("True"), Some("ReplaceAndRetain")),
            "is REPLACED by a new, empty one: it is kept",
        ),
        (change("Modify", table, Some("Conditional"), None), "MAY BE REPLACED"),
        (change("Dynamic", table, None, None), "MAY BE REPLACED"),
    ] {
        let canned = Canned::new(&[change("Add", "AWS::SNS::Topic", None, None), dangerous.clone()]);
        let (done, text) = canned.deploy(&[("YES", "1")]);
        assert!(
            !done && text.contains(says) && text.contains("refused: "),
            "{dangerous}: {text}"
        );
        assert!(!canned.was_asked("execute-change-set"), "{dangerous}");
        assert!(canned.was_asked("delete-change-set"), "{dangerous}");
        assert!(!canned.was_asked("delete-stack"), "the stack was there before");
    }
}

#[test]
fn a_replacement_that_is_allowed_is_executed() {
    let canned = Canned::new(&[change("Modify", "AWS::SQS::Queue", Some("True"), None)]);
    let (done, text) = canned.deploy(&[("YES", "1"), ("ALLOW_REPLACEMENT", "1")]);
    assert!(done && canned.was_asked("execute-change-set"), "{text}");
    assert!(text.contains("!!! It (AWS::SQS::Queue) is REPLACED"), "{text}");
}

#[test]
fn what_loses_nothing_is_executed() {
    let canned = Canned::new(&[
        change("Modify", "AWS::DynamoDB::GlobalTable", Some("False"), None),
        change("Modify", "AWS::Lambda::Function", Some("True"), None),
        change("Remove", "AWS::CloudWatch::Alarm", None, Some("Delete")),
        change("Add", "AWS::KMS::Key", None, None),
    ]);
    let (done, text) = canned.deploy(&[("YES", "1")]);
    assert!(done && canned.was_asked("execute-change-set"), "{text}");
    assert!(!text.contains("!!!"), "{text}");
}

#[test]
fn with_nobody_to_ask_nothing_is_executed_and_nothing_is_left() {
    let canned = Canned::new(&[change("Add", "AWS::SNS::Topic", None, None)]);
    canned.there_is_none();
    let (done, text) = canned.deploy(&[("PARAMETERS", "QueueName=changes"), ("YES", "0")]);
    assert!(!done && text.contains("YES=1"), "{text}");
    assert!(text.contains(": create, resources: 1"), "{text}");
    assert!(!canned.was_asked("execute-change-set"));
    assert!(canned.was_asked("delete-change-set") && canned.was_asked("delete-stack"));
}

#[test]
fn a_failure_names_what_failed_and_not_what_was_cancelled_for_it() {
    let canned = Canned::new(&[change("Add", "AWS::SQS::Queue", None, None)]);
    canned.stack("afterwards", "UPDATE_ROLLBACK_COMPLETE");
    canned.events(&[
        ("probe", "UPDATE_ROLLBACK_COMPLETE", ""),
        ("Other", "CREATE_FAILED", "Resource creation cancelled"),
        ("Queue", "CREATE_FAILED", "the policy denies it"),
    ]);
    let (done, text) = canned.deploy(&[("YES", "1")]);
    assert!(!done && text.contains("UPDATE_ROLLBACK_COMPLETE"), "{text}");
    assert!(text.contains("Queue (AWS::SQS::Queue): the policy denies it"), "{text}");
    assert!(
        !text.contains("creation cancelled") && !text.contains("something else"),
        "{text}"
    );
    assert!(text.contains("the stack is as it was before"), "{text}");
}

#[test]
fn what_cannot_be_meant_is_refused_before_there_is_a_change_set() {
    let refused = |canned: &Canned, parameters: &str, says: &str| {
        let (done, text) = canned.deploy(&[("YES", "1"), ("PARAMETERS", parameters)]);
        assert!(!done && text.contains(says), "{text}");
        assert!(!canned.was_asked("create-change-set"), "{says}");
    };
    let canned = Canned::new(&[]);
    refused(
        &canned,
        "RetentionDay=14",
        "the template has no RetentionDay; RetentionDays?",
    );
    refused(&canned, "RetentionDays", "is not Key=Value");
    refused(&canned, "RetentionDays=1 RetentionDays=2", "named twice");
    refused(
        &canned,
        "Architecture=arm64",
        "the packages are for x86_64, the functions for arm64",
    );
    canned.stack("describe-stacks", "UPDATE_ROLLBACK_FAILED");
    refused(&canned, "", "continue-update-rollback");
    canned.stack("describe-stacks", "UPDATE_IN_PROGRESS");
    refused(&canned, "", "wait until that has ended");
    canned.there_is_none();
    refused(&canned, "", "PARAMETERS has to name QueueName");

    let canned = Canned::new(&[]);
    let sums = canned.folder.0.join("package/SHA256SUMS");
    fs::write(sums, format!("{:064}  probe.zip\n", 0)).expect("a file");
    refused(&canned, "", "probe.zip is not the one that SHA256SUMS names");
    assert!(!canned.was_asked("package"), "it was uploaded");
}
