//! The pure modules, tested by property, permutation, simulation and fixture.
//!
//! `PROPTEST_CASES` scales every property (256 is the measure of one); a failure prints the smallest input and its seed.
//!
//! Invariant: no AWS, no network, no clock; the same sources give the same answer.

#[cfg(test)]
mod configure;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod decide;
#[cfg(test)]
mod format;
#[cfg(test)]
mod generate;
#[cfg(test)]
mod history;
#[cfg(test)]
mod import_users;
#[cfg(test)]
mod merge;
#[cfg(test)]
mod model;
#[cfg(test)]
mod pace;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod purity;
#[cfg(test)]
mod reconcile;
#[cfg(test)]
mod run;
#[cfg(test)]
mod settle;
#[cfg(test)]
mod snapshot;
#[cfg(test)]
mod store;
#[cfg(test)]
mod trail;
#[cfg(test)]
mod unforeseen;
