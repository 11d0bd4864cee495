//! How many calls an import takes, how long they take at the quotas, and which quota is the bottleneck.
//!
//! Phases of the configuration follow one another; the stages of the users overlap, each waiting for its own category only. So
//! the users take as long as the busiest category: its calls divided by its rate.
//!
//! Source of the categories and rates: [`crate::quota`]. Latency is not counted: stages run wide enough to hide it.
//!
//! Invariant: a lower bound. Nothing is faster than what is said here; refusals and slow answers make it slower.

pub mod raise;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::{PlannedStep, UserCounts, UsersWay};
use crate::quota::{Category, POOL_OPERATION_RPS, Share, category_of};

pub use raise::Raised;

/// Users a second that one import job makes: 500,000 in 247.63 minutes. Source: AWS's own measurement of its export solution,
/// which imports by these jobs ("Guidance for Cognito User Profiles Export", recovery of users without groups).
pub const CSV_USERS_PER_SECOND: u64 = 33;
/// Users on a page of `ListUsers`, which is how new `sub`s are found after a job.
const PAGE: u64 = 60;

/// Categories that the account can be asked for and that an import waits for.
pub const ASKED: [Category; 2] = [Category::UserCreation, Category::UserRead];

/// Requests a second that the account says it has; every other category has the documented ones.
pub type Live = BTreeMap<Category, f64>;

/// How many calls, and how long.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// Percent of every quota that is used.
    pub share: u8,
    /// By which way most users are made: `api` or `csv`.
    pub way: String,
    /// Calls by category, the busiest first.
    pub categories: Vec<CategoryTime>,
    /// Phases in their order.
    pub phases: Vec<PhaseTime>,
    /// All phases together, in seconds; the stages of the users overlap.
    pub seconds: u64,
    /// The category that the users wait for.
    pub bottleneck: Option<String>,
    /// What a higher quota of `UserCreation` would save.
    pub raised: Option<Raised>,
    /// Users whom the import makes billable for the month.
    pub active_users: u64,
    /// What these cost, in US cents, where the pool's tier is known.
    pub active_users_cents: Option<u64>,
}

/// One category of quotas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoryTime {
    /// AWS's name of it.
    pub category: String,
    /// Calls.
    pub calls: u64,
    /// Requests a second of the account.
    pub rps: u32,
    /// Whether the account was asked; documented otherwise.
    pub live: bool,
    /// Seconds that the calls take.
    pub seconds: u64,
}

/// One phase.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PhaseTime {
    /// Its name.
    pub phase: String,
    /// Calls, by operation.
    pub calls: BTreeMap<String, u64>,
    /// Seconds that it takes by itself.
    pub seconds: u64,
    /// Whether it runs at the same time as the other stages of the users.
    pub overlaps: bool,
}

/// What an estimate is made of.
#[derive(Clone, Copy, Debug)]
pub struct Work<'a> {
    /// The configuration.
    pub steps: &'a [PlannedStep],
    /// The users.
    pub users: &'a UserCounts,
    /// Their way; `Auto` must have been decided.
    pub way: UsersWay,
}

/// Estimates `work` at `share` of the quotas: those in `live`, and the documented ones for every other category.
#[must_use]
pub fn estimate(work: &Work<'_>, live: &Live, share: Share) -> Estimate {
    let rates = Rates { live, share };
    let configuration = configuration(work.steps, &rates);
    let users = users(work, &rates);
    let all_categories = by_category(configuration.iter().chain(&users));
    let users_by_category = by_category(users.iter());
    let busiest = users_by_category
        .iter()
        .map(|(category, calls)| (rates.seconds(*category, *calls), *category))
        .max_by_key(|(seconds, _)| *seconds);
    let jobs = csv_seconds(work);
    let users_seconds = busiest.map_or(0, |(seconds, _)| seconds).saturating_add(jobs);
    let categories = {
        let mut times: Vec<CategoryTime> = all_categories
            .into_iter()
            .map(|(category, calls)| CategoryTime {
                category: category.as_str().to_owned(),
                calls,
                rps: rates.rps(category).round() as u32,
                live: live.contains_key(&category),
                seconds: rates.seconds(category, calls),
            })
            .collect();
        times.sort_by(|a, b| b.seconds.cmp(&a.seconds).then_with(|| a.category.cmp(&b.category)));
        times
    };
    let configured: u64 = configuration.iter().map(|phase| phase.seconds).sum();
    let made_by_api = made_by_api(work);
    Estimate {
        share: share.percent(),
        way: work.way.as_str().to_owned(),
        categories,
        seconds: configured + users_seconds,
        bottleneck: busiest
            .filter(|(seconds, _)| *seconds > 0)
            .map(|(_, category)| category.as_str().to_owned()),
        raised: raise::user_creation(&users_by_category, &rates),
        active_users: active_users(work, made_by_api),
        active_users_cents: None,
        phases: configuration.into_iter().chain(users).collect(),
    }
}

/// Who goes by `AdminCreateUser`.
fn made_by_api(work: &Work<'_>) -> u64 {
    match work.way {
        UsersWay::Csv => work.users.made.saturating_sub(work.users.by_csv),
        UsersWay::Api | UsersWay::Auto => work.users.made,
    }
}

/// Who goes by the API is active for the month: `AdminCreateUser` counts. An import job makes nobody active; a call
/// after it does.
fn active_users(work: &Work<'_>, made_by_api: u64) -> u64 {
    let after_job = if work.way == UsersWay::Csv {
        work.users.csv_active
    } else {
        0
    };
    made_by_api + after_job
}

/// Seconds that the import jobs take, one after another.
fn csv_seconds(work: &Work<'_>) -> u64 {
    match work.way {
        UsersWay::Csv => work.users.by_csv.div_ceil(CSV_USERS_PER_SECOND),
        UsersWay::Api | UsersWay::Auto => 0,
    }
}

/// Phases of the configuration in the order of the steps, one call after another.
fn configuration(steps: &[PlannedStep], rates: &Rates<'_>) -> Vec<PhaseTime> {
    let mut phases: Vec<PhaseTime> = Vec::new();
    for step in steps {
        if phases.last().is_none_or(|last| last.phase != step.phase) {
            phases.push(PhaseTime {
                phase: step.phase.clone(),
                calls: BTreeMap::new(),
                seconds: 0,
                overlaps: false,
            });
        }
        if let Some(last) = phases.last_mut() {
            *last.calls.entry(step.operation.clone()).or_default() += 1;
        }
    }
    for phase in &mut phases {
        phase.seconds = phase
            .calls
            .iter()
            .map(|(operation, calls)| rates.seconds_of(operation, *calls))
            .sum();
    }
    phases
}

/// The stages of the users, which overlap.
fn users(work: &Work<'_>, rates: &Rates<'_>) -> Vec<PhaseTime> {
    let users = work.users;
    let made = made_by_api(work);
    let by_job = users.made - made;
    // An import job leaves its users where they can reset the password themselves.
    let passwords = users.passwords.min(made);
    let stages: [(&str, &[(&str, u64)]); 7] = [
        ("import jobs", &[("ListUsers", by_job.div_ceil(PAGE))]),
        (
            "users",
            &[("AdminCreateUser", made), ("AdminDisableUser", users.disabled)],
        ),
        ("passwords", &[("AdminSetUserPassword", passwords)]),
        ("later attributes", &[("AdminUpdateUserAttributes", users.later)]),
        ("links", &[("AdminLinkProviderForUser", users.links)]),
        ("memberships", &[("AdminAddUserToGroup", users.memberships)]),
        ("MFA preferences", &[("AdminSetUserMFAPreference", users.preferences)]),
    ];
    stages
        .into_iter()
        .filter(|(_, calls)| calls.iter().any(|(_, calls)| *calls > 0))
        .map(|(phase, calls)| {
            let calls: BTreeMap<String, u64> = calls
                .iter()
                .filter(|(_, calls)| *calls > 0)
                .map(|(operation, calls)| ((*operation).to_owned(), *calls))
                .collect();
            let categories = by_category_of_calls(calls.iter());
            let seconds = categories
                .into_iter()
                .map(|(category, calls)| rates.seconds(category, calls))
                .max();
            PhaseTime {
                phase: phase.to_owned(),
                seconds: seconds.unwrap_or(0) + if phase == "import jobs" { csv_seconds(work) } else { 0 },
                calls,
                overlaps: true,
            }
        })
        .collect()
}

fn by_category<'a>(phases: impl Iterator<Item = &'a PhaseTime>) -> BTreeMap<Category, u64> {
    by_category_of_calls(phases.flat_map(|phase| phase.calls.iter()))
}

fn by_category_of_calls<'a>(calls: impl Iterator<Item = (&'a String, &'a u64)>) -> BTreeMap<Category, u64> {
    let mut categories: BTreeMap<Category, u64> = BTreeMap::new();
    for (operation, calls) in calls {
        if let Some(category) = category_of(operation) {
            *categories.entry(category).or_default() += calls;
        }
    }
    categories
}

/// Requests a second.
struct Rates<'a> {
    live: &'a Live,
    share: Share,
}

impl Rates<'_> {
    fn rps(&self, category: Category) -> f64 {
        self.live
            .get(&category)
            .copied()
            .unwrap_or_else(|| category.default_rps())
    }

    /// Seconds that `calls` of `category` take.
    fn seconds(&self, category: Category, calls: u64) -> u64 {
        seconds(calls, self.rps(category), self.share)
    }

    /// Seconds that `calls` of one operation to one pool take.
    fn seconds_of(&self, operation: &str, calls: u64) -> u64 {
        let Some(category) = category_of(operation) else {
            return 0;
        };
        let limit = self.rps(category);
        let limit = if category.is_per_pool_and_operation() {
            limit.min(POOL_OPERATION_RPS)
        } else {
            limit
        };
        seconds(calls, limit, self.share)
    }
}

/// Seconds that `calls` take at `share` of `rps`, rounded up.
fn seconds(calls: u64, rps: f64, share: Share) -> u64 {
    let rate = rps.max(1.0) * f64::from(share.percent()) / 100.0;
    (calls as f64 / rate).ceil() as u64
}

#[cfg(test)]
mod tests;
