//! What `attach` and `detach` show: the difference before anything is done, and the document.
//!
//! Invariant: settings of the pool are named, their values are not shown; functions are shown by their ARNs.

use std::collections::BTreeSet;

use serde::Serialize;
use twinpool_shared::{
    attach::{ParameterChange, Plan, Slot, SlotChange},
    error::Error,
};

use super::pool::Outcome;
use crate::{exit::Exit, output::Output};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum End {
    /// There was nothing to do.
    Nothing,
    /// `--dry-run`: there is something to do.
    Planned,
    /// Done.
    Done,
    /// The pool is done; the stack's parameters could not be changed.
    StackLeft,
    /// Somebody else changed the pool meanwhile; it was not touched.
    PoolChanged,
    /// Settings came out otherwise; the pool was put back as it was.
    PutBack,
    /// Settings came out otherwise, and some are still.
    NotPutBack,
}

/// The document.
#[derive(Debug, Serialize)]
pub(crate) struct Document<'a> {
    /// Name of the stack.
    pub(crate) stack: &'a str,
    pub(crate) outcome: End,
    pub(crate) slots: &'a [SlotChange],
    pub(crate) parameters: &'a [ParameterChange],
    pub(crate) warnings: &'a [String],
    /// Settings of the pool that the outcome is about.
    pub(crate) settings: BTreeSet<String>,
    /// The command that takes it back.
    pub(crate) undo: Option<String>,
}

impl End {
    /// The exit.
    pub(crate) fn exit(self) -> Exit {
        match self {
            Self::Nothing | Self::Done => Exit::Ok,
            Self::Planned => Exit::Differences,
            Self::StackLeft => Exit::Partial,
            Self::PoolChanged | Self::PutBack | Self::NotPutBack => Exit::Precondition,
        }
    }

    /// A sentence for the person.
    fn says(self, settings: &str) -> String {
        match self {
            Self::Nothing => "nothing to do".to_owned(),
            Self::Planned => "nothing was done (--dry-run)".to_owned(),
            Self::Done => "done; every other setting of the pool is as it was".to_owned(),
            Self::StackLeft => {
                "the pool is done; the stack's parameters are not: run it again when the stack takes updates".to_owned()
            }
            Self::PoolChanged => format!(
                "somebody changed the pool meanwhile ({settings}); this command did not touch it: look at the change, and run it again"
            ),
            Self::PutBack => format!(
                "Cognito did not take these settings as it had shown them: {settings}; the pool was put back as it was, its slots too"
            ),
            Self::NotPutBack => {
                format!(
                    "Cognito did not take these settings as it had shown them, and they are not back yet: {settings}; set them by hand"
                )
            }
        }
    }
}

/// The end that an update of the pool leads to, and the settings that it is about.
pub(crate) fn ended(outcome: Outcome) -> (End, BTreeSet<String>) {
    match outcome {
        Outcome::Set => (End::Done, BTreeSet::new()),
        Outcome::Changed(settings) => (End::PoolChanged, settings),
        Outcome::PutBack(settings) => (End::PutBack, settings),
        Outcome::Left(settings) => (End::NotPutBack, settings),
    }
}

/// The command that takes the changes of slots back, and of no other; `None` when no slot changed.
pub(crate) fn way_back(command: &str, stack: &str, pool: &str, plan: &Plan) -> Option<String> {
    let changed = plan.slots.iter().filter(|change| change.changes());
    let changed: Vec<&str> = changed.map(|change| change.slot.as_str()).collect();
    let slots = match changed.len() {
        0 => return None,
        all if all == Slot::ALL.len() => String::new(),
        _ => format!(" --slot {}", changed.join(" ")),
    };
    Some(format!("twinpool {command} --stack {stack} --pool {pool}{slots}"))
}

/// The difference, line by line.
pub(crate) fn difference(pool: &str, stack: &str, plan: &Plan, warnings: &[String]) -> Vec<String> {
    let mut lines = vec![format!("pool {pool}, stack {stack}")];
    lines.extend(plan.slots.iter().map(slot));
    lines.extend(
        plan.parameters
            .iter()
            .map(|change| format!("  stack {}: \"{}\" -> \"{}\"", change.name, change.before, change.after)),
    );
    if plan.changes_pool() {
        lines.push(
            "  nothing else changes: every other setting of the pool is sent as it is, and compared afterwards"
                .to_owned(),
        );
    }
    lines.extend(warnings.iter().map(|warning| format!("  note: {warning}")));
    lines
}

fn slot(change: &SlotChange) -> String {
    let held = |arn: &Option<String>| arn.clone().unwrap_or_else(|| "empty".to_owned());
    let chained = change.chained.as_ref();
    let chained = chained.map(|arn| format!(", which invokes {arn}")).unwrap_or_default();
    let slot = change.slot.as_str();
    if change.changes() {
        format!(
            "  slot {slot}: {} -> {}{chained}",
            held(&change.before),
            held(&change.after)
        )
    } else {
        format!("  slot {slot}: stays {}{chained}", held(&change.before))
    }
}

/// Writes the end: the document, or a sentence.
///
/// # Errors
/// As [`Output::write`].
pub(crate) fn finish(output: &Output, command: &str, pool: &str, document: &Document<'_>) -> Result<Exit, Error> {
    if output.json {
        output.document(command, pool, document)?;
    }
    let settings: Vec<&str> = document.settings.iter().map(String::as_str).collect();
    output.note(&document.outcome.says(&settings.join(", ")));
    if let Some(undo) = &document.undo {
        output.note(&format!("the way back: {undo}"));
    }
    Ok(document.outcome.exit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::tests::documented;

    const THEIRS: &str = "arn:aws:lambda:us-east-1:111122223333:function:welcome";
    const OURS: &str = "arn:aws:lambda:us-east-1:111122223333:function:twinpool-post-confirmation";

    fn plan() -> Plan {
        Plan {
            slots: vec![
                SlotChange {
                    slot: Slot::PostConfirmation,
                    before: Some(THEIRS.into()),
                    after: Some(OURS.into()),
                    chained: Some(THEIRS.into()),
                },
                SlotChange {
                    slot: Slot::CustomMessage,
                    before: None,
                    after: None,
                    chained: None,
                },
            ],
            parameters: vec![ParameterChange {
                name: "ChainPostConfirmation",
                before: String::new(),
                after: THEIRS.into(),
            }],
            notes: Vec::new(),
        }
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let there = plan();
        let document = Document {
            stack: "twinpool",
            outcome: End::Done,
            slots: &there.slots,
            parameters: &there.parameters,
            warnings: &["no trail covers this Region".to_owned()],
            settings: BTreeSet::new(),
            undo: way_back("detach", "twinpool", "us-east-1_EXAMPLE", &there),
        };
        assert_eq!(serde_json::to_value(&document).expect("JSON"), documented("attach"));

        let mut back = plan();
        (back.slots[0].before, back.slots[0].after) = (Some(OURS.into()), Some(THEIRS.into()));
        back.slots[0].chained = None;
        (back.parameters[0].before, back.parameters[0].after) = (THEIRS.into(), String::new());
        let document = Document {
            stack: "twinpool",
            outcome: End::PutBack,
            slots: &back.slots,
            parameters: &back.parameters,
            warnings: &[],
            settings: BTreeSet::from(["Policies/PasswordPolicy/MinimumLength".to_owned()]),
            undo: None,
        };
        assert_eq!(serde_json::to_value(&document).expect("JSON"), documented("detach"));
    }

    #[test]
    fn a_difference_names_every_slot_and_says_what_else_happens() {
        let lines = difference("us-east-1_a", "twinpool", &plan(), &["no trail".to_owned()]);
        assert_eq!(
            lines,
            [
                "pool us-east-1_a, stack twinpool".to_owned(),
                format!("  slot post-confirmation: {THEIRS} -> {OURS}, which invokes {THEIRS}"),
                "  slot custom-message: stays empty".to_owned(),
                format!("  stack ChainPostConfirmation: \"\" -> \"{THEIRS}\""),
                "  nothing else changes: every other setting of the pool is sent as it is, and compared afterwards"
                    .to_owned(),
                "  note: no trail".to_owned(),
            ]
        );
    }

    #[test]
    fn the_way_back_is_of_the_slots_that_changed() {
        let mut plan = plan();
        let back = |plan: &Plan| way_back("detach", "t", "p", plan);
        assert_eq!(
            back(&plan).as_deref(),
            Some("twinpool detach --stack t --pool p --slot post-confirmation")
        );
        plan.slots[0].after = plan.slots[0].before.clone();
        assert_eq!(back(&plan), None);
        plan.slots = Slot::ALL
            .map(|slot| SlotChange {
                slot,
                before: None,
                after: Some(OURS.into()),
                chained: None,
            })
            .into();
        assert_eq!(back(&plan).as_deref(), Some("twinpool detach --stack t --pool p"));
    }

    #[test]
    fn what_was_not_done_is_no_success() {
        let exits = [
            End::Nothing,
            End::Done,
            End::Planned,
            End::StackLeft,
            End::PoolChanged,
            End::PutBack,
            End::NotPutBack,
        ];
        assert_eq!(exits.map(|end| end.exit().status()), [0, 0, 3, 5, 6, 6, 6]);
    }
}
