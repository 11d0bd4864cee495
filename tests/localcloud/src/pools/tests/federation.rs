//! Federated users and links.
//!
//! Invariant: sign-ins through a provider are played by the control endpoint's pseudo operation only.

use serde_json::json;

use super::{Play, attribute, sources, text};

#[test]
fn the_first_sign_in_creates_the_user_and_later_ones_update_it() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    let sign_in = |email: &str| {
        json!({
            "UserPoolId": pool, "ProviderName": "Google", "ProviderUserId": "42", "ClientId": client, "Attributes": { "email": email },
        })
    };
    let first = play.call("LocalcloudFederatedSignIn", sign_in("a@example.com"));
    assert_eq!(sources(&first), ["PostConfirmation_ConfirmSignUp"]);
    assert_eq!(
        first.triggers[0].event["request"]["userAttributes"]["cognito:user_status"],
        "EXTERNAL_PROVIDER"
    );
    let answer = first.answer.as_ref().expect("signed in");
    let sub = text(&answer["UserSub"]);
    assert_eq!(
        (&answer["Username"], &answer["Created"]),
        (&json!("Google_42"), &json!(true))
    );
    let names: Vec<_> = first
        .records
        .iter()
        .map(|record| text(&record.detail["eventName"]))
        .collect();
    assert_eq!(names, ["Login_GET", "SAML2Response_POST", "Token_POST"]);
    assert_eq!(first.records[0].detail["additionalEventData"].get("userPoolId"), None);
    play.now += 7;
    let second = play.call("LocalcloudFederatedSignIn", sign_in("b@example.com"));
    assert_eq!(sources(&second), ["PostAuthentication_Authentication"]);
    assert_eq!(play.value(&sub, "email").as_deref(), Some("b@example.com"));
    assert_eq!(play.get(&sub)["UserLastModifiedDate"], json!(1_770_114_030.13));
    let listed = play.ok(
        "ListUsers",
        json!({ "UserPoolId": pool, "Filter": "cognito:user_status = \"EXTERNAL_PROVIDER\"" }),
    );
    let identities = attribute(&listed["Users"][0]["Attributes"], "identities").unwrap_or_default();
    let parsed: serde_json::Value = serde_json::from_str(&identities).expect("a JSON text");
    assert_eq!(
        (&parsed[0]["userId"], &parsed[0]["providerName"], &parsed[0]["primary"]),
        (&json!("42"), &json!("Google"), &json!(true))
    );
    let forgot = play.by_app(json!({ "Username": "Google_42" }));
    assert!(
        play.refused("ForgotPassword", forgot)
            .contains("cannot be reset in the current state")
    );
    play.admin(
        "AdminSetUserPassword",
        "Google_42",
        json!({ "Password": super::PASSWORD, "Permanent": true }),
    );
    assert_eq!(play.status(&sub), "CONFIRMED", "the trap that AWS documents");
}

#[test]
fn a_linked_identity_signs_in_as_its_user() {
    let mut play = Play::usual();
    let sub = play.member("ada");
    let pool = play.pool.clone();
    let link = |id: &str| {
        json!({
            "UserPoolId": pool, "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "ada" },
            "SourceUser": { "ProviderName": "Corp", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": id },
        })
    };
    for id in ["1", "2", "3", "4", "5"] {
        play.ok("AdminLinkProviderForUser", link(id));
    }
    assert!(
        play.refused("AdminLinkProviderForUser", link("6"))
            .starts_with("LimitExceededException")
    );
    assert!(
        play.refused("AdminLinkProviderForUser", link("5"))
            .contains("already linked")
    );
    let sign_in = json!({ "UserPoolId": pool, "ProviderName": "Corp", "ProviderUserId": "3" });
    assert_eq!(
        play.ok("LocalcloudFederatedSignIn", sign_in.clone())["UserSub"],
        sub.as_str()
    );
    assert_eq!(play.status(&sub), "CONFIRMED");
    let unlink = json!({ "UserPoolId": pool, "User": { "ProviderName": "Corp", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "3" } });
    play.ok("AdminDisableProviderForUser", unlink);
    assert_eq!(play.ok("LocalcloudFederatedSignIn", sign_in)["Created"], true);
    assert!(
        play.refused("AdminLinkProviderForUser", link("3"))
            .contains("Merging is not currently supported")
    );
}
