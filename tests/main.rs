//! The one binary of integration tests.

mod contract;
mod differential;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod listener;
mod operations;
#[cfg(test)]
mod replication;
#[cfg(test)]
mod triggers;
mod workspace;
