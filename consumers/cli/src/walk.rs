//! A walk over every current user of a pool's backup, living and deleted, in the order of the partitions.
//!
//! Invariant: memory stays flat as the pool grows. Some partitions' first pages are read ahead, and nothing else is kept.

use std::ops::ControlFlow;

use futures::{StreamExt, stream};
use twinpool_shared::{
    error::Error,
    item::{OTHER_SHARD, SHARDS, UserItem, shard_partitions},
    port::Backup,
};

use crate::{context::Context, progress::Progress};

/// First pages read ahead. A page is 1 MB at most.
const READ_AHEAD: usize = 8;

/// Has `visit` see every current user of `pool`, until it breaks off. The order is the same in every walk.
///
/// # Errors
/// As the backup answers, or `visit`.
pub(crate) async fn each_user<B: Backup>(
    context: &Context,
    backup: &B,
    pool: &str,
    mut visit: impl FnMut(UserItem) -> Result<ControlFlow<()>, Error>,
) -> Result<(), Error> {
    let shards = SHARDS.into_iter().chain([OTHER_SHARD]);
    let partitions: Vec<String> = shards.flat_map(|shard| shard_partitions(pool, shard)).collect();
    let mut progress: Progress = context.progress("partitions", u64::try_from(partitions.len()).unwrap_or(0));
    let mut users = 0_u64;
    let first_pages = partitions.into_iter().map(|partition| async move {
        let page = backup.users_in(&partition, "", None).await;
        (partition, page)
    });
    let mut first_pages = stream::iter(first_pages).buffered(READ_AHEAD);
    while let Some((partition, page)) = first_pages.next().await {
        let mut page = page?;
        loop {
            for user in page.entries {
                users += 1;
                if visit(user)?.is_break() {
                    return Ok(());
                }
            }
            let Some(token) = page.token else { break };
            page = backup.users_in(&partition, "", Some(&token)).await?;
        }
        progress.advance(&format!("{users} users"));
    }
    Ok(())
}
