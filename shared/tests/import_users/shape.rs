//! The shape of a pool, read from Cognito's own words.

use serde_json::{Value, json};
use twinpool_shared::{
    error::ErrorKind,
    import::shape::{
        Marker, Mfa, Shape, UserNames,
        attribute::{Attribute, Kind},
    },
};

use super::{mfa, pool, shape};

#[test]
fn user_names_are_own_names_addresses_or_numbers() {
    let names = |list: Value| shape(&json!({ "UsernameAttributes": list })).names;
    assert_eq!(names(Value::Null), UserNames::Own);
    assert_eq!(names(json!([])), UserNames::Own);
    assert_eq!(names(json!(["email"])), UserNames::Email);
    assert_eq!(names(json!(["phone_number"])), UserNames::Phone);
    assert_eq!(names(json!(["phone_number", "email"])), UserNames::EmailOrPhone);
}

#[test]
fn what_cognito_leaves_out_has_its_default() {
    let bare = Shape::of(&json!({"SchemaAttributes": []}), None).unwrap();
    assert!(bare.case_sensitive && bare.aliases.is_empty() && bare.auto_verified.is_empty());
    assert_eq!((bare.mfa, bare.tier.as_deref()), (Mfa::default(), None));
    assert_eq!(bare.recovery.iter().collect::<Vec<_>>(), ["email", "phone_number"]);
    assert!(!bare.signs_in_by_code());
}

#[test]
fn what_cognito_says_is_read() {
    let shape = shape(&json!({
        "AliasAttributes": ["email", "preferred_username"],
        "UsernameConfiguration": {"CaseSensitive": false},
        "AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "verified_phone_number", "Priority": 1}]},
        "Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "SMS_OTP"]}},
    }));
    assert!(!shape.case_sensitive && shape.is_alias("email") && !shape.is_alias("phone_number"));
    assert_eq!(shape.recovery.iter().collect::<Vec<_>>(), ["phone_number"]);
    assert!(shape.signs_in_by_code());
    assert_eq!(shape.tier.as_deref(), Some("ESSENTIALS"));
    assert_eq!(
        shape.schema["custom:number"],
        Attribute {
            kind: Kind::Number,
            mutable: false,
            required: false,
            least: Some(-1),
            most: Some(9)
        }
    );
    assert_eq!(shape.custom_attributes(), 3);
}

#[test]
fn an_administrator_alone_is_no_way_of_the_user_to_reset() {
    let only_admins =
        json!({"AccountRecoverySetting": {"RecoveryMechanisms": [{"Name": "admin_only", "Priority": 1}]}});
    assert!(shape(&only_admins).recovery.is_empty());
}

#[test]
fn mfa_is_read_from_both_answers() {
    let all = Mfa {
        required: false,
        sms: true,
        email: true,
        totp: true,
    };
    assert_eq!(shape(&json!({})).mfa, all);
    let of = |pool: &Value, mfa: Option<&Value>| Shape::of(pool, mfa).unwrap().mfa;
    let mut required = mfa();
    required["MfaConfiguration"] = json!("ON");
    assert!(
        of(&pool(), Some(&required)).required,
        "the second answer is the one about MFA"
    );
    required["MfaConfiguration"] = json!("OFF");
    assert_eq!(of(&pool(), Some(&required)), Mfa::default());
    let mut by_text = pool();
    by_text["SmsConfiguration"] = json!({"SnsCallerArn": "arn:aws:iam::1:role/sms"});
    let sms_only = Mfa {
        sms: true,
        ..Mfa::default()
    };
    assert_eq!(
        of(&by_text, None),
        sms_only,
        "without the second answer the pool's own is what is known"
    );
}

#[test]
fn what_is_not_as_documented_is_refused_by_its_path() {
    let refused = [
        (json!({}), "/SchemaAttributes"),
        (json!({"SchemaAttributes": "none"}), "/SchemaAttributes"),
        (
            json!({"SchemaAttributes": [{"AttributeDataType": "String"}]}),
            "without Name",
        ),
        (
            json!({"SchemaAttributes": [{"Name": "x", "AttributeDataType": "Blob"}]}),
            "(x)",
        ),
        (
            json!({"SchemaAttributes": [{"Name": "x", "AttributeDataType": "Number",
                "NumberAttributeConstraints": {"MinValue": "few"}}]}),
            "(x) has a bound that is no number",
        ),
        (
            json!({"SchemaAttributes": [], "UsernameAttributes": ["nickname"]}),
            "/UsernameAttributes",
        ),
        (
            json!({"SchemaAttributes": [], "AliasAttributes": "email"}),
            "/AliasAttributes",
        ),
        (
            json!({"SchemaAttributes": [], "MfaConfiguration": "SOMETIMES"}),
            "/MfaConfiguration",
        ),
        (
            json!({"SchemaAttributes": [], "UsernameConfiguration": {"CaseSensitive": "no"}}),
            "/UsernameConfiguration/CaseSensitive",
        ),
    ];
    for (pool, names) in refused {
        let error = Shape::of(&pool, None).unwrap_err();
        assert_eq!(error.kind, ErrorKind::BadItem);
        assert!(error.what.contains(names), "{error}");
    }
}

#[test]
fn a_pool_bears_the_marker_or_can_or_cannot() {
    let with = |entries: Vec<Value>| shape(&json!({ "SchemaAttributes": entries }));
    let custom = |count| (0..count).map(|n| json!({"Name": format!("custom:{n}"), "AttributeDataType": "String"}));
    assert_eq!(shape(&json!({})).marker(), Marker::There);
    assert_eq!(with(custom(49).collect()).marker(), Marker::Addable);
    assert_eq!(with(custom(50).collect()).marker(), Marker::Full);
    assert_eq!(with(custom(49).collect()).with_marker().marker(), Marker::There);
    for unfit in [
        json!({"Name": "custom:original_sub", "AttributeDataType": "Number", "Mutable": true}),
        json!({"Name": "custom:original_sub", "AttributeDataType": "String", "Mutable": false}),
        json!({"Name": "custom:original_sub", "AttributeDataType": "String", "Mutable": true,
            "StringAttributeConstraints": {"MaxLength": "35"}}),
    ] {
        let shape = with(vec![unfit]);
        assert_eq!(shape.marker(), Marker::Unfit);
        assert_eq!(shape.clone().with_marker(), shape, "what is there is left as it is");
    }
}

#[test]
fn values_are_taken_within_their_bounds() {
    let schema = shape(&json!({})).schema;
    let cases = [
        ("custom:tier", "gold", true),
        ("custom:tier", "äöüß", true),
        ("custom:tier", "five5", false),
        ("birthdate", "1985-02-01", true),
        ("birthdate", "1985", false),
        ("custom:number", "-1", true),
        ("custom:number", "10", false),
        ("custom:number", "1.5", false),
        ("email_verified", "TRUE", true),
        ("email_verified", "yes", false),
    ];
    for (name, value, taken) in cases {
        assert_eq!(schema[name].takes(value), taken, "{name} {value}");
    }
}
