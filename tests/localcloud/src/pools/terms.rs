//! Terms documents: links that managed login shows when a user signs up.
//!
//! Invariant: an app client has at most one document of a name.

use serde_json::{Map, Value, json};

use super::clients;
use super::configuration::{OfClient, Stored};
use super::errors::{Answer, invalid, limit_exceeded, not_found, refuse};
use super::list::{page_by_name, paged};
use super::request::Request;
use super::state::keys_after;

const NAMES: &[&str] = &["terms-of-use", "privacy-policy"];
const MEMBERS: &[&str] = &["TermsName", "TermsSource", "Enforcement", "Links"];
const MOST_PER_POOL: usize = 40;
const MOST_LINKS: usize = 13;

fn describe(pool: &str, id: &str, document: &OfClient) -> Value {
    let mut shown = document.stored.shown();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("ClientId".into(), json!(document.client));
    shown.insert("TermsId".into(), json!(id));
    json!({ "Terms": shown })
}

fn given(request: &Request<'_>) -> Answer<Map<String, Value>> {
    request.one_of("TermsSource", &["LINK"])?;
    request.one_of("Enforcement", &["NONE"])?;
    request.one_of("TermsName", NAMES)?;
    if let Some(links) = request.map("Links")? {
        let is_language = |name: &String| name.starts_with("cognito:");
        if links.is_empty() || links.len() > MOST_LINKS || !links.keys().all(is_language) {
            return Err(invalid(
                "Links must be from 1 to 13 addresses by language, such as cognito:default.",
            ));
        }
    }
    Ok(request.given(MEMBERS))
}

fn of_name<'r>(request: &'r Request<'_>, pool: &str, client: &str, name: &str) -> Option<(&'r str, &'r OfClient)> {
    let mut all = request.pool(pool).configuration.terms.iter();
    all.find(|(_, one)| one.client == client && one.stored.settings.get("TermsName") == Some(&json!(name)))
        .map(|(id, document)| (id.as_str(), document))
}

fn exists(name: &str) -> super::ApiError {
    refuse(
        "TermsExistsException",
        format!("Terms {name} already exist for the app client."),
    )
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let client = clients::existing(request, &pool)?.id.clone();
    let name = request.required_of("TermsName", NAMES)?;
    request.required("TermsSource")?;
    request.required("Enforcement")?;
    let mut settings = given(request)?;
    settings.entry("Links").or_insert_with(|| json!({}));
    if of_name(request, &pool, &client, name).is_some() {
        return Err(exists(name));
    }
    if request.pool(&pool).configuration.terms.len() >= MOST_PER_POOL {
        return Err(limit_exceeded(
            "The user pool has the most terms documents that it can have.",
        ));
    }
    let id = request.state.random.uuid4();
    let document = OfClient {
        client,
        stored: Stored::new(settings, request.now),
    };
    let answer = describe(&pool, &id, &document);
    request.pool_mut(&pool).configuration.terms.insert(id, document);
    Ok(answer)
}

fn existing<'a, 'r>(request: &'r Request<'a>, pool: &str) -> Answer<(&'a str, &'r OfClient)> {
    let id = request.required("TermsId")?;
    let document = request.pool(pool).configuration.terms.get(id);
    let document = document.ok_or_else(|| not_found(format!("Terms {id} do not exist.")))?;
    Ok((id, document))
}

/// What is given replaces, what is left out stays.
pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (id, document) = existing(request, &pool)?;
    let mut document = document.clone();
    let given = given(request)?;
    if let Some(name) = given.get("TermsName").and_then(Value::as_str)
        && of_name(request, &pool, &document.client, name).is_some_and(|(owner, _)| owner != id)
    {
        return Err(exists(name));
    }
    document.stored.settings.extend(given);
    document.stored.modified = request.now;
    let answer = describe(&pool, id, &document);
    let all = &mut request.pool_mut(&pool).configuration.terms;
    all.insert(id.to_owned(), document);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (id, _) = existing(request, &pool)?;
    request.pool_mut(&pool).configuration.terms.remove(id);
    Ok(json!({}))
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (id, document) = existing(request, &pool)?;
    Ok(describe(&pool, id, document))
}

pub(crate) fn describe_by_client(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let client = &clients::existing(request, &pool)?.id;
    let name = request.required_of("TermsName", NAMES)?;
    let (id, document) = of_name(request, &pool, client, name)
        .ok_or_else(|| not_found(format!("Client {client} has no terms {name}.")))?;
    Ok(describe(&pool, id, document))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let size = request.number("MaxResults", 1, 60)?.unwrap_or(60);
    let all = &request.pool(&pool).configuration.terms;
    let (page, next) = page_by_name(request, |after| keys_after(all, after), size, "NextToken")?;
    let shown = page
        .iter()
        .map(|id| {
            let mut shown = all[*id].stored.shown();
            shown.retain(|member, _| member != "TermsSource" && member != "Links");
            shown.insert("TermsId".into(), json!(id));
            Value::Object(shown)
        })
        .collect();
    Ok(paged("Terms", shown, next))
}
