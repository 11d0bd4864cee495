//! `twinpool-localcloud`: start, stop and look at a local cloud.
//!
//! Invariant: it ends only processes that it started, found through its own run folder and recognised before they are touched.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use clap::{Args, Parser, Subcommand};
use http_body_util::{BodyExt, Empty};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::signal::unix::{SignalKind, signal};
use twinpool_localcloud::gateway::config::Config;
use twinpool_localcloud::gateway::instance::{Emulator, LocalCloud, Whereabouts};

/// The first start installs MiniStack.
const STARTS_WITHIN: Duration = Duration::from_secs(300);
const STOPS_WITHIN: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

#[derive(Parser)]
#[command(
    version,
    about = "A local cloud for tests: Amazon Cognito user pools (a test double) and, behind the same URL, an emulator of the rest"
)]
struct Cli {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Run in the foreground until interrupted
    Run(Start),
    /// Start in the background, wait until it is ready and print how to use it
    Up(Start),
    /// Stop what `up` or `run` started
    Down(Place),
    /// Say whether one is running; exit status 3 when not
    Status(Place),
}

#[derive(Args)]
struct Place {
    /// Folder for the pid file, logs and scratch files; one per local cloud
    #[arg(long, default_value = ".local/run")]
    run_dir: PathBuf,
}

#[derive(Args)]
struct Start {
    /// Port on 127.0.0.1; 0 = any free port
    #[arg(long, default_value_t = 4599)]
    port: u16,
    /// Configuration (JSON), see README.md
    #[arg(long)]
    config: Option<PathBuf>,
    #[command(flatten)]
    place: Place,
    /// Leave the terminal's session (set by `up`)
    #[arg(long, hide = true)]
    detached: bool,
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error),
    };
    let done = runtime.block_on(async {
        match Cli::parse().command {
            Action::Run(start) => run(start).await,
            Action::Up(start) => up(start).await,
            Action::Down(place) => down(&place.run_dir).await,
            Action::Status(place) => status(&place.run_dir).await,
        }
    });
    done.unwrap_or_else(|error| failed(error.as_ref()))
}

fn failed(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("twinpool-localcloud: {error}");
    ExitCode::FAILURE
}

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

async fn run(start: Start) -> Done {
    if start.detached {
        rustix::process::setsid()?;
    }
    let config = match &start.config {
        Some(path) => Config::parse(&fs::read(path)?).map_err(|reason| format!("{}: {reason}", path.display()))?,
        None => Config::default(),
    };
    // Before anything is started, so that an early signal finds somebody who cleans up.
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let folder = &start.place.run_dir;
    if let Some(other) = answering(folder).await {
        return Err(format!(
            "one is running already at {} (run folder {})",
            other.endpoint,
            folder.display()
        )
        .into());
    }
    let starting = LocalCloud::start(start.port, folder, Emulator::MiniStack, config);
    let cloud = tokio::select! {
        started = starting => started?,
        _ = interrupt.recv() => return Ok(ExitCode::SUCCESS),
        _ = terminate.recv() => return Ok(ExitCode::SUCCESS),
    };
    cloud.whereabouts().write(folder)?;
    eprintln!(
        "twinpool-localcloud: {} (test double; state is lost when it stops)",
        cloud.endpoint()
    );
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    Whereabouts::remove(folder);
    drop(cloud);
    Ok(ExitCode::SUCCESS)
}

async fn up(start: Start) -> Done {
    let folder = &start.place.run_dir;
    if let Some(running) = answering(folder).await {
        return welcome(&running);
    }
    fs::create_dir_all(folder)?;
    let log = folder.join("localcloud.log");
    let output = File::create(&log)?;
    let mut command = Command::new(std::env::current_exe()?);
    command
        .arg("run")
        .arg("--detached")
        .arg("--port")
        .arg(start.port.to_string())
        .arg("--run-dir")
        .arg(folder);
    if let Some(config) = &start.config {
        command.arg("--config").arg(config);
    }
    let mut child = command
        .stdin(Stdio::null())
        .stdout(output.try_clone()?)
        .stderr(output)
        .spawn()?;
    let begun = Instant::now();
    while begun.elapsed() < STARTS_WITHIN {
        if let Some(ended) = child.try_wait()? {
            eprint!("{}", fs::read_to_string(&log).unwrap_or_default());
            return Err(format!("it did not start ({ended}); see {}", log.display()).into());
        }
        if let Some(running) = answering(folder).await {
            return welcome(&running);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Err(format!(
        "it is not ready after {} s; see {}",
        STARTS_WITHIN.as_secs(),
        log.display()
    )
    .into())
}

fn welcome(running: &Whereabouts) -> Done {
    let endpoint = &running.endpoint;
    // The older AWS CLI reads AWS_DEFAULT_REGION only, and for SQS heeds nothing but --endpoint-url.
    let lines = format!(
        "{endpoint}\n\n\
         export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1\n\
         aws --endpoint-url {endpoint} cognito-idp create-user-pool --pool-name demo\n\
         aws --endpoint-url {endpoint} cognito-idp list-user-pools --max-results 10\n\
         aws --endpoint-url {endpoint} dynamodb list-tables\n"
    );
    io::stdout().write_all(lines.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

async fn status(folder: &Path) -> Done {
    let mut out = io::stdout().lock();
    if let Some(running) = answering(folder).await {
        writeln!(out, "running at {} (pid {})", running.endpoint, running.pid)?;
        return Ok(ExitCode::SUCCESS);
    }
    writeln!(out, "not running (run folder {})", folder.display())?;
    Ok(ExitCode::from(3))
}

async fn down(folder: &Path) -> Done {
    let Some(noted) = Whereabouts::read(folder) else {
        writeln!(io::stdout(), "not running (run folder {})", folder.display())?;
        return Ok(ExitCode::SUCCESS);
    };
    // A stale note may name a pid that has since become somebody else's.
    if answering(folder).await.is_some() || runs(noted.pid, "twinpool-localcloud") {
        end(noted.pid).await?;
    }
    // The emulator ends with its parent; wait for it, so that its port and its functions are gone too.
    if let Some(emulator) = noted.ministack_pid.filter(|pid| runs(*pid, "ministack"))
        && !gone(emulator).await
    {
        return Err(format!("the emulator (pid {emulator}) is still there").into());
    }
    Whereabouts::remove(folder);
    writeln!(io::stdout(), "stopped {}", noted.endpoint)?;
    Ok(ExitCode::SUCCESS)
}

async fn end(pid: u32) -> Result<(), Box<dyn std::error::Error>> {
    let Some(target) = as_pid(pid) else { return Ok(()) };
    kill_process(target, Signal::TERM)?;
    if gone(pid).await {
        return Ok(());
    }
    kill_process(target, Signal::KILL)?;
    if gone(pid).await {
        Ok(())
    } else {
        Err(format!("pid {pid} does not end").into())
    }
}

async fn gone(pid: u32) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < STOPS_WITHIN {
        if as_pid(pid).is_none_or(|pid| test_kill_process(pid).is_err()) || is_zombie(pid) {
            return true;
        }
        tokio::time::sleep(PAUSE).await;
    }
    false
}

fn as_pid(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// Ended, but not yet collected by its parent (a container's init may never do so).
fn is_zombie(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(')')
        .is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
}

/// Whether a process that does not answer is (still) this program.
fn runs(pid: u32, program: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(program))
}

/// The local cloud of a run folder, if it answers and is the one the folder names.
async fn answering(folder: &Path) -> Option<Whereabouts> {
    let noted = Whereabouts::read(folder)?;
    let uri = format!("{}/_localcloud/health", noted.endpoint).parse().ok()?;
    let client = Client::builder(TokioExecutor::new()).build_http::<Empty<Bytes>>();
    let response = tokio::time::timeout(Duration::from_secs(2), client.get(uri))
        .await
        .ok()?
        .ok()?;
    let body = response.into_body().collect().await.ok()?.to_bytes();
    let health: serde_json::Value = serde_json::from_slice(&body).ok()?;
    (health["pid"].as_u64() == Some(u64::from(noted.pid))).then_some(noted)
}
