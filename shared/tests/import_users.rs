//! Users of an import: whom, in which pool, how, by which file, and what the target has to show of them.
//!
//! Invariant: pools are described in Cognito's own words, as `DescribeUserPool` answers.

mod csv;
mod expect;
mod recreate;
mod select;
mod shape;
mod sub_map;

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection, option, prelude::*, sample};
use serde_json::{Value, json};
use twinpool_shared::{
    import::{
        recreate::{Fate, NotMade, Recreation, recreate},
        shape::Shape,
    },
    personal::Personal,
    user::{Account, Attributes, Facet, Factors, UserRecord},
};

use crate::generate::{at, personal_map, sub};

/// A `sub` of the usual form.
const SUB: &str = "0f1e2d3c-0051-7076-79e2-0123456789ab";

/// `UserPool` of a plain pool that verifies e-mail addresses and has MFA.
fn pool() -> Value {
    let text = |name: &str, most: &str| {
        json!({"Name": name, "AttributeDataType": "String", "DeveloperOnlyAttribute": false, "Mutable": true,
            "Required": false, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": most}})
    };
    let flag = |name: &str| json!({"Name": name, "AttributeDataType": "Boolean", "Mutable": true, "Required": false});
    json!({
        "Id": "us-east-1_EXAMPLE01",
        "SchemaAttributes": [
            {"Name": "sub", "AttributeDataType": "String", "Mutable": false, "Required": true,
                "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "2048"}},
            {"Name": "identities", "AttributeDataType": "String", "Mutable": true, "StringAttributeConstraints": {}},
            text("email", "2048"), flag("email_verified"), text("phone_number", "2048"), flag("phone_number_verified"),
            text("name", "2048"), text("preferred_username", "2048"), text("address", "2048"),
            {"Name": "birthdate", "AttributeDataType": "String", "Mutable": true,
                "StringAttributeConstraints": {"MinLength": "10", "MaxLength": "10"}},
            text("custom:tier", "4"),
            {"Name": "custom:number", "AttributeDataType": "Number", "Mutable": false,
                "NumberAttributeConstraints": {"MinValue": "-1", "MaxValue": "9"}},
            text("custom:original_sub", "128"),
        ],
        "AutoVerifiedAttributes": ["email"],
        "MfaConfiguration": "OPTIONAL",
        "UserPoolTier": "ESSENTIALS",
    })
}

/// The answer of `GetUserPoolMfaConfig`.
fn mfa() -> Value {
    json!({"MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": {"SmsConfiguration": {}}, "EmailMfaConfiguration": {},
        "SoftwareTokenMfaConfiguration": {"Enabled": true}})
}

/// The plain pool's shape, with these members set otherwise.
fn shape(changes: &Value) -> Shape {
    let mut pool = pool();
    for (name, value) in changes.as_object().into_iter().flatten() {
        pool[name] = value.clone();
    }
    Shape::of(&pool, Some(&mfa())).expect("a pool as documented")
}

fn facet<T>(data: T) -> Facet<T> {
    Facet {
        as_of: at(0),
        observed_at: at(0),
        source: "ListUsers".to_owned(),
        data,
    }
}

/// A user with these attributes.
fn user(status: &str, values: &[(&str, &str)]) -> UserRecord {
    let mut record = UserRecord::new(sub(SUB));
    record.attributes = Some(facet(Attributes {
        username: Personal::new("ann"),
        values: personal_map(values),
    }));
    record.status = Some(facet(status.to_owned()));
    record.account = Some(facet(account(true)));
    record
}

fn account(enabled: bool) -> Account {
    Account {
        enabled,
        created: at(0),
        modified: at(0),
    }
}

fn with_factors(mut record: UserRecord, preferred: Option<&str>, enabled: &[&str]) -> UserRecord {
    record.factors = Some(facet(Factors {
        preferred: preferred.map(str::to_owned),
        enabled: enabled.iter().map(|name| (*name).to_owned()).collect(),
    }));
    record
}

fn made(record: &UserRecord, target: &Shape) -> Recreation {
    match recreate(record, BTreeSet::new(), target) {
        Fate::Made(recreation) => *recreation,
        Fate::NotMade(reason) => panic!("not made: {}", reason.as_str()),
    }
}

fn not_made(record: &UserRecord, target: &Shape) -> NotMade {
    match recreate(record, BTreeSet::new(), target) {
        Fate::Made(_) => panic!("made"),
        Fate::NotMade(reason) => reason,
    }
}

/// Names of attributes, known to the pool and not.
fn attribute_name() -> impl Strategy<Value = String> {
    let known = sample::select(
        &[
            "sub",
            "identities",
            "cognito:user_status",
            "cognito:mfa_enabled",
            "email",
            "email_verified",
            "phone_number",
            "phone_number_verified",
            "name",
            "preferred_username",
            "birthdate",
            "custom:tier",
            "custom:number",
            "custom:gone",
            "custom:original_sub",
        ][..],
    );
    prop_oneof![12 => known.prop_map(str::to_owned), 1 => "[a-z:]{1,8}"]
}

/// Values, plain and hostile.
fn attribute_value() -> impl Strategy<Value = String> {
    let telling = sample::select(
        &[
            "",
            "true",
            "True",
            "false",
            "a@example.com",
            "+31612345678",
            "7",
            "99",
            "1985-02-01",
            "02/01/1985",
            "a,b",
            "a\\,b",
            " padded ",
            "two\nlines",
            "\"quoted\"",
            SUB,
            "[]",
            "[{}]",
            r#"[{"providerName":"Google","userId":"1","primary":true},{"providerName":"Okta","userId":2},{"userId":"3"}]"#,
        ][..],
    );
    prop_oneof![4 => telling.prop_map(str::to_owned), 1 => ".{0,8}", 1 => any::<String>()]
}

/// Any record of one user.
fn any_user() -> impl Strategy<Value = UserRecord> {
    let values = collection::btree_map(attribute_name(), attribute_value(), 0..10);
    let username = prop_oneof![Just(String::new()), "[a-z]{1,4}", Just("a@example.com".to_owned())];
    let attributes = (username, values).prop_map(|(username, values)| {
        let values: BTreeMap<_, _> = values
            .into_iter()
            .map(|(name, value)| (name, Personal::new(value)))
            .collect();
        Attributes {
            username: Personal::new(username),
            values,
        }
    });
    let statuses = [
        "CONFIRMED",
        "CONFIRMED",
        "UNCONFIRMED",
        "RESET_REQUIRED",
        "FORCE_CHANGE_PASSWORD",
        "EXTERNAL_PROVIDER",
        "ARCHIVED",
        "INVENTED",
    ];
    let factor = sample::select(&["SMS_MFA", "EMAIL_OTP", "SOFTWARE_TOKEN_MFA", "WEB_AUTHN", "INVENTED"][..]);
    let factors = (
        option::of(factor.clone().prop_map(str::to_owned)),
        collection::btree_set(factor.prop_map(str::to_owned), 0..4),
    );
    let factors = factors.prop_map(|(preferred, enabled)| Factors { preferred, enabled });
    (
        option::weighted(0.95, attributes),
        option::weighted(0.95, sample::select(statuses.to_vec())),
        option::of(any::<bool>()),
        option::of(factors),
    )
        .prop_map(|(attributes, status, enabled, factors)| {
            let mut record = UserRecord::new(sub(SUB));
            record.attributes = attributes.map(facet);
            record.status = status.map(str::to_owned).map(facet);
            record.account = enabled.map(account).map(facet);
            record.factors = factors.map(facet);
            record
        })
}

/// Pools of every kind.
fn any_shape() -> impl Strategy<Value = Shape> {
    let names = sample::select(vec![
        json!([]),
        json!(["email"]),
        json!(["phone_number"]),
        json!(["phone_number", "email"]),
    ]);
    let aliases = sample::select(vec![
        json!([]),
        json!(["preferred_username"]),
        json!(["email", "preferred_username"]),
    ]);
    let verified = sample::select(vec![json!([]), json!(["email"]), json!(["email", "phone_number"])]);
    let factors = sample::select(vec![json!(["PASSWORD"]), json!(["PASSWORD", "EMAIL_OTP"])]);
    (names, aliases, verified, factors).prop_map(|(names, aliases, verified, factors)| {
        shape(&json!({
            "UsernameAttributes": names,
            "AliasAttributes": aliases,
            "AutoVerifiedAttributes": verified,
            "Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": factors}},
        }))
    })
}
