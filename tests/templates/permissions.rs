//! Who may call what: the roles of the templates, held against the code that runs under them.
//!
//! Invariant: a permission is there because a call in the code needs it, or because a service acts in the role's name and says so
//! ([`IN_ITS_NAME`]); one that is missing and one that is left over fail alike.

mod calls;
mod importer;
mod let_in;
mod machines;
mod notes;
mod size;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use twinpool_shared::{
    marks::Part,
    snapshot::plan::{CLIENT_SECRETS, DOMAIN, LIMIT, LISTINGS, OF_CLIENT, POOL, RISK, SINGLES, TAGS},
};

use self::calls::Code;
use super::document::{Resource, Templates, elements, references};

const TRIGGER: &[&str] = &["triggers/cognito/src"];

/// Template, function, and what its binary is built from, as far as it calls something.
const FUNCTIONS: [(&str, &str, &[&str]); 7] = [
    ("primary.yaml", "PostConfirmation", TRIGGER),
    ("primary.yaml", "PostAuthentication", TRIGGER),
    ("primary.yaml", "CustomMessage", TRIGGER),
    ("primary.yaml", "AdminEvents", &["triggers/admin-events/src"]),
    (
        "primary.yaml",
        "Replicator",
        &["consumers/replicator/src", "shared/src/writer.rs"],
    ),
    (
        "primary.yaml",
        "Reconciler",
        &[
            "consumers/reconciler/src",
            "shared/src/writer.rs",
            "shared/src/documents.rs",
            "shared/src/adapter/lease.rs",
        ],
    ),
    ("recovery.yaml", "Importer", IMPORTER),
];

const IMPORTER: &[&str] = &[
    "consumers/importer/src",
    "shared/src/import",
    "shared/src/documents.rs",
    "shared/src/adapter/lease.rs",
    "shared/src/snapshot/reading.rs",
];

const EVERY: &[&str] = &[
    "PostConfirmation",
    "PostAuthentication",
    "CustomMessage",
    "AdminEvents",
    "Replicator",
    "Reconciler",
    "Importer",
];
const SENDS: &[&str] = &[
    "PostConfirmation",
    "PostAuthentication",
    "CustomMessage",
    "AdminEvents",
    "Replicator",
];
const STORES: &[&str] = &["Replicator", "Reconciler", "Importer"];

/// Actions that no code calls and a service needs in the role's name: which functions, the reason, and its source.
#[rustfmt::skip]
const IN_ITS_NAME: &[(&[&str], &str, &str)] = &[
    (EVERY, "logs:CreateLogStream", "Lambda writes the log [Lambda developer guide, AWSLambdaBasicExecutionRole]"),
    (EVERY, "logs:PutLogEvents", "Lambda writes the log [Lambda developer guide, AWSLambdaBasicExecutionRole]"),
    (&["Replicator"], "sqs:ReceiveMessage", "the event source mapping polls [Lambda developer guide, AWSLambdaSQSQueueExecutionRole]"),
    (&["Replicator"], "sqs:DeleteMessage", "the event source mapping acknowledges [the same]"),
    (&["AdminEvents"], "sqs:SendMessage", "Lambda parks what failed [Lambda developer guide, asynchronous invocation, destinations]"),
    (SENDS, "kms:GenerateDataKey via sqs", "SQS encrypts a message [SQS developer guide, key management, permissions of producers]"),
    (SENDS, "kms:Decrypt via sqs", "the same; and to receive [permissions of consumers]"),
    (STORES, "kms:Encrypt via dynamodb", "DynamoDB uses the table's key for its caller [developer guide, encryption at rest, usage notes]"),
    (STORES, "kms:Decrypt via dynamodb", "the same"),
    (STORES, "kms:ReEncrypt* via dynamodb", "the same"),
    (STORES, "kms:GenerateDataKey* via dynamodb", "the same"),
    (STORES, "kms:DescribeKey via dynamodb", "the same"),
    (&["Importer"], "cognito-idp:TagResource", "may be asked for where CreateUserPool comes with tags (infra/recovery.yaml)"),
    (&["Importer"], "iam:PassRole", "Cognito asks for it where a pool, group or import job is given a role [Cognito API reference]"),
];

/// Operations that show a configuration, from the tables that the code goes by.
fn captured(with_the_accounts_own: bool) -> Vec<&'static str> {
    let listings = || {
        LISTINGS
            .iter()
            .filter(move |listing| with_the_accounts_own || listing.part != Part::Replicas)
    };
    let described = listings().filter_map(|listing| Some(listing.describe?.operation));
    let shown = [POOL.operation, RISK.operation, DOMAIN.operation, CLIENT_SECRETS].into_iter();
    let accounts = with_the_accounts_own.then_some([TAGS, LIMIT]).into_iter().flatten();
    shown
        .chain(accounts)
        .chain(SINGLES.iter().map(|call| call.operation))
        .chain(listings().map(|listing| listing.operation))
        .chain(OF_CLIENT.iter().map(|call| call.operation))
        .chain(described)
        .collect()
}

/// What a function has to be allowed.
fn needed(function: &str, sources: &[&str]) -> BTreeSet<String> {
    let from_tables = match function {
        "Reconciler" => captured(true),
        // Neither compared nor set: replicas, tags and limits are the account's own affair.
        "Importer" => captured(false),
        _ => Vec::new(),
    };
    let code = Code {
        sources,
        from_tables: &from_tables,
    };
    let mut needed = calls::of(&code);
    let in_its_name = IN_ITS_NAME
        .iter()
        .filter(|(functions, ..)| functions.contains(&function));
    needed.extend(in_its_name.map(|(_, action, _)| (*action).to_owned()));
    needed
}

/// The statements of a role: its own, and those of policies that are attached to it.
fn statements<'a>(templates: &'a Templates, file: &str, role: &str) -> Vec<&'a Value> {
    let own = templates.resource(file, role);
    let own = elements(own.property("Policies")).into_iter();
    let own = own.map(|policy| &policy["PolicyDocument"]);
    let attached = templates.of_type("AWS::IAM::Policy").into_iter();
    let attached = attached.filter(|policy| policy.file == file && references(policy.property("Roles")).contains(role));
    let documents = own.chain(attached.map(|policy| policy.property("PolicyDocument")));
    documents
        .flat_map(|document| elements(&document["Statement"]))
        .collect()
}

/// The actions of statements; those of a key with the service that they are for.
fn allowed(statements: &[&Value]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for statement in statements {
        assert_eq!(statement["Effect"], "Allow", "{statement}");
        let via = statement["Condition"]["StringEquals"]["kms:ViaService"]["Fn::Sub"].as_str();
        let service = via.and_then(|via| via.split('.').next());
        for action in elements(&statement["Action"]).into_iter().filter_map(Value::as_str) {
            found.insert(match service {
                Some(service) => format!("{action} via {service}"),
                None => action.to_owned(),
            });
        }
    }
    found
}

/// The role of a function.
fn role_of(function: Resource<'_>) -> String {
    let role = references(function.property("Role")).into_iter().next();
    role.unwrap_or_else(|| panic!("{} has no role", function.id))
}

/// What roles and code do not agree about.
fn disagreements(templates: &Templates, needed: &BTreeMap<&str, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for (file, id, _) in FUNCTIONS {
        let role = role_of(templates.resource(file, id));
        let allowed = allowed(&statements(templates, file, &role));
        let needed = &needed[id];
        let difference = |what: &str, these: &BTreeSet<String>, those: &BTreeSet<String>| {
            let only: Vec<&String> = these.difference(those).collect();
            (!only.is_empty()).then(|| format!("{id}: {what}: {only:?}"))
        };
        found.extend(difference("called and not allowed", needed, &allowed));
        found.extend(difference("allowed and not called", &allowed, needed));
    }
    found
}

#[test]
fn every_role_allows_the_calls_of_its_functions_code_and_no_other() {
    let templates = Templates::load();
    let listed: BTreeSet<(&str, &str)> = FUNCTIONS.iter().map(|(file, id, _)| (*file, *id)).collect();
    let deployed = templates.of_type("AWS::Serverless::Function");
    let deployed: BTreeSet<(&str, &str)> = deployed.iter().map(|function| (function.file, function.id)).collect();
    assert_eq!(listed, deployed, "left: judged here, right: deployed");
    let needed = FUNCTIONS
        .into_iter()
        .map(|(_, id, sources)| (id, needed(id, sources)))
        .collect();
    let found = disagreements(&templates, &needed);
    assert!(found.is_empty(), "{}", found.join("\n"));
    for (file, id, _) in FUNCTIONS {
        let role = role_of(templates.resource(file, id));
        let place = format!("/Resources/{role}/Properties/Policies/0/PolicyDocument/Statement");
        // One statement less, and one action more.
        for more in [false, true] {
            let mut changed = templates.clone();
            let statements = changed
                .0
                .get_mut(file)
                .and_then(|template| template.pointer_mut(&place));
            let statements = statements.and_then(Value::as_array_mut).expect("statements");
            if more {
                statements[0]["Action"] = json!(["logs:CreateLogStream", "logs:PutLogEvents", "sqs:PurgeQueue"]);
            } else {
                statements.remove(0);
            }
            let found = disagreements(&changed, &needed);
            assert!(found.len() == 1 && found[0].starts_with(id), "{id}: {found:?}");
        }
    }
}

/// What an action may be about, by its service, and after the stroke by the resource that a statement names.
#[rustfmt::skip]
const ABOUT: &[(&str, &str, &[&str])] = &[
    ("PostConfirmation", "sqs", &["Queue"]),
    ("PostConfirmation", "lambda", &["ChainPostConfirmation"]),
    ("PostConfirmation", "logs", &["PostConfirmationLogs"]),
    ("PostAuthentication", "sqs", &["Queue"]),
    ("PostAuthentication", "lambda", &["ChainPostAuthentication"]),
    ("PostAuthentication", "logs", &["PostAuthenticationLogs"]),
    ("CustomMessage", "sqs", &["Queue"]),
    ("CustomMessage", "lambda", &["ChainCustomMessage"]),
    ("CustomMessage", "logs", &["CustomMessageLogs"]),
    ("AdminEvents", "sqs", &["Queue", "DeadLetterQueue"]),
    ("AdminEvents", "logs", &["AdminEventsLogs"]),
    ("Replicator", "sqs", &["Queue", "DeadLetterQueue"]),
    ("Replicator", "logs", &["ReplicatorLogs"]),
    ("Replicator", "dynamodb", &["Table", "ExistingTableArn"]),
    ("Replicator", "cognito-idp", &["PoolId"]),
    ("Reconciler", "logs", &["ReconcilerLogs"]),
    ("Reconciler", "dynamodb", &["Table", "ExistingTableArn"]),
    ("Reconciler", "cognito-idp", &["PoolId", "*"]),
];
/// Pseudo parameters say where, not what.
const PLACES: [&str; 3] = ["AWS::Partition", "AWS::Region", "AWS::AccountId"];
const KEYS: [&str; 3] = ["Key", "ExistingKeyArn", "ExistingTableKeyArn"];

#[test]
fn every_statement_names_what_it_is_about() {
    let templates = Templates::load();
    let mut used = BTreeSet::new();
    for (file, id, _) in FUNCTIONS.into_iter().filter(|(file, ..)| *file == "primary.yaml") {
        let role = role_of(templates.resource(file, id));
        for statement in statements(&templates, file, &role) {
            let actions = elements(&statement["Action"]).into_iter().filter_map(Value::as_str);
            let services: BTreeSet<&str> = actions.filter_map(|action| action.split(':').next()).collect();
            assert_eq!(services.len(), 1, "{id}: one statement, one service: {statement}");
            let service = services.into_iter().next().expect("one");
            let mut about: BTreeSet<String> = references(&statement["Resource"]);
            about.retain(|name| !PLACES.contains(&name.as_str()));
            if about.is_empty() && statement["Resource"] == "*" {
                about.insert("*".to_owned());
            }
            assert!(!about.is_empty(), "{id}: about nothing of the stack: {statement}");
            for name in about {
                let entry = ABOUT.iter().find(|(function, of, _)| *function == id && *of == service);
                let named = entry.is_some_and(|(.., names)| names.contains(&name.as_str()));
                let key = service == "kms" && KEYS.contains(&name.as_str());
                assert!(named || key, "{id}: {service} about {name}");
                if named {
                    used.insert((id, service, name));
                }
            }
        }
    }
    let listed = ABOUT.iter().map(|(_, _, names)| names.len()).sum::<usize>();
    assert_eq!(used.len(), listed, "a line of the table is about nothing: {used:?}");
}
