//! MiniStack as a child process.
//!
//! Invariant: whatever it starts (it runs functions as local processes) dies with it, and it dies with us, even when we are
//! killed: it runs in a process group of its own under `python/with-parent`.

use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hyper::Method;
use rustix::process::{Pid, Signal, kill_process_group};

use super::identity::ACCOUNT;
use super::upstream::{Upstream, own_body};

/// Half a second is usual; a busy two-core runner needs longer.
const STARTS_WITHIN: Duration = Duration::from_secs(60);

/// It could not be installed or started.
#[derive(Debug, thiserror::Error)]
pub enum EmulatorError {
    /// `python/ensure` failed; it has said why on stderr.
    #[error("cannot install MiniStack: python/ensure ministack {0}")]
    Install(String),
    /// A file or process could not be made.
    #[error("cannot start MiniStack: {0}")]
    Io(#[from] io::Error),
    /// It ended or stayed silent.
    #[error("MiniStack did not come up; see {}", .0.display())]
    Silent(PathBuf),
}

/// A running MiniStack. Dropping it ends it and everything it started.
#[derive(Debug)]
pub struct MiniStack {
    child: Child,
    address: SocketAddr,
    scratch: PathBuf,
}

impl MiniStack {
    /// Install it if need be, start it on a free loopback port, and wait until it answers. Its functions are told to call
    /// `endpoint`; its log goes to `folder`.
    ///
    /// # Errors
    /// When it cannot be installed or does not come up.
    pub async fn start(endpoint: &str, folder: &Path) -> Result<Self, EmulatorError> {
        let environment = tokio::task::spawn_blocking(ensure).await.map_err(io::Error::other)??;
        fs::create_dir_all(folder)?;
        let folder = folder.canonicalize()?;
        let log = folder.join("ministack.log");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let scratch = folder.join(format!("ministack-{port}"));
        fs::create_dir_all(&scratch)?;
        let child = command(&environment, endpoint, port, &scratch, &File::create(&log)?)?.spawn()?;
        let mut started = Self {
            child,
            address,
            scratch,
        };
        if started.comes_up().await {
            return Ok(started);
        }
        Err(EmulatorError::Silent(log))
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Leader of its process group.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    async fn comes_up(&mut self) -> bool {
        let upstream = Upstream::new(self.address);
        let begun = Instant::now();
        while begun.elapsed() < STARTS_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return false;
            }
            if let Ok(request) = upstream
                .signed(Method::GET, "/_ministack/health", "us-east-1", "health")
                .body(own_body(""))
                && upstream
                    .call(request)
                    .await
                    .is_ok_and(|answer| answer.status.is_success())
            {
                return true;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        false
    }
}

impl Drop for MiniStack {
    fn drop(&mut self) {
        // Killed, not asked: it keeps nothing, and its functions would outlive a polite end.
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _already_gone = kill_process_group(group, Signal::KILL);
        }
        let _reaped = self.child.wait();
        let _left_behind = fs::remove_dir_all(&self.scratch);
    }
}

/// This crate's scripts; a test tool is always run from its own checkout.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("python").join(name)
}

/// The virtual environment of MiniStack, installed on first use.
fn ensure() -> Result<PathBuf, EmulatorError> {
    let done = Command::new(script("ensure"))
        .args(["ministack", "--path"])
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| EmulatorError::Install(format!("cannot run: {error}")))?;
    if !done.status.success() {
        return Err(EmulatorError::Install(format!("ended with {}", done.status)));
    }
    Ok(PathBuf::from(String::from_utf8_lossy(&done.stdout).trim()))
}

fn command(environment: &Path, endpoint: &str, port: u16, scratch: &Path, log: &File) -> io::Result<Command> {
    let binaries = environment.join("bin");
    let mut command = Command::new(binaries.join("python"));
    command
        .arg(script("with-parent"))
        .arg(binaries.join("ministack"))
        // Functions inherit its environment: a developer's AWS_PROFILE or credentials must not get there.
        .env_clear()
        .envs(std::env::vars_os().filter(|(name, _)| ["PATH", "HOME", "LANG"].iter().any(|kept| name == kept)))
        .env("TMPDIR", scratch)
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", port.to_string())
        .env("MINISTACK_ACCOUNT_ID", ACCOUNT)
        .env("SFTP_ENABLED", "0")
        .env("IOT_MTLS_ENABLED", "0")
        .current_dir(scratch)
        .stdin(Stdio::piped())
        .stdout(log.try_clone()?)
        .stderr(log.try_clone()?)
        .process_group(0);
    Ok(command)
}
