//! What sign-ins and changes use in a month, from the trigger or the CloudTrail record to the written item.
//!
//! Invariant: no call here makes a user billable: `AdminGetUser` is only made for users who are active anyway.

use super::{
    DAYS_A_MONTH, Meter, Pool, SECONDS_A_MONTH, Usage,
    coefficient::{
        BATCH_MESSAGES, BATCH_SECONDS, FUNCTION_GB, INDEX_KEY_BYTES, INDEX_WRITES_PER_CHANGE, LOG_BYTES_PER_INVOCATION,
        LOG_BYTES_PER_MESSAGE, MESSAGE_SECONDS, MESSAGES_PER_CALL, PUTS_PER_CHANGE, READS_PER_CHANGE,
        RECORDS_PER_SIGN_IN, REPLICATOR_SECONDS, TRIGGER_SECONDS,
    },
    standing::GB,
};

/// Writes of users a day. A sign-in is written once a user and day, so that the days count and not the sign-ins.
pub(super) fn writes_a_day(pool: &Pool) -> f64 {
    let a_day = 1.0 - (-pool.sign_ins_per_active_user_per_day).exp();
    pool.changes_per_day as f64 + pool.monthly_active as f64 * a_day
}

/// Write units of an item of `bytes`: one for each KB begun. Source: "DynamoDB read and write operations".
pub(super) fn write_units(bytes: u64) -> f64 {
    bytes.div_ceil(1_024).max(1) as f64
}

/// Read units of a consistent read of an item of `bytes`: one for each 4 KB begun. Same source.
pub(super) fn read_units(bytes: u64) -> f64 {
    bytes.div_ceil(4_096).max(1) as f64
}

/// What `count` writes of users use: the old version put aside, the new one in its place, and the old one's end. Beside these,
/// `index_writes` in all.
pub(super) fn add_writes(pool: &Pool, count: f64, index_writes: f64, usage: &mut Usage) {
    let replicas = pool.replicas as f64;
    let version = pool.item_bytes.saturating_sub(INDEX_KEY_BYTES);
    // An index is written in every Region, with units of its own; an entry is one.
    let units = (write_units(version) + write_units(pool.item_bytes)) * count + index_writes;
    // TTL deletes for nothing where the item was written, and each replica is billed the deletion as a write.
    let expiry = write_units(version) * count;
    usage.add(Meter::PutItem, PUTS_PER_CHANGE * count);
    usage.add(Meter::WriteUnits, units);
    usage.add(Meter::ReplicatedWriteUnits, (units + expiry) * replicas);
    let bytes = (version + pool.item_bytes) as f64;
    usage.add(Meter::TransferGb, bytes * count * replicas / GB);
}

/// What happens in some time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Events {
    /// Changes of users that are no sign-ins, each by an administrator's call.
    pub changes: f64,
    /// Sign-ins.
    pub sign_ins: f64,
    /// Writes of users that these lead to.
    pub written: f64,
    /// In how many seconds: what happens at the same time shares its calls.
    pub seconds: f64,
}

/// What changes and sign-ins use in a month.
#[must_use]
pub fn usage(pool: &Pool) -> Usage {
    let events = Events {
        changes: pool.changes_per_day as f64 * DAYS_A_MONTH,
        sign_ins: pool.monthly_active as f64 * pool.sign_ins_per_active_user_per_day * DAYS_A_MONTH,
        written: writes_a_day(pool) * DAYS_A_MONTH,
        seconds: SECONDS_A_MONTH,
    };
    usage_of(&events, pool)
}

/// What `events` use, with the sizes and replicas of `pool`.
#[must_use]
pub fn usage_of(events: &Events, pool: &Pool) -> Usage {
    let mut usage = Usage::default();
    let (changes, sign_ins) = (events.changes, events.sign_ins);
    let messages = changes + sign_ins;
    let records = changes + RECORDS_PER_SIGN_IN * sign_ins;
    usage.add(Meter::Triggers, sign_ins);
    usage.add(Meter::Listener, records);
    usage.add(Meter::SendMessage, messages);

    // A quiet queue hands out one message at a time; a busy one what gathers in a window.
    let gathered = messages / events.seconds * BATCH_SECONDS;
    let calls = messages / gathered.clamp(1.0, MESSAGES_PER_CALL);
    let batches = messages / gathered.clamp(1.0, BATCH_MESSAGES);
    usage.add(Meter::ReceiveMessage, calls);
    usage.add(Meter::DeleteMessageBatch, calls);
    usage.add(Meter::Replicator, batches);
    usage.add(Meter::BatchGetItem, batches);
    usage.add(Meter::ReadUnits, messages * read_units(pool.item_bytes));
    usage.add(Meter::ListUsers, changes * READS_PER_CHANGE);
    add_writes(pool, events.written, changes * INDEX_WRITES_PER_CHANGE, &mut usage);

    let seconds = (sign_ins + records) * TRIGGER_SECONDS + batches * REPLICATOR_SECONDS + messages * MESSAGE_SECONDS;
    usage.add(Meter::GbSeconds, seconds * FUNCTION_GB);
    let logs = (sign_ins + records + batches) * LOG_BYTES_PER_INVOCATION + messages * LOG_BYTES_PER_MESSAGE;
    usage.add(Meter::LogGb, logs / GB);
    usage
}
