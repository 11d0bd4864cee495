//! `status` for a person.
//!
//! Invariant: shows what the document has, and reads nothing.

use twinpool_shared::error::Error;

use super::document::{Reading, Status};
use crate::output::Output;

/// Writes the table.
///
/// # Errors
/// When standard output cannot be written.
pub(super) fn print(output: &Output, pool: &str, status: &Status) -> Result<(), Error> {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |what: &str, value: String| rows.push(vec![what.to_owned(), value]);
    row("pool", pool.to_owned());
    row("region", status.region.clone());
    match &status.last_run {
        None => row("last reconcile", "none is finished".to_owned()),
        Some(run) => {
            row(
                "last reconcile",
                format!("finished {} ago, at {}", duration(run.age_seconds), run.finished_at),
            );
            row(
                "  read",
                format!("{} users, {} memberships", run.users, run.memberships),
            );
            row("  drift", format!("{} found, {} left", run.drift_found, run.drift_left));
            if let Some(guard) = &run.guard {
                let text = "tripped, deletions wait for an operator: of";
                row(
                    "  guard",
                    format!("{text} {} {}, {} are missing", guard.living, guard.what, guard.suspects),
                );
            }
        }
    }
    if let Some(run) = &status.unfinished_run {
        let age = duration(run.age_seconds);
        row(
            "unfinished reconcile",
            format!("begun {age} ago, at {}", run.started_at),
        );
    }
    if let Some(lease) = &status.lease {
        let state = if lease.expired { "expired" } else { "held" };
        row("lease", format!("{state}: {}, until {}", lease.owner, lease.until));
    }
    for mark in &status.marks {
        row("marked", format!("{} at {}", mark.part.as_str(), mark.at));
    }
    row("marked to undelete", status.undelete_marks.to_string());
    row("queue", reading(&status.queue, |depth| depth.describe()));
    row("dead letters", reading(&status.dead_letters, |depth| depth.describe()));
    row(
        "replication lag, last hour",
        reading(&status.replication_lag, |lag| {
            format!("p99 {:.0} ms, slowest {:.0} ms", lag.p99_millis, lag.maximum_millis)
        }),
    );
    match &status.users {
        None => row("users", "not counted".to_owned()),
        Some(users) => {
            row(
                "users",
                format!(
                    "{} living ({} disabled), {} deleted",
                    users.living, users.disabled, users.deleted
                ),
            );
            for (name, count) in &users.by_status {
                row(&format!("  {name}"), count.to_string());
            }
        }
    }
    row(
        "groups",
        format!("{} living, {} deleted", status.groups.living, status.groups.deleted),
    );
    output.table(&["what", "value"], &rows)
}

fn reading<T: Copy>(reading: &Reading<T>, describe: impl Fn(T) -> String) -> String {
    match reading.value {
        Some(value) => describe(value),
        None => reading.why.clone().unwrap_or_default(),
    }
}

/// A length of time for a person: two units are enough.
fn duration(seconds: i64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    if days > 0 {
        format!("{days} d {hours} h")
    } else if hours > 0 {
        format!("{hours} h {minutes} min")
    } else if minutes > 0 {
        format!("{minutes} min {} s", seconds % 60)
    } else {
        format!("{seconds} s")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_readable() {
        for (seconds, text) in [
            (0, "0 s"),
            (59, "59 s"),
            (61, "1 min 1 s"),
            (3_660, "1 h 1 min"),
            (90_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(seconds), text);
        }
    }
}
