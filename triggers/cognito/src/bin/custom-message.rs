//! The custom-message trigger: Cognito is about to write to a user. The message stays as it is.
//!
//! Invariant: see [`twinpool_triggers`]; this file only names the function.

fn main() -> Result<(), lambda_runtime::Error> {
    twinpool_triggers::run("custom-message")
}
