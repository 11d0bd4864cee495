//! The listener: CloudTrail records as fixtures, and one synthetic record for every operation and every oddity known.
//!
//! Invariant: what is expected of a fixture stands here, not in the fixture: those stay as CloudTrail would write them.

use serde_json::{Value, json};
use twinpool_shared::{
    change::{Change, PoolRef, SCHEMA_VERSION, Subject},
    marks::Part,
    operation::{CHANGING_CHALLENGES, Meaning, Nothing, OPERATIONS, SIGN_IN_PAGES},
    time::Timestamp,
    trail::{Heard, Ignored, Listener, read_record, undelivered},
};

use crate::{
    format::read_folder,
    generate::{at, sub},
};

pub(crate) const POOL: &str = "us-east-1_EXAMPLE01";
pub(crate) const CLIENT: &str = "1example23456789";
pub(crate) const HIDDEN: &str = "HIDDEN_DUE_TO_SECURITY_REASONS";
pub(crate) const SUB: &str = "3c9a1b2d-0051-7076-79e2-0123456789ab";

fn listener() -> Listener {
    Listener {
        pools: vec![POOL.to_owned(), "ca-central-1_EXAMPLE01".to_owned()],
        own_roles: vec!["twinpool-importer".to_owned()],
    }
}

pub(crate) fn hear(event: &Value) -> Heard {
    read_record(&listener(), event, at(0))
}

fn change(event: &Value) -> Change {
    match hear(event) {
        Heard::Change(change) => *change,
        Heard::Ignored(why) => panic!("ignored: {why:?}: {event}"),
    }
}

/// A record of an API call with all that it could name.
pub(crate) fn record(name: &str) -> Value {
    json!({"detail-type": "AWS API Call via CloudTrail", "time": "2026-11-20T08:15:31Z", "id": "event", "detail": {
        "eventSource": "cognito-idp.amazonaws.com", "eventType": "AwsApiCall", "eventName": name, "eventID": "id",
        "eventTime": "2026-11-20T08:15:30Z", "readOnly": false,
        "requestParameters": {"userPoolId": POOL, "clientId": CLIENT, "username": HIDDEN, "groupName": "racers"},
        "additionalEventData": {"sub": SUB},
    }})
}

fn with(mut record: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = record
        .pointer_mut(&format!("/detail{parent}"))
        .expect("its parent exists");
    parent[member] = value;
    record
}

fn without(mut record: Value, pointer: &str) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
    let parent = record
        .pointer_mut(&format!("/detail{parent}"))
        .and_then(Value::as_object_mut)
        .expect("it exists");
    parent.remove(member).expect("it was there");
    record
}

pub(crate) fn page(name: &str) -> Value {
    with(record(name), "/eventType", json!("AwsServiceEvent"))
}

pub(crate) fn user(text: &str) -> Subject {
    Subject::User(sub(text))
}

/// What a fixture must come to: pool, subject, and the group that a membership names; or why nothing.
fn expected(name: &str) -> Result<(PoolRef, Subject, Option<&'static str>), Ignored> {
    let pool = || PoolRef::Id(POOL.to_owned());
    let client = || PoolRef::Client(CLIENT.to_owned());
    let racer = || user("0f1e2d3c-ce3a-4282-9f87-000000000001");
    let canadian = || user("7c1dd5a8-0061-70a0-9d0b-1f1d3a5b7c11");
    let group = || Subject::Group("racers".to_owned());
    Ok(match name {
        "admin-add-user-to-group" => (pool(), racer(), Some("racers")),
        "admin-create-user" => (pool(), user(SUB), None),
        "admin-delete-user-failed" | "page-signup-post-failed" => return Err(Ignored::Failed),
        "admin-disable-user" | "admin-update-user-attributes" => (pool(), racer(), None),
        "admin-get-user" | "page-login-get" => return Err(Ignored::Nothing(Nothing::Reads)),
        "admin-set-user-password-other-pool" => return Err(Ignored::OtherPool),
        "admin-update-user-attributes-own-role" => return Err(Ignored::Own),
        "confirm-forgot-password-client-only" | "page-passkeys-add-post" | "respond-new-password" => {
            (client(), user(SUB), None)
        }
        "create-group" | "delete-group" => (pool(), group(), None),
        "create-user-pool-client" => (pool(), Subject::Part(Part::Clients), None),
        "delete-user" => (PoolRef::Any, canadian(), None),
        "initiate-auth-redacted" | "page-login-post" | "respond-password-verifier" => {
            return Err(Ignored::Nothing(Nothing::SignIn));
        }
        "page-confirm-post" | "unknown-operation-with-sub" => (pool(), user(SUB), None),
        "page-signup-post" | "start-user-import-job" | "update-group-hidden-name" => {
            (pool(), Subject::Part(Part::Users), None)
        }
        "set-user-mfa-preference" => (PoolRef::Id("ca-central-1_EXAMPLE01".to_owned()), canadian(), None),
        // The record does not say who signed up.
        "sign-up" => (client(), Subject::Part(Part::Users), None),
        "tag-resource" => (pool(), Subject::Part(Part::Tags), None),
        "unknown-operation-without-sub" | "update-user-pool" => (pool(), Subject::Part(Part::Pool), None),
        other => panic!("{other}: say what it comes to"),
    })
}

#[test]
fn every_fixture_comes_to_what_it_must() {
    let files = read_folder("cloudtrail");
    assert!(files.len() >= 30, "fixtures are kept");
    for (name, body) in files {
        let event: Value = serde_json::from_str(&body).unwrap();
        let detail = &event["detail"];
        let expected = match expected(&name) {
            Err(why) => Heard::Ignored(why),
            Ok((pool, subject, group)) => Heard::Change(Box::new(Change {
                schema_version: SCHEMA_VERSION,
                id: detail["eventID"].as_str().unwrap().to_owned(),
                pool,
                subject,
                cause: detail["eventName"].as_str().unwrap().to_owned(),
                occurred_at: Timestamp::parse(detail["eventTime"].as_str().unwrap()).unwrap(),
                seen_at: at(0),
                group: group.map(str::to_owned),
                profile: None,
                attempt: 0,
            })),
        };
        assert_eq!(hear(&event), expected, "{name}");
    }
}

#[test]
fn every_operation_comes_to_its_meaning() {
    for (name, meaning) in OPERATIONS {
        let expected = match meaning {
            Meaning::Nothing(why) => {
                assert_eq!(hear(&record(name)), Heard::Ignored(Ignored::Nothing(*why)), "{name}");
                continue;
            }
            Meaning::User(_) | Meaning::Factors | Meaning::Challenge => user(SUB),
            Meaning::Group | Meaning::GroupGone => Subject::Group("racers".to_owned()),
            Meaning::Part(part) => Subject::Part(*part),
        };
        let change = change(&record(name));
        assert_eq!((change.subject, change.cause.as_str()), (expected, *name));
        assert_eq!((change.pool, change.id.as_str()), (PoolRef::Id(POOL.to_owned()), "id"));
        let membership = ["AdminAddUserToGroup", "AdminRemoveUserFromGroup"].contains(name);
        assert_eq!(change.group.is_some(), membership, "{name}");

        // Without the sub or the name, only a walk finds whom it was about.
        let nameless = without(
            without(record(name), "/additionalEventData/sub"),
            "/requestParameters/groupName",
        );
        let subject = match meaning {
            Meaning::Part(part) => Subject::Part(*part),
            _ => Subject::Part(Part::Users),
        };
        assert_eq!(self::change(&nameless).subject, subject, "{name}");
    }
}

#[test]
fn redaction_hides_and_never_stops() {
    for member in [
        "requestParameters",
        "responseElements",
        "additionalEventData",
        "userIdentity",
    ] {
        for junk in [
            json!(HIDDEN),
            json!([]),
            json!([HIDDEN]),
            json!({}),
            json!(null),
            json!(7),
        ] {
            let heard = change(&with(record("AdminDeleteUser"), &format!("/{member}"), junk));
            let subject = if member == "additionalEventData" {
                Subject::Part(Part::Users)
            } else {
                user(SUB)
            };
            let pool = if member == "requestParameters" {
                PoolRef::Any
            } else {
                PoolRef::Id(POOL.to_owned())
            };
            assert_eq!((heard.subject, heard.pool), (subject, pool), "{member}");
        }
    }
    for hidden in [HIDDEN, "HIDDEN_FOR_SECURITY_REASONS"] {
        let pool = change(&with(
            record("AdminDeleteUser"),
            "/requestParameters/userPoolId",
            json!(hidden),
        ))
        .pool;
        assert_eq!(pool, PoolRef::Client(CLIENT.to_owned()));
        let no_client = with(record("DeleteUser"), "/requestParameters", json!({"clientId": hidden}));
        assert_eq!(change(&no_client).pool, PoolRef::Any);
        let no_sub = with(record("AdminDeleteUser"), "/additionalEventData/sub", json!(hidden));
        assert_eq!(change(&no_sub).subject, Subject::Part(Part::Users));
        let no_group = with(
            record("AdminAddUserToGroup"),
            "/requestParameters/groupName",
            json!(hidden),
        );
        assert_eq!((change(&no_group).subject, change(&no_group).group), (user(SUB), None));
    }
}

#[test]
fn a_failed_call_is_nothing_and_an_empty_error_is_success() {
    let coded = |code| hear(&with(record("AdminDeleteUser"), "/errorCode", code));
    assert_eq!(coded(json!("UserNotFoundException")), Heard::Ignored(Ignored::Failed));
    for success in [json!(""), json!(null)] {
        assert!(matches!(coded(success), Heard::Change(_)));
    }
}

#[test]
fn other_records_are_not_ours() {
    for other in [
        json!({}),
        json!(null),
        json!([]),
        json!("text"),
        json!({"detail": null}),
        json!({"detail": {"eventName": "AdminDeleteUser"}}),
        with(record("AdminDeleteUser"), "/eventSource", json!("iam.amazonaws.com")),
        with(record("AdminDeleteUser"), "/eventName", json!("")),
        without(record("AdminDeleteUser"), "/eventName"),
    ] {
        assert_eq!(hear(&other), Heard::Ignored(Ignored::NotCognito), "{other}");
    }
}

#[test]
fn an_operation_that_aws_adds_is_heard() {
    let unknown = record("AdminInventedByAws");
    assert_eq!(change(&unknown).subject, user(SUB));
    assert_eq!(
        change(&without(unknown.clone(), "/additionalEventData/sub")).subject,
        Subject::Part(Part::Pool)
    );
    let reads = with(unknown.clone(), "/readOnly", json!(true));
    assert_eq!(hear(&reads), Heard::Ignored(Ignored::Nothing(Nothing::Reads)));
    for odd in [json!("true"), json!(1), json!(null), json!(false)] {
        assert!(matches!(
            hear(&with(unknown.clone(), "/readOnly", odd)),
            Heard::Change(_)
        ));
    }
    // The table is believed more than the flag.
    let known = with(record("AdminDeleteUser"), "/readOnly", json!(true));
    assert!(matches!(hear(&known), Heard::Change(_)));
}

#[test]
fn pages_are_judged_by_their_name() {
    assert_eq!(
        hear(&page("Login_GET")),
        Heard::Ignored(Ignored::Nothing(Nothing::Reads))
    );
    for name in SIGN_IN_PAGES {
        assert_eq!(
            hear(&page(name)),
            Heard::Ignored(Ignored::Nothing(Nothing::SignIn)),
            "{name}"
        );
    }
    for name in ["Confirm_POST", "passkeys_add_POST", "InventedPage", "AdminGetUser"] {
        assert_eq!(change(&page(name)).subject, user(SUB), "{name}");
        assert_eq!(
            change(&without(page(name), "/additionalEventData/sub")).subject,
            Subject::Part(Part::Users),
            "{name}"
        );
    }
    let arrays = with(
        page("Confirm_POST"),
        "/additionalEventData",
        json!({"requestParameters": {"sub": [SUB]}}),
    );
    assert_eq!(change(&arrays).subject, user(SUB));
}

#[test]
fn own_writes_are_recognised_by_role() {
    let by = |identity| hear(&with(record("AdminUpdateUserAttributes"), "/userIdentity", identity));
    let issuer = |name: &str| json!({"sessionContext": {"sessionIssuer": {"userName": name}}});
    let arn = |arn: &str| json!({"arn": arn});
    let own = Heard::Ignored(Ignored::Own);
    assert_eq!(by(issuer("twinpool-importer")), own);
    assert_eq!(
        by(arn("arn:aws:sts::123456789012:assumed-role/twinpool-importer/apply")),
        own
    );
    for others in [
        issuer("operators"),
        issuer("twinpool-importer-2"),
        arn("arn:aws:sts::123456789012:assumed-role/operators/twinpool-importer"),
        arn("arn:aws:iam::123456789012:user/twinpool-importer"),
        json!({"type": "Unknown", "principalId": "Anonymous"}),
    ] {
        assert!(matches!(by(others.clone()), Heard::Change(_)), "{others}");
    }
    // A call that failed is counted as that, whoever made it.
    let failed = with(
        with(record("SignUp"), "/userIdentity", issuer("twinpool-importer")),
        "/errorCode",
        json!("X"),
    );
    assert_eq!(hear(&failed), Heard::Ignored(Ignored::Failed));
}

#[test]
fn the_pool_is_found_wherever_it_stands() {
    let bare = |member: &str, value: Value| {
        with(
            with(record("DeleteUser"), "/requestParameters", json!(null)),
            member,
            value,
        )
    };
    let ours = PoolRef::Id(POOL.to_owned());
    assert_eq!(change(&bare("/additionalEventData/userPoolId", json!(POOL))).pool, ours);
    assert_eq!(
        change(&bare("/responseElements", json!({"userPool": {"id": POOL}}))).pool,
        ours
    );
    let arn = |id: &str| json!({"resourceArn": format!("arn:aws:cognito-idp:us-east-1:123456789012:userpool/{id}")});
    assert_eq!(change(&bare("/requestParameters", arn(POOL))).pool, ours);
    assert_eq!(
        change(&bare("/requestParameters", json!({"resourceArn": "arn:aws:other"}))).pool,
        PoolRef::Any
    );
    assert_eq!(
        change(&bare("/requestParameters", json!({"clientId": CLIENT}))).pool,
        PoolRef::Client(CLIENT.to_owned())
    );
    let paged = json!({"requestParameters": {"client_id": [CLIENT]}});
    assert_eq!(
        change(&bare("/additionalEventData", paged)).pool,
        PoolRef::Client(CLIENT.to_owned())
    );
    for other in [
        bare("/additionalEventData/userPoolId", json!("us-east-1_OTHER0001")),
        bare("/responseElements", json!({"userPool": {"id": "us-east-1_OTHER0001"}})),
        bare("/requestParameters", arn("us-east-1_OTHER0001")),
    ] {
        assert_eq!(hear(&other), Heard::Ignored(Ignored::OtherPool), "{other}");
    }
    // What the call itself names goes before what surrounds it.
    let both = with(
        record("DeleteUser"),
        "/additionalEventData/userPoolId",
        json!("us-east-1_OTHER0001"),
    );
    assert_eq!(change(&both).pool, ours);
}

#[test]
fn challenges_count_when_they_set_something() {
    for name in ["RespondToAuthChallenge", "AdminRespondToAuthChallenge"] {
        let answered = |challenge| hear(&with(record(name), "/requestParameters/challengeName", challenge));
        for challenge in CHANGING_CHALLENGES {
            assert!(matches!(answered(json!(challenge)), Heard::Change(_)), "{challenge}");
        }
        for unclear in [json!(HIDDEN), json!(""), json!(null), json!(["SMS_MFA"])] {
            assert!(matches!(answered(unclear.clone()), Heard::Change(_)), "{unclear}");
        }
        for sign_in in [
            "PASSWORD_VERIFIER",
            "SMS_MFA",
            "SOFTWARE_TOKEN_MFA",
            "CUSTOM_CHALLENGE",
            "WEB_AUTHN",
        ] {
            assert_eq!(
                answered(json!(sign_in)),
                Heard::Ignored(Ignored::Nothing(Nothing::SignIn)),
                "{sign_in}"
            );
        }
    }
    // Only challenges have a challenge's name.
    let other = with(
        record("AdminDeleteUser"),
        "/requestParameters/challengeName",
        json!("SMS_MFA"),
    );
    assert!(matches!(hear(&other), Heard::Change(_)));
}

#[test]
fn times_and_ids_have_fallbacks() {
    let plain = record("AdminDeleteUser");
    assert_eq!(
        change(&plain).occurred_at,
        Timestamp::parse("2026-11-20T08:15:30Z").unwrap()
    );
    let timeless = without(plain.clone(), "/eventTime");
    assert_eq!(
        change(&timeless).occurred_at,
        Timestamp::parse("2026-11-20T08:15:31Z").unwrap()
    );
    let mut malformed = with(plain.clone(), "/eventTime", json!("yesterday"));
    malformed["time"] = json!("2026-02-30T00:00:00Z");
    assert_eq!(
        change(&malformed).occurred_at,
        at(0),
        "when it was seen is the best that is left"
    );
    assert_eq!(change(&malformed).seen_at, at(0));

    let mut nameless = without(plain, "/eventID");
    assert_eq!(change(&nameless).id, "event");
    nameless["id"] = json!("");
    let derived = change(&nameless).id;
    assert_eq!(
        (derived.len(), change(&nameless).id),
        (64, derived.clone()),
        "derived, not random"
    );
    assert_ne!(change(&with(nameless, "/eventName", json!("DeleteUser"))).id, derived);
}

#[test]
fn hostile_subs_are_nobodys() {
    for hostile in ["\" or sub = \"a", "a b", "a#b", "ä", "a\u{0}", &"a".repeat(200)] {
        let heard = change(&with(
            record("AdminDeleteUser"),
            "/additionalEventData/sub",
            json!(hostile),
        ));
        assert_eq!(heard.subject, Subject::Part(Part::Users), "{hostile}");
    }
    // The next place is asked.
    let mut second = with(record("SignUp"), "/additionalEventData/sub", json!("a b"));
    second = with(second, "/responseElements", json!({"userSub": SUB}));
    assert_eq!(change(&second).subject, user(SUB));
}

#[test]
fn an_event_that_the_listener_could_not_take_is_found_in_its_envelope() {
    let event = record("AdminDeleteUser");
    let envelope = json!({
        "version": "1.0", "timestamp": "2026-11-20T08:20:00.000Z",
        "requestContext": {
            "requestId": "r", "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:admin-events:$LATEST",
            "condition": "RetriesExhausted", "approximateInvokeCount": 3,
        },
        "requestPayload": event, "responseContext": {"statusCode": 200, "functionError": "Unhandled"}, "responsePayload": null,
    });
    assert_eq!(undelivered(&envelope.to_string()), Some(event.clone()));
    let broken = |pointer: &str, value: Value| {
        let mut envelope = envelope.clone();
        *envelope.pointer_mut(pointer).unwrap() = value;
        envelope.to_string()
    };
    for other in [
        String::new(),
        "{".to_owned(),
        event.to_string(),
        broken("/requestContext/functionArn", json!("")),
        broken("/requestContext", json!(HIDDEN)),
        broken("/requestPayload", json!({"triggerSource": "x"})),
        broken("/requestPayload", json!("text")),
    ] {
        assert_eq!(undelivered(&other), None, "{other}");
    }
}
