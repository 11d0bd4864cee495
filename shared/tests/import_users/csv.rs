//! Users as rows, read back by a strict reader.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde_json::{Value, json};
use twinpool_shared::{
    error::ErrorKind,
    import::{
        csv::{Header, PART_MAX, Part, PartLimit, ROW_CHARS_MAX, Unfit},
        recreate::{Fate, recreate},
        shape::Shape,
    },
    personal::Personal,
};

use super::{any_shape, any_user, made, shape, user, with_factors};
use crate::generate::cases;

const COLUMNS: [&str; 13] = [
    "cognito:username",
    "name",
    "preferred_username",
    "email",
    "email_verified",
    "birthdate",
    "phone_number",
    "phone_number_verified",
    "address",
    "cognito:mfa_enabled",
    "custom:tier",
    "custom:number",
    "custom:original_sub",
];

fn header() -> Header {
    Header::of(&json!({"UserPoolId": "p", "CSVHeader": COLUMNS})).unwrap()
}

/// The fields of a row: a comma ends one unless a backslash stands before it, and nothing else means anything.
fn read(row: &str) -> BTreeMap<&'static str, String> {
    assert!(!row.contains(['\n', '\r']), "a row is one line");
    let mut fields = vec![String::new()];
    let mut characters = row.chars().peekable();
    while let Some(c) = characters.next() {
        let field = fields.last_mut().unwrap();
        match c {
            '\\' if characters.peek() == Some(&',') => field.extend(characters.next()),
            ',' => fields.push(String::new()),
            other => field.push(other),
        }
    }
    assert_eq!(fields.len(), COLUMNS.len(), "one field for each column");
    let fields = fields.into_iter().map(|field| field.trim().to_owned());
    COLUMNS
        .into_iter()
        .zip(fields)
        .filter(|(_, field)| !field.is_empty())
        .collect()
}

fn plain() -> Shape {
    shape(&json!({}))
}

const VERIFIED: [(&str, &str); 2] = [("email", "ann@example.com"), ("email_verified", "true")];

fn row_in(target: &Shape, status: &str, more: &[(&str, &str)]) -> Result<String, Unfit> {
    let values: Vec<_> = VERIFIED.iter().chain(more).copied().collect();
    let row = header().row(&made(&user(status, &values), target), target);
    row.map(|row| row.expose().to_owned())
}

fn row(more: &[(&str, &str)]) -> Result<String, Unfit> {
    row_in(&plain(), "CONFIRMED", more)
}

#[test]
fn the_header_is_what_cognito_gives() {
    assert_eq!(header().line(), COLUMNS.join(","));
    let of = |columns: Value| Header::of(&json!({ "CSVHeader": columns })).map_err(|error| (error.kind, error.what));
    assert_eq!(Header::of(&json!({})).unwrap_err().kind, ErrorKind::Unavailable);
    assert_eq!(
        of(json!(["cognito:username", 7])).unwrap_err().0,
        ErrorKind::Unavailable
    );
    for (columns, problem) in [
        (json!(["cognito:username"]), "no column custom:original_sub"),
        (json!(["custom:original_sub"]), "no column cognito:username"),
        (
            json!(["cognito:username", "custom:original_sub", "a", "a"]),
            "the same name",
        ),
        (
            json!(["cognito:username", "custom:original_sub", "custom:a,b"]),
            "comma",
        ),
    ] {
        let (kind, what) = of(columns).unwrap_err();
        assert_eq!(kind, ErrorKind::BadSetting);
        assert!(what.contains(problem) && what.contains("--users api"), "{what}");
    }
}

#[test]
fn a_row_has_every_column() {
    assert_eq!(
        row(&[
            ("name", "Ann, the first"),
            ("birthdate", "1985-02-01"),
            ("phone_number_verified", "false")
        ])
        .unwrap(),
        format!(
            "ann,Ann\\, the first,,ann@example.com,TRUE,02/01/1985,,FALSE,,,,,{}",
            super::SUB
        )
    );
}

#[test]
fn who_cannot_go_by_a_file_is_told_why() {
    let with = |changes: Value, status, more: &[_]| row_in(&shape(&changes), status, more).unwrap_err();
    assert_eq!(
        with(json!({"AutoVerifiedAttributes": []}), "CONFIRMED", &[]),
        Unfit::PoolVerifiesNothing
    );
    let by_phone = json!({"AutoVerifiedAttributes": ["phone_number"]});
    assert_eq!(with(by_phone, "CONFIRMED", &[]), Unfit::NothingVerified);
    assert_eq!(with(json!({}), "FORCE_CHANGE_PASSWORD", &[]), Unfit::Invited);
    let alias = json!({"AliasAttributes": ["preferred_username"]});
    assert_eq!(
        with(alias, "CONFIRMED", &[("preferred_username", "annie")]),
        Unfit::Later
    );
    let link = r#"[{"providerName":"Google","userId":"1"}]"#;
    assert_eq!(row(&[("identities", link)]), Err(Unfit::Linked));
    for doubtful in [
        "two\nlines",
        "a\\b",
        "a\\,b",
        "ends in \\",
        "\"quoted\"",
        " padded",
        "tab\t",
        "\u{2028}",
    ] {
        assert_eq!(row(&[("name", doubtful)]), Err(Unfit::Characters), "{doubtful:?}");
    }
    for date in ["1985-13-01", "1985-02-32", "0000-02-01", "1985.02.01", "02-01-1985"] {
        assert_eq!(row(&[("birthdate", date)]), Err(Unfit::Birthdate), "{date}");
    }

    let mut required = super::pool();
    required["SchemaAttributes"][6]["Required"] = json!(true);
    let required = Shape::of(&required, None).unwrap();
    assert_eq!(row_in(&required, "CONFIRMED", &[]), Err(Unfit::RequiredMissing));
    assert!(row_in(&required, "CONFIRMED", &[("name", "Ann")]).is_ok());

    let mut disabled = user("CONFIRMED", &VERIFIED);
    disabled.account = Some(super::facet(super::account(false)));
    assert_eq!(header().row(&made(&disabled, &plain()), &plain()), Err(Unfit::Disabled));

    let fewer = Header::of(&json!({"CSVHeader": ["cognito:username", "custom:original_sub", "email"]})).unwrap();
    assert_eq!(
        fewer.row(&made(&user("CONFIRMED", &VERIFIED), &plain()), &plain()),
        Err(Unfit::NoColumn)
    );

    let mut spaced = user("CONFIRMED", &VERIFIED);
    spaced.attributes.as_mut().unwrap().data.username = Personal::new("ann b");
    assert_eq!(header().row(&made(&spaced, &plain()), &plain()), Err(Unfit::Characters));
}

#[test]
fn who_has_an_mfa_preference_goes_by_the_file_and_has_it_set_afterwards() {
    let record = with_factors(user("CONFIRMED", &VERIFIED), None, &["EMAIL_OTP"]);
    let row = header().row(&made(&record, &plain()), &plain()).unwrap();
    assert!(
        !read(row.expose()).contains_key("cognito:mfa_enabled"),
        "left to the pool"
    );
}

#[test]
fn a_row_has_at_most_16000_characters() {
    let mut wide = super::pool();
    for attribute in wide["SchemaAttributes"].as_array_mut().unwrap() {
        attribute["StringAttributeConstraints"] = json!({});
    }
    let wide = Shape::of(&wide, None).unwrap();
    let rest = row_in(&wide, "CONFIRMED", &[]).unwrap().chars().count();
    let longest = "é".repeat(ROW_CHARS_MAX - rest);
    assert_eq!(
        row_in(&wide, "CONFIRMED", &[("name", &longest)])
            .unwrap()
            .chars()
            .count(),
        ROW_CHARS_MAX
    );
    assert_eq!(
        row_in(&wide, "CONFIRMED", &[("name", &format!("{longest}é"))]),
        Err(Unfit::RowTooLong)
    );
    let commas = ",".repeat(longest.chars().count() / 2 + 1);
    assert_eq!(
        row_in(&wide, "CONFIRMED", &[("name", &commas)]),
        Err(Unfit::RowTooLong),
        "an escape counts"
    );
}

#[test]
fn a_part_takes_rows_until_it_is_full() {
    let row = Personal::new("é".repeat(10));
    let head = header().line().len() + 1;
    let mut by_rows = Part::new(&header(), PartLimit { rows: 2, bytes: 1_000 });
    assert!(by_rows.offer(&row) && by_rows.offer(&row) && !by_rows.offer(&row));
    assert_eq!(by_rows.rows(), 2);
    let mut by_bytes = Part::new(
        &header(),
        PartLimit {
            rows: 9,
            bytes: head + 2 * 21,
        },
    );
    assert!(by_bytes.offer(&row) && by_bytes.offer(&row) && !by_bytes.offer(&row));
    assert!(!format!("{by_bytes:?}").contains('é'));
    let less = PartLimit {
        rows: 9,
        bytes: head + 2 * 21 - 1,
    };
    let mut by_bytes_but_one = Part::new(&header(), less);
    assert!(
        by_bytes_but_one.offer(&row) && !by_bytes_but_one.offer(&row),
        "the end of a line counts"
    );
    let bytes = by_bytes.into_bytes();
    assert_eq!(bytes.len(), head + 2 * 21);
    let line = "é".repeat(10);
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        format!("{}\n{line}\n{line}\n", header().line())
    );
    let mut tiny = Part::new(&header(), PartLimit { rows: 0, bytes: 0 });
    assert!(
        tiny.offer(&row) && !tiny.offer(&row),
        "whatever the limit, a part is not empty"
    );
    assert_eq!((PART_MAX.rows, PART_MAX.bytes), (500_000, 100_000_000));
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn what_goes_by_the_file_arrives_as_it_is(record in any_user(), target in any_shape(), name in any::<String>()) {
        let mut record = record;
        if let Some(facet) = &mut record.attributes {
            facet.data.values.insert("name".to_owned(), Personal::new(name));
            facet.data.values.insert("email".to_owned(), Personal::new("ann@example.com"));
            facet.data.values.insert("email_verified".to_owned(), Personal::new("true"));
        }
        let Fate::Made(user) = recreate(&record, Default::default(), &target) else { return Ok(()) };
        let Ok(row) = header().row(&user, &target) else { return Ok(()) };
        let mut fields = read(row.expose());
        let username = fields.remove("cognito:username");
        prop_assert_eq!(username.as_deref(), Some(user.username.expose()));
        for (name, value) in &user.attributes {
            let field = fields.remove(name.as_str()).unwrap_or_default();
            match name.as_str() {
                "birthdate" => prop_assert_eq!(field, "02/01/1985"),
                "email_verified" | "phone_number_verified" => prop_assert_eq!(field.to_lowercase(), value.expose()),
                _ => prop_assert_eq!(field, value.expose()),
            }
        }
        prop_assert!(fields.is_empty(), "nothing else is in the row");
        prop_assert!(user.enabled && user.links.is_empty() && user.later.is_empty() && user.password);
    }

    #[test]
    fn every_text_without_doubt_goes_by_the_file(name in any::<String>()) {
        let doubtful = |c: char| c.is_control() || ['\\', '"', '\u{2028}', '\u{2029}', '\u{feff}'].contains(&c);
        let goes = name.trim() == name && !name.contains(doubtful);
        match row(&[("name", &name)]) {
            Ok(row) => {
                prop_assert!(goes);
                prop_assert_eq!(read(&row).remove("name").unwrap_or_default(), name);
            }
            Err(reason) => prop_assert!(!goes && reason == Unfit::Characters, "{reason:?}"),
        }
    }
}
