//! `twinpool` as an operator runs it: the real program, told by its environment who and where it is.
//!
//! Invariant: it reads nothing of this machine's AWS configuration, and the local cloud counts its calls under a role of its
//! own.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Stdio,
};

use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::stack::{Failure, PRIMARY, Stack, target_folder};

/// Role that the local cloud counts the operator's calls under.
pub(super) const ROLE: &str = "operator";
const KEY: &str = "AKIAOPERATOR";

/// What `twinpool reconcile --json` writes, as far as it is looked at (`shared/docs/CLI_JSON.md`).
#[derive(Debug, Deserialize)]
pub(super) struct Reconciled {
    pub(super) seconds: f64,
    pub(super) users: u64,
    pub(super) memberships: u64,
    pub(super) groups: u64,
    pub(super) calls: BTreeMap<String, u64>,
    pub(super) writes: u64,
    pub(super) drift: BTreeMap<String, u64>,
    pub(super) drift_found: u64,
    pub(super) drift_left: u64,
    pub(super) guard: Option<Guard>,
    pub(super) configuration: Option<Configuration>,
}

/// Deletions that wait for an operator.
#[derive(Debug, Deserialize)]
pub(super) struct Guard {
    pub(super) reason: String,
    pub(super) suspects: u64,
}

/// The capture of the configuration.
#[derive(Debug, Deserialize)]
pub(super) struct Configuration {
    pub(super) written: BTreeMap<String, u64>,
}

/// What `twinpool verify --json` writes, as far as it is looked at.
#[derive(Debug, Deserialize)]
pub(super) struct Verified {
    pub(super) equal: bool,
    pub(super) users: u64,
    pub(super) memberships: u64,
    pub(super) groups: u64,
    pub(super) seconds: f64,
    pub(super) differences: BTreeSet<Found>,
}

/// A difference that it names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(super) struct Found {
    pub(super) kind: String,
    pub(super) subject: String,
    pub(super) field: String,
}

/// What a run of the program came to.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) status: i32,
    pub(super) stdout: String,
}

/// Somebody with credentials and a terminal.
#[derive(Debug)]
pub(super) struct Operator<'a> {
    stack: &'a Stack,
    program: PathBuf,
    region: &'static str,
}

impl<'a> Operator<'a> {
    /// Takes the program that was built beside this one.
    ///
    /// # Errors
    /// When it is not there; says how to build it.
    pub(super) fn new(stack: &'a Stack) -> Result<Self, Failure> {
        let own = std::env::current_exe().map_err(|error| Failure::new("the path of this program", error))?;
        let program = own.with_file_name("twinpool");
        if !program.is_file() {
            let what = format!(
                "{} is not there; run: cargo build --workspace --bins",
                program.display()
            );
            return Err(Failure(what));
        }
        Ok(Self {
            stack,
            program,
            region: PRIMARY,
        })
    }

    /// The same in another Region.
    pub(super) fn in_region(self, region: &'static str) -> Self {
        Self { region, ..self }
    }

    /// Runs `twinpool` on `pool`.
    ///
    /// # Errors
    /// When it does not start or is killed, or breaks off: statuses 1, 2, 6 and 7, with what it says on standard error.
    pub(super) async fn twinpool(&self, pool: &str, arguments: &[&str]) -> Result<Ran, Failure> {
        let deployment = &self.stack.deployment;
        let done = tokio::process::Command::new(&self.program)
            .args(arguments)
            .env_clear()
            .env("HOME", target_folder()?.join("tmp/nobody"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", KEY)
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", self.region)
            .env("AWS_ENDPOINT_URL", self.stack.endpoint())
            .env("TWINPOOL_POOLS", pool)
            .env("TWINPOOL_TABLE", &deployment.table)
            .env("TWINPOOL_QUEUE_URL", &deployment.queue_url)
            .env("TWINPOOL_DLQ_URL", &deployment.dlq_url)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .map_err(|error| Failure::new("twinpool", error))?;
        let what = format!("twinpool {}", arguments.join(" "));
        match done.status.code() {
            Some(status @ (0 | 3 | 4 | 5)) => Ok(Ran {
                status,
                stdout: String::from_utf8_lossy(&done.stdout).into_owned(),
            }),
            _ => {
                let said = String::from_utf8_lossy(&done.stderr);
                Err(Failure::new(&what, format!("{}: {}", done.status, said.trim())))
            }
        }
    }

    /// The same with `--json`: the status and the document.
    ///
    /// # Errors
    /// As for [`Self::twinpool`], and when the document is not as documented.
    pub(super) async fn ask<T: DeserializeOwned>(&self, pool: &str, arguments: &[&str]) -> Result<(i32, T), Failure> {
        let ran = self
            .twinpool(pool, &[arguments, &["--json", "--quiet"]].concat())
            .await?;
        let document = serde_json::from_str(&ran.stdout)
            .map_err(|error| Failure::new(&format!("twinpool {} --json", arguments.join(" ")), error))?;
        Ok((ran.status, document))
    }
}

/// Settings of the local cloud under which the operator's calls are counted apart.
pub(super) fn counted_apart(mut settings: Value) -> Value {
    settings["callers"] = json!({KEY: format!("arn:aws:iam::111122223333:role/{ROLE}")});
    settings
}
