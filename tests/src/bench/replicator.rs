//! One execution environment of the replicator under full load: changes a second, its own CPU, memory, and calls a change.
//!
//! Twice over the emulator of the local cloud, which is one Python process, and twice over [`table`], which is a map: the
//! first says what the local cloud takes, the second what the replicator takes.
//!
//! Invariant: a pass counts only when every change was acknowledged and applied.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType,
};
use bytes::Bytes;
use serde_json::Value;
use twinpool_localcloud::gateway::emulator::MiniStack;

use super::{
    Places,
    events::{CONFIRMED, RESET, batch, carried, now},
    figures::{cpu_seconds, cpu_seconds_of_group, figure},
    report::{Goal, Report},
    server::Server,
    table,
};
use crate::{
    runtime_host::{Function, Outcome, Output, RuntimeHost},
    stack::{Failure, refused},
    stand_ins::sdk_config,
};

const POOL: &str = "us-east-1_EXAMPLE";
const TABLE: &str = "backup";
const CHANGES: usize = 20_000;
const BATCH: usize = 100;
const CHANGES_A_SECOND: f64 = 300.0;
const QUEUE_ATTRIBUTES: &[u8] = br#"{"Attributes":{"QueueArn":"arn:aws:sqs:us-east-1:111122223333:changes"}}"#;

/// What stands behind the replicator in a pass.
struct Backend<'a> {
    title: &'a str,
    endpoint: &'a str,
    /// Process group of the emulator.
    emulator: Option<u32>,
}

/// Measures the replicator.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    // Nothing calls the endpoint that functions of this emulator are told: it has none.
    let emulator = MiniStack::start("http://127.0.0.1:1", &places.scratch.join("ministack")).await;
    let emulator = emulator.map_err(|error| Failure::new("MiniStack", error))?;
    let endpoint = format!("http://{}", emulator.address());
    create_table(&endpoint, TABLE).await?;
    let backend = Backend {
        title: "MiniStack",
        endpoint: &endpoint,
        emulator: Some(emulator.pid()),
    };
    two_passes(&places.binaries, &backend, report).await?;
    drop(emulator);
    for (delay, title) in [(0, "table double"), (5, "table double, 5 ms an answer")] {
        let double = table::start(Duration::from_millis(delay)).await?;
        let backend = Backend {
            title,
            endpoint: double.endpoint(),
            emulator: None,
        };
        let calls = two_passes_counted(&places.binaries, &backend, &double, report).await?;
        if delay == 0 {
            for (pass, calls) in calls {
                // One read for a batch; the second time the old version is put aside first.
                for (operation, target) in [("BatchGetItem", 1.0), ("PutItem", figure(pass))] {
                    let calls = figure(calls.get(operation).copied().unwrap_or(0)) / figure(CHANGES);
                    let what = format!("{operation} a change, {}", NAMES[pass - 1]);
                    report.row(what, calls, "calls", Goal::AtMost(target));
                }
            }
        }
    }
    report.note(
        "replicator: one process, one invocation at a time, batches of 100 distinct users. The table double is a map behind \
         HTTP in the bench's own process: figures beyond the emulator, not of DynamoDB.",
    );
    Ok(())
}

const NAMES: [&str; 2] = ["new users", "updates of the same users"];

async fn two_passes(binaries: &Path, backend: &Backend<'_>, report: &mut Report) -> Result<(), Failure> {
    let mut running = Running::start(binaries, backend).await?;
    for pass in 1..=2 {
        running.pass(pass, report).await?;
    }
    running.finish(report).await
}

/// Calls of the table by pass and operation.
async fn two_passes_counted(
    binaries: &Path,
    backend: &Backend<'_>,
    double: &Server,
    report: &mut Report,
) -> Result<BTreeMap<usize, BTreeMap<String, usize>>, Failure> {
    let mut running = Running::start(binaries, backend).await?;
    let mut calls = BTreeMap::new();
    for pass in 1..=2 {
        double.take_calls();
        running.pass(pass, report).await?;
        calls.insert(pass, double.take_calls());
    }
    running.finish(report).await?;
    Ok(calls)
}

/// A replicator with its doubles of queue and pool, which it is not to call.
struct Running<'a> {
    backend: &'a Backend<'a>,
    host: RuntimeHost,
    queue: Server,
    pool: Server,
}

impl<'a> Running<'a> {
    async fn start(binaries: &Path, backend: &'a Backend<'a>) -> Result<Self, Failure> {
        let queue = Server::always(QUEUE_ATTRIBUTES).await?;
        let pool = Server::always(br#"{"Users":[]}"#).await?;
        let url = format!("{}/111122223333/changes", queue.endpoint());
        let host = Function::of_build(binaries, "replicator")
            .with("TWINPOOL_QUEUE_URL", &url)
            .with("TWINPOOL_DLQ_URL", &url)
            .with("TWINPOOL_TABLE", TABLE)
            .with("TWINPOOL_POOLS", POOL)
            .with("AWS_ENDPOINT_URL_SQS", queue.endpoint())
            .with("AWS_ENDPOINT_URL_COGNITO_IDENTITY_PROVIDER", pool.endpoint())
            .with("AWS_ENDPOINT_URL_DYNAMODB", backend.endpoint)
            .start()
            .await;
        host.ready()
            .await
            .map_err(|status| Failure::new("replicator", status))?;
        // The checks at start.
        queue.take_calls();
        pool.take_calls();
        Ok(Self {
            backend,
            host,
            queue,
            pool,
        })
    }

    async fn pass(&mut self, pass: usize, report: &mut Report) -> Result<(), Failure> {
        let events = batches(pass)?;
        let process = self.host.process_id().unwrap_or_default();
        let emulator_cpu = || self.backend.emulator.map(cpu_seconds_of_group);
        let (cpu, other, began) = (cpu_seconds(process), emulator_cpu(), Instant::now());
        for event in events {
            let answer = self.host.invoke(event).await;
            acknowledged(&answer.outcome)?;
        }
        let seconds = began.elapsed().as_secs_f64();
        let cpu = cpu_seconds(process) - cpu;
        let (title, name) = (self.backend.title, NAMES[pass - 1]);
        let changes = figure(CHANGES);
        report.row(
            format!("{title}: {name}"),
            changes / seconds,
            "changes/s",
            Goal::AtLeast(CHANGES_A_SECOND),
        );
        report.row(
            format!("{title}: {name}: own CPU a change"),
            cpu * 1_000.0 / changes,
            "ms",
            Goal::Below(0.5),
        );
        report.row(format!("{title}: {name}: own CPU"), cpu / seconds, "cores", Goal::None);
        if let (Some(before), Some(after)) = (other, emulator_cpu()) {
            let cores = (after - before) / seconds;
            report.row(
                format!("{title}: {name}: the emulator's CPU"),
                cores,
                "cores",
                Goal::None,
            );
        }
        Ok(())
    }

    async fn finish(self, report: &mut Report) -> Result<(), Failure> {
        let title = self.backend.title;
        let memory = self
            .host
            .memory()
            .ok_or_else(|| Failure("the replicator has ended".to_owned()))?;
        let mib = |kib: u64| figure(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0;
        report.row(
            format!("{title}: memory at most"),
            mib(memory.peak_kib),
            "MiB",
            Goal::Below(64.0),
        );
        let calls = |server: &Server| figure(server.take_calls().values().sum());
        let per_change = calls(&self.pool) / figure(2 * CHANGES);
        report.row(
            format!("{title}: Cognito calls a change"),
            per_change,
            "calls",
            Goal::AtMost(0.0),
        );
        let per_change = calls(&self.queue) / figure(2 * CHANGES);
        report.row(
            format!("{title}: SQS calls a change"),
            per_change,
            "calls",
            Goal::AtMost(0.0),
        );
        let applied = metric(&self.host.finish().await, "ChangesApplied").iter().sum::<f64>();
        if applied < figure(2 * CHANGES) {
            return Err(Failure(format!(
                "{title}: only {applied} of {} changes were applied",
                2 * CHANGES
            )));
        }
        Ok(())
    }
}

/// All changes of a pass, in batches.
fn batches(pass: usize) -> Result<Vec<Bytes>, Failure> {
    let at = now();
    let (source, name) = if pass == 1 {
        (CONFIRMED, "Name")
    } else {
        (RESET, "Other name")
    };
    let bodies: Result<Vec<String>, Failure> = (0..CHANGES)
        .map(|user| Ok(carried(source, POOL, user, name, at)?.to_body()))
        .collect();
    let batch_of = |(number, bodies): (usize, &[String])| {
        let messages = bodies.iter().enumerate();
        batch(messages.map(|(at, body)| (format!("{pass}-{number}-{at}"), body.as_str())))
    };
    Ok(bodies?.chunks(BATCH).enumerate().map(batch_of).collect())
}

/// That an invocation left no message in the queue.
///
/// # Errors
/// When it did, or failed.
pub(super) fn acknowledged(outcome: &Outcome) -> Result<(), Failure> {
    let Outcome::Response(body) = outcome else {
        return Err(Failure::new("replicator", "an invocation failed"));
    };
    let answer: Value = serde_json::from_slice(body).map_err(|error| Failure::new("its answer", error))?;
    match answer["batchItemFailures"].as_array().map(Vec::len) {
        Some(0) => Ok(()),
        Some(failures) => Err(Failure(format!("{failures} messages of a batch were given back"))),
        None => Err(Failure("the replicator's answer lists no failures".to_owned())),
    }
}

/// All values of a metric in a function's output.
pub(super) fn metric(output: &Output, name: &str) -> Vec<f64> {
    let lines = output
        .stdout
        .iter()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let values = lines.flat_map(|mut line| match line[name].take() {
        Value::Array(values) => values,
        Value::Null => Vec::new(),
        one => vec![one],
    });
    values.filter_map(|value| value.as_f64()).collect()
}

/// Creates the backup table as the template has it, without its replica and its stream.
///
/// # Errors
/// When the emulator refuses.
pub(super) async fn create_table(endpoint: &str, name: &str) -> Result<(), Failure> {
    let impossible = |error| Failure::new("CreateTable", error);
    let client = aws_sdk_dynamodb::Client::new(&sdk_config(endpoint).await);
    let mut create = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest);
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        create = create.key_schema(key(attribute, kind).map_err(impossible)?);
    }
    for index in ["username", "email", "phone", "preferred_username"] {
        let definition = GlobalSecondaryIndex::builder()
            .index_name(format!("by-{}", index.replace('_', "-")))
            .key_schema(key(&format!("gsi_{index}"), KeyType::Hash).map_err(impossible)?)
            .projection(Projection::builder().projection_type(ProjectionType::KeysOnly).build());
        create = create.global_secondary_indexes(definition.build().map_err(impossible)?);
    }
    for attribute in [
        "pk",
        "sk",
        "gsi_username",
        "gsi_email",
        "gsi_phone",
        "gsi_preferred_username",
    ] {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        create = create.attribute_definitions(definition.build().map_err(impossible)?);
    }
    create.send().await.map(drop).map_err(refused("CreateTable"))
}
