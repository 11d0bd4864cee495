//! The probe against a Lambda that answers from a script, on a clock that stands still.

use std::sync::{Arc, Mutex};

use aws_sdk_lambda::{
    Client, Config,
    config::{BehaviorVersion, Credentials, Region},
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use serde_json::json;

use super::*;

const OURS: &str = "arn:aws:lambda:us-east-1:111122223333:function:twinpool-post-confirmation";

/// How a function answers.
#[derive(Clone, Copy, Debug)]
enum Does {
    AnswersItself,
    Answers(&'static str),
    Fails(&'static str),
}

/// Lambda: the answers, the last one first, which the very last goes on to give, and the requests that came.
#[derive(Debug)]
struct Lambda {
    does: Vec<Does>,
    came: Vec<Came>,
}

/// Type of invocation, and event.
type Came = (String, String);

#[derive(Clone, Debug)]
struct Scripted(Arc<Mutex<Lambda>>);

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut state = self.0.lock().expect("nobody panicked with it");
        let body = request.body().bytes().unwrap_or_default().to_vec();
        let kind = request.headers().get("x-amz-invocation-type").unwrap_or_default();
        let sent = String::from_utf8(body).expect("text");
        state.came.push((kind.to_owned(), sent.clone()));
        let does = if state.does.len() > 1 {
            state.does.pop()
        } else {
            state.does.last().copied()
        };
        let (body, has_failed) = match does.expect("a script") {
            Does::AnswersItself => (sent, false),
            Does::Answers(text) => (text.to_owned(), false),
            Does::Fails(text) => (text.to_owned(), true),
        };
        let mut answer = HttpResponse::new(StatusCode::try_from(200).expect("a status"), SdkBody::from(body));
        if has_failed {
            answer.headers_mut().insert("x-amz-function-error", "Unhandled");
        }
        HttpConnectorFuture::ready(Ok(answer))
    }
}

/// Tries a function that does so, the first first: what came of it, and what it was invoked with.
async fn try_out(does: &[Does]) -> (Result<(), Error>, Vec<Came>) {
    let lambda = Lambda {
        does: does.iter().rev().copied().collect(),
        came: Vec::new(),
    };
    let scripted = Scripted(Arc::new(Mutex::new(lambda)));
    let connector = SharedHttpConnector::new(scripted.clone());
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
        .http_client(http_client_fn(move |_, _| connector.clone()));
    let functions = Functions::new(Client::from_conf(config.build()));
    let outcome = functions.try_out(OURS, "us-east-1_EXAMPLE", "us-east-1").await;
    let came = scripted.0.lock().expect("nobody panicked with it").came.clone();
    (outcome, came)
}

const NOT_ALLOWED: Does = Does::Fails(r#"{"errorType":"Twinpool.ChainNotAllowed","errorMessage":"denied it"}"#);

#[tokio::test(start_paused = true)]
async fn a_function_is_run_and_not_only_asked_for() {
    let (outcome, came) = try_out(&[Does::AnswersItself]).await;
    assert_eq!(outcome, Ok(()));
    let event = probe("us-east-1_EXAMPLE", "us-east-1").to_string();
    assert!(event.contains("TwinpoolProbe_Attach"));
    assert_eq!(came, [(String::new(), event)], "a synchronous invocation, once");
}

#[tokio::test(start_paused = true)]
async fn a_permission_gets_a_minute_to_be_in_force() {
    let begun = Instant::now();
    let (outcome, came) = try_out(&[NOT_ALLOWED, NOT_ALLOWED, Does::AnswersItself]).await;
    assert_eq!((outcome, came.len()), (Ok(()), 3));
    assert!(begun.elapsed() < ALLOWED_WITHIN);

    let begun = Instant::now();
    let (outcome, _) = try_out(&[NOT_ALLOWED]).await;
    let error = outcome.expect_err("never allowed");
    assert_eq!(error.kind, ErrorKind::Unmet);
    assert!(
        error
            .what
            .contains("users would go through without that one: denied it"),
        "{error}"
    );
    assert!(begun.elapsed() >= ALLOWED_WITHIN, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_does_not_answer_itself_gets_no_slot() {
    for does in [
        Does::Answers("null"),
        Does::Answers(""),
        Does::Answers(r#"{"triggerSource":"TwinpoolProbe_Attach"}"#),
        Does::Fails(r#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}"#),
        Does::Fails(""),
    ] {
        let (outcome, came) = try_out(&[does]).await;
        let error = outcome.expect_err("broken");
        assert_eq!((error.kind, came.len()), (ErrorKind::Unmet, 1), "{does:?}");
        assert!(
            error.what.contains("does not answer an event of no user with itself"),
            "{error}"
        );
    }
    // What it says fails it, whatever it answers with.
    let event = json!({"triggerSource": "TwinpoolProbe_Attach"});
    assert_eq!(heard(&event, true, event.to_string().as_bytes()), Heard::Otherwise);
}
