//! When sign-up stays closed although the import has gone through everybody.
//!
//! Invariant: a name that a user of the backup has is nobody else's to take, unless an operator says so.

use twinpool_shared::import::progress::{Stage, Tally};

/// How many users could not be made, whose names and addresses anybody could take who signs up.
pub(super) fn names_that_are_free(tally: &Tally) -> u64 {
    let stage = format!("{}: ", Stage::Create.as_str());
    let failed = tally.failed.iter().filter(|(code, _)| code.starts_with(&stage));
    failed.map(|(_, users)| users).sum()
}

/// What an operator is told.
pub(super) fn stays_closed(users: u64) -> String {
    format!(
        "sign-up and outside providers stay closed: {users} users could not be made, whose names anybody could take; mend that and \
         run twinpool apply PLAN --retry-failed, or open them with --open-sign-up"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sign_up_stays_closed_while_names_are_free() {
        let failed = [
            ("create: InvalidParameterException", 2),
            ("create: name-taken", 1),
            ("memberships: ResourceNotFoundException", 5),
        ];
        let tally = Tally {
            failed: failed.map(|(code, users)| (code.to_owned(), users)).into(),
            ..Tally::default()
        };
        assert_eq!(names_that_are_free(&tally), 3);
        assert_eq!(names_that_are_free(&Tally::default()), 0);
        let told = stays_closed(3);
        assert!(told.contains("3 users") && told.contains("--retry-failed") && told.contains("--open-sign-up"));
    }
}
