//! Thin adapters over AWS SDK clients: request building, paging, error classification, and nothing that decides.
//!
//! Clients are made once per process and handed over. Every call names its timeouts, retries and consistency explicitly.
//!
//! Invariant: an adapter never logs and never puts an AWS message into an error, only operation, code and request id.

pub mod aws;
#[cfg(feature = "chain")]
pub mod chain;
#[cfg(feature = "cognito")]
pub mod governor;
#[cfg(feature = "lambda")]
pub mod lambda;
#[cfg(feature = "dynamodb")]
pub mod lease;
#[cfg(feature = "dynamodb")]
pub mod lookup;
#[cfg(feature = "cognito")]
pub mod pool;
#[cfg(feature = "operator")]
pub mod profile;
#[cfg(feature = "sqs")]
pub mod queue;
#[cfg(feature = "dynamodb")]
pub mod table;
