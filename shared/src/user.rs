//! A user as the backup knows them: facets, each with the instant at which its content was certainly still current.
//!
//! Invariant: `as_of` is a lower bound. If the pool's content differs from a facet today, it was changed after the facet's
//! `as_of`; so an authoritative read of the present always wins, and whatever was stored wrongly heals.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{
    canon::{ContentHash, content_hash},
    personal::{Personal, Sub},
    time::{SECOND_MILLIS, Timestamp},
    unforeseen::Unforeseen,
};

/// How long `ListUsers` may go on showing a user who is deleted. A read that shows a user this long after the tombstone is
/// no echo: the tombstone was wrong.
///
/// AWS documents eventual consistency without a bound; a minute is far beyond what is observed.
pub const CONSISTENCY_WINDOW_MILLIS: i64 = 60 * SECOND_MILLIS;

/// One part of a record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facet<T> {
    /// The content was certainly still current at this instant.
    pub as_of: Timestamp,
    /// When it was received or read; decides between two contents with the same `as_of`, and nothing else.
    pub observed_at: Timestamp,
    /// Trigger source or API name that brought it.
    pub source: String,
    /// The content.
    pub data: T,
}

/// What describes the person: user name and attribute values, without Cognito's own `cognito:*` pseudo attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Attributes {
    /// The pool's immutable user name.
    pub username: Personal,
    /// By attribute name, `sub` excluded: it is the record's key.
    pub values: BTreeMap<String, Personal>,
}

/// What only an authoritative read shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Account {
    /// Whether the user may sign in.
    pub enabled: bool,
    /// `UserCreateDate`.
    pub created: Timestamp,
    /// `UserLastModifiedDate`.
    pub modified: Timestamp,
}

/// MFA settings. Secrets and passkeys are given to nobody, so that they exist is all there is to know.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Factors {
    /// `PreferredMfaSetting`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred: Option<String>,
    /// `UserMFASettingList`.
    pub enabled: BTreeSet<String>,
}

/// The user was deleted; the facets keep the last that was known.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Tombstone {
    /// The latest instant at which the deletion can have happened.
    pub at: Timestamp,
    /// API name that announced it.
    pub cause: String,
}

/// A user's record. Every member only ever grows in its own order, which is why any order of the same evidence ends in the
/// same record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserRecord {
    /// The key.
    pub sub: Sub,
    /// User name and attributes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attributes: Option<Facet<Attributes>>,
    /// `UserStatus`: an open set, kept as text. A facet of its own, because triggers carry it and `enabled` not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Facet<String>>,
    /// Enabled, created, modified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<Facet<Account>>,
    /// Names of the user's groups; see [`crate::group::GroupRecord::counts`] for when one counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub groups: Option<Facet<BTreeSet<String>>>,
    /// MFA settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factors: Option<Facet<Factors>>,
    /// The factors changed at this instant in a way that may not be read without making the user billable; they are read at
    /// the user's next sign-in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub factors_due: Option<Timestamp>,
    /// Start of the UTC day of the last sign-in: days, so that signing in costs one write a day at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_seen: Option<Timestamp>,
    /// The user certainly existed at this instant, by an authoritative read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alive_at: Option<Timestamp>,
    /// Set when the user was deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<Tombstone>,
    /// Members of a newer version, carried along.
    #[serde(flatten)]
    pub unforeseen: Unforeseen,
}

/// A record without any stamp: what two copies must agree on.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Content<'a> {
    alive: bool,
    attributes: Option<&'a Attributes>,
    status: Option<&'a str>,
    account: Option<&'a Account>,
    groups: Option<&'a BTreeSet<String>>,
    factors: Option<&'a Factors>,
    last_seen: Option<Timestamp>,
}

impl UserRecord {
    /// A record that knows nothing yet.
    #[must_use]
    pub fn new(sub: Sub) -> Self {
        Self {
            sub,
            attributes: None,
            status: None,
            account: None,
            groups: None,
            factors: None,
            factors_due: None,
            last_seen: None,
            alive_at: None,
            deleted: None,
            unforeseen: Unforeseen::default(),
        }
    }

    /// Whether the user lives: never deleted, or certainly seen after the deletion.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        match (&self.deleted, self.alive_at) {
            (None, _) => true,
            (Some(tombstone), Some(alive_at)) => alive_at > tombstone.at,
            (Some(_), None) => false,
        }
    }

    /// The pool's user name, when known.
    #[must_use]
    pub fn username(&self) -> Option<&Personal> {
        self.attributes.as_ref().map(|facet| &facet.data.username)
    }

    /// `UserLastModifiedDate` of the newest read.
    #[must_use]
    pub fn modified(&self) -> Option<Timestamp> {
        self.account.as_ref().map(|facet| facet.data.modified)
    }

    /// Whether the factors changed since they were last read.
    #[must_use]
    pub fn factors_are_due(&self) -> bool {
        self.factors_due > self.factors.as_ref().map(|facet| facet.as_of)
    }

    /// What two copies of this user must agree on.
    #[must_use]
    pub fn content(&self) -> Content<'_> {
        Content {
            alive: self.is_alive(),
            attributes: self.attributes.as_ref().map(|facet| &facet.data),
            status: self.status.as_ref().map(|facet| facet.data.as_str()),
            account: self.account.as_ref().map(|facet| &facet.data),
            groups: self.groups.as_ref().map(|facet| &facet.data),
            factors: self.factors.as_ref().map(|facet| &facet.data),
            last_seen: self.last_seen,
        }
    }

    /// Hash of [`Self::content`].
    #[must_use]
    pub fn content_hash(&self) -> ContentHash {
        content_hash(&self.content())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn record() -> UserRecord {
        UserRecord::new(Sub::new("s").unwrap())
    }

    #[test]
    fn a_tombstone_yields_only_to_a_later_sight() {
        let mut user = record();
        assert!(user.is_alive());
        user.deleted = Some(Tombstone {
            at: at(10),
            cause: "DeleteUser".into(),
        });
        assert!(!user.is_alive());
        user.alive_at = Some(at(10));
        assert!(!user.is_alive());
        user.alive_at = Some(at(11));
        assert!(user.is_alive());
    }

    #[test]
    fn factors_are_due_until_read_after_the_change() {
        let mut user = record();
        assert!(!user.factors_are_due());
        user.factors_due = Some(at(10));
        assert!(user.factors_are_due());
        let read = |as_of| Facet {
            as_of: at(as_of),
            observed_at: at(99),
            source: "x".into(),
            data: Factors::default(),
        };
        user.factors = Some(read(9));
        assert!(user.factors_are_due());
        user.factors = Some(read(10));
        assert!(!user.factors_are_due());
    }

    #[test]
    fn content_ignores_stamps_and_sees_everything_else() {
        let mut user = record();
        let facet = |as_of, status: &str| Facet {
            as_of: at(as_of),
            observed_at: at(as_of),
            source: "x".into(),
            data: status.to_owned(),
        };
        user.status = Some(facet(1, "CONFIRMED"));
        let hash = user.content_hash();
        user.status = Some(facet(2, "CONFIRMED"));
        user.factors_due = Some(at(5));
        assert_eq!(user.content_hash(), hash);
        user.status = Some(facet(2, "UNCONFIRMED"));
        assert_ne!(user.content_hash(), hash);
        assert_ne!(
            UserRecord {
                deleted: Some(Tombstone {
                    at: at(1),
                    cause: "x".into()
                }),
                ..record()
            }
            .content_hash(),
            record().content_hash()
        );
    }

    #[test]
    fn debug_output_has_no_personal_value() {
        let mut user = record();
        user.attributes = Some(Facet {
            as_of: at(1),
            observed_at: at(1),
            source: "x".into(),
            data: Attributes {
                username: Personal::new("ann"),
                values: BTreeMap::from([("email".to_owned(), Personal::new("ann@example.com"))]),
            },
        });
        let text = format!("{user:?}");
        assert!(!text.contains("ann"), "{text}");
        assert_eq!(user.username().unwrap().expose(), "ann");
    }
}
