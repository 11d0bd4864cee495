//! The sub map: whose `sub` of the backup became which in the target, as the chunks of the import know it.
//!
//! Invariant: read chunk by chunk, so that memory stays flat.

use futures::{Stream, TryStreamExt, stream};
use twinpool_shared::{
    error::Error,
    import::{
        plan::Plan,
        progress::{Chunk, Outcome, State, keys},
        sub_map::Entry,
    },
    port::Backup,
};

use crate::Importer;

/// Chunks read ahead.
const CHUNKS_AHEAD: usize = 8;

impl<P: Sync, W: Sync, B: Backup> Importer<P, W, B> {
    /// Everybody whom the import of `plan` has made so far, in the order in which they were made.
    pub fn sub_map<'a>(&'a self, plan: &'a Plan) -> impl Stream<Item = Result<Entry, Error>> + 'a {
        self.outcomes(plan).try_filter_map(|outcome| {
            let Outcome { sub, new, first, .. } = outcome;
            std::future::ready(Ok(new.map(|new| Entry { old: sub, new, first })))
        })
    }

    /// What became of everybody so far, in the order of the plan.
    pub fn outcomes<'a>(&'a self, plan: &'a Plan) -> impl Stream<Item = Result<Outcome, Error>> + 'a {
        let pool = plan.source.pool.as_str();
        let chunks = async move {
            let state = self.documents(pool).load::<State>(&keys::state(pool, &plan.id)).await?;
            let chunks = state.map_or(0, |(state, _)| state.chunks());
            Ok::<_, Error>(stream::iter((0..chunks).map(Ok)))
        };
        stream::once(chunks)
            .try_flatten()
            .map_ok(move |number| async move {
                let key = keys::chunk(pool, &plan.id, number);
                let chunk = self.documents(pool).load::<Chunk>(&key).await?;
                let users = chunk.map(|(chunk, _)| chunk.users).unwrap_or_default();
                Ok::<_, Error>(stream::iter(users.into_iter().map(Ok)))
            })
            .try_buffered(CHUNKS_AHEAD)
            .try_flatten()
    }
}
