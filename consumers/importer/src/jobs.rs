//! Users by import jobs: a file of rows, a job that reads it, the next file; and then a walk that finds the new `sub`s.
//!
//! A job bills nobody as active and leaves users in RESET_REQUIRED. What it cannot do the lanes do afterwards, and whoever it
//! did not make, they make.
//!
//! Files are smaller than Cognito allows, because one is in memory while it is uploaded. One job runs at a time, because Cognito
//! takes no second one. [Developer guide: importing users from a CSV file]
//!
//! The target is new: until all users are made nobody can sign up there, so that whoever was made while a job ran is the job's.
//! Plans for a pool that exists take the other way.
//!
//! Invariant: which chunks a file holds is stored before its job is started, so that nobody is in two files of jobs that
//! succeeded.

mod job;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::sleep;
use twinpool_shared::{
    error::{Error, ErrorKind},
    import::{
        ORIGINAL_SUB,
        csv::{Header, Part, PartLimit},
        pairs::{Paired, Pairs},
        progress::{Chunk, Job, Outcome, Stage, keys},
        recreate::{Fate, Recreation},
        select::Class,
        shape::Shape,
    },
    item::SHARDS,
    personal::{Personal, Sub},
    port::{Backup, RawPool, ReadPool, WritePool},
    time::Timestamp,
};

use self::job::Stored;
use crate::{Importer, Phase, lanes::Work};

/// What one file holds at most: less than Cognito takes, because it is in memory, twice while it is uploaded.
const FILE_MAX: PartLimit = PartLimit {
    rows: 100_000,
    bytes: 16_000_000,
};
/// Walks at the same time; they hide the latency of `ListUsers` at its full quota.
const WALKS: usize = 4;
/// The status that a job leaves. [API: UserStatusType]
const IMPORTED: &str = "RESET_REQUIRED";
/// The status where users sign in by a code, and of whoever has reset the password since.
const CONFIRMED: &str = "CONFIRMED";
/// Wait before the users are listed a last time when jobs made more than are shown; `ListUsers` lags.
const WALK_WAIT: Duration = Duration::from_secs(20);
/// Chunks read at the same time.
const CHUNKS_AHEAD: usize = 16;

/// Users whom import jobs made.
#[derive(Clone, Debug, Default)]
pub(crate) struct Imported {
    pairs: Paired,
    /// The columns; `None` without jobs.
    header: Option<Header>,
    /// When jobs ran.
    ran: Vec<(Timestamp, Timestamp)>,
}

impl Imported {
    /// `user` in the target, if a file could hold them: nobody else came by a job.
    pub(crate) fn new_sub(&self, user: &Recreation, shape: &Shape) -> Option<Sub> {
        self.header.as_ref()?.row(user, shape).ok()?;
        self.pairs.new_sub(&user.sub)
    }

    /// Whether a job ran at `instant`. Cognito shows seconds, or parts of them.
    pub(crate) fn covers(&self, instant: Timestamp) -> bool {
        let (from, to) = (instant.second_start(), instant.second_end());
        self.ran.iter().any(|(began, ended)| *began <= to && from <= *ended)
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Has import jobs make whoever can go by one, from where an earlier attempt stopped.
    pub(crate) async fn jobs(&self, work: &Work<'_>) -> Result<Imported, Error> {
        let Some(role) = work.plan.mapping.import_logs_role.as_deref() else {
            let what = "the plan's mapping names no import_logs_role, which an import job needs; plan with --users api";
            return Err(Error::new(ErrorKind::BadSetting, what));
        };
        self.watch.phase(Phase::Jobs, Some(work.plan.users.counts.by_csv));
        let asked = serde_json::json!({"UserPoolId": work.pool});
        let header = Header::of(&self.reader.call("GetCSVHeader", asked).await?)?;
        let source = work.plan.source.pool.as_str();
        let mut imported = Imported::default();
        let mut expected = 0;
        let mut begin = 0;
        let mut number = 0;
        for run in &work.layout.runs {
            let (mut from, end) = (begin, begin + run.chunks);
            begin = end;
            // Deleted users come after the last of the living, who may go by the API, so that no name or address goes to them.
            if run.class == Class::Deleted {
                continue;
            }
            while from < end {
                self.still_held(source, work.owner).await?;
                let key = keys::job(source, &work.plan.id, number);
                let (job, version) = match self.documents(source).load::<Job>(&key).await? {
                    Some((job, version)) => (job, Some(version)),
                    None => (self.fill_file(work, &header, from, end).await?, None),
                };
                let mut stored = Stored { job, version, number };
                if stored.job.ended.is_none() && stored.job.rows > 0 {
                    self.run_job(work, &header, role, &mut stored).await?;
                }
                expected += stored.job.imported;
                imported.ran.append(&mut stored.job.ran);
                from = stored.job.to;
                number += 1;
            }
        }
        imported.header = Some(header);
        if self.somebody_is_open(work).await? {
            imported.pairs = self.imported(work, &imported, expected).await?;
        }
        self.watch.finished(Phase::Jobs);
        Ok(imported)
    }

    /// The chunks from `from`, before `end`, that fit into one file.
    async fn fill_file(&self, work: &Work<'_>, header: &Header, from: usize, end: usize) -> Result<Job, Error> {
        let mut job = Job {
            from,
            to: from,
            rows: 0,
            id: None,
            failures: 0,
            imported: 0,
            ran: Vec::new(),
            ended: None,
        };
        let mut bytes = header.line().len() + 1;
        while job.to < end {
            let rows = self.rows(work, header, job.to).await?;
            let more: usize = rows.iter().map(|row| row.expose().len() + 1).sum();
            let fits = job.rows + rows.len() as u64 <= FILE_MAX.rows as u64 && bytes + more <= FILE_MAX.bytes;
            if job.to > from && !fits {
                break;
            }
            bytes += more;
            job.rows += rows.len() as u64;
            job.to += 1;
        }
        Ok(job)
    }

    /// The file of `job`.
    pub(crate) async fn file(&self, work: &Work<'_>, header: &Header, job: &Job) -> Result<Vec<u8>, Error> {
        let mut part = Part::new(header, FILE_MAX);
        for chunk in job.from..job.to {
            for row in self.rows(work, header, chunk).await? {
                if !part.offer(&row) {
                    let what = "the backup changed while the file of an import job was written; plan again";
                    return Err(Error::new(ErrorKind::BadItem, what));
                }
            }
        }
        Ok(part.into_bytes())
    }

    /// The rows of those users of a chunk who can go by a job.
    async fn rows(&self, work: &Work<'_>, header: &Header, chunk: usize) -> Result<Vec<Personal>, Error> {
        let subs = self.subs_of(work.plan, chunk).await?;
        let fates = self.fates(work, &subs).await?;
        let rows = subs.iter().filter_map(|sub| match fates.get(sub) {
            // Who cannot go by a job goes by the API.
            Some(Fate::Made(user)) => header.row(user, work.shape).ok(),
            _ => None,
        });
        Ok(rows.collect())
    }

    /// Finds the users whom jobs made, `expected` by their own count. Whoever `ListUsers` does not show in the end, the lanes
    /// find by name.
    async fn imported(&self, work: &Work<'_>, jobs: &Imported, expected: u64) -> Result<Paired, Error> {
        let walks: Vec<Pairs> = stream::iter(SHARDS)
            .map(|first| Box::pin(self.imported_of(work.pool, jobs, Some(first))))
            .buffer_unordered(WALKS)
            .try_collect()
            .await?;
        let found = Pairs::merge(walks).finish_unambiguous();
        if found.len() as u64 >= expected {
            return Ok(found);
        }
        // Whoever no prefix shows may still be in the whole list.
        let found = self.imported_of(work.pool, jobs, None).await?.finish_unambiguous();
        if found.len() as u64 >= expected {
            return Ok(found);
        }
        sleep(WALK_WAIT).await;
        Ok(self.imported_of(work.pool, jobs, None).await?.finish_unambiguous())
    }

    /// Whether there is a user who may have come by a job and is not noted yet.
    async fn somebody_is_open(&self, work: &Work<'_>) -> Result<bool, Error> {
        let source = work.plan.source.pool.as_str();
        let chunks = stream::iter(0..work.layout.runs.iter().map(|run| run.chunks).sum())
            .map(|number| async move {
                let key = keys::chunk(source, &work.plan.id, number);
                self.documents(source).load::<Chunk>(&key).await
            })
            .buffered(CHUNKS_AHEAD);
        let open = |user: &Outcome| user.new.is_none() && user.needs(Stage::Create, work.retry);
        let mut chunks = std::pin::pin!(chunks);
        while let Some(chunk) = chunks.try_next().await? {
            if chunk.is_some_and(|(chunk, _)| chunk.users.iter().any(open)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn imported_of(&self, pool: &str, jobs: &Imported, first: Option<char>) -> Result<Pairs, Error> {
        let prefix = first.map(String::from);
        let mut pairs = Pairs::default();
        let mut token = None;
        loop {
            let page = self
                .reader
                .users_page(pool, prefix.as_deref(), token.as_deref())
                .await?;
            for (new, user) in page.entries {
                let by_job = user.status == IMPORTED || (user.status == CONFIRMED && jobs.covers(user.account.created));
                let marker = user.attributes.values.get(ORIGINAL_SUB).filter(|_| by_job);
                if let Some(old) = marker.and_then(|marker| Sub::new(marker.expose())) {
                    pairs.push(old, new);
                }
            }
            token = page.token;
            if token.is_none() {
                return Ok(pairs);
            }
        }
    }
}
