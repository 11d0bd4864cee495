//! Alarms over an expression, which the emulator cannot be given, from the template that is deployed.
//!
//! Invariant: what is resolved has one answer in a local deployment (names, defaults of parameters); anything else is refused.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::{stack::Failure, stand_ins::ensure};

/// The SAM translator of the emulator's environment reads CloudFormation's short forms, as the AWS CLI does.
const READ: &str = "
import json, pathlib, sys
from samtranslator.yaml_helper import yaml_parse
print(json.dumps(yaml_parse(pathlib.Path(sys.argv[1]).read_text())))
";

fn parsed(file: &str) -> Result<Value, Failure> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra").join(file);
    let read = Command::new(ensure("ministack").join("bin/python"))
        .args(["-c", READ])
        .arg(path)
        .stdin(Stdio::null())
        .output();
    let read = read.map_err(|error| Failure::new(file, error))?;
    if !read.status.success() {
        return Err(Failure::new(file, String::from_utf8_lossy(&read.stderr)));
    }
    serde_json::from_slice(&read.stdout).map_err(|error| Failure::new(file, error))
}

/// Every alarm of `infra/{file}`, and every rule that notifies somebody: the alarm's name without the stack's or the rule's logical
/// id, and its description.
///
/// # Errors
/// When the template cannot be read.
pub fn described(file: &str) -> Result<Vec<(String, String)>, Failure> {
    let template = parsed(file)?;
    let text = |value: &Value| {
        value
            .as_str()
            .or_else(|| value["Fn::Sub"].as_str())
            .unwrap_or_default()
            .to_owned()
    };
    let mut found = Vec::new();
    for (id, resource) in template["Resources"].as_object().into_iter().flatten() {
        let properties = &resource["Properties"];
        match resource["Type"].as_str() {
            Some("AWS::CloudWatch::Alarm") => {
                let name = text(&properties["AlarmName"]).replace("${AWS::StackName}-", "");
                found.push((name, text(&properties["AlarmDescription"])));
            }
            Some("AWS::Events::Rule") => found.push((id.clone(), text(&properties["Description"]))),
            _ => {}
        }
    }
    Ok(found)
}

/// The alarms of `infra/{file}` that have `Metrics`, for a CloudFormation stack of this name.
pub(super) fn over_expressions(file: &str, stack: &str) -> Result<Vec<Value>, Failure> {
    let template = parsed(file)?;
    let resources = template["Resources"].as_object().into_iter().flatten();
    let alarms = resources.map(|(_, resource)| resource);
    alarms
        .filter(|resource| resource["Type"] == "AWS::CloudWatch::Alarm")
        .map(|resource| &resource["Properties"])
        .filter(|properties| properties["Metrics"].is_array())
        .map(|properties| {
            let mut alarm = json!({});
            for (name, value) in properties.as_object().into_iter().flatten() {
                // Whom it notifies says nothing about its state.
                if !name.ends_with("Actions") {
                    alarm[name] = resolved(value, &template, stack)?;
                }
            }
            Ok(alarm)
        })
        .collect()
}

fn resolved(value: &Value, template: &Value, stack: &str) -> Result<Value, Failure> {
    if let Some(list) = value.as_array() {
        return list.iter().map(|one| resolved(one, template, stack)).collect();
    }
    let Some(object) = value.as_object() else {
        return Ok(value.clone());
    };
    if let Some(text) = object.get("Fn::Sub").and_then(Value::as_str) {
        let text = text.replace("${AWS::StackName}", stack);
        return if text.contains("${") {
            Err(Failure(format!("{text} is not resolved")))
        } else {
            Ok(json!(text))
        };
    }
    if let Some(name) = object.get("Ref").and_then(Value::as_str) {
        let function = &template["Resources"][name]["Properties"]["FunctionName"];
        let default = &template["Parameters"][name]["Default"];
        return match (function.is_null(), default.is_null()) {
            (false, _) => resolved(function, template, stack),
            (_, false) => Ok(default.clone()),
            _ => Err(Failure(format!("Ref {name} is not resolved"))),
        };
    }
    if object.keys().any(|key| key.starts_with("Fn::")) {
        return Err(Failure(format!("{value} is not resolved")));
    }
    let members = object
        .iter()
        .map(|(name, value)| Ok((name.clone(), resolved(value, template, stack)?)));
    members
        .collect::<Result<serde_json::Map<_, _>, Failure>>()
        .map(Value::Object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_defaults_are_resolved_and_nothing_else() {
        let template = json!({
            "Parameters": {"Seconds": {"Default": 300}, "Bare": {}},
            "Resources": {"Trigger": {"Properties": {"FunctionName": {"Fn::Sub": "${AWS::StackName}-trigger"}}}},
        });
        let resolve = |value: Value| resolved(&value, &template, "s");
        let alarm = json!({"Metrics": [{"Value": {"Ref": "Trigger"}}], "Threshold": {"Ref": "Seconds"}, "Stat": "Sum"});
        let expected = json!({"Metrics": [{"Value": "s-trigger"}], "Threshold": 300, "Stat": "Sum"});
        assert_eq!(resolve(alarm), Ok(expected));
        for odd in [
            json!({"Ref": "Bare"}),
            json!({"Fn::If": []}),
            json!({"Fn::Sub": "${Other}"}),
        ] {
            assert!(resolve(odd).is_err());
        }
    }
}
