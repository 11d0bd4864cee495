//! What is stored, what counts as a difference, and what is read back.

use proptest::{collection, prelude::*};
use serde_json::{Value, json};
use twinpool_shared::{
    marks::Part,
    snapshot::{
        Captured, Content, Json, POOL_LEVEL,
        diff::{DifferenceKind, SECRET_CHANGED, diff_config},
        stored::CHUNK_BYTES_MAX,
    },
};

use super::answers::{Answers, DAY, MARK, Table, day};
use crate::generate::cases;

/// JSON as AWS could answer it: any text, 64-bit integers, decimal timestamps, nested as deep as it likes.
fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (0_i64..4_000_000_000_000).prop_map(|millis| json!(millis as f64 / 1_000.0)),
        "\\PC{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        prop_oneof![
            collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            collection::btree_map("\\PC{1,8}", inner, 0..5).prop_map(|members| json!(members)),
        ]
    })
}

fn captured(part: Part, name: &str, json: Value, days: i64) -> Captured {
    Captured {
        part,
        name: name.to_owned(),
        source: "X",
        read_at: day(days),
        content: Content::Json(Json::new(json)),
    }
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn members_that_nobody_knows_survive_the_round_trip(
        members in collection::btree_map("[A-Za-z#/\"é]{1,10}", anything(), 0..6),
    ) {
        let mut answers = Answers::with_clients(&["c"]);
        let mut expected = json!(members);
        expected["ClientId"] = json!("c");
        answers.set("DescribeUserPoolClient", "c", json!({"UserPoolClient": expected.clone()}));
        let mut table = Table::default();
        table.capture(&answers, day(0));
        prop_assert_eq!(table.content(Part::Clients, "c", day(0)), Some(Content::Json(Json::new(expected))));
        prop_assert_eq!(table.capture(&answers, day(1)).1, Vec::<String>::new());
    }

    #[test]
    fn a_difference_is_stored_exactly_when_there_is_one_to_see(one in anything(), other in anything()) {
        let (one, other) = (json!({"x": one}), json!({"x": other}));
        let mut table = Table::default();
        table.write(&captured(Part::Mfa, POOL_LEVEL, one.clone(), 0), day(0));
        table.heads_written.clear();
        table.write(&captured(Part::Mfa, POOL_LEVEL, other.clone(), 1), day(1));
        let differences = diff_config(&Json::new(one), &Json::new(other));
        prop_assert_eq!(table.heads_written.is_empty(), differences.is_empty());
    }
}

#[test]
fn what_is_no_configuration_causes_no_write() {
    let mut answers = Answers::with_clients(&["c1"]);
    answers.domain(1);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.edit_pool(|pool| {
        pool["EstimatedNumberOfUsers"] = json!(4);
        pool["EmailConfigurationFailure"] = json!("x");
        pool["LastModifiedDate"] = json!(2);
    });
    answers.edit("GetUserPoolMfaConfig", "", |answer| {
        answer["ResponseMetadata"] = json!({"RequestId": "r"});
    });
    answers.edit("DescribeUserPoolDomain", "login", |answer| {
        answer["DomainDescription"]["Status"] = json!("UPDATING");
        answer["DomainDescription"]["Version"] = json!("2");
    });
    answers.edit("DescribeUserPoolClient", "c1", |answer| {
        answer["UserPoolClient"]["CallbackURLs"] = json!(["https://b", "https://a"]);
        answer["UserPoolClient"]["LastModifiedDate"] = json!(2);
    });
    assert_eq!(table.capture(&answers, day(1)).1, Vec::<String>::new());
    let Some(Content::Json(pool)) = table.content(Part::Pool, POOL_LEVEL, day(1)) else {
        panic!("the pool is stored");
    };
    assert_eq!(pool.expose().get("EstimatedNumberOfUsers"), None);
    assert_eq!(
        pool.expose()["LastModifiedDate"],
        json!(1_795_392_000.123),
        "kept as first read"
    );
}

#[test]
fn an_order_that_may_mean_something_is_a_difference() {
    let style = |order: Value| json!({"Settings": {"auth": {"authMethodOrder": order}}});
    let mut table = Table::default();
    for (days, order) in [
        (0, json!(["PASSWORD", "FEDERATED"])),
        (1, json!(["FEDERATED", "PASSWORD"])),
    ] {
        table.write(&captured(Part::Branding, "c", style(order), days), day(days));
    }
    assert_eq!(table.heads_written.len(), 2);
}

#[test]
fn two_megabytes_of_images_are_cut_and_put_together() {
    let image = |letter: &str| {
        json!({"Assets": [{"Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG",
        "Bytes": letter.repeat(2_000_000)}], "é": "é".repeat(CHUNK_BYTES_MAX / 2)})
    };
    let mut table = Table::default();
    for (days, letter) in [(0, "A"), (1, "B"), (2, "A")] {
        table.write(&captured(Part::Branding, "c", image(letter), days), day(days));
    }
    table.write(&captured(Part::Branding, "c#x", image("C"), 2), day(2));
    for document in table.documents.values() {
        assert!(document.body.expose().len() <= CHUNK_BYTES_MAX, "{}", document.key.sk);
    }
    for (days, letter) in [(0, "A"), (1, "B"), (2, "A")] {
        let expected = Content::Json(Json::new(image(letter)));
        assert_eq!(
            table.content(Part::Branding, "c", day(days)),
            Some(expected),
            "day {days}"
        );
    }
    let chunks = table.documents.values();
    let chunks = chunks.filter(|document| document.key.sk.starts_with("config-chunk#"));
    let ending: Vec<_> = chunks.filter(|chunk| chunk.expires_at.is_some()).cloned().collect();
    assert!(
        ending[0].body.expose().contains("BBB"),
        "only what versions alone need ends"
    );
    let mut later = table.clone();
    later.documents.retain(|_, document| document.expires_at.is_none());
    for (name, letter) in [("c", "A"), ("c#x", "C")] {
        let expected = Content::Json(Json::new(image(letter)));
        assert_eq!(later.content(Part::Branding, name, day(2)), Some(expected), "{name}");
    }

    let lost = ending[0].key.clone();
    table.documents.remove(&lost);
    let documents: Vec<_> = table.documents.values().cloned().collect();
    let error = twinpool_shared::snapshot::past::at(&documents, day(1)).expect_err("a piece is missing");
    assert!(error.what.contains(&lost.sk), "{error}");
}

#[test]
fn an_instant_shows_what_was_known_then() {
    let mut answers = Answers::with_clients(&["c1"]);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.edit("GetUserPoolMfaConfig", "", |answer| {
        answer["MfaConfiguration"] = json!("ON");
    });
    answers.list_clients(&["c2"]);
    answers.remove("DescribeUserPoolClient", "c1");
    answers.set(
        "DescribeUserPoolClient",
        "c2",
        json!({"UserPoolClient": {"ClientId": "c2"}}),
    );
    table.capture(&answers, day(10));

    assert!(table.at(day(-1)).members.is_empty());
    let (before, after) = (table.at(day(9)).tree(), table.at(day(10)).tree());
    let found = diff_config(&before, &after);
    let paths: Vec<_> = found
        .iter()
        .map(|difference| (difference.path.as_str(), difference.kind))
        .collect();
    assert_eq!(
        paths,
        [
            ("clients/c1", DifferenceKind::Removed),
            ("clients/c1/secrets", DifferenceKind::Removed),
            ("clients/c2", DifferenceKind::Added),
            ("mfa/pool/MfaConfiguration", DifferenceKind::Changed),
        ]
    );
    let deleted = table.content(Part::Clients, "c1", day(10));
    assert_eq!(deleted, Some(Content::Deleted(day(10))));
    let version = table
        .documents
        .values()
        .find(|document| document.key.sk == "config-version#clients#c1#0000000001");
    let version = version.expect("the last content is in the history");
    assert!(version.body.expose().contains(MARK), "with its secret");
    assert_eq!(version.expires_at, Some(day(10).as_seconds() + 35 * DAY));

    // DynamoDB takes the old versions away.
    table.documents.retain(|_, document| document.expires_at.is_none());
    let old = table.at(day(9));
    assert!(
        old.unknown.contains(&(Part::Mfa, POOL_LEVEL.to_owned())),
        "{:?}",
        old.unknown
    );
    assert!(old.unknown.contains(&(Part::Clients, "c1".to_owned())));
    assert!(
        !old.unknown.contains(&(Part::Clients, "c2".to_owned())),
        "it was first seen on day 10"
    );
}

#[test]
fn no_secret_is_ever_shown() {
    let secrets = |value: &str| {
        json!({
            "ClientSecret": format!("{MARK}{value}"),
            "ProviderDetails": {"client_secret": format!("{MARK}{value}"), "private_key": format!("{MARK}{value}")},
            "ClientSecrets": [{"ClientSecretId": "s--1", "ClientSecretValue": format!("{MARK}{value}")}],
            "Policies": {"PasswordPolicy": {"TemporaryPasswordValidityDays": value}},
        })
    };
    let (one, two) = (Json::new(secrets("1")), Json::new(secrets("2")));
    let (none, all) = (Json::new(json!({})), Json::new(json!({"clients": {"c": secrets("3")}})));
    for (before, after, count) in [(&one, &two, 5), (&none, &one, 4), (&all, &none, 1)] {
        let found = diff_config(before, after);
        assert_eq!(found.len(), count);
        let shown: Vec<_> = found
            .iter()
            .flat_map(|difference| [&difference.before, &difference.after])
            .flatten()
            .map(|json| json.expose().to_string())
            .collect();
        assert!(shown.iter().all(|text| !text.contains(MARK)), "{shown:?}");
        assert!(shown.iter().any(|text| text.contains(SECRET_CHANGED)));
        assert!(!format!("{found:?}").contains(MARK));
    }
    let changed = diff_config(&one, &two);
    let days = changed
        .iter()
        .find(|difference| difference.path.ends_with("TemporaryPasswordValidityDays"));
    assert_eq!(
        days.and_then(|days| days.after.clone()),
        Some(Json::new(json!("2"))),
        "a number of days is none"
    );

    let mut table = Table::default();
    let (findings, _) = table.capture(&Answers::with_clients(&["c1"]), day(0));
    for text in [
        format!("{findings:?}"),
        format!("{:?}", table.documents),
        format!("{:?}", table.at(day(0))),
    ] {
        assert!(!text.contains(MARK), "{text}");
    }
}

#[test]
fn lists_are_compared_by_the_names_of_their_entries() {
    let attribute = |name: &str, mutable: bool| json!({"Name": name, "Mutable": mutable});
    let before = Json::new(json!({"SchemaAttributes": [attribute("email", true), attribute("name", true)]}));
    let after = Json::new(json!({"SchemaAttributes": [attribute("name", true), attribute("email", false)]}));
    let found = diff_config(&before, &after);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].path, "SchemaAttributes[email]/Mutable");
    let image = |letter: &str| Json::new(json!({"ImageUrl": letter.repeat(3_000)}));
    let found = diff_config(&image("a"), &image("b"));
    let shown = found[0].after.as_ref().expect("a value").expose().to_string();
    assert!(shown.contains("3000 bytes"), "{shown}");
}
