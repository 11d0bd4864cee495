//! The sub map: whose `sub` became which, for every database that is keyed by it.
//!
//! Invariant: nothing but `sub`s, which have no character that CSV or JSON would have to escape.

use serde::{Deserialize, Serialize};

use crate::personal::Sub;

/// First line of the CSV form, without its end.
pub const CSV_HEADER: &str = "old_sub,new_sub,first_sub";

/// One user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Entry {
    /// `sub` in the backup.
    pub old: Sub,
    /// `sub` in the target.
    pub new: Sub,
    /// `sub` before the backup's pool was itself rebuilt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Sub>,
}

impl Entry {
    /// A line of the CSV form, without its end.
    #[must_use]
    pub fn csv_line(&self) -> String {
        let first = self.first.as_ref().map_or("", Sub::as_str);
        format!("{},{},{first}", self.old, self.new)
    }

    /// A line of the JSON form, one object to a line, without its end.
    #[must_use]
    pub fn json_line(&self) -> String {
        let first = self.first.as_ref().map(|first| format!(r#","first":"{first}""#));
        format!(
            r#"{{"old":"{}","new":"{}"{}}}"#,
            self.old,
            self.new,
            first.unwrap_or_default()
        )
    }
}
