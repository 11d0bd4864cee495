//! CloudTrail records: their shape, and that nothing private is in them.
//!
//! Invariant: the shapes are those of the published samples.

use serde_json::{Value, json};

use super::{PASSWORD, Play, REGION, code, pairs, text};
use crate::pools::HIDDEN;

#[test]
fn an_administrators_call_is_recorded_as_published() {
    let mut play = Play::usual();
    let sub = play.member("ada");
    let pool = play.pool.clone();
    let input = play.on(
        "ada",
        json!({ "UserAttributes": pairs(&json!({ "name": "Countess" })) }),
    );
    let outcome = play.call("AdminUpdateUserAttributes", input);
    let record = &outcome.records[0];
    assert_eq!(
        (record.detail_type.as_str(), record.region.as_str()),
        ("AWS API Call via CloudTrail", REGION)
    );
    let mut detail = record.detail.clone();
    for unique in ["requestID", "eventID"] {
        assert_eq!(text(&detail[unique]).len(), 36);
        detail[unique] = Value::Null;
    }
    assert_eq!(
        detail,
        json!({
            "eventVersion": "1.11",
            "userIdentity": {
                "type": "AssumedRole",
                "principalId": "AROALOCALCLOUD:session",
                "arn": "arn:aws:sts::111122223333:assumed-role/tester/session",
                "accountId": "111122223333",
                "accessKeyId": "ASIALOCALCLOUD",
                "sessionContext": {
                    "sessionIssuer": {
                        "type": "Role", "principalId": "AROALOCALCLOUD", "arn": "arn:aws:iam::111122223333:role/tester",
                        "accountId": "111122223333", "userName": "tester"
                    },
                    "webIdFederationData": {},
                    "attributes": { "creationDate": "2026-02-03T10:20:30Z", "mfaAuthenticated": "false" }
                }
            },
            "eventTime": "2026-02-03T10:20:30Z",
            "eventSource": "cognito-idp.amazonaws.com",
            "eventName": "AdminUpdateUserAttributes",
            "awsRegion": REGION,
            "sourceIPAddress": "127.0.0.1",
            "userAgent": "localcloud",
            "requestParameters": { "userPoolId": pool, "username": HIDDEN, "userAttributes": HIDDEN },
            "responseElements": null,
            "additionalEventData": { "sub": sub },
            "requestID": null, "eventID": null,
            "readOnly": false,
            "eventType": "AwsApiCall",
            "managementEvent": true,
            "recipientAccountId": "111122223333",
            "eventCategory": "Management"
        })
    );
}

#[test]
fn what_each_kind_of_call_shows() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    let sign_up = play.by_app(json!({ "Username": "eve", "Password": PASSWORD, "UserAttributes": pairs(&json!({ "email": "eve@example.com" })) }));
    let outcome = play.call("SignUp", sign_up);
    let sub = text(&outcome.answer.as_ref().expect("signed up")["UserSub"]);
    let detail = &outcome.records[0].detail;
    assert_eq!(
        detail["userIdentity"],
        json!({ "type": "Unknown", "principalId": "Anonymous" })
    );
    assert_eq!(
        detail["requestParameters"],
        json!({ "clientId": client, "username": HIDDEN, "password": HIDDEN, "userAttributes": HIDDEN })
    );
    assert_eq!(
        detail["responseElements"],
        json!({ "userConfirmed": false, "codeDeliveryDetails": { "destination": HIDDEN, "deliveryMedium": "EMAIL", "attributeName": "email" } })
    );
    assert_eq!(detail.get("additionalEventData"), None);

    let confirm = play.by_app(json!({ "Username": "eve", "ConfirmationCode": code(&outcome) }));
    let detail = play.call("ConfirmSignUp", confirm).records[0].detail.clone();
    assert_eq!(detail["additionalEventData"], json!({ "sub": sub }));
    assert_eq!(
        detail["requestParameters"],
        json!({ "clientId": client, "username": HIDDEN, "confirmationCode": HIDDEN })
    );

    let token = play.tokens("eve")["AccessToken"].clone();
    let detail = play
        .call(
            "UpdateUserAttributes",
            json!({ "AccessToken": token, "UserAttributes": [] }),
        )
        .records[0]
        .detail
        .clone();
    assert_eq!(detail["additionalEventData"], json!({ "sub": sub, "userPoolId": pool }));
    assert_eq!(
        detail["requestParameters"],
        json!({ "accessToken": HIDDEN, "userAttributes": HIDDEN })
    );

    play.ok("CreateGroup", json!({ "UserPoolId": pool, "GroupName": "racers" }));
    let add = play.on("eve", json!({ "GroupName": "racers" }));
    let detail = play.call("AdminAddUserToGroup", add).records[0].detail.clone();
    assert_eq!(
        detail["requestParameters"],
        json!({ "userPoolId": pool, "username": HIDDEN, "groupName": "racers" })
    );

    let missing = play.on("nobody", json!({}));
    let detail = play.call("AdminDeleteUser", missing).records[0].detail.clone();
    assert_eq!(
        (&detail["errorCode"], detail.get("additionalEventData")),
        (&json!("UserNotFoundException"), None)
    );
    let detail = play
        .call(
            "ListUsers",
            json!({ "UserPoolId": pool, "Filter": "email = \"eve@example.com\"" }),
        )
        .records[0]
        .detail
        .clone();
    assert_eq!(
        (&detail["readOnly"], &detail["responseElements"]),
        (&json!(true), &Value::Null)
    );
}

#[test]
fn the_hosted_pages_leave_service_events() {
    let mut play = Play::usual();
    let (pool, client) = (play.pool.clone(), play.client.clone());
    let sign_up = play.by_app(json!({ "Username": "eve", "Password": PASSWORD, "UserAttributes": pairs(&json!({ "email": "eve@example.com" })) }));
    let outcome = play.call("LocalcloudHostedSignUp", sign_up);
    let sub = text(&outcome.answer.as_ref().expect("signed up")["UserSub"]);
    assert_eq!(outcome.records[0].detail_type, "AWS Service Event via CloudTrail");
    assert_eq!(outcome.records[0].detail["eventName"], "Signup_POST");
    let confirm = play.by_app(json!({ "Username": "eve", "ConfirmationCode": code(&outcome) }));
    let outcome = play.call("LocalcloudHostedConfirm", confirm);
    let detail = &outcome.records[0].detail;
    assert_eq!(
        (&detail["eventName"], &detail["eventType"], &detail["errorCode"]),
        (&json!("Confirm_POST"), &json!("AwsServiceEvent"), &json!(""))
    );
    assert_eq!(
        (&detail["requestParameters"], &detail["responseElements"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(
        detail["additionalEventData"],
        json!({
            "responseParameters": { "status": 302.0 },
            "requestParameters": { "sub": [sub], "client_id": [client], "username": [HIDDEN], "code": [HIDDEN] },
            "userPoolDomain": "localcloud.auth.eu-central-1.amazoncognito.com",
            "userPoolId": pool
        })
    );
}

#[test]
fn no_record_contains_anything_private() {
    let secrets = [
        "marker-name",
        "marker@example.com",
        "+4915199999999",
        "Marker-Password-1",
        "Marker-Password-2",
        "marker-meta",
    ];
    let mut play = Play::usual();
    let mut written = String::new();
    let mut tokens = Vec::new();
    let create = play.on("marker-name", json!({
        "UserAttributes": pairs(&json!({ "email": "marker@example.com", "email_verified": "true", "phone_number": "+4915199999999" })),
        "TemporaryPassword": "Marker-Password-1", "ClientMetadata": { "k": "marker-meta" }, "DesiredDeliveryMediums": ["EMAIL"],
    }));
    let password = play.on(
        "marker-name",
        json!({ "Password": "Marker-Password-2", "Permanent": true }),
    );
    let sign_in = play.by_app(json!({ "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": { "USERNAME": "marker-name", "PASSWORD": "Marker-Password-2" } }));
    let forgot = play.by_app(json!({ "Username": "marker-name" }));
    let link = json!({
        "UserPoolId": play.pool, "DestinationUser": { "ProviderName": "Cognito", "ProviderAttributeValue": "marker-name" },
        "SourceUser": { "ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": "marker-meta" },
    });
    let list = json!({ "UserPoolId": play.pool, "Filter": "email = \"marker@example.com\"" });
    let secret_client = json!({ "UserPoolId": play.pool, "ClientName": "s", "GenerateSecret": true });
    let get = play.on("marker-name", json!({}));
    for (operation, input) in [
        ("AdminCreateUser", create.clone()),
        ("AdminCreateUser", create),
        ("AdminSetUserPassword", password),
        ("InitiateAuth", sign_in),
        ("ForgotPassword", forgot),
        ("AdminLinkProviderForUser", link),
        ("ListUsers", list),
        ("CreateUserPoolClient", secret_client),
        ("AdminGetUser", get.clone()),
        ("AdminDisableUser", get),
    ] {
        let outcome = play.call(operation, input);
        for record in &outcome.records {
            written.push_str(&record.detail.to_string());
        }
        if let Ok(answer) = &outcome.answer {
            let result = &answer["AuthenticationResult"];
            let client = &answer["UserPoolClient"]["ClientSecret"];
            tokens.extend(
                [&result["AccessToken"], &result["RefreshToken"], client]
                    .into_iter()
                    .filter_map(Value::as_str)
                    .map(str::to_owned),
            );
        }
        tokens.extend(outcome.messages.iter().map(|message| format!("\"{}\"", message.code)));
    }
    assert!(tokens.len() >= 5);
    for secret in secrets.into_iter().map(str::to_owned).chain(tokens) {
        assert!(!written.contains(&secret), "a record contains {secret}");
    }
}
