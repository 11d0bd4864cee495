//! `bench`: the benches of whole functions, for `make bench`.
//!
//! Invariant: the exit status is success only when every target was met.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use serde::Serialize;
use twinpool_tests::{
    bench::{Arguments, importer, reconciler, run},
    stack::Failure,
};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let (Some(users), Some(folder)) = (arguments.synthetic_users, &arguments.synthetic_folder) {
        return match arguments.synthetic_import {
            Some(part) => print(Box::pin(importer::synthetic::measure(part, users, folder)).await),
            None => {
                let changed = arguments.synthetic_changed_percent;
                print(Box::pin(reconciler::synthetic::measure(users, changed, folder)).await)
            }
        };
    }
    let report = match Box::pin(run(arguments)).await {
        Ok(report) => report,
        Err(error) => {
            eprintln!("bench: {error}");
            return ExitCode::FAILURE;
        }
    };
    let printed = writeln!(io::stdout(), "{report}");
    let missed = report.missed();
    for row in &missed {
        eprintln!("bench: target missed: {row}");
    }
    if missed.is_empty() && printed.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints what was measured as JSON.
fn print(measured: Result<impl Serialize, Failure>) -> ExitCode {
    match measured.map(|measured| serde_json::to_writer(io::stdout(), &measured)) {
        Ok(Ok(())) => ExitCode::SUCCESS,
        Ok(Err(_)) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}
