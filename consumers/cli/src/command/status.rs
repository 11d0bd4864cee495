//! `twinpool status`: how the copy of a pool is, at a glance.
//!
//! Invariant: what could not be read, or was not asked for, is said to be so and is never shown as nought.

mod document;
mod view;

use std::ops::ControlFlow;

use serde::de::DeserializeOwned;
use twinpool_shared::{
    adapter::lambda::now,
    error::{Error, ErrorKind},
    item::undelete_marks,
    port::{Backup, Document},
    run::{Lease, Run, keys},
    time::Timestamp,
};

use self::document::{Groups, Marked, Reading, Status, Users, finished, held, unfinished};
use crate::{
    arguments::queue_url,
    context::{Connection, Context},
    exit::Exit,
    lag::{self, Lag},
    queue::{Depth, Queue},
    untyped::Untyped,
    walk::each_user,
};

/// Arguments of `status`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// URL of the queue of changes
    #[arg(long, value_name = "URL", env = "TWINPOOL_QUEUE_URL", hide_env_values = true, value_parser = queue_url)]
    queue_url: Option<String>,
    /// URL of the dead-letter queue
    #[arg(long, value_name = "URL", env = "TWINPOOL_DLQ_URL", hide_env_values = true, value_parser = queue_url)]
    dlq_url: Option<String>,
    /// Do not count users: counting reads the whole table
    #[arg(long)]
    no_count: bool,
}

/// Reads and shows.
///
/// # Errors
/// As the table answers. A queue or a metric that cannot be read is shown as such.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let (pool, table) = (context.pool()?, context.table()?);
    let connection = context.connect().await?;
    let backup = connection.backup(table);
    let now = now();

    let runs = documents::<Run, _>(&backup, &keys::run(pool, "").pk, keys::RUNS).await?;
    let lease = match backup.document(&keys::lease(pool)).await? {
        Some(document) => Some(body::<Lease>(&document)?),
        None => None,
    };
    let marks = backup.marks(pool).await?;
    let undelete = undelete_marks(pool);
    let undelete = backup.documents(&undelete.pk, &undelete.sk).await?.len();
    let groups = backup.groups(pool).await?;
    let living = groups.iter().filter(|group| group.record.is_alive()).count();
    let mut users = Users::default();
    if !args.no_count {
        each_user(context, &backup, pool, |user| {
            users.count(&user);
            Ok(ControlFlow::Continue(()))
        })
        .await?;
    }
    let status = Status {
        region: connection.region().to_owned(),
        last_run: runs.iter().rev().find_map(|run| finished(run, now)),
        // One that came before a later run was given up.
        unfinished_run: runs.last().and_then(|run| unfinished(run, now)),
        lease: lease.map(|lease| held(lease, now)),
        marks: marks.into_iter().map(|(part, at)| Marked { part, at }).collect(),
        undelete_marks: as_count(undelete),
        queue: depth(&connection, args.queue_url.as_deref(), "--queue-url", "queue").await,
        dead_letters: depth(&connection, args.dlq_url.as_deref(), "--dlq-url", "dead-letter queue").await,
        replication_lag: replication_lag(&connection, now).await,
        users: (!args.no_count).then_some(users),
        groups: Groups {
            living: as_count(living),
            deleted: as_count(groups.len() - living),
        },
    };
    if context.output.json {
        context.output.document("status", pool, &status)?;
    } else {
        view::print(&context.output, pool, &status)?;
    }
    Ok(Exit::Ok)
}

fn as_count(number: usize) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

async fn documents<T: DeserializeOwned, B: Backup>(backup: &B, pk: &str, prefix: &str) -> Result<Vec<T>, Error> {
    backup.documents(pk, prefix).await?.iter().map(body).collect()
}

fn body<T: DeserializeOwned>(document: &Document) -> Result<T, Error> {
    serde_json::from_str(document.body.expose()).map_err(|_| {
        Error::new(
            ErrorKind::BadItem,
            format!("the document {} is not one that Twinpool wrote", document.key.sk),
        )
    })
}

async fn depth(connection: &Connection, url: Option<&str>, option: &str, name: &str) -> Reading<Depth> {
    let Some(url) = url else {
        return Reading::none(format!("not asked: {option} names no queue"));
    };
    let sqs = aws_sdk_sqs::Client::new(&connection.config);
    Reading::from(Queue::read(&sqs, url, name).await.map(|queue| queue.depth))
}

async fn replication_lag(connection: &Connection, now: Timestamp) -> Reading<Lag> {
    let cloudwatch = Untyped::new(connection.config.clone());
    match lag::of_last_hour(&cloudwatch, now).await {
        Ok(None) => Reading::none("nothing was replicated in the last hour, or its metrics are not in this Region"),
        Ok(Some(lag)) => Reading::of(lag),
        Err(error) => Reading::from(Err(error)),
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{personal::Personal, time::EPOCH};

    use super::*;

    #[test]
    fn a_document_of_somebody_else_is_an_error_that_does_not_quote_it() {
        let document = Document {
            key: keys::lease("p"),
            schema_version: 1,
            pool: "p".into(),
            version: 1,
            written_at: EPOCH,
            expires_at: None,
            body: Personal::new("{\"secret\": 1}"),
        };
        let error = body::<Lease>(&document).expect_err("no lease");
        assert_eq!(error.kind, ErrorKind::BadItem);
        assert!(error.what.contains("reconcile#lease") && !error.what.contains("secret"));
    }
}
