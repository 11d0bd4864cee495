//! Memory of an import of large pools: the peak of a process that does nothing else.
//!
//! Invariant: each size has a process of its own, because a peak never goes down.

use std::process::{Command, Stdio};

use clap::ValueEnum;

use super::synthetic::{Measured, Part};
use crate::{
    bench::{
        Places,
        figures::figure,
        report::{Goal, Report},
    },
    stack::Failure,
};

const SMALL: usize = 100_000;
const LARGE: usize = 10 * SMALL;
const PEAK_MIB: f64 = 128.0;

/// Measures the memory.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    for (users, part, what) in [
        (LARGE, Part::Index, "the index alone"),
        (SMALL, Part::Plan, "planned"),
        (LARGE, Part::Plan, "planned"),
        (SMALL, Part::Apply, "planned and made"),
        (LARGE, Part::Apply, "planned and made"),
    ] {
        let folder = places.scratch.join(format!("import-{users}"));
        let measured = tokio::task::spawn_blocking(move || child(part, users, &folder));
        let measured = measured.await.map_err(|error| Failure::new("the process", error))??;
        let name = format!("{users} users, {what}");
        if part == Part::Index {
            let kept = mib(measured.after_kib) - mib(measured.before_kib);
            report.row(format!("{name}: memory that it keeps"), kept, "MiB", Goal::None);
            let most = mib(measured.peak_kib) - mib(measured.before_kib);
            report.row(format!("{name}: while it grows, at most"), most, "MiB", Goal::None);
            continue;
        }
        let peak = mib(measured.peak_kib);
        report.row(format!("{name}: memory at most"), peak, "MiB", Goal::Below(PEAK_MIB));
        report.row(
            format!("{name}: memory before"),
            mib(measured.before_kib),
            "MiB",
            Goal::None,
        );
        report.row(format!("{name}: seconds"), measured.seconds, "s", Goal::None);
    }
    report.note(
        "importer's memory: the backup is made up while it is read, one membership a user; the target takes everything at once, \
         without quotas; the chunks of the import, which are the table's, are on disk. A process of its own, without HTTP and \
         TLS, of the same build as this program.",
    );
    Ok(())
}

fn mib(kib: u64) -> f64 {
    figure(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0
}

/// This program once more, in its hidden mode.
fn child(part: Part, users: usize, folder: &std::path::Path) -> Result<Measured, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new("the path of this program", error))?;
    let part = part.to_possible_value();
    let done = Command::new(program)
        .arg("--synthetic-import")
        .args(part.as_ref().map(|part| part.get_name()))
        .args(["--synthetic-users", &users.to_string()])
        .arg("--synthetic-folder")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new("this program", error))?;
    if !done.status.success() {
        return Err(Failure::new("an import of a synthetic backup", done.status));
    }
    serde_json::from_slice(&done.stdout).map_err(|error| Failure::new("an import of a synthetic backup", error))
}
