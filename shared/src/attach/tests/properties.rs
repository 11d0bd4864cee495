//! The plans, by what users run before and after them.
//!
//! Invariant under test: nobody runs a function less or more than before but Twinpool's, in this pool and in every other.

use proptest::{collection, option, prelude::*, sample};

use super::*;

/// The functions of others that users of a pool run, by slot: behind ours what it is told to invoke, or where that is gone, what
/// the stack says that it invoked.
fn run(seen: &Seen, slots: &Slots) -> Slots {
    let runs = |(slot, arn): (&Slot, &String)| {
        let told = seen
            .functions
            .get(slot)
            .and_then(|function| function.chains_to.as_ref());
        let chain = told.or(seen.stack.chains.get(slot));
        let arn = if seen.stack.owns(*slot, arn) { chain } else { Some(arn) };
        Some((*slot, arn?.clone()))
    };
    slots.iter().filter_map(runs).collect()
}

fn slots(of: Vec<Option<String>>) -> Slots {
    Slot::ALL
        .into_iter()
        .zip(of)
        .filter_map(|(slot, arn)| Some((slot, arn?)))
        .collect()
}

/// Slots that hold nothing, ours, an alias of ours, or somebody else's function.
fn any_slots() -> impl Strategy<Value = Slots> {
    let held = |slot: Slot| {
        let own = ours(slot);
        let alias = format!("{own}:live");
        option::of(sample::select(vec![
            THEIRS.into(),
            ALIAS.into(),
            OTHERS.into(),
            FOREIGN_TWINPOOL.into(),
            own,
            alias,
        ]))
    };
    Slot::ALL.map(held).into_iter().collect::<Vec<_>>().prop_map(slots)
}

/// What somebody made of a function.
#[derive(Clone, Copy, Debug)]
enum Fate {
    AsSaid,
    Emptied,
    Untold,
    Turned,
    Deleted,
}

fn befall(seen: &mut Seen, slot: Slot, fate: Fate) {
    let Some(function) = seen.functions.get_mut(&slot) else {
        return;
    };
    match fate {
        Fate::AsSaid => {}
        Fate::Emptied => function.chains_to = None,
        Fate::Untold => (function.is_told, function.chains_to) = (false, None),
        Fate::Turned => function.chains_to = Some(OTHERS.into()),
        Fate::Deleted => drop(seen.functions.remove(&slot)),
    }
}

fn any_fate() -> impl Strategy<Value = Fate> {
    let bad = sample::select(vec![Fate::Emptied, Fate::Untold, Fate::Turned, Fate::Deleted]);
    prop_oneof![3 => Just(Fate::AsSaid), 1 => bad]
}

fn any_seen() -> impl Strategy<Value = Seen> {
    let chains = collection::vec(option::of(sample::select(vec![THEIRS, ALIAS, OTHERS])), 3);
    let pools = || sample::select(vec!["us-east-1_b", "us-east-1_c"]);
    let others = collection::btree_map(pools(), any_slots(), 0..3);
    let unread = option::weighted(0.2, Just("us-east-1_d".to_owned()));
    let fates = collection::vec(any_fate(), 3);
    (any_slots(), chains, fates, others, unread).prop_map(|(slots, chains, fates, others, unread)| {
        let mut seen = fresh();
        seen.slots = slots;
        for ((slot, chain), fate) in Slot::ALL.into_iter().zip(chains).zip(fates) {
            if let Some(chain) = chain {
                chained(&mut seen, slot, chain);
            }
            befall(&mut seen, slot, fate);
        }
        seen.others = others
            .into_iter()
            .map(|(pool, slots)| (pool.to_owned(), slots))
            .collect();
        seen.unread = unread.into_iter().collect();
        seen
    })
}

fn any_wanted() -> impl Strategy<Value = BTreeSet<Slot>> {
    collection::btree_set(sample::select(Slot::ALL.to_vec()), 1..=3)
}

fn others_run(seen: &Seen) -> Vec<Slots> {
    seen.others.values().map(|slots| run(seen, slots)).collect()
}

proptest! {
    #[test]
    fn an_attachment_adds_our_function_and_nothing_else(seen in any_seen(), wanted in any_wanted()) {
        let Ok(plan) = plan_attach(&seen, &wanted) else { return Ok(()) };
        let then = after(&seen, &plan);
        prop_assert_eq!(run(&seen, &seen.slots), run(&then, &then.slots));
        prop_assert_eq!(others_run(&seen), others_run(&then));
        for slot in wanted {
            prop_assert!(then.stack.owns(slot, &then.slots[&slot]));
        }
        let again = plan_attach(&then, &everything().into_iter().filter(|slot| plan.slots.iter().any(|c| c.slot == *slot && c.changes())).collect());
        prop_assert!(again.is_ok_and(|plan| plan.is_nothing()), "a second time changes nothing");
    }

    #[test]
    fn a_detachment_takes_our_function_away_and_nothing_else(seen in any_seen()) {
        let plan = plan_detach(&seen, &everything());
        let then = after(&seen, &plan);
        prop_assert_eq!(&run(&seen, &seen.slots), &then.slots);
        prop_assert_eq!(others_run(&seen), others_run(&then));
        prop_assert!(plan_detach(&then, &everything()).is_nothing());
        for (slot, function) in &seen.functions {
            let chain = seen.stack.chains.get(slot);
            if function.chains_to.as_ref() != chain || !function.is_told {
                prop_assert_eq!(then.stack.chains.get(slot), chain, "the last record of it");
            }
        }
    }

    #[test]
    fn a_detachment_of_some_slots_leaves_the_others(seen in any_seen(), wanted in any_wanted()) {
        let (all, some) = (plan_detach(&seen, &everything()), plan_detach(&seen, &wanted));
        for (of_all, of_some) in all.slots.iter().zip(&some.slots) {
            let is_meant = wanted.contains(&of_some.slot);
            prop_assert_eq!(&of_some.after, if is_meant { &of_all.after } else { &of_some.before });
        }
        let meant = |name: &str| wanted.iter().any(|slot| slot.parameter() == name);
        let of_all: Vec<ParameterChange> = all.parameters.into_iter().filter(|change| meant(change.name)).collect();
        prop_assert_eq!(some.parameters, of_all);
    }

    #[test]
    fn there_and_back_is_where_it_was(seen in any_seen(), wanted in any_wanted()) {
        let mut seen = seen;
        seen.stack.chains.clear();
        for function in seen.functions.values_mut() {
            function.chains_to = None;
        }
        seen.slots.retain(|slot, arn| !seen.stack.owns(*slot, arn));
        let Ok(plan) = plan_attach(&seen, &wanted) else { return Ok(()) };
        let then = after(&seen, &plan);
        let mut shown = json!({LAMBDA_CONFIG: {"PreSignUp": "f", "KMSKeyID": "k"}});
        for (slot, arn) in &seen.slots {
            shown[LAMBDA_CONFIG][slot.member()] = json!(arn);
        }
        let attached = json!({LAMBDA_CONFIG: plan.lambda_config(&shown)});
        prop_assert_eq!(&slots_of(&attached), &then.slots);
        let back = plan_detach(&then, &wanted);
        prop_assert_eq!(back.lambda_config(&attached), shown[LAMBDA_CONFIG].clone());
        prop_assert_eq!(after(&then, &back), seen);
    }
}
