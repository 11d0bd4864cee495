//! The rules of the workspace that no compiler checks: who may depend on whom, and documents that list what the code has.
//!
//! Invariant: every rule is checked against what cargo and the sources say, never against a list kept for the test.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;
use twinpool_shared::{
    metric::ALL,
    operation::{Meaning, Nothing, OPERATIONS},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .expect("the workspace is there")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn cargo(arguments: &[&str]) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let done = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--offline"])
        .current_dir(root())
        .output();
    let done = done.expect("cargo runs");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8_lossy(&done.stdout).into_owned()
}

/// A crate of the workspace: its folder, and the crates of the workspace that it is built from (tests aside).
struct Member {
    folder: String,
    depends_on: Vec<String>,
}

fn members() -> BTreeMap<String, Member> {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).expect("cargo writes JSON");
    let root = metadata["workspace_root"].as_str().expect("a root").to_owned();
    let packages = metadata["packages"].as_array().expect("packages");
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let member = |package: &Value| {
        let manifest = text(&package["manifest_path"]);
        let folder = Path::new(&manifest)
            .parent()
            .and_then(|folder| folder.strip_prefix(&root).ok());
        let dependencies = package["dependencies"].as_array().into_iter().flatten();
        // Kind null is a normal dependency; what only tests use is nobody's architecture.
        let built_from =
            dependencies.filter(|dependency| dependency["kind"] != "dev" && dependency["path"].is_string());
        Member {
            folder: folder.map(|folder| folder.display().to_string()).unwrap_or_default(),
            depends_on: built_from.map(|dependency| text(&dependency["name"])).collect(),
        }
    };
    packages
        .iter()
        .map(|package| (text(&package["name"]), member(package)))
        .collect()
}

/// Folders that a crate in `folder` may depend on.
fn may_depend_on(folder: &str) -> &'static [&'static str] {
    if folder.starts_with("tests") {
        &["tests", "tests/localcloud", "shared", "triggers/", "consumers/"]
    } else if folder == "consumers/cli" {
        &["shared", "consumers/reconciler", "consumers/importer"]
    } else if folder.starts_with("consumers/") || folder.starts_with("triggers/") {
        &["shared"]
    } else {
        &[]
    }
}

#[test]
fn crates_depend_downwards_only() {
    let members = members();
    assert!(members.len() >= 6, "cargo metadata lists the workspace");
    for (name, member) in &members {
        let allowed = may_depend_on(&member.folder);
        for other in &member.depends_on {
            let folder = &members[other].folder;
            let fits = |rule: &str| folder == rule || (rule.ends_with('/') && folder.starts_with(rule));
            assert!(
                allowed.iter().any(|rule| fits(rule)),
                "{name} ({}) must not depend on {other}",
                member.folder
            );
        }
    }
}

#[test]
fn what_ships_knows_nothing_of_the_local_cloud() {
    for (name, member) in members() {
        if !member.folder.starts_with("tests") {
            let tree = tree(&name);
            for test_only in ["twinpool-localcloud", "twinpool-tests"] {
                assert!(!tree.contains(test_only), "{name} is built from {test_only}");
            }
        }
    }
}

#[test]
fn a_trigger_is_built_without_the_cognito_and_dynamodb_clients() {
    let members = members();
    let triggers: Vec<_> = members
        .iter()
        .filter(|(_, member)| member.folder.starts_with("triggers/"))
        .collect();
    assert!(triggers.len() >= 2);
    for (name, _) in triggers {
        let tree = tree(name);
        assert!(tree.contains("aws-sdk-sqs"), "{name}: the tree is the whole tree");
        for client in ["aws-sdk-cognitoidentityprovider", "aws-sdk-dynamodb"] {
            assert!(
                !tree.contains(client),
                "{name} is built from {client}: that costs cold starts"
            );
        }
    }
}

/// Crates that a package is built from, with the features that it alone asks for.
fn tree(package: &str) -> BTreeSet<String> {
    let listed = cargo(&[
        "tree",
        "--package",
        package,
        "--edges",
        "normal,build",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ]);
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// Words of letters, digits and underscores that begin with `prefix`.
fn words(text: &str, prefix: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !word(c))
        .filter(|part| part.starts_with(prefix))
        .map(str::to_owned)
        .collect()
}

/// First cells of a document's table rows that are one piece of code, each with the second cell.
fn rows(document: &str) -> Vec<(String, String)> {
    let cells = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix('|')?.split('|').map(str::trim);
        let name = cells.next()?.strip_prefix('`')?.strip_suffix('`')?;
        Some((name.to_owned(), cells.next().unwrap_or_default().to_owned()))
    });
    cells.collect()
}

#[test]
fn the_architecture_page_lists_the_variables_that_are_read() {
    let source = read("shared/src/settings.rs");
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let read_by_code: BTreeSet<String> = source
        .split('"')
        .skip(1)
        .step_by(2)
        .flat_map(|text| words(text, "TWINPOOL_"))
        .collect();
    let listed = rows(&read("shared/docs/ARCHITECTURE.md"));
    let listed: Vec<_> = listed
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("TWINPOOL_"))
        .collect();
    let as_set: BTreeSet<_> = listed.iter().cloned().collect();
    assert_eq!(as_set.len(), listed.len(), "no variable is listed twice");
    assert!(!read_by_code.is_empty());
    assert_eq!(
        as_set, read_by_code,
        "left: shared/docs/ARCHITECTURE.md, right: shared/src/settings.rs"
    );
    // The template sets nothing that is not read.
    let template = read("infra/primary.yaml");
    let set = words(&template, "TWINPOOL_");
    assert!(
        set.is_subset(&read_by_code),
        "infra/primary.yaml sets {:?}",
        set.difference(&read_by_code)
    );
}

#[test]
fn the_metrics_page_lists_every_metric_with_its_unit() {
    let listed = rows(&read("shared/docs/METRICS.md"));
    let listed: Vec<_> = listed
        .iter()
        .filter(|(_, unit)| ["Count", "Milliseconds"].contains(&unit.as_str()))
        .collect();
    let in_code: BTreeSet<_> = ALL.iter().map(|metric| (metric.name, metric.unit)).collect();
    let as_set: BTreeSet<_> = listed
        .iter()
        .map(|(name, unit)| (name.as_str(), unit.as_str()))
        .collect();
    assert_eq!(as_set.len(), listed.len(), "no metric is listed twice");
    assert_eq!(
        as_set, in_code,
        "left: shared/docs/METRICS.md, right: shared/src/metric.rs"
    );
    // An alarm on a metric that nobody emits would never fire.
    let template = read("infra/primary.yaml");
    let queries = template
        .match_indices("SELECT SUM(")
        .map(|(at, start)| &template[at + start.len()..]);
    let asked: Vec<&str> = queries
        .filter_map(|rest| rest.split_once(')'))
        .map(|(metric, _)| metric)
        .collect();
    assert!(!asked.is_empty(), "the template has alarms on our metrics");
    for metric in asked {
        assert!(in_code.iter().any(|(known, _)| *known == metric), "{metric}");
    }
}

#[test]
fn every_runbook_has_its_alarm_and_every_alarm_its_runbook() {
    let folder = root().join("infra/runbooks");
    let names = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let runbooks: BTreeSet<String> = names
        .filter(|name| name.ends_with(".md") && name != "README.md")
        .collect();
    let templates = fs::read_dir(root().join("infra")).expect("infra is there").flatten();
    let templates = templates.filter(|entry| entry.path().extension().is_some_and(|extension| extension == "yaml"));
    let named: BTreeSet<String> = templates
        .map(|entry| fs::read_to_string(entry.path()).expect("a template is text"))
        .flat_map(|template| {
            let after = template.split("runbooks/").skip(1).map(|rest| {
                let end = rest
                    .find(|c: char| !(c.is_ascii_alphanumeric() || c == '-' || c == '.'))
                    .unwrap_or(rest.len());
                rest[..end].trim_end_matches('.').to_owned()
            });
            after.collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        runbooks, named,
        "left: infra/runbooks, right: what the alarms in infra/*.yaml name"
    );
}

#[test]
fn the_rule_for_admin_events_leaves_out_sign_ins_and_nothing_else() {
    let template = read("infra/primary.yaml");
    let list = template
        .split_once("anything-but: [")
        .and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.expect("the rule names what it leaves out");
    let left_out: BTreeSet<&str> = list.split(',').map(str::trim).collect();
    let sign_ins = OPERATIONS
        .iter()
        .filter(|(_, meaning)| *meaning == Meaning::Nothing(Nothing::SignIn));
    assert_eq!(left_out, sign_ins.map(|(name, _)| *name).collect());
}
