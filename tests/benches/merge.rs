//! How fast the pure core is on one core: merging, reading a trigger event, reading a CloudTrail record, the message format.
//!
//! `make bench` runs it; the figures stand in `shared/docs/PERFORMANCE.md`.

use std::{collections::BTreeMap, hint::black_box};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use serde_json::json;
use twinpool_shared::{
    change::Change,
    merge::merge,
    observation::{Evidence, Observation, UserRead, Weight},
    personal::{Personal, Sub},
    time::Timestamp,
    trail::{Listener, read_record},
    trigger::read_trigger,
    user::{Account, Attributes, UserRecord},
};

const SUB: &str = "3c9a1b2d-0051-7076-79e2-0123456789ab";

/// Ten attributes, as a well-filled profile has.
fn attributes(note: &str) -> Attributes {
    let names = [
        "email",
        "email_verified",
        "phone_number",
        "name",
        "given_name",
        "family_name",
        "locale",
        "zoneinfo",
    ];
    let values = names
        .iter()
        .map(|name| ((*name).to_owned(), Personal::new(format!("value of {name}"))));
    let own = [("custom:tenant", "acme"), ("custom:note", note)];
    let own = own.map(|(name, value)| (name.to_owned(), Personal::new(value)));
    Attributes {
        username: Personal::new("ann"),
        values: values.chain(own).collect::<BTreeMap<_, _>>(),
    }
}

fn read(note: &str, modified_millis: i64) -> Observation {
    let modified = Timestamp::from_millis(modified_millis);
    let account = Account {
        enabled: true,
        created: Timestamp::from_millis(0),
        modified,
    };
    let user = UserRead {
        attributes: attributes(note),
        status: "CONFIRMED".to_owned(),
        account,
    };
    let evidence = Evidence::Read {
        user,
        read_at: modified.plus_millis(500),
    };
    Observation {
        source: "ListUsers".to_owned(),
        evidence,
    }
}

fn carried(received_millis: i64) -> Observation {
    let evidence = Evidence::Carried {
        attributes: attributes("carried"),
        status: Some("CONFIRMED".to_owned()),
        weight: Weight::News,
        received_at: Timestamp::from_millis(received_millis),
    };
    Observation {
        source: "PostConfirmation_ConfirmSignUp".to_owned(),
        evidence,
    }
}

fn benches(criterion: &mut Criterion) {
    let sub = Sub::new(SUB).expect("a sub");
    let empty = || UserRecord::new(sub.clone());
    let mut stored = empty();
    for observation in [read("old", 1_000_000), carried(900_000)] {
        twinpool_shared::merge::absorb(&mut stored, &observation);
    }
    let (newer, older, trigger) = (read("new", 2_000_000), read("old", 500_000), carried(3_000_000));

    let mut group = criterion.benchmark_group("merge");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a newer read into a stored record", |b| {
        b.iter(|| merge(Some(black_box(&stored)), empty, [&newer]));
    });
    group.bench_function("a stale read: nothing to write", |b| {
        b.iter(|| merge(Some(black_box(&stored)), empty, [&older]));
    });
    group.bench_function("a trigger's profile", |b| {
        b.iter(|| merge(Some(black_box(&stored)), empty, [&trigger]));
    });
    group.bench_function("a first sight", |b| b.iter(|| merge(None, empty, [black_box(&newer)])));
    group.finish();

    let event = json!({
        "version": "1", "triggerSource": "PostAuthentication_Authentication", "region": "us-east-1",
        "userPoolId": "us-east-1_EXAMPLE", "userName": "ann", "callerContext": {"clientId": "1example23456789"},
        "request": {"userAttributes": {"sub": SUB, "cognito:user_status": "CONFIRMED", "email": "ann@example.com",
            "email_verified": "true", "name": "Ann", "custom:tenant": "acme"}, "newDeviceUsed": false},
        "response": {}
    });
    let record = json!({
        "detail-type": "AWS API Call via CloudTrail", "source": "aws.cognito-idp",
        "detail": {"eventSource": "cognito-idp.amazonaws.com", "eventName": "AdminDisableUser", "eventType": "AwsApiCall",
            "eventTime": "2026-01-10T12:00:00Z", "eventID": "44444444-4444-4444-8444-000000000027", "readOnly": false,
            "requestParameters": {"userPoolId": "us-east-1_EXAMPLE", "username": "HIDDEN_DUE_TO_SECURITY_REASONS"},
            "additionalEventData": {"sub": SUB}}
    });
    let listener = Listener {
        pools: vec!["us-east-1_EXAMPLE".to_owned()],
        own_roles: Vec::new(),
    };
    let now = Timestamp::from_millis(1_768_046_400_000);
    let body = read_trigger(&event, "request", now).expect("a change").to_body();

    let mut group = criterion.benchmark_group("read");
    group.throughput(Throughput::Elements(1));
    group.bench_function("a trigger event", |b| {
        b.iter(|| read_trigger(black_box(&event), "request", now));
    });
    group.bench_function("a CloudTrail record", |b| {
        b.iter(|| read_record(&listener, black_box(&record), now));
    });
    group.bench_function("a queue message", |b| b.iter(|| Change::parse(black_box(&body))));
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
