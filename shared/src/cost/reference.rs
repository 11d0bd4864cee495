//! The AWS reference solution ("Cognito User Profiles Export") for the same pool.
//!
//! Every run writes every user, every membership and every group, changed or not, into a global table of two Regions, and then
//! scans the table. Sources: its sources at commit 5b58f67 for the writes and item sizes, its cost page for the figures of 2024.
//!
//! Invariant: what AWS documented and what is computed here are never mixed in one figure without saying so.

use serde::Serialize;

use super::{Pool, change::write_units, price, standing::GB};

/// Bytes of its item of a user with ten attributes.
pub const USER_BYTES: u64 = 694;
/// Bytes of its item of a membership.
pub const MEMBERSHIP_BYTES: u64 = 246;

/// Prices of one Region, US dollars.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prices {
    /// A million write units in the primary Region.
    pub write: f64,
    /// A million write units in the replica's.
    pub replicated_write: f64,
    /// A million read units.
    pub read: f64,
}

/// Of 2024, N. Virginia and Tokyo, as on the cost page. The page's own figure is only met by the price of a plain write in
/// each Region; a replicated write was dearer in 2024 (1.875 in N. Virginia). Tokyo's price is unverified.
pub const PRICES_2024: Prices = Prices {
    write: 1.25,
    replicated_write: 1.4269,
    read: 0.25,
};
/// Of today, both Regions at the price of [`price::REGION`].
pub const PRICES_TODAY: Prices = Prices {
    write: price::WRITE_TODAY,
    replicated_write: price::WRITE_TODAY,
    read: price::READ_TODAY,
};

/// What the cost page says for 500,000 users with one group each, every day.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Documented {
    /// US dollars a month in all.
    pub total: f64,
    /// Of these, DynamoDB.
    pub dynamodb: f64,
    /// Step Functions, SQS, SNS and Lambda, a dollar each.
    pub others: f64,
    /// Users of the example; as many memberships.
    pub users: u64,
}

/// The cost page's example.
pub const DOCUMENTED: Documented = Documented {
    total: 90.0,
    dynamodb: 86.0,
    others: 4.0,
    users: 500_000,
};

/// The reference's bill for a pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Reference {
    /// What AWS documented, for AWS's example.
    pub documented: Documented,
    /// Items it writes in each run.
    pub writes_per_run: u64,
    /// US dollars a month of DynamoDB for this pool, at the prices of 2024.
    pub dynamodb_2024: f64,
    /// The same writes at today's prices.
    pub dynamodb_today: f64,
    /// The second, and what AWS documented for the other services.
    pub total_today: f64,
}

/// The reference's bill for `pool`, run as often as Twinpool reconciles.
#[must_use]
pub fn bill(pool: &Pool) -> Reference {
    let dynamodb_today = dynamodb(pool, PRICES_TODAY);
    Reference {
        documented: DOCUMENTED,
        writes_per_run: pool.users + pool.memberships + pool.groups,
        dynamodb_2024: dynamodb(pool, PRICES_2024),
        dynamodb_today,
        total_today: dynamodb_today + DOCUMENTED.others,
    }
}

/// US dollars a month of DynamoDB: writes in all Regions, the scan, storage, point-in-time recovery in the primary Region.
#[must_use]
pub fn dynamodb(pool: &Pool, prices: Prices) -> f64 {
    const MILLION: f64 = 1_000_000.0;
    let (users, memberships, groups) = (pool.users as f64, pool.memberships as f64, pool.groups as f64);
    let replicas = pool.replicas as f64;
    let units = users * write_units(USER_BYTES) + (memberships + groups) * write_units(MEMBERSHIP_BYTES);
    let writes = units * pool.reconciles_per_month * (prices.write + prices.replicated_write * replicas) / MILLION;
    let bytes = users * USER_BYTES as f64 + (memberships + groups) * MEMBERSHIP_BYTES as f64;
    let scans = bytes / 8_192.0 * pool.reconciles_per_month * prices.read / MILLION;
    let stored = bytes / GB * (price::STORAGE * (1.0 + replicas) + price::RECOVERY);
    writes + scans + stored
}
