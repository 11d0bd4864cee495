//! A store that keeps only what `decide` says to write, fed with what really happens around a pool.
//!
//! Invariant: the evidence arrives in any order, in any batches, some of it twice.

use proptest::{collection, prelude::*, sample};
use twinpool_shared::{
    merge::{Decision, merge},
    observation::{Evidence, Observation, Weight},
    personal::Personal,
    user::{Attributes, Facet, UserRecord},
};

use crate::{
    generate::{NARROW, at, cases, observation, personal_map, sub},
    history::{History, State, read, seen, steps},
    model,
};

/// The table: one user's item, and how often it was written.
#[derive(Default)]
struct Store {
    item: Option<UserRecord>,
    writes: usize,
}

impl Store {
    fn take(&mut self, batch: &[Observation]) {
        if let Decision::Write(record) = merge(self.item.as_ref(), || UserRecord::new(sub("0f1e")), batch) {
            self.item = Some(record);
            self.writes += 1;
        }
    }

    fn record(&self) -> &UserRecord {
        self.item.as_ref().expect("something was stored")
    }
}

/// How evidence arrives: a permutation by sort keys, which of it twice, and where batches end.
#[derive(Clone, Debug)]
struct Delivery {
    keys: Vec<u16>,
    twice: Vec<bool>,
    batch: usize,
}

fn delivery() -> impl Strategy<Value = Delivery> {
    (
        collection::vec(any::<u16>(), 160),
        collection::vec(any::<bool>(), 80),
        1..6_usize,
    )
        .prop_map(|(keys, twice, batch)| Delivery { keys, twice, batch })
}

impl Delivery {
    fn batches(&self, evidence: &[Observation]) -> Vec<Vec<Observation>> {
        let twice = evidence
            .iter()
            .zip(self.twice.iter().cycle())
            .filter(|(_, twice)| **twice)
            .map(|(one, _)| one);
        let mut keyed: Vec<_> = evidence.iter().chain(twice).zip(self.keys.iter().cycle()).collect();
        keyed.sort_by_key(|(_, key)| **key);
        let all: Vec<_> = keyed.into_iter().map(|(one, _)| one.clone()).collect();
        all.chunks(self.batch).map(<[_]>::to_vec).collect()
    }
}

fn data<T: Clone>(facet: &Option<Facet<T>>) -> Option<T> {
    facet.as_ref().map(|facet| facet.data.clone())
}

fn assert_shows(record: &UserRecord, state: &State) -> Result<(), TestCaseError> {
    prop_assert_eq!(data(&record.attributes), Some(state.attributes.clone()));
    prop_assert_eq!(data(&record.status), Some(state.status.clone()));
    prop_assert_eq!(data(&record.account), Some(state.account.clone()));
    Ok(())
}

proptest! {
    #![proptest_config(cases(4_000))]

    /// Whatever came before in whatever order: after a read of the present, the backup is the pool. The read need not even
    /// be processed last.
    #[test]
    fn the_backup_becomes_the_pool(steps in steps(), delivery in delivery(), read_last in any::<bool>()) {
        let history = History::of(&steps);
        let mut store = Store::default();
        let finally = history.final_reads(history.end);
        if read_last {
            delivery.batches(&history.evidence).iter().for_each(|batch| store.take(batch));
            store.take(&finally);
        } else {
            let all: Vec<_> = history.evidence.iter().chain(&finally).cloned().collect();
            delivery.batches(&all).iter().for_each(|batch| store.take(batch));
        }
        let record = store.record();
        assert_shows(record, history.last())?;
        prop_assert_eq!(data(&record.groups), Some(history.last().groups.clone()));
        prop_assert_eq!(data(&record.factors), Some(history.last().factors.clone()));
        prop_assert!(!record.factors_are_due());
        prop_assert_eq!(record.last_seen, history.last_seen);
        prop_assert!(record.is_alive());

        // And it stays so: the same reads a night later cost nothing, all the old evidence once more changes nothing.
        let (writes, content) = (store.writes, record.content_hash());
        store.take(&[seen("Reconcile", read(history.last(), history.end.plus_millis(86_400_000)))]);
        prop_assert_eq!(store.writes, writes);
        delivery.batches(&history.evidence).iter().for_each(|batch| store.take(batch));
        prop_assert_eq!(store.record().content_hash(), content);
    }

    /// A deleted user stays deleted and keeps the last that was known, although the index goes on showing them for up to a
    /// minute and triggers that ran before the deletion are heard after it.
    #[test]
    fn the_deleted_stay_deleted(
        steps in steps(), delivery in delivery(),
        gap in sample::select(&[1_i64, 500, 999, 1_000, 70_000][..]),
        echoes in collection::vec(sample::select(&[0_i64, 1, 998, 999, 1_000, 5_000, 59_999, 60_000][..]), 0..6),
    ) {
        let history = History::of(&steps);
        let mut evidence = history.evidence.clone();
        let last_change = history.states.last().expect("a first state").0;
        let deleted_at = last_change.plus_millis(gap);
        // What was heard before the deletion, and one look at the last state.
        evidence.push(seen("AdminUpdateUserAttributes", read(history.last(), last_change)));
        evidence.retain(|o| !matches!(&o.evidence, Evidence::Read { read_at, .. } if *read_at > deleted_at.plus_millis(60_000)));
        evidence.push(seen("AdminDeleteUser", Evidence::Gone { announced_at: deleted_at.second_start() }));
        evidence.extend(echoes.iter().map(|echo| seen("AdminGetUser", read(history.last(), deleted_at.plus_millis(*echo)))));

        let mut store = Store::default();
        for batch in delivery.batches(&evidence) {
            store.take(&batch);
            if let Some(record) = &store.item {
                prop_assert_eq!(record.is_alive(), record.deleted.is_none(), "an echo resurrected the user");
            }
        }
        let record = store.record();
        let tombstone = record.deleted.as_ref().expect("a deletion was announced");
        prop_assert!(!record.is_alive());
        prop_assert!(tombstone.at >= deleted_at && tombstone.at < deleted_at.plus_millis(1_000));
        prop_assert_eq!(tombstone.cause.as_str(), "AdminDeleteUser");
        assert_shows(record, history.last())?;
    }

    /// A tombstone that was wrong heals by a read more than a minute later, or of a later change; and not a millisecond before.
    #[test]
    fn a_false_tombstone_heals(
        announced in sample::select(NARROW), modified in sample::select(&[-9_000_i64, 998, 999, 1_000][..]),
        read_after in sample::select(&[0_i64, 59_999, 60_000, 60_001, 120_000][..]), delivery in delivery(),
    ) {
        let mut history = History::of(&[]);
        let announced_at = at(announced);
        history.states[0].1.account.modified = announced_at.second_start().plus_millis(modified);
        let read_at = announced_at.second_end().plus_millis(read_after);
        let evidence =
            [seen("DeleteUser", Evidence::Gone { announced_at }), seen("Reconcile", read(history.last(), read_at))];
        let mut store = Store::default();
        delivery.batches(&evidence).iter().for_each(|batch| store.take(batch));
        prop_assert_eq!(store.record().is_alive(), modified > 999 || read_after > 60_000);
        store.take(&[seen("Reconcile", read(history.last(), read_at.plus_millis(60_001)))]);
        prop_assert!(store.record().is_alive());
        prop_assert!(store.record().deleted.is_some(), "history keeps that it was said");
    }

    /// What storing guarantees for any evidence at all, realistic or not: every order ends with the same instants, the same
    /// tombstone, and content that was observed at exactly that instant.
    #[test]
    fn every_order_ends_at_the_same_instants(observations in collection::vec(observation(NARROW), 1..20), delivery in delivery()) {
        let mut store = Store::default();
        delivery.batches(&observations).iter().for_each(|batch| store.take(batch));
        let (record, expected) = (store.record(), model::user(sub("0f1e"), &observations));
        let single: Vec<_> = observations.iter().map(|one| model::user(sub("0f1e"), std::slice::from_ref(one))).collect();
        macro_rules! same_instant {
            ($($facet:ident),+) => {$(
                let as_of = expected.$facet.as_ref().map(|facet| facet.as_of);
                prop_assert_eq!(record.$facet.as_ref().map(|facet| facet.as_of), as_of);
                let held = data(&record.$facet);
                let mut observed = single.iter().filter_map(|one| one.$facet.as_ref()).filter(|one| Some(one.as_of) == as_of);
                prop_assert!(held.is_none() || observed.any(|one| Some(&one.data) == held.as_ref()));
            )+};
        }
        same_instant!(attributes, status, account, groups, factors);
        prop_assert_eq!(record.factors_due, expected.factors_due);
        prop_assert_eq!(record.last_seen, expected.last_seen);
        prop_assert_eq!(&record.deleted, &expected.deleted);
    }
}

/// The price of not writing stamps: between two contents that bear the same instant, an order may keep the older one. Within a
/// pool that needs a value changed and changed back between sign-ins of one day; any read of the present mends it.
#[test]
fn an_unwritten_stamp_costs_at_most_one_read() {
    let sign_in = |hour: i64, email: &str| {
        let attributes = Attributes {
            username: Personal::new("ann"),
            values: personal_map(&[("email", email)]),
        };
        let received_at = at(hour * 3_600_000);
        seen(
            "PostAuthentication_Authentication",
            Evidence::Carried {
                attributes,
                status: None,
                weight: Weight::Evidence,
                received_at,
            },
        )
    };
    let [first, second, third] = [
        sign_in(9, "a@example.com"),
        sign_in(10, "b@example.com"),
        sign_in(11, "a@example.com"),
    ];
    let email = |store: &Store| {
        store.record().attributes.as_ref().unwrap().data.values["email"]
            .expose()
            .to_owned()
    };
    let mut store = Store::default();
    for one in [&first, &second, &third] {
        store.take(std::slice::from_ref(one));
    }
    assert_eq!(email(&store), "a@example.com");

    let mut store = Store::default();
    for one in [&first, &third, &second] {
        store.take(std::slice::from_ref(one));
    }
    assert_eq!(
        email(&store),
        "b@example.com",
        "the third brought no news, so its stamp was not written"
    );
    let mut history = History::of(&[]);
    history.states[0].1.attributes.values = personal_map(&[("email", "a@example.com")]);
    history.states[0].1.account.modified = at(10 * 3_600_000 + 1);
    store.take(&[seen("Reconcile", read(history.last(), at(12 * 3_600_000)))]);
    assert_eq!(email(&store), "a@example.com");
}

/// The same for `alive_at`: an old announcement that is heard after an unwritten sight buries the user until the next read.
#[test]
fn an_unwritten_sight_costs_at_most_one_read() {
    let history = History::of(&[]);
    let sight = |millis| seen("Reconcile", read(history.last(), at(millis)));
    let mut store = Store::default();
    store.take(&[sight(0)]);
    store.take(&[sight(600_000)]);
    assert_eq!(store.writes, 1, "a sight that changes nothing is not written");
    store.take(&[seen(
        "DeleteUser",
        Evidence::Gone {
            announced_at: at(300_000),
        },
    )]);
    assert!(!store.record().is_alive());
    store.take(&[sight(700_000)]);
    assert!(store.record().is_alive());
}
