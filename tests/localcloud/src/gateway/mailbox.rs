//! The mails and text messages that Cognito would have sent, so that a test can play the user who reads them.
//!
//! Invariant: kept in memory only, bounded, and shown to nobody but the control endpoint's caller.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::pools::Message;

/// Enough for a test, and bounded under load.
const KEPT: usize = 20_000;

/// The latest messages, oldest first.
#[derive(Default)]
pub(super) struct Mailbox(VecDeque<Message>);

impl Mailbox {
    pub(super) fn put(&mut self, messages: Vec<Message>) {
        self.0.extend(messages);
        let excess = self.0.len().saturating_sub(KEPT);
        self.0.drain(..excess);
    }

    /// The messages of a pool and a user; `None` = any.
    pub(super) fn list(&self, pool: Option<&str>, sub: Option<&str>) -> Value {
        self.0
            .iter()
            .filter(|message| pool.is_none_or(|pool| message.pool == pool) && sub.is_none_or(|sub| message.sub == sub))
            .map(|message| {
                json!({
                    "medium": message.medium,
                    "pool": message.pool,
                    "sub": message.sub,
                    "code": message.code,
                    "reason": message.reason,
                })
            })
            .collect()
    }
}
