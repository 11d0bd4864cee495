//! Which pool a change is about.
//!
//! Invariant: a change is given up as another pool's only on Cognito's word, newer than the change.

use std::collections::HashMap;

use tokio::sync::Mutex;
use twinpool_shared::{
    change::{Change, PoolRef, Subject},
    error::{Error, ErrorKind},
    settle::{self, Verdict},
};

use crate::Replicator;

/// What became of the question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// These configured pools; several for a part of every pool.
    Pools(Vec<String>),
    /// No configured pool shows the user yet.
    NotYet(Verdict),
    /// Another pool of the account.
    NotOurs,
}

/// Resolves app clients and nameless changes to configured pools.
#[derive(Debug)]
pub struct PoolResolver {
    pools: Vec<String>,
    /// Pool of each app client, `None` for a client of another pool. A client never moves, so an answer holds for ever.
    clients: Mutex<HashMap<String, Option<String>>>,
}

impl PoolResolver {
    /// For these configured pools.
    #[must_use]
    pub fn new(pools: Vec<String>) -> Self {
        Self {
            pools,
            clients: Mutex::new(HashMap::new()),
        }
    }

    /// The pools of `change`.
    ///
    /// # Errors
    /// `OtherPool` when the change names a pool that is not configured: only a trigger attached by hand does that. Else as
    /// Cognito or the table answer.
    pub async fn resolve(&self, replicator: &Replicator, change: &Change) -> Result<Resolved, Error> {
        match &change.pool {
            PoolRef::Id(pool) if self.pools.contains(pool) => Ok(Resolved::Pools(vec![pool.clone()])),
            PoolRef::Id(pool) => Err(Error::new(
                ErrorKind::OtherPool,
                format!("pool {pool} is not in TWINPOOL_POOLS"),
            )),
            PoolRef::Client(client) => {
                let pool = self.pool_of_client(replicator, client).await?;
                Ok(pool.map_or(Resolved::NotOurs, |pool| Resolved::Pools(vec![pool])))
            }
            PoolRef::Any => self.any(replicator, change).await,
        }
    }

    async fn pool_of_client(&self, replicator: &Replicator, client: &str) -> Result<Option<String>, Error> {
        // Held over the calls on purpose: a batch full of one new client asks once.
        let mut clients = self.clients.lock().await;
        if let Some(known) = clients.get(client) {
            return Ok(known.clone());
        }
        for pool in &self.pools {
            for found in replicator.reader.clients_of(pool).await? {
                clients.insert(found, Some(pool.clone()));
            }
        }
        Ok(clients.entry(client.to_owned()).or_default().clone())
    }

    /// The pool whose backup knows the user, else the pool that shows the user now.
    async fn any(&self, replicator: &Replicator, change: &Change) -> Result<Resolved, Error> {
        let Subject::User(sub) = &change.subject else {
            return Ok(Resolved::Pools(self.pools.clone()));
        };
        for pool in &self.pools {
            if !replicator
                .table
                .users(pool, std::slice::from_ref(sub))
                .await?
                .is_empty()
            {
                return Ok(Resolved::Pools(vec![pool.clone()]));
            }
        }
        for pool in &self.pools {
            replicator.calls.count_user_read();
            if replicator.reader.find_user(pool, sub).await?.is_some() {
                return Ok(Resolved::Pools(vec![pool.clone()]));
            }
        }
        // Records of other pools name no pool either: after the last look they are not ours.
        Ok(
            match settle::judge_user(change, None, false, None, (replicator.clock)()) {
                verdict @ Verdict::Again { .. } => Resolved::NotYet(verdict),
                Verdict::Settled | Verdict::Park(_) => Resolved::NotOurs,
            },
        )
    }
}
