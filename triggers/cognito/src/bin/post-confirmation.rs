//! The post-confirmation trigger: a user confirmed a sign-up or a new password.
//!
//! Invariant: see [`twinpool_triggers`]; this file only names the function.

fn main() -> Result<(), lambda_runtime::Error> {
    twinpool_triggers::run("post-confirmation")
}
