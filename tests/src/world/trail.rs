//! What triggers and listener make of a call's events, in process: the same pure code as in the functions.
//!
//! Invariant: an event is lost, late or doubled only as the weather says, and nothing else becomes a change.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use twinpool_localcloud::pools::Outcome;
use twinpool_shared::{
    change::{Change, Subject},
    operation::Meaning,
    personal::Sub,
    port::Clock,
    settle::first_delay_seconds,
    time::Timestamp,
    trail::{Heard, Listener, read_record},
    trigger::read_trigger,
};

use super::{journal::Journal, locked, network::Network, queue::QueueDouble};

/// Longest start of a trigger: with the clocks' skews it stays within the 5 s that Cognito waits, on which `as_of` relies.
const TRIGGER_START_MILLIS_MAX: u64 = 900;

/// What certainly reached the queue, and what certainly did not.
#[derive(Debug, Default)]
struct Known {
    /// The latest day of a sign-in that was sent.
    last_seen: BTreeMap<Sub, Timestamp>,
    /// Users of whom a change of factors was lost.
    factors_lost: BTreeSet<Sub>,
    lost: u64,
    sent: u64,
}

/// Triggers and listener.
pub struct Ears {
    listener: Listener,
    queue: QueueDouble,
    trigger_clock: Clock,
    listener_clock: Clock,
    network: Network,
    journal: Arc<Journal>,
    known: Mutex<Known>,
}

impl Ears {
    /// Ears for one pool.
    #[must_use]
    pub fn new(
        pool: &str,
        queue: QueueDouble,
        clocks: (Clock, Clock),
        network: Network,
        journal: Arc<Journal>,
    ) -> Self {
        Self {
            listener: Listener {
                pools: vec![pool.to_owned()],
                own_roles: Vec::new(),
            },
            queue,
            trigger_clock: clocks.0,
            listener_clock: clocks.1,
            network,
            journal,
            known: Mutex::default(),
        }
    }

    /// Hears what happens because of a call.
    pub fn hear(&self, outcome: &Outcome) {
        for trigger in &outcome.triggers {
            self.trigger(&trigger.event);
        }
        for record in &outcome.records {
            let event = json!({
                "detail-type": record.detail_type,
                "source": "aws.cognito-idp",
                "detail": record.detail,
            });
            self.record(&event);
        }
    }

    /// The latest day on which `sub` signed in, as far as a trigger told.
    #[must_use]
    pub fn last_seen(&self, sub: &Sub) -> Option<Timestamp> {
        locked(&self.known).last_seen.get(sub).copied()
    }

    /// Whether a change of the user's factors never reached the queue.
    #[must_use]
    pub fn lost_factors_of(&self, sub: &Sub) -> bool {
        locked(&self.known).factors_lost.contains(sub)
    }

    /// Events sent and events lost.
    #[must_use]
    pub fn tally(&self) -> (u64, u64) {
        let known = locked(&self.known);
        (known.sent, known.lost)
    }

    fn millis(&self, below: u64) -> i64 {
        i64::try_from(self.network.below(below)).unwrap_or(0)
    }

    fn trigger(&self, event: &Value) {
        let start = self.millis(TRIGGER_START_MILLIS_MAX);
        let received_at = (self.trigger_clock)().plus_millis(start);
        let request_id = format!("{:016x}", self.network.below(u64::MAX));
        match read_trigger(event, &request_id, received_at) {
            Ok(change) => {
                let delay = first_delay_seconds(&change, received_at).unwrap_or(0);
                self.send(&change, start + self.millis(1_000) + i64::from(delay) * 1_000);
            }
            Err(error) => self
                .journal
                .violation(format!("a trigger's event was not read: {error}")),
        }
    }

    fn record(&self, event: &Value) {
        let weather = self.network.weather();
        let late = self.network.percent(weather.late_percent);
        let delay = if late {
            self.millis(600_000)
        } else {
            500 + self.millis(9_500)
        };
        let seen_at = (self.listener_clock)().plus_millis(delay);
        if let Heard::Change(change) = read_record(&self.listener, event, seen_at) {
            self.send(&change, delay);
        }
    }

    fn send(&self, change: &Change, delay_millis: i64) {
        let lost = self.network.percent(self.network.weather().lost_events_percent);
        let mut known = locked(&self.known);
        if let Subject::User(sub) = &change.subject {
            if lost && change.meaning() == Meaning::Factors {
                known.factors_lost.insert(sub.clone());
            }
            if !lost && change.is_sign_in() {
                let day = change.occurred_at.plus_millis(-5_000).day_start();
                let seen = known.last_seen.entry(sub.clone()).or_insert(day);
                *seen = day.max(*seen);
            }
        }
        if lost {
            known.lost += 1;
            self.journal.note("event", format!("lost: {}", change.cause));
        } else {
            known.sent += 1;
            self.queue.push(&change.to_body(), delay_millis);
        }
    }
}
