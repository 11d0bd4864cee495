//! Everything beside the pool: what a read shows of it, in the form that the call takes which sets it.
//!
//! Source: API reference, the output of each `Describe` or `Get` operation beside the input of its `Create` or `Set`.
//!
//! Invariant: leaves out what is only shown, and what the pool and client ids take the place of; adds nothing.

use serde_json::{Map, Value};

/// Shown of many pieces, and set by none of the calls here; the two ids are put in when a call is made.
const SHOWN_ONLY: [&str; 4] = ["ClientId", "CreationDate", "LastModifiedDate", "UserPoolId"];
/// What `DescribeIdentityProvider` shows of a SAML provider and no call takes.
const SAML_SHOWN_ONLY: [&str; 3] = [
    "ActiveEncryptionCertificate",
    "SLORedirectBindingURI",
    "SSORedirectBindingURI",
];
/// Where a log can go. An entry of `LogConfigurations` without one says nothing.
const DESTINATIONS: [&str; 3] = [
    "CloudWatchLogsConfiguration",
    "FirehoseConfiguration",
    "S3Configuration",
];

/// What a read `shown` says, as input of `operation` without the ids of pool and client.
#[must_use]
pub fn form(operation: &str, shown: &Value) -> Value {
    let mut input = shown.as_object().cloned().unwrap_or_default();
    input.retain(|name, value| !SHOWN_ONLY.contains(&name.as_str()) && !value.is_null());
    match operation {
        "SetUserPoolMfaConfig" => mfa(&mut input),
        "CreateUserPoolDomain" => domain(&mut input),
        "CreateIdentityProvider" => provider(&mut input),
        "CreateManagedLoginBranding" => branding(&mut input),
        "CreateTerms" => drop(input.remove("TermsId")),
        "SetUICustomization" => input.retain(|name, _| name == "CSS"),
        "SetLogDeliveryConfiguration" => logs(&mut input),
        _ => {}
    }
    Value::Object(input)
}

/// With MFA off, Cognito refuses to be told about its factors; passkeys are no MFA.
fn mfa(input: &mut Map<String, Value>) {
    if input.get("MfaConfiguration").is_none_or(|mfa| mfa == "OFF") {
        input.retain(|name, _| ["MfaConfiguration", "WebAuthnConfiguration"].contains(&name.as_str()));
    }
}

/// A prefix domain is shown with an empty `CustomDomainConfig`.
fn domain(input: &mut Map<String, Value>) {
    input.retain(|name, _| ["Domain", "ManagedLoginVersion", "CustomDomainConfig"].contains(&name.as_str()));
    if input
        .get("CustomDomainConfig")
        .is_some_and(|custom| custom["CertificateArn"].is_null())
    {
        input.remove("CustomDomainConfig");
    }
}

/// Of the two sources of SAML metadata only one is taken; the URL is the one that is kept up to date.
fn provider(input: &mut Map<String, Value>) {
    if let Some(Value::Object(details)) = input.get_mut("ProviderDetails") {
        details.retain(|name, _| !SAML_SHOWN_ONLY.contains(&name.as_str()));
        if details.contains_key("MetadataURL") {
            details.remove("MetadataFile");
        }
    }
}

/// Cognito's own style excludes settings and images. The ids of images are the old style's.
fn branding(input: &mut Map<String, Value>) {
    input.remove("ManagedLoginBrandingId");
    if input.get("UseCognitoProvidedValues") == Some(&Value::Bool(true)) {
        input.retain(|name, _| name == "UseCognitoProvidedValues");
    }
    if let Some(Value::Array(assets)) = input.get_mut("Assets") {
        for asset in assets.iter_mut().filter_map(Value::as_object_mut) {
            asset.remove("ResourceId");
        }
    }
}

fn logs(input: &mut Map<String, Value>) {
    if let Some(Value::Array(logs)) = input.get_mut("LogConfigurations") {
        logs.retain(|log| DESTINATIONS.iter().any(|destination| !log[*destination].is_null()));
    }
}
