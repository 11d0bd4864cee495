//! Stands between the reconciler and its ports.
//!
//! Invariant: what is not twisted goes through unchanged; what is asked is noted before it is answered.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use tokio::sync::Notify;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    item::{GroupItem, Key, UserItem},
    marks::Part,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Backup, Document, Page, ReadPool, Written},
    time::Timestamp,
    user::Factors,
};

/// What is asked of a pool, or written to a backup.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Asked {
    /// This user.
    User(Sub),
    /// A page of users.
    Users {
        /// Of this prefix.
        prefix: Option<String>,
        /// Whether it is the first page.
        first: bool,
    },
    /// A page of members.
    Members(String),
    /// A page of groups.
    Groups,
    /// This group.
    Group(String),
    /// How many users there are.
    Estimate,
    /// Something that a reconcile has no business to ask.
    Other(&'static str),
    /// A user's item is written.
    PutUser(Sub),
    /// A group's item is written.
    PutGroup(String),
    /// A document is written.
    PutDocument(String),
    /// Anything else that is written.
    Write,
    /// An operation in raw JSON, which reads or changes the pool.
    Raw(String),
}

/// What becomes of a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Twist {
    /// It goes through.
    None,
    /// Nobody is found, and there is no more.
    Nobody,
    /// It fails.
    Fails(ErrorKind),
}

/// Stops a run at one of its steps: in front of a request, or behind its effect and in front of its answer.
#[derive(Debug)]
pub struct Cut {
    left: AtomicI64,
    reached: Notify,
}

impl Cut {
    /// After so many steps.
    #[must_use]
    pub fn after(steps: i64) -> Arc<Self> {
        Arc::new(Self {
            left: AtomicI64::new(steps),
            reached: Notify::new(),
        })
    }

    /// Steps made so far, of a cut that was made after `steps`.
    #[must_use]
    pub fn made(&self, steps: i64) -> i64 {
        steps - self.left.load(Ordering::Relaxed)
    }

    /// Waits until a run has come here.
    pub async fn reached(&self) {
        self.reached.notified().await;
    }

    pub(crate) async fn step(&self) {
        if self.left.fetch_sub(1, Ordering::Relaxed) <= 0 {
            self.reached.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

type Judge = Box<dyn Fn(&Asked) -> Twist + Send + Sync>;

/// Between the reconciler and `inner`.
pub struct Between<T> {
    pub(crate) inner: T,
    judge: Judge,
    pub(crate) cut: Arc<Cut>,
    hidden: BTreeSet<Sub>,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl<T> Between<T> {
    /// Notes and lets through.
    #[must_use]
    pub fn noting(inner: T) -> Self {
        Self::twisting(inner, |_| Twist::None)
    }

    /// Answers as `judge` says.
    #[must_use]
    pub fn twisting(inner: T, judge: impl Fn(&Asked) -> Twist + Send + Sync + 'static) -> Self {
        Self {
            inner,
            judge: Box::new(judge),
            cut: Cut::after(i64::MAX),
            hidden: BTreeSet::new(),
            asked: Arc::default(),
        }
    }

    /// The same, stopped by `cut`.
    #[must_use]
    pub fn until(self, cut: &Arc<Cut>) -> Self {
        Self {
            cut: Arc::clone(cut),
            ..self
        }
    }

    /// The same, with lists of users that leave some out. They are found when they are looked for by name.
    #[must_use]
    pub fn hiding(self, subs: &[Sub]) -> Self {
        Self {
            hidden: subs.iter().cloned().collect(),
            ..self
        }
    }

    /// What was asked, shared with the run.
    #[must_use]
    pub fn asked(&self) -> Arc<Mutex<Vec<Asked>>> {
        Arc::clone(&self.asked)
    }

    pub(crate) fn note(&self, asked: Asked) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked);
    }

    pub(crate) async fn ask<A>(
        &self,
        asked: Asked,
        nobody: Option<A>,
        answer: impl Future<Output = Result<A, Error>>,
    ) -> Result<A, Error> {
        self.cut.step().await;
        let twist = (self.judge)(&asked);
        self.note(asked);
        let answer = match (twist, nobody) {
            (Twist::Fails(kind), _) => Err(Error::new(kind, "as the test says")),
            (Twist::Nobody, Some(nobody)) => Ok(nobody),
            _ => answer.await,
        };
        self.cut.step().await;
        answer
    }
}

fn no_more<T>() -> Page<T> {
    Page {
        entries: Vec::new(),
        token: None,
    }
}

impl<P: ReadPool> ReadPool for Between<P> {
    async fn find_user(&self, pool: &str, sub: &Sub) -> Result<Option<UserRead>, Error> {
        self.ask(Asked::User(sub.clone()), Some(None), self.inner.find_user(pool, sub))
            .await
    }

    async fn groups_of(&self, pool: &str, username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        let answer = self.inner.groups_of(pool, username);
        self.ask(Asked::Other("AdminListGroupsForUser"), None, answer).await
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupSettings>, Error> {
        let answer = self.inner.group(pool, name);
        self.ask(Asked::Group(name.to_owned()), Some(None), answer).await
    }

    async fn factors_of(&self, pool: &str, username: &Personal) -> Result<Option<Factors>, Error> {
        let answer = self.inner.factors_of(pool, username);
        self.ask(Asked::Other("AdminGetUser"), None, answer).await
    }

    async fn clients_of(&self, pool: &str) -> Result<Vec<String>, Error> {
        self.ask(Asked::Other("ListUserPoolClients"), None, self.inner.clients_of(pool))
            .await
    }

    async fn users_page(
        &self,
        pool: &str,
        prefix: Option<&str>,
        token: Option<&str>,
    ) -> Result<Page<(Sub, UserRead)>, Error> {
        let asked = Asked::Users {
            prefix: prefix.map(str::to_owned),
            first: token.is_none(),
        };
        let answer = self.inner.users_page(pool, prefix, token);
        let mut page = self.ask(asked, Some(no_more()), answer).await?;
        page.entries.retain(|(sub, _)| !self.hidden.contains(sub));
        Ok(page)
    }

    async fn members_page(&self, pool: &str, group: &str, token: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        let answer = self.inner.members_page(pool, group, token);
        self.ask(Asked::Members(group.to_owned()), Some(Some(no_more())), answer)
            .await
    }

    async fn groups_page(&self, pool: &str, token: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        self.ask(Asked::Groups, Some(no_more()), self.inner.groups_page(pool, token))
            .await
    }

    async fn estimated_users(&self, pool: &str) -> Result<u64, Error> {
        self.ask(Asked::Estimate, Some(0), self.inner.estimated_users(pool))
            .await
    }
}

impl<B: Backup> Backup for Between<B> {
    async fn users(&self, pool: &str, subs: &[Sub]) -> Result<HashMap<Sub, UserItem>, Error> {
        self.cut.step().await;
        self.inner.users(pool, subs).await
    }

    async fn user_versions(&self, pool: &str, sub: &Sub) -> Result<Vec<UserItem>, Error> {
        self.cut.step().await;
        self.inner.user_versions(pool, sub).await
    }

    async fn put_user(&self, next: &UserItem, superseded: Option<&UserItem>) -> Result<Written, Error> {
        let asked = Asked::PutUser(next.record.sub.clone());
        self.ask(asked, None, self.inner.put_user(next, superseded)).await
    }

    async fn users_in(&self, partition: &str, sub_prefix: &str, token: Option<&str>) -> Result<Page<UserItem>, Error> {
        // No step: there are hundreds, and nothing is lost between them.
        self.inner.users_in(partition, sub_prefix, token).await
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupItem>, Error> {
        self.inner.group(pool, name).await
    }

    async fn groups(&self, pool: &str) -> Result<Vec<GroupItem>, Error> {
        self.cut.step().await;
        self.inner.groups(pool).await
    }

    async fn put_group(&self, next: &GroupItem, replaced: Option<u64>) -> Result<Written, Error> {
        let asked = Asked::PutGroup(next.record.name.clone());
        self.ask(asked, None, self.inner.put_group(next, replaced)).await
    }

    async fn mark(&self, pool: &str, part: Part, at: Timestamp, cause: &str) -> Result<Written, Error> {
        self.ask(Asked::Write, None, self.inner.mark(pool, part, at, cause))
            .await
    }

    async fn marks(&self, pool: &str) -> Result<Vec<(Part, Timestamp)>, Error> {
        self.cut.step().await;
        self.inner.marks(pool).await
    }

    async fn clear_mark(&self, pool: &str, part: Part, at: Timestamp) -> Result<Written, Error> {
        self.ask(Asked::Write, None, self.inner.clear_mark(pool, part, at))
            .await
    }

    async fn document(&self, key: &Key) -> Result<Option<Document>, Error> {
        self.cut.step().await;
        self.inner.document(key).await
    }

    async fn put_document(&self, next: &Document, replaced: Option<u64>) -> Result<Written, Error> {
        let asked = Asked::PutDocument(next.key.sk.clone());
        self.ask(asked, None, self.inner.put_document(next, replaced)).await
    }

    async fn documents(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Document>, Error> {
        self.cut.step().await;
        self.inner.documents(pk, sk_prefix).await
    }

    async fn remove_documents(&self, keys: &[Key]) -> Result<(), Error> {
        self.ask(Asked::Write, None, self.inner.remove_documents(keys)).await
    }
}
