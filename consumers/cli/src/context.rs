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

    /// The backup table's replica in `region`.
    ///
    /// # Errors
    /// `BadSetting` when none is named, or one of another Region by its ARN: nothing is asked of a Region that may be lost.
    pub(crate) fn table_in(&self, region: &str) -> Result<&str, Error> {
        let table = self.table()?;
        let of_arn = table.strip_prefix("arn:").and_then(|arn| arn.split(':').nth(2));
        match of_arn.filter(|of_arn| *of_arn != region) {
            Some(of_arn) => Err(usage(&format!(
                "--table or TWINPOOL_TABLE name a table in {of_arn} by its ARN: give its name alone, which its replica in {region} has \
                 as well"
            ))),
            None => Ok(table),
        }
    }

    /// Credentials, Region and endpoint.
    ///
    /// # Errors
    /// `Denied` without credentials, `BadSetting` without a pool.
    pub(crate) async fn connect(&self) -> Result<Connection, Error> {
        let pool = self.pool()?;
        let region_of_pool = region_of_pool(pool).unwrap_or_default().to_owned();
        let config = self.config(self.global.region.clone(), &region_of_pool).await?;
        Ok(Connection { config, region_of_pool })
    }

    /// Credentials and endpoint in the recovery Region `region`: table and Cognito are both there, wherever the pool of the
    /// backup was.
    ///
    /// # Errors
    /// `BadSetting` when `--region` names another Region; `Denied` without credentials.
    pub(crate) async fn connect_recovery(&self, region: &str) -> Result<Connection, Error> {
        if let Some(other) = self.global.region.as_deref().filter(|other| *other != region) {
            return Err(usage(&format!(
                "an import reads the table's replica in the Region of the target, {region}: leave --region {other} out"
            )));
        }
        let config = self.config(Some(region.to_owned()), region).await?;
        Ok(Connection {
            config,
            region_of_pool: region.to_owned(),
        })
    }

    async fn config(&self, region: Option<String>, fallback: &str) -> Result<SdkConfig, Error> {
        let wanted = profile::Profile {
            name: self.global.profile.clone(),
            region,
            endpoint_url: self.global.endpoint_url.clone(),
        };
        profile::sdk_config(&wanted, fallback).await
    }

    /// Whether options and environment agree with a plan about which pool's backup is meant, and in which table. Both may be
    /// left out: the plan says it.
    ///
    /// # Errors
    /// `BadSetting` for a plan of another backup.
    pub(crate) fn is_of(&self, plan_pool: &str, plan_table: &str) -> Result<(), Error> {
        let pools = &self.global.pool;
        if !pools.is_empty() && !pools.iter().any(|pool| pool == plan_pool) {
            return Err(usage(&format!(
                "the plan is of the backup of {plan_pool}, and --pool or TWINPOOL_POOLS name {}: give the plan of that pool, or \
                 leave the pool out",
                pools.join(", ")
            )));
        }
        match self.global.table.as_deref() {
            Some(table) if table != plan_table => Err(usage(&format!(
                "the plan is of the table {plan_table}, and --table or TWINPOOL_TABLE name {table}: give the plan of that backup, \
                 or leave the table out"
            ))),
            _ => Ok(()),
        }
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
    /// Where Cognito is asked: the Region of the pool or, for an import, of the target.
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
    fn a_table_of_another_region_is_refused_and_its_replica_is_not() {
        let arn = |region: &str| format!("arn:aws:dynamodb:{region}:111122223333:table/t-backup");
        for table in ["t-backup", &arn("us-west-2")] {
            assert_eq!(context(&[], Some(table)).table_in("us-west-2"), Ok(table));
        }
        let error = context(&[], Some(&arn("us-east-1")))
            .table_in("us-west-2")
            .expect_err("another Region");
        assert!(
            error.what.contains("us-east-1") && error.what.contains("name alone"),
            "{}",
            error.what
        );
    }

    #[test]
    fn a_plan_of_another_backup_is_refused_by_pool_and_by_table() {
        assert_eq!(context(&[], None).is_of("us-east-1_a", "t"), Ok(()));
        assert_eq!(
            context(&["us-east-1_b", "us-east-1_a"], Some("t")).is_of("us-east-1_a", "t"),
            Ok(())
        );
        for (pools, table, says) in [
            (&["us-east-1_b"][..], None, "--pool"),
            (&[][..], Some("other"), "--table"),
        ] {
            let error = context(pools, table)
                .is_of("us-east-1_a", "t")
                .expect_err("another backup");
            assert_eq!(error.kind, ErrorKind::BadSetting);
            assert!(
                error.what.contains(says) && error.what.contains("leave"),
                "{}",
                error.what
            );
        }
    }

    #[tokio::test]
    async fn an_import_is_refused_with_the_region_of_another_replica() {
        let mut context = context(&[], None);
        context.global.region = Some("eu-west-1".to_owned());
        let error = context.connect_recovery("us-west-2").await.expect_err("another Region");
        assert!(error.what.contains("leave --region eu-west-1 out"), "{}", error.what);
    }

    #[test]
    fn a_missing_table_is_named_by_option_and_variable() {
        assert_eq!(context(&[], Some("t-backup")).table(), Ok("t-backup"));
        let error = context(&[], None).table().expect_err("no table");
        assert!(error.what.contains("--table") && error.what.contains("TWINPOOL_TABLE"));
    }
}
