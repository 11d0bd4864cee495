//! What a higher quota of `UserCreation` would save.
//!
//! Of the categories that a restore waits for it is the only one that can be raised. `UpdateProvisionedLimit` does so at once, up
//! to the maximum that Service Quotas has granted the account, and AWS bills what is above the default by the part of the month.
//!
//! Invariant: says nothing is saved when another category is the bottleneck, which no money moves.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Rates, seconds};
use crate::quota::Category;

/// A raise, and what it saves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Raised {
    /// Requests a second of `UserCreation` beyond which nothing more is saved.
    pub to_rps: u32,
    /// Seconds of the users with it.
    pub seconds: u64,
    /// Seconds that it saves.
    pub saved_seconds: u64,
    /// The category that the users wait for then.
    pub bottleneck: String,
}

/// The smallest raise of `UserCreation` that saves all that can be saved; `None` when nobody is created.
pub(super) fn user_creation(calls: &BTreeMap<Category, u64>, rates: &Rates<'_>) -> Option<Raised> {
    let created = calls
        .get(&Category::UserCreation)
        .copied()
        .filter(|created| *created > 0)?;
    let now = rates.seconds(Category::UserCreation, created);
    let others = calls
        .iter()
        .filter(|(category, _)| **category != Category::UserCreation);
    let (rest, bottleneck) = others
        .map(|(category, calls)| (rates.seconds(*category, *calls), *category))
        .max_by_key(|(seconds, _)| *seconds)?;
    if now <= rest {
        return Some(Raised {
            to_rps: rates.rps(Category::UserCreation).round() as u32,
            seconds: rest,
            saved_seconds: 0,
            bottleneck: bottleneck.as_str().to_owned(),
        });
    }
    let share = f64::from(rates.share.percent()) / 100.0;
    let to_rps = (created as f64 / (rest.max(1) as f64 * share)).ceil();
    let with = seconds(created, to_rps, rates.share).max(rest);
    Some(Raised {
        to_rps: to_rps as u32,
        seconds: with,
        saved_seconds: now - with,
        bottleneck: bottleneck.as_str().to_owned(),
    })
}
