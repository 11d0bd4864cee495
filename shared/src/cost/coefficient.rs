//! The numbers of the model, each with where it comes from.
//!
//! *Measured*: by the named test, bench or command, on fixtures or the local cloud, never on AWS. *Documented*: by AWS. *Code*:
//! a constant of the sources, read off there. *Assumed*: nobody measured it; it is said with the bill.
//!
//! Invariant: no number of the model stands anywhere else but in `price`.

/// Bytes of a living user's item with three aliases, two groups and MFA settings. Measured: `shared/tests/cost.rs`, from the
/// fixture `item/v1/user-living.json`, by DynamoDB's rules for item sizes.
pub const ITEM_BYTES: u64 = 1_382;
/// How much smaller a superseded version is: it has no index keys. Measured: likewise, from `user-superseded.json`.
pub const INDEX_KEY_BYTES: u64 = 136;
/// Bytes of a group's item. Measured: likewise, from `group-living.json`.
pub const GROUP_BYTES: f64 = 429.0;
/// Bytes that DynamoDB adds to each item stored. Documented: "DynamoDB item sizes and formats".
pub const STORED_OVERHEAD_BYTES: f64 = 100.0;
/// Index entries of a user: user name and e-mail address. Assumed; `item.rs` has four indexes, two of them for few users.
pub const INDEX_ENTRIES: f64 = 2.0;
/// Bytes of an entry of a KEYS_ONLY index: table key and index key. Assumed.
pub const INDEX_ENTRY_BYTES: f64 = 150.0;

/// Sign-ins of a monthly active user a day. Assumed.
pub const SIGN_INS_A_DAY: f64 = 0.2;
/// `PutItem` calls for a changed user: the old version and the new one. Measured: `bench --only replicator`.
pub const PUTS_PER_CHANGE: f64 = 2.0;
/// `ListUsers` calls for an administrator's change. Measured: `bench --only end-to-end`.
pub const READS_PER_CHANGE: f64 = 1.0;
/// Index writes for a change that is no sign-in, on average: one change in ten touches a key, which deletes an entry and writes one. Assumed.
/// Documented ("Using Global Secondary Indexes"): a write that leaves the projected attributes alone writes no index.
pub const INDEX_WRITES_PER_CHANGE: f64 = 0.2;
/// CloudTrail records of a sign-in that the rule of `infra/primary.yaml` lets through: RespondToAuthChallenge, once with SRP.
/// Assumed: no managed login, which has several records for one sign-in.
pub const RECORDS_PER_SIGN_IN: f64 = 1.0;

/// Messages that one receive brings, and that one call deletes. Documented: "Amazon SQS message quotas".
pub const MESSAGES_PER_CALL: f64 = 10.0;
/// Messages of a batch; code: `BatchSize` in `infra/primary.yaml`.
pub const BATCH_MESSAGES: f64 = 100.0;
/// Seconds that messages are gathered; code: `ReplicatorBatchingWindowSeconds`.
pub const BATCH_SECONDS: f64 = 1.0;
/// Long polls of an idle queue at the same time. Documented: "Using Lambda with Amazon SQS" (starts with five).
pub const POLLERS: f64 = 5.0;
/// Seconds of a long poll that brings nothing. Documented: same page (up to 20 s).
pub const POLL_SECONDS: f64 = 20.0;

/// GB of the triggers, the listener and the replicator; code: `MemorySize` in `infra/primary.yaml`.
pub const FUNCTION_GB: f64 = 0.25;
/// GB of the reconciler; code: likewise.
pub const RECONCILER_GB: f64 = 0.5;
/// Seconds of a trigger or the listener: 20 ms of the queue, assumed, and 1.4 ms beyond it, measured: `bench --only triggers`.
pub const TRIGGER_SECONDS: f64 = 0.022;
/// Seconds of a replicator's invocation: one `ListUsers` of 80 ms and two round trips to the table of 5 ms. Assumed.
pub const REPLICATOR_SECONDS: f64 = 0.1;
/// Seconds that each message of a batch adds. Measured: `bench --only replicator`, updates, 5 ms an answer: 1,176 a second.
pub const MESSAGE_SECONDS: f64 = 0.000_85;
/// Seconds of a step of the reconcile, its calls to Cognito aside. Assumed.
pub const STEP_SECONDS: f64 = 0.3;

/// Log bytes of one invocation: Lambda's own JSON lines, a metric line of 210 bytes, a line of 290. Assumed in all.
pub const LOG_BYTES_PER_INVOCATION: f64 = 1_400.0;
/// Log bytes that a change adds in the replicator: one line. Assumed.
pub const LOG_BYTES_PER_MESSAGE: f64 = 260.0;
/// Months that logs are kept; code: `LogRetentionDays`, 90 days.
pub const LOG_MONTHS: f64 = 90.0 / super::DAYS_A_MONTH;
/// Size of kept logs by logs taken in. Documented: the examples of the CloudWatch pricing page compress to 15 %.
pub const LOG_COMPRESSION: f64 = 0.15;
/// Metrics that a trigger, the listener, the replicator and the reconciler write on a good day; code: `metric.rs`.
pub const TRIGGER_METRICS: f64 = 1.0;
/// See [`TRIGGER_METRICS`].
pub const LISTENER_METRICS: f64 = 2.0;
/// See [`TRIGGER_METRICS`].
pub const REPLICATOR_METRICS: f64 = 6.0;
/// See [`TRIGGER_METRICS`].
pub const RECONCILER_METRICS: f64 = 8.0;
/// Metrics that the alarms of the primary Region look at, one for most, three for those over the three triggers; code:
/// `infra/primary.yaml`, counted by `shared/tests/cost.rs`. An alarm over a query counts as one: its metrics exist only when it
/// is about to go off.
pub const ALARMS: f64 = 26.0;
/// The same of the recovery Region; code: `infra/recovery.yaml`.
pub const RECOVERY_ALARMS: f64 = 3.0;
/// Dashboards of a Region; code: both templates, counted likewise.
pub const DASHBOARDS: f64 = 1.0;
/// Keys of a Region besides that of the backup: the topic's, where there is an `AlarmEmail`; code: both templates, counted likewise.
pub const TOPIC_KEYS: f64 = 1.0;

/// Principals that send to the queue: three triggers, the listener, the replicator; code: the roles of `infra/primary.yaml`.
pub const PRODUCERS: f64 = 5.0;
/// Principals that receive from it: the replicator.
pub const CONSUMERS: f64 = 1.0;
/// Seconds that SQS uses a data key; code: `KmsDataKeyReusePeriodSeconds`.
pub const DATA_KEY_SECONDS: f64 = 3_600.0;
/// Seconds that DynamoDB uses a table key, for each caller. Documented: "DynamoDB encryption at rest: how it works"; no page was at hand.
pub const TABLE_KEY_SECONDS: f64 = 300.0;

/// State transitions of an execution: Order, Defaults, Pools, Plan, Configuration, Members, Users, Sweep, Outcome, Ended,
/// Reconciled; code: `infra/reconcile.asl.json`.
pub const RUN_TRANSITIONS: f64 = 11.0;
/// Queries that read the stored configuration, one for each part but the users; code: `marks.rs`, `configuration.rs`.
pub const CONFIGURATION_QUERIES: f64 = 15.0;
/// State transitions of a list of groups: WalkMembers, MembersDone, MembersWalked; code: likewise.
pub const LIST_TRANSITIONS: f64 = 3.0;
/// State transitions of a prefix: WalkUsers; code: likewise.
pub const PREFIX_TRANSITIONS: f64 = 1.0;
