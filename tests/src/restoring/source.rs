//! A pool that uses everything.
//!
//! Invariant: what names a Region or an account is named in [`mapping`], or the plan has to stop at it.

use serde_json::{Value, json};

use super::RECOVERY;
use crate::stand_ins::{Cognito, REGION, unique};

/// The secret of the client `web`, chosen by its owner.
pub const WEB_SECRET: &str = "web_secret_of_the_owners_choice_0123456789";
/// The secret of the provider `Google`.
pub const GOOGLE_SECRET: &str = "google-secret-never-to-be-shown";
/// The secret of the provider `Corp`.
pub const CORP_SECRET: &str = "corp-secret-never-to-be-shown";
/// A password that the pool's policy takes.
pub const PASSWORD: &str = "Correct-Horse-Battery-7";
/// How many groups the pool has; [`super::people`] puts one user into the first hundred.
pub const GROUPS: usize = 300;
/// The function that is mapped to one of the other Region.
pub const MAPPED_FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:define-challenge";
/// The function that the mapping leaves out.
pub const DROPPED_FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:custom-message";

const SENDER: &str = "arn:aws:ses:us-east-1:111122223333:identity/example.com";
const LOGS: &str = "arn:aws:logs:us-east-1:111122223333:log-group:cognito";

/// Ids of the pool and of its public app client, which users sign in with.
pub type Made = (String, String);

fn schema() -> Value {
    json!([
        {"Name": "plan", "AttributeDataType": "String", "Mutable": true, "StringAttributeConstraints": {"MinLength": "1", "MaxLength": "16"}},
        {"Name": "points", "AttributeDataType": "Number", "Mutable": true, "NumberAttributeConstraints": {"MinValue": "-5", "MaxValue": "1000000"}},
        {"Name": "vip", "AttributeDataType": "Boolean", "Mutable": true},
        {"Name": "since", "AttributeDataType": "DateTime", "Mutable": true},
        {"Name": "tenant", "AttributeDataType": "String", "Mutable": false, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "256"}},
        {"Name": "notes", "AttributeDataType": "String", "Mutable": true, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "2048"}},
        {"Name": "family_name", "AttributeDataType": "String", "Mutable": true, "Required": false, "StringAttributeConstraints": {"MinLength": "0", "MaxLength": "100"}},
    ])
}

/// What an update has to send along, because it resets what it is not told.
fn settings() -> Value {
    json!({
        "Policies": {"PasswordPolicy": {
            "MinimumLength": 14, "RequireUppercase": true, "RequireLowercase": true, "RequireNumbers": true,
            "RequireSymbols": true, "TemporaryPasswordValidityDays": 30,
        }},
        "DeletionProtection": "ACTIVE",
        "AutoVerifiedAttributes": ["email", "phone_number"],
        "MfaConfiguration": "OPTIONAL",
        "SmsConfiguration": {"SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "twinpool", "SnsRegion": REGION},
        "EmailConfiguration": {"EmailSendingAccount": "DEVELOPER", "SourceArn": SENDER, "From": "Accounts <accounts@example.com>"},
        "SmsAuthenticationMessage": "Your code is {####}.",
        "VerificationMessageTemplate": {
            "DefaultEmailOption": "CONFIRM_WITH_CODE", "EmailSubject": "Your code", "EmailMessage": "It is {####}.",
            "SmsMessage": "It is {####}.",
        },
        "UserAttributeUpdateSettings": {"AttributesRequireVerificationBeforeUpdate": ["email"]},
        "DeviceConfiguration": {"ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": true},
        "AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false, "InviteMessageTemplate": {
            "EmailSubject": "Welcome", "EmailMessage": "{username}, {####}", "SMSMessage": "{username}, {####}",
        }},
        "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"},
        "AccountRecoverySetting": {"RecoveryMechanisms": [
            {"Priority": 1, "Name": "verified_email"}, {"Priority": 2, "Name": "verified_phone_number"},
        ]},
        "UserPoolTier": "PLUS",
        "UserPoolTags": {"team": "login", "cost-centre": "4711"},
    })
}

/// Makes the pool, without users.
///
/// # Panics
/// When Cognito refuses.
pub async fn everything(cognito: &Cognito) -> Made {
    let mut input = settings();
    input["PoolName"] = json!(unique("everything"));
    input["AliasAttributes"] = json!(["email", "phone_number", "preferred_username"]);
    input["UsernameConfiguration"] = json!({"CaseSensitive": false});
    input["Schema"] = schema();
    let created = cognito.must("CreateUserPool", input).await;
    let pool = created["UserPool"]["Id"].as_str().expect("an id").to_owned();
    let maker = Maker { cognito, pool: &pool };
    maker.providers_and_servers().await;
    let client = maker.clients().await;
    maker.pages_and_protection(&client).await;
    for number in 0..GROUPS {
        maker.group(number).await;
    }
    (pool, client)
}

/// Attaches the functions: last, because there is nobody behind these ARNs who would answer.
///
/// # Panics
/// When Cognito refuses.
pub async fn attach_functions(cognito: &Cognito, pool: &str) {
    let mut input = settings();
    input["LambdaConfig"] = json!({"DefineAuthChallenge": MAPPED_FUNCTION, "CustomMessage": DROPPED_FUNCTION});
    let maker = Maker { cognito, pool };
    maker.make("UpdateUserPool", input).await;
}

/// What takes the place of everything that names the lost Region.
#[must_use]
pub fn mapping() -> Value {
    let there = |arn: &str| json!(arn.replace(REGION, RECOVERY));
    json!({
        "version": 1,
        "arns": {
            SENDER: there(SENDER), LOGS: there(LOGS), MAPPED_FUNCTION: there(MAPPED_FUNCTION), DROPPED_FUNCTION: null,
        },
        "regions": {REGION: RECOVERY},
    })
}

struct Maker<'a> {
    cognito: &'a Cognito,
    pool: &'a str,
}

impl Maker<'_> {
    async fn make(&self, operation: &str, mut input: Value) -> Value {
        input["UserPoolId"] = json!(self.pool);
        self.cognito.must(operation, input).await
    }

    async fn providers_and_servers(&self) {
        for (operation, input) in [
            (
                "SetUserPoolMfaConfig",
                json!({
                    "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": true},
                    "SmsMfaConfiguration": {"SmsAuthenticationMessage": "Your code is {####}.", "SmsConfiguration": settings()["SmsConfiguration"]},
                    "EmailMfaConfiguration": {"Message": "Your code is {####}.", "Subject": "Sign in"},
                }),
            ),
            (
                "CreateIdentityProvider",
                json!({
                    "ProviderName": "Google", "ProviderType": "Google",
                    "ProviderDetails": {"client_id": "1", "client_secret": GOOGLE_SECRET, "authorize_scopes": "email profile"},
                    "AttributeMapping": {"email": "email", "given_name": "given_name"},
                }),
            ),
            (
                "CreateIdentityProvider",
                json!({
                    "ProviderName": "Corp", "ProviderType": "OIDC",
                    "ProviderDetails": {
                        "client_id": "2", "client_secret": CORP_SECRET, "authorize_scopes": "openid email",
                        "oidc_issuer": "https://id.example.com", "attributes_request_method": "GET",
                    },
                    "AttributeMapping": {"email": "email"}, "IdpIdentifiers": ["corp.example.com", "example.org"],
                }),
            ),
            (
                "CreateResourceServer",
                json!({
                    "Identifier": "https://api.example.com", "Name": "api",
                    "Scopes": [{"ScopeName": "read", "ScopeDescription": "read"}, {"ScopeName": "write", "ScopeDescription": "write"}],
                }),
            ),
            (
                "CreateResourceServer",
                json!({"Identifier": "files", "Name": "files", "Scopes": []}),
            ),
        ] {
            self.make(operation, input).await;
        }
    }

    /// Three clients with secrets and one without; the id of that one.
    async fn clients(&self) -> String {
        for input in [
            json!({
                "ClientName": "web", "ClientSecret": WEB_SECRET, "CallbackURLs": ["https://example.com/in"],
                "LogoutURLs": ["https://example.com/out"], "DefaultRedirectURI": "https://example.com/in",
                "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid", "email", "https://api.example.com/read"],
                "AllowedOAuthFlowsUserPoolClient": true, "SupportedIdentityProviders": ["COGNITO", "Google", "Corp"],
                "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
                "AccessTokenValidity": 10, "IdTokenValidity": 20, "RefreshTokenValidity": 5,
                "TokenValidityUnits": {"AccessToken": "minutes", "IdToken": "minutes", "RefreshToken": "days"},
                "PreventUserExistenceErrors": "ENABLED",
            }),
            json!({
                "ClientName": "machine", "GenerateSecret": true, "AllowedOAuthFlows": ["client_credentials"],
                "AllowedOAuthScopes": ["https://api.example.com/read", "https://api.example.com/write"],
                "AllowedOAuthFlowsUserPoolClient": true,
            }),
            json!({
                "ClientName": "mobile", "GenerateSecret": true, "ReadAttributes": ["email", "name", "custom:plan"],
                "WriteAttributes": ["name"], "ExplicitAuthFlows": ["ALLOW_USER_SRP_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
                "AuthSessionValidity": 5,
            }),
        ] {
            self.make("CreateUserPoolClient", input).await;
        }
        let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
        let public = json!({"ClientName": "app", "ExplicitAuthFlows": flows});
        let made = self.make("CreateUserPoolClient", public).await;
        made["UserPoolClient"]["ClientId"].as_str().expect("an id").to_owned()
    }

    async fn pages_and_protection(&self, client: &str) {
        for (operation, input) in [
            (
                "CreateUserPoolDomain",
                json!({"Domain": unique("everything"), "ManagedLoginVersion": 2}),
            ),
            (
                "CreateManagedLoginBranding",
                json!({
                    "ClientId": client, "Settings": {"components": {"form": {"borderRadius": 8}}},
                    "Assets": [{"Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "SVG", "Bytes": "PHN2Zy8+"}],
                }),
            ),
            (
                "CreateTerms",
                json!({
                    "ClientId": client, "TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE",
                    "Links": {"cognito:default": "https://example.com/terms"},
                }),
            ),
            (
                "SetUICustomization",
                json!({"CSS": ".banner-customizable {background-color: teal;}"}),
            ),
            (
                "SetRiskConfiguration",
                json!({"RiskExceptionConfiguration": {"BlockedIPRangeList": ["198.51.100.0/24"]}}),
            ),
            (
                "SetRiskConfiguration",
                json!({
                    "ClientId": client,
                    "CompromisedCredentialsRiskConfiguration": {"EventFilter": ["SIGN_IN"], "Actions": {"EventAction": "BLOCK"}},
                }),
            ),
            (
                "SetLogDeliveryConfiguration",
                json!({"LogConfigurations": [{
                    "LogLevel": "ERROR", "EventSource": "userNotification", "CloudWatchLogsConfiguration": {"LogGroupArn": LOGS},
                }]}),
            ),
            (
                "SetUserPoolSessionConfiguration",
                json!({"UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 5}}),
            ),
            (
                "SetUserPoolClientSessionConfiguration",
                json!({"ClientId": client, "SSOSession": {"MaxValidityMinutes": 90}}),
            ),
        ] {
            self.make(operation, input).await;
        }
    }

    async fn group(&self, number: usize) {
        let mut input = json!({"GroupName": group_name(number)});
        if number.is_multiple_of(2) {
            input["Description"] = json!(format!("Gruppe {number}, »zweite Zeile«\nand a comma, too"));
        }
        if number.is_multiple_of(3) {
            input["Precedence"] = json!(number);
        }
        if number.is_multiple_of(5) {
            input["RoleArn"] = json!(format!("arn:aws:iam::111122223333:role/group-{number}"));
        }
        self.make("CreateGroup", input).await;
    }
}

/// Name of the group of this number; the first has as many characters as a name may have.
#[must_use]
pub fn group_name(number: usize) -> String {
    match number {
        0 => "g".repeat(128),
        1 => "gruppe-#1/№·組".to_owned(),
        _ => format!("group-{number:03}"),
    }
}
