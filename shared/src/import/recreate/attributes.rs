//! Which attributes are given at creation, which later, and which not.
//!
//! Never given: `sub`, `identities` and whatever begins with `cognito:`, which are Cognito's own.
//!
//! Invariant: an attribute with a value is given, given later, or a loss. In Cognito an empty value is no value.

use std::collections::{BTreeMap, BTreeSet};

use super::{Loss, links};
use crate::{
    import::{ORIGINAL_SUB, shape::Shape},
    personal::{Personal, Sub},
};

/// Flags and what they are about.
const VERIFIED: [(&str, &str); 2] = [("email_verified", "email"), ("phone_number_verified", "phone_number")];
/// As an alias it is taken of confirmed users only (developer guide, "Working with user attributes").
const PREFERRED: &str = "preferred_username";

/// Attributes, by when they are given.
pub(super) struct Given {
    pub(super) at_creation: BTreeMap<String, Personal>,
    pub(super) later: BTreeMap<String, Personal>,
    pub(super) first: Option<Sub>,
}

/// Sorts the attributes of the user `sub`.
pub(super) fn give(
    sub: &Sub,
    values: &BTreeMap<String, Personal>,
    target: &Shape,
    losses: &mut BTreeSet<Loss>,
) -> Given {
    let mut given = Given {
        at_creation: BTreeMap::new(),
        later: BTreeMap::new(),
        first: None,
    };
    for (name, value) in values {
        if value.expose().is_empty() || is_cognitos_own(name) {
            continue;
        }
        if name == ORIGINAL_SUB {
            given.first = Sub::new(value.expose());
            if given.first.is_none() {
                losses.insert(Loss::Attribute);
            }
            continue;
        }
        let value = match VERIFIED.iter().find(|(flag, _)| flag == name) {
            Some(_) => Personal::new(value.expose().to_ascii_lowercase()),
            None => value.clone(),
        };
        let taken = target
            .schema
            .get(name)
            .is_some_and(|attribute| attribute.takes(value.expose()));
        if !taken {
            losses.insert(Loss::Attribute);
        } else if name == PREFERRED && target.is_alias(PREFERRED) {
            given.later.insert(name.clone(), value);
        } else {
            given.at_creation.insert(name.clone(), value);
        }
    }
    for (flag, address) in VERIFIED {
        // Cognito refuses to call an address verified that is not there.
        let verified = given.at_creation.get(flag).is_some_and(|flag| flag.expose() == "true");
        if verified && !given.at_creation.contains_key(address) {
            given.at_creation.remove(flag);
            losses.insert(Loss::Attribute);
        }
    }
    given
        .at_creation
        .insert(ORIGINAL_SUB.to_owned(), Personal::new(sub.as_str()));
    given
}

/// Whether nobody but Cognito sets the attribute.
pub(in crate::import) fn is_cognitos_own(name: &str) -> bool {
    name == "sub" || name == links::ATTRIBUTE || name.starts_with("cognito:")
}
