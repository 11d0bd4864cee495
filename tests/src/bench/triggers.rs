//! What a sign-in waits for: package, start, memory, and the time beyond the queue's answer, per function.
//!
//! Invariant: the time of the queue's answer, as the queue measured it, is all that is subtracted. Two hops over loopback and
//! the host's own work stay inside the figure.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::{
    Places,
    events::{CONFIRMED, now, record, sub, trigger_event},
    figures::{Distribution, figure, millis},
    report::{Goal, Report},
    server::{DelayedQueue, HandshakeTimer},
};
use crate::{
    runtime_host::{Function, Outcome, RuntimeHost},
    stack::Failure,
};

const POOL: &str = "us-east-1_EXAMPLE";
/// Each function with the source of the event that it gets; the listener gets a CloudTrail record.
const FUNCTIONS: [(&str, &str); 4] = [
    ("post-confirmation", CONFIRMED),
    ("post-authentication", "PostAuthentication_Authentication"),
    ("custom-message", "CustomMessage_SignUp"),
    ("admin-events", "AdminUpdateUserAttributes"),
];

const STARTS: usize = 30;
const EVENTS_FOR_MEMORY: usize = 200;
const EVENTS: usize = 500;
const MIB: f64 = 1024.0 * 1024.0;

/// Measures the triggers and the listener.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    for (name, bytes) in packages(places)? {
        report.row(format!("{name}: package"), bytes / MIB, "MiB", Goal::Below(5.0));
    }
    for (name, source) in FUNCTIONS {
        let event = move |number: usize| event(source, number);
        starts(&places.binaries, name, &event, report).await?;
        handshake(&places.binaries, name, &event, report).await?;
        for delay in [0, 20] {
            warm(&places.binaries, name, &event, delay, report).await?;
        }
    }
    report.note(
        "triggers: `beyond the queue` is the invocation as the Runtime API host sees it minus the queue's own time; it \
         includes the loopback hops of host and queue. The endpoint is plain HTTP: no TLS is in it.",
    );
    Ok(())
}

fn event(source: &str, number: usize) -> Bytes {
    let event = if source.contains('_') {
        trigger_event(source, POOL, number, "Name")
    } else {
        record(source, POOL, &sub(number), number, now())
    };
    Bytes::from(event.to_string())
}

fn function(binaries: &Path, name: &str, sqs: &str) -> Function {
    Function::of_build(binaries, name)
        .with("TWINPOOL_QUEUE_URL", format!("{sqs}/111122223333/changes"))
        .with("TWINPOOL_POOLS", POOL)
        .with("AWS_ENDPOINT_URL_SQS", sqs)
}

/// Sizes of the packages that `infra/package.py` makes of these binaries.
fn packages(places: &Places) -> Result<Vec<(&'static str, f64)>, Failure> {
    let folder: PathBuf = places.scratch.join("package");
    let names = FUNCTIONS.map(|(name, _)| name).into_iter().chain(["replicator"]);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../infra/package.py");
    let done = Command::new("python3")
        .arg(script)
        .args([&places.binaries, &folder])
        .args(names.clone())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .map_err(|error| Failure::new("python3", error))?;
    if !done.success() {
        return Err(Failure::new("infra/package.py", done));
    }
    let size = |name: &'static str| {
        let size = std::fs::metadata(folder.join(format!("{name}.zip")));
        let size = size.map_err(|error| Failure::new(name, error))?.len();
        Ok((name, figure(usize::try_from(size).unwrap_or(usize::MAX))))
    };
    names.map(size).collect()
}

/// The process until it asks for its first event, its memory then, and how long the first event takes it.
async fn starts(
    binaries: &Path,
    name: &str,
    event: &(dyn Fn(usize) -> Bytes + Sync),
    report: &mut Report,
) -> Result<(), Failure> {
    let queue = DelayedQueue::start(Duration::ZERO).await?;
    let function = function(binaries, name, queue.endpoint());
    let (mut ready, mut first) = (Vec::new(), Vec::new());
    // One more than is counted: the first pulls the binary from disk.
    for start in 0..=STARTS {
        let began = Instant::now();
        let host = function.start().await;
        host.ready().await.map_err(|status| Failure::new(name, status))?;
        let until_ready = millis(began.elapsed());
        let (memory, begun) = (resident_mib(name, &host)?, Instant::now());
        invoke(name, &host, event(start)).await?;
        let until_answer = millis(begun.elapsed());
        if start == 0 {
            report.row(format!("{name}: memory after start"), memory, "MiB", Goal::Below(30.0));
            for number in 1..EVENTS_FOR_MEMORY {
                invoke(name, &host, event(number)).await?;
            }
            let what = format!("{name}: memory after {EVENTS_FOR_MEMORY} events");
            report.row(what, resident_mib(name, &host)?, "MiB", Goal::Below(30.0));
        } else {
            ready.push(until_ready);
            first.push(until_answer);
        }
        host.kill().await;
    }
    let (ready, first) = (Distribution::of(ready), Distribution::of(first));
    for (percent, title) in [(50, "median"), (99, "p99")] {
        let what = format!("{name}: start to first `next`, {title} of {STARTS}");
        report.row(what, ready.percentile(percent), "ms", Goal::Below(30.0));
    }
    let what = format!("{name}: first event of a process, median of {STARTS}");
    report.row(what, first.percentile(50), "ms", Goal::None);
    Ok(())
}

/// From the first TCP connection to the client's first TLS words: trust roots and configuration are before it, the first
/// random numbers (and AWS-LC's entropy) and the keys are in it.
async fn handshake(
    binaries: &Path,
    name: &str,
    event: &(dyn Fn(usize) -> Bytes + Sync),
    report: &mut Report,
) -> Result<(), Failure> {
    let mut timer = HandshakeTimer::start().await?;
    let function = function(binaries, name, timer.endpoint());
    let mut times = Vec::new();
    for start in 0..STARTS {
        let host = function.start().await;
        // A trigger connects with its first event, and lets the user through. The listener connects at its start, to check
        // its queue, and may end.
        if host.ready().await.is_ok() {
            host.invoke(event(start)).await;
        }
        times.extend(timer.take_first());
        host.kill().await;
    }
    let times = Distribution::of(times);
    for (percent, title) in [(50, "median"), (99, "p99")] {
        let what = format!("{name}: connection to first TLS words, {title} of {}", times.len());
        report.row(what, times.percentile(percent), "ms", Goal::None);
    }
    Ok(())
}

async fn warm(
    binaries: &Path,
    name: &str,
    event: &(dyn Fn(usize) -> Bytes + Sync),
    delay: u64,
    report: &mut Report,
) -> Result<(), Failure> {
    let queue = DelayedQueue::start(Duration::from_millis(delay)).await?;
    let host = function(binaries, name, queue.endpoint()).start().await;
    // The connection and the first allocations are the cold start's.
    for number in 0..10 {
        invoke(name, &host, event(number)).await?;
    }
    queue.take_spent();
    let mut beyond = Vec::with_capacity(EVENTS);
    for number in 0..EVENTS {
        let event = event(number);
        let took = invoke(name, &host, event).await?;
        beyond.push(took - queue.take_spent());
    }
    let beyond = Distribution::of(beyond);
    for (percent, title) in [(50, "median"), (99, "p99")] {
        let what = format!("{name}: beyond the queue ({delay} ms), {title} of {EVENTS}");
        report.row(what, beyond.percentile(percent), "ms", Goal::Below(2.0));
    }
    Ok(())
}

/// Milliseconds of one invocation that has to succeed.
async fn invoke(name: &str, host: &RuntimeHost, event: Bytes) -> Result<f64, Failure> {
    let answer = host.invoke(event).await;
    match answer.outcome {
        Outcome::Response(_) => Ok(millis(Duration::from_micros(answer.micros))),
        Outcome::FunctionError(_) => Err(Failure::new(name, "the function failed")),
        Outcome::Exited(status) => Err(Failure::new(name, status)),
    }
}

fn resident_mib(name: &str, host: &RuntimeHost) -> Result<f64, Failure> {
    let memory = host
        .memory()
        .ok_or_else(|| Failure::new(name, "its memory is not known"))?;
    Ok(figure(usize::try_from(memory.resident_kib).unwrap_or(usize::MAX)) / 1024.0)
}
