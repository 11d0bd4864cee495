//! The chunks of an import, laid out in the table before anything is made. What an attempt goes on with are these, whatever the
//! backup shows by then.
//!
//! Invariant: who is in a chunk that is laid out stays in it, and nobody is in two.

use futures::{StreamExt, TryStreamExt, future::try_join_all, stream};
use twinpool_shared::{
    documents::Kept,
    error::{Error, ErrorKind},
    import::{
        pairs::{Paired, Pairs},
        plan::Plan,
        progress::{Chunk, State, keys},
        select::{CHUNK_USERS, Class, Ordered, Run},
    },
    personal::Sub,
    port::Backup,
};

use crate::{Importer, apply::outdated, documents::Pace};

/// Chunks written or read at the same time. Between two batches the lease is looked at.
const CHUNKS_AHEAD: usize = 16;
/// Chunks written in a second. A fresh one takes 5 write units, and all are in one partition, which takes 1,000 a second and
/// belongs to others as well. [Developer guide of DynamoDB: partitions]
const CHUNKS_PER_SECOND: u32 = 100;

/// The chunks of an import.
#[derive(Clone, Debug, Default)]
pub(crate) struct Layout {
    /// Them, in order.
    pub(crate) runs: Vec<Run>,
    /// Users in them, at most.
    pub(crate) users: u64,
    /// What an operator has to know of users whom the backup shows otherwise than when it was planned.
    pub(crate) warning: Option<String>,
}

impl<P: Sync, W: Sync, B: Backup> Importer<P, W, B> {
    /// Lays out the chunks of `users`, or finds them laid out. Once there is a pool, users who have appeared in the backup come
    /// in further chunks, behind all others.
    ///
    /// # Errors
    /// `Unmet` when the users are not the planned ones and no pool can have been made, `Held` when `owner` has lost the lease;
    /// else as the table answers.
    pub(crate) async fn lay_out(&self, plan: &Plan, users: &Ordered, owner: &str) -> Result<Layout, Error> {
        let source = plan.source.pool.as_str();
        let key = keys::state(source, &plan.id);
        let loaded = self.documents(source).load::<State>(&key).await?;
        let (mut state, version) = loaded.map_or_else(Default::default, |(state, version)| (state, Some(version)));
        let agrees = users.digest().to_string() == plan.users.digest;
        if !agrees && state.pool.is_none() && !state.making {
            return Err(outdated("the users in the backup are"));
        }
        let mut warning = None;
        if state.layout.is_empty() {
            self.register_import(source, &plan.id).await?;
            self.store_chunks(plan, users.chunks(), owner).await?;
            state.layout = users.runs();
            self.documents(source)
                .supersede(&key, &state, version, Kept::Always)
                .await?;
        } else if !agrees {
            let known = self.laid_out(plan, state.chunks()).await?;
            let more = further(users, &known);
            let begin = state.chunks();
            let added: usize = more.iter().map(|(_, subs)| subs.len()).sum();
            state.layout.extend(runs_of(&more));
            let chunks = more.into_iter().map(|(_, subs)| subs);
            self.store_chunks(plan, (begin..).zip(chunks), owner).await?;
            self.documents(source)
                .supersede(&key, &state, version, Kept::Always)
                .await?;
            warning = Some(format!(
                "the users in the backup are no longer those of the plan; the import goes on with those that it began with, and \
                 with {added} who have appeared since"
            ));
        }
        Ok(Layout {
            users: (state.chunks() * CHUNK_USERS).min(users.len()) as u64,
            runs: state.layout,
            warning,
        })
    }

    /// Nobody has worked on these chunks: the layout that names them is not stored yet.
    async fn store_chunks(
        &self,
        plan: &Plan,
        chunks: impl Iterator<Item = (usize, Vec<Sub>)>,
        owner: &str,
    ) -> Result<(), Error> {
        let source = plan.source.pool.as_str();
        let mut pace = Pace::default();
        let mut batches = stream::iter(chunks).chunks(CHUNKS_AHEAD);
        while let Some(batch) = batches.next().await {
            pace.admit(batch.len(), CHUNKS_PER_SECOND).await;
            // Who was paused beyond the lease must not lay out anew what somebody else has worked on since.
            self.still_held(source, owner).await?;
            let stored = batch.into_iter().map(|(number, subs)| async move {
                let key = keys::chunk(source, &plan.id, number);
                self.store_fresh(source, &key, &Chunk::new(subs)).await
            });
            try_join_all(stored).await?;
        }
        Ok(())
    }

    /// Everybody who is in a chunk.
    async fn laid_out(&self, plan: &Plan, chunks: usize) -> Result<Paired, Error> {
        let known = stream::iter(0..chunks)
            .map(|number| self.subs_of(plan, number))
            .buffer_unordered(CHUNKS_AHEAD)
            .try_fold(Pairs::default(), |mut known, subs| {
                for sub in subs {
                    known.push(sub.clone(), sub);
                }
                std::future::ready(Ok(known))
            });
        Ok(known.await?.finish())
    }

    /// The users of a chunk.
    pub(crate) async fn subs_of(&self, plan: &Plan, number: usize) -> Result<Vec<Sub>, Error> {
        let key = keys::chunk(&plan.source.pool, &plan.id, number);
        let chunk = self.documents(&plan.source.pool).load::<Chunk>(&key).await?;
        let (chunk, _) = chunk.ok_or_else(|| missing(number))?;
        Ok(chunk.users.into_iter().map(|user| user.sub).collect())
    }
}

/// A chunk that was laid out is not there.
pub(crate) fn missing(number: usize) -> Error {
    Error::new(
        ErrorKind::NotFound,
        format!("chunk {number} of the import in the table; finish `twinpool apply` first"),
    )
}

/// Neighbouring chunks of a class, together.
fn runs_of(chunks: &[(Class, Vec<Sub>)]) -> impl Iterator<Item = Run> {
    let neighbours = chunks.chunk_by(|(one, _), (next, _)| one == next);
    neighbours.filter_map(|chunks| {
        let (class, _) = chunks.first()?;
        Some(Run {
            class: *class,
            chunks: chunks.len(),
        })
    })
}

/// Users who are in no chunk, in chunks of one class.
fn further(users: &Ordered, known: &Paired) -> Vec<(Class, Vec<Sub>)> {
    let runs = users.runs();
    let classes = runs.iter().flat_map(|run| std::iter::repeat_n(run.class, run.chunks));
    let mut further: Vec<(Class, Vec<Sub>)> = Vec::new();
    for (class, (_, subs)) in classes.zip(users.chunks()) {
        for sub in subs.into_iter().filter(|sub| known.new_sub(sub).is_none()) {
            match further.last_mut() {
                Some((of, chunk)) if *of == class && chunk.len() < CHUNK_USERS => chunk.push(sub),
                _ => further.push((class, vec![sub])),
            }
        }
    }
    further
}

#[cfg(test)]
mod tests;
