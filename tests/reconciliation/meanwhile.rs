//! Users who go on living while they are walked.

use std::{collections::BTreeSet, time::Duration};

use serde_json::json;
use twinpool_shared::{
    observation::{Evidence, Observation},
    personal::{Personal, Sub},
    port::{Backup, ReadPool},
    reconcile::profile_evidence,
    writer::Writer,
};
use twinpool_tests::reconciling::{Night, RETENTION_SECONDS, Scene, WINDOW_MILLIS};

#[tokio::test]
async fn users_may_go_on_living_while_they_are_walked() {
    Box::pin(what_happens_during_a_walk_is_right_after_the_next()).await;
    Box::pin(the_replicator_and_the_reconciler_lose_nothing_of_each_other()).await;
}

/// What somebody did.
enum Did {
    Anything,
    Groups,
    Deleted,
}

/// Somebody lives: the `n`th change of a fixed life, and whom it concerns.
async fn live(night: &Night, subs: &[Sub], n: usize) -> (Sub, String, Did) {
    let place = n % subs.len();
    let name = format!("crowd{place}");
    let sub = subs[place].clone();
    match n % 6 {
        0 => {
            let name = format!("newcomer{n}");
            return (night.sign_up(&name).await, name, Did::Anything);
        }
        1 => {
            night.set(&name, "name", &format!("name {n}")).await;
            (sub, name, Did::Anything)
        }
        2 => {
            night.join(&name, "all").await;
            (sub, name, Did::Groups)
        }
        3 => {
            night.leave(&name, "all").await;
            (sub, name, Did::Groups)
        }
        4 => {
            night.admin("AdminDisableUser", &name, &[]).await;
            (sub, name, Did::Anything)
        }
        _ => {
            night.delete(&name).await;
            (sub, name, Did::Deleted)
        }
    }
}

async fn scene() -> (std::sync::Arc<Scene>, Night, Vec<Sub>) {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = night.crowd("crowd", 120).await;
    for group in ["all", "other"] {
        night.group(group, json!({})).await;
    }
    for n in 0..120 {
        night
            .join(&format!("crowd{n}"), if n % 2 == 0 { "other" } else { "all" })
            .await;
    }
    (scene, night, subs)
}

async fn what_happens_during_a_walk_is_right_after_the_next() {
    let (scene, night, subs) = scene().await;
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.differences(&[]).await, []);
    scene.configure(json!({"latency_ms": {"cognito": [10, 40]}}));
    let mut deleted = Vec::new();
    let lives = async {
        for n in 0..60 {
            let (sub, _, did) = live(&night, &subs, n).await;
            deleted.extend(matches!(did, Did::Deleted).then_some(sub));
        }
    };
    let (during, ()) = tokio::join!(night.reconcile(), lives);
    assert_eq!(during.report.result.drift_left, 0);
    scene.configure(json!({}));
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(deleted.len(), 10);
    assert_eq!(night.differences(&deleted).await, []);
    let rest = night.reconcile().await.report.result;
    assert_eq!((rest.drift_found, rest.users.writes), (0, 0));
}

/// Tells the backup of a change as the replicator does: by a read of the present, through the same writer.
async fn tell(night: &Night, sub: &Sub, name: &str, did: Did) {
    let (reader, clock) = (night.reader(), night.clock());
    let at = clock();
    let mut observations = Vec::new();
    match did {
        Did::Deleted => observations.push(Observation {
            source: "AdminDeleteUser".to_owned(),
            evidence: Evidence::Gone { announced_at: at },
        }),
        Did::Groups => {
            let groups = reader.groups_of(&night.pool, &Personal::new(name)).await;
            observations.extend(groups.expect("it is read").map(|groups| Observation {
                source: "AdminAddUserToGroup".to_owned(),
                evidence: Evidence::Groups {
                    groups,
                    announced_at: at.second_start(),
                    read_at: at,
                },
            }));
        }
        Did::Anything => {
            let user = reader.find_user(&night.pool, sub).await.expect("it is read");
            observations.extend(user.map(|user| profile_evidence(&user, at)));
        }
    }
    let stored = night.table.users(&night.pool, std::slice::from_ref(sub)).await;
    let stored = stored.expect("it is read").remove(sub);
    let writer = Writer {
        backup: &night.table,
        clock: &clock,
        retention_seconds: RETENTION_SECONDS,
    };
    let told = writer.user(&night.pool, sub, stored, &observations).await;
    told.expect("it is written");
}

async fn the_replicator_and_the_reconciler_lose_nothing_of_each_other() {
    let (scene, night, subs) = scene().await;
    night.reconcile().await;
    let versions = night.items().await.len();
    scene.configure(json!({"latency_ms": {"cognito": [20, 60]}}));
    // Every user differs, so that the reconciler writes whom the replicator writes.
    for n in 0..120 {
        let (name, value) = (format!("crowd{n}"), format!("nick {n}"));
        night.set(&name, "nickname", &value).await;
    }
    let mut deleted = Vec::new();
    let lives = async {
        let mut told = BTreeSet::new();
        for n in 0..36 {
            let (sub, name, did) = live(&night, &subs, n).await;
            let gone = matches!(did, Did::Deleted);
            tell(&night, &sub, &name, did).await;
            deleted.extend(gone.then(|| sub.clone()));
            told.insert(sub);
        }
        tokio::time::sleep(Duration::ZERO).await;
        told.len()
    };
    let (during, told) = tokio::join!(night.reconcile(), lives);
    assert!(told > 30);
    scene.configure(json!({}));
    let left = night.differences(&deleted).await;
    // Whom the walk had passed when they joined or left, and everybody else, is as the pool says: without another run.
    assert_eq!(left, [], "{:?}", during.report.result);
    assert!(night.items().await.len() > versions, "old versions are put aside");
}
