//! From the event to the committed write at 40 events a second, and how often the pool is read for that.
//!
//! Every event goes as its change onto a real queue of the local cloud; a poller batches as the template's event source
//! mapping does and hands each batch to the replicator's binary. Half of the events are a sign-up's trigger (the change
//! carries the profile), half an administrator's call, really made (the change says "re-read").
//!
//! Invariant: the load is open: an event is sent when it is due, whatever became of those before.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};
use aws_sdk_sqs::types::{DeleteMessageBatchRequestEntry, Message};
use serde_json::{Value, json};
use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, MissedTickBehavior},
};
use twinpool_localcloud::gateway::{
    config::Config,
    instance::{Emulator, LocalCloud},
};

use super::{
    Places,
    events::{CONFIRMED, batch, carried, heard, now},
    figures::{Distribution, figure},
    replicator::{acknowledged, create_table, metric},
    report::{Goal, Report},
};
use crate::{
    runtime_host::{Function, Output, RuntimeHost},
    stack::{Failure, refused},
    stand_ins::sdk_config,
};

const TABLE: &str = "backup";
const EVENTS_A_SECOND: u32 = 40;
const SECONDS: u32 = 60;
/// Users of the pool whom the administrator's calls change in turn.
const USERS: usize = 400;
const BURST: usize = 20;
/// The template's event source mapping.
const WINDOW: Duration = Duration::from_secs(1);
const BATCH_MAX: usize = 100;
const LIST_USERS_MILLIS: u64 = 80;
const ADMIN_CALL: &str = "AdminUpdateUserAttributes";

/// Measures the lag and the reads.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    let bench = Bench::start(places).await?;
    bench.sustained(report).await?;
    bench.burst(report).await?;
    report.note(
        "end to end: the lag is the replicator's own metric, from the event to the committed write. An administrator's event \
         has CloudTrail's whole seconds, so its lag is overstated by up to a second; CloudTrail's own delay and the trigger's \
         run are not in it. ListUsers has a latency of 80 ms and its quota of 30 a second, by configuration.",
    );
    Ok(())
}

struct Bench {
    cloud: LocalCloud,
    cognito: aws_sdk_cognitoidentityprovider::Client,
    sqs: aws_sdk_sqs::Client,
    queue: String,
    pool: String,
    /// Of the pool's users, by number.
    subs: Vec<String>,
    host: RuntimeHost,
}

impl Bench {
    async fn start(places: &Places) -> Result<Self, Failure> {
        let folder = places.scratch.join("end-to-end");
        // The users are created as fast as they can be.
        let cloud = LocalCloud::start(
            0,
            &folder,
            Emulator::MiniStack,
            config(&json!({"quotas": {"enabled": false}}))?,
        );
        let cloud = cloud.await.map_err(|error| Failure::new("the local cloud", error))?;
        let sdk = sdk_config(cloud.endpoint()).await;
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&sdk);
        let sqs = aws_sdk_sqs::Client::new(&sdk);
        create_table(cloud.endpoint(), TABLE).await?;
        let queue = create_queue(&sqs, "changes").await?;
        let parked = create_queue(&sqs, "changes-dlq").await?;
        let pool = cognito.create_user_pool().pool_name("bench").send().await;
        let pool = pool
            .map_err(refused("CreateUserPool"))?
            .user_pool
            .and_then(|pool| pool.id);
        let pool = pool.ok_or_else(|| Failure("CreateUserPool answered no id".to_owned()))?;
        let mut subs = Vec::with_capacity(USERS);
        for number in 0..USERS {
            subs.push(create_user(&cognito, &pool, number).await?);
        }
        let latency = json!({"latency_ms": {"cognito": LIST_USERS_MILLIS}});
        cloud.gateway().configure(config(&latency)?);
        let host = Function::of_build(&places.binaries, "replicator")
            .with("AWS_ENDPOINT_URL", cloud.endpoint())
            .with("TWINPOOL_QUEUE_URL", &queue)
            .with("TWINPOOL_DLQ_URL", parked)
            .with("TWINPOOL_TABLE", TABLE)
            .with("TWINPOOL_POOLS", &pool)
            .start()
            .await;
        host.ready()
            .await
            .map_err(|status| Failure::new("replicator", status))?;
        Ok(Self {
            cloud,
            cognito,
            sqs,
            queue,
            pool,
            subs,
            host,
        })
    }

    /// Calls so far, by operation.
    fn calls(&self, service: &str) -> BTreeMap<String, u64> {
        self.cloud
            .gateway()
            .counters()
            .calls
            .get(service)
            .cloned()
            .unwrap_or_default()
    }

    fn reads(&self) -> usize {
        count(&self.calls("cognito-idp"), "ListUsers")
    }

    async fn sustained(&self, report: &mut Report) -> Result<(), Failure> {
        let (reads, throttled) = (self.reads(), self.throttled());
        let events = usize::try_from(EVENTS_A_SECOND * SECONDS).unwrap_or(0);
        let sent = Arc::new(AtomicUsize::new(0));
        let (batches, mut arrived) = mpsc::channel(1);
        let poller = tokio::spawn(poll(self.sqs.clone(), self.queue.clone(), batches));
        let began = Instant::now();
        let generate = self.generate(events, sent.clone());
        let consume = async {
            let mut sizes = Vec::new();
            while done(&self.host.output()) < events {
                if began.elapsed() > Duration::from_secs(u64::from(SECONDS) + 30) {
                    return Err(Failure("the queue was not empty 30 s after the last event".to_owned()));
                }
                let Ok(Some(messages)) = tokio::time::timeout(Duration::from_secs(2), arrived.recv()).await else {
                    continue;
                };
                sizes.push(figure(messages.len()));
                self.handle(&messages).await?;
            }
            Ok(sizes)
        };
        let (generated, sizes) = tokio::join!(generate, consume);
        poller.abort();
        let seconds = generated?;
        let sizes = Distribution::of(sizes?);
        let output = self.host.output();
        report.row(
            "events sent",
            figure(sent.load(Ordering::Relaxed)) / seconds,
            "events/s",
            Goal::AtLeast(39.5),
        );
        report.row(
            "messages in a batch, median",
            sizes.percentile(50),
            "messages",
            Goal::None,
        );
        let lags = Distribution::of(metric(&output, "ReplicationLag"));
        report.row(
            "changes written",
            figure(lags.len()),
            "changes",
            Goal::AtLeast(figure(events)),
        );
        report.row("lag, median", lags.percentile(50), "ms", Goal::None);
        // 3 s beyond the window.
        report.row("lag, p99", lags.percentile(99), "ms", Goal::Below(4_000.0));
        report.row("lag, largest", lags.percentile(100), "ms", Goal::None);
        for (cause, title) in [(CONFIRMED, "trigger"), (ADMIN_CALL, "administrator")] {
            let lags = Distribution::of(lags_of(&output, cause));
            for (percent, name) in [(50, "median"), (99, "p99")] {
                report.row(
                    format!("lag of {title} events, {name}"),
                    lags.percentile(percent),
                    "ms",
                    Goal::None,
                );
            }
        }
        let reads = figure(self.reads() - reads);
        report.row(
            "ListUsers an administrator's event",
            reads / figure(events / 2),
            "calls",
            Goal::AtMost(1.0),
        );
        report.row("ListUsers an event", reads / figure(events), "calls", Goal::AtMost(1.0));
        let throttled = figure(self.throttled() - throttled);
        report.row("calls of Cognito throttled", throttled, "calls", Goal::None);
        Ok(())
    }

    fn throttled(&self) -> usize {
        let throttled = self.cloud.gateway().counters().throttled;
        throttled
            .values()
            .flat_map(BTreeMap::values)
            .map(|calls| usize::try_from(*calls).unwrap_or(0))
            .sum()
    }

    /// Sends `events`, each when it is due; the seconds from the first to the last.
    async fn generate(&self, events: usize, sent: Arc<AtomicUsize>) -> Result<f64, Failure> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / EVENTS_A_SECOND);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut sending = JoinSet::new();
        let began = Instant::now();
        for number in 0..events {
            ticks.tick().await;
            let (cognito, sqs) = (self.cognito.clone(), self.sqs.clone());
            let (queue, pool, sent) = (self.queue.clone(), self.pool.clone(), sent.clone());
            let user = number / 2 % USERS;
            let sub = self.subs[user].clone();
            sending.spawn(async move {
                let change = if number % 2 == 0 {
                    // Nobody whom the pool has: what the trigger carries is all that is known.
                    carried(CONFIRMED, &pool, number, "Name", now())?
                } else {
                    administrate(&cognito, &pool, user, &sub, number).await?
                };
                let sending = sqs.send_message().queue_url(queue).message_body(change.to_body());
                sending.send().await.map_err(refused("SendMessage"))?;
                sent.fetch_add(1, Ordering::Relaxed);
                Ok::<_, Failure>(())
            });
        }
        ticks.tick().await;
        let seconds = began.elapsed().as_secs_f64();
        while let Some(ended) = sending.join_next().await {
            ended.map_err(|error| Failure::new("a sender", error))??;
        }
        Ok(seconds)
    }

    /// One invocation; what it acknowledged leaves the queue.
    async fn handle(&self, messages: &[Message]) -> Result<(), Failure> {
        let id = |message: &Message| message.message_id.clone().unwrap_or_default();
        let event = batch(
            messages
                .iter()
                .map(|message| (id(message), message.body().unwrap_or_default())),
        );
        acknowledged(&self.host.invoke(event).await.outcome)?;
        for chunk in messages.chunks(10) {
            let mut request = self.sqs.delete_message_batch().queue_url(&self.queue);
            for (number, message) in chunk.iter().enumerate() {
                let entry = DeleteMessageBatchRequestEntry::builder().id(number.to_string());
                let entry = entry.set_receipt_handle(message.receipt_handle.clone()).build();
                request = request.entries(entry.map_err(|error| Failure::new("DeleteMessageBatch", error))?);
            }
            request.send().await.map_err(refused("DeleteMessageBatch"))?;
        }
        Ok(())
    }

    /// Many events of one user in one batch.
    async fn burst(&self, report: &mut Report) -> Result<(), Failure> {
        let (user, sub) = (0, &self.subs[0]);
        let mut bodies = Vec::with_capacity(BURST);
        for number in 0..BURST {
            let change = administrate(&self.cognito, &self.pool, user, sub, 1_000_000 + number).await?;
            bodies.push(change.to_body());
        }
        let (reads, table, queue) = (self.reads(), self.calls("dynamodb"), self.calls("sqs"));
        let messages = bodies.iter().enumerate();
        let event = batch(messages.map(|(number, body)| (format!("burst-{number}"), body.as_str())));
        acknowledged(&self.host.invoke(event).await.outcome)?;
        let table_calls =
            |operation: &str| figure(count(&self.calls("dynamodb"), operation) - count(&table, operation));
        let burst = |what: &str| format!("burst of {BURST} events of one user: {what}");
        report.row(
            burst("ListUsers"),
            figure(self.reads() - reads),
            "calls",
            Goal::AtMost(1.0),
        );
        report.row(
            burst("reads of the table"),
            table_calls("BatchGetItem"),
            "calls",
            Goal::AtMost(1.0),
        );
        report.row(
            burst("writes, the old version's included"),
            table_calls("PutItem"),
            "calls",
            Goal::AtMost(2.0),
        );
        let put_back = count(&self.calls("sqs"), "SendMessage") - count(&queue, "SendMessage");
        report.row(burst("put back"), figure(put_back), "messages", Goal::AtMost(0.0));
        Ok(())
    }
}

fn count(calls: &BTreeMap<String, u64>, operation: &str) -> usize {
    calls
        .get(operation)
        .map_or(0, |calls| usize::try_from(*calls).unwrap_or(usize::MAX))
}

fn config(config: &Value) -> Result<Config, Failure> {
    Config::parse(config.to_string().as_bytes()).map_err(|reason| Failure::new("the configuration", reason))
}

async fn create_queue(sqs: &aws_sdk_sqs::Client, name: &str) -> Result<String, Failure> {
    let created = sqs
        .create_queue()
        .queue_name(name)
        .send()
        .await
        .map_err(refused("CreateQueue"))?;
    created
        .queue_url
        .ok_or_else(|| Failure("CreateQueue answered no URL".to_owned()))
}

async fn create_user(
    cognito: &aws_sdk_cognitoidentityprovider::Client,
    pool: &str,
    number: usize,
) -> Result<String, Failure> {
    let creating = cognito
        .admin_create_user()
        .user_pool_id(pool)
        .username(username(number));
    let email = attribute("email", &format!("pool-user-{number}@example.com"))?;
    let created = creating
        .message_action(MessageActionType::Suppress)
        .user_attributes(email)
        .send()
        .await;
    let user = created.map_err(refused("AdminCreateUser"))?.user;
    let attributes = user.and_then(|user| user.attributes).unwrap_or_default();
    let sub = attributes
        .into_iter()
        .find(|attribute| attribute.name == "sub")
        .and_then(|sub| sub.value);
    sub.ok_or_else(|| Failure("AdminCreateUser answered no sub".to_owned()))
}

/// Changes a user as an administrator does; the change that CloudTrail's record leads to.
async fn administrate(
    cognito: &aws_sdk_cognitoidentityprovider::Client,
    pool: &str,
    user: usize,
    sub: &str,
    number: usize,
) -> Result<twinpool_shared::change::Change, Failure> {
    let at = now();
    let updating = cognito
        .admin_update_user_attributes()
        .user_pool_id(pool)
        .username(username(user));
    let updated = updating
        .user_attributes(attribute("name", &format!("Name {number}"))?)
        .send()
        .await;
    updated.map_err(refused(ADMIN_CALL))?;
    heard(ADMIN_CALL, pool, sub, number, at)
}

fn username(number: usize) -> String {
    format!("pool-user-{number}")
}

fn attribute(name: &str, value: &str) -> Result<AttributeType, Failure> {
    let attribute = AttributeType::builder().name(name).value(value).build();
    attribute.map_err(|error| Failure::new(name, error))
}

/// An event source mapping's poller: a batch is full, or its window over, then it is handed on.
async fn poll(sqs: aws_sdk_sqs::Client, queue: String, batches: mpsc::Sender<Vec<Message>>) {
    loop {
        let mut batch = receive(&sqs, &queue, 1).await;
        if batch.is_empty() {
            continue;
        }
        let until = Instant::now() + WINDOW;
        while batch.len() < BATCH_MAX && Instant::now() < until {
            let more = receive(&sqs, &queue, 0).await;
            if more.is_empty() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            batch.extend(more);
        }
        if batches.send(batch).await.is_err() {
            return;
        }
    }
}

/// Up to ten messages. A failure is none: they are received again.
async fn receive(sqs: &aws_sdk_sqs::Client, queue: &str, wait_seconds: i32) -> Vec<Message> {
    let receiving = sqs.receive_message().queue_url(queue).max_number_of_messages(10);
    let answer = receiving.wait_time_seconds(wait_seconds).send().await;
    answer.ok().and_then(|answer| answer.messages).unwrap_or_default()
}

/// Changes that came to an end, whatever it was.
fn done(output: &Output) -> usize {
    let ends = ["ChangesApplied", "ChangesUnchanged", "ChangesParked"];
    let ended: f64 = ends.iter().flat_map(|name| metric(output, name)).sum();
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "counts of a bench"
    )]
    let ended = ended as usize;
    ended
}

/// Lags of changes of one cause, from the log.
fn lags_of(output: &Output, cause: &str) -> Vec<f64> {
    let lines = output
        .stderr
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_cause = lines.filter(|line| line["cause"] == cause);
    of_cause.filter_map(|line| line["lag_millis"].as_f64()).collect()
}
