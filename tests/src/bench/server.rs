//! HTTP doubles on loopback that cost little: SQS that says how long it took, a count of calls, and a TLS listener that times
//! the client's first words.
//!
//! Invariant: the delay that is reported is the one that was spent, so that subtracting it leaves the function's own time.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::Future,
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{io::AsyncReadExt, net::TcpListener, sync::mpsc, task::JoinHandle};

use super::figures::millis;
use crate::stack::Failure;

const SQS_TAKES_IT: &[u8] = br#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274","MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1","Attributes":{"QueueArn":"arn:aws:sqs:us-east-1:111122223333:changes"}}"#;

/// HTTP status and body.
pub type Reply = (u16, Bytes);

/// A server of AWS's JSON protocols that counts calls. It ends when it is dropped.
#[derive(Debug)]
pub struct Server {
    endpoint: String,
    calls: Arc<Mutex<BTreeMap<String, usize>>>,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts one that answers as `answer` does, which is given the operation and the body.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start<F, R>(answer: F) -> Result<Self, Failure>
    where
        F: Fn(String, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = Reply> + Send + 'static,
    {
        let listener = listen().await?;
        let calls = Arc::<Mutex<BTreeMap<String, usize>>>::default();
        let (counted, answer) = (calls.clone(), Arc::new(answer));
        let endpoint = format!("http://{}", address(&listener)?);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.set_nodelay(true);
                let (counted, answer) = (counted.clone(), answer.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| handle(request, counted.clone(), answer.clone()));
                    let _closed = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Ok(Self { endpoint, calls, task })
    }

    /// A server that gives every call this answer.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn always(body: &'static [u8]) -> Result<Self, Failure> {
        Self::start(move |_, _| async move { (200, Bytes::from_static(body)) }).await
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Calls by operation since the last time that this was asked.
    pub fn take_calls(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut *locked(&self.calls))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn handle<F, R>(
    request: Request<Incoming>,
    counted: Arc<Mutex<BTreeMap<String, usize>>>,
    answer: Arc<F>,
) -> Result<Response<Full<Bytes>>, Infallible>
where
    F: Fn(String, Bytes) -> R,
    R: Future<Output = Reply>,
{
    let (parts, body) = request.into_parts();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let operation = target
        .and_then(|target| target.rsplit('.').next())
        .unwrap_or_default()
        .to_owned();
    *locked(&counted).entry(operation.clone()).or_default() += 1;
    // A request that broke off is answered like an empty one; nobody reads the answer.
    let body = body
        .collect()
        .await
        .map(http_body_util::Collected::to_bytes)
        .unwrap_or_default();
    let (status, body) = answer(operation, body).await;
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = hyper::StatusCode::from_u16(status).unwrap_or(hyper::StatusCode::INTERNAL_SERVER_ERROR);
    let json = hyper::header::HeaderValue::from_static("application/x-amz-json-1.0");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, json);
    Ok(response)
}

/// SQS that takes every message after a delay, and says how long it really took: a timer is late by up to a millisecond.
#[derive(Debug)]
pub struct DelayedQueue {
    server: Server,
    spent: Arc<Mutex<Duration>>,
}

impl DelayedQueue {
    /// Starts one.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(delay: Duration) -> Result<Self, Failure> {
        let spent = Arc::<Mutex<Duration>>::default();
        let record = spent.clone();
        let server = Server::start(move |_, _| {
            let record = record.clone();
            async move {
                let began = Instant::now();
                if !delay.is_zero() {
                    tokio::time::sleep(delay).await;
                }
                *locked(&record) += began.elapsed();
                (200, Bytes::from_static(SQS_TAKES_IT))
            }
        });
        Ok(Self {
            server: server.await?,
            spent,
        })
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.server.endpoint()
    }

    /// Time spent on answers since the last time that this was asked, in milliseconds.
    pub fn take_spent(&self) -> f64 {
        millis(std::mem::take(&mut *locked(&self.spent)))
    }
}

/// A listener that never answers a TLS handshake, but says how long after the connection the client's first words came: what
/// the client needs for its configuration, its first random numbers and its keys.
#[derive(Debug)]
pub struct HandshakeTimer {
    endpoint: String,
    times: mpsc::UnboundedReceiver<Duration>,
    task: JoinHandle<()>,
}

impl HandshakeTimer {
    /// Starts one.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start() -> Result<Self, Failure> {
        let listener = listen().await?;
        let endpoint = format!("https://{}", address(&listener)?);
        let (sender, times) = mpsc::unbounded_channel();
        let task = tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let connected = Instant::now();
                if stream.read_u8().await.is_ok() {
                    let _nobody_asks = sender.send(connected.elapsed());
                }
            }
        });
        Ok(Self { endpoint, times, task })
    }

    /// Its URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// The first time since the last call, in milliseconds; those of repeated attempts are dropped.
    pub fn take_first(&mut self) -> Option<f64> {
        let first = self.times.try_recv().ok();
        while self.times.try_recv().is_ok() {}
        first.map(millis)
    }
}

impl Drop for HandshakeTimer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn listen() -> Result<TcpListener, Failure> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    bound.map_err(|error| Failure::new("a port on loopback", error))
}

fn address(listener: &TcpListener) -> Result<std::net::SocketAddr, Failure> {
    listener
        .local_addr()
        .map_err(|error| Failure::new("a port on loopback", error))
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
