//! Putting Twinpool's functions into the trigger slots of a user pool, and taking them out again: decisions only.
//!
//! A slot holds one function, and an error in it fails the user's sign-in. `UpdateUserPool` sets everything that it is not told
//! back to its default. So an attachment is planned whole before anything is changed, from what pool, stack and functions say.
//!
//! * What there is: [`Seen`], with the stack as [`Deployed`].
//! * What is to be done: [`plan_attach`], [`plan_detach`], or why not: [`Refusal`], [`of_targets`].
//! * Whether Cognito may invoke a function: [`may_invoke`]. What changed beside the slots: [`beside_the_slots`].
//! * How a function is tried: [`probe`].
//!
//! Source: API reference of cognito-idp, `LambdaConfigType` and `UpdateUserPool`; developer guide, "Customizing user pool
//! workflows with Lambda triggers"; infra/primary.yaml for parameters and outputs.
//!
//! Invariant: a plan changes the slots that it lists and the chain parameters that they need, and nothing else.

mod compare;
mod decide;
mod deployed;
mod detach;
mod policy;
mod refusal;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde_json::{Map, Value, json};

pub use self::{
    compare::{anything, beside_the_slots},
    decide::{assignments, plan_attach},
    deployed::{Deployed, TEMPLATE},
    detach::{Target, of_targets, plan_detach},
    policy::may_invoke,
    refusal::Refusal,
};

/// The member of a pool's settings that holds the slots.
pub const LAMBDA_CONFIG: &str = "LambdaConfig";
/// Source of the event by which a function of Twinpool's is tried, which answers it itself. It is none of Cognito's.
pub const PROBE_SOURCE: &str = "TwinpoolProbe_Attach";
/// `errorType` of a function's answer to [`PROBE_SOURCE`] when it may not invoke what it chains to.
pub const PROBE_REFUSED: &str = "Twinpool.ChainNotAllowed";

/// A trigger slot that Twinpool has a function for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Slot {
    /// After a sign-up or a forgotten password was confirmed.
    PostConfirmation,
    /// After a sign-in.
    PostAuthentication,
    /// Before a message is sent.
    CustomMessage,
}

impl Slot {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::PostConfirmation, Self::PostAuthentication, Self::CustomMessage];

    /// Name on the command line.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PostConfirmation => "post-confirmation",
            Self::PostAuthentication => "post-authentication",
            Self::CustomMessage => "custom-message",
        }
    }

    /// Member of `LambdaConfigType`.
    #[must_use]
    pub fn member(self) -> &'static str {
        match self {
            Self::PostConfirmation => "PostConfirmation",
            Self::PostAuthentication => "PostAuthentication",
            Self::CustomMessage => "CustomMessage",
        }
    }

    /// Output of infra/primary.yaml that names Twinpool's function.
    #[must_use]
    pub fn output(self) -> &'static str {
        match self {
            Self::PostConfirmation => "PostConfirmationArn",
            Self::PostAuthentication => "PostAuthenticationArn",
            Self::CustomMessage => "CustomMessageArn",
        }
    }

    /// Parameter of infra/primary.yaml that names the function which Twinpool's invokes.
    #[must_use]
    pub fn parameter(self) -> &'static str {
        match self {
            Self::PostConfirmation => "ChainPostConfirmation",
            Self::PostAuthentication => "ChainPostAuthentication",
            Self::CustomMessage => "ChainCustomMessage",
        }
    }
}

/// The functions in the slots, by their ARNs as the pool has them. An empty slot is absent.
pub type Slots = BTreeMap<Slot, String>;

/// The slots of a pool as `DescribeUserPool` shows it.
#[must_use]
pub fn slots_of(shown: &Value) -> Slots {
    let held = |slot: Slot| {
        shown[LAMBDA_CONFIG][slot.member()]
            .as_str()
            .filter(|arn| !arn.is_empty())
    };
    Slot::ALL
        .into_iter()
        .filter_map(|slot| Some((slot, held(slot)?.to_owned())))
        .collect()
}

/// What Lambda says of a function of the stack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Whether it can be invoked: active, and no update under way.
    pub is_ready: bool,
    /// Whether its variables are known. Lambda answers without them when it may not decrypt them for whoever asks
    /// (`Environment.Error`).
    pub is_told: bool,
    /// `TWINPOOL_CHAIN_TO`.
    pub chains_to: Option<String>,
    /// Whether its policy lets Cognito invoke it for the pool.
    pub may_be_invoked: bool,
}

impl Function {
    /// Whether it is known to invoke what the stack says.
    #[must_use]
    pub fn agrees(&self, chain: Option<&str>) -> bool {
        self.is_told && self.chains_to.as_deref() == chain
    }
}

/// What a function is that holds a slot and is none of the stack's for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Somebody else's.
    Theirs,
    /// Twinpool's, of another stack or for another slot.
    Twinpools,
    /// It does not exist.
    Missing,
    /// Nobody knows: it may not be looked at, or its variables may not.
    Unread,
}

/// Everything that a plan is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The pool's id.
    pub pool: String,
    /// Its slots.
    pub slots: Slots,
    /// The stack.
    pub stack: Deployed,
    /// The stack's functions, each as the version or alias that the slot holds; one that does not exist is absent.
    pub functions: BTreeMap<Slot, Function>,
    /// Slots of the stack's other pools, by id.
    pub others: BTreeMap<String, Slots>,
    /// The stack's other pools that could not be looked at. They count as attached.
    pub unread: BTreeSet<String>,
    /// What the functions in the slots are that are none of the stack's, by their ARNs.
    pub holders: BTreeMap<String, Holder>,
}

/// A slot, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SlotChange {
    /// The slot.
    pub slot: Slot,
    /// The function in it.
    pub before: Option<String>,
    /// The function that will be in it; the same where nothing changes.
    pub after: Option<String>,
    /// The function that Twinpool's invokes then.
    pub chained: Option<String>,
}

impl SlotChange {
    /// Whether the slot is changed.
    #[must_use]
    pub fn changes(&self) -> bool {
        self.before != self.after
    }
}

/// A parameter of the stack, before and after.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ParameterChange {
    /// Its name.
    pub name: &'static str,
    /// Its value; empty: none.
    pub before: String,
    /// Its value afterwards.
    pub after: String,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Every slot, those included that stay as they are.
    pub slots: Vec<SlotChange>,
    /// The stack's parameters that change.
    pub parameters: Vec<ParameterChange>,
    /// What to know of it.
    pub notes: Vec<String>,
}

impl Plan {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        !self.changes_pool() && self.parameters.is_empty()
    }

    /// Whether the pool is changed.
    #[must_use]
    pub fn changes_pool(&self) -> bool {
        self.slots.iter().any(SlotChange::changes)
    }

    /// `LambdaConfig` of the pool `shown`, with the slots as planned and everything else in it as it is.
    #[must_use]
    pub fn lambda_config(&self, shown: &Value) -> Value {
        let mut config = shown[LAMBDA_CONFIG].as_object().cloned().unwrap_or_else(Map::new);
        for change in self.slots.iter().filter(|change| change.changes()) {
            match &change.after {
                Some(arn) => drop(config.insert(change.slot.member().to_owned(), json!(arn))),
                None => drop(config.remove(change.slot.member())),
            }
        }
        Value::Object(config)
    }
}

/// Whether `arn` names the function `function`, or a version or alias of it.
#[must_use]
pub fn is_of_function(arn: &str, function: &str) -> bool {
    arn.strip_prefix(function)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
}

/// An event of no user, which a function of Twinpool's answers with itself, or with [`PROBE_REFUSED`].
#[must_use]
pub fn probe(pool: &str, region: &str) -> Value {
    json!({"version": "1", "triggerSource": PROBE_SOURCE, "region": region, "userPoolId": pool, "request": {}, "response": {}})
}
