//! Codes and the messages that carry them.
//!
//! Invariant: CustomMessage fires exactly when a message is sent; an answer shows a masked destination only.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Message;
use super::errors::{Answer, code_expired, code_mismatch, invalid};
use super::request::Request;
use super::state::{Code, Pool, Purpose, User};
use super::triggers;

const HOUR: i64 = 3_600_000;

/// Where a code for an attribute goes.
pub(crate) fn medium(attribute: &str) -> &'static str {
    if attribute == "phone_number" { "SMS" } else { "EMAIL" }
}

/// Sends `secret` (a code or temporary password) to the address in `attribute`; `source` names the CustomMessage source.
pub(crate) fn send(
    request: &mut Request<'_>,
    pool: &str,
    sub: &str,
    client: &str,
    source: &str,
    attribute: &str,
    secret: &str,
) {
    request.effects.messages.push(Message {
        medium: medium(attribute).to_owned(),
        sub: sub.to_owned(),
        pool: pool.to_owned(),
        code: secret.to_owned(),
        reason: source.to_owned(),
    });
    triggers::custom_message(request, pool, sub, client, source);
}

/// Makes a code, remembers it, sends it, and returns the `CodeDeliveryDetails`. `to` is the receiving value when it is not
/// the stored one.
pub(crate) fn send_code(
    request: &mut Request<'_>,
    (pool, sub): (&str, &str),
    client: &str,
    source: &str,
    purpose: Purpose,
    attribute: &'static str,
) -> Value {
    let value = request.state.random.code();
    let life = if purpose == Purpose::ForgotPassword {
        HOUR
    } else {
        24 * HOUR
    };
    let code = Code {
        value: value.clone(),
        until: request.now + life,
        attribute,
    };
    request.pool_mut(pool).codes.insert((sub.to_owned(), purpose), code);
    let user = request.user(pool, sub);
    let to = user
        .pending
        .get(attribute)
        .or_else(|| user.attributes.get(attribute))
        .cloned()
        .unwrap_or_default();
    send(request, pool, sub, client, source, attribute, &value);
    details(attribute, &to)
}

pub(crate) fn details(attribute: &str, destination: &str) -> Value {
    json!({ "Destination": mask(destination), "DeliveryMedium": medium(attribute), "AttributeName": attribute })
}

fn mask(destination: &str) -> String {
    let first = |text: &str| text.chars().next().map(String::from).unwrap_or_default();
    match destination.split_once('@') {
        Some((local, domain)) => format!("{}***@{}***", first(local), first(domain)),
        None => {
            let tail: Vec<char> = destination.chars().rev().take(4).collect();
            format!("+*******{}", tail.iter().rev().collect::<String>())
        }
    }
}

/// Takes a code if it is right and in time; the attribute that it proves.
pub(crate) fn redeem(
    request: &mut Request<'_>,
    pool: &str,
    sub: &str,
    purpose: Purpose,
    given: &str,
) -> Answer<&'static str> {
    let now = request.now;
    let key = (sub.to_owned(), purpose);
    let codes = &mut request.pool_mut(pool).codes;
    let code = codes.get(&key).ok_or_else(code_expired)?;
    if code.until <= now {
        return Err(code_expired());
    }
    if code.value != given {
        return Err(code_mismatch());
    }
    let attribute = code.attribute;
    codes.remove(&key);
    Ok(attribute)
}

/// The address that a new user has to prove: the phone first where both are verified automatically.
pub(crate) fn to_verify(pool: &Pool, attributes: &BTreeMap<String, String>) -> Option<&'static str> {
    ["phone_number", "email"].into_iter().find(|attribute| {
        let verified = attributes.get(&format!("{attribute}_verified"));
        pool.lists("AutoVerifiedAttributes", "", attribute)
            && attributes.contains_key(*attribute)
            && verified.is_none_or(|value| !value.eq_ignore_ascii_case("true"))
    })
}

/// Whether mails at sign-up hold a link instead of a code.
pub(crate) fn sends_links(pool: &Pool) -> bool {
    pool.setting("VerificationMessageTemplate", "/DefaultEmailOption") == Some(&json!("CONFIRM_WITH_LINK"))
}

/// The verified address that a password recovery goes to, by the pool's `AccountRecoverySetting`. One that receives the user's
/// second factor cannot restore the first as well.
pub(crate) fn for_recovery(pool: &Pool, user: &User) -> Answer<&'static str> {
    let has_mfa = pool.setting("MfaConfiguration", "") != Some(&json!("OFF"));
    let can = |address: &str, is_factor: bool| {
        user.is_verified(address) && user.attribute(address).is_some() && !(has_mfa && is_factor)
    };
    let mut mechanisms: Vec<(i64, &str)> = pool
        .setting("AccountRecoverySetting", "/RecoveryMechanisms")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|entry| Some((entry.get("Priority")?.as_i64()?, entry.get("Name")?.as_str()?)))
        .collect();
    mechanisms.sort_unstable();
    for (_, name) in mechanisms {
        match name {
            "admin_only" => {
                return Err(super::errors::not_authorized(
                    "Contact administrator to reset password.",
                ));
            }
            "verified_email" if can("email", user.factors.email) => return Ok("email"),
            "verified_phone_number" if can("phone_number", user.factors.sms) => return Ok("phone_number"),
            _ => {}
        }
    }
    Err(invalid(
        "Cannot reset password for the user as there is no registered/verified email or phone_number",
    ))
}
