//! Flows, secrets, second factors, tokens and their revocation.
//!
//! Invariant: tokens are read as a client reads them, by their claims.

use serde_json::{Value, json};

use super::{PASSWORD, Play, REGION, START, sources, text};
use crate::pools::signer::claims_of;
use crate::pools::{secret_hash, totp_code};

fn claims(token: &Value) -> Value {
    claims_of(&text(token)).unwrap_or_default()
}

#[test]
fn tokens_carry_the_documented_claims() {
    let mut play = Play::usual();
    let sub = play.member("ada");
    let (pool, client) = (play.pool.clone(), play.client.clone());
    for (name, precedence, role) in [
        ("late", 5, "arn:aws:iam::111122223333:role/late"),
        ("early", 1, "arn:aws:iam::111122223333:role/early"),
    ] {
        play.ok(
            "CreateGroup",
            json!({ "UserPoolId": pool, "GroupName": name, "Precedence": precedence, "RoleArn": role }),
        );
        play.admin("AdminAddUserToGroup", "ada", json!({ "GroupName": name }));
    }
    let tokens = play.tokens("ada");
    assert_eq!(
        (&tokens["ExpiresIn"], &tokens["TokenType"]),
        (&json!(3600), &json!("Bearer"))
    );
    let access = claims(&tokens["AccessToken"]);
    let id = claims(&tokens["IdToken"]);
    let issuer = format!("https://cognito-idp.{REGION}.amazonaws.com/{pool}");
    for token in [&access, &id] {
        assert_eq!(token["sub"], sub.as_str());
        assert_eq!(token["iss"], issuer.as_str());
        assert_eq!(token["cognito:groups"], json!(["early", "late"]));
        assert_eq!(token["iat"], START / 1000);
        assert_eq!(token["auth_time"], START / 1000);
        assert_eq!(token["exp"], (START + 3_600_000) / 1000);
    }
    assert_eq!(
        (&access["token_use"], &access["client_id"], &access["username"]),
        (&json!("access"), &json!(client), &json!("ada"))
    );
    assert_eq!(
        (&id["token_use"], &id["aud"], &id["cognito:username"]),
        (&json!("id"), &json!(client), &json!("ada"))
    );
    assert_eq!(
        (&id["email"], &id["email_verified"]),
        (&json!("ada@example.com"), &json!(true))
    );
    assert_eq!(id["cognito:preferred_role"], "arn:aws:iam::111122223333:role/early");
    assert_eq!(access["origin_jti"], id["origin_jti"]);
    assert_ne!(access["jti"], id["jti"]);
}

#[test]
fn tokens_end_by_time_sign_out_and_revocation() {
    let mut play = Play::usual();
    play.member("ada");
    let get = |tokens: &Value| json!({ "AccessToken": tokens["AccessToken"] });
    let refresh = |play: &Play, tokens: &Value| {
        play.by_app(
            json!({ "AuthFlow": "REFRESH_TOKEN_AUTH", "AuthParameters": { "REFRESH_TOKEN": tokens["RefreshToken"] } }),
        )
    };
    let first = play.tokens("ada");
    play.now += 3_600_000;
    assert!(play.refused("GetUser", get(&first)).contains("has expired"));
    let input = refresh(&play, &first);
    let outcome = play.call("InitiateAuth", input.clone());
    assert!(sources(&outcome).is_empty(), "a refresh is no authentication");
    let renewed = outcome.answer.expect("refreshed")["AuthenticationResult"].clone();
    assert_eq!(renewed.get("RefreshToken"), None);
    assert_eq!(claims(&renewed["AccessToken"])["auth_time"], START / 1000);
    play.ok("GetUser", get(&renewed));
    let revoke = play.by_app(json!({ "Token": first["RefreshToken"] }));
    play.ok("RevokeToken", revoke.clone());
    play.ok("RevokeToken", revoke);
    assert!(play.refused("GetUser", get(&renewed)).contains("has been revoked"));
    assert!(play.refused("InitiateAuth", input).contains("has been revoked"));

    let second = play.tokens("ada");
    play.ok("GlobalSignOut", get(&second));
    assert!(play.refused("GetUser", get(&second)).contains("has been revoked"));
    let third = play.tokens("ada");
    play.admin("AdminUserGlobalSignOut", "ada", json!({}));
    let input = refresh(&play, &third);
    assert!(play.refused("InitiateAuth", input).contains("has been revoked"));
    assert!(
        play.refused("GetUser", json!({ "AccessToken": "forged" }))
            .contains("Invalid Access Token")
    );
    assert!(
        play.refused("GetUser", json!({ "AccessToken": third["IdToken"] }))
            .contains("Invalid Access Token")
    );
    let fourth = play.tokens("ada");
    play.now += 30 * 86_400_000;
    let input = refresh(&play, &fourth);
    assert!(play.refused("InitiateAuth", input).contains("has expired"));
}

#[test]
fn a_secret_must_be_proven() {
    let mut play = Play::usual();
    play.member("ada");
    let pool = play.pool.clone();
    let created = play.ok(
        "CreateUserPoolClient",
        json!({
            "UserPoolId": pool, "ClientName": "server", "GenerateSecret": true,
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        }),
    );
    let client = text(&created["UserPoolClient"]["ClientId"]);
    let secret = text(&created["UserPoolClient"]["ClientSecret"]);
    let mut sign_in = |hash: Option<String>| {
        let parameters = json!({ "USERNAME": "ada", "PASSWORD": PASSWORD, "SECRET_HASH": hash });
        let input = json!({ "ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters });
        play.call("InitiateAuth", input).answer.map_err(|error| error.message)
    };
    assert!(
        sign_in(None)
            .expect_err("no hash")
            .contains("SECRET_HASH was not received")
    );
    assert!(
        sign_in(Some("AAAA".into()))
            .expect_err("wrong hash")
            .contains("does not match")
    );
    assert!(sign_in(Some(secret_hash(&secret, "ada", &client))).is_ok());
    let update = json!({ "UserPoolId": pool, "ClientId": client });
    let updated = play.ok("UpdateUserPoolClient", update);
    assert_eq!(
        updated["UserPoolClient"]["ClientSecret"],
        secret.as_str(),
        "an update keeps the secret"
    );
    assert_eq!(updated["UserPoolClient"]["ClientName"], "server");
    assert_eq!(
        updated["UserPoolClient"].get("ExplicitAuthFlows"),
        None,
        "and resets what it leaves out"
    );
    // A published vector of HMAC-SHA256 in base64 (RFC 4231, case 2), with the message cut in two.
    assert_eq!(
        secret_hash("Jefe", "what do ya want ", "for nothing?"),
        "W9zBRr9gdU5qBCQmCJV1x1oAPwidJzmDnexYuWTsOEM="
    );
}

#[test]
fn flows_must_be_allowed_and_srp_is_not_there() {
    let mut play = Play::usual();
    play.member("ada");
    let (pool, client) = (play.pool.clone(), play.client.clone());
    play.ok(
        "UpdateUserPoolClient",
        json!({ "UserPoolId": pool, "ClientId": client }),
    );
    assert_eq!(
        play.sign_in("ada", PASSWORD).answer.expect_err("flow").message,
        "USER_PASSWORD_AUTH flow not enabled for this client"
    );
    let admin = json!({
        "UserPoolId": pool, "ClientId": client, "AuthFlow": "ADMIN_USER_PASSWORD_AUTH",
        "AuthParameters": { "USERNAME": "ada", "PASSWORD": PASSWORD },
    });
    assert!(
        play.refused("AdminInitiateAuth", admin.clone())
            .contains("Auth flow not enabled")
    );
    play.ok(
        "UpdateUserPoolClient",
        json!({ "UserPoolId": pool, "ClientId": client, "ExplicitAuthFlows": ["ADMIN_NO_SRP_AUTH"] }),
    );
    assert!(
        play.ok("AdminInitiateAuth", admin)
            .get("AuthenticationResult")
            .is_some()
    );
    let srp = play.by_app(json!({ "AuthFlow": "USER_SRP_AUTH", "AuthParameters": {} }));
    assert_eq!(
        play.refused("InitiateAuth", srp),
        "LocalcloudUnsupported: localcloud does not support AuthFlow USER_SRP_AUTH of InitiateAuth"
    );
}

#[test]
fn existence_is_hidden_on_request() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    assert_eq!(
        play.sign_in("nobody", PASSWORD).answer.expect_err("unknown").code,
        "UserNotFoundException"
    );
    play.ok("UpdateUserPoolClient", json!({
        "UserPoolId": pool, "ClientId": client, "PreventUserExistenceErrors": "ENABLED", "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"],
    }));
    assert_eq!(
        play.sign_in("nobody", PASSWORD).answer.expect_err("unknown").message,
        "Incorrect username or password."
    );
    let nobody = play.by_app(json!({ "Username": "nobody" }));
    let forgot = play.call("ForgotPassword", nobody);
    assert!(forgot.answer.is_ok() && forgot.messages.is_empty());
    let confirm = play.by_app(json!({ "Username": "nobody", "ConfirmationCode": "123456" }));
    assert!(
        play.refused("ConfirmSignUp", confirm)
            .starts_with("ExpiredCodeException")
    );
}

#[test]
fn an_authenticator_app_can_be_registered_and_is_asked_for() {
    let mut play = Play::usual();
    let sub = play.member("ada");
    let pool = play.pool.clone();
    play.ok(
        "SetUserPoolMfaConfig",
        json!({
            "UserPoolId": pool, "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true },
        }),
    );
    let token = play.tokens("ada")["AccessToken"].clone();
    let early = play.on("ada", json!({ "SoftwareTokenMfaSettings": { "Enabled": true } }));
    assert!(
        play.refused("AdminSetUserMFAPreference", early.clone())
            .contains("has not verified software token")
    );
    let secret = text(&play.ok("AssociateSoftwareToken", json!({ "AccessToken": token }))["SecretCode"]);
    let wrong = json!({ "AccessToken": token, "UserCode": "abcdef" });
    assert!(
        play.refused("VerifySoftwareToken", wrong)
            .starts_with("EnableSoftwareTokenMFAException")
    );
    let right = totp_code(&secret, play.now).unwrap_or_default();
    assert_eq!(
        play.ok(
            "VerifySoftwareToken",
            json!({ "AccessToken": token, "UserCode": right })
        )["Status"],
        "SUCCESS"
    );
    play.ok("AdminSetUserMFAPreference", early);
    assert_eq!(play.get(&sub)["UserMFASettingList"], json!(["SOFTWARE_TOKEN_MFA"]));
    let challenge = play.sign_in("ada", PASSWORD).answer.expect("a challenge");
    assert_eq!(challenge["ChallengeName"], "SOFTWARE_TOKEN_MFA");
    let respond = |play: &Play, code: &str| {
        play.by_app(json!({
            "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": challenge["Session"],
            "ChallengeResponses": { "USERNAME": "ada", "SOFTWARE_TOKEN_MFA_CODE": code },
        }))
    };
    let wrong = respond(&play, "abcdef");
    assert!(
        play.refused("RespondToAuthChallenge", wrong)
            .starts_with("CodeMismatchException")
    );
    let right = totp_code(&secret, play.now).unwrap_or_default();
    let right = respond(&play, &right);
    assert!(
        play.ok("RespondToAuthChallenge", right)
            .get("AuthenticationResult")
            .is_some()
    );
    let expired = play.sign_in("ada", PASSWORD).answer.expect("a challenge");
    play.now += 180_000;
    let late = play.by_app(json!({
        "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": expired["Session"],
        "ChallengeResponses": { "USERNAME": "ada", "SOFTWARE_TOKEN_MFA_CODE": totp_code(&secret, play.now) },
    }));
    assert!(
        play.refused("RespondToAuthChallenge", late)
            .contains("session is expired")
    );
    let no_phone = play.on("ada", json!({ "SMSMfaSettings": { "Enabled": true } }));
    assert!(
        play.refused("AdminSetUserMFAPreference", no_phone)
            .starts_with("InvalidParameterException")
    );
}

#[test]
fn two_factors_without_a_preference_are_offered() {
    let mut play = Play::with(
        json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": { "SnsCallerArn": "arn:aws:iam::111122223333:role/sms" } }),
    );
    play.member("ada");
    let token = play.tokens("ada")["AccessToken"].clone();
    let attributes = super::pairs(&json!({ "phone_number": "+4915112345678" }));
    play.admin(
        "AdminUpdateUserAttributes",
        "ada",
        json!({ "UserAttributes": attributes }),
    );
    let secret = text(&play.ok("AssociateSoftwareToken", json!({ "AccessToken": token }))["SecretCode"]);
    let code = totp_code(&secret, play.now);
    play.ok("VerifySoftwareToken", json!({ "AccessToken": token, "UserCode": code }));
    play.ok("SetUserMFAPreference", json!({
        "AccessToken": token, "SMSMfaSettings": { "Enabled": true }, "SoftwareTokenMfaSettings": { "Enabled": true },
    }));
    let challenge = play.sign_in("ada", PASSWORD).answer.expect("a challenge");
    assert_eq!(challenge["ChallengeName"], "SELECT_MFA_TYPE");
    let choose = play.by_app(json!({
        "ChallengeName": "SELECT_MFA_TYPE", "Session": challenge["Session"],
        "ChallengeResponses": { "USERNAME": "ada", "ANSWER": "SMS_MFA" },
    }));
    assert_eq!(play.ok("RespondToAuthChallenge", choose)["ChallengeName"], "SMS_MFA");
}
