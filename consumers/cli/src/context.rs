//! What a command works with: the options, the output, and clients made when they are first needed.
//!
//! Invariant: decides nothing but which pool, table and Region are meant.

use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::config::Region;
use twinpool_shared::{
    adapter::{lookup::Lookup, profile, table::Table},
    error::{Error, ErrorKind},
    settings::region_of_pool,
};

use crate::{arguments::Global, mask::Masking, output::Output, progress::Progress};

/// The options and the output.
#[derive(Debug)]
pub(crate) struct Context {
    global: Global,
    /// Where to write.
    pub(crate) output: Output,
}

impl Context {
    pub(crate) fn new(global: Global) -> Self {
        let masking = if global.show_personal {
            Masking::Shown
        } else {
            Masking::Masked
        };
        let output = Output::new(global.json, masking, global.quiet);
        Self { global, output }
    }

    /// The one pool that is meant.
    ///
    /// # Errors
    /// `BadSetting` for none or several.
    pub(crate) fn pool(&self) -> Result<&str, Error> {
        match self.global.pool.as_slice() {
            [pool] => Ok(pool),
            [] => Err(usage("no user pool is named: give --pool, or set TWINPOOL_POOLS")),
            several => Err(usage(&format!(
                "{} user pools are named, and a command works on one: give --pool",
                several.len()
            ))),
        }
    }

    /// The backup table.
    ///
    /// # Errors
    /// `BadSetting` when none is named.
    pub(crate) fn table(&self) -> Result<&str, Error> {
        let table = self.global.table.as_deref();
        table.ok_or_else(|| usage("no backup table is named: give --table, or set TWINPOOL_TABLE"))
    }

    /// Credentials, Region and endpoint.
    ///
    /// # Errors
    /// `Denied` without credentials, `BadSetting` without a pool.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let pool = self.pool()?;
        let region_of_pool = region_of_pool(pool).unwrap_or_default().to_owned();
        let wanted = profile::Profile {
            name: self.global.profile.clone(),
            region: self.global.region.clone(),
            endpoint_url: self.global.endpoint_url.clone(),
        };
        let config = profile::sdk_config(&wanted, &region_of_pool).await?;
        Ok(Connection { config, region_of_pool })
    }

    /// Whether progress is to be shown.
    pub(crate) fn wants_progress(&self) -> bool {
        !self.global.quiet && !self.global.no_progress
    }

    /// Progress of `total` steps of `what`.
    pub(crate) fn progress(&self, what: &'static str, total: u64) -> Progress {
        Progress::start(self.wants_progress(), what, total)
    }
}

/// Clients of the services, as the options and the environment say.
#[derive(Debug)]
pub(crate) struct Connection {
    /// For clients that are not made here.
    pub(crate) config: SdkConfig,
    region_of_pool: String,
}

impl Connection {
    /// The Region of table and queues.
    pub(crate) fn region(&self) -> &str {
        self.config.region().map_or("", AsRef::as_ref)
    }

    /// Whether the backup may be written from here: items are written in the pool's own Region only. Two Regions that write
    /// the same item lose one of the writes, silently.
    ///
    /// # Errors
    /// `BadSetting` in another Region.
    pub(crate) fn writes_at_home(&self) -> Result<(), Error> {
        let (home, here) = (self.region_of_pool.as_str(), self.region());
        if home == here {
            return Ok(());
        }
        Err(usage(&format!(
            "the backup is written in the pool's own Region only: give --region {home}; --region, AWS_REGION or the profile say {here}"
        )))
    }

    /// The backup table.
    pub(crate) fn backup(&self, table: &str) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.config), table)
    }

    /// Look-ups in the backup table.
    pub(crate) fn lookup(&self, table: &str) -> Lookup {
        Lookup::new(aws_sdk_dynamodb::Client::new(&self.config), table)
    }

    /// Cognito in the pool's own Region, whichever Region the table is read in.
    pub(crate) fn cognito(&self) -> aws_sdk_cognitoidentityprovider::Client {
        let config = aws_sdk_cognitoidentityprovider::config::Builder::from(&self.config);
        let config = config.region(Region::new(self.region_of_pool.clone()));
        aws_sdk_cognitoidentityprovider::Client::from_conf(config.build())
    }
}

/// The command line says nothing that can be done.
pub(crate) fn usage(what: &str) -> Error {
    Error::new(ErrorKind::BadSetting, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pool: &[&str], table: Option<&str>) -> Context {
        Context::new(Global {
            region: None,
            profile: None,
            endpoint_url: None,
            table: table.map(str::to_owned),
            pool: pool.iter().map(|pool| (*pool).to_owned()).collect(),
            json: false,
            show_personal: false,
            quiet: true,
            no_progress: true,
        })
    }

    #[test]
    fn one_pool_is_meant_or_the_error_says_what_to_give() {
        assert_eq!(context(&["us-east-1_a"], None).pool(), Ok("us-east-1_a"));
        for pools in [&[][..], &["us-east-1_a", "us-east-1_b"]] {
            let error = context(pools, None).pool().expect_err("none or several");
            assert_eq!(error.kind, ErrorKind::BadSetting);
            assert!(error.what.contains("--pool"), "{}", error.what);
        }
    }

    #[test]
    fn a_missing_table_is_named_by_option_and_variable() {
        assert_eq!(context(&[], Some("t-backup")).table(), Ok("t-backup"));
        let error = context(&[], None).table().expect_err("no table");
        assert!(error.what.contains("--table") && error.what.contains("TWINPOOL_TABLE"));
    }
}
