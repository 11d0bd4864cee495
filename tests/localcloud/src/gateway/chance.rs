//! Seeded chance: which call is hit by a fault, how late an event comes.
//!
//! Invariant: the same seed and the same sequence of draws give the same results; it is never used for anything secret.

/// SplitMix64: small, well distributed, and enough for drawing lots.
#[derive(Clone, Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Evenly from `from..=to`.
    pub(super) fn between(&mut self, from: u64, to: u64) -> u64 {
        // The bias of the remainder is far below what a test could see.
        from + self.bits() % (to - from).saturating_add(1)
    }

    /// True for this share of the draws. A share of 0 or 100 draws nothing, so that switching one fault off does not
    /// shift the sequence of the others.
    pub(super) fn percent(&mut self, share: f64) -> bool {
        if share <= 0.0 {
            return false;
        }
        share >= 100.0 || (self.bits() >> 11) as f64 / (1_u64 << 53) as f64 * 100.0 < share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_seed_same_draws_and_fair_shares() {
        let draw = |seed| {
            let mut chance = Chance::new(seed);
            (0..10_000).filter(|_| chance.percent(20.0)).count()
        };
        assert_eq!(draw(7), draw(7));
        assert!((1_800..2_200).contains(&draw(7)), "{}", draw(7));
        let mut chance = Chance::new(1);
        assert!((0..1_000).all(|_| (3..=5).contains(&chance.between(3, 5))));
        assert_eq!(chance.between(4, 4), 4);
    }
}
