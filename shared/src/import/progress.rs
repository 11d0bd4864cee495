//! How far an import has come: the documents by which it goes on after a kill, and which are the sub map.
//!
//! Users are made in chunks of [`super::select::CHUNK_USERS`]; a chunk's document says of each user what became of them and
//! through which [`Stage`]s they went.
//!
//! Invariant: a document is written after what it says was done; what it does not say may have been done and is looked for.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    recreate::NotMade,
    select::{Class, Run},
};
use crate::{personal::Sub, time::Timestamp};

/// The user's name is somebody else's in the target.
pub const TAKEN: &str = "name-taken";
/// No answer for as long as the import waits.
pub const UNANSWERED: &str = "unanswered";
/// Cognito answered, but not what it documents.
pub const UNREADABLE: &str = "unreadable-answer";
/// The user was made and is no longer there.
pub const GONE: &str = "gone";
/// A deleted user is not made before the living: one of these failed, whose name or address this may be.
pub const LIVING_FIRST: &str = "living-user-failed";
/// The backup no longer has the user as of the plan's instant.
pub const NOT_IN_BACKUP: &str = "not-in-backup";
/// The backup knows no user name yet.
pub const NAMELESS: &str = "nameless";

/// What a user goes through, one after another. Each stage has quotas of its own, so that stages overlap.
///
/// The MFA preference follows the password at once, and memberships come last: from the password on a person can reset it and
/// sign in, where factors are optional without the second one. That must not last for as long as memberships take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// Made, and disabled where they may not sign in.
    Create,
    /// The password, and attributes that are only taken afterwards.
    Password,
    /// The MFA preference.
    Preferences,
    /// Outside identities and groups.
    Memberships,
}

impl Stage {
    /// Every stage, in order.
    pub const ALL: [Self; 4] = [Self::Create, Self::Password, Self::Preferences, Self::Memberships];

    /// Name in reports, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Password => "password",
            Self::Preferences => "preferences",
            Self::Memberships => "memberships",
        }
    }
}

/// What became of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// `sub` in the backup.
    pub sub: Sub,
    /// `sub` in the target, once there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<Sub>,
    /// The `sub` before the backup's: the pool was rebuilt before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Sub>,
    /// Why the plan does not make them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_made: Option<NotMade>,
    /// Whether an import job made them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_csv: bool,
    /// The last stage that they went through, successfully or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done: Option<Stage>,
    /// Groups that they are in.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub memberships: u64,
    /// Outside identities that are linked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub links: u64,
    /// Outside identities that could not be linked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlinked: u64,
    /// Stages that failed, with a code of Cognito's or one of this module's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub failed: BTreeMap<Stage, String>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

impl Outcome {
    /// A user of whom nothing is done yet.
    #[must_use]
    pub fn new(sub: Sub) -> Self {
        Self {
            sub,
            new: None,
            first: None,
            not_made: None,
            by_csv: false,
            done: None,
            memberships: 0,
            links: 0,
            unlinked: 0,
            failed: BTreeMap::new(),
        }
    }

    /// Whether the user has to go through `stage`: for the first time, or, with `retry`, because it failed. Who is there and
    /// could not be disabled goes no further.
    #[must_use]
    pub fn needs(&self, stage: Stage, retry: bool) -> bool {
        let made = self.new.is_some() && !self.failed.contains_key(&Stage::Create);
        let possible = self.not_made.is_none() && (stage == Stage::Create || made);
        let failed = self.failed.contains_key(&stage);
        possible && if failed { retry } else { self.done < Some(stage) }
    }

    /// Whether nothing was done with the user yet, so that the note may be written anew.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        *self == Self::new(self.sub.clone())
    }

    /// Whether the user, who is a living one, may take a name or an address the next time that a deleted one must not have
    /// before. Whom Cognito refuses for good withholds nothing: deleted users would wait for them for ever.
    #[must_use]
    pub fn withholds(&self, stage: Stage) -> bool {
        let failure = self.failed.get(&stage).map(String::as_str);
        match stage {
            Stage::Create => self.new.is_none() && failure == Some(UNANSWERED),
            // The attributes that are only taken after the password may be aliases.
            Stage::Password => failure == Some(UNANSWERED),
            Stage::Preferences | Stage::Memberships => false,
        }
    }

    /// Whether the name or an address of the user, who is a living one, is anybody's who signs up.
    #[must_use]
    pub fn is_vacant(&self) -> bool {
        let create = self.failed.get(&Stage::Create).map(String::as_str);
        let is_nobodys = create.is_some_and(|code| code != TAKEN && code != NOT_IN_BACKUP);
        (self.new.is_none() && is_nobodys) || self.withholds(Stage::Password)
    }

    /// Whether the user is there without an outside identity of theirs: Cognito would make another user of whoever signs in by
    /// it, and never link it again.
    #[must_use]
    pub fn is_unlinked(&self) -> bool {
        // Who could not be disabled came no further.
        let is_stuck = self.new.is_some() && self.failed.contains_key(&Stage::Create);
        self.unlinked > 0 || is_stuck
    }

    /// Notes that the user went through `stage`, and with which failure.
    pub fn went_through(&mut self, stage: Stage, failure: Option<String>) {
        self.done = self.done.max(Some(stage));
        match failure {
            Some(code) => self.failed.insert(stage, code),
            None => self.failed.remove(&stage),
        };
    }
}

/// The users of a chunk, in the plan's order.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Chunk {
    /// Them.
    pub users: Vec<Outcome>,
    /// Who retried last, by stage: an attempt of several invocations retries once, and comes to the chunks behind.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub retried: BTreeMap<Stage, String>,
}

impl Chunk {
    /// Users of whom nothing is done yet.
    #[must_use]
    pub fn new(subs: Vec<Sub>) -> Self {
        Self {
            users: subs.into_iter().map(Outcome::new).collect(),
            retried: BTreeMap::new(),
        }
    }

    /// Whether nothing was done with anybody yet.
    #[must_use]
    pub fn is_untouched(&self) -> bool {
        self.users.iter().all(Outcome::is_untouched)
    }

    /// Whether the attempt of `owner` has retried `stage` already.
    #[must_use]
    pub fn was_retried(&self, stage: Stage, owner: &str) -> bool {
        self.retried.get(&stage).is_some_and(|last| last == owner)
    }
}

/// What an import came to, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Users who are there.
    pub users: u64,
    /// Of those, who came by an import job.
    pub by_csv: u64,
    /// Memberships that are there.
    pub memberships: u64,
    /// Outside identities that are linked.
    pub links: u64,
    /// Users whom the plan does not make and who are not there, by reason.
    pub not_made: BTreeMap<NotMade, u64>,
    /// Users who failed, by stage and code: `create: InvalidParameterException`.
    pub failed: BTreeMap<String, u64>,
    /// How many users that are.
    pub failed_users: u64,
    /// Living users whose name or address is anybody's who signs up: [`Outcome::is_vacant`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub vacant: u64,
    /// Users who lack an outside identity: [`Outcome::is_unlinked`].
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unlinked: u64,
    /// Users who are neither made nor failed nor left out: after the last stage there is none, unless a chunk was overwritten.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub open: u64,
}

impl Tally {
    /// Adds a chunk of users of `class`.
    pub fn add(&mut self, chunk: &Chunk, class: Class) {
        for user in &chunk.users {
            self.users += u64::from(user.new.is_some());
            self.by_csv += u64::from(user.by_csv);
            self.memberships += user.memberships;
            self.links += user.links;
            if let Some(reason) = user.not_made {
                // Whom Cognito made at a sign-in is `repair-federated`'s, with what failed of it.
                if user.new.is_none() {
                    *self.not_made.entry(reason).or_default() += 1;
                }
                continue;
            }
            // In the backup, too, the name of a deleted one was anybody's.
            self.vacant += u64::from(class != Class::Deleted && user.is_vacant());
            self.unlinked += u64::from(user.is_unlinked());
            for (stage, code) in &user.failed {
                *self.failed.entry(format!("{}: {code}", stage.as_str())).or_default() += 1;
            }
            self.failed_users += u64::from(!user.failed.is_empty());
            let failed = user.failed.contains_key(&Stage::Create);
            let done = user.done >= Stage::ALL.last().copied();
            self.open += u64::from(!failed && !done);
        }
    }
}

/// How far the import has come as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Whether an attempt was about to make the pool: from then on it may be there although nobody knows its id.
    #[serde(default)]
    pub making: bool,
    /// Id of the pool, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<String>,
    /// Digests of the steps of the configuration that are done.
    #[serde(default)]
    pub steps: BTreeSet<String>,
    /// The chunks that are laid out, in order: before anything is made, and, when the backup shows more users later,
    /// behind these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layout: Vec<Run>,
    /// What the users came to, when all chunks were gone through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub users: Option<Tally>,
}

impl State {
    /// Number of chunks that are laid out.
    #[must_use]
    pub fn chunks(&self) -> usize {
        self.layout.iter().map(|run| run.chunks).sum()
    }
}

/// An import job of Cognito: the chunks whose users its file holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Job {
    /// The first chunk.
    pub from: usize,
    /// The first chunk after it.
    pub to: usize,
    /// Users in the file.
    pub rows: u64,
    /// Cognito's id of the job, once it is started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// How many jobs for this file ended without success before.
    #[serde(default)]
    pub failures: u32,
    /// Users whom it made, by its own count.
    #[serde(default)]
    pub imported: u64,
    /// From when to when it ran, and those before it for the same file.
    #[serde(default)]
    pub ran: Vec<(Timestamp, Timestamp)>,
    /// The status in which it ended, which is success; see `UserImportJobStatusType`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
}

/// Keys of a pool's imports.
pub mod keys {
    use crate::item::{Key, import_key};

    /// The lease: one import of a pool at a time, whichever plan.
    #[must_use]
    pub fn lease(pool: &str) -> Key {
        import_key(pool, "lease")
    }

    /// Ids of the plans whose import was begun.
    #[must_use]
    pub fn imports(pool: &str) -> Key {
        import_key(pool, "imports")
    }

    /// The plan itself, as its file, where a state machine made it.
    #[must_use]
    pub fn plan(pool: &str, plan: &str) -> Key {
        import_key(pool, &format!("{plan}#plan"))
    }

    /// [`super::State`] of the import `plan`.
    #[must_use]
    pub fn state(pool: &str, plan: &str) -> Key {
        import_key(pool, &format!("{plan}#state"))
    }

    /// New ids of app clients, by their old ones.
    #[must_use]
    pub fn clients(pool: &str, plan: &str) -> Key {
        import_key(pool, &format!("{plan}#clients"))
    }

    /// A [`super::Chunk`].
    #[must_use]
    pub fn chunk(pool: &str, plan: &str, number: usize) -> Key {
        import_key(pool, &format!("{plan}#chunk#{number:08}"))
    }

    /// A [`super::Job`].
    #[must_use]
    pub fn job(pool: &str, plan: &str, number: usize) -> Key {
        import_key(pool, &format!("{plan}#job#{number:05}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome() -> Outcome {
        Outcome::new(Sub::new("s").unwrap())
    }

    fn chunk(user: Outcome) -> Chunk {
        Chunk {
            users: vec![user],
            ..Chunk::default()
        }
    }

    #[test]
    fn a_user_goes_through_each_stage_once() {
        let mut user = outcome();
        assert!(user.needs(Stage::Create, false));
        assert!(!user.needs(Stage::Password, false), "nobody is there yet");
        user.new = Sub::new("t");
        user.went_through(Stage::Create, None);
        assert!(!user.needs(Stage::Create, false) && !user.needs(Stage::Create, true));
        for stage in [Stage::Password, Stage::Preferences, Stage::Memberships] {
            assert!(user.needs(stage, false));
            user.went_through(stage, None);
            assert!(!user.needs(stage, false) && !user.needs(stage, true));
        }
    }

    #[test]
    fn what_failed_waits_for_a_retry_and_nothing_else_is_repeated() {
        let mut user = outcome();
        user.new = Sub::new("t");
        user.went_through(Stage::Create, None);
        user.went_through(Stage::Password, None);
        user.went_through(Stage::Preferences, Some("InvalidParameterException".to_owned()));
        assert!(!user.needs(Stage::Preferences, false));
        assert!(
            user.needs(Stage::Memberships, false),
            "a missing preference is no reason to go without groups"
        );
        user.went_through(Stage::Memberships, None);
        assert!(user.needs(Stage::Preferences, true));
        assert!(!user.needs(Stage::Memberships, true));
        user.went_through(Stage::Preferences, None);
        assert_eq!((user.failed.len(), user.done), (0, Some(Stage::Memberships)));
    }

    #[test]
    fn who_is_there_and_could_not_be_disabled_goes_no_further() {
        let mut user = outcome();
        user.new = Sub::new("t");
        user.went_through(Stage::Create, Some("InternalErrorException".to_owned()));
        for stage in [Stage::Password, Stage::Preferences, Stage::Memberships] {
            assert!(!user.needs(stage, false) && !user.needs(stage, true), "{stage:?}");
        }
        assert!(user.needs(Stage::Create, true));
        assert!(!user.withholds(Stage::Create), "the name is theirs");
    }

    #[test]
    fn a_living_user_withholds_deleted_ones_as_long_as_they_may_take_a_name_the_next_time() {
        let failed = |stage, code: &str| {
            let mut user = outcome();
            user.went_through(stage, Some(code.to_owned()));
            user
        };
        assert!(failed(Stage::Create, UNANSWERED).withholds(Stage::Create));
        assert!(!failed(Stage::Create, "InvalidParameterException").withholds(Stage::Create));
        assert!(!failed(Stage::Create, TAKEN).withholds(Stage::Create));
        assert!(!failed(Stage::Create, NOT_IN_BACKUP).withholds(Stage::Create));
        assert!(failed(Stage::Password, UNANSWERED).withholds(Stage::Password));
        assert!(!failed(Stage::Password, "AliasExistsException").withholds(Stage::Password));
        assert!(!outcome().withholds(Stage::Create));
    }

    #[test]
    fn names_and_identities_are_anybodys_until_their_owner_is_there_with_them() {
        let failed = |code: &str| {
            let mut user = outcome();
            user.went_through(Stage::Create, Some(code.to_owned()));
            user
        };
        assert!(failed("InvalidParameterException").is_vacant() && failed(UNANSWERED).is_vacant());
        assert!(!failed(TAKEN).is_vacant() && !failed(NOT_IN_BACKUP).is_vacant() && !outcome().is_vacant());
        let mut stuck = failed(UNANSWERED);
        stuck.new = Sub::new("t");
        assert!(!stuck.is_vacant() && stuck.is_unlinked(), "enabled, and not linked");
        let mut unlinked = outcome();
        unlinked.new = Sub::new("t");
        assert!(!unlinked.is_unlinked());
        unlinked.unlinked = 1;
        assert!(unlinked.is_unlinked());
        let count = |user: &Outcome, class| {
            let mut tally = Tally::default();
            tally.add(&chunk(user.clone()), class);
            (tally.vacant, tally.unlinked)
        };
        assert_eq!(count(&failed("InvalidParameterException"), Class::Verified), (1, 0));
        assert_eq!(count(&failed("InvalidParameterException"), Class::Deleted), (0, 0));
        assert_eq!(count(&unlinked, Class::Verified), (0, 1));
    }

    #[test]
    fn who_is_neither_made_nor_failed_nor_left_out_is_open() {
        let mut user = outcome();
        let open = |user: &Outcome| {
            let mut tally = Tally::default();
            tally.add(&chunk(user.clone()), Class::Verified);
            tally.open
        };
        assert_eq!(open(&user), 1);
        assert!(user.is_untouched());
        user.new = Sub::new("t");
        user.went_through(Stage::Create, None);
        assert_eq!(open(&user), 1, "no password, no groups");
        assert!(!user.is_untouched());
        user.went_through(Stage::Memberships, Some("ResourceNotFoundException".to_owned()));
        assert_eq!(open(&user), 0);
        let mut failed = outcome();
        failed.went_through(Stage::Create, Some(TAKEN.to_owned()));
        let mut left_out = outcome();
        left_out.not_made = Some(NotMade::Unconfirmed);
        assert_eq!((open(&failed), open(&left_out)), (0, 0));
    }

    #[test]
    fn who_could_not_be_made_goes_no_further_until_a_retry() {
        let mut user = outcome();
        user.went_through(Stage::Create, Some(TAKEN.to_owned()));
        assert!(!user.needs(Stage::Create, false) && !user.needs(Stage::Password, true));
        assert!(user.needs(Stage::Create, true));
        let mut tally = Tally::default();
        tally.add(&chunk(user), Class::Verified);
        assert_eq!((tally.users, tally.failed_users), (0, 1));
        assert_eq!(tally.failed, BTreeMap::from([("create: name-taken".to_owned(), 1)]));
    }

    #[test]
    fn whom_the_plan_does_not_make_is_counted_until_they_come_by_themselves() {
        let mut user = outcome();
        user.not_made = Some(NotMade::FederatedOnly);
        assert!(!user.needs(Stage::Create, true));
        let mut tally = Tally::default();
        tally.add(&chunk(user.clone()), Class::Verified);
        assert_eq!(tally.not_made, BTreeMap::from([(NotMade::FederatedOnly, 1)]));
        user.new = Sub::new("t");
        let mut tally = Tally::default();
        tally.add(&chunk(user), Class::Verified);
        assert_eq!((tally.users, tally.not_made.len()), (1, 0));
    }
}
