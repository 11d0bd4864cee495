//! All changes of one group in a batch: one read, one write.
//!
//! Invariant: a group's members are not touched; see [`twinpool_shared::group::GroupRecord::counts`].

use twinpool_shared::{
    error::Error,
    observation::GroupEvidence,
    operation::Meaning,
    port::{Backup, Outbox, ReadPool},
    settle,
};

use crate::{
    Replicator,
    intake::Entry,
    outcome::{Outcome, for_all},
};

impl<P: ReadPool, B: Backup, Q: Outbox> Replicator<P, B, Q> {
    /// Handles all changes of one group.
    pub(crate) async fn group(&self, pool: &str, name: &str, entries: &[Entry]) -> Vec<(usize, Outcome)> {
        match self.try_group(pool, name, entries).await {
            Ok(outcomes) => outcomes,
            Err(error) => for_all(entries, &Outcome::of_error(error)),
        }
    }

    async fn try_group(&self, pool: &str, name: &str, entries: &[Entry]) -> Result<Vec<(usize, Outcome)>, Error> {
        let stored = self.table.group(pool, name).await?;
        let read = self.reader.group(pool, name).await?;
        let read_at = (self.clock)();
        let deletions = entries
            .iter()
            .filter(|entry| entry.change.meaning() == Meaning::GroupGone);
        let deletions: Vec<_> = deletions
            .map(|entry| (&entry.change.cause, entry.change.occurred_at))
            .collect();
        let record = stored.as_ref().map(|item| &item.record);
        let verdicts: Vec<_> = entries
            .iter()
            .map(|entry| settle::judge_group(&entry.change, record, !deletions.is_empty(), read.as_ref()))
            .collect();
        let evidence: Vec<(&str, GroupEvidence)> = match read {
            Some(settings) => vec![("GetGroup", GroupEvidence::Read { settings, read_at })],
            None => deletions
                .into_iter()
                .map(|(cause, announced_at)| (cause.as_str(), GroupEvidence::Gone { announced_at }))
                .collect(),
        };
        let written = self.writer().group(pool, name, stored, &evidence).await?;
        let outcome = |(entry, verdict): (&Entry, _)| (entry.at, Outcome::of_verdict(&entry.change, verdict, written));
        Ok(entries.iter().zip(verdicts).map(outcome).collect())
    }
}
