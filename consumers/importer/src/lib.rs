//! The importer: a pool rebuilt from its backup.
//!
//! * [`apply`] carries out a plan: configuration, then users in lanes that overlap, then the triggers.
//! * [`plan`] fixes what an import will do, [`verify`] compares what it came to, and [`drill`] rehearses all of it.
//! * [`sub_map`] reads what it came to: old `sub`, new `sub`, for whoever keys other databases by them.
//! * [`federated`] mends users whom Cognito made at their next sign-in through an outside provider.
//!
//! Invariant: everything is read from the backup's replica in the Region of the rebuilt pool; nothing asks the lost one. No call
//! mails a user, and every call that makes something looks for it first when an earlier attempt may have made it.

pub mod apply;
mod chosen;
pub mod configuration;
mod create;
mod documents;
pub mod drill;
mod earlier;
pub mod federated;
mod jobs;
mod lanes;
mod layout;
pub mod plan;
mod random;
mod stages;
pub mod step;
pub mod sub_map;
mod target;
#[cfg(test)]
mod testing;
pub mod upload;
pub mod verify;
mod watch;

use twinpool_shared::port::Clock;

pub use apply::{ApplyOptions, ApplyReport};
pub use upload::{HttpUpload, Upload};
pub use watch::{Phase, Watch};

/// Rebuilds pools of one Region, made once per process.
pub struct Importer<P, W, B> {
    /// Reads the target, at its share of the quotas.
    pub reader: P,
    /// Changes the target, by the same governor.
    pub writer: W,
    /// The backup's replica.
    pub backup: B,
    /// Tells the present.
    pub clock: Clock,
    /// Who looks on.
    pub watch: Box<dyn Watch>,
    /// Takes the files of import jobs to where Cognito wants them.
    pub upload: Box<dyn Upload>,
}
