//! Reading a configuration: from a pool by a survey, or from the backup as of an instant.
//!
//! Invariant: writes nothing.

use std::collections::BTreeMap;

use super::{
    past::{self, Configuration},
    survey::{Findings, Survey},
};
use crate::{
    error::Error,
    item::{CONFIG_CHUNK_PREFIX, CONFIG_VERSION_PREFIX, Key, config_chunks, config_key},
    marks::Part,
    port::{Backup, Clock, Document, RawPool},
    time::Timestamp,
};

/// The parts of a configuration: all but the users.
pub fn parts() -> impl Iterator<Item = Part> {
    Part::ALL.into_iter().filter(|part| *part != Part::Users)
}

/// Asks the pool everything that `survey` wants to know.
///
/// # Errors
/// When `DescribeUserPool` fails: `NotFound` when the pool does not exist. What else fails, the findings say.
pub async fn ask<R: RawPool>(raw: &R, clock: &Clock, mut survey: Survey) -> Result<Findings, Error> {
    while let Some(call) = survey.next_call() {
        let read_at = clock();
        let answer = raw.call(call.operation, call.input.clone()).await;
        survey.answered(&call, answer, read_at);
    }
    survey.finish()
}

/// The configuration of `pool` at `instant`, as far as the history reaches back.
///
/// # Errors
/// As DynamoDB answers; `BadItem` when something stored is damaged.
pub async fn at<B: Backup>(backup: &B, pool: &str, instant: Timestamp) -> Result<Configuration, Error> {
    let mut documents: Vec<Document> = heads(backup, pool).await?.into_values().collect();
    let meta = config_chunks(pool, Part::Pool, "").pk;
    for prefix in [CONFIG_VERSION_PREFIX, CONFIG_CHUNK_PREFIX] {
        documents.extend(backup.documents(&meta, prefix).await?);
    }
    past::at(&documents, instant)
}

/// What is stored now, by key. Part by part, because the marks lie between them.
///
/// # Errors
/// As DynamoDB answers.
pub async fn heads<B: Backup>(backup: &B, pool: &str) -> Result<BTreeMap<Key, Document>, Error> {
    let mut heads = BTreeMap::new();
    for part in parts() {
        let all = config_key(pool, part, "");
        let found = backup.documents(&all.pk, &all.sk).await?;
        heads.extend(found.into_iter().map(|head| (head.key.clone(), head)));
    }
    Ok(heads)
}
