//! The comparison of a walked pool with the backup, and the guard over deletions.
//!
//! Invariant: the quick comparison (fingerprints, shards) is held against the slow one that names fields, and against plain sets.

use std::collections::{BTreeMap, BTreeSet};

use proptest::{collection, prelude::*, sample};
use twinpool_shared::{
    group::{GroupRecord, GroupSettings},
    item::{GroupItem, UserItem},
    merge::{Decision, absorb, absorb_group, merge},
    observation::{Evidence, GroupEvidence, Observation, UserRead, walked_as_of},
    personal::{Personal, Sub},
    reconcile::{
        Field, Fingerprint, Guard, Refusal, Seen, Shard, Suspicion, Walked, came_again, differences, disputed,
        effective_groups, group_differences, groups_as_of, groups_evidence, judge_suspect, profile_evidence,
        walked_groups,
    },
    time::Timestamp,
    user::{Account, Attributes, Facet, Tombstone, UserRecord},
};

use crate::generate::{NARROW, WIDE, at, cases, group_evidence, instant, observation, sub, user_record};

type Groups = BTreeMap<String, GroupRecord>;

const SUB: &str = "0f1e";

/// Texts that would meet if they were strung together: empty ones, parts of each other, letters of several bytes.
fn text() -> impl Strategy<Value = String> + Clone {
    sample::select(&["", "a", "b", "ab", "email", "ü", "é", "e\u{301}", "🦀"][..]).prop_map(str::to_owned)
}

fn walked() -> impl Strategy<Value = Walked> {
    let values = collection::btree_map(text(), text().prop_map(Personal::new), 0..4);
    let account = (any::<bool>(), instant(NARROW), instant(NARROW));
    let groups = collection::btree_set(text(), 0..4);
    (text(), values, text(), account, groups).prop_map(
        |(username, values, status, (enabled, created, modified), groups)| Walked {
            user: UserRead {
                attributes: Attributes {
                    username: Personal::new(username),
                    values,
                },
                status,
                account: Account {
                    enabled,
                    created,
                    modified,
                },
            },
            groups,
        },
    )
}

/// The same user with one thing changed, or with something shifted from one place to the next.
fn changed(user: Walked) -> impl Strategy<Value = Walked> {
    (0..9_u8, text(), text()).prop_map(move |(what, one, other)| {
        let mut user = user.clone();
        let Walked { user: read, groups } = &mut user;
        let values = &mut read.attributes.values;
        match what {
            0 => read.attributes.username = Personal::new(one),
            1 => read.status = one,
            2 => read.account.enabled = !read.account.enabled,
            3 => std::mem::swap(&mut read.account.created, &mut read.account.modified),
            4 => drop(values.insert(one, Personal::new(other))),
            5 => drop(values.pop_first()),
            6 => drop(groups.insert(one)),
            7 => drop(groups.pop_last()),
            // From the last attribute to the first group.
            _ => {
                if let Some((name, value)) = values.pop_last() {
                    groups.insert(name);
                    groups.insert(value.expose().to_owned());
                }
            }
        }
        user
    })
}

fn stored(user: &Walked, groups_as_of: Timestamp) -> UserRecord {
    fn facet<T>(as_of: Timestamp, data: T) -> Option<Facet<T>> {
        Some(Facet {
            as_of,
            observed_at: as_of,
            source: "x".to_owned(),
            data,
        })
    }
    let modified = user.user.account.modified;
    UserRecord {
        attributes: facet(modified, user.user.attributes.clone()),
        status: facet(modified, user.user.status.clone()),
        account: facet(modified, user.user.account.clone()),
        groups: facet(groups_as_of, user.groups.clone()),
        ..UserRecord::new(sub(SUB))
    }
}

fn group(name: &str, created: Timestamp, deleted: bool) -> GroupRecord {
    let mut record = GroupRecord::new(name);
    let settings = GroupSettings {
        description: None,
        precedence: None,
        role_arn: None,
        created,
        modified: created,
    };
    let read = GroupEvidence::Read {
        settings,
        read_at: created,
    };
    absorb_group(&mut record, "ListGroups", &read);
    if deleted {
        let announced_at = created.plus_millis(1_000);
        absorb_group(&mut record, "DeleteGroup", &GroupEvidence::Gone { announced_at });
    }
    record
}

fn known_groups() -> impl Strategy<Value = Groups> {
    collection::btree_map(text(), (instant(NARROW), any::<bool>()), 0..4).prop_map(|groups| {
        let records = groups.into_iter().map(|(name, (created, deleted))| {
            let record = group(&name, created, deleted);
            (name, record)
        });
        records.collect()
    })
}

proptest! {
    #![proptest_config(cases(4_000))]

    /// Two fingerprints are equal when, and only when, no field differs.
    #[test]
    fn fingerprints_are_equal_iff_nothing_differs(
        (held, shown) in walked().prop_flat_map(|user| {
            let other = prop_oneof![Just(user.clone()), changed(user.clone()), walked()];
            (Just(user), other)
        }),
        groups in known_groups(),
        as_of in instant(NARROW),
        began in instant(NARROW),
    ) {
        let record = stored(&held, as_of);
        let shown = Walked { groups: walked_groups(shown.groups.iter().map(String::as_str), &groups, &BTreeSet::new(), began), ..shown };
        let equal = Fingerprint::of_stored(&record, &groups) == Some(Fingerprint::of_walked(&shown));
        let fields = differences(Some(&record), &shown, &groups);
        prop_assert_eq!(equal, fields.is_empty(), "{:?}", fields);
        let mut shard = Shard::default();
        shard.note(&record, &groups);
        prop_assert_eq!(shard.see(&record.sub, &shown) == Seen::Same, fields.is_empty());
    }

    /// For any record at all: the shard says the same as the comparison by field.
    #[test]
    fn a_shard_sees_what_the_comparison_names(record in user_record(WIDE), shown in walked(), same in any::<bool>()) {
        let mut shown = shown;
        if same {
            shown.groups = effective_groups(&record, &Groups::new());
            let read = (&record.attributes, &record.status, &record.account);
            if let (Some(attributes), Some(status), Some(account)) = read {
                shown.user = UserRead {
                    attributes: attributes.data.clone(),
                    status: status.data.clone(),
                    account: account.data.clone(),
                };
            }
        }
        let fields = differences(Some(&record), &shown, &Groups::new());
        let mut shard = Shard::default();
        shard.note(&record, &Groups::new());
        prop_assert_eq!(shard.see(&record.sub, &shown) == Seen::Same, fields.is_empty(), "{:?}", fields);
    }

    /// Whoever is walked in any order, doubled, and mixed with strangers: the sets are those of plain arithmetic.
    #[test]
    fn a_shard_is_a_set(
        noted in collection::vec((0..12_usize, any::<bool>()), 0..24),
        shown in collection::vec(0..16_usize, 0..32),
    ) {
        let name = |n: usize| sub(&format!("{n:x}-user"));
        let user = |n: usize| Walked {
            user: UserRead {
                attributes: Attributes { username: Personal::new(n.to_string()), ..Attributes::default() },
                status: "CONFIRMED".to_owned(),
                account: Account { enabled: true, created: at(0), modified: at(0) },
            },
            groups: BTreeSet::new(),
        };
        let mut shard = Shard::default();
        let mut alive: BTreeMap<usize, bool> = BTreeMap::new();
        for (n, lives) in noted {
            let mut record = UserRecord { sub: name(n), ..stored(&user(n), at(0)) };
            record.deleted = (!lives).then(|| Tombstone { at: at(0), cause: "x".to_owned() });
            shard.note(&record, &Groups::new());
            alive.insert(n, lives);
        }
        let living = |alive: &BTreeMap<usize, bool>| alive.iter().filter(|(_, lives)| **lives).map(|(n, _)| *n).collect::<BTreeSet<_>>();
        prop_assert_eq!(shard.living(), living(&alive).len() as u64);
        let mut seen = BTreeSet::new();
        for n in shown {
            let expected = match (seen.insert(n), alive.get(&n)) {
                (false, _) => Seen::Again,
                (true, Some(true)) => Seen::Same,
                (true, _) => Seen::Differs,
            };
            prop_assert_eq!(shard.see(&name(n), &user(n)), expected);
        }
        let missing: BTreeSet<Sub> = living(&alive).difference(&seen).map(|n| name(*n)).collect();
        prop_assert_eq!(shard.missing(), missing.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(shard.living(), living(&alive).len() as u64, "walking changes nobody");
    }

    /// An event that is younger than the walk's lower bound knows better, an older one does not; in any order.
    #[test]
    fn the_younger_of_event_and_walk_decides_the_groups(
        event_at in instant(WIDE), began in instant(WIDE), created in instant(WIDE), first in any::<bool>(),
    ) {
        let groups = Groups::from([("g".to_owned(), group("g", created, false))]);
        let shown = BTreeSet::from(["g".to_owned()]);
        let as_of = groups_as_of(&shown, &groups, began);
        prop_assert!(as_of >= began.plus_millis(-60_000));
        prop_assert!(groups["g"].counts(as_of), "a membership that is shown counts");
        prop_assert_eq!(groups_as_of(&BTreeSet::new(), &groups, began), began.plus_millis(-60_000));
        let left: BTreeSet<String> = BTreeSet::new();
        let event = Observation {
            source: "AdminRemoveUserFromGroup".to_owned(),
            evidence: Evidence::Groups { groups: left.clone(), announced_at: event_at, read_at: at(0) },
        };
        let walk = groups_evidence(shown.clone(), as_of, at(1));
        let mut record = UserRecord::new(sub(SUB));
        let order = if first { [&event, &walk] } else { [&walk, &event] };
        order.into_iter().for_each(|one| absorb(&mut record, one));
        let held = record.groups.map(|facet| facet.data);
        prop_assert_eq!(held, Some(if event_at > as_of { left } else { shown }));
    }

    /// Whatever a record claims, a second read that comes a window after all its stamps puts right what it shows.
    #[test]
    fn a_contradiction_heals_any_record(record in user_record(WIDE), shown in walked(), late in 0..100_000_i64) {
        let read_at = at(86_405_000 + 60_001 + late);
        let mut healed = record.clone();
        let evidence = Evidence::Contradicted { user: shown.user.clone(), read_at };
        absorb(&mut healed, &Observation { source: "ListUsers".to_owned(), evidence });
        let fields = differences(Some(&healed), &shown, &Groups::new());
        prop_assert!(fields.iter().all(|field| !field.is_of_profile() && *field != Field::Buried), "{:?}", fields);
        prop_assert_eq!(&healed.groups, &record.groups);
        prop_assert_eq!(&healed.deleted, &record.deleted);
        // And the night after there is nothing left to do: neither for the comparison nor for the merge.
        let again = profile_evidence(&shown.user, read_at.plus_millis(86_400_000));
        prop_assert_eq!(disputed(&healed, &again, &shown, &Groups::new()), vec![]);
        prop_assert_eq!(merge(Some(&healed), || UserRecord::new(sub(SUB)), [&again]), Decision::Unchanged);
    }

    /// What happens after the window that a contradiction covers still wins.
    #[test]
    fn news_wins_over_a_contradiction(record in user_record(WIDE), old in walked(), new in walked(), later in 0..1_000_i64) {
        let read_at = at(86_465_001);
        let mut new = new;
        new.user.account.modified = read_at.plus_millis(-60_000 + 1 + later);
        let contradicted = Evidence::Contradicted { user: old.user, read_at };
        let contradicted = Observation { source: "ListUsers".to_owned(), evidence: contradicted };
        let news = profile_evidence(&new.user, new.user.account.modified);
        for order in [[&contradicted, &news], [&news, &contradicted]] {
            let mut record = record.clone();
            order.into_iter().for_each(|one| absorb(&mut record, one));
            let fields = differences(Some(&record), &new, &Groups::new());
            prop_assert!(!fields.iter().any(Field::is_of_profile), "{:?}", fields);
        }
    }

    /// What stays disputed is what the merge leaves as it is.
    #[test]
    fn disputes_are_what_the_merge_does_not_settle(
        observations in collection::vec(observation(WIDE), 0..6), shown in walked(), read_at in instant(WIDE),
    ) {
        let mut record = UserRecord::new(sub(SUB));
        observations.iter().for_each(|one| absorb(&mut record, one));
        let evidence = profile_evidence(&shown.user, read_at);
        let claims = disputed(&record, &evidence, &shown, &Groups::new());
        let mut after = record;
        absorb(&mut after, &evidence);
        let left = differences(Some(&after), &shown, &Groups::new());
        prop_assert_eq!(claims.is_empty(), left.iter().all(|field| !field.is_of_profile() && *field != Field::Buried));
    }

    /// The same for groups.
    #[test]
    fn a_contradiction_heals_any_group(
        evidence in collection::vec(group_evidence(WIDE), 0..6), description in text(), late in 0..100_000_i64,
    ) {
        let mut record = GroupRecord::new("g");
        evidence.iter().for_each(|(source, one)| absorb_group(&mut record, source, one));
        let settings = GroupSettings {
            description: Some(description), precedence: Some(0), role_arn: None, created: at(0), modified: at(1),
        };
        let read_at = at(86_405_999 + 60_001 + late);
        absorb_group(&mut record, "GetGroup", &GroupEvidence::Contradicted { settings: settings.clone(), read_at });
        prop_assert_eq!(group_differences(Some(&record), &settings), vec![]);
    }
}

#[test]
fn what_differs_is_named() {
    let values = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)))
            .collect()
    };
    let user = |pairs: &[(&str, &str)], status: &str, modified: i64| Walked {
        user: UserRead {
            attributes: Attributes {
                username: Personal::new("ann"),
                values: values(pairs),
            },
            status: status.to_owned(),
            account: Account {
                enabled: true,
                created: at(0),
                modified: at(modified),
            },
        },
        groups: BTreeSet::from(["g".to_owned(), "h".to_owned()]),
    };
    let mut held = user(&[("email", "a@example.com"), ("name", "")], "CONFIRMED", 1);
    held.groups = BTreeSet::from(["h".to_owned(), "i".to_owned()]);
    let shown = user(&[("email", "b@example.com")], "RESET_REQUIRED", 2);
    let record = stored(&held, at(0));
    let expected = [
        Field::Attribute("email".to_owned()),
        Field::Attribute("name".to_owned()),
        Field::Status,
        Field::Modified,
        Field::JoinedGroup("g".to_owned()),
        Field::LeftGroup("i".to_owned()),
    ];
    assert_eq!(differences(Some(&record), &shown, &Groups::new()), expected);
    assert_eq!(differences(None, &shown, &Groups::new()), [Field::MissingInBackup]);
    let bare = UserRecord::new(sub(SUB));
    let unknown = ["attributes", "status", "account"].map(Field::Unknown);
    let joined = ["g", "h"].map(|name| Field::JoinedGroup(name.to_owned()));
    assert_eq!(
        differences(Some(&bare), &shown, &Groups::new()),
        unknown.into_iter().chain(joined).collect::<Vec<_>>()
    );
    // A group that is deleted hides its members; one that came again begins without them.
    let groups = Groups::from([
        ("i".to_owned(), group("i", at(-5_000), true)),
        ("h".to_owned(), group("h", at(1_000), false)),
    ]);
    assert_eq!(effective_groups(&record, &groups), BTreeSet::new());
    // And of one that came again after the walk began, the walk may have shown the members of the one before.
    for (began, shown) in [(1_000, vec!["g", "h"]), (999, vec!["g"])] {
        let walked = walked_groups(["g", "h", "i", "h"], &groups, &BTreeSet::new(), at(began));
        assert_eq!(walked.into_iter().collect::<Vec<_>>(), shown);
    }
}

#[test]
fn the_guard_lets_few_go_and_refuses_the_rest() {
    struct Case {
        living: u64,
        walked: u64,
        suspects: u64,
        estimated: Option<u64>,
        allowed: Option<u64>,
        expected: Result<(), Refusal>,
    }
    let case = |(living, walked, suspects), estimated, allowed, expected| Case {
        living,
        walked,
        suspects,
        estimated,
        allowed,
        expected,
    };
    let too_many = Err(Refusal::TooMany);
    for (number, one) in [
        // Twenty, however small the pool is.
        case((30, 10, 20), None, None, Ok(())),
        case((30, 9, 21), None, None, too_many),
        case((1_000, 980, 20), None, None, Ok(())),
        case((1_000, 979, 21), None, None, too_many),
        // 2 %, rounded down.
        case((1_050, 1_029, 21), None, None, Ok(())),
        case((1_050, 1_028, 22), None, None, too_many),
        case((1_099, 1_078, 21), None, None, Ok(())),
        case((1_099, 1_077, 22), None, None, too_many),
        case((100_000, 98_000, 2_000), None, None, Ok(())),
        case((100_000, 97_999, 2_001), None, None, too_many),
        // Nobody is missing: nothing to judge.
        case((0, 0, 0), None, None, Ok(())),
        case((5, 5, 0), Some(1_000), Some(0), Ok(())),
        // An empty pool, whatever is allowed.
        case((1, 0, 1), None, None, Err(Refusal::Empty)),
        case((5, 0, 5), None, Some(5), Err(Refusal::Empty)),
        case((100_000, 0, 100_000), Some(0), Some(u64::MAX), Err(Refusal::Empty)),
        // By number: so many and not one more, also when it would be fewer than without.
        case((100, 50, 50), None, Some(50), Ok(())),
        case((100, 50, 50), None, Some(49), too_many),
        case((100, 95, 5), None, Some(5), Ok(())),
        case((100, 95, 5), None, Some(4), too_many),
        case((100, 95, 5), None, Some(0), too_many),
        // The walk fell short of what the pool says: 10 %, or twenty.
        case((100, 90, 10), Some(110), None, Ok(())),
        case((100, 90, 10), Some(111), None, Err(Refusal::Incomplete)),
        case((1_000, 990, 10), Some(1_100), None, Ok(())),
        case((1_000, 989, 11), Some(1_100), None, Err(Refusal::Incomplete)),
        case((1_000, 989, 11), Some(1_100), Some(11), Ok(())),
        case((100, 70, 30), Some(111), None, too_many),
    ]
    .into_iter()
    .enumerate()
    {
        let guard = Guard {
            living: one.living,
            walked: one.walked,
            suspects: one.suspects,
            estimated: one.estimated,
            allowed: one.allowed,
        };
        assert_eq!(guard.judge(), one.expected, "case {number}: {guard:?}");
    }
}

#[test]
fn a_suspect_is_gone_when_old_enough_to_be_on_every_list() {
    let read = |created: i64| UserRead {
        attributes: Attributes::default(),
        status: "CONFIRMED".to_owned(),
        account: Account {
            enabled: true,
            created: at(created),
            modified: at(created),
        },
    };
    let item = |record: UserRecord| UserItem::current("p", 1, record, at(0), 100);
    let known = |created: i64| {
        let mut record = UserRecord::new(sub(SUB));
        absorb(&mut record, &profile_evidence(&read(created), at(0)));
        record
    };
    let judge = |record: Option<UserRecord>, shown: Option<UserRead>, read_at: i64| {
        let item = record.map(item);
        judge_suspect(item.as_ref(), shown.as_ref(), at(read_at))
    };
    assert_eq!(judge(Some(known(0)), None, 59_999), Suspicion::TooYoung(at(60_000)));
    assert_eq!(judge(Some(known(0)), None, 60_000), Suspicion::Gone);
    assert_eq!(judge(Some(known(0)), Some(read(0)), 60_000), Suspicion::Present);
    assert_eq!(judge(Some(known(0)), Some(read(0)), 0), Suspicion::Present);
    assert_eq!(judge(None, None, 0), Suspicion::Settled);
    let mut buried = known(0);
    absorb(
        &mut buried,
        &Observation {
            source: "DeleteUser".to_owned(),
            evidence: Evidence::Gone {
                announced_at: at(1_000),
            },
        },
    );
    assert_eq!(judge(Some(buried.clone()), None, 90_000), Suspicion::Settled);
    assert_eq!(judge(Some(buried), Some(read(0)), 1_500), Suspicion::Settled);
    // Known by a trigger alone: no later than that they were created.
    let mut carried = UserRecord::new(sub(SUB));
    for received in [10_000, 5_000] {
        absorb(
            &mut carried,
            &Observation {
                source: "PostConfirmation_ConfirmSignUp".to_owned(),
                evidence: Evidence::Carried {
                    attributes: Attributes::default(),
                    status: None,
                    weight: twinpool_shared::observation::Weight::News,
                    received_at: at(received),
                },
            },
        );
    }
    assert_eq!(
        judge(Some(carried.clone()), None, 69_999),
        Suspicion::TooYoung(at(70_000))
    );
    assert_eq!(judge(Some(carried), None, 70_000), Suspicion::Gone);
    assert_eq!(judge(Some(UserRecord::new(sub(SUB))), None, 0), Suspicion::Gone);
}

#[test]
fn of_a_group_that_came_again_moments_ago_no_member_is_believed() {
    let settings = |created| group("g", at(created), false).settings.expect("settings").data;
    let item = |version, record| GroupItem::current("p", version, record, at(0));
    let stored = item(1, group("g", at(100_000), false));
    for (stored, created, read_at, again) in [
        (None, 100_000, 100_001, false),
        (Some(&stored), 100_000, 100_001, false),
        (Some(&stored), 100_001, 100_002, true),
        (Some(&stored), 100_001, 160_001, false),
        (Some(&item(2, group("g", at(100_000), false))), 100_000, 159_999, true),
        (Some(&item(1, group("g", at(0), true))), 100_000, 100_001, true),
        (Some(&item(1, GroupRecord::new("g"))), 100_000, 100_001, true),
    ] {
        assert_eq!(
            came_again(stored, &settings(created), at(read_at)),
            again,
            "{stored:?} {created} {read_at}"
        );
    }
    let again = BTreeSet::from(["g".to_owned()]);
    let walked = walked_groups(["g", "h"], &Groups::new(), &again, at(0));
    assert_eq!(walked, BTreeSet::from(["h".to_owned()]));
}

#[test]
fn a_walk_is_as_old_as_its_oldest_list_and_as_young_as_its_youngest_group() {
    assert_eq!(walked_as_of(at(60_000), None), at(0));
    assert_eq!(walked_as_of(at(60_000), Some(at(-1))), at(0));
    assert_eq!(walked_as_of(at(60_000), Some(at(1))), at(1));
    let groups = Groups::from([
        ("old".to_owned(), group("old", at(-5_000), false)),
        ("young".to_owned(), group("young", at(61_999), false)),
        ("unread".to_owned(), GroupRecord::new("unread")),
    ]);
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    assert_eq!(groups_as_of(&names(&["old", "unread"]), &groups, at(60_000)), at(0));
    // Whole seconds, as memberships are counted.
    assert_eq!(groups_as_of(&names(&["old", "young"]), &groups, at(60_000)), at(61_000));
}
