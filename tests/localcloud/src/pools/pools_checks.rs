//! What AWS refuses in the settings of a pool.
//!
//! Invariant: a refusal names the setting, never a secret in it.

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_in_tier, unsupported};
use super::triggers;

/// The settings of a pool in `region`, with the defaults of those that were left out, before members are filled in.
pub(crate) fn check(settings: &Map<String, Value>, region: &str, has_totp: bool) -> Answer<()> {
    let checked = Checked { settings, region };
    checked.choices()?;
    checked.functions()?;
    checked.policies()?;
    checked.verification()?;
    checked.second_factor(has_totp)
}

struct Checked<'a> {
    settings: &'a Map<String, Value>,
    region: &'a str,
}

impl<'a> Checked<'a> {
    /// A setting, or a member of it by its JSON pointer.
    fn at(&self, member: &str, pointer: &str) -> Option<&'a Value> {
        self.settings.get(member)?.pointer(pointer)
    }

    fn texts(&self, member: &str, pointer: &str) -> Vec<&'a str> {
        let list = self.at(member, pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(Value::as_str).collect()
    }

    fn choices(&self) -> Answer<()> {
        for (member, allowed) in [
            ("DeletionProtection", &["ACTIVE", "INACTIVE"][..]),
            ("MfaConfiguration", &["OFF", "ON", "OPTIONAL"]),
            ("UserPoolTier", &["LITE", "ESSENTIALS", "PLUS"]),
        ] {
            let given = self.at(member, "").and_then(Value::as_str);
            if !given.is_some_and(|value| allowed.contains(&value)) {
                return Err(invalid(format!("{member} must be one of {}", allowed.join(", "))));
            }
        }
        Ok(())
    }

    fn functions(&self) -> Answer<()> {
        let config = self.at("LambdaConfig", "").and_then(Value::as_object);
        for (slot, value) in config.into_iter().flatten().filter(|(_, value)| !value.is_null()) {
            let arn = if triggers::VERSIONED_SLOTS.contains(&slot.as_str()) {
                if value["LambdaVersion"].as_str().is_none_or(str::is_empty) {
                    return Err(invalid(format!("LambdaConfig {slot} needs a LambdaVersion")));
                }
                &value["LambdaArn"]
            } else if triggers::PLAIN_SLOTS.contains(&slot.as_str()) || slot == "KMSKeyID" {
                value
            } else {
                return Err(unsupported(format!("the trigger {slot} in LambdaConfig")));
            };
            // Functions and keys are called in the pool's own Region.
            let place = arn.as_str().filter(|arn| arn.starts_with("arn:"));
            if place.and_then(|arn| arn.split(':').nth(3)) != Some(self.region) {
                return Err(invalid(format!(
                    "LambdaConfig {slot} is not an ARN in the Region of the user pool, {}",
                    self.region
                )));
            }
        }
        let of = |pointer: &str| self.at("LambdaConfig", pointer);
        let (plain, versioned) = (of("/PreTokenGeneration"), of("/PreTokenGenerationConfig/LambdaArn"));
        if plain.is_some() && versioned.is_some() && plain != versioned {
            return Err(invalid(
                "LambdaConfig PreTokenGeneration and PreTokenGenerationConfig must name the same function",
            ));
        }
        if (of("/CustomSMSSender").is_some() || of("/CustomEmailSender").is_some()) && of("/KMSKeyID").is_none() {
            return Err(invalid("LambdaConfig needs a KMSKeyID for a custom sender"));
        }
        Ok(())
    }

    fn policies(&self) -> Answer<()> {
        if self.at("AdminCreateUserConfig", "/UnusedAccountValidityDays").is_some() {
            return Err(invalid(
                "Please use TemporaryPasswordValidityDays in PasswordPolicy instead of UnusedAccountValidityDays",
            ));
        }
        let length = self
            .at("Policies", "/PasswordPolicy/MinimumLength")
            .and_then(Value::as_i64);
        if length.is_some_and(|length| !(6..=99).contains(&length)) {
            return Err(invalid("MinimumLength must be from 6 to 99."));
        }
        let factors = self.texts("Policies", "/SignInPolicy/AllowedFirstAuthFactors");
        let known = ["PASSWORD", "EMAIL_OTP", "SMS_OTP", "WEB_AUTHN"];
        if let Some(other) = factors.iter().find(|factor| !known.contains(factor)) {
            return Err(invalid(format!("AllowedFirstAuthFactors cannot contain {other}")));
        }
        if factors.iter().any(|factor| *factor != "PASSWORD") && self.at("UserPoolTier", "") == Some(&json!("LITE")) {
            return Err(not_in_tier(
                "Sign-in without a password is not available in the feature plan of this user pool.",
            ));
        }
        Ok(())
    }

    fn verification(&self) -> Answer<()> {
        let automatic = self.texts("AutoVerifiedAttributes", "");
        let before_update = self.texts(
            "UserAttributeUpdateSettings",
            "/AttributesRequireVerificationBeforeUpdate",
        );
        if before_update.iter().any(|attribute| !automatic.contains(attribute)) {
            return Err(invalid(
                "All attributes in AttributesRequireVerificationBeforeUpdate must exist in AutoVerifiedAttributes",
            ));
        }
        Ok(())
    }

    fn second_factor(&self, has_totp: bool) -> Answer<()> {
        let is_off = self.at("MfaConfiguration", "") == Some(&json!("OFF"));
        if !is_off && !self.settings.contains_key("SmsConfiguration") && !has_totp {
            return Err(invalid(
                "SMS configuration and Auto verification for phone_number are required when MFA is required/optional",
            ));
        }
        Ok(())
    }
}
