//! What stays closed although the import has gone through everybody.
//!
//! Invariant: a name or an outside identity that a user of the backup has is nobody else's to take, unless an operator says so.

use twinpool_shared::import::{configure::Phase, plan::TargetPool, progress::Tally};

/// What is not opened yet, and what an operator is told of it.
///
/// An existing target is alive: it is open already. `open_sign_up`: the operator wants it open.
pub(super) fn closed(tally: &Tally, target: &TargetPool, open_sign_up: bool) -> (&'static [Phase], Option<String>) {
    let is_new = matches!(target, TargetPool::New { .. });
    match (tally.vacant, tally.unlinked) {
        _ if open_sign_up || !is_new => (&[], None),
        (0, 0) => (&[], None),
        (0, unlinked) => (
            &[Phase::OutsideSignIn],
            Some(format!(
                "outside providers stay closed: {unlinked} users lack an outside identity, which could never be linked once \
                 somebody has signed in by it; {MEND}"
            )),
        ),
        (vacant, _) => (
            &[Phase::SignUp, Phase::OutsideSignIn],
            Some(format!(
                "sign-up and outside providers stay closed: {vacant} users could not be made, whose names anybody could take; {MEND}"
            )),
        ),
    }
}

const MEND: &str = "mend that and run twinpool apply PLAN --retry-failed, or open them with --open-sign-up";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_pool_stays_closed_while_names_or_identities_are_anybodys() {
        let new = TargetPool::New { name: "p".to_owned() };
        let existing = TargetPool::Existing { id: "p".to_owned() };
        let tally = |vacant, unlinked| Tally {
            vacant,
            unlinked,
            ..Tally::default()
        };
        assert_eq!(closed(&tally(0, 0), &new, false), (&[][..], None));
        for (tally, phases, told) in [
            (
                tally(3, 1),
                &[Phase::SignUp, Phase::OutsideSignIn][..],
                "3 users could not",
            ),
            (tally(0, 2), &[Phase::OutsideSignIn], "2 users lack"),
        ] {
            let (left, warning) = closed(&tally, &new, false);
            assert_eq!(left, phases);
            let warning = warning.expect("told");
            for part in [told, "--retry-failed", "--open-sign-up"] {
                assert!(warning.contains(part), "{warning}");
            }
            assert_eq!(closed(&tally, &new, true), (&[][..], None));
            assert_eq!(closed(&tally, &existing, false), (&[][..], None));
        }
    }
}
