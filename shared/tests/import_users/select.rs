//! Whom an import makes, and in which order.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use proptest::{collection, option, prelude::*, sample};
use twinpool_shared::{
    group::{GroupRecord, GroupSettings},
    import::select::{
        CHUNK_USERS, Class, Deleted, Order, Run, Selection, as_of, effective, existed, is_history_incomplete,
        needs_versions, undelete_mark,
    },
    item::{UserItem, undelete_key, user_key},
    personal::{Personal, Sub},
    port::Document,
    time::{DAY_MILLIS, EPOCH, Timestamp},
    user::{Tombstone, UserRecord},
};

use super::facet;
use crate::generate::{NARROW, at, cases, group_record, instant, sub};

fn item(version: u64, written_at: Timestamp) -> UserItem {
    UserItem::current("p", version, UserRecord::new(sub("0f1e")), written_at, 1)
}

#[test]
fn who_was_not_born_is_told_from_whose_history_has_expired() {
    let current = item(3, at(30));
    let versions = [item(1, at(10)), item(2, at(20))];
    assert!(
        !is_history_incomplete(&current, &versions, at(15)),
        "a version is there"
    );
    assert!(!is_history_incomplete(&current, &versions, at(5)), "not yet born");
    assert!(is_history_incomplete(&current, &versions[1..], at(15)));
    assert!(is_history_incomplete(&current, &[], at(15)));
    assert!(!is_history_incomplete(&item(1, at(30)), &[], at(15)), "not yet born");
    let gap = [item(1, at(10)), item(3, at(25))];
    assert!(
        is_history_incomplete(&item(4, at(30)), &gap, at(22)),
        "the second may be the one, and has not arrived"
    );
    assert!(!is_history_incomplete(&item(4, at(30)), &gap, at(26)));
    assert!(
        !is_history_incomplete(&item(4, at(30)), &gap, at(30)),
        "nothing is later"
    );
}

#[test]
fn the_current_item_is_taken_unless_it_is_too_new() {
    let current = item(3, at(30));
    let versions = [item(2, at(20)), item(1, at(10))];
    let version = |instant| as_of(&current, &versions, at(instant)).map(|item| item.version);
    assert_eq!(version(30), Some(3));
    assert_eq!(version(29), Some(2));
    assert_eq!(version(20), Some(2));
    assert_eq!(version(10), Some(1));
    assert_eq!(version(9), None, "not in the backup yet");
    assert!(needs_versions(&current, at(29)) && !needs_versions(&current, at(30)));
}

fn selection(deleted: Deleted) -> Selection {
    Selection {
        as_of: at(100),
        deleted,
    }
}

#[test]
fn the_living_are_chosen_and_the_deleted_where_it_is_wanted() {
    let alive = UserRecord::new(sub("0f1e"));
    let mut dead = alive.clone();
    dead.deleted = Some(Tombstone {
        at: at(50),
        cause: "DeleteUser".into(),
    });
    for deleted in [Deleted::Not, Deleted::Since(None), Deleted::Since(Some(at(90)))] {
        assert!(selection(deleted).chooses(&alive, false));
        assert!(selection(deleted).chooses(&dead, true), "a mark is an order");
    }
    assert!(!selection(Deleted::Not).chooses(&dead, false));
    assert!(selection(Deleted::Since(None)).chooses(&dead, false));
    assert!(selection(Deleted::Since(Some(at(50)))).chooses(&dead, false));
    assert!(!selection(Deleted::Since(Some(at(51)))).chooses(&dead, false));
    dead.alive_at = Some(at(60));
    assert!(
        selection(Deleted::Not).chooses(&dead, false),
        "seen again after the deletion"
    );
}

#[test]
fn a_mark_names_its_user_and_no_other_document_does() {
    let mut document = Document {
        key: undelete_key("p", &sub("0f1e")),
        schema_version: 1,
        pool: "p".to_owned(),
        version: 1,
        written_at: EPOCH,
        expires_at: None,
        body: Personal::new("{}"),
    };
    assert_eq!(undelete_mark(&document), Some(sub("0f1e")));
    document.pool = "q".to_owned();
    assert_eq!(undelete_mark(&document), None);
    document.key = user_key("q", &sub("0f1e"));
    assert_eq!(undelete_mark(&document), None);
}

fn group(created: Option<i64>, deleted: Option<i64>, alive_at: Option<i64>) -> GroupRecord {
    let mut group = GroupRecord::new("g");
    group.settings = created.map(|created| {
        facet(GroupSettings {
            description: None,
            precedence: None,
            role_arn: None,
            created: at(created),
            modified: at(created),
        })
    });
    group.deleted = deleted.map(|deleted| Tombstone {
        at: at(deleted),
        cause: "DeleteGroup".into(),
    });
    group.alive_at = alive_at.map(at);
    group
}

/// Whether a membership that was current at `member_at` counts at `instant`.
fn counts(group: GroupRecord, member_at: i64, instant: i64) -> bool {
    let mut record = UserRecord::new(sub("0f1e"));
    let mut groups = facet(BTreeSet::from(["g".to_owned()]));
    groups.as_of = at(member_at);
    record.groups = Some(groups);
    !effective(&record, &BTreeMap::from([("g".to_owned(), group)]), at(instant)).is_empty()
}

#[test]
fn a_group_counts_as_it_was_at_the_instant() {
    let deleted = || group(Some(0), Some(50_000), None);
    assert!(
        existed(&deleted(), at(49_999)) && counts(deleted(), 10_000, 49_999),
        "deleted later"
    );
    assert!(
        !existed(&deleted(), at(50_000)) && !counts(deleted(), 10_000, 50_000),
        "deleted"
    );

    let made_again = || group(Some(60_000), Some(50_000), Some(60_000));
    assert!(existed(&made_again(), at(40_000)), "the earlier one");
    assert!(
        counts(made_again(), 10_000, 40_000),
        "the membership in the earlier one"
    );
    assert!(!existed(&made_again(), at(55_000)), "neither");
    assert!(existed(&made_again(), at(60_000)) && !counts(made_again(), 10_000, 60_000));
    assert!(counts(made_again(), 60_000, 61_000));

    let young = || group(Some(60_000), None, Some(60_000));
    assert!(!existed(&young(), at(59_999)), "not made yet");
    let short = group(Some(60_000), Some(70_000), None);
    assert!(!existed(&short, at(50_000)), "made and deleted later");
}

#[test]
fn a_group_that_the_backup_does_not_know_hides_nobody() {
    let mut record = UserRecord::new(sub("0f1e"));
    assert!(effective(&record, &BTreeMap::new(), at(0)).is_empty());
    record.groups = Some(facet(BTreeSet::from(["g".to_owned()])));
    assert_eq!(effective(&record, &BTreeMap::new(), at(0)).len(), 1);
}

fn usual_sub() -> impl Strategy<Value = Sub> {
    // Few digits, so that many begin alike.
    "[0af]{2}000000-0000-4000-8000-00000000[09a-f]{4}".prop_map(|text| sub(&text))
}

fn any_sub() -> impl Strategy<Value = Sub> {
    let near = sample::select(
        &[
            "0",
            "f-1",
            "00000000-0000-4000-8000-00000000000A",
            "00000000-0000-4000-8000-00000000000",
            "_",
            "zz",
        ][..],
    );
    prop_oneof![
        6 => usual_sub(),
        1 => near.prop_map(sub),
        1 => "[0-9a-fA-F-]{36}".prop_map(|text| sub(&text)),
        1 => "[A-Za-z0-9_-]{1,40}".prop_map(|text| sub(&text)),
    ]
}

type Member = (Option<Timestamp>, Class, String);

fn members() -> impl Strategy<Value = Vec<(Sub, Member)>> {
    let seen = option::of(sample::select(&[-1_i64, 0, 1, 20_000, 20_001][..]));
    let seen = seen.prop_map(|day| day.map(|day| Timestamp::from_millis(day * DAY_MILLIS)));
    let member = (seen, sample::select(&Class::ALL[..]), "[0-9a-f]{4}");
    collection::btree_map(any_sub(), member, 0..230)
        .prop_map(|members| members.into_iter().collect::<Vec<_>>())
        .prop_shuffle()
}

fn order<'a>(members: impl IntoIterator<Item = &'a (Sub, Member)>) -> Order {
    let mut order = Order::new();
    for (sub, (seen, class, hash)) in members {
        order.push(sub, *seen, *class, hash);
    }
    order
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn as_of_is_the_last_that_was_written_by_then(
        offsets in collection::vec(sample::select(&[0_i64, 1, 2, 3][..]), 1..6), seed in any::<prop::sample::Index>(), when in -1_i64..5,
    ) {
        let items: Vec<UserItem> =
            offsets.iter().zip(1..).map(|(offset, version)| item(version, at(*offset))).collect();
        // The naive model: replay every write, and remember the last that had happened.
        let mut expected = None;
        for item in &items {
            if item.written_at <= at(when) {
                expected = Some(item.version);
            }
        }
        let (current, versions) = items.split_last().unwrap();
        let mut versions = versions.to_vec();
        if !versions.is_empty() {
            let middle = seed.index(versions.len());
            versions.rotate_left(middle);
        }
        prop_assert_eq!(as_of(current, &versions, at(when)).map(|item| item.version), expected);
    }

    #[test]
    fn at_the_present_a_group_counts_as_everywhere(group in group_record(NARROW), member_at in instant(NARROW)) {
        let now = at(86_400_000);
        let mut record = UserRecord::new(sub("0f1e"));
        let mut groups = facet(BTreeSet::from([group.name.clone()]));
        groups.as_of = member_at;
        record.groups = Some(groups);
        let counts = group.counts(member_at);
        prop_assert_eq!(existed(&group, now), group.is_alive());
        let groups = BTreeMap::from([(group.name.clone(), group)]);
        prop_assert_eq!(!effective(&record, &groups, now).is_empty(), counts);
    }

    #[test]
    fn users_come_in_the_order_of_a_plain_sort(members in members()) {
        let mut expected = members.clone();
        let day = |seen: Option<Timestamp>| seen.map_or(0, |seen| seen.as_millis() / DAY_MILLIS).max(0);
        expected.sort_by_key(|(sub, (seen, class, _))| (*class, Reverse(day(*seen)), sub.clone()));
        let expected: Vec<Sub> = expected.into_iter().map(|(sub, _)| sub).collect();

        let ordered = order(&members).finish();
        prop_assert_eq!(ordered.len(), members.len());
        prop_assert_eq!(ordered.is_empty(), members.is_empty());
        let runs = Class::ALL.map(|class| Run {
            class,
            chunks: members.iter().filter(|(_, (_, one, _))| *one == class).count().div_ceil(CHUNK_USERS),
        });
        prop_assert_eq!(ordered.runs(), runs.into_iter().filter(|run| run.chunks > 0).collect::<Vec<_>>());
        prop_assert_eq!(ordered.chunk_count(), runs.iter().map(|run| run.chunks).sum::<usize>());
        let class_of: BTreeMap<&Sub, Class> = members.iter().map(|(sub, (_, class, _))| (sub, *class)).collect();
        let chunks: Vec<_> = ordered.chunks().collect();
        for (place, (number, chunk)) in chunks.iter().enumerate() {
            prop_assert_eq!(place, *number);
            let classes: BTreeSet<Class> = chunk.iter().map(|sub| class_of[sub]).collect();
            prop_assert_eq!(classes.len(), 1, "a chunk is of one class");
            prop_assert!(!chunk.is_empty() && chunk.len() <= CHUNK_USERS);
            prop_assert_eq!(chunk, &ordered.chunk(*number));
        }
        prop_assert!(ordered.chunk(chunks.len()).is_empty());
        let subs: Vec<Sub> = chunks.into_iter().flat_map(|(_, chunk)| chunk).collect();
        prop_assert_eq!(subs, expected);
    }

    #[test]
    fn the_digest_is_of_the_set_and_not_of_its_reading(
        members in members(), cut in any::<prop::sample::Index>(), other in "[0-9a-f]{4}",
    ) {
        let digest = order(&members).finish().digest();
        let (one, two) = members.split_at(cut.index(members.len() + 1));
        let mut split = order(two);
        split.append(order(one));
        prop_assert_eq!(split.finish().digest(), digest);
        prop_assert_eq!(order(members.iter().rev()).finish().digest(), digest);
        let Some(((_, (_, _, hash)), rest)) = members.split_first() else { return Ok(()) };
        prop_assert_ne!(order(rest).finish().digest(), digest, "one is missing");
        if *hash != other {
            let mut changed = members.clone();
            changed[0].1.2 = other;
            prop_assert_ne!(order(&changed).finish().digest(), digest, "one has changed");
        }
    }
}

#[test]
fn contents_that_change_places_change_the_digest() {
    let digest = |pairs: [(&str, &str); 2]| {
        let mut order = Order::new();
        for (name, hash) in pairs {
            order.push(&sub(name), None, Class::Verified, hash);
        }
        order.finish().digest()
    };
    assert_ne!(digest([("a", "1"), ("b", "2")]), digest([("a", "2"), ("b", "1")]));
    assert_ne!(Order::new().finish().digest(), digest([("a", "1"), ("b", "2")]));
}
