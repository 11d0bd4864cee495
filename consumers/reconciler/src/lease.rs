//! The lease: one run at a time.
//!
//! Invariant: work goes on only while the lease is held. It would do no harm without (every write is a merge), but two runs
//! use twice the quota, and a sweep must have seen one whole walk.

use std::time::Duration;

use twinpool_shared::{
    error::{Error, ErrorKind},
    port::{Backup, ReadPool, Written},
    run::{Claim, Lease, keys},
    time::Timestamp,
};

use crate::Reconciler;

/// A lease outlives its run by so long in the table, to be looked at.
const KEPT_SECONDS: i64 = 7 * 86_400;

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

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Takes the lease, or goes on with its own.
    pub(crate) async fn acquire(&self, pool: &str, holder: &Holder) -> Result<(), Error> {
        let key = keys::lease(pool);
        let found = self.load::<Lease>(&key).await?;
        let (found, version) = found.map_or((None, None), |(lease, version)| (Some(lease), Some(version)));
        let now = (self.clock)();
        let since = match Lease::claim(found.as_ref(), &holder.owner, now) {
            Claim::Free => found.as_ref().map_or(now, |lease| lease.since),
            Claim::Expired(_) if holder.steal => now,
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
        self.hold(pool, holder, (since, now), version).await
    }

    /// Renews the lease, if it is still there: who took it over and gave it back has had a run meanwhile.
    async fn renew(&self, pool: &str, holder: &Holder) -> Result<(), Error> {
        let now = (self.clock)();
        match self.load::<Lease>(&keys::lease(pool)).await? {
            Some((lease, version)) if lease.owner == holder.owner => {
                self.hold(pool, holder, (lease.since, now), Some(version)).await
            }
            Some((lease, _)) => {
                let what = format!("{} has taken over at {}", lease.owner, lease.since);
                Err(Error::new(ErrorKind::Held, what))
            }
            None => Err(Error::new(ErrorKind::Held, "somebody else took over and has ended")),
        }
    }

    /// Stores the lease, held from `since` and for so long from now.
    async fn hold(
        &self,
        pool: &str,
        holder: &Holder,
        (since, now): (Timestamp, Timestamp),
        version: Option<u64>,
    ) -> Result<(), Error> {
        let key = keys::lease(pool);
        let lease = Lease {
            owner: holder.owner.clone(),
            since,
            until: now.plus_millis(holder.seconds * 1_000),
        };
        match self.store(pool, &key, &lease, version, KEPT_SECONDS).await? {
            Written::Stored => Ok(()),
            Written::Conflict => {
                // Another step of the same execution may have renewed it at the same moment.
                let found = self.load::<Lease>(&key).await?;
                match found {
                    Some((lease, _)) if lease.owner == holder.owner => Ok(()),
                    _ => Err(Error::new(
                        ErrorKind::Held,
                        "somebody else began a run at the same moment",
                    )),
                }
            }
        }
    }

    /// Carries out `work` while the lease is renewed; stops it when the lease is lost.
    pub(crate) async fn while_held<T>(
        &self,
        pool: &str,
        holder: &Holder,
        work: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let third = Duration::from_millis(u64::try_from(holder.seconds * 1_000 / 3).unwrap_or(1_000).max(1));
        let renewals = async {
            let mut renewed_at = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(third).await;
                match self.renew(pool, holder).await {
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

    /// Gives the lease back. Whoever does not hold it gives nothing back.
    pub(crate) async fn release(&self, pool: &str, holder: &Holder) -> Result<(), Error> {
        let key = keys::lease(pool);
        match self.load::<Lease>(&key).await? {
            Some((lease, _)) if lease.owner == holder.owner => self.backup.remove_documents(&[key]).await,
            _ => Ok(()),
        }
    }
}
