//! A runbook page, typed into a shell as an operator types it.
//!
//! Invariant: what is typed stands on the page, line by line; a line that fails fails the test, and a section that was not typed is
//! named by [`Page::typed_whole`].

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};
use twinpool_tests::{
    stack::{Stack, target_folder},
    stand_ins::ensure,
};

use super::{read, workspace};

/// Typed first. The CLI is kept warm (`aws.py`); and version 1 of it takes no endpoint from the environment for SQS, and must
/// never ask AWS.
const AWS: &str = r#"
coproc WARM { python -u "$WARM_AWS"; }
exec 3>&"${WARM[1]}" 4<&"${WARM[0]}"
aws() {
    local words=("${AWS_DEFAULT_REGION-}" --endpoint-url "$AWS_ENDPOINT_URL" "$@") status length output
    printf '%s\0' "${#words[@]}" "${words[@]}" >&3
    read -r status length <&4
    LC_ALL=C IFS= read -r -N "$length" output <&4
    printf '%s' "$output"
    return "$status"
}
"#;
const LINE_WITHIN: Duration = Duration::from_secs(90);
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_TIMES: u32 = 240;
/// Commands whose exit status tells something: a dry run that finds the guard in its way, a doctor that finds something.
const TELLING: [(&str, i32); 2] = [("twinpool reconcile --dry-run", 4), ("twinpool doctor", 6)];

/// A line with what it printed.
#[derive(Clone, Debug)]
pub(super) struct Typed {
    pub(super) line: String,
    pub(super) output: String,
}

/// A page.
#[derive(Debug)]
pub(super) struct Page {
    name: &'static str,
    sections: Vec<(String, Vec<String>)>,
    left: BTreeSet<String>,
}

impl Page {
    pub(super) fn open(name: &'static str) -> Self {
        let text = read(&format!("infra/runbooks/{name}"));
        let mut sections = Vec::new();
        for section in text.split("\n## ").skip(1) {
            let title = section.lines().next().unwrap_or_default().to_owned();
            let blocks = section.split("```").skip(1).step_by(2);
            let lines = blocks
                .flat_map(str::lines)
                .map(str::trim)
                .filter(|line| !line.is_empty());
            let lines: Vec<String> = lines.map(str::to_owned).collect();
            assert!(
                lines.iter().all(|line| !line.ends_with('\\')),
                "{name}: a command of two lines"
            );
            if !lines.is_empty() {
                sections.push((title, lines));
            }
        }
        let left = sections.iter().map(|(title, _)| title.clone()).collect();
        Self { name, sections, left }
    }

    /// Types a section.
    pub(super) async fn section(&mut self, terminal: &mut Terminal, title: &str) -> Vec<Typed> {
        let found = self.sections.iter().find(|(one, _)| one == title);
        let (_, lines) = found.unwrap_or_else(|| panic!("{}: no section {title} with commands", self.name));
        self.left.remove(title);
        let mut typed = Vec::new();
        for line in lines {
            let output = terminal.line(line).await;
            typed.push(Typed {
                line: line.clone(),
                output,
            });
        }
        typed
    }

    /// Every section with commands was typed.
    pub(super) fn typed_whole(self) {
        assert!(self.left.is_empty(), "{}: nobody typed {:?}", self.name, self.left);
    }
}

/// What the line that contains `part` printed.
#[track_caller]
pub(super) fn said<'a>(typed: &'a [Typed], part: &str) -> &'a str {
    let found = typed.iter().find(|one| one.line.contains(part));
    &found.unwrap_or_else(|| panic!("no line with {part}: {typed:?}")).output
}

/// An execution's line as AWS prints it: the emulator's JSON has spaces.
pub(super) fn outcome(typed: &[Typed]) -> String {
    said(typed, "describe-execution").split_whitespace().collect()
}

/// A shell that stays open.
#[derive(Debug)]
pub(super) struct Terminal {
    _shell: Child,
    keyboard: ChildStdin,
    screen: Lines<BufReader<ChildStdout>>,
}

impl Terminal {
    /// Opens one that knows the local cloud, and nothing of this machine's AWS configuration.
    pub(super) async fn open(stack: &Stack, variables: &[(&str, &str)]) -> Self {
        let target = target_folder().expect("a target folder");
        let own = std::env::current_exe().expect("the path of this program");
        let programs = own.ancestors().find(|folder| folder.join("twinpool").is_file());
        let programs = programs.expect("twinpool is built: cargo build --workspace --bins");
        let tools = ensure("tools").join("bin");
        let path = format!(
            "{}:{}:/usr/local/bin:/usr/bin:/bin",
            tools.display(),
            programs.display()
        );
        let mut shell = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .env_clear()
            .env("PATH", path)
            .env("HOME", target.join("tmp/nobody"))
            .env("AWS_ACCESS_KEY_ID", "AKIATEST")
            .env("AWS_SECRET_ACCESS_KEY", "secret")
            .env("AWS_ENDPOINT_URL", stack.endpoint())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_PAGER", "")
            .env("WARM_AWS", workspace().join("tests/runbooks/aws.py"))
            .env("NO_COLOR", "1")
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("POOL", &stack.pools[0].id)
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // Of a line it goes to the output.
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("bash starts");
        let keyboard = shell.stdin.take().expect("its input");
        let screen = BufReader::new(shell.stdout.take().expect("its output")).lines();
        let mut opened = Self {
            _shell: shell,
            keyboard,
            screen,
        };
        opened.line(AWS).await;
        opened
    }

    /// Types a line and returns what it printed. A look at an execution is repeated until that has ended, as the pages say.
    pub(super) async fn line(&mut self, line: &str) -> String {
        for _ in 0..AGAIN_TIMES {
            let (status, output) = self.once(line).await;
            let told = TELLING
                .iter()
                .any(|(begins, told)| line.starts_with(begins) && status == *told);
            assert!(status == 0 || told, "{line}: exit status {status}: {output}");
            if !(line.starts_with("aws stepfunctions describe-execution") && output.starts_with("RUNNING")) {
                return output;
            }
            tokio::time::sleep(AGAIN).await;
        }
        panic!("{line}: it is still running");
    }

    async fn once(&mut self, line: &str) -> (i32, String) {
        let typed = format!("{{ {line}\n}} </dev/null 2>&1; printf '\\n\\001%d\\n' $?\n");
        self.keyboard
            .write_all(typed.as_bytes())
            .await
            .expect("the shell listens");
        let mut output = Vec::new();
        let read = async {
            loop {
                let line = self
                    .screen
                    .next_line()
                    .await
                    .expect("the shell answers")
                    .expect("it goes on");
                match line.strip_prefix('\u{1}') {
                    Some(status) => return status.parse().expect("a status"),
                    None => output.push(line),
                }
            }
        };
        let status = tokio::time::timeout(LINE_WITHIN, read).await;
        let status = status.unwrap_or_else(|_| panic!("{line}: no end after {} s", LINE_WITHIN.as_secs()));
        (status, output.join("\n").trim().to_owned())
    }
}
