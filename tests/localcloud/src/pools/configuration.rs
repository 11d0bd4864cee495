//! What a pool is configured with besides its own settings, groups and app clients: resources as JSON, with dates.
//!
//! Invariant: nothing that belongs to an app client outlives it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::request::seconds;

/// A resource: what was set, and when.
#[derive(Clone, Debug)]
pub(crate) struct Stored {
    pub(crate) settings: Map<String, Value>,
    pub(crate) created: i64,
    pub(crate) modified: i64,
}

impl Stored {
    pub(crate) fn new(settings: Map<String, Value>, now: i64) -> Self {
        Self {
            settings,
            created: now,
            modified: now,
        }
    }

    /// With both dates, as most answers show a resource.
    pub(crate) fn shown(&self) -> Map<String, Value> {
        let mut shown = self.settings.clone();
        shown.insert("CreationDate".into(), seconds(self.created));
        shown.insert("LastModifiedDate".into(), seconds(self.modified));
        shown
    }
}

/// A resource of one app client.
#[derive(Clone, Debug)]
pub(crate) struct OfClient {
    pub(crate) client: String,
    pub(crate) stored: Stored,
}

/// A domain of the hosted pages.
#[derive(Clone, Debug)]
pub(crate) struct Domain {
    pub(crate) managed_login_version: i64,
    /// `CustomDomainConfig`; `None` for a prefix domain.
    pub(crate) custom: Option<Value>,
    /// Between the replicas of the pool; custom domains only.
    pub(crate) routing: Option<Value>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Configuration {
    /// Identity providers by name.
    pub(crate) providers: BTreeMap<String, Stored>,
    /// Resource servers by identifier: name and scopes.
    pub(crate) resource_servers: BTreeMap<String, Map<String, Value>>,
    /// By domain: at most one prefix domain and one custom domain.
    pub(crate) domains: BTreeMap<String, Domain>,
    /// The classic hosted UI, by client id; `ALL` for the pool.
    pub(crate) ui: BTreeMap<String, Stored>,
    /// Styles of managed login, by id.
    pub(crate) branding: BTreeMap<String, OfClient>,
    /// Terms documents, by id.
    pub(crate) terms: BTreeMap<String, OfClient>,
    /// Threat protection, by client id; `None` for the pool.
    pub(crate) risk: BTreeMap<Option<String>, Stored>,
    pub(crate) log_delivery: Vec<Value>,
    /// Status of the secondary, by Region.
    pub(crate) replicas: BTreeMap<String, String>,
    pub(crate) session: Map<String, Value>,
    /// Session settings by client id.
    pub(crate) client_sessions: BTreeMap<String, Map<String, Value>>,
}

impl Configuration {
    pub(crate) fn forget_client(&mut self, id: &str) {
        self.ui.remove(id);
        self.branding.retain(|_, style| style.client != id);
        self.terms.retain(|_, document| document.client != id);
        self.risk.remove(&Some(id.to_owned()));
        self.client_sessions.remove(id);
    }
}
