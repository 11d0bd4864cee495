//! A group of a pool: its settings, and when a membership in it counts.
//!
//! Invariant: deleting a group touches the group's item only. Its memberships stop counting because they are older than the
//! group's next creation, not because every member is rewritten.

use serde::{Deserialize, Serialize};

use crate::{
    canon::{ContentHash, content_hash},
    time::Timestamp,
    unforeseen::Unforeseen,
    user::{Facet, Tombstone},
};

/// What `GetGroup` shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupSettings {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Lower goes first; 0 is a value, absent is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precedence: Option<i32>,
    /// IAM role that members may assume through an identity pool.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<String>,
    /// `CreationDate`.
    pub created: Timestamp,
    /// `LastModifiedDate`.
    pub modified: Timestamp,
}

/// A group's record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupRecord {
    /// The key.
    pub name: String,
    /// Newest settings known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Facet<GroupSettings>>,
    /// The group certainly existed at this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive_at: Option<Timestamp>,
    /// Set when the group was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Tombstone>,
    /// Members of a newer version, carried along.
    #[serde(flatten)]
    pub unforeseen: Unforeseen,
}

impl GroupRecord {
    /// A record that knows nothing yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            settings: None,
            alive_at: None,
            deleted: None,
            unforeseen: Unforeseen::default(),
        }
    }

    /// Whether the group exists.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match (&self.deleted, self.alive_at) {
            (None, _) => true,
            (Some(tombstone), Some(alive_at)) => alive_at > tombstone.at,
            (Some(_), None) => false,
        }
    }

    /// Whether a membership that was current at `as_of` counts: the group exists, and was not created after it.
    ///
    /// Compared in whole seconds, because memberships are announced by CloudTrail, which has no finer clock.
    #[must_use]
    pub fn counts(&self, as_of: Timestamp) -> bool {
        let created = self.settings.as_ref().map(|facet| facet.data.created.second_start());
        self.is_alive() && created.is_none_or(|created| as_of >= created)
    }

    /// Hash of what two copies must agree on.
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        content_hash(&(self.is_alive(), self.settings.as_ref().map(|facet| &facet.data)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn created(millis: i64) -> GroupRecord {
        let data = GroupSettings {
            description: None,
            precedence: Some(0),
            role_arn: None,
            created: at(millis),
            modified: at(millis),
        };
        let mut group = GroupRecord::new("g");
        group.settings = Some(Facet {
            as_of: at(millis),
            observed_at: at(millis),
            source: "CreateGroup".into(),
            data,
        });
        group
    }

    #[test]
    fn a_membership_older_than_the_group_does_not_count() {
        let group = created(10_500);
        assert!(!group.counts(at(9_999)));
        assert!(
            group.counts(at(10_000)),
            "same second: CloudTrail cannot tell, the membership stands"
        );
        assert!(GroupRecord::new("g").counts(at(0)), "a group not read yet hides nobody");
    }

    #[test]
    fn a_deleted_group_counts_for_nobody_until_it_is_seen_again() {
        let mut group = created(10_500);
        let alive = group.content_hash();
        group.deleted = Some(Tombstone {
            at: at(20_999),
            cause: "DeleteGroup".into(),
        });
        assert!(!group.is_alive());
        assert!(!group.counts(at(30_000)));
        assert_ne!(group.content_hash(), alive);
        group.alive_at = Some(at(20_999));
        assert!(!group.is_alive());
        group.alive_at = Some(at(21_000));
        assert!(group.is_alive());
        assert_eq!(group.content_hash(), alive);
    }
}
