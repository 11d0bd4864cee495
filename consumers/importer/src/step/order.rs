//! What the state machine orders.
//!
//! Invariant: a member of the input that nobody reads is refused, never left aside.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{mapping::Mapping, plan::UsersWay, select::Deleted},
    time::Timestamp,
};

use super::Place;
use crate::{
    drill,
    plan::{PlanOrder, Wish},
};

/// What the state machine orders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The pool of the backup.
    pub pool: String,
    /// The state machine's execution, which holds the lease.
    pub owner: String,
    /// What to do.
    #[serde(flatten)]
    pub step: Step,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// Plans an import into a new pool.
    Plan {
        /// Whether it is a drill, whose pool is named by its instant and removed at the end.
        drill: bool,
        /// What the execution's input says about it.
        #[serde(default)]
        wanted: Wanted,
    },
    /// Carries a plan out, as far as time allows.
    Apply {
        /// Its id.
        plan: String,
        /// Whether it has to be a drill's; else it has to be a restore's.
        drill: bool,
        /// Whether users who failed are tried again.
        #[serde(default)]
        retry_failed: bool,
        /// Whether sign-up and outside providers are opened although users could not be made or linked.
        #[serde(default)]
        open_sign_up: bool,
    },
    /// Compares the target with the backup.
    Verify {
        /// The plan.
        plan: String,
        /// The target.
        target: String,
    },
    /// Removes the pool that a drill made.
    Remove {
        /// The plan.
        plan: String,
    },
}

/// What is to be planned; without anything, all of the present.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wanted {
    /// The pool's name; without one, of the old one's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How users are made.
    pub users: UsersWay,
    /// The mapping file's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapping: Option<Value>,
    /// The instant as of which the backup is read; now, when it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_of: Option<Timestamp>,
    /// Whether deleted users come back.
    pub include_deleted: bool,
    /// Only those who were deleted after this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deleted_after: Option<Timestamp>,
    /// Whether a backup that is found wanting is accepted.
    pub allow_stale: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            name: None,
            users: UsersWay::Auto,
            mapping: None,
            as_of: None,
            include_deleted: false,
            deleted_after: None,
            allow_stale: false,
        }
    }
}

impl Wanted {
    /// What an operator would have asked for at `now`, in `place`.
    ///
    /// # Errors
    /// `BadSetting` that names the member and what to do; as [`Mapping::parse`].
    pub(super) fn order(&self, order: &Order, drill: bool, place: &Place, now: Timestamp) -> Result<PlanOrder, Error> {
        let bad = |what: &str| Error::new(ErrorKind::BadSetting, what);
        let deleted = match (self.include_deleted, self.deleted_after) {
            (true, after) => Deleted::Since(after),
            (false, None) => Deleted::Not,
            (false, Some(_)) => {
                return Err(bad(
                    "deleted_after is about deleted users, who stay away: add \"include_deleted\": true, or leave it out",
                ));
            }
        };
        let name = match (drill, &self.name) {
            (true, None) => Some(drill::name(now)),
            (true, Some(_)) => return Err(bad("a drill names its pool itself: leave out name")),
            (false, name) => name.clone(),
        };
        let mapping = self
            .mapping
            .as_ref()
            .map(|mapping| Mapping::parse(&mapping.to_string()));
        Ok(PlanOrder {
            table: place.table.clone(),
            pool: order.pool.clone(),
            region: place.region.clone(),
            account: place.account.clone(),
            target: Wish::New(name),
            as_of: self.as_of,
            deleted,
            way: self.users,
            mapping: mapping.transpose()?.unwrap_or_default(),
            allow_stale: self.allow_stale,
            retention_seconds: place.retention_seconds,
            maker: order.owner.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            live: place.live.clone(),
            share: place.share,
        })
    }
}
