//! How users and operators call the pool: patiently where it is busy, and counted.
//!
//! Invariant: a change is counted after the pool has accepted it and never before; refusals are counted by code, without
//! the message, which may quote a value.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
};

use super::{Made, locked};
use crate::stack::{PoolHandle, Stack, control::Control};

/// A well-made client backs off when the pool is busy; the quotas are per second.
const BUSY_PAUSE: Duration = Duration::from_millis(150);
const BUSY_TRIES: u32 = 200;

/// Whether a call changes what a backup keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// It counts as a change.
    Change,
    /// A step on the way, such as asking for a code or signing in.
    Step,
}

/// The pool refused, or gave no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

/// The calls of one run.
pub(super) struct Calls<'a> {
    pub(super) cognito: &'a Client,
    pub(super) control: &'a Control,
    pub(super) pools: &'a [PoolHandle],
    progress: Arc<AtomicU64>,
    changes: Mutex<BTreeMap<String, u64>>,
    refusals: Mutex<BTreeMap<String, u64>>,
}

impl<'a> Calls<'a> {
    pub(super) fn new(stack: &'a Stack, progress: Arc<AtomicU64>) -> Self {
        Self {
            cognito: &stack.cognito,
            control: &stack.control,
            pools: &stack.pools,
            progress,
            changes: Mutex::default(),
            refusals: Mutex::default(),
        }
    }

    /// Changes made since the first run.
    pub(super) fn total(&self) -> u64 {
        self.progress.load(Ordering::Relaxed)
    }

    pub(super) fn made(&self) -> Made {
        Made {
            changes: locked(&self.changes).clone(),
            refusals: locked(&self.refusals).clone(),
        }
    }

    /// Makes a call, again while the pool is busy.
    pub(super) async fn make<T, E, R, F>(&self, operation: &str, kind: Kind, call: impl Fn() -> F) -> Result<T, Refused>
    where
        E: ProvideErrorMetadata,
        F: Future<Output = Result<T, SdkError<E, R>>>,
    {
        let mut tries = 0;
        loop {
            match call().await {
                Ok(answer) => {
                    if kind == Kind::Change {
                        *locked(&self.changes).entry(operation.to_owned()).or_default() += 1;
                        self.progress.fetch_add(1, Ordering::Relaxed);
                    }
                    return Ok(answer);
                }
                Err(error) if error.code() == Some("TooManyRequestsException") && tries < BUSY_TRIES => {
                    tries += 1;
                    tokio::time::sleep(BUSY_PAUSE).await;
                }
                Err(error) => {
                    let code = error.code().unwrap_or("no answer");
                    *locked(&self.refusals)
                        .entry(format!("{operation}: {code}"))
                        .or_default() += 1;
                    return Err(Refused);
                }
            }
        }
    }

    /// The code of the latest message to a user.
    pub(super) async fn code(&self, pool: &PoolHandle, sub: &str, reason: &str) -> Result<String, Refused> {
        self.control.code(&pool.id, sub, reason).await.map_err(|_| {
            *locked(&self.refusals).entry(format!("code: {reason}")).or_default() += 1;
            Refused
        })
    }
}
