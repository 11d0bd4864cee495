//! The post-authentication trigger: a user signed in.
//!
//! Invariant: see [`twinpool_triggers`]; this file only names the function.

fn main() -> Result<(), lambda_runtime::Error> {
    twinpool_triggers::run("post-authentication")
}
