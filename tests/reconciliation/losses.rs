//! The ways in which exports lose users and memberships: refused calls, empty pages, answers that get lost. Each is injected;
//! the outcome is exact.

use serde_json::{Value, json};
use twinpool_shared::personal::Sub;
use twinpool_tests::reconciling::{Night, Scene, WINDOW_MILLIS};

#[tokio::test]
async fn injected_faults_lose_nobody() {
    Box::pin(a_throttled_walk_loses_nobody()).await;
    Box::pin(empty_pages_with_a_token_are_not_the_end()).await;
    Box::pin(slow_writes_whose_answers_are_lost_lose_no_membership()).await;
}

/// A pool with members of groups of more than a page.
async fn people(night: &Night) -> Vec<Sub> {
    let subs = night.crowd("crowd", 90).await;
    for group in ["all", "some"] {
        night.group(group, json!({})).await;
    }
    for n in 0..90 {
        night.join(&format!("crowd{n}"), "all").await;
        if n % 5 == 0 {
            night.join(&format!("crowd{n}"), "some").await;
        }
    }
    subs
}

/// A backfill and, after changes, a second run, both under `faults`: nothing is lost, nothing is invented.
async fn nothing_is_lost_under(faults: Value, latency: Value) {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = people(&night).await;
    let hard = json!({"faults": faults, "latency_ms": latency, "seed": 7});
    scene.configure(hard.clone());
    let first = night.reconcile_patiently().await.report;
    scene.configure(json!({}));
    assert_eq!(night.differences(&[]).await, []);
    let tally = &first.result.users;
    assert_eq!((tally.users, tally.memberships), (90, 108));
    assert_eq!((tally.drifted, first.result.drift_left), (90, 0));

    night.delete("crowd0").await;
    night.leave("crowd1", "all").await;
    night.set("crowd2", "name", "Bea").await;
    night.sign_up("late").await;
    night.join("late", "some").await;
    night.pass(WINDOW_MILLIS);
    scene.configure(hard);
    let second = night.reconcile_patiently().await.report.result;
    let fired = scene.faults_fired();
    scene.configure(json!({}));
    assert_eq!(night.differences(&subs[..1]).await, []);
    assert_eq!((second.users.users, second.users.memberships), (90, 106));
    assert_eq!((second.deleted, second.drift_found, second.drift_left), (1, 4, 0));
    assert!(fired >= 6, "only {fired} faults");
}

async fn a_throttled_walk_loses_nobody() {
    let faults = json!([
        {"service": "cognito", "operation": "ListUsers", "count": 3, "kind": "throttle"},
        {"service": "cognito", "operation": "ListUsersInGroup", "count": 1, "kind": "throttle"},
        {"service": "cognito", "operation": "ListUsers", "count": 1, "kind": "http500"},
        {"service": "cognito", "operation": "ListUsersInGroup", "count": 1, "kind": "drop_connection"},
        {"service": "cognito", "operation": "ListGroups", "count": 1, "kind": "throttle"},
    ]);
    nothing_is_lost_under(faults, json!({})).await;
}

async fn empty_pages_with_a_token_are_not_the_end() {
    let faults = json!([
        {"service": "cognito", "operation": "ListUsers", "percent": 50, "kind": "empty_page"},
        {"service": "cognito", "operation": "ListUsersInGroup", "percent": 60, "kind": "empty_page"},
    ]);
    nothing_is_lost_under(faults, json!({})).await;
}

async fn slow_writes_whose_answers_are_lost_lose_no_membership() {
    let faults = json!([
        {"service": "dynamodb", "operation": "PutItem", "percent": 8, "kind": "lost_response"},
        {"service": "dynamodb", "operation": "PutItem", "percent": 4, "kind": "throttle"},
        {"service": "dynamodb", "operation": "Query", "percent": 2, "kind": "http500"},
        {"service": "dynamodb", "operation": "BatchGetItem", "percent": 2, "kind": "throttle"},
    ]);
    nothing_is_lost_under(faults, json!({"dynamodb": [1, 10]})).await;
}
