//! The fault script: which call is hit by what.
//!
//! Invariant: a rule fires at most `count` times, and the first rule that fires is the only one for that call.

use std::time::Duration;

use hyper::HeaderMap;

use super::answers::{self, Reply, Severed};
use super::chance::Chance;
use super::config::{FaultKind, FaultRule};

/// How long a call hangs when the rule does not say: longer than any client of ours waits.
const HANGS_MS: u64 = 60_000;

/// What the script knows of a call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) service: &'a str,
    pub(super) operation: &'a str,
    pub(super) region: Option<&'a str>,
}

/// A fault that has been decided on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) kind: FaultKind,
    pub(super) delay_ms: Option<u64>,
}

/// The rules with what is left of their counts.
#[derive(Debug, Default)]
pub(super) struct Script {
    rules: Vec<(FaultRule, Option<u64>)>,
}

impl Script {
    pub(super) fn new(rules: &[FaultRule]) -> Self {
        Self {
            rules: rules.iter().map(|rule| (rule.clone(), rule.count)).collect(),
        }
    }

    /// The fault for this call, if any.
    pub(super) fn decide(&mut self, target: Target<'_>, chance: &mut Chance) -> Option<Fault> {
        for (rule, left) in &mut self.rules {
            if *left == Some(0) || !matches(rule, target) || !chance.percent(rule.percent.unwrap_or(100.0)) {
                continue;
            }
            if let Some(left) = left {
                *left -= 1;
            }
            return Some(Fault {
                kind: rule.kind,
                delay_ms: rule.delay_ms,
            });
        }
        None
    }
}

/// Play a fault that keeps the call from being applied. `None` = the call goes on (for now).
pub(super) async fn play(fault: Fault, service: &str, headers: &HeaderMap, request_id: &str) -> Option<Reply> {
    let wait = match (fault.kind, fault.delay_ms) {
        (FaultKind::Timeout, delay) => delay.unwrap_or(HANGS_MS),
        (_, delay) => delay.unwrap_or(0),
    };
    if wait > 0 {
        tokio::time::sleep(Duration::from_millis(wait)).await;
    }
    match fault.kind {
        FaultKind::Throttle | FaultKind::Deny | FaultKind::KeyDisabled | FaultKind::Http500 | FaultKind::Http503 => {
            Some(Ok(answers::fault(fault.kind, service, headers, request_id)))
        }
        FaultKind::Timeout | FaultKind::DropConnection | FaultKind::RefuseRegion => Some(Err(Severed)),
        FaultKind::LostResponse | FaultKind::MalformedBody | FaultKind::EmptyPage => None,
    }
}

fn matches(rule: &FaultRule, target: Target<'_>) -> bool {
    let is = |wanted: &str, given: &str| wanted == "*" || wanted == given;
    is(&rule.service, target.service)
        && is(&rule.operation, target.operation)
        && rule
            .region
            .as_deref()
            .is_none_or(|region| target.region == Some(region))
        && (rule.kind != FaultKind::EmptyPage || is_list_of_users(target.service, target.operation))
}

/// Only these lists are known to answer short and empty pages.
fn is_list_of_users(service: &str, operation: &str) -> bool {
    service == "cognito-idp" && ["ListUsers", "ListUsersInGroup"].contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::config::Config;

    fn script(rules: &str) -> Script {
        Script::new(
            &Config::parse(format!(r#"{{"faults": {rules}}}"#).as_bytes())
                .expect("valid")
                .faults,
        )
    }

    fn target<'a>(service: &'a str, operation: &'a str) -> Target<'a> {
        Target {
            service,
            operation,
            region: Some("us-east-1"),
        }
    }

    #[test]
    fn counts_run_out_and_the_next_rule_takes_over() {
        let mut script = script(
            r#"[{"operation": "PutItem", "count": 2, "kind": "throttle"}, {"service": "dynamodb", "kind": "http500"}]"#,
        );
        let mut chance = Chance::new(1);
        let kinds: Vec<_> = (0..3)
            .map(|_| {
                script
                    .decide(target("dynamodb", "PutItem"), &mut chance)
                    .map(|fault| fault.kind)
            })
            .collect();
        assert_eq!(
            kinds,
            [
                Some(FaultKind::Throttle),
                Some(FaultKind::Throttle),
                Some(FaultKind::Http500)
            ]
        );
        assert_eq!(script.decide(target("sqs", "SendMessage"), &mut chance), None);
    }

    #[test]
    fn region_share_and_lists_are_respected() {
        let mut chance = Chance::new(1);
        let mut refuse = script(r#"[{"region": "eu-west-1", "kind": "refuse_region"}]"#);
        assert!(refuse.decide(target("sqs", "SendMessage"), &mut chance).is_none());
        assert!(
            refuse
                .decide(
                    Target {
                        region: Some("eu-west-1"),
                        ..target("sqs", "SendMessage")
                    },
                    &mut chance
                )
                .is_some()
        );
        assert!(
            refuse
                .decide(
                    Target {
                        region: None,
                        ..target("sqs", "SendMessage")
                    },
                    &mut chance
                )
                .is_none()
        );
        let mut half = script(r#"[{"percent": 50, "kind": "http503"}]"#);
        let hits = (0..1_000)
            .filter(|_| half.decide(target("sqs", "x"), &mut chance).is_some())
            .count();
        assert!((400..600).contains(&hits), "{hits}");
        let mut pages = script(r#"[{"kind": "empty_page"}]"#);
        assert!(
            pages
                .decide(target("cognito-idp", "AdminGetUser"), &mut chance)
                .is_none()
        );
        assert!(pages.decide(target("cognito-idp", "ListUsers"), &mut chance).is_some());
    }
}
