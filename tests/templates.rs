//! The templates as data: what loses data when it is missing, who may call what, what the rules match, a deployment's whole life.
//!
//! Invariant: whatever is asserted of a template is shown to fail on a template without it (`settings/mutations.rs`).

mod document;
mod life;
mod permissions;
mod rules;
mod settings;
