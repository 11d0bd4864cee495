//! The templates, parsed: a value for each, with the intrinsic functions in their long form.
//!
//! CloudFormation's short form (`!Ref`) is YAML that no Rust parser of this workspace reads; the SAM translator of the local
//! cloud's environment does, as the AWS CLI does it.
//!
//! Invariant: nothing is resolved but what has one answer: a branch of `Fn::If` is every branch.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::Value;
use twinpool_tests::stand_ins::ensure;

const READ: &str = "
import json, pathlib, sys
from samtranslator.yaml_helper import yaml_parse
print(json.dumps({path: yaml_parse(pathlib.Path(path).read_text()) for path in sys.argv[1:]}))
";

/// The folder of the workspace.
pub(super) fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the workspace, as text.
pub(super) fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Every template of `infra`, by its file name.
#[derive(Clone, Debug)]
pub(super) struct Templates(pub(super) BTreeMap<String, Value>);

/// A resource with where it stands.
#[derive(Clone, Copy)]
pub(super) struct Resource<'a> {
    pub(super) file: &'a str,
    pub(super) template: &'a Value,
    pub(super) id: &'a str,
    pub(super) whole: &'a Value,
}

impl Templates {
    /// Reads them all.
    pub(super) fn load() -> Self {
        let folder = workspace().join("infra");
        let files = fs::read_dir(folder).expect("a folder").flatten();
        let mut names: Vec<String> = files
            .filter_map(|file| file.file_name().into_string().ok())
            .filter(|name| name.ends_with(".yaml") && !name.starts_with('.'))
            .collect();
        names.sort();
        let read = Command::new(ensure("ministack").join("bin/python"))
            .args(["-c", READ])
            .args(&names)
            .current_dir(workspace().join("infra"))
            .stdin(Stdio::null())
            .output()
            .expect("Python starts");
        let why = String::from_utf8_lossy(&read.stderr);
        assert!(read.status.success(), "{why}");
        let templates = serde_json::from_slice(&read.stdout).expect("JSON");
        Self(templates)
    }

    /// One template.
    pub(super) fn of(&self, file: &str) -> &Value {
        self.0.get(file).unwrap_or_else(|| panic!("no template {file}"))
    }

    /// Every resource of every template, those of loops once.
    pub(super) fn resources(&self) -> Vec<Resource<'_>> {
        let mut found = Vec::new();
        for (file, template) in &self.0 {
            collect(file, template, &template["Resources"], &mut found);
        }
        found
    }

    /// Those of one type.
    pub(super) fn of_type(&self, kind: &str) -> Vec<Resource<'_>> {
        let mut found = self.resources();
        found.retain(|resource| resource.whole["Type"] == kind);
        found
    }

    /// One resource.
    pub(super) fn resource(&self, file: &str, id: &str) -> Resource<'_> {
        let mut all = self.resources().into_iter();
        all.find(|resource| resource.file == file && resource.id == id)
            .unwrap_or_else(|| panic!("{file} has no {id}"))
    }
}

fn collect<'a>(file: &'a str, template: &'a Value, resources: &'a Value, found: &mut Vec<Resource<'a>>) {
    for (id, whole) in resources.as_object().into_iter().flatten() {
        if id.starts_with("Fn::ForEach::") {
            // [variable, values, resources]
            collect(file, template, &whole[2], found);
        } else {
            found.push(Resource {
                file,
                template,
                id,
                whole,
            });
        }
    }
}

impl<'a> Resource<'a> {
    /// A property, or null.
    pub(super) fn property(&self, name: &str) -> &'a Value {
        &self.whole["Properties"][name]
    }

    /// Names it in a finding.
    pub(super) fn finding(&self, what: &str) -> String {
        format!("{} {}: {what}", self.file, self.id)
    }

    /// The number that a property has, and at least has where a parameter gives it: the parameter's least, and its default.
    pub(super) fn numbers(&self, value: &Value, bound: &str) -> Vec<f64> {
        match value["Ref"].as_str() {
            Some(name) => {
                let parameter = &self.template["Parameters"][name];
                [&parameter["Default"], &parameter[bound]]
                    .map(|number| number.as_f64().unwrap_or(f64::NAN))
                    .to_vec()
            }
            None => vec![value.as_f64().unwrap_or(f64::NAN)],
        }
    }
}

/// The values that `value` may have: every branch of every `Fn::If`, `AWS::NoValue` left out.
pub(super) fn branches(value: &Value) -> Vec<&Value> {
    if let Some(parts) = value["Fn::If"].as_array() {
        return parts.iter().skip(1).flat_map(branches).collect();
    }
    if value["Ref"] == "AWS::NoValue" {
        return Vec::new();
    }
    vec![value]
}

/// The elements of a list, or of a value that stands for a list of one.
pub(super) fn elements(value: &Value) -> Vec<&Value> {
    let list = branches(value).into_iter();
    list.flat_map(|value| match value.as_array() {
        Some(list) => list.iter().flat_map(branches).collect(),
        None if value.is_null() => Vec::new(),
        None => vec![value],
    })
    .collect()
}

/// Logical ids and parameters that `value` refers to, by whatever function.
pub(super) fn references(value: &Value) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    refer(value, &mut found);
    found
}

fn refer(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Array(list) => list.iter().for_each(|one| refer(one, found)),
        Value::Object(members) => {
            for (name, inner) in members {
                match (name.as_str(), inner) {
                    ("Ref", Value::String(id)) => {
                        found.insert(id.clone());
                    }
                    ("Fn::GetAtt", Value::Array(path)) => {
                        found.extend(path.first().and_then(Value::as_str).map(str::to_owned));
                    }
                    ("Fn::GetAtt", Value::String(path)) => {
                        found.extend(path.split('.').next().map(str::to_owned));
                    }
                    ("Fn::Sub", Value::String(text)) => substituted(text, found),
                    ("Fn::Sub", Value::Array(parts)) => {
                        substituted(parts[0].as_str().unwrap_or_default(), found);
                        refer(&parts[1], found);
                    }
                    // The condition is no value.
                    ("Fn::If", Value::Array(parts)) => parts.iter().skip(1).for_each(|one| refer(one, found)),
                    _ => refer(inner, found),
                }
            }
        }
        _ => {}
    }
}

fn substituted(text: &str, found: &mut BTreeSet<String>) {
    for part in text.split("${").skip(1) {
        let name = part.split('}').next().unwrap_or_default();
        found.extend(name.split('.').next().map(str::to_owned));
    }
}
