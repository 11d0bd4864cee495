//! From a Cognito trigger's event to a change.
//!
//! Read leniently: AWS adds sources and members, and its samples differ from its events (`email_verified` as boolean or text,
//! `version` as number or text). What cannot be read costs a change, never a sign-in.
//!
//! Invariant: reads only. The event itself is returned to Cognito by the caller, untouched.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::{
    canon::content_hash,
    change::{Change, PoolRef, Profile, SCHEMA_VERSION, Subject},
    observation::Weight,
    personal::{Personal, Sub},
    time::Timestamp,
    user::Attributes,
};

/// Source of the post-authentication trigger.
pub const POST_AUTHENTICATION: &str = "PostAuthentication_Authentication";

/// A profile larger than this is left out of the message, which then asks for a re-read. SQS takes 1 MiB.
pub const PROFILE_BYTES_MAX: usize = 700 * 1024;

/// What an event of one source tells about the attributes it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Carries {
    /// They are in force.
    InForce(Weight),
    /// They may not be in force yet, or the source is not known: read them a little later.
    ReadLater,
}

/// The documented sources of the three slots. `CustomMessage_UpdateUserAttribute` and `_VerifyUserAttribute` announce a change
/// that may only come into force with the code.
fn carries(source: &str) -> Carries {
    match source {
        "PostConfirmation_ConfirmSignUp"
        | "PostConfirmation_ConfirmForgotPassword"
        | "CustomMessage_SignUp"
        | "CustomMessage_AdminCreateUser" => Carries::InForce(Weight::News),
        POST_AUTHENTICATION
        | "CustomMessage_ResendCode"
        | "CustomMessage_ForgotPassword"
        | "CustomMessage_Authentication" => Carries::InForce(Weight::Evidence),
        _ => Carries::ReadLater,
    }
}

/// How much the attributes carried by `source` say.
#[must_use]
pub fn weight(source: &str) -> Weight {
    match carries(source) {
        Carries::InForce(weight) => weight,
        Carries::ReadLater => Weight::Evidence,
    }
}

/// Why an event yields no change. Names the member, never its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TriggerError {
    /// Not a JSON object.
    #[error("the event is not a JSON object")]
    NotAnObject,
    /// A member without which the subject is not known.
    #[error("the event has no usable {0}")]
    Missing(&'static str),
}

/// Reads the `event` of a trigger that was received at `received_at` in the invocation `request_id`.
///
/// # Errors
/// [`TriggerError`] when pool, source or `sub` cannot be read; there is then nothing to say about anyone.
pub fn read_trigger(event: &Value, request_id: &str, received_at: Timestamp) -> Result<Change, TriggerError> {
    let event = event.as_object().ok_or(TriggerError::NotAnObject)?;
    let text = |name: &'static str| {
        event
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .ok_or(TriggerError::Missing(name))
    };
    let source = text("triggerSource")?;
    let pool = text("userPoolId")?;
    let carried = event
        .get("request")
        .and_then(|request| request.get("userAttributes"))
        .and_then(Value::as_object);
    let carried = carried.ok_or(TriggerError::Missing("request.userAttributes"))?;
    let sub = carried.get("sub").and_then(Value::as_str).and_then(Sub::new);
    let sub = sub.ok_or(TriggerError::Missing("request.userAttributes.sub"))?;

    let values: BTreeMap<String, Personal> = carried
        .iter()
        // `cognito:user_status`, `cognito:email_alias` and the like are Cognito's notes, not attributes.
        .filter(|(name, _)| *name != "sub" && !name.starts_with("cognito:"))
        .filter_map(|(name, value)| Some((name.clone(), Personal::new(as_text(value)?))))
        .collect();
    let profile = match (carries(source), text("userName")) {
        (Carries::InForce(_), Ok(username)) => Some(Profile {
            attributes: Attributes {
                username: Personal::new(username),
                values,
            },
            status: carried
                .get("cognito:user_status")
                .and_then(Value::as_str)
                .map(str::to_owned),
        }),
        _ => None,
    };
    let profile = profile.filter(|profile| crate::canon::canonical_bytes(profile).len() <= PROFILE_BYTES_MAX);
    Ok(Change {
        schema_version: SCHEMA_VERSION,
        id: content_hash(&(pool, source, &sub, request_id)).to_string(),
        pool: PoolRef::Id(pool.to_owned()),
        subject: Subject::User(sub),
        cause: source.to_owned(),
        occurred_at: received_at,
        seen_at: received_at,
        group: None,
        profile,
        attempt: 0,
    })
}

/// Cognito sends text; the documentation shows booleans and numbers too.
fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(flag) => Some(flag.to_string()),
        Value::Number(number) => Some(number.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const AT: Timestamp = crate::time::EPOCH;

    fn event(source: &str) -> Value {
        json!({
            "version": "1", "triggerSource": source, "region": "us-east-1", "userPoolId": "us-east-1_EXAMPLE",
            "userName": "ann", "callerContext": {"clientId": "1example23456789"},
            "request": {"userAttributes": {
                "sub": "3c9a1b2d-0051-7076-79e2-0123456789ab", "cognito:user_status": "CONFIRMED",
                "cognito:email_alias": "ann@example.com", "email": "ann@example.com", "email_verified": true
            }},
            "response": {}
        })
    }

    #[test]
    fn what_is_in_force_is_carried() {
        for (source, weight) in [
            ("PostConfirmation_ConfirmSignUp", Weight::News),
            ("PostConfirmation_ConfirmForgotPassword", Weight::News),
            ("CustomMessage_SignUp", Weight::News),
            ("CustomMessage_AdminCreateUser", Weight::News),
            (POST_AUTHENTICATION, Weight::Evidence),
            ("CustomMessage_ResendCode", Weight::Evidence),
            ("CustomMessage_ForgotPassword", Weight::Evidence),
            ("CustomMessage_Authentication", Weight::Evidence),
        ] {
            let change = read_trigger(&event(source), "r", AT).unwrap();
            let profile = change.profile.as_ref().unwrap();
            assert_eq!(profile.status.as_deref(), Some("CONFIRMED"));
            assert_eq!(profile.attributes.username.expose(), "ann");
            let values: Vec<_> = profile
                .attributes
                .values
                .iter()
                .map(|(n, v)| (n.as_str(), v.expose()))
                .collect();
            assert_eq!(values, [("email", "ann@example.com"), ("email_verified", "true")]);
            assert_eq!(super::weight(source), weight, "{source}");
            assert_eq!(change.ask(), None);
            assert_eq!(change.is_sign_in(), source == POST_AUTHENTICATION);
            assert_eq!(change.carried().len(), if change.is_sign_in() { 2 } else { 1 });
        }
    }

    #[test]
    fn what_may_not_be_in_force_yet_is_read_later() {
        for source in [
            "CustomMessage_UpdateUserAttribute",
            "CustomMessage_VerifyUserAttribute",
            "PostAuthentication_InventedByAws",
        ] {
            let change = read_trigger(&event(source), "r", AT).unwrap();
            assert_eq!(change.profile, None, "{source}");
            assert_eq!(change.carried(), []);
            assert!(change.ask().is_some());
        }
    }

    #[test]
    fn the_id_is_derived() {
        let id = |source, request: &str| read_trigger(&event(source), request, AT).unwrap().id;
        assert_eq!(id(POST_AUTHENTICATION, "r"), id(POST_AUTHENTICATION, "r"));
        assert_ne!(id(POST_AUTHENTICATION, "r"), id(POST_AUTHENTICATION, "s"));
        assert_ne!(id(POST_AUTHENTICATION, "r"), id("CustomMessage_SignUp", "r"));
    }

    #[test]
    fn a_huge_profile_becomes_a_re_read() {
        let mut huge = event("PostConfirmation_ConfirmSignUp");
        huge["request"]["userAttributes"]["custom:note"] = json!("x".repeat(PROFILE_BYTES_MAX));
        let change = read_trigger(&huge, "r", AT).unwrap();
        assert_eq!(change.profile, None);
        assert!(change.to_body().len() < 1024);
    }

    #[test]
    fn without_subject_there_is_no_change() {
        let cases = [
            (json!("text"), TriggerError::NotAnObject),
            (json!([]), TriggerError::NotAnObject),
            (json!({}), TriggerError::Missing("triggerSource")),
            (
                json!({"triggerSource": "x", "userPoolId": ""}),
                TriggerError::Missing("userPoolId"),
            ),
            (
                json!({"triggerSource": "x", "userPoolId": 7}),
                TriggerError::Missing("userPoolId"),
            ),
            (
                json!({"triggerSource": "x", "userPoolId": "p"}),
                TriggerError::Missing("request.userAttributes"),
            ),
            (
                json!({"triggerSource": "x", "userPoolId": "p", "request": {"userAttributes": []}}),
                TriggerError::Missing("request.userAttributes"),
            ),
            (
                json!({"triggerSource": "x", "userPoolId": "p", "request": {"userAttributes": {"sub": ["a"]}}}),
                TriggerError::Missing("request.userAttributes.sub"),
            ),
        ];
        for (event, expected) in cases {
            assert_eq!(read_trigger(&event, "r", AT), Err(expected), "{event}");
        }
    }

    #[test]
    fn a_nameless_event_is_a_re_read_and_odd_values_are_skipped() {
        let mut nameless = event("PostConfirmation_ConfirmSignUp");
        nameless["userName"] = json!(null);
        assert_eq!(read_trigger(&nameless, "r", AT).unwrap().profile, None);
        let mut odd = event("PostConfirmation_ConfirmSignUp");
        odd["request"]["userAttributes"]["email"] = json!({"a": 1});
        odd["request"]["userAttributes"]["zoneinfo"] = json!(7);
        let profile = read_trigger(&odd, "r", AT).unwrap().profile.unwrap();
        assert_eq!(profile.attributes.values.get("email"), None);
        assert_eq!(profile.attributes.values["zoneinfo"].expose(), "7");
    }
}
