//! The HTTP face of the local cloud: one endpoint for everything.
//!
//! A request goes, by what it says of itself, to the Cognito double ([`crate::pools`]), to the control endpoint
//! (`/_localcloud/...`), or through to the emulator that plays every other service. On the way it meets what a real network
//! and a real service would add, as far as the [configuration](config::Config) asks for it: latency, quotas, faults.
//!
//! Invariant: loopback only; and nothing that passes through (attribute values, codes, tokens, secrets) is ever logged.

pub mod config;
pub mod core;
pub mod counters;
pub mod emulator;
pub mod identity;
pub mod instance;

mod answers;
mod chance;
mod cognito;
mod control;
mod faults;
mod mailbox;
mod peers;
mod proxy;
mod redrive;
mod sqs;
mod trail;
mod triggers;
mod uploads;
mod upstream;

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::OnceCell;
use tokio::task::JoinSet;

use self::answers::Reply;
use self::chance::Chance;
use self::config::Config;
use self::core::UserPools;
use self::counters::Counters;
use self::faults::{Fault, Script, Target};
use self::mailbox::Mailbox;
use self::upstream::Upstream;

/// All state behind one endpoint.
pub struct Gateway {
    pools: Mutex<Box<dyn UserPools>>,
    upstream: Option<Upstream>,
    config: RwLock<Arc<Config>>,
    script: Mutex<Script>,
    chance: Mutex<Chance>,
    counters: Mutex<Counters>,
    mailbox: Mutex<Mailbox>,
    bus: trail::Bus,
    /// Redrives of dead-letter queues, oldest first.
    redrives: Mutex<Vec<redrive::Task>>,
    /// App client to Region, learnt from calls that named both: unsigned calls name the client only.
    client_regions: Mutex<HashMap<String, String>>,
    requests: AtomicU64,
}

impl std::fmt::Debug for Gateway {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest is the users' data.
        formatter
            .debug_struct("Gateway")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

impl Gateway {
    /// A gateway before an emulator; without one, everything but Cognito answers that it is not there.
    #[must_use]
    pub fn new(pools: Box<dyn UserPools>, emulator: Option<SocketAddr>, config: Config) -> Arc<Self> {
        let gateway = Self {
            pools: Mutex::new(pools),
            upstream: emulator.map(Upstream::new),
            config: RwLock::default(),
            script: Mutex::default(),
            chance: Mutex::new(Chance::new(0)),
            counters: Mutex::default(),
            mailbox: Mutex::default(),
            bus: trail::Bus::new(),
            redrives: Mutex::default(),
            client_regions: Mutex::default(),
            requests: AtomicU64::new(0),
        };
        gateway.configure(config);
        Arc::new(gateway)
    }

    /// Replace the whole configuration. Fault counts and the random sequence start again.
    pub fn configure(&self, config: Config) {
        {
            let mut pools = locked(&self.pools);
            pools.set_rates(&config.quotas.overrides);
            pools.set_import_pace(config.imports.rows_per_second, config.imports.pending_ms);
        }
        *locked(&self.script) = Script::new(&config.faults);
        *locked(&self.chance) = Chance::new(config.seed);
        *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
    }

    /// The configuration in force.
    #[must_use]
    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A copy of the counters.
    #[must_use]
    pub fn counters(&self) -> Counters {
        locked(&self.counters).clone()
    }

    /// Ask the script about a call, and note what it says.
    fn decide(&self, target: Target<'_>) -> Option<Fault> {
        let fault = locked(&self.script).decide(target, &mut locked(&self.chance))?;
        locked(&self.counters).fired(target.service, target.operation, fault.kind.name());
        Some(fault)
    }

    /// The latency of a service, drawn anew.
    fn latency(&self, service: &str) -> u64 {
        let Some((from, to)) = self.config().latency_ms.get(service).map(|span| span.ends()) else {
            return 0;
        };
        locked(&self.chance).between(from, to)
    }

    /// A request id: unique in this process, shaped like AWS's. Its bits are not drawn from the seeded sequence, which
    /// must not depend on how many requests were made in between.
    fn request_id(&self) -> String {
        let mut bits = Chance::new(self.requests.fetch_add(1, Ordering::Relaxed));
        let (high, low) = (bits.bits(), bits.bits());
        format!(
            "{:08x}-{:04x}-4{:03x}-8{:03x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            low >> 52,
            low & 0xffff_ffff_ffff
        )
    }
}

/// A lock whose holder panicked is still a lock: one failed request must not end the local cloud.
fn locked<T: ?Sized>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(
    clippy::disallowed_methods,
    reason = "the gateway is the adapter that gives the pure core its time"
)]
fn now_millis() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

/// One client connection.
#[derive(Debug)]
struct Connection {
    peer: SocketAddr,
    local: SocketAddr,
    /// The function at the other end, found out once.
    function: OnceCell<String>,
}

/// Serve until `stop` completes. Open connections are then closed.
pub async fn serve(gateway: Arc<Gateway>, listener: TcpListener, stop: impl Future<Output = ()>) {
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return,
            accepted = listener.accept() => {
                // A connection that ended before it was accepted is no reason to stop.
                let Ok((stream, peer)) = accepted else { continue };
                connections.spawn(connection(Arc::clone(&gateway), stream, peer));
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

async fn connection(gateway: Arc<Gateway>, stream: TcpStream, peer: SocketAddr) {
    let Ok(local) = stream.local_addr() else { return };
    // Small requests and answers: waiting to fill a packet would add 40 ms.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let connection = Arc::new(Connection {
        peer,
        local,
        function: OnceCell::new(),
    });
    let service = service_fn(move |request| {
        let (gateway, connection) = (Arc::clone(&gateway), Arc::clone(&connection));
        // A task of its own: a client that hangs up must not stop a call half way, between state and event.
        async move {
            let call = tokio::spawn(async move { route(&gateway, &connection, request).await });
            call.await.unwrap_or(Err(answers::Severed))
        }
    });
    // An error is either the client's hanging up or a fault that was asked for (`Severed` ends the connection).
    let _ended = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn route(gateway: &Arc<Gateway>, connection: &Connection, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    if path.starts_with(control::PREFIX) {
        return Ok(control::answer(gateway, request).await);
    }
    if let Some(operation) = cognito::operation(request.headers()) {
        let operation = operation.to_owned();
        return cognito::answer(gateway, connection, &operation, request).await;
    }
    if request.method() == Method::GET && path.ends_with("/.well-known/jwks.json") {
        let keys = locked(&gateway.pools).jwks();
        return Ok(answers::json_document(StatusCode::OK, &keys));
    }
    if uploads::concerns(&request) {
        return uploads::answer(gateway, request).await;
    }
    proxy::answer(gateway, request).await
}

/// A request's whole body; `None` when the client broke off.
async fn whole(body: Incoming) -> Option<Bytes> {
    Some(body.collect().await.ok()?.to_bytes())
}

#[cfg(test)]
mod tests;
