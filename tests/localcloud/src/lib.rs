//! A test double for tests, demo and benches: Amazon Cognito user pools, and the one endpoint in front of the whole local cloud.
//!
//! * [`pools`] is the pure part: a state machine `(state, call, now) -> (state, outcome)`. It serves the HTTP face and, in
//!   process and seeded, the simulations.
//! * [`gateway`] is the face: AWS JSON 1.1 over HTTP on loopback, triggers, CloudTrail delivery, quotas, faults, counters, and
//!   the proxy to the emulator (MiniStack) that plays every other service.
//!
//! Invariant: no product crate depends on this one, and `pools` does no I/O, reads no clock and draws no randomness but from
//! its seed.

pub mod gateway;
pub mod pools;
