//! The plan: what an import will do, fixed before it does anything.
//!
//! `twinpool plan` makes it and writes it as a file ([`mod@file`]); `twinpool apply` carries out exactly this, and
//! refuses when the backup no longer agrees with the digests in it. It holds counts, names of settings and digests.
//!
//! Invariant: no secret and no personal value. Every figure is a whole number, so that a plan that was read is the one that
//! was written, to the byte.

pub mod file;
pub mod staleness;
mod users;

use serde::{Deserialize, Serialize};

pub use self::users::{UserCounts, Users, UsersWay};
use super::{
    estimate::Estimate,
    mapping::Mapping,
    select::{Deleted, Selection},
};
use crate::{canon::ContentHash, time::Timestamp};

/// Name and version of the format. A change that an older reader would get wrong is a new version.
pub const SCHEMA: &str = "twinpool.plan.v1";

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// Its name: in the documents of the import, and as the tag [`PLAN_TAG`] of a pool that it made.
    pub id: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The version of Twinpool that made it.
    pub made_by: String,
    /// What is read.
    pub source: Source,
    /// What is made or changed.
    pub target: Target,
    /// Who is made.
    pub users: Users,
    /// What becomes of references to the lost Region.
    pub mapping: Mapping,
    /// The configuration of the backup as the calls that make it, in their order. The backup has to lead to the same ones when
    /// the plan is carried out.
    pub steps: Vec<PlannedStep>,
    /// Of an existing target: the calls that make it so. Compared with the target again when they are made.
    pub changes: Option<Vec<PlannedStep>>,
    /// What the mapping leaves out: where it is, and the ARN.
    pub left_out: Vec<String>,
    /// What somebody has to do by hand, before or afterwards.
    pub manual: Vec<String>,
    /// How many calls it takes, and how long.
    pub estimate: Estimate,
}

/// The tag of a pool that a plan made; its value is the plan's id. Who is asked to remove a pool looks for it.
pub const PLAN_TAG: &str = "twinpool:plan";

/// What is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// Name or ARN of the backup table.
    pub table: String,
    /// The pool whose backup it is.
    pub pool: String,
    /// Account of that pool, as its ARN says; empty when the backup does not know the ARN.
    pub account: String,
    /// The backup is read as it was at this instant.
    pub as_of: Timestamp,
    /// How far the backup can be trusted.
    pub freshness: Freshness,
}

/// How far the backup can be trusted; judged by [`staleness`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freshness {
    /// The last reconcile that was finished.
    pub reconcile: Option<Reconciled>,
    /// Parts of the configuration that the backup does not know, or not completely.
    pub incomplete: Vec<String>,
    /// Users of whom the backup knows no status or no disabled flag: no reconcile has read them yet.
    #[serde(default)]
    pub unreconciled: u64,
    /// What was found wanting and accepted by `--allow-stale`, in words.
    pub accepted: Vec<String>,
}

/// A reconcile, as far as a plan needs to know it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reconciled {
    /// Its id.
    pub run: String,
    /// When it was finished.
    pub finished_at: Timestamp,
    /// Differences that it found and could not mend.
    pub drift_left: u64,
    /// Set when deletions waited for an operator: what was missing (`users`, `groups` or `memberships`).
    pub guard: Option<String>,
}

/// What is made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The recovery Region: of the table's replica that is read, and of the pool that is made.
    pub region: String,
    /// Account of the target.
    pub account: String,
    /// The pool.
    pub pool: TargetPool,
}

/// The pool that is made or changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum TargetPool {
    /// A new pool.
    New {
        /// Its name.
        name: String,
    },
    /// A pool that is there, empty or not. Nothing in it is deleted.
    Existing {
        /// Its id.
        id: String,
    },
}

/// One call of the configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlannedStep {
    /// The phase that it belongs to.
    pub phase: String,
    /// The operation.
    pub operation: String,
    /// What it makes or changes: the name of a client, a group, ...; never a secret.
    pub subject: String,
    /// Digest of its input, with placeholders for what is not known yet.
    pub digest: String,
}

/// The id of a plan for `pool`, made at `made_at` by `maker` (host and process): readable, sortable, and no two alike.
#[must_use]
pub fn plan_id(made_at: Timestamp, pool: &str, maker: &str) -> String {
    let hash = ContentHash::of_bytes(format!("{made_at}\n{pool}\n{maker}").as_bytes()).to_string();
    let second = made_at.second_start().to_string();
    let second: String = second
        .chars()
        .take_while(|c| *c != '.')
        .filter(char::is_ascii_alphanumeric)
        .collect();
    format!("{second}Z-{}", hash.chars().take(8).collect::<String>())
}

impl Plan {
    /// The calls of the configuration that are expected to be made.
    #[must_use]
    pub fn calls(&self) -> &[PlannedStep] {
        self.changes.as_deref().unwrap_or(&self.steps)
    }

    /// Whom the import makes.
    #[must_use]
    pub fn selection(&self) -> Selection {
        let deleted = if self.users.include_deleted {
            Deleted::Since(self.users.deleted_after)
        } else {
            Deleted::Not
        };
        Selection {
            as_of: self.source.as_of,
            deleted,
        }
    }

    /// What the operator calls the target before it has an id, and its id afterwards.
    #[must_use]
    pub fn target_name(&self) -> &str {
        match &self.target.pool {
            TargetPool::New { name } => name,
            TargetPool::Existing { id } => id,
        }
    }
}

/// What comes back for nobody, whatever the backup holds.
pub const NEVER: [&str; 3] = [
    "sub: everybody gets a new one; the old one is in custom:original_sub and in the sub map (twinpool export-sub-map)",
    "remembered devices, sessions and tokens: everybody signs in again",
    "risk history and sign-in events of threat protection",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_instant_and_differ_by_maker() {
        let at = Timestamp::parse("2026-11-23T08:13:16.789Z").expect("an instant");
        let id = plan_id(at, "us-east-1_a", "host:1");
        assert!(id.starts_with("20261123T081316Z-"), "{id}");
        assert_eq!(id.len(), "20261123T081316Z-".len() + 8);
        assert_ne!(id, plan_id(at, "us-east-1_a", "host:2"));
        assert!(id < plan_id(at.plus_millis(1_000), "us-east-1_a", "host:1"));
    }
}
