//! What every function has.
//!
//! Invariant: no two functions share a role, so that what one may do is what its own code does.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::templates::document::{Resource, Templates, elements, references};

/// Cognito waits five seconds for a trigger [developer guide, "Customizing user pool workflows with Lambda triggers"].
const TRIGGER_SECONDS: u64 = 5;
const FUNCTION_SECONDS: u64 = 900;

fn functions(templates: &Templates) -> Vec<Resource<'_>> {
    let functions = templates.of_type("AWS::Serverless::Function");
    assert!(functions.len() >= 7, "that is not all of them");
    functions
}

/// The one resource that a property names.
fn named<'a>(templates: &'a Templates, function: Resource<'_>, value: &Value) -> Option<Resource<'a>> {
    let mut ids = references(value).into_iter();
    match (ids.next(), ids.next()) {
        (Some(id), None) => Some(templates.resource(function.file, &id)),
        _ => None,
    }
}

pub(super) fn own_role(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    let mut users: BTreeMap<(String, String), Vec<&str>> = BTreeMap::new();
    for function in functions(templates) {
        let role = named(templates, function, function.property("Role"));
        let Some(role) = role.filter(|role| role.whole["Type"] == "AWS::IAM::Role") else {
            found.push(function.finding("no role of its own"));
            continue;
        };
        let key = (function.file.to_owned(), role.id.to_owned());
        users.entry(key).or_default().push(function.id);
        let lambda =
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
        let trust = elements(&role.property("AssumeRolePolicyDocument")["Statement"]);
        if trust != [&lambda] {
            found.push(role.finding("somebody but Lambda may take it"));
        }
        if !function.property("Policies").is_null() {
            found.push(function.finding("policies beside those of the role are not judged"));
        }
    }
    let shared = users.into_iter().filter(|(_, functions)| functions.len() > 1);
    found.extend(shared.map(|((file, role), functions)| format!("{file} {role}: shared by {functions:?}")));
    found
}

pub(super) fn logs(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for function in functions(templates) {
        let group = named(templates, function, &function.property("LoggingConfig")["LogGroup"]);
        let group = group.filter(|group| group.whole["Type"] == "AWS::Logs::LogGroup");
        let name = |value: &Value| value["Fn::Sub"].as_str().unwrap_or_default().to_owned();
        let wanted = format!("/aws/lambda/{}", name(function.property("FunctionName")));
        if group.is_none_or(|group| name(group.property("LogGroupName")) != wanted) {
            found.push(function.finding("no log group of its own under its name"));
        }
    }
    for group in templates.of_type("AWS::Logs::LogGroup") {
        let days = group.property("RetentionInDays");
        if !days.is_u64() && days["Ref"] != "LogRetentionDays" {
            found.push(group.finding("kept for ever"));
        }
    }
    for machine in templates.of_type("AWS::Serverless::StateMachine") {
        // An execution's data are a mapping, ids and figures; they have no place in a log all the same.
        if machine.property("Logging")["IncludeExecutionData"] != false {
            found.push(machine.finding("logs what executions are given"));
        }
    }
    found
}

pub(super) fn timeouts(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    let triggers = ["PostConfirmation", "PostAuthentication", "CustomMessage"];
    for function in functions(templates) {
        let most = if triggers.contains(&function.id) {
            TRIGGER_SECONDS
        } else {
            FUNCTION_SECONDS
        };
        let timeout = function.property("Timeout").as_u64().unwrap_or(0);
        if !(1..=most).contains(&timeout) {
            found.push(function.finding(&format!("its timeout is not between 1 and {most} seconds")));
        }
    }
    found
}
