//! Lambda triggers, and whether users may sign up: what is set before the users are made, and what after.
//!
//! Source: developer guide, "Customizing user pool workflows with Lambda triggers": `AdminCreateUser` without a message runs
//! the pre sign-up trigger only; the migration trigger makes users.
//!
//! Invariant: nobody but the import makes users before it has made its own.

use serde_json::{Map, Value, json};

use super::{Phase, UPDATE_POOL, build::Build, pool};
use crate::snapshot::Json;

impl Build<'_> {
    /// The triggers, which [`Self::pool`] left in `wanted`, and sign-up.
    pub(super) fn triggers(&mut self, wanted: Json) -> Json {
        let Value::Object(mut settings) = wanted.expose().clone() else {
            return wanted;
        };
        let mut last = Map::new();
        if self.has_sign_up {
            last.insert("AdminCreateUserConfig".into(), json!({pool::ADMIN_ONLY: false}));
        }
        if let Some(triggers) = settings.remove("LambdaConfig")
            && let Value::Object(triggers) = self.rewritten("pool/pool/LambdaConfig", triggers)
            && !triggers.is_empty()
        {
            let what =
                "allow Cognito to invoke each function (lambda add-permission, with the new pool's ARN as source)";
            self.task("pool/pool/LambdaConfig", what);
            let (early, late) = pool::split(triggers);
            if !early.is_empty() {
                let input = json!({"LambdaConfig": early});
                self.push(Phase::Triggers, UPDATE_POOL, "Lambda triggers", None, input);
            }
            if !late.is_empty() {
                last.insert("LambdaConfig".into(), Value::Object(late));
            }
        }
        if !last.is_empty() {
            self.push(Phase::SignUp, UPDATE_POOL, "sign-up", None, Value::Object(last));
        }
        Json::new(Value::Object(settings))
    }
}
