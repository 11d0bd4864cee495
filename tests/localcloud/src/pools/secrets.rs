//! The secrets of a confidential app client: two at most, so that one can be replaced while the other still works.
//!
//! Invariant: a secret that the caller chose is never shown by these operations, a drawn one only when it is made.

use serde_json::{Value, json};

use super::clients;
use super::errors::{Answer, invalid, limit_exceeded, not_found};
use super::request::{Request, seconds};
use super::state::{Client, Secret};

const MOST: usize = 2;

impl Secret {
    pub(crate) fn new(client: &str, value: String, now: i64) -> Self {
        Self {
            id: format!("{client}--{now}"),
            value,
            created: now,
        }
    }
}

/// A secret chosen by the caller.
pub(crate) fn own(request: &Request<'_>) -> Answer<Option<String>> {
    let Some(secret) = request.text("ClientSecret")? else {
        return Ok(None);
    };
    let word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == '+';
    if !(24..=64).contains(&secret.len()) || !secret.chars().all(word) {
        return Err(invalid(
            "1 validation error detected: Value at 'clientSecret' failed to satisfy constraint: Member must have a length from 24 to 64 and satisfy regular expression pattern: [\\w+]+",
        ));
    }
    Ok(Some(secret.to_owned()))
}

pub(crate) fn drawn(request: &mut Request<'_>) -> String {
    request.state.random.text(51).to_lowercase()
}

/// Whether `given` proves the client; a public client must not give any.
pub(crate) fn is_one_of(client: &Client, given: Option<&str>) -> bool {
    match given {
        Some(given) => client.secrets.iter().any(|secret| secret.value == given),
        None => client.secrets.is_empty(),
    }
}

fn describe(secret: &Secret) -> Value {
    json!({ "ClientSecretId": secret.id, "ClientSecretCreateDate": seconds(secret.created) })
}

fn of_client(request: &mut Request<'_>) -> Answer<(String, Client)> {
    let pool = request.named_pool()?;
    let client = clients::existing(request, &pool)?.clone();
    Ok((pool, client))
}

pub(crate) fn add(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, mut client) = of_client(request)?;
    // Two secrets of one millisecond would have one id.
    let created = match client.secrets.last() {
        Some(last) => request.now.max(last.created + 1),
        None => return Err(invalid("The app client has no secret: it is a public client.")),
    };
    if client.secrets.len() >= MOST {
        return Err(limit_exceeded("The app client has the most secrets that it can have."));
    }
    let own = own(request)?;
    let is_drawn = own.is_none();
    let value = own.unwrap_or_else(|| drawn(request));
    let secret = Secret::new(&client.id, value, created);
    let mut shown = describe(&secret);
    if is_drawn {
        shown["ClientSecretValue"] = json!(secret.value);
    }
    client.secrets.push(secret);
    request.pool_mut(&pool).clients.insert(client.id.clone(), client);
    Ok(json!({ "ClientSecretDescriptor": shown }))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let (_, client) = of_client(request)?;
    let shown: Vec<Value> = client.secrets.iter().map(describe).collect();
    Ok(json!({ "ClientSecrets": shown }))
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, mut client) = of_client(request)?;
    let id = request.required("ClientSecretId")?;
    let at = client.secrets.iter().position(|secret| secret.id == id);
    let at = at.ok_or_else(|| not_found("Client secret does not exist."))?;
    if client.secrets.len() == 1 {
        return Err(invalid("The last secret of an app client cannot be deleted."));
    }
    client.secrets.remove(at);
    request.pool_mut(&pool).clients.insert(client.id.clone(), client);
    Ok(json!({}))
}
