//! The Lambda endpoint of one test, which a stand-in fires its triggers into.
//!
//! Invariant: an invocation is recorded before it is answered, so that the record has the order in which they began.

use std::{
    fmt,
    future::Future,
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::task::JoinHandle;

/// What a function of the test answers: its payload, or the payload of its error.
pub type FunctionAnswer = Result<Bytes, Bytes>;
type Body = dyn Fn(String, Bytes) -> Pin<Box<dyn Future<Output = FunctionAnswer> + Send>> + Send + Sync;

/// The Lambda endpoint of one test: `POST /2015-03-31/functions/NAME/invocations`, recorded and answered by the test.
pub struct Functions {
    pub(super) address: SocketAddr,
    invocations: Arc<Mutex<Vec<Invocation>>>,
    server: JoinHandle<()>,
}

/// One invocation of a trigger.
#[derive(Clone, Debug)]
pub struct Invocation {
    /// Name of the function.
    pub function: String,
    /// The event.
    pub event: Value,
}

impl fmt::Debug for Functions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "functions at {}", self.address)
    }
}

impl Functions {
    /// Functions that return their event, as a trigger has to.
    pub async fn echoing() -> Self {
        Self::answering(|_, event| async { Ok(event) }).await
    }

    /// Functions that answer as `body` does, which is given name and event.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn answering<F, R>(body: F) -> Self
    where
        F: Fn(String, Bytes) -> R + Send + Sync + 'static,
        R: Future<Output = FunctionAnswer> + Send + 'static,
    {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.expect("a port on loopback is free");
        let address = listener.local_addr().expect("a bound port has an address");
        let invocations = Arc::<Mutex<Vec<Invocation>>>::default();
        let record = invocations.clone();
        let body: Arc<Body> = Arc::new(move |name, event| Box::pin(body(name, event)));
        let server = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (record, body) = (record.clone(), body.clone());
                connections.spawn(async move {
                    let service = service_fn(|request| invoke(request, record.clone(), body.clone()));
                    let _closed = http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        Self {
            address,
            invocations,
            server,
        }
    }

    /// Their endpoint.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The invocations since the last call, in the order in which they began.
    #[must_use]
    pub fn take(&self) -> Vec<Invocation> {
        std::mem::take(&mut *self.invocations.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Drop for Functions {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn invoke(
    request: Request<Incoming>,
    record: Arc<Mutex<Vec<Invocation>>>,
    body: Arc<Body>,
) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let path = request.uri().path().replace("%3A", ":").replace("%3a", ":");
    let payload = request.into_body().collect().await?.to_bytes();
    let name = path
        .strip_prefix("/2015-03-31/functions/")
        .and_then(|rest| rest.strip_suffix("/invocations"));
    let Some(name) = name else {
        // The local cloud also asks for EventBridge's rules here; there are none.
        return Ok(Response::new(Full::from(r#"{"Rules": []}"#)));
    };
    let name = name.rsplit(':').next().unwrap_or(name).to_owned();
    let event = serde_json::from_slice(&payload).unwrap_or_default();
    let function = name.clone();
    record
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(Invocation { function, event });
    let mut response = Response::new(Full::default());
    let (payload, failed) = match body(name, payload).await {
        Ok(payload) => (payload, false),
        Err(payload) => (payload, true),
    };
    *response.body_mut() = Full::from(payload);
    if failed {
        let unhandled = hyper::header::HeaderValue::from_static("Unhandled");
        response.headers_mut().insert("x-amz-function-error", unhandled);
    }
    Ok(response)
}
