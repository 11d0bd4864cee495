//! `twinpool status`: how the copy of a pool is, at a glance.
//!
//! Invariant: what could not be read, or was not asked for, is said to be so and is never shown as nought.

use std::{collections::BTreeMap, ops::ControlFlow};

use serde::{Serialize, de::DeserializeOwned};
use twinpool_shared::{
    adapter::lambda::now,
    error::{Error, ErrorKind},
    item::{UserItem, undelete_marks},
    marks::Part,
    port::{Backup, Document},
    run::{GuardTrip, Lease, Run, keys},
    time::{SECOND_MILLIS, Timestamp},
};

use crate::{
    arguments::queue_url,
    context::{Connection, Context},
    exit::Exit,
    lag::{self, Lag},
    output::Output,
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

/// The document.
#[derive(Debug, PartialEq, Serialize)]
struct Status {
    /// Region that was read.
    region: String,
    last_run: Option<Finished>,
    unfinished_run: Option<Unfinished>,
    lease: Option<Held>,
    /// Parts of the pool that an event marked, and no reconcile has looked at since.
    marks: Vec<Marked>,
    /// Deleted users that an import is to bring back.
    undelete_marks: u64,
    queue: Reading<Depth>,
    dead_letters: Reading<Depth>,
    replication_lag: Reading<Lag>,
    users: Option<Users>,
    groups: Groups,
}

/// A value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Reading<T> {
    value: Option<T>,
    why: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Finished {
    id: String,
    started_at: Timestamp,
    finished_at: Timestamp,
    age_seconds: i64,
    users: u64,
    memberships: u64,
    drift_found: u64,
    drift_left: u64,
    /// Set when deletions wait for an operator.
    guard: Option<GuardTrip>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Unfinished {
    id: String,
    started_at: Timestamp,
    age_seconds: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Held {
    owner: String,
    since: Timestamp,
    until: Timestamp,
    expired: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Marked {
    part: Part,
    at: Timestamp,
}

/// Users of the backup.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Users {
    living: u64,
    deleted: u64,
    /// Living users who may not sign in.
    disabled: u64,
    /// Living users by `UserStatus`; `unknown` for those of whom none was read yet.
    by_status: BTreeMap<String, u64>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Groups {
    living: u64,
    deleted: u64,
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
        unfinished_run: runs.iter().rev().find_map(|run| unfinished(run, now)),
        lease: lease.map(|lease| held(lease, now)),
        marks: marks.into_iter().map(|(part, at)| Marked { part, at }).collect(),
        undelete_marks: as_count(undelete),
        queue: depth(&connection, args.queue_url.as_deref(), "--queue-url", "queue").await?,
        dead_letters: depth(&connection, args.dlq_url.as_deref(), "--dlq-url", "dead-letter queue").await?,
        replication_lag: replication_lag(&connection, now).await?,
        users: (!args.no_count).then_some(users),
        groups: Groups {
            living: as_count(living),
            deleted: as_count(groups.len() - living),
        },
    };
    if context.output.json {
        context.output.document("status", pool, &status)?;
    } else {
        print(&context.output, pool, &status)?;
    }
    Ok(Exit::Ok)
}

impl Users {
    fn count(&mut self, user: &UserItem) {
        let record = &user.record;
        if !record.is_alive() {
            self.deleted += 1;
            return;
        }
        self.living += 1;
        if record.account.as_ref().is_some_and(|account| !account.data.enabled) {
            self.disabled += 1;
        }
        let status = record.status.as_ref().map_or("unknown", |facet| facet.data.as_str());
        match self.by_status.get_mut(status) {
            Some(count) => *count += 1,
            None => {
                self.by_status.insert(status.to_owned(), 1);
            }
        }
    }
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

fn age_seconds(since: Timestamp, now: Timestamp) -> i64 {
    now.millis_since(since) / SECOND_MILLIS
}

fn finished(run: &Run, now: Timestamp) -> Option<Finished> {
    let result = run.result.as_ref()?;
    Some(Finished {
        id: run.id.clone(),
        started_at: run.started_at,
        finished_at: result.finished_at,
        age_seconds: age_seconds(result.finished_at, now),
        users: result.users.users,
        memberships: result.users.memberships,
        drift_found: result.drift_found,
        drift_left: result.drift_left,
        guard: result.guard.clone().or_else(|| run.groups.guard.clone()),
    })
}

fn unfinished(run: &Run, now: Timestamp) -> Option<Unfinished> {
    run.result.is_none().then(|| Unfinished {
        id: run.id.clone(),
        started_at: run.started_at,
        age_seconds: age_seconds(run.started_at, now),
    })
}

fn held(lease: Lease, now: Timestamp) -> Held {
    Held {
        expired: lease.until < now,
        owner: lease.owner,
        since: lease.since,
        until: lease.until,
    }
}

impl<T> Reading<T> {
    fn of(value: T) -> Self {
        Self {
            value: Some(value),
            why: None,
        }
    }

    fn none(why: impl Into<String>) -> Self {
        Self {
            value: None,
            why: Some(why.into()),
        }
    }

    /// What a service refuses is shown; what stops everything else as well is an error.
    fn from(read: Result<T, Error>) -> Result<Self, Error> {
        match read {
            Ok(value) => Ok(Self::of(value)),
            Err(error) if [ErrorKind::Denied, ErrorKind::NotFound, ErrorKind::Rejected].contains(&error.kind) => {
                Ok(Self::none(error.what))
            }
            Err(error) => Err(error),
        }
    }
}

async fn depth(connection: &Connection, url: Option<&str>, option: &str, name: &str) -> Result<Reading<Depth>, Error> {
    let Some(url) = url else {
        return Ok(Reading::none(format!("not asked: {option} names no queue")));
    };
    let sqs = aws_sdk_sqs::Client::new(&connection.config);
    Reading::from(Queue::read(&sqs, url, name).await.map(|queue| queue.depth))
}

async fn replication_lag(connection: &Connection, now: Timestamp) -> Result<Reading<Lag>, Error> {
    let cloudwatch = Untyped::new(connection.config.clone());
    match lag::of_last_hour(&cloudwatch, now).await {
        Ok(None) => Ok(Reading::none(
            "nothing was replicated in the last hour, or its metrics are not in this Region",
        )),
        Ok(Some(lag)) => Ok(Reading::of(lag)),
        Err(error) => Reading::from(Err(error)),
    }
}

fn print(output: &Output, pool: &str, status: &Status) -> Result<(), Error> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, value: String| rows.push(vec![what.to_owned(), value]);
    row("pool", pool.to_owned());
    row("region", status.region.clone());
    match &status.last_run {
        None => row("last reconcile", "none is finished".to_owned()),
        Some(run) => {
            row(
                "last reconcile",
                format!("finished {} ago, at {}", duration(run.age_seconds), run.finished_at),
            );
            row(
                "  read",
                format!("{} users, {} memberships", run.users, run.memberships),
            );
            row("  drift", format!("{} found, {} left", run.drift_found, run.drift_left));
            if let Some(guard) = &run.guard {
                let text = "tripped, deletions wait for an operator: of";
                row(
                    "  guard",
                    format!("{text} {} {}, {} are missing", guard.living, guard.what, guard.suspects),
                );
            }
        }
    }
    if let Some(run) = &status.unfinished_run {
        let age = duration(run.age_seconds);
        row(
            "unfinished reconcile",
            format!("begun {age} ago, at {}", run.started_at),
        );
    }
    if let Some(lease) = &status.lease {
        let state = if lease.expired { "expired" } else { "held" };
        row("lease", format!("{state}: {}, until {}", lease.owner, lease.until));
    }
    for mark in &status.marks {
        row("marked", format!("{} at {}", mark.part.as_str(), mark.at));
    }
    row("marked to undelete", status.undelete_marks.to_string());
    row("queue", reading(&status.queue, |depth| depth.describe()));
    row("dead letters", reading(&status.dead_letters, |depth| depth.describe()));
    row(
        "replication lag, last hour",
        reading(&status.replication_lag, |lag| {
            format!("p99 {:.0} ms, slowest {:.0} ms", lag.p99_millis, lag.maximum_millis)
        }),
    );
    match &status.users {
        None => row("users", "not counted".to_owned()),
        Some(users) => {
            row(
                "users",
                format!(
                    "{} living ({} disabled), {} deleted",
                    users.living, users.disabled, users.deleted
                ),
            );
            for (name, count) in &users.by_status {
                row(&format!("  {name}"), count.to_string());
            }
        }
    }
    row(
        "groups",
        format!("{} living, {} deleted", status.groups.living, status.groups.deleted),
    );
    output.table(&["what", "value"], &rows)
}

fn reading<T: Copy>(reading: &Reading<T>, describe: impl Fn(T) -> String) -> String {
    match reading.value {
        Some(value) => describe(value),
        None => reading.why.clone().unwrap_or_default(),
    }
}

/// A length of time for a person: two units are enough.
fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{
        personal::Personal,
        run::{GroupTally, RunResult, UserTally},
        time::EPOCH,
        user::Tombstone,
    };

    use super::*;
    use crate::{fields::tests::record, output::tests::documented};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn run(started: i64, finished: Option<i64>) -> Run {
        Run {
            id: at(started).to_string(),
            started_at: at(started),
            members_from: at(started),
            prefixes: vec![String::new()],
            group_lists: 0,
            estimated_users: None,
            sample: Vec::new(),
            groups: GroupTally::default(),
            result: finished.map(|seconds| RunResult {
                finished_at: at(seconds),
                users: UserTally {
                    users: 20_000,
                    memberships: 20_000,
                    ..UserTally::default()
                },
                drift_found: 3,
                drift_left: 0,
                deleted: 0,
                reappeared: 0,
                guard: None,
            }),
        }
    }

    #[test]
    fn users_are_counted_by_what_they_are() {
        let mut users = Users::default();
        let item = |record| UserItem::current("p", 1, record, EPOCH, 100);
        users.count(&item(record()));
        let mut disabled = record();
        disabled.account.as_mut().unwrap().data.enabled = false;
        disabled.status = None;
        users.count(&item(disabled));
        let mut deleted = record();
        deleted.deleted = Some(Tombstone {
            at: EPOCH,
            cause: "DeleteUser".into(),
        });
        users.count(&item(deleted));
        assert_eq!((users.living, users.deleted, users.disabled), (2, 1, 1));
        let by_status: Vec<(&str, u64)> = users.by_status.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(by_status, [("CONFIRMED", 1), ("unknown", 1)]);
    }

    #[test]
    fn a_run_is_finished_or_not() {
        assert!(finished(&run(0, None), at(60)).is_none());
        assert_eq!(unfinished(&run(0, None), at(60)).map(|run| run.age_seconds), Some(60));
        assert!(unfinished(&run(0, Some(50)), at(60)).is_none());
        assert_eq!(finished(&run(0, Some(50)), at(60)).map(|run| run.age_seconds), Some(10));
    }

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

    #[test]
    fn lengths_of_time_are_readable() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let lease = Lease {
            owner: "host/4711".into(),
            since: at(90_000),
            until: at(90_600),
        };
        let status = Status {
            region: "us-east-1".into(),
            last_run: finished(&run(0, Some(600)), at(90_100)),
            unfinished_run: unfinished(&run(90_000, None), at(90_100)),
            lease: Some(held(lease, at(90_100))),
            marks: vec![Marked {
                part: Part::Clients,
                at: at(80_000),
            }],
            undelete_marks: 1,
            queue: Reading::of(Depth {
                visible: 2,
                in_flight: 1,
                delayed: 0,
            }),
            dead_letters: Reading::none("not asked: --dlq-url names no queue"),
            replication_lag: Reading::of(Lag {
                maximum_millis: 4_200.0,
                p99_millis: 2_100.0,
            }),
            users: Some(Users {
                living: 20_000,
                deleted: 12,
                disabled: 40,
                by_status: BTreeMap::from([("CONFIRMED".to_owned(), 20_000)]),
            }),
            groups: Groups { living: 5, deleted: 1 },
        };
        assert_eq!(serde_json::to_value(&status).expect("JSON"), documented("status"));
    }
}
