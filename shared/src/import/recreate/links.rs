//! Outside identities, from the `identities` attribute: a JSON text that Cognito writes.
//!
//! Invariant: no text whatsoever panics, and what cannot be read is a loss.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Link, Loss};
use crate::{personal::Personal, user::Attributes};

/// The attribute.
pub(crate) const ATTRIBUTE: &str = "identities";
/// Most outside identities of a user (AdminLinkProviderForUser).
pub const LINKS_MAX: usize = 5;

/// The identities in `attribute`, at most [`LINKS_MAX`], the primary one first, none twice.
pub(super) fn read(attribute: Option<&Personal>, losses: &mut BTreeSet<Loss>) -> Vec<Link> {
    let (mut links, readable) = parse(attribute);
    if !readable {
        losses.insert(Loss::LinkUnreadable);
    }
    if links.len() > LINKS_MAX {
        losses.insert(Loss::LinkBeyondFive);
        links.truncate(LINKS_MAX);
    }
    links
}

impl Link {
    /// Whether the attribute `identities` of a user names this one.
    #[must_use]
    pub fn is_in(&self, identities: Option<&Personal>) -> bool {
        parse(identities).0.contains(self)
    }
}

/// All identities that can be read, the primary one first, none twice; and whether that is all of them.
pub(crate) fn parse(attribute: Option<&Personal>) -> (Vec<Link>, bool) {
    let Some(text) = attribute.map(Personal::expose).filter(|text| !text.is_empty()) else {
        return (Vec::new(), true);
    };
    let Ok(Value::Array(entries)) = serde_json::from_str(text) else {
        return (Vec::new(), false);
    };
    let mut readable = true;
    let mut found: Vec<(bool, Link)> = Vec::new();
    for entry in &entries {
        match link(entry) {
            Some((_, link)) if found.iter().any(|(_, known)| *known == link) => {}
            Some(one) => found.push(one),
            None => readable = false,
        }
    }
    // A stable sort: the others keep their order.
    found.sort_by_key(|(primary, _)| !primary);
    (found.into_iter().map(|(_, link)| link).collect(), readable)
}

/// The identity for which Cognito made the user `user`, as their user name says (`Provider_id`), and further ones that are linked
/// to them; at most [`LINKS_MAX`] in all. `None` where no identity is the one of the name.
#[must_use]
pub fn of_federated(user: &Attributes) -> Option<(Link, Vec<Link>)> {
    let (mut links, _) = parse(user.values.get(ATTRIBUTE));
    let name = user.username.expose();
    let own = links.iter().position(|link| {
        let made = format!("{}_{}", link.provider, link.user_id.expose());
        name.eq_ignore_ascii_case(&made)
    })?;
    let own = links.remove(own);
    links.truncate(LINKS_MAX - 1);
    Some((own, links))
}

/// Whether it is the primary one, and the identity.
fn link(entry: &Value) -> Option<(bool, Link)> {
    let provider = entry.get("providerName")?.as_str().filter(|name| !name.is_empty())?;
    let user_id = match entry.get("userId")? {
        Value::String(id) if !id.is_empty() => id.clone(),
        // Some providers count their users.
        Value::Number(id) => id.to_string(),
        _ => return None,
    };
    let link = Link {
        provider: provider.to_owned(),
        user_id: Personal::new(user_id),
    };
    // In tokens it is a text, in the attribute it is not.
    let primary = entry
        .get("primary")
        .is_some_and(|primary| primary == true || primary == "true");
    Some((primary, link))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_of_the_name_is_the_users_own_and_the_others_are_linked_to_it() {
        let identities = r#"[{"providerName": "Google", "userId": "1"}, {"providerName": "SAML", "userId": "x"}]"#;
        let user = |name: &str| Attributes {
            username: Personal::new(name),
            values: [(ATTRIBUTE.to_owned(), Personal::new(identities))].into(),
        };
        let (own, others) = of_federated(&user("saml_x")).unwrap();
        assert_eq!(own.provider, "SAML");
        assert_eq!(
            others.iter().map(|link| link.provider.as_str()).collect::<Vec<_>>(),
            ["Google"]
        );
        assert_eq!(of_federated(&user("ann")), None);
    }

    #[test]
    fn an_identity_is_found_whether_its_id_is_a_text_or_a_number() {
        let link = Link {
            provider: "Facebook".to_owned(),
            user_id: Personal::new("17"),
        };
        for id in ["17", "\"17\""] {
            let identities = Personal::new(format!(r#"[{{"providerName": "Facebook", "userId": {id}}}]"#));
            assert!(link.is_in(Some(&identities)), "{id}");
        }
        let other = Personal::new(r#"[{"providerName": "Google", "userId": 17}]"#);
        assert!(!link.is_in(Some(&other)) && !link.is_in(None));
    }
}
