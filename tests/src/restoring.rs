//! A pool that is lost with its Region, and what is rebuilt of it in another one.
//!
//! * [`source`] makes a pool that uses everything, [`people`] its users; [`kinds`] small pools, one for each kind of user name.
//! * [`Outage`] has it backed up by the reconciler into a table of [`RECOVERY`], refuses [`REGION`], and runs `twinpool` there.
//! * [`portrait`] reads pools past the product, before and after.
//!
//! Invariant: what a test expects of the rebuilt pool is read from the lost one before it was lost, never from the product.

pub mod between;
pub mod importing;
pub mod kinds;
pub mod people;
pub mod portrait;
pub mod program;
pub mod sign_in;
pub mod small;
pub mod source;

use std::{path::PathBuf, sync::Arc};

use serde_json::{Value, json};
use twinpool_localcloud::gateway::counters::Counters;
use twinpool_reconciler::configuration::capture;
use twinpool_shared::personal::Sub;

use crate::{
    reconciling::{Night, RETENTION_SECONDS, Scene},
    stand_ins::{Cognito, REGION, unique},
};
use portrait::Portrait;
use program::{Ran, twinpool};

/// Where the pool is rebuilt, and where the table's replica is that is read for it.
pub const RECOVERY: &str = "us-west-2";
/// Role that the calls of `twinpool` are counted under.
const ROLE: &str = "operator";
/// Operations of Cognito that change nothing, by how they begin.
const READS: [&str; 3] = ["Describe", "Get", "List"];

/// A pool that was backed up and then lost.
#[derive(Debug)]
pub struct Outage {
    /// Where everything is.
    pub scene: Arc<Scene>,
    /// The lost pool and its backup.
    pub night: Night,
    /// Cognito in [`RECOVERY`].
    pub recovery: Cognito,
    /// The lost pool as it was.
    pub before: Portrait,
    /// For plans and reports; removed with this value.
    pub folder: PathBuf,
    counters: Counters,
}

impl Outage {
    /// Backs up `pool`, with what `edit` then does to its backup, and refuses its Region. `config` is the local cloud's from
    /// then on.
    ///
    /// # Panics
    /// When the reconciler or the local cloud refuses.
    pub async fn of(scene: &Arc<Scene>, pool: (String, String), config: Value, edit: impl AsyncFnOnce(&Night)) -> Self {
        let night = Night::of(scene, pool, RECOVERY).await;
        let report = night.reconcile().await.report;
        assert_eq!(report.result.guard, None);
        let captured = capture(
            &night.reader(),
            &night.table,
            &night.clock(),
            &night.pool,
            RETENTION_SECONDS,
        )
        .await;
        let captured = captured.expect("the configuration is captured");
        assert!(captured.incomplete.is_empty(), "{:?}", captured.incomplete);
        edit(&night).await;
        let before = Portrait::of(&night.cognito, &night.pool).await;
        let folder = std::env::temp_dir().join(unique("twinpool-restore"));
        std::fs::create_dir_all(&folder).expect("a folder of our own");
        scene.configure(without_the_primary(config));
        Self {
            scene: Arc::clone(scene),
            recovery: Cognito::in_region(scene.endpoint(), RECOVERY),
            night,
            before,
            folder,
            counters: scene.counters(),
        }
    }

    /// Runs `twinpool` in [`RECOVERY`] on the lost pool and its backup.
    ///
    /// # Panics
    /// When the program was not built.
    pub async fn twinpool(&self, arguments: &[&str]) -> Ran {
        let variables = [
            ("AWS_ACCESS_KEY_ID", program::KEY),
            ("AWS_SECRET_ACCESS_KEY", "secret"),
            ("AWS_REGION", RECOVERY),
            ("AWS_ENDPOINT_URL", self.scene.endpoint()),
            ("TWINPOOL_POOLS", &self.night.pool),
            ("TWINPOOL_TABLE", self.night.table_name()),
        ];
        twinpool(&variables, arguments).await
    }

    /// A path in the folder.
    #[must_use]
    pub fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Writes a file into the folder; its path.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(&self, name: &str, content: &Value) -> String {
        let path = self.path(name);
        std::fs::write(&path, content.to_string()).expect("it is written");
        path
    }

    /// Mails and text messages since the pool was lost.
    #[must_use]
    pub fn messages(&self) -> u64 {
        let now = self.scene.counters();
        (now.mails - self.counters.mails) + (now.sms - self.counters.sms)
    }

    /// Calls of `twinpool` since then that change a pool, whatever became of them.
    #[must_use]
    pub fn changes(&self) -> u64 {
        let earlier = |operation: &str| calls(&self.counters, operation);
        let now = self.scene.counters();
        let all = now.by_caller.get(ROLE).into_iter().flatten();
        let changes = all.filter(|(operation, _)| !READS.iter().any(|read| operation.starts_with(read)));
        changes.map(|(operation, count)| count - earlier(operation)).sum()
    }

    /// Calls of `operation` by `twinpool` since then.
    #[must_use]
    pub fn calls(&self, operation: &str) -> u64 {
        calls(&self.scene.counters(), operation) - calls(&self.counters, operation)
    }

    /// The pools of [`RECOVERY`]: their ids.
    ///
    /// # Panics
    /// When Cognito refuses.
    pub async fn rebuilt(&self) -> Vec<String> {
        let listed = self.recovery.must("ListUserPools", json!({"MaxResults": 60})).await;
        let pools = listed["UserPools"].as_array().into_iter().flatten();
        pools
            .filter_map(|pool| pool["Id"].as_str().map(str::to_owned))
            .collect()
    }

    /// The `sub` of the lost pool's user of this name.
    ///
    /// # Panics
    /// When there was none.
    #[must_use]
    pub fn sub(&self, username: &str) -> Sub {
        let mut found = self.before.users.iter().filter(|(_, face)| face.username == username);
        let (sub, _) = found.next().expect("there was such a user");
        Sub::new(sub).expect("a sub")
    }
}

impl Drop for Outage {
    fn drop(&mut self) {
        let _removed = std::fs::remove_dir_all(&self.folder);
    }
}

fn calls(counters: &Counters, operation: &str) -> u64 {
    let of_operator = counters.by_caller.get(ROLE);
    of_operator.and_then(|calls| calls.get(operation)).copied().unwrap_or(0)
}

/// `config` with [`REGION`] refused, before any other fault, and with the calls of `twinpool` counted apart.
#[must_use]
pub fn without_the_primary(mut config: Value) -> Value {
    let mut faults = vec![json!({"kind": "refuse_region", "region": REGION})];
    faults.extend(config["faults"].as_array().cloned().unwrap_or_default());
    config["faults"] = json!(faults);
    config["callers"] = json!({program::KEY: format!("arn:aws:iam::111122223333:role/{ROLE}")});
    config
}
