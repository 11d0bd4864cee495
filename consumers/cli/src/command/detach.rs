//! `twinpool detach`: takes Twinpool's functions out of a pool's trigger slots, and gives the slots back what they had.
//!
//! The pool comes first, the stack second: a function that fails has to be out of the way whatever the stack is like.
//!
//! Invariant: a slot that holds somebody else's function is left alone; a chain that another pool needs stays.

use std::collections::BTreeSet;

use twinpool_shared::{
    attach::plan_detach,
    error::{Error, ErrorKind},
};

use crate::{
    attaching::{
        Attachment, Purpose, agree,
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
/// As the services answer.
pub(crate) async fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    let attachment = Attachment::connect(context).await?;
    let found = attachment.look(&args.stack, Purpose::Detach).await?;
    let plan = plan_detach(&found.seen);
    let mut warnings = plan.notes.clone();
    attachment.show(&found, &plan, &warnings)?;
    let stack = &found.seen.stack.name;
    let finish = |outcome, settings, warnings: &[String]| {
        let undo = format!("twinpool attach --stack {stack} --pool {}", attachment.id());
        let document = Document {
            stack,
            outcome,
            slots: &plan.slots,
            parameters: &plan.parameters,
            warnings,
            settings,
            undo: [End::Done, End::StackLeft].contains(&outcome).then_some(undo),
        };
        view::finish(&context.output, "detach", attachment.id(), &document)
    };
    if plan.is_nothing() || args.dry_run {
        let outcome = if plan.is_nothing() { End::Nothing } else { End::Planned };
        return finish(outcome, BTreeSet::new(), &warnings);
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
