//! Queues, and what feeds and empties them.
//!
//! Source of the numbers: Lambda developer guide, "Creating and configuring an Amazon SQS event source mapping" (visibility timeout
//! at least six times the function's timeout plus the batching window; maxReceiveCount at least 5); SQS developer guide (retention
//! 14 days at most).
//!
//! Invariant: a change has a second place to be in before it can leave the first.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use twinpool_shared::operation::{Meaning, Nothing, meaning};

use crate::templates::document::{Resource, Templates, elements, references};

const RETENTION_SECONDS: u64 = 14 * 86_400;
const RECEIVES_MIN: f64 = 5.0;
const FUNCTION: &str = "AWS::Serverless::Function";
const QUEUE: &str = "AWS::SQS::Queue";

/// Functions with one of their events, of a type.
fn events<'a>(templates: &'a Templates, kind: &str) -> Vec<(Resource<'a>, &'a str, &'a Value)> {
    let functions = templates.of_type(FUNCTION).into_iter();
    functions
        .flat_map(|function| {
            let events = function.property("Events").as_object().into_iter().flatten();
            events.map(move |(name, event)| (function, name.as_str(), event))
        })
        .filter(|(_, _, event)| event["Type"] == kind)
        .map(|(function, name, event)| (function, name, &event["Properties"]))
        .collect()
}

/// Whether `value` is the ARN of a queue of the same template.
fn is_queue(templates: &Templates, beside: Resource<'_>, value: &Value) -> bool {
    let targets = references(value);
    let queues = templates.of_type(QUEUE).into_iter();
    let queues: BTreeSet<String> = queues
        .filter(|queue| queue.file == beside.file)
        .map(|queue| queue.id.to_owned())
        .collect();
    targets.len() == 1 && targets.is_subset(&queues)
}

/// The queues that functions are fed from, each with its function and the mapping.
fn sources(templates: &Templates) -> Vec<(Resource<'_>, Resource<'_>, &Value)> {
    let mappings = events(templates, "SQS").into_iter();
    mappings
        .flat_map(|(function, _, mapping)| {
            let queues = references(&mapping["Queue"]).into_iter();
            let queues: Vec<_> = queues.map(|id| templates.resource(function.file, &id)).collect();
            queues.into_iter().map(move |queue| (function, queue, mapping))
        })
        .collect()
}

fn none(found: usize, what: &str) -> Vec<String> {
    if found == 0 {
        vec![format!("no {what}")]
    } else {
        Vec::new()
    }
}

pub(super) fn partial_failures(templates: &Templates) -> Vec<String> {
    let sources = sources(templates);
    let mut found = none(sources.len(), "queue feeds a function");
    for (function, _, mapping) in sources {
        if mapping["FunctionResponseTypes"] != json!(["ReportBatchItemFailures"]) {
            found.push(function.finding("one failure of a batch deletes the batch"));
        }
        if mapping.get("Enabled").is_some_and(|enabled| enabled != true) {
            found.push(function.finding("the mapping is disabled"));
        }
    }
    // Written out instead of as an event it would pass by unseen.
    let bare = templates.of_type("AWS::Lambda::EventSourceMapping").into_iter();
    found.extend(bare.map(|mapping| mapping.finding("a mapping that is not a function's event is not judged here")));
    found
}

pub(super) fn redrive(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (_, queue, _) in sources(templates) {
        let policy = queue.property("RedrivePolicy");
        if !is_queue(templates, queue, &policy["deadLetterTargetArn"]) {
            found.push(queue.finding("no dead-letter queue"));
        }
        let receives = queue.numbers(&policy["maxReceiveCount"], "MinValue");
        if !receives.iter().all(|receives| *receives >= RECEIVES_MIN) {
            found.push(queue.finding("maxReceiveCount may be less than 5"));
        }
    }
    found
}

pub(super) fn retention(templates: &Templates) -> Vec<String> {
    let queues = templates.of_type(QUEUE);
    let mut found = none(queues.len(), "queue");
    for queue in queues {
        if queue.property("MessageRetentionPeriod") != RETENTION_SECONDS {
            found.push(queue.finding("messages are not kept for 14 days"));
        }
    }
    found
}

pub(super) fn visibility(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (function, queue, mapping) in sources(templates) {
        let timeout = function.property("Timeout").as_f64().unwrap_or(f64::NAN);
        let window = function.numbers(&mapping["MaximumBatchingWindowInSeconds"], "MaxValue");
        let window = window.into_iter().fold(0.0, f64::max);
        let visibility = queue.property("VisibilityTimeout").as_f64().unwrap_or(f64::NAN);
        let enough = visibility >= 6.0 * timeout + window;
        if !enough {
            found.push(queue.finding("a batch in work may be handed out twice"));
        }
    }
    found
}

pub(super) fn cap(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (function, _, mapping) in sources(templates) {
        let most = function.numbers(&mapping["ScalingConfig"]["MaximumConcurrency"], "MaxValue");
        // Two is the least that Lambda takes; five share 30 ListUsers calls a second with the application.
        if !most.iter().all(|most| (2.0..=5.0).contains(most)) {
            found.push(function.finding("nothing keeps it from taking the whole quota of Cognito"));
        }
        // Reserved below the mapping's own cap, deliveries are throttled, and every throttle counts as a receive.
        if !function.property("ReservedConcurrentExecutions").is_null() {
            found.push(function.finding("a reserved concurrency throttles deliveries, which count as receives"));
        }
    }
    found
}

pub(super) fn detail_types(templates: &Templates) -> Vec<String> {
    let wanted = ["AWS API Call via CloudTrail", "AWS Service Event via CloudTrail"];
    let listener = templates.resource("primary.yaml", "AdminEvents");
    let rules = events(templates, "EventBridgeRule").into_iter();
    let rules: Vec<_> = rules.filter(|(function, ..)| function.id == listener.id).collect();
    let mut found = Vec::new();
    let mut heard = BTreeSet::new();
    for (_, name, rule) in rules {
        let pattern = &rule["Pattern"];
        if pattern["source"] != json!(["aws.cognito-idp"]) {
            found.push(listener.finding(&format!("{name} is not about user pools")));
        }
        if rule.get("State").is_some_and(|state| state != "ENABLED") {
            found.push(listener.finding(&format!("{name} is not enabled")));
        }
        for transformed in ["Input", "InputPath", "InputTransformer"] {
            if rule.get(transformed).is_some() {
                found.push(listener.finding(&format!("{name} does not hand over the whole record")));
            }
        }
        let types = elements(&pattern["detail-type"]).into_iter().filter_map(Value::as_str);
        heard.extend(types);
        found.extend(excluded(pattern).into_iter().map(|what| listener.finding(&what)));
    }
    if heard != BTreeSet::from(wanted) {
        found.push(listener.finding("one of the two detail types is not heard, or another one is"));
    }
    found
}

/// What a pattern keeps out and must not.
fn excluded(pattern: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for (member, condition) in pattern["detail"].as_object().into_iter().flatten() {
        let kept_out = condition.as_array().and_then(|only| match &only[..] {
            [condition] if condition.as_object()?.len() == 1 => condition["anything-but"].as_array(),
            _ => None,
        });
        let Some(kept_out) = kept_out.filter(|_| member == "eventName") else {
            found.push(format!("{member} is filtered by what is known today"));
            continue;
        };
        // A refresh or a token is no change either, but is no operation of the user pools' API.
        let nothing = |name: &str| {
            let meaning = meaning(name);
            matches!(meaning, Some(Meaning::Nothing(Nothing::Reads | Nothing::SignIn)))
                || name == "GetClientToken"
                || name == "GetDerivedToken"
        };
        let changing = kept_out.iter().filter_map(Value::as_str).filter(|name| !nothing(name));
        found.extend(changing.map(|name| format!("{name} changes something and is kept out")));
    }
    found
}

pub(super) fn failed_invocations(templates: &Templates) -> Vec<String> {
    let asynchronous = events(templates, "EventBridgeRule");
    let mut found = none(asynchronous.len(), "function is fed by a rule");
    for (function, name, _) in asynchronous {
        let config = function.property("EventInvokeConfig");
        let destination = &config["DestinationConfig"]["OnFailure"];
        if destination["Type"] != "SQS" || !is_queue(templates, function, &destination["Destination"]) {
            found.push(function.finding(&format!("{name}: a record that failed is in no queue")));
        }
        if config["MaximumRetryAttempts"] != 2 {
            found.push(function.finding(&format!("{name}: a failure is not tried again twice")));
        }
    }
    found
}

pub(super) fn failed_deliveries(templates: &Templates) -> Vec<String> {
    let mut found = Vec::new();
    for (function, name, rule) in events(templates, "EventBridgeRule") {
        let queue = &rule["DeadLetterConfig"]["Arn"];
        if !is_queue(templates, function, queue) || !admits_events(templates, function, queue) {
            found.push(function.finding(&format!("{name}: what EventBridge cannot deliver is in no queue")));
        }
    }
    let schedules = templates.of_type("AWS::Scheduler::Schedule");
    found.extend(none(schedules.len(), "schedule"));
    for schedule in schedules {
        if !is_queue(
            templates,
            schedule,
            &schedule.property("Target")["DeadLetterConfig"]["Arn"],
        ) {
            found.push(schedule.finding("a start that failed is in no queue"));
        }
    }
    found
}

/// Whether the queue's policy lets EventBridge send what it could not deliver.
fn admits_events(templates: &Templates, beside: Resource<'_>, queue: &Value) -> bool {
    let queue = references(queue);
    let policies = templates.of_type("AWS::SQS::QueuePolicy").into_iter();
    let mut statements = policies
        .filter(|policy| policy.file == beside.file)
        .filter(|policy| references(policy.property("Queues")).is_superset(&queue))
        .flat_map(|policy| elements(&policy.property("PolicyDocument")["Statement"]));
    statements.any(|statement| {
        statement["Effect"] == "Allow"
            && statement["Principal"]["Service"] == "events.amazonaws.com"
            && elements(&statement["Action"])
                .into_iter()
                .any(|action| action == "sqs:SendMessage")
            && statement["Condition"].is_object()
    })
}
