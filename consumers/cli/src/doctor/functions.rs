//! What a function is configured with: how Twinpool's functions are told from others.
//!
//! Invariant: of a function's environment only Twinpool's own variables are looked at. Others may hold secrets.

use std::collections::BTreeMap;

use aws_sdk_lambda::Client;
use twinpool_shared::{adapter::aws::classify, error::Error};

/// Variables that tell what a function of ours does.
pub(crate) const QUEUE_URL: &str = "TWINPOOL_QUEUE_URL";
/// The function that had the trigger slot before.
pub(crate) const CHAIN_TO: &str = "TWINPOOL_CHAIN_TO";

/// Settings of functions, each read once.
#[derive(Debug)]
pub(crate) struct Functions {
    lambda: Client,
    known: BTreeMap<String, Result<Settings, Error>>,
}

/// Twinpool's settings of a function; both are absent from a function of somebody else's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Where changes are sent.
    pub(crate) queue_url: Option<String>,
    /// The chained function.
    pub(crate) chain_to: Option<String>,
}

impl Functions {
    /// Read through `lambda`.
    pub(crate) fn new(lambda: Client) -> Self {
        Self {
            lambda,
            known: BTreeMap::new(),
        }
    }

    /// The settings of the function with this ARN.
    ///
    /// # Errors
    /// As Lambda answers.
    pub(crate) async fn settings(&mut self, arn: &str) -> Result<Settings, Error> {
        if let Some(known) = self.known.get(arn) {
            return known.clone();
        }
        let read = self.read(arn).await;
        self.known.insert(arn.to_owned(), read.clone());
        read
    }

    async fn read(&self, arn: &str) -> Result<Settings, Error> {
        let answer = self.lambda.get_function_configuration().function_name(arn).send().await;
        let answer =
            answer.map_err(|error| classify(&format!("lambda:GetFunctionConfiguration on {}", name(arn)), &error))?;
        let variables = answer
            .environment
            .and_then(|environment| environment.variables)
            .unwrap_or_default();
        let setting = |name: &str| variables.get(name).filter(|value| !value.is_empty()).cloned();
        Ok(Settings {
            queue_url: setting(QUEUE_URL),
            chain_to: setting(CHAIN_TO),
        })
    }
}

/// The function's name in its ARN.
pub(crate) fn name(arn: &str) -> &str {
    arn.split(':').nth(6).unwrap_or(arn)
}
