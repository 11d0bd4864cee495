//! The listener for admin events.
//!
//! Invariant: see [`twinpool_admin_events`]; this file only starts it.

fn main() -> std::process::ExitCode {
    twinpool_admin_events::run()
}
