//! One lane: takes the chunks of each run through one stage.
//!
//! Invariant: a chunk is handed on when its document says what was done with all of it. Whoever fails is noted, and the others go
//! on; an import that nobody answers for ends.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use futures::{
    StreamExt, TryStreamExt,
    channel::mpsc::UnboundedSender,
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use twinpool_shared::{
    documents::Kept,
    error::{Error, ErrorKind},
    import::{
        progress::{Chunk, LIVING_FIRST, NOT_IN_BACKUP, Outcome, Stage, Tally, UNANSWERED, keys},
        recreate::Fate,
        select::{Class, Run},
    },
    personal::Sub,
    port::{Backup, RawPool, ReadPool, WritePool},
};

use super::{Handed, Work, phase};
use crate::{
    Importer,
    create::Known,
    layout::missing,
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
/// So many users in a row that nobody answers for are no matter of single users.
const UNANSWERED_MAX: u32 = 50;

/// One lane.
pub(super) struct Lane<'a, P, W, B> {
    pub(super) importer: &'a Importer<P, W, B>,
    pub(super) work: &'a Work<'a>,
    pub(super) stage: Stage,
    /// Users in a row, of all lanes, that nobody answered for.
    pub(super) unanswered: &'a AtomicU32,
    /// What earlier attempts did.
    pub(super) known: Known<'a>,
    /// Whether names may be somebody else's by now.
    pub(super) guarded: bool,
}

impl<P: ReadPool + RawPool, W: WritePool, B: Backup> Lane<'_, P, W, B> {
    /// Takes the chunks of each run through the lane and hands them on. All of a run are through before the next one begins.
    pub(super) async fn run(
        self,
        from: Vec<BoxStream<'_, Handed>>,
        to: Vec<UnboundedSender<Handed>>,
    ) -> Result<Tally, Error> {
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
                tally.add(&chunk, run.class);
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
