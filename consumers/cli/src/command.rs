//! The commands: one module each, with its arguments and `run`.

mod apply;
mod attach;
mod completions;
mod cost;
mod detach;
mod diff_config;
mod doctor;
mod drill;
mod export;
mod export_sub_map;
mod history;
mod plan;
mod reconcile;
mod repair_federated;
mod show;
mod status;
mod undelete;
mod verify;

use clap::Subcommand;
use twinpool_shared::error::Error;

use crate::{context::Context, exit::Exit};

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Check credentials, table, pool, queues, functions, rules, trail and alarms, and name the fix of what is not right
    Doctor(doctor::Args),
    /// Put Twinpool's functions into the pool's trigger slots: shows the difference, asks, checks, and puts back what came out otherwise
    Attach(attach::Args),
    /// Take Twinpool's functions out of the pool's trigger slots, and give the slots back what they had
    Detach(detach::Args),
    /// Last reconcile, lease, marks, queues, replication lag, and users by status
    Status(status::Args),
    /// Show a user's record: by sub, user name, e-mail address, phone number or preferred user name
    Show(show::Args),
    /// Show what changed in a user's record, version by version
    History(history::Args),
    /// List deleted users, and mark those that an import is to bring back; nothing is written to the pool
    Undelete(undelete::Args),
    /// Write every user to standard output
    Export(export::Args),
    /// Hold the whole pool against the backup, and mend what differs
    Reconcile(reconcile::Args),
    /// Compare pool and backup, or with --target a rebuilt pool and the backup, field by field; exit status 3 when they differ
    Verify(verify::Args),
    /// Plan the pool's restore into another Region: what is made, how long it takes, what is lost; changes nothing
    Plan(plan::Args),
    /// Carry out a plan, from where an earlier attempt stopped
    Apply(apply::Args),
    /// Write whose sub became which, for databases that are keyed by it
    ExportSubMap(export_sub_map::Args),
    /// Give federated users who have signed in since the restore their groups and flags back
    RepairFederated(repair_federated::Args),
    /// Rehearse a restore: plan, apply into a pool of its own, verify, remove it
    Drill(drill::Args),
    /// Show what changed in the pool's configuration between two instants
    DiffConfig(diff_config::Args),
    /// Model the monthly bill of a pool, beside the AWS reference solution's; asks AWS nothing
    Cost(cost::Args),
    /// Print the completion script of a shell
    Completions(completions::Args),
}

/// Runs a command.
///
/// # Errors
/// As the command says.
pub(crate) async fn run(context: &Context, command: Command) -> Result<Exit, Error> {
    // Boxed: each command's state would otherwise be as big as the biggest.
    match command {
        Command::Doctor(args) => Box::pin(doctor::run(context, &args)).await,
        Command::Attach(args) => Box::pin(attach::run(context, &args)).await,
        Command::Detach(args) => Box::pin(detach::run(context, &args)).await,
        Command::Status(args) => Box::pin(status::run(context, &args)).await,
        Command::Show(args) => Box::pin(show::run(context, &args)).await,
        Command::History(args) => Box::pin(history::run(context, &args)).await,
        Command::Undelete(args) => Box::pin(undelete::run(context, &args)).await,
        Command::Export(args) => Box::pin(export::run(context, &args)).await,
        Command::Reconcile(args) => Box::pin(reconcile::run(context, &args)).await,
        Command::Verify(args) => Box::pin(verify::run(context, &args)).await,
        Command::Plan(args) => Box::pin(plan::run(context, &args)).await,
        Command::Apply(args) => Box::pin(apply::run(context, &args)).await,
        Command::ExportSubMap(args) => Box::pin(export_sub_map::run(context, &args)).await,
        Command::RepairFederated(args) => Box::pin(repair_federated::run(context, &args)).await,
        Command::Drill(args) => Box::pin(drill::run(context, &args)).await,
        Command::DiffConfig(args) => Box::pin(diff_config::run(context, &args)).await,
        Command::Cost(args) => cost::run(context, &args),
        Command::Completions(args) => completions::run(context, &args),
    }
}
