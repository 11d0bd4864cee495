//! The reconciler: how close a walk comes to the quota, how many calls it makes, and how much memory a large pool takes.
//!
//! `walk` runs it against the local cloud's pool with the documented quotas and 80 ms a call; `footprint` runs it in a
//! process of its own over a pool that is made up while it is walked ([`synthetic`]).
//!
//! Invariant: a walk counts only when it showed every user and membership, and wrote what it had to and nothing else.

mod footprint;
mod scene;
mod spill;
pub mod synthetic;
mod walk;

use std::sync::Arc;

use twinpool_reconciler::{Allowed, Holder, Options, Reconciler, Report};
use twinpool_shared::port::{Backup, ReadPool};

use super::{Places, events::now};
use crate::stack::Failure;

/// As deployed.
pub(super) const RETENTION_SECONDS: i64 = 35 * 86_400;

/// Measures the reconciler.
pub(super) async fn run(places: &Places, report: &mut super::report::Report) -> Result<(), Failure> {
    Box::pin(walk::run(places, report)).await?;
    footprint::run(places, report).await
}

/// One whole run.
pub(super) async fn reconcile<P: ReadPool, B: Backup>(reader: P, backup: B, pool: &str) -> Result<Report, Failure> {
    let reconciler = Reconciler {
        reader,
        backup,
        clock: Arc::new(now),
        retention_seconds: RETENTION_SECONDS,
        watch: Box::new(()),
    };
    let options = Options {
        holder: Holder {
            owner: "bench".to_owned(),
            seconds: 900,
            steal: false,
        },
        allowed: Allowed::default(),
        fresh: false,
    };
    let run = Box::pin(reconciler.run(pool, &options)).await;
    run.map_err(|error| Failure::new("the reconciler", error))
}
