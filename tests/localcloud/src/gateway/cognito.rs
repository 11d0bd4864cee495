//! One call to the Cognito double, from the wire to the wire.
//!
//! The order is the service's: script, quota, latency, state, triggers, answer. CloudTrail records leave in the background.
//!
//! Invariant: a call is applied exactly once or not at all, whatever is done to its answer.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hyper::body::Incoming;
use hyper::{HeaderMap, Request};
use serde_json::{Value, json};

use super::answers::{self, Reply, Severed};
use super::config::FaultKind;
use super::faults::{self, Target};
use super::identity::{ACCOUNT, OPERATOR, Scope, as_principal, role_name};
use super::{Connection, Gateway, locked, now_millis, peers, trail, triggers, whole};
use crate::pools::{ApiError, Call, Outcome};

/// The name under which calls are counted and faults are scripted.
pub(super) const SERVICE: &str = "cognito-idp";
const TARGET: &str = "AWSCognitoIdentityProviderService.";
/// Marks a token of an empty page that the script made up; the real token, if any, follows.
const EMPTY_PAGE: &str = "localcloud-empty-page:";

/// The operation of a request to Cognito user pools; `None` for any other service.
pub(super) fn operation(headers: &HeaderMap) -> Option<&str> {
    headers.get("x-amz-target")?.to_str().ok()?.strip_prefix(TARGET)
}

/// Answer one request.
pub(super) async fn answer(
    gateway: &Arc<Gateway>,
    connection: &Connection,
    operation: &str,
    request: Request<Incoming>,
) -> Reply {
    let (parts, body) = request.into_parts();
    let request_id = gateway.request_id();
    let Some(body) = whole(body).await else {
        return Err(Severed);
    };
    let scope = Scope::of(&parts.headers);
    let caller = match &scope {
        Some(scope) => Some(principal(gateway, connection, scope).await),
        None => None,
    };
    let role = role_name(caller.as_deref()).to_owned();
    {
        let mut counters = locked(&gateway.counters);
        counters.called(SERVICE, operation);
        counters.called_by(&role, operation);
    }
    let Ok(Value::Object(input)) = serde_json::from_slice(if body.is_empty() { b"{}" } else { &body[..] }) else {
        return Ok(refuse(
            gateway,
            &request_id,
            400,
            "SerializationException",
            "The request body is no JSON object.",
        ));
    };
    let mut input = Value::Object(input);
    let region = scope.map(|scope| scope.region);
    let known_region = region.clone().or_else(|| region_of_unsigned(gateway, &input));

    let fault = gateway.decide(Target {
        service: SERVICE,
        operation,
        region: known_region.as_deref(),
    });
    if let Some(fault) = fault {
        if let Some(reply) = faults::play(fault, SERVICE, &parts.headers, &request_id).await {
            note_fault(gateway, operation, fault.kind);
            return reply;
        }
        if fault.kind == FaultKind::EmptyPage {
            return Ok(answers::aws_json(&request_id, &empty_page(operation, &input)));
        }
    }
    strip_empty_page(operation, &mut input);

    let config = gateway.config();
    let bucket = known_region.as_deref().unwrap_or_default();
    if config.quotas.enabled && !locked(&gateway.pools).admit(bucket, operation, now_millis()) {
        locked(&gateway.counters).throttled(SERVICE, operation);
        return Ok(refuse(
            gateway,
            &request_id,
            400,
            "TooManyRequestsException",
            "Rate exceeded",
        ));
    }
    let latency = gateway.latency(SERVICE);
    if latency > 0 {
        tokio::time::sleep(Duration::from_millis(latency)).await;
    }

    let call = Call {
        region,
        operation: operation.to_owned(),
        input,
        caller,
        stale_by_millis: if operation.starts_with("ListUsers") {
            i64::from(config.stale_list_ms)
        } else {
            0
        },
    };
    let response = match carry_out(gateway, &call, &role).await {
        Ok(output) => answers::aws_json(&request_id, &output),
        Err(error) => refuse(gateway, &request_id, error.status, &error.code, &error.message),
    };
    match fault.map(|fault| fault.kind) {
        Some(FaultKind::LostResponse) => Err(Severed),
        Some(FaultKind::MalformedBody) => Ok(answers::cut_short(response).await),
        _ => Ok(response),
    }
}

/// Apply a call and see to everything that follows from it.
pub(super) async fn carry_out(gateway: &Arc<Gateway>, call: &Call, role: &str) -> Result<Value, ApiError> {
    let Outcome {
        answer,
        triggers,
        mut records,
        messages,
        became_active,
        pool,
    } = locked(&gateway.pools).apply(call, now_millis());
    if let Some((region, _pool)) = &pool {
        learn_client(gateway, region, &call.input, answer.as_ref().ok());
    }
    {
        let mut counters = locked(&gateway.counters);
        counters.activated(role, became_active.len());
        for message in &messages {
            *if message.medium == "SMS" {
                &mut counters.sms
            } else {
                &mut counters.mails
            } += 1;
        }
    }
    locked(&gateway.mailbox).put(messages);

    let mut failure = None;
    for trigger in &triggers {
        if let Err(error) = triggers::invoke(gateway.upstream.as_ref(), trigger).await {
            failure = Some(error);
            break;
        }
    }
    if let Some(error) = &failure {
        // The state has changed, and yet the record says that the call failed: so it is at AWS.
        for record in &mut records {
            record.detail["errorCode"] = json!(error.code);
            record.detail["errorMessage"] = json!(error.message);
            record.detail["responseElements"] = Value::Null;
        }
    }
    trail::publish(gateway, records);
    match failure {
        Some(error) => Err(error),
        None => answer,
    }
}

async fn principal(gateway: &Gateway, connection: &Connection, scope: &Scope) -> String {
    if let Some(role) = gateway.config().callers.get(&scope.key_id) {
        return as_principal(role, &scope.key_id);
    }
    if scope.key_id != ACCOUNT {
        return OPERATOR.to_owned();
    }
    let find = || peers::function_principal(gateway.upstream.as_ref(), connection.peer, connection.local);
    connection.function.get_or_init(find).await.clone()
}

fn refuse(
    gateway: &Gateway,
    request_id: &str,
    status: u16,
    code: &str,
    message: &str,
) -> hyper::Response<answers::Body> {
    locked(&gateway.counters).failed(SERVICE, code);
    answers::aws_error(request_id, status, code, message)
}

fn note_fault(gateway: &Gateway, operation: &str, kind: FaultKind) {
    let mut counters = locked(&gateway.counters);
    counters.failed(SERVICE, kind.name());
    if kind == FaultKind::Throttle {
        counters.throttled(SERVICE, operation);
    }
}

/// The member that holds the paging token of a list of users.
fn token_member(operation: &str) -> &'static str {
    if operation == "ListUsers" {
        "PaginationToken"
    } else {
        "NextToken"
    }
}

fn empty_page(operation: &str, input: &Value) -> Value {
    let member = token_member(operation);
    let here = input[member].as_str().unwrap_or_default();
    let here = here.strip_prefix(EMPTY_PAGE).unwrap_or(here);
    json!({"Users": [], member: format!("{EMPTY_PAGE}{here}")})
}

fn strip_empty_page(operation: &str, input: &mut Value) {
    let member = token_member(operation);
    let Some(token) = input[member]
        .as_str()
        .and_then(|token| token.strip_prefix(EMPTY_PAGE))
        .map(str::to_owned)
    else {
        return;
    };
    if let Some(input) = input.as_object_mut() {
        if token.is_empty() {
            input.remove(member);
        } else {
            input.insert(member.to_owned(), Value::String(token));
        }
    }
}

fn learn_client(gateway: &Gateway, region: &str, input: &Value, output: Option<&Value>) {
    let created = output.and_then(|output| output["UserPoolClient"]["ClientId"].as_str());
    let Some(client) = created.or_else(|| input["ClientId"].as_str()) else {
        return;
    };
    let mut known = locked(&gateway.client_regions);
    if !known.contains_key(client) {
        known.insert(client.to_owned(), region.to_owned());
    }
}

/// The Region of an unsigned call: that of its app client, or of the issuer of its token.
fn region_of_unsigned(gateway: &Gateway, input: &Value) -> Option<String> {
    if let Some(region) = input["ClientId"]
        .as_str()
        .and_then(|client| locked(&gateway.client_regions).get(client).cloned())
    {
        return Some(region);
    }
    let payload = input["AccessToken"].as_str()?.split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    let host = claims["iss"].as_str()?.strip_prefix("https://cognito-idp.")?;
    Some(host.split('.').next()?.to_owned())
}
