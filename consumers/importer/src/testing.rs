//! Doubles of the ports, in memory: a pool that makes users, a backup that holds them, and a network between that loses answers
//! and ends a process.

mod pool;
mod table;

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use futures::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use tokio::sync::Notify;
use twinpool_shared::{
    adapter::lease::Holder,
    documents::Kept,
    error::Error,
    group::{GroupRecord, GroupSettings},
    import::{
        estimate::Estimate,
        mapping::Mapping,
        plan::{Plan, Source, Target, TargetPool, UserCounts, Users, UsersWay},
        progress::{Outcome, State, Tally, keys},
        select::{Class, Order, Ordered},
        shape::Shape,
    },
    item::UserItem,
    personal::{Personal, Sub},
    port::Clock,
    time::Timestamp,
    user::{Account, Attributes, Facet, UserRecord},
};

use crate::{Importer, Upload, chosen::Chooser, jobs::Imported, lanes::Work, layout::Layout};

pub(crate) use pool::{PoolDouble, User};
pub(crate) use table::TableDouble;

/// The pool of the backup.
pub(crate) const SOURCE: &str = "us-east-1_Source";
/// The pool that is rebuilt.
pub(crate) const TARGET: &str = "us-west-2_Target";

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn now() -> Timestamp {
    Timestamp::parse("2026-11-23T10:00:00Z").expect("an instant")
}

/// What lies between an import and everything else.
#[derive(Debug, Default)]
pub(crate) struct Network {
    steps: AtomicU64,
    /// The step at which the process ends.
    kill_at: AtomicU64,
    killed: Notify,
    /// Every so many changes of the pool the answer is lost: after it was made, or before, in turn. Zero: none.
    pub(crate) loses_every: AtomicU64,
    changes: AtomicU64,
    /// How long everything takes that is asked.
    pub(crate) latency_seconds: AtomicU64,
}

/// What becomes of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fortune {
    Answered,
    LostBefore,
    LostAfter,
}

impl Network {
    /// Something is asked: here the process may end.
    pub(crate) async fn step(&self) {
        let step = self.steps.fetch_add(1, Ordering::Relaxed) + 1;
        let kill_at = self.kill_at.load(Ordering::Relaxed);
        if kill_at > 0 && step >= kill_at {
            // Once: another notice would be kept, and kill the next process.
            if step == kill_at {
                self.killed.notify_one();
            }
            std::future::pending::<()>().await;
        }
        tokio::task::yield_now().await;
        let seconds = self.latency_seconds.load(Ordering::Relaxed);
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    pub(crate) fn fortune(&self) -> Fortune {
        let every = self.loses_every.load(Ordering::Relaxed);
        let change = self.changes.fetch_add(1, Ordering::Relaxed);
        match change.checked_rem(every) {
            Some(rest) if rest == every - 1 && (change / every).is_multiple_of(2) => Fortune::LostAfter,
            Some(rest) if rest == every - 1 => Fortune::LostBefore,
            _ => Fortune::Answered,
        }
    }

    /// From now on the process ends after `steps` more; never with `None`.
    pub(crate) fn kill_after(&self, steps: Option<u64>) {
        let at = steps.map_or(0, |steps| self.steps.load(Ordering::Relaxed) + steps);
        self.kill_at.store(at, Ordering::Relaxed);
    }

    pub(crate) fn steps(&self) -> u64 {
        self.steps.load(Ordering::Relaxed)
    }
}

/// Users of a backup: who they are, what they are in.
pub(crate) fn user(number: u32) -> UserRecord {
    let sub = Sub::new(&format!("{number:08x}-0051-7076-79e2-0123456789ab")).expect("a sub");
    let mut record = UserRecord::new(sub);
    record.attributes = Some(facet(Attributes {
        username: Personal::new(format!("user-{number}")),
        values: BTreeMap::from([
            ("email".to_owned(), Personal::new(format!("user-{number}@example.com"))),
            ("email_verified".to_owned(), Personal::new("true")),
        ]),
    }));
    record.status = Some(facet("CONFIRMED".to_owned()));
    record.account = Some(facet(Account {
        enabled: number % 10 != 3,
        created: now(),
        modified: now(),
    }));
    record.groups = Some(facet(["all".to_owned(), format!("group-{}", number % 3)].into()));
    record.last_seen = Some(now().plus_millis(-i64::from(number) * 86_400_000).day_start());
    record
}

pub(crate) fn facet<T>(data: T) -> Facet<T> {
    Facet {
        as_of: now(),
        observed_at: now(),
        source: "test".to_owned(),
        data,
    }
}

fn in_backup(records: Vec<UserRecord>) -> (Vec<UserItem>, Ordered) {
    let mut order = Order::new();
    let items: Vec<UserItem> = records
        .into_iter()
        .map(|record| UserItem::current(SOURCE, 1, record, now().plus_millis(-1), 86_400))
        .collect();
    for item in &items {
        let record = &item.record;
        order.push(&record.sub, record.last_seen, Class::of(record), &item.content_hash);
    }
    (items, order.finish())
}

/// A backup, a target and a network.
pub(crate) struct World {
    pub(crate) network: Arc<Network>,
    pub(crate) pool: PoolDouble,
    pub(crate) table: TableDouble,
    pub(crate) plan: Plan,
    pub(crate) shape: Shape,
    pub(crate) clock: Clock,
    /// Who imports.
    pub(crate) owner: String,
    users: Ordered,
    groups: BTreeMap<String, GroupRecord>,
}

/// No file is taken anywhere, unless the pool takes it.
struct ToPool(PoolDouble);

impl Upload for ToPool {
    fn put<'a>(&'a self, url: &'a Personal, body: Vec<u8>) -> BoxFuture<'a, Result<(), Error>> {
        async move { self.0.take_file(url.expose(), &body) }.boxed()
    }
}

impl World {
    /// A world whose backup has `records`, and whose target is empty.
    pub(crate) fn with(records: Vec<UserRecord>) -> Self {
        let network = Arc::new(Network::default());
        let (items, users) = in_backup(records);
        let groups = ["all", "group-0", "group-1", "group-2"].map(|name| {
            let mut group = GroupRecord::new(name);
            group.settings = Some(facet(GroupSettings {
                description: None,
                precedence: None,
                role_arn: None,
                created: now().plus_millis(-1_000),
                modified: now(),
            }));
            (name.to_owned(), group)
        });
        let groups: BTreeMap<String, GroupRecord> = groups.into();
        let pool = PoolDouble::new(&network, groups.keys().cloned());
        Self {
            table: TableDouble::new(&network, items),
            shape: Shape::of(&described(), None).expect("a shape"),
            plan: plan(&users),
            clock: Arc::new(now),
            owner: "test".to_owned(),
            network,
            pool,
            users,
            groups,
        }
    }

    /// The backup shows these users now, whatever was planned.
    pub(crate) fn drift(&mut self, records: Vec<UserRecord>) {
        let (items, users) = in_backup(records);
        self.table = self.table.with_users(items);
        self.users = users;
    }

    /// Lays out the chunks, as `apply` does.
    pub(crate) async fn lay_out(&self) -> Result<Layout, Error> {
        let importer = self.importer();
        let holder = self.holder();
        let tenure = importer.tenure(SOURCE, &holder);
        let laid_out = importer.lay_out(&self.plan, &self.users, &self.owner);
        tenure.during(Box::pin(laid_out)).await
    }

    fn holder(&self) -> Holder {
        Holder {
            owner: self.owner.clone(),
            seconds: 60,
            steal: false,
        }
    }

    /// Notes that there is a pool, as `apply` does.
    pub(crate) async fn begun(&self) {
        self.lay_out().await.expect("laid out");
        let key = keys::state(SOURCE, &self.plan.id);
        let importer = self.importer();
        let documents = importer.documents(SOURCE);
        let mut state = documents
            .load::<State>(&key)
            .await
            .expect("readable")
            .expect("laid out")
            .0;
        state.pool = Some(TARGET.to_owned());
        documents.replace(&key, &state, Kept::Always).await.expect("stored");
    }

    /// A new process.
    pub(crate) fn importer(&self) -> Importer<PoolDouble, PoolDouble, TableDouble> {
        Importer {
            reader: self.pool.clone(),
            writer: self.pool.clone(),
            backup: self.table.clone(),
            clock: Arc::clone(&self.clock),
            watch: Box::new(()),
            upload: Box::new(ToPool(self.pool.clone())),
        }
    }

    /// Takes everybody through the lanes in a new process, by jobs first where the plan says so; `None` when it was killed.
    pub(crate) async fn import(&self, retry: bool) -> Option<Result<Tally, Error>> {
        let importer = self.importer();
        let holder = self.holder();
        let tenure = importer.tenure(SOURCE, &holder);
        let work = async {
            let chooser = Chooser::new(&importer.backup, SOURCE, self.plan.selection()).await?;
            let layout = importer.lay_out(&self.plan, &self.users, &self.owner).await?;
            let mut work = Work {
                plan: &self.plan,
                pool: TARGET,
                shape: &self.shape,
                chooser: &chooser,
                layout: &layout,
                groups: &self.groups,
                imported: &Imported::default(),
                owner: &self.owner,
                retry,
            };
            let imported = match self.plan.users.way {
                UsersWay::Csv => Box::pin(importer.jobs(&work)).await?,
                _ => Imported::default(),
            };
            work.imported = &imported;
            importer.lanes(&work).await
        };
        tokio::select! {
            done = Box::pin(tenure.during(work)) => Some(done),
            () = self.network.killed.notified() => None,
        }
    }

    /// The same, undisturbed.
    pub(crate) async fn imported(&self) -> Tally {
        self.network.kill_after(None);
        let done = self.import(false).await.expect("nobody kills it");
        done.expect("nothing fails")
    }

    /// Notes that everybody was gone through, as `apply` does.
    pub(crate) async fn finish(&self, tally: &Tally) {
        let importer = self.importer();
        let key = keys::state(SOURCE, &self.plan.id);
        let state = importer.documents(SOURCE).load::<State>(&key).await.expect("readable");
        let state = State {
            pool: Some(TARGET.to_owned()),
            users: Some(tally.clone()),
            ..state.expect("laid out").0
        };
        let stored = importer.documents(SOURCE).replace(&key, &state, Kept::Always).await;
        stored.expect("stored");
    }

    /// What became of everybody.
    pub(crate) async fn outcomes(&self) -> Vec<Outcome> {
        use futures::TryStreamExt;
        let importer = self.importer();
        importer.outcomes(&self.plan).try_collect().await.expect("readable")
    }
}

/// What `DescribeUserPool` shows of the target.
pub(crate) fn described() -> Value {
    let attribute = |name: &str| {
        json!({"Name": name, "AttributeDataType": "String", "Mutable": true, "Required": false,
            "DeveloperOnlyAttribute": false})
    };
    let flag = json!({"Name": "email_verified", "AttributeDataType": "Boolean", "Mutable": true, "Required": false,
        "DeveloperOnlyAttribute": false});
    json!({
        "SchemaAttributes": [attribute("email"), flag, attribute("name"), attribute("custom:original_sub")],
        "AutoVerifiedAttributes": ["email"],
    })
}

fn plan(users: &Ordered) -> Plan {
    Plan {
        id: "20261123T100000Z-0badcafe".to_owned(),
        made_at: now(),
        made_by: "test".to_owned(),
        source: Source {
            table: "table".to_owned(),
            pool: SOURCE.to_owned(),
            account: String::new(),
            as_of: now(),
            freshness: Default::default(),
        },
        target: Target {
            region: "us-west-2".to_owned(),
            account: "111122223333".to_owned(),
            pool: TargetPool::New {
                name: "rebuilt".to_owned(),
            },
        },
        users: Users {
            way: UsersWay::Api,
            include_deleted: false,
            deleted_after: None,
            counts: UserCounts::default(),
            digest: users.digest().to_string(),
            chunks: u32::try_from(users.chunk_count()).expect("few"),
        },
        mapping: Mapping::default(),
        left_out: Vec::new(),
        steps: Vec::new(),
        changes: None,
        manual: Vec::new(),
        estimate: Estimate::default(),
    }
}
