//! The contract of [`Table`]: nothing that was stored is lost, whoever else writes and whichever answer gets lost.
//!
//! Invariant: every test of the suite has a pool of its own in the suite's table.

mod bench;
mod runs;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use twinpool_shared::{
    adapter::table::{Table, read_item},
    error::ErrorKind,
    group::{GroupRecord, GroupSettings},
    item::{GroupItem, UserItem, group_key, index_key, part_key, user_key, user_version_key},
    marks::Part,
    observation::{Evidence, Observation},
    personal::Sub,
    port::{Backup, Written},
    user::{Facet, Factors, Tombstone},
};
use twinpool_tests::{
    backup_table::INDEXES,
    stand_ins::{ministack, moto},
};

use bench::{Bench, RETENTION_SECONDS, at, following, item, merged, read, s, sub};

#[tokio::test]
async fn over_ministack() {
    suite(&ministack().await).await;
}

#[tokio::test]
async fn over_moto() {
    suite(&moto().await).await;
}

async fn suite(endpoint: &str) {
    let bench = Bench::new(endpoint).await;
    a_first_write_is_conditional(&bench).await;
    a_write_replaces_the_version_that_was_read(&bench).await;
    the_old_version_is_put_aside_first_and_once(&bench).await;
    a_lost_answer_ends_in_a_conflict_and_then_in_nothing(&bench).await;
    many_users_are_read_in_batches(&bench).await;
    a_write_is_read_at_once(&bench).await;
    large_and_odd_values_survive(&bench).await;
    only_living_users_are_found_by_alias(&bench).await;
    a_mark_only_moves_forward_and_touches_nothing_else(&bench).await;
    groups_are_stored_and_conditional(&bench).await;
    what_a_newer_version_wrote_stays(&bench).await;
    what_is_not_ours_is_not_read(&bench).await;
    a_missing_table_is_named(&bench).await;
    many_writers_of_one_user_lose_nothing(&bench).await;
    Box::pin(runs::suite(&bench)).await;
}

async fn a_first_write_is_conditional(bench: &Bench) {
    let (pool, sub) = ("first", sub("0a"));
    let first = item(pool, &sub, "first@example.com");
    assert_eq!(bench.table.put_user(&first, None).await, Ok(Written::Stored));
    let late = item(pool, &sub, "late@example.com");
    assert_eq!(bench.table.put_user(&late, None).await, Ok(Written::Conflict));
    assert_eq!(bench.stored(pool, &sub).await, first);
}

async fn a_write_replaces_the_version_that_was_read(bench: &Bench) {
    let (pool, sub) = ("replaces", sub("0b"));
    let one = item(pool, &sub, "one@example.com");
    assert_eq!(bench.table.put_user(&one, None).await, Ok(Written::Stored));
    let two = merged(Some(&one), &sub, &[read(&[("email", "two@example.com")], 2)]).expect("news");
    let (two, aside) = following(pool, Some(&one), two, 2);
    assert_eq!(bench.table.put_user(&two, aside.as_ref()).await, Ok(Written::Stored));
    // Somebody who read the first version comes late.
    let late = merged(Some(&one), &sub, &[read(&[("email", "late@example.com")], 3)]).expect("news");
    let (late, aside) = following(pool, Some(&one), late, 3);
    assert_eq!(bench.table.put_user(&late, aside.as_ref()).await, Ok(Written::Conflict));
    assert_eq!(bench.stored(pool, &sub).await, two);
}

async fn the_old_version_is_put_aside_first_and_once(bench: &Bench) {
    let (pool, sub) = ("aside", sub("0c"));
    let one = item(pool, &sub, "one@example.com");
    assert_eq!(bench.table.put_user(&one, None).await, Ok(Written::Stored));
    let aside_key = user_version_key(pool, &sub, 1);
    assert_eq!(bench.raw(&aside_key).await, None);
    // The condition fails, as it would after a crash between the two writes: the copy is there, the current item untouched.
    let record = merged(Some(&one), &sub, &[read(&[("email", "two@example.com")], 2)]).expect("news");
    let (two, aside) = following(pool, Some(&one), record, 2);
    let mut wrong = aside.clone().expect("a version to put aside");
    wrong.version = 7;
    assert_eq!(bench.table.put_user(&two, Some(&wrong)).await, Ok(Written::Conflict));
    assert!(bench.raw(&aside_key).await.is_some());
    assert_eq!(bench.stored(pool, &sub).await, one);
    // Once more, properly: the copy is written over with itself.
    assert_eq!(bench.table.put_user(&two, aside.as_ref()).await, Ok(Written::Stored));
    let copy: UserItem = read_item(bench.raw(&aside_key).await.expect("the copy")).expect("ours");
    assert_eq!(Some(&copy), aside.as_ref());
    assert_eq!(copy.record, one.record);
    assert_eq!(copy.expires_at, Some(at(2).as_seconds() + RETENTION_SECONDS));
}

async fn a_lost_answer_ends_in_a_conflict_and_then_in_nothing(bench: &Bench) {
    let (pool, sub) = ("lost", sub("0d"));
    let one = item(pool, &sub, "one@example.com");
    let news = [read(&[("email", "two@example.com")], 2)];
    for (stored, observations) in [(None, &[read(&[("email", "one@example.com")], 1)]), (Some(&one), &news)] {
        let record = merged(stored, &sub, observations).expect("news");
        let (next, aside) = following(pool, stored, record, if stored.is_some() { 2 } else { 1 });
        assert_eq!(bench.table.put_user(&next, aside.as_ref()).await, Ok(Written::Stored));
        // The answer got lost, so the same is written again.
        assert_eq!(bench.table.put_user(&next, aside.as_ref()).await, Ok(Written::Conflict));
        let now_stored = bench.stored(pool, &sub).await;
        assert_eq!(now_stored, next);
        assert_eq!(merged(Some(&now_stored), &sub, observations), None);
    }
}

async fn many_users_are_read_in_batches(bench: &Bench) {
    let pool = "batches";
    let subs: Vec<Sub> = (0..250).map(|n| sub(&format!("{n:04x}-{n}"))).collect();
    let (living, missing) = subs.split_at(200);
    for chunk in living.chunks(20) {
        let items: Vec<_> = chunk
            .iter()
            .map(|sub| item(pool, sub, &format!("{sub}@example.com")))
            .collect();
        for written in join_all(items.iter().map(|item| bench.table.put_user(item, None))).await {
            assert_eq!(written, Ok(Written::Stored));
        }
    }
    let users = bench.table.users(pool, &subs).await.expect("they are read");
    assert_eq!(users.len(), living.len());
    assert!(
        living
            .iter()
            .all(|sub| users[sub] == item(pool, sub, &format!("{sub}@example.com")))
    );
    assert!(missing.iter().all(|sub| !users.contains_key(sub)));
    assert!(bench.table.users(pool, &[]).await.expect("nothing is read").is_empty());
    assert!(
        bench
            .table
            .users("another pool", &subs)
            .await
            .expect("nothing is found")
            .is_empty()
    );
}

async fn a_write_is_read_at_once(bench: &Bench) {
    let (pool, sub) = ("at-once", sub("0e"));
    let mut stored = item(pool, &sub, "0@example.com");
    assert_eq!(bench.table.put_user(&stored, None).await, Ok(Written::Stored));
    for second in 2..22 {
        let news = [read(&[("email", &format!("{second}@example.com"))], second)];
        let (next, aside) = following(
            pool,
            Some(&stored),
            merged(Some(&stored), &sub, &news).expect("news"),
            second,
        );
        assert_eq!(bench.table.put_user(&next, aside.as_ref()).await, Ok(Written::Stored));
        stored = bench.stored(pool, &sub).await;
        assert_eq!(stored, next);
    }
    assert_eq!(stored.version, 21);
}

async fn large_and_odd_values_survive(bench: &Bench) {
    let pool = "odd";
    // 300 kB of text that is longer in bytes than in characters.
    let large = "ß☃".repeat(60_000);
    for (name, values) in [
        (
            "0f-large",
            vec![("custom:notes", large.as_str()), ("email", "x@example.com")],
        ),
        (
            "0f-empty",
            vec![
                ("name", ""),
                ("email", ""),
                ("preferred_username", ""),
                ("phone_number", ""),
            ],
        ),
        (
            "0f-unicode",
            vec![
                ("name", "Zoë 🦀 \u{202e}\u{0}\t\n\"\\"),
                ("email", "ÄÖÜ@例え.jp"),
                ("custom:ключ", "naïve"),
            ],
        ),
    ] {
        let sub = sub(name);
        let record = merged(None, &sub, &[read(&values, 1)]).expect("news");
        let (next, _) = following(pool, None, record, 1);
        assert_eq!(bench.table.put_user(&next, None).await, Ok(Written::Stored), "{name}");
        assert_eq!(bench.stored(pool, &sub).await, next, "{name}");
    }
}

async fn only_living_users_are_found_by_alias(bench: &Bench) {
    let (pool, sub) = ("aliases", sub("1a"));
    let values = [
        ("email", "Ann@Example.com"),
        ("phone_number", "+31612345678"),
        ("preferred_username", "Annie"),
    ];
    let record = merged(None, &sub, &[read(&values, 1)]).expect("news");
    let (one, _) = following(pool, None, record, 1);
    assert_eq!(bench.table.put_user(&one, None).await, Ok(Written::Stored));
    let aliases = ["ann", "ann@example.com", "+31612345678", "annie"];
    let current = user_key(pool, &sub).sk;
    for ((index, attribute), value) in INDEXES.into_iter().zip(aliases) {
        assert_eq!(
            bench.found(index, attribute, &index_key(pool, value)).await,
            [current.as_str()],
            "{index}"
        );
        assert!(
            bench
                .found(index, attribute, &index_key("other", value))
                .await
                .is_empty(),
            "{index}"
        );
    }
    // A second version: one hit still, and the old address leads nowhere.
    let mut moved = values;
    moved[0].1 = "ann@new.example";
    let record = merged(Some(&one), &sub, &[read(&moved, 2)]).expect("news");
    let (two, aside) = following(pool, Some(&one), record, 2);
    assert_eq!(bench.table.put_user(&two, aside.as_ref()).await, Ok(Written::Stored));
    let by_email = |value| index_key(pool, value);
    assert!(
        bench
            .found("by-email", "gsi_email", &by_email("ann@example.com"))
            .await
            .is_empty()
    );
    assert_eq!(
        bench.found("by-email", "gsi_email", &by_email("ann@new.example")).await,
        [current.as_str()]
    );
    // A tombstone: no hit at all, although the record keeps every value.
    let gone = Observation {
        source: "AdminDeleteUser".into(),
        evidence: Evidence::Gone { announced_at: at(100) },
    };
    let (three, aside) = following(pool, Some(&two), merged(Some(&two), &sub, &[gone]).expect("news"), 100);
    assert!(!three.record.is_alive());
    assert_eq!(bench.table.put_user(&three, aside.as_ref()).await, Ok(Written::Stored));
    for ((index, attribute), value) in INDEXES
        .into_iter()
        .zip(["ann", "ann@new.example", "+31612345678", "annie"])
    {
        assert!(
            bench.found(index, attribute, &index_key(pool, value)).await.is_empty(),
            "{index}"
        );
    }
    assert_eq!(bench.stored(pool, &sub).await, three);
}

async fn a_mark_only_moves_forward_and_touches_nothing_else(bench: &Bench) {
    let pool = "marks";
    let key = part_key(pool, Part::Clients);
    let own = [
        ("checked_at", s("2026-01-01T00:00:00.000Z")),
        ("schema_version", AttributeValue::N("7".into())),
    ];
    bench.put_raw(&key, &own).await;
    for (second, cause, expected, marked_by) in [
        (10, "CreateUserPoolClient", Written::Stored, "CreateUserPoolClient"),
        (10, "DeleteUserPoolClient", Written::Conflict, "CreateUserPoolClient"),
        (9, "DeleteUserPoolClient", Written::Conflict, "CreateUserPoolClient"),
        (11, "UpdateUserPoolClient", Written::Stored, "UpdateUserPoolClient"),
    ] {
        assert_eq!(
            bench.table.mark(pool, Part::Clients, at(second), cause).await,
            Ok(expected),
            "{second}"
        );
        let raw = bench.raw(&key).await.expect("the mark");
        assert_eq!(raw.get("marked_by"), Some(&s(marked_by)), "{second}");
        assert_eq!(raw.get("pool"), Some(&s(pool)));
        for (name, value) in &own {
            assert_eq!(raw.get(*name), Some(value), "{name} is the reconciler's");
        }
    }
    let raw = bench.raw(&key).await.expect("the mark");
    assert_eq!(raw.get("marked_at"), Some(&s(&at(11).to_string())));
    // Where there is nothing yet, the mark is the item.
    assert_eq!(
        bench.table.mark(pool, Part::Pool, at(1), "x").await,
        Ok(Written::Stored)
    );
    let raw = bench.raw(&part_key(pool, Part::Pool)).await.expect("the mark");
    assert_eq!(raw.get("schema_version"), Some(&AttributeValue::N("1".into())));
}

fn group(pool: &str, name: &str, version: u64, precedence: Option<i32>) -> GroupItem {
    let mut record = GroupRecord::new(name);
    record.settings = Some(Facet {
        as_of: at(1),
        observed_at: at(2),
        source: "GetGroup".into(),
        data: GroupSettings {
            description: Some("Größe \"L\"".into()),
            precedence,
            role_arn: None,
            created: at(0),
            modified: at(1),
        },
    });
    GroupItem::current(pool, version, record, at(3))
}

async fn groups_are_stored_and_conditional(bench: &Bench) {
    let (pool, name) = ("groups", "Gäste#v0000000001 🦀");
    assert_eq!(bench.table.group(pool, name).await, Ok(None));
    let one = group(pool, name, 1, Some(0));
    assert_eq!(bench.table.put_group(&one, None).await, Ok(Written::Stored));
    assert_eq!(bench.table.put_group(&one, None).await, Ok(Written::Conflict));
    assert_eq!(bench.table.group(pool, name).await, Ok(Some(one)));
    let mut two = group(pool, name, 2, None);
    two.record.deleted = Some(Tombstone {
        at: at(9),
        cause: "DeleteGroup".into(),
    });
    assert_eq!(bench.table.put_group(&two, Some(1)).await, Ok(Written::Stored));
    assert_eq!(
        bench.table.put_group(&group(pool, name, 2, Some(5)), Some(1)).await,
        Ok(Written::Conflict)
    );
    assert_eq!(bench.table.group(pool, name).await, Ok(Some(two)));
    assert_eq!(bench.table.group("groups-of-another", name).await, Ok(None));
}

async fn what_a_newer_version_wrote_stays(bench: &Bench) {
    let (pool, sub) = ("newer", sub("1b"));
    let members = [
        ("schema_version", AttributeValue::N("2".into())),
        ("version", AttributeValue::N("5".into())),
        ("unheard_of", s("kept")),
    ];
    for key in [user_key(pool, &sub), group_key(pool, "g")] {
        bench.put_raw(&key, &members).await;
    }
    let error = bench
        .table
        .users(pool, std::slice::from_ref(&sub))
        .await
        .expect_err("it is newer");
    assert_eq!(error.kind, ErrorKind::Newer, "{error}");
    let error = bench.table.group(pool, "g").await.expect_err("it is newer");
    assert_eq!(error.kind, ErrorKind::Newer, "{error}");
    assert_eq!(
        bench.table.put_user(&item(pool, &sub, "a@example.com"), None).await,
        Ok(Written::Conflict)
    );
    assert_eq!(
        bench.table.put_group(&group(pool, "g", 1, None), None).await,
        Ok(Written::Conflict)
    );
    for key in [user_key(pool, &sub), group_key(pool, "g")] {
        assert_eq!(
            bench.raw(&key).await.and_then(|raw| raw.get("unheard_of").cloned()),
            Some(s("kept"))
        );
    }
}

async fn what_is_not_ours_is_not_read(bench: &Bench) {
    let (pool, sub) = ("foreign", sub("1c"));
    let secret = "ann@example.com";
    for members in [
        vec![("email", s(secret))],
        vec![("schema_version", s("1")), ("record", s(secret))],
    ] {
        for key in [user_key(pool, &sub), group_key(pool, "g")] {
            bench.put_raw(&key, &members).await;
        }
        let errors = [
            bench.table.users(pool, std::slice::from_ref(&sub)).await.map(drop),
            bench.table.group(pool, "g").await.map(drop),
        ];
        for error in errors {
            let error = error.expect_err("it is not ours");
            assert_eq!(error.kind, ErrorKind::BadItem, "{error}");
            assert!(!error.to_string().contains(secret), "{error}");
        }
    }
    assert_eq!(
        bench.table.put_user(&item(pool, &sub, "a@example.com"), None).await,
        Ok(Written::Conflict)
    );
}

async fn a_missing_table_is_named(bench: &Bench) {
    let table = Table::new(bench.client.clone(), "no-such-table");
    let sub = sub("1d");
    let errors = [
        table.probe().await,
        table.users("p", std::slice::from_ref(&sub)).await.map(drop),
        table.put_user(&item("p", &sub, "a@example.com"), None).await.map(drop),
        table.group("p", "g").await.map(drop),
        table.put_group(&group("p", "g", 1, None), None).await.map(drop),
        table.mark("p", Part::Pool, at(1), "x").await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("there is no such table");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}

/// What writer `n` saw. Every kind of evidence is among them, each newest somewhere in the middle.
fn sight(n: i64) -> Observation {
    let second = (n * 37) % 50 + 1;
    let evidence = match n % 5 {
        0 => return read(&[("email", &format!("{n}@example.com"))], second),
        1 => Evidence::Groups {
            groups: BTreeSet::from([format!("group {n}")]),
            announced_at: at(second),
            read_at: at(second),
        },
        2 => Evidence::Factors {
            factors: Factors {
                preferred: None,
                enabled: BTreeSet::from([format!("FACTOR_{n}")]),
            },
            announced_at: at(second),
            read_at: at(second),
        },
        3 => Evidence::FactorsChanged {
            announced_at: at(second),
        },
        _ => Evidence::SignedIn {
            at: at(second * 86_400),
        },
    };
    Observation {
        source: format!("writer {n}"),
        evidence,
    }
}

async fn many_writers_of_one_user_lose_nothing(bench: &Bench) {
    let (pool, sub) = ("writers", sub("1e"));
    let sights: Vec<Observation> = (0..50).map(sight).collect();
    let writers = sights.iter().enumerate().map(|(n, sight)| {
        let (table, sub, sight) = (bench.table.clone(), sub.clone(), sight.clone());
        tokio::spawn(async move {
            for _ in 0..200 {
                let stored = table
                    .users(pool, std::slice::from_ref(&sub))
                    .await
                    .expect("it is read")
                    .remove(&sub);
                let Some(record) = merged(stored.as_ref(), &sub, std::slice::from_ref(&sight)) else {
                    return 0;
                };
                let (next, aside) = following(pool, stored.as_ref(), record, 100);
                if table.put_user(&next, aside.as_ref()).await == Ok(Written::Stored) {
                    return 1;
                }
            }
            panic!("writer {n} never got its turn")
        })
    });
    let mut writes: u64 = 0;
    for writer in join_all(writers).await {
        writes += writer.expect("the writer ends well");
    }
    let last = bench.stored(pool, &sub).await;
    assert_eq!(
        Some(&last.record),
        merged(None, &sub, &sights).as_ref(),
        "as if one had seen everything"
    );
    assert_eq!(last.version, writes, "every write that was answered is a version");
    for version in 1..writes {
        assert!(
            bench.raw(&user_version_key(pool, &sub, version)).await.is_some(),
            "version {version}"
        );
    }
}
