//! Which app clients of the target are those of the backup.
//!
//! Invariant: one client of the target is never taken for two of the backup. One with another secret is another client.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{CREATE_CLIENT, Found, ManualTask, Part, Phase, Step, lacking, lay_over};
use crate::import::{ORIGINAL_SUB, configure::form};

/// The clients that are there: new ids by old ones.
pub(super) fn there(steps: &[Step], known: &BTreeMap<String, String>, found: &Found) -> BTreeMap<String, String> {
    let clients: BTreeMap<&str, Value> = found
        .all(Part::Clients)
        .filter(|(_, shown)| !shown["ClientId"].is_null())
        .map(|(id, shown)| (id, form(CREATE_CLIENT, shown)))
        .collect();
    let mut there: BTreeMap<String, String> = known.clone();
    there.retain(|_, new| clients.contains_key(new.as_str()));
    let mut taken: BTreeSet<String> = there.values().cloned().collect();
    let wanted = steps.iter().filter(|step| step.operation == CREATE_CLIENT);
    let wanted: Vec<(&String, &Value)> = wanted
        .filter_map(|step| Some((step.client.as_ref()?, step.input.expose())))
        .collect();
    // Two clients may differ in outside providers alone: once these are set, the nearest is told first.
    let opened = steps.iter().filter(|step| step.phase == Phase::OutsideSignIn);
    let opened: Vec<(&String, Value)> = opened
        .filter_map(|step| {
            let (old, input) = wanted.iter().find(|(old, _)| step.client.as_ref() == Some(*old))?;
            let mut whole = (*input).clone();
            lay_over(&mut whole, step.input.expose());
            Some((*old, whole))
        })
        .collect();
    for (old, input) in &opened {
        let mut candidates = clients.iter().filter(|(id, client)| {
            !taken.contains(**id) && is_namesake(input, client) && lacking(input, client).is_empty()
        });
        if let Some((id, _)) = candidates.next().filter(|_| !there.contains_key(*old)) {
            taken.insert((*id).to_owned());
            there.insert((*old).clone(), (*id).to_owned());
        }
    }
    for only_same in [true, false] {
        for (old, input) in &wanted {
            if there.contains_key(*old) {
                continue;
            }
            let candidates = clients.iter().filter(|(id, _)| !taken.contains(**id));
            let candidates = candidates.filter(|(_, client)| is_namesake(input, client));
            let mut candidates = candidates.filter(|(_, client)| !only_same || lacking(input, client).is_empty());
            let first = candidates.next();
            // Settings that differ are patched only where there is no doubt whose they are.
            let is_clear = only_same || (candidates.next().is_none() && is_only(&wanted, input, &there));
            if let Some((id, _)) = first.filter(|_| is_clear) {
                taken.insert((*id).to_owned());
                there.insert((*old).clone(), (*id).to_owned());
            }
        }
    }
    there
}

/// The target's other clients that may write the `sub` of the backup. They are nobody's to change but their owner's.
pub(super) fn writers(restored: &BTreeMap<String, String>, found: &Found) -> Vec<ManualTask> {
    let others = found.all(Part::Clients).filter(|(id, shown)| {
        let list = shown["WriteAttributes"].as_array().filter(|list| !list.is_empty());
        !shown["ClientId"].is_null()
            && !restored.values().any(|new| new == id)
            && list.is_none_or(|list| list.iter().any(|name| name == ORIGINAL_SUB))
    });
    let what = "this app client of the target may write custom:original_sub, by which users are known again: give it \
                WriteAttributes without it before users are made";
    others
        .map(|(id, _)| ManualTask::beside(format!("clients/{id}/WriteAttributes"), what))
        .collect()
}

/// Whether a client as `DescribeUserPoolClient` shows it is what `input` of `CreateUserPoolClient` makes.
#[must_use]
pub fn same_client(input: &Value, shown: &Value) -> bool {
    let client = form(CREATE_CLIENT, shown);
    is_namesake(input, &client) && lacking(input, &client).is_empty()
}

/// Same name and same secret, or both without.
fn is_namesake(input: &Value, client: &Value) -> bool {
    ["ClientName", "ClientSecret"]
        .iter()
        .all(|member| input.get(member) == client.get(member))
}

/// Whether no other client that is wanted and not there could be meant.
fn is_only(wanted: &[(&String, &Value)], input: &Value, there: &BTreeMap<String, String>) -> bool {
    let open = wanted.iter().filter(|(old, _)| !there.contains_key(*old));
    open.filter(|(_, other)| is_namesake(input, other)).count() == 1
}
