//! The administrator's operations on one user.
//!
//! Invariant: every change but group memberships moves the user's modification date; reads change nothing but the bill.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::delivery;
use super::errors::{Answer, invalid, refuse, user_not_found};
use super::federation;
use super::request::{Request, seconds};
use super::schema::{self, Writer};
use super::sign_up::{
    check_username_attributes, claim_alias, is_passwordless, new_name, new_user, preferred_name_too_early,
};
use super::state::{Pool, Purpose, Status, User};
use super::{factors, passwords, triggers};

/// `[{Name, Value}]`, `sub` first; `only` restricts it.
pub(crate) fn attribute_list(user: &User, only: Option<&[&str]>) -> Vec<Value> {
    let mut all: Vec<(&str, String)> = vec![("sub", user.sub.clone())];
    all.extend(
        user.attributes
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone())),
    );
    all.extend(federation::identities_attribute(user).map(|identities| ("identities", identities)));
    all.into_iter()
        .filter(|(name, _)| only.is_none_or(|only| only.contains(name)))
        .map(|(name, value)| json!({ "Name": name, "Value": value }))
        .collect()
}

/// `UserType`, as in listings and AdminCreateUser.
pub(crate) fn user_type(user: &User, only: Option<&[&str]>) -> Value {
    let mut shown = json!({
        "Username": user.username,
        "Attributes": attribute_list(user, only),
        "UserCreateDate": seconds(user.created),
        "UserLastModifiedDate": seconds(user.modified),
        "Enabled": user.enabled,
        "UserStatus": user.status.name(),
    });
    if user.factors.sms {
        shown["MFAOptions"] = json!([{ "DeliveryMedium": "SMS", "AttributeName": "phone_number" }]);
    }
    shown
}

/// The answer of AdminGetUser.
pub(crate) fn full(user: &User) -> Map<String, Value> {
    let mut shown = Map::new();
    shown.insert("Username".into(), json!(user.username));
    shown.insert("UserAttributes".into(), Value::Array(attribute_list(user, None)));
    shown.insert("UserCreateDate".into(), seconds(user.created));
    shown.insert("UserLastModifiedDate".into(), seconds(user.modified));
    shown.insert("Enabled".into(), json!(user.enabled));
    shown.insert("UserStatus".into(), json!(user.status.name()));
    factors::describe(user, &mut shown);
    shown
}

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    request.activate(&pool, &sub);
    Ok(Value::Object(full(request.user(&pool, &sub))))
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool_id = request.named_pool()?;
    let given = request.required("Username")?;
    let action = request.text("MessageAction")?;
    if action == Some("RESEND") {
        return resend(request, &pool_id, given);
    }
    let writes = request.attributes("UserAttributes")?;
    let temporary = request.text("TemporaryPassword")?;
    let force = request.flag("ForceAliasCreation")?;
    let mediums = request
        .strings("DesiredDeliveryMediums")?
        .unwrap_or_else(|| vec!["SMS"]);
    let pool = request.pool(&pool_id);
    schema::check(pool, &writes, Writer::Administrator, true)?;
    let name = new_name(pool, given)?;
    if let Some(password) = temporary {
        passwords::check_policy(pool, password)?;
    }
    let mut attributes: BTreeMap<String, String> = writes
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    if let Some(attribute) = name.attribute {
        attributes
            .entry(attribute.to_owned())
            .or_insert_with(|| given.to_owned());
    }
    check_username_attributes(pool, &attributes)?;
    check_new_addresses(pool, &attributes)?;
    let until = passwords::temporary_until(pool, request.now);
    let is_passwordless = temporary.is_none() && is_passwordless(pool, &attributes);
    let status = if is_passwordless {
        Status::Confirmed
    } else {
        Status::ForceChangePassword
    };
    let mut user = new_user(request, name, attributes, status);
    claim_aliases(request, &pool_id, &user, force)?;
    let password = temporary.map_or_else(|| generated_password(request), str::to_owned);
    if !is_passwordless {
        user.password = Some(passwords::digest(&user.sub, &password));
        user.temporary_until = Some(until);
    }
    let (sub, now) = (user.sub.clone(), request.now);
    request.pool_mut(&pool_id).insert(user, now);
    request.effects.sub = Some(sub.clone());
    request.activate(&pool_id, &sub);
    if action != Some("SUPPRESS") {
        send_invitation(request, &pool_id, &sub, &mediums, &password);
    }
    Ok(json!({ "User": user_type(request.user(&pool_id, &sub), None) }))
}

/// A verified address needs the address. A preferred user name that is an alias has to wait: AWS documents that for users who
/// register; who was invited has not confirmed anything either.
fn check_new_addresses(pool: &Pool, attributes: &BTreeMap<String, String>) -> Answer<()> {
    for address in ["email", "phone_number"] {
        let verified = attributes.get(&format!("{address}_verified"));
        if verified.is_some_and(|value| value.eq_ignore_ascii_case("true")) && !attributes.contains_key(address) {
            return Err(invalid(format!(
                "{address} is required when {address}_verified is set to true."
            )));
        }
    }
    let is_alias = pool.alias_attributes.iter().any(|one| one == "preferred_username");
    if is_alias && attributes.contains_key("preferred_username") {
        return Err(preferred_name_too_early());
    }
    Ok(())
}

/// Claims every alias that the user's attributes make; nothing is taken when one is refused.
fn claim_aliases(request: &mut Request<'_>, pool: &str, user: &User, force: bool) -> Answer<()> {
    let aliases = request.pool(pool).alias_attributes.clone();
    // Without force nothing is moved, so that a refusal has moved nothing.
    for attribute in aliases.iter().filter(|attribute| user.is_verified(attribute)) {
        if let Some(value) = user.attribute(attribute) {
            claim_alias(request, pool, &user.sub, attribute, value, force)?;
        }
    }
    Ok(())
}

fn generated_password(request: &mut Request<'_>) -> String {
    // One of each class satisfies every policy but a long minimum length.
    format!("{}aA1!", request.state.random.text(28))
}

/// Sends to each desired medium whose address the user has; none is an error at AWS's console only.
fn send_invitation(request: &mut Request<'_>, pool: &str, sub: &str, mediums: &[&str], password: &str) {
    for (medium, attribute) in [("EMAIL", "email"), ("SMS", "phone_number")] {
        if mediums.contains(&medium) && request.user(pool, sub).attribute(attribute).is_some() {
            delivery::send(
                request,
                pool,
                sub,
                triggers::NO_CLIENT,
                "AdminCreateUser",
                attribute,
                password,
            );
        }
    }
}

fn resend(request: &mut Request<'_>, pool: &str, given: &str) -> Answer<Value> {
    let user = request.pool(pool).find(given).ok_or_else(user_not_found)?;
    let (sub, status) = (user.sub.clone(), user.status);
    request.effects.sub = Some(sub.clone());
    if status != Status::ForceChangePassword {
        let message = format!("Resend not possible. User status is {}", status.name());
        return Err(refuse("UnsupportedUserStateException", message));
    }
    let temporary = request.text("TemporaryPassword")?;
    let mediums = request
        .strings("DesiredDeliveryMediums")?
        .unwrap_or_else(|| vec!["SMS"]);
    if let Some(password) = temporary {
        passwords::check_policy(request.pool(pool), password)?;
    }
    let password = temporary.map_or_else(|| generated_password(request), str::to_owned);
    let until = passwords::temporary_until(request.pool(pool), request.now);
    request.edit(pool, &sub, |user| {
        user.password = Some(passwords::digest(&user.sub, &password));
        user.temporary_until = Some(until);
    });
    request.activate(pool, &sub);
    send_invitation(request, pool, &sub, &mediums, &password);
    Ok(json!({ "User": user_type(request.user(pool, &sub), None) }))
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let now = request.now;
    request.pool_mut(&pool).remove(&sub, now);
    Ok(json!({}))
}

pub(crate) fn disable(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    request.edit(&pool, &sub, |user| user.enabled = false);
    request.pool_mut(&pool).sign_ins.remove(&sub);
    Ok(json!({}))
}

pub(crate) fn enable(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    request.edit(&pool, &sub, |user| user.enabled = true);
    Ok(json!({}))
}

pub(crate) fn sign_out(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    request.pool_mut(&pool).sign_ins.remove(&sub);
    Ok(json!({}))
}

pub(crate) fn update_attributes(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let writes = request.attributes("UserAttributes")?;
    schema::check(request.pool(&pool), &writes, Writer::Administrator, false)?;
    write_attributes(request, &pool, &sub, triggers::NO_CLIENT, &writes)?;
    Ok(json!({}))
}

pub(crate) fn delete_attributes(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let names = request.strings("UserAttributeNames")?.unwrap_or_default();
    remove_attributes(request, &pool, &sub, &names)
}

/// Writes checked values: those that must be verified first wait for their code, changed addresses lose their verification
/// and get a code where the pool verifies automatically. The `CodeDeliveryDetailsList`.
pub(crate) fn write_attributes(
    request: &mut Request<'_>,
    pool_id: &str,
    sub: &str,
    client: &str,
    writes: &[(&str, &str)],
) -> Answer<Value> {
    let pool = request.pool(pool_id);
    let before = request.user(pool_id, sub);
    let declared_verified = |attribute: &str| {
        writes
            .iter()
            .any(|(name, value)| *name == format!("{attribute}_verified") && value.eq_ignore_ascii_case("true"))
    };
    for (name, value) in writes {
        let alias = pool.alias_attributes.iter().any(|one| one == name);
        let username = pool.username_attributes.iter().any(|one| one == name);
        let becomes_alias = alias && (*name == "preferred_username" || declared_verified(name));
        let taken = pool.alias_owner(name, value).is_some_and(|owner| owner != sub);
        if (becomes_alias || username) && taken {
            return Err(refuse(
                "AliasExistsException",
                format!("An account with the {name} already exists."),
            ));
        }
        if *name == "preferred_username" && alias && before.status == Status::Unconfirmed {
            return Err(preferred_name_too_early());
        }
    }
    // A flag alone can turn a stored address into an alias.
    for attribute in ["email", "phone_number"] {
        let kept = !writes.iter().any(|(name, _)| *name == attribute);
        let alias = pool.alias_attributes.iter().any(|one| one == attribute);
        let value = before.attribute(attribute).unwrap_or_default();
        if kept
            && alias
            && declared_verified(attribute)
            && pool.alias_owner(attribute, value).is_some_and(|owner| owner != sub)
        {
            return Err(refuse(
                "AliasExistsException",
                format!("An account with the {attribute} already exists."),
            ));
        }
    }
    let mut to_send: Vec<(&'static str, Purpose)> = Vec::new();
    let mut waiting: Vec<&'static str> = Vec::new();
    for (attribute, purpose) in [("email", Purpose::Email), ("phone_number", Purpose::Phone)] {
        let new = writes
            .iter()
            .find(|(name, _)| *name == attribute)
            .map(|(_, value)| *value);
        let changed = new.is_some_and(|value| !value.is_empty() && before.attribute(attribute) != Some(value));
        if changed && !declared_verified(attribute) && pool.lists("AutoVerifiedAttributes", "", attribute) {
            to_send.push((attribute, purpose));
            if pool.lists(
                "UserAttributeUpdateSettings",
                "/AttributesRequireVerificationBeforeUpdate",
                attribute,
            ) {
                waiting.push(attribute);
            }
        }
    }
    request.edit(pool_id, sub, |user| {
        for (name, value) in writes {
            if waiting.contains(name) {
                user.pending.insert((*name).to_owned(), (*value).to_owned());
                continue;
            }
            user.pending.remove(*name);
            let changed = user.attribute(name) != Some(*value);
            if value.is_empty() {
                user.attributes.remove(*name);
            } else {
                user.attributes.insert((*name).to_owned(), (*value).to_owned());
            }
            let flag = format!("{name}_verified");
            if changed && ["email", "phone_number"].contains(name) && !writes.iter().any(|(other, _)| *other == flag) {
                user.attributes.insert(flag, "false".to_owned());
            }
        }
    });
    request.activate(pool_id, sub);
    let mut sent = Vec::new();
    for (attribute, purpose) in to_send {
        sent.push(delivery::send_code(
            request,
            (pool_id, sub),
            client,
            "UpdateUserAttribute",
            purpose,
            attribute,
        ));
    }
    Ok(Value::Array(sent))
}

/// Removes attributes; an address takes its verification with it.
pub(crate) fn remove_attributes(request: &mut Request<'_>, pool: &str, sub: &str, names: &[&str]) -> Answer<Value> {
    check_removable(request.pool(pool), names)?;
    request.edit(pool, sub, |user| {
        for name in names {
            user.attributes.remove(*name);
            user.pending.remove(*name);
            if ["email", "phone_number"].contains(name) {
                user.attributes.remove(&format!("{name}_verified"));
            }
        }
    });
    request.activate(pool, sub);
    Ok(json!({}))
}

fn check_removable(pool: &Pool, names: &[&str]) -> Answer<()> {
    for name in names {
        let Some(attribute) = pool.schema.get(*name) else {
            return Err(invalid(format!(
                "Attributes did not conform to the schema: Type for attribute {{{name}}} could not be determined\n"
            )));
        };
        if attribute.required || !attribute.mutable || *name == "sub" || *name == "identities" {
            return Err(invalid(format!("user.{name}: Attribute cannot be deleted.\n")));
        }
    }
    Ok(())
}
