//! The trigger binaries as Cognito would meet them: real processes behind a Lambda Runtime API, with every fault of the queue
//! and of a chained function that a wire can have.
//!
//! Invariant under test: nothing of Twinpool's own fails, delays or changes a sign-in, and nothing personal is printed.

use std::time::Duration;

use serde_json::{Value, json};
use twinpool_shared::{
    attach::{PROBE_REFUSED, PROBE_SOURCE, probe},
    change::{Change, Subject},
};
use twinpool_tests::{
    runtime_host::{Answer, Function, Outcome, Output, RuntimeHost},
    scripted_http::{Script, ScriptedServer},
};

/// Stands in every personal value of an event; no output may hold it.
const PERSONAL: &str = "zq7personal";
const SUB: &str = "3c9a1b2d-0051-7076-79e2-0123456789ab";
/// Cognito waits 5 s; Twinpool alone takes a second at most, and a busy test machine some more.
const LIMIT_MICROS: u64 = 1_500_000;
const CHAIN_TO: &str = "arn:aws:lambda:us-east-1:111122223333:function:welcome";

/// Sources as documented, by the slot that they belong to.
const SOURCES: [(&str, &[&str]); 3] = [
    (
        "post-confirmation",
        &[
            "PostConfirmation_ConfirmSignUp",
            "PostConfirmation_ConfirmForgotPassword",
            "PostConfirmation_InventedByAws",
        ],
    ),
    ("post-authentication", &["PostAuthentication_Authentication"]),
    (
        "custom-message",
        &[
            "CustomMessage_SignUp",
            "CustomMessage_AdminCreateUser",
            "CustomMessage_ResendCode",
            "CustomMessage_ForgotPassword",
            "CustomMessage_UpdateUserAttribute",
            "CustomMessage_VerifyUserAttribute",
            "CustomMessage_Authentication",
        ],
    ),
];

/// An event that no serialiser would write again as it is: spaces, key order, a doubled key, odd numbers and escapes.
fn event(source: &str) -> String {
    format!(
        r#"{{  "version":"1","triggerSource" : "{source}",
        "region":"us-east-1","userPoolId":"us-east-1_EXAMPLE","userName":"{PERSONAL}-name",
        "callerContext":{{"clientId":"1example23456789","awsSdkVersion":"aws-sdk-unknown-unknown"}},
        "request":{{"userAttributes":{{"sub":"{SUB}","cognito:user_status":"CONFIRMED","email_verified":"true",
        "email":"{PERSONAL}@example.com","phone_number":"+1555{PERSONAL}","name":"\u00e9 \/ {PERSONAL}"}},
        "zz":[1.0,1e3,-0.00,12345678901234567890123,0.1E+2],"zz":1,
        "codeParameter":"{{####}}","newDeviceUsed":false,"clientMetadata":{{"note":"{PERSONAL}"}}}},
        "response":{{"smsMessage":null,"emailMessage":null,"emailSubject":null}} }}"#
    )
}

fn function(name: &str, sqs: &str) -> Function {
    Function::new(name)
        .with("TWINPOOL_QUEUE_URL", format!("{sqs}/111122223333/changes"))
        .with("AWS_ENDPOINT_URL_SQS", sqs)
}

fn chained(sqs: &str, lambda: &str) -> Function {
    function("post-confirmation", sqs)
        .with("TWINPOOL_CHAIN_TO", CHAIN_TO)
        .with("AWS_ENDPOINT_URL_LAMBDA", lambda)
}

/// Invokes, and waits for exactly `metrics` (names), one line each, in any order.
async fn invoke(host: &RuntimeHost, event: impl Into<Vec<u8>>, metrics: &[&str]) -> Answer {
    let before = host.output().stdout.len();
    let answer = host.invoke(event.into()).await;
    let output = host
        .output_when(|output| output.stdout.len() >= before + metrics.len())
        .await;
    let mut counted: Vec<String> = output.stdout[before..].iter().map(|line| metric(line)).collect();
    counted.sort();
    let mut expected = metrics.to_vec();
    expected.sort_unstable();
    assert_eq!(counted, expected, "{:?}", output.stderr);
    answer
}

/// The metric that a line in the embedded metric format counts once.
fn metric(line: &str) -> String {
    let line: Value = serde_json::from_str(line).expect("standard output holds metrics only");
    let name = line
        .pointer("/_aws/CloudWatchMetrics/0/Metrics/0/Name")
        .and_then(Value::as_str);
    let name = name.expect("the line names a metric").to_owned();
    assert_eq!(line[&name], json!(1.0), "{line}");
    assert!(line["Function"].is_string(), "{line}");
    name
}

/// The user goes through: the event comes back as it went in, in time.
async fn goes_through(host: &RuntimeHost, event: impl Into<Vec<u8>>, metrics: &[&str]) {
    let event = event.into();
    let answer = invoke(host, event.clone(), metrics).await;
    let head = String::from_utf8_lossy(&event[..event.len().min(200)]).into_owned();
    assert!(
        answer.outcome == Outcome::Response(event.into()),
        "{head} was not answered by itself"
    );
    assert!(answer.micros < LIMIT_MICROS, "{head} took {} us", answer.micros);
}

/// Ends the process; everything that it printed is free of personal text.
async fn silent(host: RuntimeHost) -> Output {
    let output = host.finish().await;
    for line in output.stdout.iter().chain(&output.stderr) {
        assert!(!line.contains(PERSONAL), "personal text in {line}");
        assert!(!line.contains("example.com"), "personal text in {line}");
    }
    output
}

fn error_of(answer: &Answer) -> Value {
    match &answer.outcome {
        Outcome::FunctionError(error) => serde_json::from_slice(error).expect("Lambda's error object is JSON"),
        other => panic!("not an error: {other:?}"),
    }
}

#[tokio::test]
async fn every_source_is_sent_and_returned_as_it_came() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    for (name, sources) in SOURCES {
        let host = function(name, sqs.endpoint()).start().await;
        for source in sources {
            goes_through(&host, event(source), &["ChangeSent"]).await;
            let received = sqs.take_received();
            assert_eq!(received.len(), 1, "{source}");
            assert_eq!(received[0].target, "AmazonSQS.SendMessage");
            assert!(received[0].signed);
            let request: Value = serde_json::from_slice(&received[0].body).unwrap();
            let change = Change::parse(request["MessageBody"].as_str().unwrap()).unwrap();
            assert_eq!(change.cause, *source);
            assert!(matches!(&change.subject, Subject::User(sub) if sub.as_str() == SUB));
            let announced = matches!(
                *source,
                "CustomMessage_UpdateUserAttribute" | "CustomMessage_VerifyUserAttribute"
            );
            let carries = !announced && *source != "PostConfirmation_InventedByAws";
            assert_eq!(change.profile.is_some(), carries, "{source}");
            assert_eq!(
                request["DelaySeconds"],
                if announced { json!(5) } else { json!(null) },
                "{source}"
            );
        }
        let output = silent(host).await;
        assert_eq!(output.stderr.len(), sources.len(), "one line per change: {output:?}");
        for (line, source) in output.stderr.iter().zip(sources) {
            let line: Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["level"], &line["cause"]), (&json!("INFO"), &json!(source)));
            assert!(line["change"].is_string() && line["request_id"].is_string(), "{line}");
        }
    }
}

#[tokio::test]
async fn whatever_the_queue_does_the_user_goes_through() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function("post-authentication", sqs.endpoint()).start().await;
    let event = event("PostAuthentication_Authentication");
    let after = |millis| Script::After(Duration::from_millis(millis), Box::new(Script::sqs_takes_it()));
    for (script, metric, kind, sends) in [
        (Script::Hang, "ChangeNotSent", "unavailable", 2),
        (Script::Close, "ChangeNotSent", "unavailable", 2),
        (Script::error(500, "InternalFailure"), "ChangeNotSent", "unavailable", 2),
        (
            Script::error(503, "ServiceUnavailable"),
            "ChangeNotSent",
            "unavailable",
            2,
        ),
        (Script::json(503, "<html>"), "ChangeNotSent", "unavailable", 2),
        (Script::error(403, "AccessDenied"), "ChangeNotSent", "denied", 1),
        (Script::error(400, "QueueDoesNotExist"), "ChangeNotSent", "not_found", 1),
        (Script::error(400, "RequestThrottled"), "ChangeNotSent", "throttled", 2),
        (Script::json(200, "{\"MessageId\":"), "ChangeNotSent", "unavailable", 1),
        (after(300), "ChangeSent", "", 1),
        (after(600), "ChangeNotSent", "unavailable", 2),
        (Script::sqs_takes_it(), "ChangeSent", "", 1),
    ] {
        sqs.play(script.clone());
        let lines = host.output().stderr.len();
        goes_through(&host, event.clone(), &[metric]).await;
        let output = host.output_when(|output| output.stderr.len() > lines).await;
        let line: Value = serde_json::from_str(&output.stderr[lines]).unwrap();
        let error = line["error"].as_str().unwrap_or_default();
        assert_eq!(
            error.contains(&format!("({kind})")),
            metric == "ChangeNotSent",
            "{script:?}: {line}"
        );
        assert_eq!(sqs.take_received().len(), sends, "{script:?}");
    }
    silent(host).await;

    let host = function("post-authentication", &ScriptedServer::refusing())
        .start()
        .await;
    goes_through(&host, event, &["ChangeNotSent"]).await;
    silent(host).await;
}

#[tokio::test]
async fn odd_events_come_back_as_they_were() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function("custom-message", sqs.endpoint()).start().await;
    let base: Value = serde_json::from_str(&event("CustomMessage_SignUp")).unwrap();
    // One member replaced, or removed (None).
    for (pointer, with, metric) in [
        ("/version", Some(json!(1)), "ChangeSent"),
        ("/extra", Some(json!({PERSONAL: [PERSONAL]})), "ChangeSent"),
        ("/userName", None, "ChangeSent"),
        ("/userName", Some(json!(7)), "ChangeSent"),
        ("/callerContext", None, "ChangeSent"),
        ("/response", Some(json!(PERSONAL)), "ChangeSent"),
        (
            "/request/userAttributes/email",
            Some(json!({"a": PERSONAL})),
            "ChangeSent",
        ),
        (
            "/request/userAttributes/email_verified",
            Some(json!(true)),
            "ChangeSent",
        ),
        (
            "/triggerSource",
            Some(json!("CustomMessage_InventedByAws")),
            "ChangeSent",
        ),
        ("/triggerSource", None, "EventUnreadable"),
        ("/triggerSource", Some(json!([PERSONAL])), "EventUnreadable"),
        ("/userPoolId", None, "EventUnreadable"),
        ("/userPoolId", Some(json!({"a": PERSONAL})), "EventUnreadable"),
        ("/request", None, "EventUnreadable"),
        ("/request", Some(json!(PERSONAL)), "EventUnreadable"),
        ("/request/userAttributes", None, "EventUnreadable"),
        ("/request/userAttributes", Some(json!([PERSONAL])), "EventUnreadable"),
        ("/request/userAttributes", Some(json!(PERSONAL)), "EventUnreadable"),
        ("/request/userAttributes", Some(json!(null)), "EventUnreadable"),
        ("/request/userAttributes/sub", None, "EventUnreadable"),
        (
            "/request/userAttributes/sub",
            Some(json!(format!("{PERSONAL} ' or 1=1"))),
            "EventUnreadable",
        ),
        ("/request/userAttributes/sub", Some(json!(null)), "EventUnreadable"),
    ] {
        let mut odd = base.clone();
        let (parent, name) = pointer.rsplit_once('/').unwrap();
        let parent = odd.pointer_mut(parent).unwrap().as_object_mut().unwrap();
        match with {
            Some(value) => parent.insert(name.to_owned(), value),
            None => parent.remove(name),
        };
        goes_through(&host, odd.to_string(), &[metric]).await;
    }
    // Shapes that are no trigger's.
    let deep = format!("{}{PERSONAL:?}{}", "[".repeat(5_000), "]".repeat(5_000));
    for whole in [
        "[]",
        "[ 1.50 ]",
        "\"zq7personal\"",
        "-0.0",
        "1e999",
        "null",
        "true",
        "{}",
        r#"{"userName":"zq7personal\ud800"}"#,
        &deep,
    ] {
        goes_through(&host, whole, &["EventUnreadable"]).await;
    }
    // A member that no parser takes costs the change, not the user.
    let huge_number = event("CustomMessage_SignUp").replace("0.1E+2", "1E+999");
    goes_through(&host, huge_number, &["EventUnreadable"]).await;
    silent(host).await;
}

#[tokio::test]
async fn a_megabyte_is_returned_and_sent_as_a_re_read() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let host = function("custom-message", sqs.endpoint()).start().await;
    let huge = event("CustomMessage_SignUp").replace(
        "\"name\":",
        &format!(
            "\"custom:note\":\"{}\",\"name\":",
            PERSONAL.repeat(1_000_000 / PERSONAL.len())
        ),
    );
    goes_through(&host, huge, &["ChangeSent"]).await;
    let received = sqs.take_received();
    assert!(
        received[0].body.len() < 2_000,
        "{} bytes were sent",
        received[0].body.len()
    );
    silent(host).await;
}

#[tokio::test]
async fn wrong_settings_are_said_at_start_and_stop_nobody() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let good = function("post-confirmation", sqs.endpoint());
    let event = event("PostConfirmation_ConfirmSignUp");
    for (function, says, metrics) in [
        (
            good.clone().without("TWINPOOL_QUEUE_URL"),
            "TWINPOOL_QUEUE_URL is not set",
            &["ChangeNotSent"][..],
        ),
        (
            good.clone().with("TWINPOOL_QUEUE_URL", "changes"),
            "TWINPOOL_QUEUE_URL is not a queue URL",
            &["ChangeNotSent"],
        ),
        (
            good.clone().without("AWS_REGION"),
            "AWS_REGION is not set",
            &["ChangeNotSent"],
        ),
        (
            good.clone().without("AWS_REGION").with("TWINPOOL_CHAIN_TO", CHAIN_TO),
            "AWS_REGION is not set",
            &["ChainNotInvoked", "ChangeNotSent"],
        ),
        (
            good.clone().with("TWINPOOL_CHAIN_TO", "welcome"),
            "TWINPOOL_CHAIN_TO is not a function ARN",
            &["ChainNotInvoked", "ChangeSent"],
        ),
    ] {
        let host = function.start().await;
        host.ready().await.unwrap();
        let output = host.output_when(|output| !output.stderr.is_empty()).await;
        assert_eq!(output.stderr.len(), 1, "{output:?}");
        let line: Value = serde_json::from_str(&output.stderr[0]).unwrap();
        let error = line["error"].as_str().unwrap();
        assert!(
            error.contains(says) && error.contains("correct the named environment variable"),
            "{error}"
        );
        for _ in 0..2 {
            goes_through(&host, event.clone(), metrics).await;
        }
        silent(host).await;
    }
    // Without credentials nothing can be signed.
    let host = good.without("AWS_ACCESS_KEY_ID").start().await;
    goes_through(&host, event, &["ChangeNotSent"]).await;
    silent(host).await;
}

#[tokio::test]
async fn tracing_prints_nothing_personal() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let lambda = ScriptedServer::start(Script::function_answers("{}")).await;
    let host = chained(sqs.endpoint(), lambda.endpoint())
        .with("AWS_LAMBDA_LOG_LEVEL", "TRACE")
        .with("RUST_LOG", "trace")
        .with("AWS_LAMBDA_LOG_FORMAT", "JSON")
        .start()
        .await;
    let event = event("PostConfirmation_ConfirmSignUp");
    invoke(&host, event.clone(), &["ChangeSent"]).await;
    sqs.play(Script::error(500, "InternalFailure"));
    lambda.play(Script::function_fails(format!(
        r#"{{"errorType":"{PERSONAL}","errorMessage":"{PERSONAL}"}}"#
    )));
    invoke(&host, event, &["ChangeNotSent"]).await;
    silent(host).await;
}

#[tokio::test]
async fn the_chained_function_owns_the_answer() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let lambda = ScriptedServer::start(Script::Hang).await;
    let host = chained(sqs.endpoint(), lambda.endpoint()).start().await;
    let event = event("PostConfirmation_ConfirmSignUp");
    // Answers, whatever they are, byte for byte.
    for answer in [
        event.replace("\"emailSubject\":null", "\"emailSubject\" : \"Welcome\", \"n\":1.0"),
        "{ \"response\" : {}, \"response\":{}}".to_owned(),
        "null".to_owned(),
        "[1.50,  2]".to_owned(),
    ] {
        lambda.play(Script::function_answers(answer.clone()));
        let got = invoke(&host, event.clone(), &["ChangeSent"]).await;
        assert_eq!(got.outcome, Outcome::Response(answer.into()));
        let asked = lambda.take_received();
        assert_eq!(asked.len(), 1);
        assert_eq!(
            asked[0].body,
            event.as_bytes(),
            "the function gets the event as it came"
        );
        assert!(
            asked[0]
                .path
                .ends_with("/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A111122223333%3Afunction%3Awelcome/invocations"),
            "{}",
            asked[0].path
        );
    }
    // Errors, with type and message.
    for (payload, error_type, error_message) in [
        (
            json!({"errorType": "NotInvited", "errorMessage": format!("{PERSONAL} \"is\" not invited"), "trace": [PERSONAL]}),
            "NotInvited",
            format!("{PERSONAL} \"is\" not invited"),
        ),
        (
            json!({"errorMessage": "Task timed out after 3.00 seconds"}),
            "Unhandled",
            "Task timed out after 3.00 seconds".to_owned(),
        ),
    ] {
        lambda.play(Script::function_fails(payload.to_string()));
        let got = invoke(&host, event.clone(), &["ChangeSent"]).await;
        assert_eq!(
            error_of(&got),
            json!({"errorType": error_type, "errorMessage": error_message})
        );
        assert_eq!(lambda.take_received().len(), 1);
    }
    // The queue's trouble is not the function's.
    sqs.play(Script::Hang);
    lambda.play(Script::function_answers("{\"a\":1.0}"));
    let got = invoke(&host, event.clone(), &["ChangeNotSent"]).await;
    assert_eq!(got.outcome, Outcome::Response("{\"a\":1.0}".into()));
    assert!(got.micros < LIMIT_MICROS);
    silent(host).await;

    // Nor is a wrong queue.
    lambda.take_received();
    let host = chained(sqs.endpoint(), lambda.endpoint())
        .without("TWINPOOL_QUEUE_URL")
        .start()
        .await;
    let got = invoke(&host, event, &["ChangeNotSent"]).await;
    assert_eq!(got.outcome, Outcome::Response("{\"a\":1.0}".into()));
    assert_eq!(lambda.take_received().len(), 1);
    silent(host).await;
}

#[tokio::test]
async fn a_function_that_was_not_invoked_stops_nobody() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let lambda = ScriptedServer::start(Script::Hang).await;
    let host = chained(sqs.endpoint(), lambda.endpoint()).start().await;
    let event = event("PostConfirmation_ConfirmSignUp");
    for script in [
        Script::error(404, "ResourceNotFoundException"),
        Script::error(403, "AccessDeniedException"),
    ] {
        lambda.play(script);
        goes_through(&host, event.clone(), &["ChainNotInvoked", "ChangeSent"]).await;
        assert_eq!(lambda.take_received().len(), 1, "asked once");
    }
    silent(host).await;
    let host = chained(sqs.endpoint(), &ScriptedServer::refusing()).start().await;
    goes_through(&host, event, &["ChainNotInvoked", "ChangeSent"]).await;
    silent(host).await;
}

#[tokio::test]
async fn a_function_that_may_have_run_fails_the_user_as_in_the_slot() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let lambda = ScriptedServer::start(Script::Hang).await;
    let host = chained(sqs.endpoint(), lambda.endpoint()).start().await;
    let event = event("PostConfirmation_ConfirmSignUp");
    for (script, message) in [
        (Script::Hang, "the chained function gave no answer"),
        (Script::Close, "the chained function gave no answer"),
        // In the slot itself these would have failed the user, too: a gate must not open because it is busy.
        (
            Script::error(429, "TooManyRequestsException"),
            "the chained function gave no answer",
        ),
        (
            Script::error(502, "EC2ThrottledException"),
            "the chained function gave no answer",
        ),
        (
            Script::error(500, "ServiceException"),
            "the chained function gave no answer",
        ),
        (
            Script::function_answers(PERSONAL),
            "the chained function's answer is not JSON",
        ),
        (
            Script::function_answers(""),
            "the chained function's answer is not JSON",
        ),
    ] {
        lambda.play(script.clone());
        let got = invoke(&host, event.clone(), &["ChangeSent"]).await;
        assert_eq!(error_of(&got)["errorMessage"], message, "{script:?}");
        assert!(got.micros < 5_000_000, "Cognito waits 5 s");
        assert_eq!(lambda.take_received().len(), 1, "asked once: {script:?}");
    }
    silent(host).await;
}

/// An operator's probe is answered by Twinpool's function alone.
#[tokio::test]
async fn a_probe_tells_whether_the_chained_function_may_be_invoked_and_runs_nothing() {
    let sqs = ScriptedServer::start(Script::sqs_takes_it()).await;
    let lambda = ScriptedServer::start(Script::Hang).await;
    let event = probe("us-east-1_EXAMPLE", "us-east-1").to_string();
    for (name, _) in SOURCES {
        let host = function(name, sqs.endpoint()).start().await;
        goes_through(&host, event.clone(), &[]).await;
        silent(host).await;
    }
    let host = chained(sqs.endpoint(), lambda.endpoint()).start().await;
    // (what Lambda says, the answer's message; none: the event itself)
    for (script, message) in [
        (Script::json(204, ""), None),
        (
            Script::error(403, "AccessDeniedException"),
            Some("failed with AccessDeniedException"),
        ),
        (
            Script::error(404, "ResourceNotFoundException"),
            Some("failed with ResourceNotFoundException"),
        ),
        (Script::Hang, Some("timed out")),
        (Script::json(204, ""), None),
    ] {
        lambda.play(script.clone());
        let answer = invoke(&host, event.clone(), &[]).await;
        match message {
            None => assert_eq!(answer.outcome, Outcome::Response(event.clone().into())),
            Some(message) => {
                let error = error_of(&answer);
                assert_eq!(error["errorType"], PROBE_REFUSED, "{error}");
                let said = error["errorMessage"].as_str().expect("a message");
                assert!(
                    said.contains("lambda:InvokeFunction") && said.contains(message),
                    "{error}"
                );
            }
        }
        assert!(answer.micros < 5_000_000, "as long as a user's event may take");
        let asked = lambda.take_received();
        let asked: Vec<_> = asked
            .iter()
            .map(|asked| (asked.invocation_type.as_str(), asked.body.len(), asked.signed))
            .collect();
        assert_eq!(asked, [("DryRun", 0, true)], "asked once, and never run: {script:?}");
    }
    assert!(sqs.take_received().is_empty(), "nothing is sent");
    let output = silent(host).await;
    assert!(output.stdout.is_empty(), "nothing is counted: {output:?}");
    // A wrong setting is found as well.
    let host = chained(sqs.endpoint(), lambda.endpoint())
        .with("TWINPOOL_CHAIN_TO", "welcome")
        .start()
        .await;
    let error = error_of(&invoke(&host, event, &[]).await);
    assert_eq!(error["errorType"], PROBE_REFUSED, "{error}");
    silent(host).await;

    // What only looks like one, because a user wrote it, is an event like any other.
    let host = function("custom-message", sqs.endpoint()).start().await;
    let looks_so = self::event("CustomMessage_SignUp").replace(&format!("{PERSONAL}-name"), PROBE_SOURCE);
    goes_through(&host, looks_so, &["ChangeSent"]).await;
    silent(host).await;
}

#[tokio::test]
async fn a_killed_process_is_reported_and_started_again() {
    let sqs = ScriptedServer::start(Script::Hang).await;
    let mut host = function("post-authentication", sqs.endpoint()).start().await;
    host.ready().await.unwrap();
    assert!(host.memory().unwrap().resident_kib > 0);
    let event = event("PostAuthentication_Authentication");
    let (answer, status) = tokio::join!(host.invoke(event.clone()), async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        host.kill().await
    });
    assert_eq!(answer.outcome, Outcome::Exited(status));
    assert_eq!(status.code(), None, "it was killed");
    assert_eq!(host.invoke(event.clone()).await.outcome, Outcome::Exited(status));
    sqs.play(Script::sqs_takes_it());
    host.respawn().await;
    goes_through(&host, event, &["ChangeSent"]).await;
}
