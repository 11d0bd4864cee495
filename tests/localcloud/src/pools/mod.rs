//! The user pools of one AWS account in all its Regions, as a pure state machine.
//!
//! Invariant: no I/O, no clock, no randomness but from the seed: the same calls at the same times give the same bytes.

mod quota;
mod signer;

use serde_json::Value;

pub use quota::{Buckets, DEFAULT_RATES, quota_category};
pub use signer::{SignerError, TokenSigner};

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

/// The Cognito of one account in all Regions (core under construction: answers `LocalcloudUnsupported`).
#[derive(Clone, Debug)]
pub struct Cloud {
    tokens: TokenSigner,
}

impl Cloud {
    /// An empty account.
    pub fn new(_account: &str, _seed: u64, tokens: TokenSigner) -> Self {
        Self { tokens }
    }
    /// Carries out one call.
    pub fn apply(&mut self, call: &Call, _now_millis: i64) -> Outcome {
        Outcome {
            answer: Err(ApiError { status: 400, code: "LocalcloudUnsupported".into(), message: call.operation.clone() }),
            triggers: vec![], records: vec![], messages: vec![], became_active: vec![], pool: None,
        }
    }
    /// One user as the control endpoint shows it.
    pub fn user_snapshot(&self, _pool: &str, _sub: &str) -> Option<Value> {
        None
    }
    /// How many users of a pool are billable in the month of the last call.
    pub fn billable_this_month(&self, _pool: &str) -> usize {
        0
    }
    /// The key set that verifies this account's tokens.
    pub fn jwks(&self) -> Value {
        self.tokens.jwks()
    }
}
/// Markdown table of what the double supports.
pub fn support_table() -> String {
    String::new()
}
