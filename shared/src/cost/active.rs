//! What users cost whom an import makes active in the month.
//!
//! AWS bills a user pool by users with any activity in a calendar month, and an administrator's calls are activity
//! (`AdminCreateUser`, `AdminSetUserPassword`, changes of attributes and memberships); import jobs and lists are not. Source:
//! "Monthly active users", Cognito developer guide, quotas.
//!
//! Invariant: an upper bound. Who signs in later in the month is counted already, and an allowance that the account has left for
//! the month is taken as a whole.

use super::price::Source;

/// When the prices were written down.
pub const READ: &str = "2026-11";
/// Where they stand. The page could not be read when they were written down.
pub const SOURCE: Source = Source::Unverified("aws.amazon.com/cognito/pricing");

/// Users of a step of the price list, and US cents for a thousand of them.
type Step = (u64, u64);

/// Steps of a price list; the last goes on for ever.
#[rustfmt::skip]
const LITE: &[Step] = &[(10_000, 0), (90_000, 550), (900_000, 460), (9_000_000, 325), (u64::MAX, 250)];
const ESSENTIALS: &[Step] = &[(10_000, 0), (u64::MAX, 1_500)];
const PLUS: &[Step] = &[(u64::MAX, 2_000)];

/// US cents for `users` active users of a pool of `tier` (`UserPoolTier`: `LITE`, `ESSENTIALS`, `PLUS`), rounded up; `None` for
/// a tier that is not in the price list.
#[must_use]
pub fn cents(tier: &str, users: u64) -> Option<u64> {
    let steps = match tier {
        "LITE" => LITE,
        "ESSENTIALS" => ESSENTIALS,
        "PLUS" => PLUS,
        _ => return None,
    };
    let mut left = users;
    let mut thousandths = 0_u64;
    for (size, cents) in steps {
        let here = left.min(*size);
        thousandths += here * cents;
        left -= here;
    }
    Some(thousandths.div_ceil(1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiers_are_priced_step_by_step() {
        assert_eq!(cents("LITE", 10_000), Some(0));
        // 90,000 at 0.0055 and 400,000 at 0.0046 dollars.
        assert_eq!(cents("LITE", 500_000), Some(49_500 + 184_000));
        assert_eq!(cents("ESSENTIALS", 110_000), Some(150_000));
        assert_eq!(cents("PLUS", 1), Some(2));
        assert_eq!(cents("PLUS", 100_000), Some(200_000));
        assert_eq!(cents("GOLD", 1), None);
    }
}
