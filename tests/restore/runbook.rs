//! The runbook is what an operator types: each of its commands is one that `twinpool` takes.

use twinpool_tests::restoring::program::twinpool;

const RUNBOOK: &str = include_str!("../../infra/runbooks/01-region-lost.md");

/// The commands of the runbook's blocks that run `twinpool`, with its placeholders filled in.
fn commands() -> Vec<Vec<String>> {
    let blocks = RUNBOOK.split("```").skip(1).step_by(2);
    let joined: Vec<String> = blocks.map(|block| block.replace("\\\n", " ")).collect();
    let lines = joined.iter().flat_map(|block| block.lines());
    let commands = lines.filter_map(|line| line.trim().strip_prefix("twinpool "));
    commands
        .map(|command| {
            let command = command.split(" > ").next().unwrap_or(command);
            let command = command.split("  #").next().unwrap_or(command);
            let filled = command
                .replace("$RECOVERY", "eu-west-1")
                .replace("$POOL", "us-east-1_EXAMPLE");
            filled
                .replace("$TARGET", "eu-west-1_EXAMPLE")
                .split_whitespace()
                .map(str::to_owned)
                .collect()
        })
        .collect()
}

#[tokio::test]
async fn every_command_of_the_runbook_is_one() {
    let commands = commands();
    for needed in [
        "plan",
        "apply",
        "verify",
        "export-sub-map",
        "repair-federated",
        "doctor",
    ] {
        assert!(
            commands.iter().any(|command| command[0] == needed),
            "{needed} is not in the runbook"
        );
    }
    for command in commands {
        let arguments: Vec<&str> = command.iter().map(String::as_str).collect();
        // Nobody is asked: what is wrong with the words is found before.
        let variables = [
            ("TWINPOOL_TABLE", "twinpool-backup"),
            ("TWINPOOL_POOLS", "us-east-1_EXAMPLE"),
        ];
        let parsed = twinpool(&variables, &[&arguments[..], &["--help"]].concat()).await;
        assert_eq!(parsed.status, 0, "twinpool {}: {}", command.join(" "), parsed.stderr);
        let run = twinpool(&variables, &arguments).await;
        let usage = run.status == 2 && (run.stderr.contains("Usage:") || run.stderr.contains("unexpected argument"));
        assert!(!usage, "twinpool {}: {}", command.join(" "), run.stderr);
    }
}
