//! What the end-to-end tests, the benches and the demo share.
//!
//! Invariant: everything here listens on loopback only and ends with the value that started it.

pub mod backup_table;
pub mod bench;
pub mod compare;
pub mod demo;
pub mod life;
pub mod reconciling;
pub mod report;
pub mod restoring;
pub mod runtime_host;
pub mod scripted_http;
pub mod stack;
pub mod stand_ins;
pub mod telemetry;
pub mod world;
