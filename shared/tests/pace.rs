//! The rate of a caller stays within its bounds and below the quota, whatever is refused and answered.
//!
//! Invariant: nothing here knows when a service refuses; every history of answers is as good as any other.

use proptest::{collection, prelude::*};
use twinpool_shared::{
    pace::{FLOOR_RPS, Pace, RECOVERY_MILLIS},
    time::Timestamp,
};

use crate::generate::cases;

fn floor(limit: f64) -> f64 {
    FLOOR_RPS.min(limit)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

proptest! {
    #![proptest_config(cases(1_000))]

    #[test]
    fn the_rate_is_between_floor_and_limit_and_comes_back(
        limit in 0.05..200.0f64,
        // Clocks step back now and then.
        history in collection::vec((-2_000..5_000i64, any::<bool>()), 0..200),
    ) {
        let mut pace = Pace::new(limit);
        let mut now = 0;
        for (passed, refused) in history {
            now += passed;
            if refused {
                pace.on_throttled(at(now));
            } else {
                pace.on_answered(at(now));
            }
            prop_assert!((floor(limit)..=limit).contains(&pace.rate()), "{} of {limit}", pace.rate());
        }
        // However long the silence before it, one answer is enough.
        let latest = now + 2_000 * 200 + RECOVERY_MILLIS;
        pace.on_answered(at(latest));
        prop_assert_eq!(pace.rate(), limit);
    }

    #[test]
    fn workers_that_do_not_know_of_one_another_settle_at_the_quota(
        limits in collection::vec(1.0..60.0f64, 1..17),
        spare in 1.1..4.0f64,
    ) {
        // A quota that everybody's floor fits into; without that, refusals are all that there is.
        let quota = spare * limits.iter().copied().map(floor).sum::<f64>();
        let growth: f64 = limits.iter().map(|limit| limit * 1_000.0 / RECOVERY_MILLIS as f64).sum();
        let mut workers: Vec<Pace> = limits.into_iter().map(Pace::new).collect();
        let together = |workers: &[Pace]| workers.iter().map(Pace::rate).sum::<f64>();
        let mut offered = 0.0;
        for second in 0..300 {
            let now = at(second * 1_000);
            let refused = together(&workers) > quota;
            for worker in &mut workers {
                if refused {
                    worker.on_throttled(now);
                } else {
                    worker.on_answered(now);
                }
            }
            // From 60 a second to the floor it is seven halvings.
            if second >= 10 {
                prop_assert!(together(&workers) <= quota + growth, "{} of {quota}", together(&workers));
                offered += together(&workers);
            }
        }
        prop_assert!(offered / 290.0 <= quota + growth / 2.0);
    }
}
