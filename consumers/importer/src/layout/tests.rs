//! Chunks laid out by who has the right to, and by who had it.

use std::time::Duration;

use tokio::time::Instant;
use twinpool_shared::{documents::Kept, error::ErrorKind};

use super::*;
use crate::testing::{SOURCE, World, now, user};

fn world(users: u32) -> World {
    World::with((0..users).map(user).collect())
}

#[tokio::test(start_paused = true)]
async fn chunks_that_were_worked_on_are_never_laid_out_anew() {
    let world = world(230);
    world.imported().await;
    let outcomes = world.outcomes().await;
    // As a process sees it that was paused since before they were laid out.
    let key = keys::state(SOURCE, &world.plan.id);
    let importer = world.importer();
    let documents = importer.documents(SOURCE);
    let state = State::default();
    documents.replace(&key, &state, Kept::Always).await.expect("stored");
    let refused = world.lay_out().await.expect_err("worked on");
    assert_eq!(refused.kind, ErrorKind::Held, "{refused}");
    let state = State {
        layout: vec![Run {
            class: Class::Verified,
            chunks: 3,
        }],
        ..State::default()
    };
    documents.replace(&key, &state, Kept::Always).await.expect("stored");
    assert_eq!(world.outcomes().await, outcomes);
}

#[tokio::test(start_paused = true)]
async fn chunks_that_a_killed_attempt_laid_out_are_laid_out_again() {
    let world = world(230);
    let key = keys::chunk(SOURCE, &world.plan.id, 1);
    let importer = world.importer();
    let left = Chunk::new(vec![user(7).sub]);
    let left = importer.documents(SOURCE).replace(&key, &left, Kept::Always).await;
    left.expect("stored");
    world.lay_out().await.expect("laid out");
    let subs = importer.subs_of(&world.plan, 1).await.expect("there");
    assert_eq!(subs.len(), 100);
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_the_lease_lays_nothing_out() {
    let world = world(230);
    let importer = world.importer();
    let chunks = std::iter::once((0, vec![user(7).sub]));
    let refused = importer.store_chunks(&world.plan, chunks, "nobody").await;
    assert_eq!(refused.map_err(|error| error.kind), Err(ErrorKind::Held));
    let key = keys::chunk(SOURCE, &world.plan.id, 0);
    let stored = importer.documents(SOURCE).load::<Chunk>(&key).await;
    assert_eq!(stored.expect("readable"), None);
}

#[tokio::test(start_paused = true)]
async fn chunks_are_laid_out_no_faster_than_a_partition_takes_and_refusals_are_waited_out() {
    let world = world(30_000);
    world.table.throttle(40);
    let began = Instant::now();
    world.lay_out().await.expect("laid out");
    assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    world.table.throttle(u64::MAX);
    let removed = world
        .importer()
        .remove_paced(&[keys::chunk(SOURCE, &world.plan.id, 0)])
        .await;
    assert_eq!(
        removed.map_err(|error| error.kind),
        Err(ErrorKind::Throttled),
        "not for ever"
    );
}

#[tokio::test(start_paused = true)]
async fn who_appears_later_comes_in_few_runs_behind_all_others() {
    let mut world = world(230);
    world.begun().await;
    let mut later: Vec<_> = (0..600).map(user).collect();
    later[599].deleted = Some(twinpool_shared::user::Tombstone {
        at: now(),
        cause: "test".to_owned(),
    });
    world.drift(later);
    let layout = world.lay_out().await.expect("laid out");
    let runs: Vec<(Class, usize)> = layout.runs.iter().map(|run| (run.class, run.chunks)).collect();
    assert_eq!(runs, [(Class::Verified, 3), (Class::Verified, 4), (Class::Deleted, 1)]);
}

#[tokio::test(start_paused = true)]
async fn an_import_that_was_about_to_make_its_pool_is_begun() {
    let mut world = world(30);
    world.lay_out().await.expect("laid out");
    let key = keys::state(SOURCE, &world.plan.id);
    let importer = world.importer();
    let documents = importer.documents(SOURCE);
    let (mut state, _) = documents
        .load::<State>(&key)
        .await
        .expect("readable")
        .expect("laid out");
    state.making = true;
    documents.replace(&key, &state, Kept::Always).await.expect("stored");
    world.drift((0..31).map(user).collect());
    let layout = world.lay_out().await.expect("it goes on");
    assert!(layout.warning.is_some());
}
