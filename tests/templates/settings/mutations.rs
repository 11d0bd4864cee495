//! Each setting taken away or changed, and the check that has to see it.
//!
//! Invariant: every check stands here at least once; a mutation of what is not in the template is an error, not a pass.

use std::collections::BTreeSet;

use serde_json::Value;

use super::CHECKS;
use crate::templates::document::Templates;

/// What becomes of a setting.
#[derive(Clone, Copy)]
enum Change {
    /// It is left out.
    Gone,
    /// It has this value, in JSON.
    Is(&'static str),
}

use Change::{Gone, Is};

/// Check, file, place in it (from `Resources` on, or from the top with a leading slash), change.
#[rustfmt::skip]
const MUTATIONS: &[(&str, &str, &str, Change)] = &[
    ("partial batch failures", "primary", "Replicator/Properties/Events/Changes/Properties/FunctionResponseTypes", Gone),
    ("partial batch failures", "primary", "Replicator/Properties/Events/Changes/Properties/FunctionResponseTypes", Is("[]")),
    ("partial batch failures", "primary", "Replicator/Properties/Events/Changes", Gone),
    ("redrive", "primary", "Queue/Properties/RedrivePolicy", Gone),
    ("redrive", "primary", "Queue/Properties/RedrivePolicy/deadLetterTargetArn", Is(r#""arn:aws:sqs:us-east-1:111122223333:other""#)),
    ("redrive", "primary", "Queue/Properties/RedrivePolicy/maxReceiveCount", Is("4")),
    ("redrive", "primary", "/Parameters/MaxReceiveCount/MinValue", Is("4")),
    ("redrive", "primary", "/Parameters/MaxReceiveCount/MinValue", Gone),
    ("redrive", "primary", "/Parameters/MaxReceiveCount/Default", Is("3")),
    ("queue retention", "primary", "Queue/Properties/MessageRetentionPeriod", Gone),
    ("queue retention", "primary", "DeadLetterQueue/Properties/MessageRetentionPeriod", Is("345600")),
    ("queue retention", "primary", "ScheduleDeadLetterQueue/Properties/MessageRetentionPeriod", Gone),
    ("queue retention", "recovery", "ScheduleDeadLetterQueue/Properties/MessageRetentionPeriod", Gone),
    ("visibility timeout", "primary", "Queue/Properties/VisibilityTimeout", Gone),
    ("visibility timeout", "primary", "Queue/Properties/VisibilityTimeout", Is("419")),
    ("visibility timeout", "primary", "Replicator/Properties/Timeout", Is("61")),
    ("visibility timeout", "primary", "/Parameters/ReplicatorBatchingWindowSeconds/MaxValue", Is("300")),
    ("cap of the replicator", "primary", "Replicator/Properties/Events/Changes/Properties/ScalingConfig", Gone),
    ("cap of the replicator", "primary", "/Parameters/ReplicatorMaximumConcurrency/MaxValue", Is("50")),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ServiceEvents", Gone),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls", Gone),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ServiceEvents/Properties/Pattern/source", Is(r#"["aws.cognito"]"#)),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/State", Is(r#""DISABLED""#)),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/InputPath", Is(r#""$.detail""#)),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/Pattern/detail/eventName",
        Is(r#"["AdminCreateUser"]"#)),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/Pattern/detail/eventName/0/anything-but",
        Is(r#"["InitiateAuth", "ConfirmSignUp"]"#)),
    ("both detail types", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/Pattern/detail/errorCode",
        Is(r#"[{"exists": false}]"#)),
    ("failed invocations", "primary", "AdminEvents/Properties/EventInvokeConfig", Gone),
    ("failed invocations", "primary", "AdminEvents/Properties/EventInvokeConfig/DestinationConfig", Gone),
    ("failed invocations", "primary", "AdminEvents/Properties/EventInvokeConfig/MaximumRetryAttempts", Is("0")),
    ("failed deliveries", "primary", "AdminEvents/Properties/Events/ApiCalls/Properties/DeadLetterConfig", Gone),
    ("failed deliveries", "primary", "AdminEvents/Properties/Events/ServiceEvents/Properties/DeadLetterConfig", Gone),
    ("failed deliveries", "primary", "EventDeadLetterQueuePolicy", Gone),
    ("failed deliveries", "primary", "EventDeadLetterQueuePolicy/Properties/PolicyDocument/Statement/0/Condition", Gone),
    ("failed deliveries", "primary", "NightlyReconcile/Properties/Target/DeadLetterConfig", Gone),
    ("failed deliveries", "recovery", "MonthlyDrill/Properties/Target/DeadLetterConfig", Gone),
    ("time to live", "primary", "Table/Properties/TimeToLiveSpecification", Gone),
    ("time to live", "primary", "Table/Properties/TimeToLiveSpecification/AttributeName", Is(r#""expires""#)),
    ("time to live", "primary", "Table/Properties/TimeToLiveSpecification/Enabled", Is("false")),
    ("point in time", "primary", "Table/Properties/Replicas/0/PointInTimeRecoverySpecification", Gone),
    ("point in time", "primary", "Table/Properties/Replicas/0/PointInTimeRecoverySpecification/RecoveryPeriodInDays", Is("7")),
    ("point in time", "primary", "Table/Properties/Replicas/1/Fn::If/1/PointInTimeRecoverySpecification", Gone),
    ("point in time", "primary", "Table/Properties/Replicas/1", Gone),
    ("deletion protection", "primary", "Table/Properties/Replicas/0/DeletionProtectionEnabled", Gone),
    ("deletion protection", "primary", "Table/Properties/Replicas/1/Fn::If/1/DeletionProtectionEnabled", Is("false")),
    ("retained", "primary", "Table/DeletionPolicy", Gone),
    ("retained", "primary", "Table/DeletionPolicy", Is(r#""RetainExceptOnCreate""#)),
    ("retained", "primary", "Table/UpdateReplacePolicy", Gone),
    ("retained", "primary", "Key/DeletionPolicy", Is(r#""Delete""#)),
    ("retained", "primary", "Key/DeletionPolicy", Gone),
    ("retained", "primary", "Key/UpdateReplacePolicy", Gone),
    ("retained", "recovery-key", "Key/DeletionPolicy", Gone),
    ("retained", "recovery-key", "Key/UpdateReplacePolicy", Gone),
    ("encrypted", "primary", "Queue/Properties/KmsMasterKeyId", Gone),
    ("encrypted", "primary", "DeadLetterQueue/Properties/KmsMasterKeyId", Is(r#""alias/aws/sqs""#)),
    ("encrypted", "primary", "ReplicatorLogs/Properties/KmsKeyId", Gone),
    ("encrypted", "primary", "Table/Properties/SSESpecification/SSEEnabled", Is("false")),
    ("encrypted", "primary", "Table/Properties/Replicas/0/SSESpecification", Gone),
    ("encrypted", "primary", "Table/Properties/Replicas/1/Fn::If/1/SSESpecification", Gone),
    ("encrypted", "primary", "EventDeadLetterQueue/Properties/KmsMasterKeyId", Is(r#"{"Fn::GetAtt": ["TopicKey", "Arn"]}"#)),
    ("encrypted", "primary", "Topic/Properties/KmsMasterKeyId", Gone),
    ("encrypted", "recovery", "ScheduleDeadLetterQueue/Properties/KmsMasterKeyId", Gone),
    ("encrypted", "recovery", "StateMachineLogs/Properties/KmsKeyId", Gone),
    ("encrypted", "recovery", "StateMachineLogs/Properties/KmsKeyId", Is(r#"{"Fn::GetAtt": ["TopicKey", "Arn"]}"#)),
    ("encrypted", "recovery", "Topic/Properties/KmsMasterKeyId", Gone),
    ("keys", "primary", "Key/Properties/EnableKeyRotation", Gone),
    ("keys", "primary", "TopicKey/Properties/EnableKeyRotation", Gone),
    ("keys", "recovery", "TopicKey/Properties/EnableKeyRotation", Gone),
    ("keys", "primary", "Key/Properties/MultiRegion", Is("false")),
    ("same table", "backup-account", "Table/Properties/GlobalSecondaryIndexes/0", Gone),
    ("same table", "primary", "Table/Properties/KeySchema/1/AttributeName", Is(r#""range""#)),
    ("retained", "backup-account", "Table/DeletionPolicy", Gone),
    ("deletion protection", "backup-account", "Table/Properties/Replicas/0/DeletionProtectionEnabled", Gone),
    ("replica watched", "primary", "ReplicaBehindAlarm", Gone),
    ("replica watched", "primary", "ReplicaSilentAlarm", Gone),
    ("replica watched", "primary", "ReplicaSilentAlarm/Properties/TreatMissingData", Is(r#""notBreaching""#)),
    ("replica watched", "backup-account", "ReplicaSilentAlarm", Gone),
    ("replica watched", "backup-account", "ReplicaSilentAlarm/Properties/Statistic", Is(r#""Average""#)),
    ("every night", "primary", "/Parameters/ReconcileSchedule/AllowedPattern", Is(r#""^(cron|rate|at)\\([^()]+\\)$""#)),
    ("parameters", "primary", "/Parameters/UserPoolIds/Description", Gone),
    ("parameters", "primary", "/Parameters/UserPoolIds/AllowedPattern", Gone),
    ("parameters", "primary", "/Parameters/RecoveryRegion/AllowedPattern", Is(r#""[a-z]+""#)),
    ("parameters", "primary", "/Parameters/MaxReceiveCount/MinValue", Gone),
    ("parameters", "recovery", "/Parameters/Architecture/AllowedValues", Gone),
    ("own role", "primary", "Replicator/Properties/Role", Gone),
    ("own role", "primary", "Replicator/Properties/Role", Is(r#"{"Fn::GetAtt": ["ReconcilerRole", "Arn"]}"#)),
    ("own role", "primary", "Replicator/Properties/Policies", Is(r#"["AmazonCognitoPowerUser"]"#)),
    ("own role", "recovery", "ImporterRole/Properties/AssumeRolePolicyDocument/Statement/0/Principal", Is(r#"{"AWS": "*"}"#)),
    ("logs", "primary", "PostConfirmation/Properties/LoggingConfig", Gone),
    ("logs", "primary", "PostConfirmationLogs/Properties/RetentionInDays", Gone),
    ("logs", "recovery", "ImporterLogs/Properties/LogGroupName", Gone),
    ("logs", "recovery", "DrillStateMachine/Properties/Logging/IncludeExecutionData", Is("true")),
    ("timeouts", "primary", "PostAuthentication/Properties/Timeout", Is("6")),
    ("timeouts", "primary", "CustomMessage/Properties/Timeout", Gone),
    ("timeouts", "recovery", "Importer/Properties/Timeout", Gone),
    ("wildcard actions", "primary", "PostConfirmationRole/Properties/Policies/0/PolicyDocument/Statement/1/Action", Is(r#""sqs:*""#)),
    ("wildcard actions", "primary", "ReplicatorRole/Properties/Policies/0/PolicyDocument/Statement/1/NotAction", Is(r#""sqs:PurgeQueue""#)),
    ("wildcard actions", "primary", "Key/Properties/KeyPolicy/Statement/1/Action", Is(r#""kms:Disable*""#)),
    ("wildcard resources", "recovery", "ImporterRole/Properties/Policies/0/PolicyDocument/Statement/2/Action",
        Is(r#"["cognito-idp:DescribeUserPoolDomain", "cognito-idp:GetProvisionedLimit"]"#)),
    ("wildcard resources", "primary", "PostConfirmationRole/Properties/Policies/0/PolicyDocument/Statement/1/Resource", Is(r#""*""#)),
    ("wildcard resources", "recovery", "ImporterRole/Properties/Policies/0/PolicyDocument/Statement/0/Resource", Is(r#""*""#)),
];

/// Every mutation is seen by the check that it is for.
pub(super) fn every_one_is_seen(templates: &Templates) {
    let mut unseen = Vec::new();
    for (name, file, place, change) in MUTATIONS {
        let mut changed = templates.clone();
        let file = format!("{file}.yaml");
        let template = changed.0.get_mut(&file).unwrap_or_else(|| panic!("no template {file}"));
        if !applied(template, place, *change) {
            unseen.push(format!("{file} has no {place}"));
            continue;
        }
        let check = CHECKS.iter().find(|check| check.name == *name);
        let check = check.unwrap_or_else(|| panic!("no check {name}"));
        if (check.find)(&changed).is_empty() {
            unseen.push(format!("{name}: {file} {place} changed, and nothing was found"));
        }
    }
    let mutated: BTreeSet<&str> = MUTATIONS.iter().map(|(name, ..)| *name).collect();
    let untried = CHECKS.iter().filter(|check| !mutated.contains(check.name));
    unseen.extend(untried.map(|check| format!("{}: no mutation", check.name)));
    assert!(unseen.is_empty(), "{}", unseen.join("\n"));
}

/// Applies a change; false when its place is not there. Only the last member may be new, and only with a value.
fn applied(template: &mut Value, place: &str, change: Change) -> bool {
    let place = match place.strip_prefix('/') {
        Some(from_top) => format!("/{from_top}"),
        None => format!("/Resources/{place}"),
    };
    let Some((parent, member)) = place.rsplit_once('/') else {
        return false;
    };
    match (template.pointer_mut(parent), change) {
        (Some(Value::Object(members)), Gone) => members.remove(member).is_some(),
        (Some(Value::Object(members)), Is(value)) => {
            let value = serde_json::from_str(value).expect("JSON");
            members
                .insert(member.to_owned(), value)
                .is_none_or(|before| before != members[member])
        }
        (Some(Value::Array(list)), change) => {
            let Some(number) = member.parse().ok().filter(|number: &usize| *number < list.len()) else {
                return false;
            };
            match change {
                Gone => drop(list.remove(number)),
                Is(value) => list[number] = serde_json::from_str(value).expect("JSON"),
            }
            true
        }
        _ => false,
    }
}
