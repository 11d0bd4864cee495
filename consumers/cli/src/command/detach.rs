//! `twinpool detach`: takes Twinpool's functions out of a pool's trigger slots, and gives the slots back what they had.
//!
//! The pool comes first, the stack second: a function that fails has to be out of the way whatever the stack is like.
//!
//! Invariant: a slot that holds somebody else's function is left alone; a chain that another pool needs, or that the stack's
//! function does not confirm, stays. A slot gets back a function that does not work only with `--force`.

use std::collections::BTreeSet;

use twinpool_shared::{
    attach::{Refusal, Slot, of_targets, plan_detach},
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

/// Arguments of `detach`.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Args {
    /// Name of the stack of infra/primary.yaml
    #[arg(long, value_name = "NAME")]
    stack: String,
    /// Only these slots: post-confirmation, post-authentication, custom-message
    #[arg(long, value_name = "SLOT", num_args = 1.., value_parser = slot)]
    slot: Vec<Slot>,
    /// Also when a slot gets back a function that does not exist or that Cognito may not invoke
    #[arg(long)]
    force: bool,
    /// Show the difference, and end; exit status 3 when there is one
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

/// Detaches.
///
/// # Errors
/// `Unmet` without `--force`, when what a slot gets back would fail; nothing was changed then. As the services answer.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let attachment = Attachment::connect(context).await?;
    let found = attachment.look(&args.stack, Purpose::Detach).await?;
    let plan = plan_detach(&found.seen, &wanted(&args.slot));
    let wrong = of_targets(&plan, &attachment.targets(&found, &plan).await);
    let mut warnings = plan.notes.clone();
    warnings.extend(wrong.iter().map(Refusal::to_string));
    attachment.show(&found, &plan, &warnings)?;
    let stack = &found.seen.stack.name;
    let finish = |outcome, settings, warnings: &[String]| {
        let undo = view::way_back("attach", stack, attachment.id(), &plan);
        let document = Document {
            stack,
            outcome,
            slots: &plan.slots,
            parameters: &plan.parameters,
            warnings,
            settings,
            undo: undo.filter(|_| [End::Done, End::StackLeft].contains(&outcome)),
        };
        view::finish(&context.output, "detach", attachment.id(), &document)
    };
    if plan.is_nothing() || args.dry_run {
        let outcome = if plan.is_nothing() { End::Nothing } else { End::Planned };
        return finish(outcome, BTreeSet::new(), &warnings);
    }
    if !wrong.is_empty() && !args.force {
        return Err(refused(&wrong));
    }
    if !args.yes {
        agree()?;
    }
    if plan.changes_pool() {
        let config = plan.lambda_config(found.shown.pool.expose());
        let (outcome, settings) = view::ended(attachment.pool().set(&found.shown, &config).await?);
        if outcome != End::Done {
            return finish(outcome, settings, &warnings);
        }
    }
    // The pool is free of Twinpool by now; what is wrong with the stack must not look like a failure of that.
    let updated = if found.seen.stack.is_settled() || plan.parameters.is_empty() {
        attachment.update_stack(&found, &plan.parameters).await
    } else {
        let what = format!("the stack {stack} is {} and takes no update", found.seen.stack.status);
        Err(Error::new(ErrorKind::Unmet, what))
    };
    if let Err(error) = updated {
        let what = format!("the stack was not changed: {}", error.what);
        context.output.note(&what);
        warnings.push(what);
        return finish(End::StackLeft, BTreeSet::new(), &warnings);
    }
    finish(End::Done, BTreeSet::new(), &warnings)
}

fn refused(wrong: &[Refusal]) -> Error {
    let reasons: Vec<String> = wrong.iter().map(Refusal::to_string).collect();
    let what = format!(
        "not detached: {}; --force detaches all the same, to have Twinpool's functions out at any price",
        reasons.join("; also: ")
    );
    Error::new(ErrorKind::Unmet, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_said_and_how_to_go_on_all_the_same() {
        let (slot, function) = (Slot::CustomMessage, "arn".to_owned());
        let error = refused(&[
            Refusal::TargetGone {
                slot,
                function: function.clone(),
            },
            Refusal::TargetUnread {
                slot: Slot::PostConfirmation,
                function,
            },
        ]);
        assert_eq!(error.kind, ErrorKind::Unmet);
        for says in [
            "custom-message: the slot would get back arn",
            "also: post-confirmation",
            "--force",
        ] {
            assert!(error.what.contains(says), "{}", error.what);
        }
    }
}
