//! Who sends mail and the codes of MFA, and what becomes of the factors whose sender the mapping leaves out.
//!
//! Source: API reference, `SetUserPoolMfaConfig`: a text message needs an `SmsConfiguration`, an e-mail message a pool that
//! sends with SES (`EmailSendingAccount` is `DEVELOPER`), and MFA that is not off a factor.
//!
//! Invariant: a factor without a sender is left out before anything is made, and a pool whose MFA has no other is refused.

use serde_json::{Map, Value, json};

use super::{Phase, build::Build, form};
use crate::{marks::Part, snapshot::POOL_LEVEL};

const OPERATION: &str = "SetUserPoolMfaConfig";
const MFA: &str = "MfaConfiguration";
const SMS: &str = "SmsMfaConfiguration";
const EMAIL: &str = "EmailMfaConfiguration";
const TOTP: &str = "SoftwareTokenMfaConfiguration";

impl Build<'_> {
    /// Cognito's own sender takes the place of an SES identity that the mapping leaves out.
    pub(super) fn sender(&mut self, settings: &mut Map<String, Value>) {
        let Some(Value::Object(mail)) = settings.get_mut("EmailConfiguration") else {
            return;
        };
        let is_own = mail.get("EmailSendingAccount") == Some(&json!("DEVELOPER"));
        if is_own && !mail.contains_key("SourceArn") {
            mail.retain(|name, _| name == "ReplyToEmailAddress");
            mail.insert("EmailSendingAccount".into(), json!("COGNITO_DEFAULT"));
            let what =
                "the mapping leaves out the SES identity: Cognito's own sender takes its place, with 50 messages a day";
            self.task("pool/pool/EmailConfiguration", what);
        } else if mail.contains_key("ConfigurationSet") {
            let what = "SES needs the configuration set of this name in the target Region";
            self.task("pool/pool/EmailConfiguration/ConfigurationSet", what);
        }
    }

    pub(super) fn mfa(&mut self) {
        let Some(shown) = self.member(Part::Mfa, POOL_LEVEL) else {
            return self.gap("mfa/pool", "the backup does not hold it: set the factors of MFA");
        };
        let input = self.rewritten("mfa/pool", form(OPERATION, shown));
        let mut input = form(OPERATION, &input);
        let role = format!("mfa/pool/{SMS}/SmsConfiguration/SnsCallerArn");
        let mut left_out = Vec::new();
        for (factor, sender) in [(SMS, role.as_str()), (EMAIL, "pool/pool/EmailConfiguration/SourceArn")] {
            if let Some(arn) = self.left_out_at(sender)
                && input.as_object_mut().and_then(|input| input.remove(factor)).is_some()
            {
                let what = format!(
                    "the mapping leaves out {arn}, which sends its codes: set the factor when there is another"
                );
                self.gap(format!("mfa/pool/{factor}"), what);
                left_out.push(arn);
            }
        }
        if !left_out.is_empty() && is_on(&input) && !has_factor(&input) {
            let lines: Vec<String> = left_out.iter().map(|arn| format!("\"{arn}\": null")).collect();
            self.refuse(format!(
                "mfa/pool/{MFA} is {}, and no factor is left without {}: name the counterpart instead of null in \"arns\" of the \
                 mapping file",
                input[MFA].as_str().unwrap_or_default(),
                lines.join(" and ")
            ));
        }
        self.push(Phase::Mfa, OPERATION, POOL_LEVEL, None, input);
    }
}

fn is_on(input: &Value) -> bool {
    input[MFA] != "OFF"
}

fn has_factor(input: &Value) -> bool {
    input[TOTP]["Enabled"] == true || [SMS, EMAIL].iter().any(|factor| !input[*factor].is_null())
}
