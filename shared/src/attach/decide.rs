//! What becomes of each slot, and of the stack's chain parameters.
//!
//! Invariant: after an attachment every slot runs what it ran before, and Twinpool's function; after a detachment what it ran
//! before. Where that cannot be, nothing is planned at all.

use std::collections::BTreeSet;

use super::{Holder, ParameterChange, Plan, Refusal, Seen, Slot, SlotChange};

/// The plan that puts the stack's functions into the slots `wanted`.
///
/// # Errors
/// Every reason why it cannot be.
pub fn plan_attach(seen: &Seen, wanted: &BTreeSet<Slot>) -> Result<Plan, Vec<Refusal>> {
    let mut refusals = of_stack(seen);
    let mut plan = Plan {
        slots: Vec::new(),
        parameters: Vec::new(),
        notes: Vec::new(),
    };
    for slot in Slot::ALL {
        let before = seen.slots.get(&slot).cloned();
        let is_ours = before.as_deref().is_some_and(|arn| seen.stack.owns(slot, arn));
        if is_ours || !wanted.contains(&slot) {
            plan.slots.push(kept(seen, slot, before));
            continue;
        }
        let chain = seen.stack.chains.get(&slot);
        refusals.extend(of_function(seen, slot));
        if let Some(refusal) = of_holder(seen, slot, before.as_deref()) {
            refusals.push(refusal);
        } else if let Some(names) = chain.filter(|chain| Some(*chain) != before.as_ref()) {
            refusals.push(Refusal::OtherChain {
                slot,
                names: names.clone(),
                holds: before.clone(),
            });
        } else if let Some(function) = before.as_ref().filter(|_| chain.is_none()) {
            let pool = attached(seen, slot).next();
            refusals.extend(pool.map(|pool| Refusal::Shared {
                slot,
                pool: pool.to_owned(),
                function: function.clone(),
            }));
            plan.parameters.push(ParameterChange {
                name: slot.parameter(),
                before: String::new(),
                after: function.clone(),
            });
        }
        let after = seen.stack.functions.get(&slot).cloned();
        if let Some(function) = before
            .as_deref()
            .filter(|arn| account(arn) != after.as_deref().and_then(account))
        {
            plan.notes.push(format!(
                "{}: {function} is of another account; its policy has to let the role of the stack's function invoke it",
                slot.as_str()
            ));
        }
        plan.slots.push(SlotChange {
            slot,
            chained: before.clone(),
            before,
            after,
        });
    }
    if !plan.parameters.is_empty() && !seen.stack.has_template {
        refusals.push(Refusal::NoTemplate {
            stack: seen.stack.name.clone(),
            assignments: assignments(&plan.parameters),
        });
    }
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

/// The plan that takes the stack's functions out of the pool's slots. It is possible in every state of the stack: a function
/// that fails has to be got rid of.
#[must_use]
pub fn plan_detach(seen: &Seen) -> Plan {
    let mut plan = Plan {
        slots: Vec::new(),
        parameters: Vec::new(),
        notes: Vec::new(),
    };
    for slot in Slot::ALL {
        let before = seen.slots.get(&slot).cloned();
        let chain = seen.stack.chains.get(&slot);
        let is_ours = before.as_deref().is_some_and(|arn| seen.stack.owns(slot, arn));
        let after = match (is_ours, seen.functions.get(&slot)) {
            (false, _) => before.clone(),
            (true, Some(function)) => {
                if function.chains_to.as_ref() != chain {
                    plan.notes.push(format!(
                        "{}: the stack's function does not invoke what {} of the stack says; the slot gets back what it invokes",
                        slot.as_str(),
                        slot.parameter()
                    ));
                }
                function.chains_to.clone()
            }
            (true, None) => {
                plan.notes.push(format!(
                    "{}: the stack's function does not exist; what the slot gets back is what {} of the stack says",
                    slot.as_str(),
                    slot.parameter()
                ));
                chain.cloned()
            }
        };
        if let Some(other) = before.as_ref().filter(|_| !is_ours) {
            plan.notes
                .push(format!("{}: holds {other}, which stays", slot.as_str()));
        }
        plan.slots.push(SlotChange {
            slot,
            before,
            after,
            chained: None,
        });
        let Some(chain) = chain else { continue };
        match attached(seen, slot).next() {
            None => plan.parameters.push(ParameterChange {
                name: slot.parameter(),
                before: chain.clone(),
                after: String::new(),
            }),
            Some(pool) => plan.notes.push(format!(
                "{} of the stack stays, because {pool} is attached too",
                slot.parameter()
            )),
        }
    }
    plan
}

/// The changes as `make deploy-primary` takes them.
#[must_use]
pub fn assignments(parameters: &[ParameterChange]) -> String {
    let assigned: Vec<String> = parameters
        .iter()
        .map(|change| format!("{}={}", change.name, change.after))
        .collect();
    assigned.join(" ")
}

/// Other pools of the stack whose slot holds the stack's function.
fn attached(seen: &Seen, slot: Slot) -> impl Iterator<Item = &str> {
    let holds = move |slots: &super::Slots| slots.get(&slot).is_some_and(|arn| seen.stack.owns(slot, arn));
    let others = seen.others.iter().filter(move |(_, slots)| holds(slots));
    others.map(|(pool, _)| pool.as_str())
}

fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

fn kept(seen: &Seen, slot: Slot, before: Option<String>) -> SlotChange {
    let is_ours = before.as_deref().is_some_and(|arn| seen.stack.owns(slot, arn));
    let function = seen.functions.get(&slot).filter(|_| is_ours);
    SlotChange {
        slot,
        after: before.clone(),
        before,
        chained: function.and_then(|function| function.chains_to.clone()),
    }
}

fn of_stack(seen: &Seen) -> Vec<Refusal> {
    let stack = &seen.stack;
    let mut refusals = Vec::new();
    if !stack.pools.contains(&seen.pool) {
        refusals.push(Refusal::NotOfStack {
            pool: seen.pool.clone(),
            stack: stack.name.clone(),
        });
    }
    let (name, status) = (stack.name.clone(), stack.status.clone());
    if stack.is_busy() {
        refusals.push(Refusal::Busy { stack: name, status });
    } else if !stack.is_settled() {
        refusals.push(Refusal::Failed { stack: name, status });
    }
    refusals
}

fn of_function(seen: &Seen, slot: Slot) -> Option<Refusal> {
    let Some(function) = seen.functions.get(&slot) else {
        return Some(Refusal::NoFunction { slot });
    };
    if !function.is_ready {
        return Some(Refusal::NotReady { slot });
    }
    if !function.may_be_invoked {
        return Some(Refusal::NotPermitted { slot });
    }
    (function.chains_to.as_ref() != seen.stack.chains.get(&slot)).then_some(Refusal::Drifted { slot })
}

fn of_holder(seen: &Seen, slot: Slot, arn: Option<&str>) -> Option<Refusal> {
    let function = arn?.to_owned();
    match seen.holders.get(&function) {
        Some(Holder::Theirs) => None,
        Some(Holder::Twinpools) => Some(Refusal::OtherTwinpool { slot, function }),
        // Not looked at is not known to be there.
        Some(Holder::Missing) | None => Some(Refusal::Gone { slot, function }),
    }
}
