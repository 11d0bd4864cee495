//! What state machines and schedules may do, held against their definitions.
//!
//! Invariant: the needs are read from the definition, as Step Functions reads it.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{allowed, role_of, statements};
use crate::templates::document::{Resource, Templates, elements, read, references};

/// Delivery of a state machine's log [Step Functions developer guide, "Logging using CloudWatch Logs", IAM policies].
const LOG_DELIVERY: [&str; 8] = [
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
];
/// A Distributed Map runs its items as executions [Step Functions developer guide, "IAM policies for using Distributed Map states"].
const DISTRIBUTED_MAP: [&str; 3] = [
    "states:StartExecution",
    "states:DescribeExecution",
    "states:StopExecution",
];

/// Every value of `member` in a definition, however deep.
fn values<'a>(definition: &'a Value, member: &str, found: &mut BTreeSet<&'a str>) {
    match definition {
        Value::Array(list) => list.iter().for_each(|one| values(one, member, found)),
        Value::Object(members) => {
            found.extend(members.get(member).and_then(Value::as_str));
            members.values().for_each(|one| values(one, member, found));
        }
        _ => {}
    }
}

fn needed(machine: Resource<'_>) -> BTreeSet<String> {
    let file = machine.property("DefinitionUri").as_str().expect("a file");
    let definition: Value = serde_json::from_str(&read(&format!("infra/{file}"))).expect("JSON");
    let mut needed = BTreeSet::new();
    let (mut tasks, mut modes) = (BTreeSet::new(), BTreeSet::new());
    values(&definition, "Resource", &mut tasks);
    values(&definition, "Mode", &mut modes);
    for task in tasks {
        assert_eq!(
            task, "arn:${Partition}:states:::lambda:invoke",
            "another task needs another action here"
        );
        needed.insert("lambda:InvokeFunction");
    }
    if modes.contains("DISTRIBUTED") {
        needed.extend(DISTRIBUTED_MAP);
    }
    if machine.property("Logging")["Level"] != "OFF" {
        needed.extend(LOG_DELIVERY);
    }
    needed.into_iter().map(str::to_owned).collect()
}

#[test]
fn every_state_machine_may_do_what_its_definition_does_and_no_more() {
    let templates = Templates::load();
    let machines = templates.of_type("AWS::Serverless::StateMachine");
    assert_eq!(machines.len(), 3);
    for machine in machines {
        let role = role_of(machine);
        let statements = statements(&templates, machine.file, &role);
        assert_eq!(
            allowed(&statements),
            needed(machine),
            "left: {role}, right: its definition"
        );
        for statement in statements {
            let about = references(&statement["Resource"]);
            let actions = allowed(&[statement]);
            if actions.contains("lambda:InvokeFunction") {
                let function = references(machine.property("DefinitionSubstitutions"));
                assert!(about.is_subset(&function), "{role} invokes {about:?}");
            }
            if actions.iter().any(|action| action.starts_with("states:")) {
                // Its own executions, by its name.
                let name = machine.property("Name")["Fn::Sub"].as_str().expect("a name");
                for resource in elements(&statement["Resource"]) {
                    let arn = resource["Fn::Sub"].as_str().expect("an ARN");
                    assert!(arn.contains(&format!(":{name}")), "{arn}");
                }
            }
        }
    }
}

#[test]
fn every_schedule_may_start_its_state_machine_and_park_what_it_could_not() {
    let wanted = [
        "states:StartExecution",
        "sqs:SendMessage",
        "kms:GenerateDataKey via sqs",
        "kms:Decrypt via sqs",
    ];
    let templates = Templates::load();
    let schedules = templates.of_type("AWS::Scheduler::Schedule");
    assert_eq!(schedules.len(), 2);
    for schedule in schedules {
        let target = schedule.property("Target");
        let role = references(&target["RoleArn"]).into_iter().next().expect("a role");
        let statements = statements(&templates, schedule.file, &role);
        assert_eq!(allowed(&statements), wanted.map(str::to_owned).into());
        for statement in statements {
            let about = references(&statement["Resource"]);
            let actions = allowed(&[statement]);
            if actions.contains("states:StartExecution") {
                assert_eq!(about, references(&target["Arn"]));
            }
            if actions.contains("sqs:SendMessage") {
                assert_eq!(about, references(&target["DeadLetterConfig"]));
            }
        }
    }
}
