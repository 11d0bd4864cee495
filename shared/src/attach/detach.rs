//! What becomes of each slot, and of the stack's chain parameters, by a detachment; and whether what a slot gets back works.
//!
//! Invariant: afterwards a slot runs what it ran before. A chain parameter is the last record of the customer's function: it stays
//! where the stack's function does not confirm it, and where another pool needs it or may.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Function, ParameterChange, Plan, Refusal, Seen, Slot, SlotChange,
    decide::{attached, kept},
};

/// What a function is that a slot gets back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Cognito may invoke it for the pool.
    Fine,
    /// It does not exist.
    Missing,
    /// Its policy does not let Cognito invoke it.
    NotPermitted,
    /// Nobody knows: it may not be looked at.
    Unread,
}

/// The plan that takes the stack's functions out of the pool's slots `wanted`. It is possible in every state of the stack: a
/// function that fails has to be got rid of.
#[must_use]
pub fn plan_detach(seen: &Seen, wanted: &BTreeSet<Slot>) -> Plan {
    let mut plan = Plan {
        slots: Vec::new(),
        parameters: Vec::new(),
        notes: Vec::new(),
    };
    for slot in Slot::ALL {
        let before = seen.slots.get(&slot).cloned();
        if !wanted.contains(&slot) {
            plan.slots.push(kept(seen, slot, before));
            continue;
        }
        let chain = seen.stack.chains.get(&slot);
        let function = seen.functions.get(&slot);
        let is_ours = before.as_deref().is_some_and(|arn| seen.stack.owns(slot, arn));
        if !is_ours {
            let others = before.iter();
            let stays = others.map(|other| format!("{}: holds {other}, which stays", slot.as_str()));
            plan.notes.extend(stays);
        }
        plan.notes.extend(unconfirmed(slot, function, chain, is_ours));
        plan.slots.push(SlotChange {
            slot,
            after: if is_ours {
                function
                    .and_then(|function| function.chains_to.as_ref())
                    .or(chain)
                    .cloned()
            } else {
                before.clone()
            },
            before,
            chained: None,
        });
        let Some(chain) = chain else { continue };
        let is_confirmed = function.is_none_or(|function| function.agrees(Some(chain)));
        if let Some(pool) = attached(seen, slot).next() {
            plan.notes.push(format!(
                "{} of the stack stays, because {pool} is attached too",
                slot.parameter()
            ));
        } else if let Some(pool) = seen.unread.first() {
            plan.notes.push(format!(
                "{} of the stack stays, because {pool} could not be looked at and may be attached",
                slot.parameter()
            ));
        } else if is_confirmed {
            plan.parameters.push(ParameterChange {
                name: slot.parameter(),
                before: chain.clone(),
                after: String::new(),
            });
        }
    }
    plan
}

/// What is wrong with the functions that slots get back, by their ARNs. One that nobody looked at is not known to work.
#[must_use]
pub fn of_targets(plan: &Plan, targets: &BTreeMap<String, Target>) -> Vec<Refusal> {
    let changed = plan.slots.iter().filter(|change| change.changes());
    let wrong = |change: &SlotChange| {
        let (slot, function) = (change.slot, change.after.clone()?);
        match targets.get(&function) {
            Some(Target::Fine) => None,
            Some(Target::Missing) => Some(Refusal::TargetGone { slot, function }),
            Some(Target::NotPermitted) => Some(Refusal::TargetNotPermitted { slot, function }),
            Some(Target::Unread) | None => Some(Refusal::TargetUnread { slot, function }),
        }
    };
    changed.filter_map(wrong).collect()
}

/// Where stack and function say different things: which of them counts.
fn unconfirmed(slot: Slot, function: Option<&Function>, chain: Option<&String>, is_ours: bool) -> Option<String> {
    let (name, parameter) = (slot.as_str(), slot.parameter());
    let Some(function) = function else {
        return is_ours.then(|| {
            format!(
                "{name}: the stack's function does not exist; the slot gets back what {parameter} of the stack says"
            )
        });
    };
    if function.agrees(chain.map(String::as_str)) {
        return None;
    }
    let why = match (&function.chains_to, function.is_told) {
        (Some(_), _) => "the stack's function does not invoke what the stack says; the slot gets back what it invokes",
        (None, true) => {
            "the stack's function invokes nothing, and the stack names a function; the slot gets back that one"
        }
        (None, false) => "what the stack's function invokes is not told; the slot gets back what the stack says",
    };
    let stays = chain.map(|_| format!("; {parameter} of the stack stays until the stack is deployed again"));
    let why = if is_ours {
        why
    } else {
        "the stack's function is not known to invoke what the stack says"
    };
    (is_ours || chain.is_some()).then(|| format!("{name}: {why}{}", stays.unwrap_or_default()))
}
