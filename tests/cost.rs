//! The modelled bill against what is counted: one reconcile on the local cloud, call by call.
//!
//! Invariant: the counts are the local cloud's own. The model is given what the pool is like, and nothing of the run.

use serde_json::json;
use twinpool_shared::cost::{
    Agreement, Meter, Pool, Usage, agreement,
    reconcile::{self, Form, Groups, Walk},
};
use twinpool_tests::reconciling::{Night, Scene, WINDOW_MILLIS};

/// Calls that a reconcile makes, every one of them.
const CALLS: [Meter; 8] = [
    Meter::ListUsers,
    Meter::ListUsersInGroup,
    Meter::ListGroups,
    Meter::DescribeUserPool,
    Meter::Query,
    Meter::BatchGetItem,
    Meter::PutItem,
    Meter::BatchWriteItem,
];

fn counted(scene: &Scene) -> Usage {
    let count = |meter: Meter| {
        let (service, operation) = meter.as_str().split_once(':').expect("service:Operation");
        (meter, scene.calls(service, operation) as f64)
    };
    CALLS.into_iter().map(count).collect()
}

/// What a run of `night` takes, beside the model's.
async fn compared(night: &Night, walk: &Walk) -> Vec<Agreement> {
    let before = counted(&night.scene);
    night.reconcile().await;
    let mut made = counted(&night.scene);
    made.add_all(&before, -1.0);
    agreement(&made, &reconcile::usage(walk, &Pool::new(walk.users, 0, 0)))
}

fn assert_agree(compared: &[Agreement]) {
    let differ: Vec<&Agreement> = compared.iter().filter(|one| !one.holds()).collect();
    assert!(differ.is_empty(), "{differ:#?}");
}

#[tokio::test]
async fn the_calls_of_a_reconcile_are_those_of_the_model_within_a_tenth() {
    const USERS: u64 = 200;
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    night.crowd("crowd", 200).await;
    for (name, members) in [("nobody", 0), ("readers", 61), ("staff", 70), ("writers", 5)] {
        night.group(name, json!({})).await;
        for n in 0..members {
            night.join(&format!("crowd{n}"), name).await;
        }
    }
    night.pass(WINDOW_MILLIS);
    let quiet = Walk {
        groups: Groups::Sizes(vec![0, 61, 70, 5]),
        form: Form::Process,
        configuration: false,
        ..Walk::of(&Pool::new(USERS, 0, 0))
    };
    let first = Walk {
        created: USERS,
        groups_written: 4,
        ..quiet.clone()
    };
    assert_agree(&compared(&night, &first).await);
    night.pass(86_400_000);
    assert_agree(&compared(&night, &quiet).await);

    // Drift that no event told about.
    for n in 0..6 {
        night.set(&format!("crowd{}", 100 + n), "name", "another").await;
    }
    for n in 0..3 {
        night.delete(&format!("crowd{}", 150 + n)).await;
    }
    night.create("newcomer", &[]).await;
    night.pass(86_400_000);
    let drift = Walk {
        users: USERS - 2,
        created: 1,
        changed: 6,
        deleted: 3,
        ..quiet
    };
    assert_agree(&compared(&night, &drift).await);
}
