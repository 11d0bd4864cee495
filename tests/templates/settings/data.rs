//! What holds data: the table, its replicas, the keys, and whatever is encrypted.
//!
//! Invariant: nothing with data goes with a stack, and nothing of it is readable without the customer's key.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::templates::document::{Resource, Templates, branches, elements, references};

const KEY: &str = "AWS::KMS::Key";
const REPLICA_KEY: &str = "AWS::KMS::ReplicaKey";
const TABLE: &str = "AWS::DynamoDB::GlobalTable";
/// A key that protects no data goes with its stack, and is nobody's in the other Region: the texts of alarms.
const WITHOUT_DATA: [(&str, &str); 2] = [("primary.yaml", "TopicKey"), ("recovery.yaml", "TopicKey")];

/// Tables with one of their replicas.
fn replicas(templates: &Templates) -> Vec<(Resource<'_>, &Value)> {
    let tables = templates.of_type(TABLE).into_iter();
    tables
        .flat_map(|table| {
            elements(table.property("Replicas"))
                .into_iter()
                .map(move |one| (table, one))
        })
        .collect()
}

fn of_tables(templates: &Templates, holds: impl Fn(Resource<'_>) -> bool, what: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for kind in ["AWS::DynamoDB::Table", TABLE] {
        let tables = templates.of_type(kind).into_iter();
        found.extend(tables.filter(|table| !holds(*table)).map(|table| table.finding(what)));
    }
    if templates.of_type(TABLE).is_empty() {
        found.push("no table".to_owned());
    }
    found
}

fn of_replicas(templates: &Templates, holds: impl Fn(&Value) -> bool, what: &str) -> Vec<String> {
    let replicas = replicas(templates);
    let here_and_there = replicas
        .iter()
        .filter(|(table, _)| table.file == "primary.yaml")
        .count();
    let mut found: Vec<String> = Vec::new();
    if here_and_there < 2 {
        found.push("primary.yaml has no second replica".to_owned());
    }
    let lacking = replicas.into_iter().filter(|(_, replica)| !holds(replica));
    found.extend(lacking.map(|(table, replica)| table.finding(&format!("{what} ({})", replica["Region"]))));
    found
}

pub(super) fn time_to_live(templates: &Templates) -> Vec<String> {
    // The attribute that the item format writes (shared/src/item.rs).
    let wanted = json!({"AttributeName": "expires_at", "Enabled": true});
    let holds = |table: Resource<'_>| *table.property("TimeToLiveSpecification") == wanted;
    of_tables(templates, holds, "what has expired is not removed")
}

pub(super) fn point_in_time(templates: &Templates) -> Vec<String> {
    let wanted = json!({"PointInTimeRecoveryEnabled": true, "RecoveryPeriodInDays": 35});
    of_replicas(
        templates,
        |replica| replica["PointInTimeRecoverySpecification"] == wanted,
        "no point-in-time recovery of 35 days",
    )
}

pub(super) fn deletion_protection(templates: &Templates) -> Vec<String> {
    of_replicas(
        templates,
        |replica| replica["DeletionProtectionEnabled"] == true,
        "no deletion protection",
    )
}

pub(super) fn retained(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for kind in [KEY, REPLICA_KEY, TABLE, "AWS::DynamoDB::Table"] {
        for resource in templates.of_type(kind) {
            if WITHOUT_DATA.contains(&(resource.file, resource.id)) {
                continue;
            }
            let deletion = &resource.whole["DeletionPolicy"];
            // A key that a failed deployment made has encrypted nothing. A table would block that deployment's rollback.
            let but_on_create = kind.starts_with("AWS::KMS::") && *deletion == "RetainExceptOnCreate";
            if *deletion != "Retain" && !but_on_create {
                found.push(resource.finding("DeletionPolicy is not Retain"));
            }
            if resource.whole["UpdateReplacePolicy"] != "Retain" {
                found.push(resource.finding("UpdateReplacePolicy is not Retain"));
            }
        }
    }
    found
}

/// Whether every branch of `value` names a key of the customer's: of this template, or given to it.
fn by_customer_key(templates: &Templates, beside: Resource<'_>, value: &Value) -> bool {
    let topic = beside.whole["Type"] == "AWS::SNS::Topic";
    let own = templates.resources().into_iter().filter(|resource| {
        resource.file == beside.file && [KEY, REPLICA_KEY].iter().any(|kind| resource.whole["Type"] == *kind)
    });
    let own = own.filter(|key| topic || !WITHOUT_DATA.contains(&(key.file, key.id)));
    let own: BTreeSet<String> = own.map(|key| key.id.to_owned()).collect();
    let named = |value: &&Value| {
        let references = references(value);
        references
            .iter()
            .any(|name| own.contains(name) || name.ends_with("KeyArn"))
    };
    let branches = branches(value);
    !value.is_null() && !branches.is_empty() && branches.iter().all(named)
}

pub(super) fn encrypted(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (kind, property) in [
        ("AWS::SQS::Queue", "KmsMasterKeyId"),
        ("AWS::SNS::Topic", "KmsMasterKeyId"),
        ("AWS::Logs::LogGroup", "KmsKeyId"),
    ] {
        let bare = templates.of_type(kind).into_iter();
        let bare = bare.filter(|resource| !by_customer_key(templates, *resource, resource.property(property)));
        found.extend(bare.map(|resource| resource.finding("not encrypted with the customer's key")));
    }
    let by_kms = json!({"SSEEnabled": true, "SSEType": "KMS"});
    let holds = |table: Resource<'_>| *table.property("SSESpecification") == by_kms;
    found.extend(of_tables(templates, holds, "not encrypted with a key of KMS"));
    for (table, replica) in replicas(templates) {
        if !by_customer_key(templates, table, &replica["SSESpecification"]["KMSMasterKeyId"]) {
            let what = format!("a replica without the customer's key ({})", replica["Region"]);
            found.push(table.finding(&what));
        }
    }
    found
}

pub(super) fn keys(templates: &Templates) -> Vec<String> {
    let keys = templates.of_type(KEY);
    let mut found: Vec<String> = Vec::new();
    if keys.is_empty() {
        found.push("no key".to_owned());
    }
    for key in keys {
        if key.property("EnableKeyRotation") != true {
            found.push(key.finding("not rotated"));
        }
        let of_data = !WITHOUT_DATA.contains(&(key.file, key.id));
        if of_data && key.property("MultiRegion") != true {
            found.push(key.finding("the table's replica cannot be read without this Region"));
        }
    }
    found
}

/// A replica that is gone has no latency: beside the alarm on a high one stands an alarm on none.
pub(super) fn replica_watched(templates: &Templates) -> Vec<String> {
    let alarms = templates.of_type("AWS::CloudWatch::Alarm");
    let watched = |table: Resource<'_>, comparison: &str, missing: &str| {
        alarms.iter().any(|alarm| {
            let of_table = references(alarm.property("Dimensions")).contains(table.id);
            let silent = alarm.property("Statistic") == "SampleCount" && alarm.property("Threshold") == 1;
            alarm.file == table.file
                && alarm.property("MetricName") == "ReplicationLatency"
                && of_table
                && alarm.property("ComparisonOperator") == comparison
                && alarm.property("TreatMissingData") == missing
                && silent == (missing == "breaching")
        })
    };
    let mut found = Vec::new();
    for table in templates.of_type(TABLE) {
        if !watched(table, "GreaterThanThreshold", "notBreaching") {
            found.push(table.finding("nobody is told of a replica that is behind"));
        }
        if !watched(table, "LessThanThreshold", "breaching") {
            found.push(table.finding("nobody is told of a replica that is gone"));
        }
    }
    found
}

/// The table of another account's backup is the one that the functions are written for.
pub(super) fn same_table(templates: &Templates) -> Vec<String> {
    let bare = |file: &str| {
        let mut properties = templates.resource(file, "Table").whole["Properties"].clone();
        let members = properties.as_object_mut().expect("properties");
        members.remove("TableName");
        // By what a replica is reached and read is each account's own, and asserted of both.
        let replicas: Vec<Value> = elements(&members["Replicas"])
            .into_iter()
            .map(|replica| {
                let mut replica = replica.clone();
                replica.as_object_mut().expect("a replica").remove("ResourcePolicy");
                replica["SSESpecification"] = Value::Null;
                replica
            })
            .collect();
        members.insert("Replicas".to_owned(), Value::Array(replicas));
        properties
    };
    if bare("primary.yaml") == bare("backup-account.yaml") {
        Vec::new()
    } else {
        vec!["backup-account.yaml Table: not the table of primary.yaml".to_owned()]
    }
}
