//! Random histories of a pool, its triggers and its trail, with replicator and reconciler as they are deployed, on virtual
//! time (`src/world.rs`).
//!
//! `TWINPOOL_SEEDS` says how many seeds are tried in all; `TWINPOOL_SEED` tries that one in every story.
//!
//! Invariant: a failure prints its seed and its whole history, and the seed alone brings it back.

use tokio::runtime::Builder;
use twinpool_tests::world::{
    history::{History, live},
    tally::Tally,
    weather::Story,
};

/// Seeds of `make test`.
const SEEDS: u64 = 1_000;
/// Tests among which the seeds are divided, so that every core has work.
const SHARES: u64 = 4;
/// Share of the seeds in which the replicator is alone, in percent.
const ALONE_PERCENT: u64 = 20;

#[expect(clippy::disallowed_methods, reason = "the seeds to try are the tester's choice")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is {text:?}, which is no number")),
    )
}

fn history(seed: u64, story: Story) -> History {
    let runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O");
    runtime.block_on(live(seed, story)).expect("a pool in the double")
}

/// Lives the histories of these seeds, and fails with the whole of the first that went wrong and a line on each other.
#[track_caller]
fn try_all(seeds: impl Iterator<Item = (u64, Story)>) -> Tally {
    let (mut sum, mut first, mut others) = (Tally::default(), None, Vec::new());
    for (seed, story) in seeds {
        let history = history(seed, story);
        sum.add(&history.tally);
        let Some(wrong) = history.wrong.first() else { continue };
        let line = format!("seed {seed} ({story:?}): {wrong}");
        if first.is_none() {
            let (journal, wrong) = (history.journal.join("\n"), history.wrong.join("\n"));
            first = Some(format!("{line}\n{journal}\n\nwrong:\n{wrong}"));
        }
        others.push(line);
    }
    if let Some(first) = first {
        let (count, all) = (others.len(), others.join("\n"));
        panic!("{first}\n\n{count} seeds went wrong:\n{all}\n\nagain: TWINPOOL_SEED=... on one of them");
    }
    sum
}

/// Tries the seeds of one share.
#[track_caller]
fn try_share(share: u64) {
    if let Some(seed) = number("TWINPOOL_SEED") {
        try_all(
            [Story::ReplicatorAlone, Story::Reconciled]
                .into_iter()
                .map(|story| (seed, story)),
        );
        return;
    }
    let seeds = number("TWINPOOL_SEEDS").unwrap_or(SEEDS) / SHARES;
    let story = |place| {
        if place % 100 < ALONE_PERCENT {
            Story::ReplicatorAlone
        } else {
            Story::Reconciled
        }
    };
    let sum = try_all((0..seeds).map(|place| (share * 1_000_000 + place, story(place))));
    eprintln!("{seeds} seeds: {sum:?}");
    // A simulation in which nothing goes wrong proves nothing.
    let shown = [
        sum.lost,
        sum.killed,
        sum.runs,
        sum.failed_runs,
        sum.tombstones,
        sum.writes,
    ];
    assert!(
        seeds < 50 || shown.iter().all(|count| *count >= seeds / 10),
        "too tame: {sum:?}"
    );
}

#[test]
fn histories_of_the_first_share_end_with_the_table_equal_to_the_pool() {
    try_share(0);
}

#[test]
fn histories_of_the_second_share_end_with_the_table_equal_to_the_pool() {
    try_share(1);
}

#[test]
fn histories_of_the_third_share_end_with_the_table_equal_to_the_pool() {
    try_share(2);
}

#[test]
fn histories_of_the_fourth_share_end_with_the_table_equal_to_the_pool() {
    try_share(3);
}

#[test]
fn without_the_reconciler_the_verdict_sees_what_was_lost() {
    let unmended = (0..20).filter(|seed| !history(*seed, Story::Unattended).wrong.is_empty());
    let unmended = unmended.count();
    assert!(unmended >= 15, "only {unmended} of 20 histories were wrong");
}

#[test]
fn a_seed_is_one_history() {
    for seed in [7, 1_000_003, 2_000_005] {
        for story in [Story::ReplicatorAlone, Story::Reconciled] {
            let (first, second) = (history(seed, story), history(seed, story));
            let differs = first.journal.iter().zip(&second.journal).find(|(a, b)| a != b);
            assert_eq!(differs, None, "seed {seed} ({story:?})");
            assert_eq!(first, second, "seed {seed} ({story:?})");
        }
    }
}
