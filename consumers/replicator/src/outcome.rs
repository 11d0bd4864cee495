//! What a message comes to, and how that is made good before the message is acknowledged.
//!
//! Invariant: put back and parked mean that the copy was accepted; otherwise the message stays in the queue.

use std::collections::BTreeSet;

use aws_lambda_events::event::sqs::SqsBatchResponse;
use futures::{StreamExt, stream};
use twinpool_shared::{
    change::Change,
    error::{Directive, Error},
    metric::{self, Metric},
    port::{Backup, Outbox, ReadPool, Reason, Written},
    settle::{Doubt, Verdict},
    time::Timestamp,
};

use crate::{
    CONCURRENCY_MAX, Replicator,
    intake::{Entry, Message},
};

/// What a message comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It led to a write, committed at this instant.
    Applied(Timestamp),
    /// It said nothing new.
    Unchanged,
    /// No read showed it to the last attempt; the last one is stored.
    Believed(Doubt),
    /// A read does not show it yet: look again later.
    Again {
        /// Seconds until then.
        delay_seconds: u32,
        /// Why; `None` for a change that was only announced so far.
        why: Option<Doubt>,
    },
    /// It cannot be handled: to the dead-letter queue.
    Park(Reason),
    /// It could not be handled now: back to the queue.
    GiveBack(Error),
}

impl Outcome {
    /// The outcome of an error, by its directive.
    #[must_use]
    pub fn of_error(error: Error) -> Self {
        match error.directive() {
            Directive::RetryLater | Directive::Stop => Self::GiveBack(error),
            Directive::Park => Self::Park(reason_of(&error)),
        }
    }

    /// The outcome of a verdict; `written` is when the subject's record was written, if it was.
    #[must_use]
    pub fn of_verdict(change: &Change, verdict: Verdict, written: Option<Timestamp>) -> Self {
        match verdict {
            Verdict::Settled => written.map_or(Self::Unchanged, Self::Applied),
            Verdict::Believed(doubt) => Self::Believed(doubt),
            Verdict::Again { delay_seconds, why } => Self::Again {
                delay_seconds,
                why: Some(why),
            },
            Verdict::Park(doubt) => Self::Park(Reason {
                code: doubt.as_str(),
                explanation: format!(
                    "looked for {} times; if the pool has the user, redrive; if not, the nightly reconcile settles it",
                    change.attempt + 1
                ),
            }),
        }
    }

    /// The outcome of a write.
    #[must_use]
    pub fn of_write(written: Written, at: Timestamp) -> Self {
        match written {
            Written::Stored => Self::Applied(at),
            Written::Conflict => Self::Unchanged,
        }
    }

    /// A message that concerns several subjects comes to the worst of their outcomes.
    fn severity(&self) -> u8 {
        match self {
            Self::Unchanged => 0,
            Self::Applied(_) | Self::Believed(_) => 1,
            Self::Again { .. } => 2,
            Self::Park(_) => 3,
            Self::GiveBack(_) => 4,
        }
    }
}

fn reason_of(error: &Error) -> Reason {
    Reason {
        code: error.kind.as_str(),
        explanation: error.to_string(),
    }
}

/// The same outcome for all of `entries`.
#[must_use]
pub fn for_all(entries: &[Entry], outcome: &Outcome) -> Vec<(usize, Outcome)> {
    entries.iter().map(|entry| (entry.at, outcome.clone())).collect()
}

/// Notes an outcome of the message at `at`; the worst one stays.
pub fn settle(outcomes: &mut [Option<Outcome>], at: usize, outcome: Outcome) {
    if let Some(slot) = outcomes.get_mut(at)
        && slot.as_ref().is_none_or(|held| outcome.severity() > held.severity())
    {
        *slot = Some(outcome);
    }
}

/// What happened in a batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tally {
    applied: usize,
    unchanged: usize,
    again: usize,
    believed: usize,
    parked: usize,
    given_back: usize,
    lags_millis: Vec<f64>,
}

impl Tally {
    /// The batch's metrics.
    #[must_use]
    pub fn metrics(&self, user_reads: usize, factor_reads: usize) -> Vec<(Metric, Vec<f64>)> {
        #[expect(clippy::cast_precision_loss, reason = "a batch has at most 10,000 messages")]
        let count = |count: usize| if count == 0 { Vec::new() } else { vec![count as f64] };
        vec![
            (metric::CHANGES_APPLIED, count(self.applied)),
            (metric::CHANGES_UNCHANGED, count(self.unchanged)),
            (metric::STALE_RETRIED, count(self.again)),
            (metric::STALE_BELIEVED, count(self.believed)),
            (metric::CHANGES_PARKED, count(self.parked)),
            (metric::CHANGES_GIVEN_BACK, count(self.given_back)),
            (metric::REPLICATION_LAG, self.lags_millis.clone()),
            (metric::USER_READS, count(user_reads)),
            (metric::FACTOR_READS, count(factor_reads)),
        ]
    }
}

/// Makes every outcome good and says which messages stay in the queue.
pub(crate) async fn conclude<P: ReadPool, B: Backup, Q: Outbox>(
    replicator: &Replicator<P, B, Q>,
    messages: &[Message],
    outcomes: Vec<Outcome>,
) -> (SqsBatchResponse, Tally) {
    // A storm of the same change is put back once.
    let mut put_back = BTreeSet::new();
    let work = messages.iter().zip(outcomes).map(|(message, outcome)| {
        let outcome = match outcome {
            Outcome::Again { .. }
                if message
                    .change()
                    .is_some_and(|change| !put_back.insert((&change.id, change.attempt))) =>
            {
                Outcome::Unchanged
            }
            // The last try: what fails now would move to the dead-letter queue without a reason.
            Outcome::GiveBack(error) if message.receives >= replicator.settings.receives_max => {
                Outcome::Park(reason_of(&error))
            }
            other => other,
        };
        (message, outcome)
    });
    let work: Vec<_> = work.collect();
    let concluded: Vec<(&Message, Outcome, Result<(), Error>)> = stream::iter(work)
        .map(|(message, outcome)| async move {
            let done = replicator.make_good(message, &outcome).await;
            (message, outcome, done)
        })
        .buffered(CONCURRENCY_MAX)
        .collect()
        .await;

    let mut response = SqsBatchResponse::default();
    let mut tally = Tally::default();
    for (message, outcome, done) in concluded {
        let change = message.change();
        let (id, cause) = change
            .as_ref()
            .map_or(("", ""), |change| (change.id.as_str(), change.cause.as_str()));
        match (&outcome, done) {
            (_, Err(error)) => {
                tally.given_back += 1;
                tracing::error!(change = id, cause, error = %error, "given back: neither put back nor parked");
                response.add_failure(&message.id);
            }
            (Outcome::GiveBack(error), Ok(())) => {
                tally.given_back += 1;
                tracing::warn!(change = id, cause, receives = message.receives, error = %error, "given back");
                response.add_failure(&message.id);
            }
            (Outcome::Applied(at), Ok(())) => {
                tally.applied += 1;
                let lag = change
                    .as_ref()
                    .map_or(0, |change| at.millis_since(change.occurred_at).max(0));
                #[expect(clippy::cast_precision_loss, reason = "a lag of 285,000 years is not expected")]
                tally.lags_millis.push(lag as f64);
                tracing::info!(change = id, cause, lag_millis = lag, "applied");
            }
            (Outcome::Unchanged, Ok(())) => {
                tally.unchanged += 1;
                tracing::info!(change = id, cause, "unchanged");
            }
            (Outcome::Believed(doubt), Ok(())) => {
                tally.believed += 1;
                tracing::warn!(
                    change = id,
                    cause,
                    why = doubt.as_str(),
                    "the read was believed, although it never showed the event"
                );
            }
            (Outcome::Again { delay_seconds, why }, Ok(())) => {
                tally.again += 1;
                let why = why.map_or("announced", Doubt::as_str);
                tracing::info!(change = id, cause, delay_seconds, why, "put back");
            }
            (Outcome::Park(reason), Ok(())) => {
                tally.parked += 1;
                tracing::error!(
                    change = id,
                    cause,
                    reason = reason.code,
                    explanation = reason.explanation,
                    "parked"
                );
            }
        }
    }
    (response, tally)
}

/// Seconds until a message that was received `receives` times is tried again; `None` leaves it to the queue's own timeout
/// (seven minutes in the template), so that ten deliveries outlast an outage of most of an hour.
fn retry_seconds(receives: u32) -> Option<i32> {
    match receives {
        0 | 1 => Some(2),
        2 => Some(8),
        3 => Some(30),
        4 => Some(120),
        _ => None,
    }
}

impl<P: ReadPool, B: Backup, Q: Outbox> Replicator<P, B, Q> {
    async fn make_good(&self, message: &Message, outcome: &Outcome) -> Result<(), Error> {
        match outcome {
            Outcome::Again { delay_seconds, .. } => match message.change() {
                Some(change) => self.queue.send(&change.again(), *delay_seconds).await,
                None => Ok(()),
            },
            Outcome::Park(reason) => {
                // SQS takes no empty body.
                let body = if message.body.is_empty() { "-" } else { &message.body };
                self.dead_letters.park(body, reason, (self.clock)()).await
            }
            Outcome::GiveBack(_) => {
                if let Some(seconds) = retry_seconds(message.receives) {
                    // Only a kindness: without it the message comes back after the queue's own timeout.
                    if let Err(error) = self.queue.retry_in(&message.receipt_handle, seconds).await {
                        tracing::debug!(error = %error, "comes back after the queue's own timeout");
                    }
                }
                Ok(())
            }
            Outcome::Applied(_) | Outcome::Unchanged | Outcome::Believed(_) => Ok(()),
        }
    }
}
