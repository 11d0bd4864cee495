//! The local cloud's user pools against independent stand-ins, so that the double is not judged by its author alone.
//!
//! The same script is carried out on both sides. Every difference between the answers (or the triggers' events) has to stand
//! in [`known`] with the side that is right and the reason; every line there has to be needed.
//!
//! Invariant: neither side is the reference. What AWS documents is, and [`known`] says where.

mod compare;
mod functions;
mod known;
mod pools;
mod script;
mod triggers;
