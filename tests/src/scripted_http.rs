//! A scripted HTTP server on loopback, in the place of an AWS service that fails in a chosen way.
//!
//! The local cloud is the place for behaviour; this is the place for one wire-level fault at a time, repeatable and without
//! any state. [`Script`]s for SQS and Lambda Invoke are below.
//!
//! Invariant: every request is recorded before the script decides what becomes of it.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinHandle};

/// What the server does with a request.
#[derive(Clone, Debug)]
pub enum Script {
    /// Answers.
    Answer {
        /// HTTP status.
        status: u16,
        /// Headers beside the content type.
        headers: Vec<(&'static str, String)>,
        /// Body.
        body: Bytes,
    },
    /// Does something else after a while.
    After(Duration, Box<Script>),
    /// Reads the request and never answers.
    Hang,
    /// Reads the request and closes the connection: the answer is lost.
    Close,
}

impl Script {
    /// An answer of JSON.
    #[must_use]
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::Answer {
            status,
            headers: vec![],
            body: body.into(),
        }
    }

    /// An error as AWS's JSON protocols write it.
    #[must_use]
    pub fn error(status: u16, code: &str) -> Self {
        Self::Answer {
            status,
            headers: vec![("x-amzn-ErrorType", code.to_owned())],
            body: Bytes::from(format!(
                r#"{{"__type":"com.amazonaws#{code}","message":"scripted","Message":"scripted"}}"#
            )),
        }
    }

    /// What SQS answers to SendMessage (and, with the same body, to GetQueueAttributes).
    #[must_use]
    pub fn sqs_takes_it() -> Self {
        Self::json(
            200,
            r#"{"MessageId":"5fea7756-0ea4-451a-a703-a558b933e274","MD5OfMessageBody":"fafb00f5732ab283681e124bf8747ed1","Attributes":{"QueueArn":"arn:aws:sqs:us-east-1:111122223333:changes"}}"#,
        )
    }

    /// What Lambda answers to Invoke when the function answered with `payload`.
    #[must_use]
    pub fn function_answers(payload: impl Into<Bytes>) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![("X-Amz-Executed-Version", "$LATEST".to_owned())],
            body: payload.into(),
        }
    }

    /// What Lambda answers to Invoke when the function failed with `payload`.
    #[must_use]
    pub fn function_fails(payload: impl Into<Bytes>) -> Self {
        Self::Answer {
            status: 200,
            headers: vec![("X-Amz-Function-Error", "Unhandled".to_owned())],
            body: payload.into(),
        }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Path.
    pub path: String,
    /// `X-Amz-Target` of AWS's JSON protocols, empty elsewhere.
    pub target: String,
    /// `X-Amz-Invocation-Type` of Lambda's Invoke, empty elsewhere.
    pub invocation_type: String,
    /// Whether it was signed.
    pub signed: bool,
    /// Body.
    pub body: Bytes,
}

#[derive(Debug)]
struct State {
    script: Mutex<Script>,
    received: Mutex<Vec<Received>>,
}

/// The server. It ends when it is dropped.
#[derive(Debug)]
pub struct ScriptedServer {
    endpoint: String,
    state: Arc<State>,
    task: JoinHandle<()>,
}

impl ScriptedServer {
    /// Starts a server that follows `script`.
    ///
    /// # Panics
    /// When no port is free.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port on loopback is free");
        let address = listener.local_addr().expect("a bound port has an address");
        let state = Arc::new(State {
            script: Mutex::new(script),
            received: Mutex::default(),
        });
        Self {
            endpoint: format!("http://{address}"),
            task: tokio::spawn(serve(listener, state.clone())),
            state,
        }
    }

    /// An endpoint that refuses connections.
    ///
    /// # Panics
    /// When no port is free.
    #[must_use]
    pub fn refusing() -> String {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port on loopback is free");
        format!("http://{}", listener.local_addr().expect("a bound port has an address"))
    }

    /// Its URL, for `AWS_ENDPOINT_URL_*`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// From now on follows `script`.
    pub fn play(&self, script: Script) {
        *locked(&self.state.script) = script;
    }

    /// What came since the last call.
    pub fn take_received(&self) -> Vec<Received> {
        std::mem::take(&mut *locked(&self.state.received))
    }
}

impl Drop for ScriptedServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, state: Arc<State>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let state = state.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| answer(state.clone(), request));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// An error of a service makes hyper close the connection without an answer.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed as the script says")
    }
}

impl std::error::Error for Closed {}

async fn answer(state: Arc<State>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Closed> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Closed)?.to_bytes();
    let header = |name: &str| {
        let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let received = Received {
        path: parts.uri.path().to_owned(),
        target: header("x-amz-target"),
        invocation_type: header("x-amz-invocation-type"),
        signed: parts.headers.contains_key("authorization"),
        body,
    };
    locked(&state.received).push(received);
    let mut script = locked(&state.script).clone();
    loop {
        match script {
            Script::After(delay, then) => {
                tokio::time::sleep(delay).await;
                script = *then;
            }
            Script::Hang => return std::future::pending().await,
            Script::Close => return Err(Closed),
            Script::Answer { status, headers, body } => {
                let mut response = Response::builder()
                    .status(status)
                    .header("Content-Type", "application/x-amz-json-1.0");
                for (name, value) in headers {
                    response = response.header(name, value);
                }
                return response.body(Full::new(body)).map_err(|_| Closed);
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
