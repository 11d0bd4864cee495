//! Rules that whoever rebuilds a pool meets: creation without a message, names of every kind, recovery, links, limits.
//!
//! Invariant: as in `naming.rs`.

use serde_json::{Value, json};

use super::{PASSWORD, Play, code, functions, pairs, text};

fn sms() -> Value {
    json!({ "SnsCallerArn": "arn:aws:iam::111122223333:role/sms" })
}

#[test]
fn a_restored_user_is_told_nothing_until_they_ask() {
    let mut play = Play::usual();
    let attributes = json!({ "email": "ada@example.com", "email_verified": "true", "phone_number": "+491701234567" });
    let mut outcomes = Vec::new();
    for (operation, more) in [
        (
            "AdminCreateUser",
            json!({ "UserAttributes": pairs(&attributes), "MessageAction": "SUPPRESS" }),
        ),
        ("AdminDisableUser", json!({})),
        (
            "AdminSetUserPassword",
            json!({ "Password": PASSWORD, "Permanent": true }),
        ),
        (
            "AdminUpdateUserAttributes",
            json!({ "UserAttributes": pairs(&json!({ "email": "ada@example.com", "email_verified": "true" })) }),
        ),
    ] {
        let input = play.on("ada", more);
        outcomes.push(play.call(operation, input));
    }
    for outcome in outcomes {
        assert!(
            outcome.answer.is_ok() && outcome.messages.is_empty() && outcome.triggers.is_empty(),
            "{outcome:?}"
        );
    }
    let forgot = play.by_app(json!({ "Username": "ada" }));
    assert_eq!(
        play.refused("ForgotPassword", forgot.clone()),
        "NotAuthorizedException: User is disabled."
    );
    play.admin("AdminEnableUser", "ada", json!({}));
    let sent = play.call("ForgotPassword", forgot);
    let new = json!({ "Username": "ada", "ConfirmationCode": code(&sent), "Password": "Another-Horse-2" });
    let new = play.by_app(new);
    play.ok("ConfirmForgotPassword", new);
    assert!(play.sign_in("ada", "Another-Horse-2").answer.is_ok());
}

#[test]
fn who_cannot_reset_a_password_is_told_why() {
    let mut play = Play::usual();
    play.create("invited", json!({ "email": "i@example.com", "email_verified": "true" }));
    play.create("unverified", json!({ "email": "u@example.com" }));
    play.admin(
        "AdminSetUserPassword",
        "unverified",
        json!({ "Password": PASSWORD, "Permanent": true }),
    );
    for (name, refusal) in [
        (
            "invited",
            "NotAuthorizedException: User password cannot be reset in the current state.",
        ),
        (
            "unverified",
            "InvalidParameterException: Cannot reset password for the user as there is no registered/verified email or phone_number",
        ),
    ] {
        let input = play.by_app(json!({ "Username": name }));
        assert_eq!(play.refused("ForgotPassword", input), refusal);
    }
}

#[test]
fn the_second_factor_does_not_recover_the_first() {
    let mut play = Play::with(json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": sms() }));
    let phone = json!({ "phone_number": "+491701234567", "phone_number_verified": "true" });
    play.create("ada", phone);
    play.admin(
        "AdminSetUserPassword",
        "ada",
        json!({ "Password": PASSWORD, "Permanent": true }),
    );
    let forgot = play.by_app(json!({ "Username": "ada" }));
    let sent = play.ok("ForgotPassword", forgot.clone());
    assert_eq!(sent["CodeDeliveryDetails"]["DeliveryMedium"], "SMS");
    play.admin(
        "AdminSetUserMFAPreference",
        "ada",
        json!({ "SMSMfaSettings": { "Enabled": true } }),
    );
    let refusal = play.refused("ForgotPassword", forgot.clone());
    assert!(refusal.starts_with("InvalidParameterException"), "{refusal}");
    let mail = pairs(&json!({ "email": "ada@example.com", "email_verified": "true" }));
    play.admin("AdminUpdateUserAttributes", "ada", json!({ "UserAttributes": mail }));
    let sent = play.ok("ForgotPassword", forgot);
    assert_eq!(sent["CodeDeliveryDetails"]["DeliveryMedium"], "EMAIL");
}

#[test]
fn a_preferred_name_that_is_an_alias_comes_after_the_creation() {
    let mut play = Play::with(json!({ "AliasAttributes": ["preferred_username"] }));
    let name = pairs(&json!({ "preferred_username": "countess" }));
    let early = play.on("ada", json!({ "UserAttributes": name, "MessageAction": "SUPPRESS" }));
    assert_eq!(
        play.refused("AdminCreateUser", early),
        "InvalidParameterException: Preferred username cannot be provided for unconfirmed account, since user pool is configured for preferred username alias."
    );
    play.member("ada");
    play.admin("AdminUpdateUserAttributes", "ada", json!({ "UserAttributes": name }));
    assert_eq!(play.admin("AdminGetUser", "countess", json!({}))["Username"], "ada");
    let mut plain = Play::usual();
    plain.create("ada", json!({ "preferred_username": "countess" }));
}

#[test]
fn an_administrator_may_leave_out_what_is_required_and_the_user_brings_it() {
    let mut play = Play::with(json!({ "Schema": [{ "Name": "given_name", "Required": true }] }));
    let input = play.on(
        "ada",
        json!({ "TemporaryPassword": PASSWORD, "MessageAction": "SUPPRESS" }),
    );
    play.ok("AdminCreateUser", input);
    let asked = play.sign_in("ada", PASSWORD).answer.expect("a temporary password");
    assert_eq!(
        asked["ChallengeParameters"]["requiredAttributes"],
        "[\"userAttributes.given_name\"]"
    );
    let respond = |more: Value| {
        let responses = super::merge(json!({ "USERNAME": "ada", "NEW_PASSWORD": "Another-Horse-2" }), more);
        json!({ "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": asked["Session"], "ChallengeResponses": responses })
    };
    let without = play.by_app(respond(json!({})));
    assert_eq!(
        play.refused("RespondToAuthChallenge", without),
        "InvalidParameterException: Invalid attributes given, given_name is missing"
    );
    let with = play.by_app(respond(json!({ "userAttributes.given_name": "Ada" })));
    assert!(play.ok("RespondToAuthChallenge", with)["AuthenticationResult"].is_object());
    let sign_up = play.by_app(json!({ "Username": "bob", "Password": PASSWORD }));
    assert!(
        play.refused("SignUp", sign_up)
            .contains("given_name: The attribute is required")
    );
}

#[test]
fn a_verified_flag_needs_its_address() {
    let mut play = Play::usual();
    let flag = pairs(&json!({ "phone_number_verified": "true" }));
    let input = play.on("ada", json!({ "UserAttributes": flag, "MessageAction": "SUPPRESS" }));
    let refusal = play.refused("AdminCreateUser", input);
    assert!(
        refusal.starts_with("InvalidParameterException: phone_number is required"),
        "{refusal}"
    );
}

#[test]
fn without_passwords_a_user_is_made_confirmed() {
    let policy = json!({ "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD", "SMS_OTP"] } });
    let mut play = Play::with(json!({ "Policies": policy }));
    let shown = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    assert_eq!(shown["Policies"]["SignInPolicy"], policy["SignInPolicy"]);
    let by_code = play.create("ada", json!({ "phone_number": "+491701234567" }));
    let by_password = play.create("bob", json!({ "email": "bob@example.com" }));
    assert_eq!(
        (play.status(&by_code), play.status(&by_password)),
        ("CONFIRMED".to_owned(), "FORCE_CHANGE_PASSWORD".to_owned())
    );
    play.ok_in_pool("UpdateUserPool", json!({}));
    let shown = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    assert_eq!(
        shown["Policies"]["SignInPolicy"],
        json!({ "AllowedFirstAuthFactors": ["PASSWORD"] })
    );
    let lite = json!({ "PoolName": "x", "UserPoolTier": "LITE", "Policies": policy });
    assert!(
        play.refused("CreateUserPool", lite)
            .starts_with("FeatureUnavailableInTierException")
    );
}

#[test]
fn a_user_has_five_links_at_most() {
    let mut play = Play::usual();
    play.member("ada");
    let link = |play: &mut Play, number: u32| {
        let input = json!({
            "UserPoolId": play.pool,
            "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "ada" },
            "SourceUser": { "ProviderName": format!("idp{number}"), "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "1" },
        });
        play.call("AdminLinkProviderForUser", input).answer
    };
    for number in 0..5 {
        link(&mut play, number).expect("room for a link");
    }
    let again = link(&mut play, 4).expect_err("linked before");
    assert_eq!(again.message, "SourceUser is already linked to DestinationUser");
    assert_eq!(link(&mut play, 5).expect_err("no room").code, "LimitExceededException");
    let known = play.ok_in_pool(
        "LocalcloudFederatedSignIn",
        json!({ "ProviderName": "idp2", "ProviderUserId": "1", "ClientId": play.client }),
    );
    assert_eq!((&known["Username"], &known["Created"]), (&json!("ada"), &json!(false)));
}

#[test]
fn a_bought_limit_is_in_force_in_its_region_within_bounds() {
    let mut play = Play::usual();
    let of = |category: &str, wanted: Value| {
        let definition = json!({ "LimitClass": "API_CATEGORY", "Attributes": { "Category": category } });
        json!({ "LimitDefinition": definition, "RequestedLimitValue": wanted })
    };
    let bought = play.ok("UpdateProvisionedLimit", of("UserCreation", json!(200)))["Limit"].clone();
    assert_eq!(
        (&bought["ProvisionedLimitValue"], &bought["FreeLimitValue"]),
        (&json!(200), &json!(50))
    );
    let read = of("UserCreation", Value::Null);
    assert_eq!(play.ok("GetProvisionedLimit", read)["Limit"], bought);
    assert_eq!(play.cloud.rates_in(super::REGION).get("UserCreation"), Some(&200));
    assert_eq!(play.cloud.rates_in("us-east-1").get("UserCreation"), None);
    for (input, code) in [
        (of("UserCreation", json!(49)), "InvalidParameterException"),
        (of("UserCreation", json!(501)), "ServiceQuotaExceededException"),
        (of("UserCreation", Value::Null), "InvalidParameterException"),
        (of("UserUpdate", json!(50)), "InvalidParameterException"),
    ] {
        let refusal = play.refused("UpdateProvisionedLimit", input);
        assert!(refusal.starts_with(code), "{refusal}");
    }
    play.ok("UpdateProvisionedLimit", of("UserCreation", json!(50)));
    assert_eq!(play.cloud.rates_in(super::REGION).get("UserCreation"), Some(&50));
}

#[test]
fn every_trigger_is_stored_and_belongs_to_the_pools_region() {
    let mut play = Play::usual();
    let arn = |region: &str| format!("arn:aws:lambda:{region}:111122223333:function:f");
    let mut all = functions();
    for slot in [
        "PreSignUp",
        "PreAuthentication",
        "DefineAuthChallenge",
        "CreateAuthChallenge",
        "VerifyAuthChallengeResponse",
        "PreTokenGeneration",
        "UserMigration",
    ] {
        all[slot] = json!(arn(super::REGION));
    }
    for (slot, version) in [
        ("PreTokenGenerationConfig", "V2_0"),
        ("CustomSMSSender", "V1_0"),
        ("CustomEmailSender", "V1_0"),
        ("InboundFederation", "V1_0"),
    ] {
        all[slot] = json!({ "LambdaVersion": version, "LambdaArn": arn(super::REGION) });
    }
    all["KMSKeyID"] = json!("arn:aws:kms:eu-central-1:111122223333:key/1");
    play.ok_in_pool(
        "UpdateUserPool",
        json!({ "LambdaConfig": all, "AutoVerifiedAttributes": ["email"] }),
    );
    assert_eq!(
        play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"]["LambdaConfig"],
        all
    );
    let versioned = |place: &str| json!({ "LambdaVersion": "V1_0", "LambdaArn": arn(place) });
    for (config, problem) in [
        (json!({ "PreSignUp": arn("us-east-1") }), "Region of the user pool"),
        (json!({ "PreSignUp": "f" }), "not an ARN"),
        (
            json!({ "InboundFederation": versioned("us-east-1") }),
            "Region of the user pool",
        ),
        (
            json!({ "InboundFederation": { "LambdaArn": arn("eu-central-1") } }),
            "LambdaVersion",
        ),
        (json!({ "CustomSMSSender": versioned("eu-central-1") }), "KMSKeyID"),
        (
            json!({ "PreTokenGeneration": format!("{}2", arn("eu-central-1")), "PreTokenGenerationConfig": versioned("eu-central-1") }),
            "same function",
        ),
        (
            json!({ "Soon": arn("eu-central-1") }),
            "does not support the trigger Soon",
        ),
    ] {
        let refusal = play.refused_in_pool("UpdateUserPool", json!({ "LambdaConfig": config }));
        assert!(refusal.contains(problem), "{refusal}");
    }
}

#[test]
fn what_a_new_pool_cannot_have_is_refused() {
    let mut play = Play::usual();
    let required = json!([{ "Name": "preferred_username", "Required": true }]);
    for (settings, problem) in [
        (
            json!({ "AliasAttributes": ["preferred_username"], "Schema": required }),
            "but not both",
        ),
        (
            json!({ "AliasAttributes": ["email"], "UsernameAttributes": ["email"] }),
            "Only one of",
        ),
        (
            json!({ "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] } }),
            "must exist in AutoVerifiedAttributes",
        ),
        (
            json!({ "Policies": { "SignInPolicy": { "AllowedFirstAuthFactors": ["SOFTWARE_TOKEN"] } } }),
            "AllowedFirstAuthFactors",
        ),
        (
            json!({ "Schema": [{ "Name": "custom:a-long-custom-name" }] }),
            "1 to 20 characters",
        ),
        (
            json!({ "AdminCreateUserConfig": { "UnusedAccountValidityDays": 7 } }),
            "Please use TemporaryPasswordValidityDays",
        ),
    ] {
        let refusal = play.refused("CreateUserPool", super::merge(json!({ "PoolName": "x" }), settings));
        assert!(
            refusal.starts_with("InvalidParameterException") && refusal.contains(problem),
            "{refusal}"
        );
    }
    // The prefix is not for the caller to give.
    let twice = Play::with(json!({ "Schema": [{ "Name": "custom:plan", "AttributeDataType": "String" }] }))
        .ok_in_pool("DescribeUserPool", json!({}));
    assert!(twice.to_string().contains("custom:custom:plan"));
    let told = Play::with(json!({ "UsernameConfiguration": { "CaseSensitive": true } }))
        .ok_in_pool("DescribeUserPool", json!({}));
    assert_eq!(
        told["UserPool"]["UsernameConfiguration"],
        json!({ "CaseSensitive": true })
    );
}

#[test]
fn a_client_names_only_attributes_that_it_can_have() {
    let mut play = Play::usual();
    for (settings, problem) in [
        (
            json!({ "ReadAttributes": ["name", "custom:plan"] }),
            "Invalid read attributes",
        ),
        (
            json!({ "WriteAttributes": ["custom:plan"] }),
            "Invalid write attributes",
        ),
        (
            json!({ "WriteAttributes": ["email", "email_verified"] }),
            "Invalid write attributes",
        ),
    ] {
        let refusal = play.refused_in_pool(
            "CreateUserPoolClient",
            super::merge(json!({ "ClientName": "x" }), settings),
        );
        assert!(refusal.contains(problem), "{refusal}");
    }
    let many: Vec<Value> = (0..26).map(|n| json!({ "Name": format!("a{n}") })).collect();
    let refusal = play.refused_in_pool("AddCustomAttributes", json!({ "CustomAttributes": many }));
    assert!(refusal.contains("less than or equal to 25"), "{refusal}");
    play.ok_in_pool("AddCustomAttributes", json!({ "CustomAttributes": &many[..25] }));
}

#[test]
fn an_administrator_takes_an_authenticator_app_away() {
    let mut play = Play::with(json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": sms() }));
    let sub = play.member("ada");
    let token = play.tokens("ada")["AccessToken"].clone();
    let secret = play.ok("AssociateSoftwareToken", json!({ "AccessToken": token }));
    let digits = crate::pools::totp_code(&text(&secret["SecretCode"]), play.now).unwrap_or_default();
    play.ok(
        "VerifySoftwareToken",
        json!({ "AccessToken": token, "UserCode": digits }),
    );
    let prefer = json!({ "SoftwareTokenMfaSettings": { "Enabled": true, "PreferredMfa": true } });
    play.admin("AdminSetUserMFAPreference", "ada", prefer.clone());
    assert_eq!(play.get(&sub)["PreferredMfaSetting"], "SOFTWARE_TOKEN_MFA");
    play.admin("AdminDeleteSoftwareToken", "ada", json!({}));
    assert_eq!(play.get(&sub).get("PreferredMfaSetting"), None);
    let input = play.on("ada", prefer);
    assert!(
        play.refused("AdminSetUserMFAPreference", input)
            .contains("has not verified software token")
    );
}
