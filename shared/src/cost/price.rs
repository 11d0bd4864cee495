//! Prices, dated.
//!
//! Invariant: a price has a source. One that could not be confirmed by a source says so, here and in every output.

use super::Meter;

/// When the prices were read.
pub const READ: &str = "2026-11";
/// The Region they are of.
pub const REGION: &str = "us-east-1";

/// One row of a price table.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Price {
    /// The service.
    pub service: &'static str,
    /// What is paid for.
    pub what: &'static str,
    /// What counts towards it.
    pub meters: &'static [Meter],
    /// What one unit of the count is called.
    pub unit: &'static str,
    /// How many units the price is for.
    pub per: f64,
    /// US dollars.
    pub dollars: f64,
    /// Units a month that AWS charges nobody for; one allowance for the whole account.
    pub free: f64,
    /// Where the price was read.
    pub source: Source,
}

/// Where a price was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A page of AWS.
    Aws(&'static str),
    /// Somebody else's page.
    ThirdParty(&'static str),
    /// Nowhere that could be looked up.
    Unverified(&'static str),
}

impl Source {
    /// Whether somebody has to look the price up before relying on it.
    #[must_use]
    pub fn is_unverified(self) -> bool {
        matches!(self, Self::Unverified(_))
    }

    /// The page.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        let (Self::Aws(page) | Self::ThirdParty(page) | Self::Unverified(page)) = self;
        page
    }
}

use Source::{Aws, ThirdParty, Unverified};

const MILLION: f64 = 1_000_000.0;

/// US dollars a million write units, today: halved in November 2024, for replicated writes to the same.
pub const WRITE_TODAY: f64 = 0.625;
/// US dollars a million read units, today.
pub const READ_TODAY: f64 = 0.125;
/// US dollars a GB-month of point-in-time recovery.
pub const RECOVERY: f64 = 0.20;
/// US dollars a GB-month of table.
pub const STORAGE: f64 = 0.25;

/// Prices of [`REGION`], read in [`READ`]. On-demand, without taxes, discounts and credits.
#[rustfmt::skip]
pub const TODAY: &[Price] = &[
    Price { service: "Cognito", what: "reads of the pool", meters: &[Meter::ListUsers, Meter::ListUsersInGroup, Meter::ListGroups, Meter::DescribeUserPool],
        unit: "calls", per: MILLION, dollars: 0.0, free: 0.0, source: Aws("Cognito developer guide, quotas: these calls make nobody a monthly active user") },
    Price { service: "EventBridge", what: "events of AWS services", meters: &[Meter::Listener],
        unit: "events", per: MILLION, dollars: 0.0, free: 0.0, source: ThirdParty("factualminds.com, 2026-06") },
    Price { service: "CloudTrail", what: "first copy of the records", meters: &[Meter::Listener],
        unit: "records", per: 100_000.0, dollars: 0.0, free: 0.0, source: Aws("aws.amazon.com/cloudtrail/pricing") },
    Price { service: "Scheduler", what: "starts", meters: &[Meter::Schedules],
        unit: "starts", per: MILLION, dollars: 1.00, free: 14.0 * MILLION, source: ThirdParty("cloudburn.io, 2026-03") },
    Price { service: "Lambda", what: "requests", meters: &[Meter::Triggers, Meter::Listener, Meter::Replicator, Meter::Reconciler],
        unit: "requests", per: MILLION, dollars: 0.20, free: MILLION, source: ThirdParty("wring.co, 2026-03") },
    Price { service: "Lambda", what: "duration, x86_64", meters: &[Meter::GbSeconds],
        unit: "GB-s", per: 1.0, dollars: 0.000_016_666_7, free: 400_000.0, source: ThirdParty("wring.co, 2026-03") },
    Price { service: "SQS", what: "requests, standard queue", meters: &[Meter::SendMessage, Meter::ReceiveMessage, Meter::DeleteMessageBatch],
        unit: "requests", per: MILLION, dollars: 0.40, free: MILLION, source: ThirdParty("cloudburn.io, 2026-03") },
    Price { service: "DynamoDB", what: "write units", meters: &[Meter::WriteUnits],
        unit: "WRU", per: MILLION, dollars: WRITE_TODAY, free: 0.0, source: ThirdParty("airbyte.com, 2026") },
    Price { service: "DynamoDB", what: "replicated write units", meters: &[Meter::ReplicatedWriteUnits],
        unit: "WRU", per: MILLION, dollars: WRITE_TODAY, free: 0.0, source: Aws("Prescriptive Guidance, DynamoDB global tables, FAQ: priced the same as WRUs") },
    Price { service: "DynamoDB", what: "read units", meters: &[Meter::ReadUnits],
        unit: "RRU", per: MILLION, dollars: READ_TODAY, free: 0.0, source: ThirdParty("airbyte.com, 2026") },
    Price { service: "DynamoDB", what: "storage, all Regions", meters: &[Meter::StorageGb],
        unit: "GB-month", per: 1.0, dollars: STORAGE, free: 25.0, source: Aws("aws.amazon.com/dynamodb/pricing, stored copy") },
    Price { service: "DynamoDB", what: "point-in-time recovery, all Regions", meters: &[Meter::RecoveryGb],
        unit: "GB-month", per: 1.0, dollars: RECOVERY, free: 0.0, source: Unverified("no page at hand") },
    Price { service: "Data transfer", what: "between Regions", meters: &[Meter::TransferGb],
        unit: "GB", per: 1.0, dollars: 0.02, free: 0.0, source: ThirdParty("awsnegotiations.com, 2026-05") },
    Price { service: "Step Functions", what: "state transitions, standard", meters: &[Meter::Transitions],
        unit: "transitions", per: 1_000.0, dollars: 0.025, free: 4_000.0, source: Aws("aws.amazon.com/step-functions/pricing") },
    Price { service: "KMS", what: "keys, all Regions", meters: &[Meter::Keys],
        unit: "keys", per: 1.0, dollars: 1.00, free: 0.0, source: Aws("aws.amazon.com/kms/pricing") },
    Price { service: "KMS", what: "requests", meters: &[Meter::KeyRequests],
        unit: "requests", per: 10_000.0, dollars: 0.03, free: 20_000.0, source: ThirdParty("factualminds.com, 2026-06") },
    Price { service: "CloudWatch", what: "metrics", meters: &[Meter::Metrics],
        unit: "metrics", per: 1.0, dollars: 0.30, free: 10.0, source: ThirdParty("signoz.io, 2026-02") },
    Price { service: "CloudWatch", what: "alarms", meters: &[Meter::Alarms],
        unit: "alarms", per: 1.0, dollars: 0.10, free: 0.0, source: ThirdParty("c3x.dev, 2026") },
    Price { service: "CloudWatch", what: "dashboards", meters: &[Meter::Dashboards],
        unit: "dashboards", per: 1.0, dollars: 3.00, free: 3.0, source: ThirdParty("factualminds.com, 2026-06") },
    Price { service: "CloudWatch", what: "logs taken in", meters: &[Meter::LogGb],
        unit: "GB", per: 1.0, dollars: 0.50, free: 5.0, source: ThirdParty("factualminds.com, 2026-06") },
    Price { service: "CloudWatch", what: "logs kept", meters: &[Meter::LogKeptGb],
        unit: "GB-month", per: 1.0, dollars: 0.03, free: 0.0, source: Unverified("no page at hand") },
];
