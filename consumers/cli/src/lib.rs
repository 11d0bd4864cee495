//! The operator's command line `twinpool`: looks at the backup, checks the deployment, rebuilds the pool from its backup.
//!
//! Data go to standard output, everything else to standard error; [`exit`] defines the exit statuses. Each command is a
//! module of `command`, with its arguments and one `run`.
//!
//! Invariant: only `apply`, `repair-federated` and `drill` write to a user pool, each by a plan, and `attach` and `detach` its
//! trigger slots; no personal value is shown in full without `--show-personal`.

mod arguments;
mod attaching;
mod command;
mod context;
mod csv;
mod doctor;
pub mod exit;
mod fields;
mod figures;
mod importing;
mod instant;
mod lag;
mod mask;
mod output;
mod progress;
mod queue;
mod reconciling;
mod report;
mod stack;
mod untyped;
mod walk;
mod who;

use std::{panic, process::ExitCode};

use clap::Parser;
use twinpool_shared::error::{Error, ErrorKind};

use arguments::Arguments;
use context::Context;
use exit::Exit;
use output::say;

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    // A panic's message may quote a value; its place may not.
    panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        say(&format!("error: a bug at {place}\nhint: report it with the command"));
    }));
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are answers, all else is usage.
            let exit = if error.use_stderr() { Exit::Usage } else { Exit::Ok };
            let _closed = error.print();
            return exit.into();
        }
    };
    let ended = panic::catch_unwind(|| run(arguments));
    let exit = match ended {
        Ok(Ok(exit)) => exit,
        Ok(Err(error)) => {
            say(&exit::explain(&error));
            exit::of_error(error.kind).0
        }
        Err(_) => Exit::Bug,
    };
    exit.into()
}

fn run(arguments: Arguments) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|_| Error::new(ErrorKind::Unavailable, "the asynchronous runtime did not start"))?;
    let context = Context::new(arguments.global);
    runtime.block_on(command::run(&context, arguments.command))
}
