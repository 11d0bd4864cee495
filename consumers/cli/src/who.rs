//! Which user an operator means: a `sub`, or a name, address or number by which a living user is known.
//!
//! Invariant: several matches are several; nobody is picked.

use serde::Serialize;
use twinpool_shared::{
    adapter::lookup::Lookup,
    error::{Error, ErrorKind},
    item::UserItem,
    personal::{Personal, Sub},
    port::Backup,
    user::UserRecord,
};

use crate::{exit::Exit, mask::Masking, output::Output};

/// Attributes by which a user is looked up, beside the user name.
const ALIASES: [&str; 3] = ["email", "phone_number", "preferred_username"];

/// A user whom a name may mean.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Match {
    /// The key to name the user by.
    pub(crate) sub: Sub,
    /// As it may be shown.
    pub(crate) username: Option<String>,
    /// As it may be shown.
    pub(crate) email: Option<String>,
    /// `UserStatus`.
    pub(crate) status: Option<String>,
}

/// The document of several matches.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Matches {
    /// In the order of the `sub`.
    pub(crate) matches: Vec<Match>,
}

/// The current items that `user` may mean, in the order of the `sub`.
///
/// # Errors
/// As the table answers; `NotFound` when nobody is meant.
pub(crate) async fn find<B: Backup>(
    backup: &B,
    lookup: &Lookup,
    pool: &str,
    user: &Personal,
) -> Result<Vec<UserItem>, Error> {
    if let Some(sub) = Sub::new(user.expose())
        && let Some(item) = backup.users(pool, std::slice::from_ref(&sub)).await?.remove(&sub)
    {
        return Ok(vec![item]);
    }
    let candidates: Vec<Sub> = lookup.candidates(pool, user).await?.into_iter().collect();
    let items = backup.users(pool, &candidates).await?.into_values();
    let mut items: Vec<UserItem> = items.filter(|item| is_called(&item.record, user)).collect();
    items.sort_by(|one, two| one.record.sub.cmp(&two.record.sub));
    if items.is_empty() {
        return Err(Error::new(
            ErrorKind::NotFound,
            "the backup has no such user: no sub, and no living user of that user name, e-mail address, phone number or \
             preferred user name (a deleted user is found by sub; twinpool undelete lists them)",
        ));
    }
    Ok(items)
}

/// Whether a living user is known by `name`, whatever its case: a pool may fold case or not, and an operator decides.
fn is_called(record: &UserRecord, name: &Personal) -> bool {
    let Some(attributes) = record.attributes.as_ref().filter(|_| record.is_alive()) else {
        return false;
    };
    let wanted = name.expose().to_lowercase();
    let aliases = ALIASES.iter().filter_map(|alias| attributes.data.values.get(*alias));
    aliases
        .chain([&attributes.data.username])
        .any(|value| value.expose().to_lowercase() == wanted)
}

/// Lists several matches, and asks for one.
///
/// # Errors
/// As [`Output::write`].
pub(crate) fn ask(output: &Output, pool: &str, items: &[UserItem]) -> Result<Exit, Error> {
    let found = Matches {
        matches: items
            .iter()
            .map(|item| known_as(&item.record, output.masking))
            .collect(),
    };
    if output.json {
        output.document("matches", pool, &found)?;
    } else {
        let cell = |text: &Option<String>| text.clone().unwrap_or_default();
        let rows: Vec<Vec<String>> = found
            .matches
            .iter()
            .map(|one| {
                vec![
                    one.sub.to_string(),
                    cell(&one.username),
                    cell(&one.email),
                    cell(&one.status),
                ]
            })
            .collect();
        output.table(&["sub", "user name", "email", "status"], &rows)?;
    }
    output.note(&format!("{} users are meant; name one by its sub", items.len()));
    Ok(Exit::Usage)
}

fn known_as(record: &UserRecord, masking: Masking) -> Match {
    let email = record
        .attributes
        .as_ref()
        .and_then(|facet| facet.data.values.get("email"));
    Match {
        sub: record.sub.clone(),
        username: record.username().map(|name| masking.username(&record.sub, name)),
        email: email.map(|email| masking.attribute("email", email)),
        status: record.status.as_ref().map(|facet| facet.data.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fields::tests::record;

    #[test]
    fn the_documentation_shows_what_is_written() {
        let matches = vec![known_as(&record(), Masking::Masked)];
        let written = serde_json::to_value(Matches { matches }).expect("JSON");
        assert_eq!(written, crate::output::tests::documented("matches"));
    }

    #[test]
    fn a_living_user_is_known_by_name_and_aliases_whatever_the_case() {
        let mut user = record();
        for name in ["Ann", "ANN@example.com", "+31612345678"] {
            assert!(is_called(&user, &Personal::new(name)), "{name}");
        }
        for name in ["an", "ann@example.co", ""] {
            assert!(!is_called(&user, &Personal::new(name)), "{name}");
        }
        user.deleted = Some(twinpool_shared::user::Tombstone {
            at: twinpool_shared::time::EPOCH,
            cause: "DeleteUser".into(),
        });
        assert!(
            !is_called(&user, &Personal::new("Ann")),
            "a name may be another's by now"
        );
    }
}
