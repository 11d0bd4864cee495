//! The end of a run: who was not shown is judged together, looked for one by one, and only then buried.
//!
//! Invariant: no tombstone without the guard's consent, a look for that very user, and proof that looking finds somebody.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use twinpool_shared::{
    error::{Error, ErrorKind},
    item::UserItem,
    marks::Part,
    observation::{Evidence, Observation, UserRead},
    personal::Sub,
    port::{Backup, ReadPool},
    reconcile::{
        Field, Guard, Refusal, Suspicion, groups_as_of, groups_evidence, judge_suspect, profile_evidence, walked_groups,
    },
    run::{GuardTrip, Pending, Run, RunResult, UserTally, keys},
    time::Timestamp,
};

use crate::{Allowed, CHAINS, Finding, Reconciler, Subject};

/// Examples in an alarm.
const EXAMPLES_MAX: usize = 20;
/// Suspects that are looked for before looking is proved and anybody of them is buried.
const PROVED_EVERY: usize = 100;

/// Source of what a sweep finds out.
const SOURCE: &str = "reconcile";

/// A look for one suspect.
struct Look {
    sub: Sub,
    asked_at: Timestamp,
    read: Option<UserRead>,
    read_at: Timestamp,
}

/// What a sweep came to, so far.
#[derive(Default)]
struct Swept {
    deleted: u64,
    reappeared: u64,
    undecided: u64,
    writes: u64,
}

/// The alarm for a guard that refused.
pub(crate) fn trip(guard: Guard, refusal: Refusal, examples: impl Iterator<Item = String>) -> GuardTrip {
    GuardTrip {
        reason: refusal.as_str().to_owned(),
        what: "users".to_owned(),
        suspects: guard.suspects,
        allowance: guard.allowance(),
        living: guard.living,
        walked: guard.walked,
        examples: examples.take(EXAMPLES_MAX).collect(),
    }
}

/// Whether the user was buried by this run.
fn is_own(item: &UserItem, run: &Run) -> bool {
    let tombstone = item.record.deleted.as_ref();
    tombstone.is_some_and(|tombstone| tombstone.cause == SOURCE && tombstone.at >= run.started_at)
}

impl<P: ReadPool, B: Backup> Reconciler<P, B> {
    /// Ends a run. Ending it again gives the same result.
    pub(crate) async fn sweep(&self, pool: &str, run: &Run, allowed: Allowed) -> Result<RunResult, Error> {
        if let Some(result) = &run.result {
            return Ok(result.clone());
        }
        let mut users = UserTally::default();
        let mut gone = Vec::new();
        let mut left = Vec::new();
        for prefix in &run.prefixes {
            let tally = self
                .load::<UserTally>(pool, &keys::users_checkpoint(pool, &run.id, prefix))
                .await?;
            let Some((tally, _)) = tally else {
                let what = format!("the users of prefix {prefix:?} of run {} are not walked", run.id);
                return Err(Error::new(ErrorKind::Unavailable, what));
            };
            for number in 0..tally.pending {
                let key = keys::pending(pool, &run.id, prefix, number);
                let Some((part, _)) = self.load::<Pending>(pool, &key).await? else {
                    return Err(Error::new(
                        ErrorKind::NotFound,
                        format!("there is no document {}", key.sk),
                    ));
                };
                gone.extend(part.gone);
                left.extend(part.left);
            }
            users.add(&tally);
        }
        let mut swept = Swept::default();
        let mut guard = run.groups.guard.clone();
        // What the guard keeps: groups and users whose disappearance is not in the tallies, memberships whose loss is.
        let mut kept = run.groups.guard.as_ref().map_or(0, |trip| trip.suspects);
        let mut kept_memberships = 0;
        if let Err(trip) = self.bury(pool, run, &users, &gone, allowed.users, &mut swept).await? {
            kept += users.suspects;
            guard = Some(trip);
        }
        if let Err(trip) = self
            .drop_memberships(pool, run, &users, &left, allowed.memberships, &mut swept)
            .await?
        {
            kept_memberships = users.losses;
            guard = guard.or(Some(trip));
        }
        users.writes += swept.writes;
        users.undecided += swept.undecided;
        // A suspect that was there after all was no drift of the backup; one that was buried was.
        users.drifted += swept.deleted;
        if swept.deleted > 0 {
            users
                .drift
                .insert(Field::MissingInPool.kind().to_owned(), swept.deleted);
        }
        let result = RunResult {
            finished_at: (self.clock)(),
            drift_found: users.drifted + run.groups.drift + kept,
            drift_left: kept + kept_memberships,
            deleted: swept.deleted,
            reappeared: swept.reappeared,
            guard,
            users,
        };
        self.conclude(pool, run, &result).await?;
        Ok(result)
    }

    async fn conclude(&self, pool: &str, run: &Run, result: &RunResult) -> Result<(), Error> {
        let alarm = keys::alarm(pool);
        match &result.guard {
            Some(trip) => self.replace_for(pool, &alarm, trip, self.retention_seconds).await?,
            None => self.backup.remove_documents(&[alarm]).await?,
        }
        // An import that ended before the walk began has been walked.
        for (part, at) in self.backup.marks(pool).await? {
            if part == Part::Users && at < run.started_at {
                self.backup.clear_mark(pool, part, at).await?;
            }
        }
        let finished = Run {
            result: Some(result.clone()),
            ..run.clone()
        };
        self.replace_for(pool, &keys::run(pool, &run.id), &finished, self.retention_seconds)
            .await
    }

    async fn bury(
        &self,
        pool: &str,
        run: &Run,
        users: &UserTally,
        gone: &[Sub],
        allowed: Option<u64>,
        swept: &mut Swept,
    ) -> Result<Result<(), GuardTrip>, Error> {
        let guard = Guard {
            living: users.living,
            walked: users.users,
            suspects: users.suspects,
            estimated: run.estimated_users,
            allowed,
        };
        let refused = |refusal| trip(guard, refusal, gone.iter().map(Sub::to_string));
        if let Err(refusal) = guard.judge() {
            for sub in gone {
                self.missing(sub);
            }
            return Ok(Err(refused(refusal)));
        }
        for sub in &users.sample_missing {
            // In the pool, and in no walk by prefix: prefixes do not add up, and nobody knows who else was not shown.
            if self.reader.find_user(pool, sub).await?.is_some() {
                return Ok(Err(refused(Refusal::Blind)));
            }
        }
        let mut young = Vec::new();
        for suspects in gone.chunks(PROVED_EVERY) {
            if !self.bury_some(pool, run, (suspects, users), swept, &mut young).await? {
                return Ok(Err(refused(Refusal::Blind)));
            }
        }
        // Waited for once, a window at most: nothing that happened before the run is left for tomorrow.
        if let Some(until) = young.iter().map(|(_, until)| *until).max() {
            let millis = until.millis_since((self.clock)()).max(0);
            tokio::time::sleep(Duration::from_millis(u64::try_from(millis).unwrap_or(0))).await;
        }
        for (sub, _) in young {
            let look = self.look_for(pool, &sub).await?;
            if let Suspicion::TooYoung(_) = self.settle(pool, run, look, swept).await? {
                swept.undecided += 1;
            }
        }
        Ok(Ok(()))
    }

    /// Looks for some suspects, proves that looking finds somebody, and only then buries. Whether it does.
    ///
    /// Who is buried already, by this sweep before it was killed or by an event, is not looked for again: so a sweep that is
    /// longer than an invocation comes to its end.
    async fn bury_some(
        &self,
        pool: &str,
        run: &Run,
        (suspects, users): (&[Sub], &UserTally),
        swept: &mut Swept,
        young: &mut Vec<(Sub, Timestamp)>,
    ) -> Result<bool, Error> {
        let items = self.backup.users(pool, suspects).await?;
        let mut open = Vec::new();
        for sub in suspects {
            match items.get(sub) {
                Some(item) if item.record.is_alive() => open.push(sub.clone()),
                Some(item) if is_own(item, run) => swept.deleted += 1,
                _ => {}
            }
        }
        self.watch.advanced((suspects.len() - open.len()) as u64);
        if open.is_empty() {
            return Ok(true);
        }
        let looks: Vec<Look> = stream::iter(open)
            .map(|sub| async move {
                let look = self.look_for(pool, &sub).await;
                self.watch.advanced(1);
                look
            })
            .buffered(CHAINS)
            .try_collect()
            .await?;
        if !self.looking_finds(pool, users.control.as_ref()).await? {
            return Ok(false);
        }
        for look in looks {
            let sub = look.sub.clone();
            if let Suspicion::TooYoung(until) = self.settle(pool, run, look, swept).await? {
                young.push((sub, until));
            }
        }
        Ok(true)
    }

    /// Whether a user who was shown a moment ago is found by name.
    async fn looking_finds(&self, pool: &str, control: Option<&Sub>) -> Result<bool, Error> {
        let Some(control) = control else { return Ok(false) };
        if self.reader.find_user(pool, control).await?.is_some() {
            return Ok(true);
        }
        // Perhaps deleted meanwhile: anybody else of the pool will do.
        let page = self.reader.users_page(pool, None, None).await?;
        for (sub, _) in page.entries.iter().take(3) {
            if self.reader.find_user(pool, sub).await?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn look_for(&self, pool: &str, sub: &Sub) -> Result<Look, Error> {
        let asked_at = (self.clock)();
        let read = self.reader.find_user(pool, sub).await?;
        Ok(Look {
            sub: sub.clone(),
            asked_at,
            read,
            read_at: (self.clock)(),
        })
    }

    /// Judges a look by the record as it is now, and writes what follows from it.
    async fn settle(&self, pool: &str, run: &Run, look: Look, swept: &mut Swept) -> Result<Suspicion, Error> {
        let Look {
            sub,
            asked_at,
            read,
            read_at,
        } = look;
        let sub = &sub;
        let item = self.backup.users(pool, std::slice::from_ref(sub)).await?.remove(sub);
        let suspicion = judge_suspect(item.as_ref(), read.as_ref(), asked_at);
        let observation = match (suspicion, read) {
            // The user was gone no later than when the answer was there.
            (Suspicion::Gone, _) => Observation {
                source: SOURCE.to_owned(),
                evidence: Evidence::Gone { announced_at: read_at },
            },
            (Suspicion::Present, Some(user)) => profile_evidence(&user, asked_at),
            _ => {
                // Buried by a sweep of this run that was killed.
                if suspicion == Suspicion::Settled && item.as_ref().is_some_and(|item| is_own(item, run)) {
                    swept.deleted += 1;
                }
                return Ok(suspicion);
            }
        };
        let written = self.writer().user(pool, sub, item, &[observation]).await?.is_some();
        swept.writes += u64::from(written);
        match suspicion {
            Suspicion::Gone if written => {
                swept.deleted += 1;
                self.missing(sub);
            }
            Suspicion::Present => swept.reappeared += 1,
            _ => {}
        }
        Ok(suspicion)
    }

    fn missing(&self, sub: &Sub) {
        self.watch.found(&Finding {
            subject: Subject::User(sub.clone()),
            field: Field::MissingInPool,
        });
    }

    /// Takes users out of groups in which the walk did not show them.
    async fn drop_memberships(
        &self,
        pool: &str,
        run: &Run,
        users: &UserTally,
        left: &[(Sub, Vec<String>)],
        allowed: Option<u64>,
        swept: &mut Swept,
    ) -> Result<Result<(), GuardTrip>, Error> {
        let guard = Guard {
            living: users.living,
            // A pool may well have nobody in a group any more.
            walked: users.memberships.max(1),
            suspects: left.len() as u64,
            estimated: None,
            allowed,
        };
        if let Err(refusal) = guard.judge() {
            let examples = left.iter().map(|(sub, _)| sub.to_string());
            return Ok(Err(GuardTrip {
                what: "memberships".to_owned(),
                ..trip(guard, refusal, examples)
            }));
        }
        let groups = self.group_records(pool).await?;
        for (sub, shown) in left {
            let item = self.backup.users(pool, std::slice::from_ref(sub)).await?.remove(sub);
            let Some(item) = item.filter(|item| item.record.is_alive()) else {
                continue;
            };
            let shown = walked_groups(
                shown.iter().map(String::as_str),
                &groups,
                &run.groups.again,
                run.members_from,
            );
            let as_of = groups_as_of(&shown, &groups, run.members_from);
            let memberships = groups_evidence(shown, as_of, (self.clock)());
            let written = self
                .writer()
                .user(pool, sub, Some(item), &[memberships])
                .await?
                .is_some();
            swept.writes += u64::from(written);
        }
        Ok(Ok(()))
    }
}
