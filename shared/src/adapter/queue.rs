//! SQS: sending changes and parking what cannot be handled.
//!
//! Invariant: a send that failed is reported, never assumed. A send whose answer was lost may have arrived; duplicates are
//! harmless to `merge`.

use aws_sdk_sqs::{
    Client,
    types::{MessageAttributeValue, QueueAttributeName},
};

use super::aws::classify;
use crate::{
    change::Change,
    error::Error,
    port::{Outbox, Reason},
    time::Timestamp,
};

/// Name of the message attribute with the reason's code.
pub const REASON: &str = "twinpool-reason";
/// Name of the message attribute with the reason in words and the hint.
pub const EXPLANATION: &str = "twinpool-explanation";
/// Name of the message attribute with the instant of parking.
pub const PARKED_AT: &str = "twinpool-parked-at";

/// Longest delay that SQS takes, in seconds.
const DELAY_SECONDS_MAX: u32 = 900;

/// A queue.
#[derive(Clone, Debug)]
pub struct Queue {
    client: Client,
    url: String,
}

impl Queue {
    /// The queue at `url`.
    #[must_use]
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        Self {
            client,
            url: url.into(),
        }
    }

    /// Whether the queue exists and answers, for the check at start. `what` is `queue` or `dead-letter queue`.
    ///
    /// # Errors
    /// `NotFound` or `Denied`, which name the variable or the permission.
    pub async fn probe(&self, variable: &str) -> Result<(), Error> {
        let request = self.client.get_queue_attributes().queue_url(&self.url);
        let answer = request.attribute_names(QueueAttributeName::QueueArn).send().await;
        answer
            .map(drop)
            .map_err(|error| classify(&format!("sqs:GetQueueAttributes on the queue in {variable}"), &error))
    }
}

impl Outbox for Queue {
    async fn send(&self, change: &Change, delay_seconds: u32) -> Result<(), Error> {
        let delay = i32::try_from(delay_seconds.min(DELAY_SECONDS_MAX)).unwrap_or(0);
        let request = self
            .client
            .send_message()
            .queue_url(&self.url)
            .message_body(change.to_body());
        let request = request.set_delay_seconds((delay > 0).then_some(delay));
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("sqs:SendMessage on the queue", &error))
    }

    async fn park(&self, body: &str, reason: &Reason, at: Timestamp) -> Result<(), Error> {
        let text = |value: &str| {
            let value = if value.is_empty() { "-" } else { value };
            MessageAttributeValue::builder()
                .data_type("String")
                .string_value(value)
                .build()
        };
        let mut request = self.client.send_message().queue_url(&self.url).message_body(body);
        for (name, value) in [
            (REASON, reason.code),
            (EXPLANATION, &reason.explanation),
            (PARKED_AT, &at.to_string()),
        ] {
            if let Ok(value) = text(value) {
                request = request.message_attributes(name, value);
            }
        }
        request
            .send()
            .await
            .map(drop)
            .map_err(|error| classify("sqs:SendMessage on the dead-letter queue", &error))
    }

    async fn retry_in(&self, receipt_handle: &str, seconds: i32) -> Result<(), Error> {
        let request = self
            .client
            .change_message_visibility()
            .queue_url(&self.url)
            .receipt_handle(receipt_handle);
        let answer = request.visibility_timeout(seconds).send().await;
        answer
            .map(drop)
            .map_err(|error| classify("sqs:ChangeMessageVisibility on the queue", &error))
    }
}
