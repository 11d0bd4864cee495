//! The lease: one run at a time.
//!
//! Invariant: work goes on only while the lease is held. It would do no harm without (every write of a run may come twice), but
//! two runs use twice the quota, and what a run counts must be its own.

use std::time::Duration;

use crate::{
    documents::{Documents, Kept},
    error::{Error, ErrorKind},
    item::Key,
    port::{Backup, Written},
    run::{Claim, Lease},
    time::Timestamp,
};

/// A lease outlives its run by so long in the table, to be looked at.
const KEPT: Kept = Kept::Seconds(7 * 86_400);

/// Who runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Host and process, or the execution of the state machine. The same owner may always go on.
    pub owner: String,
    /// For how long a killed run keeps others out.
    pub seconds: i64,
    /// Whether an expired lease of somebody else may be taken.
    pub steal: bool,
}

/// The lease under one key, for one holder.
pub struct Tenure<'a, B> {
    /// The documents that it is one of.
    pub documents: Documents<'a, B>,
    /// Its key.
    pub key: Key,
    /// Who holds it, or wants to.
    pub holder: &'a Holder,
}

impl<B: Backup> Tenure<'_, B> {
    /// Takes the lease, or goes on with its own.
    ///
    /// # Errors
    /// `Held` when somebody else holds it; else as DynamoDB answers.
    pub async fn acquire(&self) -> Result<(), Error> {
        let found = self.documents.load::<Lease>(&self.key).await?;
        let (found, version) = found.map_or((None, None), |(lease, version)| (Some(lease), Some(version)));
        let now = (self.documents.clock)();
        let since = match Lease::claim(found.as_ref(), &self.holder.owner, now) {
            Claim::Free => found.as_ref().map_or(now, |lease| lease.since),
            Claim::Expired(lease) if self.holder.steal => {
                tracing::warn!(owner = lease.owner, since = %lease.since, until = %lease.until, "an expired lease is taken over");
                now
            }
            Claim::Expired(lease) => {
                let what = format!(
                    "{} began a run at {} and has not been heard of since {}; --steal takes over",
                    lease.owner, lease.since, lease.until
                );
                return Err(Error::new(ErrorKind::Held, what));
            }
            Claim::Held(lease) => {
                let what = format!(
                    "{} is at work since {}, until {} at least",
                    lease.owner, lease.since, lease.until
                );
                return Err(Error::new(ErrorKind::Held, what));
            }
        };
        self.hold((since, now), version).await
    }

    /// Renews the lease, if it is still there: who took it over and gave it back has had a run meanwhile.
    async fn renew(&self) -> Result<(), Error> {
        let now = (self.documents.clock)();
        match self.documents.load::<Lease>(&self.key).await? {
            Some((lease, version)) if lease.owner == self.holder.owner => {
                self.hold((lease.since, now), Some(version)).await
            }
            Some((lease, _)) => {
                let what = format!("{} has taken over at {}", lease.owner, lease.since);
                Err(Error::new(ErrorKind::Held, what))
            }
            None => Err(Error::new(ErrorKind::Held, "somebody else took over and has ended")),
        }
    }

    /// Stores the lease, held from `since` and for so long from now.
    async fn hold(&self, (since, now): (Timestamp, Timestamp), version: Option<u64>) -> Result<(), Error> {
        let lease = Lease {
            owner: self.holder.owner.clone(),
            since,
            until: now.plus_millis(self.holder.seconds * 1_000),
        };
        match self.documents.store(&self.key, &lease, version, KEPT).await? {
            Written::Stored => Ok(()),
            Written::Conflict => {
                // Another step of the same execution may have renewed it at the same moment.
                let found = self.documents.load::<Lease>(&self.key).await?;
                match found {
                    Some((lease, _)) if lease.owner == self.holder.owner => Ok(()),
                    _ => Err(Error::new(
                        ErrorKind::Held,
                        "somebody else began a run at the same moment",
                    )),
                }
            }
        }
    }

    /// Carries out `work` while the lease is renewed; stops it when the lease is lost.
    ///
    /// # Errors
    /// Those of `work`; `Held` when somebody else took over, or as DynamoDB answers when it could not be renewed until its end.
    pub async fn while_held<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let third = Duration::from_millis(u64::try_from(self.holder.seconds * 1_000 / 3).unwrap_or(1_000).max(1));
        let renewals = async {
            let mut renewed_at = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(third).await;
                match self.renew().await {
                    Ok(()) => renewed_at = tokio::time::Instant::now(),
                    Err(error) if error.kind == ErrorKind::Held => return error,
                    // The table may be away for a moment; past its end the lease is anybody's.
                    Err(error) if renewed_at.elapsed() >= third * 3 => return error,
                    Err(error) => tracing::warn!(error = %error, "the lease could not be renewed; tried again"),
                }
            }
        };
        tokio::select! {
            done = work => done,
            lost = renewals => Err(lost),
        }
    }

    /// Takes the lease, carries out `work` while it is held, and gives it back. A run that failed lets the next one in at once;
    /// one that was killed makes it wait for the lease's end.
    ///
    /// # Errors
    /// As [`Self::acquire`], `work`, and [`Self::release`].
    pub async fn during<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        self.acquire().await?;
        let worked = self.while_held(work).await;
        match (worked, self.release().await) {
            (Ok(done), Ok(())) => Ok(done),
            (Err(error), _) | (Ok(_), Err(error)) => Err(error),
        }
    }

    /// Gives the lease back. Whoever does not hold it gives nothing back.
    ///
    /// # Errors
    /// As DynamoDB answers.
    pub async fn release(&self) -> Result<(), Error> {
        match self.documents.load::<Lease>(&self.key).await? {
            Some((lease, _)) if lease.owner == self.holder.owner => {
                self.documents
                    .backup
                    .remove_documents(std::slice::from_ref(&self.key))
                    .await
            }
            _ => Ok(()),
        }
    }
}
