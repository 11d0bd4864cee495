//! The processes of a stack: the local cloud and the deployer.
//!
//! Invariant: what is started ends with the stack, whatever way the stack ends: the local cloud runs in a process group of its
//! own under `with-parent`, which kills the group when this process closes its pipe or dies.

use std::{
    fs,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use serde_json::Value;

use super::{Deployment, Failure, Options, PRIMARY, RECOVERY};

const BINARIES: [&str; 7] = [
    "twinpool-localcloud",
    "post-confirmation",
    "post-authentication",
    "custom-message",
    "admin-events",
    "replicator",
    "reconciler",
];
const OF_RECOVERY: &str = "importer";
const RECOVERY_STACK: &str = "twinpool-recovery";
/// A cold cache and a busy two-core runner included.
const STARTS_WITHIN: Duration = Duration::from_secs(60);
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(20);

/// The folder of the workspace; a test tool is always run from its own checkout.
fn workspace() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}

fn script(name: &str) -> PathBuf {
    workspace().join("tests/localcloud").join(name)
}

/// The folder with the binaries of the build that this program belongs to.
pub(super) fn binaries_beside_us() -> Result<PathBuf, Failure> {
    let own = std::env::current_exe().map_err(|error| Failure::new("the path of this program", error))?;
    let folder = own.parent().unwrap_or(&own);
    // Tests run from `deps`, the demo from beside the functions.
    let beside = if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder)
    } else {
        folder
    };
    Ok(beside.to_owned())
}

/// The folder that this build's outputs are in: `target`, wherever it is.
///
/// # Errors
/// When the path of this program is unknown.
pub fn target_folder() -> Result<PathBuf, Failure> {
    let binaries = binaries_beside_us()?;
    Ok(binaries.parent().map_or_else(|| binaries.clone(), Path::to_owned))
}

pub(super) fn check_binaries(folder: &Path, recovery: bool) -> Result<(), Failure> {
    let missing: Vec<&str> = BINARIES
        .into_iter()
        .chain(recovery.then_some(OF_RECOVERY))
        .filter(|name| !folder.join(name).is_file())
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure(format!(
        "not in {}: {}; run: cargo build --workspace --bins",
        folder.display(),
        missing.join(", ")
    )))
}

/// The Python of the emulator's private environment, which is installed on first use.
pub(super) async fn ensure_python() -> Result<PathBuf, Failure> {
    let done = tokio::process::Command::new(script("python/ensure"))
        .args(["ministack", "--path"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Failure::new("python/ensure ministack", error))?;
    if !done.status.success() {
        return Err(Failure::new("python/ensure ministack", done.status));
    }
    let environment = PathBuf::from(String::from_utf8_lossy(&done.stdout).trim());
    Ok(environment.join("bin/python"))
}

/// A local cloud in a process of its own.
#[derive(Debug)]
pub(super) struct LocalCloud {
    child: Child,
    folder: PathBuf,
    endpoint: String,
    emulator: Option<String>,
    emulator_pid: Option<u64>,
}

impl LocalCloud {
    pub(super) async fn start(binaries: &Path, name: &str, config: &Value) -> Result<Self, Failure> {
        // Several stacks of one process, and several processes, get folders of their own.
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let folder = binaries
            .parent()
            .unwrap_or(binaries)
            .join("tmp")
            .join(format!("{name}-{}-{number}", std::process::id()));
        let prepared = fs::create_dir_all(&folder).and_then(|()| {
            let settings = folder.join("config.json");
            fs::write(&settings, config.to_string())?;
            let log = fs::File::create(folder.join("localcloud.log"))?;
            Command::new(script("python/with-parent"))
                .arg(binaries.join("twinpool-localcloud"))
                .args(["run", "--port", "0", "--config"])
                .arg(settings)
                .arg("--run-dir")
                .arg(&folder)
                .stdin(Stdio::piped())
                .stdout(log.try_clone()?)
                .stderr(log)
                .process_group(0)
                .spawn()
        });
        let child = prepared.map_err(|error| Failure::new("twinpool-localcloud", error))?;
        // Owned from here on, so that a failure below ends it.
        let mut cloud = Self {
            child,
            folder,
            endpoint: String::new(),
            emulator: None,
            emulator_pid: None,
        };
        let begun = Instant::now();
        loop {
            if let Some(noted) = cloud.noted() {
                cloud.endpoint = noted["endpoint"].as_str().unwrap_or_default().to_owned();
                cloud.emulator = noted["ministack_url"].as_str().map(str::to_owned);
                cloud.emulator_pid = noted["ministack_pid"].as_u64();
                return Ok(cloud);
            }
            let ended = !matches!(cloud.child.try_wait(), Ok(None));
            if ended || begun.elapsed() > STARTS_WITHIN {
                let log = fs::read_to_string(cloud.folder.join("localcloud.log")).unwrap_or_default();
                return Err(Failure(format!("the local cloud did not start: {}", log.trim())));
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// The note that it leaves, whole or not at all, once it answers.
    fn noted(&self) -> Option<Value> {
        serde_json::from_slice(&fs::read(self.folder.join("localcloud.json")).ok()?).ok()
    }

    pub(super) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        // with-parent kills its group, itself included, when this end of the pipe closes.
        drop(self.child.stdin.take());
        let _reaped = self.child.wait();
        // The emulator has a group and a with-parent of its own; its functions are gone when it is.
        let Some(pid) = self.emulator_pid else { return };
        let begun = Instant::now();
        while begun.elapsed() < ENDS_WITHIN && is_running(pid) {
            std::thread::sleep(PAUSE);
        }
        // Killed, it could not remove its scratch folder, which holds a copy of every function's binary. The logs stay.
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                let _left_behind = fs::remove_dir_all(entry.path());
            }
        }
    }
}

/// A process that has ended but that nobody collected has an empty command line.
fn is_running(pid: u64) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| !line.is_empty())
}

/// Deploys `infra/primary.yaml`, and `infra/recovery.yaml` where it is asked for.
pub(super) async fn deploy(
    python: &Path,
    binaries: &Path,
    cloud: &LocalCloud,
    pools: &[&str],
    options: &Options,
) -> Result<Deployment, Failure> {
    let mut command = tokio::process::Command::new(python);
    command
        .arg(script("deploy/deploy.py"))
        .args(["--endpoint", cloud.endpoint()])
        .args(["--region", PRIMARY, "--recovery-region", RECOVERY])
        .args(["--pools", &pools.join(",")])
        .args(["--batching-window", &options.batching_window_seconds.to_string()])
        .args(["--max-receive-count", &options.max_receive_count.to_string()])
        .args(["--visibility-timeout", &options.visibility_timeout_seconds.to_string()])
        .args(["--quota-share", &options.quota_share_percent.to_string()])
        .arg("--bin-dir")
        .arg(binaries);
    if let Some(emulator) = &cloud.emulator {
        command.args(["--ministack", emulator]);
    }
    if let Some(schedule) = &options.reconcile_schedule {
        command.args(["--reconcile-schedule", schedule]);
    }
    if options.recovery {
        command.args(["--recovery-stack", RECOVERY_STACK]);
    }
    for (name, value) in &options.environment {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    let done = command
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| Failure::new("deploy.py", error))?;
    if !done.status.success() {
        let why = String::from_utf8_lossy(&done.stderr);
        return Err(Failure(format!("deploy.py: {}: {}", done.status, why.trim())));
    }
    serde_json::from_slice(&done.stdout).map_err(|error| Failure::new("the deployer's answer", error))
}
