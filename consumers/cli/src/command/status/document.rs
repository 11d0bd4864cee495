//! The document of `status`, and how runs and users become it.
//!
//! Invariant: pure; "now" is an argument.

use std::collections::BTreeMap;

use serde::Serialize;
use twinpool_shared::{
    error::Error,
    item::UserItem,
    marks::Part,
    run::{GuardTrip, Lease, Run},
    time::{SECOND_MILLIS, Timestamp},
};

use crate::{lag::Lag, queue::Depth};

/// The whole.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Status {
    /// Region that was read.
    pub(super) region: String,
    pub(super) last_run: Option<Finished>,
    pub(super) unfinished_run: Option<Unfinished>,
    pub(super) lease: Option<Held>,
    /// Parts of the pool that an event marked, and no reconcile has looked at since.
    pub(super) marks: Vec<Marked>,
    /// Deleted users that an import is to bring back.
    pub(super) undelete_marks: u64,
    pub(super) queue: Reading<Depth>,
    pub(super) dead_letters: Reading<Depth>,
    pub(super) replication_lag: Reading<Lag>,
    pub(super) users: Option<Users>,
    pub(super) groups: Groups,
}

/// A value, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Reading<T> {
    pub(super) value: Option<T>,
    pub(super) why: Option<String>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finished {
    pub(super) id: String,
    pub(super) started_at: Timestamp,
    pub(super) finished_at: Timestamp,
    pub(super) age_seconds: i64,
    pub(super) users: u64,
    pub(super) memberships: u64,
    pub(super) drift_found: u64,
    pub(super) drift_left: u64,
    /// Set when deletions wait for an operator.
    pub(super) guard: Option<GuardTrip>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Unfinished {
    pub(super) id: String,
    pub(super) started_at: Timestamp,
    pub(super) age_seconds: i64,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Held {
    pub(super) owner: String,
    pub(super) since: Timestamp,
    pub(super) until: Timestamp,
    pub(super) expired: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Marked {
    pub(super) part: Part,
    pub(super) at: Timestamp,
}

/// Users of the backup.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Users {
    pub(super) living: u64,
    pub(super) deleted: u64,
    /// Living users who may not sign in.
    pub(super) disabled: u64,
    /// Living users by `UserStatus`; `unknown` for those of whom none was read yet.
    pub(super) by_status: BTreeMap<String, u64>,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Groups {
    pub(super) living: u64,
    pub(super) deleted: u64,
}

impl Users {
    pub(super) fn count(&mut self, user: &UserItem) {
        let record = &user.record;
        if !record.is_alive() {
            self.deleted += 1;
            return;
        }
        self.living += 1;
        if record.account.as_ref().is_some_and(|account| !account.data.enabled) {
            self.disabled += 1;
        }
        let status = record.status.as_ref().map_or("unknown", |facet| facet.data.as_str());
        match self.by_status.get_mut(status) {
            Some(count) => *count += 1,
            None => {
                self.by_status.insert(status.to_owned(), 1);
            }
        }
    }
}

fn age_seconds(since: Timestamp, now: Timestamp) -> i64 {
    now.millis_since(since) / SECOND_MILLIS
}

pub(super) fn finished(run: &Run, now: Timestamp) -> Option<Finished> {
    let result = run.result.as_ref()?;
    Some(Finished {
        id: run.id.clone(),
        started_at: run.started_at,
        finished_at: result.finished_at,
        age_seconds: age_seconds(result.finished_at, now),
        users: result.users.users,
        memberships: result.users.memberships,
        drift_found: result.drift_found,
        drift_left: result.drift_left,
        guard: result.guard.clone().or_else(|| run.groups.guard.clone()),
    })
}

pub(super) fn unfinished(run: &Run, now: Timestamp) -> Option<Unfinished> {
    run.result.is_none().then(|| Unfinished {
        id: run.id.clone(),
        started_at: run.started_at,
        age_seconds: age_seconds(run.started_at, now),
    })
}

pub(super) fn held(lease: Lease, now: Timestamp) -> Held {
    Held {
        expired: lease.until < now,
        owner: lease.owner,
        since: lease.since,
        until: lease.until,
    }
}

impl<T> Reading<T> {
    pub(super) fn of(value: T) -> Self {
        Self {
            value: Some(value),
            why: None,
        }
    }

    pub(super) fn none(why: impl Into<String>) -> Self {
        Self {
            value: None,
            why: Some(why.into()),
        }
    }

    /// What was read, or the error in words: one service that does not answer hides nothing of the others.
    pub(super) fn from(read: Result<T, Error>) -> Self {
        match read {
            Ok(value) => Self::of(value),
            Err(error) => Self::none(error.what),
        }
    }
}

#[cfg(test)]
mod tests {
    use twinpool_shared::{
        run::{GroupTally, RunResult, UserTally},
        time::EPOCH,
        user::Tombstone,
    };

    use super::*;
    use crate::{fields::tests::record, output::tests::documented};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1_000)
    }

    fn run(started: i64, finished: Option<i64>) -> Run {
        Run {
            id: at(started).to_string(),
            started_at: at(started),
            members_from: at(started),
            prefixes: vec![String::new()],
            group_lists: 0,
            estimated_users: None,
            sample: Vec::new(),
            groups: GroupTally::default(),
            result: finished.map(|seconds| RunResult {
                finished_at: at(seconds),
                users: UserTally {
                    users: 20_000,
                    memberships: 20_000,
                    ..UserTally::default()
                },
                drift_found: 3,
                drift_left: 0,
                deleted: 0,
                reappeared: 0,
                guard: None,
            }),
        }
    }

    #[test]
    fn users_are_counted_by_what_they_are() {
        let mut users = Users::default();
        let item = |record| UserItem::current("p", 1, record, EPOCH, 100);
        users.count(&item(record()));
        let mut disabled = record();
        disabled.account.as_mut().unwrap().data.enabled = false;
        disabled.status = None;
        users.count(&item(disabled));
        let mut deleted = record();
        deleted.deleted = Some(Tombstone {
            at: EPOCH,
            cause: "DeleteUser".into(),
        });
        users.count(&item(deleted));
        assert_eq!((users.living, users.deleted, users.disabled), (2, 1, 1));
        let by_status: Vec<(&str, u64)> = users.by_status.iter().map(|(name, n)| (name.as_str(), *n)).collect();
        assert_eq!(by_status, [("CONFIRMED", 1), ("unknown", 1)]);
    }

    #[test]
    fn a_run_is_finished_or_not() {
        assert!(finished(&run(0, None), at(60)).is_none());
        assert_eq!(unfinished(&run(0, None), at(60)).map(|run| run.age_seconds), Some(60));
        assert!(unfinished(&run(0, Some(50)), at(60)).is_none());
        assert_eq!(finished(&run(0, Some(50)), at(60)).map(|run| run.age_seconds), Some(10));
    }

    #[test]
    fn the_documentation_shows_what_is_written() {
        let lease = Lease {
            owner: "host/4711".into(),
            since: at(90_000),
            until: at(90_600),
        };
        let status = Status {
            region: "us-east-1".into(),
            last_run: finished(&run(0, Some(600)), at(90_100)),
            unfinished_run: unfinished(&run(90_000, None), at(90_100)),
            lease: Some(held(lease, at(90_100))),
            marks: vec![Marked {
                part: Part::Clients,
                at: at(80_000),
            }],
            undelete_marks: 1,
            queue: Reading::of(Depth {
                visible: 2,
                in_flight: 1,
                delayed: 0,
            }),
            dead_letters: Reading::none("not asked: --dlq-url names no queue"),
            replication_lag: Reading::of(Lag {
                maximum_millis: 4_200.0,
                p99_millis: 2_100.0,
            }),
            users: Some(Users {
                living: 20_000,
                deleted: 12,
                disabled: 40,
                by_status: BTreeMap::from([("CONFIRMED".to_owned(), 20_000)]),
            }),
            groups: Groups { living: 5, deleted: 1 },
        };
        assert_eq!(serde_json::to_value(&status).expect("JSON"), documented("status"));
    }
}
