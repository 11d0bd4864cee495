//! From a CloudTrail record, as EventBridge delivers it, to a change.
//!
//! A record names the `sub` and never a value; redaction replaces whole objects by a text. So a record is a signal, "re-read
//! this subject", and is read leniently. Delivery is best effort and unordered; eventTime has whole seconds.
//!
//! Invariant: a mutating call about a configured pool that succeeded is never dropped without a reason in [`Ignored`].

use serde_json::Value;

use crate::{
    canon::content_hash,
    change::{Change, PoolRef, SCHEMA_VERSION, Subject},
    marks::Part,
    operation::{CHANGING_CHALLENGES, Expect, Meaning, Nothing, meaning, meaning_of_page, meaning_of_unknown},
    personal::Sub,
    time::Timestamp,
};

/// Whose records are heard.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listener {
    /// Configured pool ids.
    pub pools: Vec<String>,
    /// Names of Twinpool's own roles, whose writes to a pool come from the backup.
    pub own_roles: Vec<String>,
}

/// Errors of calls that changed the user before they failed: a trigger refused afterwards, or the message could not be sent.
/// To be confirmed on a real account; a re-read too many is the price.
const CHANGED_ALL_THE_SAME: [&str; 4] = [
    "CodeDeliveryFailureException",
    "InvalidLambdaResponseException",
    "UnexpectedLambdaException",
    "UserLambdaValidationException",
];

/// Why a record is no change. Each is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Ignored {
    /// Not a record of a Cognito user pool call.
    NotCognito,
    /// The call failed.
    Failed,
    /// Twinpool's own write.
    Own,
    /// Another pool of the account.
    OtherPool,
    /// It needs nothing from the backup.
    Nothing(Nothing),
}

impl Ignored {
    /// Name in metrics and logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotCognito => "not_cognito",
            Self::Failed => "call_failed",
            Self::Own => "own_write",
            Self::OtherPool => "other_pool",
            Self::Nothing(Nothing::Reads) => "reads",
            Self::Nothing(Nothing::NotReadable) => "not_readable",
            Self::Nothing(Nothing::Starts) => "starts",
            Self::Nothing(Nothing::SignIn) => "sign_in",
        }
    }
}

/// What a record came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A change for the queue.
    Change(Box<Change>),
    /// Nothing, with the reason.
    Ignored(Ignored),
}

/// Reads one EventBridge event.
#[must_use]
pub fn read_record(listener: &Listener, event: &Value, seen_at: Timestamp) -> Heard {
    let detail = event.get("detail").unwrap_or(&Value::Null);
    let Some(name) =
        text(detail, "/eventName").filter(|_| text(detail, "/eventSource") == Some("cognito-idp.amazonaws.com"))
    else {
        return Heard::Ignored(Ignored::NotCognito);
    };
    if text(detail, "/errorCode").is_some_and(|code| !CHANGED_ALL_THE_SAME.contains(&code)) {
        return Heard::Ignored(Ignored::Failed);
    }
    if role(detail).is_some_and(|role| listener.own_roles.iter().any(|own| own == role)) {
        return Heard::Ignored(Ignored::Own);
    }
    let sub = subject_sub(detail);
    let meaning = record_meaning(detail, name, sub.is_some());
    if let Meaning::Nothing(why) = meaning {
        return Heard::Ignored(Ignored::Nothing(why));
    }
    let pool = pool(detail);
    if matches!(&pool, PoolRef::Id(id) if !listener.pools.contains(id)) {
        return Heard::Ignored(Ignored::OtherPool);
    }
    let group = text(detail, "/requestParameters/groupName")
        .filter(|name| !is_hidden(name))
        .map(str::to_owned);
    let subject = match (meaning, sub, &group) {
        (Meaning::Group | Meaning::GroupGone, _, Some(name)) => Subject::Group(name.clone()),
        (Meaning::Part(part), ..) => Subject::Part(part),
        (Meaning::User(_) | Meaning::Factors | Meaning::Challenge, Some(sub), _) => Subject::User(sub),
        // A group or user that the record does not name: only a walk of the pool finds it.
        _ => Subject::Part(Part::Users),
    };
    let occurred_at = text(detail, "/eventTime")
        .or(text(event, "/time"))
        .and_then(Timestamp::parse)
        .unwrap_or(seen_at);
    let id = text(detail, "/eventID")
        .or(text(event, "/id"))
        .map_or_else(|| content_hash(detail).to_string(), str::to_owned);
    let group = group.filter(|_| matches!(meaning, Meaning::User(Expect::Member(_))));
    Heard::Change(Box::new(Change {
        schema_version: SCHEMA_VERSION,
        id,
        pool,
        subject,
        cause: name.to_owned(),
        occurred_at,
        seen_at,
        group,
        profile: None,
        attempt: 0,
    }))
}

/// The event inside the envelope that Lambda sends to the dead-letter queue when the listener failed to the last retry
/// (an on-failure destination's record), so that redriving it replays the event.
#[must_use]
pub fn undelivered(body: &str) -> Option<Value> {
    let mut envelope: Value = serde_json::from_str(body).ok()?;
    let from_lambda = text(&envelope, "/requestContext/functionArn").is_some();
    let event = envelope.get_mut("requestPayload").map(Value::take)?;
    (from_lambda && event.get("detail").is_some()).then_some(event)
}

/// The table's meaning, corrected by what the record itself shows.
fn record_meaning(detail: &Value, name: &str, names_user: bool) -> Meaning {
    if text(detail, "/eventType") == Some("AwsServiceEvent") {
        return meaning_of_page(name, names_user);
    }
    match meaning(name) {
        Some(Meaning::Challenge) => match text(detail, "/requestParameters/challengeName") {
            // PASSWORD_VERIFIER ends every SRP sign-in; a re-read for each would eat the UserList quota.
            Some(challenge) if !is_hidden(challenge) && !CHANGING_CHALLENGES.contains(&challenge) => {
                Meaning::Nothing(Nothing::SignIn)
            }
            _ => Meaning::Challenge,
        },
        Some(known) => known,
        None if detail.get("readOnly") == Some(&Value::Bool(true)) => Meaning::Nothing(Nothing::Reads),
        None => meaning_of_unknown(names_user),
    }
}

fn subject_sub(detail: &Value) -> Option<Sub> {
    let places = [
        "/additionalEventData/sub",
        "/additionalEventData/requestParameters/sub/0",
        "/responseElements/userSub",
    ];
    places
        .iter()
        .filter_map(|place| text(detail, place))
        .filter(|sub| !is_hidden(sub))
        .find_map(Sub::new)
}

fn pool(detail: &Value) -> PoolRef {
    let places = [
        "/requestParameters/userPoolId",
        "/additionalEventData/userPoolId",
        "/responseElements/userPool/id",
    ];
    let arn = ["/requestParameters/resourceArn"]
        .iter()
        .filter_map(|place| text(detail, place));
    let arn = arn.filter_map(|arn| arn.rsplit_once(":userpool/").map(|(_, id)| id));
    let id = places
        .iter()
        .filter_map(|place| text(detail, place))
        .chain(arn)
        .find(|id| !is_hidden(id));
    let clients = [
        "/requestParameters/clientId",
        "/additionalEventData/requestParameters/client_id/0",
    ];
    let client = || {
        clients
            .iter()
            .filter_map(|place| text(detail, place))
            .find(|id| !is_hidden(id))
    };
    match (id, client()) {
        (Some(id), _) => PoolRef::Id(id.to_owned()),
        (None, Some(client)) => PoolRef::Client(client.to_owned()),
        (None, None) => PoolRef::Any,
    }
}

/// Name of the role whose session made the call.
fn role(detail: &Value) -> Option<&str> {
    let assumed = text(detail, "/userIdentity/arn").and_then(|arn| arn.split_once(":assumed-role/"));
    let assumed = assumed.and_then(|(_, rest)| rest.split('/').next());
    text(detail, "/userIdentity/sessionContext/sessionIssuer/userName").or(assumed)
}

/// A non-empty text at a JSON pointer. Empty means absent: service events have `"errorCode": ""` on success.
fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value
        .pointer(pointer)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// AWS writes `HIDDEN_DUE_TO_SECURITY_REASONS`; its guide says `HIDDEN_FOR_SECURITY_REASONS`.
fn is_hidden(text: &str) -> bool {
    text.starts_with("HIDDEN_")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn reasons_have_names_of_their_own() {
        let nothing = [Nothing::Reads, Nothing::NotReadable, Nothing::Starts, Nothing::SignIn].map(Ignored::Nothing);
        let all = [Ignored::NotCognito, Ignored::Failed, Ignored::Own, Ignored::OtherPool]
            .into_iter()
            .chain(nothing);
        let names: Vec<_> = all.map(Ignored::as_str).collect();
        let expected = [
            "not_cognito",
            "call_failed",
            "own_write",
            "other_pool",
            "reads",
            "not_readable",
            "starts",
            "sign_in",
        ];
        assert_eq!(names, expected);
    }

    #[test]
    fn a_text_is_there_or_not() {
        let value = json!({"a": {"b": ["", "x"]}, "n": 7, "o": {}});
        assert_eq!(text(&value, "/a/b/1"), Some("x"));
        for absent in ["/a/b/0", "/a/b/2", "/a/b", "/n", "/o", "/p/q", ""] {
            assert_eq!(text(&value, absent), None, "{absent}");
        }
    }

    #[test]
    fn hidden_is_what_starts_so() {
        assert!(is_hidden("HIDDEN_DUE_TO_SECURITY_REASONS") && is_hidden("HIDDEN_FOR_SECURITY_REASONS"));
        assert!(!is_hidden("hidden") && !is_hidden("us-east-1_HIDDEN_") && !is_hidden(""));
    }

    #[test]
    fn the_issuer_goes_before_the_session() {
        let arn = "arn:aws:sts::123456789012:assumed-role/session-role/session";
        let both = json!({"userIdentity": {"arn": arn, "sessionContext": {"sessionIssuer": {"userName": "issuer"}}}});
        assert_eq!(role(&both), Some("issuer"));
        assert_eq!(role(&json!({"userIdentity": {"arn": arn}})), Some("session-role"));
        assert_eq!(
            role(&json!({"userIdentity": {"arn": "arn:aws:iam::123456789012:root"}})),
            None
        );
        assert_eq!(role(&json!({})), None);
    }
}
