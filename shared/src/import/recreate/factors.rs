//! What of a user's MFA settings comes back, and whether they can reset their password.
//!
//! `AdminSetUserMFAPreference` takes messages to an address that the user has; an authenticator app or a passkey has to be
//! registered first, by the user, and its secret is shown to nobody.
//!
//! Invariant: every factor of the backup is preferred again or a loss.

use std::collections::{BTreeMap, BTreeSet};

use super::{Loss, Preference};
use crate::{import::shape::Shape, personal::Personal, user::UserRecord};

/// Text messages, by the name that Cognito shows.
pub(crate) const SMS: &str = "SMS_MFA";
/// E-mail messages.
pub(crate) const EMAIL: &str = "EMAIL_OTP";
/// Authenticator apps.
const TOTP: &str = "SOFTWARE_TOKEN_MFA";
/// Passkeys.
const PASSKEY: &str = "WEB_AUTHN";

/// The preference of a user who is given these attributes; `None` when there is nothing to set.
pub(super) fn prefer(
    record: &UserRecord,
    attributes: &BTreeMap<String, Personal>,
    target: &Shape,
    losses: &mut BTreeSet<Loss>,
) -> Option<Preference> {
    let factors = &record.factors.as_ref()?.data;
    let mut preference = Preference::default();
    for name in factors.enabled.iter().chain(&factors.preferred) {
        match name.as_str() {
            SMS if target.mfa.sms && attributes.contains_key("phone_number") => preference.sms = true,
            EMAIL if target.mfa.email && attributes.contains_key("email") => preference.email = true,
            TOTP => {
                losses.insert(Loss::Totp);
            }
            PASSKEY => {
                losses.insert(Loss::Passkey);
            }
            _ => {
                losses.insert(Loss::FactorNotTaken);
            }
        }
    }
    let comes_back = |name: &&String| (*name == SMS && preference.sms) || (*name == EMAIL && preference.email);
    preference.preferred = factors.preferred.as_ref().filter(comes_back).cloned();
    (preference.sms || preference.email).then_some(preference)
}

/// Whether `ForgotPassword` finds a way to send a code: a verified address that the target resets by, and that is not the
/// user's second factor, because one channel cannot be both (developer guide, "Recovering user accounts").
pub(super) fn can_reset(
    attributes: &BTreeMap<String, Personal>,
    preference: Option<&Preference>,
    target: &Shape,
) -> bool {
    let is_factor = |address: &str| {
        preference.is_some_and(|preference| match address {
            "email" => preference.email,
            _ => preference.sms,
        })
    };
    target.recovery.iter().any(|address| {
        let flag = attributes.get(&format!("{address}_verified"));
        flag.is_some_and(|flag| flag.expose() == "true") && attributes.contains_key(address) && !is_factor(address)
    })
}
