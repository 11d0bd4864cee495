//! Canonical bytes and the content hash.
//!
//! Canonical bytes are JSON with sorted keys, no spaces and no optional member that is absent: structs serialise in their
//! declared order, maps and sets are B-trees. Equal content has equal bytes on every machine and version.

use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// SHA-256 of canonical bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash([u8; 32]);

impl ContentHash {
    /// Hash of `bytes`.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// First hexadecimal digit.
    #[must_use]
    pub fn first_hex_digit(&self) -> char {
        char::from_digit(u32::from(self.0[0] >> 4), 16).unwrap_or('0')
    }
}

impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Canonical bytes of `content`.
///
/// # Panics
/// Never for the model's types: they have no map with keys that are not strings and no failing serialiser.
#[must_use]
pub fn canonical_bytes<T: Serialize>(content: &T) -> Vec<u8> {
    serde_json::to_vec(content).expect("the model's types always serialise")
}

/// Hash of the canonical bytes of `content`.
#[must_use]
pub fn content_hash<T: Serialize>(content: &T) -> ContentHash {
    ContentHash::of_bytes(&canonical_bytes(content))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn hash_is_sha_256_in_hex() {
        let empty = ContentHash::of_bytes(b"");
        assert_eq!(
            empty.to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_eq!(format!("{empty:?}"), empty.to_string());
        assert_eq!(empty.first_hex_digit(), 'e');
    }

    #[test]
    fn insertion_order_does_not_matter() {
        let one = BTreeMap::from([("b", 1), ("a", 2)]);
        let two = BTreeMap::from([("a", 2), ("b", 1)]);
        assert_eq!(canonical_bytes(&one), b"{\"a\":2,\"b\":1}");
        assert_eq!(content_hash(&one), content_hash(&two));
        assert_ne!(content_hash(&one), content_hash(&BTreeMap::from([("a", 2)])));
    }
}
