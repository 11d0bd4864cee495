//! The backup does not shrink by one user without proof, nor by many without an operator.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use serde_json::json;
use twinpool_reconciler::Allowed;
use twinpool_shared::{
    error::ErrorKind,
    personal::Sub,
    port::Backup,
    run::{GuardTrip, keys},
};
use twinpool_tests::{
    compare::What,
    reconciling::{Asked, Between, Night, Outcome, Scene, Twist, WINDOW_MILLIS},
};

#[tokio::test]
async fn users_are_deleted_with_proof_only() {
    Box::pin(an_emptied_pool_empties_no_backup_whatever_is_allowed()).await;
    Box::pin(another_pools_users_are_added_and_the_old_wait_for_an_operator()).await;
    Box::pin(each_suspect_is_looked_for_and_whoever_is_there_stays()).await;
}

#[tokio::test]
async fn an_error_or_a_blind_filter_deletes_nobody() {
    Box::pin(a_denied_prefix_ends_the_run_and_deletes_nobody()).await;
    Box::pin(a_filter_that_finds_nobody_deletes_nobody()).await;
    Box::pin(prefixes_that_do_not_add_up_are_noticed_also_when_nobody_is_missing()).await;
}

#[tokio::test]
async fn groups_and_memberships_are_guarded_as_well() {
    Box::pin(groups_that_are_not_listed_keep_their_members()).await;
    Box::pin(memberships_are_not_lost_in_bulk()).await;
}

async fn night(count: usize) -> (Night, Vec<Sub>) {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = night.crowd("crowd", count).await;
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.living().await, count);
    (night, subs)
}

fn users(users: u64) -> Allowed {
    Allowed {
        users: Some(users),
        ..Allowed::default()
    }
}

async fn twisted(night: &Night, twist: impl Fn(&Asked) -> Twist + Send + Sync + 'static) -> Outcome {
    let reader = Between::twisting(night.reader(), twist);
    let run = night.run(reader, night.table.clone(), &Night::options("tests")).await;
    run.expect("the run comes to its end")
}

fn tripped(outcome: &Outcome) -> GuardTrip {
    outcome.report.result.guard.clone().expect("the guard has refused")
}

async fn alarm(night: &Night) -> bool {
    let alarm = night.table.document(&keys::alarm(&night.pool)).await;
    alarm.expect("it is read").is_some()
}

async fn an_emptied_pool_empties_no_backup_whatever_is_allowed() {
    let (night, _) = night(25).await;
    for n in 0..25 {
        night.delete(&format!("crowd{n}")).await;
    }
    let before = night.items().await;
    for outcome in [night.reconcile().await, night.reconcile_allowing(users(25)).await] {
        let trip = tripped(&outcome);
        assert_eq!(
            (trip.reason.as_str(), trip.what.as_str()),
            ("pool_shows_nobody", "users")
        );
        assert_eq!(
            (trip.suspects, trip.living, trip.walked, trip.flag()),
            (25, 25, 0, None)
        );
        assert_eq!(trip.examples.len(), 20);
        assert_eq!(outcome.report.result.deleted, 0);
        assert_eq!(outcome.findings.len(), 25, "each is named all the same");
        assert_eq!(
            (outcome.report.result.drift_found, outcome.report.result.drift_left),
            (25, 25)
        );
    }
    assert_eq!(night.items().await, before);
    assert!(alarm(&night).await);
}

async fn another_pools_users_are_added_and_the_old_wait_for_an_operator() {
    let (night, old) = night(24).await;
    for n in 0..24 {
        night.delete(&format!("crowd{n}")).await;
    }
    night.crowd("other", 30).await;
    let outcome = night.reconcile().await;
    let trip = tripped(&outcome);
    assert_eq!(
        (trip.reason.as_str(), trip.suspects, trip.allowance),
        ("too_many_missing", 24, 20)
    );
    assert_eq!(trip.flag().as_deref(), Some("--allow-deletes 24"));
    assert_eq!(night.living().await, 54, "nobody less, and the new ones are safe");
    assert!(alarm(&night).await);
    // One too few is none at all.
    let outcome = night.reconcile_allowing(users(23)).await;
    assert_eq!(tripped(&outcome).reason, "too_many_missing");
    assert_eq!(night.living().await, 54);
    let outcome = night.reconcile_allowing(users(24)).await;
    let result = outcome.report.result;
    assert_eq!((result.guard, result.deleted, result.drift_left), (None, 24, 0));
    assert_eq!(
        night.differences(&old).await,
        [],
        "each has a tombstone with their last data"
    );
    assert!(!alarm(&night).await);
    assert_eq!(night.reconcile().await.report.result.drift_found, 0);
}

async fn each_suspect_is_looked_for_and_whoever_is_there_stays() {
    let (night, subs) = night(40).await;
    for n in 0..3 {
        night.delete(&format!("crowd{n}")).await;
    }
    // Five more are on no list.
    let reader = Between::noting(night.reader()).hiding(&subs[3..8]);
    let run = night.run(reader, night.table.clone(), &Night::options("tests")).await;
    let outcome = run.expect("the run comes to its end");
    let result = outcome.report.result;
    assert_eq!((result.users.suspects, result.deleted, result.reappeared), (8, 3, 5));
    assert_eq!(result.guard, None);
    assert_eq!(night.differences(&subs[..3]).await, []);
    let tombstone = night.stored(&subs[0]).await.record.deleted.expect("a tombstone");
    assert_eq!(tombstone.cause, "reconcile");
}

async fn a_denied_prefix_ends_the_run_and_deletes_nobody() {
    let (night, subs) = night(30).await;
    let first = subs[0].as_str()[..1].to_owned();
    night.delete("crowd1").await;
    let before = night.living().await;
    // The probe is let through, so that the walk itself is denied.
    let asked = Arc::new(AtomicU32::new(0));
    let reader = Between::twisting(night.reader(), move |what| match what {
        Asked::Users {
            prefix: Some(prefix), ..
        } if asked.fetch_add(1, Ordering::Relaxed) >= 3 && *prefix == first => Twist::Fails(ErrorKind::Denied),
        _ => Twist::None,
    });
    let run = night.run(reader, night.table.clone(), &Night::options("tests")).await;
    assert_eq!(run.map(drop).map_err(|error| error.kind), Err(ErrorKind::Denied));
    assert_eq!(
        night.living().await,
        before,
        "whoever is missing is judged when everybody was walked"
    );
    // Allowed again, the same run comes to its end, and nobody waits for a lease.
    let options = Night::options("somebody else");
    let run = night.run(night.reader(), night.table.clone(), &options).await;
    assert_eq!(run.expect("the run comes to its end").report.result.deleted, 1);
    assert_eq!(night.differences(&subs[1..2]).await, []);
}

async fn a_filter_that_finds_nobody_deletes_nobody() {
    let (night, subs) = night(30).await;
    for n in 0..3 {
        night.delete(&format!("crowd{n}")).await;
    }
    // From the beginning: the probe sees it, one list shows everybody, and looking proves nothing.
    let outcome = twisted(&night, |asked| match asked {
        Asked::User(_) | Asked::Users { prefix: Some(_), .. } => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    let trip = tripped(&outcome);
    assert_eq!(
        (trip.reason.as_str(), trip.suspects, trip.walked, trip.flag()),
        ("filter_finds_nobody", 3, 27, None)
    );
    assert_eq!(outcome.report.run.prefixes, [""]);
    assert_eq!(night.living().await, 30);
    // From the walk on: nobody is walked.
    let asked = Arc::new(AtomicU32::new(0));
    let outcome = twisted(&night, move |what| match what {
        Asked::Users { prefix: Some(_), .. } if asked.fetch_add(1, Ordering::Relaxed) >= 3 => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    assert_eq!(tripped(&outcome).reason, "pool_shows_nobody");
    assert_eq!(night.living().await, 30);
    // For one prefix alone: whoever a page without a filter showed is missing.
    let first = subs[10].as_str()[..1].to_owned();
    let asked = Arc::new(AtomicU32::new(0));
    let outcome = twisted(&night, move |what| match what {
        Asked::Users {
            prefix: Some(prefix), ..
        } if asked.fetch_add(1, Ordering::Relaxed) >= 3 && *prefix == first => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    let trip = tripped(&outcome);
    assert_eq!((trip.reason.as_str(), trip.flag()), ("filter_finds_nobody", None));
    assert_eq!(night.living().await, 30);
    // All is well again.
    let result = night.reconcile().await.report.result;
    assert_eq!((result.guard, result.deleted), (None, 3));
    assert_eq!(night.differences(&subs[..3]).await, []);
}

async fn prefixes_that_do_not_add_up_are_noticed_also_when_nobody_is_missing() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = night.crowd("crowd", 20).await;
    let first = subs[0].as_str()[..1].to_owned();
    let asked = Arc::new(AtomicU32::new(0));
    let outcome = twisted(&night, move |what| match what {
        Asked::Users {
            prefix: Some(prefix), ..
        } if asked.fetch_add(1, Ordering::Relaxed) >= 3 && *prefix == first => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    assert_eq!(tripped(&outcome).reason, "filter_finds_nobody");
    assert!(outcome.report.result.users.users < 20);
}

async fn groups_that_are_not_listed_keep_their_members() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    night.crowd("crowd", 30).await;
    for group in 0..25 {
        night
            .group(&format!("group-{group:02}"), json!({"Precedence": group}))
            .await;
        night.join(&format!("crowd{group}"), &format!("group-{group:02}")).await;
    }
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.differences(&[]).await, []);
    let before = night.items().await;
    // All 25 are off the list: more than may go without an operator.
    let outcome = twisted(&night, |asked| match asked {
        Asked::Groups => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    let trip = tripped(&outcome);
    assert_eq!(
        (trip.what.as_str(), trip.reason.as_str(), trip.suspects),
        ("groups", "too_many_missing", 25)
    );
    assert_eq!(trip.flag().as_deref(), Some("--allow-group-deletes 25"));
    assert_eq!(night.items().await, before, "neither a group nor a membership is lost");
    assert_eq!(
        (outcome.report.result.drift_found, outcome.report.result.drift_left),
        (25, 25)
    );
    // Few are off the list and there when they are looked for.
    for group in 0..20 {
        night.delete_group(&format!("group-{group:02}")).await;
    }
    let result = night.reconcile().await.report;
    assert_eq!((result.result.guard, result.run.groups.deleted), (None, 20));
    let before = night.items().await;
    let outcome = twisted(&night, |asked| match asked {
        Asked::Groups => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    assert_eq!(
        (outcome.report.result.guard, outcome.report.run.groups.groups),
        (None, 5)
    );
    assert_eq!(
        night.items().await,
        before,
        "the five were looked for, found, and walked"
    );
    assert_eq!(night.differences(&[]).await, []);
}

async fn memberships_are_not_lost_in_bulk() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    night.crowd("crowd", 30).await;
    night.group("staff", json!({})).await;
    for n in 0..25 {
        night.join(&format!("crowd{n}"), "staff").await;
    }
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    let before = night.items().await;
    let outcome = twisted(&night, |asked| match asked {
        Asked::Members(_) => Twist::Nobody,
        _ => Twist::None,
    })
    .await;
    let trip = tripped(&outcome);
    assert_eq!((trip.what.as_str(), trip.suspects), ("memberships", 25));
    assert_eq!(trip.flag().as_deref(), Some("--allow-lost-memberships 25"));
    assert_eq!(
        (outcome.report.result.drift_found, outcome.report.result.drift_left),
        (25, 25)
    );
    assert_eq!(night.items().await, before);
    let left = night.differences(&[]).await;
    assert_eq!(left, []);
    // Meant so: an operator lets it proceed.
    for n in 0..25 {
        night.leave(&format!("crowd{n}"), "staff").await;
    }
    assert_eq!(tripped(&night.reconcile().await).suspects, 25);
    let differences = night.differences(&[]).await;
    assert!(
        differences
            .iter()
            .all(|one| one.what == What::MembershipExtra("staff".to_owned()))
    );
    assert_eq!(differences.len(), 25);
    // What is allowed of users is not allowed of memberships.
    assert_eq!(tripped(&night.reconcile_allowing(users(25)).await).what, "memberships");
    let memberships = Allowed {
        memberships: Some(25),
        ..Allowed::default()
    };
    let result = night.reconcile_allowing(memberships).await.report.result;
    assert_eq!((result.guard, result.drift_left), (None, 0));
    assert_eq!(night.differences(&[]).await, []);
}
