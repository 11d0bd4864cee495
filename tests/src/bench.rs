//! The benches of whole functions: the real, optimised binaries behind a Lambda Runtime API on this machine.
//!
//! Six sections: [`triggers`] (what a sign-in waits for), [`replicator`] (changes a second, CPU, memory and calls of one
//! execution environment), [`end_to_end`] (lag at 40 events a second, reads of the pool), [`reconciler`] (seconds and calls of
//! a whole walk under the quotas, memory of a large pool; its library, not its function), [`importer`] (the same of a whole
//! import; its `peers`: what other tools make of the same pool). What they share: [`report`] (rows, targets),
//! [`figures`] (percentiles, `/proc`), [`events`] (what Cognito, CloudTrail and SQS would send), [`server`] (HTTP doubles that
//! cost little), [`table`] (a double of DynamoDB that answers faster than an emulator) and `memory_table` (one without HTTP).
//!
//! Invariant: a figure is measured in this run or it is not in the report; it is called local, because loopback, plain HTTP
//! and this machine's processor are not AWS.

pub mod end_to_end;
pub mod events;
pub mod figures;
pub mod importer;
mod memory_table;
pub mod reconciler;
pub mod replicator;
pub mod report;
pub mod server;
pub mod table;
pub mod triggers;

use std::path::{Path, PathBuf};

use clap::{Parser, ValueEnum};

use crate::stack::Failure;
use report::Report;

/// What to run.
#[derive(Clone, Debug, Parser)]
#[command(about = "Benches of whole functions; exit status 1 when a target is missed")]
pub struct Arguments {
    /// Folder with the functions' binaries [default: `release` beside this build]
    #[arg(long)]
    pub binaries: Option<PathBuf>,
    /// Only these sections
    #[arg(long, value_enum)]
    pub only: Vec<Section>,
    /// Measure one run over a synthetic pool, in this process, and print it as JSON
    #[arg(long, hide = true, requires = "synthetic_folder")]
    pub synthetic_users: Option<usize>,
    /// In how many of a hundred of its users the backup is wrong
    #[arg(long, hide = true, default_value_t = 0)]
    pub synthetic_changed_percent: usize,
    /// That run is an import, not a reconcile
    #[arg(long, hide = true, value_enum, requires = "synthetic_users")]
    pub synthetic_import: Option<importer::synthetic::Part>,
    /// Where that run keeps its documents
    #[arg(long, hide = true)]
    pub synthetic_folder: Option<PathBuf>,
}

/// A section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Section {
    /// The triggers and the listener.
    Triggers,
    /// The replicator by itself.
    Replicator,
    /// From the event to the committed write.
    EndToEnd,
    /// The reconciler's walk and its memory.
    Reconciler,
    /// An import and its memory.
    Importer,
    /// Other tools beside the importer.
    Peers,
}

/// Where things are.
#[derive(Clone, Debug)]
pub struct Places {
    /// The functions' binaries.
    pub binaries: PathBuf,
    /// For packages, logs and the report.
    pub scratch: PathBuf,
}

impl Places {
    fn find(binaries: Option<PathBuf>) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::new("the path of this program", error))?;
        // This program is in `target/debug`.
        let target = own.parent().and_then(Path::parent).map(Path::to_path_buf);
        let target = target.ok_or_else(|| Failure("this program is in no target folder".to_owned()))?;
        Ok(Self {
            binaries: binaries.unwrap_or_else(|| target.join("release")),
            scratch: target.join("bench"),
        })
    }
}

/// Runs the sections and returns the report, which is also in `target/bench/report.json`.
///
/// # Errors
/// When something could not be measured at all.
pub async fn run(arguments: Arguments) -> Result<Report, Failure> {
    let places = Places::find(arguments.binaries)?;
    std::fs::create_dir_all(&places.scratch).map_err(|error| Failure::new("target/bench", error))?;
    let mut report = Report::new(&places.binaries);
    let wanted = |section| arguments.only.is_empty() || arguments.only.contains(&section);
    if wanted(Section::Triggers) {
        report.section("triggers", "--only triggers");
        Box::pin(triggers::run(&places, &mut report)).await?;
    }
    if wanted(Section::Replicator) {
        report.section("replicator", "--only replicator");
        Box::pin(replicator::run(&places, &mut report)).await?;
    }
    if wanted(Section::EndToEnd) {
        report.section("end to end", "--only end-to-end");
        Box::pin(end_to_end::run(&places, &mut report)).await?;
    }
    if wanted(Section::Reconciler) {
        report.section("reconciler", "--only reconciler");
        Box::pin(reconciler::run(&places, &mut report)).await?;
    }
    if wanted(Section::Importer) {
        report.section("importer", "--only importer");
        Box::pin(importer::run(&places, &mut report)).await?;
    }
    if wanted(Section::Peers) {
        report.section("peers", "--only peers");
        Box::pin(importer::peers::run(&places, &mut report)).await?;
    }
    report.write(&places.scratch.join("report.json"))?;
    Ok(report)
}
