//! The governor on a clock that stands still until everybody waits: a minute passes in milliseconds, and exactly.

use std::ops::Range;

use super::*;

const POOL: &str = "us-east-1_EXAMPLE";

fn governor(percent: u8, workers: u32) -> Governor {
    Governor::new(Share::new(percent).unwrap(), workers)
}

/// When calls of `operation` start, in milliseconds, if `callers` always have the next one ready, for `seconds`.
async fn starts(governor: &Governor, operation: &'static str, callers: usize, seconds: u64) -> Vec<u128> {
    let category = crate::quota::category_of(operation).unwrap();
    let begun = Instant::now();
    let end = begun + Duration::from_secs(seconds);
    let started = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..callers {
        let (governor, started) = (governor.clone(), Arc::clone(&started));
        tasks.spawn(tokio::time::timeout_at(end, async move {
            loop {
                governor.admit(category, operation, POOL).await;
                locked(&started).push(begun.elapsed().as_millis());
                // An answer takes its time.
                sleep(Duration::from_millis(80)).await;
            }
        }));
    }
    while tasks.join_next().await.is_some() {}
    let mut started = locked(&started).clone();
    started.retain(|at| *at < u128::from(seconds) * 1_000);
    started.sort_unstable();
    started
}

/// Most calls that start within any one second.
fn busiest_second(starts: &[u128]) -> usize {
    let within = |from: u128| starts.iter().filter(|at| (from..from + 1_000).contains(*at)).count();
    starts.iter().map(|from| within(*from)).max().unwrap_or(0)
}

fn assert_within(figure: usize, range: Range<usize>) {
    assert!(range.contains(&figure), "{figure} is not in {range:?}");
}

#[tokio::test(start_paused = true)]
async fn at_a_full_share_a_minute_is_used_and_no_second_holds_more_than_the_quota() {
    for callers in [4, 16] {
        let starts = starts(&governor(100, 1), "ListUsers", callers, 60).await;
        // 98 % of 30 a second.
        assert_within(starts.len(), 1_764..1_801);
        assert_within(busiest_second(&starts), 29..31);
    }
}

#[tokio::test(start_paused = true)]
async fn half_a_share_is_half_the_quota_and_begins_with_a_few_calls_at_most() {
    let starts = starts(&Governor::new(Share::default(), 1), "ListUsers", 4, 60).await;
    assert_within(starts.len(), 890..904);
    assert_within(starts.iter().filter(|at| **at == 0).count(), 1..4);
}

#[tokio::test(start_paused = true)]
async fn workers_share_what_one_would_have() {
    let starts = starts(&governor(50, 5), "ListUsers", 4, 60).await;
    assert_within(starts.len(), 178..184);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_halves_the_pace_and_answers_bring_it_back() {
    let governor = governor(100, 1);
    assert_within(starts(&governor, "ListUsers", 8, 10).await.len(), 295..300);
    governor.throttled(Category::UserList, "ListUsers");
    assert_within(starts(&governor, "ListUsers", 8, 10).await.len(), 146..151);
    sleep(Duration::from_secs(20)).await;
    governor.answered(Category::UserList);
    assert_within(starts(&governor, "ListUsers", 8, 10).await.len(), 295..300);
    assert_eq!(governor.throttles(), BTreeMap::from([("ListUsers", 1)]));
}

#[tokio::test(start_paused = true)]
async fn the_slowest_pace_still_moves() {
    let governor = governor(100, 1);
    for _ in 0..20 {
        governor.throttled(Category::UserList, "ListUsers");
        sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(governor.rate(Category::UserList), crate::pace::FLOOR_RPS);
    assert_within(starts(&governor, "ListUsers", 4, 60).await.len(), 29..32);
}

#[tokio::test(start_paused = true)]
async fn a_limit_that_was_learned_counts_from_then_on() {
    let governor = governor(50, 1);
    assert_eq!(governor.rate(Category::UserRead), 60.0);
    governor.learn(Category::UserRead, 20.0);
    assert_eq!(governor.rate(Category::UserRead), 10.0);
    assert_within(starts(&governor, "AdminGetUser", 4, 30).await.len(), 297..304);
}

#[tokio::test(start_paused = true)]
async fn an_operation_on_one_pool_has_five_a_second_and_its_category_more() {
    let governor = governor(100, 1);
    let (one, other) = tokio::join!(
        starts(&governor, "ListGroups", 4, 20),
        starts(&governor, "GetGroup", 4, 20)
    );
    for starts in [one, other] {
        assert_within(starts.len(), 98..101);
        assert_within(busiest_second(&starts), 4..6);
    }
}

#[tokio::test(start_paused = true)]
async fn categories_do_not_wait_for_one_another_and_calls_are_counted_by_operation() {
    let governor = governor(100, 1);
    let admit = |category, operation| governor.admit(category, operation, POOL);
    admit(Category::LimitManagement, "GetProvisionedLimit").await;
    let begun = Instant::now();
    admit(Category::UserList, "ListUsers").await;
    assert_eq!(begun.elapsed(), Duration::ZERO);
    admit(Category::UserList, "ListUsersInGroup").await;
    admit(Category::UserList, "ListUsers").await;
    admit(Category::LimitManagement, "GetProvisionedLimit").await;
    assert!(begun.elapsed() >= Duration::from_secs(1), "{:?}", begun.elapsed());
    let calls = [("GetProvisionedLimit", 2), ("ListUsers", 2), ("ListUsersInGroup", 1)];
    assert_eq!(governor.calls(), BTreeMap::from(calls));
    assert_eq!(governor.throttles(), BTreeMap::new());
}

#[tokio::test(start_paused = true)]
async fn whoever_gives_up_waiting_leaves_the_queue_to_the_next() {
    let governor = governor(100, 1);
    let admit = || governor.admit(Category::LimitManagement, "GetProvisionedLimit", "");
    admit().await;
    let gave_up = tokio::time::timeout(Duration::from_millis(300), admit()).await;
    assert!(gave_up.is_err());
    let begun = Instant::now();
    admit().await;
    assert!(begun.elapsed() <= Duration::from_millis(800), "{:?}", begun.elapsed());
    assert_eq!(governor.calls(), BTreeMap::from([("GetProvisionedLimit", 2)]));
}
