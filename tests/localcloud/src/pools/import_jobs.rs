//! The operations on import jobs: users from an uploaded CSV file, at a rate that the configuration sets.
//!
//! Invariant: imported users are sent nothing, fire no trigger and are not billed; at most one job of a Region is at work.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::ApiError;
use super::errors::{Answer, invalid, limit_exceeded, not_found, refuse};
use super::import_file;
use super::import_job::{ImportJob, JobStatus, NewJob};
use super::list::page_by_name;
use super::request::{Request, missing};
use super::state::{State, keys_after};

const MOST_PER_POOL: usize = 1000;
const UPLOAD_MILLIS: i64 = 15 * 60_000;
const BUCKET: &str = "aws-cognito-idp-user-import-";
const STOPPED: &str = "The Import Job was stopped by the developer.";

/// Catches up with the jobs at work.
pub(crate) fn advance(state: &mut State, now: i64) {
    for region in state.importing.keys().cloned().collect::<Vec<_>>() {
        let Some((home, key)) = state.importing.get(&region).cloned() else {
            continue;
        };
        let taken = state
            .pools
            .get_mut(&home)
            .and_then(|pool| Some((pool.import_jobs.remove(&key)?, pool)));
        let is_at_work = taken.is_some_and(|(mut job, pool)| {
            job.work(pool, &mut state.random, &state.pace, now);
            let goes_on = job.is_at_work();
            pool.import_jobs.insert(key, job);
            goes_on
        });
        if !is_at_work {
            state.importing.remove(&region);
        }
    }
}

fn precondition(message: impl Into<String>) -> ApiError {
    refuse("PreconditionNotMetException", message)
}

/// Key and job of a `JobId`.
fn existing<'a>(jobs: &'a BTreeMap<String, ImportJob>, id: &str) -> Answer<(&'a str, &'a ImportJob)> {
    let found = jobs.iter().find(|(_, job)| job.id == id);
    found
        .map(|(key, job)| (key.as_str(), job))
        .ok_or_else(|| not_found(format!("User import job {id} does not exist.")))
}

pub(crate) fn header(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let columns = import_file::header(request.pool(&pool));
    Ok(json!({ "UserPoolId": pool, "CSVHeader": columns }))
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let name = request.required_up_to("JobName", 128)?.to_owned();
    let role = request.required("CloudWatchLogsRoleArn")?.to_owned();
    if !role.starts_with("arn:") {
        return Err(invalid("CloudWatchLogsRoleArn is not an ARN."));
    }
    let count = request.pool(&pool).import_jobs.len();
    if count >= MOST_PER_POOL {
        return Err(limit_exceeded(
            "The user pool has the most import jobs that it can have.",
        ));
    }
    let now = request.now;
    let region = request.pool(&pool).region.clone();
    let id = format!("import-{}", request.state.random.text(10));
    let signature = request.state.random.text(64).to_lowercase();
    let place = format!("{BUCKET}{region}/{}/{pool}/{id}", request.state.account);
    let url = format!(
        "{}/{place}?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-SignedHeaders=host%3Bx-amz-server-side-encryption&X-Amz-Signature={signature}",
        request.state.pace.uploads
    );
    let new = NewJob {
        id,
        name,
        role,
        url,
        signature,
    };
    let job = ImportJob::new(new, now);
    let answer = job.describe(&pool, now);
    // Listed from the last created to the first, so the newest has the smallest key. Jobs are never removed.
    let key = format!("{:04}", MOST_PER_POOL - count);
    request.pool_mut(&pool).import_jobs.insert(key, job);
    Ok(json!({ "UserImportJob": answer }))
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (_, job) = existing(&request.pool(&pool).import_jobs, request.required("JobId")?)?;
    Ok(json!({ "UserImportJob": job.describe(&pool, request.now) }))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let size = request
        .number("MaxResults", 1, 60)?
        .ok_or_else(|| missing("MaxResults"))?;
    let jobs = &request.pool(&pool).import_jobs;
    let (page, next) = page_by_name(request, |after| keys_after(jobs, after), size, "PaginationToken")?;
    let shown: Vec<Value> = page
        .iter()
        .filter_map(|key| Some(jobs.get(*key)?.describe(&pool, request.now)))
        .collect();
    let mut answer = json!({ "UserImportJobs": shown });
    if let Some(token) = next {
        answer["PaginationToken"] = json!(token);
    }
    Ok(answer)
}

pub(crate) fn start(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let home = request.pool(&pool);
    let region = home.region.clone();
    let (key, job) = existing(&home.import_jobs, request.required("JobId")?)?;
    if job.status_at(request.now) != JobStatus::Created {
        return Err(precondition(format!(
            "{} cannot be started: it is not in status Created.",
            job.id
        )));
    }
    if job.file.is_none() {
        return Err(precondition(format!("No csv file was uploaded for {}", job.id)));
    }
    let automatic = |address: &str| home.lists("AutoVerifiedAttributes", "", address);
    if !automatic("email") && !automatic("phone_number") {
        return Err(precondition(
            "The user pool has no attribute that is verified automatically.",
        ));
    }
    if request.state.importing.contains_key(&region) {
        return Err(precondition("Only one import job can be active at a time per account."));
    }
    let (key, now) = (key.to_owned(), request.now);
    let mut job = job.clone();
    job.status = JobStatus::Pending;
    job.started = now;
    let answer = job.describe(&pool, now);
    request.pool_mut(&pool).import_jobs.insert(key.clone(), job);
    request.state.importing.insert(region, (pool, key));
    Ok(json!({ "UserImportJob": answer }))
}

/// At once: what was imported stays.
pub(crate) fn stop(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let home = request.pool(&pool);
    let region = home.region.clone();
    let (key, job) = existing(&home.import_jobs, request.required("JobId")?)?;
    if !job.is_at_work() {
        return Err(precondition(format!(
            "{} cannot be stopped: it is not at work.",
            job.id
        )));
    }
    let (key, mut job, now) = (key.to_owned(), job.clone(), request.now);
    job.end(JobStatus::Stopped, now, Some(STOPPED));
    let answer = job.describe(&pool, now);
    request.pool_mut(&pool).import_jobs.insert(key, job);
    request.state.importing.remove(&region);
    Ok(json!({ "UserImportJob": answer }))
}

/// A PUT to the presigned URL, which is no call of Cognito: its errors are those of Amazon S3.
pub(crate) fn upload(request: &mut Request<'_>) -> Answer<Value> {
    let forbidden = |code: &str, message: &str| ApiError {
        status: 403,
        ..refuse(code, message)
    };
    let pool = request.named_pool()?;
    let given = request.required("JobId")?;
    let found = existing(&request.pool(&pool).import_jobs, given).ok();
    let unsigned = || {
        forbidden(
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        )
    };
    let (key, job) = found
        .filter(|(_, job)| request.value("Signature") == Some(&json!(job.signature)))
        .ok_or_else(unsigned)?;
    if request.now - job.created >= UPLOAD_MILLIS {
        return Err(forbidden("AccessDenied", "Request has expired"));
    }
    // The header is among those that the URL is signed with.
    if request.value("Encryption") != Some(&json!("aws:kms")) {
        return Err(unsigned());
    }
    let file = match request.text("BodyBase64")? {
        Some(body) => STANDARD
            .decode(body)
            .map_err(|_| invalid("BodyBase64 is not encoded in base64."))?,
        None => request.text("Body")?.unwrap_or_default().as_bytes().to_vec(),
    };
    let key = key.to_owned();
    let jobs = &mut request.pool_mut(&pool).import_jobs;
    // Once the job was started, another file changes nothing.
    if let Some(job) = jobs.get_mut(&key).filter(|job| job.status == JobStatus::Created) {
        job.file = Some(file.into());
    }
    Ok(json!({}))
}
