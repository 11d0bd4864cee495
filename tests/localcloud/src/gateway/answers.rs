//! Answers that the gateway gives itself: errors in the shape of the protocol that the caller speaks, and plain JSON.
//!
//! Invariant: a made-up error is indistinguishable in form from the service's own, so that SDKs take their usual path.

use bytes::Bytes;
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

use super::config::FaultKind;

/// A body of our own, or one passed through as it comes.
pub(super) type Body = Either<Full<Bytes>, Incoming>;

/// The connection ends without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed on purpose")]
pub(super) struct Severed;

/// An answer, or none at all.
pub(super) type Reply = Result<Response<Body>, Severed>;

const AWS_JSON: &str = "application/x-amz-json-1.1";
const REQUEST_ID: HeaderName = HeaderName::from_static("x-amzn-requestid");
const KMS_DISABLED: &str = "KmsDisabled";
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// Bytes of ours as an answer.
pub(super) fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response<Body> {
    let mut response = Response::new(Either::Left(Full::new(body.into())));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Plain JSON, for the control endpoint.
pub(super) fn json_document(status: StatusCode, body: &Value) -> Response<Body> {
    bytes(status, "application/json", body.to_string())
}

/// An answer of Cognito.
pub(super) fn aws_json(request_id: &str, body: &Value) -> Response<Body> {
    named(bytes(StatusCode::OK, AWS_JSON, body.to_string()), request_id)
}

/// An error of Cognito.
pub(super) fn aws_error(request_id: &str, status: u16, code: &str, message: &str) -> Response<Body> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let body = json!({"__type": code, "message": message});
    with_error_type(named(bytes(status, AWS_JSON, body.to_string()), request_id), code)
}

fn named(mut response: Response<Body>, request_id: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

fn with_error_type(mut response: Response<Body>, code: &str) -> Response<Body> {
    if let Ok(value) = HeaderValue::from_str(code) {
        response.headers_mut().insert(ERROR_TYPE, value);
    }
    response
}

/// The error code in an answer's headers; `None` where the protocol keeps it in the body.
pub(super) fn error_type(headers: &HeaderMap) -> Option<&str> {
    headers.get(ERROR_TYPE)?.to_str().ok()
}

/// The error of a scripted throttle or outage, as the given service words it.
pub(super) fn fault(kind: FaultKind, service: &str, request_headers: &HeaderMap, request_id: &str) -> Response<Body> {
    let (status, code, message) = wording(kind, service);
    let speaks_query = request_headers
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/x-www-form-urlencoded"));
    if speaks_query {
        let kind = if status < 500 { "Sender" } else { "Receiver" };
        let body = format!(
            "<ErrorResponse><Error><Type>{kind}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
        );
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        return named(bytes(status, "text/xml", body), request_id);
    }
    let namespace = match service {
        "dynamodb" => "com.amazonaws.dynamodb.v20120810#",
        "sqs" => "com.amazonaws.sqs#",
        _ => "",
    };
    let mut response = aws_error(request_id, status, &format!("{namespace}{code}"), message);
    if service == "sqs" {
        // SQS moved from the query protocol to JSON; SDKs read the older code from here.
        let side = if status < 500 { "Sender" } else { "Receiver" };
        let code = if code == KMS_DISABLED {
            "KMS.DisabledException"
        } else {
            code
        };
        if let Ok(value) = HeaderValue::from_str(&format!("{code};{side}")) {
            response
                .headers_mut()
                .insert(HeaderName::from_static("x-amzn-query-error"), value);
        }
    }
    with_error_type(response, code)
}

fn wording(kind: FaultKind, service: &str) -> (u16, &'static str, &'static str) {
    match (kind, service) {
        (FaultKind::Throttle, "cognito-idp") => (400, "TooManyRequestsException", "Rate exceeded"),
        (FaultKind::Throttle, "dynamodb") => (
            400,
            "ProvisionedThroughputExceededException",
            "The level of configured provisioned throughput for the table was exceeded. Consider increasing your provisioning level with the UpdateTable API.",
        ),
        (FaultKind::Throttle, "sqs") => (
            400,
            "RequestThrottled",
            "The request was denied due to request throttling.",
        ),
        (FaultKind::Throttle, "lambda") => (429, "TooManyRequestsException", "Rate Exceeded."),
        (FaultKind::Throttle, _) => (400, "ThrottlingException", "Rate exceeded"),
        (FaultKind::Deny, _) => (
            400,
            "AccessDeniedException",
            "User is not authorized to perform this action",
        ),
        // SQS: errors of SendMessage in its API reference, the older code in the service model. DynamoDB: the same exception
        // as for a missing permission (repost.aws/knowledge-center/dynamodb-access-denied-exception).
        (FaultKind::KeyDisabled, "sqs") => (400, KMS_DISABLED, "The specified AWS KMS key is not enabled."),
        (FaultKind::KeyDisabled, "dynamodb") => (400, "AccessDeniedException", "KMS key access denied error"),
        (FaultKind::KeyDisabled, _) => (400, "DisabledException", "The specified AWS KMS key is not enabled."),
        (FaultKind::Http503, _) => (503, "ServiceUnavailable", "Service is unavailable. Please retry."),
        (_, "cognito-idp") => (500, "InternalErrorException", "Something went wrong"),
        (_, "dynamodb") => (
            500,
            "InternalServerError",
            "The request processing has failed because of an unknown error.",
        ),
        (_, "lambda") => (
            500,
            "ServiceException",
            "An error occurred and the request cannot be processed.",
        ),
        (_, _) => (
            500,
            "InternalFailure",
            "The request processing has failed because of an unknown error.",
        ),
    }
}

/// The same answer, its body cut in the middle: valid HTTP, broken JSON.
pub(super) async fn cut_short(response: Response<Body>) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let whole = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    parts.headers.remove(CONTENT_LENGTH);
    Response::from_parts(parts, Either::Left(Full::new(whole.slice(..whole.len() / 2))))
}
