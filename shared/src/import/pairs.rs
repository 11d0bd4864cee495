//! Which `sub` of the backup is which in the target, for a million users in 32 MB.
//!
//! Invariant: a function of what was pushed; of two users with the same marker, who came first stays, or, where the marker is
//! all there is to go by, neither.

use std::collections::{BTreeMap, BTreeSet};

use super::select::order::{pack, unpack};
use crate::personal::Sub;

/// Collects pairs.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    packed: Vec<([u8; 16], [u8; 16])>,
    /// Of any other form than the usual one.
    other: BTreeMap<Sub, Sub>,
    /// Of these, with whom several are paired.
    ambiguous: BTreeSet<Sub>,
}

/// Pairs to look up.
#[derive(Clone, Debug, Default)]
pub struct Paired(Pairs);

impl Pairs {
    /// Adds a user: `old` in the backup, `new` in the target.
    pub fn push(&mut self, old: Sub, new: Sub) {
        match pack(&old).zip(pack(&new)) {
            Some(pair) => self.packed.push(pair),
            None => self.push_other(old, new),
        }
    }

    fn push_other(&mut self, old: Sub, new: Sub) {
        match self.other.get(&old) {
            Some(known) if *known == new => {}
            Some(_) => {
                self.ambiguous.insert(old);
            }
            None => {
                self.other.insert(old, new);
            }
        }
    }

    /// Several walks' pairs together.
    #[must_use]
    pub fn merge(all: Vec<Self>) -> Self {
        let mut merged = Self::default();
        for mut pairs in all {
            merged.packed.append(&mut pairs.packed);
            merged.ambiguous.append(&mut pairs.ambiguous);
            for (old, new) in pairs.other {
                merged.push_other(old, new);
            }
        }
        merged
    }

    /// Makes them ready to be looked up, without those of whom several are paired with the same: nobody knows which is right.
    #[must_use]
    pub fn finish_unambiguous(mut self) -> Paired {
        self.packed.sort_unstable();
        self.packed.dedup();
        let doubles = self.packed.windows(2).filter_map(|pair| match pair {
            [(first, _), (second, _)] if first == second => Some(*first),
            _ => None,
        });
        // In order, as the pairs are.
        let doubles: Vec<[u8; 16]> = doubles.collect();
        self.packed.retain(|(old, _)| doubles.binary_search(old).is_err());
        let ambiguous = std::mem::take(&mut self.ambiguous);
        self.other.retain(|old, _| !ambiguous.contains(old));
        self.finish()
    }

    /// Makes them ready to be looked up.
    #[must_use]
    pub fn finish(mut self) -> Paired {
        self.packed.sort_by_key(|(old, _)| *old);
        self.packed.dedup_by_key(|(old, _)| *old);
        self.packed.shrink_to_fit();
        Paired(self)
    }
}

impl Paired {
    /// How many pairs.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.packed.len() + self.0.other.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The user `old` of the backup, in the target.
    #[must_use]
    pub fn new_sub(&self, old: &Sub) -> Option<Sub> {
        let packed = || {
            let key = pack(old)?;
            let place = self.0.packed.binary_search_by_key(&key, |(old, _)| *old).ok()?;
            let (_, new) = self.0.packed.get(place)?;
            Sub::new(&unpack(new))
        };
        self.0.other.get(old).cloned().or_else(packed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_found_whatever_their_sub_looks_like() {
        let sub = |text: &str| Sub::new(text).unwrap();
        let usual = |n: u32| sub(&format!("{n:08x}-0051-7076-79e2-0123456789ab"));
        let mut pairs = Pairs::default();
        for n in (0..500).rev() {
            pairs.push(usual(n), usual(n + 10_000));
        }
        pairs.push(sub("old"), usual(1));
        pairs.push(usual(501), sub("NEW"));
        pairs.push(usual(7), usual(9));
        let paired = pairs.finish();
        assert_eq!(paired.new_sub(&usual(499)), Some(usual(10_499)));
        assert_eq!(paired.new_sub(&usual(7)), Some(usual(10_007)), "who came first stays");
        assert_eq!(paired.new_sub(&sub("old")), Some(usual(1)));
        assert_eq!(paired.new_sub(&usual(501)), Some(sub("NEW")));
        assert_eq!(paired.new_sub(&usual(500)), None);
    }

    #[test]
    fn of_two_with_the_same_marker_neither_is_taken_for_the_imports_own() {
        let sub = |text: &str| Sub::new(text).unwrap();
        let usual = |n: u32| sub(&format!("{n:08x}-0051-7076-79e2-0123456789ab"));
        let mut walks = [Pairs::default(), Pairs::default()];
        for n in 0..20 {
            walks[0].push(usual(n), usual(n + 100));
        }
        walks[0].push(sub("once"), sub("a"));
        walks[0].push(sub("twice"), sub("b"));
        // Shown again, which is nothing; and by somebody else.
        walks[1].push(usual(3), usual(103));
        walks[1].push(sub("once"), sub("a"));
        walks[1].push(usual(7), usual(200));
        walks[1].push(sub("twice"), sub("c"));
        let paired = Pairs::merge(walks.into()).finish_unambiguous();
        assert_eq!((paired.new_sub(&usual(7)), paired.new_sub(&sub("twice"))), (None, None));
        assert_eq!(paired.new_sub(&usual(3)), Some(usual(103)));
        assert_eq!(paired.new_sub(&sub("once")), Some(sub("a")));
        assert_eq!(paired.len(), 20);
    }
}
