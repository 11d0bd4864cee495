//! Counts, by what AWS counts; and whether two of them agree.
//!
//! Invariant: a meter has one unit, which stands beside it; counts of a model may be fractions.

use std::collections::BTreeMap;

use serde::{Serialize, Serializer};

/// Something that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Meter {
    /// `ListUsers` calls.
    ListUsers,
    /// `ListUsersInGroup` calls.
    ListUsersInGroup,
    /// `ListGroups` calls.
    ListGroups,
    /// `DescribeUserPool` calls.
    DescribeUserPool,
    /// `Query` calls.
    Query,
    /// `BatchGetItem` calls.
    BatchGetItem,
    /// `PutItem` calls.
    PutItem,
    /// `BatchWriteItem` calls.
    BatchWriteItem,
    /// Write request units in the primary Region.
    WriteUnits,
    /// Write request units of all replicas together.
    ReplicatedWriteUnits,
    /// Read request units.
    ReadUnits,
    /// GB-months of the table and its indexes in all Regions.
    StorageGb,
    /// GB-months of point-in-time recovery in all Regions.
    RecoveryGb,
    /// GB from the primary Region to the replicas.
    TransferGb,
    /// Messages sent; one request each.
    SendMessage,
    /// Receives, empty ones included.
    ReceiveMessage,
    /// Deletions of received messages, up to ten each.
    DeleteMessageBatch,
    /// Invocations of the triggers.
    Triggers,
    /// Invocations of the CloudTrail listener; each is an event that EventBridge delivered.
    Listener,
    /// Invocations of the replicator.
    Replicator,
    /// Invocations of the reconciler.
    Reconciler,
    /// GB-seconds of all functions.
    GbSeconds,
    /// State transitions.
    Transitions,
    /// Starts of the schedule.
    Schedules,
    /// Key-months, replicas included.
    Keys,
    /// Requests to the key.
    KeyRequests,
    /// Metric-months, by the hours that have data.
    Metrics,
    /// Months of alarms, by the metrics that each looks at.
    Alarms,
    /// Dashboard-months.
    Dashboards,
    /// GB of logs taken in.
    LogGb,
    /// GB-months of logs kept, compressed.
    LogKeptGb,
}

impl Meter {
    /// Every meter with its name.
    pub const ALL: [(Self, &'static str); 31] = [
        (Self::ListUsers, "cognito-idp:ListUsers"),
        (Self::ListUsersInGroup, "cognito-idp:ListUsersInGroup"),
        (Self::ListGroups, "cognito-idp:ListGroups"),
        (Self::DescribeUserPool, "cognito-idp:DescribeUserPool"),
        (Self::Query, "dynamodb:Query"),
        (Self::BatchGetItem, "dynamodb:BatchGetItem"),
        (Self::PutItem, "dynamodb:PutItem"),
        (Self::BatchWriteItem, "dynamodb:BatchWriteItem"),
        (Self::WriteUnits, "dynamodb write units"),
        (Self::ReplicatedWriteUnits, "dynamodb replicated write units"),
        (Self::ReadUnits, "dynamodb read units"),
        (Self::StorageGb, "dynamodb GB stored"),
        (Self::RecoveryGb, "dynamodb GB recoverable"),
        (Self::TransferGb, "GB between Regions"),
        (Self::SendMessage, "sqs:SendMessage"),
        (Self::ReceiveMessage, "sqs:ReceiveMessage"),
        (Self::DeleteMessageBatch, "sqs:DeleteMessageBatch"),
        (Self::Triggers, "lambda triggers"),
        (Self::Listener, "lambda admin-events"),
        (Self::Replicator, "lambda replicator"),
        (Self::Reconciler, "lambda reconciler"),
        (Self::GbSeconds, "lambda GB-seconds"),
        (Self::Transitions, "states transitions"),
        (Self::Schedules, "scheduler starts"),
        (Self::Keys, "kms keys"),
        (Self::KeyRequests, "kms requests"),
        (Self::Metrics, "cloudwatch metrics"),
        (Self::Alarms, "cloudwatch alarms"),
        (Self::Dashboards, "cloudwatch dashboards"),
        (Self::LogGb, "logs GB taken in"),
        (Self::LogKeptGb, "logs GB kept"),
    ];

    /// Its name; calls are named `service:Operation`, as IAM does.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(meter, _)| *meter == self);
        found.map_or("", |(_, name)| name)
    }

    /// The meter of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        let found = Self::ALL.iter().find(|(_, known)| *known == name);
        found.map(|(meter, _)| *meter)
    }
}

impl Serialize for Meter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

/// Counts by meter.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Usage(BTreeMap<Meter, f64>);

impl Usage {
    /// Counts `count` more. A count of 0 is noted, so that it can be compared.
    pub fn add(&mut self, meter: Meter, count: f64) {
        *self.0.entry(meter).or_default() += count;
    }

    /// Counts `times` times what `other` has.
    pub fn add_all(&mut self, other: &Self, times: f64) {
        for (meter, count) in &other.0 {
            self.add(*meter, count * times);
        }
    }

    /// How many there are; 0 of what was never counted.
    #[must_use]
    pub fn get(&self, meter: Meter) -> f64 {
        self.0.get(&meter).copied().unwrap_or_default()
    }

    /// Every count.
    pub fn iter(&self) -> impl Iterator<Item = (Meter, f64)> {
        self.0.iter().map(|(meter, count)| (*meter, *count))
    }
}

impl FromIterator<(Meter, f64)> for Usage {
    fn from_iter<I: IntoIterator<Item = (Meter, f64)>>(counts: I) -> Self {
        let mut usage = Self::default();
        for (meter, count) in counts {
            usage.add(meter, count);
        }
        usage
    }
}

/// How far a measured count may be from the modelled one: a tenth of it.
pub const TOLERANCE: f64 = 0.1;

/// A measured count beside the modelled one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Agreement {
    /// What was counted.
    pub operation: Meter,
    /// How many there were.
    pub measured: f64,
    /// How many the model has.
    pub modelled: f64,
    /// Measured by modelled; 1 when both are 0, and `None` when only the model's is.
    pub ratio: Option<f64>,
}

impl Agreement {
    /// Whether the two differ by at most [`TOLERANCE`].
    #[must_use]
    pub fn holds(&self) -> bool {
        self.ratio.is_some_and(|ratio| (ratio - 1.0).abs() <= TOLERANCE)
    }
}

/// Compares every count of `measured`, those of 0 included, with the model's. What `measured` does not name was not measured.
#[must_use]
pub fn agreement(measured: &Usage, modelled: &Usage) -> Vec<Agreement> {
    let compare = |(operation, measured): (Meter, f64)| {
        let modelled = modelled.get(operation);
        let ratio = if modelled > 0.0 {
            Some(measured / modelled)
        } else {
            (measured <= 0.0).then_some(1.0)
        };
        Agreement {
            operation,
            measured,
            modelled,
            ratio,
        }
    };
    measured.iter().map(compare).collect()
}
