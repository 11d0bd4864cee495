//! The plans, by what users run before and after them.
//!
//! Invariant under test: nobody runs a function less or more than before but Twinpool's, in this pool and in every other.

use proptest::{collection, option, prelude::*, sample};

use super::*;

/// The functions of others that users of a pool run, by slot.
fn run(seen: &Seen, slots: &Slots) -> Slots {
    let runs = |(slot, arn): (&Slot, &String)| {
        let chain = seen.stack.chains.get(slot).cloned();
        let arn = if seen.stack.owns(*slot, arn) {
            chain
        } else {
            Some(arn.clone())
        };
        Some((*slot, arn?))
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

fn any_seen() -> impl Strategy<Value = Seen> {
    let chains = collection::vec(option::of(sample::select(vec![THEIRS, ALIAS, OTHERS])), 3);
    let others = collection::btree_map(sample::select(vec!["us-east-1_b", "us-east-1_c"]), any_slots(), 0..3);
    (any_slots(), chains, others).prop_map(|(slots, chains, others)| {
        let mut seen = fresh();
        seen.slots = slots;
        for (slot, chain) in Slot::ALL.into_iter().zip(chains) {
            if let Some(chain) = chain {
                chained(&mut seen, slot, chain);
            }
        }
        seen.others = others
            .into_iter()
            .map(|(pool, slots)| (pool.to_owned(), slots))
            .collect();
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
        let plan = plan_detach(&seen);
        let then = after(&seen, &plan);
        prop_assert_eq!(&run(&seen, &seen.slots), &then.slots);
        prop_assert_eq!(others_run(&seen), others_run(&then));
        prop_assert!(plan_detach(&then).is_nothing());
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
        let back = plan_detach(&then);
        prop_assert_eq!(back.lambda_config(&attached), shown[LAMBDA_CONFIG].clone());
        prop_assert_eq!(after(&then, &back), seen);
    }
}
