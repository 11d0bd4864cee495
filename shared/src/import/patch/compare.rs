//! The configuration half of `twinpool verify --target`: what the target is set to, against what the backup wants.
//!
//! Invariant: no secret is in a difference. What is expected says why.

use std::collections::BTreeMap;

use super::{
    ADD_ATTRIBUTES, CREATE_CLIENT, CREATE_POOL, ConfigDifference, DifferenceKind, Found, Json, POOL_LEVEL, Part, Phase,
    Wanted, lacking, pieces, pool, there,
};
use crate::{import::configure::of_pool, snapshot::diff::SECRET_CHANGED};

/// A difference between backup and target.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// Where: part and member of the backup, and below them the names of settings.
    pub path: String,
    /// What became of it, from the backup to the target.
    pub kind: DifferenceKind,
    /// Its value in the backup, rewritten by the mapping, secrets masked.
    pub wanted: Option<Json>,
    /// Its value in the target, secrets masked.
    pub found: Option<Json>,
    /// Why it has to be so; `None` when nothing explains it.
    pub expected: Option<String>,
}

/// The differences from `wanted` to `found`, in the order of the steps, and what is known to be missing. `clients` are the new
/// ids of app clients by their old ones. What the target has beyond the backup is none.
/// The pool of a drill is held against what a drill makes.
#[must_use]
pub fn compare(wanted: &Wanted, clients: &BTreeMap<String, String>, found: &Found) -> Vec<Difference> {
    let drill = found
        .json(Part::Pool, POOL_LEVEL)
        .and_then(|shown| of_pool(wanted, shown));
    let wanted = drill.as_ref().unwrap_or(wanted);
    let mut differences: Vec<Difference> = pool::differences(&wanted.pool, found)
        .into_iter()
        .map(|difference| of("pool/pool", difference))
        .collect();
    for step in &wanted.steps {
        if [CREATE_POOL, ADD_ATTRIBUTES].contains(&step.operation) {
            continue;
        }
        let path = step.path();
        match pieces::counterpart(step, clients, found) {
            Some(there) => {
                let wanted = pieces::changeable(step.input.expose());
                let lacking = lacking(&wanted, &there.form);
                differences.extend(lacking.into_iter().map(|difference| of(&path, difference)));
                if step.operation == CREATE_CLIENT && !pieces::has_its_secret(step, clients, found) {
                    differences.push(secret(&path));
                }
            }
            // The client itself is what is missing.
            None if step.phase == Phase::OutsideSignIn => {}
            None => differences.push(Difference {
                path,
                kind: DifferenceKind::Removed,
                wanted: None,
                found: None,
                expected: pieces::is_taken(step, found).then(|| pieces::TAKEN.to_owned()),
            }),
        }
    }
    for difference in &mut differences {
        let task = wanted.manual.iter().find(|task| task.explains(&difference.path));
        if let Some(task) = task {
            difference.expected = Some(task.what.clone());
        }
    }
    let known: Vec<Difference> = known(wanted)
        .filter(|known| known.kind != DifferenceKind::Removed || is_open(&known.path, &differences, clients, found))
        .collect();
    differences.extend(known);
    differences
}

/// Whether what is known to be missing is missing still, and was not found so by the comparison.
fn is_open(path: &str, differences: &[Difference], clients: &BTreeMap<String, String>, found: &Found) -> bool {
    let is_told = differences.iter().any(|difference| {
        let below = difference.path.strip_prefix(path);
        below.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '[']))
    });
    !is_told && !there::is_there(path, clients, found)
}

fn of(path: &str, difference: ConfigDifference) -> Difference {
    Difference {
        path: format!("{path}/{}", difference.path),
        kind: difference.kind,
        wanted: difference.before,
        found: difference.after,
        expected: None,
    }
}

fn secret(path: &str) -> Difference {
    let masked = Some(Json::new(SECRET_CHANGED.into()));
    Difference {
        path: format!("{path}/ClientSecret"),
        kind: DifferenceKind::Changed,
        wanted: masked.clone(),
        found: masked,
        expected: None,
    }
}

/// What is missing or otherwise by the plan itself.
fn known(wanted: &Wanted) -> impl Iterator<Item = Difference> {
    let gaps = wanted.manual.iter().filter(|task| task.is_gap);
    let gaps = gaps.map(|task| (task.path.clone(), task.what.clone()));
    let left_out = wanted.left_out.iter();
    let left_out = left_out.map(|left_out| {
        (
            left_out.path.clone(),
            format!("the mapping file leaves out {}", left_out.arn),
        )
    });
    let missing = gaps.chain(left_out);
    let missing = missing.map(|(path, reason)| (path, DifferenceKind::Removed, reason));
    let adjusted = wanted.adjusted.iter();
    let adjusted = adjusted.map(|adjusted| (adjusted.path.clone(), DifferenceKind::Changed, adjusted.why.clone()));
    missing.chain(adjusted).map(|(path, kind, reason)| Difference {
        path,
        kind,
        wanted: None,
        found: None,
        expected: Some(reason),
    })
}
