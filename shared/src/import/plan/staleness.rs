//! Whether a backup is fit to rebuild a pool from, or an operator has to accept what is wrong with it.
//!
//! Invariant: what is not known counts as wanting. Each reason names the remedy beside the flag.

use super::Freshness;
use crate::time::{SECOND_MILLIS, Timestamp};

/// A nightly reconcile that is older missed a night. In hours; two beyond a day for a run that starts late or takes long.
pub const STALE_HOURS: i64 = 26;

/// What is wanting in the backup at `now`, in words; nothing when it is fit.
#[must_use]
pub fn reasons(freshness: &Freshness, now: Timestamp) -> Vec<String> {
    let mut reasons = Vec::new();
    match &freshness.reconcile {
        None => reasons.push(
            "no reconcile of this pool was ever finished: users from before the triggers may be missing (twinpool reconcile, \
             while the pool can be reached)"
                .to_owned(),
        ),
        Some(last) => {
            let age = now.millis_since(last.finished_at) / (3_600 * SECOND_MILLIS);
            if now.millis_since(last.finished_at) > STALE_HOURS * 3_600 * SECOND_MILLIS {
                reasons.push(format!(
                    "the last reconcile was finished {age} hours ago, at {}: later changes are only known as far as triggers and \
                     CloudTrail told of them",
                    last.finished_at
                ));
            }
            if let Some(what) = &last.guard {
                reasons.push(format!(
                    "the last reconcile found so many {what} missing that it deleted none: the backup may hold {what} that the pool \
                     no longer had (twinpool status shows it)"
                ));
            }
            if last.drift_left > 0 {
                reasons.push(format!(
                    "the last reconcile left {} differences between pool and backup",
                    last.drift_left
                ));
            }
        }
    }
    if freshness.unreconciled > 0 {
        reasons.push(format!(
            "{} users are not reconciled yet: the backup knows no status or no disabled flag of them, and they would come back \
             confirmed or enabled",
            freshness.unreconciled
        ));
    }
    if !freshness.incomplete.is_empty() {
        reasons.push(format!(
            "the configuration is not complete: {} (what is missing will not be rebuilt)",
            freshness.incomplete.join(", ")
        ));
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::import::plan::Reconciled;

    const HOUR: i64 = 3_600 * SECOND_MILLIS;

    fn reconciled(guard: Option<&str>, drift_left: u64) -> Freshness {
        Freshness {
            reconcile: Some(Reconciled {
                run: "r".to_owned(),
                finished_at: Timestamp::from_millis(0),
                drift_left,
                guard: guard.map(str::to_owned),
            }),
            ..Freshness::default()
        }
    }

    #[test]
    fn a_backup_of_last_night_is_fit_and_one_that_missed_a_night_is_not() {
        assert!(reasons(&reconciled(None, 0), Timestamp::from_millis(26 * HOUR)).is_empty());
        let stale = reasons(&reconciled(None, 0), Timestamp::from_millis(26 * HOUR + 1));
        assert!(stale.len() == 1 && stale[0].contains("26 hours ago"), "{stale:?}");
    }

    #[test]
    fn everything_else_that_is_wanting_is_named() {
        let now = Timestamp::from_millis(HOUR);
        assert!(reasons(&Freshness::default(), now)[0].contains("twinpool reconcile"));
        assert!(reasons(&reconciled(Some("users"), 0), now)[0].contains("so many users missing"));
        assert!(reasons(&reconciled(None, 3), now)[0].contains("left 3 differences"));
        let mut freshness = reconciled(None, 0);
        freshness.unreconciled = 7;
        assert!(reasons(&freshness, now)[0].starts_with("7 users are not reconciled yet"));
        freshness.unreconciled = 0;
        freshness.incomplete = vec!["clients".to_owned(), "mfa".to_owned()];
        assert!(reasons(&freshness, now)[0].contains("clients, mfa"));
    }
}
