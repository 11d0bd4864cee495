//! Metrics in CloudWatch's embedded metric format: one JSON line on standard output.
//!
//! Every name is a constant here and stands in `shared/docs/METRICS.md` with its unit and stability; a test compares both.
//! See <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>.
//!
//! Invariant: the only dimension is the function. No user, no pool, no request id: each distinct value would be a billed
//! metric, and a user must not appear at all.

use serde_json::{Map, Value, json};

use crate::time::Timestamp;

/// CloudWatch namespace.
pub const NAMESPACE: &str = "Twinpool";

/// A metric's name and unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// Name.
    pub name: &'static str,
    /// `Count` or `Milliseconds`.
    pub unit: &'static str,
}

const fn count(name: &'static str) -> Metric {
    Metric { name, unit: "Count" }
}

/// A change reached the queue.
pub const CHANGE_SENT: Metric = count("ChangeSent");
/// A change could not be sent; the user went through, the nightly reconcile mends it.
pub const CHANGE_NOT_SENT: Metric = count("ChangeNotSent");
/// An event from which no change could be read.
pub const EVENT_UNREADABLE: Metric = count("EventUnreadable");
/// The chained function could not be invoked; the user went through without it.
pub const CHAIN_NOT_INVOKED: Metric = count("ChainNotInvoked");
/// A CloudTrail record that needs nothing from the backup.
pub const EVENT_IGNORED: Metric = count("EventIgnored");
/// Changes that led to a write.
pub const CHANGES_APPLIED: Metric = count("ChangesApplied");
/// Changes that said nothing new.
pub const CHANGES_UNCHANGED: Metric = count("ChangesUnchanged");
/// Changes put back because a read did not show them yet.
pub const STALE_RETRIED: Metric = count("StaleRetried");
/// Changes whose read did not show them to the last attempt, and was believed.
pub const STALE_BELIEVED: Metric = count("StaleBelieved");
/// Changes parked in the dead-letter queue.
pub const CHANGES_PARKED: Metric = count("ChangesParked");
/// Messages given back to the queue after an error.
pub const CHANGES_GIVEN_BACK: Metric = count("ChangesGivenBack");
/// From the event to the committed write.
pub const REPLICATION_LAG: Metric = Metric {
    name: "ReplicationLag",
    unit: "Milliseconds",
};
/// ListUsers calls of the replicator.
pub const USER_READS: Metric = count("UserReads");
/// AdminGetUser calls of the replicator, all for users who were active in the month anyway.
pub const FACTOR_READS: Metric = count("FactorReads");
/// Users and groups in which a reconcile found the backup wrong.
pub const DRIFT_FOUND: Metric = count("DriftFound");
/// Of those, what it did not mend.
pub const DRIFT_LEFT: Metric = count("DriftLeft");
/// A reconcile came to its end.
pub const RECONCILE_FINISHED: Metric = count("ReconcileFinished");
/// From the beginning of a reconcile to its end, kills and waits included.
pub const RECONCILE_TIME: Metric = Metric {
    name: "ReconcileTime",
    unit: "Milliseconds",
};
/// Users that a reconcile walked.
pub const USERS_WALKED: Metric = count("UsersWalked");
/// Users that a reconcile buried.
pub const USERS_BURIED: Metric = count("UsersBuried");
/// A reconcile refused to delete; an operator has to look. 0 when it did not.
pub const GUARD_TRIPPED: Metric = count("GuardTripped");
/// Parts of the configuration that could not be captured.
pub const CONFIGURATION_INCOMPLETE: Metric = count("ConfigurationIncomplete");

/// Every metric.
pub const ALL: &[Metric] = &[
    CHANGE_SENT,
    CHANGE_NOT_SENT,
    EVENT_UNREADABLE,
    CHAIN_NOT_INVOKED,
    EVENT_IGNORED,
    CHANGES_APPLIED,
    CHANGES_UNCHANGED,
    STALE_RETRIED,
    STALE_BELIEVED,
    CHANGES_PARKED,
    CHANGES_GIVEN_BACK,
    REPLICATION_LAG,
    USER_READS,
    FACTOR_READS,
    DRIFT_FOUND,
    DRIFT_LEFT,
    RECONCILE_FINISHED,
    RECONCILE_TIME,
    USERS_WALKED,
    USERS_BURIED,
    GUARD_TRIPPED,
    CONFIGURATION_INCOMPLETE,
];

/// Most values of one metric in one line; the format's own limit.
pub const VALUES_MAX: usize = 100;

/// The lines for `values` of the function named `function`: one, or more when a metric has over 100 values.
#[must_use]
pub fn lines(function: &str, at: Timestamp, values: &[(Metric, Vec<f64>)]) -> Vec<String> {
    let longest = values.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    (0..longest.div_ceil(VALUES_MAX))
        .map(|part| {
            let slice = |values: &Vec<f64>| -> Vec<f64> {
                values
                    .iter()
                    .skip(part * VALUES_MAX)
                    .take(VALUES_MAX)
                    .copied()
                    .collect()
            };
            let here: Vec<(Metric, Vec<f64>)> = values
                .iter()
                .map(|(metric, values)| (*metric, slice(values)))
                .filter(|(_, v)| !v.is_empty())
                .collect();
            line(function, at, &here)
        })
        .collect()
}

fn line(function: &str, at: Timestamp, values: &[(Metric, Vec<f64>)]) -> String {
    let definitions: Vec<Value> = values
        .iter()
        .map(|(m, _)| json!({"Name": m.name, "Unit": m.unit}))
        .collect();
    let mut root = Map::new();
    root.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": at.as_millis(),
            "CloudWatchMetrics": [{"Namespace": NAMESPACE, "Dimensions": [["Function"]], "Metrics": definitions}]
        }),
    );
    root.insert("Function".to_owned(), json!(function));
    for (metric, values) in values {
        root.insert(
            metric.name.to_owned(),
            if let [one] = values.as_slice() {
                json!(one)
            } else {
                json!(values)
            },
        );
    }
    Value::Object(root).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_documented_format() {
        let lines = lines(
            "replicator",
            Timestamp::from_millis(1_700_000_000_123),
            &[
                (CHANGES_APPLIED, vec![2.0]),
                (REPLICATION_LAG, vec![10.0, 20.5]),
                (STALE_RETRIED, vec![]),
            ],
        );
        assert_eq!(lines.len(), 1);
        let line: Value = serde_json::from_str(&lines[0]).unwrap();
        assert_eq!(
            line,
            json!({
                "_aws": {"Timestamp": 1_700_000_000_123_i64, "CloudWatchMetrics": [{
                    "Namespace": "Twinpool", "Dimensions": [["Function"]],
                    "Metrics": [
                        {"Name": "ChangesApplied", "Unit": "Count"}, {"Name": "ReplicationLag", "Unit": "Milliseconds"}
                    ]
                }]},
                "Function": "replicator", "ChangesApplied": 2.0, "ReplicationLag": [10.0, 20.5]
            })
        );
    }

    #[test]
    fn over_a_hundred_values_take_more_lines_and_none_takes_none() {
        let many: Vec<f64> = (0..250).map(f64::from).collect();
        let lines = lines(
            "f",
            crate::time::EPOCH,
            &[(REPLICATION_LAG, many), (CHANGES_APPLIED, vec![250.0])],
        );
        let lags = |line: &String| {
            serde_json::from_str::<Value>(line).unwrap()["ReplicationLag"]
                .as_array()
                .unwrap()
                .len()
        };
        assert_eq!(lines.iter().map(lags).collect::<Vec<_>>(), [100, 100, 50]);
        assert_eq!(lines.iter().filter(|line| line.contains("ChangesApplied")).count(), 1);
        assert!(super::lines("f", crate::time::EPOCH, &[]).is_empty());
    }

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
