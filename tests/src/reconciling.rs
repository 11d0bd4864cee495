//! A pool and a backup table of one's own with the reconciler between them: the deployed adapters, in this process.
//!
//! * [`Scene`] is a local cloud in this process, with the shared MiniStack behind it.
//! * [`Night`] is a pool, a table and a clock on it; its methods live the users' lives, run the reconciler and look at the result.
//! * [`Between`] stands between the reconciler and a port: it notes what is asked, answers differently, or stops the run there.
//!
//! Invariant: what is read back is read past the product, by [`crate::compare`] or raw.

mod between;
mod people;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
};

use aws_config::{Region, SdkConfig, retry::RetryConfig};
use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use twinpool_localcloud::gateway::{
    config::Config,
    counters::Counters,
    instance::{Emulator, LocalCloud},
};
use twinpool_reconciler::{Allowed, Finding, Holder, Options, Reconciler, Report, Watch};
use twinpool_shared::{
    adapter::{
        aws::CONSUMER_BUDGET,
        governor::Governor,
        pool::{Patience, PoolReader},
        table::Table,
    },
    error::Error,
    item::{GroupItem, UserItem},
    personal::Sub,
    port::{Backup, Clock, ReadPool},
    quota::{Category, Share},
    time::Timestamp,
};

use crate::{
    backup_table,
    bench::events::now,
    compare::{Deleted, Difference, compare_one},
    stand_ins::{Cognito, REGION, ministack, sdk_config, unique},
};
pub use between::{Asked, Between, Cut, Twist};
pub use people::PASSWORD;

/// As deployed.
pub const RETENTION_SECONDS: i64 = 35 * 86_400;
/// What a list may lag, and a little more: after so long nothing is too young to be believed.
pub const WINDOW_MILLIS: i64 = 61_000;
/// Faster than any stand-in answers: what a test waits for is the stand-in and not the quota.
/// Enough for faults that hit one call in eight.
const PATIENT_ATTEMPTS: u32 = 10;
const UNPACED_RPS: f64 = 100_000.0;

/// A local cloud.
#[derive(Debug)]
pub struct Scene {
    cloud: LocalCloud,
}

impl Scene {
    /// Starts one without quotas, or as `config` says.
    ///
    /// # Panics
    /// When the configuration is none or the local cloud does not start.
    pub async fn start(config: Value) -> Arc<Self> {
        let behind = ministack().await;
        let behind: SocketAddr = behind.trim_start_matches("http://").parse().expect("an address");
        let started = LocalCloud::start(0, &std::env::temp_dir(), Emulator::At(behind), parsed(config)).await;
        Arc::new(Self {
            cloud: started.expect("the local cloud starts"),
        })
    }

    /// From now on it is as `config` says.
    ///
    /// # Panics
    /// When that is no configuration.
    pub fn configure(&self, config: Value) {
        self.cloud.gateway().configure(parsed(config));
    }

    /// The one URL that AWS clients use.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.cloud.endpoint()
    }

    /// What it counted so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.cloud.gateway().counters()
    }

    /// Calls of `operation` so far, whatever became of them.
    #[must_use]
    pub fn calls(&self, service: &str, operation: &str) -> u64 {
        let calls = self.cloud.gateway().counters().calls;
        let of_service = calls.get(service);
        of_service.and_then(|calls| calls.get(operation)).copied().unwrap_or(0)
    }

    /// How often the script's faults have fired.
    #[must_use]
    pub fn faults_fired(&self) -> u64 {
        self.cloud.gateway().counters().faults_fired.values().sum()
    }

    /// Users made billable so far.
    #[must_use]
    pub fn billable(&self) -> u64 {
        self.cloud.gateway().counters().became_active.values().sum()
    }
}

fn parsed(mut config: Value) -> Config {
    if config["quotas"].is_null() {
        config["quotas"] = json!({"enabled": false});
    }
    Config::parse(config.to_string().as_bytes()).expect("a configuration")
}

/// Collects findings.
#[derive(Clone, Debug, Default)]
struct Noted(Arc<Mutex<Vec<Finding>>>);

impl Watch for Noted {
    fn found(&self, finding: &Finding) {
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        found.push(finding.clone());
    }
}

/// What a run came to, and what it found, in order of the subjects.
#[derive(Debug)]
pub struct Outcome {
    /// The report.
    pub report: Report,
    /// The findings.
    pub findings: Vec<Finding>,
}

/// A pool, a table and a clock.
#[derive(Debug)]
pub struct Night {
    /// Where it is.
    pub scene: Arc<Scene>,
    /// Pool id.
    pub pool: String,
    /// Id of the pool's app client.
    pub client: String,
    /// The backup, through the adapter.
    pub table: Table,
    /// The pool's own API.
    pub cognito: Cognito,
    pub(crate) sdk: SdkConfig,
    dynamodb: aws_sdk_dynamodb::Client,
    table_name: String,
    ahead_millis: Arc<AtomicI64>,
}

impl Night {
    /// A pool and a table of one's own.
    ///
    /// # Panics
    /// When the local cloud refuses.
    pub async fn new(scene: &Arc<Scene>) -> Self {
        let pool = people::pool(&Cognito::new(scene.endpoint())).await;
        Self::of(scene, pool, REGION).await
    }

    /// This pool, by its id and its app client's, and a table of one's own that is read and written in `region`.
    ///
    /// # Panics
    /// When the local cloud refuses.
    pub async fn of(scene: &Arc<Scene>, (pool, client): (String, String), region: &str) -> Self {
        let endpoint = scene.endpoint();
        let sdk = sdk_config(endpoint).await;
        // As deployed: a lost answer is asked for again.
        let retries = RetryConfig::standard().with_max_attempts(CONSUMER_BUDGET.attempts);
        let there = sdk.to_builder().region(Region::new(region.to_owned()));
        let dynamodb = aws_sdk_dynamodb::Client::new(&there.retry_config(retries).build());
        let table_name = unique("night");
        backup_table::create(&dynamodb, &table_name).await;
        let cognito = Cognito::new(endpoint);
        Self {
            scene: Arc::clone(scene),
            pool,
            client,
            table: Table::new(dynamodb.clone(), &table_name),
            cognito,
            sdk,
            dynamodb,
            table_name,
            ahead_millis: Arc::default(),
        }
    }

    /// The same pool and table, with a clock of its own that shows the same now.
    #[must_use]
    pub fn elsewhere(&self) -> Self {
        let ahead = self.ahead_millis.load(Ordering::Relaxed);
        Self {
            scene: Arc::clone(&self.scene),
            pool: self.pool.clone(),
            client: self.client.clone(),
            table: self.table.clone(),
            cognito: self.cognito.clone(),
            sdk: self.sdk.clone(),
            dynamodb: self.dynamodb.clone(),
            table_name: self.table_name.clone(),
            ahead_millis: Arc::new(AtomicI64::new(ahead)),
        }
    }

    /// The present of this night.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        (self.clock())()
    }

    /// The clock of this night.
    #[must_use]
    pub fn clock(&self) -> Clock {
        let ahead = Arc::clone(&self.ahead_millis);
        Arc::new(move || now().plus_millis(ahead.load(Ordering::Relaxed)))
    }

    /// Lets so much time pass for the reconciler, who thereby finds everything that happened before so much older.
    pub fn pass(&self, millis: i64) {
        self.ahead_millis.fetch_add(millis, Ordering::Relaxed);
    }

    /// Name of the table.
    #[must_use]
    pub fn table_name(&self) -> &str {
        &self.table_name
    }

    /// The pool, as the reconciler reads it.
    #[must_use]
    pub fn reader(&self) -> PoolReader {
        let governor = Governor::new(Share::new(100).unwrap_or_default(), 1);
        for category in Category::ALL {
            governor.learn(category, UNPACED_RPS);
        }
        let client = aws_sdk_cognitoidentityprovider::Client::new(&self.sdk);
        PoolReader::new(client, governor, Patience::WALK)
    }

    /// Options of a run by `owner`.
    #[must_use]
    pub fn options(owner: &str) -> Options {
        Options {
            holder: Holder {
                owner: owner.to_owned(),
                seconds: 120,
                steal: false,
            },
            allowed: Allowed::default(),
            fresh: false,
        }
    }

    /// A whole run as deployed.
    ///
    /// # Panics
    /// When it fails.
    pub async fn reconcile(&self) -> Outcome {
        let run = self
            .run(self.reader(), self.table.clone(), &Self::options("tests"))
            .await;
        run.expect("the run comes to its end")
    }

    /// A whole run whose calls of the table are repeated more often than deployed. As deployed a run that is refused three times in
    /// a row ends, and the next one goes on with it; a test that counts needs one that does not end.
    ///
    /// # Panics
    /// When it fails.
    pub async fn reconcile_patiently(&self) -> Outcome {
        let retries = RetryConfig::standard().with_max_attempts(PATIENT_ATTEMPTS);
        let config = self.dynamodb.config().to_builder().retry_config(retries).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(config), &self.table_name);
        let run = self.run(self.reader(), table, &Self::options("tests")).await;
        run.expect("the run comes to its end")
    }

    /// A whole run of which an operator allowed so much.
    ///
    /// # Panics
    /// When it fails.
    pub async fn reconcile_allowing(&self, allowed: Allowed) -> Outcome {
        let options = Options {
            allowed,
            ..Self::options("tests")
        };
        let run = self.run(self.reader(), self.table.clone(), &options).await;
        run.expect("the run comes to its end")
    }

    /// A whole run over these ports.
    ///
    /// # Errors
    /// As the reconciler's.
    pub async fn run<P: ReadPool, B: Backup>(&self, reader: P, backup: B, options: &Options) -> Result<Outcome, Error> {
        let noted = Noted::default();
        let reconciler = Reconciler {
            reader,
            backup,
            clock: self.clock(),
            retention_seconds: RETENTION_SECONDS,
            watch: Box::new(noted.clone()),
        };
        let report = Box::pin(reconciler.run(&self.pool, options)).await?;
        let mut findings = std::mem::take(&mut *noted.0.lock().unwrap_or_else(PoisonError::into_inner));
        findings.sort();
        Ok(Outcome { report, findings })
    }

    /// In what pool and backup differ, by the independent comparison. `deleted` must have left tombstones with their last data.
    ///
    /// # Panics
    /// When either cannot be read.
    pub async fn differences(&self, deleted: &[Sub]) -> Vec<Difference> {
        let deleted: Vec<Deleted> = deleted
            .iter()
            .map(|sub| Deleted {
                pool: self.pool.clone(),
                sub: sub.to_string(),
                was_seen: true,
            })
            .collect();
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&self.sdk);
        let table = (&self.dynamodb, self.table_name.as_str());
        let compared = compare_one(&cognito, table, &self.pool, &deleted).await;
        compared.expect("both are read").differences
    }

    /// The user's current item.
    ///
    /// # Panics
    /// When there is none.
    pub async fn stored(&self, sub: &Sub) -> UserItem {
        let users = self.table.users(&self.pool, std::slice::from_ref(sub)).await;
        users.expect("it is read").remove(sub).expect("there is an item")
    }

    /// The group's item.
    ///
    /// # Panics
    /// When there is none.
    pub async fn stored_group(&self, name: &str) -> GroupItem {
        let group = self.table.group(&self.pool, name).await;
        group.expect("it is read").expect("there is an item")
    }

    /// Every item of users and groups as it stands, by sort key: without the documents of runs.
    ///
    /// # Panics
    /// When the table cannot be read.
    pub async fn items(&self) -> BTreeMap<String, BTreeMap<String, AttributeValue>> {
        let mut items = BTreeMap::new();
        let mut pages = self
            .dynamodb
            .scan()
            .table_name(&self.table_name)
            .consistent_read(true)
            .into_paginator()
            .send();
        while let Some(page) = pages.next().await {
            for item in page.expect("it is read").items.unwrap_or_default() {
                let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok()).cloned();
                let (pk, sk) = (text("pk").unwrap_or_default(), text("sk").unwrap_or_default());
                if !pk.ends_with("#run") {
                    items.insert(sk, item.into_iter().collect());
                }
            }
        }
        items
    }

    /// Living users in the backup.
    ///
    /// # Panics
    /// When the table cannot be read.
    pub async fn living(&self) -> usize {
        let items = self.items().await;
        let users = items.iter().filter(|(sk, _)| sk.starts_with("user#"));
        // Only living users expire never.
        users.filter(|(_, item)| !item.contains_key("expires_at")).count()
    }

    /// Edits a user's item by hand, past everybody: the version is the next, and the rest is as `edit` leaves it.
    ///
    /// # Panics
    /// When there is none, or somebody writes it at the same time.
    pub async fn edit(&self, sub: &Sub, edit: impl FnOnce(&mut UserItem)) {
        let before = self.stored(sub).await;
        let mut after = before.clone();
        edit(&mut after);
        after.version = before.version + 1;
        let superseded = before.superseded(now(), RETENTION_SECONDS);
        let written = self.table.put_user(&after, Some(&superseded)).await;
        assert_eq!(written, Ok(twinpool_shared::port::Written::Stored));
    }

    /// Removes a user's current item by hand.
    ///
    /// # Panics
    /// When the service refuses.
    pub async fn remove(&self, sub: &Sub) {
        let key = self.stored(sub).await.key;
        let delete = self.dynamodb.delete_item().table_name(&self.table_name);
        let delete = delete
            .key("pk", AttributeValue::S(key.pk))
            .key("sk", AttributeValue::S(key.sk));
        delete.send().await.expect("it is removed");
    }
}
