//! What the operator means, and agrees to.
//!
//! Invariant: without a terminal nobody agrees, and nothing is done.

use std::{
    collections::BTreeSet,
    io::{self, BufRead, IsTerminal, Write},
};

use twinpool_shared::{attach::Slot, error::Error};

use crate::context::usage;

/// Asks whoever sits at the terminal. Without one nobody can agree, and `--yes` has to.
///
/// # Errors
/// `BadSetting` without a terminal, or without agreement.
pub(crate) fn agree() -> Result<(), Error> {
    if !io::stdin().is_terminal() {
        return Err(usage(
            "nobody can be asked, because standard input is no terminal: give --yes",
        ));
    }
    let mut stderr = io::stderr().lock();
    let _closed = write!(stderr, "Carry it out? [y/N] ");
    let _closed = stderr.flush();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    if read.is_ok() && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes") {
        return Ok(());
    }
    Err(usage("nothing was done: it was not agreed to"))
}

/// The names of slots, on a command line.
pub(crate) fn slot(text: &str) -> Result<Slot, String> {
    let slot = Slot::ALL.into_iter().find(|slot| slot.as_str() == text);
    slot.ok_or_else(|| format!("none of {}", Slot::ALL.map(Slot::as_str).join(", ")))
}

/// The slots that are meant: all, where none is named.
pub(crate) fn wanted(slots: &[Slot]) -> BTreeSet<Slot> {
    if slots.is_empty() {
        Slot::ALL.into()
    } else {
        slots.iter().copied().collect()
    }
}
