//! The local cloud's control endpoint: how a test sets the scene and reads what happened.
//!
//! Invariant: it reads and configures; it never plays the product.

use std::collections::BTreeMap;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Failure;

type Tally = BTreeMap<String, u64>;

/// What the gateway counted; members that no test reads yet are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Counters {
    /// Calls by service and operation.
    pub calls: BTreeMap<String, Tally>,
    /// Cognito calls by role and operation.
    pub by_caller: BTreeMap<String, Tally>,
    /// Errors by service and code.
    pub errors: BTreeMap<String, Tally>,
    /// Calls refused by a quota or a throttling fault, by service and operation.
    pub throttled: BTreeMap<String, Tally>,
    /// Mails that Cognito would have sent.
    pub mails: u64,
    /// Text messages that Cognito would have sent.
    pub sms: u64,
    /// Users made billable, by the role whose call did it.
    pub became_active: Tally,
    /// Delivery of CloudTrail records.
    pub trail: TrailCounters,
    /// Faults by `service:operation:kind`.
    pub faults_fired: Tally,
}

/// Delivery of CloudTrail records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct TrailCounters {
    /// Handed to a target.
    pub delivered: u64,
    /// On their way.
    pub pending: u64,
    /// Lost on purpose.
    pub dropped: u64,
    /// Sent a second time on purpose.
    pub duplicated: u64,
    /// Not taken by a target.
    pub failed: u64,
}

/// A mail or text message that Cognito would have sent.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Message {
    /// `EMAIL` or `SMS`.
    pub medium: String,
    /// The code or temporary password in it.
    pub code: String,
    /// The part of the CustomMessage source after the underscore, for example `SignUp`.
    pub reason: String,
}

/// A client of the control endpoint.
#[derive(Clone, Debug)]
pub struct Control {
    http: Client<HttpConnector, Full<Bytes>>,
    endpoint: String,
}

impl Control {
    pub(crate) fn new(endpoint: &str) -> Self {
        Self {
            http: Client::builder(TokioExecutor::new()).build_http(),
            endpoint: endpoint.to_owned(),
        }
    }

    /// All counters since the start or the last reset.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn counters(&self) -> Result<Counters, Failure> {
        let answer = self.ask(Method::GET, "counters", Value::Null).await?;
        serde_json::from_value(answer).map_err(|error| Failure::new("counters", error))
    }

    /// Sets every counter to zero.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn reset_counters(&self) -> Result<(), Failure> {
        self.ask(Method::POST, "reset-counters", Value::Null).await.map(drop)
    }

    /// Whether no CloudTrail event is on its way.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn quiet(&self) -> Result<bool, Failure> {
        Ok(self.ask(Method::GET, "quiet", Value::Null).await? == json!(true))
    }

    /// The messages to a user, oldest first.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn messages(&self, pool: &str, sub: &str) -> Result<Vec<Message>, Failure> {
        let path = format!("messages?pool={pool}&sub={sub}");
        let answer = self.ask(Method::GET, &path, Value::Null).await?;
        serde_json::from_value(answer).map_err(|error| Failure::new("messages", error))
    }

    /// The code of the latest message to a user for `reason`.
    ///
    /// # Errors
    /// When there is none.
    pub async fn code(&self, pool: &str, sub: &str, reason: &str) -> Result<String, Failure> {
        let messages = self.messages(pool, sub).await?;
        messages
            .into_iter()
            .rev()
            .find(|message| message.reason == reason)
            .map(|message| message.code)
            .ok_or_else(|| Failure(format!("no {reason} message was sent to {sub}")))
    }

    /// An operation past quotas, latency, faults and counters, or a pseudo operation (`Localcloud...`, without a Region).
    ///
    /// # Errors
    /// The operation's own error.
    pub async fn by_hand(&self, operation: &str, region: Option<&str>, input: Value) -> Result<Value, Failure> {
        let call = json!({"operation": operation, "region": region, "input": input});
        self.ask(Method::POST, "cognito", call).await
    }

    /// Delivers every CloudTrail record that was lost on purpose, `copies` times; how many records there were.
    ///
    /// # Errors
    /// When the gateway does not answer.
    pub async fn redeliver(&self, copies: u32) -> Result<u64, Failure> {
        let answer = self
            .ask(Method::POST, &format!("redeliver?copies={copies}"), Value::Null)
            .await?;
        answer
            .as_u64()
            .ok_or_else(|| Failure("redeliver: no number".to_owned()))
    }

    /// What the emulator shows of itself below `/_ministack/`; asking has no effect.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn emulator(&self, path: &str) -> Result<Value, Failure> {
        let request = Request::get(format!("{}/_ministack/{path}", self.endpoint));
        let what = path.split('?').next().unwrap_or(path);
        self.send(what, request, &Value::Null).await
    }

    pub(super) async fn configure(&self, config: &Value) -> Result<(), Failure> {
        self.ask(Method::PUT, "config", config.clone()).await.map(drop)
    }

    /// A call of a service for which the workspace has no SDK (AWS JSON 1.1), for example CloudWatch Logs.
    ///
    /// # Errors
    /// When the service refuses.
    pub async fn aws_json(&self, region: &str, service: &str, target: &str, input: &Value) -> Result<Value, Failure> {
        // The local cloud verifies no signature; it reads Region and service from it.
        let authorization = format!(
            "AWS4-HMAC-SHA256 Credential=AKIATEST/20260101/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        );
        let request = Request::post(&self.endpoint)
            .header("authorization", authorization)
            .header("x-amz-target", target)
            .header("content-type", "application/x-amz-json-1.1");
        self.send(target, request, input).await
    }

    async fn ask(&self, method: Method, path: &str, input: Value) -> Result<Value, Failure> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}/_localcloud/{path}", self.endpoint));
        let what = path.split('?').next().unwrap_or(path);
        self.send(what, request, &input).await
    }

    async fn send(&self, what: &str, request: hyper::http::request::Builder, input: &Value) -> Result<Value, Failure> {
        let body = if input.is_null() {
            String::new()
        } else {
            input.to_string()
        };
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|error| Failure::new(what, error))?;
        let response = self
            .http
            .request(request)
            .await
            .map_err(|error| Failure::new(what, error))?;
        let status = response.status();
        let collected = response.into_body().collect().await;
        let bytes = collected.map_err(|error| Failure::new(what, error))?.to_bytes();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if status.is_success() {
            return Ok(answer);
        }
        // Only what names the mistake: an answer may quote what was sent.
        let why = ["error", "__type"].iter().find_map(|member| answer[member].as_str());
        Err(Failure(format!(
            "{what}: {status}: {}",
            why.unwrap_or("no reason given")
        )))
    }
}
