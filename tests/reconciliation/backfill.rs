//! The first run is the backfill, the second writes nothing, and a little churn is a little writing.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::json;
use twinpool_tests::reconciling::{Asked, Between, Night, PASSWORD, Scene, WINDOW_MILLIS};

use super::written;

#[tokio::test]
async fn the_first_run_and_the_ones_after_it() {
    Box::pin(a_first_run_is_a_complete_backfill_and_a_second_writes_nothing()).await;
    Box::pin(one_percent_of_churn_is_one_percent_of_writing()).await;
}

/// A pool with everything that a copy can get wrong.
async fn everything(night: &Night) -> usize {
    let permanent = [("Password", json!(PASSWORD)), ("Permanent", json!(true))];
    let odd = [
        ("email", "zoe@example.com"),
        ("name", "Zoë \"Z\" 🦀\n"),
        ("nickname", ""),
        ("custom:plan", "gold"),
    ];
    night.create("zoë", &odd).await;
    night.admin("AdminSetUserPassword", "zoë", &permanent).await;
    night.sign_up("unconfirmed").await;
    night.create("invited", &[]).await;
    night
        .create("reset", &[("email", "reset@example.com"), ("email_verified", "true")])
        .await;
    night.admin("AdminSetUserPassword", "reset", &permanent).await;
    night.admin("AdminResetUserPassword", "reset", &[]).await;
    night.federate("u-1").await;
    night.create("disabled", &[("phone_number", "+31612345678")]).await;
    night.admin("AdminDisableUser", "disabled", &[]).await;
    night.crowd("crowd", 74).await;
    let role = "arn:aws:iam::111122223333:role/staff";
    night
        .group(
            "staff",
            json!({"Description": "Größe L", "Precedence": 0, "RoleArn": role}),
        )
        .await;
    for n in 0..130 {
        night.group(&format!("group-{n:03}"), json!({"Precedence": n})).await;
    }
    for n in 0..99 {
        night.join("zoë", &format!("group-{n:03}")).await;
    }
    night.join("zoë", "staff").await;
    night.join("disabled", "staff").await;
    for n in 0..70 {
        night.join(&format!("crowd{n}"), "group-129").await;
    }
    80
}

async fn a_first_run_is_a_complete_backfill_and_a_second_writes_nothing() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let users = everything(&night).await;
    let billable = scene.billable();

    let first = night.reconcile().await.report;
    assert_eq!(night.differences(&[]).await, []);
    let tally = &first.result.users;
    assert_eq!((tally.users, tally.memberships), (users as u64, 171));
    assert_eq!((first.run.groups.groups, first.run.groups.writes), (131, 131));
    assert_eq!(tally.writes, users as u64);
    assert_eq!(tally.drift, BTreeMap::from([("missing".to_owned(), users as u64)]));
    assert_eq!(
        (first.result.drift_found, first.result.drift_left, first.result.guard),
        (users as u64 + 131, 0, None)
    );
    let statuses = [
        ("CONFIRMED", 1),
        ("EXTERNAL_PROVIDER", 1),
        ("FORCE_CHANGE_PASSWORD", 76),
        ("RESET_REQUIRED", 1),
        ("UNCONFIRMED", 1),
    ];
    let statuses = statuses.map(|(status, count)| (status.to_owned(), count));
    assert_eq!(tally.statuses, BTreeMap::from(statuses));
    assert_eq!(first.run.prefixes.len(), 17, "the probe trusts prefixes");

    let before = night.items().await;
    night.pass(86_400_000);
    let (reader, backup) = (Between::noting(night.reader()), Between::noting(night.table.clone()));
    let (asked, puts) = (reader.asked(), backup.asked());
    let second = night.run(reader, backup, &Night::options("tests")).await;
    let second = second.expect("the run comes to its end").report;
    assert_ne!(second.run.id, first.run.id);
    assert_eq!(
        written(&puts.lock().expect("it is whole")),
        (BTreeSet::new(), BTreeSet::new())
    );
    assert_eq!((second.result.users.writes, second.run.groups.writes), (0, 0));
    assert_eq!((second.result.drift_found, second.result.users.undecided), (0, 0));
    assert_eq!(
        night.items().await,
        before,
        "not one item of a user or a group was touched"
    );
    let asked = asked.lock().expect("it is whole");
    assert!(!asked.iter().any(|asked| matches!(asked, Asked::Other(_))), "{asked:?}");
    assert!(
        !asked.iter().any(|asked| matches!(asked, Asked::User(_))),
        "nobody is looked for one by one"
    );
    assert_eq!(scene.billable(), billable, "a walk makes nobody billable");
    assert_eq!(scene.calls("cognito-idp", "AdminGetUser"), 0);
}

/// Bytes of an item, as DynamoDB counts them: names and values; a number has about a byte for two digits and one more.
fn bytes(item: &BTreeMap<String, AttributeValue>) -> usize {
    fn of(value: &AttributeValue) -> usize {
        match value {
            AttributeValue::S(text) => text.len(),
            AttributeValue::N(number) => number.len().div_ceil(2) + 1,
            AttributeValue::L(list) => 3 + list.iter().map(|value| 1 + of(value)).sum::<usize>(),
            AttributeValue::M(members) => {
                3 + members
                    .iter()
                    .map(|(name, value)| 1 + name.len() + of(value))
                    .sum::<usize>()
            }
            _ => 1,
        }
    }
    item.iter().map(|(name, value)| name.len() + of(value)).sum()
}

async fn one_percent_of_churn_is_one_percent_of_writing() {
    let scene = Scene::start(json!({})).await;
    let night = Night::new(&scene).await;
    let subs = night.crowd("crowd", 1_000).await;
    night.group("staff", json!({})).await;
    night.pass(WINDOW_MILLIS);
    let first = night.reconcile().await.report;
    assert_eq!((first.result.users.users, first.result.users.writes), (1_000, 1_000));
    let before = night.items().await;

    let mut expected = BTreeSet::new();
    for (n, sub) in subs.iter().enumerate().take(4) {
        night.set(&format!("crowd{n}"), "custom:plan", "gold").await;
        expected.insert(sub.clone());
    }
    night.admin("AdminDisableUser", "crowd4", &[]).await;
    night
        .admin(
            "AdminSetUserPassword",
            "crowd5",
            &[("Password", json!(PASSWORD)), ("Permanent", json!(true))],
        )
        .await;
    night.join("crowd6", "staff").await;
    night.delete("crowd7").await;
    night.delete("crowd8").await;
    expected.extend(subs[4..9].iter().cloned());
    expected.insert(night.create("newcomer", &[("email", "new@example.com")]).await);
    assert_eq!(expected.len(), 10);

    let backup = Between::noting(night.table.clone());
    let puts = backup.asked();
    let second = night.run(night.reader(), backup, &Night::options("tests")).await;
    let second = second.expect("the run comes to its end").report.result;
    assert_eq!(night.differences(&subs[7..9]).await, []);
    let (users, groups) = written(&puts.lock().expect("it is whole"));
    assert_eq!((users, groups), (expected, BTreeSet::new()));
    assert_eq!((second.users.writes, second.deleted), (10, 2));
    assert_eq!((second.drift_found, second.drift_left), (10, 0));
    let drift = [("different", 6), ("gone", 2), ("memberships", 1), ("missing", 1)];
    assert_eq!(
        second.users.drift,
        BTreeMap::from(drift.map(|(kind, users)| (kind.to_owned(), users)))
    );

    // Nine old versions put aside, ten current items: each is paid for by its size, and nothing else was touched.
    let after = night.items().await;
    let changed: Vec<_> = after
        .iter()
        .filter(|(sk, item)| before.get(*sk) != Some(*item))
        .collect();
    let (current, aside): (Vec<_>, Vec<_>) = changed.iter().partition(|(sk, _)| sk.starts_with("user#"));
    assert_eq!((current.len(), aside.len()), (10, 9));
    assert!(aside.iter().all(|(sk, _)| sk.starts_with("version#")));
    let units: usize = changed.iter().map(|(_, item)| bytes(item).div_ceil(1_024)).sum();
    let sizes: Vec<usize> = changed.iter().map(|(_, item)| bytes(item)).collect();
    assert!(
        (19..=38).contains(&units),
        "{units} write units, items of {sizes:?} bytes"
    );
    assert_eq!(before.keys().filter(|sk| !after.contains_key(*sk)).count(), 0);
}
