//! Limits of sessions: how many a user of the pool may have, and how long single sign-on lasts for an app client.
//!
//! Invariant: both are stored only; no session is ended by them.

use serde_json::{Map, Value, json};

use super::clients;
use super::errors::{Answer, invalid, not_in_tier};
use super::request::{Request, missing};

fn not_in_lite(request: &Request<'_>, pool: &str) -> Answer<()> {
    if request.pool(pool).settings.get("UserPoolTier") == Some(&json!("LITE")) {
        return Err(not_in_tier(
            "Session settings are not available in the feature plan of this user pool.",
        ));
    }
    Ok(())
}

fn with_pool(pool: &str, mut settings: Map<String, Value>) -> Value {
    settings.insert("UserPoolId".into(), json!(pool));
    Value::Object(settings)
}

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let mut settings = request.pool(&pool).configuration.session.clone();
    settings
        .entry("UserSessionTracking")
        .or_insert_with(|| json!("DISABLED"));
    settings
        .entry("TokenSession")
        .or_insert_with(|| json!({ "MaxPerUser": 20 }));
    Ok(with_pool(&pool, settings))
}

pub(crate) fn set(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    not_in_lite(request, &pool)?;
    request.required_of("UserSessionTracking", &["ENABLED", "DISABLED"])?;
    let tokens = request.map("TokenSession")?.ok_or_else(|| missing("TokenSession"))?;
    let most = tokens.get("MaxPerUser").and_then(Value::as_i64);
    if !(1..=100).contains(&most.ok_or_else(|| missing("MaxPerUser"))?) {
        return Err(invalid("MaxPerUser must be from 1 to 100."));
    }
    let settings = request.given(&["UserSessionTracking", "TokenSession"]);
    request.pool_mut(&pool).configuration.session.clone_from(&settings);
    Ok(with_pool(&pool, settings))
}

pub(crate) fn get_of_client(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let client = &clients::existing(request, &pool)?.id;
    let all = &request.pool(&pool).configuration.client_sessions;
    let mut settings = all.get(client).cloned().unwrap_or_default();
    settings.insert("ClientId".into(), json!(client));
    Ok(with_pool(&pool, settings))
}

pub(crate) fn set_of_client(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    not_in_lite(request, &pool)?;
    let client = clients::existing(request, &pool)?.id.clone();
    let session = request.map("SSOSession")?.ok_or_else(|| missing("SSOSession"))?;
    let minutes = session.get("MaxValidityMinutes").and_then(Value::as_i64);
    if minutes.ok_or_else(|| missing("MaxValidityMinutes"))? < 0 {
        return Err(invalid("MaxValidityMinutes must not be negative."));
    }
    let mut settings = request.given(&["SSOSession"]);
    let all = &mut request.pool_mut(&pool).configuration.client_sessions;
    all.insert(client.clone(), settings.clone());
    settings.insert("ClientId".into(), json!(client));
    Ok(with_pool(&pool, settings))
}
