//! What a pool shows of its configuration is what makes another pool like it.
//!
//! Invariant: of an answer, only what Cognito itself adds is left out of the next call.

use serde_json::{Value, json};

use super::{Play, merge, text};

/// What Cognito adds to any resource.
const ADDED: [&str; 5] = [
    "CreationDate",
    "LastModifiedDate",
    "UserPoolId",
    "ClientId",
    "ClientSecret",
];

fn without(shown: &Value, more: &[&str]) -> Value {
    let mut kept = shown.clone();
    if let Some(members) = kept.as_object_mut() {
        members.retain(|name, _| !ADDED.contains(&name.as_str()) && !more.contains(&name.as_str()));
    }
    kept
}

/// `CreateUserPool` from `DescribeUserPool`.
fn pool_input(shown: &Value) -> Value {
    let mut input = without(
        shown,
        &[
            "Id",
            "Arn",
            "Name",
            "SchemaAttributes",
            "EstimatedNumberOfUsers",
            "Domain",
        ],
    );
    input["PoolName"] = shown["Name"].clone();
    if let Some(invitations) = input["AdminCreateUserConfig"].as_object_mut() {
        invitations.remove("UnusedAccountValidityDays");
    }
    let attributes = shown["SchemaAttributes"].as_array().into_iter().flatten();
    let own = |attribute: &&Value| attribute["Name"] != "sub" && attribute["Name"] != "identities";
    let entry = |attribute: &Value| {
        let name = text(&attribute["Name"]);
        merge(
            attribute.clone(),
            json!({ "Name": name.strip_prefix("custom:").unwrap_or(&name) }),
        )
    };
    input["Schema"] = attributes.filter(own).map(entry).collect();
    input
}

fn everything() -> Value {
    let sms =
        json!({ "SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "x", "SnsRegion": "eu-west-1" });
    json!({
        "Policies": {
            "PasswordPolicy": { "MinimumLength": 12, "RequireNumbers": true, "PasswordHistorySize": 3, "TemporaryPasswordValidityDays": 9 },
            "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD", "WEB_AUTHN"] },
        },
        "DeletionProtection": "ACTIVE", "LambdaConfig": super::functions(), "AutoVerifiedAttributes": ["email", "phone_number"],
        "AliasAttributes": ["email", "phone_number", "preferred_username"], "UsernameConfiguration": { "CaseSensitive": false },
        "SmsVerificationMessage": "Code {####}", "EmailVerificationMessage": "Code {####}", "EmailVerificationSubject": "Code",
        "VerificationMessageTemplate": { "DefaultEmailOption": "CONFIRM_WITH_LINK", "EmailMessageByLink": "{##Here##}" },
        "SmsAuthenticationMessage": "Code {####}", "MfaConfiguration": "OPTIONAL", "SmsConfiguration": sms,
        "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] },
        "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true, "DeviceOnlyRememberedOnUserPrompt": false },
        "EmailConfiguration": { "EmailSendingAccount": "DEVELOPER", "SourceArn": "arn:aws:ses:eu-central-1:111122223333:identity/a" },
        "UserPoolTags": { "team": "identity" }, "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" },
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true, "InviteMessageTemplate": { "EmailSubject": "Hello" } },
        "AccountRecoverySetting": { "RecoveryMechanisms": [{ "Priority": 1, "Name": "verified_phone_number" }] },
        "UserPoolTier": "PLUS", "KeyConfiguration": { "KeyType": "AWS_OWNED_KEY" }, "IssuerConfiguration": { "Type": "ORIGINAL" },
        "DcrConfiguration": { "EnableStatus": "Disabled" }, "AcrConfiguration": { "Level1": { "AcrValue": "low" } },
        "Schema": [
            { "Name": "given_name", "AttributeDataType": "String", "Required": true, "Mutable": false, "StringAttributeConstraints": { "MinLength": "1", "MaxLength": "90" } },
            { "Name": "level", "AttributeDataType": "Number", "NumberAttributeConstraints": { "MinValue": "-5", "MaxValue": "9" } },
            { "Name": "since", "AttributeDataType": "DateTime", "Mutable": false }, { "Name": "vip", "AttributeDataType": "Boolean" },
            { "Name": "plan", "AttributeDataType": "String", "StringAttributeConstraints": { "MinLength": "0", "MaxLength": "20" } },
        ],
    })
}

/// The pool and everything below it, as shown.
fn shown(play: &mut Play) -> Value {
    let client = json!({ "ClientId": play.client });
    let mut all = json!({});
    for (name, operation, input) in [
        ("pool", "DescribeUserPool", json!({})),
        ("mfa", "GetUserPoolMfaConfig", json!({})),
        ("server", "DescribeResourceServer", json!({ "Identifier": "api" })),
        (
            "provider",
            "DescribeIdentityProvider",
            json!({ "ProviderName": "corp" }),
        ),
        ("client", "DescribeUserPoolClient", client.clone()),
        ("style", "DescribeManagedLoginBrandingByClient", client.clone()),
        (
            "terms",
            "DescribeTermsByClient",
            merge(client.clone(), json!({ "TermsName": "terms-of-use" })),
        ),
        ("ui", "GetUICustomization", client.clone()),
        ("risk", "DescribeRiskConfiguration", client.clone()),
        ("logs", "GetLogDeliveryConfiguration", json!({})),
        ("sessions", "GetUserPoolSessionConfiguration", json!({})),
        ("sso", "GetUserPoolClientSessionConfiguration", client),
    ] {
        all[name] = play.ok_in_pool(operation, input);
    }
    all
}

/// Makes everything below a pool from such a showing.
fn make_below(play: &mut Play, from: &Value, secret: &Value) {
    play.ok_in_pool("SetUserPoolMfaConfig", from["mfa"].clone());
    let domain = play.pool.to_lowercase().replace('_', "-");
    let domain = json!({ "Domain": domain, "ManagedLoginVersion": 2 });
    play.ok_in_pool("CreateUserPoolDomain", domain);
    play.ok_in_pool("CreateResourceServer", without(&from["server"]["ResourceServer"], &[]));
    play.ok_in_pool(
        "CreateIdentityProvider",
        without(&from["provider"]["IdentityProvider"], &[]),
    );
    let client = merge(
        without(&from["client"]["UserPoolClient"], &[]),
        json!({ "ClientSecret": secret }),
    );
    play.client = text(&play.ok_in_pool("CreateUserPoolClient", client)["UserPoolClient"]["ClientId"]);
    let client = json!({ "ClientId": play.client });
    let of_client = |settings: Value| merge(settings, client.clone());
    let style = without(&from["style"]["ManagedLoginBranding"], &["ManagedLoginBrandingId"]);
    for (operation, input) in [
        ("CreateManagedLoginBranding", of_client(style)),
        ("CreateTerms", of_client(without(&from["terms"]["Terms"], &["TermsId"]))),
        (
            "SetUICustomization",
            of_client(without(&from["ui"]["UICustomization"], &["CSSVersion"])),
        ),
        (
            "SetRiskConfiguration",
            of_client(without(&from["risk"]["RiskConfiguration"], &[])),
        ),
        (
            "SetLogDeliveryConfiguration",
            without(&from["logs"]["LogDeliveryConfiguration"], &[]),
        ),
        ("SetUserPoolSessionConfiguration", without(&from["sessions"], &[])),
        (
            "SetUserPoolClientSessionConfiguration",
            of_client(without(&from["sso"], &[])),
        ),
    ] {
        play.ok_in_pool(operation, input);
    }
}

/// Without what differs between two pools by its nature.
fn comparable(play: &Play, shown: &Value) -> Value {
    let mut text = shown.to_string();
    for (id, name) in [(&play.pool, "POOL"), (&play.client, "CLIENT")] {
        text = text.replace(id.as_str(), name);
    }
    let mut value: Value = serde_json::from_str(&text).unwrap_or_default();
    value["pool"]["UserPool"]["Domain"] = Value::Null;
    for (part, member) in [("style", "ManagedLoginBranding"), ("terms", "Terms")] {
        value[part][member]["ManagedLoginBrandingId"] = Value::Null;
        value[part][member]["TermsId"] = Value::Null;
    }
    value
}

#[test]
fn a_pool_is_made_again_from_what_it_shows() {
    let mut play = Play::with(everything());
    let secret = json!("a_secret_of_the_owners_choice");
    let first = json!({
        "mfa": {
            "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true },
            "SmsMfaConfiguration": { "SmsAuthenticationMessage": "Code {####}", "SmsConfiguration": everything()["SmsConfiguration"] },
            "EmailMfaConfiguration": { "Message": "Code {####}", "Subject": "Code" },
            "WebAuthnConfiguration": { "RelyingPartyId": "example.com", "UserVerification": "required" },
        },
        "server": { "ResourceServer": { "Identifier": "api", "Name": "API", "Scopes": [{ "ScopeName": "read", "ScopeDescription": "Reads" }] } },
        "provider": { "IdentityProvider": {
            "ProviderName": "corp", "ProviderType": "OIDC", "AttributeMapping": { "email": "email" }, "IdpIdentifiers": ["example.com"],
            "ProviderDetails": { "client_id": "1", "client_secret": "s", "oidc_issuer": "https://id.example.com", "authorize_scopes": "openid" },
        } },
        "client": { "UserPoolClient": {
            "ClientName": "web", "RefreshTokenValidity": 7, "AccessTokenValidity": 2, "IdTokenValidity": 3,
            "TokenValidityUnits": { "AccessToken": "hours", "IdToken": "hours", "RefreshToken": "days" },
            "ReadAttributes": ["email", "email_verified", "custom:plan"], "WriteAttributes": ["name", "given_name"],
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"], "SupportedIdentityProviders": ["COGNITO", "corp"],
            "CallbackURLs": ["https://example.com/in"], "LogoutURLs": ["https://example.com/out"], "DefaultRedirectURI": "https://example.com/in",
            "AllowedOAuthFlows": ["code"], "AllowedOAuthScopes": ["openid", "api/read"], "AllowedOAuthFlowsUserPoolClient": true,
            "PreventUserExistenceErrors": "ENABLED", "EnableTokenRevocation": false, "EnablePropagateAdditionalUserContextData": true,
            "AuthSessionValidity": 5, "RefreshTokenRotation": { "Feature": "ENABLED", "RetryGracePeriodSeconds": 5 },
        } },
        "style": { "ManagedLoginBranding": {
            "UseCognitoProvidedValues": false, "Settings": { "components": {} },
            "Assets": [{ "Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "SVG", "Bytes": "PHN2Zy8+" }],
        } },
        "terms": { "Terms": { "TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE", "Links": { "cognito:default": "https://example.com" } } },
        "ui": { "UICustomization": { "CSS": ".banner-customizable {}" } },
        "risk": { "RiskConfiguration": { "RiskExceptionConfiguration": { "BlockedIPRangeList": ["198.51.100.0/24"] } } },
        "logs": { "LogDeliveryConfiguration": { "LogConfigurations": [{
            "LogLevel": "ERROR", "EventSource": "userNotification",
            "CloudWatchLogsConfiguration": { "LogGroupArn": "arn:aws:logs:eu-central-1:111122223333:log-group:a" },
        }] } },
        "sessions": { "UserSessionTracking": "ENABLED", "TokenSession": { "MaxPerUser": 5 } },
        "sso": { "SSOSession": { "MaxValidityMinutes": 90 } },
    });
    make_below(&mut play, &first, &secret);
    let lost = shown(&mut play);
    let was = comparable(&play, &lost);
    for member in everything().as_object().into_iter().flatten().map(|(member, _)| member) {
        let name = if member == "Schema" { "SchemaAttributes" } else { member };
        assert!(!lost["pool"]["UserPool"][name].is_null(), "{name} is shown");
    }

    let again = play.ok("CreateUserPool", pool_input(&lost["pool"]["UserPool"]));
    play.pool = text(&again["UserPool"]["Id"]);
    make_below(&mut play, &lost, &lost["client"]["UserPoolClient"]["ClientSecret"]);
    let rebuilt = shown(&mut play);
    let is = comparable(&play, &rebuilt);
    for (part, value) in was.as_object().into_iter().flatten() {
        assert_eq!(is[part], *value, "{part}");
    }
}
