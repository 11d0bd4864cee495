//! Tools of the npm registry: installed for this run, started as their own instructions say.
//!
//! Invariant: versions are fixed, no script of a package runs when it is installed, and a tool is given the local cloud and
//! invented credentials, and none of this machine's.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::Duration,
};

use tokio::process::Command;

use super::super::cloud::{PRIMARY, RECOVERY};
use crate::stack::Failure;

/// A tool that takes longer is ended.
const PATIENCE: Duration = Duration::from_secs(3_600);
/// For the tools that give everybody the same temporary password.
const PASSWORD: &str = "Correct-Horse-Battery-8";

/// A tool.
pub(super) struct Tool {
    /// Name of the package and of its program.
    pub(super) package: &'static str,
    /// Its version.
    pub(super) version: &'static str,
    /// Arguments that back up the pool given first into the folder given second; one list for each start.
    back_up: fn(&str, &Path) -> Vec<Vec<String>>,
    /// Arguments that restore the pool given first, from the folder given second, into the pool given third.
    restore: fn(&str, &Path, &str) -> Vec<Vec<String>>,
}

/// The tools.
pub(super) const TOOLS: [&Tool; 2] = [
    &Tool {
        package: "cognito-backup",
        version: "4.1.0",
        back_up: |pool, folder| {
            let [users, groups] = [file(folder, "users.json"), file(folder, "groups.json")];
            vec![
                words(&["backup-users", pool, "--region", PRIMARY, "--file", &users]),
                words(&["backup-groups", pool, "--region", PRIMARY, "--file", &groups]),
            ]
        },
        restore: |_, folder, target| {
            let [users, groups] = [file(folder, "users.json"), file(folder, "groups.json")];
            vec![
                words(&["restore-groups", target, "--region", RECOVERY, "--file", &groups]),
                words(&[
                    "restore-users",
                    target,
                    PASSWORD,
                    "--region",
                    RECOVERY,
                    "--file",
                    &users,
                ]),
            ]
        },
    },
    &Tool {
        package: "cognito-backup-restore",
        version: "1.3.2",
        back_up: |pool, folder| {
            let folder = folder.display().to_string();
            let of_pool = ["--region", PRIMARY, "--use-env-vars", "--userpool", pool];
            vec![words(&[&["backup"], &of_pool[..], &["--directory", &folder]].concat())]
        },
        restore: |pool, folder, target| {
            let users = file(folder, &format!("{pool}.json"));
            let of_pool = ["--region", RECOVERY, "--use-env-vars", "--userpool", target];
            vec![words(&[&["restore"], &of_pool[..], &["--file", &users]].concat())]
        },
    },
];

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn file(folder: &Path, name: &str) -> String {
    folder.join(name).display().to_string()
}

impl Tool {
    /// Installs it in a folder of its own; why that cannot be done, when it cannot.
    pub(super) async fn install(&self, folder: &Path) -> Result<Installed<'_>, String> {
        let folder = folder.join(self.package);
        std::fs::create_dir_all(&folder).map_err(|error| format!("its folder cannot be made: {error}"))?;
        let done = Command::new("npm")
            .args([
                "install",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--save-exact",
                "--prefix",
            ])
            .arg(&folder)
            .arg(format!("{}@{}", self.package, self.version))
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| format!("npm cannot be run: {error}"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            let code = said.lines().find_map(|line| line.split_once("error code "));
            return Err(format!(
                "npm cannot install it: {}",
                code.map_or("no code given", |(_, code)| code)
            ));
        }
        Ok(Installed { tool: self, folder })
    }
}

/// A tool that is there.
pub(super) struct Installed<'a> {
    /// Which.
    pub(super) tool: &'a Tool,
    folder: PathBuf,
}

impl Installed<'_> {
    /// Has it back up `pool`.
    pub(super) async fn back_up(&self, endpoint: &str, pool: &str) -> Result<(), Failure> {
        for arguments in (self.tool.back_up)(pool, &self.backup()?) {
            if let Some(failure) = self.start(endpoint, PRIMARY, &arguments).await? {
                return Err(Failure::new(self.tool.package, failure));
            }
        }
        Ok(())
    }

    /// Has it restore `pool` in `target`; how it failed, when it did.
    pub(super) async fn restore(&self, endpoint: &str, pool: &str, target: &str) -> Result<Option<String>, Failure> {
        for arguments in (self.tool.restore)(pool, &self.backup()?, target) {
            let failure = self.start(endpoint, RECOVERY, &arguments).await?;
            if failure.is_some() {
                return Ok(failure);
            }
        }
        Ok(None)
    }

    fn backup(&self) -> Result<PathBuf, Failure> {
        let folder = self.folder.join("backup");
        std::fs::create_dir_all(&folder).map_err(|error| Failure::new("the folder of a backup", error))?;
        Ok(folder)
    }

    /// Runs it to its end.
    async fn start(&self, endpoint: &str, region: &str, arguments: &[String]) -> Result<Option<String>, Failure> {
        let modules = self.folder.join("node_modules");
        let mut node = Command::new("node");
        node.env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.folder)
            .env("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_REGION", region)
            .env("AWS_ENDPOINT_URL", endpoint)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(&self.folder)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        if modules.join("aws-sdk").is_dir() {
            node.arg("--require").arg(self.endpoint_of_old_sdk(&modules)?);
        }
        let running = node
            .arg(modules.join(".bin").join(self.tool.package))
            .args(arguments)
            .output();
        let done = match tokio::time::timeout(PATIENCE, running).await {
            Ok(done) => done.map_err(|error| Failure::new("node", error))?,
            Err(_) => return Ok(Some(format!("nothing after {} s", PATIENCE.as_secs()))),
        };
        let log = [done.stdout, done.stderr].concat();
        std::fs::write(self.folder.join("log"), &log).map_err(|error| Failure::new("the log of a tool", error))?;
        Ok(failure(done.status, &String::from_utf8_lossy(&log)))
    }

    /// A module that tells version 2 of the SDK the endpoint, which reads it from no variable.
    fn endpoint_of_old_sdk(&self, modules: &Path) -> Result<impl AsRef<OsStr>, Failure> {
        let sdk = serde_json::to_string(&modules.join("aws-sdk")).map_err(|error| Failure::new("the SDK", error))?;
        let module = self.folder.join("endpoint.js");
        let text = format!("require({sdk}).config.update({{endpoint: process.env.AWS_ENDPOINT_URL}});\n");
        std::fs::write(&module, text).map_err(|error| Failure::new("the SDK's endpoint", error))?;
        Ok(module)
    }
}

/// How a tool failed: its status, and Cognito's code where it shows one.
fn failure(status: ExitStatus, said: &str) -> Option<String> {
    if status.success() {
        return None;
    }
    let mut words = said.split(|c: char| !c.is_ascii_alphanumeric());
    let code = words.find(|word| word.len() > "Exception".len() && word.ends_with("Exception"));
    Some(match code {
        Some(code) => format!("{status}, {code}"),
        None => status.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    #[test]
    fn a_failure_is_told_by_status_and_code() {
        let failed = ExitStatus::from_raw(1 << 8);
        let said = "InvalidParameterException: Cannot modify";
        assert_eq!(
            failure(failed, said).as_deref(),
            Some("exit status: 1, InvalidParameterException")
        );
        assert_eq!(failure(failed, "Exception").as_deref(), Some("exit status: 1"));
        assert_eq!(failure(ExitStatus::default(), said), None);
    }
}
