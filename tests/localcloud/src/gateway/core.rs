//! What the gateway needs of the Cognito core, and the core's answer to it.
//!
//! Invariant: the gateway reaches the state of the pools through this trait alone, so that its tests can script the answers.

use std::collections::BTreeMap;

use serde_json::Value;

use super::identity::ACCOUNT;
use crate::pools::{Buckets, Call, Cloud, Outcome, TokenSigner, quota_category};

/// The user pools of one account.
pub trait UserPools: Send {
    /// Carry out one call.
    fn apply(&mut self, call: &Call, now_millis: i64) -> Outcome;
    /// Whether the quota of the operation's category still has room.
    fn admit(&mut self, region: &str, operation: &str, now_millis: i64) -> bool;
    /// Replace the default rates (requests a second by category); the buckets start full.
    fn set_rates(&mut self, overrides: &BTreeMap<String, u32>);
    /// How fast import jobs are: rows a second, and milliseconds from the start to the first row.
    fn set_import_pace(&mut self, rows_per_second: u32, pending_millis: u32);
    /// The public keys that the tokens verify with.
    fn jwks(&self) -> Value;
    /// One user as the state holds it, read without any effect (no call of Cognito's own does that).
    fn user(&self, pool: &str, sub: &str) -> Option<Value>;
    /// How many users of a pool are billable this month.
    fn billable(&self, pool: &str) -> usize;
}

/// The real core with its quota buckets, which AWS keeps per account and Region.
#[derive(Debug)]
pub struct Core {
    cloud: Cloud,
    jwks: Value,
    buckets: BTreeMap<String, Buckets>,
}

impl Core {
    /// An empty account.
    #[must_use]
    pub fn new(seed: u64, tokens: TokenSigner) -> Self {
        let jwks = tokens.jwks();
        Self {
            cloud: Cloud::new(ACCOUNT, seed, tokens),
            jwks,
            buckets: BTreeMap::new(),
        }
    }

    /// The same, reached at `endpoint`: the presigned URLs of import jobs lead there.
    #[must_use]
    pub fn at(mut self, endpoint: &str) -> Self {
        self.cloud.set_upload_base(endpoint);
        self
    }

    /// A limit that was bought is in force at once.
    fn note_limit(&mut self, region: &str) {
        let rates = self.cloud.rates_in(region);
        if let Some(buckets) = self.buckets.get_mut(region) {
            for (category, rate) in rates {
                buckets.set_rate(&category, rate);
            }
        }
    }
}

impl UserPools for Core {
    fn apply(&mut self, call: &Call, now_millis: i64) -> Outcome {
        let outcome = self.cloud.apply(call, now_millis);
        if call.operation == "UpdateProvisionedLimit" && outcome.answer.is_ok() {
            self.note_limit(call.region.as_deref().unwrap_or_default());
        }
        outcome
    }

    fn admit(&mut self, region: &str, operation: &str, now_millis: i64) -> bool {
        let Some(category) = quota_category(operation) else {
            return true;
        };
        if !self.buckets.contains_key(region) {
            let rates = self.cloud.rates_in(region);
            self.buckets.insert(region.to_owned(), Buckets::new(&rates));
        }
        self.buckets
            .get_mut(region)
            .is_none_or(|buckets| buckets.take(category, now_millis))
    }

    fn set_rates(&mut self, overrides: &BTreeMap<String, u32>) {
        self.cloud.set_rates(overrides);
        self.buckets.clear();
    }

    fn set_import_pace(&mut self, rows_per_second: u32, pending_millis: u32) {
        self.cloud.set_import_pace(rows_per_second, pending_millis);
    }

    fn jwks(&self) -> Value {
        self.jwks.clone()
    }

    fn user(&self, pool: &str, sub: &str) -> Option<Value> {
        self.cloud.user_snapshot(pool, sub)
    }

    fn billable(&self, pool: &str) -> usize {
        self.cloud.billable_this_month(pool)
    }
}
