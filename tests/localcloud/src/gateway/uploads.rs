//! PUTs to the presigned URLs of import jobs: what Amazon S3 is to them.
//!
//! Invariant: a file is put once or not at all, whatever is done to the answer; nothing of it is logged.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use hyper::http::request::Parts;
use hyper::{Method, Request, StatusCode};
use serde_json::json;

use super::answers::{self, Reply, Severed};
use super::config::FaultKind;
use super::faults::{self, Target};
use super::identity::ANONYMOUS;
use super::{Gateway, cognito, locked, whole};
use crate::pools::Call;

/// The name under which uploads are counted and faults are scripted.
const SERVICE: &str = "s3";
const OPERATION: &str = "PutObject";
/// How the paths of presigned URLs begin; Region, account, pool and job follow.
const BUCKET: &str = "/aws-cognito-idp-user-import-";

/// Whether a request goes to a presigned URL.
pub(super) fn concerns(request: &Request<Incoming>) -> bool {
    request.uri().path().starts_with(BUCKET)
}

/// Answer one request.
pub(super) async fn answer(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Reply {
    let (parts, body) = request.into_parts();
    let request_id = gateway.request_id();
    let place = parts.uri.path().strip_prefix(BUCKET).unwrap_or_default();
    let &[region, _, pool, job] = &place.split('/').collect::<Vec<_>>()[..] else {
        return Ok(refusal(
            StatusCode::NOT_FOUND,
            "NoSuchBucket",
            "The specified bucket does not exist",
        ));
    };
    if parts.method != Method::PUT {
        let message = "The specified method is not allowed against this resource.";
        return Ok(refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message));
    }
    locked(&gateway.counters).called(SERVICE, OPERATION);
    let fault = gateway.decide(Target {
        service: SERVICE,
        operation: OPERATION,
        region: Some(region),
    });
    if let Some(fault) = fault
        && let Some(reply) = faults::play(fault, SERVICE, &parts.headers, &request_id).await
    {
        locked(&gateway.counters).failed(SERVICE, fault.kind.name());
        return reply;
    }
    let Some(body) = whole(body).await else {
        return Err(Severed);
    };
    let mut input = json!({ "UserPoolId": pool, "JobId": job, "Signature": signature(&parts) });
    if let Some(value) = parts.headers.get("x-amz-server-side-encryption") {
        input["Encryption"] = json!(value.to_str().unwrap_or_default());
    }
    match std::str::from_utf8(&body) {
        Ok(text) => input["Body"] = json!(text),
        Err(_) => input["BodyBase64"] = json!(STANDARD.encode(&body)),
    }
    let call = Call {
        region: Some(region.to_owned()),
        operation: "LocalcloudUploadImportFile".to_owned(),
        input,
        caller: None,
        stale_by_millis: 0,
    };
    let response = match cognito::carry_out(gateway, &call, ANONYMOUS).await {
        Ok(_) => answers::bytes(StatusCode::OK, "application/xml", ""),
        Err(error) => {
            locked(&gateway.counters).failed(SERVICE, &error.code);
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            refusal(status, &error.code, &error.message)
        }
    };
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::LostResponse) => Err(Severed),
        Some(FaultKind::MalformedBody) => Ok(answers::cut_short(response).await),
        _ => Ok(response),
    }
}

fn signature(parts: &Parts) -> Option<&str> {
    let pairs = parts.uri.query()?.split('&');
    pairs
        .filter_map(|pair| pair.split_once('='))
        .find_map(|(name, value)| (name == "X-Amz-Signature").then_some(value))
}

fn refusal(status: StatusCode, code: &str, message: &str) -> hyper::Response<answers::Body> {
    let body = format!("<Error><Code>{code}</Code><Message>{message}</Message></Error>");
    answers::bytes(status, "application/xml", body)
}
