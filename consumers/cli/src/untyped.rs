//! Signed calls of services that no SDK is linked for: CloudTrail, EventBridge, KMS and CloudWatch, all of which speak AWS
//! JSON.
//!
//! `doctor` and `status` need eleven read operations of four services. Their SDK crates would add minutes to a cold build and
//! megabytes to the program for them. What is used here is what those crates are made of: the SDK's own orchestrator with its
//! signer, retries, time limits and HTTP client, and untyped JSON in and out.
//!
//! Invariant: reads only, by what callers name; and of a refused call only the code is kept, never the message.

use std::fmt;

use aws_config::SdkConfig;
use aws_runtime::{
    auth::{
        SigV4OperationSigningConfig, SigningOptions,
        sigv4::{SCHEME_ID, SigV4AuthScheme},
    },
    retries::classifiers::AwsErrorCodeClassifier,
};
use aws_smithy_runtime::client::{orchestrator::operation::Operation, retries::classifiers::HttpStatusCodeClassifier};
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        auth::{
            AuthSchemeOptionResolverParams, SharedAuthScheme, SharedAuthSchemeOptionResolver,
            static_resolver::StaticAuthSchemeOptionResolver,
        },
        identity::SharedIdentityResolver,
        orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
        runtime_components::RuntimeComponentsBuilder,
        runtime_plugin::StaticRuntimePlugin,
    },
};
use aws_smithy_types::{
    body::SdkBody,
    config_bag::Layer,
    error::{ErrorMetadata, metadata::ProvideErrorMetadata},
};
use aws_types::{SigningName, region::SigningRegion};
use serde_json::Value;
use twinpool_shared::{
    adapter::aws::classify,
    error::{Error, ErrorKind},
};

/// A service as AWS JSON addresses it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Service {
    /// Name in the endpoint and in the signature.
    endpoint: &'static str,
    /// Prefix of its IAM actions.
    iam: &'static str,
    /// What precedes the operation in `x-amz-target`.
    target: &'static str,
    /// Version of AWS JSON.
    json: &'static str,
}

/// CloudTrail.
pub(crate) const CLOUDTRAIL: Service = Service {
    endpoint: "cloudtrail",
    iam: "cloudtrail",
    target: "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101",
    json: "1.1",
};
/// EventBridge.
pub(crate) const EVENTBRIDGE: Service = Service {
    endpoint: "events",
    iam: "events",
    target: "AWSEvents",
    json: "1.1",
};
/// KMS.
pub(crate) const KMS: Service = Service {
    endpoint: "kms",
    iam: "kms",
    target: "TrentService",
    json: "1.1",
};
/// CloudWatch.
pub(crate) const CLOUDWATCH: Service = Service {
    endpoint: "monitoring",
    iam: "cloudwatch",
    target: "GraniteServiceVersion20100801",
    json: "1.0",
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

        let target = format!("{}.{operation}", service.target);
        let content_type = format!("application/x-amz-json-{}", service.json);
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
        if let Some(retries) = self.config.retry_config() {
            request = request.standard_retry(retries);
        }
        let request = request
            .serializer(move |body: String| build(&target, &content_type, body))
            .deserializer(read)
            .build();
        let answer = request.invoke(input.to_string()).await;
        answer.map_err(|error| classify(&named, &error))
    }
}

fn build(target: &str, content_type: &str, body: String) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(body));
    request.set_method("POST")?;
    request.set_uri("/")?;
    let headers = request.headers_mut();
    headers.try_insert("x-amz-target", target.to_owned())?;
    headers.try_insert("content-type", content_type.to_owned())?;
    Ok(request)
}

fn read(response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
    let body = response.body().bytes().unwrap_or_default();
    let answer = serde_json::from_slice::<Value>(body);
    if !response.status().is_success() {
        let header = response.headers().get("x-amzn-errortype");
        let member = answer.as_ref().ok().and_then(|answer| answer["__type"].as_str());
        let code = header.or(member).unwrap_or_default();
        return Err(OrchestratorError::operation(Refused::new(code)));
    }
    answer.map_err(|_| OrchestratorError::response("the answer is not JSON".into()))
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

/// A service's refusal: its code.
#[derive(Debug)]
struct Refused {
    metadata: ErrorMetadata,
}

impl Refused {
    /// From `namespace#Code:address`, of which only the code is kept.
    fn new(code: &str) -> Self {
        let code = code.rsplit('#').next().unwrap_or(code);
        let code = code.split(':').next().unwrap_or(code);
        Self {
            metadata: ErrorMetadata::builder().code(code).build(),
        }
    }
}

impl ProvideErrorMetadata for Refused {
    fn meta(&self) -> &ErrorMetadata {
        &self.metadata
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.metadata.code().unwrap_or("no error code"))
    }
}

impl std::error::Error for Refused {}

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

    #[test]
    fn of_an_error_only_the_code_is_kept() {
        for text in [
            "AccessDeniedException",
            "com.amazonaws.kms#AccessDeniedException",
            "AccessDeniedException:http://internal.amazon.com/coral/com.amazon.coral.service/",
        ] {
            assert_eq!(Refused::new(text).to_string(), "AccessDeniedException");
        }
        assert_eq!(Refused::new("").code(), Some(""));
    }
}
