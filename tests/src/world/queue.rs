//! A standard queue with its dead-letter queue: at least once, in any order, with delays and receive counts.
//!
//! Invariant: a message leaves only by being acknowledged, or by its last receive, which moves it to the dead letters.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
};

use tokio::sync::Notify;
use twinpool_shared::{
    change::Change,
    error::Error,
    port::{Outbox, Reason},
    time::Timestamp,
};

use super::{clock::WorldClock, journal::Journal, locked, network::Network};

/// How long a received message stays hidden, as in `infra/primary.yaml`.
const VISIBILITY_MILLIS: i64 = 420_000;
/// How often a message is received at most, as by default.
pub const RECEIVES_MAX: u32 = 10;
/// Messages of a batch, as in `infra/primary.yaml`.
const BATCH_MAX: usize = 100;

#[derive(Clone, Debug)]
struct Message {
    body: String,
    visible_at: i64,
    receives: u32,
    /// Number of the latest receipt; an older one changes nothing any more.
    receipt: u64,
}

/// A message that nobody could handle.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The body as it came.
    pub body: String,
    /// Why; `None` when the queue moved it.
    pub reason: Option<Reason>,
}

/// A message as a consumer receives it.
#[derive(Clone, Debug)]
pub struct Received {
    /// Id, by which it is acknowledged.
    pub id: u64,
    /// Handle of this receipt.
    pub receipt: String,
    /// The body.
    pub body: String,
    /// How often it has been received.
    pub receives: u32,
}

#[derive(Debug, Default)]
struct State {
    messages: BTreeMap<u64, Message>,
    dead: Vec<DeadLetter>,
    next: u64,
}

#[derive(Debug)]
struct Inner {
    state: Mutex<State>,
    changed: Notify,
    clock: WorldClock,
    network: Network,
    journal: Arc<Journal>,
}

/// The queue of changes and its dead letters.
#[derive(Clone, Debug)]
pub struct QueueDouble(Arc<Inner>);

impl QueueDouble {
    /// An empty queue.
    #[must_use]
    pub fn new(clock: WorldClock, network: Network, journal: Arc<Journal>) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            changed: Notify::new(),
            clock,
            network,
            journal,
        }))
    }

    /// What the replicator puts changes back to, or parks them in.
    #[must_use]
    pub fn outbox(&self) -> QueueOutbox {
        QueueOutbox(self.clone())
    }

    /// A message arrives, to be received after `delay_millis`; sometimes it arrives twice.
    pub fn push(&self, body: &str, delay_millis: i64) {
        let doubled = self.chance(self.0.network.weather().doubled_percent);
        let mut state = locked(&self.0.state);
        let now = self.0.clock.elapsed_millis();
        for copy in 0..=i64::from(doubled) {
            let late = copy * i64::try_from(self.0.network.below(20_000)).unwrap_or(0);
            state.push(body.to_owned(), now + delay_millis + late);
        }
        drop(state);
        self.0.changed.notify_waiters();
    }

    /// Draws in a storm only.
    fn chance(&self, percent: u64) -> bool {
        let weather = self.0.network.weather();
        self.0.network.percent(percent) && !weather.is_calm()
    }

    /// Waits for messages and takes a batch of them, in any order.
    pub async fn receive(&self) -> Vec<Received> {
        loop {
            let changed = self.0.changed.notified();
            let next = locked(&self.0.state).next_visible();
            let now = self.0.clock.elapsed_millis();
            match next {
                Some(at) if at <= now => break,
                Some(at) => {
                    tokio::select! {
                        biased;
                        () = changed => {}
                        () = self.0.clock.until(at) => {}
                    }
                }
                None => changed.await,
            }
        }
        // The batching window: what comes meanwhile comes along.
        super::clock::wait(self.0.network.below(1_000)).await;
        self.take()
    }

    fn take(&self) -> Vec<Received> {
        let now = self.0.clock.elapsed_millis();
        let mut state = locked(&self.0.state);
        let mut visible: Vec<u64> = state.visible(now);
        let mut batch = Vec::new();
        // Lambda's pollers are many: each has some of the messages, or all.
        let most = match self.0.network.below(3) {
            0 => 1 + usize::try_from(self.0.network.below(4)).unwrap_or(0),
            _ => BATCH_MAX,
        };
        while !visible.is_empty() && batch.len() < most {
            let pick = self.0.network.below(visible.len() as u64);
            let id = visible.swap_remove(usize::try_from(pick).unwrap_or(0));
            // At least once: another consumer may receive it as well.
            let hidden = if self.chance(self.0.network.weather().doubled_percent / 3) {
                i64::try_from(self.0.network.below(2_000)).unwrap_or(0)
            } else {
                VISIBILITY_MILLIS
            };
            match state.take(id, now + hidden) {
                Some(received) => batch.push(received),
                None => self
                    .0
                    .journal
                    .note("queue", format!("message {id} to the dead letters")),
            }
        }
        batch
    }

    /// Acknowledges a message; sometimes the queue does not hear it.
    pub fn acknowledge(&self, id: u64) {
        if !self.chance(self.0.network.weather().doubled_percent / 10) {
            locked(&self.0.state).messages.remove(&id);
        }
    }

    /// Whether there is no message, visible or hidden.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        locked(&self.0.state).messages.is_empty()
    }

    /// The dead letters.
    #[must_use]
    pub fn dead(&self) -> Vec<DeadLetter> {
        locked(&self.0.state).dead.clone()
    }

    /// Sends every dead letter to the queue again, as it is.
    pub fn redrive(&self) -> usize {
        let mut state = locked(&self.0.state);
        let now = self.0.clock.elapsed_millis();
        let dead = VecDeque::from(std::mem::take(&mut state.dead));
        let count = dead.len();
        for letter in dead {
            state.push(letter.body, now);
        }
        drop(state);
        self.0.changed.notify_waiters();
        count
    }
}

impl State {
    fn push(&mut self, body: String, visible_at: i64) {
        self.next += 1;
        let message = Message {
            body,
            visible_at,
            receives: 0,
            receipt: 0,
        };
        self.messages.insert(self.next, message);
    }

    fn next_visible(&self) -> Option<i64> {
        self.messages.values().map(|message| message.visible_at).min()
    }

    fn visible(&self, now: i64) -> Vec<u64> {
        let visible = self.messages.iter().filter(|(_, message)| message.visible_at <= now);
        visible.map(|(id, _)| *id).collect()
    }

    fn take(&mut self, id: u64, hidden_until: i64) -> Option<Received> {
        let message = self.messages.get_mut(&id)?;
        if message.receives >= RECEIVES_MAX {
            let body = self.messages.remove(&id)?.body;
            self.dead.push(DeadLetter { body, reason: None });
            return None;
        }
        message.receives += 1;
        message.receipt += 1;
        message.visible_at = hidden_until;
        Some(Received {
            id,
            receipt: format!("{id}:{}", message.receipt),
            body: message.body.clone(),
            receives: message.receives,
        })
    }

    fn retry_at(&mut self, receipt_handle: &str, visible_at: i64) {
        let parts = receipt_handle.split_once(':');
        let Some((Ok(id), Ok(receipt))) = parts.map(|(id, receipt)| (id.parse::<u64>(), receipt.parse::<u64>())) else {
            return;
        };
        if let Some(message) = self.messages.get_mut(&id).filter(|message| message.receipt == receipt) {
            message.visible_at = visible_at;
        }
    }
}

/// The sending side of a [`QueueDouble`].
#[derive(Clone, Debug)]
pub struct QueueOutbox(QueueDouble);

impl Outbox for QueueOutbox {
    async fn send(&self, change: &Change, delay_seconds: u32) -> Result<(), Error> {
        let queue = &self.0;
        queue.0.network.reach().await?;
        queue.push(&change.to_body(), i64::from(delay_seconds) * 1_000);
        queue.0.network.answer().await
    }

    async fn park(&self, body: &str, reason: &Reason, _at: Timestamp) -> Result<(), Error> {
        let inner = &self.0.0;
        inner.network.reach().await?;
        inner.journal.note("queue", format!("parked: {}", reason.code));
        let letter = DeadLetter {
            body: body.to_owned(),
            reason: Some(reason.clone()),
        };
        locked(&inner.state).dead.push(letter);
        inner.network.answer().await
    }

    async fn retry_in(&self, receipt_handle: &str, seconds: i32) -> Result<(), Error> {
        let inner = &self.0.0;
        inner.network.reach().await?;
        let visible_at = inner.clock.elapsed_millis() + i64::from(seconds) * 1_000;
        locked(&inner.state).retry_at(receipt_handle, visible_at);
        inner.changed.notify_waiters();
        inner.network.answer().await
    }
}
