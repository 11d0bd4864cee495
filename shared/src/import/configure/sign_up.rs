//! Lambda triggers, whether users may sign up, and outside providers: what is set before the users are made, and what after.
//!
//! Sources: developer guide, "Customizing user pool workflows with Lambda triggers": `AdminCreateUser` without a message runs
//! the pre sign-up trigger only; the migration trigger makes users. API reference, `AdminCreateUserConfigType`: it is about
//! `SignUp`, and whoever comes by an outside provider is made all the same; `AdminLinkProviderForUser`: an identity that has
//! come by itself cannot be linked any more.
//!
//! Invariant: nobody but the import makes users before it has made its own.

use serde_json::{Map, Value, json};

use super::{CREATE_CLIENT, Phase, Step, UPDATE_CLIENT, UPDATE_POOL, build::Build, pool};
use crate::snapshot::Json;

/// The member of an app client that names its providers.
const PROVIDERS: &str = "SupportedIdentityProviders";
/// The pool's own users among the providers of an app client.
const OWN_USERS: &str = "COGNITO";

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

    /// Makes app clients without their outside providers, which get steps of their own. A provider lets in whoever it knows,
    /// also one who is disabled in the backup, and what it brings before it is linked can never be linked.
    pub(super) fn outside_sign_in(&mut self) {
        let mut opened = Vec::new();
        for step in self.steps.iter_mut().filter(|step| step.operation == CREATE_CLIENT) {
            let mut input = step.input.expose().clone();
            let Some(providers) = take_outside(&mut input) else {
                continue;
            };
            step.input = Json::new(input);
            opened.push(Step {
                phase: Phase::OutsideSignIn,
                operation: UPDATE_CLIENT,
                input: Json::new(json!({PROVIDERS: providers})),
                ..step.clone()
            });
        }
        self.steps.extend(opened);
    }
}

/// Takes the outside providers from a client. All of its providers, when there was one.
fn take_outside(client: &mut Value) -> Option<Value> {
    let members = client.as_object_mut()?;
    let providers = members.get(PROVIDERS)?.clone();
    let all = providers.as_array()?;
    if all.iter().all(|name| name == OWN_USERS) {
        return None;
    }
    // An empty list is not the same as none to every operation: the member goes with its last entry.
    if all.iter().any(|name| name == OWN_USERS) {
        members.insert(PROVIDERS.to_owned(), json!([OWN_USERS]));
    } else {
        members.remove(PROVIDERS);
    }
    Some(providers)
}
