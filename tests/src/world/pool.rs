//! `ReadPool` over the pure double of Cognito user pools, with lagging indexes, short and empty pages, and failures.
//!
//! Besides it keeps what a real pool forgets: every state that a user ever had, and when they were deleted.
//!
//! Invariant: a consumer sees the pool through the port only; [`PoolDouble::truth`] is for the verdict.

mod answers;
mod paging;
mod past;
mod port;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use serde_json::{Value, json};
use twinpool_localcloud::pools::{ApiError, Call, Cloud, Outcome, TokenSigner};
use twinpool_shared::{
    error::{Error, kind_of_code},
    group::GroupSettings,
    personal::Sub,
    port::Clock,
};

pub use past::{Past, UserTruth};

use super::{clock::WorldClock, journal::Journal, locked, network::Network};

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "111122223333";

struct State {
    cloud: Cloud,
    past: BTreeMap<Sub, Past>,
}

struct Inner {
    id: String,
    client: String,
    state: Mutex<State>,
    time: WorldClock,
    clock: Clock,
    network: Network,
    journal: Arc<Journal>,
}

/// One user pool.
#[derive(Clone)]
pub struct PoolDouble(Arc<Inner>);

impl PoolDouble {
    /// A pool with the three triggers attached and one app client; `clock` is Cognito's own.
    ///
    /// # Errors
    /// When the double refuses to make the pool.
    pub fn new(
        seed: u64,
        time: WorldClock,
        clock: Clock,
        network: Network,
        journal: Arc<Journal>,
    ) -> Result<Self, ApiError> {
        let mut cloud = Cloud::new(ACCOUNT, seed, TokenSigner::unsigned());
        let now = clock().as_millis();
        let function = |name: &str| format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}");
        let pool = json!({
            "PoolName": "people",
            "AutoVerifiedAttributes": ["email"],
            "LambdaConfig": {
                "PostConfirmation": function("post-confirmation"),
                "PostAuthentication": function("post-authentication"),
                "CustomMessage": function("custom-message"),
            },
        });
        let answer = cloud.apply(&call("CreateUserPool", pool, 0), now).answer?;
        let id = answers::text(&answer["UserPool"]["Id"]);
        let client = json!({
            "UserPoolId": id,
            "ClientName": "app",
            "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"],
        });
        let answer = cloud.apply(&call("CreateUserPoolClient", client, 0), now).answer?;
        let client = answers::text(&answer["UserPoolClient"]["ClientId"]);
        let past = BTreeMap::new();
        Ok(Self(Arc::new(Inner {
            id,
            client,
            state: Mutex::new(State { cloud, past }),
            time,
            clock,
            network,
            journal,
        })))
    }

    /// The pool's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// The app client's id.
    #[must_use]
    pub fn client(&self) -> &str {
        &self.0.client
    }

    /// Somebody calls the API. `subject` is the user concerned, when the caller knows; it keeps the past complete.
    pub fn operate(&self, operation: &str, input: Value, subject: Option<&Sub>) -> Outcome {
        let mut state = locked(&self.0.state);
        let outcome = state
            .cloud
            .apply(&call(operation, input, 0), (self.0.clock)().as_millis());
        if let Some(sub) = subject {
            self.remember(&mut state, sub);
        } else if operation == "DeleteGroup" {
            self.remember_all(&mut state);
        }
        outcome
    }

    /// Adds the state that `sub` has now to the user's past.
    pub fn note_state_of(&self, sub: &Sub) {
        self.remember(&mut locked(&self.0.state), sub);
    }

    fn remember(&self, state: &mut State, sub: &Sub) {
        let now = self.0.time.elapsed_millis();
        let shown = state.cloud.user_snapshot(&self.0.id, sub.as_str());
        let past = state.past.entry(sub.clone()).or_default();
        match shown.as_ref().map(answers::user_truth) {
            Some(Ok(truth)) if past.last() != Some(&truth) => past.states.push((now, truth)),
            Some(Err(error)) => self.0.journal.violation(format!("the double's snapshot: {error}")),
            Some(Ok(_)) => {}
            None if !past.states.is_empty() && past.deleted_at.is_none() => past.deleted_at = Some(now),
            None => {}
        }
    }

    fn remember_all(&self, state: &mut State) {
        let subs: Vec<Sub> = state.past.keys().cloned().collect();
        for sub in &subs {
            self.remember(state, sub);
        }
    }

    /// Every user that there ever was.
    #[must_use]
    pub fn truth(&self) -> BTreeMap<Sub, Past> {
        locked(&self.0.state).past.clone()
    }

    /// The past of one user.
    #[must_use]
    pub fn past_of(&self, sub: &Sub) -> Past {
        locked(&self.0.state).past.get(sub).cloned().unwrap_or_default()
    }

    /// How far stamps of different machines may be apart from the true time, in milliseconds.
    #[must_use]
    pub fn skew_millis_max(&self) -> i64 {
        i64::try_from(self.0.network.weather().skew_millis_max).unwrap_or(0)
    }

    /// When the user was deleted, if they ever lived and do no more.
    #[must_use]
    pub fn deleted_at(&self, sub: &Sub) -> Option<i64> {
        locked(&self.0.state).past.get(sub).and_then(|past| past.deleted_at)
    }

    /// Whether the user lives.
    #[must_use]
    pub fn has(&self, sub: &Sub) -> bool {
        let state = locked(&self.0.state);
        state.past.get(sub).is_some_and(|past| past.deleted_at.is_none())
    }

    /// The groups as the pool has them now.
    #[must_use]
    pub fn groups_now(&self) -> BTreeMap<String, GroupSettings> {
        let outcome = self.operate("ListGroups", json!({ "UserPoolId": self.0.id, "Limit": 60 }), None);
        let groups = outcome.answer.unwrap_or_default();
        let groups = groups["Groups"].as_array().cloned().unwrap_or_default();
        groups
            .iter()
            .filter_map(|group| answers::group(group).ok())
            .collect::<BTreeMap<_, _>>()
    }

    /// One read call over the network. `Err(Err(_))` is an answer of the service that is an error.
    async fn read(&self, operation: &str, input: Value, lags: bool) -> Result<Result<Value, ApiError>, Error> {
        let network = &self.0.network;
        network.reach().await?;
        let stale = if lags {
            network.below(network.weather().stale_millis_max + 1)
        } else {
            0
        };
        let stale = i64::try_from(stale).unwrap_or(0);
        let now = (self.0.clock)().as_millis();
        let outcome = locked(&self.0.state).cloud.apply(&call(operation, input, stale), now);
        if !outcome.became_active.is_empty() {
            self.0
                .journal
                .violation(format!("{operation} of a consumer made a user billable"));
        }
        network.answer().await?;
        Ok(outcome.answer)
    }

    /// As [`Self::read`], where `absent` is the code that means "there is none".
    async fn read_if_any(&self, operation: &str, input: Value, absent: &str) -> Result<Option<Value>, Error> {
        match self.read(operation, input, false).await? {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.code == absent => Ok(None),
            Err(error) => Err(service_error(operation, &error)),
        }
    }
}

fn call(operation: &str, input: Value, stale_by_millis: i64) -> Call {
    // The unsigned operations look at neither.
    Call {
        region: Some(REGION.to_owned()),
        operation: operation.to_owned(),
        input,
        caller: Some(format!("arn:aws:sts::{ACCOUNT}:assumed-role/admin/session")),
        stale_by_millis,
    }
}

fn service_error(operation: &str, error: &ApiError) -> Error {
    let kind = kind_of_code(&error.code, Some(error.status));
    Error::new(kind, format!("cognito-idp:{operation} answered {}", error.code))
}
