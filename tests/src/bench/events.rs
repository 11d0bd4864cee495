//! What Cognito, CloudTrail and SQS would send, for any number of users.
//!
//! Invariant: changes are made by the product's own readers of those events, so a bench feeds what production would.

use bytes::Bytes;
use serde_json::{Value, json};
use twinpool_shared::{
    change::Change,
    time::Timestamp,
    trail::{Heard, Listener, read_record},
    trigger::read_trigger,
};

use crate::stack::Failure;

/// A source whose profile is news: a user's first appearance.
pub const CONFIRMED: &str = "PostConfirmation_ConfirmSignUp";
/// A source whose profile is news, for a user who is known already.
pub const RESET: &str = "PostConfirmation_ConfirmForgotPassword";

/// The present.
#[expect(clippy::disallowed_methods, reason = "a bench is the clock of what it measures")]
#[must_use]
pub fn now() -> Timestamp {
    let since_1970 = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    Timestamp::from_millis(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

/// The `sub` of an invented user; spread over the whole range, as real ones are.
#[must_use]
pub fn sub(user: usize) -> String {
    let number = u64::try_from(user).unwrap_or(u64::MAX);
    format!(
        "{:08x}-0051-7076-79e2-{number:012x}",
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32
    )
}

/// A trigger's event with ten attributes, as a well-filled profile has; `name` differs from update to update.
#[must_use]
pub fn trigger_event(source: &str, pool: &str, user: usize, name: &str) -> Value {
    json!({
        "version": "1", "triggerSource": source, "region": "us-east-1", "userPoolId": pool,
        "userName": format!("user-{user}"),
        "callerContext": {"awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": "1example23456789"},
        "request": {"userAttributes": {
            "sub": sub(user), "cognito:user_status": "CONFIRMED", "email": format!("user-{user}@example.com"),
            "email_verified": "true", "phone_number": format!("+1555{user:07}"), "phone_number_verified": "true",
            "name": name, "given_name": "Given", "family_name": "Family", "locale": "en-US", "zoneinfo": "Europe/Vienna",
            "custom:plan": "basic"
        }},
        "response": {}
    })
}

/// The change that the trigger makes of that event, received at `at`.
///
/// # Errors
/// When the product does not read it.
pub fn carried(source: &str, pool: &str, user: usize, name: &str, at: Timestamp) -> Result<Change, Failure> {
    let request_id = format!("{source}-{user}-{name}");
    read_trigger(&trigger_event(source, pool, user, name), &request_id, at)
        .map_err(|error| Failure::new("a trigger's event", error))
}

/// The EventBridge event of an administrator's call about the user with this `sub`, numbered so that no two are the same.
#[must_use]
pub fn record(call: &str, pool: &str, sub: &str, number: usize, at: Timestamp) -> Value {
    json!({
        "version": "0", "id": format!("33333333-3333-4333-8333-{number:012}"),
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.cognito-idp",
        "account": "111122223333", "region": "us-east-1", "resources": [],
        "detail": {
            "eventVersion": "1.11", "eventSource": "cognito-idp.amazonaws.com", "eventName": call, "eventType": "AwsApiCall",
            // Whole seconds, as CloudTrail has.
            "eventTime": at.second_start().to_string(), "eventID": format!("44444444-4444-4444-8444-{number:012}"),
            "awsRegion": "us-east-1", "readOnly": false, "managementEvent": true, "eventCategory": "Management",
            "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/admin/bench"},
            "requestParameters": {"userPoolId": pool, "username": "HIDDEN_DUE_TO_SECURITY_REASONS",
                "userAttributes": "HIDDEN_DUE_TO_SECURITY_REASONS"},
            "responseElements": null, "additionalEventData": {"sub": sub}
        }
    })
}

/// The change that the listener makes of such a record.
///
/// # Errors
/// When the product ignores it.
pub fn heard(call: &str, pool: &str, sub: &str, number: usize, at: Timestamp) -> Result<Change, Failure> {
    let listener = Listener {
        pools: vec![pool.to_owned()],
        own_roles: Vec::new(),
    };
    match read_record(&listener, &record(call, pool, sub, number, at), at) {
        Heard::Change(change) => Ok(*change),
        Heard::Ignored(why) => Err(Failure::new("a CloudTrail record is ignored", why.as_str())),
    }
}

/// The event of an SQS event source mapping: pairs of message id and body.
#[must_use]
pub fn batch<'a>(messages: impl IntoIterator<Item = (String, &'a str)>) -> Bytes {
    let record = |(id, body): (String, &str)| {
        json!({
            "messageId": id, "receiptHandle": format!("receipt of {id}"), "body": body,
            "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "1763856000000",
                "SenderId": "AIDAEXAMPLE", "ApproximateFirstReceiveTimestamp": "1763856000001"},
            "messageAttributes": {}, "md5OfBody": "fafb00f5732ab283681e124bf8747ed1", "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:111122223333:changes", "awsRegion": "us-east-1"
        })
    };
    let records: Vec<Value> = messages.into_iter().map(record).collect();
    Bytes::from(json!({"Records": records}).to_string())
}

#[cfg(test)]
mod tests {
    use twinpool_shared::change::Subject;

    use super::*;

    #[test]
    fn the_product_reads_what_is_invented() {
        let change = carried(CONFIRMED, "us-east-1_A", 7, "n", now()).unwrap();
        assert!(change.profile.is_some());
        let change = heard("AdminUpdateUserAttributes", "us-east-1_A", &sub(7), 1, now()).unwrap();
        assert!(matches!(change.subject, Subject::User(found) if found.as_str() == sub(7)));
        assert!(heard("AdminGetUser", "us-east-1_A", &sub(7), 1, now()).is_err());
        let subs: std::collections::BTreeSet<_> = (0..20_000).map(sub).collect();
        assert_eq!(subs.len(), 20_000);
    }
}
