//! The calls and units of one reconcile, derived from `consumers/reconciler`, step by step.
//!
//! Invariant: follows the code's own arithmetic (probe, prefixes, lists, documents). When that changes, so does this, and the
//! comparison with the demo's counters says so.

mod groups;

use super::{
    DAYS_A_MONTH, Meter, Pool, Usage,
    change::{add_writes, read_units, write_units},
    coefficient::{
        CONFIGURATION_QUERIES, GROUP_BYTES, INDEX_ENTRIES, INDEX_WRITES_PER_CHANGE, LIST_TRANSITIONS,
        LOG_BYTES_PER_INVOCATION, PREFIX_TRANSITIONS, RECONCILER_GB, RUN_TRANSITIONS, STEP_SECONDS,
    },
    standing::GB,
};
use crate::quota::Category;

pub use groups::Groups;

/// Users, members or groups of a page.
const PAGE: f64 = 60.0;
/// Prefixes that the probe tries: `plan.rs`.
const PROBED_MAX: u64 = 3;
/// Users per prefix at which prefixes get one digit longer: `plan.rs`.
const USERS_PER_PREFIX: u64 = 12_500;
/// Partitions of the table that hold the users of one first digit: `item.rs`.
const PARTITIONS: f64 = 16.0;
/// First digits; a walk without a prefix reads the partitions of all.
const SHARDS: f64 = 16.0;
/// Walks at the same time: `CHAINS` of the reconciler.
const CHAINS: u32 = 4;
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

/// Where a reconcile runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// Steps of the state machine.
    StateMachine,
    /// One process: `twinpool reconcile`.
    Process,
}

/// One reconcile.
#[derive(Clone, Debug, PartialEq)]
pub struct Walk {
    /// Users of the pool.
    pub users: u64,
    /// Its groups.
    pub groups: Groups,
    /// Where it runs.
    pub form: Form,
    /// Whether the configuration is captured as well.
    pub configuration: bool,
    /// Users that the backup did not have.
    pub created: u64,
    /// Users in whom it differed.
    pub changed: u64,
    /// Of these, whose record claimed to be newer than the pool: each is looked for once more.
    pub disputed: u64,
    /// Users who are gone.
    pub deleted: u64,
    /// Groups written.
    pub groups_written: u64,
}

impl Walk {
    /// A night on which the backup is right.
    #[must_use]
    pub fn of(pool: &Pool) -> Self {
        Self {
            users: pool.users,
            groups: Groups::Even {
                groups: pool.groups,
                memberships: pool.memberships,
            },
            form: Form::StateMachine,
            configuration: true,
            created: 0,
            changed: 0,
            disputed: 0,
            deleted: 0,
            groups_written: 0,
        }
    }

    /// Prefixes that are walked, without the place of those who have none: 1 for a pool that shows nobody, else 16, 256, 4,096.
    fn prefixes(&self) -> u64 {
        match self.users {
            0 => 1,
            users if users / 16 <= USERS_PER_PREFIX => 16,
            users if users / 256 <= USERS_PER_PREFIX => 256,
            _ => 4_096,
        }
    }

    fn pages_of_users(&self) -> f64 {
        let prefixes = self.prefixes() as f64;
        prefixes * expected_pages(self.users as f64 / prefixes)
    }

    /// Pages that show somebody in whom the backup differs.
    fn pages_with_cases(&self) -> f64 {
        let pages = self.pages_of_users();
        pages * (1.0 - (-((self.created + self.changed) as f64) / pages).exp())
    }
}

/// Pages of a list that holds `mean` users on average, drawn at random: the expectation of max(1, ceil(n / 60)).
///
/// Few: by Poisson's distribution, since pages are full or not there at all. Many: the last page is half full.
fn expected_pages(mean: f64) -> f64 {
    const EXACT_MAX: f64 = 600.0;
    let many = (mean - EXACT_MAX).max(0.0) / PAGE;
    let mean = mean.min(EXACT_MAX);
    let (mut pages, mut probability, mut at_most) = (1.0, (-mean).exp(), 0.0);
    // One page more whenever there are more than 60, 120, ...: P(n > 60 k).
    for n in 0_u32..=1_200 {
        at_most += probability;
        if n > 0 && n.is_multiple_of(60) {
            pages += (1.0_f64 - at_most).max(0.0);
        }
        probability *= mean / f64::from(n + 1);
    }
    pages + many
}

/// What one reconcile of `walk` uses, with the sizes, replicas and quota share of `pool`.
#[must_use]
pub fn usage(walk: &Walk, pool: &Pool) -> Usage {
    let mut usage = Usage::default();
    let prefixes = walk.prefixes() as f64;
    // With prefixes, the place of users without one is a walk of its own.
    let walks = if walk.users == 0 { 1.0 } else { prefixes + 1.0 };
    let lists = walk.groups.lists();
    calls_of_cognito(walk, &mut usage);

    let steps = match walk.form {
        Form::StateMachine => 3.0 + lists + walks,
        Form::Process => 1.0,
    };
    let run = (RUN_BYTES + PREFIX_BYTES * prefixes) as u64;
    let members = members(walk, prefixes);
    let group_pages = (walk.groups.count() as f64 * GROUP_BYTES / QUERY_BYTES).ceil().max(1.0);
    let group_units = (walk.groups.count() as f64 * GROUP_BYTES / 4_096.0).ceil().max(1.0);

    // Every walk reads the groups, the lists' checkpoints, its members and its partitions.
    let partitions = (if walk.users == 0 { SHARDS } else { prefixes } + 1.0) * PARTITIONS;
    let user_bytes = walk.users as f64 * pool.item_bytes as f64;
    let member_pages = prefixes * (members.bytes / prefixes / QUERY_BYTES).ceil().max(1.0) + walks - prefixes;
    let user_pages = prefixes * PARTITIONS * (user_bytes / prefixes / PARTITIONS / QUERY_BYTES).ceil().max(1.0)
        + (partitions - prefixes * PARTITIONS);
    usage.add(
        Meter::Query,
        2.0 + 2.0 * group_pages + walks * (group_pages + 1.0) + member_pages + user_pages,
    );
    // A run that looks for one to go on with reads those of the retention.
    let kept_runs = (pool.retention_days as f64 * pool.reconciles_per_month / DAYS_A_MONTH).ceil();
    let query_units = (kept_runs * run as f64 / 4_096.0).ceil().max(1.0)
        + 1.0
        + group_units * (walks + 2.0)
        + walks * (lists * DOCUMENT_BYTES / 4_096.0).ceil().max(1.0)
        + (members.bytes / 4_096.0 + walks / 2.0).max(walks)
        // Read eventually, at half the price; every call rounds up, by half of a 4 KB block on average.
        + (user_bytes / 8_192.0 + user_pages / 4.0).max(user_pages / 2.0);

    let planned = match walk.form {
        Form::StateMachine => lists + walks + 1.0,
        Form::Process => 0.0,
    };
    let rewritten = members.keeps - lists;
    let cases = (walk.created + walk.changed) as f64;
    let looked_for = (walk.disputed + walk.deleted) as f64;
    let single_gets = steps + 1.0 + 2.0 * lists + rewritten + 2.0 * walks + 1.0;
    usage.add(
        Meter::BatchGetItem,
        single_gets + planned + walk.pages_with_cases() + looked_for + 1.0,
    );
    usage.add(
        Meter::ReadUnits,
        query_units
            + single_gets
            + planned * read_units(run)
            + (cases + looked_for) * read_units(pool.item_bytes)
            + MARKS,
    );

    // Documents that expire: lists, members, checkpoints of both. The run is written once, refused once, and replaced.
    let checkpoints = lists + members.keeps + rewritten + walks;
    let pending = (prefixes * (1.0 - (-(walk.deleted as f64) / prefixes).exp())).min(walk.deleted as f64);
    let small = checkpoints + pending;
    let run_units = write_units(run);
    usage.add(
        Meter::PutItem,
        steps + small + members.documents + 3.0 + walk.groups_written as f64,
    );
    usage.add(Meter::BatchWriteItem, 2.0);
    let written = steps + small + members.write_units + 3.0 * run_units + 2.0 + walk.groups_written as f64;
    let expiring = small + members.write_units + run_units;
    let replicas = pool.replicas as f64;
    usage.add(Meter::WriteUnits, written);
    usage.add(Meter::ReplicatedWriteUnits, (written + expiring) * replicas);
    let bytes = members.bytes + run as f64 + (steps + small) * DOCUMENT_BYTES;
    usage.add(Meter::TransferGb, bytes * replicas / GB);
    let index_writes = walk.changed as f64 * INDEX_WRITES_PER_CHANGE + walk.deleted as f64 * INDEX_ENTRIES;
    add_writes(pool, (walk.changed + walk.deleted) as f64, index_writes, &mut usage);
    add_created(pool, walk.created as f64, &mut usage);
    if walk.configuration {
        add_configuration(&mut usage);
    }
    if walk.form == Form::StateMachine {
        add_steps(pool, steps, lists, walks, &mut usage);
    }
    usage
}

fn calls_of_cognito(walk: &Walk, usage: &mut Usage) {
    let probe = 1.0 + walk.users.min(PROBED_MAX) as f64;
    // Whoever is gone is looked for, and every hundredth time somebody who is there.
    let proofs = walk.deleted.div_ceil(100);
    let looks = (walk.deleted + proofs + walk.disputed) as f64;
    usage.add(Meter::ListUsers, probe + walk.pages_of_users() + looks);
    usage.add(Meter::ListUsersInGroup, walk.groups.pages());
    usage.add(Meter::ListGroups, walk.groups.count().div_ceil(60).max(1) as f64);
    usage.add(Meter::DescribeUserPool, 1.0);
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

/// Reads the configuration and finds it as it is stored: its marks, its parts, the pool.
fn add_configuration(usage: &mut Usage) {
    usage.add(Meter::DescribeUserPool, 1.0);
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

/// What the state machine and its functions use.
fn add_steps(pool: &Pool, steps: f64, lists: f64, walks: f64, usage: &mut Usage) {
    usage.add(Meter::Reconciler, steps);
    usage.add(
        Meter::Transitions,
        RUN_TRANSITIONS + LIST_TRANSITIONS * lists + PREFIX_TRANSITIONS * walks,
    );
    // All chains wait for their parts of one quota.
    let quota = pool.share.allot(Category::UserList.default_rps(), 1);
    let listed = usage.get(Meter::ListUsers) + usage.get(Meter::ListUsersInGroup);
    let seconds = listed / quota.rps * f64::from(CHAINS) + steps * STEP_SECONDS;
    usage.add(Meter::GbSeconds, seconds * RECONCILER_GB);
    usage.add(Meter::LogGb, steps * LOG_BYTES_PER_INVOCATION / GB);
}
