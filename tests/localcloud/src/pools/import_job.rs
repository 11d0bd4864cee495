//! One import job: its states, and the work that is due at an instant.
//!
//! Created -> (upload) -> Pending -> `InProgress` -> Succeeded, Failed or Stopped; Expired when never started.
//!
//! Invariant: work is done in the order and at the instants at which it falls due, whenever it is caught up with.

use std::sync::Arc;

use serde_json::{Value, json};

use super::import_file::{self, Fate, Opened};
use super::random::Random;
use super::request::seconds;
use super::state::Pool;

/// AWS says 24 to 48 hours.
const EXPIRES_MILLIS: i64 = 24 * 3_600_000;
const TOO_MANY: &str = "Too many users have failed or been skipped during the import.";

/// How jobs are worked off, and where files are put.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    /// Rows a second.
    pub(crate) rows_per_second: u32,
    /// From the start to the first row.
    pub(crate) pending_millis: u32,
    /// Scheme and authority of the presigned URLs.
    pub(crate) uploads: String,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            rows_per_second: 500,
            pending_millis: 200,
            uploads: "http://127.0.0.1".to_owned(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JobStatus {
    Created,
    Pending,
    InProgress,
    Stopped,
    Succeeded,
    Failed,
    Expired,
}

impl JobStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Created => "Created",
            Self::Pending => "Pending",
            Self::InProgress => "InProgress",
            Self::Stopped => "Stopped",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Expired => "Expired",
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct ImportJob {
    pub(crate) id: String,
    name: String,
    role: String,
    url: String,
    pub(crate) signature: String,
    pub(crate) status: JobStatus,
    pub(crate) created: i64,
    pub(crate) started: i64,
    completed: Option<i64>,
    message: Option<&'static str>,
    pub(crate) file: Option<Arc<[u8]>>,
    opened: Option<Opened>,
    /// Rows done, and where in the file the next one begins.
    done: usize,
    offset: usize,
    imported: u64,
    skipped: u64,
    failed: u64,
}

/// What a new job is made of.
pub(crate) struct NewJob {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) role: String,
    /// The presigned URL, and the signature in it.
    pub(crate) url: String,
    pub(crate) signature: String,
}

impl ImportJob {
    pub(crate) fn new(new: NewJob, now: i64) -> Self {
        let NewJob {
            id,
            name,
            role,
            url,
            signature,
        } = new;
        Self {
            id,
            name,
            role,
            url,
            signature,
            status: JobStatus::Created,
            created: now,
            started: 0,
            completed: None,
            message: None,
            file: None,
            opened: None,
            done: 0,
            offset: 0,
            imported: 0,
            skipped: 0,
            failed: 0,
        }
    }

    /// A job that was never started expires by itself.
    pub(crate) fn status_at(&self, now: i64) -> JobStatus {
        if self.status == JobStatus::Created && now - self.created >= EXPIRES_MILLIS {
            JobStatus::Expired
        } else {
            self.status
        }
    }

    pub(crate) fn is_at_work(&self) -> bool {
        matches!(self.status, JobStatus::Pending | JobStatus::InProgress)
    }

    /// The uploaded file goes with the end of its job, as at AWS.
    pub(crate) fn end(&mut self, status: JobStatus, at: i64, message: Option<&'static str>) {
        self.status = status;
        self.completed = Some(at);
        self.message = message;
        self.file = None;
        self.opened = None;
    }

    /// Does what is due by `now`.
    pub(crate) fn work(&mut self, pool: &mut Pool, random: &mut Random, pace: &Pace, now: i64) {
        let begins = self.started + i64::from(pace.pending_millis);
        let Some(file) = self.file.clone().filter(|_| now >= begins) else {
            return;
        };
        if self.status == JobStatus::Pending {
            match import_file::open(pool, &file) {
                Ok(opened) => {
                    self.offset = opened.first_row;
                    self.opened = Some(opened);
                    self.status = JobStatus::InProgress;
                }
                Err(message) => return self.end(JobStatus::Failed, begins, Some(message)),
            }
        }
        let Some(opened) = self.opened.clone() else { return };
        let rate = i64::from(pace.rows_per_second.max(1));
        let finished_at = |rows: usize| begins + i64::try_from(rows).unwrap_or(i64::MAX).saturating_mul(1000) / rate;
        while self.done < opened.rows && finished_at(self.done + 1) <= now {
            let line = self.next_line(&file);
            self.done += 1;
            let at = finished_at(self.done);
            match import_file::import(pool, random, &opened, &line, at) {
                Fate::Imported => self.imported += 1,
                Fate::Skipped => self.skipped += 1,
                Fate::Failed => self.failed += 1,
            }
        }
        if self.done == opened.rows {
            // The two published failures have more rows left out than imported; AWS does not tell its threshold.
            let (status, message) = if self.failed + self.skipped > self.imported {
                (JobStatus::Failed, Some(TOO_MANY))
            } else {
                (JobStatus::Succeeded, None)
            };
            self.end(status, finished_at(opened.rows), message);
        }
    }

    fn next_line(&mut self, file: &[u8]) -> String {
        let rest = file.get(self.offset..).unwrap_or_default();
        let end = rest.iter().position(|byte| *byte == b'\n');
        let line = rest.get(..end.unwrap_or(rest.len())).unwrap_or_default();
        self.offset += line.len() + 1;
        let text = String::from_utf8_lossy(line);
        text.strip_suffix('\r').unwrap_or(&text).to_owned()
    }

    pub(crate) fn describe(&self, pool: &str, now: i64) -> Value {
        let mut shown = json!({
            "JobName": self.name,
            "JobId": self.id,
            "UserPoolId": pool,
            "PreSignedUrl": self.url,
            "CreationDate": seconds(self.created),
            "Status": self.status_at(now).name(),
            "CloudWatchLogsRoleArn": self.role,
            "ImportedUsers": self.imported,
            "SkippedUsers": self.skipped,
            "FailedUsers": self.failed,
        });
        if self.status != JobStatus::Created {
            shown["StartDate"] = seconds(self.started);
        }
        if let Some(completed) = self.completed {
            shown["CompletionDate"] = seconds(completed);
        }
        if let Some(message) = self.message {
            shown["CompletionMessage"] = json!(message);
        }
        shown
    }
}
