//! Looks of the classic hosted UI, for the pool (`ALL`) and for single app clients.
//!
//! Invariant: an image that was set is shown as an address and never as bytes, so it cannot be read back.

use serde_json::{Value, json};

use super::clients;
use super::configuration::Stored;
use super::errors::{Answer, invalid};
use super::request::Request;

const POOL: &str = "ALL";

/// `ALL`, or the id of a client that exists.
fn subject(request: &Request<'_>, pool: &str) -> Answer<String> {
    match request.text("ClientId")? {
        None | Some(POOL) => Ok(POOL.to_owned()),
        Some(_) => Ok(clients::existing(request, pool)?.id.clone()),
    }
}

fn describe(pool: &str, subject: &str, ui: &Stored) -> Value {
    let mut shown = ui.shown();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.insert("ClientId".into(), json!(subject));
    Value::Object(shown)
}

/// Replaces everything that was set before.
pub(crate) fn set(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let subject = subject(request, &pool)?;
    if request.pool(&pool).configuration.domains.is_empty() {
        return Err(invalid(
            "There has to be an existing domain associated with this user pool",
        ));
    }
    request.text("CSS")?;
    let now = request.now;
    let mut settings = request.given(&["CSS"]);
    if settings.contains_key("CSS") {
        settings.insert("CSSVersion".into(), json!(now.to_string()));
    }
    if request.text("ImageFile")?.is_some() {
        let address = format!("https://localcloud.cloudfront.net/{pool}/{subject}/{now}/image");
        settings.insert("ImageUrl".into(), json!(address));
    }
    let all = &mut request.pool_mut(&pool).configuration.ui;
    let mut ui = Stored::new(settings, now);
    ui.created = all.get(&subject).map_or(now, |before| before.created);
    let answer = json!({ "UICustomization": describe(&pool, &subject, &ui) });
    all.insert(subject, ui);
    Ok(answer)
}

/// A client without its own shows the pool's; nothing set is an empty object.
pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let subject = subject(request, &pool)?;
    let all = &request.pool(&pool).configuration.ui;
    let found = all.get_key_value(&subject).or_else(|| all.get_key_value(POOL));
    let shown = found.map_or_else(|| json!({}), |(owner, ui)| describe(&pool, owner, ui));
    Ok(json!({ "UICustomization": shown }))
}
