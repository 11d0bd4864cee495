//! The life of a user through every status.
//!
//! Invariant: each step is taken by an operation that AWS has.

use serde_json::json;

use super::{PASSWORD, Play, START, code, pairs, sources, text};

#[test]
fn sign_up_confirm_sign_in_edit_recover_delete() {
    let mut play = Play::usual();
    let sign_up = play.by_app(json!({
        "Username": "ada", "Password": PASSWORD, "UserAttributes": pairs(&json!({ "email": "ada@example.com", "name": "Ada" })),
    }));
    let signed_up = play.call("SignUp", sign_up.clone());
    let answer = signed_up.answer.as_ref().expect("signed up");
    let sub = text(&answer["UserSub"]);
    assert_eq!(
        answer["CodeDeliveryDetails"],
        json!({ "Destination": "a***@e***", "DeliveryMedium": "EMAIL", "AttributeName": "email" })
    );
    assert_eq!(sources(&signed_up), ["CustomMessage_SignUp"]);
    assert_eq!(play.status(&sub), "UNCONFIRMED");
    assert_eq!(play.value(&sub, "email_verified").as_deref(), Some("false"));
    assert!(play.refused("SignUp", sign_up).starts_with("UsernameExistsException"));
    let early = play.sign_in("ada", PASSWORD).answer.expect_err("not confirmed");
    assert_eq!(early.code, "UserNotConfirmedException");

    let resend = play.by_app(json!({ "Username": "ada" }));
    let resent = play.call("ResendConfirmationCode", resend);
    assert_eq!(sources(&resent), ["CustomMessage_ResendCode"]);
    let wrong = play.by_app(json!({ "Username": "ada", "ConfirmationCode": "nope" }));
    assert!(
        play.refused("ConfirmSignUp", wrong)
            .starts_with("CodeMismatchException")
    );
    play.now = START + 10;
    let confirm = play.by_app(json!({ "Username": "ada", "ConfirmationCode": code(&resent) }));
    assert_eq!(
        sources(&play.call("ConfirmSignUp", confirm.clone())),
        ["PostConfirmation_ConfirmSignUp"]
    );
    assert_eq!(play.status(&sub), "CONFIRMED");
    assert_eq!(play.value(&sub, "email_verified").as_deref(), Some("true"));
    assert_eq!(play.get(&sub)["UserLastModifiedDate"], json!(1_770_114_030.133));
    assert!(
        play.refused("ConfirmSignUp", confirm)
            .contains("Current status is CONFIRMED")
    );

    let signed_in = play.sign_in("ada", PASSWORD);
    assert_eq!(sources(&signed_in), ["PostAuthentication_Authentication"]);
    let tokens = signed_in.answer.expect("signed in")["AuthenticationResult"].clone();
    let token = text(&tokens["AccessToken"]);
    let edited = play.call(
        "UpdateUserAttributes",
        json!({ "AccessToken": token, "UserAttributes": pairs(&json!({ "email": "new@example.com" })) }),
    );
    assert_eq!(sources(&edited), ["CustomMessage_UpdateUserAttribute"]);
    assert_eq!(play.value(&sub, "email_verified").as_deref(), Some("false"));
    play.ok(
        "VerifyUserAttribute",
        json!({ "AccessToken": token, "AttributeName": "email", "Code": code(&edited) }),
    );
    assert_eq!(play.value(&sub, "email_verified").as_deref(), Some("true"));

    let forgot = play.by_app(json!({ "Username": "ada" }));
    let forgotten = play.call("ForgotPassword", forgot);
    assert_eq!(sources(&forgotten), ["CustomMessage_ForgotPassword"]);
    let recovery = json!({ "Username": "ada", "ConfirmationCode": code(&forgotten), "Password": "Another-Horse-2" });
    let recovered = play.by_app(recovery);
    assert_eq!(
        sources(&play.call("ConfirmForgotPassword", recovered)),
        ["PostConfirmation_ConfirmForgotPassword"]
    );
    assert_eq!(
        play.sign_in("ada", PASSWORD).answer.expect_err("old password").message,
        "Incorrect username or password."
    );
    assert!(play.sign_in("ada", "Another-Horse-2").answer.is_ok());

    play.ok(
        "ChangePassword",
        json!({ "AccessToken": token, "PreviousPassword": "Another-Horse-2", "ProposedPassword": PASSWORD }),
    );
    play.ok("DeleteUser", json!({ "AccessToken": token }));
    assert_eq!(play.get(&sub), serde_json::Value::Null);
    assert!(
        play.refused("GetUser", json!({ "AccessToken": token }))
            .starts_with("UserNotFoundException")
    );
}

#[test]
fn an_invited_user_must_choose_a_password_and_cannot_recover_before() {
    let mut play = Play::usual();
    let invite = play.on(
        "bob",
        json!({
            "UserAttributes": pairs(&json!({ "email": "bob@example.com", "email_verified": "true" })),
            "TemporaryPassword": "Temporary-1", "DesiredDeliveryMediums": ["EMAIL"],
        }),
    );
    let invited = play.call("AdminCreateUser", invite);
    assert_eq!(sources(&invited), ["CustomMessage_AdminCreateUser"]);
    assert_eq!(code(&invited), "Temporary-1");
    let sub = invited.became_active.first().cloned().unwrap_or_default();
    assert_eq!(play.status(&sub), "FORCE_CHANGE_PASSWORD");
    let forgot = play.by_app(json!({ "Username": "bob" }));
    assert_eq!(
        play.refused("ForgotPassword", forgot.clone()),
        "NotAuthorizedException: User password cannot be reset in the current state."
    );
    let challenge = play.sign_in("bob", "Temporary-1").answer.expect("a challenge");
    assert_eq!(challenge["ChallengeName"], "NEW_PASSWORD_REQUIRED");
    let respond = |password: &str| {
        json!({
            "ChallengeName": "NEW_PASSWORD_REQUIRED", "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": "bob", "NEW_PASSWORD": password },
        })
    };
    let weak = play.by_app(respond("short"));
    assert!(
        play.refused("RespondToAuthChallenge", weak)
            .starts_with("InvalidPasswordException")
    );
    let strong = play.by_app(respond(PASSWORD));
    assert_eq!(
        sources(&play.call("RespondToAuthChallenge", strong.clone())),
        ["PostAuthentication_Authentication"]
    );
    assert!(
        play.refused("RespondToAuthChallenge", strong)
            .contains("Invalid session")
    );
    assert_eq!(play.status(&sub), "CONFIRMED");
    play.ok("ForgotPassword", forgot);

    let resend = play.on("bob", json!({ "MessageAction": "RESEND" }));
    assert!(
        play.refused("AdminCreateUser", resend)
            .starts_with("UnsupportedUserStateException")
    );
}

#[test]
fn a_temporary_password_expires_and_is_renewed_by_resend() {
    let mut play = Play::usual();
    let sub = play.create("cy", json!({ "email": "cy@example.com" }));
    play.admin(
        "AdminSetUserPassword",
        "cy",
        json!({ "Password": "Temporary-1", "Permanent": false }),
    );
    play.now += 7 * 86_400_000;
    assert!(
        play.sign_in("cy", "Temporary-1")
            .answer
            .expect_err("too late")
            .message
            .contains("has expired")
    );
    let resend = play.on(
        "cy",
        json!({ "MessageAction": "RESEND", "DesiredDeliveryMediums": ["EMAIL"] }),
    );
    let resent = play.call("AdminCreateUser", resend);
    assert_eq!(
        resent.answer.as_ref().expect("resent")["User"]["UserStatus"],
        "FORCE_CHANGE_PASSWORD"
    );
    assert!(
        play.sign_in("cy", &code(&resent))
            .answer
            .expect("a challenge")
            .get("Session")
            .is_some()
    );
    assert_eq!(play.status(&sub), "FORCE_CHANGE_PASSWORD");
}

#[test]
fn reset_disable_and_enable() {
    let mut play = Play::usual();
    let sub = play.member("dan");
    let token = text(&play.tokens("dan")["AccessToken"]);
    let reset = play.on("dan", json!({}));
    let reset = play.call("AdminResetUserPassword", reset);
    assert_eq!(sources(&reset), ["CustomMessage_ForgotPassword"]);
    assert_eq!(play.status(&sub), "RESET_REQUIRED");
    assert_eq!(
        play.sign_in("dan", PASSWORD).answer.expect_err("reset").code,
        "PasswordResetRequiredException"
    );
    assert!(
        play.refused("GetUser", json!({ "AccessToken": token }))
            .starts_with("NotAuthorizedException")
    );
    let recovered = play.by_app(json!({ "Username": "dan", "ConfirmationCode": code(&reset), "Password": PASSWORD }));
    play.ok("ConfirmForgotPassword", recovered);
    play.now += 5;
    play.admin("AdminDisableUser", "dan", json!({}));
    assert_eq!(play.get(&sub)["UserLastModifiedDate"], json!(1_770_114_030.128));
    assert_eq!(
        play.sign_in("dan", PASSWORD).answer.expect_err("disabled").message,
        "User is disabled."
    );
    play.admin("AdminEnableUser", "dan", json!({}));
    assert!(play.sign_in("dan", PASSWORD).answer.is_ok());
    play.admin("AdminDeleteUser", "dan", json!({}));
    let gone = play.on("dan", json!({}));
    assert_eq!(
        play.refused("AdminGetUser", gone),
        "UserNotFoundException: User does not exist."
    );
}

#[test]
fn codes_expire_and_recovery_needs_a_verified_address() {
    let mut play = Play::usual();
    play.member("eve");
    let forgot = play.by_app(json!({ "Username": "eve" }));
    let forgotten = play.call("ForgotPassword", forgot.clone());
    play.now += 3_600_000;
    let late = play.by_app(json!({ "Username": "eve", "ConfirmationCode": code(&forgotten), "Password": PASSWORD }));
    assert!(
        play.refused("ConfirmForgotPassword", late)
            .starts_with("ExpiredCodeException")
    );
    play.admin(
        "AdminDeleteUserAttributes",
        "eve",
        json!({ "UserAttributeNames": ["email"] }),
    );
    assert!(
        play.refused("ForgotPassword", forgot)
            .contains("no registered/verified email")
    );
}

#[test]
fn attributes_can_wait_for_their_code() {
    let mut play = Play::with(json!({
        "AutoVerifiedAttributes": ["email"],
        "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] },
    }));
    let sub = play.member("fay");
    let token = text(&play.tokens("fay")["AccessToken"]);
    let update = json!({ "AccessToken": token, "UserAttributes": pairs(&json!({ "email": "next@example.com" })) });
    let outcome = play.call("UpdateUserAttributes", update);
    assert_eq!(
        play.value(&sub, "email").as_deref(),
        Some("fay@example.com"),
        "the old address stays"
    );
    assert_eq!(play.value(&sub, "email_verified").as_deref(), Some("true"));
    play.ok(
        "VerifyUserAttribute",
        json!({ "AccessToken": token, "AttributeName": "email", "Code": code(&outcome) }),
    );
    assert_eq!(play.value(&sub, "email").as_deref(), Some("next@example.com"));
}

#[test]
fn groups_and_their_limits() {
    let mut play = Play::usual();
    let sub = play.member("gus");
    let modified = play.get(&sub)["UserLastModifiedDate"].clone();
    play.now += 50;
    let pool = play.pool.clone();
    for number in 0..101 {
        play.ok(
            "CreateGroup",
            json!({ "UserPoolId": pool, "GroupName": format!("g{number:03}"), "Precedence": number }),
        );
    }
    let twice = json!({ "UserPoolId": pool, "GroupName": "g000" });
    assert!(
        play.refused("CreateGroup", twice.clone())
            .starts_with("GroupExistsException")
    );
    for number in 0..100 {
        play.admin(
            "AdminAddUserToGroup",
            "gus",
            json!({ "GroupName": format!("g{number:03}") }),
        );
    }
    let one_more = play.on("gus", json!({ "GroupName": "g100" }));
    assert!(
        play.refused("AdminAddUserToGroup", one_more)
            .starts_with("LimitExceededException")
    );
    let unknown = play.on("gus", json!({ "GroupName": "none" }));
    assert!(
        play.refused("AdminAddUserToGroup", unknown)
            .starts_with("ResourceNotFoundException")
    );
    assert_eq!(
        play.get(&sub)["UserLastModifiedDate"],
        modified,
        "memberships do not move the date"
    );
    let first = play.admin("AdminListGroupsForUser", "gus", json!({ "Limit": 60 }));
    assert_eq!(first["Groups"].as_array().map(Vec::len), Some(60));
    let second = play.admin(
        "AdminListGroupsForUser",
        "gus",
        json!({ "Limit": 60, "NextToken": first["NextToken"] }),
    );
    assert_eq!(second["Groups"].as_array().map(Vec::len), Some(40));
    assert_eq!(second.get("NextToken"), None);
    play.ok("DeleteGroup", twice.clone());
    play.ok("CreateGroup", twice);
    assert_eq!(
        play.get(&sub)["Groups"].as_array().map(Vec::len),
        Some(99),
        "a deleted group takes its memberships along"
    );
    play.admin("AdminRemoveUserFromGroup", "gus", json!({ "GroupName": "g001" }));
    assert_eq!(play.get(&sub)["Groups"].as_array().map(Vec::len), Some(98));
    let updated = play.ok(
        "UpdateGroup",
        json!({ "UserPoolId": pool, "GroupName": "g002", "Precedence": 0 }),
    );
    assert_eq!(updated["Group"]["Precedence"], 0);
}
