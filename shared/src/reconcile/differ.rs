//! The two-way comparison, for millions of users: the backup as one fingerprint a user, the pool as it passes by.
//!
//! Invariant: a fingerprint covers all that a walk shows, and only that. What a walk does not show (MFA settings, days of
//! sign-ins) is never judged by it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use sha2::{Digest, Sha256};

use crate::{
    group::{GroupRecord, GroupSettings},
    item::GroupItem,
    merge::absorb,
    observation::{Evidence, Observation, UserRead, walked_as_of},
    personal::Sub,
    time::Timestamp,
    user::{Account, Attributes, CONSISTENCY_WINDOW_MILLIS, UserRecord},
};

/// Source of what a walk brings.
const LIST_USERS: &str = "ListUsers";
const LIST_USERS_IN_GROUP: &str = "ListUsersInGroup";

/// A user as a walk shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Walked {
    /// What `ListUsers` shows.
    pub user: UserRead,
    /// Groups in which `ListUsersInGroup` shows the user; see [`walked_groups`].
    pub groups: BTreeSet<String>,
}

/// Hash of what a walk shows of a user: 16 bytes, so that a million users fit into a small function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Of a walked user.
    #[must_use]
    pub fn of_walked(walked: &Walked) -> Self {
        let user = &walked.user;
        let groups = walked.groups.iter().map(String::as_str);
        Self::of(&user.attributes, &user.status, &user.account, groups)
    }

    /// Of a stored user; `None` when the record lacks something that a walk shows.
    #[must_use]
    pub fn of_stored(record: &UserRecord, groups: &BTreeMap<String, GroupRecord>) -> Option<Self> {
        let (attributes, status, account) = (&record.attributes, &record.status, &record.account);
        let (attributes, status, account) = (attributes.as_ref()?, status.as_ref()?, account.as_ref()?);
        let groups = counting_groups(record, groups).map(String::as_str);
        Some(Self::of(&attributes.data, &status.data, &account.data, groups))
    }

    /// `groups` are in order.
    fn of<'a>(attributes: &Attributes, status: &str, account: &Account, groups: impl Iterator<Item = &'a str>) -> Self {
        // Every part goes in with its length, so that no two contents make the same bytes. No value has 4 GiB.
        let mut bytes = Vec::with_capacity(1_024);
        let mut part = |text: &str| {
            bytes.extend((text.len() as u32).to_le_bytes());
            bytes.extend(text.as_bytes());
        };
        part(attributes.username.expose());
        part(status);
        for (name, value) in &attributes.values {
            part(name);
            part(value.expose());
        }
        // Separates attributes from groups.
        part("");
        groups.for_each(part);
        bytes.push(u8::from(account.enabled));
        bytes.extend(account.created.as_millis().to_le_bytes());
        bytes.extend(account.modified.as_millis().to_le_bytes());
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        Self(short)
    }
}

/// The groups of a stored user that count.
#[must_use]
pub fn effective_groups(record: &UserRecord, groups: &BTreeMap<String, GroupRecord>) -> BTreeSet<String> {
    counting_groups(record, groups).cloned().collect()
}

/// The same, in order, without a copy of their names: a walk asks it of every user.
fn counting_groups<'a>(
    record: &'a UserRecord,
    groups: &BTreeMap<String, GroupRecord>,
) -> impl Iterator<Item = &'a String> {
    let facet = record.groups.iter();
    facet.flat_map(|facet| {
        let counts = |name: &&String| groups.get(*name).is_none_or(|group| group.counts(facet.as_of));
        facet.data.iter().filter(counts)
    })
}

/// The groups of a walked user: those which the backup does not know to be deleted, or created anew, since the walk of the
/// groups began at `walk_began`. Of a group that was created since, and of those in `again`, the walk may have shown the members
/// of the one before.
#[must_use]
pub fn walked_groups<'a>(
    names: impl IntoIterator<Item = &'a str>,
    groups: &BTreeMap<String, GroupRecord>,
    again: &BTreeSet<String>,
    walk_began: Timestamp,
) -> BTreeSet<String> {
    let is_the_walked_one = |group: &GroupRecord| {
        let settings = group.settings.as_ref();
        group.is_alive() && settings.is_none_or(|facet| facet.data.created <= walk_began)
    };
    let names = names.into_iter().filter(|name| !again.contains(*name));
    let exist = names.filter(|name| groups.get(*name).is_none_or(is_the_walked_one));
    exist.map(str::to_owned).collect()
}

/// What became of a walked user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// The backup says the same.
    Same,
    /// The backup says something else, or has a tombstone, or lacks the user: read the item and look closer.
    Differs,
    /// The walk showed the user before. What changed since is the next run's.
    Again,
}

/// The stored users of one walk's share, to hold the walk against.
///
/// Memory: about 120 bytes a user, which is why a big pool is walked in more and shorter shares.
#[derive(Debug, Default)]
pub struct Shard {
    users: HashMap<Sub, Stored>,
    living: u64,
}

#[derive(Clone, Copy, Debug)]
struct Stored {
    /// `None` when the record lacks something that a walk shows.
    fingerprint: Option<Fingerprint>,
    alive: bool,
    seen: bool,
}

impl Shard {
    /// Notes a stored user. A second note of the same user replaces the first.
    pub fn note(&mut self, record: &UserRecord, groups: &BTreeMap<String, GroupRecord>) {
        let held = self.users.get(&record.sub);
        let stored = Stored {
            fingerprint: Fingerprint::of_stored(record, groups),
            alive: record.is_alive(),
            seen: held.is_some_and(|held| held.seen),
        };
        self.living -= u64::from(held.is_some_and(|held| held.alive));
        self.living += u64::from(stored.alive);
        self.users.insert(record.sub.clone(), stored);
    }

    /// Holds a walked user against what was noted, and remembers that the walk showed them.
    pub fn see(&mut self, sub: &Sub, walked: &Walked) -> Seen {
        let Some(stored) = self.users.get_mut(sub) else {
            let unknown = Stored {
                fingerprint: None,
                alive: false,
                seen: true,
            };
            self.users.insert(sub.clone(), unknown);
            return Seen::Differs;
        };
        if std::mem::replace(&mut stored.seen, true) {
            return Seen::Again;
        }
        if stored.alive && stored.fingerprint == Some(Fingerprint::of_walked(walked)) {
            Seen::Same
        } else {
            Seen::Differs
        }
    }

    /// Living users of the backup.
    #[must_use]
    pub fn living(&self) -> u64 {
        self.living
    }

    /// Living users of the backup whom the walk did not show, in order.
    #[must_use]
    pub fn missing(&self) -> Vec<Sub> {
        let missing = self.users.iter().filter(|(_, stored)| stored.alive && !stored.seen);
        let mut missing: Vec<Sub> = missing.map(|(sub, _)| sub.clone()).collect();
        missing.sort_unstable();
        missing
    }
}

/// Something in which pool and backup differ.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// The pool has the user (or group), the backup does not.
    MissingInBackup,
    /// The backup has a living user (or group) whom the pool does not show.
    MissingInPool,
    /// The backup has a tombstone, the pool shows the user (or group).
    Buried,
    /// The user name.
    Username,
    /// This attribute.
    Attribute(String),
    /// `UserStatus`.
    Status,
    /// Whether the user may sign in.
    Enabled,
    /// `UserCreateDate`, or the group's.
    Created,
    /// `UserLastModifiedDate`, or the group's.
    Modified,
    /// The pool has the membership, the backup does not.
    JoinedGroup(String),
    /// The backup has the membership, the pool does not.
    LeftGroup(String),
    /// The backup does not know this part of the user yet: `attributes`, `status` or `account`.
    Unknown(&'static str),
    /// A group's description.
    Description,
    /// A group's precedence.
    Precedence,
    /// A group's role.
    RoleArn,
}

impl Field {
    /// Whether the backup has lost or mistaken something, and not merely not known it yet: an unconfirmed sign-up is known by
    /// its trigger alone until the first walk.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        !matches!(self, Self::Unknown(_))
    }

    /// Whether it is about what `ListUsers` shows, and not about groups or about being there at all.
    #[must_use]
    pub fn is_of_profile(&self) -> bool {
        !matches!(
            self,
            Self::MissingInBackup | Self::MissingInPool | Self::Buried | Self::JoinedGroup(_) | Self::LeftGroup(_)
        )
    }

    /// Kind of the difference, for counting.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MissingInBackup => "missing",
            Self::MissingInPool => "gone",
            Self::Buried => "buried",
            Self::JoinedGroup(_) | Self::LeftGroup(_) => "memberships",
            Self::Unknown(_) => "incomplete",
            _ => "different",
        }
    }

    /// Name in reports: the attribute's or group's name included, never a value.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::MissingInBackup => "missing in the backup".to_owned(),
            Self::MissingInPool => "missing in the pool".to_owned(),
            Self::Buried => "deleted in the backup".to_owned(),
            Self::Username => "username".to_owned(),
            Self::Attribute(name) => format!("attribute {name}"),
            Self::Status => "status".to_owned(),
            Self::Enabled => "enabled".to_owned(),
            Self::Created => "created".to_owned(),
            Self::Modified => "modified".to_owned(),
            Self::JoinedGroup(name) => format!("joined group {name}"),
            Self::LeftGroup(name) => format!("left group {name}"),
            Self::Unknown(part) => format!("{part} not known yet"),
            Self::Description => "description".to_owned(),
            Self::Precedence => "precedence".to_owned(),
            Self::RoleArn => "role".to_owned(),
        }
    }
}

/// In what a stored user differs from the walked one, in order; empty when they say the same.
#[must_use]
pub fn differences(stored: Option<&UserRecord>, walked: &Walked, groups: &BTreeMap<String, GroupRecord>) -> Vec<Field> {
    let Some(record) = stored else {
        return vec![Field::MissingInBackup];
    };
    let mut fields = Vec::new();
    if !record.is_alive() {
        fields.push(Field::Buried);
    }
    let user = &walked.user;
    match &record.attributes {
        None => fields.push(Field::Unknown("attributes")),
        Some(held) => {
            if held.data.username != user.attributes.username {
                fields.push(Field::Username);
            }
            let (held, shown) = (&held.data.values, &user.attributes.values);
            let names: BTreeSet<&String> = held.keys().chain(shown.keys()).collect();
            let differing = names.into_iter().filter(|name| held.get(*name) != shown.get(*name));
            fields.extend(differing.map(|name| Field::Attribute(name.clone())));
        }
    }
    match &record.status {
        None => fields.push(Field::Unknown("status")),
        Some(held) if held.data != user.status => fields.push(Field::Status),
        Some(_) => {}
    }
    match &record.account {
        None => fields.push(Field::Unknown("account")),
        Some(held) => {
            let (held, shown) = (&held.data, &user.account);
            let compared = [
                (held.enabled == shown.enabled, Field::Enabled),
                (held.created == shown.created, Field::Created),
                (held.modified == shown.modified, Field::Modified),
            ];
            fields.extend(compared.into_iter().filter(|(same, _)| !same).map(|(_, field)| field));
        }
    }
    let held = effective_groups(record, groups);
    fields.extend(walked.groups.difference(&held).cloned().map(Field::JoinedGroup));
    fields.extend(held.difference(&walked.groups).cloned().map(Field::LeftGroup));
    fields
}

/// In what a stored user goes on to differ when the record has absorbed the walk's `evidence`: there the record claims to be
/// newer than what the pool shows.
#[must_use]
pub fn disputed(
    record: &UserRecord,
    evidence: &Observation,
    walked: &Walked,
    groups: &BTreeMap<String, GroupRecord>,
) -> Vec<Field> {
    let mut after = record.clone();
    absorb(&mut after, evidence);
    let mut fields = differences(Some(&after), walked, groups);
    fields.retain(|field| field.is_of_profile() || *field == Field::Buried);
    fields
}

/// In what a stored group differs from the listed one; empty when they say the same.
#[must_use]
pub fn group_differences(stored: Option<&GroupRecord>, listed: &GroupSettings) -> Vec<Field> {
    let Some(record) = stored else {
        return vec![Field::MissingInBackup];
    };
    let mut fields = Vec::new();
    if !record.is_alive() {
        fields.push(Field::Buried);
    }
    let Some(held) = record.settings.as_ref().map(|facet| &facet.data) else {
        fields.push(Field::Unknown("settings"));
        return fields;
    };
    let compared = [
        (held.description == listed.description, Field::Description),
        (held.precedence == listed.precedence, Field::Precedence),
        (held.role_arn == listed.role_arn, Field::RoleArn),
        (held.created == listed.created, Field::Created),
        (held.modified == listed.modified, Field::Modified),
    ];
    fields.extend(compared.into_iter().filter(|(same, _)| !same).map(|(_, field)| field));
    fields
}

/// The evidence of a walked user's profile, read at `read_at`.
#[must_use]
pub fn profile_evidence(user: &UserRead, read_at: Timestamp) -> Observation {
    Observation {
        source: LIST_USERS.to_owned(),
        evidence: Evidence::Read {
            user: user.clone(),
            read_at,
        },
    }
}

/// Whether the members that a list made at `read_at` shows of a group may be those of an earlier group of the same name: it was
/// created less than the consistency window before, and the backup knew one by that name already.
#[must_use]
pub fn came_again(stored: Option<&GroupItem>, listed: &GroupSettings, read_at: Timestamp) -> bool {
    let is_young = read_at.millis_since(listed.created) < CONSISTENCY_WINDOW_MILLIS;
    let is_known = |item: &GroupItem| {
        let created = item.record.settings.as_ref().map(|facet| facet.data.created);
        // Later versions: whatever they say now, there was something before.
        item.version > 1 || created != Some(listed.created)
    };
    is_young && stored.is_some_and(is_known)
}

/// The lower bound for groups that were walked from `walk_began` on; see [`walked_as_of`].
#[must_use]
pub fn groups_as_of(
    names: &BTreeSet<String>,
    groups: &BTreeMap<String, GroupRecord>,
    walk_began: Timestamp,
) -> Timestamp {
    let created = names.iter().filter_map(|name| groups.get(name)?.settings.as_ref());
    let newest = created.map(|settings| settings.data.created.second_start()).max();
    walked_as_of(walk_began, newest)
}

/// The evidence of a user's groups that were current at `as_of`, as of [`groups_as_of`].
#[must_use]
pub fn groups_evidence(names: BTreeSet<String>, as_of: Timestamp, read_at: Timestamp) -> Observation {
    Observation {
        source: LIST_USERS_IN_GROUP.to_owned(),
        evidence: Evidence::Groups {
            groups: names,
            announced_at: as_of,
            read_at,
        },
    }
}
