//! The replicator: SQS to backup table.
//!
//! A batch of messages becomes changes ([`intake`]); the pool of each is resolved ([`pools`]); changes of the same user or
//! group are handled together ([`users`], [`groups`]), so that a burst costs one read and one write; every message ends in
//! exactly one [`outcome`]: acknowledged, put back with a delay, parked with its reason, or given back to the queue.
//!
//! Invariant: a message is acknowledged only after its write, its copy in the queue or its copy in the dead-letter queue is
//! confirmed. A kill at any point leaves it in the queue, and handling it twice changes nothing.

pub mod groups;
pub mod intake;
pub mod outcome;
pub mod pools;
pub mod users;

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicUsize, Ordering},
};

use aws_lambda_events::event::sqs::{SqsBatchResponse, SqsEvent};
use futures::{StreamExt, stream};
use tokio::time::Instant;
use twinpool_shared::{
    adapter::{pool::PoolReader, queue::Queue, table::Table},
    change::{Change, Subject},
    error::{Directive, Error, ErrorKind},
    marks::Part,
    personal::Sub,
    port::{Backup, Clock, Outbox, ReadPool},
    settings::ReplicatorSettings,
    trail::Listener,
    writer::Writer,
};

use crate::{
    intake::{Content, Entry, Message},
    outcome::{Outcome, Tally},
    pools::{PoolResolver, Resolved},
};

/// Users, groups and parts handled at the same time: enough to hide the latency of a write, few enough for a small function.
const CONCURRENCY_MAX: usize = 32;

/// Calls to Cognito, for the metrics.
#[derive(Debug, Default)]
pub struct CallCounters {
    user_reads: AtomicUsize,
    factor_reads: AtomicUsize,
}

impl CallCounters {
    fn count_user_read(&self) {
        self.user_reads.fetch_add(1, Ordering::Relaxed);
    }

    fn count_factor_read(&self) {
        self.factor_reads.fetch_add(1, Ordering::Relaxed);
    }

    fn take(&self) -> (usize, usize) {
        (
            self.user_reads.swap(0, Ordering::Relaxed),
            self.factor_reads.swap(0, Ordering::Relaxed),
        )
    }
}

/// The replicator with its clients, made once per process.
pub struct Replicator<P, B, Q> {
    settings: ReplicatorSettings,
    queue: Q,
    dead_letters: Q,
    table: B,
    reader: P,
    resolver: PoolResolver,
    calls: CallCounters,
    clock: Clock,
}

impl Replicator<PoolReader, Table, Queue> {
    /// Checks at start what would make every message fail: queues, table, pools and their permissions.
    ///
    /// A throttled or unavailable service is no reason not to start: it passes. Nor is one bad pool of several: the others'
    /// users must not lose their copy because somebody deleted a pool.
    ///
    /// # Errors
    /// The first check that only an operator can put right.
    pub async fn check(&self) -> Result<(), Error> {
        let stops = |error: &Error| error.directive() == Directive::Stop || error.kind == ErrorKind::Rejected;
        let everyones = [
            self.queue.probe("TWINPOOL_QUEUE_URL").await,
            self.dead_letters.probe("TWINPOOL_DLQ_URL").await,
            self.table.probe().await,
        ];
        if let Some(error) = everyones.into_iter().find_map(|check| check.err().filter(stops)) {
            return Err(error);
        }
        let probe =
            Sub::new("twinpool-start-check").ok_or_else(|| Error::new(ErrorKind::BadSetting, "the probe is no sub"))?;
        let mut bad = Vec::new();
        for pool in &self.settings.pools {
            if let Err(error) = self.reader.find_user(pool, &probe).await {
                bad.push(Error::new(
                    error.kind,
                    format!("pool {pool} of TWINPOOL_POOLS: {}", error.what),
                ));
            }
        }
        bad.retain(stops);
        if bad.len() == self.settings.pools.len() {
            return bad.into_iter().next().map_or(Ok(()), Err);
        }
        for error in bad {
            tracing::error!(error = %error, "this pool is not copied; the others are");
        }
        Ok(())
    }
}

impl<P: ReadPool, B: Backup, Q: Outbox> Replicator<P, B, Q> {
    /// A replicator over these ports; `clock` tells the present.
    #[must_use]
    pub fn new(settings: ReplicatorSettings, queue: Q, dead_letters: Q, table: B, reader: P, clock: Clock) -> Self {
        let resolver = PoolResolver::new(settings.pools.clone());
        Self {
            settings,
            queue,
            dead_letters,
            table,
            reader,
            resolver,
            calls: CallCounters::default(),
            clock,
        }
    }

    /// Writes through here; see [`twinpool_shared::writer`].
    pub(crate) fn writer(&self) -> Writer<'_, B> {
        Writer {
            backup: &self.table,
            clock: &self.clock,
            retention_seconds: self.settings.retention_seconds,
        }
    }

    /// Handles one batch until `deadline`. Never fails as a whole: what is not acknowledged is listed in the answer.
    pub async fn handle(&self, event: SqsEvent, deadline: Instant) -> SqsBatchResponse {
        let listener = Listener {
            pools: self.settings.pools.clone(),
            own_roles: Vec::new(),
        };
        let now = (self.clock)();
        let messages = event
            .records
            .into_iter()
            .map(|record| Message::read(record, &listener, now));
        let messages: Vec<Message> = messages.collect();
        let outcomes = self.outcomes(&messages, deadline).await;
        let (response, tally) = outcome::conclude(self, &messages, outcomes).await;
        tally.emit(self.calls.take());
        response
    }

    /// What each message comes to, before anything is acknowledged.
    async fn outcomes(&self, messages: &[Message], deadline: Instant) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = messages.iter().map(|_| None).collect();
        let mut entries = Vec::with_capacity(messages.len());
        for (at, message) in messages.iter().enumerate() {
            match &message.content {
                Content::Change(change) => entries.push(Entry {
                    at,
                    change: Change::clone(change),
                }),
                Content::Nothing => outcome::settle(&mut outcomes, at, Outcome::Unchanged),
                Content::Unreadable(error) => outcome::settle(&mut outcomes, at, Outcome::of_error(error.clone())),
            }
        }
        let resolved = stream::iter(entries)
            .map(|entry| async move {
                let resolved = in_time(deadline, self.resolver.resolve(self, &entry.change)).await;
                (entry, resolved)
            })
            .buffered(CONCURRENCY_MAX)
            .collect::<Vec<_>>()
            .await;
        let mut users: BTreeMap<String, BTreeMap<Sub, Vec<Entry>>> = BTreeMap::new();
        let mut groups: BTreeMap<(String, String), Vec<Entry>> = BTreeMap::new();
        let mut parts: BTreeMap<(String, Part), Vec<Entry>> = BTreeMap::new();
        for (entry, resolved) in resolved {
            match resolved {
                Ok(Resolved::Pools(pools)) => {
                    for pool in pools {
                        let entry = entry.clone();
                        match entry.change.subject.clone() {
                            Subject::User(sub) => users.entry(pool).or_default().entry(sub).or_default().push(entry),
                            Subject::Group(name) => groups.entry((pool, name)).or_default().push(entry),
                            Subject::Part(part) => parts.entry((pool, part)).or_default().push(entry),
                        }
                    }
                }
                Ok(Resolved::NotYet(verdict)) => {
                    outcome::settle(
                        &mut outcomes,
                        entry.at,
                        Outcome::of_verdict(&entry.change, verdict, None),
                    );
                }
                Ok(Resolved::NotOurs) => outcome::settle(&mut outcomes, entry.at, Outcome::Unchanged),
                Err(error) => outcome::settle(&mut outcomes, entry.at, Outcome::of_error(error)),
            }
        }
        let user_results = stream::iter(users)
            .then(|(pool, users)| self.users(pool, users, deadline))
            .collect::<Vec<_>>()
            .await;
        let group_results = stream::iter(groups)
            .map(|((pool, name), entries)| async move {
                let work = Box::pin(async { Ok(self.group(&pool, &name, &entries).await) });
                in_time(deadline, work)
                    .await
                    .unwrap_or_else(|error| outcome::for_all(&entries, &Outcome::of_error(error)))
            })
            .buffer_unordered(CONCURRENCY_MAX)
            .collect::<Vec<_>>()
            .await;
        let part_results = stream::iter(parts)
            .map(|((pool, part), entries)| async move {
                let work = Box::pin(async { Ok(self.part(&pool, part, &entries).await) });
                in_time(deadline, work)
                    .await
                    .unwrap_or_else(|error| outcome::for_all(&entries, &Outcome::of_error(error)))
            })
            .buffer_unordered(CONCURRENCY_MAX)
            .collect::<Vec<_>>()
            .await;
        for (at, result) in user_results
            .into_iter()
            .chain(group_results)
            .chain(part_results)
            .flatten()
        {
            outcome::settle(&mut outcomes, at, result);
        }
        outcomes
            .into_iter()
            .map(|outcome| outcome.unwrap_or_else(|| Outcome::of_error(undecided())))
            .collect()
    }

    /// Marks a part of a pool's configuration for the reconciler.
    async fn part(&self, pool: &str, part: Part, entries: &[Entry]) -> Vec<(usize, Outcome)> {
        let Some(newest) = entries.iter().max_by_key(|entry| entry.change.occurred_at) else {
            return Vec::new();
        };
        match self
            .table
            .mark(pool, part, newest.change.occurred_at, &newest.change.cause)
            .await
        {
            Ok(written) => outcome::for_all(entries, &Outcome::of_write(written, (self.clock)())),
            Err(error) => outcome::for_all(entries, &Outcome::of_error(error)),
        }
    }
}

/// Runs `work` until `deadline`. What is cut off is like a kill: it is given back, and handling it twice changes nothing.
pub(crate) async fn in_time<T>(deadline: Instant, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout_at(deadline, work)
        .await
        .unwrap_or_else(|_elapsed| Err(undecided()))
}

fn undecided() -> Error {
    Error::new(ErrorKind::Unavailable, "the invocation's time was over")
}

impl Tally {
    fn emit(&self, (user_reads, factor_reads): (usize, usize)) {
        twinpool_shared::adapter::lambda::emit("replicator", &self.metrics(user_reads, factor_reads));
    }
}
