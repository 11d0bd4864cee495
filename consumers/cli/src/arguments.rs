//! The command line as a whole: what every command takes, and which commands there are.
//!
//! Invariant: the environment is read by clap and by the AWS SDK, and nowhere else.

use clap::{Args, Parser};
use twinpool_shared::{personal::Personal, settings};

use crate::command::Command;

const EXIT_STATUSES: &str = "Exit status: 0 done or equal, 1 bug, 2 usage, 3 differences found, 4 guard tripped: deletions \
wait for an operator, 5 partly done, 6 something has to be put right first, 7 throttled or without an answer";

/// Looks at a user pool's backup, checks the deployment, and rebuilds the pool in another Region.
#[derive(Debug, Parser)]
#[command(name = "twinpool", version, after_help = EXIT_STATUSES, disable_help_subcommand = false)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Args, Clone, Debug)]
pub(crate) struct Global {
    /// Region of table and queues; default: AWS_REGION, the profile's, else the pool's
    #[arg(long, global = true, value_name = "REGION", help_heading = "Where")]
    pub(crate) region: Option<String>,
    /// Profile of the AWS configuration
    #[arg(long, global = true, value_name = "NAME", help_heading = "Where")]
    pub(crate) profile: Option<String>,
    /// Another endpoint for every AWS service
    #[arg(long, global = true, value_name = "URL", help_heading = "Where")]
    pub(crate) endpoint_url: Option<String>,
    /// Name or ARN of the backup table
    #[arg(long, global = true, value_name = "TABLE", env = "TWINPOOL_TABLE", hide_env_values = true, value_parser = table, help_heading = "Where")]
    pub(crate) table: Option<String>,
    /// The user pool
    #[arg(long, global = true, value_name = "POOL", env = "TWINPOOL_POOLS", hide_env_values = true, value_delimiter = ',', value_parser = pool, help_heading = "Where")]
    pub(crate) pool: Vec<String>,
    /// Write JSON, as shared/docs/CLI_JSON.md documents it
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Show names, addresses and numbers of users in full
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) show_personal: bool,
    /// No messages but errors
    #[arg(long, short, global = true, help_heading = "Output")]
    pub(crate) quiet: bool,
    /// No progress
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) no_progress: bool,
}

fn table(text: &str) -> Result<String, String> {
    if settings::is_table(text) {
        Ok(text.to_owned())
    } else {
        Err("not the name or ARN of a DynamoDB table".to_owned())
    }
}

/// The id of a pool.
pub(crate) fn pool(text: &str) -> Result<String, String> {
    match settings::region_of_pool(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("not a pool id such as us-east-1_EXAMPLE".to_owned()),
    }
}

/// The URL of a queue.
pub(crate) fn queue_url(text: &str) -> Result<String, String> {
    if settings::is_queue_url(text) {
        Ok(text.to_owned())
    } else {
        Err("not a queue URL such as https://sqs.us-east-1.amazonaws.com/111122223333/changes".to_owned())
    }
}

/// A value that describes a person: kept out of every `Debug`.
#[expect(clippy::unnecessary_wraps, reason = "the shape of clap's parsers")]
pub(crate) fn personal(text: &str) -> Result<Personal, String> {
    Ok(Personal::new(text))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn global_options_go_before_and_after_the_command() {
        for line in [
            "twinpool --region eu-west-1 --pool us-east-1_a1 status --json",
            "twinpool status --json --pool us-east-1_a1 --region eu-west-1",
        ] {
            let global = parse(line).expect("a command line").global;
            assert_eq!(global.region.as_deref(), Some("eu-west-1"));
            assert_eq!(global.pool, ["us-east-1_a1"]);
            assert!(global.json && !global.show_personal);
        }
    }

    #[test]
    fn wrong_values_are_refused_with_the_option_and_what_is_expected() {
        for (line, says) in [
            (
                "twinpool status --pool nowhere",
                "not a pool id such as us-east-1_EXAMPLE",
            ),
            ("twinpool status --table a/b", "not the name or ARN of a DynamoDB table"),
            ("twinpool status --queue-url changes", "not a queue URL such as"),
            ("twinpool undelete --since yesterday", "neither an instant such as"),
            ("twinpool undelete --mark a --mark-all", "cannot be used with"),
            ("twinpool undelete --mark a#b", "not a sub"),
            ("twinpool export", "--format"),
            ("twinpool show", "USER"),
            ("twinpool", "Usage"),
            ("twinpool completions tcsh", "bash"),
        ] {
            let refused = parse(line).expect_err(line).to_string();
            assert!(refused.contains(says), "{line}: {refused}");
        }
    }

    #[test]
    fn a_user_name_on_the_command_line_is_in_no_debug_output() {
        let arguments = parse("twinpool show ann@example.com").expect("a command line");
        assert!(!format!("{arguments:?}").contains("ann"), "{arguments:?}");
    }
}
