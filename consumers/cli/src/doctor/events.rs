//! The EventBridge rules that bring CloudTrail's records to the listener.
//!
//! Both detail types are needed: calls of the API come as one, managed login and the hosted UI as the other.

use serde::Deserialize;
use serde_json::{Value, json};
use twinpool_shared::error::{Error, ErrorKind};

use super::{Finding, functions::Functions};
use crate::untyped::{EVENTBRIDGE, Untyped};

const SOURCE: &str = "aws.cognito-idp";
const DETAIL_TYPES: [(&str, &str); 2] = [
    ("rule.api-calls", "AWS API Call via CloudTrail"),
    ("rule.service-events", "AWS Service Event via CloudTrail"),
];
/// Pages of rules read at most, of up to 100 rules each.
const PAGES_MAX: usize = 50;

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rule {
    name: String,
    #[serde(default)]
    state: String,
    event_pattern: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Rules {
    #[serde(default)]
    rules: Vec<Rule>,
    next_token: Option<String>,
}

/// Reads and judges the rules of the default bus.
pub(crate) async fn check(events: &Untyped, functions: &mut Functions) -> Vec<Finding> {
    let both = |finding: fn(&'static str, &Error) -> Finding, error: &Error| {
        DETAIL_TYPES.map(|(check, _)| finding(check, error)).to_vec()
    };
    let rules = match rules(events).await {
        Ok(rules) => rules,
        Err(error) => return both(Finding::unread, &error),
    };
    let mut ours = Vec::new();
    let mut unread: Option<Error> = None;
    for rule in rules
        .into_iter()
        .filter(|rule| takes(rule.event_pattern.as_deref(), None))
    {
        match leads_to_us(events, functions, &rule.name).await {
            Ok(true) => ours.push(rule),
            Ok(false) => {}
            Err(error) => unread = Some(error),
        }
    }
    DETAIL_TYPES
        .map(|(check, detail_type)| judge(check, detail_type, &ours, unread.as_ref()))
        .to_vec()
}

async fn rules(events: &Untyped) -> Result<Vec<Rule>, Error> {
    let mut found = Vec::new();
    let mut input = json!({});
    for _ in 0..PAGES_MAX {
        let page: Rules = read(events.call(EVENTBRIDGE, "ListRules", &input).await?, "ListRules")?;
        found.extend(page.rules);
        let Some(token) = page.next_token else { break };
        input = json!({"NextToken": token});
    }
    Ok(found)
}

/// Whether a target of the rule is a function of Twinpool's.
async fn leads_to_us(events: &Untyped, functions: &mut Functions, rule: &str) -> Result<bool, Error> {
    let targets = events
        .call(EVENTBRIDGE, "ListTargetsByRule", &json!({"Rule": rule}))
        .await?;
    let targets = targets["Targets"].as_array().cloned().unwrap_or_default();
    let arns = targets.iter().filter_map(|target| target["Arn"].as_str());
    for arn in arns.filter(|arn| arn.contains(":lambda:")) {
        match functions.settings(arn).await {
            Ok(settings) if settings.queue_url.is_some() => return Ok(true),
            Ok(_) => {}
            Err(error) if error.kind == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(false)
}

fn read<T: serde::de::DeserializeOwned>(answer: Value, operation: &str) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|_| {
        Error::new(
            ErrorKind::Unavailable,
            format!("events:{operation} answered something else than documented"),
        )
    })
}

/// Whether an event pattern takes Cognito's events, of `detail_type` or of any.
fn takes(pattern: Option<&str>, detail_type: Option<&str>) -> bool {
    let Some(pattern) = pattern.and_then(|pattern| serde_json::from_str::<Value>(pattern).ok()) else {
        return false;
    };
    let names = |member: &str, wanted: &str| match &pattern[member] {
        // A member that is not named restricts nothing.
        Value::Null => true,
        Value::Array(values) => values.iter().any(|value| {
            value == wanted
                || value["prefix"]
                    .as_str()
                    .is_some_and(|prefix| wanted.starts_with(prefix))
        }),
        _ => false,
    };
    names("source", SOURCE) && detail_type.is_none_or(|wanted| names("detail-type", wanted))
}

fn judge(check: &'static str, detail_type: &str, ours: &[Rule], unread: Option<&Error>) -> Finding {
    let mut rules = ours
        .iter()
        .filter(|rule| takes(rule.event_pattern.as_deref(), Some(detail_type)));
    let (mut first, mut enabled) = (None, None);
    for rule in rules.by_ref() {
        first = first.or(Some(rule));
        if rule.state.starts_with("ENABLED") {
            enabled = enabled.or(Some(rule));
        }
    }
    match (enabled, first, unread) {
        (Some(rule), ..) => Finding::ok(check, format!("rule {}", rule.name)),
        (None, Some(rule), _) => Finding::fail(
            check,
            format!("rule {} is disabled", rule.name),
            "enable the rule: administrators' changes are not heard of",
        ),
        (None, None, Some(error)) => Finding::unread(check, error),
        (None, None, None) => Finding::fail(
            check,
            format!("no rule brings \"{detail_type}\" of {SOURCE} to a function of Twinpool's"),
            "deploy infra/primary.yaml again",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::State;

    fn rule(state: &str, pattern: &Value) -> Rule {
        Rule {
            name: "calls".into(),
            state: state.into(),
            event_pattern: Some(pattern.to_string()),
        }
    }

    #[test]
    fn patterns_are_read_as_eventbridge_reads_them() {
        let api = Some("AWS API Call via CloudTrail");
        for (pattern, taken) in [
            (
                json!({"source": [SOURCE], "detail-type": ["AWS API Call via CloudTrail"]}),
                true,
            ),
            (json!({"source": [SOURCE]}), true),
            (
                json!({"source": [{"prefix": "aws."}], "detail-type": [{"prefix": "AWS API"}]}),
                true,
            ),
            (
                json!({"source": [SOURCE], "detail-type": ["AWS Service Event via CloudTrail"]}),
                false,
            ),
            (json!({"source": ["aws.ec2"]}), false),
        ] {
            assert_eq!(takes(Some(&pattern.to_string()), api), taken, "{pattern}");
        }
        assert!(!takes(None, api), "a schedule has no pattern");
    }

    #[test]
    fn a_rule_has_to_be_there_and_enabled() {
        let pattern = json!({"source": [SOURCE], "detail-type": [DETAIL_TYPES[0].1]});
        let of = |rules: &[Rule], check: usize| judge(DETAIL_TYPES[check].0, DETAIL_TYPES[check].1, rules, None).state;
        assert_eq!(of(&[rule("ENABLED", &pattern)], 0), State::Ok);
        assert_eq!(of(&[rule("ENABLED", &pattern)], 1), State::Fail);
        assert_eq!(of(&[rule("DISABLED", &pattern)], 0), State::Fail);
        assert_eq!(
            of(&[rule("DISABLED", &pattern), rule("ENABLED", &pattern)], 0),
            State::Ok
        );
        let error = Error::new(ErrorKind::Denied, "lambda:GetFunctionConfiguration");
        let unread = judge(DETAIL_TYPES[0].0, DETAIL_TYPES[0].1, &[], Some(&error));
        assert_eq!(unread.state, State::Unknown);
    }
}
