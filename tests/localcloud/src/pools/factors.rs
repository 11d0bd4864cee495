//! Second factors of a user: preferences and the registration of an authenticator app.
//!
//! Invariant: a factor is enabled only when the user can use it; a TOTP secret appears in one answer and nowhere else.

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, refuse};
use super::request::{Bearer, Request};
use super::state::User;
use super::totp;

/// Adds `UserMFASettingList`, `PreferredMfaSetting` and the legacy `MFAOptions`.
pub(crate) fn describe(user: &User, shown: &mut Map<String, Value>) {
    let factors = &user.factors;
    let mut list = Vec::new();
    list.extend(factors.sms.then_some("SMS_MFA"));
    list.extend(factors.email.then_some("EMAIL_OTP"));
    list.extend(factors.totp.then_some("SOFTWARE_TOKEN_MFA"));
    if !list.is_empty() {
        shown.insert("UserMFASettingList".into(), json!(list));
    }
    if let Some(preferred) = factors.preferred {
        shown.insert("PreferredMfaSetting".into(), json!(preferred));
    }
    if factors.sms {
        shown.insert(
            "MFAOptions".into(),
            json!([{ "DeliveryMedium": "SMS", "AttributeName": "phone_number" }]),
        );
    }
}

pub(crate) fn admin_set_preference(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    set_preference(request, &pool, &sub)
}

pub(crate) fn set_own_preference(request: &mut Request<'_>) -> Answer<Value> {
    let Bearer { pool, sub, .. } = request.bearer()?;
    set_preference(request, &pool, &sub)
}

fn set_preference(request: &mut Request<'_>, pool: &str, sub: &str) -> Answer<Value> {
    const SETTINGS: [(&str, &str); 3] = [
        ("SMSMfaSettings", "SMS_MFA"),
        ("EmailMfaSettings", "EMAIL_OTP"),
        ("SoftwareTokenMfaSettings", "SOFTWARE_TOKEN_MFA"),
    ];
    let user = request.user(pool, sub);
    let mut wishes = Vec::new();
    for (member, factor) in SETTINGS {
        let Some(settings) = request.map(member)? else {
            continue;
        };
        let wish = |key: &str| settings.get(key).and_then(Value::as_bool);
        let already = match factor {
            "SMS_MFA" => user.factors.sms,
            "EMAIL_OTP" => user.factors.email,
            _ => user.factors.totp,
        };
        let enabled = wish("Enabled").unwrap_or(already);
        let preferred = wish("PreferredMfa").unwrap_or(false);
        if enabled {
            match factor {
                "SMS_MFA" if user.attribute("phone_number").is_none() => {
                    return Err(invalid("User does not have delivery config set to turn on SMS_MFA"));
                }
                "EMAIL_OTP" if user.attribute("email").is_none() => {
                    return Err(invalid("User does not have delivery config set to turn on EMAIL_OTP"));
                }
                "SOFTWARE_TOKEN_MFA" if !user.factors.totp_verified => {
                    return Err(invalid("User has not verified software token mfa"));
                }
                _ => {}
            }
        } else if preferred {
            return Err(invalid(format!("{factor} cannot be preferred when it is not enabled")));
        }
        wishes.push((factor, enabled, preferred));
    }
    if wishes.iter().filter(|(_, _, preferred)| *preferred).count() > 1 {
        return Err(invalid("Only one factor can be preferred"));
    }
    request.edit(pool, sub, |user| {
        for (factor, enabled, preferred) in wishes {
            match factor {
                "SMS_MFA" => user.factors.sms = enabled,
                "EMAIL_OTP" => user.factors.email = enabled,
                _ => user.factors.totp = enabled,
            }
            if preferred {
                user.factors.preferred = Some(factor);
            } else if user.factors.preferred == Some(factor) {
                user.factors.preferred = None;
            }
        }
    });
    Ok(json!({}))
}

/// As if the authenticator app had never been registered.
pub(crate) fn admin_delete_token(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    request.edit(&pool, &sub, |user| forget_token(user, None));
    Ok(json!({}))
}

/// `next` waits to be verified in the place of the secret so far.
fn forget_token(user: &mut User, next: Option<String>) {
    user.factors.totp_secret = next;
    user.factors.totp_verified = false;
    user.factors.totp = false;
    if user.factors.preferred == Some("SOFTWARE_TOKEN_MFA") {
        user.factors.preferred = None;
    }
}

pub(crate) fn associate_token(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let secret = totp::encode_secret(&request.state.random.bytes(32));
    let answer = json!({ "SecretCode": secret });
    request.edit(&bearer.pool, &bearer.sub, |user| forget_token(user, Some(secret)));
    Ok(answer)
}

pub(crate) fn verify_token(request: &mut Request<'_>) -> Answer<Value> {
    let bearer = request.bearer()?;
    let code = request.required("UserCode")?;
    let user = request.user(&bearer.pool, &bearer.sub);
    let Some(secret) = &user.factors.totp_secret else {
        return Err(refuse(
            "SoftwareTokenMFANotFoundException",
            "Software token MFA has not been set up for this user.",
        ));
    };
    if !totp::accepts(secret, code, request.now) {
        return Err(refuse("EnableSoftwareTokenMFAException", "Code mismatch"));
    }
    request.edit(&bearer.pool, &bearer.sub, |user| user.factors.totp_verified = true);
    Ok(json!({ "Status": "SUCCESS" }))
}
