//! Exit statuses: the one place where they are defined.
//!
//! Invariant: a status means the same for every command, and scripts may rely on it.

use std::process::ExitCode;

use twinpool_shared::error::{Error, ErrorKind};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done; where two things were compared, they agree.
    Ok = 0,
    /// A bug of Twinpool.
    Bug = 1,
    /// The command line or the environment says nothing that can be done.
    Usage = 2,
    /// Two things were compared and differ.
    Differences = 3,
    /// The guard tripped: deletions wait for an operator.
    GuardTripped = 4,
    /// A part was done; what was not is named.
    Partial = 5,
    /// Something has to be put right first: a permission, a missing resource, a check that failed, a lease that is held.
    Precondition = 6,
    /// Throttled, or without an answer, for longer than the command waits. Trying again later may do.
    ThrottledOut = 7,
}

impl Exit {
    /// Every exit, in the order of the status.
    pub const ALL: [Self; 8] = [
        Self::Ok,
        Self::Bug,
        Self::Usage,
        Self::Differences,
        Self::GuardTripped,
        Self::Partial,
        Self::Precondition,
        Self::ThrottledOut,
    ];

    /// The status.
    #[must_use]
    pub fn status(self) -> u8 {
        self as u8
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.status())
    }
}

/// How a command ends with an error of `kind`, and what the operator can do. [`ErrorKind::hint`] speaks of messages and
/// queues, because its readers look at the replicator; here somebody sits at a terminal.
#[must_use]
pub fn of_error(kind: ErrorKind) -> (Exit, &'static str) {
    match kind {
        ErrorKind::Throttled => (
            Exit::ThrottledOut,
            "wait and try again, or raise the quota; what was done stays done",
        ),
        ErrorKind::Unavailable => (
            Exit::ThrottledOut,
            "check the connection and the service's health in this Region, then try again",
        ),
        ErrorKind::Contended => (
            Exit::ThrottledOut,
            "others write the same item: try again when it is quieter",
        ),
        ErrorKind::Denied => (
            Exit::Precondition,
            "grant the named permission to these credentials (and to the key), or use others: --profile",
        ),
        ErrorKind::NotFound => (
            Exit::Precondition,
            "check the name, --pool, --table and --region, and that these credentials belong to the right account",
        ),
        ErrorKind::BadSetting => (
            Exit::Usage,
            "correct the named option or variable; twinpool help lists them",
        ),
        ErrorKind::BadItem => (
            Exit::Precondition,
            "the item was edited by something else: restore it from its last version (twinpool history)",
        ),
        ErrorKind::Newer => (Exit::Precondition, "install the newer twinpool that wrote it"),
        ErrorKind::Held => (
            Exit::Precondition,
            "wait until the other run is finished; twinpool status shows it",
        ),
        ErrorKind::Unmet => (
            Exit::Precondition,
            "do first what the message says; nothing was changed",
        ),
        ErrorKind::OtherPool => (Exit::Usage, "name the pool with --pool"),
        ErrorKind::Unreadable | ErrorKind::Rejected => (Exit::Bug, "report it with the command and the error code"),
    }
}

/// The lines for standard error.
#[must_use]
pub fn explain(error: &Error) -> String {
    let (_, hint) = of_error(error.kind);
    format!("error: {} ({})\nhint: {hint}", error.what, error.kind.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_the_documented_ones() {
        let documented = include_str!("../../../shared/docs/CLI_JSON.md");
        assert_eq!(Exit::ALL.map(Exit::status), [0, 1, 2, 3, 4, 5, 6, 7]);
        for exit in Exit::ALL {
            let row = format!("| {} |", exit.status());
            assert_eq!(documented.matches(&row).count(), 1, "one row for {exit:?}");
        }
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_needs_somebody() {
        assert_eq!(of_error(ErrorKind::Throttled).0, Exit::ThrottledOut);
        assert_eq!(of_error(ErrorKind::Unavailable).0, Exit::ThrottledOut);
        assert_eq!(of_error(ErrorKind::Denied).0, Exit::Precondition);
        assert_eq!(of_error(ErrorKind::NotFound).0, Exit::Precondition);
        assert_eq!(of_error(ErrorKind::Unmet).0, Exit::Precondition);
        assert_eq!(of_error(ErrorKind::BadSetting).0, Exit::Usage);
        assert_eq!(of_error(ErrorKind::Rejected).0, Exit::Bug);
    }

    #[test]
    fn an_error_is_two_lines_what_and_what_to_do() {
        let text = explain(&Error::new(ErrorKind::Denied, "dynamodb:Query on the table failed"));
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: dynamodb:Query on the table failed (denied)");
        assert!(lines[1].starts_with("hint: grant the named permission"), "{text}");
        assert_eq!(lines.len(), 2);
    }
}
