//! Slots that hold ours already, and what a detachment makes of a stack that is not as it was left.
//!
//! Invariant under test: what would keep users out is said; the last record of a customer's function is never lost.

use super::*;

const SLOT: Slot = Slot::PostConfirmation;

/// A pool with ours in a slot, chained as its stack says.
fn attached_to(arn: &str) -> Seen {
    let mut seen = holding(SLOT, &ours(SLOT));
    chained(&mut seen, SLOT, arn);
    seen
}

fn function(seen: &mut Seen) -> &mut Function {
    seen.functions.get_mut(&SLOT).expect("the function")
}

#[test]
fn a_function_that_does_not_name_the_chain_does_not_lose_it() {
    for (chains_to, is_told, gets) in [
        (None, true, THEIRS),
        (None, false, THEIRS),
        (Some(OTHERS), true, OTHERS),
    ] {
        let mut seen = attached_to(THEIRS);
        function(&mut seen).chains_to = chains_to.map(str::to_owned);
        function(&mut seen).is_told = is_told;
        let plan = plan_detach(&seen, &everything());
        assert_eq!(plan.slots[0].after.as_deref(), Some(gets), "{chains_to:?} {is_told}");
        assert!(
            plan.parameters.is_empty(),
            "{chains_to:?} {is_told}: {:?}",
            plan.parameters
        );
        let said = plan
            .notes
            .iter()
            .any(|note| note.contains("ChainPostConfirmation of the stack stays"));
        assert!(said, "{:?}", plan.notes);
        // Nor does a second run.
        let then = after(&seen, &plan);
        assert!(plan_detach(&then, &everything()).is_nothing());
    }
    let mut emptied = attached_to(THEIRS);
    emptied.stack.chains.clear();
    let plan = plan_detach(&emptied, &everything());
    assert_eq!(plan.slots[0].after.as_deref(), Some(THEIRS), "what users run");
}

#[test]
fn a_slot_that_holds_ours_is_looked_at_like_an_empty_one() {
    type Breaks = fn(&mut Seen);
    let broken: [(Breaks, &str); 5] = [
        (|seen| drop(seen.functions.remove(&SLOT)), "does not exist"),
        (|seen| function(seen).is_ready = false, "not active"),
        (
            |seen| function(seen).may_be_invoked = false,
            "does not let Cognito invoke",
        ),
        (|seen| function(seen).is_told = false, "does not tell"),
        (|seen| function(seen).chains_to = None, "changed it by hand"),
    ];
    assert!(plan_attach(&attached_to(THEIRS), &BTreeSet::from([SLOT])).is_ok_and(|plan| plan.is_nothing()));
    for (breaks, says) in broken {
        let mut seen = attached_to(THEIRS);
        breaks(&mut seen);
        let refusals = plan_attach(&seen, &BTreeSet::from([SLOT])).expect_err(says);
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(refusals[0].to_string().contains(says), "{says}: {}", refusals[0]);
        let beside = plan_attach(&seen, &BTreeSet::from([Slot::CustomMessage])).expect("another slot");
        assert!(
            beside.notes.iter().any(|note| note.contains(says)),
            "{says}: {:?}",
            beside.notes
        );
    }
}

#[test]
fn a_pool_that_comes_to_a_chain_of_another_says_who_runs_it() {
    let mut seen = holding(SLOT, THEIRS);
    chained(&mut seen, SLOT, THEIRS);
    let alone = plan_attach(&seen, &everything()).expect("a plan");
    assert!(alone.notes.is_empty(), "{:?}", alone.notes);
    let slots = Slots::from([(SLOT, ours(SLOT))]);
    seen.others.insert("us-east-1_b".into(), slots);
    let beside = plan_attach(&seen, &everything()).expect("both had the same function");
    let note = format!("us-east-1_b of the same stack is attached too, and its users run {THEIRS} as well");
    assert!(
        beside.notes.len() == 1 && beside.notes[0].contains(&note),
        "{:?}",
        beside.notes
    );
}

#[test]
fn a_pool_that_cannot_be_looked_at_keeps_its_chain() {
    let mut seen = attached_to(THEIRS);
    assert_eq!(plan_detach(&seen, &everything()).parameters.len(), 1);
    seen.unread.insert("us-east-1_b".into());
    let plan = plan_detach(&seen, &everything());
    assert_eq!(
        plan.slots[0].after.as_deref(),
        Some(THEIRS),
        "this pool is detached all the same"
    );
    assert!(plan.parameters.is_empty());
    assert!(
        plan.notes[0].contains("us-east-1_b could not be looked at"),
        "{:?}",
        plan.notes
    );
}

#[test]
fn only_the_slots_that_are_meant_are_detached() {
    let mut seen = attached_to(THEIRS);
    seen.slots.insert(Slot::CustomMessage, ours(Slot::CustomMessage));
    let plan = plan_detach(&seen, &BTreeSet::from([Slot::CustomMessage]));
    assert!(plan.parameters.is_empty(), "{:?}", plan.parameters);
    let changed: Vec<Slot> = plan
        .slots
        .iter()
        .filter(|change| change.changes())
        .map(|change| change.slot)
        .collect();
    assert_eq!(changed, [Slot::CustomMessage]);
    assert_eq!(plan.slots[0].chained.as_deref(), Some(THEIRS), "still invoked");
}

#[test]
fn what_a_slot_gets_back_has_to_work() {
    let plan = plan_detach(&attached_to(THEIRS), &everything());
    let wrong = |target: Option<Target>| {
        let targets = target.map(|target| (THEIRS.to_owned(), target)).into_iter().collect();
        let refusals = of_targets(&plan, &targets);
        refusals.iter().map(Refusal::to_string).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(wrong(Some(Target::Fine)), "");
    assert!(wrong(Some(Target::Missing)).contains("does not exist"));
    assert!(wrong(Some(Target::NotPermitted)).contains("does not let Cognito invoke it"));
    for unknown in [Some(Target::Unread), None] {
        assert!(wrong(unknown).contains("may not be looked at"));
    }
    let empties = plan_detach(&holding(SLOT, &ours(SLOT)), &everything());
    assert!(empties.changes_pool() && of_targets(&empties, &BTreeMap::new()).is_empty());
}

#[test]
fn a_detachment_works_when_stack_and_function_do_not() {
    let slot = Slot::PostConfirmation;
    let mut seen = holding(slot, &ours(slot));
    chained(&mut seen, slot, THEIRS);
    seen.functions.clear();
    seen.stack.status = "UPDATE_ROLLBACK_FAILED".into();
    let plan = plan_detach(&seen, &everything());
    assert_eq!(plan.slots[0].after.as_deref(), Some(THEIRS));
    assert!(plan.notes[0].contains("does not exist"), "{:?}", plan.notes);
    // Cut off between pool and stack: the rest is done.
    let rest = after(
        &seen,
        &Plan {
            parameters: Vec::new(),
            ..plan
        },
    );
    let plan = plan_detach(&rest, &everything());
    assert!(!plan.changes_pool() && plan.parameters.len() == 1, "{plan:?}");
}
