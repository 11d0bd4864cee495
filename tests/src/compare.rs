//! An independent comparison of a pool with its backup, in both Regions.
//!
//! It reads the pool by Cognito's API and the table by Scan, and interprets items by their documented format, with no type of
//! the product: a mistake that writer and reader of the product share shows here.
//!
//! Invariant: it changes nothing, and it names users by `sub` and attributes by name; values are never shown.

mod backup;
mod source;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use crate::stack::{Failure, Stack};
use backup::{Backup, GroupItem, UserItem};
use source::{Group, Pool, User};

/// A user who is known to be deleted.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deleted {
    /// Pool id.
    pub pool: String,
    /// The user.
    pub sub: String,
    /// Whether something carried the profile before the deletion, so that the tombstone must keep a snapshot.
    pub was_seen: bool,
}

/// One way in which pool and backup differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Pool id; empty when a whole table is meant.
    pub pool: String,
    /// `sub` of the user, or name of the group.
    pub subject: String,
    /// What differs.
    pub what: What,
}

/// What differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// The pool has the user, the backup has not, or has a tombstone.
    UserMissing,
    /// The backup has a living user whom the pool has not.
    UserExtra,
    /// A deleted user has no tombstone.
    TombstoneMissing,
    /// A tombstone holds nothing of the user.
    SnapshotMissing,
    /// The user name.
    Username,
    /// This attribute's value, or whether there is one.
    Attribute(String),
    /// `UserStatus`.
    Status,
    /// Whether the user may sign in.
    Enabled,
    /// `UserCreateDate`.
    Created,
    /// `UserLastModifiedDate`.
    Modified,
    /// The user is a member of this group, and the backup does not say so.
    MembershipMissing(String),
    /// The backup says that the user is a member of this group.
    MembershipExtra(String),
    /// MFA settings.
    Factors,
    /// The pool has the group, the backup has not.
    GroupMissing,
    /// The backup has a living group that the pool has not.
    GroupExtra,
    /// This setting of a group.
    GroupSetting(&'static str),
    /// An item differs between the Regions, or is in one only.
    Regions,
}

impl fmt::Display for What {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UserMissing => formatter.write_str("user missing in the backup"),
            Self::UserExtra => formatter.write_str("user alive in the backup only"),
            Self::TombstoneMissing => formatter.write_str("no tombstone of a deleted user"),
            Self::SnapshotMissing => formatter.write_str("tombstone without the last snapshot"),
            Self::Username => formatter.write_str("user name"),
            Self::Attribute(name) => write!(formatter, "attribute {name}"),
            Self::Status => formatter.write_str("status"),
            Self::Enabled => formatter.write_str("enabled"),
            Self::Created => formatter.write_str("creation date"),
            Self::Modified => formatter.write_str("modification date"),
            Self::MembershipMissing(group) => write!(formatter, "membership in {group} missing in the backup"),
            Self::MembershipExtra(group) => write!(formatter, "membership in {group} in the backup only"),
            Self::Factors => formatter.write_str("MFA settings"),
            Self::GroupMissing => formatter.write_str("group missing in the backup"),
            Self::GroupExtra => formatter.write_str("group alive in the backup only"),
            Self::GroupSetting(name) => write!(formatter, "group's {name}"),
            Self::Regions => formatter.write_str("the Regions' items differ"),
        }
    }
}

/// Whether MFA settings are compared. They are shown by AdminGetUser only, a call for every user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MfaSettings {
    /// Not compared.
    Skipped,
    /// Compared, except where the backup says itself that it waits for the user's next sign-in.
    Compared,
}

/// What a comparison found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Users of the pools.
    pub users: usize,
    /// Groups of the pools.
    pub groups: usize,
    /// Tombstones of users in the backup.
    pub tombstones: usize,
    /// Items of the table.
    pub items: usize,
    /// Users whose MFA settings the backup will read at their next sign-in only.
    pub factors_due: usize,
    /// Every difference.
    pub differences: Vec<Difference>,
}

/// Compares every pool of `stack` with the backup; `deleted` are users who must have left a tombstone.
///
/// # Errors
/// When the pool or a table cannot be read.
pub async fn compare(stack: &Stack, deleted: &[Deleted], mfa: MfaSettings) -> Result<Comparison, Failure> {
    let table = &stack.deployment.table;
    let (primary, recovery) = tokio::try_join!(
        backup::scan(&stack.dynamodb, table),
        backup::scan(&stack.dynamodb_recovery, table)
    )?;
    let mut found = Comparison {
        items: primary.len(),
        ..Comparison::default()
    };
    for (pool, sort_key) in backup::unequal(&primary, &recovery) {
        found.note(&pool, &sort_key, What::Regions);
    }
    for handle in &stack.pools {
        let pool = source::read(&stack.cognito_of_comparison, &handle.id, mfa).await?;
        let backup = Backup::of_pool(&primary, &handle.id)?;
        found.pool(&handle.id, &pool, &backup, deleted);
    }
    found.differences.sort();
    found.differences.dedup();
    Ok(found)
}

/// Compares one pool with the table in one Region; `deleted` are users who must have left a tombstone.
///
/// # Errors
/// When the pool or the table cannot be read.
pub async fn compare_one(
    cognito: &aws_sdk_cognitoidentityprovider::Client,
    (dynamodb, table): (&aws_sdk_dynamodb::Client, &str),
    pool: &str,
    deleted: &[Deleted],
) -> Result<Comparison, Failure> {
    let items = backup::scan(dynamodb, table).await?;
    let mut found = Comparison {
        items: items.len(),
        ..Comparison::default()
    };
    let shown = source::read(cognito, pool, MfaSettings::Skipped).await?;
    found.pool(pool, &shown, &Backup::of_pool(&items, pool)?, deleted);
    found.differences.sort();
    Ok(found)
}

impl Comparison {
    fn note(&mut self, pool: &str, subject: &str, what: What) {
        self.differences.push(Difference {
            pool: pool.to_owned(),
            subject: subject.to_owned(),
            what,
        });
    }

    fn pool(&mut self, id: &str, pool: &Pool, backup: &Backup, deleted: &[Deleted]) {
        self.users += pool.users.len();
        self.groups += pool.groups.len();
        self.tombstones += backup.users.values().filter(|item| !item.alive).count();
        for (sub, user) in &pool.users {
            match backup.users.get(sub).filter(|item| item.alive) {
                Some(item) => self.user(id, sub, (user, item), backup),
                None => self.note(id, sub, What::UserMissing),
            }
        }
        for (sub, item) in &backup.users {
            if item.alive && !pool.users.contains_key(sub) {
                self.note(id, sub, What::UserExtra);
            }
        }
        for gone in deleted.iter().filter(|gone| gone.pool == id) {
            match backup.users.get(&gone.sub) {
                Some(item) if !item.alive => {
                    if gone.was_seen && item.attributes.is_empty() {
                        self.note(id, &gone.sub, What::SnapshotMissing);
                    }
                }
                _ => self.note(id, &gone.sub, What::TombstoneMissing),
            }
        }
        for (name, group) in &pool.groups {
            match backup.groups.get(name).filter(|item| item.alive) {
                Some(item) => self.group(id, name, group, item),
                None => self.note(id, name, What::GroupMissing),
            }
        }
        for (name, item) in &backup.groups {
            if item.alive && !pool.groups.contains_key(name) {
                self.note(id, name, What::GroupExtra);
            }
        }
    }

    fn user(&mut self, pool: &str, sub: &str, (user, item): (&User, &UserItem), backup: &Backup) {
        let scalars = [
            (item.username.as_ref() == Some(&user.username), What::Username),
            (item.status.as_ref() == Some(&user.status), What::Status),
            (item.enabled == Some(user.enabled), What::Enabled),
            (item.created_millis == user.created_millis, What::Created),
            (item.modified_millis == user.modified_millis, What::Modified),
        ];
        for (equal, what) in scalars {
            if !equal {
                self.note(pool, sub, what);
            }
        }
        for name in names(&user.attributes, &item.attributes) {
            if user.attributes.get(name) != item.attributes.get(name) {
                self.note(pool, sub, What::Attribute(name.clone()));
            }
        }
        let effective: BTreeSet<&String> = item
            .groups
            .iter()
            .filter(|name| backup.membership_counts(name, item.groups_as_of_millis))
            .collect();
        for name in &user.groups {
            if !effective.contains(name) {
                self.note(pool, sub, What::MembershipMissing(name.clone()));
            }
        }
        for name in effective {
            if !user.groups.contains(name) {
                self.note(pool, sub, What::MembershipExtra(name.clone()));
            }
        }
        if let Some(factors) = &user.factors {
            if item.factors_are_due {
                self.factors_due += 1;
            } else if *factors != item.factors {
                self.note(pool, sub, What::Factors);
            }
        }
    }

    fn group(&mut self, pool: &str, name: &str, group: &Group, item: &GroupItem) {
        let settings = [
            (group.description == item.description, "description"),
            (group.precedence == item.precedence, "precedence"),
            (group.role_arn == item.role_arn, "role ARN"),
            (group.created_millis == item.created_millis, "creation date"),
            (group.modified_millis == item.modified_millis, "modification date"),
        ];
        for (equal, what) in settings {
            if !equal {
                self.note(pool, name, What::GroupSetting(what));
            }
        }
    }
}

fn names<'a>(one: &'a BTreeMap<String, String>, other: &'a BTreeMap<String, String>) -> BTreeSet<&'a String> {
    one.keys().chain(other.keys()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(email: &str) -> User {
        User {
            username: "ann".to_owned(),
            attributes: BTreeMap::from([("email".to_owned(), email.to_owned())]),
            status: "CONFIRMED".to_owned(),
            enabled: true,
            created_millis: Some(1),
            modified_millis: Some(2),
            groups: BTreeSet::from(["g".to_owned()]),
            factors: Some((None, BTreeSet::new())),
        }
    }

    fn item(alive: bool) -> UserItem {
        UserItem {
            alive,
            username: Some("ann".to_owned()),
            attributes: user("a@example.com").attributes,
            status: Some("CONFIRMED".to_owned()),
            enabled: Some(true),
            created_millis: Some(1),
            modified_millis: Some(2),
            ..UserItem::default()
        }
    }

    fn differences(pool: &Pool, backup: &Backup, deleted: &[Deleted]) -> Vec<(String, What)> {
        let mut found = Comparison::default();
        found.pool("p", pool, backup, deleted);
        let named = found.differences.into_iter();
        named.map(|one| (one.subject, one.what)).collect()
    }

    #[test]
    fn every_kind_of_difference_is_named() {
        let mut pool = Pool::default();
        let mut backup = Backup::default();
        pool.users.insert("changed".to_owned(), user("new@example.com"));
        backup.users.insert("changed".to_owned(), item(true));
        pool.users.insert("missed".to_owned(), user("a@example.com"));
        backup.users.insert("missed".to_owned(), item(false));
        backup.users.insert("extra".to_owned(), item(true));
        let bare = UserItem::default();
        backup.users.insert("bare".to_owned(), bare);
        let gone = |sub: &str| Deleted {
            pool: "p".to_owned(),
            sub: sub.to_owned(),
            was_seen: true,
        };
        let expected = [
            ("changed", What::Attribute("email".to_owned())),
            ("changed", What::MembershipMissing("g".to_owned())),
            ("missed", What::UserMissing),
            ("extra", What::UserExtra),
            ("bare", What::SnapshotMissing),
            ("never", What::TombstoneMissing),
        ];
        let found = differences(&pool, &backup, &[gone("bare"), gone("never")]);
        assert_eq!(found, expected.map(|(subject, what)| (subject.to_owned(), what)));
        // The same content, and a group that the membership is not older than: nothing is left to name.
        backup.users.get_mut("changed").expect("it is there").attributes = user("new@example.com").attributes;
        backup.users.get_mut("changed").expect("it is there").groups = BTreeSet::from(["g".to_owned()]);
        backup
            .users
            .get_mut("changed")
            .expect("it is there")
            .groups_as_of_millis = Some(5_000);
        let living = GroupItem {
            alive: true,
            created_millis: Some(5_999),
            ..GroupItem::default()
        };
        backup.groups.insert("g".to_owned(), living);
        let left = differences(&pool, &backup, &[]);
        assert!(left.iter().all(|(subject, _)| subject != "changed"), "{left:?}");
        assert!(left.contains(&("g".to_owned(), What::GroupExtra)));
    }
}
