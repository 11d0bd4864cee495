//! One scan of the backup: everybody whom an import makes, as they were at the plan's instant.
//!
//! Invariant: each chosen user is visited exactly once, and memory is that of some pages.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::select::{Selection, as_of, is_history_incomplete, needs_versions, undelete_mark},
    item::{OTHER_SHARD, SHARDS, UserItem, shard_partitions, undelete_marks},
    personal::Sub,
    port::Backup,
};

/// Partitions whose first pages are read ahead. A page is 1 MB at most.
const READ_AHEAD: usize = 8;
/// Users whose versions are asked for at the same time. Each is one query.
const VERSIONS_AHEAD: usize = 16;

/// Whom an import chooses from the backup of `pool`.
#[derive(Clone, Debug)]
pub(crate) struct Chooser {
    pool: String,
    selection: Selection,
    marked: BTreeSet<Sub>,
}

impl Chooser {
    /// Chooses by `selection` and by the marks of `twinpool undelete`, which are read now.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub(crate) async fn new<B: Backup>(backup: &B, pool: &str, selection: Selection) -> Result<Self, Error> {
        let marks = undelete_marks(pool);
        let marked = backup.documents(&marks.pk, &marks.sk).await?;
        Ok(Self {
            pool: pool.to_owned(),
            selection,
            marked: marked.iter().filter_map(undelete_mark).collect(),
        })
    }

    /// The version of `current` that the import makes, if it makes the user at all.
    ///
    /// # Errors
    /// `Unmet` when the history of the user has a gap at the instant; else as DynamoDB answers.
    pub(crate) async fn choose<B: Backup>(&self, backup: &B, current: UserItem) -> Result<Option<UserItem>, Error> {
        let item = if needs_versions(&current, self.selection.as_of) {
            let versions = backup.user_versions(&self.pool, &current.record.sub).await?;
            if is_history_incomplete(&current, &versions, self.selection.as_of) {
                let what = format!(
                    "the backup does not have every version of the user {} as of {}: their history has expired or has not \
                     arrived in this Region; plan with a later --as-of",
                    current.record.sub, self.selection.as_of
                );
                return Err(Error::new(ErrorKind::Unmet, what));
            }
            as_of(&current, &versions, self.selection.as_of).cloned()
        } else {
            Some(current)
        };
        Ok(item.filter(|item| {
            let marked = self.marked.contains(&item.record.sub);
            self.selection.chooses(&item.record, marked)
        }))
    }

    /// Has `visit` see everybody chosen, in the order of the partitions.
    ///
    /// # Errors
    /// As DynamoDB answers, or `visit`.
    pub(crate) async fn each<B: Backup>(
        &self,
        backup: &B,
        mut visit: impl FnMut(UserItem) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let shards = SHARDS.into_iter().chain([OTHER_SHARD]);
        let partitions = shards.flat_map(|shard| shard_partitions(&self.pool, shard));
        let first_pages = partitions.map(|partition| async move {
            let page = backup.users_in(&partition, "", None).await;
            (partition, page)
        });
        let mut first_pages = stream::iter(first_pages).buffered(READ_AHEAD);
        while let Some((partition, page)) = first_pages.next().await {
            let mut page = page?;
            loop {
                let mut chosen = stream::iter(page.entries)
                    .map(|current| self.choose(backup, current))
                    .buffered(VERSIONS_AHEAD);
                while let Some(item) = chosen.try_next().await? {
                    if let Some(item) = item {
                        visit(item)?;
                    }
                }
                let Some(token) = page.token else { break };
                page = backup.users_in(&partition, "", Some(&token)).await?;
            }
        }
        Ok(())
    }
}
