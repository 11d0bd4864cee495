//! The backup table, read by Scan and interpreted by the documented item format.
//!
//! Invariant: plain attribute values only, no type of the product; an item that cannot be interpreted is an error, not a gap.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use aws_sdk_dynamodb::{Client, types::AttributeValue};

use crate::stack::{Failure, refused};

type Members = HashMap<String, AttributeValue>;

/// All items of one Region by partition and sort key.
pub(super) type Items = BTreeMap<(String, String), Members>;

/// A user's current item.
#[derive(Debug, Default)]
pub(super) struct UserItem {
    pub(super) alive: bool,
    pub(super) username: Option<String>,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) status: Option<String>,
    pub(super) enabled: Option<bool>,
    pub(super) created_millis: Option<i64>,
    pub(super) modified_millis: Option<i64>,
    pub(super) groups: BTreeSet<String>,
    pub(super) groups_as_of_millis: Option<i64>,
    /// Preferred factor, and all enabled ones.
    pub(super) factors: (Option<String>, BTreeSet<String>),
    pub(super) factors_are_due: bool,
}

/// A group's item.
#[derive(Debug, Default)]
pub(super) struct GroupItem {
    pub(super) alive: bool,
    pub(super) description: Option<String>,
    pub(super) precedence: Option<i32>,
    pub(super) role_arn: Option<String>,
    pub(super) created_millis: Option<i64>,
    pub(super) modified_millis: Option<i64>,
}

/// What the table says about one pool.
#[derive(Debug, Default)]
pub(super) struct Backup {
    pub(super) users: BTreeMap<String, UserItem>,
    pub(super) groups: BTreeMap<String, GroupItem>,
}

pub(super) async fn scan(database: &Client, table: &str) -> Result<Items, Failure> {
    let mut items = Items::new();
    let mut start = None;
    loop {
        let page = database
            .scan()
            .table_name(table)
            .consistent_read(true)
            .set_exclusive_start_key(start)
            .send()
            .await
            .map_err(refused("Scan"))?;
        for item in page.items.unwrap_or_default() {
            let key = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
            let (Some(partition), Some(sort)) = (key("pk"), key("sk")) else {
                return Err(Failure("an item has no string keys".to_owned()));
            };
            items.insert((partition, sort), item);
        }
        start = page.last_evaluated_key;
        if start.is_none() {
            return Ok(items);
        }
    }
}

/// Pool and sort key of every item that is not the same in both Regions.
pub(super) fn unequal(one: &Items, other: &Items) -> Vec<(String, String)> {
    let keys: BTreeSet<_> = one.keys().chain(other.keys()).collect();
    keys.into_iter()
        .filter(|key| one.get(key) != other.get(key))
        .map(|(partition, sort)| {
            let pool = partition.split('#').next().unwrap_or(partition);
            (pool.to_owned(), sort.clone())
        })
        .collect()
}

impl Backup {
    pub(super) fn of_pool(items: &Items, pool: &str) -> Result<Self, Failure> {
        let mut backup = Self::default();
        let partition_prefix = format!("{pool}#");
        for ((partition, sort), item) in items {
            if !partition.starts_with(&partition_prefix) {
                continue;
            }
            let broken = || Failure(format!("the item {sort} does not have the documented format"));
            // A superseded version has a third part.
            match sort.split('#').collect::<Vec<_>>()[..] {
                ["user", sub] => {
                    let record = map(item, "record").ok_or_else(broken)?;
                    if text(record, "sub").as_deref() != Some(sub) {
                        return Err(broken());
                    }
                    backup.users.insert(sub.to_owned(), user(record));
                }
                ["group", name] => {
                    let record = map(item, "record").ok_or_else(broken)?;
                    backup.groups.insert(name.to_owned(), group(record));
                }
                _ => {}
            }
        }
        Ok(backup)
    }

    /// A membership counts when its group exists and is not younger than the membership's facet, in whole seconds.
    pub(super) fn membership_counts(&self, group: &str, as_of_millis: Option<i64>) -> bool {
        let Some(item) = self.groups.get(group).filter(|item| item.alive) else {
            return false;
        };
        match (as_of_millis, item.created_millis) {
            (Some(as_of), Some(created)) => as_of.div_euclid(1000) >= created.div_euclid(1000),
            _ => false,
        }
    }
}

fn user(record: &Members) -> UserItem {
    let attributes = map(record, "attributes").and_then(|facet| map(facet, "data"));
    let values = attributes.and_then(|data| map(data, "values"));
    let account = map(record, "account").and_then(|facet| map(facet, "data"));
    let groups = map(record, "groups");
    let factors = map(record, "factors");
    let factors_data = factors.and_then(|facet| map(facet, "data"));
    let due = instant(record, "factors_due");
    UserItem {
        alive: is_alive(record),
        username: attributes.and_then(|data| text(data, "username")),
        attributes: values
            .into_iter()
            .flatten()
            .filter_map(|(name, value)| Some((name.clone(), value.as_s().ok()?.clone())))
            .collect(),
        status: map(record, "status").and_then(|facet| text(facet, "data")),
        enabled: account.and_then(|data| data.get("enabled")?.as_bool().ok().copied()),
        created_millis: account.and_then(|data| instant(data, "created")),
        modified_millis: account.and_then(|data| instant(data, "modified")),
        groups: groups.map(|facet| texts(facet, "data")).unwrap_or_default(),
        groups_as_of_millis: groups.and_then(|facet| instant(facet, "as_of")),
        factors: (
            factors_data.and_then(|data| text(data, "preferred")),
            factors_data.map(|data| texts(data, "enabled")).unwrap_or_default(),
        ),
        factors_are_due: due > factors.and_then(|facet| instant(facet, "as_of")),
    }
}

fn group(record: &Members) -> GroupItem {
    let data = map(record, "settings").and_then(|facet| map(facet, "data"));
    GroupItem {
        alive: is_alive(record),
        description: data.and_then(|data| text(data, "description")),
        precedence: data.and_then(|data| data.get("precedence")?.as_n().ok()?.parse().ok()),
        role_arn: data.and_then(|data| text(data, "role_arn")),
        created_millis: data.and_then(|data| instant(data, "created")),
        modified_millis: data.and_then(|data| instant(data, "modified")),
    }
}

/// Never deleted, or certainly seen after the deletion.
fn is_alive(record: &Members) -> bool {
    match map(record, "deleted").map(|tombstone| instant(tombstone, "at")) {
        None => true,
        Some(deleted_at) => instant(record, "alive_at") > deleted_at,
    }
}

fn map<'a>(members: &'a Members, name: &str) -> Option<&'a Members> {
    members.get(name)?.as_m().ok()
}

fn text(members: &Members, name: &str) -> Option<String> {
    members.get(name)?.as_s().ok().cloned()
}

fn texts(members: &Members, name: &str) -> BTreeSet<String> {
    match members.get(name) {
        Some(AttributeValue::L(list)) => list.iter().filter_map(|value| value.as_s().ok().cloned()).collect(),
        Some(AttributeValue::Ss(set)) => set.iter().cloned().collect(),
        _ => BTreeSet::new(),
    }
}

/// An RFC 3339 instant, in milliseconds since 1970.
fn instant(members: &Members, name: &str) -> Option<i64> {
    let parsed: jiff::Timestamp = text(members, name)?.parse().ok()?;
    Some(parsed.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(json: &serde_json::Value) -> Members {
        json.as_object()
            .expect("an object")
            .iter()
            .map(|(name, value)| (name.clone(), attribute_value(value)))
            .collect()
    }

    fn attribute_value(json: &serde_json::Value) -> AttributeValue {
        match json {
            serde_json::Value::String(text) => AttributeValue::S(text.clone()),
            serde_json::Value::Bool(flag) => AttributeValue::Bool(*flag),
            serde_json::Value::Number(number) => AttributeValue::N(number.to_string()),
            serde_json::Value::Array(list) => AttributeValue::L(list.iter().map(attribute_value).collect()),
            serde_json::Value::Object(_) => AttributeValue::M(members(json)),
            serde_json::Value::Null => AttributeValue::Null(true),
        }
    }

    fn fixture(text: &str) -> (String, Members) {
        let json: serde_json::Value = serde_json::from_str(text).expect("a fixture is JSON");
        let pool = json["pool"].as_str().expect("a pool").to_owned();
        (pool, members(&json))
    }

    fn backup_of(text: &str) -> Backup {
        let (pool, item) = fixture(text);
        let key = |name: &str| item[name].as_s().expect("a key").clone();
        let items = Items::from([((key("pk"), key("sk")), item.clone())]);
        Backup::of_pool(&items, &pool).expect("the documented format")
    }

    #[test]
    fn the_fixtures_of_the_item_format_are_read() {
        let backup = backup_of(include_str!("../../fixtures/item/v1/user-living.json"));
        let user = backup.users.values().next().expect("a user");
        assert!(user.alive && user.factors.1.len() == 2 && user.groups.len() == 2);
        assert_eq!((user.enabled, user.attributes.len()), (Some(true), 3));
        assert!(user.created_millis.is_some() && user.modified_millis.is_some() && !user.factors_are_due);
        let backup = backup_of(include_str!("../../fixtures/item/v1/user-tombstone.json"));
        assert!(
            backup
                .users
                .values()
                .all(|user| !user.alive && !user.attributes.is_empty())
        );
        let backup = backup_of(include_str!("../../fixtures/item/v1/user-superseded.json"));
        assert!(backup.users.is_empty(), "an old version is no user");
        let backup = backup_of(include_str!("../../fixtures/item/v1/group-deleted.json"));
        assert!(!backup.groups["racers"].alive && !backup.membership_counts("racers", Some(i64::MAX)));
    }

    #[test]
    fn a_membership_from_before_the_group_does_not_count() {
        let backup = backup_of(include_str!("../../fixtures/item/v1/group-living.json"));
        let (name, group) = backup.groups.iter().next().expect("a group");
        let created = group.created_millis.expect("a date");
        let second = created.div_euclid(1000) * 1000;
        assert!(backup.membership_counts(name, Some(second)));
        assert!(!backup.membership_counts(name, Some(second - 1)));
        assert!(!backup.membership_counts("another", Some(second)));
    }

    #[test]
    fn items_of_one_region_only_are_unequal() {
        let (_, item) = fixture(include_str!("../../fixtures/item/v1/group-living.json"));
        let key = ("p#meta".to_owned(), "group#g".to_owned());
        let one = Items::from([(key, item)]);
        assert!(unequal(&one, &one).is_empty());
        assert_eq!(unequal(&one, &Items::new()), [("p".to_owned(), "group#g".to_owned())]);
    }
}
