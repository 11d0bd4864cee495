//! The event patterns of the deployed rules against records, judged by the emulator's event engine.
//!
//! Patterns come from the deployed stack, records from `fixtures/cloudtrail` and `fixtures/kms`.
//!
//! Invariant: whatever may change a pool arrives, also what AWS adds tomorrow; what is certain to change nothing does not.

use std::{collections::BTreeMap, fs};

use serde_json::{Value, json};
use twinpool_shared::operation::{Meaning, Nothing, OPERATIONS};
use twinpool_tests::stack::{PRIMARY, Stack};

use super::document::{Templates, elements, references};

const API_CALL: &str = "AWS API Call via CloudTrail";
const SERVICE_EVENT: &str = "AWS Service Event via CloudTrail";

async fn events(stack: &Stack, operation: &str, input: Value) -> Value {
    let target = format!("AWSEvents.{operation}");
    let answer = stack.control.aws_json(PRIMARY, "events", &target, &input).await;
    answer.unwrap_or_else(|error| panic!("{operation}: {error}"))
}

/// The stack's rules by name, as DescribeRule shows them, with their targets.
async fn rules(stack: &Stack) -> BTreeMap<String, (Value, Vec<Value>)> {
    let listed = events(stack, "ListRules", json!({})).await;
    let mut rules = BTreeMap::new();
    for rule in listed["Rules"].as_array().into_iter().flatten() {
        let name = rule["Name"].as_str().expect("a name");
        let described = events(stack, "DescribeRule", json!({"Name": name})).await;
        let targets = events(stack, "ListTargetsByRule", json!({"Rule": name})).await;
        let targets = targets["Targets"].as_array().cloned().unwrap_or_default();
        rules.insert(name.to_owned(), (described, targets));
    }
    rules
}

async fn matches(stack: &Stack, pattern: &str, record: &Value) -> bool {
    let input = json!({"EventPattern": pattern, "Event": record.to_string()});
    let answer = events(stack, "TestEventPattern", input).await;
    answer["Result"].as_bool().expect("an answer")
}

/// The records of a folder, by file name.
fn records(folder: &str) -> BTreeMap<String, Value> {
    let folder = format!("{}/fixtures/{folder}", env!("CARGO_MANIFEST_DIR"));
    let files = fs::read_dir(folder).expect("a folder").flatten();
    files
        .filter(|file| file.path().extension().is_some_and(|extension| extension == "json"))
        .map(|file| {
            let text = fs::read_to_string(file.path()).expect("a record");
            let name = file.path().file_stem().expect("a name").to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).expect("JSON"))
        })
        .collect()
}

/// `record` with another value at `place`.
fn with(record: &Value, place: &str, value: Value) -> Value {
    let mut changed = record.clone();
    *changed.pointer_mut(place).unwrap_or_else(|| panic!("no {place}")) = value;
    changed
}

/// The listener's rules bring every record that may be a change, whole, and nothing else.
pub(super) async fn bring_every_change(stack: &Stack) {
    let about_pools: Vec<_> = rules(stack).await.into_values().collect();
    let about_pools = about_pools.into_iter().filter(|(rule, _)| {
        let pattern = rule["EventPattern"].as_str().unwrap_or_default();
        pattern.contains("aws.cognito-idp")
    });
    let mut patterns = BTreeMap::new();
    for (rule, targets) in about_pools {
        // Enabled for writes: reads come to ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS only [EventBridge user guide].
        assert_eq!(rule["State"], "ENABLED", "{rule}");
        let [target] = &targets[..] else {
            panic!("one target: {targets:?}");
        };
        assert_eq!(
            target["Arn"],
            stack.deployment.functions["admin-events"].as_str(),
            "{target}"
        );
        for member in ["Input", "InputPath", "InputTransformer"] {
            assert!(target[member].is_null(), "the record is handed over whole: {target}");
        }
        assert!(target["DeadLetterConfig"]["Arn"].is_string(), "{target}");
        let pattern = rule["EventPattern"].as_str().expect("a pattern").to_owned();
        let parsed: Value = serde_json::from_str(&pattern).expect("JSON");
        let kind = parsed["detail-type"][0].as_str().expect("a detail type").to_owned();
        patterns.insert(kind, pattern);
    }
    let kinds: Vec<&str> = patterns.keys().map(String::as_str).collect();
    assert_eq!(kinds, [API_CALL, SERVICE_EVENT]);

    let records = records("cloudtrail");
    assert!(records.len() >= 30, "fixtures are kept");
    for (name, record) in &records {
        let kind = record["detail-type"].as_str().expect("a detail type");
        // The only sign-in among them.
        let comes = name != "initiate-auth-redacted";
        for (of, pattern) in &patterns {
            let found = matches(stack, pattern, record).await;
            assert_eq!(found, comes && of == kind, "{name} by the rule of {of}");
        }
    }
    // Refused calls arrive: a refusal is no change, and to tell that is the listener's.
    assert!(records["admin-delete-user-failed"]["detail"]["errorCode"].is_string());
    let (call, page) = (&records["sign-up"], &records["page-signup-post"]);
    let (calls, pages) = (&patterns[API_CALL], &patterns[SERVICE_EVENT]);
    for source in ["aws.cognito-identity", "aws.cognito-sync", "twinpool.test"] {
        assert!(
            !matches(stack, calls, &with(call, "/source", json!(source))).await,
            "{source}"
        );
        assert!(
            !matches(stack, pages, &with(page, "/source", json!(source))).await,
            "{source}"
        );
    }
    for kind in ["AWS Console Sign In via CloudTrail", "AWS Insight via CloudTrail"] {
        assert!(
            !matches(stack, calls, &with(call, "/detail-type", json!(kind))).await,
            "{kind}"
        );
        assert!(
            !matches(stack, pages, &with(page, "/detail-type", json!(kind))).await,
            "{kind}"
        );
    }
    let tomorrows = [("AdminTeleportUser", true), ("InitiateAuthV2", true)].into_iter();
    // Told by the post-authentication trigger; the last three are no operations of the model, and give out tokens.
    let todays = OPERATIONS.iter().map(|(name, meaning)| {
        let kept_out = *meaning == Meaning::Nothing(Nothing::SignIn) || *name == "GetTokensFromRefreshToken";
        (*name, !kept_out)
    });
    let tokens = [("GetClientToken", false), ("GetDerivedToken", false)];
    for (name, comes) in todays.chain(tomorrows).chain(tokens) {
        let record = with(call, "/detail/eventName", json!(name));
        assert_eq!(matches(stack, calls, &record).await, comes, "{name}");
    }
    // Pages have names of their own, of which none is kept out.
    for name in ["Login_GET", "Token_POST", "passkeys_add_POST", "Tomorrow_POST"] {
        let record = with(page, "/detail/eventName", json!(name));
        assert!(matches(stack, pages, &record).await, "{name}");
    }
}

/// The pattern of the rule KeyAtRisk of a template that is not deployed here, for `key`; it names `named` and nothing else.
fn of_template(templates: &Templates, file: &str, named: &[&str], key: &str) -> String {
    let mut pattern = templates.resource(file, "KeyAtRisk").property("EventPattern").clone();
    let arns = pattern.pointer_mut("/detail/resources/ARN").expect("a list of keys");
    let names: Vec<String> = elements(arns).into_iter().flat_map(references).collect();
    assert_eq!(names, named, "{file}");
    *arns = json!([key]);
    pattern.to_string()
}

/// The rule KeyAtRisk tells of the deployed key's end and of nothing else; so do those of the other templates.
pub(super) async fn tell_when_the_key_is_at_risk(stack: &Stack, key: &str) {
    let rules = rules(stack).await;
    let name = format!("{}-key-at-risk", stack.deployment.stack);
    let (rule, targets) = rules.get(&name).unwrap_or_else(|| panic!("no rule {name}"));
    assert_eq!(rule["State"], "ENABLED", "{rule}");
    let to_topics = targets
        .iter()
        .all(|target| target["Arn"].as_str().is_some_and(|arn| arn.contains(":sns:")));
    assert!(!targets.is_empty() && to_topics, "{targets:?}");
    let templates = Templates::load();
    let patterns = [
        rule["EventPattern"].as_str().expect("a pattern").to_owned(),
        of_template(&templates, "recovery.yaml", &["KeyArn", "TableKeyArn"], key),
        of_template(&templates, "backup-account.yaml", &["Key"], key),
    ];
    for (name, record) in records("kms") {
        let wanted = ["disable-key", "schedule-key-deletion"].contains(&name.as_str());
        let of_ours = with(&record, "/detail/resources/0/ARN", json!(key));
        let elsewhere = with(&of_ours, "/source", json!("aws.s3"));
        for pattern in &patterns {
            assert_eq!(matches(stack, pattern, &of_ours).await, wanted, "{name}: {pattern}");
            assert!(
                !matches(stack, pattern, &record).await,
                "{name} of another key: {pattern}"
            );
            assert!(
                !matches(stack, pattern, &elsewhere).await,
                "{name} of another service: {pattern}"
            );
        }
    }
}
