//! Trigger events compared with literal JSON.
//!
//! Invariant: the expected events are written out by hand from AWS's documentation.

use serde_json::{Value, json};

use super::{PASSWORD, Play, code, pairs, sources, text};

#[test]
fn the_events_of_a_sign_up_are_the_documented_ones() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    let sign_up = play.by_app(json!({
        "Username": "ada", "Password": PASSWORD, "UserAttributes": pairs(&json!({ "email": "ada@example.com" })),
        "ClientMetadata": { "from": "test" },
    }));
    let signed_up = play.call("SignUp", sign_up);
    let sub = text(&signed_up.answer.as_ref().expect("signed up")["UserSub"]);
    assert_eq!(signed_up.triggers[0].slot, "CustomMessage");
    assert_eq!(
        signed_up.triggers[0].function_arn,
        "arn:aws:lambda:eu-central-1:111122223333:function:message"
    );
    assert_eq!(
        signed_up.triggers[0].event,
        json!({
            "version": "1", "region": "eu-central-1", "userPoolId": pool, "userName": "ada",
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client },
            "triggerSource": "CustomMessage_SignUp",
            "request": {
                "userAttributes": {
                    "sub": sub, "email": "ada@example.com", "email_verified": "false", "cognito:user_status": "UNCONFIRMED"
                },
                "codeParameter": "{####}", "linkParameter": "{##Click Here##}", "usernameParameter": null,
                "clientMetadata": { "from": "test" },
            },
            "response": { "smsMessage": null, "emailMessage": null, "emailSubject": null },
        })
    );
    let confirm = play.by_app(json!({ "Username": "ada", "ConfirmationCode": code(&signed_up) }));
    let confirmed = play.call("ConfirmSignUp", confirm);
    assert_eq!(confirmed.triggers.len(), 1);
    assert_eq!(
        confirmed.triggers[0].event,
        json!({
            "version": "1", "region": "eu-central-1", "userPoolId": pool, "userName": "ada",
            "callerContext": { "awsSdkVersion": "aws-sdk-unknown-unknown", "clientId": client },
            "triggerSource": "PostConfirmation_ConfirmSignUp",
            "request": { "userAttributes": {
                "sub": sub, "email": "ada@example.com", "email_verified": "true", "cognito:user_status": "CONFIRMED"
            } },
            "response": {},
        })
    );
    let signed_in = play.sign_in("ada", PASSWORD);
    assert_eq!(
        signed_in.triggers[0].event["request"],
        json!({
            "userAttributes": {
                "sub": sub, "email": "ada@example.com", "email_verified": "true", "cognito:user_status": "CONFIRMED"
            },
            "newDeviceUsed": false,
        })
    );
    assert_eq!(signed_in.triggers[0].event["response"], json!({}));
}

#[test]
fn an_invitation_carries_the_username_parameter_and_suppress_is_silent() {
    let mut play = Play::usual();
    let attributes = pairs(&json!({ "email": "bob@example.com" }));
    let invite = play.on(
        "bob",
        json!({ "UserAttributes": attributes, "DesiredDeliveryMediums": ["EMAIL"] }),
    );
    let invited = play.call("AdminCreateUser", invite);
    let event = &invited.triggers[0].event;
    assert_eq!(event["triggerSource"], "CustomMessage_AdminCreateUser");
    assert_eq!(event["request"]["usernameParameter"], "{username}");
    assert_eq!(event["callerContext"]["clientId"], "CLIENT_ID_NOT_APPLICABLE");
    assert_eq!(
        event["request"]["userAttributes"]["cognito:user_status"],
        "FORCE_CHANGE_PASSWORD"
    );
    let silent = play.on(
        "cy",
        json!({ "UserAttributes": attributes, "DesiredDeliveryMediums": ["EMAIL"], "MessageAction": "SUPPRESS" }),
    );
    let silent = play.call("AdminCreateUser", silent);
    assert!(silent.triggers.is_empty() && silent.messages.is_empty());
}

#[test]
fn every_source_of_the_message_slot() {
    let mut play = Play::with(json!({
        "AutoVerifiedAttributes": ["email", "phone_number"], "LambdaConfig": super::functions(), "MfaConfiguration": "OPTIONAL",
        "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::111122223333:role/sms" },
    }));
    play.member("ada");
    let token = play.tokens("ada")["AccessToken"].clone();
    let changed = play.on(
        "ada",
        json!({ "UserAttributes": pairs(&json!({ "phone_number": "+4915112345678" })) }),
    );
    let changed = play.call("AdminUpdateUserAttributes", changed);
    assert_eq!(sources(&changed), ["CustomMessage_UpdateUserAttribute"]);
    assert_eq!(changed.messages[0].medium, "SMS");
    let quiet = json!({ "phone_number": "+4915112345679", "phone_number_verified": "true" });
    let quiet = play.on("ada", json!({ "UserAttributes": pairs(&quiet) }));
    assert!(
        sources(&play.call("AdminUpdateUserAttributes", quiet)).is_empty(),
        "nothing to verify"
    );
    let asked = play.call(
        "GetUserAttributeVerificationCode",
        json!({ "AccessToken": token, "AttributeName": "email" }),
    );
    assert_eq!(sources(&asked), ["CustomMessage_VerifyUserAttribute"]);
    play.ok(
        "SetUserMFAPreference",
        json!({ "AccessToken": token, "SMSMfaSettings": { "Enabled": true, "PreferredMfa": true } }),
    );
    let challenged = play.sign_in("ada", PASSWORD);
    assert_eq!(sources(&challenged), ["CustomMessage_Authentication"]);
    let challenge = challenged.answer.as_ref().expect("a challenge");
    let respond = play.by_app(json!({
        "ChallengeName": "SMS_MFA", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "ada", "SMS_MFA_CODE": code(&challenged) },
    }));
    assert_eq!(
        sources(&play.call("RespondToAuthChallenge", respond)),
        ["PostAuthentication_Authentication"]
    );
}

#[test]
fn a_refused_call_fires_and_sends_nothing() {
    let mut play = Play::usual();
    play.member("ada");
    let wrong = play.sign_in("ada", "Wrong-Password-1");
    assert!(wrong.answer.is_err() && wrong.triggers.is_empty() && wrong.messages.is_empty());
    assert_eq!(wrong.records.len(), 1);
}

#[test]
fn an_update_without_triggers_removes_them() {
    let mut play = Play::usual();
    let pool = play.pool.clone();
    play.ok("UpdateUserPool", json!({ "UserPoolId": pool }));
    play.member("ada");
    let signed_in = play.sign_in("ada", PASSWORD);
    assert_eq!(
        (signed_in.answer.is_ok(), sources(&signed_in)),
        (true, Vec::<String>::new())
    );
    assert_eq!(
        play.ok("DescribeUserPool", json!({ "UserPoolId": pool }))["UserPool"].get("AutoVerifiedAttributes"),
        None::<&Value>
    );
}
