//! Kills, lost answers and a second operator: the same pool comes of it, once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinpool_tests::{
    life::Draw,
    reconciling::{Cut, Scene},
    restoring::{Outage, importing::Ended, portrait::Portrait, small, without_the_primary},
    stand_ins::Cognito,
};

use super::{apply, assert_users, plan, unpaced, verify};

const KILLS: usize = 50;
/// More of them, and a round that makes no headway would go on for ever.
const KILLS_IN_A_ROUND: usize = 17;
/// More steps than an import makes.
const WHOLE: i64 = 1_000_000;

#[tokio::test(flavor = "multi_thread")]
async fn an_import_that_is_killed_anywhere_ends_like_one_that_was_not() {
    let seed = crate::faults::seed("restore");
    let mut draw = Draw::new(seed);
    let scene = Scene::start(json!({})).await;
    let made = small::create(&Cognito::new(scene.endpoint())).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;

    plan(&outage, &["--users", "api"]).await.ended(0);
    let cut = Cut::after(WHOLE);
    let undisturbed = outage.import("tests", &cut).await;
    assert!(undisturbed.is_whole(), "{undisturbed:?}");
    let steps = cut.made(WHOLE);
    let pool = only_pool(&outage).await;
    let wanted = Portrait::of(&outage.recovery, &pool).await;
    assert_users(&outage.before, &wanted);
    remove(&outage, &pool).await;

    let (mut kills, mut rounds) = (0, 0);
    while kills < KILLS {
        // Every other round in bad weather.
        let weather = if rounds % 2 == 0 {
            troubled(seed + rounds)
        } else {
            unpaced()
        };
        scene.configure(without_the_primary(weather));
        plan(&outage, &["--users", "api"]).await.ended(0);
        let in_round = kills + KILLS_IN_A_ROUND;
        loop {
            let left = if kills < in_round.min(KILLS) {
                i64::try_from(draw.below(u64::try_from(steps / 4).expect("some steps"))).expect("few")
            } else {
                WHOLE
            };
            match outage.import("tests", &Cut::after(left)).await {
                Ended::Killed => kills += 1,
                ended => {
                    assert!(ended.is_whole(), "round {rounds}: {ended:?}");
                    break;
                }
            }
        }
        scene.configure(without_the_primary(unpaced()));
        let pool = only_pool(&outage).await;
        let came = Portrait::of(&outage.recovery, &pool).await;
        assert_users(&outage.before, &came);
        assert_eq!(came.groups, wanted.groups, "round {rounds}");
        assert_eq!(came.secrets, wanted.secrets, "round {rounds}");
        assert_eq!(came.settings, wanted.settings, "round {rounds}");
        assert_eq!(
            clients(&outage, &pool).await.len(),
            4,
            "round {rounds}: a client was made twice"
        );
        if rounds == 0 {
            verify(&outage, &pool, &[]).await.ended(0);
        }
        remove(&outage, &pool).await;
        rounds += 1;
    }
    eprintln!(
        "restore: {kills} kills in {rounds} rounds of {steps} steps, {} faults",
        scene.faults_fired()
    );
    assert_eq!(outage.messages(), 0, "nobody is told of any of it");
    Box::pin(a_second_operator_is_told_who_is_at_work(&outage)).await;
}

/// A pool refused Region, 5 % throttles, 5 % errors and 5 % lost answers. Cognito's alone: the table's own faults are those of
/// the replicator's tests.
fn troubled(seed: u64) -> Value {
    let faults: Vec<Value> = ["throttle", "http500", "lost_response"]
        .iter()
        .map(|kind| json!({"service": "cognito", "percent": 5, "kind": kind}))
        .collect();
    json!({"quotas": {"enabled": false}, "seed": seed, "faults": faults})
}

async fn only_pool(outage: &Outage) -> String {
    super::rebuilt(outage).await
}

/// Client ids to names.
async fn clients(outage: &Outage, pool: &str) -> BTreeMap<String, String> {
    let input = json!({"UserPoolId": pool, "MaxResults": 60});
    let listed = outage.recovery.must("ListUserPoolClients", input).await;
    let clients = listed["UserPoolClients"].as_array().expect("clients").iter();
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    clients
        .map(|client| (text(&client["ClientId"]), text(&client["ClientName"])))
        .collect()
}

/// Removes a rebuilt pool, so that the next one may have its domain.
pub(super) async fn remove(outage: &Outage, pool: &str) {
    let of_pool = json!({"UserPoolId": pool});
    let described = outage.recovery.must("DescribeUserPool", of_pool.clone()).await;
    let domain = json!({"UserPoolId": pool, "Domain": described["UserPool"]["Domain"]});
    outage.recovery.must("DeleteUserPoolDomain", domain).await;
    outage.recovery.must("DeleteUserPool", of_pool).await;
}

async fn a_second_operator_is_told_who_is_at_work(outage: &Outage) {
    plan(outage, &["--users", "api"]).await.ended(0);
    let killed = outage.import("the first operator", &Cut::after(60)).await;
    assert!(matches!(killed, Ended::Killed), "{killed:?}");
    let refused = apply(outage, &[]).await.ended(6);
    assert!(
        refused.stderr.contains("the first operator is at work since"),
        "{}",
        refused.stderr
    );
    let whole = outage.import("the first operator", &Cut::after(WHOLE)).await;
    assert!(whole.is_whole(), "{whole:?}");
}
