//! The groups that users join, and what becomes of them.
//!
//! Invariant: a group is created again seconds after its deletion, never in the same second: CloudTrail has whole seconds, and
//! whether a membership belongs to the old or to the new group could not be told (a documented limit of the product).

use std::time::Duration;

use super::{
    calls::{Calls, Kind, Refused},
    draw::Draw,
};
use crate::stack::{Failure, PoolHandle};

/// Groups per pool.
pub(super) const COUNT: u64 = 6;
const APART: Duration = Duration::from_millis(2_100);

pub(super) fn name(number: u64) -> String {
    format!("group-{number}")
}

/// Creates the groups of every pool.
pub(super) async fn found(calls: &Calls<'_>) -> Result<(), Failure> {
    for pool in calls.pools {
        for number in 0..COUNT {
            create(calls, pool, number)
                .await
                .map_err(|Refused| Failure(format!("CreateGroup: refused ({:?})", calls.made().refusals)))?;
        }
    }
    Ok(())
}

async fn create(calls: &Calls<'_>, pool: &PoolHandle, number: u64) -> Result<(), Refused> {
    let create = || {
        let request = calls
            .cognito
            .create_group()
            .user_pool_id(&pool.id)
            .group_name(name(number));
        // Some have no precedence: none and 0 are different settings.
        let precedence = (!number.is_multiple_of(3)).then(|| i32::try_from(number).unwrap_or_default() - 1);
        request.set_precedence(precedence).description("as created").send()
    };
    calls.make("CreateGroup", Kind::Change, create).await.map(drop)
}

/// Changes a group's settings, or deletes it and creates it again.
pub(super) async fn churn(calls: &Calls<'_>, pool: &PoolHandle, draw: &mut Draw) -> Result<(), Refused> {
    let number = draw.below(COUNT);
    if draw.percent(60) {
        let text = format!("edition {}", draw.below(1_000));
        let update = || {
            let request = calls
                .cognito
                .update_group()
                .user_pool_id(&pool.id)
                .group_name(name(number));
            request.description(&text).send()
        };
        return calls.make("UpdateGroup", Kind::Change, update).await.map(drop);
    }
    let delete = || {
        let request = calls.cognito.delete_group().user_pool_id(&pool.id);
        request.group_name(name(number)).send()
    };
    calls.make("DeleteGroup", Kind::Change, delete).await?;
    tokio::time::sleep(APART).await;
    create(calls, pool, number).await
}
