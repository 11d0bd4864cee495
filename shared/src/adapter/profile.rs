//! Configuration of SDK clients for a person at a terminal: profile, Region and endpoint as AWS's own tools take them.
//!
//! A function of ours takes its credentials from the environment and searches nowhere else
//! ([`super::aws::sdk_config`]). A person has profiles, IAM Identity Center, a credential process, or an instance's role, so
//! here the SDK's whole chain is searched.
//!
//! Invariant: no function is configured here, and no credential is ever printed.

use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig, timeout::TimeoutConfig};
use aws_credential_types::provider::ProvideCredentials;

use super::aws::Budget;
use crate::error::{Error, ErrorKind};

/// An operator's calls: somebody watches, and the network between is not AWS's own.
pub const OPERATOR_BUDGET: Budget = Budget {
    connect_millis: 3_000,
    attempt_millis: 10_000,
    operation_millis: 30_000,
    attempts: 4,
    backoff_millis: 100,
};

/// What an operator may say about where to work. What is absent is looked for as the AWS CLI does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// `--profile`, else `AWS_PROFILE`.
    pub name: Option<String>,
    /// `--region`, else `AWS_REGION`, else the profile's.
    pub region: Option<String>,
    /// `--endpoint-url`, else `AWS_ENDPOINT_URL`, else the profile's.
    pub endpoint_url: Option<String>,
}

/// Configuration for the clients of an operator's command. `fallback` is the Region when nobody names one: without it the
/// SDK would ask an instance's metadata, and hang where there is none.
///
/// # Errors
/// `Denied` when there are no credentials; asked for at once, because a client without them only says that a request could
/// not be built.
pub async fn sdk_config(profile: &Profile, fallback: &str) -> Result<SdkConfig, Error> {
    let budget = OPERATOR_BUDGET;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(budget.connect_millis))
        .operation_attempt_timeout(Duration::from_millis(budget.attempt_millis))
        .operation_timeout(Duration::from_millis(budget.operation_millis))
        .build();
    let retries = RetryConfig::standard()
        .with_max_attempts(budget.attempts)
        .with_initial_backoff(Duration::from_millis(budget.backoff_millis));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .timeout_config(timeouts)
        .retry_config(retries);
    if let Some(name) = &profile.name {
        loader = loader.profile_name(name);
    }
    if let Some(url) = &profile.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let region = match &profile.region {
        Some(region) => region.clone(),
        None => region_of_profile(profile).await.unwrap_or_else(|| fallback.to_owned()),
    };
    let config = loader.region(Region::new(region)).load().await;
    let provider = config.credentials_provider().ok_or_else(no_credentials)?;
    provider.provide_credentials().await.map_err(|_| no_credentials())?;
    Ok(config)
}

/// `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's Region.
async fn region_of_profile(profile: &Profile) -> Option<String> {
    use aws_config::{
        environment::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
        profile::ProfileFileRegionProvider,
    };
    let mut file = ProfileFileRegionProvider::builder();
    if let Some(name) = &profile.name {
        file = file.profile_name(name);
    }
    let chain = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(file.build());
    chain.region().await.map(|region| region.as_ref().to_owned())
}

fn no_credentials() -> Error {
    Error::new(
        ErrorKind::Denied,
        "no AWS credentials were found: sign in (for example aws sso login), or name a profile with --profile",
    )
}
