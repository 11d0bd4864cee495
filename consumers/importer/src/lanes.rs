//! The users of an import, chunk by chunk, through lanes that overlap.
//!
//! Every [`Stage`] is a lane of its own: making users, passwords, memberships and MFA preferences wait for different quotas, and
//! none waits for another's. A lane takes a chunk when the lane before it is done with it, so that whoever was seen most recently
//! comes first in all of them. No lane begins a class of users ([`Run`]) before it is through with the one before, and none begins
//! deleted users while a living one may still take a name or an address of theirs. Between lanes a chunk is a number and a bit for each user; the users are read again, and memory
//! stays flat however far one lane is ahead.
//!
//! Invariant: a chunk is handed on when its document says what was done with all of it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::{
    StreamExt, TryStreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::try_join4,
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use twinpool_shared::{
    documents::Kept,
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        pairs::Paired,
        plan::{Plan, TargetPool},
        progress::{Chunk, LIVING_FIRST, NOT_IN_BACKUP, Outcome, Stage, State, Tally, UNANSWERED, keys},
        recreate::{Fate, recreate},
        select::{Class, Run, effective},
        shape::Shape,
    },
    item::UserItem,
    personal::Sub,
    port::{Backup, RawPool, ReadPool, WritePool},
    time::Timestamp,
};

use crate::{
    Importer, Phase,
    chosen::Chooser,
    create::Known,
    jobs::Imported,
    layout::{Layout, missing},
    stages::Passing,
    target::{Target, Trouble},
};

/// Chunks of a lane at the same time: the next one is on its way while the last users of one are, and its document is written.
const CHUNKS_AHEAD: usize = 2;
/// Users of a chunk at the same time. That hides 80 ms of latency up to 400 calls a second, eight times the highest documented
/// quota of a lane.
const USERS_AHEAD: usize = 32;
/// The same where a user may need hundreds of calls: all at once would be finished only with the last of them. That is 100 calls
/// a second, four times the documented quota.
const MEMBERS_AHEAD: usize = 8;
/// A chunk that takes longer is stored every now and then, so that no invocation of a function is too short to come forward.
const STORE_AFTER: Duration = Duration::from_secs(30);
/// Users whose versions are asked for at the same time.
const VERSIONS_AHEAD: usize = 16;
/// For so long after a user was made nobody can have given them a password.
const FRESH_MILLIS: i64 = 60_000;
/// So many users in a row that nobody answers for are no matter of single users.
const UNANSWERED_MAX: u32 = 50;

/// What the lanes work on.
pub(crate) struct Work<'a> {
    pub(crate) plan: &'a Plan,
    /// Id of the target.
    pub(crate) pool: &'a str,
    pub(crate) shape: &'a Shape,
    pub(crate) chooser: &'a Chooser,
    pub(crate) layout: &'a Layout,
    pub(crate) groups: &'a BTreeMap<String, GroupRecord>,
    /// Users whom import jobs made.
    pub(crate) imported: &'a Imported,
    /// Who holds the lease.
    pub(crate) owner: &'a str,
    /// Whether users who failed are tried again.
    pub(crate) retry: bool,
}

/// A chunk on its way from lane to lane.
#[derive(Clone, Copy, Debug)]
struct Handed {
    number: usize,
    /// By place in the chunk: whom this process made.
    fresh: u128,
    /// Since when it may have made them.
    since: Timestamp,
}

impl Handed {
    /// Whether this process made the user at `place` a moment before `now`, by the clock on the wall: it may have been paused.
    fn is_fresh(self, place: usize, now: Timestamp) -> bool {
        self.fresh >> place & 1 == 1 && (0..=FRESH_MILLIS).contains(&now.millis_since(self.since))
    }
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Importer<P, W, B> {
    /// Takes all users through all lanes.
    ///
    /// # Errors
    /// `Unmet` when somebody is neither made nor failed nor left out in the end; else as Cognito and the table answer.
    pub(crate) async fn lanes(&self, work: &Work<'_>) -> Result<Tally, Error> {
        let source = work.plan.source.pool.as_str();
        let is_existing = matches!(work.plan.target.pool, TargetPool::Existing { .. });
        let state = keys::state(source, &work.plan.id);
        let state = self.documents(source).load::<State>(&state).await?;
        let finished = state.is_some_and(|(state, _)| state.users.is_some());
        // Until all users are made nobody can sign up in a pool that is new.
        let guarded = work.retry || finished || is_existing;
        let earlier = if is_existing {
            self.made_earlier(source, &work.plan.id, work.pool).await?
        } else {
            Paired::default()
        };
        let count = work.layout.users;
        for stage in Stage::ALL {
            self.watch.phase(phase(stage), Some(count));
        }
        let unanswered = AtomicU32::new(0);
        let lane = |stage| Lane {
            importer: self,
            work,
            stage,
            unanswered: &unanswered,
            known: Known {
                imported: work.imported,
                earlier: &earlier,
            },
            guarded,
        };
        let mut begin = 0;
        let mut chunks = Vec::with_capacity(work.layout.runs.len());
        for run in &work.layout.runs {
            let numbers = begin..begin + run.chunks;
            begin = numbers.end;
            let handed = |number| Handed {
                number,
                fresh: 0,
                since: (self.clock)(),
            };
            chunks.push(stream::iter(numbers.map(handed)).boxed());
        }
        let count = work.layout.runs.len();
        let (made, to_password) = channels(count);
        let (ready, to_preferences) = channels(count);
        let (preferred, to_memberships) = channels(count);
        let lanes = try_join4(
            Box::pin(lane(Stage::Create).run(chunks, made)),
            Box::pin(lane(Stage::Password).run(to_password, ready)),
            Box::pin(lane(Stage::Preferences).run(to_preferences, preferred)),
            Box::pin(lane(Stage::Memberships).run(to_memberships, Vec::new())),
        );
        let (_, _, _, tally) = lanes.await?;
        if tally.open > 0 {
            let what = format!(
                "{} users were not gone through although every chunk was: another process has written the import's documents; \
                 apply the plan again",
                tally.open
            );
            return Err(Error::new(ErrorKind::Unmet, what));
        }
        Ok(tally)
    }

    /// What becomes of the users `subs`, by the version that the plan chose.
    pub(crate) async fn fates(&self, work: &Work<'_>, subs: &[Sub]) -> Result<HashMap<Sub, Fate>, Error> {
        let chosen = self.chosen_among(work.chooser, &work.plan.source.pool, subs).await?;
        let fates = chosen.into_iter().map(|item| {
            let groups = effective(&item.record, work.groups, work.plan.source.as_of);
            let fate = recreate(&item.record, groups, work.shape);
            (item.record.sub, fate)
        });
        Ok(fates.collect())
    }

    /// The versions of the users `subs` that the plan chose.
    pub(crate) async fn chosen_among(
        &self,
        chooser: &Chooser,
        pool: &str,
        subs: &[Sub],
    ) -> Result<Vec<UserItem>, Error> {
        let items = self.backup.users(pool, subs).await?;
        let chosen: Vec<Option<UserItem>> = stream::iter(items.into_values())
            .map(|current| chooser.choose(&self.backup, current))
            .buffer_unordered(VERSIONS_AHEAD)
            .try_collect()
            .await?;
        Ok(chosen.into_iter().flatten().collect())
    }
}

/// A way from one lane to the next for each of `count` runs.
fn channels<'a>(count: usize) -> (Vec<UnboundedSender<Handed>>, Vec<BoxStream<'a, Handed>>) {
    let channel = |_| {
        let (to, from): (_, UnboundedReceiver<Handed>) = unbounded();
        (to, from.boxed())
    };
    (0..count).map(channel).unzip()
}

/// The phase in which an onlooker sees a stage.
fn phase(stage: Stage) -> Phase {
    match stage {
        Stage::Create => Phase::Users,
        Stage::Password => Phase::Passwords,
        Stage::Preferences => Phase::Preferences,
        Stage::Memberships => Phase::Memberships,
    }
}

/// One lane.
struct Lane<'a, P, W, B> {
    importer: &'a Importer<P, W, B>,
    work: &'a Work<'a>,
    stage: Stage,
    /// Users in a row, of all lanes, that nobody answered for.
    unanswered: &'a AtomicU32,
    /// What earlier attempts did.
    known: Known<'a>,
    /// Whether names may be somebody else's by now.
    guarded: bool,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Lane<'_, P, W, B> {
    /// Takes the chunks of each run through the lane and hands them on. All of a run are through before the next one begins.
    async fn run(self, from: Vec<BoxStream<'_, Handed>>, to: Vec<UnboundedSender<Handed>>) -> Result<Tally, Error> {
        let mut tally = Tally::default();
        let mut to = to.into_iter();
        // Whether a living user may still take a name or an address.
        let mut withheld = false;
        for (run, from) in self.work.layout.runs.iter().zip(from) {
            let to = to.next();
            let held_back = withheld && run.class == Class::Deleted;
            let passed = from
                .map(|handed| self.chunk(handed, held_back))
                .buffer_unordered(CHUNKS_AHEAD);
            let mut passed = std::pin::pin!(passed);
            while let Some((handed, chunk)) = passed.try_next().await? {
                tally.add(&chunk);
                withheld |= self.withholds(run, &chunk);
                if let Some(to) = &to {
                    // The next lane ends before this one only with an error, which ends this one as well.
                    let _ended = to.unbounded_send(handed);
                }
            }
        }
        self.importer.watch.finished(phase(self.stage));
        Ok(tally)
    }

    fn withholds(&self, run: &Run, chunk: &Chunk) -> bool {
        run.class != Class::Deleted && chunk.users.iter().any(|user| user.withholds(self.stage))
    }

    /// Takes a chunk through the lane, or notes that its users are `held_back`.
    async fn chunk(&self, mut handed: Handed, held_back: bool) -> Result<(Handed, Chunk), Error> {
        let plan = self.work.plan;
        self.importer.still_held(&plan.source.pool, self.work.owner).await?;
        let documents = self.importer.documents(&plan.source.pool);
        let key = keys::chunk(&plan.source.pool, &plan.id, handed.number);
        let loaded = documents.load::<Chunk>(&key).await?;
        let (mut chunk, mut version) = loaded.ok_or_else(|| missing(handed.number))?;
        let retry = self.work.retry && !chunk.was_retried(self.stage, self.work.owner);
        let users = chunk.users.iter().cloned().enumerate();
        let users: Vec<(usize, Outcome)> = users.filter(|(_, user)| user.needs(self.stage, retry)).collect();
        self.advanced(chunk.users.len() - users.len());
        if users.is_empty() {
            return Ok((handed, chunk));
        }
        let subs: Vec<Sub> = users.iter().map(|(_, user)| user.sub.clone()).collect();
        let fates = self.importer.fates(self.work, &subs).await?;
        if self.stage == Stage::Create {
            handed.since = (self.importer.clock)();
        }
        let since = handed;
        let passing = stream::iter(users).map(|(place, mut user)| {
            let fate = fates.get(&user.sub);
            async move {
                let fresh = || since.is_fresh(place, (self.importer.clock)());
                let made = Box::pin(self.user(&mut user, fate, &fresh, held_back)).await?;
                Ok::<_, Error>((place, user, made))
            }
        });
        let ahead = match self.stage {
            Stage::Memberships => MEMBERS_AHEAD,
            Stage::Create | Stage::Password | Stage::Preferences => USERS_AHEAD,
        };
        let mut passing = std::pin::pin!(passing.buffer_unordered(ahead));
        let mut stored = Instant::now();
        while let Some((place, user, made)) = passing.try_next().await? {
            chunk.users[place] = user;
            handed.fresh |= u128::from(made) << place;
            if stored.elapsed() >= STORE_AFTER {
                documents.supersede(&key, &chunk, Some(version), Kept::Always).await?;
                version += 1;
                stored = Instant::now();
            }
        }
        if retry {
            chunk.retried.insert(self.stage, self.work.owner.to_owned());
        }
        documents.supersede(&key, &chunk, Some(version), Kept::Always).await?;
        Ok((handed, chunk))
    }

    /// Takes a user through the lane. Whether this process made them.
    async fn user(
        &self,
        outcome: &mut Outcome,
        fate: Option<&Fate>,
        fresh: &(dyn Fn() -> bool + Send + Sync),
        held_back: bool,
    ) -> Result<bool, Error> {
        let user = match fate {
            Some(Fate::Made(user)) => user,
            Some(Fate::NotMade(reason)) => {
                outcome.not_made = Some(*reason);
                self.advanced(1);
                return Ok(false);
            }
            None => {
                self.importer.watch.failed(&outcome.sub, NOT_IN_BACKUP);
                outcome.went_through(self.stage, Some(NOT_IN_BACKUP.to_owned()));
                self.advanced(1);
                return Ok(false);
            }
        };
        outcome.first.clone_from(&user.first);
        if held_back {
            self.importer.watch.failed(&outcome.sub, LIVING_FIRST);
            outcome.went_through(self.stage, Some(LIVING_FIRST.to_owned()));
            self.advanced(1);
            return Ok(false);
        }
        if self.stage == Stage::Create && outcome.new.is_none() {
            outcome.new = self.work.imported.new_sub(user, self.work.shape);
            outcome.by_csv = outcome.new.is_some();
        }
        let target = Target {
            reader: &self.importer.reader,
            writer: &self.importer.writer,
            pool: self.work.pool,
        };
        let passing = Passing {
            user,
            shape: self.work.shape,
            fresh,
            known: self.known,
            guarded: self.guarded,
        };
        let (made, failure) = match Box::pin(target.pass(self.stage, &passing, outcome)).await {
            Ok(made) => (made, None),
            Err(Trouble::User(code)) => (false, Some(code)),
            Err(Trouble::Import(error)) => return Err(error),
        };
        self.judge(failure.as_deref())?;
        if let Some(code) = &failure {
            self.importer.watch.failed(&outcome.sub, code);
        }
        outcome.went_through(self.stage, failure);
        self.advanced(1);
        Ok(made)
    }

    /// One user without an answer is that user's failure; one after the other is the end of the import.
    fn judge(&self, failure: Option<&str>) -> Result<(), Error> {
        if failure != Some(UNANSWERED) {
            self.unanswered.store(0, Ordering::Relaxed);
            return Ok(());
        }
        if self.unanswered.fetch_add(1, Ordering::Relaxed) + 1 < UNANSWERED_MAX {
            return Ok(());
        }
        let what =
            format!("cognito-idp gave no answer for {UNANSWERED_MAX} users in a row; apply the plan again later");
        Err(Error::new(ErrorKind::Unavailable, what))
    }

    fn advanced(&self, users: usize) {
        self.importer.watch.advanced(phase(self.stage), users as u64);
    }
}

#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
