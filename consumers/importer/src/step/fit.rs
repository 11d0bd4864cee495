//! Whether the comparison after an import fits into one invocation.
//!
//! A comparison holds in memory whom it has met, and cannot be gone on with in another invocation. So what would not fit is
//! refused when it is planned, and not after hours of importing.
//!
//! Invariant: judges by counts and quotas, and reads nothing.

use std::time::Duration;

use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{configure::CREATE_GROUP, plan::Plan},
    quota::Category,
};

use super::Place;

/// Most users or members on a page. [API: ListUsers, ListUsersInGroup]
const PAGE: u64 = 60;
/// The users are listed by prefix and, when somebody is missing, once more as a whole.
const WALKS: u64 = 2;

/// Refuses a plan whose comparison takes longer than `time` at the share of the quotas.
///
/// # Errors
/// `Unmet`, with what to do instead.
pub(super) fn check(plan: &Plan, place: &Place, time: Duration) -> Result<(), Error> {
    let counts = &plan.users.counts;
    // No page is of two groups.
    let groups = plan.steps.iter().filter(|step| step.operation == CREATE_GROUP).count() as u64;
    let pages = WALKS * counts.made.div_ceil(PAGE) + counts.memberships.div_ceil(PAGE) + groups;
    // A preference is read user by user, while the lists go on.
    let lists = seconds(place, Category::UserList, pages);
    let preferences = seconds(place, Category::UserRead, counts.preferences);
    let takes = lists.max(preferences);
    if takes <= time.as_secs_f64() {
        return Ok(());
    }
    let what = format!(
        "comparing {} users, {} memberships and {} MFA preferences may take {takes:.0} s at {} % of the quotas, and has to fit into \
         an invocation, which has {} s: raise QuotaSharePercent, or use `twinpool plan`, `twinpool apply` and `twinpool verify` \
         (`twinpool drill` for a drill), which have no such limit",
        counts.made,
        counts.memberships,
        counts.preferences,
        place.share.percent(),
        time.as_secs(),
    );
    Err(Error::new(ErrorKind::Unmet, what))
}

/// Seconds that so many calls take.
fn seconds(place: &Place, category: Category, calls: u64) -> f64 {
    let limit = place.live.get(&category).copied();
    let rate = place
        .share
        .allot(limit.unwrap_or_else(|| category.default_rps()), 1)
        .rps;
    f64::from(u32::try_from(calls).unwrap_or(u32::MAX)) / rate
}
