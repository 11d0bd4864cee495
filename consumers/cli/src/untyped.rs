//! Signed calls of services that no SDK is linked for: CloudTrail, EventBridge, KMS and CloudWatch, which speak AWS JSON, and
//! CloudFormation, which speaks the query protocol.
//!
//! `doctor`, `status`, `attach` and `detach` need a dozen operations of five services. Their SDK crates would add minutes to a
//! cold build and megabytes to the program for them. What is used here is what those crates are made of: the SDK's own
//! orchestrator with its signer, retries, time limits and HTTP client, and untyped JSON in and out.
//!
//! Invariant: one operation writes, CloudFormation's `UpdateStack` ([`crate::stack`]); everything else that callers name reads.
//! Of a refused call only the code is kept, never the message.

mod protocol;
mod query;

use aws_config::{SdkConfig, retry::RetryConfig};
use aws_runtime::{
    auth::{
        SigV4OperationSigningConfig, SigningOptions,
        sigv4::{SCHEME_ID, SigV4AuthScheme},
    },
    retries::classifiers::AwsErrorCodeClassifier,
};
use aws_smithy_runtime::client::{orchestrator::operation::Operation, retries::classifiers::HttpStatusCodeClassifier};
use aws_smithy_runtime_api::client::{
    auth::{
        AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
        static_resolver::StaticAuthSchemeOptionResolver,
    },
    identity::SharedIdentityResolver,
    orchestrator::HttpResponse,
    runtime_components::RuntimeComponentsBuilder,
    runtime_plugin::StaticRuntimePlugin,
};
use aws_smithy_types::config_bag::Layer;
use aws_types::{SigningName, region::SigningRegion};
use serde_json::Value;
use twinpool_shared::{
    adapter::aws::classify,
    error::{Error, ErrorKind},
};

use self::protocol::{Protocol, Refused};

/// A service and how it is addressed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Name in the endpoint and in the signature.
    endpoint: &'static str,
    /// Prefix of its IAM actions.
    iam: &'static str,
    /// How it is spoken to.
    protocol: Protocol,
}

/// CloudTrail.
pub(crate) const CLOUDTRAIL: Service = Service {
    endpoint: "cloudtrail",
    iam: "cloudtrail",
    protocol: Protocol::Json {
        target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
        version: "1.1",
    },
};
/// EventBridge.
pub(crate) const EVENTBRIDGE: Service = Service {
    endpoint: "events",
    iam: "events",
    protocol: Protocol::Json {
        target: "AWSEvents",
        version: "1.1",
    },
};
/// KMS.
pub(crate) const KMS: Service = Service {
    endpoint: "kms",
    iam: "kms",
    protocol: Protocol::Json {
        target: "TrentService",
        version: "1.1",
    },
};
/// CloudWatch.
pub(crate) const CLOUDWATCH: Service = Service {
    endpoint: "monitoring",
    iam: "cloudwatch",
    protocol: Protocol::Json {
        target: "GraniteServiceVersion20100801",
        version: "1.0",
    },
};

/// CloudFormation.
pub(crate) const CLOUDFORMATION: Service = Service {
    endpoint: "cloudformation",
    iam: "cloudformation",
    protocol: Protocol::Query { version: "2010-05-15" },
};

/// Calls services in the Region, with the credentials and at the endpoint of an SDK configuration.
#[derive(Clone, Debug)]
pub(crate) struct Untyped {
    config: SdkConfig,
}

impl Untyped {
    /// A caller as `config` says.
    pub(crate) fn new(config: SdkConfig) -> Self {
        Self { config }
    }

    /// One call.
    ///
    /// # Errors
    /// As the service answers, named by the IAM action.
    pub(crate) async fn call(&self, service: Service, operation: &'static str, input: &Value) -> Result<Value, Error> {
        self.send(service, operation, input, self.config.retry_config()).await
    }

    /// One call that changes something: a single attempt, so that nothing is asked for twice.
    ///
    /// # Errors
    /// As [`Self::call`]. Without an answer it may have been carried out all the same.
    pub(crate) async fn call_once(
        &self,
        service: Service,
        operation: &'static str,
        input: &Value,
    ) -> Result<Value, Error> {
        self.send(service, operation, input, None).await
    }

    async fn send(
        &self,
        service: Service,
        operation: &'static str,
        input: &Value,
        retries: Option<&RetryConfig>,
    ) -> Result<Value, Error> {
        let named = format!("{}:{operation}", service.iam);
        let unready = || Error::new(ErrorKind::Denied, format!("{named} has no credentials"));
        let credentials = self.config.credentials_provider().ok_or_else(unready)?;
        let region = self.config.region().map_or("", AsRef::as_ref).to_owned();
        let endpoint = match self.config.endpoint_url() {
            Some(url) => url.to_owned(),
            None => endpoint(service.endpoint, &region),
        };
        let signing = SigV4OperationSigningConfig {
            region: Some(SigningRegion::from(aws_types::region::Region::new(region))),
            name: Some(SigningName::from(service.endpoint)),
            signing_options: SigningOptions::default(),
            ..SigV4OperationSigningConfig::default()
        };
        let mut layer = Layer::new("signing");
        layer.store_put(AuthSchemeOptionResolverParams::new(()));
        layer.store_put(signing);
        let mut components = RuntimeComponentsBuilder::new("signing");
        components.set_auth_scheme_option_resolver(Some(SharedAuthSchemeOptionResolver::new(
            StaticAuthSchemeOptionResolver::new(vec![SCHEME_ID]),
        )));
        components.push_auth_scheme(SharedAuthScheme::new(SigV4AuthScheme::new()));
        components.set_identity_resolver(SCHEME_ID, SharedIdentityResolver::new(credentials));
        components.set_identity_cache(self.config.identity_cache());
        let signed = StaticRuntimePlugin::new()
            .with_config(layer.freeze())
            .with_runtime_components(components);

        let protocol = service.protocol;
        let mut request = Operation::builder()
            .service_name(service.endpoint)
            .operation_name(operation)
            .behavior_version(aws_config::BehaviorVersion::latest())
            .endpoint_url(&endpoint)
            .runtime_plugin(signed)
            .retry_classifier(HttpStatusCodeClassifier::default())
            .retry_classifier(AwsErrorCodeClassifier::<Refused>::new());
        if let Some(timeouts) = self.config.timeout_config() {
            request = request.timeout_config(timeouts.clone());
        }
        request = match retries {
            Some(retries) => request.standard_retry(retries),
            None => request.no_retry(),
        };
        let request = request
            .serializer(move |input: Value| protocol.build(operation, &input))
            .deserializer(move |response: &HttpResponse| protocol.read(operation, response))
            .build();
        let answer = request.invoke(input.clone()).await;
        answer.map_err(|error| classify(&named, &error))
    }
}

/// The regional endpoint. China's partition has a suffix of its own; for others than these two, `--endpoint-url` is there.
fn endpoint(name: &str, region: &str) -> String {
    let suffix = if region.starts_with("cn-") {
        "amazonaws.com.cn"
    } else {
        "amazonaws.com"
    };
    format!("https://{name}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_follow_the_partition() {
        assert_eq!(endpoint("kms", "eu-west-1"), "https://kms.eu-west-1.amazonaws.com");
        assert_eq!(
            endpoint("events", "cn-north-1"),
            "https://events.cn-north-1.amazonaws.com.cn"
        );
    }
}
