//! An import from a backup that is made up while it is read, into a target that keeps nothing: as many users as one likes, and no
//! memory but the importer's.
//!
//! The users are those of [`crate::bench::reconciler::synthetic`].
//!
//! Invariant: every call gives way to the others, so that as many are under way at a time as over a network.

mod target;

use std::{path::Path, sync::Arc, time::Instant};

use clap::ValueEnum;
use serde::{Deserialize, Serialize};
use twinpool_importer::{ApplyOptions, HttpUpload, Importer};
use twinpool_shared::{
    adapter::lease::Holder,
    error::{Error, ErrorKind},
    import::{
        estimate::Live,
        plan::Plan,
        select::{Class, Order},
    },
    marks,
    port::{Backup, Written},
    snapshot::{Captured, Content, Json, POOL_LEVEL, stored::writes},
};

use super::restore::order;
use crate::{
    bench::{
        events::now,
        figures::memory,
        reconciler::{
            RETENTION_SECONDS,
            synthetic::{
                POOL,
                backup::SyntheticBackup,
                people::{People, long_ago, sub},
            },
        },
    },
    stack::Failure,
};
use target::Target;

/// How much of an import is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// The index of the users alone.
    Index,
    /// The plan.
    Plan,
    /// The plan and everything that it says.
    Apply,
}

/// What a part took.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Resident memory before it, in KiB.
    pub before_kib: u64,
    /// Resident memory after it, with what it keeps.
    pub after_kib: u64,
    /// Resident memory at most, in KiB.
    pub peak_kib: u64,
    /// From beginning to end.
    pub seconds: f64,
}

/// Measures a part of an import of `users`; documents are kept in `folder`.
///
/// # Errors
/// When it fails, or did not make everybody.
pub async fn measure(part: Part, users: usize, folder: &Path) -> Result<Measured, Failure> {
    let own = || memory(std::process::id()).ok_or_else(|| Failure("this system has no /proc".to_owned()));
    let failed = |error: Error| Failure::new("a synthetic import", error);
    let people = People {
        users,
        changed_percent: 0,
    };
    let backup = SyntheticBackup::new(people, folder).map_err(failed)?;
    with_settings(&backup).await.map_err(failed)?;
    let importer = Importer {
        reader: Target,
        writer: Target,
        backup,
        clock: Arc::new(now),
        watch: Box::new(()),
        upload: Box::new(HttpUpload),
    };
    let before = own()?;
    let began = Instant::now();
    let kept = match part {
        Part::Index => Some(index(users)),
        Part::Plan => plan(&importer, users).await.map(|_| None)?,
        Part::Apply => {
            let plan = plan(&importer, users).await?;
            apply(&importer, &plan, users).await.map(|()| None)?
        }
    };
    let seconds = began.elapsed().as_secs_f64();
    let after = own()?;
    drop(kept);
    Ok(Measured {
        before_kib: before.resident_kib,
        after_kib: after.resident_kib,
        peak_kib: after.peak_kib,
        seconds,
    })
}

/// The index that a plan and an apply keep, as they make it.
fn index(users: usize) -> twinpool_shared::import::select::Ordered {
    let mut order = Order::new();
    for sub in (0..users).filter_map(sub) {
        order.push(&sub, Some(long_ago()), Class::Verified, "0123456789abcdef");
    }
    order.finish()
}

async fn plan(importer: &Importer<Target, Target, SyntheticBackup>, users: usize) -> Result<Plan, Failure> {
    let mut order = order(POOL, Live::new());
    // Nothing but the pool's own settings is in this backup, and no run of the reconciler.
    order.allow_stale = true;
    let plan = Box::pin(importer.plan(&order, |_| Ok(()))).await;
    let plan = plan.map_err(|error| Failure::new("the plan", error))?;
    let counts = &plan.users.counts;
    if (counts.made, counts.memberships) != (users as u64, users as u64) {
        return Err(Failure::new("the plan", format!("{counts:?}")));
    }
    Ok(plan)
}

async fn apply(importer: &Importer<Target, Target, SyntheticBackup>, plan: &Plan, users: usize) -> Result<(), Failure> {
    let options = ApplyOptions {
        holder: Holder {
            owner: "bench".to_owned(),
            seconds: 900,
            steal: false,
        },
        retry_failed: false,
        open_sign_up: false,
    };
    let report = Box::pin(importer.apply(plan, &options)).await;
    let report = report.map_err(|error| Failure::new("the import", error))?;
    if report.is_partial() || (report.users, report.memberships) != (users as u64, users as u64) {
        return Err(Failure::new("the import", format!("{report:?}")));
    }
    Ok(())
}

/// Puts what the backup knows of the pool itself among its documents.
async fn with_settings(backup: &SyntheticBackup) -> Result<(), Error> {
    let captured = Captured {
        part: marks::Part::Pool,
        name: POOL_LEVEL.to_owned(),
        source: "DescribeUserPool",
        read_at: long_ago(),
        content: Content::Json(Json::new(target::described(POOL))),
    };
    let written = writes(POOL, None, &captured, captured.read_at, RETENTION_SECONDS)?;
    for document in written
        .into_iter()
        .flat_map(|written| written.chunks.into_iter().chain([written.head]))
    {
        if backup.put_document(&document, None).await? == Written::Conflict {
            return Err(Error::new(ErrorKind::BadItem, "the settings are there already"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stand_ins::unique;

    #[tokio::test]
    async fn a_small_synthetic_pool_is_planned_and_made() {
        let folder = std::env::temp_dir().join(unique("synthetic-import"));
        for part in [Part::Index, Part::Plan, Part::Apply] {
            let measured = measure(part, 1_050, &folder).await.expect("measured");
            assert!(measured.peak_kib >= measured.before_kib && measured.seconds > 0.0);
        }
        assert!(!folder.exists());
    }
}
