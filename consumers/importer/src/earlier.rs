//! Earlier imports of the same backup: which there were, and whom they made in a pool.
//!
//! A second plan for a pool that an earlier one filled meets the earlier one's users. Their chunks say so; the marker alone does
//! not, see [`crate::create`].
//!
//! Invariant: nothing of an earlier import is changed. The chunks of all imports are in one partition and are many, so that
//! they are never listed: a register names the imports.

use std::collections::BTreeSet;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    documents::Kept,
    error::Error,
    import::{
        pairs::{Paired, Pairs},
        progress::{Chunk, State, keys},
    },
    port::Backup,
};

use crate::Importer;

/// Chunks read at the same time.
const CHUNKS_AHEAD: usize = 16;

impl<P: Sync, W: Sync, B: Backup> Importer<P, W, B> {
    /// Every import of the backup of `source` that was begun, by its plan's id, the newest first.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub(crate) async fn imports_of(&self, source: &str) -> Result<Vec<(String, State)>, Error> {
        let documents = self.documents(source);
        let ids = documents.load::<BTreeSet<String>>(&keys::imports(source)).await?;
        let mut imports = Vec::new();
        for id in ids.map(|(ids, _)| ids).unwrap_or_default().into_iter().rev() {
            // What a rehearsal removed again has none.
            if let Some((state, _)) = documents.load::<State>(&keys::state(source, &id)).await? {
                imports.push((id, state));
            }
        }
        Ok(imports)
    }

    /// Notes that an import begins, before its first document.
    pub(crate) async fn register_import(&self, source: &str, plan: &str) -> Result<(), Error> {
        let key = keys::imports(source);
        let loaded = self.documents(source).load::<BTreeSet<String>>(&key).await?;
        let (mut ids, version) = loaded.map_or_else(Default::default, |(ids, version)| (ids, Some(version)));
        if !ids.insert(plan.to_owned()) {
            return Ok(());
        }
        self.documents(source)
            .supersede(&key, &ids, version, Kept::Always)
            .await
    }

    /// Forgets an import whose documents are removed.
    pub(crate) async fn forget_import(&self, source: &str, plan: &str) -> Result<(), Error> {
        let key = keys::imports(source);
        let Some((mut ids, version)) = self.documents(source).load::<BTreeSet<String>>(&key).await? else {
            return Ok(());
        };
        if !ids.remove(plan) {
            return Ok(());
        }
        if ids.is_empty() {
            return self.backup.remove_documents(&[key]).await;
        }
        self.documents(source)
            .supersede(&key, &ids, Some(version), Kept::Always)
            .await
    }

    /// Whom the imports of other plans than `plan` made in `pool`.
    pub(crate) async fn made_earlier(&self, source: &str, plan: &str, pool: &str) -> Result<Paired, Error> {
        let mut pairs = Pairs::default();
        for (id, state) in self.imports_of(source).await? {
            if id == plan || state.pool.as_deref() != Some(pool) {
                continue;
            }
            let id = id.as_str();
            let mut chunks = stream::iter(0..state.chunks())
                .map(|number| async move {
                    let key = keys::chunk(source, id, number);
                    self.documents(source).load::<Chunk>(&key).await
                })
                .buffer_unordered(CHUNKS_AHEAD);
            while let Some(chunk) = chunks.try_next().await? {
                for user in chunk.map(|(chunk, _)| chunk.users).unwrap_or_default() {
                    if let Some(new) = user.new {
                        pairs.push(user.sub, new);
                    }
                }
            }
        }
        Ok(pairs.finish())
    }
}
