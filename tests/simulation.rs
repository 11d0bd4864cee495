//! Random histories of a pool, its triggers and its trail, with replicator and reconciler as they are deployed, on virtual
//! time (`src/world.rs`).
//!
//! `TWINPOOL_SEEDS` says how many seeds are tried in all; `TWINPOOL_SEED` tries that one in every story.
//!
//! Invariant: a failure prints its seed and its whole history, and the seed alone brings it back.

use tokio::runtime::Builder;
use twinpool_tests::world::history::{History, Story, Tally, live};

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

/// Lives the history of `seed`, and fails with all of it when something is wrong.
#[track_caller]
fn try_seed(seed: u64, story: Story) -> Tally {
    let history = history(seed, story);
    assert!(
        history.wrong.is_empty(),
        "seed {seed} ({story:?})\n{}\n\nwrong:\n{}\n\nagain: TWINPOOL_SEED={seed} cargo test -p twinpool-tests simulation",
        history.journal.join("\n"),
        history.wrong.join("\n"),
    );
    history.tally
}

/// Tries the seeds of one share; what happened in them, in sum.
#[track_caller]
fn try_share(share: u64) -> Tally {
    if let Some(seed) = number("TWINPOOL_SEED") {
        try_seed(seed, Story::ReplicatorAlone);
        return try_seed(seed, Story::Reconciled);
    }
    let seeds = number("TWINPOOL_SEEDS").unwrap_or(SEEDS) / SHARES;
    let mut sum = Tally::default();
    for place in 0..seeds {
        let story = if place % 100 < ALONE_PERCENT {
            Story::ReplicatorAlone
        } else {
            Story::Reconciled
        };
        sum.add(&try_seed(share * 1_000_000 + place, story));
    }
    println!("{seeds} seeds: {sum:?}");
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
    sum
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
