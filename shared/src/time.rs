//! Instants with millisecond resolution.
//!
//! Cognito's `UserLastModifiedDate` has milliseconds and CloudTrail's `eventTime` whole seconds; nothing finer exists, so a
//! value survives queue and table unchanged and compares the same everywhere.
//!
//! Invariant: nothing here reads a clock; "now" is always an argument.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// 1970-01-01T00:00:00Z.
pub const EPOCH: Timestamp = Timestamp(0);
/// Milliseconds of one second.
pub const SECOND_MILLIS: i64 = 1_000;
/// Milliseconds of one day.
pub const DAY_MILLIS: i64 = 86_400 * SECOND_MILLIS;

/// An instant, UTC, in milliseconds since 1970. Written as RFC 3339 with exactly three decimals, so that text order is time
/// order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970, clamped to the years 1 to 9998: four digits keep text order time order.
    #[must_use]
    pub fn from_millis(millis: i64) -> Self {
        const YEAR_0001: i64 = -62_135_596_800_000;
        const YEAR_9999: i64 = 253_370_764_800_000;
        Self(millis.clamp(YEAR_0001, YEAR_9999 - 1))
    }

    /// Milliseconds since 1970.
    #[must_use]
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, for DynamoDB's TTL.
    #[must_use]
    pub fn as_seconds(self) -> i64 {
        self.0.div_euclid(SECOND_MILLIS)
    }

    /// Any RFC 3339 instant; digits beyond milliseconds are cut.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|instant| Self::from_millis(instant.as_millisecond()))
    }

    /// This instant moved by `millis`, which may be negative.
    #[must_use]
    pub fn plus_millis(self, millis: i64) -> Self {
        Self::from_millis(self.0.saturating_add(millis))
    }

    /// Milliseconds from `earlier` to this instant; negative when `earlier` is later.
    #[must_use]
    pub fn millis_since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Start of this second.
    #[must_use]
    pub fn second_start(self) -> Self {
        Self(self.0.div_euclid(SECOND_MILLIS) * SECOND_MILLIS)
    }

    /// Last millisecond of this second: the latest that an event stamped with whole seconds can have happened.
    #[must_use]
    pub fn second_end(self) -> Self {
        self.second_start().plus_millis(SECOND_MILLIS - 1)
    }

    /// Start of this day, UTC.
    #[must_use]
    pub fn day_start(self) -> Self {
        Self(self.0.div_euclid(DAY_MILLIS) * DAY_MILLIS)
    }

    /// Whether both are in the same calendar month, UTC: the period in which Cognito bills a user at most once.
    #[must_use]
    pub fn same_month(self, other: Self) -> bool {
        // The text starts with "YYYY-MM".
        self.to_string().get(..7) == other.to_string().get(..7)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(instant) => write!(f, "{instant:.3}"),
            // `from_millis` clamps, so this is out of reach; saying so beats a panic in a log line.
            Err(_) => f.write_str("(instant out of range)"),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| D::Error::custom("not an RFC 3339 instant"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn text_has_three_decimals_and_reads_back() {
        for text in ["2026-11-23T01:02:03.000Z", "1970-01-01T00:00:00.001Z"] {
            assert_eq!(at(text).to_string(), text);
            assert_eq!(serde_json::to_string(&at(text)).unwrap(), format!("\"{text}\""));
        }
        assert_eq!(
            at("2026-11-23T01:02:03.123987Z").to_string(),
            "2026-11-23T01:02:03.123Z"
        );
        assert_eq!(at("2026-11-23T02:02:03+01:00").to_string(), "2026-11-23T01:02:03.000Z");
        assert!(Timestamp::parse("yesterday").is_none());
    }

    #[test]
    fn bounds_of_second_and_day() {
        let t = at("2026-11-23T01:02:03.456Z");
        assert_eq!(t.second_start(), at("2026-11-23T01:02:03Z"));
        assert_eq!(t.second_end(), at("2026-11-23T01:02:03.999Z"));
        assert_eq!(t.day_start(), at("2026-11-23T00:00:00Z"));
        let before_1970 = Timestamp::from_millis(-1);
        assert_eq!(before_1970.second_start().as_millis(), -1_000);
        assert_eq!(before_1970.as_seconds(), -1);
    }

    #[test]
    fn months_end_at_midnight_utc() {
        assert!(at("2026-10-31T23:59:59.999Z").same_month(at("2026-10-01T00:00:00Z")));
        assert!(!at("2026-10-31T23:59:59.999Z").same_month(at("2026-11-01T00:00:00Z")));
        assert!(!at("2025-11-23T00:00:00Z").same_month(at("2026-11-23T00:00:00Z")));
    }

    #[test]
    fn arithmetic_saturates() {
        assert_eq!(Timestamp::from_millis(5).plus_millis(-7).as_millis(), -2);
        assert_eq!(Timestamp::from_millis(5).millis_since(Timestamp::from_millis(2)), 3);
        assert_eq!(
            Timestamp::from_millis(i64::MAX),
            Timestamp::from_millis(i64::MAX).plus_millis(1)
        );
        assert!(!Timestamp::from_millis(i64::MAX).to_string().contains("out of range"));
        assert!(!Timestamp::from_millis(i64::MIN).to_string().contains("out of range"));
    }
}
