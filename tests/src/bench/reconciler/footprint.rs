//! Memory of a run over large pools: the peak of a process that does nothing else.
//!
//! Invariant: each size has a process of its own, because a peak never goes down.

use std::process::{Command, Stdio};

use super::synthetic::{Measured, SMALL};
use crate::{
    bench::{
        Places,
        figures::figure,
        report::{Goal, Report},
    },
    stack::Failure,
};

const LARGE: usize = 10 * SMALL;
/// A share is as long as it gets: one user more for each, and it is divided into sixteen.
const LONGEST_SHARES: usize = 200_000;
const PEAK_MIB: f64 = 128.0;
/// What counts as flat: a tenth more memory for ten times the users.
const FLAT: f64 = 1.1;

/// Measures the memory.
pub(super) async fn run(places: &Places, report: &mut Report) -> Result<(), Failure> {
    let mut peaks = Vec::new();
    for (users, changed_percent) in [(SMALL, 0), (LARGE, 0), (LARGE, 1), (LONGEST_SHARES, 0)] {
        let folder = places.scratch.join(format!("documents-{users}-{changed_percent}"));
        let measured = tokio::task::spawn_blocking(move || child(users, changed_percent, &folder));
        let measured = measured.await.map_err(|error| Failure::new("the process", error))??;
        let name = format!("{users} users, {changed_percent} % to mend");
        let peak = mib(measured.peak_kib);
        peaks.push(peak);
        report.row(format!("{name}: memory at most"), peak, "MiB", Goal::Below(PEAK_MIB));
        report.row(
            format!("{name}: memory before"),
            mib(measured.before_kib),
            "MiB",
            Goal::None,
        );
        report.row(format!("{name}: seconds"), measured.seconds, "s", Goal::None);
    }
    if let [small, large, ..] = peaks[..] {
        let what = "memory of ten times the users";
        report.row(what, large / small, "times", Goal::AtMost(FLAT));
    }
    report.note(
        "reconciler's memory: pool and table are made up while they are read, one membership a user; the members that a run \
         keeps in the table are on disk. A process of its own, without HTTP and TLS, of the same build as this program.",
    );
    Ok(())
}

fn mib(kib: u64) -> f64 {
    figure(usize::try_from(kib).unwrap_or(usize::MAX)) / 1024.0
}

/// This program once more, in its hidden mode.
fn child(users: usize, changed_percent: usize, folder: &std::path::Path) -> Result<Measured, Failure> {
    let program = std::env::current_exe().map_err(|error| Failure::new("the path of this program", error))?;
    let done = Command::new(program)
        .args(["--synthetic-users", &users.to_string()])
        .args(["--synthetic-changed-percent", &changed_percent.to_string()])
        .arg("--synthetic-folder")
        .arg(folder)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failure::new("this program", error))?;
    if !done.status.success() {
        return Err(Failure::new("a run over a synthetic pool", done.status));
    }
    serde_json::from_slice(&done.stdout).map_err(|error| Failure::new("a run over a synthetic pool", error))
}
