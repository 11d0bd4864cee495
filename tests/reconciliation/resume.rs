//! A run that is killed is finished by the next one, and no two runs are at work at the same time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::json;
use twinpool_shared::{
    error::ErrorKind,
    personal::Sub,
    port::Backup,
    run::{Run, keys},
};
use twinpool_tests::{
    life::Draw,
    reconciling::{Asked, Between, Cut, Night, Scene, WINDOW_MILLIS},
};

#[tokio::test]
async fn a_killed_run_is_finished_once_and_by_one() {
    Box::pin(a_run_that_is_dropped_anywhere_is_finished_by_the_next()).await;
    Box::pin(a_second_owner_waits_and_takes_over_only_what_has_expired()).await;
    Box::pin(whoever_was_taken_over_stops()).await;
}

/// The newest run, as it is stored.
async fn newest(night: &Night) -> Option<Run> {
    let pk = keys::lease(&night.pool).pk;
    let runs = night.table.documents(&pk, keys::RUNS).await.expect("they are read");
    runs.last()
        .map(|run| serde_json::from_str(run.body.expose()).expect("a run"))
}

/// Prefixes whose users are walked to their end, and groups whose members are.
async fn finished(night: &Night, run: &Run) -> (BTreeSet<String>, BTreeSet<String>) {
    let pk = keys::lease(&night.pool).pk;
    let all = async |first: &str| {
        let documents = night.table.documents(&pk, first).await;
        let documents = documents.expect("they are read").into_iter();
        let contents = documents.map(|one| (one.key.sk[first.len()..].to_owned(), one.body.expose().to_owned()));
        contents.collect::<BTreeMap<_, _>>()
    };
    let first = keys::users_checkpoint(&night.pool, &run.id, "").sk;
    let prefixes = all(&first).await.into_keys().collect();
    let done = all(&keys::members_checkpoints(&run.id)).await;
    let list = keys::group_list(&night.pool, &run.id, 0).sk;
    let lists = all(list.trim_end_matches('0')).await;
    let lists = lists
        .iter()
        .filter(|(list, _)| done.get(*list).is_some_and(|at| at.contains("\"done\":true")));
    let groups = lists.flat_map(|(_, names)| serde_json::from_str::<Vec<String>>(names).expect("names"));
    (prefixes, groups.collect())
}

/// Runs until `steps` are made: the outcome, if the run came to its end before, and what was asked of the pool.
async fn run_for(night: &Night, steps: i64) -> (Option<Run>, Vec<Asked>, i64) {
    let cut = Cut::after(steps);
    let reader = Between::noting(night.reader()).until(&cut);
    let asked = reader.asked();
    let backup = Between::noting(night.table.clone()).until(&cut);
    let options = Night::options("tests");
    let ended = tokio::select! {
        run = night.run(reader, backup, &options) => Some(run.expect("the run comes to its end").report.run),
        () = cut.reached() => None,
    };
    let asked = std::mem::take(&mut *asked.lock().expect("it is whole"));
    (ended, asked, cut.made(steps))
}

/// Some changes that nobody is told of; who was deleted.
async fn changes(night: &Night, subs: &mut Vec<(String, Sub)>, draw: &mut Draw, round: usize) -> Sub {
    let mut anybody = |subs: &[(String, Sub)]| {
        subs[usize::try_from(draw.below(subs.len() as u64)).expect("it is small")]
            .0
            .clone()
    };
    for n in 0..4 {
        night.set(&anybody(subs), "name", &format!("name {round} {n}")).await;
        night.join(&anybody(subs), "all").await;
        night.leave(&anybody(subs), "all").await;
    }
    let name = format!("late{round}");
    subs.push((name.clone(), night.create(&name, &[]).await));
    let (name, gone) = subs.remove(0);
    night.delete(&name).await;
    gone
}

async fn a_run_that_is_dropped_anywhere_is_finished_by_the_next() {
    const DROPS: usize = 30;
    let seed = crate::faults::seed("resume");
    let mut draw = Draw::new(seed);
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let names = (0..24).map(|n| format!("crowd{n}"));
    let mut subs: Vec<(String, Sub)> = names.zip(night.crowd("crowd", 24).await).collect();
    for n in 0..6 {
        night.group(&format!("group-{n:02}"), json!({})).await;
        night.join(&format!("crowd{n}"), &format!("group-{n:02}")).await;
    }
    night.group("all", json!({})).await;
    night.pass(WINDOW_MILLIS);
    let (ended, _, whole) = run_for(&night, 1_000_000).await;
    assert!(ended.is_some() && whole > 150, "{whole} steps");

    let (mut deleted, mut drops, mut rounds) = (Vec::new(), 0, 0);
    while drops < DROPS {
        deleted.push(changes(&night, &mut subs, &mut draw, rounds).await);
        night.pass(WINDOW_MILLIS);
        rounds += 1;
        let mut going_on: Option<Run> = None;
        loop {
            let before = match &going_on {
                Some(run) => finished(&night, run).await,
                None => Default::default(),
            };
            // Once there are enough drops, to the end.
            // A third of a run at most, so that several drops fall into each.
            let steps = if drops < DROPS {
                i64::try_from(draw.below(u64::try_from(whole / 3).expect("it is positive"))).expect("it is small")
            } else {
                1_000_000
            };
            let (ended, asked, _) = run_for(&night, steps).await;
            for asked in &asked {
                match asked {
                    Asked::Users {
                        prefix: Some(prefix), ..
                    } if going_on.is_some() => {
                        assert!(!before.0.contains(prefix), "prefix {prefix} was walked before");
                    }
                    Asked::Members(group) => assert!(!before.1.contains(group), "{group} was walked before"),
                    Asked::Groups => assert!(going_on.is_none(), "the groups were listed before"),
                    _ => {}
                }
            }
            let newest = newest(&night).await.expect("there is a run");
            if let Some(run) = &going_on {
                assert_eq!(newest.id, run.id, "the run that was dropped is gone on with");
            }
            if let Some(run) = ended {
                assert_eq!(newest.id, run.id);
                assert!(newest.result.is_some_and(|result| result.guard.is_none()));
                break;
            }
            drops += 1;
            // Killed before its plan was stored, the next one plans anew; killed behind its result, it was finished.
            if newest.result.is_none() {
                going_on = Some(newest);
            } else if going_on.is_some() {
                break;
            }
        }
    }
    eprintln!("resume: {drops} drops in {rounds} rounds");
    // A run shows what was so when it walked: the last one may have walked some before the last changes were made.
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.differences(&deleted).await, []);
    assert_eq!(night.reconcile().await.report.result.drift_found, 0);
}

async fn a_second_owner_waits_and_takes_over_only_what_has_expired() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    night.crowd("crowd", 20).await;
    // Somebody is killed in the middle of their work.
    let (ended, ..) = run_for(&night, 60).await;
    assert!(ended.is_none());
    let run = newest(&night).await.expect("it was planned");
    let by = |steal: bool| {
        let mut options = Night::options("somebody else");
        options.holder.steal = steal;
        let night = &night;
        async move { night.run(night.reader(), night.table.clone(), &options).await }
    };
    for steal in [false, true] {
        let error = by(steal).await.expect_err("the lease is held");
        assert_eq!(error.kind, ErrorKind::Held);
        assert!(error.what.starts_with("tests is at work since"), "{error}");
    }
    night.pass(123_000);
    let error = by(false).await.expect_err("nobody takes it without being told");
    assert_eq!(error.kind, ErrorKind::Held);
    assert!(error.what.ends_with("--steal takes over"), "{error}");
    let finished = by(true).await.expect("it is taken over").report;
    assert_eq!((finished.run.id, finished.resumed), (run.id, true), "and gone on with");
    assert_eq!(night.differences(&[]).await, []);
    let lease = night.table.document(&keys::lease(&night.pool)).await;
    assert_eq!(lease, Ok(None), "given back");
    // The same owner need not wait for itself.
    let (ended, ..) = run_for(&night, 60).await;
    assert!(ended.is_none());
    let left = newest(&night).await.expect("it was planned");
    let mut fresh = Night::options("tests");
    fresh.fresh = true;
    let begun = night.run(night.reader(), night.table.clone(), &fresh).await;
    let begun = begun.expect("the run comes to its end").report;
    assert!(!begun.resumed && begun.run.id != left.id, "a fresh run leaves it alone");
    assert!(!night.reconcile().await.report.resumed);
}

async fn whoever_was_taken_over_stops() {
    let scene = Scene::start(json!({"latency_ms": {"cognito": 150}})).await;
    let night = Night::new(&scene).await;
    night.crowd("crowd", 8).await;
    let elsewhere = night.elsewhere();
    let mut short = Night::options("first");
    short.holder.seconds = 2;
    let first = night.run(night.reader(), night.table.clone(), &short);
    let second = async {
        // The first has begun; to the second it looks as if it had not been heard of for minutes.
        tokio::time::sleep(Duration::from_millis(250)).await;
        elsewhere.pass(240_000);
        let mut options = Night::options("second");
        options.holder.steal = true;
        elsewhere
            .run(elsewhere.reader(), elsewhere.table.clone(), &options)
            .await
    };
    let (first, second) = tokio::join!(first, second);
    let error = first.expect_err("it was taken over");
    assert_eq!(error.kind, ErrorKind::Held);
    assert!(error.what.starts_with("second has taken over"), "{error}");
    assert_eq!(second.expect("it comes to its end").report.result.users.users, 8);
    assert_eq!(night.differences(&[]).await, []);
}
