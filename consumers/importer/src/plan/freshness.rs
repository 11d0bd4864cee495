//! How far a backup can be trusted, read from what the reconciler left in it.
//!
//! Invariant: what nobody wrote down counts as not known, and what is not known is said.

use std::collections::BTreeSet;

use twinpool_shared::{
    documents::value,
    error::Error,
    import::plan::{Freshness, Reconciled},
    marks::Part,
    port::Backup,
    run::{Run, keys},
    snapshot::{past::Configuration, plan::SINGLES},
    time::Timestamp,
};

/// Reads it, as of `as_of`: a reconcile that was finished later says nothing about that instant.
pub(super) async fn read<B: Backup>(
    backup: &B,
    pool: &str,
    configuration: &Configuration,
    as_of: Timestamp,
) -> Result<Freshness, Error> {
    let runs = backup.documents(&keys::run(pool, "").pk, keys::RUNS).await?;
    let mut last = None;
    // Ids sort by the instant at which a run began: the newest is the last.
    for document in runs.iter().rev() {
        let run: Run = value(document)?;
        last = reconciled(&run).filter(|run| run.finished_at <= as_of);
        if last.is_some() {
            break;
        }
    }
    let marks = backup.marks(pool).await?;
    let marks = marks.into_iter().filter(|(_, at)| *at <= as_of);
    Ok(Freshness {
        reconcile: last,
        incomplete: incomplete(configuration, marks.map(|(part, _)| part).collect()),
        ..Freshness::default()
    })
}

/// For how long the backup keeps what was superseded, as its own reconciler was told: for as long it keeps a run.
/// `None` when none is there.
pub(super) async fn retention_seconds<B: Backup>(backup: &B, pool: &str) -> Result<Option<i64>, Error> {
    let runs = backup.documents(&keys::run(pool, "").pk, keys::RUNS).await?;
    let newest = runs.last();
    Ok(newest.and_then(|run| Some(run.expires_at? - run.written_at.as_seconds())))
}

fn reconciled(run: &Run) -> Option<Reconciled> {
    let result = run.result.as_ref()?;
    let guard = result.guard.as_ref().or(run.groups.guard.as_ref());
    Some(Reconciled {
        run: run.id.clone(),
        finished_at: result.finished_at,
        drift_left: result.drift_left,
        guard: guard.map(|trip| trip.what.clone()),
    })
}

/// Parts that were never read, that the history no longer reaches back to, or that changed since they were read.
fn incomplete(configuration: &Configuration, marked: BTreeSet<Part>) -> Vec<String> {
    let read = |part: Part| configuration.members.keys().any(|(of, _)| *of == part);
    let never = SINGLES.iter().map(|single| single.part).filter(|part| !read(*part));
    let never = never.map(|part| format!("{} (never read)", part.as_str()));
    let forgotten = configuration.unknown.iter();
    let forgotten = forgotten.map(|(part, name)| format!("{}/{name} (older than the history)", part.as_str()));
    let marked = marked
        .into_iter()
        .map(|part| format!("{} (changed and not read since)", part.as_str()));
    never.chain(forgotten).chain(marked).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_not_known_or_not_known_any_more_are_named() {
        let mut configuration = Configuration::default();
        configuration.unknown.insert((Part::Clients, "web".to_owned()));
        let named = incomplete(&configuration, BTreeSet::from([Part::Domain]));
        assert_eq!(named.len(), SINGLES.len() + 2, "{named:?}");
        for part in [
            "mfa (never read)",
            "clients/web (older than the history)",
            "domain (changed and not read since)",
        ] {
            assert!(named.iter().any(|name| name == part), "{part}: {named:?}");
        }
    }
}
