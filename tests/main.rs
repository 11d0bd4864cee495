//! The one binary of integration tests.

#[cfg(test)]
mod cli;
#[cfg(test)]
mod configuration;
mod contract;
#[cfg(test)]
mod cost;
mod differential;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod listener;
mod operations;
#[cfg(test)]
mod reconciliation;
#[cfg(test)]
mod replication;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod restore_machine;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod state_machine;
#[cfg(test)]
mod triggers;
mod workspace;
