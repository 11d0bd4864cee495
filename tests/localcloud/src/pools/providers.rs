//! Identity providers of a pool: names, details, mappings.
//!
//! Invariant: a name, and an identifier, belongs to one provider of a pool. What the double adds to `ProviderDetails` is what
//! the API reference shows in its answers.

use serde_json::{Map, Value, json};

use super::configuration::Stored;
use super::errors::{Answer, invalid, limit_exceeded, not_found, refuse};
use super::list::{page_by_name, paged};
use super::request::{Request, missing};
use super::state::keys_after;

/// What an update can replace.
pub(crate) const SETTINGS: &[&str] = &["ProviderDetails", "AttributeMapping", "IdpIdentifiers", "AcrMapping"];

const TYPES: &[&str] = &[
    "SAML",
    "Facebook",
    "Google",
    "LoginWithAmazon",
    "SignInWithApple",
    "OIDC",
];
const MOST_PER_POOL: usize = 300;
const MOST_IDENTIFIERS: usize = 50;
/// A page has at most so many, whatever is asked for.
const PAGE: i64 = 50;

fn describe(pool: &str, name: &str, provider: &Stored) -> Value {
    let mut shown = provider.shown();
    let kind = provider.settings.get("ProviderType").and_then(Value::as_str);
    if let Some(Value::Object(details)) = shown.get_mut("ProviderDetails") {
        complete(kind.unwrap_or_default(), details);
    }
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("ProviderName".into(), json!(name));
    Value::Object(shown)
}

/// Adds what AWS shows beside the details that were given, and hides Apple's key. SAML's come from the metadata, which the
/// double does not read.
fn complete(kind: &str, details: &mut Map<String, Value>) {
    let version = details.get("api_version").and_then(Value::as_str).unwrap_or("v17.0");
    let facebook = |path: &str| format!("https://graph.facebook.com/{version}/{path}");
    let known = match kind {
        "OIDC" => json!({ "attributes_url_add_attributes": "false" }),
        "Google" => json!({
            "attributes_url": "https://people.googleapis.com/v1/people/me?personFields=",
            "attributes_url_add_attributes": "true",
            "authorize_url": "https://accounts.google.com/o/oauth2/v2/auth",
            "oidc_issuer": "https://accounts.google.com",
            "token_request_method": "POST",
            "token_url": "https://www.googleapis.com/oauth2/v4/token",
        }),
        "Facebook" => json!({
            "attributes_url": facebook("me?fields="),
            "attributes_url_add_attributes": "true",
            "authorize_url": format!("https://www.facebook.com/{version}/dialog/oauth"),
            "token_request_method": "GET",
            "token_url": facebook("oauth/access_token"),
        }),
        "LoginWithAmazon" => json!({
            "attributes_url": "https://api.amazon.com/user/profile",
            "attributes_url_add_attributes": "false",
            "authorize_url": "https://www.amazon.com/ap/oa",
            "token_request_method": "POST",
            "token_url": "https://api.amazon.com/auth/o2/token",
        }),
        "SignInWithApple" => json!({
            "attributes_url_add_attributes": "false",
            "authorize_url": "https://appleid.apple.com/auth/authorize",
            "oidc_issuer": "https://appleid.apple.com",
            "token_request_method": "POST",
            "token_url": "https://appleid.apple.com/auth/token",
        }),
        _ => Value::Null,
    };
    for (key, value) in known.as_object().into_iter().flatten() {
        details.entry(key.clone()).or_insert_with(|| value.clone());
    }
    if kind == "SignInWithApple" {
        details.remove("private_key");
    }
}

/// The settings of a call, checked for a provider of this name and type.
fn settings_of(request: &Request<'_>, pool: &str, name: &str, kind: &str) -> Answer<Map<String, Value>> {
    if let Some(details) = request.map("ProviderDetails")? {
        if details.values().any(|value| !value.is_string()) {
            return Err(invalid("ProviderDetails must be texts."));
        }
        let needed: &[&str] = if kind == "SAML" {
            &["MetadataURL", "MetadataFile"]
        } else {
            &["client_id"]
        };
        if !needed.iter().any(|key| details.contains_key(*key)) {
            let needed = needed.join(" or ");
            return Err(invalid(format!(
                "ProviderDetails of a provider of type {kind} must have {needed}."
            )));
        }
    }
    request.map("AttributeMapping")?;
    if request.map("AcrMapping")?.is_some() && kind != "OIDC" {
        return Err(invalid("AcrMapping is for providers of type OIDC only."));
    }
    let identifiers = request.strings("IdpIdentifiers")?.unwrap_or_default();
    if identifiers.len() > MOST_IDENTIFIERS {
        return Err(invalid(
            "1 validation error detected: Value at 'idpIdentifiers' failed to satisfy constraint: Member must have length less than or equal to 50",
        ));
    }
    for identifier in identifiers {
        if by_identifier(request, pool, identifier).is_some_and(|(owner, _)| owner != name) {
            return Err(duplicate(identifier, pool));
        }
    }
    Ok(request.given(SETTINGS))
}

fn duplicate(what: &str, pool: &str) -> super::ApiError {
    refuse(
        "DuplicateProviderException",
        format!("{what} already exists in user pool {pool}"),
    )
}

fn by_identifier<'r>(request: &'r Request<'_>, pool: &str, identifier: &str) -> Option<(&'r str, &'r Stored)> {
    let has = |provider: &Stored| {
        let list = provider.settings.get("IdpIdentifiers").and_then(Value::as_array);
        list.is_some_and(|list| list.iter().any(|one| one == identifier))
    };
    let mut all = request.pool(pool).configuration.providers.iter();
    all.find(|(_, provider)| has(provider))
        .map(|(name, provider)| (name.as_str(), provider))
}

fn existing<'a, 'r>(request: &'r Request<'a>, pool: &str) -> Answer<(&'a str, &'r Stored)> {
    let name = request.required("ProviderName")?;
    let provider = request.pool(pool).configuration.providers.get(name);
    let provider = provider.ok_or_else(|| not_found(format!("Identity provider {name} does not exist.")))?;
    Ok((name, provider))
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let name = request.required_up_to("ProviderName", 32)?;
    let letters = || name.chars().enumerate();
    if letters().count() < 3 || letters().any(|(at, letter)| letter.is_whitespace() || (letter == '_' && at != 1)) {
        return Err(invalid(
            "1 validation error detected: Value at 'providerName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^_\\p{Z}][\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}][^_\\p{Z}]+",
        ));
    }
    let kind = request.required_of("ProviderType", TYPES)?;
    request
        .value("ProviderDetails")
        .ok_or_else(|| missing("ProviderDetails"))?;
    let providers = &request.pool(&pool).configuration.providers;
    if providers.contains_key(name) {
        return Err(duplicate(name, &pool));
    }
    if providers.len() >= MOST_PER_POOL {
        return Err(limit_exceeded(
            "The user pool has the most identity providers that it can have.",
        ));
    }
    let mut settings = settings_of(request, &pool, name, kind)?;
    settings.insert("ProviderType".into(), json!(kind));
    let provider = Stored::new(settings, request.now);
    let answer = json!({ "IdentityProvider": describe(&pool, name, &provider) });
    let providers = &mut request.pool_mut(&pool).configuration.providers;
    providers.insert(name.to_owned(), provider);
    Ok(answer)
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (name, provider) = existing(request, &pool)?;
    Ok(json!({ "IdentityProvider": describe(&pool, name, provider) }))
}

pub(crate) fn find(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let identifier = request.required_up_to("IdpIdentifier", 40)?;
    let (name, provider) = by_identifier(request, &pool, identifier).ok_or_else(|| {
        not_found(format!(
            "Identity provider with identifier {identifier} does not exist."
        ))
    })?;
    Ok(json!({ "IdentityProvider": describe(&pool, name, provider) }))
}

/// What is given replaces, what is left out stays.
pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (name, provider) = existing(request, &pool)?;
    let mut provider = provider.clone();
    let kind = provider.settings.get("ProviderType").and_then(Value::as_str);
    let given = settings_of(request, &pool, name, kind.unwrap_or_default())?;
    provider.settings.extend(given);
    provider.modified = request.now;
    let answer = json!({ "IdentityProvider": describe(&pool, name, &provider) });
    let providers = &mut request.pool_mut(&pool).configuration.providers;
    providers.insert(name.to_owned(), provider);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (name, _) = existing(request, &pool)?;
    request.pool_mut(&pool).configuration.providers.remove(name);
    Ok(json!({}))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let asked = request.number("MaxResults", 0, 60)?.filter(|size| *size > 0);
    let size = asked.map_or(PAGE, |size| size.min(PAGE));
    let providers = &request.pool(&pool).configuration.providers;
    let (page, next) = page_by_name(request, |after| keys_after(providers, after), size, "NextToken")?;
    let shown = page
        .iter()
        .map(|name| {
            let mut shown = providers[*name].shown();
            shown.retain(|member, _| !SETTINGS.contains(&member.as_str()));
            shown.insert("ProviderName".into(), json!(name));
            Value::Object(shown)
        })
        .collect();
    Ok(paged("Providers", shown, next))
}
