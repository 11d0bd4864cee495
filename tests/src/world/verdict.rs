//! Whether the backup is the pool, field by field, once the dust has settled.
//!
//! Invariant: it compares by the documented format, and forgives only what nobody can know: MFA settings whose event was
//! lost, and what somebody removed by hand and the pool has no more.

use std::collections::{BTreeMap, BTreeSet};

use twinpool_shared::{
    change::{Change, Subject},
    item::{GroupItem, UserItem},
    personal::Sub,
    user::{Account, UserRecord},
};

use super::{
    pool::{Past, PoolDouble, UserTruth},
    queue::DeadLetter,
    table::TableDouble,
    trail::Ears,
    weather::Story,
};

/// Every difference between `pool` and `table`.
#[must_use]
pub fn differences(story: Story, pool: &PoolDouble, table: &TableDouble, ears: &Ears) -> Vec<String> {
    let (users, groups) = (table.current_users(), table.current_groups());
    let mut found = groups_differ(pool, &groups);
    for (sub, past) in &pool.truth() {
        let item = users.get(sub);
        let mut differ = |what: &str| found.push(format!("user {sub}: {what}"));
        match (past.deleted_at, item) {
            (None, None) => differ("missing in the backup"),
            (None, Some(item)) => alive(story, item, past, (&groups, ears, table), &mut differ),
            (Some(_), Some(item)) => dead(item, past, table.was_edited_by_hand(sub), &mut differ),
            (Some(_), None) => {}
        }
    }
    let truth = pool.truth();
    let strangers = users.keys().filter(|sub| !truth.contains_key(*sub));
    found.extend(strangers.map(|sub| format!("user {sub}: was never in the pool")));
    found
}

fn alive(
    story: Story,
    item: &UserItem,
    past: &Past,
    (groups, ears, table): (&BTreeMap<String, GroupItem>, &Ears, &TableDouble),
    differ: &mut impl FnMut(&str),
) {
    let record = &item.record;
    let Some(truth) = past.last() else { return };
    if !record.is_alive() {
        return differ("lives, and has a tombstone");
    }
    if record.attributes.as_ref().map(|facet| &facet.data) != Some(&truth.read.attributes) {
        differ("attributes");
    }
    if record.status.as_ref().map(|facet| &facet.data) != Some(&truth.read.status) {
        differ("status");
    }
    match record.account.as_ref().map(|facet| &facet.data) {
        // Whoever is disabled twice is modified twice, and the flag alone answers the second event.
        Some(account) if story == Story::ReplicatorAlone => {
            let modified = truth.read.account.modified;
            if (Account {
                modified,
                ..account.clone()
            }) != truth.read.account
            {
                differ("account");
            }
        }
        Some(account) if *account != truth.read.account => differ("account"),
        // An unconfirmed sign-up is known by its trigger alone: CloudTrail's record of SignUp names no user.
        None if story != Story::ReplicatorAlone || truth.read.status != "UNCONFIRMED" => differ("no account"),
        _ => {}
    }
    let memberships = memberships(record, groups);
    if memberships != truth.groups {
        differ(&format!("groups: {memberships:?} and not {:?}", truth.groups));
    }
    factors(record, truth, ears, differ);
    let by_hand = table.was_edited_by_hand(&record.sub);
    if !by_hand && record.last_seen != ears.last_seen(&record.sub) {
        differ("last seen");
    }
}

fn factors(record: &UserRecord, truth: &UserTruth, ears: &Ears, differ: &mut impl FnMut(&str)) {
    let known = record.factors.as_ref().filter(|_| !record.factors_are_due());
    if let Some(facet) = known
        && facet.data != truth.factors
        && !ears.lost_factors_of(&record.sub)
    {
        differ("MFA settings");
    }
}

/// The memberships that count.
fn memberships(record: &UserRecord, groups: &BTreeMap<String, GroupItem>) -> BTreeSet<String> {
    let Some(facet) = &record.groups else {
        return BTreeSet::new();
    };
    // By the documentation, and not by the product's own rule: both could be mistaken in the same way.
    let counts = |name: &&String| {
        groups.get(*name).is_none_or(|group| {
            let created = group.record.settings.as_ref().map(|settings| settings.data.created);
            group.record.is_alive() && created.is_none_or(|created| facet.as_of.as_seconds() >= created.as_seconds())
        })
    };
    facet.data.iter().filter(counts).cloned().collect()
}

/// A deleted user: a tombstone, and of what it keeps every part was true once.
fn dead(item: &UserItem, past: &Past, by_hand: bool, differ: &mut impl FnMut(&str)) {
    let record = &item.record;
    if record.is_alive() {
        return differ("is deleted, and lives in the backup");
    }
    if record.attributes.is_none() && record.account.is_some() {
        differ("the tombstone keeps no attributes");
    }
    let once = |holds: &dyn Fn(&UserTruth) -> bool| by_hand || past.states.iter().any(|(_, state)| holds(state));
    if let Some(facet) = &record.attributes
        && !once(&|state| state.read.attributes == facet.data)
    {
        differ("the tombstone keeps attributes that the user never had");
    }
    if let Some(facet) = &record.status
        && !once(&|state| state.read.status == facet.data)
    {
        differ("the tombstone keeps a status that the user never had");
    }
    if let Some(facet) = &record.account
        && !once(&|state| state.read.account == facet.data)
    {
        differ("the tombstone keeps an account that the user never had");
    }
}

fn groups_differ(pool: &PoolDouble, groups: &BTreeMap<String, GroupItem>) -> Vec<String> {
    let truth = pool.groups_now();
    let mut found = Vec::new();
    for (name, settings) in &truth {
        match groups.get(name).map(|item| &item.record) {
            None => found.push(format!("group {name}: missing in the backup")),
            Some(record) if !record.is_alive() => found.push(format!("group {name}: exists, and has a tombstone")),
            Some(record) if record.settings.as_ref().map(|facet| &facet.data) != Some(settings) => {
                found.push(format!("group {name}: settings"));
            }
            Some(_) => {}
        }
    }
    let alive = groups.values().filter(|item| item.record.is_alive());
    let gone = alive.filter(|item| !truth.contains_key(&item.record.name));
    found.extend(gone.map(|item| format!("group {}: is deleted, and lives in the backup", item.record.name)));
    found
}

/// Dead letters that have no excuse: all but those about somebody whom neither pool nor backup has.
#[must_use]
pub fn unexplained(dead: &[DeadLetter], pool: &PoolDouble, table: &TableDouble) -> Vec<String> {
    let users = table.current_users();
    let groups = table.current_groups();
    let (mut found, truth) = (Vec::new(), pool.groups_now());
    for letter in dead {
        let unknown = match Change::parse(&letter.body).map(|change| change.subject) {
            Ok(Subject::User(sub)) => nobody(&sub, pool, &users),
            Ok(Subject::Group(name)) => !truth.contains_key(&name) && !groups.contains_key(&name),
            Ok(Subject::Part(_)) | Err(_) => false,
        };
        if !unknown {
            let reason = letter.reason.as_ref().map_or("none", |reason| reason.code);
            found.push(format!("a dead letter is left, reason {reason}"));
        }
    }
    found
}

fn nobody<T>(sub: &Sub, pool: &PoolDouble, users: &BTreeMap<Sub, T>) -> bool {
    !pool.has(sub) && !users.contains_key(sub)
}
