//! Ports: what the consumers need of AWS, as traits.
//!
//! Each has two implementations: the adapter over the AWS SDK, and the double in which the simulations run the very same
//! consumers, thousands of histories a minute.
//!
//! Invariant: a port decides nothing. What an answer means is judged by [`crate::settle`], [`crate::merge`] and
//! [`crate::reconcile`].

use std::{
    collections::{BTreeSet, HashMap},
    future::Future,
    sync::Arc,
};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    change::Change,
    error::Error,
    group::GroupSettings,
    item::{GroupItem, Key, UserItem},
    marks::Part,
    observation::UserRead,
    personal::{Personal, Sub},
    time::Timestamp,
    user::Factors,
};

/// Tells the present.
pub type Clock = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// A page of a list that goes on for as long as there is a token. A page may be short or empty and still have one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// What the page shows.
    pub entries: Vec<T>,
    /// Leads to the next page; `None` is the end, and nothing else is.
    pub token: Option<String>,
}

/// Reading a user pool.
pub trait ReadPool: Send + Sync {
    /// The user with this `sub`, by `ListUsers`, which bills nobody and is eventually consistent.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    fn find_user(&self, pool: &str, sub: &Sub) -> impl Future<Output = Result<Option<UserRead>, Error>> + Send;

    /// Names of the user's groups, or `None` when there is no such user.
    ///
    /// # Errors
    /// As Cognito answers.
    fn groups_of(
        &self,
        pool: &str,
        username: &Personal,
    ) -> impl Future<Output = Result<Option<BTreeSet<String>>, Error>> + Send;

    /// The group's settings, or `None` when there is no such group.
    ///
    /// # Errors
    /// As Cognito answers. A pool that does not exist cannot be told from a group that does not.
    fn group(&self, pool: &str, name: &str) -> impl Future<Output = Result<Option<GroupSettings>, Error>> + Send;

    /// The user's MFA settings, or `None` when there is no such user. **Makes the user billable for the month.**
    ///
    /// # Errors
    /// As Cognito answers.
    fn factors_of(
        &self,
        pool: &str,
        username: &Personal,
    ) -> impl Future<Output = Result<Option<Factors>, Error>> + Send;

    /// Ids of the pool's app clients.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    fn clients_of(&self, pool: &str) -> impl Future<Output = Result<Vec<String>, Error>> + Send;

    /// A page of at most 60 users: those whose `sub` begins with `prefix`, or all. One `ListUsers` call.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    fn users_page(
        &self,
        pool: &str,
        prefix: Option<&str>,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Page<(Sub, UserRead)>, Error>> + Send;

    /// A page of at most 60 members of a group, or `None` when there is no such group. One `ListUsersInGroup` call.
    ///
    /// # Errors
    /// As Cognito answers.
    fn members_page(
        &self,
        pool: &str,
        group: &str,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Option<Page<Sub>>, Error>> + Send;

    /// A page of at most 60 groups with their settings. One `ListGroups` call.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    fn groups_page(
        &self,
        pool: &str,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Page<(String, GroupSettings)>, Error>> + Send;

    /// `EstimatedNumberOfUsers`: an estimate, and some hours old. One `DescribeUserPool` call.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    fn estimated_users(&self, pool: &str) -> impl Future<Output = Result<u64, Error>> + Send;
}

/// Asking a user pool in raw JSON, so that members and operations newer than the SDK are there as well.
pub trait RawPool: Send + Sync {
    /// Calls `operation`, one that only reads, with `input`, and returns what Cognito answered. May hold client secrets.
    ///
    /// # Errors
    /// As Cognito answers; `what` ends in the error code when Cognito gave one.
    fn call(&self, operation: &str, input: Value) -> impl Future<Output = Result<Value, Error>> + Send;
}

/// Why a change of a pool was not made, as far as is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Cognito refuses it, with this code (`UsernameExistsException`, ...); nothing was changed.
    Refused(String),
    /// No answer, or none that is one: it may have been made. The caller looks before it asks again.
    Doubtful(Error),
    /// It was not made: not admitted, denied, or refused for its quota until patience ended.
    Failed(Error),
}

/// Changing a user pool, in raw JSON.
pub trait WritePool: Send + Sync {
    /// Calls `operation` with `input` as often as it is refused for its quota. One that changes the same thing when it comes
    /// twice ([`crate::import::repeatable`]) is also asked again when an answer was lost; any other is not.
    ///
    /// # Errors
    /// See [`Refusal`].
    fn change(&self, operation: &str, input: Value) -> impl Future<Output = Result<Value, Refusal>> + Send;
}

/// What became of a conditional write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is stored.
    Stored,
    /// Somebody else wrote first: read again, merge again.
    Conflict,
}

/// A document of the table that is no user and no group: a lease, a run, a checkpoint, a part of the configuration.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Primary key.
    #[serde(flatten)]
    pub key: Key,
    /// Version of the format.
    pub schema_version: u32,
    /// The pool.
    pub pool: String,
    /// Counts the writes; the condition of the next one.
    pub version: u64,
    /// When this version was written.
    pub written_at: Timestamp,
    /// DynamoDB's TTL, epoch seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// The content, as JSON text: DynamoDB's own numbers and empty values are not JSON's. May hold secrets and `sub`s.
    pub body: Personal,
}

/// The backup table in one Region.
pub trait Backup: Send + Sync {
    /// Current items of these users of one pool, read consistently. Users without an item are absent from the answer.
    ///
    /// # Errors
    /// As DynamoDB answers; `Newer` when an item was written by a newer version, `BadItem` when it is none of ours.
    fn users(&self, pool: &str, subs: &[Sub]) -> impl Future<Output = Result<HashMap<Sub, UserItem>, Error>> + Send;

    /// Superseded versions of a user that have not expired, newest first, read consistently.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn user_versions(&self, pool: &str, sub: &Sub) -> impl Future<Output = Result<Vec<UserItem>, Error>> + Send;

    /// Stores `next` in the place of `superseded`, which is put aside first.
    ///
    /// # Errors
    /// As DynamoDB answers. The write may have been made all the same; writing again ends in [`Written::Conflict`].
    fn put_user(
        &self,
        next: &UserItem,
        superseded: Option<&UserItem>,
    ) -> impl Future<Output = Result<Written, Error>> + Send;

    /// A page of the current users of one partition ([`crate::item::shard_partitions`]) whose `sub` begins with `sub_prefix`,
    /// living and deleted, read eventually.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn users_in(
        &self,
        partition: &str,
        sub_prefix: &str,
        token: Option<&str>,
    ) -> impl Future<Output = Result<Page<UserItem>, Error>> + Send;

    /// The group's item, read consistently.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn group(&self, pool: &str, name: &str) -> impl Future<Output = Result<Option<GroupItem>, Error>> + Send;

    /// All groups of a pool, living and deleted, read consistently.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn groups(&self, pool: &str) -> impl Future<Output = Result<Vec<GroupItem>, Error>> + Send;

    /// Stores `next` in the place of the version `replaced`.
    ///
    /// # Errors
    /// As for [`Self::put_user`].
    fn put_group(&self, next: &GroupItem, replaced: Option<u64>)
    -> impl Future<Output = Result<Written, Error>> + Send;

    /// Marks a part of the pool for the reconciler, unless it is marked as late or later already.
    ///
    /// # Errors
    /// As DynamoDB answers.
    fn mark(
        &self,
        pool: &str,
        part: Part,
        at: Timestamp,
        cause: &str,
    ) -> impl Future<Output = Result<Written, Error>> + Send;

    /// The marks of a pool, read consistently.
    ///
    /// # Errors
    /// As DynamoDB answers.
    fn marks(&self, pool: &str) -> impl Future<Output = Result<Vec<(Part, Timestamp)>, Error>> + Send;

    /// Clears a mark, unless it moved on from `at`.
    ///
    /// # Errors
    /// As DynamoDB answers.
    fn clear_mark(&self, pool: &str, part: Part, at: Timestamp) -> impl Future<Output = Result<Written, Error>> + Send;

    /// A document, read consistently.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn document(&self, key: &Key) -> impl Future<Output = Result<Option<Document>, Error>> + Send;

    /// Stores a document in the place of the version `replaced`; `None` for one that must not exist.
    ///
    /// # Errors
    /// As for [`Self::put_user`].
    fn put_document(
        &self,
        next: &Document,
        replaced: Option<u64>,
    ) -> impl Future<Output = Result<Written, Error>> + Send;

    /// Every document whose sort key begins with `sk_prefix`, in the order of the sort key, read consistently.
    ///
    /// # Errors
    /// As for [`Self::users`].
    fn documents(&self, pk: &str, sk_prefix: &str) -> impl Future<Output = Result<Vec<Document>, Error>> + Send;

    /// Removes documents. Those that are not there are removed already.
    ///
    /// # Errors
    /// As DynamoDB answers; some may be removed.
    fn remove_documents(&self, keys: &[Key]) -> impl Future<Output = Result<(), Error>> + Send;
}

/// Why a message is parked, as an operator reads it in the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A code from [`crate::error::ErrorKind::as_str`] or [`crate::settle::Doubt::as_str`].
    pub code: &'static str,
    /// What happened and what to do, without anything personal.
    pub explanation: String,
}

/// A queue to send to.
pub trait Outbox: Send + Sync {
    /// Sends a change, to be received after `delay_seconds` at the earliest.
    ///
    /// # Errors
    /// As the queue answers. The change may have arrived all the same.
    fn send(&self, change: &Change, delay_seconds: u32) -> impl Future<Output = Result<(), Error>> + Send;

    /// Parks a message body as it came, so that a plain redrive tries it again, with its reason beside it.
    ///
    /// # Errors
    /// As the queue answers. The message may have arrived all the same.
    fn park(&self, body: &str, reason: &Reason, at: Timestamp) -> impl Future<Output = Result<(), Error>> + Send;

    /// Lets a received message be received again after `seconds`.
    ///
    /// # Errors
    /// As the queue answers; the message then waits for the queue's own timeout.
    fn retry_in(&self, receipt_handle: &str, seconds: i32) -> impl Future<Output = Result<(), Error>> + Send;
}
