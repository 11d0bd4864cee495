//! What Twinpool's functions share: the model, the pure decisions, and thin adapters over the AWS SDKs.
//!
//! The pure modules come first. They name no AWS crate, no async runtime, no environment and no clock, so that every decision
//! can be tested by permutation and simulation; a test over the sources keeps it so. The adapters stand behind features, so
//! that a trigger never compiles the Cognito SDK.
//!
//! * What is stored: [`time`], [`personal`], [`user`], [`group`], [`marks`], [`item`], [`canon`].
//! * What is said: [`change`] (the queue message), [`trigger`] and [`trail`] (how events become changes), [`operation`]
//!   (what each Cognito call means).
//! * What is decided: [`observation`], [`merge`], [`settle`].
//! * How fast Cognito may be called: [`quota`], [`pace`].
//! * What a pool is set to: [`snapshot`]. How Twinpool's functions get into its trigger slots: [`attach`].
//! * What it costs: [`cost`].
//! * How it reports: [`error`], [`metric`], [`settings`].
//! * How it reaches AWS: `adapter`.

pub mod attach;
pub mod canon;
pub mod change;
pub mod cost;
pub mod documents;
pub mod error;
pub mod group;
pub mod import;
pub mod item;
pub mod marks;
pub mod merge;
pub mod metric;
pub mod observation;
pub mod operation;
pub mod pace;
pub mod personal;
pub mod port;
pub mod quota;
pub mod reconcile;
pub mod run;
pub mod settings;
pub mod settle;
pub mod snapshot;
pub mod time;
pub mod trail;
pub mod trigger;
pub mod unforeseen;
pub mod user;
pub mod writer;

#[cfg(feature = "aws")]
pub mod adapter;
