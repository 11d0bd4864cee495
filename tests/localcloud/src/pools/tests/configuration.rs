//! What a pool is configured with: identity providers, resource servers, MFA, and the clients that name them.
//!
//! Invariant: what is set is read back as the API reference shows it; errors have AWS's names.

use serde_json::{Value, json};

use super::{Play, merge, text};

const GOOGLE: &str = "Google";

/// `more` with the pool.
fn of_pool(play: &Play, more: Value) -> Value {
    merge(json!({ "UserPoolId": play.pool }), more)
}

fn google() -> Value {
    json!({
        "ProviderName": GOOGLE, "ProviderType": GOOGLE,
        "ProviderDetails": { "client_id": "1", "client_secret": "marker-secret", "authorize_scopes": "email" },
        "AttributeMapping": { "email": "email" }, "IdpIdentifiers": ["example.com"],
    })
}

#[test]
fn an_identity_provider_is_read_back_with_its_secret_and_what_aws_adds() {
    let mut play = Play::usual();
    let created = play.ok_in_pool("CreateIdentityProvider", google());
    let shown = &created["IdentityProvider"];
    assert_eq!(shown["ProviderDetails"]["client_secret"], "marker-secret");
    assert_eq!(shown["ProviderDetails"]["oidc_issuer"], "https://accounts.google.com");
    assert_eq!(shown["UserPoolId"], play.pool.as_str());
    let described = play.ok_in_pool("DescribeIdentityProvider", json!({ "ProviderName": GOOGLE }));
    assert_eq!(described, created);
    let found = play.ok_in_pool(
        "GetIdentityProviderByIdentifier",
        json!({ "IdpIdentifier": "example.com" }),
    );
    assert_eq!(found, created);
    let apple = json!({
        "ProviderName": "SignInWithApple", "ProviderType": "SignInWithApple",
        "ProviderDetails": { "client_id": "1", "private_key": "marker-key", "key_id": "2", "team_id": "3" },
    });
    let apple = play.ok_in_pool("CreateIdentityProvider", apple);
    assert!(!apple.to_string().contains("marker-key"), "AWS never shows it");
}

#[test]
fn an_identity_provider_is_updated_in_part_and_deleted() {
    let mut play = Play::usual();
    play.ok_in_pool("CreateIdentityProvider", google());
    play.now += 1_000;
    let change = json!({ "ProviderName": GOOGLE, "ProviderDetails": { "client_id": "2" } });
    let updated = play.ok_in_pool("UpdateIdentityProvider", change)["IdentityProvider"].clone();
    assert_eq!(updated["ProviderDetails"]["client_id"], "2");
    assert_eq!(
        updated["ProviderDetails"].get("client_secret"),
        None,
        "the map is replaced"
    );
    assert_eq!(updated["AttributeMapping"], json!({ "email": "email" }));
    assert!(updated["LastModifiedDate"].as_f64() > updated["CreationDate"].as_f64());
    play.ok_in_pool("DeleteIdentityProvider", json!({ "ProviderName": GOOGLE }));
    for operation in [
        "DescribeIdentityProvider",
        "UpdateIdentityProvider",
        "DeleteIdentityProvider",
    ] {
        let error = play.refused_in_pool(operation, json!({ "ProviderName": GOOGLE }));
        assert!(error.starts_with("ResourceNotFoundException"), "{operation}: {error}");
    }
    let error = play.refused_in_pool(
        "GetIdentityProviderByIdentifier",
        json!({ "IdpIdentifier": "example.com" }),
    );
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
}

#[test]
fn wrong_identity_providers_are_refused() {
    let mut play = Play::usual();
    play.ok_in_pool("CreateIdentityProvider", google());
    let oidc = |name: &str, more: Value| {
        let base = json!({ "ProviderName": name, "ProviderType": "OIDC", "ProviderDetails": { "client_id": "1" } });
        merge(base, more)
    };
    for (input, code) in [
        (google(), "DuplicateProviderException"),
        (
            oidc("other", json!({ "IdpIdentifiers": ["example.com"] })),
            "DuplicateProviderException",
        ),
        (oidc("_x1", json!({})), "InvalidParameterException"),
        (oidc("ab", json!({})), "InvalidParameterException"),
        (
            oidc("abc", json!({ "ProviderType": "LDAP" })),
            "InvalidParameterException",
        ),
        (
            oidc("abc", json!({ "ProviderDetails": {} })),
            "InvalidParameterException",
        ),
        (
            oidc("abc", json!({ "ProviderType": "SAML" })),
            "InvalidParameterException",
        ),
        (
            oidc(
                "Facebook",
                json!({ "ProviderType": "Facebook", "AcrMapping": { "Level1": "a" } }),
            ),
            "InvalidParameterException",
        ),
        (
            json!({ "ProviderName": "abc", "ProviderType": "OIDC" }),
            "InvalidParameterException",
        ),
        (oidc("abc", json!({ "Colour": "red" })), "LocalcloudUnsupported"),
    ] {
        let error = play.refused_in_pool("CreateIdentityProvider", input.clone());
        assert!(error.starts_with(code), "{input}: {error}");
    }
    let own = json!({ "ProviderName": GOOGLE, "IdpIdentifiers": ["example.com", "example.org"] });
    play.ok_in_pool("UpdateIdentityProvider", own);
}

#[test]
fn providers_and_resource_servers_are_listed_in_pages() {
    let mut play = Play::usual();
    for number in 10..20 {
        let provider = json!({
            "ProviderName": format!("saml{number}"), "ProviderType": "SAML", "ProviderDetails": { "MetadataURL": "https://example.com" },
        });
        play.ok_in_pool("CreateIdentityProvider", provider);
        let server = json!({ "Identifier": format!("api{number}"), "Name": "api" });
        play.ok_in_pool("CreateResourceServer", server);
    }
    for (operation, member, key) in [
        ("ListIdentityProviders", "Providers", "ProviderName"),
        ("ListResourceServers", "ResourceServers", "Identifier"),
    ] {
        let (mut names, mut token, mut pages) = (Vec::new(), Value::Null, 0);
        while pages == 0 || !token.is_null() {
            let page = play.ok_in_pool(operation, json!({ "MaxResults": 4, "NextToken": token }));
            names.extend(page[member].as_array().into_iter().flatten().map(|one| text(&one[key])));
            token = page["NextToken"].clone();
            pages += 1;
        }
        assert_eq!((names.len(), pages), (10, 3), "{operation}");
        assert!(names.is_sorted_by(|a, b| a < b), "{operation}: nothing twice");
    }
    let page = play.ok_in_pool("ListIdentityProviders", json!({ "MaxResults": 1 }));
    assert_eq!(page["Providers"][0].get("ProviderDetails"), None, "no secret in a list");
}

#[test]
fn a_resource_server_loses_the_scopes_that_an_update_leaves_out() {
    let mut play = Play::usual();
    let scopes = json!([{ "ScopeName": "read", "ScopeDescription": "Reads" }]);
    let server = json!({ "Identifier": "https://api.example.com", "Name": "api", "Scopes": scopes });
    let created = play.ok_in_pool("CreateResourceServer", server.clone());
    assert_eq!(created["ResourceServer"], of_pool(&play, server.clone()));
    let error = play.refused_in_pool("CreateResourceServer", server);
    assert!(
        error.starts_with("InvalidParameterException: https://api.example.com already exists"),
        "{error}"
    );
    let named = json!({ "Identifier": "https://api.example.com" });
    let described = play.ok_in_pool("DescribeResourceServer", named.clone());
    assert_eq!(described, created);
    let error = play.refused_in_pool("UpdateResourceServer", named.clone());
    assert!(error.contains("Value null at 'name'"), "{error}");
    play.ok_in_pool("UpdateResourceServer", merge(named.clone(), json!({ "Name": "API" })));
    let described = play.ok_in_pool("DescribeResourceServer", named.clone());
    assert_eq!(described["ResourceServer"]["Scopes"], json!([]));
    assert_eq!(described["ResourceServer"]["Name"], "API");
    let half = merge(
        named.clone(),
        json!({ "Name": "API", "Scopes": [{ "ScopeName": "read" }] }),
    );
    assert!(
        play.refused_in_pool("UpdateResourceServer", half)
            .contains("scopeDescription")
    );
    play.ok_in_pool("DeleteResourceServer", named.clone());
    for operation in ["DescribeResourceServer", "DeleteResourceServer"] {
        let error = play.refused_in_pool(operation, named.clone());
        assert!(error.starts_with("ResourceNotFoundException"), "{operation}: {error}");
    }
}

#[test]
fn a_client_names_only_providers_and_scopes_that_exist() {
    let mut play = Play::usual();
    let client = json!({
        "ClientName": "web", "SupportedIdentityProviders": ["COGNITO", GOOGLE], "AllowedOAuthScopes": ["openid", "api/read"],
    });
    let error = play.refused_in_pool("CreateUserPoolClient", client.clone());
    assert_eq!(
        error,
        format!(
            "InvalidParameterException: The provider Google does not exist for User Pool {}.",
            play.pool
        )
    );
    play.ok_in_pool("CreateIdentityProvider", google());
    let error = play.refused_in_pool("CreateUserPoolClient", client.clone());
    assert!(error.starts_with("ScopeDoesNotExistException"), "{error}");
    let scopes = json!([{ "ScopeName": "read", "ScopeDescription": "Reads" }]);
    play.ok_in_pool(
        "CreateResourceServer",
        json!({ "Identifier": "api", "Name": "api", "Scopes": scopes }),
    );
    let created = play.ok_in_pool("CreateUserPoolClient", client)["UserPoolClient"].clone();
    assert_eq!(created["AllowedOAuthScopes"], json!(["openid", "api/read"]));
    let update = json!({ "ClientId": created["ClientId"], "AllowedOAuthScopes": ["api/write"] });
    assert!(
        play.refused_in_pool("UpdateUserPoolClient", update)
            .starts_with("ScopeDoesNotExistException")
    );
}

#[test]
fn every_setting_of_a_pool_is_described() {
    let settings = json!({
        "KeyConfiguration": { "KeyType": "AWS_OWNED_KEY" }, "IssuerConfiguration": { "Type": "ORIGINAL" },
        "DcrConfiguration": { "EnableStatus": "Disabled" }, "AcrConfiguration": { "Level1": { "AcrValue": "low" } },
        "DeviceConfiguration": { "ChallengeRequiredOnNewDevice": true }, "SmsAuthenticationMessage": "Code {####}",
        "UserAttributeUpdateSettings": { "AttributesRequireVerificationBeforeUpdate": ["email"] },
        "AutoVerifiedAttributes": ["email"], "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" },
        "UserPoolTags": { "team": "identity" }, "EmailVerificationSubject": "Hello",
    });
    let mut play = Play::with(settings.clone());
    play.member("ada");
    let shown = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    for (member, value) in settings.as_object().into_iter().flatten() {
        assert_eq!(shown[member], *value, "{member}");
    }
    assert_eq!(shown["EstimatedNumberOfUsers"], 1);
    play.ok_in_pool("UpdateUserPool", json!({}));
    let shown = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    assert_eq!(
        (shown.get("AcrConfiguration"), &shown["UserPoolTags"]),
        (None, &json!({}))
    );
}

#[test]
fn the_mfa_configuration_shows_the_sms_settings_wherever_they_were_set() {
    let sms = json!({ "SnsCallerArn": "arn:aws:iam::111122223333:role/sms", "ExternalId": "x" });
    let mut play = Play::with(json!({ "MfaConfiguration": "OPTIONAL", "SmsConfiguration": sms }));
    let shown = play.ok_in_pool("GetUserPoolMfaConfig", json!({}));
    assert_eq!(
        shown,
        json!({ "MfaConfiguration": "OPTIONAL", "SmsMfaConfiguration": { "SmsConfiguration": sms } })
    );
    let all = json!({
        "MfaConfiguration": "ON",
        "SmsMfaConfiguration": { "SmsConfiguration": sms, "SmsAuthenticationMessage": "Code {####}" },
        "SoftwareTokenMfaConfiguration": { "Enabled": true },
        "EmailMfaConfiguration": { "Message": "Code {####}", "Subject": "Code" },
        "WebAuthnConfiguration": { "RelyingPartyId": "example.com", "UserVerification": "required" },
    });
    play.ok_in_pool("SetUserPoolMfaConfig", all.clone());
    assert_eq!(play.ok_in_pool("GetUserPoolMfaConfig", json!({})), all);
    let pool = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    assert_eq!(
        (&pool["SmsConfiguration"], &pool["SmsAuthenticationMessage"]),
        (&sms, &json!("Code {####}"))
    );
    // UpdateUserPool knows the SMS settings, and takes back what it leaves out; it does not know the other factors.
    play.ok_in_pool("UpdateUserPool", json!({ "MfaConfiguration": "ON" }));
    let shown = play.ok_in_pool("GetUserPoolMfaConfig", json!({}));
    assert_eq!(shown.get("SmsMfaConfiguration"), None);
    assert_eq!(shown["SoftwareTokenMfaConfiguration"], json!({ "Enabled": true }));
    let without =
        json!({ "MfaConfiguration": "ON", "SmsMfaConfiguration": { "SmsAuthenticationMessage": "Code {####}" } });
    assert!(
        play.refused_in_pool("SetUserPoolMfaConfig", without)
            .starts_with("InvalidParameterException")
    );
    let mut lite = Play::with(json!({ "UserPoolTier": "LITE" }));
    let mail = json!({ "MfaConfiguration": "ON", "EmailMfaConfiguration": {} });
    assert!(
        lite.refused_in_pool("SetUserPoolMfaConfig", mail)
            .starts_with("FeatureUnavailableInTierException")
    );
}
