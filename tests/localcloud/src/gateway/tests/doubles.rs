//! A scripted core, a scripted emulator, and a client.
//!
//! Invariant: both doubles answer at once and record everything, so that a test can say exactly what was sent.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::gateway::config::Config;
use crate::gateway::core::UserPools;
use crate::gateway::{Gateway, locked, serve};
use crate::pools::{ApiError, Call, Message, Outcome, TrailRecord, TriggerCall};

/// A core that knows a handful of operations and remembers its calls.
#[derive(Clone, Default)]
pub(super) struct Scripted {
    pub(super) calls: Arc<Mutex<Vec<Call>>>,
    rates: BTreeMap<String, u32>,
    admitted: u32,
}

impl UserPools for Scripted {
    fn set_import_pace(&mut self, _: u32, _: u32) {}

    fn apply(&mut self, call: &Call, now_millis: i64) -> Outcome {
        locked(&self.calls).push(call.clone());
        let detail = json!({
            "eventID": format!("event-{}", call.operation), "eventName": call.operation, "eventTime": "2026-11-22T10:00:00Z",
            "readOnly": call.operation.starts_with("List"), "at": now_millis,
        });
        let record = TrailRecord {
            detail_type: "AWS API Call via CloudTrail".to_owned(),
            region: "us-east-1".to_owned(),
            detail,
        };
        let mut outcome = Outcome {
            answer: Ok(json!({"Users": [], "Answered": call.operation})),
            triggers: vec![],
            records: vec![record],
            messages: vec![],
            became_active: vec![],
            pool: Some(("us-east-1".to_owned(), "us-east-1_POOL".to_owned())),
        };
        match call.operation.as_str() {
            "AdminGetUser" => {
                outcome.answer = Err(ApiError {
                    status: 400,
                    code: "UserNotFoundException".to_owned(),
                    message: "User does not exist.".to_owned(),
                });
            }
            "SignUp" => {
                let message = |medium: &str| Message {
                    medium: medium.to_owned(),
                    sub: "sub-1".to_owned(),
                    pool: "us-east-1_POOL".to_owned(),
                    code: "123456".to_owned(),
                    reason: "SignUp".to_owned(),
                };
                outcome.messages = vec![message("EMAIL"), message("SMS")];
                outcome.became_active = vec!["sub-1".to_owned()];
            }
            "ConfirmSignUp" => {
                outcome.triggers = vec![TriggerCall {
                    function_arn: call.input["Function"].as_str().unwrap_or_default().to_owned(),
                    slot: "PostConfirmation".to_owned(),
                    event: json!({"version": "1", "triggerSource": "PostConfirmation_ConfirmSignUp", "userPoolId": "us-east-1_POOL", "response": {}}),
                }];
            }
            _ => {}
        }
        outcome
    }

    fn admit(&mut self, _region: &str, operation: &str, _now_millis: i64) -> bool {
        self.admitted += 1;
        self.rates.get(operation).is_none_or(|rate| self.admitted <= *rate)
    }

    fn set_rates(&mut self, overrides: &BTreeMap<String, u32>) {
        self.rates = overrides.clone();
    }

    fn jwks(&self) -> Value {
        json!({"keys": [{"kid": "scripted"}]})
    }

    fn user(&self, _pool: &str, sub: &str) -> Option<Value> {
        Some(json!({"sub": sub}))
    }

    fn billable(&self, _pool: &str) -> usize {
        7
    }
}

/// One request that the emulator saw.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) what: String,
    pub(super) headers: hyper::HeaderMap,
    pub(super) body: Bytes,
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}

/// Everything the emulator saw.
pub(super) type Log = Arc<Mutex<Vec<Seen>>>;

async fn emulate(log: Log, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, hyper::Error> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let target = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok());
    let what = target.unwrap_or(parts.uri.path()).to_owned();
    locked(&log).push(Seen {
        what: what.clone(),
        headers: parts.headers,
        body: body.clone(),
    });
    let answer = |body: Bytes| Response::new(Full::new(body));
    let json = |body: Value| answer(Bytes::from(body.to_string()));
    let given = match what.as_str() {
        "AWSEvents.ListRules" => json!({"Rules": [
            {"Name": "writes", "State": "ENABLED", "EventPattern": r#"{"source": ["aws.cognito-idp"]}"#},
            {"Name": "all", "State": "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS", "EventPattern": r#"{"source": ["aws.cognito-idp"]}"#},
            {"Name": "off", "State": "DISABLED", "EventPattern": r#"{"source": ["aws.cognito-idp"]}"#},
        ]}),
        "AWSEvents.ListTargetsByRule" => {
            let rule: Value = serde_json::from_slice(&body).unwrap_or_default();
            let arn = if rule["Rule"] == "writes" {
                "arn:aws:lambda:us-east-1:111122223333:function:listener"
            } else {
                "arn:aws:sqs:us-east-1:111122223333:all"
            };
            json!({"Targets": [{"Id": "1", "Arn": arn}]})
        }
        "AWSEvents.TestEventPattern" => json!({"Result": true}),
        path if path.contains("function:broken") => {
            let mut broken = json(json!({"errorMessage": "no luck", "errorType": "Error"}));
            broken.headers_mut().insert(
                "x-amz-function-error",
                hyper::header::HeaderValue::from_static("Unhandled"),
            );
            return Ok(broken);
        }
        path if path.contains("function:silent") => {
            tokio::time::sleep(Duration::from_secs(7)).await;
            json!({})
        }
        path if path.contains("function:forgetful") => json!({"triggerSource": "other"}),
        path if path.contains("function:missing") => {
            let mut missing = json(json!({"Type": "User"}));
            *missing.status_mut() = hyper::StatusCode::NOT_FOUND;
            missing.headers_mut().insert(
                "x-amzn-errortype",
                hyper::header::HeaderValue::from_static("ResourceNotFoundException"),
            );
            return Ok(missing);
        }
        // Functions hand their event back; everything else is echoed too.
        _ => return Ok(answer(body)),
    };
    Ok(json(given))
}

/// A gateway between the two doubles.
pub(super) struct Stage {
    pub(super) endpoint: String,
    pub(super) core: Scripted,
    pub(super) emulator: Log,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: hyper::HeaderMap,
    pub(super) text: String,
}

impl Reply {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.text).expect("JSON")
    }
}

impl Stage {
    pub(super) async fn set(config: &str) -> Self {
        let emulator = Log::default();
        let address = listen_as_emulator(Arc::clone(&emulator)).await;
        Self::around(config, emulator, Some(address)).await
    }

    pub(super) async fn without_emulator() -> Self {
        Self::around("{}", Log::default(), None).await
    }

    async fn around(config: &str, emulator: Log, address: Option<SocketAddr>) -> Self {
        let core = Scripted::default();
        let config = Config::parse(config.as_bytes()).expect("a valid configuration");
        let gateway = Gateway::new(Box::new(core.clone()), address, config);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let endpoint = format!("http://{}", listener.local_addr().expect("bound"));
        tokio::spawn(serve(gateway, listener, std::future::pending()));
        Self {
            endpoint,
            core,
            emulator,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    /// Send a request; `None` when the connection ends without an answer.
    pub(super) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Option<Reply> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.endpoint));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).expect("a request");
        let (parts, body) = self.client.request(request).await.ok()?.into_parts();
        let text = String::from_utf8(body.collect().await.ok()?.to_bytes().to_vec()).expect("text");
        Some(Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text,
        })
    }

    /// A signed call to Cognito.
    pub(super) async fn cognito(&self, operation: &str, input: Value) -> Option<Reply> {
        let target = format!("AWSCognitoIdentityProviderService.{operation}");
        let signature = signature("AKIDLOCAL", "cognito-idp");
        self.send(
            "POST",
            "/",
            &[("x-amz-target", &target), ("authorization", &signature)],
            input.to_string(),
        )
        .await
    }

    /// A signed call in AWS JSON to another service.
    pub(super) async fn aws(&self, service: &str, target: &str, input: Value) -> Option<Reply> {
        let signature = signature("AKIDLOCAL", service);
        self.send(
            "POST",
            "/",
            &[("x-amz-target", target), ("authorization", &signature)],
            input.to_string(),
        )
        .await
    }

    /// Read the control endpoint.
    pub(super) async fn control(&self, path: &str) -> Value {
        self.send("GET", &format!("/_localcloud/{path}"), &[], "")
            .await
            .expect("an answer")
            .json()
    }

    pub(super) fn seen(&self, what: &str) -> Vec<Seen> {
        locked(&self.emulator)
            .iter()
            .filter(|seen| seen.what.contains(what))
            .cloned()
            .collect()
    }

    pub(super) async fn quiet(&self) {
        for _ in 0..200 {
            if self.control("quiet").await == json!(true) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("deliveries do not end");
    }
}

pub(super) fn signature(key: &str, service: &str) -> String {
    format!(
        "AWS4-HMAC-SHA256 Credential={key}/20261122/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"
    )
}

async fn listen_as_emulator(log: Log) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = Arc::clone(&log);
            let service = service_fn(move |request| emulate(Arc::clone(&log), request));
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    address
}
