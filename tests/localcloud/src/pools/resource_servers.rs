//! Resource servers and their custom scopes.
//!
//! Invariant: an update sets the scopes that it leaves out back to none.

use serde_json::{Map, Value, json};

use super::configuration::Configuration;
use super::errors::{Answer, invalid, limit_exceeded, not_found};
use super::list::{page_by_name, paged};
use super::request::{Request, missing};
use super::state::keys_after;

const MOST_PER_POOL: usize = 25;
const MOST_SCOPES: usize = 100;
const PAGE: i64 = 50;

fn describe(pool: &str, identifier: &str, server: &Map<String, Value>) -> Value {
    let mut shown = server.clone();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("Identifier".into(), json!(identifier));
    Value::Object(shown)
}

/// Whether a client's scope, `identifier/scope`, is one of the pool's.
pub(crate) fn has_scope(configuration: &Configuration, scope: &str) -> bool {
    let Some((identifier, name)) = scope.rsplit_once('/') else {
        return false;
    };
    let scopes = configuration
        .resource_servers
        .get(identifier)
        .and_then(|server| server.get("Scopes")?.as_array());
    scopes.is_some_and(|scopes| scopes.iter().any(|scope| scope["ScopeName"] == name))
}

fn settings_of(request: &Request<'_>) -> Answer<Map<String, Value>> {
    request.required_up_to("Name", 256)?;
    let scopes = request.list("Scopes")?.map_or(&[][..], Vec::as_slice);
    if scopes.len() > MOST_SCOPES {
        return Err(invalid(
            "1 validation error detected: Value at 'scopes' failed to satisfy constraint: Member must have length less than or equal to 100",
        ));
    }
    for member in ["ScopeName", "ScopeDescription"] {
        let is_text = |scope: &Value| scope[member].as_str().is_some_and(|text| !text.is_empty());
        if !scopes.iter().all(is_text) {
            return Err(missing(member));
        }
    }
    if scopes
        .iter()
        .any(|scope| scope["ScopeName"].as_str().is_some_and(|name| name.contains('/')))
    {
        return Err(invalid(
            "1 validation error detected: Value at 'scopeName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\x21\\x23-\\x2E\\x30-\\x5B\\x5D-\\x7E]+",
        ));
    }
    let mut settings = request.given(&["Name"]);
    settings.insert("Scopes".into(), json!(scopes));
    Ok(settings)
}

fn existing<'a, 'r>(request: &'r Request<'a>, pool: &str) -> Answer<(&'a str, &'r Map<String, Value>)> {
    let identifier = request.required("Identifier")?;
    let server = request.pool(pool).configuration.resource_servers.get(identifier);
    let server = server.ok_or_else(|| not_found(format!("Resource server {identifier} does not exist.")))?;
    Ok((identifier, server))
}

fn put(request: &mut Request<'_>, pool: &str, identifier: &str) -> Answer<Value> {
    let server = settings_of(request)?;
    let answer = json!({ "ResourceServer": describe(pool, identifier, &server) });
    let servers = &mut request.pool_mut(pool).configuration.resource_servers;
    servers.insert(identifier.to_owned(), server);
    Ok(answer)
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let identifier = request.required_up_to("Identifier", 256)?;
    let servers = &request.pool(&pool).configuration.resource_servers;
    if servers.contains_key(identifier) {
        return Err(invalid(format!("{identifier} already exists in user pool {pool}.")));
    }
    if servers.len() >= MOST_PER_POOL {
        return Err(limit_exceeded(
            "The user pool has the most resource servers that it can have.",
        ));
    }
    put(request, &pool, identifier)
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (identifier, server) = existing(request, &pool)?;
    Ok(json!({ "ResourceServer": describe(&pool, identifier, server) }))
}

pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (identifier, _) = existing(request, &pool)?;
    put(request, &pool, identifier)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (identifier, _) = existing(request, &pool)?;
    request
        .pool_mut(&pool)
        .configuration
        .resource_servers
        .remove(identifier);
    Ok(json!({}))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let size = request.number("MaxResults", 1, PAGE)?.unwrap_or(PAGE);
    let servers = &request.pool(&pool).configuration.resource_servers;
    let (page, next) = page_by_name(request, |after| keys_after(servers, after), size, "NextToken")?;
    let shown = page
        .iter()
        .map(|identifier| describe(&pool, identifier, &servers[*identifier]))
        .collect();
    Ok(paged("ResourceServers", shown, next))
}
