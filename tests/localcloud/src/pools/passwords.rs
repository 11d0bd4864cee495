//! Passwords: the policy, setting, changing, forgetting and recovering.
//!
//! Invariant: a password is kept as a digest only and never appears in an answer, a record or an error.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::delivery;
use super::errors::{Answer, code_expired, not_authorized, refuse, user_not_found, wrong_password};
use super::request::Request;
use super::state::{Pool, Purpose, Status, User};
use super::{clients, triggers};

const DAY: i64 = 86_400_000;

pub(crate) fn digest(sub: &str, password: &str) -> String {
    let hash = Sha256::digest(format!("{sub}\n{password}").as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn is_right(user: &User, password: &str) -> bool {
    user.password.as_deref() == Some(digest(&user.sub, password).as_str())
}

pub(crate) fn check_policy(pool: &Pool, password: &str) -> Answer<()> {
    let policy = |member: &str| pool.setting("Policies", &format!("/PasswordPolicy/{member}"));
    let demands = |member: &str| policy(member).and_then(Value::as_bool).unwrap_or(false);
    let bad = |why: &str| {
        Err(refuse(
            "InvalidPasswordException",
            format!("Password did not conform with policy: {why}"),
        ))
    };
    let length = u64::try_from(password.chars().count()).unwrap_or(u64::MAX);
    if length < policy("MinimumLength").and_then(Value::as_u64).unwrap_or(8) || length > 256 {
        return bad("Password not long enough");
    }
    if demands("RequireUppercase") && !password.contains(|c: char| c.is_ascii_uppercase()) {
        return bad("Password must have uppercase characters");
    }
    if demands("RequireLowercase") && !password.contains(|c: char| c.is_ascii_lowercase()) {
        return bad("Password must have lowercase characters");
    }
    if demands("RequireNumbers") && !password.contains(|c: char| c.is_ascii_digit()) {
        return bad("Password must have numeric characters");
    }
    let symbols = "^$*.[]{}()?\"!@#%&/\\,><':;|_~`=+- ";
    if demands("RequireSymbols") && !password.contains(|c: char| symbols.contains(c)) {
        return bad("Password must have symbol characters");
    }
    Ok(())
}

/// When a temporary password set now stops working.
pub(crate) fn temporary_until(pool: &Pool, now: i64) -> i64 {
    let days = pool
        .setting("Policies", "/PasswordPolicy/TemporaryPasswordValidityDays")
        .and_then(Value::as_i64)
        .unwrap_or(7);
    now + days * DAY
}

pub(crate) fn admin_set(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let password = request.required("Password")?;
    let permanent = request.flag("Permanent")?;
    check_policy(request.pool(&pool), password)?;
    let until = temporary_until(request.pool(&pool), request.now);
    request.edit(&pool, &sub, |user| {
        user.password = Some(digest(&user.sub, password));
        user.status = if permanent {
            Status::Confirmed
        } else {
            Status::ForceChangePassword
        };
        user.temporary_until = (!permanent).then_some(until);
    });
    request.activate(&pool, &sub);
    Ok(json!({}))
}

pub(crate) fn admin_reset(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let attribute = recoverable(request, &pool, &sub)?;
    request.edit(&pool, &sub, |user| user.status = Status::ResetRequired);
    request.pool_mut(&pool).sign_ins.remove(&sub);
    delivery::send_code(
        request,
        (&pool, &sub),
        triggers::NO_CLIENT,
        "ForgotPassword",
        Purpose::ForgotPassword,
        attribute,
    );
    Ok(json!({}))
}

/// Where a recovery code of this user goes, or why there can be none.
fn recoverable(request: &Request<'_>, pool: &str, sub: &str) -> Answer<&'static str> {
    let user = request.user(pool, sub);
    if !user.enabled {
        return Err(not_authorized("User is disabled."));
    }
    if matches!(user.status, Status::ForceChangePassword | Status::ExternalProvider) {
        return Err(not_authorized("User password cannot be reset in the current state."));
    }
    delivery::for_recovery(request.pool(pool), user)
}

pub(crate) fn forgot(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("Username")?;
    let (pool, client) = request.proven_client(name)?;
    let sub = match request.named_user(&pool) {
        Ok(sub) => sub,
        // With PreventUserExistenceErrors the answer looks as if a mail had gone out.
        Err(_) if clients::hides_users(&client) => {
            return Ok(json!({ "CodeDeliveryDetails": delivery::details("email", name) }));
        }
        Err(error) => return Err(error),
    };
    let attribute = recoverable(request, &pool, &sub)?;
    let sent = delivery::send_code(
        request,
        (&pool, &sub),
        &client.id,
        "ForgotPassword",
        Purpose::ForgotPassword,
        attribute,
    );
    Ok(json!({ "CodeDeliveryDetails": sent }))
}

pub(crate) fn confirm_forgot(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("Username")?;
    let (pool, client) = request.proven_client(name)?;
    let hidden = clients::hides_users(&client);
    let sub = request
        .named_user(&pool)
        .map_err(|_| if hidden { code_expired() } else { user_not_found() })?;
    let code = request.required("ConfirmationCode")?;
    let password = request.required("Password")?;
    check_policy(request.pool(&pool), password)?;
    if !request.user(&pool, &sub).enabled {
        return Err(not_authorized("User is disabled."));
    }
    let attribute = delivery::redeem(request, &pool, &sub, Purpose::ForgotPassword, code)?;
    request.edit(&pool, &sub, |user| {
        user.password = Some(digest(&user.sub, password));
        user.status = Status::Confirmed;
        user.temporary_until = None;
        user.attributes
            .insert(format!("{attribute}_verified"), "true".to_owned());
    });
    request.activate(&pool, &sub);
    triggers::post_confirmation(request, &pool, &sub, &client.id, "ConfirmForgotPassword");
    Ok(json!({}))
}

pub(crate) fn change(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let previous = request.required("PreviousPassword")?;
    let proposed = request.required("ProposedPassword")?;
    if !is_right(request.user(&bearer.pool, &bearer.sub), previous) {
        return Err(wrong_password());
    }
    check_policy(request.pool(&bearer.pool), proposed)?;
    request.edit(&bearer.pool, &bearer.sub, |user| {
        user.password = Some(digest(&user.sub, proposed));
    });
    request.activate(&bearer.pool, &bearer.sub);
    Ok(json!({}))
}
