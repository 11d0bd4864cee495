//! The settings that lose data, or open it to somebody, when they are missing.
//!
//! Each check names what it found; the templates come out with nothing found, and each mutation of them does not.
//!
//! Invariant: a check judges whatever there is of its kind, so that a queue or function added tomorrow is judged too.

mod data;
mod functions;
mod mutations;
mod parameters;
mod policies;
mod queues;

use super::document::Templates;

/// One thing that has to hold.
pub(super) struct Check {
    /// What the mutations name it by.
    pub(super) name: &'static str,
    /// What is wrong; nothing when it holds.
    pub(super) find: fn(&Templates) -> Vec<String>,
}

const fn check(name: &'static str, find: fn(&Templates) -> Vec<String>) -> Check {
    Check { name, find }
}

/// Every check.
pub(super) const CHECKS: &[Check] = &[
    check("partial batch failures", queues::partial_failures),
    check("redrive", queues::redrive),
    check("queue retention", queues::retention),
    check("visibility timeout", queues::visibility),
    check("cap of the replicator", queues::cap),
    check("both detail types", queues::detail_types),
    check("failed invocations", queues::failed_invocations),
    check("failed deliveries", queues::failed_deliveries),
    check("time to live", data::time_to_live),
    check("point in time", data::point_in_time),
    check("deletion protection", data::deletion_protection),
    check("retained", data::retained),
    check("encrypted", data::encrypted),
    check("keys", data::keys),
    check("same table", data::same_table),
    check("replica watched", data::replica_watched),
    check("parameters", parameters::described_and_bounded),
    check("every night", parameters::every_night),
    check("own role", functions::own_role),
    check("logs", functions::logs),
    check("timeouts", functions::timeouts),
    check("wildcard actions", policies::wildcard_actions),
    check("wildcard resources", policies::wildcard_resources),
];

#[test]
fn nothing_is_missing_that_loses_data_and_every_lack_is_seen() {
    let templates = Templates::load();
    let found: Vec<String> = CHECKS
        .iter()
        .flat_map(|check| {
            let found = (check.find)(&templates);
            found.into_iter().map(|finding| format!("{}: {finding}", check.name))
        })
        .collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    mutations::every_one_is_seen(&templates);
}
