//! A user whom an earlier attempt made already, or a recovery trigger: what they lack.
//!
//! What is there stays, because the person may have changed it since. An address or number is only added together with its
//! verification: without it Cognito would send a code.
//!
//! Invariant: nothing is overwritten, and nothing sends a message.

use std::collections::{BTreeMap, BTreeSet};

use super::{ORIGINAL_SUB, recreate::is_cognitos_own, shape::Shape};
use crate::personal::Personal;

/// Attributes whose change sends a code, each with the one that says that it is verified.
const VERIFIABLE: [(&str, &str); 2] = [("email", "email_verified"), ("phone_number", "phone_number_verified")];

/// What of `wanted` a user lacks who has `found`, as `AdminUpdateUserAttributes` takes it.
#[must_use]
pub fn missing(
    wanted: &BTreeMap<String, Personal>,
    found: &BTreeMap<String, Personal>,
    shape: &Shape,
) -> BTreeMap<String, Personal> {
    let mutable = |name: &str| shape.schema.get(name).is_some_and(|attribute| attribute.mutable);
    let lacks = |name: &str| found.get(name).is_none_or(|value| value.expose().is_empty());
    let mut missing = BTreeMap::new();
    for (name, value) in wanted {
        let verifiable = VERIFIABLE.iter().any(|(address, flag)| name == address || name == flag);
        if !verifiable && lacks(name) && mutable(name) {
            missing.insert(name.clone(), value.clone());
        }
    }
    for (address, flag) in VERIFIABLE {
        let Some((value, verified)) = wanted.get(address).zip(wanted.get(flag)) else {
            continue;
        };
        if verified.expose() == "true" && lacks(address) && mutable(address) {
            missing.insert(address.to_owned(), value.clone());
            missing.insert(flag.to_owned(), verified.clone());
        }
    }
    missing
}

/// What of the attributes `values` of the backup a user lacks whom Cognito made at a sign-in through an outside provider, and who
/// has `found`. Attributes that a provider is `mapped` to are the provider's: it sets them at every sign-in.
#[must_use]
pub fn missing_of_federated(
    values: &BTreeMap<String, Personal>,
    found: &BTreeMap<String, Personal>,
    mapped: &BTreeSet<String>,
    shape: &Shape,
) -> BTreeMap<String, Personal> {
    missing(&wanted_of_federated(values, mapped, shape), found, shape)
}

/// Attributes of a user whom Cognito made at such a sign-in that are in question at all: those that the target takes and no
/// provider sets. `values`, `mapped`: see [`missing_of_federated`].
#[must_use]
pub fn wanted_of_federated(
    values: &BTreeMap<String, Personal>,
    mapped: &BTreeSet<String>,
    shape: &Shape,
) -> BTreeMap<String, Personal> {
    let taken = |name: &str, value: &Personal| {
        let attribute = shape.schema.get(name);
        !value.expose().is_empty() && attribute.is_some_and(|attribute| attribute.takes(value.expose()))
    };
    let wanted = values.iter().filter(|(name, value)| {
        !is_cognitos_own(name) && *name != ORIGINAL_SUB && !mapped.contains(*name) && taken(name, value)
    });
    wanted.map(|(name, value)| (name.clone(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shape() -> Shape {
        let attribute = |name: &str, mutable: bool| {
            json!({"Name": name, "AttributeDataType": "String", "Mutable": mutable, "Required": false,
                "DeveloperOnlyAttribute": false})
        };
        let pool = json!({"SchemaAttributes": [
            attribute("email", true), attribute("phone_number", true), attribute("name", true),
            attribute("custom:fixed", false), attribute("custom:team", true),
        ]});
        Shape::of(&pool, None).expect("a shape")
    }

    fn values(of: &[(&str, &str)]) -> BTreeMap<String, Personal> {
        let pairs = of
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)));
        pairs.collect()
    }

    #[test]
    fn what_the_person_changed_stays_and_what_is_missing_is_added() {
        let wanted = values(&[("name", "Ann"), ("custom:team", "red"), ("custom:fixed", "x")]);
        let found = values(&[("name", "Anna")]);
        assert_eq!(missing(&wanted, &found, &shape()), values(&[("custom:team", "red")]));
        assert_eq!(missing(&wanted, &wanted, &shape()), values(&[]));
    }

    #[test]
    fn a_federated_user_gets_what_no_provider_sets() {
        let values = values_of_backup();
        let mapped = BTreeSet::from(["name".to_owned()]);
        let found = self::values(&[("email", "a@example.com")]);
        assert_eq!(
            missing_of_federated(&values, &found, &mapped, &shape()),
            self::values(&[("custom:team", "red")])
        );
    }

    fn values_of_backup() -> BTreeMap<String, Personal> {
        values(&[
            ("sub", "s"),
            ("identities", "[]"),
            ("name", "Ann"),
            ("email", "a@example.com"),
            ("custom:team", "red"),
            ("custom:gone", "x"),
            ("custom:fixed", "x"),
        ])
    }

    #[test]
    fn an_address_comes_with_its_verification_or_not_at_all() {
        let verified = values(&[("email", "a@example.com"), ("email_verified", "true")]);
        assert_eq!(missing(&verified, &values(&[]), &shape()), verified);
        for unverified in [
            values(&[("email", "a@example.com"), ("email_verified", "false")]),
            values(&[("phone_number", "+15550100")]),
        ] {
            assert_eq!(missing(&unverified, &values(&[]), &shape()), values(&[]));
        }
        let other = values(&[("email", "b@example.com")]);
        assert_eq!(
            missing(&verified, &other, &shape()),
            values(&[]),
            "no verification of another address"
        );
    }
}
