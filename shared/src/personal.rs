//! Newtypes for what identifies or describes a person.
//!
//! Invariant: a [`Personal`] value never appears in a log, an error or a panic: `Debug` is redacted and there is no `Display`.
//! Serialising writes the value, because queue and table need it; both are encrypted with the customer's key.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A user name, attribute value or other personal text.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal(String);

impl Personal {
    /// Wraps `value`.
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    /// The value itself. Every caller is a place to check that it goes to AWS or to the table and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Personal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A user's `sub`: an opaque, stable identifier. It may be logged; nothing else about a user may.
///
/// Usually shaped like a UUID, but newer pools issue values that no UUID parser accepts, so it is kept as text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Sub(String);

impl Sub {
    /// Longest `sub` accepted; AWS documents 36 characters, and a longer one would be somebody else's data.
    pub const LENGTH_MAX: usize = 128;

    /// A `sub`, unless it is empty, too long, or has characters that could break a filter expression or a key.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (!text.is_empty() && text.len() <= Self::LENGTH_MAX && text.chars().all(plain)).then(|| Self(text.to_owned()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Sub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_values_do_not_print() {
        let value = Personal::new("ann@example.com");
        assert_eq!(format!("{value:?}"), "[redacted]");
        assert_eq!(value.expose(), "ann@example.com");
        assert_eq!(serde_json::to_string(&value).unwrap(), "\"ann@example.com\"");
    }

    #[test]
    fn subs_are_opaque_but_harmless() {
        for good in ["3c9a1b2d-0051-7076-79e2-0123456789ab", "a", "A_b-9"] {
            assert_eq!(Sub::new(good).unwrap().as_str(), good);
            assert_eq!(Sub::new(good).unwrap().to_string(), good);
        }
        let longest = "a".repeat(Sub::LENGTH_MAX);
        assert!(Sub::new(&longest).is_some());
        for bad in ["", "a\"b", "a b", "a#b", "ä", &format!("{longest}a")] {
            assert!(Sub::new(bad).is_none(), "{bad}");
        }
    }
}
