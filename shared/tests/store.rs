//! A store that keeps only what `decide` says to write, fed with what really happens around a pool.
//!
//! The pool here is a model: its modified stamp moves with every change of the user, reads show it as it is or as it was up to
//! 5 s ago, triggers carry it, and the evidence arrives in any order, in any batches, some of it twice.
//!
//! Invariant: the evidence is produced from the pool's history alone, never from what `merge` does with it.

use std::collections::BTreeSet;

use proptest::{collection, prelude::*, sample};
use twinpool_shared::{
    merge::{Decision, merge},
    observation::{Evidence, Observation, UserRead, Weight},
    personal::Personal,
    time::Timestamp,
    user::{Account, Attributes, Facet, Factors, UserRecord},
};

use crate::{
    generate::{NARROW, at, cases, observation, personal_map, sub},
    model,
};

/// Far enough before midnight that a history usually runs across it.
const START: i64 = -30_000;

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

#[derive(Clone, Debug)]
struct State {
    attributes: Attributes,
    status: String,
    account: Account,
    groups: BTreeSet<String>,
    factors: Factors,
}

#[derive(Clone, Copy, Debug)]
enum Action {
    Email(u8),
    ResetPassword,
    Enabled(bool),
    Group(u8, bool),
    Factors(bool),
    /// Carried as evidence.
    SignIn,
    /// Changes the status and is carried as news.
    Confirm,
    /// A message with a temporary password goes out once more: carried as news though nothing changed.
    Resend,
}

/// How somebody looks at the pool after an action.
#[derive(Clone, Copy, Debug)]
struct Look {
    delay: i64,
    staleness: i64,
}

#[derive(Clone, Debug)]
struct Step {
    gap: i64,
    action: Action,
    looks: Vec<Look>,
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        3 => (0..3_u8).prop_map(Action::Email),
        1 => Just(Action::ResetPassword),
        1 => any::<bool>().prop_map(Action::Enabled),
        2 => (0..2_u8, any::<bool>()).prop_map(|(group, member)| Action::Group(group, member)),
        1 => any::<bool>().prop_map(Action::Factors),
        2 => Just(Action::SignIn),
        1 => Just(Action::Confirm),
        1 => Just(Action::Resend),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let staleness = sample::select(&[0, 1, 999, 4_999, 5_000][..]);
    let look = (sample::select(&[0, 1, 500, 1_000, 4_999, 5_000][..]), staleness)
        .prop_map(|(delay, staleness)| Look { delay, staleness });
    let gap = sample::select(&[1, 2, 400, 999, 1_000, 4_999, 5_000, 20_000, 61_000][..]);
    let step =
        (gap, action(), collection::vec(look, 0..3)).prop_map(|(gap, action, looks)| Step { gap, action, looks });
    collection::vec(step, 1..12)
}

/// The pool's history and all evidence that it gave rise to.
struct History {
    states: Vec<(Timestamp, State)>,
    evidence: Vec<Observation>,
    last_seen: Option<Timestamp>,
    end: Timestamp,
}

impl History {
    fn of(steps: &[Step]) -> Self {
        let created = at(START);
        let first = State {
            attributes: Attributes {
                username: Personal::new("ann"),
                values: personal_map(&[("email", "0@example.com")]),
            },
            status: "UNCONFIRMED".to_owned(),
            account: Account {
                enabled: true,
                created,
                modified: created,
            },
            groups: BTreeSet::new(),
            factors: Factors::default(),
        };
        let mut history = Self {
            states: vec![(created, first)],
            evidence: Vec::new(),
            last_seen: None,
            end: created,
        };
        // First the whole history: a look may show changes that come after the one that it was made for.
        let mut now = created;
        for step in steps {
            now = now.plus_millis(step.gap);
            history.act(now, step.action);
        }
        history.end = now.plus_millis(10_000);
        now = created;
        for step in steps {
            now = now.plus_millis(step.gap);
            for look in &step.looks {
                history.look(now, step.action, *look);
            }
        }
        history
    }

    fn state(&self, when: Timestamp) -> Option<&State> {
        self.states
            .iter()
            .rev()
            .find(|(since, _)| *since <= when)
            .map(|(_, state)| state)
    }

    fn last(&self) -> &State {
        &self.states.last().expect("a history has a first state").1
    }

    fn act(&mut self, now: Timestamp, action: Action) {
        let mut next = self.last().clone();
        let mut modifies = true;
        match action {
            Action::Email(which) => {
                next.attributes.values = personal_map(&[("email", &format!("{which}@example.com"))]);
            }
            Action::ResetPassword => next.status = "RESET_REQUIRED".to_owned(),
            Action::Confirm => next.status = "CONFIRMED".to_owned(),
            Action::Enabled(enabled) => next.account.enabled = enabled,
            // Whether these move the stamp is not documented: the harder case is that they do not.
            Action::Group(group, member) => {
                modifies = false;
                if member {
                    next.groups.insert(format!("g{group}"))
                } else {
                    next.groups.remove(&format!("g{group}"))
                };
            }
            Action::Factors(totp) => {
                modifies = false;
                next.factors.enabled = totp.then(|| "SOFTWARE_TOKEN_MFA".to_owned()).into_iter().collect();
            }
            Action::SignIn | Action::Resend => modifies = false,
        }
        if modifies {
            next.account.modified = now;
        }
        self.states.push((now, next));
    }

    fn look(&mut self, happened: Timestamp, action: Action, look: Look) {
        let read_at = happened.plus_millis(look.delay);
        let shown_from = read_at.plus_millis(-look.staleness);
        // CloudTrail's whole seconds.
        let announced_at = happened.second_start();
        let carried = |history: &Self, weight| {
            let state = history
                .state(happened)
                .expect("the user exists when the trigger runs")
                .clone();
            let (attributes, status) = (state.attributes, Some(state.status));
            // `delay` is at most the 5 s that Cognito waits.
            Evidence::Carried {
                attributes,
                status,
                weight,
                received_at: read_at,
            }
        };
        let found = match action {
            Action::Email(_) | Action::ResetPassword | Action::Enabled(_) => self
                .state(shown_from)
                .map(|state| read(state, read_at))
                .into_iter()
                .collect(),
            // A list that does not show the announced membership is put back, so what is believed shows at least that.
            Action::Group(..) => {
                let groups = self.state(shown_from.max(happened)).expect("it exists").groups.clone();
                vec![Evidence::Groups {
                    groups,
                    announced_at,
                    read_at,
                }]
            }
            Action::Factors(_) => {
                let factors = self.state(read_at).expect("it exists").factors.clone();
                vec![
                    Evidence::FactorsChanged { announced_at },
                    Evidence::Factors {
                        factors,
                        announced_at,
                        read_at,
                    },
                ]
            }
            Action::SignIn => {
                self.last_seen = self.last_seen.max(Some(read_at.day_start()));
                vec![carried(self, Weight::Evidence), Evidence::SignedIn { at: read_at }]
            }
            Action::Confirm | Action::Resend => vec![carried(self, Weight::News)],
        };
        self.evidence
            .extend(found.into_iter().map(|evidence| seen(&format!("{action:?}"), evidence)));
    }

    /// Authoritative reads of everything at `now`.
    fn final_reads(&self, now: Timestamp) -> Vec<Observation> {
        let State { groups, factors, .. } = self.last().clone();
        [
            read(self.last(), now),
            Evidence::Groups {
                groups,
                announced_at: now,
                read_at: now,
            },
            Evidence::Factors {
                factors,
                announced_at: now,
                read_at: now,
            },
        ]
        .map(|evidence| seen("Reconcile", evidence))
        .into()
    }
}

fn read(state: &State, read_at: Timestamp) -> Evidence {
    let State {
        attributes,
        status,
        account,
        ..
    } = state.clone();
    Evidence::Read {
        user: UserRead {
            attributes,
            status,
            account,
        },
        read_at,
    }
}

fn seen(source: &str, evidence: Evidence) -> Observation {
    Observation {
        source: source.to_owned(),
        evidence,
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
    #![proptest_config(cases(1_500))]

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
