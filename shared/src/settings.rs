//! Settings from the environment, read once at start and checked as a whole.
//!
//! Invariant: a wrong value is an error that names the variable and the fix, never a silent default.

use crate::{
    error::{Error, ErrorKind},
    quota::Share,
};

/// Looks a variable up; `std::env::var` in a function, a map in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Settings of the three Cognito triggers. Each is good or bad on its own: a wrong queue must not keep the chained function
/// from running, and the other way round.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriggerSettings {
    /// `TWINPOOL_QUEUE_URL`, or `BadSetting`.
    pub queue_url: Result<String, Error>,
    /// `TWINPOOL_CHAIN_TO`, the function that had the slot before, or `BadSetting`.
    pub chain_to: Result<Option<String>, Error>,
}

/// Settings of the listener for admin events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerSettings {
    /// `TWINPOOL_QUEUE_URL`.
    pub queue_url: String,
    /// `TWINPOOL_POOLS`.
    pub pools: Vec<String>,
    /// `TWINPOOL_OWN_ROLES`: role names whose writes are Twinpool's own.
    pub own_roles: Vec<String>,
}

/// Settings of the replicator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplicatorSettings {
    /// `TWINPOOL_QUEUE_URL`: where a change is put back.
    pub queue_url: String,
    /// `TWINPOOL_DLQ_URL`: where a change is parked.
    pub dead_letter_queue_url: String,
    /// `TWINPOOL_TABLE`.
    pub table: String,
    /// `TWINPOOL_POOLS`.
    pub pools: Vec<String>,
    /// `TWINPOOL_RETENTION_DAYS` in seconds: how long superseded versions and tombstones are kept.
    pub retention_seconds: i64,
    /// `TWINPOOL_MAX_RECEIVES`: the queue's redrive limit. On the last try a failing message is parked with its reason.
    pub receives_max: u32,
    /// `TWINPOOL_QUOTA_SHARE`: the share of Cognito's quotas that all replicators together may use.
    pub share: Share,
    /// `TWINPOOL_REPLICATORS`: how many are at work at the same time, at most.
    pub replicators: u32,
}

/// Settings of the reconciler's function, and of the importer's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReconcilerSettings {
    /// `TWINPOOL_TABLE`.
    pub table: String,
    /// `TWINPOOL_POOLS`.
    pub pools: Vec<String>,
    /// `TWINPOOL_RETENTION_DAYS` in seconds.
    pub retention_seconds: i64,
    /// `TWINPOOL_QUOTA_SHARE`.
    pub share: Share,
}

/// Default of `TWINPOOL_RETENTION_DAYS`: as long as point-in-time recovery reaches.
pub const RETENTION_DAYS_DEFAULT: i64 = 35;
/// A tombstone has to outlive every message that could bring its user back: 14 days in the queue and 14 in the other one.
pub const RETENTION_DAYS_MIN: i64 = 29;
/// Default of `TWINPOOL_REPLICATORS`: the least that an event source mapping can be held to.
pub const REPLICATORS_DEFAULT: i64 = 2;
/// Default of `TWINPOOL_MAX_RECEIVES`.
pub const RECEIVES_MAX_DEFAULT: u32 = 10;

impl TriggerSettings {
    /// Reads the settings.
    pub fn load(lookup: Lookup<'_>) -> Self {
        Self {
            queue_url: url(lookup, "TWINPOOL_QUEUE_URL"),
            chain_to: optional(lookup, "TWINPOOL_CHAIN_TO")
                .map(|arn| function_arn("TWINPOOL_CHAIN_TO", arn))
                .transpose(),
        }
    }
}

impl ListenerSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// `BadSetting` that names the variable.
    pub fn load(lookup: Lookup<'_>) -> Result<Self, Error> {
        Ok(Self {
            queue_url: url(lookup, "TWINPOOL_QUEUE_URL")?,
            pools: pools(lookup)?,
            own_roles: list(lookup, "TWINPOOL_OWN_ROLES"),
        })
    }
}

impl ReplicatorSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// `BadSetting` that names the variable.
    pub fn load(lookup: Lookup<'_>) -> Result<Self, Error> {
        let receives = number(
            lookup,
            "TWINPOOL_MAX_RECEIVES",
            i64::from(RECEIVES_MAX_DEFAULT),
            1..=1_000,
        )?;
        let replicators = number(lookup, "TWINPOOL_REPLICATORS", REPLICATORS_DEFAULT, 1..=1_000)?;
        Ok(Self {
            queue_url: url(lookup, "TWINPOOL_QUEUE_URL")?,
            dead_letter_queue_url: url(lookup, "TWINPOOL_DLQ_URL")?,
            table: table(lookup)?,
            pools: pools(lookup)?,
            retention_seconds: retention_seconds(lookup)?,
            receives_max: u32::try_from(receives).unwrap_or(RECEIVES_MAX_DEFAULT),
            share: share(lookup)?,
            replicators: u32::try_from(replicators).unwrap_or(u32::MAX),
        })
    }
}

impl ReconcilerSettings {
    /// Reads the settings.
    ///
    /// # Errors
    /// `BadSetting` that names the variable.
    pub fn load(lookup: Lookup<'_>) -> Result<Self, Error> {
        Ok(Self {
            table: table(lookup)?,
            pools: pools(lookup)?,
            retention_seconds: retention_seconds(lookup)?,
            share: share(lookup)?,
        })
    }
}

fn retention_seconds(lookup: Lookup<'_>) -> Result<i64, Error> {
    let days = number(
        lookup,
        "TWINPOOL_RETENTION_DAYS",
        RETENTION_DAYS_DEFAULT,
        RETENTION_DAYS_MIN..=3_650,
    )?;
    Ok(days * 86_400)
}

fn share(lookup: Lookup<'_>) -> Result<Share, Error> {
    let name = "TWINPOOL_QUOTA_SHARE";
    let percent = number(lookup, name, i64::from(Share::default().percent()), 1..=100)?;
    Share::new(u8::try_from(percent).unwrap_or_default())
}

fn bad(name: &str, fix: &str) -> Error {
    Error::new(ErrorKind::BadSetting, format!("{name} {fix}"))
}

fn optional(lookup: Lookup<'_>, name: &str) -> Option<String> {
    lookup(name)
        .map(|value| value.trim().to_owned())
        .filter(|value| !value.is_empty())
}

fn required(lookup: Lookup<'_>, name: &str) -> Result<String, Error> {
    optional(lookup, name).ok_or_else(|| bad(name, "is not set"))
}

fn url(lookup: Lookup<'_>, name: &str) -> Result<String, Error> {
    let url = required(lookup, name)?;
    if is_queue_url(&url) {
        Ok(url)
    } else {
        Err(bad(
            name,
            "is not a queue URL such as https://sqs.us-east-1.amazonaws.com/111122223333/changes",
        ))
    }
}

/// Whether `text` is shaped like the URL of a queue: host, account and queue name.
#[must_use]
pub fn is_queue_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| {
        rest.split('/').filter(|part| !part.is_empty()).count() >= 2 && !rest.contains(char::is_whitespace)
    })
}

fn table(lookup: Lookup<'_>) -> Result<String, Error> {
    let name = "TWINPOOL_TABLE";
    let table = required(lookup, name)?;
    if is_table(&table) {
        Ok(table)
    } else {
        Err(bad(name, "is not the name or ARN of a DynamoDB table"))
    }
}

/// Whether `text` is shaped like the name or the ARN of a DynamoDB table.
#[must_use]
pub fn is_table(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let bare = text.len() >= 3 && text.len() <= 255 && text.chars().all(plain);
    let arn = text.starts_with("arn:") && text.contains(":dynamodb:") && text.contains(":table/");
    bare || arn
}

fn function_arn(name: &str, arn: String) -> Result<String, Error> {
    let parts: Vec<&str> = arn.split(':').collect();
    let good = matches!(parts.as_slice(), ["arn", partition, "lambda", region, account, "function", function, ..]
        if partition.starts_with("aws") && !region.is_empty() && account.chars().all(|c| c.is_ascii_digit()) && !function.is_empty());
    let short = parts.len() <= 8;
    if good && short {
        Ok(arn)
    } else {
        Err(bad(
            name,
            "is not a function ARN such as arn:aws:lambda:us-east-1:111122223333:function:name",
        ))
    }
}

fn pools(lookup: Lookup<'_>) -> Result<Vec<String>, Error> {
    let name = "TWINPOOL_POOLS";
    let pools = list(lookup, name);
    if pools.is_empty() {
        return Err(bad(name, "is not set; give pool ids, separated by commas"));
    }
    for pool in &pools {
        if region_of_pool(pool).is_none() {
            return Err(bad(
                name,
                &format!("has {pool:?}, which is not a pool id such as us-east-1_EXAMPLE"),
            ));
        }
    }
    Ok(pools)
}

/// The Region that a pool id names, or `None` for what is no pool id: they are `{region}_{id}`.
#[must_use]
pub fn region_of_pool(pool: &str) -> Option<&str> {
    let (region, id) = pool.split_once('_')?;
    let good = region.split('-').count() >= 3 && !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric());
    good.then_some(region)
}

fn list(lookup: Lookup<'_>, name: &str) -> Vec<String> {
    let value = optional(lookup, name).unwrap_or_default();
    value
        .split(',')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(str::to_owned)
        .collect()
}

fn number(lookup: Lookup<'_>, name: &str, default: i64, range: std::ops::RangeInclusive<i64>) -> Result<i64, Error> {
    let Some(value) = optional(lookup, name) else {
        return Ok(default);
    };
    let number = value.parse::<i64>().ok().filter(|number| range.contains(number));
    number.ok_or_else(|| {
        bad(
            name,
            &format!("is not a whole number from {} to {}", range.start(), range.end()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUEUE: (&str, &str) = (
        "TWINPOOL_QUEUE_URL",
        "https://sqs.us-east-1.amazonaws.com/111122223333/changes",
    );

    fn with<T>(pairs: &[(&str, &str)], load: impl Fn(Lookup<'_>) -> T) -> T {
        load(&|name| {
            pairs
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn a_trigger_needs_its_queue_and_checks_its_chain() {
        let arn = "arn:aws:lambda:us-east-1:111122223333:function:welcome:live";
        let settings = with(&[QUEUE, ("TWINPOOL_CHAIN_TO", arn)], TriggerSettings::load);
        assert_eq!(settings.queue_url.as_deref(), Ok(QUEUE.1));
        assert_eq!(settings.chain_to, Ok(Some(arn.to_owned())));
        assert_eq!(
            with(&[QUEUE, ("TWINPOOL_CHAIN_TO", " ")], TriggerSettings::load).chain_to,
            Ok(None)
        );
        for (pairs, what) in [
            (vec![], "TWINPOOL_QUEUE_URL is not set"),
            (
                vec![("TWINPOOL_QUEUE_URL", "changes")],
                "TWINPOOL_QUEUE_URL is not a queue URL",
            ),
            (
                vec![("TWINPOOL_QUEUE_URL", "https://host")],
                "TWINPOOL_QUEUE_URL is not a queue URL",
            ),
        ] {
            let pairs = [&pairs[..], &[("TWINPOOL_CHAIN_TO", arn)]].concat();
            let settings = with(&pairs, TriggerSettings::load);
            let error = settings.queue_url.unwrap_err();
            assert!(error.what.starts_with(what), "{error}");
            assert_eq!(error.kind, ErrorKind::BadSetting);
            // The chained function does not depend on the queue.
            assert_eq!(settings.chain_to, Ok(Some(arn.to_owned())));
        }
        for bad in [
            "welcome",
            "arn:aws:lambda:us-east-1:11:function:",
            "arn:aws:sqs:us-east-1:11:function:x",
        ] {
            let settings = with(&[QUEUE, ("TWINPOOL_CHAIN_TO", bad)], TriggerSettings::load);
            let error = settings.chain_to.unwrap_err();
            assert!(
                error.what.starts_with("TWINPOOL_CHAIN_TO is not a function ARN"),
                "{error}"
            );
            assert_eq!(error.kind, ErrorKind::BadSetting);
            assert_eq!(settings.queue_url.as_deref(), Ok(QUEUE.1));
        }
    }

    #[test]
    fn the_listener_needs_pools() {
        let pairs = [
            QUEUE,
            ("TWINPOOL_POOLS", "us-east-1_A, us-gov-west-1_B,"),
            ("TWINPOOL_OWN_ROLES", "a,b"),
        ];
        let settings = with(&pairs, ListenerSettings::load).unwrap();
        assert_eq!(settings.pools, ["us-east-1_A", "us-gov-west-1_B"]);
        assert_eq!(settings.own_roles, ["a", "b"]);
        for bad in ["", ",", "EXAMPLE", "us-east-1_", "us-east-1_A B", "useast1_A"] {
            assert!(
                with(&[QUEUE, ("TWINPOOL_POOLS", bad)], ListenerSettings::load).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn the_replicator_has_defaults_and_bounds() {
        let base = [
            QUEUE,
            ("TWINPOOL_DLQ_URL", QUEUE.1),
            ("TWINPOOL_TABLE", "backup"),
            ("TWINPOOL_POOLS", "us-east-1_A"),
        ];
        let settings = with(&base, ReplicatorSettings::load).unwrap();
        assert_eq!((settings.retention_seconds, settings.receives_max), (35 * 86_400, 10));
        let more = |name, value| with(&[&base[..], &[(name, value)]].concat(), ReplicatorSettings::load);
        assert_eq!(
            more("TWINPOOL_RETENTION_DAYS", "29").unwrap().retention_seconds,
            29 * 86_400
        );
        assert_eq!(more("TWINPOOL_MAX_RECEIVES", "5").unwrap().receives_max, 5);
        for (name, value) in [
            ("TWINPOOL_RETENTION_DAYS", "28"),
            ("TWINPOOL_RETENTION_DAYS", "3651"),
            ("TWINPOOL_RETENTION_DAYS", "ten"),
            ("TWINPOOL_MAX_RECEIVES", "0"),
            ("TWINPOOL_QUOTA_SHARE", "0"),
            ("TWINPOOL_QUOTA_SHARE", "101"),
            ("TWINPOOL_REPLICATORS", "0"),
        ] {
            assert!(more(name, value).unwrap_err().what.starts_with(name));
        }
        for (table, good) in [
            ("backup.table_1-x", true),
            ("arn:aws:dynamodb:us-east-1:111122223333:table/backup", true),
            ("ab", false),
            ("a b c", false),
            ("arn:aws:s3:::table/backup", false),
        ] {
            let pairs = [QUEUE, base[1], ("TWINPOOL_TABLE", table), base[3]];
            assert_eq!(with(&pairs, ReplicatorSettings::load).is_ok(), good, "{table}");
        }
        assert!(
            with(&base[..3], ReplicatorSettings::load)
                .unwrap_err()
                .what
                .starts_with("TWINPOOL_POOLS")
        );
    }
}
