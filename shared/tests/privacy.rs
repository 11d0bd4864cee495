//! No personal value in anything that could be logged.
//!
//! Invariant: every personal value here bears the mark, so that one `contains` finds any of them.

use proptest::{collection, prelude::*};
use twinpool_shared::{
    change::{Change, PoolRef, Profile, SCHEMA_VERSION, Subject},
    item::UserItem,
    merge::{Decision, merge},
    observation::{Evidence, Observation, UserRead},
    personal::Personal,
    time::EPOCH,
    trigger::read_trigger,
    user::{Account, Attributes, UserRecord},
};

use crate::generate::{cases, cause, sub};

const MARK: &str = "PII-";

fn marked() -> impl Strategy<Value = Attributes> {
    let value = || "[a-zA-Z0-9@+. ]{0,12}".prop_map(|text| Personal::new(format!("{MARK}{text}")));
    let names = prop_oneof![
        Just("email".to_owned()),
        Just("phone_number".to_owned()),
        Just("preferred_username".to_owned()),
        "custom:[a-z]{1,6}",
    ];
    (value(), collection::btree_map(names, value(), 0..5))
        .prop_map(|(username, values)| Attributes { username, values })
}

fn silent(what: &dyn std::fmt::Debug) -> Result<(), TestCaseError> {
    for text in [format!("{what:?}"), format!("{what:#?}")] {
        prop_assert!(!text.contains(MARK), "{}", text);
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn debug_output_is_silent(attributes in marked(), cause in cause(), cut in 0.0..1.0_f64) {
        let profile = Profile { attributes: attributes.clone(), status: Some("CONFIRMED".to_owned()) };
        let change = Change {
            schema_version: SCHEMA_VERSION,
            id: "1".to_owned(),
            pool: PoolRef::Any,
            subject: Subject::User(sub("0f1e")),
            cause,
            occurred_at: EPOCH,
            seen_at: EPOCH,
            group: None,
            profile: Some(profile),
            attempt: 0,
        };
        silent(&change)?;
        prop_assert!(change.to_body().contains(MARK), "the queue needs the value");
        silent(&change.carried())?;

        let account = Account { enabled: true, created: EPOCH, modified: EPOCH };
        let read = Observation {
            source: "ListUsers".to_owned(),
            evidence: Evidence::Read {
                user: UserRead { attributes, status: "CONFIRMED".to_owned(), account },
                read_at: EPOCH,
            },
        };
        silent(&read)?;
        let decision = merge(None, || UserRecord::new(sub("0f1e")), [&read]);
        silent(&decision)?;
        let Decision::Write(record) = decision else { return Err(TestCaseError::fail("nothing was stored yet")) };
        silent(&record)?;
        silent(&record.content())?;
        let item = UserItem::current("p", 1, record, EPOCH, 1);
        prop_assert!(item.gsi_username.is_some());
        silent(&item)?;
        silent(&item.superseded(EPOCH, 1))?;

        // What is broken is refused without being quoted.
        let body = change.to_body();
        let cut: String = body.chars().take((body.chars().count() as f64 * cut) as usize).collect();
        let error = Change::parse(&cut).expect_err("cut");
        silent(&error)?;
        prop_assert!(!error.to_string().contains(MARK));
    }

    #[test]
    fn a_trigger_event_is_read_silently(attributes in marked(), source in cause()) {
        let mut carried: serde_json::Map<_, _> =
            attributes.values.iter().map(|(name, value)| (name.clone(), value.expose().into())).collect();
        carried.insert("sub".to_owned(), "0f1e".into());
        let event = serde_json::json!({
            "triggerSource": source, "userPoolId": "p", "userName": attributes.username.expose(),
            "request": {"userAttributes": carried},
        });
        silent(&read_trigger(&event, "r", EPOCH).expect("a complete event"))?;
        let nameless = serde_json::json!({"triggerSource": source, "userPoolId": "p", "request": {"userAttributes": {
            "sub": format!("{MARK}ann@example.com"),
        }}});
        let error = read_trigger(&nameless, "r", EPOCH).expect_err("no sub");
        silent(&error)?;
        prop_assert!(!error.to_string().contains(MARK));
    }
}
