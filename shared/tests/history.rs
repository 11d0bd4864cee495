//! A pool's history and all the evidence that it gives rise to.
//!
//! The pool is a model: its modified stamp moves with every change of the user, reads show it as it is or as it was up to 5 s
//! ago, triggers carry it within the 5 s that Cognito waits, and CloudTrail names whole seconds.
//!
//! Invariant: the evidence is produced from the pool's history alone, never from what `merge` does with it.

use std::collections::BTreeSet;

use proptest::{collection, prelude::*, sample};
use twinpool_shared::{
    observation::{Evidence, Observation, UserRead, Weight},
    personal::Personal,
    time::Timestamp,
    user::{Account, Attributes, Factors},
};

use crate::generate::{at, personal_map};

/// Far enough before midnight that a history usually runs across it.
const START: i64 = -30_000;

/// The user in the pool.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) attributes: Attributes,
    pub(crate) status: String,
    pub(crate) account: Account,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) factors: Factors,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Action {
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
pub(crate) struct Look {
    delay: i64,
    staleness: i64,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
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

pub(crate) fn steps() -> impl Strategy<Value = Vec<Step>> {
    let staleness = sample::select(&[0, 1, 999, 4_999, 5_000][..]);
    let look = (sample::select(&[0, 1, 500, 1_000, 4_999, 5_000][..]), staleness)
        .prop_map(|(delay, staleness)| Look { delay, staleness });
    let gap = sample::select(&[1, 2, 400, 999, 1_000, 4_999, 5_000, 20_000, 61_000][..]);
    let step =
        (gap, action(), collection::vec(look, 0..3)).prop_map(|(gap, action, looks)| Step { gap, action, looks });
    collection::vec(step, 1..12)
}

/// The history and all evidence that it gave rise to.
pub(crate) struct History {
    pub(crate) states: Vec<(Timestamp, State)>,
    pub(crate) evidence: Vec<Observation>,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) end: Timestamp,
}

impl History {
    pub(crate) fn of(steps: &[Step]) -> Self {
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

    pub(crate) fn last(&self) -> &State {
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
                self.last_seen = self.last_seen.max(Some(read_at.plus_millis(-5_000).day_start()));
                vec![carried(self, Weight::Evidence), Evidence::SignedIn { at: read_at }]
            }
            Action::Confirm | Action::Resend => vec![carried(self, Weight::News)],
        };
        self.evidence
            .extend(found.into_iter().map(|evidence| seen(&format!("{action:?}"), evidence)));
    }

    /// Authoritative reads of everything at `now`.
    pub(crate) fn final_reads(&self, now: Timestamp) -> Vec<Observation> {
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

pub(crate) fn read(state: &State, read_at: Timestamp) -> Evidence {
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

pub(crate) fn seen(source: &str, evidence: Evidence) -> Observation {
    Observation {
        source: source.to_owned(),
        evidence,
    }
}
