//! The users of an import, chunk by chunk, through lanes that overlap.
//!
//! Every [`Stage`] is a lane of its own: making users, passwords, memberships and MFA preferences wait for different quotas, and
//! none waits for another's. A lane takes a chunk when the lane before it is done with it, so that whoever was seen most recently
//! comes first in all of them. No lane begins a class of users before it is through with the one before, and none begins
//! deleted users while a living one may still take a name or an address of theirs. Between lanes a chunk is a number and a bit
//! for each user; the users are read again, and memory stays flat however far one lane is ahead.
//!
//! Invariant: every user goes through every stage, is noted as failed, or is not made by the plan.

mod lane;

use std::{
    collections::{BTreeMap, HashMap},
    sync::atomic::AtomicU32,
};

use futures::{
    StreamExt, TryStreamExt,
    channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded},
    future::try_join4,
    stream::{self, BoxStream},
};
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupRecord,
    import::{
        pairs::Paired,
        plan::{Plan, TargetPool},
        progress::{Stage, State, Tally, keys},
        recreate::{Fate, recreate},
        select::effective,
        shape::Shape,
    },
    item::UserItem,
    personal::Sub,
    port::{Backup, RawPool, ReadPool, WritePool},
    time::Timestamp,
};

use self::lane::Lane;
use crate::{Importer, Phase, chosen::Chooser, create::Known, jobs::Imported, layout::Layout};

/// Users whose versions are asked for at the same time.
const VERSIONS_AHEAD: usize = 16;
/// For so long after a user was made nobody can have given them a password.
const FRESH_MILLIS: i64 = 60_000;

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

#[cfg(test)]
mod guard_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
