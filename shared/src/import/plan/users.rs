//! The users of a plan: by which way they are made, and how many of them there are of each kind.
//!
//! Invariant: counts and a digest; nobody is named.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    import::recreate::{Loss, NotMade},
    time::Timestamp,
};

/// By which way users are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UsersWay {
    /// One by one, by `AdminCreateUser`.
    Api,
    /// By import jobs, which bill nobody as active; who cannot go by a job goes by the API.
    Csv,
    /// By whichever suits: [`Self::decide`].
    Auto,
}

/// Users who can go by an import job, from which on [`UsersWay::Auto`] takes it. Fewer are made sooner one by one: a job takes
/// minutes to start, and what it rejects goes by the API all the same.
const JOB_USERS_MIN: u64 = 10_000;

impl UsersWay {
    /// The way itself, where it was left open: import jobs for a new pool, many users, and a role that may write their logs.
    #[must_use]
    pub fn decide(self, is_new: bool, by_csv: u64, has_logs_role: bool) -> Self {
        match self {
            Self::Auto if is_new && has_logs_role && by_csv > JOB_USERS_MIN => Self::Csv,
            Self::Auto => Self::Api,
            decided => decided,
        }
    }

    /// As the option `--users` names it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Csv => "csv",
            Self::Auto => "auto",
        }
    }
}

/// Who is made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Users {
    /// By which way. The plan decides: never [`UsersWay::Auto`].
    pub way: UsersWay,
    /// Whether users who were deleted come back as well. Those marked by `twinpool undelete` always do.
    pub include_deleted: bool,
    /// Of these, only who was deleted after this instant.
    pub deleted_after: Option<Timestamp>,
    /// The users and what is to be made of them, counted.
    pub counts: UserCounts,
    /// Digest over `sub` and content of everybody chosen.
    pub digest: String,
    /// Chunks that they are made in.
    pub chunks: u32,
}

/// Users, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserCounts {
    /// Everybody chosen: made or not.
    pub chosen: u64,
    /// Who is made.
    pub made: u64,
    /// Everybody chosen by `UserStatus` in the backup; `(unknown)` where it knows none.
    pub statuses: BTreeMap<String, u64>,
    /// Who is not made, by reason.
    pub not_made: BTreeMap<NotMade, u64>,
    /// Of those, who is disabled and known by an outside identity alone: their provider lets them in until they are mended.
    #[serde(default)]
    pub disabled_federated: u64,
    /// Of whom the backup knows no status or no disabled flag.
    #[serde(default)]
    pub unreconciled: u64,
    /// What does not come back, by kind: users who lose it.
    pub losses: BTreeMap<Loss, u64>,
    /// Who is made and disabled.
    pub disabled: u64,
    /// Who is given a random permanent password.
    pub passwords: u64,
    /// Who has attributes that are set only once the user is confirmed.
    pub later: u64,
    /// Outside identities to link.
    pub links: u64,
    /// Memberships.
    pub memberships: u64,
    /// Who has an MFA preference to set.
    pub preferences: u64,
    /// Who can go by an import job. These need no password, and have neither links nor later attributes.
    pub by_csv: u64,
    /// Of those, who is in a group or has an MFA preference: a call after the job makes them billable.
    pub csv_active: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_way_is_the_api_unless_a_job_pays_and_is_possible() {
        let auto = UsersWay::Auto;
        assert_eq!(auto.decide(true, 10_001, true), UsersWay::Csv);
        assert_eq!(auto.decide(true, 10_000, true), UsersWay::Api);
        assert_eq!(auto.decide(false, 10_001, true), UsersWay::Api);
        assert_eq!(auto.decide(true, 10_001, false), UsersWay::Api);
        assert_eq!(UsersWay::Csv.decide(false, 0, false), UsersWay::Csv);
    }
}
