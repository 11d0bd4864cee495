//! Whether somebody has done what a plan left to be done by hand.
//!
//! Invariant: what cannot be looked up is taken for missing.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Found, Part};
use crate::snapshot::plan::secrets_of;

/// Whether the target has something at `path`: a part, a member of the backup, and names below it. `clients` are the new ids of
/// app clients by their old ones.
pub(super) fn is_there(path: &str, clients: &BTreeMap<String, String>, found: &Found) -> bool {
    let Some((part, rest)) = path.split_once('/') else {
        return false;
    };
    let Some(part) = Part::ALL.into_iter().find(|known| known.as_str() == part) else {
        return false;
    };
    if let Some(client) = clients
        .keys()
        .find(|old| part == Part::Clients && rest == secrets_of(old))
    {
        let secrets = clients.get(client).and_then(|new| found.json(part, &secrets_of(new)));
        let secrets = secrets.and_then(|shown| shown["ClientSecrets"].as_array());
        return secrets.is_some_and(|secrets| secrets.len() > 1);
    }
    let names = found.all(part).map(|(name, shown)| {
        let old = clients
            .iter()
            .find(|(_, new)| *new == name)
            .map(|(old, _)| old.as_str());
        (old.unwrap_or(name), shown)
    });
    let mut below = names.filter_map(|(name, shown)| Some((rest.strip_prefix(name)?, shown)));
    below.any(|(rest, shown)| match rest.strip_prefix('/') {
        Some(names) => names.split('/').try_fold(shown, member).is_some(),
        None => rest.is_empty(),
    })
}

/// The member `name` of `value`, or the entry of a list that `list[entry]` names.
fn member<'a>(value: &'a Value, name: &str) -> Option<&'a Value> {
    let (name, entry) = match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
        Some((name, entry)) => (name, Some(entry)),
        None => (name, None),
    };
    let found = value.get(name).filter(|found| !found.is_null())?;
    match entry {
        None => Some(found),
        Some(entry) => {
            let mut entries = found.as_array()?.iter();
            entries.find(|there| *there == entry || there["Name"] == entry)
        }
    }
}
