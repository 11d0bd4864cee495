//! Which pool a change is about.
//!
//! Invariant: a change is given up as another pool's only at its second look: a client that was just made may not be listed
//! yet.

use std::collections::HashMap;

use tokio::sync::Mutex;
use twinpool_shared::{
    change::{Ask, Change, PoolRef, Subject},
    error::{Error, ErrorKind},
    operation::Expect,
    port::{Backup, Outbox, ReadPool},
    settle::{Doubt, Verdict},
    time::{SECOND_MILLIS, Timestamp},
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
    clients: Mutex<Clients>,
}

/// App clients as they were last listed.
#[derive(Debug, Default)]
struct Clients {
    /// Pool of each client. A client never moves, so this holds for ever.
    pool: HashMap<String, String>,
    listed_at: Option<Timestamp>,
}

/// Seconds until the second look at a change whose pool is not found, and for how long a listing of clients is good: a busy
/// neighbour pool must not eat the quotas.
const SECOND_LOOK_SECONDS: u32 = 60;
const SECOND_LOOK: Verdict = Verdict::Again {
    delay_seconds: SECOND_LOOK_SECONDS,
    why: Doubt::Missing,
};

impl PoolResolver {
    /// For these configured pools.
    #[must_use]
    pub fn new(pools: Vec<String>) -> Self {
        Self {
            pools,
            clients: Mutex::new(Clients::default()),
        }
    }

    /// The pools of `change`.
    ///
    /// # Errors
    /// `OtherPool` when the change names a pool that is not configured: only a trigger attached by hand does that. Else as
    /// Cognito or the table answer.
    pub async fn resolve<P: ReadPool, B: Backup, Q: Outbox>(
        &self,
        replicator: &Replicator<P, B, Q>,
        change: &Change,
    ) -> Result<Resolved, Error> {
        match &change.pool {
            PoolRef::Id(pool) if self.pools.contains(pool) => Ok(Resolved::Pools(vec![pool.clone()])),
            PoolRef::Id(pool) => Err(Error::new(
                ErrorKind::OtherPool,
                format!("pool {pool} is not in TWINPOOL_POOLS"),
            )),
            PoolRef::Client(client) => Ok(match self.pool_of_client(replicator, client).await? {
                Some(pool) => Resolved::Pools(vec![pool]),
                None if change.attempt == 0 => Resolved::NotYet(SECOND_LOOK),
                None => Resolved::NotOurs,
            }),
            PoolRef::Any => self.any(replicator, change).await,
        }
    }

    async fn pool_of_client<P: ReadPool, B: Backup, Q: Outbox>(
        &self,
        replicator: &Replicator<P, B, Q>,
        client: &str,
    ) -> Result<Option<String>, Error> {
        // Held over the calls on purpose: a batch full of one new client asks once.
        let mut clients = self.clients.lock().await;
        if let Some(pool) = clients.pool.get(client) {
            return Ok(Some(pool.clone()));
        }
        let now = (replicator.clock)();
        let good_millis = i64::from(SECOND_LOOK_SECONDS) * SECOND_MILLIS;
        let fresh = clients
            .listed_at
            .is_some_and(|listed_at| now.millis_since(listed_at) < good_millis);
        if !fresh {
            for pool in &self.pools {
                for found in replicator.reader.clients_of(pool).await? {
                    clients.pool.insert(found, pool.clone());
                }
            }
            clients.listed_at = Some(now);
        }
        Ok(clients.pool.get(client).cloned())
    }

    /// The pool whose backup knows the user, else the pool that shows the user now.
    async fn any<P: ReadPool, B: Backup, Q: Outbox>(
        &self,
        replicator: &Replicator<P, B, Q>,
        change: &Change,
    ) -> Result<Resolved, Error> {
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
        // Records of other pools name no pool either: at the second look they are not ours. A deletion of the only pool's
        // user leaves a tombstone even so: a message that carries the user may still be on its way.
        Ok(match (change.attempt, self.pools.as_slice()) {
            (0, _) => Resolved::NotYet(SECOND_LOOK),
            (_, [only]) if change.ask() == Some(Ask::User(Expect::Gone)) => Resolved::Pools(vec![only.clone()]),
            _ => Resolved::NotOurs,
        })
    }
}
