//! The alarms that tell somebody when a change did not arrive.

use serde::Deserialize;
use serde_json::{Value, json};
use twinpool_shared::{
    error::{Error, ErrorKind},
    metric::{CHAIN_NOT_INVOKED, CHANGE_NOT_SENT, DRIFT_LEFT, GUARD_TRIPPED, Metric, NAMESPACE, RECONCILE_FINISHED},
};

use super::Finding;
use crate::untyped::{CLOUDWATCH, Untyped};

/// Pages of alarms read at most, of up to 100 alarms each.
const PAGES_MAX: usize = 50;
/// Name of a finding, what is watched in words, and the metric of Twinpool's that an alarm has to watch.
const WATCHED: [(&str, &str, Metric); 5] = [
    ("alarm.not-sent", "changes that were not sent", CHANGE_NOT_SENT),
    (
        "alarm.chain",
        "chained functions that were not invoked",
        CHAIN_NOT_INVOKED,
    ),
    (
        "alarm.reconcile",
        "reconciles that do not come to their end",
        RECONCILE_FINISHED,
    ),
    ("alarm.guard", "deletions that wait for an operator", GUARD_TRIPPED),
    ("alarm.drift", "differences that a reconcile did not mend", DRIFT_LEFT),
];
const FIX: &str = "deploy infra/primary.yaml again";

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Alarm {
    alarm_name: String,
    namespace: Option<String>,
    metric_name: Option<String>,
    dimensions: Vec<Dimension>,
    metrics: Vec<Query>,
    actions_enabled: Option<bool>,
    alarm_actions: Vec<String>,
    state_value: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Dimension {
    name: String,
    value: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Query {
    expression: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Alarms {
    #[serde(default)]
    metric_alarms: Vec<Alarm>,
    next_token: Option<String>,
}

/// Reads and judges the alarms; `dead_letters` is the ARN of the dead-letter queue, where it is known.
pub(crate) async fn check(cloudwatch: &Untyped, dead_letters: Option<&str>) -> Vec<Finding> {
    match alarms(cloudwatch).await {
        Ok(alarms) => judge(&alarms, dead_letters),
        Err(error) => vec![Finding::unread("alarms", &error)],
    }
}

async fn alarms(cloudwatch: &Untyped) -> Result<Vec<Alarm>, Error> {
    let mut found = Vec::new();
    let mut input = json!({});
    for _ in 0..PAGES_MAX {
        let answer: Value = cloudwatch.call(CLOUDWATCH, "DescribeAlarms", &input).await?;
        let page: Alarms = serde_json::from_value(answer).map_err(|_| {
            Error::new(
                ErrorKind::Unavailable,
                "cloudwatch:DescribeAlarms answered something else than documented",
            )
        })?;
        found.extend(page.metric_alarms);
        let Some(token) = page.next_token else { break };
        input = json!({"NextToken": token});
    }
    Ok(found)
}

fn judge(alarms: &[Alarm], dead_letters: Option<&str>) -> Vec<Finding> {
    let queue = dead_letters.and_then(|arn| arn.rsplit(':').next());
    let parked = match queue {
        None => Finding::unknown("alarm.parked", "not asked", "give --dlq-url, or set TWINPOOL_DLQ_URL"),
        Some(queue) => one(
            "alarm.parked",
            "the depth of the dead-letter queue",
            alarms.iter().find(|alarm| {
                let named = |dimension: &Dimension| dimension.name == "QueueName" && dimension.value == queue;
                alarm.namespace.as_deref() == Some("AWS/SQS") && alarm.dimensions.iter().any(named)
            }),
        ),
    };
    let watched = WATCHED
        .map(|(check, watched, metric)| one(check, watched, alarms.iter().find(|alarm| alarm.watches(metric.name))));
    std::iter::once(parked).chain(watched).collect()
}

impl Alarm {
    /// Whether it is about a metric of Twinpool's, by itself or in a query.
    fn watches(&self, metric: &str) -> bool {
        let own = self.namespace.as_deref() == Some(NAMESPACE) && self.metric_name.as_deref() == Some(metric);
        let mut expressions = self.metrics.iter().filter_map(|query| query.expression.as_deref());
        own || expressions.any(|expression| expression.contains(metric))
    }
}

fn one(check: &'static str, watched: &str, alarm: Option<&Alarm>) -> Finding {
    let Some(alarm) = alarm else {
        return Finding::fail(check, format!("no alarm watches {watched}"), FIX);
    };
    let name = &alarm.alarm_name;
    if alarm.state_value.as_deref() == Some("ALARM") {
        return Finding::warn(
            check,
            format!("{name} is in ALARM"),
            "see what it watches: ".to_owned() + watched,
        );
    }
    if alarm.actions_enabled == Some(false) || alarm.alarm_actions.is_empty() {
        return Finding::warn(
            check,
            format!("{name} notifies nobody"),
            "set AlarmTopicArn of infra/primary.yaml, and enable the alarm's actions",
        );
    }
    Finding::ok(check, name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::{State, tests::states};

    const DLQ: &str = "arn:aws:sqs:us-east-1:111122223333:dead";

    fn template() -> Vec<Alarm> {
        let alarms = json!([
            {"AlarmName": "parked", "Namespace": "AWS/SQS", "MetricName": "ApproximateNumberOfMessagesVisible",
             "Dimensions": [{"Name": "QueueName", "Value": "dead"}], "AlarmActions": ["topic"], "StateValue": "OK"},
            {"AlarmName": "not-sent", "Metrics": [{"Expression": "SELECT SUM(ChangeNotSent) FROM \"Twinpool\""}],
             "ActionsEnabled": true, "AlarmActions": ["topic"], "StateValue": "INSUFFICIENT_DATA"},
            {"AlarmName": "chain", "Metrics": [{"Expression": "SELECT SUM(ChainNotInvoked) FROM \"Twinpool\""}],
             "AlarmActions": ["topic"]},
            {"AlarmName": "reconcile", "Namespace": "Twinpool", "MetricName": "ReconcileFinished", "AlarmActions": ["topic"]},
            {"AlarmName": "guard", "Namespace": "Twinpool", "MetricName": "GuardTripped", "AlarmActions": ["topic"]},
            {"AlarmName": "drift", "Namespace": "Twinpool", "MetricName": "DriftLeft", "AlarmActions": ["topic"]},
        ]);
        serde_json::from_value(alarms).expect("alarms")
    }

    #[test]
    fn the_templates_alarms_are_recognised() {
        let found = judge(&template(), Some(DLQ));
        let expected = WATCHED.map(|(check, ..)| (check, State::Ok));
        assert_eq!(states(&found)[0], ("alarm.parked", State::Ok));
        assert_eq!(states(&found)[1..], expected);
    }

    #[test]
    fn a_missing_a_silent_and_a_ringing_alarm_are_told_apart() {
        assert!(judge(&[], Some(DLQ)).iter().all(|finding| finding.state == State::Fail));
        assert_eq!(judge(&[], None)[0].state, State::Unknown);
        let mut alarms = template();
        alarms[0].alarm_actions.clear();
        alarms[1].actions_enabled = Some(false);
        alarms[2].state_value = Some("ALARM".into());
        let found = judge(&alarms, Some(DLQ));
        assert!(
            found[..3].iter().all(|finding| finding.state == State::Warn),
            "{found:?}"
        );
        assert!(found[2].what.contains("is in ALARM"), "{}", found[2].what);
    }
}
