//! The listener once more: records that nobody foresaw.
//!
//! Invariant: a call that succeeded and changes a configured pool is heard, however little its record says.

use proptest::{option, prelude::*, sample};
use serde_json::{Value, json};
use twinpool_shared::{
    change::{Change, PoolRef, Subject},
    operation::{CHANGING_CHALLENGES, Meaning, OPERATIONS, SIGN_IN_PAGES, meaning},
    trail::Heard,
};

use crate::{
    generate::{cases, json},
    trail::{CLIENT, HIDDEN, POOL, SUB, hear, page, record, user},
};

/// Names of calls and pages that change something, and whether the record is a service event.
fn mutating() -> impl Strategy<Value = (String, bool)> {
    let known = OPERATIONS
        .iter()
        .filter(|(_, meaning)| !matches!(meaning, Meaning::Nothing(_)))
        .map(|(name, _)| *name);
    prop_oneof![
        4 => sample::select(known.collect::<Vec<_>>()).prop_map(|name| (name.to_owned(), false)),
        1 => "[A-Z][a-z]{3,9}".prop_filter("not in the table", |name| meaning(name).is_none()).prop_map(|name| (name, false)),
        1 => "[A-Z][a-z]{3,9}_POST".prop_filter("no sign-in", |name| !SIGN_IN_PAGES.contains(&name.as_str()))
            .prop_map(|name| (name, true)),
    ]
}

/// What may stand where a text should be.
fn odd() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        Just(json!("")),
        Just(json!(HIDDEN)),
        Just(json!(7)),
        Just(json!([])),
        Just(json!({})),
        Just(json!("\" or sub = \"a")),
    ]
}

proptest! {
    #![proptest_config(cases(1_500))]

    #[test]
    fn nothing_panics(event in json(), detail in json()) {
        hear(&event);
        hear(&json!({"detail": &detail}));
        if let Value::Object(mut members) = detail {
            members.insert("eventSource".to_owned(), json!("cognito-idp.amazonaws.com"));
            members.entry("eventName").or_insert_with(|| json!("AdminDeleteUser"));
            if let Heard::Change(change) = hear(&json!({"detail": members})) {
                prop_assert_eq!(Change::parse(&change.to_body()), Ok(*change), "what is heard passes the queue");
            }
        }
    }

    #[test]
    fn what_changes_a_pool_is_heard(
        (name, service) in mutating(),
        pool in prop_oneof![Just(json!(POOL)), odd()],
        client in prop_oneof![Just(json!(CLIENT)), odd()],
        sub in prop_oneof![Just(json!(SUB)), odd()],
        group in prop_oneof![Just(json!("racers")), odd()],
        challenge in prop_oneof![sample::select(&CHANGING_CHALLENGES[..]).prop_map(|name| json!(name)), odd()],
        error in sample::select(vec![json!(null), json!("")]),
        whole in option::of((sample::select(&["requestParameters", "additionalEventData", "userIdentity", "responseElements"][..]), odd())),
        time in odd(),
    ) {
        // A challenge whose name is no name at all is not known to be a sign-in only.
        let challenge = if challenge == json!("\" or sub = \"a") { json!(null) } else { challenge };
        let mut event = record(&name);
        if service {
            event = page(&name);
        }
        // Not the odd text here: as a pool's id it names another pool.
        let pool = if pool == json!("\" or sub = \"a") { json!(null) } else { pool };
        event["detail"]["requestParameters"] =
            json!({"userPoolId": pool, "clientId": client, "groupName": group, "challengeName": challenge});
        event["detail"]["additionalEventData"]["sub"] = sub.clone();
        event["detail"]["errorCode"] = error;
        event["detail"]["eventTime"] = time;
        let named = whole.is_none();
        if let Some((member, odd)) = whole {
            event["detail"][member] = odd;
        }
        let Heard::Change(change) = hear(&event) else {
            return Err(TestCaseError::fail(format!("ignored: {event}")));
        };
        prop_assert_eq!(change.cause.as_str(), name.as_str());
        prop_assert_eq!(Change::parse(&change.to_body()), Ok((*change).clone()), "what is heard passes the queue");
        if named && pool == json!(POOL) {
            prop_assert_eq!(change.pool, PoolRef::Id(POOL.to_owned()));
        }
        if named && sub == json!(SUB) && matches!(change.subject, Subject::User(_)) {
            prop_assert_eq!(change.subject, user(SUB));
        }
    }
}
