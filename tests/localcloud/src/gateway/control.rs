//! The control endpoint: how a test sets the scene and reads what happened.
//!
//! Invariant: it goes around latency, quotas and faults, and what it does is not counted as a call of the product's.

use std::sync::Arc;

use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::answers::{Body, bytes, json_document};
use super::config::Config;
use super::identity::{OPERATOR, role_name};
use super::{Gateway, cognito, locked, trail, whole};
use crate::pools::{Call, support_table};

/// The path below which nothing is AWS's.
pub(super) const PREFIX: &str = "/_localcloud/";

/// `POST /_localcloud/cognito`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CallByHand {
    operation: String,
    region: Option<String>,
    #[serde(default)]
    input: Value,
}

/// Answer one request.
pub(super) async fn answer(gateway: &Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or_default();
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&parts.method, path) {
        (&Method::GET, "health") => done(&json!({"status": "ok", "pid": std::process::id()})),
        (&Method::GET, "config") => done(&json!(*gateway.config())),
        (&Method::PUT, "config") => match whole(body).await.as_deref().map(Config::parse) {
            Some(Ok(config)) => {
                gateway.configure(config);
                done(&json!(*gateway.config()))
            }
            Some(Err(reason)) => refused(&reason),
            None => refused("the body broke off"),
        },
        (&Method::GET, "counters") => done(&json!(gateway.counters())),
        (&Method::POST, "reset-counters") => {
            locked(&gateway.counters).reset();
            done(&json!({}))
        }
        (&Method::GET, "quiet") => done(&json!(locked(&gateway.counters).trail.pending == 0)),
        (&Method::POST, "redeliver") => {
            let copies = parameter(query, "copies").and_then(|copies| copies.parse().ok());
            match copies.filter(|copies| (1..=10).contains(copies)) {
                Some(copies) => done(&json!(trail::redeliver(gateway, copies))),
                None => refused("copies: 1 to 10"),
            }
        }
        (&Method::GET, "messages") => done(
            &locked(&gateway.mailbox).list(parameter(query, "pool").as_deref(), parameter(query, "sub").as_deref()),
        ),
        (&Method::GET, "user") => {
            let (pool, sub) = (parameter(query, "pool"), parameter(query, "sub"));
            done(
                &locked(&gateway.pools)
                    .user(&pool.unwrap_or_default(), &sub.unwrap_or_default())
                    .unwrap_or_default(),
            )
        }
        (&Method::GET, "billable") => done(&json!(
            locked(&gateway.pools).billable(&parameter(query, "pool").unwrap_or_default())
        )),
        (&Method::GET, "support") => bytes(StatusCode::OK, "text/markdown; charset=utf-8", support_table()),
        (&Method::POST, "cognito") => match whole(body)
            .await
            .map(|body| serde_json::from_slice::<CallByHand>(&body))
        {
            Some(Ok(call)) => by_hand(gateway, call).await,
            Some(Err(error)) => refused(&error.to_string()),
            None => refused("the body broke off"),
        },
        _ => json_document(
            StatusCode::NOT_FOUND,
            &json!({"error": format!("no {} {PREFIX}{path}", parts.method)}),
        ),
    }
}

/// A call without a wire: the pseudo operations, and any operation when a test wants to seed quickly.
async fn by_hand(gateway: &Arc<Gateway>, given: CallByHand) -> Response<Body> {
    // The pseudo operations play a user at the hosted pages; with a Region, any other is an operator's.
    let is_users = given.operation.starts_with("Localcloud") || given.region.is_none();
    let call = Call {
        region: given.region,
        operation: given.operation,
        input: if given.input.is_null() { json!({}) } else { given.input },
        caller: (!is_users).then(|| OPERATOR.to_owned()),
        stale_by_millis: 0,
    };
    match cognito::carry_out(gateway, &call, role_name(call.caller.as_deref())).await {
        Ok(output) => done(&output),
        Err(error) => {
            let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            json_document(status, &json!({"__type": error.code, "message": error.message}))
        }
    }
}

fn done(body: &Value) -> Response<Body> {
    json_document(StatusCode::OK, body)
}

fn refused(reason: &str) -> Response<Body> {
    json_document(StatusCode::BAD_REQUEST, &json!({"error": reason}))
}

/// A query parameter. Pool ids and subs need no escaping, so none is undone.
fn parameter(query: &str, name: &str) -> Option<String> {
    query
        .split('&')
        .find_map(|pair| pair.split_once('=').filter(|(given, _)| *given == name))
        .map(|(_, value)| value.to_owned())
}
