//! User names, aliases, schema and password rules.
//!
//! Invariant: a refused write leaves the user as it was.

use serde_json::{Value, json};

use super::{PASSWORD, Play, code, pairs};

#[test]
fn an_alias_works_when_verified_and_moves_by_force() {
    let mut play =
        Play::with(json!({ "AliasAttributes": ["email", "preferred_username"], "AutoVerifiedAttributes": ["email"] }));
    let first = play.create(
        "one",
        json!({ "email": "shared@example.com", "email_verified": "true" }),
    );
    let unverified = play.create("two", json!({ "email": "shared@example.com" }));
    let found = play.admin("AdminGetUser", "shared@example.com", json!({}));
    assert_eq!(found["Username"], "one");
    let clash = play.on(
        "two",
        json!({ "UserAttributes": pairs(&json!({ "email_verified": "true" })) }),
    );
    assert!(
        play.refused("AdminUpdateUserAttributes", clash)
            .starts_with("AliasExistsException")
    );
    let attributes = pairs(&json!({ "email": "shared@example.com", "email_verified": "true" }));
    let third = play.on(
        "three",
        json!({ "UserAttributes": attributes, "MessageAction": "SUPPRESS" }),
    );
    assert!(
        play.refused("AdminCreateUser", third.clone())
            .starts_with("AliasExistsException")
    );
    play.ok(
        "AdminCreateUser",
        super::merge(third, json!({ "ForceAliasCreation": true })),
    );
    assert_eq!(
        play.admin("AdminGetUser", "shared@example.com", json!({}))["Username"],
        "three"
    );
    assert_eq!(play.value(&first, "email_verified").as_deref(), Some("false"));
    assert_eq!(play.value(&unverified, "email_verified"), None);

    let sign_up = play.by_app(
        json!({ "Username": "four", "Password": PASSWORD, "UserAttributes": attributes_of("shared@example.com") }),
    );
    let sent = play.call("SignUp", sign_up);
    let confirm = play.by_app(json!({ "Username": "four", "ConfirmationCode": code(&sent) }));
    assert!(
        play.refused("ConfirmSignUp", confirm.clone())
            .starts_with("AliasExistsException")
    );
    play.ok(
        "ConfirmSignUp",
        super::merge(confirm, json!({ "ForceAliasCreation": true })),
    );
    assert_eq!(
        play.admin("AdminGetUser", "shared@example.com", json!({}))["Username"],
        "four"
    );

    let email_name = play.on("new@example.com", json!({ "MessageAction": "SUPPRESS" }));
    assert!(
        play.refused("AdminCreateUser", email_name)
            .contains("cannot be of email format")
    );
    play.admin(
        "AdminUpdateUserAttributes",
        "one",
        json!({ "UserAttributes": pairs(&json!({ "preferred_username": "uno" })) }),
    );
    assert_eq!(play.admin("AdminGetUser", "uno", json!({}))["Username"], "one");
    let taken = play.on(
        "two",
        json!({ "UserAttributes": pairs(&json!({ "preferred_username": "uno" })) }),
    );
    assert!(
        play.refused("AdminUpdateUserAttributes", taken)
            .starts_with("AliasExistsException")
    );
}

fn attributes_of(email: &str) -> Value {
    pairs(&json!({ "email": email }))
}

#[test]
fn with_username_attributes_the_username_is_the_sub() {
    let mut play = Play::with(
        json!({ "UsernameAttributes": ["email", "phone_number"], "UsernameConfiguration": { "CaseSensitive": false } }),
    );
    let sub = play.create("Ada@Example.com", json!({}));
    assert_eq!(play.get(&sub)["Username"], sub.as_str());
    assert_eq!(play.value(&sub, "email").as_deref(), Some("Ada@Example.com"));
    assert_eq!(
        play.admin("AdminGetUser", "ada@example.COM", json!({}))["Username"],
        sub.as_str()
    );
    assert_eq!(play.admin("AdminGetUser", &sub, json!({}))["Username"], sub.as_str());
    let twice = play.on("ada@example.com", json!({}));
    assert!(
        play.refused("AdminCreateUser", twice)
            .starts_with("UsernameExistsException")
    );
    let bad = play.on("ada", json!({}));
    assert_eq!(
        play.refused("AdminCreateUser", bad),
        "InvalidParameterException: Username should be either an email or a phone number."
    );
    let other = play.create("+491701234567", json!({}));
    assert_eq!(play.value(&other, "phone_number").as_deref(), Some("+491701234567"));
    let moved = play.on(&other, json!({ "UserAttributes": attributes_of("ADA@example.com") }));
    assert!(
        play.refused("AdminUpdateUserAttributes", moved)
            .starts_with("AliasExistsException")
    );
}

#[test]
fn user_names_are_case_sensitive_unless_configured() {
    let mut play = Play::usual();
    play.create("ada", json!({}));
    play.create("Ada", json!({}));
    let mut folded = Play::with(json!({ "UsernameConfiguration": { "CaseSensitive": false } }));
    folded.create("ada", json!({}));
    let twice = folded.on("ADA", json!({}));
    assert!(
        folded
            .refused("AdminCreateUser", twice)
            .starts_with("UsernameExistsException")
    );
}

#[test]
fn the_schema_is_enforced() {
    let mut play = Play::with(json!({ "Schema": [
        { "Name": "email", "Required": true, "Mutable": true, "AttributeDataType": "String" },
        { "Name": "level", "AttributeDataType": "Number", "NumberAttributeConstraints": { "MinValue": "1", "MaxValue": "9" } },
        { "Name": "origin", "AttributeDataType": "String", "Mutable": false, "StringAttributeConstraints": { "MinLength": "2", "MaxLength": "4" } },
        { "Name": "flag", "AttributeDataType": "Boolean" },
    ] }));
    let good = json!({ "email": "a@example.com", "custom:level": "9", "custom:origin": "abcd", "custom:flag": "true" });
    let sub = play.create("ada", good);
    let before = play.get(&sub);
    for (attributes, problem) in [
        (json!({ "custom:level": "10" }), "at most"),
        (json!({ "custom:level": "x" }), "integer"),
        (json!({ "custom:flag": "yes" }), "true or false"),
        (json!({ "custom:origin": "ab" }), "cannot be updated"),
        (json!({ "custom:other": "1" }), "could not be determined"),
        (json!({ "email": "no address" }), "Invalid email address format."),
        (json!({ "phone_number": "0170" }), "Invalid phone number format."),
        (json!({ "email": "" }), "email"),
        (json!({ "sub": "x" }), "non-mutable"),
        (json!({ "birthdate": "1815" }), "longer"),
        (json!({ "name": "n".repeat(2049) }), "2048"),
    ] {
        let input = play.on("ada", json!({ "UserAttributes": pairs(&attributes) }));
        let error = play.refused("AdminUpdateUserAttributes", input);
        assert!(
            error.starts_with("InvalidParameterException") && error.contains(problem),
            "{attributes}: {error}"
        );
    }
    assert_eq!(play.get(&sub), before, "refused writes change nothing");
    let required = play.on("ada", json!({ "UserAttributeNames": ["email"] }));
    assert!(
        play.refused("AdminDeleteUserAttributes", required)
            .contains("cannot be deleted")
    );
    let pool = play.pool.clone();
    play.ok(
        "AddCustomAttributes",
        json!({ "UserPoolId": pool, "CustomAttributes": [{ "Name": "other", "AttributeDataType": "String" }] }),
    );
    play.admin(
        "AdminUpdateUserAttributes",
        "ada",
        json!({ "UserAttributes": pairs(&json!({ "custom:other": "1" })) }),
    );
    let long =
        json!({ "UserPoolId": pool, "CustomAttributes": [{ "Name": "a".repeat(21), "AttributeDataType": "String" }] });
    assert!(
        play.refused("AddCustomAttributes", long)
            .starts_with("InvalidParameterException")
    );
}

#[test]
fn the_default_password_policy() {
    let mut play = Play::usual();
    play.create("ada", json!({}));
    for (password, problem) in [
        ("Sh-rt1", "not long enough"),
        ("lower-case-1", "uppercase"),
        ("UPPER-CASE-1", "lowercase"),
        ("No-Number-Here", "numeric"),
        ("NoSymbolHere1", "symbol"),
    ] {
        let input = play.on("ada", json!({ "Password": password, "Permanent": true }));
        let error = play.refused("AdminSetUserPassword", input);
        assert!(
            error.starts_with("InvalidPasswordException") && error.contains(problem),
            "{error}"
        );
        assert!(!error.contains(password));
    }
}

#[test]
fn a_client_writes_only_what_it_may() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    let settings = json!({ "UserPoolId": pool, "ClientId": client, "ExplicitAuthFlows": ["USER_PASSWORD_AUTH"], "WriteAttributes": ["name"], "ReadAttributes": ["name"] });
    play.ok("UpdateUserPoolClient", settings);
    play.member("ada");
    let token = play.tokens("ada")["AccessToken"].clone();
    play.ok(
        "UpdateUserAttributes",
        json!({ "AccessToken": token, "UserAttributes": pairs(&json!({ "name": "Ada" })) }),
    );
    let forbidden = json!({ "AccessToken": token, "UserAttributes": pairs(&json!({ "nickname": "A" })) });
    assert!(
        play.refused("UpdateUserAttributes", forbidden)
            .contains("unauthorized attribute")
    );
    let own = play.ok("GetUser", json!({ "AccessToken": token }));
    assert_eq!(super::attribute(&own["UserAttributes"], "email"), None);
    assert_eq!(super::attribute(&own["UserAttributes"], "name").as_deref(), Some("Ada"));
}
