//! The gateway over real sockets, between a scripted core and a scripted emulator.
//!
//! Invariant: nothing here depends on the real core or on an installed emulator (but for `with_ministack`).

mod calls;
mod deliveries;
mod doubles;
mod proxying;
mod uploads;
mod with_ministack;
