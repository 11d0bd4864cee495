//! The configuration snapshot, against a pool of answers: what is asked, kept, compared, stored, and read back.
//!
//! Invariant: every secret here bears the mark, so that one `contains` finds any of them.

mod answers;
mod history;
mod survey;
