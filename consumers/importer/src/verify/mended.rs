//! Whether a user whom Cognito made at a sign-in through an outside provider was mended as the backup has them.
//!
//! Invariant: only who carries the marker is compared; whoever else was not made by the import has made themselves.

use std::collections::BTreeSet;

use twinpool_shared::import::expect::{Difference, Verdict, What};

/// Differences of the disabled flag and the groups, as wanted and as found; none is expected.
pub(super) fn compare(
    (wanted_enabled, enabled): (bool, bool),
    wanted: &BTreeSet<String>,
    found: &BTreeSet<String>,
) -> Vec<Difference> {
    let flag = (wanted_enabled != enabled).then(|| ("enabled".to_owned(), What::Differs));
    let missing = wanted.difference(found).map(|name| (name, What::Missing));
    let extra = found.difference(wanted).map(|name| (name, What::Extra));
    let groups = missing
        .chain(extra)
        .map(|(name, what)| (format!("groups/{name}"), what));
    flag.into_iter()
        .chain(groups)
        .map(|(field, what)| Difference {
            field,
            what,
            verdict: Verdict::Unexpected,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mended_user_has_the_flag_and_the_groups_of_the_backup() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(compare((false, false), &set(&["staff"]), &set(&["staff"])), []);
        let found = compare((false, true), &set(&["staff"]), &set(&["corp"]));
        let found: Vec<(&str, What)> = found.iter().map(|one| (one.field.as_str(), one.what)).collect();
        let wanted = [
            ("enabled", What::Differs),
            ("groups/staff", What::Missing),
            ("groups/corp", What::Extra),
        ];
        assert_eq!(found, wanted);
    }
}
