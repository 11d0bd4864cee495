//! The modelled monthly bill of one pool, and of the AWS reference solution for the same pool.
//!
//! What happens in a month ([`change`], [`reconcile`], [`standing`]) is counted as [`Usage`], and usage times a dated
//! [`price`] table is a [`Bill`]. The same counts of one reconcile are what a demo compares its own counters with
//! ([`agreement`]).
//!
//! Invariant: every coefficient is a named constant of [`coefficient`] that says whether it is measured (and by what),
//! documented, or assumed. More of anything never makes the bill smaller, but for a larger share of the quota.

pub mod active;
mod bill;
pub mod change;
pub mod coefficient;
pub mod price;
pub mod reconcile;
pub mod reference;
pub mod standing;
mod usage;

use serde::Serialize;

use crate::{
    error::{Error, ErrorKind},
    quota::Share,
    settings::RETENTION_DAYS_DEFAULT,
};

pub use bill::{Bill, Line};
pub use usage::{Agreement, Meter, TOLERANCE, Usage, agreement};

/// Days in a month: 365 / 12.
pub const DAYS_A_MONTH: f64 = 30.4;
/// Seconds in a month.
pub const SECONDS_A_MONTH: f64 = DAYS_A_MONTH * 86_400.0;
/// Most groups of a pool; source: "Amazon Cognito user pools resource quotas".
pub const GROUPS_MAX: u64 = 10_000;
/// Most users of a pool, after an increase; same source.
pub const USERS_MAX: u64 = 40_000_000;
/// Most groups of one user; same source.
pub const GROUPS_OF_A_USER_MAX: u64 = 100;

/// What the bill is modelled for.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pool {
    /// Users.
    pub users: u64,
    /// Of those, who sign in at least once a month.
    pub monthly_active: u64,
    /// Memberships of all groups together.
    pub memberships: u64,
    /// Groups.
    pub groups: u64,
    /// Changes of users a day that are no sign-ins.
    pub changes_per_day: u64,
    /// Sign-ins of one monthly active user on an average day.
    pub sign_ins_per_active_user_per_day: f64,
    /// Size of a living user's item, in bytes.
    pub item_bytes: u64,
    /// Regions beside the primary one that hold the table.
    pub replicas: u64,
    /// Reconciles a month.
    pub reconciles_per_month: f64,
    /// Share of Cognito's quotas that a reconcile takes, in percent.
    #[serde(serialize_with = "percent")]
    pub share: Share,
    /// Days that superseded versions are kept.
    pub retention_days: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape of serde's functions")]
fn percent<S: serde::Serializer>(share: &Share, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(share.percent())
}

impl Pool {
    /// A pool with the defaults of everything else: one membership each in ten groups, a sign-in every fifth day, one
    /// recovery Region, a reconcile a night at half of the quota.
    #[must_use]
    pub fn new(users: u64, monthly_active: u64, changes_per_day: u64) -> Self {
        Self {
            users,
            monthly_active,
            memberships: users,
            groups: 10,
            changes_per_day,
            sign_ins_per_active_user_per_day: coefficient::SIGN_INS_A_DAY,
            item_bytes: coefficient::ITEM_BYTES,
            replicas: 1,
            reconciles_per_month: DAYS_A_MONTH,
            share: Share::default(),
            retention_days: RETENTION_DAYS_DEFAULT.unsigned_abs(),
        }
    }

    /// Refuses what no pool can be.
    ///
    /// # Errors
    /// `BadSetting`, which names the member and the fix.
    pub fn check(&self) -> Result<(), Error> {
        let refused = |what: String| Err(Error::new(ErrorKind::BadSetting, what));
        let (users, active, groups) = (self.users, self.monthly_active, self.groups);
        if users > USERS_MAX {
            return refused(format!("users: {users}; a pool has at most {USERS_MAX}"));
        }
        if active > users {
            return refused(format!(
                "monthly active users: {active} of {users} users; give at most as many"
            ));
        }
        if groups > GROUPS_MAX {
            return refused(format!("groups: {groups}; a pool has at most {GROUPS_MAX}"));
        }
        let most = users * groups.min(GROUPS_OF_A_USER_MAX);
        if self.memberships > most {
            let memberships = self.memberships;
            return refused(format!(
                "memberships: {memberships}; {users} users have at most {most} in {groups} groups"
            ));
        }
        if !(0.0..=1_000.0).contains(&self.sign_ins_per_active_user_per_day) {
            return refused("sign-ins a day: give a number from 0 to 1000".to_owned());
        }
        if !(0.0..=1_000.0).contains(&self.reconciles_per_month) {
            return refused("reconciles a month: give a number from 0 to 1000".to_owned());
        }
        Ok(())
    }

    /// What Twinpool uses in a month for this pool.
    #[must_use]
    pub fn usage(&self) -> Usage {
        let mut usage = change::usage(self);
        let night = reconcile::usage(&reconcile::Walk::of(self), self);
        usage.add_all(&night, self.reconciles_per_month);
        standing::add(self, &mut usage);
        usage
    }

    /// What that costs at today's prices.
    #[must_use]
    pub fn bill(&self) -> Bill {
        Bill::of(&self.usage(), price::TODAY)
    }
}
