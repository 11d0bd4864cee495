//! The events that the pool's Lambda functions receive.
//!
//! Invariant: an event is built from the state after the change, all attribute values are strings, and each firing is listed
//! exactly once.

use serde_json::{Map, Value, json};

use super::TriggerCall;
use super::request::Request;
use super::state::User;

/// Slots that hold a function's ARN. The double fires PostConfirmation, PostAuthentication and CustomMessage.
pub(crate) const PLAIN_SLOTS: &[&str] = &[
    "PreSignUp",
    "CustomMessage",
    "PostConfirmation",
    "PreAuthentication",
    "PostAuthentication",
    "DefineAuthChallenge",
    "CreateAuthChallenge",
    "VerifyAuthChallengeResponse",
    "PreTokenGeneration",
    "UserMigration",
];

/// Slots that hold a function's ARN and the version of its event.
pub(crate) const VERSIONED_SLOTS: &[&str] = &[
    "PreTokenGenerationConfig",
    "CustomSMSSender",
    "CustomEmailSender",
    "InboundFederation",
];

/// What real events carry as client id when an administrator's call caused them.
pub(crate) const NO_CLIENT: &str = "CLIENT_ID_NOT_APPLICABLE";

/// Fires PostConfirmation with `source` `ConfirmSignUp` or `ConfirmForgotPassword`.
pub(crate) fn post_confirmation(request: &mut Request<'_>, pool: &str, sub: &str, client: &str, source: &str) {
    fire(
        request,
        pool,
        sub,
        client,
        "PostConfirmation",
        source,
        Map::new(),
        json!({}),
    );
}

pub(crate) fn post_authentication(request: &mut Request<'_>, pool: &str, sub: &str, client: &str) {
    // Devices are not remembered, so no device is ever a new one.
    let extra = Map::from_iter([("newDeviceUsed".to_owned(), json!(false))]);
    fire(
        request,
        pool,
        sub,
        client,
        "PostAuthentication",
        "Authentication",
        extra,
        json!({}),
    );
}

/// Fires CustomMessage; only call it when a message is really sent.
pub(crate) fn custom_message(request: &mut Request<'_>, pool: &str, sub: &str, client: &str, source: &str) {
    let username = if source == "AdminCreateUser" {
        json!("{username}")
    } else {
        Value::Null
    };
    let extra = Map::from_iter([
        ("codeParameter".to_owned(), json!("{####}")),
        ("linkParameter".to_owned(), json!("{##Click Here##}")),
        ("usernameParameter".to_owned(), username),
    ]);
    let response = json!({ "smsMessage": null, "emailMessage": null, "emailSubject": null });
    fire(request, pool, sub, client, "CustomMessage", source, extra, response);
}

#[expect(
    clippy::too_many_arguments,
    reason = "the three callers above are its whole audience and name every part"
)]
fn fire(
    request: &mut Request<'_>,
    pool_id: &str,
    sub: &str,
    client: &str,
    slot: &str,
    source: &str,
    extra: Map<String, Value>,
    response: Value,
) {
    let pool = request.pool(pool_id);
    let Some(function_arn) = pool.function(slot) else {
        return;
    };
    let user = request.user(pool_id, sub);
    let mut body = Map::new();
    body.insert("userAttributes".into(), Value::Object(user_attributes(user)));
    body.extend(extra);
    // API, InitiateAuth and AdminInitiateAuth: theirs goes to pre sign-up, pre authentication and user migration only.
    let starts_sign_in = matches!(request.call.operation.as_str(), "InitiateAuth" | "AdminInitiateAuth");
    if let Some(metadata) = request.value("ClientMetadata").filter(|_| !starts_sign_in) {
        body.insert("clientMetadata".into(), metadata.clone());
    }
    let event = json!({
        "version": "1",
        "region": pool.region,
        "userPoolId": pool.id,
        "userName": user.username,
        "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client },
        "triggerSource": format!("{slot}_{source}"),
        "request": body,
        "response": response,
    });
    request.effects.triggers.push(TriggerCall {
        function_arn,
        slot: slot.to_owned(),
        event,
    });
}

fn user_attributes(user: &User) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("sub".into(), json!(user.sub));
    map.extend(user.attributes.iter().map(|(name, value)| (name.clone(), json!(value))));
    map.insert("cognito:user_status".into(), json!(user.status.name()));
    if let Some(identities) = super::federation::identities_attribute(user) {
        map.insert("identities".into(), json!(identities));
    }
    map
}
