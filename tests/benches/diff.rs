//! How fast a night without changes is compared, on one core: every user is noted from the backup and seen in the walk.
//!
//! `make bench` runs it; the figures stand in `shared/docs/PERFORMANCE.md`.

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use twinpool_shared::{
    group::GroupRecord,
    group::GroupSettings,
    merge::{absorb, absorb_group},
    observation::{GroupEvidence, UserRead},
    personal::{Personal, Sub},
    reconcile::{Seen, Shard, Walked, differences, groups_evidence, profile_evidence},
    time::Timestamp,
    user::{Account, Attributes, UserRecord},
};

/// About as many as one walk covers at most.
const USERS: u64 = 12_000;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_735_689_600_000 + millis)
}

/// Eight attributes and two groups, as a well-filled profile has.
fn walked(number: u64) -> Walked {
    let values = [
        ("email", format!("user-{number}@example.com")),
        ("email_verified", "true".to_owned()),
        ("phone_number", format!("+1555{number:07}")),
        ("name", format!("Given Family {number}")),
        ("given_name", "Given".to_owned()),
        ("family_name", "Family".to_owned()),
        ("locale", "en-US".to_owned()),
        ("zoneinfo", "Europe/Vienna".to_owned()),
    ];
    let values = values.map(|(name, value)| (name.to_owned(), Personal::new(value)));
    let user = UserRead {
        attributes: Attributes {
            username: Personal::new(format!("user-{number}")),
            values: BTreeMap::from(values),
        },
        status: "CONFIRMED".to_owned(),
        account: Account {
            enabled: true,
            created: at(0),
            modified: at(1_000),
        },
    };
    Walked {
        user,
        groups: BTreeSet::from([format!("tenant-{:03}", number % 100), "everybody".to_owned()]),
    }
}

fn groups() -> BTreeMap<String, GroupRecord> {
    let names = (0..100)
        .map(|number| format!("tenant-{number:03}"))
        .chain(["everybody".to_owned()]);
    let record = |name: String| {
        let mut record = GroupRecord::new(name.clone());
        let settings = GroupSettings {
            description: None,
            precedence: None,
            role_arn: None,
            created: at(0),
            modified: at(0),
        };
        let evidence = GroupEvidence::Read {
            settings,
            read_at: at(2_000),
        };
        absorb_group(&mut record, "ListGroups", &evidence);
        (name, record)
    };
    names.map(record).collect()
}

fn stored(sub: Sub, walked: &Walked) -> UserRecord {
    let mut record = UserRecord::new(sub);
    absorb(&mut record, &profile_evidence(&walked.user, at(2_000)));
    absorb(
        &mut record,
        &groups_evidence(walked.groups.clone(), at(2_000), at(2_000)),
    );
    record
}

fn benches(criterion: &mut Criterion) {
    let groups = groups();
    let sub = |number: u64| {
        let first = number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        Sub::new(&format!("{first:08x}-0051-7076-79e2-{number:012x}")).expect("a sub")
    };
    let pool: Vec<(Sub, Walked)> = (0..USERS).map(|number| (sub(number), walked(number))).collect();
    let backup: Vec<UserRecord> = pool.iter().map(|(sub, walked)| stored(sub.clone(), walked)).collect();

    let mut group = criterion.benchmark_group("diff");
    group.throughput(Throughput::Elements(USERS));
    group.bench_function("a shard in which nothing differs", |b| {
        b.iter(|| {
            let mut shard = Shard::default();
            for record in &backup {
                shard.note(black_box(record), &groups);
            }
            let same = pool
                .iter()
                .filter(|(sub, walked)| shard.see(sub, black_box(walked)) == Seen::Same);
            assert_eq!(same.count(), pool.len());
            shard.missing()
        });
    });
    group.finish();

    let mut group = criterion.benchmark_group("diff");
    group.throughput(Throughput::Elements(1));
    let (_, walked) = &pool[0];
    group.bench_function("in what a user differs, field by field", |b| {
        b.iter(|| differences(Some(black_box(&backup[1])), walked, &groups));
    });
    group.finish();
}

criterion_group!(all, benches);
criterion_main!(all);
