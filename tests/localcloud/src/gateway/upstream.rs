//! The way to the emulator that plays every service but Cognito.
//!
//! Invariant: one pooled client for everything, so that a proxied call costs no new connection.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use hyper::http::request::Builder;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use serde_json::Value;

use super::answers::Body;
use super::identity::ACCOUNT;

/// The emulator could not be reached or gave up in the middle of an answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum UpstreamError {
    #[error("the emulator does not answer")]
    Connection(#[from] hyper_util::client::legacy::Error),
    #[error("the emulator's answer broke off")]
    Answer(#[from] hyper::Error),
    #[error("no such request can be made")]
    Request(#[from] hyper::http::Error),
}

/// An answer read to its end.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: hyper::HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    /// The body as JSON; `Null` when it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// The emulator.
#[derive(Clone, Debug)]
pub(super) struct Upstream {
    address: SocketAddr,
    client: Client<HttpConnector, Body>,
}

impl Upstream {
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            // Below the emulator's own 75 s: a connection that it has just closed would lose a request.
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_timer(TokioTimer::new())
            .build(connector);
        Self { address, client }
    }

    /// Forward a request whose headers and body are somebody else's; the answer's body streams.
    pub(super) async fn forward(&self, request: Request<Body>) -> Result<Response<Body>, UpstreamError> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = format!("http://{}{path}", self.address)
            .parse()
            .map_err(hyper::http::Error::from)?;
        let response = self.client.request(Request::from_parts(parts, body)).await?;
        Ok(response.map(Either::Right))
    }

    /// Make a request of our own and read the whole answer.
    pub(super) async fn call(&self, request: Request<Body>) -> Result<Answer, UpstreamError> {
        let (parts, body) = self.forward(request).await?.into_parts();
        let body = match body {
            Either::Left(mut full) => full
                .frame()
                .await
                .and_then(Result::ok)
                .and_then(|frame| frame.into_data().ok())
                .unwrap_or_default(),
            Either::Right(incoming) => incoming.collect().await?.to_bytes(),
        };
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body,
        })
    }

    /// One call in AWS JSON, on behalf of the account.
    pub(super) async fn aws_json(
        &self,
        region: &str,
        service: &str,
        target: &str,
        input: &Value,
    ) -> Result<Answer, UpstreamError> {
        let request = self
            .signed(Method::POST, "/", region, service)
            .header("x-amz-target", target)
            .header(
                CONTENT_TYPE,
                if service == "sqs" {
                    "application/x-amz-json-1.0"
                } else {
                    "application/x-amz-json-1.1"
                },
            )
            .body(own_body(input.to_string()))?;
        self.call(request).await
    }

    /// Invoke a function in the Region of its ARN.
    pub(super) async fn invoke(
        &self,
        function_arn: &str,
        kind: &'static str,
        event: String,
    ) -> Result<Answer, UpstreamError> {
        let path = format!("/2015-03-31/functions/{function_arn}/invocations");
        let request = self
            .signed(Method::POST, &path, region_of(function_arn), "lambda")
            .header("x-amz-invocation-type", kind)
            .header(CONTENT_TYPE, "application/json")
            .body(own_body(event))?;
        self.call(request).await
    }

    /// A request of ours: the emulator takes account and Region from the scope of the signature, and verifies none.
    pub(super) fn signed(&self, method: Method, path: &str, region: &str, service: &str) -> Builder {
        let scope = format!("{ACCOUNT}/20260101/{region}/{service}/aws4_request");
        Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, self.address.to_string())
            .header(
                AUTHORIZATION,
                format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0"),
            )
    }
}

/// The Region in an ARN.
pub(super) fn region_of(arn: &str) -> &str {
    arn.split(':').nth(3).unwrap_or_default()
}

/// Bytes of ours as a body.
pub(super) fn own_body(bytes: impl Into<Bytes>) -> Body {
    Either::Left(Full::new(bytes.into()))
}
