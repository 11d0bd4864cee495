//! What a run of the demo came to: the replicator's figures, read from its own metric lines, from the local cloud's counters
//! and from a comparison; the reconcile's; and the machine-readable report, whose shape `tests/README.md` documents.
//!
//! Figures obtained with it are figures of the local cloud, not of AWS.
//!
//! Invariant: nothing is estimated. Changes applied and lag are what the replicator's metric lines in CloudWatch Logs say.

use std::{
    collections::{BTreeMap, HashSet},
    fs,
    path::Path,
};

use serde::Serialize;
use serde_json::{Value, json};
use twinpool_shared::cost::Agreement;

use crate::stack::{Failure, PRIMARY, Stack, control::Counters};

/// The metric lines of the replicator so far.
#[derive(Debug, Default)]
pub struct Figures {
    /// Changes that led to a write.
    pub applied: u64,
    /// Changes that said nothing new.
    pub unchanged: u64,
    /// Changes put back to be looked at again.
    pub put_back: u64,
    /// Messages given back to the queue after an error.
    pub given_back: u64,
    /// Changes parked in the dead-letter queue.
    pub parked: u64,
    /// From event to committed write, in milliseconds, sorted.
    pub lags_millis: Vec<u64>,
    /// The emulator writes one log stream per invocation, whole, so that a stream is read once.
    streams_read: HashSet<String>,
    newest_millis: i64,
}

impl Figures {
    /// Reads what was logged since the last time.
    ///
    /// # Errors
    /// When the logs cannot be read; before the replicator's first line there are none, which is no error.
    pub async fn refresh(&mut self, stack: &Stack) -> Result<(), Failure> {
        let input = json!({
            "logGroupName": format!("/aws/lambda/{}-replicator", stack.deployment.stack),
            "filterPattern": "\"_aws\"",
            "startTime": self.newest_millis,
        });
        let target = "Logs_20140328.FilterLogEvents";
        let answer = stack.control.aws_json(PRIMARY, "logs", target, &input).await?;
        let mut streams = HashSet::new();
        for event in answer["events"].as_array().into_iter().flatten() {
            let stream = event["logStreamName"].as_str().unwrap_or_default();
            if self.streams_read.contains(stream) {
                continue;
            }
            streams.insert(stream.to_owned());
            self.newest_millis = self.newest_millis.max(event["timestamp"].as_i64().unwrap_or_default());
            self.line(event["message"].as_str().unwrap_or_default());
        }
        self.streams_read.extend(streams);
        self.lags_millis.sort_unstable();
        Ok(())
    }

    fn line(&mut self, message: &str) {
        let Ok(line) = serde_json::from_str::<Value>(message) else {
            return;
        };
        self.applied += sum(&line["ChangesApplied"]);
        self.unchanged += sum(&line["ChangesUnchanged"]);
        self.put_back += sum(&line["StaleRetried"]);
        self.given_back += sum(&line["ChangesGivenBack"]);
        self.parked += sum(&line["ChangesParked"]);
        self.lags_millis.extend(values(&line["ReplicationLag"]));
    }

    /// The lag that `percent` of the changes did not exceed (nearest rank); `None` before the first change.
    #[must_use]
    pub fn lag_millis(&self, percent: usize) -> Option<u64> {
        let rank = (self.lags_millis.len() * percent).div_ceil(100).max(1);
        self.lags_millis.get(rank - 1).copied()
    }
}

/// A metric's value: one number or a list.
fn values(member: &Value) -> impl Iterator<Item = u64> {
    let one = member.is_number().then_some(member);
    let many = member.as_array().into_iter().flatten();
    // The product writes counts and milliseconds as floating point numbers without a fraction.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts and milliseconds, neither negative nor large"
    )]
    one.into_iter()
        .chain(many)
        .filter_map(Value::as_f64)
        .map(|value| value as u64)
}

fn sum(member: &Value) -> u64 {
    values(member).sum()
}

/// The report of a run, as written to the file.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the replication came to.
    pub replication: Replication,
    /// What the reconcile that mended the drift came to.
    pub reconcile: Reconcile,
    /// What the rebuilding of a pool in the other Region came to.
    pub restore: Restore,
    /// The reconcile's calls beside those that the cost model has for it.
    pub cost_model: Vec<Agreement>,
    /// What did not come out as it must, in words.
    pub failures: Vec<String>,
    /// Decides what the users did.
    pub seed: u64,
    /// How long all of it took.
    pub seconds: f64,
}

/// What the replication came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Replication {
    /// Mutating calls that the pools accepted.
    pub changes_made: u64,
    /// Changes that led to a write. One call may be announced by a trigger and by CloudTrail, and several announcements may
    /// need one write only, so this may be more or less than `changes_made`.
    pub changes_applied: u64,
    /// Changes in the dead-letter queue.
    pub parked: u64,
    /// Differences between pools and backup at the end.
    pub differences: usize,
    /// From event to committed write.
    pub lag_ms: Lag,
    /// Cognito calls of Twinpool's functions, by operation.
    pub cognito_calls: BTreeMap<String, u64>,
    /// Users made billable by Twinpool's functions.
    pub users_made_billable: u64,
}

/// What the reconcile that mended the drift came to, as `twinpool reconcile --json` reports it.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reconcile {
    /// Users of the pool.
    pub users: u64,
    /// Their memberships.
    pub memberships: u64,
    /// Cognito calls, by operation; the local cloud counted the same.
    pub calls: BTreeMap<String, u64>,
    /// Items of users and groups that were written.
    pub writes: u64,
    /// Users and groups in which the backup was wrong.
    pub drift_found: u64,
    /// Of those, what was not mended.
    pub drift_left: u64,
    /// Whether the guard kept every user of another pool that was emptied afterwards.
    pub guard_tripped_on_emptied_pool: bool,
    /// How long it took.
    pub seconds: f64,
}

/// What rebuilding a pool in the other Region came to, with the primary refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Restore {
    /// Users that are there.
    pub users: u64,
    /// Their memberships.
    pub memberships: u64,
    /// Outside identities that are linked.
    pub links: u64,
    /// How long `twinpool apply` took.
    pub seconds: f64,
    /// How long its calls take at the documented quotas: those of the busiest category.
    pub floor_seconds: f64,
    /// Mails and text messages while it was rebuilt.
    pub mails_sent: u64,
    /// Differences between pool and backup that cannot be helped.
    pub differences_expected: u64,
    /// All others.
    pub differences_unexpected: u64,
    /// Whether a person signed in to the rebuilt pool through forgot-password.
    pub sign_in_after_reset: bool,
}

impl Restore {
    fn is_whole(&self) -> bool {
        self.users > 0 && self.mails_sent == 0 && self.differences_unexpected == 0 && self.sign_in_after_reset
    }
}

/// Replication lag in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Lag {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Longest.
    pub max: u64,
}

impl Lag {
    /// The lag of the changes applied so far.
    #[must_use]
    pub fn of(figures: &Figures) -> Self {
        let percentile = |percent| figures.lag_millis(percent).unwrap_or_default();
        Self {
            p50: percentile(50),
            p99: percentile(99),
            max: percentile(100),
        }
    }
}

/// The Cognito calls that Twinpool's functions made, by operation, and how many users these calls made billable.
///
/// The roles of the functions begin with the name of their CloudFormation stack; calls of a function that the local cloud
/// could not identify are counted too, since nothing but Twinpool's functions runs there.
#[must_use]
pub fn calls_of_functions(counters: &Counters, stack: &str) -> (BTreeMap<String, u64>, u64) {
    let prefix = format!("{stack}-");
    let is_ours = |role: &str| role.starts_with(&prefix) || role == "unidentified-function";
    let mut calls = BTreeMap::new();
    for (operation, count) in counters
        .by_caller
        .iter()
        .filter(|(role, _)| is_ours(role))
        .flat_map(|(_, calls)| calls)
    {
        *calls.entry(operation.clone()).or_default() += count;
    }
    let billable = counters
        .became_active
        .iter()
        .filter(|(role, _)| is_ours(role))
        .map(|(_, count)| count)
        .sum();
    (calls, billable)
}

impl Report {
    /// Whether pools and backup agree, nothing is parked, no user was made billable, the drift was found and mended, the guard
    /// held, the cost model agrees with what was counted, and the rebuilt pool is whole.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        let (replication, reconcile) = (&self.replication, &self.reconcile);
        let replicated =
            replication.differences == 0 && replication.parked == 0 && replication.users_made_billable == 0;
        let mended = reconcile.drift_found > 0 && reconcile.drift_left == 0;
        let modelled = !self.cost_model.is_empty() && self.cost_model.iter().all(Agreement::holds);
        let restored = self.restore.is_whole();
        replicated
            && mended
            && restored
            && reconcile.guard_tripped_on_emptied_pool
            && modelled
            && self.failures.is_empty()
    }

    /// Writes the report as JSON.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn write(&self, file: &Path) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(self).map_err(|error| Failure::new("the report", error))?;
        file.parent()
            .map_or(Ok(()), fs::create_dir_all)
            .and_then(|()| fs::write(file, text + "\n"))
            .map_err(|error| Failure::new(&file.display().to_string(), error))
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::cost::Meter;

    use super::*;

    #[test]
    fn metric_lines_add_up_and_other_lines_count_nothing() {
        let mut figures = Figures::default();
        figures
            .line(r#"{"_aws": {}, "Function": "replicator", "ChangesApplied": 2.0, "ReplicationLag": [40.0, 10.0]}"#);
        figures.line(r#"{"_aws": {}, "ChangesApplied": 1.0, "ChangesParked": 1.0, "ReplicationLag": 30.0}"#);
        figures.line(r#"{"level": "INFO", "message": "applied"}"#);
        figures.line("START RequestId: 1 Version: $LATEST");
        assert_eq!((figures.applied, figures.parked), (3, 1));
        figures.lags_millis.sort_unstable();
        assert_eq!(
            Lag::of(&figures),
            Lag {
                p50: 30,
                p99: 40,
                max: 40
            }
        );
        assert_eq!(Lag::of(&Figures::default()), Lag::default());
    }

    #[test]
    fn only_the_functions_calls_are_counted() {
        let counters: Counters = serde_json::from_value(json!({
            "calls": {}, "errors": {}, "throttled": {}, "mails": 0, "sms": 0, "faults_fired": {},
            "by_caller": {
                "twinpool-ReplicatorRole-1": {"ListUsers": 2}, "unidentified-function": {"ListUsers": 1},
                "local-operator": {"AdminGetUser": 9}, "comparison": {"ListUsers": 5}
            },
            "became_active": {"anonymous": 4, "twinpool-ReplicatorRole-1": 1},
            "trail": {"delivered": 0, "pending": 0, "dropped": 0, "duplicated": 0, "failed": 0}
        }))
        .expect("the gateway's shape");
        let (calls, billable) = calls_of_functions(&counters, "twinpool");
        assert_eq!((calls["ListUsers"], calls.len(), billable), (3, 1, 1));
    }

    fn report() -> Report {
        let calls = |calls: &[(&str, u64)]| calls.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        Report {
            replication: Replication {
                changes_made: 1_022,
                changes_applied: 1_193,
                parked: 0,
                differences: 0,
                lag_ms: Lag {
                    p50: 1_411,
                    p99: 3_555,
                    max: 4_225,
                },
                cognito_calls: calls(&[("ListUsers", 913)]),
                users_made_billable: 0,
            },
            reconcile: Reconcile {
                users: 99,
                memberships: 48,
                calls: calls(&[("ListUsers", 22)]),
                writes: 11,
                drift_found: 11,
                drift_left: 0,
                guard_tripped_on_emptied_pool: true,
                seconds: 1.5,
            },
            restore: Restore {
                users: 91,
                memberships: 48,
                links: 3,
                seconds: 6.5,
                floor_seconds: 2.8,
                mails_sent: 0,
                differences_expected: 93,
                differences_unexpected: 0,
                sign_in_after_reset: true,
            },
            cost_model: vec![Agreement {
                operation: Meter::ListUsers,
                measured: 22.0,
                modelled: 20.0,
                ratio: Some(1.1),
            }],
            failures: Vec::new(),
            seed: 949_637,
            seconds: 87.5,
        }
    }

    #[test]
    fn the_documented_report_has_the_members_of_the_written_one() {
        let documented = include_str!("../README.md");
        let begun = documented.split_once("```json\n").expect("an example").1;
        let example = begun.split_once("```").expect("its end").0;
        let example: Value = serde_json::from_str(example).expect("JSON");
        assert_eq!(serde_json::to_value(report()).expect("JSON"), example);
    }

    #[test]
    fn a_report_is_clean_only_when_everything_holds() {
        let mut clean = report();
        clean.cost_model[0].ratio = Some(1.05);
        assert!(clean.is_clean());
        type Flaw = fn(&mut Report);
        let flaws: [Flaw; 13] = [
            |report| report.replication.differences = 1,
            |report| report.replication.parked = 1,
            |report| report.replication.users_made_billable = 1,
            |report| report.reconcile.drift_found = 0,
            |report| report.reconcile.drift_left = 1,
            |report| report.reconcile.guard_tripped_on_emptied_pool = false,
            |report| report.restore.users = 0,
            |report| report.restore.mails_sent = 1,
            |report| report.restore.differences_unexpected = 1,
            |report| report.restore.sign_in_after_reset = false,
            |report| report.cost_model[0].ratio = Some(1.2),
            |report| report.cost_model.clear(),
            |report| report.failures.push("verify finds the drift".to_owned()),
        ];
        for (number, flaw) in flaws.into_iter().enumerate() {
            let mut report = clean.clone();
            flaw(&mut report);
            assert!(!report.is_clean(), "flaw {number}");
        }
    }
}
