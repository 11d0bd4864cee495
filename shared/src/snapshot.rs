//! The configuration snapshot: what a pool is set to, as raw JSON from the wire, part by part and with its history.
//!
//! Raw, because a typed SDK drops every member that is newer than itself, and because the importer has to send back what
//! Cognito said and not what this version understood of it.
//!
//! * [`plan`] is the list of calls as data, [`survey`] asks them one after another and judges the answers.
//! * [`normal`] says what of an answer is configuration and what counts as a difference.
//! * [`stored`] lays captures out as documents of the table, [`past`] reads them back as of an instant.
//! * [`reading`] asks a survey's calls, or reads the documents, through the ports.
//! * [`diff`] compares two configurations field by field.
//!
//! Invariant: what could not be read never replaces and never deletes what is stored. A member is recorded as gone only when
//! Cognito says so about that member, while the pool itself still answers.

pub mod diff;
pub mod normal;
pub mod past;
pub mod plan;
pub mod reading;
pub mod stored;
pub mod survey;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{marks::Part, time::Timestamp};

/// Name of the one member that a part has for the pool as a whole.
pub const POOL_LEVEL: &str = "pool";

/// Configuration as Cognito answered it. It may hold client secrets, so `Debug` is redacted and there is no `Display`.
///
/// Integers of 64 bits keep their value, and so do decimal numbers of up to 15 digits, more than AWS's timestamps have.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Value);

impl Json {
    /// Wraps `value`.
    #[must_use]
    pub fn new(value: Value) -> Self {
        Self(value)
    }

    /// The value itself. Every caller is a place to check that it goes to AWS, to the table, or through [`diff`].
    #[must_use]
    pub fn expose(&self) -> &Value {
        &self.0
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// What one read showed of one member.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// It is set like this.
    Json(Json),
    /// There is nothing: an AWS error code that says so, or one of [`survey`]'s own reasons.
    Absent(String),
    /// It was there and is gone, found so at this instant.
    Deleted(Timestamp),
}

/// One member of one part, as a read showed it.
#[derive(Clone, Debug, PartialEq)]
pub struct Captured {
    /// The part.
    pub part: Part,
    /// The member: [`POOL_LEVEL`], an app client, a domain, ...
    pub name: String,
    /// The operation that showed it.
    pub source: &'static str,
    /// When it was asked.
    pub read_at: Timestamp,
    /// What it showed.
    pub content: Content,
}
