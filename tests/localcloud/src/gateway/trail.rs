//! CloudTrail to EventBridge: each record becomes an event on the default bus of its Region and goes to the rules that match.
//! The emulator refuses events of AWS services as AWS does, so this module plays the bus for them: it asks the emulator for
//! rules, targets and for whether a pattern matches, and hands the event to the targets itself.
//!
//! Invariant: best effort, as AWS documents it: late, doubled, reordered or lost on request, and never in the way of a call.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::sync::{Mutex, Semaphore};

use super::identity::ACCOUNT;
use super::upstream::{Upstream, UpstreamError};
use super::{Gateway, locked};
use crate::pools::TrailRecord;

/// How long a Region's rules are believed. Tests create rules and call at once; a stale second would cost them.
const RULES_LIVE: Duration = Duration::from_secs(1);
/// The emulator is one Python process: more at once would only queue there.
const AT_ONCE: usize = 16;
/// EventBridge tries for a day; a test needs to survive a restart of the target at most.
const TRIES: u32 = 4;
/// Read-only records go only to rules in this state.
const ALL_EVENTS: &str = "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS";

/// One rule with its targets.
#[derive(Debug)]
struct Rule {
    pattern: String,
    all_events: bool,
    targets: Vec<TargetOfRule>,
}

#[derive(Clone, Debug)]
struct TargetOfRule {
    arn: String,
    /// A constant in place of the event.
    input: Option<String>,
    message_group: Option<String>,
}

type Rules = Arc<Vec<Rule>>;

/// The bus.
#[derive(Debug)]
pub(super) struct Bus {
    rules: Mutex<HashMap<String, (Instant, Rules)>>,
    slots: Semaphore,
    /// Records that were lost on purpose, for [`redeliver`].
    missed: std::sync::Mutex<Vec<Arc<TrailRecord>>>,
}

impl Bus {
    pub(super) fn new() -> Self {
        Self {
            rules: Mutex::new(HashMap::new()),
            slots: Semaphore::new(AT_ONCE),
            missed: std::sync::Mutex::default(),
        }
    }
}

/// Send a call's records on their way. Returns at once.
pub(super) fn publish(gateway: &Arc<Gateway>, records: Vec<TrailRecord>) {
    if gateway.upstream.is_none() || records.is_empty() {
        return;
    }
    let settings = gateway.config().trail.clone();
    for record in records {
        let record = Arc::new(record);
        let (dropped, doubled) = {
            let mut chance = locked(&gateway.chance);
            let dropped = chance.percent(settings.drop_percent);
            (dropped, !dropped && chance.percent(settings.duplicate_percent))
        };
        if dropped {
            locked(&gateway.counters).trail.dropped += 1;
            locked(&gateway.bus.missed).push(record);
            continue;
        }
        if doubled {
            locked(&gateway.counters).trail.duplicated += 1;
        }
        send(gateway, &record, 1 + usize::from(doubled));
    }
}

/// Deliver `copies` of every record that was lost on purpose, as a replay of an archive does: late, and in any order. How many
/// records there were.
pub(super) fn redeliver(gateway: &Arc<Gateway>, copies: usize) -> usize {
    let missed = std::mem::take(&mut *locked(&gateway.bus.missed));
    for record in &missed {
        send(gateway, record, copies);
    }
    missed.len()
}

fn send(gateway: &Arc<Gateway>, record: &Arc<TrailRecord>, copies: usize) {
    let (from, to) = gateway.config().trail.delay_ms.ends();
    locked(&gateway.counters).trail.pending += copies as u64;
    for _ in 0..copies {
        let delay = locked(&gateway.chance).between(from, to);
        let (gateway, record) = (Arc::clone(gateway), Arc::clone(record));
        tokio::spawn(async move {
            if delay > 0 {
                tokio::time::sleep(Duration::from_millis(delay)).await;
            }
            deliver(&gateway, &record).await;
            locked(&gateway.counters).trail.pending -= 1;
        });
    }
}

async fn deliver(gateway: &Gateway, record: &TrailRecord) {
    let (Some(upstream), Ok(_slot)) = (&gateway.upstream, gateway.bus.slots.acquire().await) else {
        return;
    };
    let outcome = async {
        let rules = rules_of(&gateway.bus, upstream, &record.region).await?;
        let read_only = record.detail["readOnly"].as_bool() == Some(true);
        let mut counts = (0, 0);
        let mut event = None;
        for rule in rules.iter().filter(|rule| rule.all_events || !read_only) {
            let event = event.get_or_insert_with(|| as_event(record).to_string());
            if !matches(upstream, &record.region, &rule.pattern, event).await? {
                continue;
            }
            for target in &rule.targets {
                if hand_over(upstream, target, event).await {
                    counts.0 += 1;
                } else {
                    counts.1 += 1;
                }
            }
        }
        Ok::<(u64, u64), UpstreamError>(counts)
    };
    let (delivered, failed) = outcome.await.unwrap_or((0, 1));
    let mut counters = locked(&gateway.counters);
    counters.trail.delivered += delivered;
    counters.trail.failed += failed;
}

/// A record as EventBridge wraps it.
fn as_event(record: &TrailRecord) -> Value {
    json!({
        "version": "0",
        // EventBridge gives its event an id of its own; that it is the record's here makes duplicates easy to see in a test.
        "id": record.detail["eventID"],
        "detail-type": record.detail_type,
        "source": "aws.cognito-idp",
        "account": ACCOUNT,
        "time": record.detail["eventTime"],
        "region": record.region,
        "resources": [],
        "detail": record.detail,
    })
}

async fn rules_of(bus: &Bus, upstream: &Upstream, region: &str) -> Result<Rules, UpstreamError> {
    // Held across the requests on purpose: one asks, the others wait for its answer.
    let mut known = bus.rules.lock().await;
    if let Some((at, rules)) = known.get(region)
        && at.elapsed() < RULES_LIVE
    {
        return Ok(Arc::clone(rules));
    }
    let rules = Arc::new(ask_for_rules(upstream, region).await?);
    known.insert(region.to_owned(), (Instant::now(), Arc::clone(&rules)));
    Ok(rules)
}

async fn ask_for_rules(upstream: &Upstream, region: &str) -> Result<Vec<Rule>, UpstreamError> {
    let mut rules = Vec::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({"EventBusName": "default"});
        if token.is_string() {
            input["NextToken"] = token;
        }
        let page = upstream
            .aws_json(region, "events", "AWSEvents.ListRules", &input)
            .await?
            .json();
        for rule in page["Rules"].as_array().into_iter().flatten() {
            let state = rule["State"].as_str().unwrap_or_default();
            let (Some(name), Some(pattern)) = (rule["Name"].as_str(), rule["EventPattern"].as_str()) else {
                continue;
            };
            if !(state == "ENABLED" || state == ALL_EVENTS) || !may_match(pattern) {
                continue;
            }
            let answer = upstream
                .aws_json(region, "events", "AWSEvents.ListTargetsByRule", &json!({"Rule": name}))
                .await?
                .json();
            let targets = answer["Targets"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(target)
                .collect();
            rules.push(Rule {
                pattern: pattern.to_owned(),
                all_events: state == ALL_EVENTS,
                targets,
            });
        }
        token = page["NextToken"].clone();
        if !token.is_string() {
            return Ok(rules);
        }
    }
}

fn target(given: &Value) -> Option<TargetOfRule> {
    let arn = given["Arn"].as_str()?.to_owned();
    if given["InputPath"].is_string() || given["InputTransformer"].is_object() {
        eprintln!("localcloud: {arn}: InputPath and InputTransformer are not supported; the target gets nothing");
        return None;
    }
    let text = |value: &Value| value.as_str().map(str::to_owned);
    Some(TargetOfRule {
        arn,
        input: text(&given["Input"]),
        message_group: text(&given["SqsParameters"]["MessageGroupId"]),
    })
}

/// Rules that name their sources exactly and do not name ours need not be asked about.
fn may_match(pattern: &str) -> bool {
    let Ok(pattern) = serde_json::from_str::<Value>(pattern) else {
        return false;
    };
    let Some(sources) = pattern["source"].as_array() else {
        return true;
    };
    sources
        .iter()
        .any(|source| !source.is_string() || source == "aws.cognito-idp")
}

async fn matches(upstream: &Upstream, region: &str, pattern: &str, event: &str) -> Result<bool, UpstreamError> {
    let input = json!({"EventPattern": pattern, "Event": event});
    let answer = upstream
        .aws_json(region, "events", "AWSEvents.TestEventPattern", &input)
        .await?;
    Ok(answer.json()["Result"].as_bool() == Some(true))
}

/// True when the target took the event.
async fn hand_over(upstream: &Upstream, target: &TargetOfRule, event: &str) -> bool {
    let payload = target.input.as_deref().unwrap_or(event);
    for attempt in 0..TRIES {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(100 << attempt)).await;
        }
        let mut parts = target.arn.splitn(6, ':').skip(2);
        let (Some(service), Some(region), Some(account), Some(resource)) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return false;
        };
        let answer = match service {
            "lambda" => upstream.invoke(&target.arn, "Event", payload.to_owned()).await,
            "sqs" => {
                let mut input =
                    json!({"QueueUrl": format!("http://localhost/{account}/{resource}"), "MessageBody": payload});
                if let Some(group) = &target.message_group {
                    input["MessageGroupId"] = json!(group);
                }
                upstream.aws_json(region, "sqs", "AmazonSQS.SendMessage", &input).await
            }
            other => {
                eprintln!("localcloud: targets of {other} are not supported");
                return false;
            }
        };
        match answer {
            Ok(answer) if answer.status.is_success() => return true,
            // The target is not there or refuses: trying again does not help.
            Ok(answer) if answer.status.is_client_error() && answer.status.as_u16() != 429 => return false,
            Ok(_) | Err(_) => {}
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_rules_that_cannot_match_are_left_out() {
        assert!(may_match(r#"{"source": ["aws.cognito-idp"]}"#));
        assert!(may_match(r#"{"detail-type": ["x"]}"#));
        assert!(may_match(r#"{"source": [{"prefix": "aws."}]}"#));
        assert!(!may_match(r#"{"source": ["aws.s3"]}"#));
        assert!(!may_match("no JSON"));
    }
}
