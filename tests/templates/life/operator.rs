//! What an operator runs: the deployer, and `twinpool`.
//!
//! Invariant: neither reads anything of this machine's AWS configuration, and a failure is shown with what was said.

use std::{path::PathBuf, process::Stdio};

use serde_json::Value;
use twinpool_tests::{
    stack::{PRIMARY, RECOVERY, Stack, target_folder},
    stand_ins::ensure,
};

use crate::templates::document::workspace;

/// The folder with the binaries of this build.
fn binaries() -> PathBuf {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.parent().and_then(|deps| deps.parent());
    folder.expect("a build folder").to_owned()
}

async fn done(mut command: tokio::process::Command) -> String {
    let done = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let done = done.expect("it runs");
    let why = String::from_utf8_lossy(&done.stderr);
    let said = String::from_utf8(done.stdout).expect("text");
    assert!(done.status.success(), "{}: {said}{why}", done.status);
    said
}

/// Runs the deployer again, with what the stack was started with and `arguments`.
pub(super) async fn deploy(stack: &Stack, arguments: &[&str]) -> String {
    let noted = std::fs::read(stack.run_folder().join("localcloud.json")).expect("a note");
    let noted: Value = serde_json::from_slice(&noted).expect("JSON");
    let mut command = tokio::process::Command::new(ensure("ministack").join("bin/python"));
    command
        .arg(workspace().join("tests/localcloud/deploy/deploy.py"))
        .args([
            "--endpoint",
            stack.endpoint(),
            "--region",
            PRIMARY,
            "--recovery-region",
            RECOVERY,
        ])
        .args(["--ministack", noted["ministack_url"].as_str().expect("a URL")])
        .args(["--pools", &stack.pools[0].id, "--visibility-timeout", "10"])
        .arg("--bin-dir")
        .arg(binaries())
        .args(arguments);
    done(command).await
}

/// Runs `twinpool` on a stack, as an operator of the pool.
pub(super) async fn twinpool(stack: &Stack, command: &str, name: &str) -> String {
    let mut twinpool = tokio::process::Command::new(binaries().join("twinpool"));
    twinpool
        .args([command, "--pool", &stack.pools[0].id, "--stack", name, "--yes"])
        .env_clear()
        .env("HOME", target_folder().expect("a target folder").join("tmp/nobody"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ACCESS_KEY_ID", "AKIATEST")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .env("AWS_REGION", PRIMARY)
        .env("AWS_ENDPOINT_URL", stack.endpoint());
    done(twinpool).await
}
