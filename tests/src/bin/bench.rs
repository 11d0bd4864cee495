//! `bench`: the benches of whole functions, for `make bench`.
//!
//! Invariant: the exit status is success only when every target was met.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::Parser;
use twinpool_tests::bench::{Arguments, run};

#[tokio::main]
async fn main() -> ExitCode {
    let report = match Box::pin(run(Arguments::parse())).await {
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
