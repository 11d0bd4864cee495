//! A local cloud with the documented quotas and some latency, and what was asked of it.
//!
//! Invariant: calls are those that the local cloud counted, not those that a tool says it made.

use std::{collections::BTreeMap, path::Path};

use aws_config::{Region, SdkConfig};
use serde_json::{Value, json};
use twinpool_localcloud::gateway::{
    config::Config,
    counters::Counters,
    instance::{Emulator, LocalCloud},
};

use crate::{
    stack::{Failure, control::Control},
    stand_ins::sdk_config,
};

/// The lost Region.
pub(super) const PRIMARY: &str = "us-east-1";
/// Where pools are rebuilt.
pub(super) const RECOVERY: &str = "us-west-2";
/// Of every call of Cognito.
pub(super) const COGNITO_MILLIS: u64 = 80;
const SERVICE: &str = "cognito-idp";

/// A local cloud without any service but Cognito.
pub(super) struct Cloud {
    local: LocalCloud,
    control: Control,
    sdk: SdkConfig,
}

impl Cloud {
    /// Starts one.
    pub(super) async fn start(folder: &Path) -> Result<Self, Failure> {
        let settings = json!({"latency_ms": {"cognito": COGNITO_MILLIS}, "trail": {"drop_percent": 100.0}}).to_string();
        let settings = Config::parse(settings.as_bytes()).map_err(|why| Failure::new("the configuration", why))?;
        let local = LocalCloud::start(0, folder, Emulator::None, settings).await;
        let local = local.map_err(|error| Failure::new("the local cloud", error))?;
        Ok(Self {
            control: Control::new(local.endpoint()),
            sdk: sdk_config(local.endpoint()).await,
            local,
        })
    }

    /// Its URL.
    pub(super) fn endpoint(&self) -> &str {
        self.local.endpoint()
    }

    /// Cognito in a Region, with quotas and latency.
    pub(super) fn cognito(&self, region: &'static str) -> aws_sdk_cognitoidentityprovider::Client {
        let config = self.sdk.to_builder().region(Region::new(region)).build();
        aws_sdk_cognitoidentityprovider::Client::new(&config)
    }

    /// An operation past quotas, latency and counters.
    pub(super) async fn by_hand(&self, region: &str, operation: &str, input: Value) -> Result<Value, Failure> {
        self.control.by_hand(operation, Some(region), input).await
    }

    /// What is counted from here on.
    pub(super) fn meter(&self) -> Meter<'_> {
        Meter {
            cloud: self,
            before: self.local.gateway().counters(),
        }
    }
}

/// Counts from an instant on.
pub(super) struct Meter<'a> {
    cloud: &'a Cloud,
    before: Counters,
}

impl Meter<'_> {
    /// What was asked since.
    pub(super) fn read(&self) -> Traffic {
        let (before, now) = (&self.before, self.cloud.local.gateway().counters());
        let of = |tallies: &BTreeMap<String, BTreeMap<String, u64>>| {
            let tally = tallies.get(SERVICE);
            tally.map_or(0, |tally| tally.values().sum::<u64>())
        };
        Traffic {
            calls: of(&now.calls) - of(&before.calls),
            throttled: of(&now.throttled) - of(&before.throttled),
            messages: now.mails + now.sms - before.mails - before.sms,
        }
    }
}

/// What was asked of Cognito, and what it sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Traffic {
    /// Calls, whatever became of them.
    pub(super) calls: u64,
    /// Of those, how many a quota refused.
    pub(super) throttled: u64,
    /// Mails and text messages to users.
    pub(super) messages: u64,
}
