//! `twinpool` as a process.
//!
//! Invariant: it reads nothing of this machine's AWS configuration.

use std::process::Stdio;

use serde_json::Value;

use crate::stack::target_folder;

/// The operator's access key.
pub const KEY: &str = "AKIAOPERATOR";

/// What a run of the program came to.
#[derive(Clone, Debug)]
pub struct Ran {
    /// Its exit status.
    pub status: i32,
    /// Its data.
    pub stdout: String,
    /// Everything else that it said.
    pub stderr: String,
}

impl Ran {
    /// The document on standard output.
    ///
    /// # Panics
    /// When it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The same run, which must have ended with `status`.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn ended(self, status: i32) -> Self {
        assert_eq!(self.status, status, "{}\n{}", self.stdout, self.stderr);
        self
    }
}

/// Runs `twinpool` with these variables and no others.
///
/// # Panics
/// When it was not built, or is killed.
pub async fn twinpool(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.ancestors().find(|folder| folder.join("twinpool").is_file());
    let program = folder
        .expect("twinpool is built: cargo build --workspace --bins")
        .join("twinpool");
    let done = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("HOME", target_folder().expect("a target folder").join("tmp/nobody"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("twinpool runs");
    Ran {
        status: done.status.code().expect("an exit status"),
        stdout: String::from_utf8(done.stdout).expect("text"),
        stderr: String::from_utf8(done.stderr).expect("text"),
    }
}
