//! Who was met on the walk, in 20 bytes each.
//!
//! A `sub` is kept as the first half of its SHA-256: of any form, and of a size that a million of them fit in some
//! megabytes. That two of a million share it is less likely than one in 10^26.
//!
//! Invariant: whoever is noted is found again.

use std::collections::HashMap;

use twinpool_shared::{canon::ContentHash, personal::Sub};

/// The first half of a SHA-256.
pub(super) type Short = [u8; 16];

/// The short form of `sub`.
pub(super) fn short(sub: &Sub) -> Short {
    let hash = ContentHash::of_bytes(sub.as_str().as_bytes()).to_string();
    let half = hash.get(..32).unwrap_or_default();
    u128::from_str_radix(half, 16).unwrap_or_default().to_be_bytes()
}

/// How a user of the target was met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Met {
    /// For the first time.
    First,
    /// Again: lists overlap.
    Again,
    /// Somebody else was made from the same user of the backup.
    Twice,
}

/// Users of the backup who were found.
#[derive(Debug, Default)]
pub(super) struct Seen {
    /// With four bytes of the new `sub`, which tell two users of the target apart.
    found: HashMap<Short, [u8; 4]>,
}

impl Seen {
    /// Notes that `old` was found as `new`.
    pub(super) fn find(&mut self, old: &Sub, new: &Sub) -> Met {
        let [a, b, c, d, ..] = short(new);
        let new = [a, b, c, d];
        match self.found.insert(short(old), new) {
            None => Met::First,
            Some(before) if before == new => Met::Again,
            Some(_) => Met::Twice,
        }
    }

    /// Whether a user of the backup was found.
    pub(super) fn has(&self, old: &Sub) -> bool {
        self.found.contains_key(&short(old))
    }

    /// How many users of the backup were found.
    pub(super) fn found(&self) -> u64 {
        self.found.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_is_noted_is_found_again_and_somebody_else_is_told_apart() {
        let [ann, bob] = ["3c9a1b2d-0051-7076-79e2-0123456789ab", "b"].map(|sub| Sub::new(sub).expect("a sub"));
        let mut seen = Seen::default();
        assert_eq!(seen.find(&ann, &bob), Met::First);
        assert_eq!(seen.find(&ann, &bob), Met::Again);
        assert_eq!(seen.find(&ann, &ann), Met::Twice);
        assert!(seen.has(&ann) && !seen.has(&bob));
        assert_eq!(seen.found(), 1);
        assert_ne!(short(&ann), short(&bob));
    }
}
