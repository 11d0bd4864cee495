//! The importer: how close an import comes to the quotas, how much memory a plan of a large pool takes, and, in `peers`, what
//! other tools make of the same pool.
//!
//! `speed` and `peers` run it against the local cloud's pools with the documented quotas and 80 ms a call; `footprint` runs
//! it in a process of its own over a backup that is made up while it is read ([`synthetic`]).
//!
//! Invariant: an import counts only when it ended with everybody whom the pool had, and nobody was written to.

mod cloud;
mod footprint;
pub(super) mod peers;
mod restore;
mod scene;
mod speed;
pub mod synthetic;

use super::{Places, report::Report};
use crate::stack::Failure;

/// Measures the importer.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    Box::pin(speed::run(places, report)).await?;
    footprint::run(places, report).await
}
