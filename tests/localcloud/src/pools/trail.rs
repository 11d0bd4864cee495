//! CloudTrail records, redacted as AWS redacts them.
//!
//! Invariant: no user name, attribute, password, code, token or session gets into a record: the whole member becomes the text
//! `HIDDEN_DUE_TO_SECURITY_REASONS`. A `sub` stands only where real records were seen to have it.

use serde_json::{Map, Value, json};

use super::operations::{Auth, Operation};
use super::random::Random;
use super::request::{Effects, lower_first};
use super::{ApiError, Call, TrailRecord};

/// What AWS puts in place of a sensitive member.
pub const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";

/// Members that are hidden wherever they stand, in requests and in answers.
const SENSITIVE: &[&str] = &[
    "AccessToken",
    "AnalyticsMetadata",
    "Attributes",
    "AttributesToGet",
    "AuthParameters",
    "AuthenticationResult",
    "ChallengeParameters",
    "ChallengeResponses",
    "ClientMetadata",
    "ClientSecret",
    "ClientSecretValue",
    "Code",
    "ConfirmationCode",
    "ContextData",
    "Destination",
    "DestinationUser",
    "Filter",
    "FriendlyDeviceName",
    "NextToken",
    "PaginationToken",
    "Password",
    "PreSignedUrl",
    "PreviousPassword",
    "ProposedPassword",
    "ProviderDetails",
    "SecretCode",
    "SecretHash",
    "Session",
    "SourceUser",
    "TemporaryPassword",
    "Token",
    "User",
    "UserAttributeNames",
    "UserAttributes",
    "UserCode",
    "UserContextData",
    "Username",
    "ValidationData",
];

fn redact(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            // The answer of SignUp is seen without the sub that the API returns.
            .filter(|(key, _)| *key != "UserSub")
            .map(|(key, value)| {
                let shown = if SENSITIVE.contains(&key.as_str()) {
                    json!(HIDDEN)
                } else {
                    redact(value)
                };
                (lower_first(key), shown)
            })
            .collect::<Map<String, Value>>()
            .into(),
        Value::Array(list) => list.iter().map(redact).collect(),
        other => other.clone(),
    }
}

/// RFC 3339 in whole seconds: records know no finer time.
fn event_time(now_millis: i64) -> String {
    jiff::Timestamp::from_second(now_millis.div_euclid(1000))
        .map(|time| time.to_string())
        .unwrap_or_default()
}

fn identity(caller: Option<&str>, account: &str, time: &str) -> Value {
    let Some(arn) = caller else {
        return json!({ "type": "Unknown", "principalId": "Anonymous" });
    };
    let Some((role, session)) = arn
        .split_once(":assumed-role/")
        .and_then(|(_, rest)| rest.split_once('/'))
    else {
        let name = arn.rsplit('/').next().unwrap_or_default();
        return json!({ "type": "IAMUser", "principalId": "AIDALOCALCLOUD", "arn": arn, "accountId": account, "userName": name });
    };
    json!({
        "type": "AssumedRole",
        "principalId": format!("AROALOCALCLOUD:{session}"),
        "arn": arn,
        "accountId": account,
        "accessKeyId": "ASIALOCALCLOUD",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROALOCALCLOUD",
                "arn": format!("arn:aws:iam::{account}:role/{role}"),
                "accountId": account,
                "userName": role,
            },
            "webIdFederationData": {},
            "attributes": { "creationDate": time, "mfaAuthenticated": "false" },
        },
    })
}

/// The records of one finished call.
pub(crate) fn records(
    call: &Call,
    operation: &Operation,
    effects: &Effects,
    answer: &Result<Value, ApiError>,
    now: i64,
    (account, random): (&str, &mut Random),
) -> Vec<TrailRecord> {
    let region = effects
        .pool
        .as_ref()
        .map(|(region, _)| region.clone())
        .or_else(|| call.region.clone());
    // A call that names neither a Region nor a known client reaches no trail.
    let Some(region) = region else {
        return Vec::new();
    };
    let common = Common {
        region,
        account,
        time: event_time(now),
    };
    match operation.service_events {
        // What is no call of Cognito at all.
        [] if operation.name.starts_with("Localcloud") => Vec::new(),
        [] => vec![api_call(call, operation, effects, answer, &common, random)],
        events => events
            .iter()
            .map(|event| service_event(event, effects, answer, &common, random))
            .collect(),
    }
}

struct Common<'a> {
    region: String,
    account: &'a str,
    time: String,
}

impl Common<'_> {
    fn record(&self, name: &str, event_type: &str, random: &mut Random) -> Map<String, Value> {
        let base = json!({
            "eventVersion": "1.11",
            "eventTime": self.time,
            "eventSource": "cognito-idp.amazonaws.com",
            "eventName": name,
            "awsRegion": self.region,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "localcloud",
            "requestParameters": null,
            "responseElements": null,
            "requestID": random.uuid(),
            "eventID": random.uuid(),
            "readOnly": false,
            "eventType": event_type,
            "managementEvent": true,
            "recipientAccountId": self.account,
            "eventCategory": "Management",
        });
        match base {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }
}

fn api_call(
    call: &Call,
    operation: &Operation,
    effects: &Effects,
    answer: &Result<Value, ApiError>,
    common: &Common<'_>,
    random: &mut Random,
) -> TrailRecord {
    let mut record = common.record(operation.name, "AwsApiCall", random);
    let caller = call.caller.as_deref().filter(|_| operation.auth == Auth::Signed);
    record.insert("userIdentity".into(), identity(caller, common.account, &common.time));
    record.insert("requestParameters".into(), redact(&call.input));
    record.insert("readOnly".into(), json!(!operation.mutates));
    match answer {
        Ok(body) if operation.mutates && body.as_object().is_some_and(|map| !map.is_empty()) => {
            record.insert("responseElements".into(), redact(body));
        }
        Ok(_) => {}
        Err(error) => {
            record.insert("errorCode".into(), json!(error.code));
            record.insert("errorMessage".into(), json!(error.message));
        }
    }
    // The one real SignUp record that was published has no sub.
    if let Some(sub) = effects.sub.as_ref().filter(|_| operation.name != "SignUp") {
        let mut data = Map::from_iter([("sub".to_owned(), json!(sub))]);
        if let (Auth::Token, Some((_, pool))) = (operation.auth, &effects.pool) {
            data.insert("userPoolId".into(), json!(pool));
        }
        record.insert("additionalEventData".into(), Value::Object(data));
    }
    TrailRecord {
        detail_type: "AWS API Call via CloudTrail".to_owned(),
        region: common.region.clone(),
        detail: Value::Object(record),
    }
}

/// A record of the hosted pages; `Login_GET` is documented without the pool, only `Confirm_POST` with the `sub`.
fn service_event(
    name: &str,
    effects: &Effects,
    answer: &Result<Value, ApiError>,
    common: &Common<'_>,
    random: &mut Random,
) -> TrailRecord {
    let mut record = common.record(name, "AwsServiceEvent", random);
    record.insert("userIdentity".into(), json!({ "accountId": common.account }));
    let mut parameters = Map::new();
    parameters.extend(
        effects
            .client
            .as_ref()
            .map(|client| ("client_id".to_owned(), json!([client]))),
    );
    if name.ends_with("_POST") {
        parameters.insert("username".into(), json!([HIDDEN]));
    }
    if name == "Signup_POST" {
        parameters.insert("password".into(), json!([HIDDEN]));
    }
    if name == "Confirm_POST" {
        parameters.insert("code".into(), json!([HIDDEN]));
        parameters.extend(effects.sub.as_ref().map(|sub| ("sub".to_owned(), json!([sub]))));
    }
    let status = if name == "Login_GET" { 200.0 } else { 302.0 };
    let mut data = Map::new();
    data.insert(
        "responseParameters".into(),
        json!({ "status": if answer.is_ok() { status } else { 400.0 } }),
    );
    data.insert("requestParameters".into(), Value::Object(parameters));
    data.insert(
        "userPoolDomain".into(),
        json!(format!("localcloud.auth.{}.amazoncognito.com", common.region)),
    );
    if let Some((_, pool)) = effects.pool.as_ref().filter(|_| name != "Login_GET") {
        data.insert("userPoolId".into(), json!(pool));
    }
    record.insert("additionalEventData".into(), Value::Object(data));
    record.insert(
        "errorCode".into(),
        json!(
            answer
                .as_ref()
                .err()
                .map(|error| error.code.as_str())
                .unwrap_or_default()
        ),
    );
    record.insert(
        "serviceEventDetails".into(),
        json!({ "serviceAccountId": "111122223333" }),
    );
    TrailRecord {
        detail_type: "AWS Service Event via CloudTrail".to_owned(),
        region: common.region.clone(),
        detail: Value::Object(record),
    }
}
