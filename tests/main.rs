//! The one binary of integration tests.

#[cfg(test)]
mod attach;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod configuration;
mod contract;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod deploy_script;
mod differential;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod listener;
mod operations;
#[cfg(test)]
mod packaging;
#[cfg(test)]
mod reconciliation;
#[cfg(test)]
mod replication;
#[cfg(test)]
mod restore;
#[cfg(test)]
mod restore_machine;
#[cfg(test)]
mod runbooks;
#[cfg(test)]
mod simulation;
#[cfg(test)]
mod state_machine;
#[cfg(test)]
mod templates;
#[cfg(test)]
mod triggers;
mod workspace;
