//! What no write may ever break, whatever the weather.
//!
//! Invariant: the rules know the documented format and the pool's truth, and nothing of how the product decides.

use twinpool_shared::{
    group::GroupRecord,
    item::{GroupItem, UserItem, user_version_key},
    time::Timestamp,
    user::{CONSISTENCY_WINDOW_MILLIS, Facet, UserRecord},
};

use super::{Store, describe::short};
use crate::world::pool::PoolDouble;

/// What `next` in the place of `before` breaks.
pub(super) fn replace(
    store: &Store,
    before: Option<&UserItem>,
    next: &UserItem,
    pool: &PoolDouble,
    now: i64,
) -> Vec<String> {
    let sub = &next.record.sub;
    let mut broken = Vec::new();
    let mut rule = |holds: bool, what: &str| {
        if !holds {
            broken.push(format!("{}: {what}", short(sub)));
        }
    };
    let expected = before.map_or(1, |item| item.version + 1);
    rule(next.version == expected, "a version was skipped or repeated");
    let retention = next.expires_at.map_or(0, |end| end - next.written_at.as_seconds());
    let rebuilt = UserItem::current(
        &next.pool,
        next.version,
        next.record.clone(),
        next.written_at,
        retention,
    );
    rule(
        rebuilt == *next,
        "keys, indexes, hash or end of the item do not fit its record",
    );
    // Versions begin anew after an item was removed by hand: who read the old first version may replace the new one.
    let by_hand = store.by_hand.contains(sub);
    if let Some(before) = before {
        let back = goes_back(&before.record, &next.record);
        rule(!back || by_hand, "the record went backwards");
        let aside = store.versions.get(&user_version_key(&before.pool, sub, before.version));
        let kept = aside.is_some_and(|aside| aside.record == before.record && aside.written_at == before.written_at);
        rule(kept || by_hand, "the old version was not put aside first");
    }
    let was_alive = before.is_none_or(|item| item.record.is_alive());
    match (was_alive, next.record.is_alive()) {
        (true, false) => rule(!pool.has(sub), "a living user was declared dead"),
        (false, true) => {
            // A tombstone that was wrong may yield just before the user is deleted indeed.
            let long_gone = |at| now - at > CONSISTENCY_WINDOW_MILLIS;
            rule(
                !pool.deleted_at(sub).is_some_and(long_gone),
                "a deleted user was resurrected",
            );
        }
        _ => {}
    }
    broken
}

/// What putting `old` aside breaks.
pub(super) fn put_aside(store: &Store, old: &UserItem) -> Vec<String> {
    let sub = &old.record.sub;
    if old.key != user_version_key(&old.pool, sub, old.version) {
        return vec![format!("{}: a version was put aside under another key", short(sub))];
    }
    let Some(held) = store.versions.get(&old.key) else {
        return Vec::new();
    };
    let same = held.record == old.record && held.written_at == old.written_at;
    if same || store.by_hand.contains(sub) {
        return Vec::new();
    }
    vec![format!(
        "{}: version {} means two different items",
        short(sub),
        old.version
    )]
}

/// What `next` in the place of `before` breaks.
pub(super) fn replace_group(before: Option<&GroupItem>, next: &GroupItem) -> Vec<String> {
    let name = &next.record.name;
    let mut broken = Vec::new();
    if next.version != before.map_or(1, |item| item.version + 1) {
        broken.push(format!("group {name}: a version was skipped or repeated"));
    }
    if before.is_some_and(|before| group_goes_back(&before.record, &next.record)) {
        broken.push(format!("group {name}: the record went backwards"));
    }
    broken
}

/// What the history of each user as a whole breaks: gaps.
pub(super) fn history(store: &Store) -> Vec<String> {
    let mut broken = Vec::new();
    for item in store.current_users().values() {
        let sub = &item.record.sub;
        if store.by_hand.contains(sub) {
            continue;
        }
        let missing = (1..item.version).find(|version| {
            let key = user_version_key(&item.pool, sub, *version);
            !store.versions.contains_key(&key)
        });
        broken.extend(missing.map(|version| format!("{}: version {version} is lost", short(sub))));
    }
    broken
}

fn goes_back(before: &UserRecord, after: &UserRecord) -> bool {
    facet_goes_back(before.attributes.as_ref(), after.attributes.as_ref())
        || facet_goes_back(before.status.as_ref(), after.status.as_ref())
        || facet_goes_back(before.account.as_ref(), after.account.as_ref())
        || facet_goes_back(before.groups.as_ref(), after.groups.as_ref())
        || facet_goes_back(before.factors.as_ref(), after.factors.as_ref())
        || after.factors_due < before.factors_due
        || after.last_seen < before.last_seen
        || after.alive_at < before.alive_at
        || after.deleted < before.deleted
}

fn group_goes_back(before: &GroupRecord, after: &GroupRecord) -> bool {
    facet_goes_back(before.settings.as_ref(), after.settings.as_ref())
        || after.alive_at < before.alive_at
        || after.deleted < before.deleted
}

fn facet_goes_back<T>(before: Option<&Facet<T>>, after: Option<&Facet<T>>) -> bool {
    let as_of = |facet: &Facet<T>| -> (Timestamp, Timestamp) { (facet.as_of, facet.observed_at) };
    after.map(as_of) < before.map(as_of)
}
