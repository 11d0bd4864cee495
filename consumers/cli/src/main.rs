//! `twinpool`: see the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    twinpool_cli::main()
}
