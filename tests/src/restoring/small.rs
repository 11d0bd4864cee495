//! A pool with one of each thing that an import makes: rebuilt many times in one test.
//!
//! Invariant: it has no deletion protection, so that a test can remove what it rebuilt.

use serde_json::{Value, json};

use super::source::PASSWORD;
use crate::stand_ins::{Cognito, unique};

/// How many users it has.
pub const USERS: usize = 12;
/// How many groups.
pub const GROUPS: usize = 4;

/// Makes the pool with everything in it: its id and its client's.
///
/// # Panics
/// When Cognito refuses.
pub async fn create(cognito: &Cognito) -> (String, String) {
    let input = json!({
        "PoolName": unique("small"), "AliasAttributes": ["preferred_username"],
        "MfaConfiguration": "OPTIONAL",
        "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "twinpool"},
        "Schema": [{"Name": "plan", "AttributeDataType": "String", "Mutable": true}],
    });
    let created = cognito.must("CreateUserPool", input).await;
    let pool = created["UserPool"]["Id"].as_str().expect("an id").to_owned();
    let make = async |operation: &str, mut input: Value| {
        input["UserPoolId"] = json!(pool);
        cognito.must(operation, input).await
    };
    make(
        "CreateUserPoolDomain",
        json!({"Domain": unique("small"), "ManagedLoginVersion": 2}),
    )
    .await;
    let server =
        json!({"Identifier": "api", "Name": "api", "Scopes": [{"ScopeName": "read", "ScopeDescription": "r"}]});
    make("CreateResourceServer", server).await;
    let details = json!({"client_id": "1", "client_secret": "s", "authorize_scopes": "email"});
    let provider = json!({"ProviderName": "Google", "ProviderType": "Google", "ProviderDetails": details});
    make("CreateIdentityProvider", provider).await;
    let secret =
        json!({"ClientName": "web", "GenerateSecret": true, "SupportedIdentityProviders": ["COGNITO", "Google"]});
    make("CreateUserPoolClient", secret).await;
    // Two of one name: only their settings tell them apart.
    make(
        "CreateUserPoolClient",
        json!({"ClientName": "twin", "AuthSessionValidity": 5}),
    )
    .await;
    make(
        "CreateUserPoolClient",
        json!({"ClientName": "twin", "AuthSessionValidity": 7}),
    )
    .await;
    let flows = ["ALLOW_USER_PASSWORD_AUTH"];
    let client = make(
        "CreateUserPoolClient",
        json!({"ClientName": "app", "ExplicitAuthFlows": flows}),
    )
    .await;
    let client = client["UserPoolClient"]["ClientId"].as_str().expect("an id").to_owned();
    make(
        "CreateManagedLoginBranding",
        json!({"ClientId": client, "Settings": {"a": 1}}),
    )
    .await;
    let terms = json!({
        "ClientId": client, "TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE",
        "Links": {"cognito:default": "https://example.com/terms"},
    });
    make("CreateTerms", terms).await;
    for number in 0..GROUPS {
        make(
            "CreateGroup",
            json!({"GroupName": format!("g{number}"), "Precedence": number}),
        )
        .await;
    }
    for number in 0..USERS {
        user(&make, number).await;
    }
    (pool, client)
}

async fn user(make: &impl AsyncFn(&str, Value) -> Value, number: usize) {
    let name = format!("user{number:02}");
    let attributes: Value = [
        ("email", format!("{name}@example.com")),
        ("email_verified", "true".to_owned()),
        ("phone_number", format!("+1206555{number:04}")),
        ("custom:plan", format!("plan {number}")),
    ]
    .into_iter()
    .map(|(name, value)| json!({"Name": name, "Value": value}))
    .collect();
    let input = json!({"Username": name, "UserAttributes": attributes, "MessageAction": "SUPPRESS"});
    make("AdminCreateUser", input).await;
    if number != 0 {
        make(
            "AdminSetUserPassword",
            json!({"Username": name, "Password": PASSWORD, "Permanent": true}),
        )
        .await;
    }
    for group in 0..number % GROUPS {
        make(
            "AdminAddUserToGroup",
            json!({"Username": name, "GroupName": format!("g{group}")}),
        )
        .await;
    }
    match number % 4 {
        1 => {
            make("AdminDisableUser", json!({"Username": name})).await;
        }
        2 => {
            let alias = json!([{"Name": "preferred_username", "Value": format!("Nick {number}")}]);
            make(
                "AdminUpdateUserAttributes",
                json!({"Username": name, "UserAttributes": alias}),
            )
            .await;
        }
        3 => {
            let link = json!({
                "DestinationUser": {"ProviderName": "Cognito", "ProviderAttributeValue": name},
                "SourceUser": {
                    "ProviderName": "Google", "ProviderAttributeName": "Cognito_Subject", "ProviderAttributeValue": format!("g-{number}"),
                },
            });
            make("AdminLinkProviderForUser", link).await;
        }
        _ => {}
    }
}
