//! What users do to themselves with an access token.
//!
//! Invariant: the token alone decides whom a call concerns.

use serde_json::{Map, Value, json};

use super::errors::{Answer, code_expired, invalid, refuse};
use super::request::Request;
use super::schema::{self, Writer};
use super::state::Purpose;
use super::{clients, delivery, factors, users};

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    request.activate(&bearer.pool, &bearer.sub);
    let readable = request
        .pool(&bearer.pool)
        .clients
        .get(&bearer.client)
        .and_then(clients::readable);
    let user = request.user(&bearer.pool, &bearer.sub);
    let only: Option<Vec<&str>> = readable.map(|list| {
        list.iter()
            .filter_map(Value::as_str)
            .chain(["sub", "identities"])
            .collect()
    });
    let mut shown = Map::new();
    shown.insert("Username".into(), json!(user.username));
    shown.insert(
        "UserAttributes".into(),
        Value::Array(users::attribute_list(user, only.as_deref())),
    );
    factors::describe(user, &mut shown);
    Ok(Value::Object(shown))
}

pub(crate) fn update_attributes(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let writes = request.attributes("UserAttributes")?;
    let pool = request.pool(&bearer.pool);
    let client = pool.clients.get(&bearer.client);
    schema::check(pool, &writes, Writer::Client(client.and_then(clients::writable)), false)?;
    let sent = users::write_attributes(request, &bearer.pool, &bearer.sub, &bearer.client, &writes)?;
    Ok(json!({ "CodeDeliveryDetailsList": sent }))
}

pub(crate) fn delete_attributes(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let names = request.strings("UserAttributeNames")?.unwrap_or_default();
    users::remove_attributes(request, &bearer.pool, &bearer.sub, &names)
}

fn verifiable(request: &Request<'_>) -> Answer<(&'static str, Purpose)> {
    match request.required("AttributeName")? {
        "email" => Ok(("email", Purpose::Email)),
        "phone_number" => Ok(("phone_number", Purpose::Phone)),
        other => Err(invalid(format!("Attribute {other} cannot be verified."))),
    }
}

pub(crate) fn send_verification(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let (attribute, purpose) = verifiable(request)?;
    let user = request.user(&bearer.pool, &bearer.sub);
    if user.attribute(attribute).is_none() && !user.pending.contains_key(attribute) {
        return Err(invalid(format!("User has no {attribute} set")));
    }
    let ids = (bearer.pool.as_str(), bearer.sub.as_str());
    let sent = delivery::send_code(request, ids, &bearer.client, "VerifyUserAttribute", purpose, attribute);
    Ok(json!({ "CodeDeliveryDetails": sent }))
}

pub(crate) fn verify(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let (attribute, purpose) = verifiable(request)?;
    let code = request.required("Code")?;
    let pool = request.pool(&bearer.pool);
    let user = request.user(&bearer.pool, &bearer.sub);
    let value = user
        .pending
        .get(attribute)
        .or_else(|| user.attributes.get(attribute))
        .cloned()
        .ok_or_else(code_expired)?;
    let right = pool
        .codes
        .get(&(bearer.sub.clone(), purpose))
        .is_some_and(|one| one.value == code);
    let taken = pool
        .alias_owner(attribute, &value)
        .is_some_and(|owner| owner != bearer.sub);
    if right && taken {
        return Err(refuse(
            "AliasExistsException",
            format!("An account with the {attribute} already exists."),
        ));
    }
    delivery::redeem(request, &bearer.pool, &bearer.sub, purpose, code)?;
    request.edit(&bearer.pool, &bearer.sub, |user| {
        if let Some(waiting) = user.pending.remove(attribute) {
            user.attributes.insert(attribute.to_owned(), waiting);
        }
        user.attributes
            .insert(format!("{attribute}_verified"), "true".to_owned());
    });
    request.activate(&bearer.pool, &bearer.sub);
    Ok(json!({}))
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let now = request.now;
    request.pool_mut(&bearer.pool).remove(&bearer.sub, now);
    Ok(json!({}))
}

pub(crate) fn sign_out(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    request.pool_mut(&bearer.pool).sign_ins.remove(&bearer.sub);
    Ok(json!({}))
}
