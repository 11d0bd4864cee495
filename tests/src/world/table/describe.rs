//! Items in a few words, for the journal.
//!
//! Invariant: invented people only, as everywhere in a world; their values are shown.

use std::fmt::Write;

use twinpool_shared::{
    item::{GroupItem, UserItem},
    personal::Sub,
    time::Timestamp,
};

/// The first characters of a `sub`: enough in a small world.
pub(super) fn short(sub: &Sub) -> &str {
    sub.as_str().get(..6).unwrap_or(sub.as_str())
}

/// Minutes and seconds of an instant.
fn time(at: Timestamp) -> String {
    at.to_string().get(14..23).unwrap_or_default().to_owned()
}

/// A user's item.
pub(super) fn user(item: &UserItem) -> String {
    let record = &item.record;
    let mut text = format!("writes {} v{}", short(&record.sub), item.version);
    let mut add = |part: String| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{part}");
    };
    if let Some(tombstone) = &record.deleted {
        let state = if record.is_alive() { "was" } else { "is" };
        add(format!(" {state} deleted@{} {}", time(tombstone.at), tombstone.cause));
    }
    if let Some(facet) = &record.attributes {
        let nickname = facet.data.values.get("nickname").map_or("-", |value| value.expose());
        add(format!(" nickname={nickname}@{} {}", time(facet.as_of), facet.source));
    }
    if let Some(facet) = &record.status {
        add(format!(" {}@{}", facet.data, time(facet.as_of)));
    }
    if let Some(facet) = &record.account {
        add(format!(" enabled={}@{}", facet.data.enabled, time(facet.as_of)));
    }
    if let Some(facet) = &record.groups {
        let names: Vec<&str> = facet.data.iter().map(String::as_str).collect();
        add(format!(" groups={}@{}", names.join("+"), time(facet.as_of)));
    }
    if let Some(facet) = &record.factors {
        add(format!(" factors={:?}@{}", facet.data.preferred, time(facet.as_of)));
    }
    text
}

/// A group's item.
pub(super) fn group(item: &GroupItem) -> String {
    let record = &item.record;
    let state = if record.is_alive() { "alive" } else { "deleted" };
    let created = record.settings.as_ref().map(|facet| time(facet.data.created));
    let created = created.unwrap_or_default();
    format!(
        "writes group {} v{} {state}, created {created}",
        record.name, item.version
    )
}
