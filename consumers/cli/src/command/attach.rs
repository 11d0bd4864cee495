//! `twinpool attach`: puts Twinpool's functions into a pool's trigger slots.
//!
//! Invariant: the difference is shown and agreed to first; a slot's own function goes on being invoked, by ours; nothing else of
//! the pool changes, or it is put back.

use std::collections::BTreeSet;

use twinpool_shared::{
    attach::{Plan, Refusal, Slot, plan_attach},
    error::{Error, ErrorKind},
};

use crate::{
    attaching::{
        Attachment, Purpose,
        asking::{agree, slot, wanted},
        view::{self, Document, End},
    },
    context::Context,
    exit::Exit,
};

/// Arguments of `attach`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the stack of infra/primary.yaml
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Only these slots: post-confirmation, post-authentication, custom-message
    #[arg(long, value_name = "SLOT", num_args = 1.., value_parser = slot)]
    slot: Vec<Slot>,
    /// Show the difference, and end; exit status 3 when there is one
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Attaches.
///
/// # Errors
/// `Unmet` with every reason why it cannot be; as the services answer. Nothing was changed then but, where the message comes
/// after an agreement, the stack's chain parameters, which another attempt goes on from.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let attachment = Attachment::connect(context).await?;
    let found = attachment.look(&args.stack, Purpose::Attach).await?;
    let plan = plan_attach(&found.seen, &wanted(&args.slot)).map_err(|refusals| refused(&refusals))?;
    let mut warnings = plan.notes.clone();
    warnings.extend(attachment.trail().await);
    attachment.show(&found, &plan, &warnings)?;
    let stack = &found.seen.stack.name;
    let finish = |outcome, settings, undo, warnings: &[String]| {
        let document = Document {
            stack,
            outcome,
            slots: &plan.slots,
            parameters: &plan.parameters,
            warnings,
            settings,
            undo,
        };
        view::finish(&context.output, "attach", attachment.id(), &document)
    };
    if plan.is_nothing() || args.dry_run {
        let outcome = if plan.is_nothing() { End::Nothing } else { End::Planned };
        return finish(outcome, BTreeSet::new(), None, &warnings);
    }
    if !args.yes {
        agree()?;
    }
    attachment.try_out(&plan).await?;
    attachment.update_stack(&found, &plan.parameters).await?;
    let set = async {
        attachment.await_chains(&plan).await?;
        let config = plan.lambda_config(found.shown.pool.expose());
        attachment.pool().set(&found.shown, &config).await
    };
    let (outcome, settings) = view::ended(set.await.map_err(|error| half_done(error, &plan))?);
    if outcome == End::Done {
        let undo = view::way_back("detach", stack, attachment.id(), &plan);
        return finish(outcome, settings, undo, &warnings);
    }
    if let Some(already) = set_already(&plan) {
        context.output.note(&already);
        warnings.push(already);
    }
    finish(outcome, settings, None, &warnings)
}

/// What of the stack has been changed when the pool was not. It does no harm.
fn set_already(plan: &Plan) -> Option<String> {
    let names: Vec<&str> = plan.parameters.iter().map(|change| change.name).collect();
    (!names.is_empty()).then(|| {
        format!(
            "{} of the stack is set already, and running this again goes on from there",
            names.join(", ")
        )
    })
}

/// An error behind the update of the stack: what has been changed by then does no harm, and is said.
fn half_done(error: Error, plan: &Plan) -> Error {
    match set_already(plan) {
        Some(already) => Error::new(error.kind, format!("{}; {already}", error.what)),
        None => error,
    }
}

fn refused(refusals: &[Refusal]) -> Error {
    let reasons: Vec<String> = refusals.iter().map(Refusal::to_string).collect();
    Error::new(ErrorKind::Unmet, format!("not attached: {}", reasons.join("; also: ")))
}

#[cfg(test)]
mod tests {
    use twinpool_shared::attach::ParameterChange;

    use super::*;

    #[test]
    fn what_was_changed_before_an_error_is_said() {
        let mut plan = Plan {
            slots: Vec::new(),
            parameters: Vec::new(),
            notes: Vec::new(),
        };
        let error = Error::new(ErrorKind::Throttled, "cognito-idp:UpdateUserPool on the pool");
        assert_eq!(half_done(error.clone(), &plan), error);
        plan.parameters.push(ParameterChange {
            name: "ChainCustomMessage",
            before: String::new(),
            after: "arn".into(),
        });
        let said = half_done(error, &plan);
        assert_eq!(said.kind, ErrorKind::Throttled);
        assert!(
            said.what.contains("; ChainCustomMessage of the stack is set already"),
            "{}",
            said.what
        );
    }

    #[test]
    fn every_reason_is_said() {
        let error = refused(&[
            Refusal::NotReady {
                slot: Slot::CustomMessage,
            },
            Refusal::Drifted {
                slot: Slot::PostConfirmation,
            },
        ]);
        assert_eq!(error.kind, ErrorKind::Unmet);
        assert!(
            error.what.contains("custom-message") && error.what.contains("also: post-confirmation"),
            "{}",
            error.what
        );
        assert_eq!(wanted(&[]).len(), 3);
        assert_eq!(wanted(&[Slot::CustomMessage, Slot::CustomMessage]).len(), 1);
    }
}
