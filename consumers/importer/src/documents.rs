//! Documents of an import. They are the sub map as well, and kept for ever.
//!
//! Invariant: see [`twinpool_shared::documents`]; only keys of [`keys`] are written.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};
use twinpool_shared::{
    adapter::lease::{Holder, Tenure},
    documents::{Documents, Kept},
    error::{Error, ErrorKind},
    import::progress::{Chunk, keys},
    item::Key,
    port::{Backup, Written},
    run::Lease,
};

use crate::Importer;

/// Documents removed with one call of the port.
const REMOVED_AT_ONCE: usize = 25;
/// Chunks removed in a second. One that was worked on has up to 20 KB, as many write units, and all are in one partition, which
/// takes 1,000 units a second. [Developer guide of DynamoDB: partitions]
const REMOVED_PER_SECOND: u32 = 50;
/// How often a write of many is tried that is refused for its throughput: together half a minute, in which a partition splits or
/// a table's capacity follows.
const ATTEMPTS_MAX: u32 = 8;
/// Wait after the first refusal; it doubles from there.
const WAIT: Duration = Duration::from_millis(250);

/// Carries out a write that may come twice, again where it is refused for its throughput.
async fn patiently<F: Future<Output = Result<(), Error>>>(write: impl Fn() -> F) -> Result<(), Error> {
    let mut wait = WAIT;
    for _ in 1..ATTEMPTS_MAX {
        match write().await {
            Err(error) if error.kind == ErrorKind::Throttled => sleep(wait).await,
            done => return done,
        }
        wait *= 2;
    }
    write().await
}

/// Lets documents pass at a given rate.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    next: Option<Instant>,
}

impl Pace {
    /// Waits until `documents` more may be written, at `per_second`.
    pub(crate) async fn admit(&mut self, documents: usize, per_second: u32) {
        let at = self.next.map_or_else(Instant::now, |next| next.max(Instant::now()));
        sleep_until(at).await;
        let documents = u32::try_from(documents).unwrap_or(u32::MAX);
        self.next = Some(at + Duration::from_secs(1) * documents / per_second.max(1));
    }
}

impl<P, W, B: Backup> Importer<P, W, B> {
    /// The documents of the pool `pool` of the backup.
    pub(crate) fn documents<'a>(&'a self, pool: &'a str) -> Documents<'a, B> {
        Documents {
            backup: &self.backup,
            pool,
            clock: &self.clock,
        }
    }

    /// Whether `owner` still has the right to import the backup of `pool`, by the clock on the wall: a process that was paused
    /// does not know that its lease has run out.
    ///
    /// # Errors
    /// `Held` when it has not; else as DynamoDB answers.
    pub(crate) async fn still_held(&self, pool: &str, owner: &str) -> Result<(), Error> {
        let lease = self.documents(pool).load::<Lease>(&keys::lease(pool)).await?;
        match lease {
            Some((lease, _)) if lease.owner == owner && lease.until > (self.clock)() => Ok(()),
            Some((lease, _)) if lease.owner != owner => {
                let what = format!("{} has taken over at {}", lease.owner, lease.since);
                Err(Error::new(ErrorKind::Held, what))
            }
            _ => Err(Error::new(
                ErrorKind::Held,
                "the lease of this import has run out; run the same command again",
            )),
        }
    }

    /// Stores a chunk of an import that nobody has worked on, in the place of what an attempt laid out before it was killed, and
    /// of nothing that was worked on.
    ///
    /// # Errors
    /// `Held` when somebody has worked on it, so that this process has lost its lease; else as DynamoDB answers.
    pub(crate) async fn store_fresh(&self, pool: &str, key: &Key, chunk: &Chunk) -> Result<(), Error> {
        let documents = self.documents(pool);
        patiently(|| async move {
            if documents.store(key, chunk, None, Kept::Always).await? == Written::Stored {
                return Ok(());
            }
            let found = documents.load::<Chunk>(key).await?;
            let version = match found {
                Some((found, _)) if found == *chunk => return Ok(()),
                Some((found, version)) if found.is_untouched() => Some(version),
                Some(_) => {
                    let what = format!("another process works on the document {} already", key.sk);
                    return Err(Error::new(ErrorKind::Held, what));
                }
                None => None,
            };
            documents.supersede(key, chunk, version, Kept::Always).await
        })
        .await
    }

    /// Removes documents of an import, however many, no faster than their one partition takes it.
    ///
    /// # Errors
    /// As DynamoDB answers; some may be removed.
    pub(crate) async fn remove_paced(&self, keys: &[Key]) -> Result<(), Error> {
        let mut pace = Pace::default();
        for some in keys.chunks(REMOVED_AT_ONCE) {
            pace.admit(some.len(), REMOVED_PER_SECOND).await;
            patiently(|| self.backup.remove_documents(some)).await?;
        }
        Ok(())
    }

    /// The right to import the backup of `pool`.
    pub(crate) fn tenure<'a>(&'a self, pool: &'a str, holder: &'a Holder) -> Tenure<'a, B> {
        Tenure {
            documents: self.documents(pool),
            key: keys::lease(pool),
            holder,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{SOURCE, World};

    #[tokio::test(start_paused = true)]
    async fn a_newer_writers_document_is_never_overwritten() {
        let world = World::with(Vec::new());
        let importer = world.importer();
        let documents = importer.documents(SOURCE);
        let key = keys::chunk(SOURCE, "plan", 0);
        documents
            .supersede(&key, &"first", None, Kept::Always)
            .await
            .expect("stored");
        let again = documents.supersede(&key, &"first", None, Kept::Always).await;
        assert_eq!(again, Ok(()), "what an own attempt stored whose answer was lost");
        documents
            .supersede(&key, &"second", Some(1), Kept::Always)
            .await
            .expect("stored");
        for late in [None, Some(1)] {
            let refused = documents.supersede(&key, &"late", late, Kept::Always).await;
            assert_eq!(refused.map_err(|error| error.kind), Err(ErrorKind::Held));
        }
        let stored = documents.load::<String>(&key).await.expect("readable");
        assert_eq!(stored, Some(("second".to_owned(), 2)));
    }
}
