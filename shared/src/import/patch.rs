//! An existing target: what of it has to change so that it is set as the backup is, and what cannot change.
//!
//! It is compared live, each time again: what an earlier attempt made is found by its natural key (a client by name, secret and
//! settings) and not made twice. So this is also how an attempt that was cut off goes on.
//!
//! Sources: API reference, the inputs of each `Create`, `Update` and `Set` operation.
//!
//! Invariant: nothing is deleted. What the target has beyond the backup stays, and is said again where a call would reset it.

mod clients;
mod compare;
mod pieces;
mod pool;
mod there;

use std::{collections::BTreeMap, fmt};

use serde_json::{Value, json};

pub use self::{
    clients::same_client,
    compare::{Difference, compare},
};
use super::configure::{
    ADD_ATTRIBUTES, CREATE_CLIENT, CREATE_POOL, ManualTask, Phase, Step, UPDATE_CLIENT, UPDATE_POOL, Wanted, form,
    lay_over,
};
use crate::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    marks::Part,
    snapshot::{
        Json, POOL_LEVEL,
        diff::{ConfigDifference, DifferenceKind, diff_config},
        past::Configuration,
        survey::Findings,
    },
};

/// What a target is set to, as it was just read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Everything but the groups.
    pub configuration: Configuration,
    /// The groups.
    pub groups: BTreeMap<String, GroupSettings>,
}

impl Found {
    /// What a survey of the target found.
    ///
    /// # Errors
    /// The first error of a part that could not be read: what was not seen cannot be compared.
    pub fn new(findings: Findings, groups: BTreeMap<String, GroupSettings>) -> Result<Self, Error> {
        match findings.incomplete.first_key_value() {
            Some((_, error)) => Err(error.clone()),
            None => Ok(Self {
                configuration: Configuration::of_findings(findings),
                groups,
            }),
        }
    }

    fn json(&self, part: Part, name: &str) -> Option<&Value> {
        self.configuration.json(part, name)
    }

    fn all(&self, part: Part) -> impl Iterator<Item = (&str, &Value)> {
        self.configuration.json_of(part)
    }
}

/// How to change a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Patch {
    /// The calls, in their order; those for what is there already are left out.
    pub steps: Vec<Step>,
    /// App clients that are there already: new ids by old ones.
    pub clients: BTreeMap<String, String>,
    /// What somebody should know or do.
    pub manual: Vec<ManualTask>,
}

/// Something that cannot be changed once it is made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Immutable {
    /// The setting.
    pub path: String,
    /// Its value in the backup, as JSON; nothing when there is none.
    pub wanted: String,
    /// Its value in the target.
    pub found: String,
}

impl fmt::Display for Immutable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, wanted, found } = self;
        write!(
            f,
            "{path} is {found} in the target and {wanted} in the backup, and cannot be changed; name another target"
        )
    }
}

impl Immutable {
    fn of(path: &str, difference: &ConfigDifference) -> Self {
        let text = |json: &Option<Json>| {
            json.as_ref()
                .map_or("absent".to_owned(), |json| json.expose().to_string())
        };
        Self {
            path: format!("{path}/{}", difference.path),
            wanted: text(&difference.before),
            found: text(&difference.after),
        }
    }
}

impl From<Vec<Immutable>> for Error {
    fn from(differences: Vec<Immutable>) -> Self {
        let lines: Vec<String> = differences.iter().map(Immutable::to_string).collect();
        Self::new(ErrorKind::Unmet, lines.join("\n"))
    }
}

/// What makes the target `found` as `wanted`. A plan may show these calls; whether the backup still agrees with it is told by
/// the digests of `wanted`, because there are fewer calls here the further an import is. `known` are the app clients
/// that earlier attempts made: new ids by old ones.
///
/// # Errors
/// Everything that differs and cannot be changed.
pub fn patch(wanted: &Wanted, known: &BTreeMap<String, String>, found: &Found) -> Result<Patch, Vec<Immutable>> {
    let mut immutable = Vec::new();
    let mut patch = Patch {
        clients: clients::there(&wanted.steps, known, found),
        ..Patch::default()
    };
    pool::patch(&wanted.pool, found, &mut patch, &mut immutable);
    patch.manual.extend(clients::writers(&patch.clients, found));
    for step in &wanted.steps {
        match step.operation {
            CREATE_POOL | ADD_ATTRIBUTES => {}
            _ if pieces::is_taken(step, found) => patch.manual.push(ManualTask::gap(step.path(), pieces::TAKEN)),
            _ => match pieces::counterpart(step, &patch.clients, found) {
                None => patch.steps.push(step.clone()),
                Some(there) => patch.steps.extend(change(step, &there, &mut immutable)),
            },
        }
    }
    if immutable.is_empty() {
        Ok(patch)
    } else {
        Err(immutable)
    }
}

/// The step that changes what is `there`, unless it is as wanted.
fn change(step: &Step, there: &pieces::Counterpart, immutable: &mut Vec<Immutable>) -> Option<Step> {
    let wanted = pieces::changeable(step.input.expose());
    let differences = lacking(&wanted, &there.form);
    if differences.is_empty() {
        return None;
    }
    let fixed = differences
        .iter()
        .filter(|difference| difference.path == "ProviderType");
    immutable.extend(fixed.map(|difference| Immutable::of(&step.path(), difference)));
    let (operation, has_client) = pieces::update_of(step.operation);
    let mut input = match step.operation {
        // What else the pool or the client is set to is laid under it when the call is made.
        UPDATE_POOL | UPDATE_CLIENT => wanted,
        _ => merged(&there.form, &wanted),
    };
    if let Value::Object(members) = &mut input {
        if operation == "UpdateIdentityProvider" {
            members.remove("ProviderType");
        }
        members.extend(there.key.clone());
    }
    Some(Step {
        phase: step.phase,
        operation,
        subject: step.subject.clone(),
        client: step.client.clone().filter(|_| has_client),
        input: Json::new(input),
    })
}

/// Lists of names in which an entry takes nothing from the others: those of the target stay beside those of the backup.
const OPEN_LISTS: [&str; 4] = [
    "CallbackURLs",
    "IdpIdentifiers",
    "LogoutURLs",
    "SupportedIdentityProviders",
];

/// Input of `UpdateUserPoolClient` that says everything again that `shown` (what `DescribeUserPoolClient` shows now) is set to,
/// with `changes` laid over it. Without the ids of pool and client.
#[must_use]
pub fn update_client_input(shown: &Value, changes: &Value) -> Value {
    merged(&pieces::changeable(&form(CREATE_CLIENT, shown)), changes)
}

/// What of `wanted` is not so in `found`. What is found beyond it does not count.
fn lacking(wanted: &Value, found: &Value) -> Vec<ConfigDifference> {
    let mut wanted = wanted.clone();
    for list in OPEN_LISTS {
        let Some(entries) = wanted.get(list).and_then(Value::as_array) else {
            continue;
        };
        let there = found.get(list).unwrap_or(&Value::Null);
        if !entries.iter().all(|entry| has(there, entry)) {
            continue;
        }
        if let Some(members) = wanted.as_object_mut() {
            // Nothing is said of a list that is empty here and not shown there.
            if there.is_null() {
                members.remove(list);
            } else {
                members.insert(list.to_owned(), there.clone());
            }
        }
    }
    let mut differences = diff_config(&Json::new(wanted), &Json::new(found.clone()));
    differences.retain(|difference| difference.kind != DifferenceKind::Added);
    differences
}

fn has(list: &Value, entry: &Value) -> bool {
    list.as_array().is_some_and(|entries| entries.contains(entry))
}

/// `wanted` over `found`. In lists of named entries and in those of names, what is found beyond the wanted ones stays.
fn merged(found: &Value, wanted: &Value) -> Value {
    let mut all = found.clone();
    lay_over(&mut all, wanted);
    for (list, name) in [("Scopes", "ScopeName"), ("LogConfigurations", "EventSource")] {
        keep(&mut all, found, list, |one, other| one[name] == other[name]);
    }
    for list in OPEN_LISTS {
        keep(&mut all, found, list, PartialEq::eq);
    }
    all
}

/// Keeps the entries of `list` that are found and that `all` has not.
fn keep(all: &mut Value, found: &Value, list: &str, is_same: impl Fn(&Value, &Value) -> bool) {
    let Some(entries) = all.get_mut(list).and_then(Value::as_array_mut) else {
        return;
    };
    for entry in found[list].as_array().into_iter().flatten() {
        if !entries.iter().any(|there| is_same(there, entry)) {
            entries.push(entry.clone());
        }
    }
}

impl Patch {
    /// What the pool of `found` and its MFA are set to once this is done, as far as users are shaped by it.
    #[must_use]
    pub fn laid_over(&self, found: &Found) -> (Value, Option<Value>) {
        let mut pool = found.json(Part::Pool, POOL_LEVEL).cloned().unwrap_or_default();
        let mut mfa = found.json(Part::Mfa, POOL_LEVEL).cloned();
        for step in &self.steps {
            let input = step.input.expose();
            match (step.operation, step.phase) {
                (ADD_ATTRIBUTES, _) => {
                    let added = input["CustomAttributes"].as_array().into_iter().flatten();
                    let added: Vec<Value> = added.map(pool::as_shown).collect();
                    if let Some(schema) = pool["SchemaAttributes"].as_array_mut() {
                        schema.extend(added);
                    }
                }
                (UPDATE_POOL, _) => lay_over(&mut pool, input),
                (_, Phase::Mfa) => lay_over(mfa.get_or_insert_with(|| json!({})), input),
                _ => {}
            }
        }
        (pool, mfa)
    }
}
