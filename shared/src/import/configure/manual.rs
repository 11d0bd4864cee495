//! What somebody has to do by hand, because no call with what the backup holds does it, and what is made otherwise on purpose.
//!
//! Invariant: names settings, never their values.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A task for a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManualTask {
    /// The setting that it is about: part, member and names below them, joined by `/`.
    pub path: String,
    /// What to do, and why.
    pub what: String,
    /// Whether the target lacks something until it is done. A difference at or below the path is expected then.
    pub is_gap: bool,
}

impl ManualTask {
    /// The target lacks the setting at `path` until somebody does `what`.
    pub fn gap(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
            is_gap: true,
        }
    }

    /// The setting at `path` is made; `what` is to be done beside it.
    pub fn beside(path: impl Into<String>, what: impl Into<String>) -> Self {
        Self {
            path: path.into(),
            what: what.into(),
            is_gap: false,
        }
    }

    /// Whether a difference at `path` comes from this.
    #[must_use]
    pub fn explains(&self, path: &str) -> bool {
        let below = path.strip_prefix(self.path.as_str());
        self.is_gap && below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
    }
}

/// Something that is made otherwise than the backup has it, on purpose.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Adjusted {
    /// The setting: part, member and names below them, joined by `/`.
    pub path: String,
    /// What is otherwise, and why.
    pub why: String,
}

impl fmt::Display for ManualTask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.what)
    }
}
