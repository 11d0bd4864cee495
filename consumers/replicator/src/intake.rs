//! From an SQS message to a change.
//!
//! Invariant: one bad message fails alone.

use aws_lambda_events::event::sqs::SqsMessage;
use twinpool_shared::{
    change::Change,
    error::Error,
    time::Timestamp,
    trail::{Heard, Listener, read_record, undelivered},
};

/// How far ahead another machine's clock may be.
const CLOCK_DIFFERENCE_MILLIS_MAX: i64 = 5_000;

/// What a message's body says.
#[derive(Clone, PartialEq, Eq)]
pub enum Content {
    /// A change.
    Change(Box<Change>),
    /// An undelivered event that needs nothing from the backup.
    Nothing,
    /// Nothing that can be read.
    Unreadable(Error),
}

/// A message as the replicator needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Id by which a failure is reported.
    pub id: String,
    /// Handle of this receipt, to change when the message is received again.
    pub receipt_handle: String,
    /// The body; personal.
    pub body: String,
    /// What the body says.
    pub content: Content,
    /// How often the message has been received, this time included.
    pub receives: u32,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message")
            .field("id", &self.id)
            .field("receives", &self.receives)
            .finish_non_exhaustive()
    }
}

/// A change and the place of its message in the batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Index of the message.
    pub at: usize,
    /// The change.
    pub change: Change,
}

/// A clock that was ahead must not make its change win over every later one.
fn not_from_the_future(mut change: Change, now: Timestamp) -> Change {
    change.occurred_at = change.occurred_at.min(now.plus_millis(CLOCK_DIFFERENCE_MILLIS_MAX));
    change
}

impl Message {
    /// Reads a message that arrived at `now`; `listener` judges events that the listener itself could not send.
    #[must_use]
    pub fn read(message: SqsMessage, listener: &Listener, now: Timestamp) -> Self {
        let receives = message
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok());
        let body = message.body.unwrap_or_default();
        let content = match (Change::parse(&body), undelivered(&body)) {
            (Ok(change), _) => Content::Change(Box::new(not_from_the_future(change, now))),
            (Err(_), Some(event)) => match read_record(listener, &event, now) {
                Heard::Change(change) => Content::Change(change),
                Heard::Ignored(_) => Content::Nothing,
            },
            (Err(error), None) => Content::Unreadable(Error::from(error)),
        };
        Self {
            id: message.message_id.unwrap_or_default(),
            receipt_handle: message.receipt_handle.unwrap_or_default(),
            body,
            content,
            receives: receives.unwrap_or(1),
        }
    }

    /// The change, if it is one.
    #[must_use]
    pub fn change(&self) -> Option<&Change> {
        match &self.content {
            Content::Change(change) => Some(change),
            Content::Nothing | Content::Unreadable(_) => None,
        }
    }
}
