//! Rewriting by a mapping file.
//!
//! Invariant: generated documents hold references at any depth, in any member.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use twinpool_shared::{
    error::ErrorKind,
    import::mapping::{Mapping, Place, rewrite},
};

use super::{complete_mapping, place, recorded, steps_of, texts};
use crate::generate::cases;

#[test]
fn a_mapping_file_that_is_not_one_is_refused_with_what_to_mend() {
    for (text, kind, part) in [
        ("", ErrorKind::BadSetting, "line 1"),
        ("{}", ErrorKind::BadSetting, "version"),
        (r#"{"version": 2}"#, ErrorKind::Newer, "version 2"),
        (r#"{"version": 0}"#, ErrorKind::BadSetting, "\"version\": 1"),
        (
            r#"{"version": 1, "arn": {}}"#,
            ErrorKind::BadSetting,
            "unknown field `arn`",
        ),
        (
            r#"{"version": 1, "arns": {"arn:aws:x": null}}"#,
            ErrorKind::BadSetting,
            "no ARN",
        ),
        (
            r#"{"version": 1, "import_logs_role": "role"}"#,
            ErrorKind::BadSetting,
            "no ARN",
        ),
    ] {
        let error = Mapping::parse(text).expect_err(text);
        assert_eq!(error.kind, kind, "{text}");
        assert!(error.what.contains(part), "{text}: {}", error.what);
    }
    assert!(Mapping::parse(r#"{"version": 1}"#).is_ok_and(|mapping| mapping == Mapping::default()));
}

#[test]
fn nothing_is_mapped_into_the_lost_region() {
    let mut mapping = complete_mapping();
    let lost = "arn:aws:lambda:us-east-1:111122223333:function:b";
    mapping.arns.insert(
        "arn:aws:lambda:us-east-1:111122223333:function:a".to_owned(),
        Some(lost.to_owned()),
    );
    let error = mapping.check(&place()).expect_err("the lost Region");
    assert!(
        error.what.contains(lost) && error.what.contains("lost Region us-east-1"),
        "{error}"
    );
    mapping = complete_mapping();
    mapping.regions.insert("us-east-1".to_owned(), "us-east-1".to_owned());
    assert!(mapping.check(&place()).is_err());
}

#[test]
fn what_stands_is_kept_and_what_does_not_is_named() {
    let mapping = Mapping::default();
    let kept = json!({"RoleArn": "arn:aws:iam::111122223333:role/a", "SourceArn": "arn:aws:ses:us-west-2:1:identity/a",
        "Text": "arn:aws:sns in a sentence", "Region": "us-west-2", "Name": "us-east-1"});
    assert_eq!(
        rewrite("p", &kept, &mapping, &place()).expect("nothing to map").value,
        kept
    );
    for (value, line) in [
        (
            json!({"a": "arn:aws:sns:us-east-1:1:t"}),
            r#""arn:aws:sns:us-east-1:1:t": "arn:aws:sns:us-west-2:1:t""#,
        ),
        (
            json!({"a": "arn:aws:kms:eu-west-1:1:key/k"}),
            r#""arn:aws:kms:eu-west-1:1:key/k": "arn:aws:kms:us-west-2:1:key/k""#,
        ),
        (
            json!({"a": "arn:aws:s3:::logs"}),
            r#""arn:aws:s3:::logs": "arn:aws:s3:::a-bucket-in-us-west-2""#,
        ),
        (
            json!({"a": "arn:aws:iam::9:role/a"}),
            r#""arn:aws:iam::9:role/a": "arn:aws:iam::111122223333:role/a""#,
        ),
        (json!({"SnsRegion": "us-east-1"}), r#""us-east-1": "us-west-2""#),
    ] {
        let unmapped = rewrite("part/member", &value, &mapping, &place()).expect_err("not mapped");
        assert_eq!(unmapped[0].line, line);
        assert!(unmapped[0].path.starts_with("part/member/"));
    }
}

#[test]
fn leaving_out_an_arn_leaves_out_what_means_nothing_without_it() {
    let arn = "arn:aws:lambda:us-east-1:1:function:f";
    let mut mapping = Mapping::default();
    mapping.arns.insert(arn.to_owned(), None);
    let value =
        json!({"PreSignUp": arn, "CustomSMSSender": {"LambdaVersion": "V1_0", "LambdaArn": arn}, "List": [arn, "a"]});
    let rewritten = rewrite("p", &value, &mapping, &place()).expect("mapped");
    assert_eq!(rewritten.value, json!({"List": ["a"]}));
    assert_eq!(rewritten.left_out.len(), 3);
}

const REGIONS: [&str; 3] = ["us-east-1", "us-west-2", "eu-central-1"];

fn arn() -> impl Strategy<Value = String> {
    let service = prop::sample::select(vec![
        "lambda",
        "sns",
        "ses",
        "kms",
        "logs",
        "firehose",
        "mobiletargeting",
    ]);
    (service, prop::sample::select(REGIONS.to_vec()), "[a-z]{1,4}")
        .prop_map(|(service, region, name)| format!("arn:aws:{service}:{region}:111122223333:{name}"))
}

fn document() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        arn(),
        "[a-z:/ .]{0,12}",
        Just("arn:aws:iam::111122223333:role/r".to_owned()),
        prop::sample::select(REGIONS.to_vec()).prop_map(str::to_owned),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    leaf.prop_recursive(4, 40, 5, |inner| {
        let name = prop_oneof![
            "[A-Z][a-z]{0,6}",
            Just("SnsRegion".to_owned()),
            Just("LambdaArn".to_owned())
        ];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(name, inner, 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Adds the lines that a refusal asks for, as an operator does.
fn with_lines(mut mapping: Mapping, refused: &[twinpool_shared::import::mapping::Unmapped]) -> Mapping {
    for unmapped in refused {
        let line: Map<String, Value> = serde_json::from_str(&format!("{{{}}}", unmapped.line)).expect("a line of JSON");
        for (old, new) in line {
            let new = new.as_str().expect("a text").to_owned();
            match unmapped.section {
                "arns" => drop(mapping.arns.insert(old, Some(new))),
                "regions" => drop(mapping.regions.insert(old, new)),
                other => panic!("no section {other}"),
            }
        }
    }
    mapping
}

#[test]
fn without_the_key_of_the_code_senders_there_are_no_code_senders() {
    let function = |name: &str| format!("arn:aws:lambda:us-east-1:111122223333:function:{name}");
    let key = "arn:aws:kms:us-east-1:111122223333:key/1";
    let mut mapping = Mapping::default();
    mapping.arns.insert(key.to_owned(), None);
    let kept = function("kept").replace("us-east-1", "us-west-2");
    mapping.arns.insert(function("kept"), Some(kept.clone()));
    let triggers = json!({"KMSKeyID": key, "PostConfirmation": function("kept"),
        "CustomEmailSender": {"LambdaVersion": "V1_0", "LambdaArn": function("mail")},
        "CustomSMSSender": {"LambdaVersion": "V1_0", "LambdaArn": function("sms")}});
    let rewritten = rewrite("pool/pool/LambdaConfig", &triggers, &mapping, &place()).expect("nothing else is needed");
    assert_eq!(rewritten.value, json!({"PostConfirmation": kept}));
    let left_out: Vec<&str> = rewritten.left_out.iter().map(|left| left.path.as_str()).collect();
    let path = |member: &str| format!("pool/pool/LambdaConfig/{member}");
    assert_eq!(
        left_out,
        [path("CustomEmailSender"), path("CustomSMSSender"), path("KMSKeyID")]
    );
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn rewriting_leaves_no_reference_to_the_source_region(document in document()) {
        let place: Place = place();
        let mapping = match rewrite("p", &document, &Mapping::default(), &place) {
            Ok(_) => Mapping::default(),
            Err(refused) => with_lines(Mapping::default(), &refused),
        };
        let rewritten = rewrite("p", &document, &mapping, &place).expect("every line was added").value;
        let mut found = Vec::new();
        texts(&rewritten, &mut found);
        for text in found.iter().filter(|text| text.starts_with("arn:")) {
            prop_assert!(!text.contains(":us-east-1:"), "{}", text);
        }
        // Once more changes nothing.
        prop_assert_eq!(&rewrite("p", &rewritten, &mapping, &place).expect("mapped").value, &rewritten);
    }
}

#[test]
fn the_lines_that_a_refusal_names_are_all_that_is_missing() {
    let refused = match steps_of(&recorded(), &Mapping::default()) {
        Err(twinpool_shared::import::configure::Refused::Unmapped(unmapped)) => unmapped,
        other => panic!("{other:?}"),
    };
    let mapping = with_lines(Mapping::default(), &refused);
    let wanted = steps_of(&recorded(), &mapping).expect("all lines are there");
    let mut found = Vec::new();
    for step in &wanted.steps {
        texts(step.input.expose(), &mut found);
    }
    let lost: Vec<_> = found
        .iter()
        .filter(|text| text.starts_with("arn:") && text.contains("us-east-1"))
        .collect();
    assert!(lost.is_empty(), "{lost:?}");
}
