//! One import job, from its making to its end.
//!
//! Invariant: a job is stored before it is started; one that an earlier attempt made is found by its name and not made again.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use twinpool_shared::{
    documents::Kept,
    error::{Error, ErrorKind},
    import::{
        csv::Header,
        progress::{Job, keys},
    },
    personal::Personal,
    port::{Backup, RawPool, ReadPool, Refusal, WritePool},
    time::Timestamp,
};

use crate::{Importer, Phase, lanes::Work, target::instant};

/// How often a job is made whose making nobody answers for, or whose URL is no longer taken.
const ATTEMPTS_MAX: u32 = 8;
/// Wait before a job is first looked at; it doubles from there.
const LOOK: Duration = Duration::from_millis(500);
/// Longest wait between two looks.
const LOOK_MAX: Duration = Duration::from_secs(15);
/// Most jobs on a page of `ListUserImportJobs`.
const PAGE: u32 = 60;
/// Pages of jobs: an account keeps 1,000 jobs a pool.
const PAGES_MAX: usize = 100;

/// The status of a job that read its file to the end. [API: UserImportJobStatusType]
const SUCCEEDED: &str = "Succeeded";

/// A job as Cognito shows it. [API: UserImportJobType]
struct Shown {
    id: String,
    status: String,
    url: Option<Personal>,
    rows: u64,
    imported: u64,
    began: Option<Timestamp>,
    ended: Option<Timestamp>,
}

/// A job with its document.
pub(super) struct Stored {
    pub(super) job: Job,
    /// The version that the document has, once it is stored.
    pub(super) version: Option<u64>,
    /// The job's number among those of the import.
    pub(super) number: usize,
}

impl Shown {
    fn read(job: &Value) -> Option<Self> {
        let count = |name: &str| job.get(name).and_then(Value::as_u64).unwrap_or(0);
        Some(Self {
            id: job.get("JobId")?.as_str()?.to_owned(),
            status: job.get("Status")?.as_str()?.to_owned(),
            url: job.get("PreSignedUrl").and_then(Value::as_str).map(Personal::new),
            imported: count("ImportedUsers"),
            began: instant(job.get("StartDate")),
            ended: instant(job.get("CompletionDate")),
            rows: count("ImportedUsers") + count("SkippedUsers") + count("FailedUsers"),
        })
    }

    fn is_made_only(&self) -> bool {
        self.status == "Created"
    }

    fn has_ended(&self) -> bool {
        [SUCCEEDED, "Failed", "Stopped", "Expired"].contains(&self.status.as_str())
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Makes, starts and awaits a job, or goes on with it, until it has succeeded.
    ///
    /// # Errors
    /// `Unmet` when it ended otherwise: users by the API instead would be billed, and nobody decided that. Another attempt makes
    /// another job of the same file.
    pub(super) async fn run_job(
        &self,
        work: &Work<'_>,
        header: &Header,
        role: &str,
        stored: &mut Stored,
    ) -> Result<(), Error> {
        let name = match stored.job.failures {
            0 => format!("twinpool-{}-{}", work.plan.id, stored.number),
            failures => format!("twinpool-{}-{}-again-{failures}", work.plan.id, stored.number),
        };
        let known = match stored.job.id.clone() {
            Some(id) => self.describe(work.pool, &id).await?,
            None => self.make_job(work.pool, &name, role).await?,
        };
        let mut shown = known;
        if shown.is_made_only() {
            let file = self.file(work, header, &stored.job).await?;
            shown = self.hand_over(work, role, &name, shown, file).await?;
            stored.job.id = Some(shown.id.clone());
            self.store_job(work, stored).await?;
            self.start_job(work.pool, &shown.id).await?;
        }
        let ended = self.await_job(work.pool, &shown.id).await?;
        stored.job.imported += ended.imported;
        stored.job.ran.extend(ended.began.zip(ended.ended));
        let succeeded = ended.status == SUCCEEDED;
        if succeeded {
            stored.job.id = Some(ended.id.clone());
            stored.job.ended = Some(ended.status.clone());
        } else {
            stored.job.id = None;
            stored.job.failures += 1;
        }
        self.store_job(work, stored).await?;
        if succeeded {
            return Ok(());
        }
        let what = format!(
            "the import job {} ended as {}; its log group in CloudWatch says why; mend that and apply the plan again, which \
             makes another job, or plan with --users api",
            ended.id, ended.status
        );
        Err(Error::new(ErrorKind::Unmet, what))
    }

    /// Stores a job in the place of what was loaded.
    async fn store_job(&self, work: &Work<'_>, stored: &mut Stored) -> Result<(), Error> {
        let source = work.plan.source.pool.as_str();
        let key = keys::job(source, &work.plan.id, stored.number);
        self.documents(source)
            .supersede(&key, &stored.job, stored.version, Kept::Always)
            .await?;
        stored.version = Some(stored.version.map_or(1, |version| version + 1));
        Ok(())
    }

    /// Uploads the file of a job. Its URL holds for 15 minutes; when it is no longer taken, another job is made.
    async fn hand_over(
        &self,
        work: &Work<'_>,
        role: &str,
        name: &str,
        mut shown: Shown,
        file: Vec<u8>,
    ) -> Result<Shown, Error> {
        let mut last = Error::new(
            ErrorKind::Unavailable,
            "cognito-idp gave no URL for the import job's file",
        );
        for attempt in 1..=ATTEMPTS_MAX {
            if let Some(url) = &shown.url {
                match self.upload.put(url, file.clone()).await {
                    Ok(()) => return Ok(shown),
                    Err(error) => last = error,
                }
            }
            shown = self.make_job(work.pool, &format!("{name}-{attempt}"), role).await?;
        }
        Err(last)
    }

    /// Makes a job, or finds the one of this name.
    async fn make_job(&self, pool: &str, name: &str, role: &str) -> Result<Shown, Error> {
        if let Some(found) = self.find_job(pool, name).await? {
            return Ok(found);
        }
        let input = json!({"UserPoolId": pool, "JobName": name, "CloudWatchLogsRoleArn": role});
        let mut last = None;
        for _ in 0..ATTEMPTS_MAX {
            match self.writer.change("CreateUserImportJob", input.clone()).await {
                Ok(answer) => return read("CreateUserImportJob", &answer),
                Err(Refusal::Doubtful(error)) => {
                    if let Some(found) = self.find_job(pool, name).await? {
                        return Ok(found);
                    }
                    last = Some(error);
                }
                Err(refusal) => return Err(refused("CreateUserImportJob", refusal)),
            }
        }
        Err(last.unwrap_or_else(|| Error::new(ErrorKind::Unavailable, "cognito-idp:CreateUserImportJob")))
    }

    async fn find_job(&self, pool: &str, name: &str) -> Result<Option<Shown>, Error> {
        let mut token = Value::Null;
        for _ in 0..PAGES_MAX {
            let mut input = json!({"UserPoolId": pool, "MaxResults": PAGE});
            if !token.is_null() {
                input["PaginationToken"] = token;
            }
            let mut page = self.reader.call("ListUserImportJobs", input).await?;
            let jobs = page.get("UserImportJobs").and_then(Value::as_array);
            let found = jobs.and_then(|jobs| jobs.iter().find(|job| job["JobName"] == name));
            if let Some(found) = found {
                return Ok(Shown::read(found));
            }
            token = page["PaginationToken"].take();
            if token.is_null() {
                return Ok(None);
            }
        }
        let what = format!("cognito-idp:ListUserImportJobs went on for more than {PAGES_MAX} pages");
        Err(Error::new(ErrorKind::Unavailable, what))
    }

    async fn describe(&self, pool: &str, id: &str) -> Result<Shown, Error> {
        let input = json!({"UserPoolId": pool, "JobId": id});
        read(
            "DescribeUserImportJob",
            &self.reader.call("DescribeUserImportJob", input).await?,
        )
    }

    async fn start_job(&self, pool: &str, id: &str) -> Result<(), Error> {
        let input = json!({"UserPoolId": pool, "JobId": id});
        match self.writer.change("StartUserImportJob", input).await {
            Ok(_) => Ok(()),
            // Refused as well when an attempt whose answer was lost has started it.
            Err(refusal) if self.describe(pool, id).await?.is_made_only() => {
                Err(refused("StartUserImportJob", refusal))
            }
            Err(_) => Ok(()),
        }
    }

    /// Waits until the job has ended; how.
    async fn await_job(&self, pool: &str, id: &str) -> Result<Shown, Error> {
        let mut wait = LOOK;
        let mut rows = 0;
        loop {
            let shown = self.describe(pool, id).await?;
            self.watch.advanced(Phase::Jobs, shown.rows.saturating_sub(rows));
            rows = rows.max(shown.rows);
            if shown.has_ended() {
                return Ok(shown);
            }
            sleep(wait).await;
            wait = (wait * 2).min(LOOK_MAX);
        }
    }
}

fn read(operation: &str, answer: &Value) -> Result<Shown, Error> {
    let shown = answer.get("UserImportJob").and_then(Shown::read);
    shown.ok_or_else(|| {
        let what = format!("cognito-idp:{operation} answered without UserImportJob");
        Error::new(ErrorKind::Unavailable, what)
    })
}

fn refused(operation: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Refused(code) => Error::new(
            ErrorKind::Rejected,
            format!("cognito-idp:{operation} on the pool failed with {code}"),
        ),
        Refusal::Doubtful(error) | Refusal::Failed(error) => error,
    }
}
