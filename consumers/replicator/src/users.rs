//! All changes of one user in a batch: what they carry, one read for what they do not, one write.
//!
//! Invariant: AdminGetUser is called only where [`settle::may_read_factors`] allows it.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt, stream};
use tokio::time::Instant;
use twinpool_shared::{
    change::Ask,
    error::{Error, ErrorKind},
    item::UserItem,
    observation::{Evidence, Observation, UserRead, shown_at},
    operation::Expect,
    personal::{Personal, Sub},
    port::{Backup, Outbox, ReadPool},
    settle::{self, Verdict},
    time::Timestamp,
    user::UserRecord,
};

use crate::{
    CONCURRENCY_MAX, Replicator, in_time,
    intake::Entry,
    outcome::{Outcome, for_all},
};

impl<P: ReadPool, B: Backup, Q: Outbox> Replicator<P, B, Q> {
    /// Handles all changes of one pool's users.
    pub(crate) async fn users(
        &self,
        pool: String,
        users: BTreeMap<Sub, Vec<Entry>>,
        deadline: Instant,
    ) -> Vec<(usize, Outcome)> {
        let subs: Vec<Sub> = users.keys().cloned().collect();
        let mut stored = match in_time(deadline, self.table.users(&pool, &subs)).await {
            Ok(stored) => stored,
            // One item that cannot be read must not hold the others up.
            Err(error) if subs.len() > 1 && matches!(error.kind, ErrorKind::Newer | ErrorKind::BadItem) => {
                let mut results = Vec::new();
                for (sub, entries) in users {
                    results
                        .extend(Box::pin(self.users(pool.clone(), BTreeMap::from([(sub, entries)]), deadline)).await);
                }
                return results;
            }
            Err(error) => {
                return users
                    .values()
                    .flat_map(|e| for_all(e, &Outcome::of_error(error.clone())))
                    .collect();
            }
        };
        let pool = &pool;
        let work = users.into_iter().map(|(sub, entries)| {
            let stored = stored.remove(&sub);
            async move {
                let work = Box::pin(async { Ok(self.user(pool, &sub, stored, &entries).await) });
                in_time(deadline, work)
                    .await
                    .unwrap_or_else(|error| for_all(&entries, &Outcome::of_error(error)))
            }
        });
        let work: Vec<_> = work.collect();
        stream::iter(work)
            .buffer_unordered(CONCURRENCY_MAX)
            .collect::<Vec<_>>()
            .await
            .concat()
    }

    async fn user(&self, pool: &str, sub: &Sub, stored: Option<UserItem>, entries: &[Entry]) -> Vec<(usize, Outcome)> {
        let now = (self.clock)();
        let record = stored.as_ref().map(|item| &item.record);
        let mut look = Look::new(entries, record, now);
        if look.needs_user_read() {
            self.calls.count_user_read();
            match self.reader.find_user(pool, sub).await {
                Ok(read) => look.judge_user(read, record, (self.clock)()),
                Err(error) => look.fail(|_| true, &error),
            }
        }
        if let Some(username) = look.needs_groups() {
            match self.reader.groups_of(pool, &username).await {
                Ok(groups) => look.judge_groups(groups, record, (self.clock)()),
                Err(error) => look.fail(is_membership, &error),
            }
        }
        match look.needs_factors(record, now) {
            Factors::Untouched => {}
            Factors::Later(announced_at) => look.observe("factors", Evidence::FactorsChanged { announced_at }),
            Factors::Read(username, announced_at) => {
                self.calls.count_factor_read();
                match self.reader.factors_of(pool, &username).await {
                    Ok(Some(factors)) => {
                        let read_at = (self.clock)();
                        let announced_at = announced_at.min(read_at);
                        let evidence = Evidence::Factors {
                            factors,
                            announced_at,
                            read_at,
                        };
                        look.observe("AdminGetUser", evidence);
                    }
                    // Deleted meanwhile; the deletion has its own event.
                    Ok(None) => {}
                    // The record says that they are due, and the next sign-in tries again.
                    Err(error) => {
                        tracing::warn!(error = %error, "factors not read; they stay due");
                        look.observe("factors", Evidence::FactorsChanged { announced_at });
                    }
                }
            }
        }
        match self.writer().user(pool, sub, stored, &look.observations).await {
            Ok(written) => look.outcomes(written),
            Err(error) => for_all(entries, &Outcome::of_error(error)),
        }
    }
}

/// What is to be done about the factors.
enum Factors {
    Untouched,
    /// They changed at this instant; reading them now could bill the user.
    Later(Timestamp),
    /// Read them; they changed at this instant.
    Read(Personal, Timestamp),
}

/// How far a change has come.
enum State {
    /// The change or the record says it all.
    Settled,
    /// Only announced so far: look later.
    Announced,
    /// A read has to answer it.
    Open,
    /// A read answered it, or did not.
    Judged(Verdict),
    /// The read failed.
    Failed(Error),
}

/// The changes of one user while they are looked into.
struct Look<'a> {
    cases: Vec<(&'a Entry, State)>,
    observations: Vec<Observation>,
    /// User name, once a living user is known.
    username: Option<Personal>,
    deletion_announced: bool,
}

impl<'a> Look<'a> {
    fn new(entries: &'a [Entry], record: Option<&UserRecord>, now: Timestamp) -> Self {
        let state = |entry: &Entry| {
            if settle::first_delay_seconds(&entry.change, now).is_some() {
                State::Announced
            } else if entry.change.ask().is_none() || settle::already_reflected(&entry.change, record) {
                State::Settled
            } else {
                State::Open
            }
        };
        Self {
            cases: entries.iter().map(|entry| (entry, state(entry))).collect(),
            observations: entries.iter().flat_map(|entry| entry.change.carried()).collect(),
            username: record
                .filter(|record| record.is_alive())
                .and_then(UserRecord::username)
                .cloned(),
            deletion_announced: entries.iter().any(is_deletion),
        }
    }

    fn observe(&mut self, source: &str, evidence: Evidence) {
        self.observations.push(Observation {
            source: source.to_owned(),
            evidence,
        });
    }

    fn open(&mut self, which: impl Fn(&Entry) -> bool) -> impl Iterator<Item = (&'a Entry, &mut State)> {
        let cases = self
            .cases
            .iter_mut()
            .filter(move |(entry, state)| matches!(state, State::Open) && which(entry));
        cases.map(|(entry, state)| (*entry, state))
    }

    /// The user name of a living user is all that memberships need; everything else may move the modification date.
    fn needs_user_read(&mut self) -> bool {
        let known = self.username.is_some();
        self.open(|entry| !(known && is_membership(entry))).next().is_some()
    }

    fn judge_user(&mut self, read: Option<UserRead>, record: Option<&UserRecord>, now: Timestamp) {
        let deletion_announced = self.deletion_announced;
        for (entry, state) in self.open(|_| true) {
            let verdict = settle::judge_user(&entry.change, record, deletion_announced, read.as_ref(), now);
            let goes_on = verdict == Verdict::Settled && read.is_some() && (is_membership(entry) || is_factors(entry));
            if !goes_on {
                *state = State::Judged(verdict);
            }
        }
        self.username = read.as_ref().map(|user| user.attributes.username.clone());
        match read {
            Some(user) => self.observe("ListUsers", Evidence::Read { user, read_at: now }),
            None => {
                let gone = self
                    .cases
                    .iter()
                    .map(|(entry, _)| *entry)
                    .filter(|entry| is_deletion(entry));
                let gone: Vec<_> = gone
                    .map(|entry| (entry.change.cause.clone(), entry.change.occurred_at))
                    .collect();
                for (cause, announced_at) in gone {
                    self.observe(&cause, Evidence::Gone { announced_at });
                }
            }
        }
    }

    fn needs_groups(&mut self) -> Option<Personal> {
        let username = self.username.clone()?;
        self.open(is_membership).next().is_some().then_some(username)
    }

    fn judge_groups(&mut self, groups: Option<BTreeSet<String>>, record: Option<&UserRecord>, now: Timestamp) {
        let deletion_announced = self.deletion_announced;
        let mut announced_at = None;
        for (entry, state) in self.open(is_membership) {
            let verdict = match &groups {
                Some(groups) => settle::judge_groups(&entry.change, groups),
                None => settle::judge_user(&entry.change, record, deletion_announced, None, now),
            };
            if matches!(verdict, Verdict::Settled | Verdict::Believed(_)) {
                announced_at = announced_at.max(Some(entry.change.occurred_at));
            }
            *state = State::Judged(verdict);
        }
        if let (Some(groups), Some(announced_at)) = (groups, announced_at) {
            self.observe(
                "AdminListGroupsForUser",
                Evidence::Groups {
                    groups,
                    announced_at,
                    read_at: now,
                },
            );
        }
    }

    fn needs_factors(&mut self, record: Option<&UserRecord>, now: Timestamp) -> Factors {
        let signed_in = self.cases.iter().filter(|(entry, _)| entry.change.is_sign_in());
        let signed_in = signed_in.map(|(entry, _)| shown_at(entry.change.occurred_at)).max();
        let changed = self
            .open(is_factors)
            .map(|(entry, _)| entry.change.occurred_at.second_end())
            .max();
        let due = record.filter(|record| signed_in.is_some() && record.factors_are_due());
        let Some(changed) = changed.max(due.and_then(|record| record.factors_due)) else {
            return Factors::Untouched;
        };
        for (_, state) in self.open(is_factors) {
            *state = State::Judged(Verdict::Settled);
        }
        let active_at = signed_in.max(record.and_then(|record| record.last_seen));
        match &self.username {
            Some(username) if settle::may_read_factors(active_at, now) => Factors::Read(username.clone(), changed),
            _ => Factors::Later(changed),
        }
    }

    fn fail(&mut self, which: impl Fn(&Entry) -> bool, error: &Error) {
        for (_, state) in self.open(which) {
            *state = State::Failed(error.clone());
        }
    }

    fn outcomes(self, written: Option<Timestamp>) -> Vec<(usize, Outcome)> {
        let outcome = |entry: &Entry, state| match state {
            State::Settled | State::Open => Outcome::of_verdict(&entry.change, Verdict::Settled, written),
            State::Announced => Outcome::Again {
                delay_seconds: settle::ANNOUNCED_DELAY_SECONDS,
                why: None,
            },
            State::Judged(verdict) => Outcome::of_verdict(&entry.change, verdict, written),
            State::Failed(error) => Outcome::of_error(error),
        };
        self.cases
            .into_iter()
            .map(|(entry, state)| (entry.at, outcome(entry, state)))
            .collect()
    }
}

fn is_deletion(entry: &Entry) -> bool {
    entry.change.ask() == Some(Ask::User(Expect::Gone))
}

fn is_membership(entry: &Entry) -> bool {
    matches!(entry.change.ask(), Some(Ask::User(Expect::Member(_))))
}

fn is_factors(entry: &Entry) -> bool {
    entry.change.ask() == Some(Ask::Factors)
}
