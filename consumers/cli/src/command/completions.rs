//! `twinpool completions`: the completion script of a shell, made of the command line itself.

use clap::CommandFactory;
use clap_complete::{Shell, generate};
use twinpool_shared::error::{Error, ErrorKind};

use crate::{arguments::Arguments, context::Context, exit::Exit};

/// Arguments of `completions`.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Args {
    /// The shell
    #[arg(value_enum)]
    shell: Known,
}

/// Shells that the scripts are tried with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Known {
    Bash,
    Zsh,
    Fish,
}

/// Writes the script.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(context: &Context, args: &Args) -> Result<Exit, Error> {
    context.output.write(&script(args.shell)?)?;
    Ok(Exit::Ok)
}

fn script(shell: Known) -> Result<String, Error> {
    let shell = match shell {
        Known::Bash => Shell::Bash,
        Known::Zsh => Shell::Zsh,
        Known::Fish => Shell::Fish,
    };
    let mut script = Vec::new();
    generate(shell, &mut Arguments::command(), "twinpool", &mut script);
    String::from_utf8(script).map_err(|_| Error::new(ErrorKind::Rejected, "the completion script is no text"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shell_completes_commands_and_options() {
        for shell in [Known::Bash, Known::Zsh, Known::Fish] {
            let script = script(shell).expect("a script");
            for word in ["undelete", "doctor", "show-personal", "completions"] {
                assert!(script.contains(word), "{shell:?}: {word}");
            }
        }
    }
}
