//! Documents of an import. They are the sub map as well, and kept for ever.
//!
//! Invariant: see [`twinpool_shared::documents`]; only keys of [`keys`] are written.

use twinpool_shared::{
    adapter::lease::{Holder, Tenure},
    documents::Documents,
    error::{Error, ErrorKind},
    import::progress::keys,
    port::Backup,
    run::Lease,
};

use crate::Importer;

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
    use twinpool_shared::documents::Kept;

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
