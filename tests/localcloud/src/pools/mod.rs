//! The user pools of one AWS account in all its Regions, as a pure state machine.
//!
//! Invariant: no I/O, no clock, no randomness but from the seed: the same calls at the same times give the same bytes.

mod branding;
mod clients;
mod configuration;
mod configuration_table;
mod delivery;
mod domains;
mod errors;
mod factors;
mod federation;
mod filter;
mod groups;
mod hosted_ui;
mod import_file;
mod import_job;
mod import_jobs;
mod limits;
mod list;
mod mfa_settings;
mod operations;
mod operations_table;
mod passwords;
mod pools_checks;
mod pools_settings;
mod profile;
mod protection;
mod providers;
mod quota;
mod random;
mod replicas;
mod request;
mod resource_servers;
mod schema;
mod secrets;
mod sessions;
mod sign_in;
mod sign_up;
mod signer;
mod state;
mod tags;
mod terms;
mod tokens;
mod totp;
mod trail;
mod triggers;
mod users;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

pub use clients::secret_hash;
pub use operations::support_table;
pub use quota::{Buckets, DEFAULT_RATES, quota_category};
pub use signer::{SignerError, TokenSigner};
pub use totp::totp_code;
pub use trail::HIDDEN;

use import_job::Pace;
use operations::Auth;
use random::Random;
use request::{Effects, Request};
use state::State;

/// The Cognito user pools of one account in all its Regions.
#[derive(Clone, Debug)]
pub struct Cloud {
    state: State,
}

impl Cloud {
    /// An empty account. Everything that is drawn at random comes from `seed`.
    pub fn new(account: &str, seed: u64, tokens: TokenSigner) -> Self {
        Self {
            state: State {
                account: account.to_owned(),
                random: Random::new(seed),
                signer: tokens,
                pools: BTreeMap::new(),
                pool_of_client: BTreeMap::new(),
                active: BTreeSet::new(),
                month: (0, 0),
                rates: BTreeMap::new(),
                provisioned: BTreeMap::new(),
                pace: Pace::default(),
                importing: BTreeMap::new(),
                short_pages: 0,
            },
        }
    }

    /// The request rates that are in force instead of AWS's defaults, as `GetProvisionedLimit` tells them.
    pub fn set_rates(&mut self, overrides: &BTreeMap<String, u32>) {
        self.state.rates.clone_from(overrides);
    }

    /// The request rates of a Region where they are not AWS's defaults: with those that `UpdateProvisionedLimit` has set.
    pub fn rates_in(&self, region: &str) -> BTreeMap<String, u32> {
        self.state.rates_in(region)
    }

    /// How fast import jobs are: rows a second (at least one), and milliseconds from the start to the first row.
    pub fn set_import_pace(&mut self, rows_per_second: u32, pending_millis: u32) {
        self.state.pace.rows_per_second = rows_per_second;
        self.state.pace.pending_millis = pending_millis;
    }

    /// Scheme and authority of the presigned URLs that import jobs hand out.
    pub fn set_upload_base(&mut self, base: &str) {
        base.clone_into(&mut self.state.pace.uploads);
    }

    /// Lets `percent` of the pages of `ListUsers` and `ListUsersInGroup` hold fewer users than asked for, or none, and lead
    /// on all the same. How many is drawn from the seed.
    pub fn shorten_pages(&mut self, percent: u32) {
        self.state.short_pages = percent;
    }

    /// Carries out one call. Operations and members that are not supported answer `LocalcloudUnsupported` and leave no
    /// trail record.
    pub fn apply(&mut self, call: &Call, now_millis: i64) -> Outcome {
        self.turn_month(now_millis);
        import_jobs::advance(&mut self.state, now_millis);
        let Some(operation) = operations::find(&call.operation) else {
            return refused(operations::not_found(&call.operation));
        };
        if let Err(error) = operations::check_members(operation, &call.input) {
            return refused(error);
        }
        if operation.auth == Auth::Signed && call.region.is_none() {
            return refused(errors::refuse(
                "MissingAuthenticationTokenException",
                "Missing Authentication Token",
            ));
        }
        let mut request = Request {
            state: &mut self.state,
            call,
            now: now_millis,
            effects: Effects::default(),
        };
        let answer = (operation.handler)(&mut request);
        let mut effects = request.effects;
        if answer.is_err() {
            effects.triggers.clear();
            effects.messages.clear();
        }
        if answer
            .as_ref()
            .is_err_and(|error| error.code == "LocalcloudUnsupported")
        {
            return refused(answer.err().unwrap_or_else(|| errors::unsupported("this call")));
        }
        if effects.client.is_none() {
            effects.client = call.input.get("ClientId").and_then(Value::as_str).map(str::to_owned);
        }
        let state = &mut self.state;
        let records = trail::records(
            call,
            operation,
            &effects,
            &answer,
            now_millis,
            (&state.account, &mut state.random),
        );
        Outcome {
            answer,
            triggers: effects.triggers,
            records,
            messages: effects.messages,
            became_active: effects.became_active,
            pool: effects.pool,
        }
    }

    fn turn_month(&mut self, now_millis: i64) {
        let time = jiff::Timestamp::from_millisecond(now_millis).unwrap_or_default();
        let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        let month = (date.year(), date.month());
        if self.state.month != month {
            self.state.month = month;
            self.state.active.clear();
        }
    }

    /// One user with everything that the double knows about it and may show: AdminGetUser's answer, and `Groups` and
    /// `Identities` besides. Bills nobody.
    pub fn user_snapshot(&self, pool: &str, sub: &str) -> Option<Value> {
        let user = self.state.pools.get(pool)?.user(sub)?;
        let mut shown = users::full(user);
        shown.insert("Groups".into(), json!(user.groups));
        shown.insert("Identities".into(), federation::identities_claim(user));
        Some(Value::Object(shown))
    }

    /// The `sub`s of a pool in ascending order.
    pub fn subs(&self, pool: &str) -> Vec<String> {
        self.state
            .pools
            .get(pool)
            .map(|pool| pool.users().keys().cloned().collect())
            .unwrap_or_default()
    }

    /// How many users of a pool are billable (monthly active) in the month of the last call.
    pub fn billable_this_month(&self, pool: &str) -> usize {
        self.state.active.iter().filter(|(home, _)| home == pool).count()
    }
}

fn refused(error: ApiError) -> Outcome {
    Outcome {
        answer: Err(error),
        triggers: Vec::new(),
        records: Vec::new(),
        messages: Vec::new(),
        became_active: Vec::new(),
        pool: None,
    }
}

/// One API call as it arrived.
#[derive(Clone, Debug)]
pub struct Call {
    /// Region of the request's signature; `None` for the unsigned operations, whose pool is found by client id or token.
    pub region: Option<String>,
    /// Operation name, for example `AdminCreateUser`.
    pub operation: String,
    /// The JSON body.
    pub input: Value,
    /// ARN of the calling principal; `None` for the unsigned operations.
    pub caller: Option<String>,
    /// How old the index is that `ListUsers`/`ListUsersInGroup` read from, in milliseconds; 0 = current. They are
    /// eventually consistent at AWS, so the gateway and the simulations inject staleness here.
    pub stale_by_millis: i64,
}

/// What an operation answered and what has to happen because of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Body of the answer, or the error.
    pub answer: Result<Value, ApiError>,
    /// Triggers to invoke, in order, each exactly once, before the answer goes out. The state is already changed; a
    /// trigger that fails turns the answer into an error, as AWS does.
    pub triggers: Vec<TriggerCall>,
    /// CloudTrail records in the form of an EventBridge event's `detail`, redacted as AWS redacts. Also for failed calls
    /// (with `errorCode`).
    pub records: Vec<TrailRecord>,
    /// Messages that Cognito would have sent.
    pub messages: Vec<Message>,
    /// `sub`s made billable (monthly active) by this call and not billable before in this calendar month.
    pub became_active: Vec<String>,
    /// The Region and the pool concerned, when known.
    pub pool: Option<(String, String)>,
}

/// An error of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    /// HTTP status, 400 or 500.
    pub status: u16,
    /// For example `UserNotFoundException`.
    pub code: String,
    /// AWS's wording where it is known.
    pub message: String,
}

/// One synchronous Lambda invocation.
#[derive(Clone, Debug)]
pub struct TriggerCall {
    /// Function ARN from the pool's `LambdaConfig`.
    pub function_arn: String,
    /// `PostConfirmation`, `PostAuthentication`, `CustomMessage`, ...: AWS's name in error messages.
    pub slot: String,
    /// The documented event.
    pub event: Value,
}

/// One CloudTrail record.
#[derive(Clone, Debug)]
pub struct TrailRecord {
    /// `AWS API Call via CloudTrail` or `AWS Service Event via CloudTrail`.
    pub detail_type: String,
    /// Region in which it is delivered.
    pub region: String,
    /// The record itself.
    pub detail: Value,
}

/// One mail or SMS.
#[derive(Clone, Debug)]
pub struct Message {
    /// `EMAIL` or `SMS`.
    pub medium: String,
    /// Receiver's `sub`.
    pub sub: String,
    /// Pool id.
    pub pool: String,
    /// The code or temporary password in it, so that tests can play the user.
    pub code: String,
    /// `SignUp`, `ForgotPassword`, ...
    pub reason: String,
}
