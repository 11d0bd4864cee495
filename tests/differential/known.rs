//! Every known difference between the local cloud and the stand-ins, with the side that is right and why.
//!
//! Invariant: a difference that is not here fails, and so does a line that nothing needs any more.

use super::compare::Difference;

/// Which side does what AWS documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Right {
    /// The local cloud.
    Ours,
    /// The stand-in.
    #[expect(
        dead_code,
        reason = "a double that is known to be wrong is mended; until then its line says so"
    )]
    Theirs,
    /// AWS does not say.
    Open,
}

/// One known difference.
#[derive(Debug)]
pub(super) struct Known {
    /// The operation; `*` for all.
    operation: &'static str,
    /// Its path; with a `*` at the end, everything below.
    path: &'static str,
    right: Right,
    /// The reason, with the source.
    why: &'static str,
}

const fn known(operation: &'static str, path: &'static str, right: Right, why: &'static str) -> Known {
    Known {
        operation,
        path,
        right,
        why,
    }
}

use Right::{Open, Ours};

/// Against moto.
pub(super) static MOTO: &[Known] = &[];

/// Against cognito-local.
pub(super) static COGNITO_LOCAL: &[Known] = &[];

impl Known {
    fn covers(&self, difference: &Difference) -> bool {
        let below = |prefix: &str| difference.path.starts_with(prefix);
        let path = self.path.strip_suffix('*').map_or(difference.path == self.path, below);
        path && (self.operation == "*" || self.operation == difference.operation)
    }
}

/// Fails with the differences that are not in `table`, and with the lines of it that nothing needs.
pub(super) fn all_known(table: &[Known], differences: &[Difference]) {
    let unknown = differences
        .iter()
        .filter(|difference| !table.iter().any(|known| known.covers(difference)));
    let unknown: Vec<String> = unknown.map(ToString::to_string).collect();
    let unused = table
        .iter()
        .filter(|known| !differences.iter().any(|difference| known.covers(difference)));
    let unused: Vec<String> = unused.map(|known| format!("{known:?}")).collect();
    assert!(
        unknown.is_empty(),
        "{} unknown differences:\n{}",
        unknown.len(),
        unknown.join("\n")
    );
    assert!(unused.is_empty(), "no longer needed:\n{}", unused.join("\n"));
}
