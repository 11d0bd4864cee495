//! From an SQS message to a change.
//!
//! Invariant: one bad message fails alone.

use aws_lambda_events::event::sqs::SqsMessage;
use twinpool_shared::{change::Change, error::Error};

/// A message as the replicator needs it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// What the body says, or why it says nothing.
    pub change: Result<Change, Error>,
    /// Id by which a failure is reported.
    pub id: String,
    /// The body; personal.
    pub body: String,
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

impl From<SqsMessage> for Message {
    fn from(message: SqsMessage) -> Self {
        let receives = message
            .attributes
            .get("ApproximateReceiveCount")
            .and_then(|count| count.parse().ok());
        let body = message.body.unwrap_or_default();
        Self {
            change: Change::parse(&body).map_err(Error::from),
            id: message.message_id.unwrap_or_default(),
            body,
            receives: receives.unwrap_or(1),
        }
    }
}
