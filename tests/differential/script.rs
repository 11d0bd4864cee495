//! Carrying out a script of `tests/fixtures/differential` on one side.
//!
//! Invariant: a step's answer is what the server wrote; an error counts by its code alone, its words are nobody's contract.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use serde::Deserialize;
use serde_json::{Value, json};
use twinpool_tests::stand_ins::{Cognito, Functions};

use super::compare::{Difference, differences, name_of, normalised};

/// Pages followed at most: a side that never ends its list must not hang the suite.
const PAGES_MAX: usize = 50;
/// `{n}` of the first turn: three digits, so that the order of names is the order of turns.
const FIRST_TURN: u32 = 100;

/// One step; the README beside the scripts explains the members.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    call: String,
    with: Value,
    #[serde(default)]
    keep: BTreeMap<String, String>,
    #[serde(default)]
    repeat: Option<u32>,
    #[serde(default)]
    walk: Option<[String; 3]>,
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    hide: BTreeSet<String>,
}

/// One side of a comparison.
pub(super) struct Side<'a> {
    pub(super) cognito: Cognito,
    /// Where `{code}` comes from.
    pub(super) codes: Codes,
    /// Compares the triggers' events instead of the answers.
    pub(super) functions: Option<&'a Functions>,
}

/// Where the code of the last message is found.
pub(super) enum Codes {
    /// It is always the same.
    Fixed(&'static str),
    /// The local cloud tells.
    Mailbox,
}

/// What a step showed.
struct Shown {
    operation: String,
    step: usize,
    answer: Result<Value, String>,
}

/// Carries a script out on both sides and returns where they differ.
pub(super) async fn compared(name: &str, ours: &Side<'_>, theirs: &Side<'_>) -> Vec<Difference> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fixtures/differential")
        .join(name);
    let text = fs::read(&file).expect("the script is there");
    let steps: Vec<Step> = serde_json::from_slice(&text).expect("a script");
    let (ours, theirs) = (ours.carry_out(&steps).await, theirs.carry_out(&steps).await);
    assert_eq!(ours.len(), theirs.len());
    let mut all = Vec::new();
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        let mut found = Vec::new();
        match (&ours.answer, &theirs.answer) {
            (Ok(ours), Ok(theirs)) => differences(ours, theirs, "", &mut found),
            (ours, theirs) => {
                let outcome =
                    |side: &Result<Value, String>| side.as_ref().err().map_or("ok", String::as_str).to_owned();
                let (ours, theirs) = (outcome(ours), outcome(theirs));
                if ours != theirs {
                    found.push((format!("error {ours}|{theirs}"), json!(ours), json!(theirs)));
                }
            }
        }
        all.extend(found.into_iter().map(|(path, left, right)| Difference {
            operation: ours.operation.clone(),
            step: ours.step,
            path,
            ours: left,
            theirs: right,
        }));
    }
    all
}

impl Side<'_> {
    async fn carry_out(&self, steps: &[Step]) -> Vec<Shown> {
        let mut kept = BTreeMap::new();
        let mut shown = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            for turn in 0..step.repeat.unwrap_or(1) {
                let mut names = kept.clone();
                names.insert("n".to_owned(), (FIRST_TURN + turn).to_string());
                if step.with.to_string().contains("{code}") {
                    names.insert("code".to_owned(), self.code(&kept).await);
                }
                let input = filled(&step.with, &names);
                let answer = match &step.walk {
                    Some(walk) => self.walked(&step.call, input, walk).await,
                    None => self.cognito.call(&step.call, input).await.map_err(|error| error.code),
                };
                if let Ok(answer) = &answer {
                    for (name, path) in &step.keep {
                        if let Some(id) = found(answer, path).and_then(Value::as_str) {
                            kept.insert(name.clone(), id.to_owned());
                        }
                    }
                }
                let compared = answer.map(|answer| match self.functions {
                    Some(functions) => events(functions),
                    None if step.only.is_empty() => answer,
                    None => step
                        .only
                        .iter()
                        .map(|path| (path.clone(), json!(found(&answer, path))))
                        .collect(),
                });
                shown.push(Shown {
                    operation: step.call.clone(),
                    step: number,
                    answer: compared.map(|answer| normalised(&answer, &kept, &step.hide)),
                });
            }
        }
        shown
    }

    async fn walked(&self, operation: &str, mut input: Value, walk: &[String; 3]) -> Result<Value, String> {
        let [list, token, next] = walk;
        let (mut sizes, mut all) = (Vec::new(), Vec::new());
        for _ in 0..PAGES_MAX {
            let mut page = self
                .cognito
                .call(operation, input.clone())
                .await
                .map_err(|error| error.code)?;
            let elements = page[list].as_array_mut().map(std::mem::take).unwrap_or_default();
            sizes.push(elements.len().to_string());
            all.extend(elements);
            match page[token].take() {
                Value::Null => return Ok(json!({"sizes": sizes.join(" "), "all": all})),
                given => input[next] = given,
            }
        }
        Err("Endless".to_owned())
    }

    async fn code(&self, kept: &BTreeMap<String, String>) -> String {
        match self.codes {
            Codes::Fixed(code) => code.to_owned(),
            Codes::Mailbox => {
                let pool = kept.get("pool").expect("a script with codes keeps its pool");
                let messages = self.cognito.look(&format!("/_localcloud/messages?pool={pool}")).await;
                let last = messages
                    .as_array()
                    .and_then(|messages| messages.last())
                    .expect("a message");
                last["code"].as_str().expect("a code").to_owned()
            }
        }
    }
}

/// The triggers since the last step, by their place in the order.
fn events(functions: &Functions) -> Value {
    let invocations = functions.take().into_iter().enumerate();
    let named = invocations.map(|(place, invocation)| {
        let shown = json!({"function": invocation.function, "event": invocation.event});
        (place.to_string(), shown)
    });
    Value::Object(named.collect())
}

/// `value` with the names in braces replaced.
fn filled(value: &Value, names: &BTreeMap<String, String>) -> Value {
    match value {
        Value::String(text) => {
            let filled = names.iter().fold(text.clone(), |text, (name, id)| {
                text.replace(&format!("{{{name}}}"), id)
            });
            Value::String(filled)
        }
        Value::Array(elements) => elements.iter().map(|element| filled(element, names)).collect(),
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(name, value)| (name.clone(), filled(value, names)))
                .collect(),
        ),
        other => other.clone(),
    }
}

/// The value at `path`; an element of a list by its name, and of an attribute its value.
fn found<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, part| match value {
        Value::Array(elements) => {
            let element = elements.iter().find(|element| name_of(element) == Some(part))?;
            Some(element.get("Value").unwrap_or(element))
        }
        other => other.get(part),
    })
}
