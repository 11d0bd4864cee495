//! Styles of managed login: settings and images, one style for an app client.
//!
//! Invariant: an update keeps what it leaves out, also inside the settings; Cognito's own values and own settings exclude
//! each other.

use serde_json::{Map, Value, json};

use super::clients;
use super::configuration::{OfClient, Stored};
use super::errors::{Answer, invalid, limit_exceeded, not_found, refuse, unsupported};
use super::request::{Request, missing};

const MOST_PER_POOL: usize = 20;
const MOST_ASSETS: usize = 40;

fn describe(pool: &str, id: &str, style: &Stored) -> Value {
    let mut shown = style.shown();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("ManagedLoginBrandingId".into(), json!(id));
    json!({ "ManagedLoginBranding": shown })
}

/// What identifies an image of a style.
fn slot(asset: &Value) -> (&Value, &Value) {
    (&asset["Category"], &asset["ColorMode"])
}

/// Lays what the call gives over a style.
fn change(request: &Request<'_>, style: &mut Map<String, Value>) -> Answer<()> {
    let settings = request.map("Settings")?;
    let assets = request.list("Assets")?;
    if assets.is_some_and(|assets| assets.len() > MOST_ASSETS) {
        return Err(invalid(
            "1 validation error detected: Value at 'assets' failed to satisfy constraint: Member must have length less than or equal to 40",
        ));
    }
    for member in ["Category", "ColorMode", "Extension"] {
        if assets.into_iter().flatten().any(|asset| !asset[member].is_string()) {
            return Err(missing(member));
        }
    }
    if request.flag("UseCognitoProvidedValues")? {
        if settings.is_some() || assets.is_some() {
            return Err(invalid(
                "Settings and Assets cannot be given together with UseCognitoProvidedValues.",
            ));
        }
        style.clear();
        style.insert("UseCognitoProvidedValues".into(), json!(true));
        return Ok(());
    }
    style.insert("UseCognitoProvidedValues".into(), json!(false));
    if let Some(settings) = settings {
        let into = style.entry("Settings").or_insert_with(|| json!({}));
        lay_over(into, &json!(settings));
    }
    if let Some(assets) = assets {
        let mut all = style
            .remove("Assets")
            .and_then(|all| all.as_array().cloned())
            .unwrap_or_default();
        all.retain(|old| !assets.iter().any(|new| slot(new) == slot(old)));
        all.extend(assets.iter().cloned());
        style.insert("Assets".into(), Value::Array(all));
    }
    Ok(())
}

fn lay_over(base: &mut Value, more: &Value) {
    match (base, more) {
        (Value::Object(base), Value::Object(more)) => {
            for (key, value) in more {
                lay_over(base.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (base, more) => *base = more.clone(),
    }
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    request.required("ClientId")?;
    let client = clients::existing(request, &pool)?.id.clone();
    let all = &request.pool(&pool).configuration.branding;
    if all.values().any(|style| style.client == client) {
        return Err(refuse(
            "ManagedLoginBrandingExistsException",
            format!("Managed login branding already exists for client {client}."),
        ));
    }
    if all.len() >= MOST_PER_POOL {
        return Err(limit_exceeded(
            "The user pool has the most managed login branding styles that it can have.",
        ));
    }
    let mut settings = Map::new();
    change(request, &mut settings)?;
    let stored = Stored::new(settings, request.now);
    let id = request.state.random.uuid4();
    let answer = describe(&pool, &id, &stored);
    let all = &mut request.pool_mut(&pool).configuration.branding;
    all.insert(id, OfClient { client, stored });
    Ok(answer)
}

fn existing<'a, 'r>(request: &'r Request<'a>, pool: &str) -> Answer<(&'a str, &'r OfClient)> {
    let id = request.required("ManagedLoginBrandingId")?;
    let style = request.pool(pool).configuration.branding.get(id);
    let style = style.ok_or_else(|| not_found(format!("Managed login branding {id} does not exist.")))?;
    Ok((id, style))
}

pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (id, style) = existing(request, &pool)?;
    let mut style = style.clone();
    change(request, &mut style.stored.settings)?;
    style.stored.modified = request.now;
    let answer = describe(&pool, id, &style.stored);
    let all = &mut request.pool_mut(&pool).configuration.branding;
    all.insert(id.to_owned(), style);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (id, _) = existing(request, &pool)?;
    request.pool_mut(&pool).configuration.branding.remove(id);
    Ok(json!({}))
}

fn refuse_merged(request: &Request<'_>) -> Answer<()> {
    if request.flag("ReturnMergedResources")? {
        return Err(unsupported("ReturnMergedResources: Cognito's own style"));
    }
    Ok(())
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    refuse_merged(request)?;
    let (id, style) = existing(request, &pool)?;
    Ok(describe(&pool, id, &style.stored))
}

pub(crate) fn describe_by_client(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    refuse_merged(request)?;
    let client = &clients::existing(request, &pool)?.id;
    let mut all = request.pool(&pool).configuration.branding.iter();
    let (id, style) = all
        .find(|(_, style)| style.client == *client)
        .ok_or_else(|| not_found(format!("Client {client} has no managed login branding.")))?;
    Ok(describe(&pool, id, &style.stored))
}
