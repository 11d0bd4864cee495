//! What a queue says of itself.
//!
//! Invariant: attributes only. No message is received, because receiving counts as a delivery.

use aws_sdk_sqs::{Client, types::QueueAttributeName};
use serde::{Deserialize, Serialize};
use twinpool_shared::{adapter::aws::classify, error::Error};

/// How many messages a queue has, as SQS estimates them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Depth {
    /// Waiting.
    pub(crate) visible: u64,
    /// Being worked on.
    pub(crate) in_flight: u64,
    /// Waiting for their delay.
    pub(crate) delayed: u64,
}

/// A queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Queue {
    /// Its ARN.
    pub(crate) arn: String,
    /// Its messages.
    pub(crate) depth: Depth,
    /// Where messages go that are never handled.
    pub(crate) redrive: Option<Redrive>,
    /// The key's id; `None` for SQS's own encryption.
    pub(crate) key: Option<String>,
    /// How long a message is kept, in seconds.
    pub(crate) retention_seconds: u64,
}

/// Redrive policy.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct Redrive {
    /// ARN of the dead-letter queue.
    #[serde(rename = "deadLetterTargetArn")]
    pub(crate) target: String,
}

impl Queue {
    /// Asks the queue at `url`, which `name` names in errors.
    ///
    /// # Errors
    /// As SQS answers.
    pub(crate) async fn read(sqs: &Client, url: &str, name: &str) -> Result<Self, Error> {
        let request = sqs.get_queue_attributes().queue_url(url);
        let answer = request.attribute_names(QueueAttributeName::All).send().await;
        let answer = answer.map_err(|error| classify(&format!("sqs:GetQueueAttributes on the {name}"), &error))?;
        let attributes = answer.attributes.unwrap_or_default();
        let text = |name: QueueAttributeName| attributes.get(&name).cloned();
        let count = |name| text(name).and_then(|text| text.parse().ok()).unwrap_or(0);
        Ok(Self {
            arn: text(QueueAttributeName::QueueArn).unwrap_or_default(),
            depth: Depth {
                visible: count(QueueAttributeName::ApproximateNumberOfMessages),
                in_flight: count(QueueAttributeName::ApproximateNumberOfMessagesNotVisible),
                delayed: count(QueueAttributeName::ApproximateNumberOfMessagesDelayed),
            },
            redrive: text(QueueAttributeName::RedrivePolicy).and_then(|text| serde_json::from_str(&text).ok()),
            key: text(QueueAttributeName::KmsMasterKeyId).filter(|key| !key.is_empty()),
            retention_seconds: count(QueueAttributeName::MessageRetentionPeriod),
        })
    }
}

impl Depth {
    /// For a person.
    pub(crate) fn describe(self) -> String {
        format!(
            "{} waiting, {} in work, {} delayed",
            self.visible, self.in_flight, self.delayed
        )
    }
}
