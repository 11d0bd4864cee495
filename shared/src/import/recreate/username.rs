//! Which `Username` `AdminCreateUser` is given.
//!
//! Where user names are addresses or numbers, Cognito makes the name itself and demands one of these instead
//! (AdminCreateUser, "Username"). Case is kept as it is in the backup: the backup's pool took it.
//!
//! Invariant: a name that Cognito cannot take is never chosen.

use super::{NotMade, links};
use crate::{
    import::shape::{Shape, UserNames},
    personal::Personal,
    user::Attributes,
};

/// Longest `Username`, in characters (API reference).
const CHARS_MAX: usize = 128;

/// The name, or why there is none.
pub(super) fn choose(user: &Attributes, target: &Shape) -> Result<Personal, NotMade> {
    let attributes: &[&str] = match target.names {
        UserNames::Own => {
            let own = Some(&user.username).filter(|name| !name.expose().is_empty());
            return own.cloned().ok_or(NotMade::Nameless);
        }
        UserNames::Email => &["email"],
        UserNames::Phone => &["phone_number"],
        UserNames::EmailOrPhone => &["email", "phone_number"],
    };
    let usable = |value: &&Personal| {
        let value = value.expose();
        !value.is_empty() && value.chars().count() <= CHARS_MAX && !value.contains(char::is_whitespace)
    };
    let address = |name: &&str| user.values.get(*name).filter(usable);
    // A verified one is certainly the user's own.
    let verified = attributes.iter().filter(|name| is_verified(user, name));
    let chosen = verified.chain(attributes).find_map(address);
    chosen.cloned().ok_or(NotMade::NoAddress)
}

/// Whether the user's own name is the one that Cognito gave them for one of their outside identities: `Provider_id`. Nobody else
/// may make such a user (AdminCreateUser; "User names of federated users" begin with the provider's name).
pub(super) fn is_reserved(user: &Attributes) -> bool {
    links::of_federated(user).is_some()
}

fn is_verified(user: &Attributes, name: &str) -> bool {
    let flag = user.values.get(&format!("{name}_verified"));
    flag.is_some_and(|flag| flag.expose().eq_ignore_ascii_case("true"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_name_of_an_outside_identity_is_reserved_and_a_similar_one_is_not() {
        let identities = r#"[{"providerName":"Corp","userId":"42","primary":true}]"#;
        let user = |name: &str| Attributes {
            username: Personal::new(name),
            values: BTreeMap::from([("identities".to_owned(), Personal::new(identities))]),
        };
        for reserved in ["Corp_42", "corp_42"] {
            assert!(is_reserved(&user(reserved)), "{reserved}");
        }
        for free in ["Corp_43", "Corp", "ann"] {
            assert!(!is_reserved(&user(free)), "{free}");
        }
    }
}
