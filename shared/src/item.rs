//! The backup table's items and keys.
//!
//! One table serves many pools. Items are keyed by the pool that owns them, so two Regions never write the same item. Readers
//! accept unknown members and older versions; an item of a newer version is never overwritten by older code.
//!
//! Invariant: keys are made here and nowhere else.

use serde::{Deserialize, Serialize};

use crate::{
    canon::ContentHash,
    group::GroupRecord,
    marks::Part,
    personal::{Personal, Sub},
    time::Timestamp,
    unforeseen::Unforeseen,
    user::UserRecord,
};

/// Version written by this code, and the newest that it overwrites.
pub const SCHEMA_VERSION: u32 = 1;

/// What the sort keys of all superseded versions of a configuration begin with.
pub const CONFIG_VERSION_PREFIX: &str = "config-version#";
/// What the sort keys of all pieces of large contents begin with.
pub const CONFIG_CHUNK_PREFIX: &str = "config-chunk#";

/// Primary key of an item.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

/// Partition of a user: `{pool}#{s}{h}`, `s` the first character of the `sub` (`_` when it is no hexadecimal digit) and `h`
/// the first hexadecimal digit of its SHA-256. 256 partitions a pool, and one `sub ^= "s"` walk covers exactly 16 of them.
#[must_use]
pub fn user_partition(pool: &str, sub: &Sub) -> String {
    let spread = ContentHash::of_bytes(sub.as_str().as_bytes()).first_hex_digit();
    format!("{pool}#{}{spread}", shard_of(sub))
}

/// The first characters that a `sub` walk is made for: `ListUsers(sub ^= "s")`, one each.
pub const SHARDS: [char; 16] = [
    '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f',
];
/// The shard of users whose `sub` begins with no hexadecimal digit; no walk covers it.
pub const OTHER_SHARD: char = '_';

/// The shard of a user: the first character of [`user_partition`]'s last two.
#[must_use]
pub fn shard_of(sub: &Sub) -> char {
    let first = sub.as_str().chars().next().map(|c| c.to_ascii_lowercase());
    first.filter(char::is_ascii_hexdigit).unwrap_or(OTHER_SHARD)
}

/// The 16 partitions of a shard.
pub fn shard_partitions(pool: &str, shard: char) -> impl Iterator<Item = String> {
    SHARDS.into_iter().map(move |spread| format!("{pool}#{shard}{spread}"))
}

/// What the sort keys of current users begin with.
pub const USER_PREFIX: &str = "user#";

/// Key of a user's current item.
#[must_use]
pub fn user_key(pool: &str, sub: &Sub) -> Key {
    Key {
        pk: user_partition(pool, sub),
        sk: format!("{USER_PREFIX}{sub}"),
    }
}

/// Key of a superseded version. Idempotent: writing the same version twice writes the same item.
///
/// Not under [`USER_PREFIX`]: who reads the current users of a partition must not pay for their history.
#[must_use]
pub fn user_version_key(pool: &str, sub: &Sub, version: u64) -> Key {
    Key {
        pk: user_partition(pool, sub),
        sk: format!("version#{sub}#{version:010}"),
    }
}

/// What the sort keys of a user's superseded versions begin with: now, and until release 0.1 (`user#{sub}#v{version}`).
#[must_use]
pub fn user_version_prefixes(sub: &Sub) -> [String; 2] {
    [format!("version#{sub}#"), format!("{USER_PREFIX}{sub}#v")]
}

/// Key of a group.
#[must_use]
pub fn group_key(pool: &str, name: &str) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: format!("group#{name}"),
    }
}

/// Key of a run's document; `name` begins with the kind of the run.
#[must_use]
pub fn run_key(pool: &str, name: &str) -> Key {
    Key {
        pk: format!("{pool}#run"),
        sk: name.to_owned(),
    }
}

/// Key of a document of the imports of a pool. Only the Region that imports writes these.
#[must_use]
pub fn import_key(pool: &str, name: &str) -> Key {
    Key {
        pk: format!("{pool}#import"),
        sk: name.to_owned(),
    }
}

/// Key of the mark of a deleted user whom an import is to bring back.
#[must_use]
pub fn undelete_key(pool: &str, sub: &Sub) -> Key {
    let mut key = undelete_marks(pool);
    key.sk.push_str(sub.as_str());
    key
}

/// What the keys of all marks of [`undelete_key`] begin with.
#[must_use]
pub fn undelete_marks(pool: &str) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: "undelete#".to_owned(),
    }
}

/// Key of a part's mark.
#[must_use]
pub fn part_key(pool: &str, part: Part) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: format!("config#{}", part.as_str()),
    }
}

/// Key of one member of a part of the configuration, as it is now.
#[must_use]
pub fn config_key(pool: &str, part: Part, name: &str) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: format!("config#{}#{name}", part.as_str()),
    }
}

/// Key of a superseded version of it. Idempotent: writing the same version twice writes the same item.
#[must_use]
pub fn config_version_key(pool: &str, part: Part, name: &str, version: u64) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: format!("{CONFIG_VERSION_PREFIX}{}#{name}#{version:010}", part.as_str()),
    }
}

/// Key of a piece of a content that is too large for one item. Idempotent: `hash`, of the whole, says what is in it.
#[must_use]
pub fn config_chunk_key(pool: &str, part: Part, name: &str, hash: &str, index: u32) -> Key {
    let mut key = config_chunks(pool, part, name);
    key.sk.push_str(&format!("{hash}#{index:04}"));
    key
}

/// What the keys of all pieces of one member begin with; those of a member whose name goes on with `#` as well.
#[must_use]
pub fn config_chunks(pool: &str, part: Part, name: &str) -> Key {
    Key {
        pk: format!("{pool}#meta"),
        sk: format!("{CONFIG_CHUNK_PREFIX}{}#{name}#", part.as_str()),
    }
}

/// A user's item, current or superseded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct UserItem {
    /// Primary key.
    #[serde(flatten)]
    pub key: Key,
    /// Version of the format.
    pub schema_version: u32,
    /// The pool.
    pub pool: String,
    /// Counts the writes of this user; the condition of the next write.
    pub version: u64,
    /// When this version was written.
    pub written_at: Timestamp,
    /// Hash of the record's content, to compare copies without shipping them.
    pub content_hash: String,
    /// The record.
    pub record: UserRecord,
    /// DynamoDB's TTL, epoch seconds: superseded versions and tombstones only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<i64>,
    /// Index key: user name, case folded. Current, living users only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gsi_username: Option<Personal>,
    /// Index key: e-mail address, case folded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gsi_email: Option<Personal>,
    /// Index key: phone number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gsi_phone: Option<Personal>,
    /// Index key: preferred user name, case folded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gsi_preferred_username: Option<Personal>,
    /// Members of a newer version, carried along.
    #[serde(flatten)]
    pub unforeseen: Unforeseen,
}

impl UserItem {
    /// The current item of `record`.
    #[must_use]
    pub fn current(
        pool: &str,
        version: u64,
        record: UserRecord,
        written_at: Timestamp,
        retention_seconds: i64,
    ) -> Self {
        let alive = record.is_alive();
        let index = |value: Option<&Personal>| {
            value
                .filter(|value| alive && !value.expose().is_empty())
                .map(|value| index_key(pool, value.expose()))
        };
        let attribute = |name: &str| index(record.attributes.as_ref().and_then(|facet| facet.data.values.get(name)));
        Self {
            key: user_key(pool, &record.sub),
            schema_version: SCHEMA_VERSION,
            pool: pool.to_owned(),
            version,
            written_at,
            content_hash: record.content_hash().to_string(),
            expires_at: (!alive).then(|| written_at.as_seconds() + retention_seconds),
            gsi_username: index(record.username()),
            gsi_email: attribute("email"),
            gsi_phone: attribute("phone_number"),
            gsi_preferred_username: attribute("preferred_username"),
            unforeseen: Unforeseen::default(),
            record,
        }
    }

    /// Whether this is the current item, and no superseded version.
    #[must_use]
    pub fn is_current(&self) -> bool {
        self.key == user_key(&self.pool, &self.record.sub)
    }

    /// This item as a superseded version, out of the indexes and with an end.
    #[must_use]
    pub fn superseded(&self, superseded_at: Timestamp, retention_seconds: i64) -> Self {
        Self {
            key: user_version_key(&self.pool, &self.record.sub, self.version),
            expires_at: Some(superseded_at.as_seconds() + retention_seconds),
            gsi_username: None,
            gsi_email: None,
            gsi_phone: None,
            gsi_preferred_username: None,
            ..self.clone()
        }
    }
}

/// Key in one of the four indexes. DynamoDB takes 2,048 bytes; a longer value is cut, and the reader compares the record.
#[must_use]
pub fn index_key(pool: &str, value: &str) -> Personal {
    const BYTES_MAX: usize = 2_048;
    let mut key = format!("{pool}#{}", value.to_lowercase());
    if key.len() > BYTES_MAX {
        let cut = (0..=BYTES_MAX).rev().find(|at| key.is_char_boundary(*at)).unwrap_or(0);
        key.truncate(cut);
    }
    Personal::new(key)
}

/// A group's item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct GroupItem {
    /// Primary key.
    #[serde(flatten)]
    pub key: Key,
    /// Version of the format.
    pub schema_version: u32,
    /// The pool.
    pub pool: String,
    /// Counts the writes of this group.
    pub version: u64,
    /// When this version was written.
    pub written_at: Timestamp,
    /// The record.
    pub record: GroupRecord,
    /// Members of a newer version, carried along.
    #[serde(flatten)]
    pub unforeseen: Unforeseen,
}

impl GroupItem {
    /// The item of `record`. A group's tombstone does not expire: without it, memberships from before the deletion would
    /// count again.
    #[must_use]
    pub fn current(pool: &str, version: u64, record: GroupRecord, written_at: Timestamp) -> Self {
        Self {
            key: group_key(pool, &record.name),
            schema_version: SCHEMA_VERSION,
            pool: pool.to_owned(),
            version,
            written_at,
            record,
            unforeseen: Unforeseen::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::{
        time::EPOCH,
        user::{Attributes, Facet, Tombstone},
    };

    fn sub(text: &str) -> Sub {
        Sub::new(text).unwrap()
    }

    fn record() -> UserRecord {
        let mut record = UserRecord::new(sub("0f1e"));
        let values = [
            ("email", "Ann@Example.com"),
            ("phone_number", "+31612345678"),
            ("preferred_username", ""),
        ];
        let values: BTreeMap<_, _> = values
            .map(|(name, value)| (name.to_owned(), Personal::new(value)))
            .into();
        record.attributes = Some(Facet {
            as_of: EPOCH,
            observed_at: EPOCH,
            source: "x".into(),
            data: Attributes {
                username: Personal::new("Ann"),
                values,
            },
        });
        record
    }

    #[test]
    fn keys() {
        // echo -n 0f1e | sha256sum  -> 9..., echo -n Gx | sha256sum -> b...
        let spread = ContentHash::of_bytes(b"0f1e").first_hex_digit();
        assert_eq!(
            user_key("p", &sub("0f1e")),
            Key {
                pk: format!("p#0{spread}"),
                sk: "user#0f1e".into()
            }
        );
        assert_eq!(user_version_key("p", &sub("0f1e"), 7).sk, "version#0f1e#0000000007");
        assert!(user_partition("p", &sub("Gx")).starts_with("p#_"));
        assert!(user_partition("p", &sub("Ax")).starts_with("p#a"));
        assert_eq!(
            group_key("p", "g"),
            Key {
                pk: "p#meta".into(),
                sk: "group#g".into()
            }
        );
        assert_eq!(part_key("p", Part::UiCustomization).sk, "config#ui-customization");
        assert_eq!(config_key("p", Part::Clients, "c").sk, "config#clients#c");
        assert_eq!(
            config_version_key("p", Part::Clients, "c", 7).sk,
            "config-version#clients#c#0000000007"
        );
        assert_eq!(
            config_chunk_key("p", Part::Branding, "c", "9f", 2).sk,
            "config-chunk#branding#c#9f#0002"
        );
    }

    #[test]
    fn only_current_living_users_are_indexed() {
        let item = UserItem::current("p", 3, record(), EPOCH, 100);
        assert_eq!(item.gsi_username.as_ref().unwrap().expose(), "p#ann");
        assert_eq!(item.gsi_email.as_ref().unwrap().expose(), "p#ann@example.com");
        assert_eq!(item.gsi_phone.as_ref().unwrap().expose(), "p#+31612345678");
        assert_eq!(item.gsi_preferred_username, None, "an empty value cannot be a key");
        assert_eq!(item.expires_at, None);

        let old = item.superseded(Timestamp::from_millis(5_000), 100);
        assert_eq!(
            (old.expires_at, &old.gsi_username, &old.gsi_email, &old.gsi_phone),
            (Some(105), &None, &None, &None)
        );
        assert_eq!((old.version, old.key.sk.as_str()), (3, "version#0f1e#0000000003"));

        let mut dead = record();
        dead.deleted = Some(Tombstone {
            at: EPOCH,
            cause: "DeleteUser".into(),
        });
        let item = UserItem::current("p", 4, dead, EPOCH, 100);
        assert_eq!(
            (item.expires_at, &item.gsi_username, &item.gsi_email),
            (Some(100), &None, &None)
        );
    }

    #[test]
    fn long_index_keys_are_cut_at_a_character() {
        let key = index_key("p", &"é".repeat(2_000));
        assert_eq!(key.expose().len(), 2_048);
        assert_eq!(index_key("p", &"é".repeat(1_023)).expose().len(), 2_048);
        assert_eq!(index_key("pp", &"é".repeat(1_023)).expose().len(), 2_047);
    }
}
