//! What becomes of each slot, and of the stack's chain parameters, by an attachment.
//!
//! Invariant: afterwards every slot runs what it ran before, and Twinpool's function. Where that cannot be, nothing is planned at
//! all.

use std::collections::BTreeSet;

use super::{Holder, ParameterChange, Plan, Refusal, Seen, Slot, SlotChange, is_of_function};

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
            // A function in its slot may fail sign-ins as well.
            let wrong = of_function(seen, slot).filter(|_| is_ours);
            if wanted.contains(&slot) {
                refusals.extend(wrong);
            } else {
                plan.notes.extend(wrong.map(|wrong| wrong.to_string()));
            }
            plan.slots.push(kept(seen, slot, before));
            continue;
        }
        let refused: Vec<Refusal> = of_function(seen, slot)
            .into_iter()
            .chain(of_taken(seen, slot, before.as_ref()))
            .collect();
        if refused.is_empty() {
            fill(seen, slot, before, &mut plan);
        }
        refusals.extend(refused);
    }
    // Of slots that are not refused otherwise: an operator does what is said here.
    if !plan.parameters.is_empty() && !seen.stack.has_template {
        refusals.push(Refusal::NoTemplate {
            stack: seen.stack.name.clone(),
            assignments: assignments(&plan.parameters),
        });
    }
    if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
}

/// Plans the stack's function into a slot that nothing speaks against.
fn fill(seen: &Seen, slot: Slot, before: Option<String>, plan: &mut Plan) {
    let chain = seen.stack.chains.get(&slot);
    let after = seen.stack.functions.get(&slot).cloned();
    if let Some(function) = &before {
        if chain.is_none() {
            plan.parameters.push(ParameterChange {
                name: slot.parameter(),
                before: String::new(),
                after: function.clone(),
            });
        } else if let Some(pool) = attached(seen, slot).next() {
            // Right where both pools had the same function, which nobody can see any more.
            plan.notes.push(format!(
                "{}: {pool} of the same stack is attached too, and its users run {function} as well; if they did not before, give this \
                 pool a stack of its own, set {} to \"\" and deploy",
                slot.as_str(),
                slot.parameter()
            ));
        }
        if account(function) != after.as_deref().and_then(account) {
            plan.notes.push(format!(
                "{}: {function} is of another account; its policy has to let the role of the stack's function invoke it",
                slot.as_str()
            ));
        }
    }
    plan.slots.push(SlotChange {
        slot,
        chained: before.clone(),
        before,
        after,
    });
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
pub(super) fn attached(seen: &Seen, slot: Slot) -> impl Iterator<Item = &str> {
    let holds = move |slots: &super::Slots| slots.get(&slot).is_some_and(|arn| seen.stack.owns(slot, arn));
    let others = seen.others.iter().filter(move |(_, slots)| holds(slots));
    others.map(|(pool, _)| pool.as_str())
}

fn account(arn: &str) -> Option<&str> {
    arn.split(':').nth(4)
}

/// A slot that stays as it is.
pub(super) fn kept(seen: &Seen, slot: Slot, before: Option<String>) -> SlotChange {
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
    if !function.is_told {
        return Some(Refusal::Untold { slot });
    }
    let chain = seen.stack.chains.get(&slot).map(String::as_str);
    (!function.agrees(chain)).then_some(Refusal::Drifted { slot })
}

/// What speaks against a slot with this function in it, or none.
fn of_taken(seen: &Seen, slot: Slot, before: Option<&String>) -> Option<Refusal> {
    if let Some(refusal) = before.and_then(|arn| of_holder(seen, slot, arn)) {
        return Some(refusal);
    }
    let chain = seen.stack.chains.get(&slot);
    if let Some(names) = chain.filter(|chain| Some(*chain) != before) {
        return Some(Refusal::OtherChain {
            slot,
            names: names.clone(),
            holds: before.cloned(),
        });
    }
    let function = before.filter(|_| chain.is_none())?;
    let mut others = attached(seen, slot).chain(seen.unread.iter().map(String::as_str));
    others.next().map(|pool| Refusal::Shared {
        slot,
        pool: pool.to_owned(),
        function: function.clone(),
    })
}

fn of_holder(seen: &Seen, slot: Slot, arn: &str) -> Option<Refusal> {
    let function = arn.to_owned();
    let mut own = seen.stack.functions.iter();
    if let Some((of, _)) = own.find(|(_, own)| is_of_function(arn, own)) {
        return Some(Refusal::WrongSlot {
            slot,
            function,
            of: *of,
        });
    }
    match seen.holders.get(arn) {
        Some(Holder::Theirs) => None,
        Some(Holder::Twinpools) => Some(Refusal::OtherTwinpool { slot, function }),
        Some(Holder::Unread) => Some(Refusal::Unread { slot, function }),
        // Not looked at is not known to be there.
        Some(Holder::Missing) | None => Some(Refusal::Gone { slot, function }),
    }
}
