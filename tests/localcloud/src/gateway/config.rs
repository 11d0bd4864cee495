//! What a test can ask of the local cloud: one JSON shape for the config file and for `PUT /_localcloud/config`.
//!
//! Invariant: an unknown or impossible setting is refused, never ignored: a misspelt fault would make a test pass for the
//! wrong reason.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Every setting. What is omitted has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Added to every call of a service before it takes effect; keyed by service (`cognito`, `dynamodb`, ...).
    pub latency_ms: BTreeMap<String, Span>,
    /// How far behind `ListUsers` and `ListUsersInGroup` read.
    pub stale_list_ms: u32,
    /// The request quotas of Cognito.
    pub quotas: Quotas,
    /// How CloudTrail records reach EventBridge.
    pub trail: Trail,
    /// How import jobs are worked off.
    pub imports: Imports,
    /// What happens to messages on their way into SQS.
    pub sqs: Sqs,
    /// Scripted faults; the first rule that matches and fires decides.
    pub faults: Vec<FaultRule>,
    /// Access key id to role (ARN): whom a signed call is attributed to.
    pub callers: BTreeMap<String, String>,
    /// Seed of every random draw of the gateway. A new configuration starts the sequence again.
    pub seed: u64,
}

/// A fixed number of milliseconds, or the ends of a range to draw from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Span {
    /// Always as long.
    Fixed(u64),
    /// Drawn evenly from the range, ends included.
    Range([u64; 2]),
}

impl Span {
    /// The shortest and the longest.
    #[must_use]
    pub fn ends(self) -> (u64, u64) {
        match self {
            Self::Fixed(millis) => (millis, millis),
            Self::Range([from, to]) => (from, to),
        }
    }
}

/// Request quotas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quotas {
    /// Off = nothing is ever throttled but by a fault.
    pub enabled: bool,
    /// Category (`UserList`, ...) to requests a second, in place of AWS's default.
    pub overrides: BTreeMap<String, u32>,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            enabled: true,
            overrides: BTreeMap::new(),
        }
    }
}

/// Delivery of CloudTrail records, which AWS documents as best effort.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Trail {
    /// Time from the call to its event; a wide range also reorders.
    pub delay_ms: Span,
    /// Share of events delivered twice.
    pub duplicate_percent: f64,
    /// Share of events never delivered.
    pub drop_percent: f64,
}

impl Default for Trail {
    fn default() -> Self {
        Self {
            delay_ms: Span::Range([50, 300]),
            duplicate_percent: 0.0,
            drop_percent: 0.0,
        }
    }
}

/// Import jobs. AWS publishes no rate; that of the default is nobody's measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Imports {
    /// Rows a second.
    pub rows_per_second: u32,
    /// From the start of a job to its first row.
    pub pending_ms: u32,
}

impl Default for Imports {
    fn default() -> Self {
        Self {
            rows_per_second: 500,
            pending_ms: 200,
        }
    }
}

/// What a standard queue may do to its messages.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sqs {
    /// Share of messages sent twice.
    pub duplicate_percent: f64,
    /// Share of messages that stay invisible for a while.
    pub delay_percent: f64,
    /// Longest such delay; at least one second is drawn.
    pub delay_seconds_max: u16,
}

/// One scripted fault.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FaultRule {
    /// Service as the request's signature names it (`dynamodb`, `sqs`, `lambda`); `cognito-idp` or `cognito`; `*` = all.
    #[serde(default = "any")]
    pub service: String,
    /// Operation name; `*` = all.
    #[serde(default = "any")]
    pub operation: String,
    /// Only calls to this Region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// Share of matching calls; all of them when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub percent: Option<f64>,
    /// How often the rule may fire; without end when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What happens.
    pub kind: FaultKind,
    /// Wait this long before it happens.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay_ms: Option<u64>,
}

fn any() -> String {
    "*".to_owned()
}

/// The kinds of faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The service's own throttling error; nothing is applied.
    Throttle,
    /// The service's own refusal of a call that IAM does not permit; nothing is applied.
    Deny,
    /// The service's answer when the customer's key is disabled; nothing is applied.
    KeyDisabled,
    /// HTTP 500; nothing is applied.
    #[serde(rename = "http500")]
    Http500,
    /// HTTP 503; nothing is applied.
    #[serde(rename = "http503")]
    Http503,
    /// No answer for `delay_ms` (60 s when absent), then the connection closes; nothing is applied.
    Timeout,
    /// The call is applied and the connection closes without an answer.
    LostResponse,
    /// The connection closes at once; nothing is applied.
    DropConnection,
    /// `ListUsers` and `ListUsersInGroup` answer an empty page with a token that leads on.
    EmptyPage,
    /// The Region is gone: the connection closes at once. Needs `region`.
    RefuseRegion,
    /// The call is applied, and the answer is cut in the middle of its JSON.
    MalformedBody,
}

impl FaultKind {
    /// The name used in the configuration and in the counters.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Throttle => "throttle",
            Self::Deny => "deny",
            Self::KeyDisabled => "key_disabled",
            Self::Http500 => "http500",
            Self::Http503 => "http503",
            Self::Timeout => "timeout",
            Self::LostResponse => "lost_response",
            Self::DropConnection => "drop_connection",
            Self::EmptyPage => "empty_page",
            Self::RefuseRegion => "refuse_region",
            Self::MalformedBody => "malformed_body",
        }
    }
}

/// The name under which a service appears in counters and rules.
#[must_use]
pub fn service_name(given: &str) -> &str {
    if given == "cognito" { "cognito-idp" } else { given }
}

impl Config {
    /// Read a configuration.
    ///
    /// # Errors
    /// Says which setting is unknown or impossible.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let mut config: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        // One spelling inside, so that look-ups need not know the alias.
        config.latency_ms = config
            .latency_ms
            .into_iter()
            .map(|(service, span)| (service_name(&service).to_owned(), span))
            .collect();
        for rule in &mut config.faults {
            rule.service = service_name(&rule.service).to_owned();
        }
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        for (name, span) in self
            .latency_ms
            .iter()
            .map(|(name, span)| (name.as_str(), span))
            .chain([("trail", &self.trail.delay_ms)])
        {
            let (from, to) = span.ends();
            if from > to {
                return Err(format!("{name}: the range [{from}, {to}] is empty"));
            }
        }
        let shares = [
            ("trail.duplicate_percent", self.trail.duplicate_percent),
            ("trail.drop_percent", self.trail.drop_percent),
            ("sqs.duplicate_percent", self.sqs.duplicate_percent),
            ("sqs.delay_percent", self.sqs.delay_percent),
        ];
        let rules = self
            .faults
            .iter()
            .filter_map(|rule| rule.percent.map(|percent| ("faults[].percent", percent)));
        for (name, percent) in shares.into_iter().chain(rules) {
            if !(0.0..=100.0).contains(&percent) {
                return Err(format!("{name}: {percent} is no percentage"));
            }
        }
        if self.sqs.delay_percent > 0.0 && !(1..=900).contains(&self.sqs.delay_seconds_max) {
            return Err("sqs.delay_seconds_max: 1 to 900 when delay_percent is set".to_owned());
        }
        if self.imports.rows_per_second == 0 {
            return Err("imports.rows_per_second: at least 1".to_owned());
        }
        for rule in &self.faults {
            if rule.kind == FaultKind::RefuseRegion && rule.region.is_none() {
                return Err("faults[]: refuse_region needs a region".to_owned());
            }
            if rule.kind == FaultKind::EmptyPage && !["*", "cognito-idp"].contains(&rule.service.as_str()) {
                return Err("faults[]: empty_page exists for Cognito's lists only".to_owned());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn omitted_means_default_and_aliases_are_resolved() {
        let config = Config::parse(
            br#"{"latency_ms": {"cognito": [5, 9], "dynamodb": 3}, "faults": [{"service": "cognito", "kind": "http503", "count": 1}]}"#,
        )
        .expect("valid");
        assert_eq!(config.latency_ms["cognito-idp"].ends(), (5, 9));
        assert_eq!(config.latency_ms["dynamodb"].ends(), (3, 3));
        assert_eq!(config.faults[0].service, "cognito-idp");
        assert_eq!(config.faults[0].operation, "*");
        assert!(config.quotas.enabled);
        let again =
            Config::parse(&serde_json::to_vec(&config).expect("plain data")).expect("what GET answers, PUT accepts");
        assert_eq!(again, config);
    }

    #[test]
    fn mistakes_are_named() {
        for (text, wanted) in [
            (r#"{"lattency": 1}"#, "lattency"),
            (r#"{"trail": {"delay_ms": [9, 1]}}"#, "trail"),
            (r#"{"trail": {"drop_percent": 101}}"#, "drop_percent"),
            (r#"{"sqs": {"delay_percent": 5}}"#, "delay_seconds_max"),
            (r#"{"imports": {"rows_per_second": 0}}"#, "rows_per_second"),
            (r#"{"faults": [{"kind": "refuse_region"}]}"#, "refuse_region"),
            (r#"{"faults": [{"kind": "explode"}]}"#, "explode"),
            (
                r#"{"faults": [{"kind": "empty_page", "service": "sqs"}]}"#,
                "empty_page",
            ),
        ] {
            let error = Config::parse(text.as_bytes()).expect_err("a mistake");
            assert!(error.contains(wanted), "{error}");
        }
    }
}
