//! Generators: small alphabets around the borders that decide, so that ties, tombstones and resurrections really happen.
//!
//! Invariant: everything generated is a value that the product itself could make or be sent.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection, option, prelude::*, sample};
use serde_json::{Map, Value};
use twinpool_shared::{
    change::{Change, PoolRef, Profile, SCHEMA_VERSION, Subject},
    group::{GroupRecord, GroupSettings},
    marks::Part,
    observation::{Evidence, GroupEvidence, Observation, UserRead, Weight},
    operation::OPERATIONS,
    personal::{Personal, Sub},
    time::Timestamp,
    user::{Account, Attributes, Facet, Factors, Tombstone, UserRecord},
};

/// 2026-11-23T00:00:00Z: the border of a second and of a day.
pub(crate) const BASE_MILLIS: i64 = 1_795_392_000_000;

/// Offsets around the borders: a millisecond, a second, the 5 s of a trigger, the 60 s window, a day.
pub(crate) const WIDE: &[i64] = &[
    -86_400_000,
    -86_395_001,
    -60_001,
    -60_000,
    -59_999,
    -5_001,
    -5_000,
    -4_999,
    -1_000,
    -999,
    -1,
    0,
    1,
    998,
    999,
    1_000,
    1_001,
    4_999,
    5_000,
    5_001,
    59_999,
    60_000,
    60_001,
    60_998,
    60_999,
    61_000,
    61_999,
    86_400_000,
    86_405_000,
];

/// Few offsets, so that nearly every two instants are equal or share a second, a window or a day.
pub(crate) const NARROW: &[i64] = &[-5_000, -1, 0, 999, 5_000, 60_999, 61_000];

/// Settings of a property that runs `cases` times, scaled by `PROPTEST_CASES`.
pub(crate) fn cases(cases: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    ProptestConfig {
        cases: (cases.saturating_mul(default.cases) / 256).max(1),
        ..default
    }
}

pub(crate) fn at(offset: i64) -> Timestamp {
    Timestamp::from_millis(BASE_MILLIS + offset)
}

pub(crate) fn sub(text: &str) -> Sub {
    Sub::new(text).expect("a harmless sub")
}

pub(crate) fn personal_map(values: &[(&str, &str)]) -> BTreeMap<String, Personal> {
    values
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)))
        .collect()
}

fn one_of<T: Clone + std::fmt::Debug + 'static>(values: &'static [T]) -> impl Strategy<Value = T> + Clone {
    sample::select(values)
}

fn text_of(values: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    one_of(values).prop_map(str::to_owned)
}

pub(crate) fn instant(offsets: &'static [i64]) -> impl Strategy<Value = Timestamp> + Clone {
    one_of(offsets).prop_map(at)
}

pub(crate) fn source() -> impl Strategy<Value = String> + Clone {
    text_of(&["AdminUpdateUserAttributes", "DeleteUser", "SignUp"])
}

fn attributes() -> impl Strategy<Value = Attributes> {
    (
        text_of(&["ann", "bob"]),
        option::of(text_of(&["a@example.com", "b@example.com"])),
    )
        .prop_map(|(username, email)| {
            let values = email
                .map(|email| ("email".to_owned(), Personal::new(email)))
                .into_iter()
                .collect();
            Attributes {
                username: Personal::new(username),
                values,
            }
        })
}

fn status() -> impl Strategy<Value = String> {
    text_of(&["CONFIRMED", "UNCONFIRMED"])
}

fn account(offsets: &'static [i64]) -> impl Strategy<Value = Account> {
    (any::<bool>(), instant(&[-86_400_000]), instant(offsets)).prop_map(|(enabled, created, modified)| Account {
        enabled,
        created,
        modified,
    })
}

fn groups() -> impl Strategy<Value = BTreeSet<String>> {
    collection::btree_set(text_of(&["g", "h"]), 0..=2)
}

fn factors() -> impl Strategy<Value = Factors> {
    let names = &["SMS_MFA", "SOFTWARE_TOKEN_MFA"];
    (option::of(text_of(names)), collection::btree_set(text_of(names), 0..=2))
        .prop_map(|(preferred, enabled)| Factors { preferred, enabled })
}

fn evidence(offsets: &'static [i64]) -> impl Strategy<Value = Evidence> {
    let when = || instant(offsets);
    let weight = one_of(&[Weight::News, Weight::Evidence]);
    let read = || {
        (attributes(), status(), account(offsets)).prop_map(|(attributes, status, account)| UserRead {
            attributes,
            status,
            account,
        })
    };
    prop_oneof![
        3 => (attributes(), option::of(status()), weight, when()).prop_map(|(attributes, status, weight, received_at)| {
            Evidence::Carried { attributes, status, weight, received_at }
        }),
        4 => (read(), when()).prop_map(|(user, read_at)| Evidence::Read { user, read_at }),
        2 => (read(), when()).prop_map(|(user, read_at)| Evidence::Contradicted { user, read_at }),
        2 => when().prop_map(|announced_at| Evidence::Gone { announced_at }),
        2 => (groups(), when(), when())
            .prop_map(|(groups, announced_at, read_at)| Evidence::Groups { groups, announced_at, read_at }),
        2 => (factors(), when(), when())
            .prop_map(|(factors, announced_at, read_at)| Evidence::Factors { factors, announced_at, read_at }),
        1 => when().prop_map(|announced_at| Evidence::FactorsChanged { announced_at }),
        1 => when().prop_map(|at| Evidence::SignedIn { at }),
    ]
}

/// One observation, at instants taken from `offsets`.
pub(crate) fn observation(offsets: &'static [i64]) -> impl Strategy<Value = Observation> {
    (source(), evidence(offsets)).prop_map(|(source, evidence)| Observation { source, evidence })
}

fn settings(offsets: &'static [i64]) -> impl Strategy<Value = GroupSettings> {
    let optional = |values| option::of(text_of(values));
    (
        optional(&["d", "e"]),
        option::of(0..2_i32),
        optional(&["arn:r"]),
        instant(offsets),
        instant(offsets),
    )
        .prop_map(|(description, precedence, role_arn, created, modified)| GroupSettings {
            description,
            precedence,
            role_arn,
            created,
            modified,
        })
}

/// Evidence about a group and its source.
pub(crate) fn group_evidence(offsets: &'static [i64]) -> impl Strategy<Value = (String, GroupEvidence)> {
    let evidence = prop_oneof![
        3 => (settings(offsets), instant(offsets)).prop_map(|(settings, read_at)| GroupEvidence::Read { settings, read_at }),
        2 => (settings(offsets), instant(offsets))
            .prop_map(|(settings, read_at)| GroupEvidence::Contradicted { settings, read_at }),
        1 => instant(offsets).prop_map(|announced_at| GroupEvidence::Gone { announced_at }),
    ];
    (source(), evidence)
}

fn facet<T: std::fmt::Debug>(
    offsets: &'static [i64],
    data: impl Strategy<Value = T>,
) -> impl Strategy<Value = Option<Facet<T>>> {
    let facet =
        (instant(offsets), instant(offsets), source(), data).prop_map(|(as_of, observed_at, source, data)| Facet {
            as_of,
            observed_at,
            source,
            data,
        });
    option::of(facet)
}

fn tombstone(offsets: &'static [i64]) -> impl Strategy<Value = Option<Tombstone>> {
    option::of((instant(offsets), source()).prop_map(|(at, cause)| Tombstone { at, cause }))
}

/// Any record, whether or not evidence could lead to it.
pub(crate) fn user_record(offsets: &'static [i64]) -> impl Strategy<Value = UserRecord> {
    let facets = (
        facet(offsets, attributes()),
        facet(offsets, status()),
        facet(offsets, account(offsets)),
        facet(offsets, groups()),
        facet(offsets, factors()),
    );
    let stamps = (
        option::of(instant(offsets)),
        option::of(instant(offsets)),
        option::of(instant(offsets)),
    );
    (facets, stamps, tombstone(offsets)).prop_map(|(facets, (factors_due, last_seen, alive_at), deleted)| {
        let (attributes, status, account, groups, factors) = facets;
        let sub = sub("0f1e");
        UserRecord {
            attributes,
            status,
            account,
            groups,
            factors,
            factors_due,
            last_seen,
            alive_at,
            deleted,
            ..UserRecord::new(sub)
        }
    })
}

/// Any group's record.
pub(crate) fn group_record(offsets: &'static [i64]) -> impl Strategy<Value = GroupRecord> {
    (
        text_of(&["g", "Gäste"]),
        facet(offsets, settings(offsets)),
        option::of(instant(offsets)),
        tombstone(offsets),
    )
        .prop_map(|(name, settings, alive_at, deleted)| GroupRecord {
            settings,
            alive_at,
            deleted,
            ..GroupRecord::new(name)
        })
}

/// Any instant that can be written, to the ends of the range.
fn any_instant() -> impl Strategy<Value = Timestamp> {
    prop_oneof![instant(WIDE), any::<i64>().prop_map(Timestamp::from_millis)]
}

/// Any change, with hostile texts.
pub(crate) fn change() -> impl Strategy<Value = Change> {
    let pool = prop_oneof![
        ".{0,12}".prop_map(PoolRef::Id),
        ".{0,12}".prop_map(PoolRef::Client),
        Just(PoolRef::Any),
    ];
    let subject = prop_oneof![
        4 => "[A-Za-z0-9_-]{1,40}".prop_map(|text| Subject::User(sub(&text))),
        1 => ".{0,12}".prop_map(Subject::Group),
        1 => sample::select(&Part::ALL[..]).prop_map(Subject::Part),
    ];
    let profile = (
        ".{0,12}",
        collection::btree_map(".{0,8}", ".{0,12}", 0..4),
        option::of(".{0,8}"),
    );
    let profile = profile.prop_map(|(username, values, status)| Profile {
        attributes: Attributes {
            username: Personal::new(username),
            values: values
                .into_iter()
                .map(|(name, value)| (name, Personal::new(value)))
                .collect(),
        },
        status,
    });
    let times = (any_instant(), any_instant());
    let rest = (
        option::of(".{0,8}"),
        option::of(profile),
        prop_oneof![Just(0), any::<u32>()],
    );
    (".{0,12}", pool, subject, cause(), times, rest).prop_map(
        |(id, pool, subject, cause, (occurred_at, seen_at), (group, profile, attempt))| Change {
            schema_version: SCHEMA_VERSION,
            id,
            pool,
            subject,
            cause,
            occurred_at,
            seen_at,
            group,
            profile,
            attempt,
        },
    )
}

/// Names of operations, trigger sources and pages, known and not.
pub(crate) fn cause() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => sample::select(OPERATIONS).prop_map(|(name, _)| name.to_owned()),
        2 => text_of(&[
            "PostConfirmation_ConfirmSignUp", "PostAuthentication_Authentication", "CustomMessage_UpdateUserAttribute",
            "CustomMessage_SignUp", "CustomMessage_Invented", "Confirm_POST", "Login_POST", "Login_GET", "Invented",
        ]),
        1 => "[A-Za-z_]{1,12}",
    ]
}

/// Any JSON at all, rich in texts that mean something to the listener.
pub(crate) fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        telling_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            collection::btree_map(member(), inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn telling_text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => text_of(&[
            "", "HIDDEN_DUE_TO_SECURITY_REASONS", "HIDDEN_FOR_SECURITY_REASONS", "us-east-1_EXAMPLE01", "1example23456789",
            "cognito-idp.amazonaws.com", "AwsServiceEvent", "AwsApiCall", "AdminCreateUser", "CreateGroup", "Confirm_POST",
            "2026-11-20T08:15:30Z", "yesterday", "0f1e-1", "a\" or sub = \"b", ":assumed-role/", "arn:aws:x:userpool/",
        ]),
        1 => ".{0,8}",
    ]
}

fn member() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => text_of(&[
            "detail", "eventName", "eventSource", "eventType", "eventTime", "eventID", "errorCode", "readOnly", "userIdentity",
            "arn", "sessionContext", "sessionIssuer", "userName", "requestParameters", "responseElements", "additionalEventData",
            "sub", "userSub", "userPoolId", "clientId", "client_id", "groupName", "challengeName", "resourceArn", "time", "id",
        ]),
        1 => ".{0,4}",
    ]
}
