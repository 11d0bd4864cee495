//! The configuration as calls: rewritten by a mapping, made in an empty pool, patched into an existing one, and compared.
//!
//! Invariant: what the target shows is made by [`target`], a small model of what Cognito shows after a call, and not by the
//! code that is tested.

mod mapping;
mod patch;
mod steps;
mod target;

use std::{collections::BTreeMap, fs};

use serde_json::Value;
use twinpool_shared::{
    group::{GroupRecord, GroupSettings},
    import::{
        configure::{self, Refused, Wanted},
        mapping::{Mapping, Place},
    },
    marks::Part,
    snapshot::{
        Content, Json,
        past::{Configuration, Held},
    },
    time::Timestamp,
    user::{Facet, Tombstone},
};

use crate::format::fixtures;

const SOURCE: &str = "us-east-1_Ab1Cd2Ef3";
const TARGET: &str = "us-west-2_New123456";
const ACCOUNT: &str = "111122223333";
const PLAN: &str = "20261123T081316Z-0a1b2c3d";
const SECRETS: [&str; 2] = ["SECRET-web-client-of-the-lost-pool", "SECRET-of-the-provider"];

fn fixture(name: &str) -> String {
    fs::read_to_string(fixtures("import").join(name)).expect("the fixture is there")
}

/// A configuration from a tree: part, member, JSON.
fn configuration(tree: &Value) -> Configuration {
    let mut configuration = Configuration::default();
    for (part, members) in tree.as_object().expect("parts") {
        let part: Part = serde_json::from_value(part.as_str().into()).expect("a part");
        for (name, json) in members.as_object().expect("members") {
            let held = Held {
                read_at: Timestamp::from_millis(0),
                source: "Describe".to_owned(),
                content: Content::Json(Json::new(json.clone())),
            };
            configuration.members.insert((part, name.clone()), held);
        }
    }
    configuration
}

fn recorded() -> Configuration {
    configuration(&serde_json::from_str(&fixture("configuration.json")).expect("JSON"))
}

fn complete_mapping() -> Mapping {
    Mapping::parse(&fixture("mapping.json")).expect("a mapping")
}

fn place() -> Place {
    Place::new(SOURCE, "us-west-2", ACCOUNT).expect("a place")
}

fn group(name: &str, description: Option<&str>, precedence: Option<i32>, role: Option<&str>) -> (String, GroupRecord) {
    let mut group = GroupRecord::new(name);
    group.settings = Some(Facet {
        as_of: Timestamp::from_millis(1),
        observed_at: Timestamp::from_millis(1),
        source: "GetGroup".into(),
        data: GroupSettings {
            description: description.map(str::to_owned),
            precedence,
            role_arn: role.map(str::to_owned),
            created: Timestamp::from_millis(0),
            modified: Timestamp::from_millis(0),
        },
    });
    (name.to_owned(), group)
}

fn groups() -> BTreeMap<String, GroupRecord> {
    let (name, mut gone) = group("gone", None, None, None);
    gone.deleted = Some(Tombstone {
        at: Timestamp::from_millis(9_000),
        cause: "DeleteGroup".into(),
    });
    BTreeMap::from([
        group(
            "admins",
            Some("Administrators"),
            Some(0),
            Some("arn:aws:iam::111122223333:role/admin"),
        ),
        group("plain", None, None, None),
        (name, gone),
    ])
}

fn steps_of(configuration: &Configuration, mapping: &Mapping) -> Result<Wanted, Refused> {
    configure::steps(configuration, &groups(), mapping, &place(), PLAN, "customers")
}

fn wanted() -> Wanted {
    steps_of(&recorded(), &complete_mapping()).expect("everything is mapped")
}

/// Every text in a JSON value, names of members as well.
fn texts(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::String(text) => found.push(text.clone()),
        Value::Array(entries) => entries.iter().for_each(|entry| texts(entry, found)),
        Value::Object(members) => {
            for (name, member) in members {
                found.push(name.clone());
                texts(member, found);
            }
        }
        _ => {}
    }
}
