//! What a reconcile does to the table: users, groups and its own documents, read and written.
//!
//! Invariant: a count of calls is never below the count that the code makes for an undisturbed run.

use super::{Form, Walk};
use crate::cost::{
    DAYS_A_MONTH, Meter, Pool, Usage,
    change::{add_writes, read_units, write_units},
    coefficient::{CONFIGURATION_QUERIES, GROUP_BYTES, INDEX_ENTRIES, INDEX_WRITES_PER_CHANGE},
    standing::GB,
};

/// Partitions of the table that hold the users of one first digit: `item.rs`.
const PARTITIONS: f64 = 16.0;
/// First digits; a walk without a prefix reads the partitions of all.
const SHARDS: f64 = 16.0;
/// Members after which a list's documents are written: `members.rs`, and the page that goes over.
const KEPT_MAX: f64 = 8_040.0;
/// Bytes of a member in a document: a `sub` of 36 characters, quotes and comma.
const MEMBER_BYTES: f64 = 39.0;
/// Bytes of a document beside its content: keys, names of attributes, group name.
const DOCUMENT_BYTES: f64 = 330.0;
/// Bytes of a run: its sample of a page of users, its figures; each prefix comes on top with [`PREFIX_BYTES`].
const RUN_BYTES: f64 = 4_500.0;
/// Bytes of a prefix in a run.
const PREFIX_BYTES: f64 = 6.0;
/// Marks of a pool: `marks.rs`; each is read, whether it is there or not.
const MARKS: f64 = 16.0;
/// Bytes that a Query returns at most; source: "Querying tables in DynamoDB".
const QUERY_BYTES: f64 = 1_048_576.0;

/// Adds what one reconcile does.
pub(super) fn add(walk: &Walk, pool: &Pool, usage: &mut Usage) {
    let documents = Documents::of(walk);
    add_queries(walk, pool, &documents, usage);
    add_gets(walk, pool, &documents, usage);
    add_documents(walk, pool, &documents, usage);
    let index_writes = walk.changed as f64 * INDEX_WRITES_PER_CHANGE + walk.deleted as f64 * INDEX_ENTRIES;
    add_writes(pool, (walk.changed + walk.deleted) as f64, index_writes, usage);
    add_created(pool, walk.created as f64, usage);
    if walk.configuration {
        add_configuration(usage);
    }
}

/// What a run writes down for itself.
struct Documents {
    members: Members,
    /// Bytes of the run's own.
    run: u64,
    /// What waits for the sweep: one of each prefix that misses somebody.
    pending: f64,
}

impl Documents {
    fn of(walk: &Walk) -> Self {
        let (prefixes, deleted) = (walk.prefixes() as f64, walk.deleted as f64);
        Self {
            members: members(walk, prefixes),
            run: (RUN_BYTES + PREFIX_BYTES * prefixes) as u64,
            pending: (prefixes * (1.0 - (-deleted / prefixes).exp())).min(deleted),
        }
    }
}

/// Every walk reads the groups, the lists' checkpoints, its members and its partitions.
fn add_queries(walk: &Walk, pool: &Pool, documents: &Documents, usage: &mut Usage) {
    let (prefixes, walks) = (walk.prefixes() as f64, walk.walks());
    let group_bytes = walk.groups.count() as f64 * GROUP_BYTES;
    let group_pages = (group_bytes / QUERY_BYTES).ceil().max(1.0);
    let group_units = (group_bytes / 4_096.0).ceil().max(1.0);
    let members = &documents.members;
    let member_pages = prefixes * (members.bytes / prefixes / QUERY_BYTES).ceil().max(1.0) + walks - prefixes;
    let user_bytes = walk.users as f64 * pool.item_bytes as f64;
    let full = prefixes * PARTITIONS;
    // Beside the walked ones, the partitions of whoever has no prefix.
    let partitions = (prefixes.max(SHARDS) + 1.0) * PARTITIONS;
    let user_pages = full * (user_bytes / full / QUERY_BYTES).ceil().max(1.0) + partitions - full;
    // The plan reads runs and groups, the sweep the groups.
    usage.add(
        Meter::Query,
        1.0 + 2.0 * group_pages + walks * (group_pages + 1.0) + member_pages + user_pages,
    );

    // Runs are kept as long as versions.
    let runs = (pool.retention_days as f64 * pool.reconciles_per_month / DAYS_A_MONTH).ceil();
    let checkpoints = walk.groups.lists() * DOCUMENT_BYTES;
    let units = (runs * documents.run as f64 / 4_096.0).ceil().max(1.0)
        + group_units * (walks + 2.0)
        + walks * (checkpoints / 4_096.0).ceil().max(1.0)
        + (members.bytes / 4_096.0 + walks / 2.0).max(walks)
        // Read eventually, at half the price; every call rounds up, by half of a 4 KB block on average.
        + (user_bytes / 8_192.0 + user_pages / 4.0).max(user_pages / 2.0);
    usage.add(Meter::ReadUnits, units);
}

fn add_gets(walk: &Walk, pool: &Pool, documents: &Documents, usage: &mut Usage) {
    let (lists, walks) = (walk.groups.lists(), walk.walks());
    // The lease at every step and at the end, the run at its end; of a list its names and its checkpoint, the latter again at
    // each keeping; a walk's checkpoint by the walk and by the sweep.
    let single = walk.steps() + 2.0 + 2.0 * lists + documents.members.keeps + 2.0 * walks + documents.pending;
    // Steps but the plan and the configuration read the run.
    let planned = match walk.form {
        Form::StateMachine => lists + walks + 1.0,
        Form::Process => 0.0,
    };
    let cases = (walk.created + walk.changed) as f64;
    let looked_for = (walk.disputed + walk.deleted) as f64;
    let marks = 1.0;
    usage.add(
        Meter::BatchGetItem,
        single + planned + walk.pages_with_cases() + looked_for + marks,
    );
    let users = (cases + looked_for) * read_units(pool.item_bytes);
    usage.add(
        Meter::ReadUnits,
        single + planned * read_units(documents.run) + users + MARKS,
    );
}

fn add_documents(walk: &Walk, pool: &Pool, documents: &Documents, usage: &mut Usage) {
    let (steps, members) = (walk.steps(), &documents.members);
    let groups = walk.groups_written as f64;
    // Names and first checkpoint of each list, checkpoint of each walk. Replacing one is refused once, and billed for it: a
    // list's checkpoint with each keeping, and the run at its end.
    let small = 2.0 * walk.groups.lists() + 2.0 * members.keeps + walk.walks() + documents.pending;
    usage.add(Meter::PutItem, steps + small + members.documents + 3.0 + groups);
    // The lease and the alarm.
    let removed = 2.0;
    usage.add(Meter::BatchWriteItem, removed);
    let run = write_units(documents.run);
    let written = steps + small + members.write_units + 3.0 * run + removed + groups;
    // Each replica is billed the end of what expires as a write.
    let expiring = small + members.write_units + run;
    let replicas = pool.replicas as f64;
    usage.add(Meter::WriteUnits, written);
    usage.add(Meter::ReplicatedWriteUnits, (written + expiring) * replicas);
    let bytes = members.bytes + documents.run as f64 + (steps + small) * DOCUMENT_BYTES;
    usage.add(Meter::TransferGb, bytes * replicas / GB);
}

/// Documents that hold the walked members.
struct Members {
    /// How often a list's members are written.
    keeps: f64,
    documents: f64,
    bytes: f64,
    write_units: f64,
}

fn members(walk: &Walk, prefixes: f64) -> Members {
    let memberships = walk.groups.memberships() as f64;
    let (mut keeps, mut documents) = (0.0, 0.0);
    for list in walk.groups.members_of_lists() {
        let kept = list.keeps(KEPT_MAX);
        keeps += kept * list.count;
        if list.members > 0.0 {
            let places = kept * prefixes;
            documents += places * (1.0 - (-list.members / places).exp()) * list.count;
        }
    }
    let bytes = memberships * MEMBER_BYTES + documents * DOCUMENT_BYTES;
    Members {
        keeps,
        documents,
        bytes,
        // Each document rounds up to the KB, by half of one on average.
        write_units: (bytes / 1_024.0 + documents / 2.0).max(documents),
    }
}

/// Reads the configuration and finds it as it is stored: its marks and its parts.
fn add_configuration(usage: &mut Usage) {
    usage.add(Meter::BatchGetItem, 1.0);
    usage.add(Meter::Query, CONFIGURATION_QUERIES);
    usage.add(Meter::ReadUnits, MARKS + CONFIGURATION_QUERIES);
}

/// New users: one write each, and their index entries.
fn add_created(pool: &Pool, count: f64, usage: &mut Usage) {
    let units = (write_units(pool.item_bytes) + INDEX_ENTRIES) * count;
    let replicas = pool.replicas as f64;
    usage.add(Meter::PutItem, count);
    usage.add(Meter::WriteUnits, units);
    usage.add(Meter::ReplicatedWriteUnits, units * replicas);
    usage.add(Meter::TransferGb, count * pool.item_bytes as f64 * replicas / GB);
}
