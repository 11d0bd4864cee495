//! What went wrong in the backup by other means: found, named, counted, mended; and in a rehearsal, all but mended.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;
use twinpool_reconciler::{Finding, Subject, rehearsal::Rehearsal};
use twinpool_shared::{
    personal::{Personal, Sub},
    port::{Backup, Written},
    reconcile::Field,
    user::Tombstone,
};
use twinpool_tests::reconciling::{Between, Night, Scene, WINDOW_MILLIS};

use super::found_of;

#[tokio::test]
async fn drift_is_found_and_mended_and_in_a_rehearsal_only_found() {
    Box::pin(whatever_was_spoilt_is_found_named_counted_and_mended()).await;
    Box::pin(groups_that_were_spoilt_are_mended_as_well()).await;
    Box::pin(what_claims_to_be_younger_than_a_list_can_show_waits_for_the_next_run()).await;
    Box::pin(a_rehearsal_finds_the_same_and_writes_nothing()).await;
}

/// A pool of 40 whose backup is right.
async fn night() -> (Night, Vec<Sub>) {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = night.crowd("crowd", 40).await;
    for group in ["staff", "other", "third"] {
        night.group(group, json!({"Description": group})).await;
    }
    for n in 0..10 {
        night.join(&format!("crowd{n}"), "staff").await;
    }
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.differences(&[]).await, []);
    (night, subs)
}

/// Wrong in every way, each claiming to be from now; what must be found, by user.
async fn spoil(night: &Night, subs: &[Sub]) -> Vec<(Sub, Vec<&'static str>)> {
    let now = night.now();
    night
        .edit(&subs[0], |item| {
            let facet = item.record.attributes.as_mut().expect("attributes");
            facet.as_of = now;
            facet
                .data
                .values
                .insert("email".to_owned(), Personal::new("edited@example.com"));
        })
        .await;
    night.remove(&subs[1]).await;
    night.delete("crowd2").await;
    night
        .edit(&subs[3], |item| {
            item.record.deleted = Some(Tombstone {
                at: now,
                cause: "DeleteUser".to_owned(),
            });
        })
        .await;
    night
        .edit(&subs[4], |item| {
            item.record.status.as_mut().expect("a status").data = "ARCHIVED".to_owned();
        })
        .await;
    night
        .edit(&subs[5], |item| {
            let facet = item.record.groups.as_mut().expect("groups");
            facet.data = BTreeSet::new();
        })
        .await;
    night
        .edit(&subs[11], |item| {
            let facet = item.record.groups.as_mut().expect("groups");
            facet.as_of = now;
            facet.data.insert("other".to_owned());
        })
        .await;
    // Two at once: what the walk's evidence mends must not hide what it does not.
    night
        .edit(&subs[6], |item| {
            item.record.groups.as_mut().expect("groups").data = BTreeSet::new();
            let facet = item.record.attributes.as_mut().expect("attributes");
            facet.as_of = now;
            facet
                .data
                .values
                .insert("custom:plan".to_owned(), Personal::new("gold"));
        })
        .await;
    night
        .edit(&subs[7], |item| {
            let facet = item.record.account.as_mut().expect("an account");
            facet.as_of = now;
            facet.data.enabled = false;
        })
        .await;
    vec![
        (subs[0].clone(), vec!["attribute email"]),
        (subs[1].clone(), vec!["missing in the backup"]),
        (subs[2].clone(), vec!["missing in the pool"]),
        (subs[3].clone(), vec!["deleted in the backup"]),
        (subs[4].clone(), vec!["status"]),
        (subs[5].clone(), vec!["joined group staff"]),
        (subs[6].clone(), vec!["attribute custom:plan", "joined group staff"]),
        (subs[7].clone(), vec!["enabled"]),
        (subs[11].clone(), vec!["left group other"]),
    ]
}

/// The same for groups.
async fn spoil_groups(night: &Night) {
    let now = night.now();
    for (name, deleted) in [("staff", false), ("other", true)] {
        let before = night.stored_group(name).await;
        let mut after = before.clone();
        after.version += 1;
        if deleted {
            after.record.deleted = Some(Tombstone {
                at: now,
                cause: "DeleteGroup".to_owned(),
            });
        } else {
            let facet = after.record.settings.as_mut().expect("settings");
            facet.as_of = now;
            facet.data.description = Some("edited".to_owned());
        }
        let written = night.table.put_group(&after, Some(before.version)).await;
        assert_eq!(written, Ok(Written::Stored));
    }
    // One that the pool has no more.
    night.delete_group("third").await;
}

async fn whatever_was_spoilt_is_found_named_counted_and_mended() {
    let (night, subs) = night().await;
    let expected = spoil(&night, &subs).await;
    night.pass(WINDOW_MILLIS);
    let outcome = night.reconcile().await;
    for (sub, fields) in &expected {
        let mut found = found_of(&outcome.findings, sub);
        found.sort_unstable();
        assert_eq!(&found, fields, "user {:?}", subs.iter().position(|one| one == sub));
    }
    let about: BTreeSet<&Subject> = outcome.findings.iter().map(|finding| &finding.subject).collect();
    assert_eq!(about.len(), expected.len(), "nobody else: {:?}", outcome.findings);
    let result = outcome.report.result;
    assert_eq!((result.drift_found, result.drift_left, result.deleted), (9, 0, 1));
    assert_eq!((result.users.undecided, result.guard), (0, None));
    let drift = [
        ("buried", 1),
        ("different", 4),
        ("gone", 1),
        ("memberships", 3),
        ("missing", 1),
    ];
    let drift: BTreeMap<_, _> = drift.map(|(kind, users)| (kind.to_owned(), users)).into();
    assert_eq!(result.users.drift, drift);
    assert_eq!(night.differences(&subs[2..3]).await, []);
    let rest = night.reconcile().await.report.result;
    assert_eq!((rest.drift_found, rest.users.writes), (0, 0));
}

async fn groups_that_were_spoilt_are_mended_as_well() {
    let (night, _) = night().await;
    spoil_groups(&night).await;
    night.pass(WINDOW_MILLIS);
    let outcome = night.reconcile().await;
    let found: Vec<Finding> = [
        ("other", Field::Buried),
        ("staff", Field::Description),
        ("third", Field::MissingInPool),
    ]
    .map(|(name, field)| Finding {
        subject: Subject::Group(name.to_owned()),
        field,
    })
    .into();
    assert_eq!(outcome.findings, found);
    let groups = outcome.report.run.groups;
    assert_eq!((groups.drift, groups.writes, groups.deleted), (3, 3, 1));
    assert_eq!(outcome.report.result.drift_found, 3);
    assert_eq!(night.differences(&[]).await, []);
    assert_eq!(night.reconcile().await.report.run.groups.writes, 0);
}

async fn what_claims_to_be_younger_than_a_list_can_show_waits_for_the_next_run() {
    let (night, subs) = night().await;
    spoil(&night, &subs).await;
    let early = night.reconcile().await.report.result;
    // The three edits of profiles and the tombstone may yet be what the pool will show in a moment.
    assert_eq!(early.users.undecided, 4);
    let left = night.differences(&subs[2..3]).await.len();
    assert!(left >= 4, "{left} differences left");
    night.pass(WINDOW_MILLIS);
    night.reconcile().await;
    assert_eq!(night.differences(&subs[2..3]).await, []);
}

async fn a_rehearsal_finds_the_same_and_writes_nothing() {
    let (night, subs) = night().await;
    spoil(&night, &subs).await;
    spoil_groups(&night).await;
    // A group that goes takes its memberships along: they are no findings of their own, rehearsed or not.
    for n in 20..25 {
        night.group(&format!("more-{n}"), json!({})).await;
        night.join(&format!("crowd{n}"), &format!("more-{n}")).await;
    }
    night.create("newcomer", &[]).await;
    night.pass(WINDOW_MILLIS);
    let before = night.items().await;
    let backup = Between::noting(night.table.clone());
    let puts = backup.asked();
    let options = Night::options("rehearsal");
    let rehearsed = night.run(night.reader(), Rehearsal::new(backup), &options).await;
    let rehearsed = rehearsed.expect("the rehearsal comes to its end");
    assert_eq!(
        *puts.lock().expect("it is whole"),
        [],
        "not one write, not even of a document"
    );
    assert_eq!(night.items().await, before);
    let real = night.reconcile().await;
    assert_eq!(rehearsed.findings, real.findings);
    let (rehearsed, real) = (rehearsed.report, real.report);
    assert_eq!(rehearsed.run.groups, real.run.groups);
    assert_eq!(rehearsed.result.users, real.result.users);
    assert_eq!(
        (
            rehearsed.result.drift_found,
            rehearsed.result.drift_left,
            rehearsed.result.deleted
        ),
        (real.result.drift_found, real.result.drift_left, real.result.deleted)
    );
    assert_eq!(night.differences(&subs[2..3]).await, []);
}
