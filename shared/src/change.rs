//! The change: one message on the queue, "this subject may differ now".
//!
//! Readers accept unknown members and every older version; a newer version is refused, so that an old consumer never
//! half-understands it. Fixtures per version stand in `tests/fixtures/change` and are kept for ever.
//!
//! Invariant: a change is never ordered by its place in the queue. Everything that decides is inside it.

use serde::{Deserialize, Serialize};

use crate::{
    marks::Part,
    observation::{Evidence, Observation},
    operation::{Expect, Meaning, meaning, meaning_of_page, meaning_of_unknown},
    personal::Sub,
    time::Timestamp,
    user::Attributes,
};

/// Version written by this code, and the newest that it reads.
pub const SCHEMA_VERSION: u32 = 1;

/// Which pool a change is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PoolRef {
    /// The pool's id.
    Id(String),
    /// An app client of the pool: the event named no pool; the consumer resolves it.
    Client(String),
    /// Neither was named: every configured pool is asked.
    Any,
}

/// Whom or what a change is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A user, by `sub`.
    User(Sub),
    /// A group, by name.
    Group(String),
    /// A part of the pool's configuration, or its users as a whole.
    Part(Part),
}

/// What a trigger's event carries of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// User name and attributes.
    #[serde(flatten)]
    pub attributes: Attributes,
    /// `cognito:user_status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// [`SCHEMA_VERSION`] of the writer.
    pub schema_version: u32,
    /// Derived from the event, never random: CloudTrail's `eventID`, or a hash of the trigger's identity.
    pub id: String,
    /// The pool.
    pub pool: PoolRef,
    /// The subject.
    pub subject: Subject,
    /// Trigger source, API name, or name of the managed-login page.
    pub cause: String,
    /// When it happened: CloudTrail's `eventTime` (whole seconds), or when the trigger received the event.
    pub occurred_at: Timestamp,
    /// When Twinpool saw it.
    pub seen_at: Timestamp,
    /// The group that a membership event names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What the event carried of the user.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<Profile>,
    /// How often the replicator has put this change back because a read did not show it yet.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub attempt: u32,
}

/// Why a message is no change that this version reads.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// Not JSON, or a member is missing or of the wrong type. The position is named, the content is not.
    #[error("not a change message: {category} at line {line}, column {column}")]
    Unreadable {
        /// `syntax`, `data` or `eof`.
        category: &'static str,
        /// Line of the body.
        line: usize,
        /// Column of the body.
        column: usize,
    },
    /// Written by a newer version.
    #[error("schema_version {0} is newer than {SCHEMA_VERSION}, the newest this replicator reads")]
    Newer(u32),
}

/// What the replicator has to find out, because the change does not carry it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Re-read the user, and believe the read when it shows this.
    User(Expect),
    /// Re-read the user, and the factors when that bills nobody.
    Factors,
}

impl Change {
    /// Reads a message body.
    ///
    /// # Errors
    /// [`ChangeError`], which names the place and never the content: the content is personal.
    pub fn parse(body: &str) -> Result<Self, ChangeError> {
        #[derive(Deserialize)]
        struct Version {
            schema_version: u32,
        }
        let unreadable = |error: serde_json::Error| ChangeError::Unreadable {
            category: match error.classify() {
                serde_json::error::Category::Syntax => "syntax",
                serde_json::error::Category::Eof => "eof",
                serde_json::error::Category::Data | serde_json::error::Category::Io => "data",
            },
            line: error.line(),
            column: error.column(),
        };
        let version: Version = serde_json::from_str(body).map_err(unreadable)?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(ChangeError::Newer(version.schema_version));
        }
        let change: Self = serde_json::from_str(body).map_err(unreadable)?;
        // Deserialising takes any text as a `sub`; this one ends up in a filter expression and in a key.
        if matches!(&change.subject, Subject::User(sub) if Sub::new(sub.as_str()).is_none()) {
            return Err(ChangeError::Unreadable {
                category: "data",
                line: 1,
                column: 1,
            });
        }
        Ok(change)
    }

    /// The message body.
    #[must_use]
    pub fn to_body(&self) -> String {
        String::from_utf8_lossy(&crate::canon::canonical_bytes(self)).into_owned()
    }

    /// This change, put back once more.
    #[must_use]
    pub fn again(&self) -> Self {
        Self {
            attempt: self.attempt.saturating_add(1),
            ..self.clone()
        }
    }

    /// What the change means. A cause that the table does not know is a re-read.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        let names_user = matches!(self.subject, Subject::User(_));
        meaning(&self.cause).unwrap_or_else(|| {
            if self.cause.ends_with("_POST") || self.cause.ends_with("_GET") {
                meaning_of_page(&self.cause, names_user)
            } else {
                meaning_of_unknown(names_user)
            }
        })
    }

    /// Evidence that the change itself is, without any read.
    #[must_use]
    pub fn carried(&self) -> Vec<Observation> {
        let mut evidence = Vec::new();
        if let Some(profile) = &self.profile {
            evidence.push(Evidence::Carried {
                attributes: profile.attributes.clone(),
                status: profile.status.clone(),
                weight: crate::trigger::weight(&self.cause),
                received_at: self.occurred_at,
            });
        }
        if self.is_sign_in() {
            evidence.push(Evidence::SignedIn { at: self.occurred_at });
        }
        evidence
            .into_iter()
            .map(|evidence| Observation {
                source: self.cause.clone(),
                evidence,
            })
            .collect()
    }

    /// Whether the user certainly signed in.
    #[must_use]
    pub fn is_sign_in(&self) -> bool {
        self.cause == crate::trigger::POST_AUTHENTICATION
    }

    /// What has to be read for a user's change; `None` when the change carries all there is to know.
    #[must_use]
    pub fn ask(&self) -> Option<Ask> {
        if self.profile.is_some() {
            return None;
        }
        Some(match self.meaning() {
            Meaning::User(expect) => Ask::User(expect),
            Meaning::Factors => Ask::Factors,
            _ => Ask::User(Expect::Anything),
        })
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde's skip_serializing_if hands over a reference"
)]
fn is_zero(attempt: &u32) -> bool {
    *attempt == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{observation::Weight, personal::Personal, time::EPOCH};

    fn change(cause: &str) -> Change {
        Change {
            schema_version: SCHEMA_VERSION,
            id: "1".to_owned(),
            pool: PoolRef::Any,
            subject: Subject::User(Sub::new("0f1e").unwrap()),
            cause: cause.to_owned(),
            occurred_at: EPOCH.plus_millis(7),
            seen_at: EPOCH,
            group: None,
            profile: None,
            attempt: 0,
        }
    }

    fn profile() -> Profile {
        let attributes = Attributes {
            username: Personal::new("ann"),
            ..Attributes::default()
        };
        Profile {
            attributes,
            status: Some("CONFIRMED".to_owned()),
        }
    }

    #[test]
    fn a_cause_means_the_same_here_as_where_it_was_heard() {
        let of_users = Change {
            subject: Subject::Part(Part::Users),
            ..change("x")
        };
        for (cause, of_user, of_nobody) in [
            (
                "AdminDisableUser",
                Meaning::User(Expect::Enabled(false)),
                Meaning::User(Expect::Enabled(false)),
            ),
            ("CreateGroup", Meaning::Group, Meaning::Group),
            (
                "Confirm_POST",
                Meaning::User(Expect::Anything),
                Meaning::Part(Part::Users),
            ),
            (
                "Login_GET",
                meaning_of_page("Login_GET", true),
                meaning_of_page("Login_GET", false),
            ),
            ("Invented", Meaning::User(Expect::Anything), Meaning::Part(Part::Pool)),
        ] {
            assert_eq!(change(cause).meaning(), of_user, "{cause}");
            assert_eq!(
                Change {
                    cause: cause.to_owned(),
                    ..of_users.clone()
                }
                .meaning(),
                of_nobody,
                "{cause}"
            );
        }
    }

    #[test]
    fn only_what_is_not_carried_is_asked_for() {
        for (cause, expected) in [
            ("AdminUpdateUserAttributes", Ask::User(Expect::Modified)),
            ("AdminEnableUser", Ask::User(Expect::Enabled(true))),
            ("DeleteUser", Ask::User(Expect::Gone)),
            ("AdminAddUserToGroup", Ask::User(Expect::Member(true))),
            ("SetUserMFAPreference", Ask::Factors),
            ("RespondToAuthChallenge", Ask::User(Expect::Anything)),
            ("CustomMessage_UpdateUserAttribute", Ask::User(Expect::Anything)),
            ("Invented", Ask::User(Expect::Anything)),
        ] {
            assert_eq!(change(cause).ask(), Some(expected), "{cause}");
            assert_eq!(
                Change {
                    profile: Some(profile()),
                    ..change(cause)
                }
                .ask(),
                None,
                "{cause}"
            );
        }
    }

    #[test]
    fn a_carried_profile_is_evidence_and_a_sign_in_is_another() {
        let received_at = EPOCH.plus_millis(7);
        let carried = |cause: &str, weight| Observation {
            source: cause.to_owned(),
            evidence: Evidence::Carried {
                attributes: profile().attributes,
                status: profile().status,
                weight,
                received_at,
            },
        };
        let confirmed = Change {
            profile: Some(profile()),
            ..change("PostConfirmation_ConfirmSignUp")
        };
        assert_eq!(
            confirmed.carried(),
            [carried("PostConfirmation_ConfirmSignUp", Weight::News)]
        );

        let cause = crate::trigger::POST_AUTHENTICATION;
        let signed_in = Observation {
            source: cause.to_owned(),
            evidence: Evidence::SignedIn { at: received_at },
        };
        let full = Change {
            profile: Some(profile()),
            ..change(cause)
        };
        assert_eq!(full.carried(), [carried(cause, Weight::Evidence), signed_in.clone()]);
        assert_eq!(
            change(cause).carried(),
            [signed_in],
            "also when the profile was too large"
        );
        assert_eq!(change("AdminUpdateUserAttributes").carried(), []);
    }

    #[test]
    fn an_error_names_the_place() {
        let error = Change::parse("{\n  \"schema_version\": }").unwrap_err();
        assert_eq!(
            error,
            ChangeError::Unreadable {
                category: "syntax",
                line: 2,
                column: 21
            }
        );
        assert_eq!(error.to_string(), "not a change message: syntax at line 2, column 21");
        let newer = Change::parse("{\"schema_version\": 2}").unwrap_err();
        assert_eq!(
            newer.to_string(),
            "schema_version 2 is newer than 1, the newest this replicator reads"
        );
    }

    #[test]
    fn putting_back_counts_and_is_left_out_when_it_never_happened() {
        let once = change("x").again();
        assert_eq!((once.attempt, once.again().attempt), (1, 2));
        assert!(once.to_body().contains("\"attempt\":1"));
        assert!(!change("x").to_body().contains("attempt"));
    }
}
