//! What a walk and a run ask of the table: users by partition, all groups, marks, documents.

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use futures::future::join_all;
use twinpool_shared::{
    adapter::table::Table,
    error::ErrorKind,
    item::{Key, OTHER_SHARD, SHARDS, part_key, run_key, shard_partitions, user_key},
    marks::Part,
    personal::{Personal, Sub},
    port::{Backup, Document, Written},
};

use super::bench::{Bench, at, following, item, merged, read, s, sub};

pub(super) async fn suite(bench: &Bench) {
    the_users_of_a_partition_are_the_current_ones_page_by_page(bench).await;
    a_prefix_shows_its_users_and_a_shard_is_sixteen_partitions(bench).await;
    an_old_version_of_release_0_1_is_no_user(bench).await;
    all_groups_are_listed_living_and_deleted(bench).await;
    a_mark_is_cleared_unless_it_moved_on(bench).await;
    a_document_is_stored_on_the_version_that_was_read(bench).await;
    documents_are_listed_in_order_over_pages(bench).await;
    documents_are_removed_also_twice_and_in_bulk(bench).await;
    what_a_newer_version_wrote_is_an_error_in_every_list(bench).await;
    what_is_not_ours_is_an_error_that_quotes_nothing(bench).await;
    a_missing_table_is_named(bench).await;
}

async fn all_users_in(bench: &Bench, partition: &str, prefix: &str) -> (Vec<Sub>, usize) {
    let (mut users, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let page = bench.table.users_in(partition, prefix, token.as_deref()).await;
        let page = page.expect("they are read");
        users.extend(page.entries.into_iter().map(|item| item.record.sub));
        pages += 1;
        token = page.token;
        if token.is_none() {
            return (users, pages);
        }
    }
}

/// A `sub` of the shard `0`, chosen so that its partition is the one of `0-0`.
fn of_one_partition(count: usize) -> (String, Vec<Sub>) {
    let partition = user_key("walked", &sub("0-0")).pk;
    let all = (0..).map(|n| sub(&format!("0-{n}")));
    let there = all.filter(|sub| user_key("walked", sub).pk == partition);
    (partition.clone(), there.take(count).collect())
}

async fn the_users_of_a_partition_are_the_current_ones_page_by_page(bench: &Bench) {
    let (partition, subs) = of_one_partition(12);
    // 12 users of 200 kB are more than a page of 1 MB, and so is their history.
    let large = "x".repeat(200_000);
    for (n, sub) in subs.iter().enumerate() {
        let record = merged(None, sub, &[read(&[("custom:notes", &large)], 1)]).expect("news");
        let (one, _) = following("walked", None, record, 1);
        assert_eq!(bench.table.put_user(&one, None).await, Ok(Written::Stored));
        if n % 3 == 0 {
            let news = [read(&[("custom:notes", &large), ("name", "Bo")], 2)];
            let record = merged(Some(&one), sub, &news).expect("news");
            let (two, aside) = following("walked", Some(&one), record, 2);
            assert_eq!(bench.table.put_user(&two, aside.as_ref()).await, Ok(Written::Stored));
        }
    }
    let (mut found, pages) = all_users_in(bench, &partition, "").await;
    found.sort_unstable();
    let mut expected = subs;
    expected.sort_unstable();
    assert_eq!(found, expected, "every current user once, and no superseded version");
    assert!(pages >= 3, "{pages} pages");
    assert_eq!(all_users_in(bench, "walked#00x", "").await.0, []);
}

async fn a_prefix_shows_its_users_and_a_shard_is_sixteen_partitions(bench: &Bench) {
    let pool = "prefixes";
    let subs: Vec<Sub> = (0..48).map(|n| sub(&format!("{n:02x}-user"))).collect();
    let odd = [sub("Zed-1"), sub("_-2")];
    for sub in subs.iter().chain(&odd) {
        let one = item(pool, sub, "a@example.com");
        assert_eq!(bench.table.put_user(&one, None).await, Ok(Written::Stored));
    }
    let in_shard = async |shard: char, prefix: &str| {
        let partitions: Vec<String> = shard_partitions(pool, shard).collect();
        let found = join_all(
            partitions
                .iter()
                .map(|partition| all_users_in(bench, partition, prefix)),
        )
        .await;
        found.into_iter().flat_map(|(users, _)| users).collect::<BTreeSet<_>>()
    };
    let mut all = BTreeSet::new();
    for shard in SHARDS {
        let found = in_shard(shard, "").await;
        assert!(found.iter().all(|sub| sub.as_str().starts_with(shard)), "{shard}");
        all.extend(found);
    }
    assert_eq!(all, subs.iter().cloned().collect());
    assert_eq!(in_shard(OTHER_SHARD, "").await, odd.into_iter().collect());
    assert_eq!(in_shard('1', "1").await.len(), 16);
    assert_eq!(in_shard('1', "1f").await, BTreeSet::from([sub("1f-user")]));
    assert_eq!(in_shard('1', "2").await, BTreeSet::new());
}

/// Until release 0.1 they stood among the current users.
async fn an_old_version_of_release_0_1_is_no_user(bench: &Bench) {
    let (pool, sub) = ("before", sub("0-old"));
    let one = item(pool, &sub, "one@example.com");
    let mut old = one.superseded(at(2), 100);
    old.key.sk = format!("user#{sub}#v0000000001");
    let record = merged(Some(&one), &sub, &[read(&[("email", "two@example.com")], 2)]).expect("news");
    let (two, _) = following(pool, Some(&one), record, 2);
    // Unconditional, as it is put aside.
    for item in [&one, &two] {
        let aside = (item.version == 2).then_some(&old);
        let stored = bench.table.put_user(item, aside).await;
        assert_eq!(stored, Ok(Written::Stored));
    }
    let page = bench.table.users_in(&two.key.pk, "", None).await.expect("it is read");
    let versions: Vec<(String, u64)> = page
        .entries
        .into_iter()
        .map(|item| (item.key.sk, item.version))
        .collect();
    assert_eq!(versions, [(two.key.sk.clone(), 2)]);
    assert!(bench.raw(&old.key).await.is_some(), "it is there, and no user");
}

async fn all_groups_are_listed_living_and_deleted(bench: &Bench) {
    let pool = "all-groups";
    assert_eq!(bench.table.groups(pool).await, Ok(vec![]));
    let names = ["Gäste#v1 🦀", "admins", "deleted", "z".repeat(128).as_str()].map(str::to_owned);
    for name in &names {
        let mut group = super::group(pool, name, 1, Some(0));
        if name == "deleted" {
            group.record.deleted = Some(twinpool_shared::user::Tombstone {
                at: at(9),
                cause: "DeleteGroup".into(),
            });
        }
        assert_eq!(bench.table.put_group(&group, None).await, Ok(Written::Stored));
    }
    // Neighbours in the same partition.
    assert_eq!(
        bench.table.mark(pool, Part::Pool, at(1), "x").await,
        Ok(Written::Stored)
    );
    let groups = bench.table.groups(pool).await.expect("they are read");
    let found: BTreeSet<String> = groups.iter().map(|item| item.record.name.clone()).collect();
    assert_eq!(found, names.into_iter().collect());
    assert_eq!(groups.iter().filter(|item| item.record.is_alive()).count(), 3);
    assert_eq!(bench.table.groups("all-group").await, Ok(vec![]), "another pool's");
}

async fn a_mark_is_cleared_unless_it_moved_on(bench: &Bench) {
    let pool = "cleared";
    assert_eq!(bench.table.marks(pool).await, Ok(vec![]));
    for part in Part::ALL {
        assert_eq!(bench.table.mark(pool, part, at(10), "x").await, Ok(Written::Stored));
    }
    let all: Vec<_> = Part::ALL.into_iter().map(|part| (part, at(10))).collect();
    assert_eq!(bench.table.marks(pool).await, Ok(all));
    assert_eq!(
        bench.table.mark(pool, Part::Users, at(11), "y").await,
        Ok(Written::Stored)
    );
    assert_eq!(
        bench.table.clear_mark(pool, Part::Users, at(10)).await,
        Ok(Written::Conflict)
    );
    assert_eq!(
        bench.table.clear_mark(pool, Part::Pool, at(10)).await,
        Ok(Written::Stored)
    );
    assert_eq!(
        bench.table.clear_mark(pool, Part::Pool, at(10)).await,
        Ok(Written::Conflict)
    );
    let marks = bench.table.marks(pool).await.expect("they are read");
    assert!(!marks.iter().any(|(part, _)| *part == Part::Pool));
    assert!(marks.contains(&(Part::Users, at(11))));
    // What else stands in the item stays.
    let raw = bench.raw(&part_key(pool, Part::Pool)).await.expect("the item is there");
    assert_eq!((raw.get("marked_at"), raw.get("pool")), (None, Some(&s(pool))));
    // It can be marked again, also with an older instant: it is not marked.
    assert_eq!(
        bench.table.mark(pool, Part::Pool, at(3), "z").await,
        Ok(Written::Stored)
    );
}

fn document(pool: &str, name: &str, version: u64, body: &str) -> Document {
    Document {
        key: run_key(pool, name),
        schema_version: 1,
        pool: pool.to_owned(),
        version,
        written_at: at(1),
        expires_at: (version % 2 == 1).then(|| at(100).as_seconds()),
        body: Personal::new(body),
    }
}

async fn a_document_is_stored_on_the_version_that_was_read(bench: &Bench) {
    let (pool, table) = ("documents", &bench.table);
    let odd = r#"{"empty":"","null":null,"number":1e400,"text":"ü \" 🦀"}"#;
    let one = document(pool, "lease", 1, odd);
    assert_eq!(table.document(&one.key).await, Ok(None));
    assert_eq!(
        table.put_document(&one, Some(1)).await,
        Ok(Written::Conflict),
        "there is none"
    );
    assert_eq!(table.put_document(&one, None).await, Ok(Written::Stored));
    assert_eq!(
        table.put_document(&one, None).await,
        Ok(Written::Conflict),
        "there is one"
    );
    assert_eq!(table.document(&one.key).await, Ok(Some(one.clone())));
    let two = document(pool, "lease", 2, "[]");
    assert_eq!(table.put_document(&two, Some(1)).await, Ok(Written::Stored));
    let late = document(pool, "lease", 2, "\"late\"");
    assert_eq!(table.put_document(&late, Some(1)).await, Ok(Written::Conflict));
    assert_eq!(
        table.document(&one.key).await,
        Ok(Some(two)),
        "its end is gone with the version before"
    );
    // Of many who want it, one gets it.
    let key = run_key(pool, "wanted");
    let wishes = (0..8).map(|n| {
        let wish = Document {
            key: key.clone(),
            ..document(pool, "", 1, &n.to_string())
        };
        async move { table.put_document(&wish, None).await }
    });
    let answers = join_all(wishes).await;
    let stored = answers.iter().filter(|answer| **answer == Ok(Written::Stored)).count();
    assert_eq!(stored, 1, "{answers:?}");
}

async fn documents_are_listed_in_order_over_pages(bench: &Bench) {
    let (pool, table) = ("listed", &bench.table);
    let pk = run_key(pool, "").pk;
    assert_eq!(table.documents(&pk, "reconcile#").await, Ok(vec![]));
    // 8 documents of 300 kB are three pages.
    let large = "x".repeat(300_000);
    let mut expected = Vec::new();
    for n in 0..8 {
        let one = document(pool, &format!("reconcile#members#r#f#{n:05}"), 1, &large);
        assert_eq!(table.put_document(&one, None).await, Ok(Written::Stored));
        expected.push(one);
    }
    for other in [
        "reconcile#members#r#ff#00000",
        "reconcile#members#r#_#00000",
        "reconcile#lease",
    ] {
        let one = document(pool, other, 1, "0");
        assert_eq!(table.put_document(&one, None).await, Ok(Written::Stored));
    }
    assert_eq!(table.documents(&pk, "reconcile#members#r#f#").await, Ok(expected));
    let all = table.documents(&pk, "reconcile#").await.expect("they are read");
    assert_eq!(all.len(), 11);
    assert!(all.is_sorted_by_key(|document| document.key.sk.clone()));
    assert_eq!(table.documents("another#run", "reconcile#").await, Ok(vec![]));
}

async fn documents_are_removed_also_twice_and_in_bulk(bench: &Bench) {
    let (pool, table) = ("removed", &bench.table);
    let documents: Vec<Document> = (0..60).map(|n| document(pool, &format!("d#{n:03}"), 1, "1")).collect();
    for one in &documents {
        assert_eq!(table.put_document(one, None).await, Ok(Written::Stored));
    }
    // More than a batch takes, and one that is not there.
    let mut keys: Vec<Key> = documents[..57].iter().map(|one| one.key.clone()).collect();
    keys.push(run_key(pool, "never there"));
    for _ in 0..2 {
        assert_eq!(table.remove_documents(&keys).await, Ok(()));
        let left = table.documents(&documents[0].key.pk, "d#").await;
        assert_eq!(left, Ok(documents[57..].to_vec()));
    }
    assert_eq!(table.remove_documents(&[]).await, Ok(()));
}

async fn what_a_newer_version_wrote_is_an_error_in_every_list(bench: &Bench) {
    let pool = "newer-lists";
    let user = user_key(pool, &sub("0-newer"));
    let group = twinpool_shared::item::group_key(pool, "g");
    let run = run_key(pool, "reconcile#run#r");
    for key in [&user, &group, &run] {
        bench
            .put_raw(
                key,
                &[
                    ("schema_version", AttributeValue::N("2".into())),
                    ("unheard_of", s("kept")),
                ],
            )
            .await;
    }
    let errors = [
        bench.table.users_in(&user.pk, "", None).await.map(drop),
        bench.table.groups(pool).await.map(drop),
        bench.table.document(&run).await.map(drop),
        bench.table.documents(&run.pk, "reconcile#").await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it is newer");
        assert_eq!(error.kind, ErrorKind::Newer, "{error}");
    }
    let document = document(pool, "reconcile#run#r", 1, "0");
    assert_eq!(bench.table.put_document(&document, None).await, Ok(Written::Conflict));
}

async fn what_is_not_ours_is_an_error_that_quotes_nothing(bench: &Bench) {
    let (pool, secret) = ("foreign-lists", "ann@example.com");
    let user = user_key(pool, &sub("0-foreign"));
    let group = twinpool_shared::item::group_key(pool, "g");
    let run = run_key(pool, "reconcile#run#r");
    for key in [&user, &group, &run] {
        bench
            .put_raw(key, &[("email", s(secret)), ("body", AttributeValue::N("1".into()))])
            .await;
    }
    let errors = [
        bench.table.users_in(&user.pk, "", None).await.map(drop),
        bench.table.groups(pool).await.map(drop),
        bench.table.document(&run).await.map(drop),
        bench.table.documents(&run.pk, "reconcile#").await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("it is not ours");
        assert_eq!(error.kind, ErrorKind::BadItem, "{error}");
        assert!(!error.to_string().contains(secret), "{error}");
    }
}

async fn a_missing_table_is_named(bench: &Bench) {
    let table = Table::new(bench.client.clone(), "no-such-table");
    let document = document("p", "d", 1, "0");
    let errors = [
        table.users_in("p#00", "", None).await.map(drop),
        table.groups("p").await.map(drop),
        table.marks("p").await.map(drop),
        table.clear_mark("p", Part::Pool, at(1)).await.map(drop),
        table.document(&document.key).await.map(drop),
        table.put_document(&document, None).await.map(drop),
        table.documents("p", "d").await.map(drop),
        table.remove_documents(&[document.key]).await,
    ];
    for error in errors {
        let error = error.expect_err("there is no such table");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}
