//! App clients: their settings, and what they allow.
//!
//! Invariant: an update keeps id and secret and sets everything else that is left out back to its default.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_authorized, not_found, refuse};
use super::list::{page_by_name, paged};
use super::request::{Request, seconds};
use super::state::{Client, Secret, keys_after};
use super::{resource_servers, secrets};

/// The settings of a client besides its id and secret.
pub(crate) const SETTINGS: &[&str] = &[
    "ClientName",
    "RefreshTokenValidity",
    "AccessTokenValidity",
    "IdTokenValidity",
    "TokenValidityUnits",
    "ReadAttributes",
    "WriteAttributes",
    "ExplicitAuthFlows",
    "SupportedIdentityProviders",
    "CallbackURLs",
    "LogoutURLs",
    "DefaultRedirectURI",
    "AllowedOAuthFlows",
    "AllowedOAuthScopes",
    "AllowedOAuthFlowsUserPoolClient",
    "PreventUserExistenceErrors",
    "EnableTokenRevocation",
    "EnablePropagateAdditionalUserContextData",
    "AuthSessionValidity",
    "AnalyticsConfiguration",
    "RefreshTokenRotation",
];

const FLOWS: &[&str] = &[
    "ALLOW_ADMIN_USER_PASSWORD_AUTH",
    "ALLOW_CUSTOM_AUTH",
    "ALLOW_USER_PASSWORD_AUTH",
    "ALLOW_USER_SRP_AUTH",
    "ALLOW_REFRESH_TOKEN_AUTH",
    "ALLOW_USER_AUTH",
    "ALLOW_TOKEN_EXCHANGE_DELEGATION",
    "ALLOW_TOKEN_EXCHANGE_IMPERSONATION",
    "ADMIN_NO_SRP_AUTH",
    "CUSTOM_AUTH_FLOW_ONLY",
    "USER_PASSWORD_AUTH",
];

/// Scopes that need no resource server.
const OWN_SCOPES: &[&str] = &["phone", "email", "openid", "profile", "aws.cognito.signin.user.admin"];

fn settings_of(request: &Request<'_>, pool: &str) -> Answer<Map<String, Value>> {
    let mut settings = Map::new();
    settings.insert("RefreshTokenValidity".into(), json!(30));
    settings.insert("EnableTokenRevocation".into(), json!(true));
    settings.insert("EnablePropagateAdditionalUserContextData".into(), json!(false));
    settings.insert("AllowedOAuthFlowsUserPoolClient".into(), json!(false));
    settings.insert("AuthSessionValidity".into(), json!(3));
    settings.extend(request.given(SETTINGS));
    if settings.get("RefreshTokenValidity") == Some(&json!(0)) {
        settings.insert("RefreshTokenValidity".into(), json!(30));
    }
    for flow in request.strings("ExplicitAuthFlows")?.unwrap_or_default() {
        if !FLOWS.contains(&flow) {
            return Err(invalid(format!("Unknown ExplicitAuthFlows value {flow}")));
        }
    }
    check_references(request, pool)?;
    check_attributes(request, pool)?;
    let rotates = |rotation: &Value| rotation.get("Feature") == Some(&json!("ENABLED"));
    if request.value("RefreshTokenRotation").is_some_and(rotates) {
        let flows = request.strings("ExplicitAuthFlows")?;
        if flows.is_none_or(|flows| flows.is_empty() || flows.contains(&"ALLOW_REFRESH_TOKEN_AUTH")) {
            return Err(invalid(
                "Refresh token rotation cannot be enabled together with ALLOW_REFRESH_TOKEN_AUTH.",
            ));
        }
    }
    Ok(settings)
}

/// A client can only name identity providers and scopes that its pool has.
fn check_references(request: &Request<'_>, pool: &str) -> Answer<()> {
    let configuration = &request.pool(pool).configuration;
    for provider in request.strings("SupportedIdentityProviders")?.unwrap_or_default() {
        if provider != "COGNITO" && !configuration.providers.contains_key(provider) {
            return Err(invalid(format!(
                "The provider {provider} does not exist for User Pool {pool}."
            )));
        }
    }
    for scope in request.strings("AllowedOAuthScopes")?.unwrap_or_default() {
        if !OWN_SCOPES.contains(&scope) && !resource_servers::has_scope(configuration, scope) {
            return Err(refuse(
                "ScopeDoesNotExistException",
                format!("Invalid scope requested: {scope}"),
            ));
        }
    }
    Ok(())
}

/// A client reads what the pool's schema has, and writes of it what users may write.
fn check_attributes(request: &Request<'_>, pool: &str) -> Answer<()> {
    let schema = &request.pool(pool).schema;
    let readable = |name: &&str| schema.contains_key(*name);
    let own = |name: &str| name == "sub" || name == "identities" || name.ends_with("_verified");
    let writable = |name: &&str| readable(name) && !own(name);
    if !request.strings("ReadAttributes")?.iter().flatten().all(readable) {
        return Err(invalid("Invalid read attributes specified while creating a client"));
    }
    if !request.strings("WriteAttributes")?.iter().flatten().all(writable) {
        return Err(invalid("Invalid write attributes specified while creating a client"));
    }
    Ok(())
}

fn describe(pool: &str, client: &Client) -> Value {
    let mut shown = client.settings.clone();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("ClientId".into(), json!(client.id));
    shown.extend(
        client
            .secrets
            .first()
            .map(|secret| ("ClientSecret".to_owned(), json!(secret.value))),
    );
    shown.insert("CreationDate".into(), seconds(client.created));
    shown.insert("LastModifiedDate".into(), seconds(client.modified));
    Value::Object(shown)
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    request.required("ClientName")?;
    let settings = settings_of(request, &pool)?;
    let own_secret = secrets::own(request)?;
    let generate = request.flag("GenerateSecret")?;
    if generate && own_secret.is_some() {
        return Err(invalid("GenerateSecret and ClientSecret cannot be given together."));
    }
    let id = request.state.random.text(26).to_lowercase();
    let secret = own_secret.or_else(|| generate.then(|| secrets::drawn(request)));
    let client = Client {
        id: id.clone(),
        secrets: secret
            .into_iter()
            .map(|value| Secret::new(&id, value, request.now))
            .collect(),
        created: request.now,
        modified: request.now,
        settings,
    };
    let answer = json!({ "UserPoolClient": describe(&pool, &client) });
    request.pool_mut(&pool).clients.insert(id.clone(), client);
    request.state.pool_of_client.insert(id, pool);
    Ok(answer)
}

pub(crate) fn existing<'a>(request: &'a Request<'_>, pool: &str) -> Answer<&'a Client> {
    let id = request.required("ClientId")?;
    request
        .pool(pool)
        .clients
        .get(id)
        .ok_or_else(|| not_found(format!("User pool client {id} does not exist.")))
}

/// The client whose settings are meant; `None` for those of the whole pool.
pub(crate) fn optional(request: &Request<'_>, pool: &str) -> Answer<Option<String>> {
    match request.text("ClientId")? {
        Some(_) => Ok(Some(existing(request, pool)?.id.clone())),
        None => Ok(None),
    }
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    Ok(json!({ "UserPoolClient": describe(&pool, existing(request, &pool)?) }))
}

pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let mut client = existing(request, &pool)?.clone();
    let mut settings = settings_of(request, &pool)?;
    if let Some(name) = client.settings.get("ClientName") {
        settings.entry("ClientName").or_insert_with(|| name.clone());
    }
    client.settings = settings;
    client.modified = request.now;
    let answer = json!({ "UserPoolClient": describe(&pool, &client) });
    request.pool_mut(&pool).clients.insert(client.id.clone(), client);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let id = existing(request, &pool)?.id.clone();
    let home = request.pool_mut(&pool);
    home.clients.remove(&id);
    home.configuration.forget_client(&id);
    for sign_ins in home.sign_ins.values_mut() {
        sign_ins.retain(|one| one.client != id);
    }
    request.state.pool_of_client.remove(&id);
    Ok(json!({}))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let size = request.number("MaxResults", 1, 60)?.unwrap_or(60);
    let clients = &request.pool(&pool).clients;
    let (page, next) = page_by_name(request, |after| keys_after(clients, after), size, "NextToken")?;
    let shown = page
        .iter()
        .map(|id| json!({ "ClientId": id, "UserPoolId": pool, "ClientName": clients[*id].settings.get("ClientName") }))
        .collect();
    Ok(paged("UserPoolClients", shown, next))
}

pub(crate) fn hides_users(client: &Client) -> bool {
    client.settings.get("PreventUserExistenceErrors") == Some(&json!("ENABLED"))
}

pub(crate) fn readable(client: &Client) -> Option<&Vec<Value>> {
    client
        .settings
        .get("ReadAttributes")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
}

pub(crate) fn writable(client: &Client) -> Option<&Vec<Value>> {
    client
        .settings
        .get("WriteAttributes")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty())
}

/// Whether the client allows a flow, with AWS's default list when none was given.
pub(crate) fn allows(client: &Client, flow: &str) -> bool {
    let given = client
        .settings
        .get("ExplicitAuthFlows")
        .and_then(Value::as_array)
        .filter(|list| !list.is_empty());
    let legacy = match flow {
        "ALLOW_ADMIN_USER_PASSWORD_AUTH" => "ADMIN_NO_SRP_AUTH",
        "ALLOW_USER_PASSWORD_AUTH" => "USER_PASSWORD_AUTH",
        _ => "",
    };
    match given {
        Some(list) => {
            // A list of legacy values says nothing about refreshing, which was always allowed then.
            let all_legacy = !list
                .iter()
                .any(|entry| entry.as_str().is_some_and(|name| name.starts_with("ALLOW_")));
            list.iter().any(|entry| entry == flow || entry == legacy)
                || (all_legacy && flow == "ALLOW_REFRESH_TOKEN_AUTH")
        }
        None => ["ALLOW_REFRESH_TOKEN_AUTH", "ALLOW_USER_SRP_AUTH", "ALLOW_CUSTOM_AUTH"].contains(&flow),
    }
}

/// How long a kind of token lives, in milliseconds.
pub(crate) fn validity(client: &Client, kind: &str) -> i64 {
    let (default_amount, default_unit) = if kind == "Refresh" { (30, "days") } else { (1, "hours") };
    let amount = client
        .settings
        .get(&format!("{kind}TokenValidity"))
        .and_then(Value::as_i64)
        .unwrap_or(default_amount);
    let unit = client
        .settings
        .get("TokenValidityUnits")
        .and_then(|units| units.get(format!("{kind}Token"))?.as_str());
    let unit_millis = match unit.unwrap_or(default_unit) {
        "seconds" => 1_000,
        "minutes" => 60_000,
        "days" => 86_400_000,
        _ => 3_600_000,
    };
    amount * unit_millis
}

/// `SECRET_HASH` for a user name, as a client has to compute it.
pub fn secret_hash(secret: &str, username: &str, client_id: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    STANDARD.encode(hmac::sign(&key, format!("{username}{client_id}").as_bytes()).as_ref())
}

/// Checks the hash against any of the names that the user goes by.
pub(crate) fn check_secret_hash(client: &Client, given: Option<&str>, usernames: &[&str]) -> Answer<()> {
    let id = &client.id;
    let proves = |secret: &Secret, given: &str| {
        usernames
            .iter()
            .any(|name| secret_hash(&secret.value, name, id) == given)
    };
    match (&client.secrets[..], given) {
        ([], None) => Ok(()),
        ([], Some(_)) => Err(not_authorized(format!("Unable to verify secret hash for client {id}"))),
        (_, None) => Err(not_authorized(format!(
            "Client {id} is configured with secret but SECRET_HASH was not received"
        ))),
        (secrets, Some(given)) if secrets.iter().any(|secret| proves(secret, given)) => Ok(()),
        (_, Some(_)) => Err(not_authorized(format!(
            "SecretHash does not match for the client: {id}"
        ))),
    }
}
