//! The reconciler over its adapters: a pool of the local cloud against a table of MiniStack, both in place of AWS.
//!
//! A test is several scenarios, because each test is a process with a MiniStack of its own.
//!
//! Invariant: each scenario has a local cloud, a pool and a table of its own; what is stored is read past the product.

mod backfill;
mod drift;
mod guard;
mod losses;
mod meanwhile;
mod resume;

use std::collections::BTreeSet;

use twinpool_reconciler::{Finding, Subject};
use twinpool_shared::personal::Sub;
use twinpool_tests::reconciling::Asked;

/// Whose items were written, of what was asked of a backup.
fn written(asked: &[Asked]) -> (BTreeSet<Sub>, BTreeSet<String>) {
    let users = asked.iter().filter_map(|asked| match asked {
        Asked::PutUser(sub) => Some(sub.clone()),
        _ => None,
    });
    let groups = asked.iter().filter_map(|asked| match asked {
        Asked::PutGroup(name) => Some(name.clone()),
        _ => None,
    });
    (users.collect(), groups.collect())
}

/// What was found of one user.
fn found_of(findings: &[Finding], sub: &Sub) -> Vec<String> {
    let of_user = findings
        .iter()
        .filter(|finding| finding.subject == Subject::User(sub.clone()));
    of_user.map(|finding| finding.field.name()).collect()
}
