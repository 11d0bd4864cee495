//! From a trigger's event to a change on the queue, bounded in time and walled in.
//!
//! Invariant: whatever happens in here, a panic included, ends as a [`Missed`] within [`LIMIT`].

use std::time::Duration;

use serde_json::{Value, value::RawValue};
use twinpool_shared::{
    adapter::queue::Queue,
    change::Change,
    error::{Error, ErrorKind},
    port::Outbox,
    settle::first_delay_seconds,
    time::Timestamp,
    trigger::read_trigger,
};

/// The longest that a user waits for us. The send's own budget is a little shorter; this also bounds everything around it.
pub(crate) const LIMIT: Duration = Duration::from_secs(1);

/// Why no change was sent. Nothing in it is personal.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Missed {
    /// No change can be read from the event.
    Unreadable(String),
    /// The change did not reach the queue, as far as we know.
    NotSent(Error),
}

/// Reads the event and sends its change.
///
/// A change that is only announced is sent with a delay, because the user still has to type a code.
pub(crate) async fn capture(
    queue: Result<Queue, Error>,
    event: Box<RawValue>,
    request_id: String,
    received_at: Timestamp,
) -> Result<Change, Missed> {
    let change = {
        // Only the position of a syntax error would be safe to log, and it would help nobody.
        let event: Value = serde_json::from_str(event.get())
            .map_err(|_| Missed::Unreadable("the event is not JSON that can be read".to_owned()))?;
        read_trigger(&event, &request_id, received_at).map_err(|error| Missed::Unreadable(error.to_string()))?
    };
    let queue = queue.map_err(Missed::NotSent)?;
    let delay_seconds = first_delay_seconds(&change, received_at).unwrap_or(0);
    queue.send(&change, delay_seconds).await.map_err(Missed::NotSent)?;
    Ok(change)
}

/// Runs `capture` in a task of its own for at most `limit`.
pub(crate) async fn walled<F>(capture: F, limit: Duration) -> Result<Change, Missed>
where
    F: Future<Output = Result<Change, Missed>> + Send + 'static,
{
    let mut task = tokio::spawn(capture);
    match tokio::time::timeout(limit, &mut task).await {
        Ok(Ok(done)) => done,
        Ok(Err(_panic)) => Err(Missed::NotSent(Error::new(
            ErrorKind::Rejected,
            "the code that sends the change panicked",
        ))),
        Err(_elapsed) => {
            task.abort();
            Err(Missed::NotSent(Error::new(
                ErrorKind::Unavailable,
                "sending the change took over a second",
            )))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(outcome: Result<Change, Missed>) -> ErrorKind {
        match outcome {
            Err(Missed::NotSent(error)) => error.kind,
            other => panic!("unexpected: {other:?}"),
        }
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_panic_is_a_missed_change() {
        let panics = async {
            tokio::task::yield_now().await;
            panic!("on purpose")
        };
        assert_eq!(kind(walled(panics, LIMIT).await), ErrorKind::Rejected);
    }

    #[tokio::test(flavor = "current_thread")]
    async fn what_never_ends_is_ended() {
        let never = std::future::pending();
        assert_eq!(
            kind(walled(never, Duration::from_millis(10)).await),
            ErrorKind::Unavailable
        );
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_unreadable_event_needs_no_queue() {
        for event in ["null", "[]", "\"ann\"", "{\"triggerSource\":\"\\ud800\"}"] {
            let event = RawValue::from_string(event.to_owned()).unwrap();
            let queue = Err(Error::new(ErrorKind::BadSetting, "TWINPOOL_QUEUE_URL is not set"));
            let outcome = capture(queue, event, "r".to_owned(), twinpool_shared::time::EPOCH).await;
            assert!(matches!(outcome, Err(Missed::Unreadable(_))), "{outcome:?}");
        }
    }
}
