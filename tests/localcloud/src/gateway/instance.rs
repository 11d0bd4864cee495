//! One local cloud: the gateway, its emulator, and the file that tells others where it is.
//!
//! Invariant: instances share nothing (ports, folders, processes), so that any number can run side by side.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::config::Config;
use super::core::Core;
use super::emulator::{EmulatorError, MiniStack};
use super::{Gateway, serve};
use crate::pools::TokenSigner;

/// It could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The port is taken, or a file cannot be written.
    #[error("cannot start the local cloud: {0}")]
    Io(#[from] io::Error),
    /// The emulator did not come up.
    #[error(transparent)]
    Emulator(#[from] EmulatorError),
    /// No signing key.
    #[error("cannot make a key for tokens: {0}")]
    Key(String),
}

/// What plays the services other than Cognito.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Emulator {
    /// A MiniStack of its own.
    MiniStack,
    /// Somebody else's, at this address.
    At(SocketAddr),
    /// Nothing: Cognito only.
    None,
}

/// A running local cloud. Dropping it ends it.
#[derive(Debug)]
pub struct LocalCloud {
    endpoint: String,
    gateway: Arc<Gateway>,
    ministack: Option<MiniStack>,
    server: JoinHandle<()>,
}

impl LocalCloud {
    /// Start one on 127.0.0.1; port 0 = any free port. `folder` takes the emulator's log and scratch files.
    ///
    /// # Errors
    /// When the port is taken or the emulator does not come up.
    pub async fn start(port: u16, folder: &Path, emulator: Emulator, config: Config) -> Result<Self, StartError> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let ministack = match emulator {
            Emulator::MiniStack => Some(MiniStack::start(&endpoint, folder).await?),
            Emulator::At(_) | Emulator::None => None,
        };
        let behind = match emulator {
            Emulator::At(address) => Some(address),
            Emulator::MiniStack | Emulator::None => ministack.as_ref().map(MiniStack::address),
        };
        let signer = TokenSigner::generate().map_err(|error| StartError::Key(error.to_string()))?;
        let gateway = Gateway::new(Box::new(Core::new(config.seed, signer).at(&endpoint)), behind, config);
        let server = tokio::spawn(serve(Arc::clone(&gateway), listener, std::future::pending()));
        Ok(Self {
            endpoint,
            gateway,
            ministack,
            server,
        })
    }

    /// The one URL that AWS clients use.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Configuration and counters without a request.
    #[must_use]
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// What others need to find it.
    #[must_use]
    pub fn whereabouts(&self) -> Whereabouts {
        Whereabouts {
            endpoint: self.endpoint.clone(),
            pid: std::process::id(),
            ministack_pid: self.ministack.as_ref().map(MiniStack::pid),
            ministack_url: self
                .ministack
                .as_ref()
                .map(|ministack| format!("http://{}", ministack.address())),
        }
    }
}

impl Drop for LocalCloud {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Where a local cloud is: the content of `localcloud.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Whereabouts {
    /// The one URL that AWS clients use.
    pub endpoint: String,
    /// Process of the gateway.
    pub pid: u32,
    /// Leader of the emulator's process group.
    pub ministack_pid: Option<u32>,
    /// The emulator itself; for looking only, since calls made there go around the gateway.
    pub ministack_url: Option<String>,
}

impl Whereabouts {
    fn file(folder: &Path) -> PathBuf {
        folder.join("localcloud.json")
    }

    /// Leave a note in `folder`. Readers see the whole of it or nothing.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        let draft = folder.join(format!("localcloud.json.{}", self.pid));
        fs::write(&draft, serde_json::to_vec_pretty(self)?)?;
        fs::rename(draft, Self::file(folder))
    }

    /// Read the note; `None` when there is none.
    #[must_use]
    pub fn read(folder: &Path) -> Option<Self> {
        serde_json::from_slice(&fs::read(Self::file(folder)).ok()?).ok()
    }

    /// Take the note away.
    pub fn remove(folder: &Path) {
        let _not_there = fs::remove_file(Self::file(folder));
    }
}
