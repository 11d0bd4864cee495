//! What the local cloud saw: the figures that tests and the demo judge by.
//!
//! Invariant: figures and names of operations, roles and errors only; never an identifier of a user, never a value.

use std::collections::BTreeMap;

use serde::Serialize;

type Tally = BTreeMap<String, u64>;

/// All counters since the start or the last reset.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Calls by service and operation, whatever became of them.
    pub calls: BTreeMap<String, Tally>,
    /// Cognito calls by the caller's role and operation; `anonymous` for unsigned calls.
    pub by_caller: BTreeMap<String, Tally>,
    /// Errors answered, by service and error code (HTTP status where the code is not in a header).
    pub errors: BTreeMap<String, Tally>,
    /// Calls refused by a quota or by a throttling fault, by service and operation.
    pub throttled: BTreeMap<String, Tally>,
    /// Mails that Cognito would have sent.
    pub mails: u64,
    /// Text messages that Cognito would have sent.
    pub sms: u64,
    /// Users made billable in this month, by the role whose call did it; `anonymous` = users themselves.
    pub became_active: Tally,
    /// Delivery of CloudTrail records.
    pub trail: TrailCounters,
    /// Faults by `service:operation:kind`.
    pub faults_fired: Tally,
}

/// Delivery of CloudTrail records.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct TrailCounters {
    /// Events handed to a target (one event with two targets counts twice).
    pub delivered: u64,
    /// Events on their way.
    pub pending: u64,
    /// Events lost on purpose.
    pub dropped: u64,
    /// Events sent a second time on purpose.
    pub duplicated: u64,
    /// Events that a target did not take.
    pub failed: u64,
}

impl Counters {
    pub(super) fn called(&mut self, service: &str, operation: &str) {
        bump(&mut self.calls, service, operation);
    }

    pub(super) fn called_by(&mut self, role: &str, operation: &str) {
        bump(&mut self.by_caller, role, operation);
    }

    pub(super) fn failed(&mut self, service: &str, code: &str) {
        bump(&mut self.errors, service, code);
    }

    pub(super) fn throttled(&mut self, service: &str, operation: &str) {
        bump(&mut self.throttled, service, operation);
    }

    pub(super) fn fired(&mut self, service: &str, operation: &str, kind: &str) {
        *self
            .faults_fired
            .entry(format!("{service}:{operation}:{kind}"))
            .or_default() += 1;
    }

    pub(super) fn activated(&mut self, role: &str, users: usize) {
        if users > 0 {
            *self.became_active.entry(role.to_owned()).or_default() += users as u64;
        }
    }

    /// Start again from zero. What is still on its way stays counted as pending.
    pub(super) fn reset(&mut self) {
        let trail = TrailCounters {
            pending: self.trail.pending,
            ..TrailCounters::default()
        };
        *self = Self {
            trail,
            ..Self::default()
        };
    }
}

fn bump(tallies: &mut BTreeMap<String, Tally>, outer: &str, inner: &str) {
    // Both look-ups avoid an allocation for names already seen: this runs on every call.
    if let Some(count) = tallies.get_mut(outer).and_then(|tally| tally.get_mut(inner)) {
        *count += 1;
    } else {
        *tallies
            .entry(outer.to_owned())
            .or_default()
            .entry(inner.to_owned())
            .or_default() += 1;
    }
}
