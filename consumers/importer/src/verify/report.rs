//! What a comparison came to.
//!
//! Invariant: names users by their `sub` in the backup and fields by name; no value of a user.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};
use twinpool_shared::{
    import::{
        expect::{self, Verdict, What},
        recreate::Fate,
    },
    personal::Sub,
    time::Timestamp,
};

use super::{VerifyOrder, members::Memberships, seen::Seen};

/// Unexpected differences that are listed; beyond that they are counted.
const LISTED_MAX: usize = 10_000;

/// A difference that nothing explains.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Difference {
    /// `user`, `group`, `client` or another part of the configuration.
    pub kind: String,
    /// The user's `sub` in the backup, or a name.
    pub subject: String,
    /// In what they differ.
    pub field: String,
    /// `missing`, `differs` or `extra`, as the target has it.
    pub what: String,
}

/// Differences that have to be, for one reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// The reason.
    pub reason: String,
    /// How many there are.
    pub count: u64,
    /// What it means.
    pub explanation: String,
}

/// What a comparison came to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VerifyReport {
    /// The pool that was rebuilt.
    pub target: String,
    /// The plan, where one was given.
    pub plan: Option<String>,
    /// The instant as of which the backup was read.
    pub as_of: Timestamp,
    /// Whether nothing is unexplained.
    pub equal: bool,
    /// Users of the backup who have to be in the target.
    pub users_wanted: u64,
    /// Of those, who is.
    pub users_found: u64,
    /// Users of the target who are of no user of the backup: they signed up there.
    pub users_beside: u64,
    /// Of those, who came by an outside identity and waits for `twinpool repair-federated`.
    pub users_unrepaired: u64,
    /// Memberships of the target.
    pub memberships: u64,
    /// Groups of the target.
    pub groups: u64,
    /// Differences that have to be.
    pub expected: Vec<Explained>,
    /// How many those are.
    pub differences_expected: u64,
    /// How many nothing explains.
    pub differences_unexpected: u64,
    /// The first of those.
    pub differences: Vec<Difference>,
    /// How long it took.
    pub seconds: f64,
}

/// Counts.
#[derive(Debug, Default)]
pub(super) struct Tally {
    wanted: u64,
    beside: u64,
    unrepaired: u64,
    expected: BTreeMap<String, (u64, String)>,
    unexpected: u64,
    differences: Vec<Difference>,
}

impl Tally {
    /// Somebody who is of no user of the backup.
    pub(super) fn stranger(&mut self, status: &str) {
        self.beside += 1;
        self.unrepaired += u64::from(status == "EXTERNAL_PROVIDER");
    }

    /// The whole list is walked again.
    pub(super) fn forget_strangers(&mut self) {
        (self.beside, self.unrepaired) = (0, 0);
    }

    /// Somebody who was made again.
    pub(super) fn twice(&mut self, old: &Sub) {
        self.unexpected("user", old.as_str(), "made twice", What::Extra);
    }

    /// The differences of one user.
    pub(super) fn user(&mut self, old: &Sub, fate: &Fate, differences: &[expect::Difference]) {
        self.wanted += u64::from(matches!(fate, Fate::Made(_)));
        for difference in differences {
            match difference.verdict {
                Verdict::Expected(reason) => self.expected(reason.as_str(), reason.explanation()),
                Verdict::Unexpected => self.unexpected("user", old.as_str(), &difference.field, difference.what),
            }
        }
    }

    /// A difference that has to be.
    pub(super) fn expected(&mut self, reason: &str, explanation: &str) {
        let entry = self.expected.entry(reason.to_owned());
        entry.or_insert_with(|| (0, explanation.to_owned())).0 += 1;
    }

    /// A difference that nothing explains.
    pub(super) fn unexpected(&mut self, kind: &str, subject: &str, field: &str, what: What) {
        self.unexpected += 1;
        if self.differences.len() < LISTED_MAX {
            self.differences.push(Difference {
                kind: kind.to_owned(),
                subject: subject.to_owned(),
                field: field.to_owned(),
                what: word(what).to_owned(),
            });
        }
    }

    /// The report.
    pub(super) fn report(
        mut self,
        order: &VerifyOrder,
        seen: &Seen,
        members: &Memberships,
        took: Duration,
    ) -> VerifyReport {
        self.differences.sort();
        VerifyReport {
            target: order.target.clone(),
            plan: order.plan.clone(),
            as_of: order.selection.as_of,
            equal: self.unexpected == 0,
            users_wanted: self.wanted,
            users_found: seen.found(),
            users_beside: self.beside,
            users_unrepaired: self.unrepaired,
            memberships: members.count(),
            groups: members.groups.len() as u64,
            differences_expected: self.expected.values().map(|(count, _)| count).sum(),
            expected: self
                .expected
                .into_iter()
                .map(|(reason, (count, explanation))| Explained {
                    reason,
                    count,
                    explanation,
                })
                .collect(),
            differences_unexpected: self.unexpected,
            differences: self.differences,
            seconds: took.as_secs_f64(),
        }
    }
}

/// As JSON names it.
pub(super) fn word(what: What) -> &'static str {
    match what {
        What::Missing => "missing",
        What::Differs => "differs",
        What::Extra => "extra",
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::import::recreate::{Loss, NotMade};

    use super::*;
    use expect::{Difference as Found, Reason};

    #[test]
    fn what_is_explained_is_counted_by_reason_and_what_is_not_is_listed() {
        let mut tally = Tally::default();
        let sub = Sub::new("a").expect("a sub");
        let found = |field: &str, verdict| Found {
            field: field.to_owned(),
            what: What::Missing,
            verdict,
        };
        let gone = Fate::NotMade(NotMade::Unconfirmed);
        tally.user(
            &sub,
            &gone,
            &[found("user", Verdict::Expected(Reason::NotMade(NotMade::Unconfirmed)))],
        );
        tally.user(
            &sub,
            &gone,
            &[
                found("factors", Verdict::Expected(Reason::Loss(Loss::Totp))),
                found("groups/admins", Verdict::Unexpected),
            ],
        );
        tally.twice(&sub);
        assert_eq!(tally.expected.keys().collect::<Vec<_>>(), ["totp", "unconfirmed"]);
        let fields: Vec<&str> = tally.differences.iter().map(|one| one.field.as_str()).collect();
        assert_eq!(fields, ["groups/admins", "made twice"]);
        assert_eq!((tally.unexpected, tally.wanted), (2, 0));
    }
}
