//! `demo`: a pool is copied across Regions while you watch. See `twinpool_tests::demo`.
//!
//! Invariant: it ends whatever it started, however it ends.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    twinpool_tests::demo::main().await
}
