//! The plans by example: what is set, what is chained, and every refusal.
//!
//! Invariant under test: a refusal plans nothing, and says what to do.

mod broken;
mod properties;

use super::*;

const POOL: &str = "us-east-1_a";
const THEIRS: &str = "arn:aws:lambda:us-east-1:111122223333:function:welcome";
const ALIAS: &str = "arn:aws:lambda:us-east-1:111122223333:function:welcome:live";
const OTHERS: &str = "arn:aws:lambda:us-east-1:111122223333:function:audit";
const FOREIGN_TWINPOOL: &str = "arn:aws:lambda:us-east-1:111122223333:function:other-post-confirmation";

fn ours(slot: Slot) -> String {
    format!(
        "arn:aws:lambda:us-east-1:111122223333:function:twinpool-{}",
        slot.as_str()
    )
}

fn everything() -> BTreeSet<Slot> {
    Slot::ALL.into()
}

/// A pool with empty slots, of a stack that serves it alone.
fn fresh() -> Seen {
    let function = Function {
        is_ready: true,
        is_told: true,
        chains_to: None,
        may_be_invoked: true,
    };
    Seen {
        pool: POOL.into(),
        slots: Slots::new(),
        stack: Deployed {
            name: "twinpool".into(),
            status: "CREATE_COMPLETE".into(),
            pools: vec![POOL.into()],
            functions: Slot::ALL.map(|slot| (slot, ours(slot))).into(),
            chains: Slots::new(),
            has_template: true,
        },
        functions: Slot::ALL.map(|slot| (slot, function.clone())).into(),
        others: BTreeMap::new(),
        unread: BTreeSet::new(),
        holders: [
            (THEIRS, Holder::Theirs),
            (ALIAS, Holder::Theirs),
            (OTHERS, Holder::Theirs),
            (FOREIGN_TWINPOOL, Holder::Twinpools),
        ]
        .map(|(arn, holder)| (arn.to_owned(), holder))
        .into(),
    }
}

fn holding(slot: Slot, arn: &str) -> Seen {
    let mut seen = fresh();
    seen.slots.insert(slot, arn.into());
    seen
}

fn chained(seen: &mut Seen, slot: Slot, arn: &str) {
    seen.stack.chains.insert(slot, arn.into());
    if let Some(function) = seen.functions.get_mut(&slot) {
        function.chains_to = Some(arn.into());
    }
}

/// What there is when a plan was carried out.
fn after(seen: &Seen, plan: &Plan) -> Seen {
    let mut then = seen.clone();
    for change in &plan.slots {
        match &change.after {
            Some(arn) => drop(then.slots.insert(change.slot, arn.clone())),
            None => drop(then.slots.remove(&change.slot)),
        }
    }
    for slot in Slot::ALL {
        let Some(change) = plan.parameters.iter().find(|change| change.name == slot.parameter()) else {
            continue;
        };
        assert_eq!(seen.stack.chains.get(&slot).cloned().unwrap_or_default(), change.before);
        let chain = Some(change.after.clone()).filter(|arn| !arn.is_empty());
        match &chain {
            Some(arn) => drop(then.stack.chains.insert(slot, arn.clone())),
            None => drop(then.stack.chains.remove(&slot)),
        }
        if let Some(function) = then.functions.get_mut(&slot) {
            function.chains_to = chain;
        }
    }
    then
}

#[test]
fn an_empty_slot_is_set_and_a_taken_one_is_chained_first() {
    let plan = plan_attach(&holding(Slot::PostConfirmation, ALIAS), &everything()).expect("a plan");
    assert_eq!(
        plan.parameters,
        [ParameterChange {
            name: "ChainPostConfirmation",
            before: String::new(),
            after: ALIAS.into()
        }],
        "with its alias"
    );
    let shown = json!({"LambdaConfig": {"PostConfirmation": ALIAS, "PreSignUp": "f", "KMSKeyID": "k"}});
    assert_eq!(
        plan.lambda_config(&shown),
        json!({"PostConfirmation": ours(Slot::PostConfirmation), "PostAuthentication": ours(Slot::PostAuthentication),
            "CustomMessage": ours(Slot::CustomMessage), "PreSignUp": "f", "KMSKeyID": "k"})
    );
    let one = plan_attach(&fresh(), &BTreeSet::from([Slot::CustomMessage])).expect("a plan");
    assert_eq!(
        one.lambda_config(&json!({})),
        json!({"CustomMessage": ours(Slot::CustomMessage)})
    );
    assert!(one.parameters.is_empty());
}

#[test]
fn without_its_template_a_stack_is_told_by_its_operator() {
    let mut seen = holding(Slot::PostConfirmation, THEIRS);
    seen.stack.has_template = false;
    let refused = plan_attach(&seen, &everything()).expect_err("the parameter cannot be set");
    let [refusal] = &refused[..] else {
        panic!("{refused:?}");
    };
    let told = format!("make deploy-primary PARAMETERS=\"ChainPostConfirmation={THEIRS}\"");
    assert!(refusal.to_string().contains(&told), "{refusal}");
    // What is told is done: a slot that is refused otherwise is not in it.
    let mut shared = seen.clone();
    shared.slots.insert(Slot::CustomMessage, OTHERS.into());
    let slots = Slots::from([(Slot::PostConfirmation, ours(Slot::PostConfirmation))]);
    shared.others.insert("us-east-1_b".into(), slots);
    let refused = plan_attach(&shared, &everything()).expect_err("shared");
    let told: Vec<&Refusal> = refused
        .iter()
        .filter(|refusal| matches!(refusal, Refusal::NoTemplate { .. }))
        .collect();
    let [Refusal::NoTemplate { assignments, .. }] = &told[..] else {
        panic!("{refused:?}");
    };
    assert_eq!(assignments, &format!("ChainCustomMessage={OTHERS}"));
    // Done as told, the parameter is there.
    chained(&mut seen, Slot::PostConfirmation, THEIRS);
    let plan = plan_attach(&seen, &everything()).expect("a plan");
    assert!(plan.parameters.is_empty());
    assert!(plan_attach(&seen, &BTreeSet::from([Slot::CustomMessage])).is_ok());
}

#[test]
fn an_alias_of_ours_is_ours() {
    let seen = holding(Slot::CustomMessage, &format!("{}:live", ours(Slot::CustomMessage)));
    let plan = plan_attach(&seen, &BTreeSet::from([Slot::CustomMessage])).expect("a plan");
    assert!(plan.is_nothing());
    assert!(plan_detach(&seen, &everything()).changes_pool());
    let counts = seen.stack.in_force(&seen.slots);
    assert_eq!(
        counts[&Slot::CustomMessage],
        seen.slots[&Slot::CustomMessage],
        "with its own policy"
    );
    assert_eq!(counts[&Slot::PostConfirmation], ours(Slot::PostConfirmation));
    let longer = holding(Slot::CustomMessage, &format!("{}-2", ours(Slot::CustomMessage)));
    assert!(
        plan_attach(&longer, &everything()).is_err(),
        "another function, and nobody looked at it"
    );
    assert_eq!(longer.stack.in_force(&longer.slots), longer.stack.functions);
}

#[test]
fn what_would_run_other_functions_or_fail_is_refused() {
    let slot = Slot::PostConfirmation;
    let taken = || holding(slot, THEIRS);
    let edited = |change: fn(&mut Seen)| {
        let mut seen = taken();
        change(&mut seen);
        seen
    };
    for (seen, says) in [
        (
            edited(|seen| seen.stack.pools = vec!["us-east-1_b".into()]),
            "not among UserPoolIds",
        ),
        (
            edited(|seen| seen.stack.status = "UPDATE_IN_PROGRESS".into()),
            "wait until",
        ),
        (
            edited(|seen| seen.stack.status = "UPDATE_ROLLBACK_FAILED".into()),
            "mend or delete",
        ),
        (
            edited(|seen| drop(seen.functions.remove(&Slot::CustomMessage))),
            "custom-message: the stack's function does not exist",
        ),
        (
            edited(|seen| seen.functions.get_mut(&Slot::CustomMessage).expect("it").is_ready = false),
            "not active",
        ),
        (
            edited(|seen| seen.functions.get_mut(&Slot::CustomMessage).expect("it").may_be_invoked = false),
            "does not let Cognito invoke",
        ),
        (
            edited(|seen| chained(seen, Slot::PostConfirmation, OTHERS)),
            "names arn:aws:lambda:us-east-1:111122223333:function:audit",
        ),
        (
            edited(|seen| chained(seen, Slot::CustomMessage, OTHERS)),
            "the slot holds nothing",
        ),
        (
            edited(|seen| drop(seen.stack.chains.insert(Slot::PostConfirmation, THEIRS.into()))),
            "changed it by hand",
        ),
        (
            edited(|seen| {
                let slots = Slots::from([(Slot::PostConfirmation, ours(Slot::PostConfirmation))]);
                seen.others.insert("us-east-1_b".into(), slots);
            }),
            "give this pool a stack of its own",
        ),
        (holding(slot, FOREIGN_TWINPOOL), "detach that one first"),
        (
            edited(|seen| seen.holders = BTreeMap::from([(THEIRS.into(), Holder::Missing)])),
            "empty the slot first",
        ),
        (edited(|seen| seen.holders.clear()), "empty the slot first"),
        (
            edited(|seen| seen.holders = BTreeMap::from([(THEIRS.into(), Holder::Unread)])),
            "which may not be looked at",
        ),
        (
            edited(|seen| seen.functions.get_mut(&Slot::CustomMessage).expect("it").is_told = false),
            "custom-message: Lambda does not tell",
        ),
        (
            edited(|seen| seen.unread = BTreeSet::from(["us-east-1_b".into()])),
            "us-east-1_b of the same stack",
        ),
        (
            holding(slot, &ours(Slot::CustomMessage)),
            "this stack's function for custom-message",
        ),
    ] {
        let refusals = plan_attach(&seen, &everything()).expect_err(says);
        assert_eq!(refusals.len(), 1, "{refusals:?}");
        assert!(refusals[0].to_string().contains(says), "{says}: {}", refusals[0]);
    }
    let unattached = edited(|seen| {
        seen.others.insert(
            "us-east-1_b".into(),
            Slots::from([(Slot::PostConfirmation, OTHERS.into())]),
        );
    });
    assert!(
        plan_attach(&unattached, &everything()).is_ok(),
        "another pool that is not attached gets nothing"
    );
}

#[test]
fn the_probe_says_nothing_of_a_user() {
    let event = probe(POOL, "us-east-1");
    assert!(
        crate::trigger::read_trigger(&event, "r", crate::time::EPOCH).is_err(),
        "nothing is sent"
    );
    assert!(!event.to_string().contains("userName"));
}

#[test]
fn a_function_of_another_account_is_pointed_out() {
    let elsewhere = THEIRS.replace("111122223333", "444455556666");
    let mut seen = holding(Slot::CustomMessage, &elsewhere);
    seen.holders.insert(elsewhere, Holder::Theirs);
    let plan = plan_attach(&seen, &everything()).expect("a plan");
    assert!(
        plan.notes.len() == 1 && plan.notes[0].contains("another account"),
        "{:?}",
        plan.notes
    );
    let at_home = plan_attach(&holding(Slot::CustomMessage, THEIRS), &everything()).expect("a plan");
    assert!(at_home.notes.is_empty(), "{:?}", at_home.notes);
}
