//! The MFA configuration of a pool.
//!
//! Invariant: what UpdateUserPool knows as well (`MfaConfiguration`, the SMS settings) is kept once, in the pool's settings.

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_in_tier};
use super::request::Request;
use super::state::Pool;

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    Ok(describe(request.pool(&id)))
}

/// The SMS part is shown as the pool's settings have it now, whoever set it.
fn describe(pool: &Pool) -> Value {
    let setting = |member: &str, shown: &str| Some((shown.to_owned(), pool.settings.get(member)?.clone()));
    let mut shown = pool.mfa.clone();
    shown.extend(setting("MfaConfiguration", "MfaConfiguration"));
    if pool.sms_mfa {
        let sms = ["SmsAuthenticationMessage", "SmsConfiguration"].map(|member| setting(member, member));
        let sms: Map<String, Value> = sms.into_iter().flatten().collect();
        shown.insert("SmsMfaConfiguration".into(), Value::Object(sms));
    }
    Value::Object(shown)
}

pub(crate) fn set(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let wanted = request
        .one_of("MfaConfiguration", &["OFF", "ON", "OPTIONAL"])?
        .unwrap_or("OFF");
    let mfa = request.given(&[
        "SoftwareTokenMfaConfiguration",
        "EmailMfaConfiguration",
        "WebAuthnConfiguration",
    ]);
    let sms = request.map("SmsMfaConfiguration")?;
    let has_totp = mfa
        .get("SoftwareTokenMfaConfiguration")
        .is_some_and(|value| value.get("Enabled") == Some(&json!(true)));
    let has_email = mfa.contains_key("EmailMfaConfiguration");
    if wanted != "OFF" && !has_totp && !has_email && sms.is_none() {
        return Err(invalid(
            "Invalid MFA configuration given, can't turn on MFA without configuring an MFA type.",
        ));
    }
    let pool = request.pool(&id);
    if has_email && pool.settings.get("UserPoolTier") == Some(&json!("LITE")) {
        return Err(not_in_tier(
            "Email MFA is not available in the feature plan of this user pool.",
        ));
    }
    let has_sms = sms.is_some_and(|sms| sms.contains_key("SmsConfiguration"));
    if sms.is_some() && !has_sms && !pool.settings.contains_key("SmsConfiguration") {
        return Err(invalid("SmsMfaConfiguration needs an SmsConfiguration."));
    }
    let now = request.now;
    let pool = request.pool_mut(&id);
    pool.settings.insert("MfaConfiguration".into(), json!(wanted));
    for (member, value) in sms.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
        pool.settings.insert(member.clone(), value.clone());
    }
    pool.mfa = mfa;
    pool.sms_mfa = sms.is_some();
    pool.modified = now;
    Ok(describe(pool))
}
