//! Everything that is not Cognito: through to the emulator, with faults, latency and counting on the way.
//!
//! Invariant: method, path, headers and bytes reach the emulator as they came (but for hop-by-hop headers), and bodies stream;
//! only messages to SQS are touched, and only when asked for, and the redrive of a queue is [played](redrive).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Either};
use hyper::body::Incoming;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, TE, TRANSFER_ENCODING, UPGRADE};
use hyper::http::request::Parts;
use hyper::{Request, Response, StatusCode};
use serde_json::json;

use super::answers::{self, Body, Reply, Severed};
use super::config::FaultKind;
use super::faults::{self, Target};
use super::identity::Scope;
use super::upstream::{Upstream, own_body};
use super::{Gateway, locked, redrive, sqs, whole};

/// Forward one request.
pub(super) async fn answer(gateway: &Gateway, request: Request<Incoming>) -> Reply {
    let (mut parts, body) = request.into_parts();
    let scope = Scope::of(&parts.headers);
    let service = scope.as_ref().map_or("unsigned", |scope| scope.service.as_str());
    let mut body = Either::Right(body);
    let operation = match named_operation(&parts) {
        Some(operation) => operation,
        // The query protocol names its operation in the body, which is small.
        None if is_form(&parts) => {
            let Either::Right(incoming) = body else {
                return Err(Severed);
            };
            let Some(form) = whole(incoming).await else {
                return Err(Severed);
            };
            let operation = action(&form).unwrap_or_else(|| "unknown".to_owned());
            body = own_body(form);
            operation
        }
        None => parts.method.to_string(),
    };
    locked(&gateway.counters).called(service, &operation);

    let target = Target {
        service,
        operation: &operation,
        region: scope.as_ref().map(|scope| scope.region.as_str()),
    };
    let fault = gateway.decide(target);
    if let Some(fault) = fault
        && let Some(reply) = faults::play(fault, service, &parts.headers, &gateway.request_id()).await
    {
        let mut counters = locked(&gateway.counters);
        counters.failed(service, fault.kind.name());
        if fault.kind == FaultKind::Throttle {
            counters.throttled(service, &operation);
        }
        return reply;
    }
    let latency = gateway.latency(service);
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }

    let Some(upstream) = &gateway.upstream else {
        return Ok(unreachable_emulator());
    };
    if service == "sqs" && redrive::plays(&operation) {
        let region = target.region.unwrap_or_default();
        return Ok(redrive::answer(gateway, upstream, region, &operation, body).await);
    }
    for hop_by_hop in [CONNECTION, TE, TRANSFER_ENCODING, UPGRADE, EXPECT] {
        parts.headers.remove(hop_by_hop);
    }
    let answered = if service == "sqs" && sqs::applies(&operation, &gateway.config().sqs) {
        send_message(gateway, upstream, parts, body, &operation).await?
    } else {
        upstream.forward(Request::from_parts(parts, body)).await
    };
    let Ok(mut response) = answered else {
        return Ok(unreachable_emulator());
    };
    response.headers_mut().remove(CONNECTION);
    if !response.status().is_success() {
        let code = answers::error_type(response.headers())
            .map_or_else(|| response.status().as_str().to_owned(), str::to_owned);
        locked(&gateway.counters).failed(service, &code);
    }
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::LostResponse) => {
            // To the end: only then is it certain that the call was applied.
            let _whole = response.into_body().collect().await;
            Err(Severed)
        }
        Some(FaultKind::MalformedBody) => Ok(answers::cut_short(response).await),
        _ => Ok(response),
    }
}

/// The operation, where a header or the path names it.
fn named_operation(parts: &Parts) -> Option<String> {
    if let Some(target) = parts
        .headers
        .get("x-amz-target")
        .and_then(|target| target.to_str().ok())
    {
        return Some(target.rsplit('.').next().unwrap_or(target).to_owned());
    }
    let path = parts.uri.path();
    if let Some((_, operation)) = path.rsplit_once("/operation/") {
        return Some(operation.to_owned());
    }
    (path.starts_with("/2015-03-31/functions/") && path.ends_with("/invocations")).then(|| "Invoke".to_owned())
}

fn is_form(parts: &Parts) -> bool {
    parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"))
}

fn action(form: &Bytes) -> Option<String> {
    std::str::from_utf8(form)
        .ok()?
        .split('&')
        .find_map(|pair| pair.strip_prefix("Action="))
        .map(str::to_owned)
}

fn unreachable_emulator() -> Response<Body> {
    answers::json_document(
        StatusCode::BAD_GATEWAY,
        &json!({"__type": "LocalcloudEmulatorUnavailable", "message": "The emulator behind the local cloud does not answer."}),
    )
}

type Answered = Result<Response<Body>, super::upstream::UpstreamError>;

async fn send_message(
    gateway: &Gateway,
    upstream: &Upstream,
    mut parts: Parts,
    body: Body,
    operation: &str,
) -> Result<Answered, Severed> {
    let Ok(body) = body.collect().await else {
        return Err(Severed);
    };
    let body = body.to_bytes();
    let Ok(input) = serde_json::from_slice(&body) else {
        return Ok(upstream.forward(Request::from_parts(parts, own_body(body))).await);
    };
    parts.headers.remove(CONTENT_LENGTH);
    let tampered = sqs::tamper(input, &gateway.config().sqs, &mut locked(&gateway.chance));
    let answered = upstream
        .forward(Request::from_parts(parts.clone(), own_body(tampered.first.to_string())))
        .await;
    if let (Ok(response), Some(again)) = (&answered, tampered.again)
        && response.status().is_success()
    {
        let sent = upstream
            .call(Request::from_parts(parts, own_body(again.to_string())))
            .await;
        if sent.is_ok_and(|sent| sent.status.is_success()) {
            locked(&gateway.counters).fired("sqs", operation, "duplicate");
        }
    }
    Ok(answered)
}
