//! What costs by being there: storage, keys, polls of an idle queue, alarms, dashboards, metrics, logs kept.
//!
//! Invariant: adds to what was counted before it, and reads it: an hour without an event has no metric.

use super::{
    DAYS_A_MONTH, Meter, Pool, SECONDS_A_MONTH, Usage, change,
    coefficient::{
        ALARMS, CONSUMERS, DASHBOARDS, DATA_KEY_SECONDS, INDEX_ENTRIES, INDEX_ENTRY_BYTES, INDEX_KEY_BYTES,
        LISTENER_METRICS, LOG_COMPRESSION, LOG_MONTHS, POLL_SECONDS, POLLERS, PRODUCERS, RECONCILER_METRICS,
        RECOVERY_ALARMS, REPLICATOR_METRICS, STORED_OVERHEAD_BYTES, TABLE_KEY_SECONDS, TOPIC_KEYS, TRIGGER_METRICS,
    },
};

/// Bytes of a GB, as AWS bills storage.
pub(super) const GB: f64 = 1_073_741_824.0;

/// Adds what stands to a month's `usage`.
pub fn add(pool: &Pool, usage: &mut Usage) {
    let regions = 1.0 + pool.replicas as f64;
    let kept_days = pool.retention_days as f64;
    let versions = change::writes_a_day(pool) * kept_days;
    let version = pool.item_bytes.saturating_sub(INDEX_KEY_BYTES) as f64 + STORED_OVERHEAD_BYTES;
    let users = pool.users as f64;
    let table = users * (pool.item_bytes as f64 + STORED_OVERHEAD_BYTES) + versions * version;
    let indexes = users * INDEX_ENTRIES * (INDEX_ENTRY_BYTES + STORED_OVERHEAD_BYTES);
    usage.add(Meter::StorageGb, (table + indexes) / GB * regions);
    // Indexes are made anew when a table is recovered.
    usage.add(Meter::RecoveryGb, table / GB * regions);

    usage.add(Meter::ReceiveMessage, SECONDS_A_MONTH / POLL_SECONDS * POLLERS);
    usage.add(Meter::Keys, (1.0 + TOPIC_KEYS) * regions);
    // Documented: "Amazon SQS Key management", R = B / D * (2 * P + C).
    let queue = SECONDS_A_MONTH / DATA_KEY_SECONDS * (2.0 * PRODUCERS + CONSUMERS);
    let table = SECONDS_A_MONTH / TABLE_KEY_SECONDS * regions;
    usage.add(Meter::KeyRequests, queue + table);

    usage.add(Meter::Alarms, ALARMS + RECOVERY_ALARMS * pool.replicas as f64);
    usage.add(Meter::Dashboards, DASHBOARDS * regions);
    let metrics = TRIGGER_METRICS * hours_with(usage.get(Meter::Triggers))
        + LISTENER_METRICS * hours_with(usage.get(Meter::Listener))
        + REPLICATOR_METRICS * hours_with(usage.get(Meter::Replicator))
        + RECONCILER_METRICS * hours_with(pool.reconciles_per_month);
    usage.add(Meter::Metrics, metrics);
    usage.add(Meter::Schedules, pool.reconciles_per_month);
    usage.add(Meter::LogKeptGb, usage.get(Meter::LogGb) * LOG_COMPRESSION * LOG_MONTHS);
}

/// Share of a month's hours in which at least one of `events` happens, when they are spread at random. CloudWatch bills a
/// metric by the hours that have data.
fn hours_with(events: f64) -> f64 {
    1.0 - (-events / (DAYS_A_MONTH * 24.0)).exp()
}
