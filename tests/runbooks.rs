//! The runbook pages: each is executed, each alarm leads to one, and each names the alarms that lead to it.
//!
//! The drills break a deployed stack, let users go on living, show what an operator sees, type the page's commands, and show that
//! nothing is lost. Figures and alarms are those of the local cloud (`telemetry`), not of AWS.

mod drill;
mod elsewhere;
mod nights;
mod page;
mod queue;
mod sending;
mod town;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use twinpool_tests::telemetry::described;

/// A page, and the file and name of the test that types it.
const EXECUTED: [(&str, &str, &str); 10] = [
    (
        "01-region-lost.md",
        "restore/runbook.rs",
        "the_commands_of_the_runbook_rebuild_a_lost_pool",
    ),
    (
        "02-changes-parked.md",
        "runbooks/queue.rs",
        "a_stopped_a_poisoned_and_a_throttled_replicator_lose_nothing",
    ),
    (
        "03-replication-late.md",
        "runbooks/queue.rs",
        "a_stopped_a_poisoned_and_a_throttled_replicator_lose_nothing",
    ),
    (
        "04-sign-ins-at-risk.md",
        "runbooks/sending.rs",
        "what_could_not_be_sent_is_copied_after_a_refusing_queue_and_after_a_disabled_key",
    ),
    (
        "05-reconcile-missing.md",
        "runbooks/nights.rs",
        "missing_reconciles_lost_events_and_the_guard_are_mended_by_their_pages",
    ),
    (
        "06-guard-tripped.md",
        "runbooks/nights.rs",
        "missing_reconciles_lost_events_and_the_guard_are_mended_by_their_pages",
    ),
    (
        "07-drift-high.md",
        "runbooks/nights.rs",
        "missing_reconciles_lost_events_and_the_guard_are_mended_by_their_pages",
    ),
    (
        "08-key-disabled.md",
        "runbooks/sending.rs",
        "what_could_not_be_sent_is_copied_after_a_refusing_queue_and_after_a_disabled_key",
    ),
    (
        "09-replica-behind.md",
        "runbooks/elsewhere.rs",
        "the_other_regions_copy_is_looked_at_and_a_failed_rehearsal_is_repeated",
    ),
    (
        "10-drill-failed.md",
        "runbooks/elsewhere.rs",
        "the_other_regions_copy_is_looked_at_and_a_failed_rehearsal_is_repeated",
    ),
];
const TEMPLATES: [&str; 2] = ["primary.yaml", "recovery.yaml"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file of the workspace, as text.
fn read(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn pages() -> BTreeSet<String> {
    let folder = fs::read_dir(workspace().join("infra/runbooks")).expect("the folder");
    folder
        .flatten()
        .filter_map(|file| file.file_name().into_string().ok())
        .collect()
}

#[test]
fn every_page_is_typed_by_a_test() {
    let listed: BTreeSet<String> = EXECUTED.iter().map(|(page, ..)| (*page).to_owned()).collect();
    assert_eq!(listed, pages());
    for (page, file, test) in EXECUTED {
        let source = read(&format!("tests/{file}"));
        assert!(source.contains(&format!("fn {test}(")), "{file} has no {test}");
        assert!(source.contains(page), "{file} does not type {page}");
    }
}

/// Each alarm, by its name, with the pages that its description names, in their order.
fn leading() -> BTreeMap<(String, String), Vec<String>> {
    let known = pages();
    let mut leading = BTreeMap::new();
    for template in TEMPLATES {
        for (name, description) in described(template).expect("the template") {
            let place = |page: &String| description.find(&format!("infra/runbooks/{page}"));
            let mut named: Vec<_> = known
                .iter()
                .filter_map(|page| Some((place(page)?, page.clone())))
                .collect();
            named.sort();
            leading.insert(
                (template.to_owned(), name),
                named.into_iter().map(|(_, page)| page).collect(),
            );
        }
    }
    leading
}

#[test]
fn every_alarm_names_its_page_and_every_page_its_alarms() {
    let leading = leading();
    assert!(leading.len() > 15, "too few alarms were found: {leading:?}");
    let mut led_to = BTreeSet::from(["01-region-lost.md".to_owned()]);
    for ((template, name), named) in &leading {
        let page = named.first();
        let page = page.unwrap_or_else(|| panic!("{template}: {name} names no page of infra/runbooks"));
        let text = read(&format!("infra/runbooks/{page}"));
        let top = text.split("\n## ").next().unwrap_or_default();
        assert!(
            top.contains(&format!("`{name}`")),
            "{page} does not say that {name} leads to it"
        );
        led_to.insert(page.clone());
    }
    assert_eq!(led_to, pages(), "a page that nothing leads to");
}
