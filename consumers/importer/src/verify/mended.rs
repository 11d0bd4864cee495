//! Whether a user whom Cognito made at a sign-in through an outside provider was mended as the backup has them.
//!
//! Invariant: only who carries the marker is compared; whoever else was not made by the import has made themselves. What a
//! provider sets at every sign-in is the provider's and is not compared.

use std::collections::{BTreeMap, BTreeSet};

use twinpool_shared::{
    import::{
        adopt::{missing, wanted_of_federated},
        expect::{Difference, Found, Verdict, What},
        recreate::{Link, of_federated},
        shape::Shape,
    },
    personal::Personal,
    user::UserRecord,
};

/// Attributes that come with another one, or not at all.
const FLAGS: [&str; 2] = ["email_verified", "phone_number_verified"];

/// What such a user is to have.
pub(super) struct Wanted {
    enabled: bool,
    groups: BTreeSet<String>,
    attributes: BTreeMap<String, Personal>,
    links: Vec<Link>,
}

impl Wanted {
    /// Of the user of `record`, whose `groups` these are; see [`wanted_of_federated`] for `mapped`.
    pub(super) fn of(record: &UserRecord, groups: BTreeSet<String>, mapped: &BTreeSet<String>, shape: &Shape) -> Self {
        let known = record.attributes.as_ref().map(|facet| &facet.data);
        Self {
            enabled: record.account.as_ref().is_none_or(|facet| facet.data.enabled),
            groups,
            attributes: known.map_or_else(BTreeMap::new, |known| wanted_of_federated(&known.values, mapped, shape)),
            links: known.and_then(of_federated).map_or_else(Vec::new, |(_, others)| others),
        }
    }
}

/// Differences of the disabled flag, the attributes, the identities and the groups; none is expected.
pub(super) fn compare(wanted: &Wanted, found: &Found<'_>, shape: &Shape) -> Vec<Difference> {
    let shown = &found.user.attributes.values;
    let mut fields: Vec<(String, What)> = Vec::new();
    if wanted.enabled != found.user.account.enabled {
        fields.push(("enabled".to_owned(), What::Differs));
    }
    let lacks = missing(&wanted.attributes, shown, shape);
    fields.extend(lacks.into_keys().map(|name| (name, What::Missing)));
    for (name, value) in &wanted.attributes {
        let shown = shown.get(name).filter(|shown| !shown.expose().is_empty());
        if !FLAGS.contains(&name.as_str()) && shown.is_some_and(|shown| shown != value) {
            fields.push((name.clone(), What::Differs));
        }
    }
    let links = wanted.links.iter().filter(|link| !link.is_in(shown.get("identities")));
    fields.extend(links.map(|link| (format!("identities/{}", link.provider), What::Missing)));
    let missing = wanted.groups.difference(found.groups).map(|name| (name, What::Missing));
    let extra = found.groups.difference(&wanted.groups).map(|name| (name, What::Extra));
    let groups = missing.chain(extra);
    fields.extend(groups.map(|(name, what)| (format!("groups/{name}"), what)));
    fields
        .into_iter()
        .map(|(field, what)| Difference {
            field,
            what,
            verdict: Verdict::Unexpected,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{
        observation::UserRead,
        user::{Account, Attributes},
    };

    use super::*;
    use crate::testing::{described, facet, now, user};

    const IDENTITIES: &str = r#"[{"providerName": "Google", "userId": "1"}, {"providerName": "SAML", "userId": "x"}]"#;

    fn values(of: &[(&str, &str)]) -> BTreeMap<String, Personal> {
        let pairs = of.iter();
        pairs
            .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)))
            .collect()
    }

    /// Fields that differ where a disabled user of one group and two identities is found so.
    fn fields(enabled: bool, values_found: &[(&str, &str)], groups: &[&str]) -> Vec<(String, What)> {
        let shape = Shape::of(&described(), None).expect("a shape");
        let mut record = user(3);
        record.attributes = Some(facet(Attributes {
            username: Personal::new("Google_1"),
            values: values(&[("identities", IDENTITIES), ("email", "a@example.com"), ("name", "Ann")]),
        }));
        let mapped = BTreeSet::from(["email".to_owned()]);
        let wanted = Wanted::of(&record, ["staff".to_owned()].into(), &mapped, &shape);
        let read = UserRead {
            attributes: Attributes {
                username: Personal::new("Google_1"),
                values: values(values_found),
            },
            status: "EXTERNAL_PROVIDER".to_owned(),
            account: Account {
                enabled,
                created: now(),
                modified: now(),
            },
        };
        let groups = groups.iter().map(|name| (*name).to_owned()).collect();
        let found = Found {
            sub: &record.sub,
            user: &read,
            groups: &groups,
            case_sensitive: true,
            factors: None,
        };
        let differences = compare(&wanted, &found, &shape).into_iter();
        differences.map(|one| (one.field, one.what)).collect()
    }

    #[test]
    fn a_mended_user_has_flag_attributes_identities_and_groups_of_the_backup() {
        let whole = [("identities", IDENTITIES), ("email", "b@example.com"), ("name", "Ann")];
        assert_eq!(fields(false, &whole, &["staff"]), [], "the address is the provider's");
        let named = |fields: &[(&str, What)]| -> Vec<(String, What)> {
            fields.iter().map(|(name, what)| ((*name).to_owned(), *what)).collect()
        };
        let one = r#"[{"providerName": "Google", "userId": "1"}]"#;
        assert_eq!(
            fields(true, &[("identities", one)], &["corp"]),
            named(&[
                ("enabled", What::Differs),
                ("name", What::Missing),
                ("identities/SAML", What::Missing),
                ("groups/staff", What::Missing),
                ("groups/corp", What::Extra),
            ])
        );
        let other = [("identities", IDENTITIES), ("name", "Anna")];
        assert_eq!(fields(false, &other, &["staff"]), named(&[("name", What::Differs)]));
    }
}
