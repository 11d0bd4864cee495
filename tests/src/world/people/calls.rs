//! One call of the API by somebody, with everything that comes of it.
//!
//! Invariant: every call that changed a user is noted in the pool's past before time passes.

use serde_json::{Value, json};
use twinpool_localcloud::pools::Outcome;
use twinpool_shared::personal::Sub;

use super::{People, Person};

/// The password of everybody who has one.
pub(super) const PASSWORD: &str = "Correct-Horse-1";

/// Whether anybody hears of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Yes,
    /// As an import job: no event names its users.
    No,
}

impl People {
    /// Calls `operation` about `place`, or about nobody; the answer, when the pool carried it out.
    pub(super) fn call(&mut self, operation: &str, input: Value, place: Option<usize>) -> Option<Value> {
        let sub = place.map(|place| self.persons[place].sub.clone());
        let outcome = self.pool.operate(operation, input, sub.as_ref());
        let name = place.map_or("", |place| self.persons[place].name.as_str());
        self.journal
            .note("pool", format!("{operation} {name}{}", refusal(&outcome)));
        self.ears.hear(&outcome);
        if let (Some(place), Some(message)) = (place, outcome.messages.last()) {
            self.persons[place].code = Some(message.code.clone());
        }
        self.done += u64::from(outcome.answer.is_ok());
        outcome.answer.ok()
    }

    /// An administrator's call about `place`.
    pub(super) fn admin(&mut self, operation: &str, place: usize, more: Value) -> Option<Value> {
        let input = merged(
            json!({ "UserPoolId": self.pool.id(), "Username": self.persons[place].name }),
            more,
        );
        self.call(operation, input, Some(place))
    }

    /// A call by the app about `place`.
    pub(super) fn app(&mut self, operation: &str, place: usize, more: Value) -> Option<Value> {
        let input = merged(
            json!({ "ClientId": self.pool.client(), "Username": self.persons[place].name }),
            more,
        );
        self.call(operation, input, Some(place))
    }

    /// Signs in; the access token.
    pub(super) fn sign_in(&mut self, place: usize) -> Option<String> {
        let parameters = json!({ "USERNAME": self.persons[place].name, "PASSWORD": PASSWORD });
        let input = json!({
            "ClientId": self.pool.client(), "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters,
        });
        let answer = self.call("InitiateAuth", input, Some(place))?;
        let token = answer["AuthenticationResult"]["AccessToken"].as_str();
        token.map(str::to_owned)
    }

    /// A call that makes a new user; `find` takes the `sub` out of the answer.
    pub(super) fn create(
        &mut self,
        operation: &str,
        name: String,
        input: Value,
        heard: Heard,
        find: fn(&Value) -> Option<Sub>,
    ) {
        let outcome = self.pool.operate(operation, input, None);
        let event = if heard == Heard::Yes { "" } else { " (no event)" };
        self.journal
            .note("pool", format!("{operation} {name}{event}{}", refusal(&outcome)));
        let Some(sub) = outcome.answer.as_ref().ok().and_then(find) else {
            return;
        };
        self.pool.note_state_of(&sub);
        self.journal.note("pool", format!("{name} is {sub}"));
        if heard == Heard::Yes {
            self.ears.hear(&outcome);
        }
        self.persons.push(Person {
            sub,
            name,
            code: outcome.messages.last().map(|message| message.code.clone()),
            alive: true,
        });
        self.done += 1;
    }
}

/// The `sub` in the answer of SignUp, or of a federated sign-in.
pub(super) fn signed_up(answer: &Value) -> Option<Sub> {
    Sub::new(answer["UserSub"].as_str()?)
}

/// The `sub` in AdminCreateUser's answer.
pub(super) fn created(answer: &Value) -> Option<Sub> {
    let attributes = answer["User"]["Attributes"].as_array()?;
    let sub = attributes.iter().find(|attribute| attribute["Name"] == "sub")?;
    Sub::new(sub["Value"].as_str()?)
}

fn refusal(outcome: &Outcome) -> String {
    match &outcome.answer {
        Ok(_) => String::new(),
        Err(error) => format!(" refused: {}", error.code),
    }
}

fn merged(mut input: Value, more: Value) -> Value {
    if let (Some(all), Value::Object(more)) = (input.as_object_mut(), more) {
        all.extend(more);
    }
    input
}
