//! The harness's own random numbers (splitmix64), so that a seed means the same on every machine and for ever.
//!
//! Invariant: a draw depends on the seed and on the draws before it, and on nothing else.

/// A sequence of draws.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draw(u64);

impl Draw {
    /// The sequence of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The sequence of the `number`th user of a seed.
    #[must_use]
    pub fn of(seed: u64, number: u64) -> Self {
        let mut both = Self(seed ^ number.wrapping_mul(0xD134_2543_DE82_EF95));
        Self(both.number())
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `end`, which is not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        // The bias of the remainder is far below what any test here could notice.
        self.number() % end
    }

    /// True in `percent` of the draws.
    pub fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_published_sequence() {
        // The reference values of splitmix64 for seed 1234567.
        let mut draw = Draw::new(1_234_567);
        assert_eq!(
            [draw.number(), draw.number()],
            [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]
        );
    }

    #[test]
    fn users_have_sequences_of_their_own() {
        assert_ne!(Draw::of(1, 0), Draw::of(1, 1));
        assert_ne!(Draw::of(1, 5), Draw::of(2, 5));
        assert_eq!(Draw::of(1, 5), Draw::of(1, 5));
    }
}
