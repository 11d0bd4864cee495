//! Any operation of Cognito's, asked and answered in raw JSON, whether the SDK knows it or not.
//!
//! Every call to the service is a POST of JSON whose operation is named by the header `X-Amz-Target`; only the SDK's types tell
//! them apart. So one small operation of the SDK is sent with another target and another body, which are put in place before
//! the request is signed, and its answer is read before it is typed. Credentials, endpoint, timeouts and error codes are the
//! SDK's own; admission and retries are [`super::calls`]'.
//!
//! Invariant: an answer may hold client secrets. It is marked as sensitive before the SDK could log it, and no error quotes it.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_cognitoidentityprovider::{
    Client,
    config::{
        ConfigBag, Intercept, RuntimeComponents,
        interceptors::{AfterDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextMut},
    },
    error::{BoxError, SdkError},
    operation::get_signing_certificate::GetSigningCertificateError,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpResponse, SensitiveOutput};
use aws_smithy_types::body::SdkBody;
use serde_json::{Map, Value};

use super::PoolReader;
use crate::{
    error::{Error, ErrorKind},
    port::RawPool,
    quota::{Category, category_of},
};

/// What `X-Amz-Target` begins with.
const SERVICE: &str = "AWSCognitoIdentityProviderService";

impl RawPool for PoolReader {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        let (_, known) = known(operation)?;
        let body = input.to_string();
        let send = || send(&self.client, known, body.clone());
        let answer = PoolReader::call(self, known, pool_of(&input), send).await;
        read(operation, &answer.map_err(Error::from)?)
    }
}

/// An operation as the governor knows it.
///
/// # Errors
/// `Rejected` when it counts in no known quota.
pub(super) fn known(operation: &str) -> Result<(Category, &'static str), Error> {
    let category = category_of(operation);
    let known = category.and_then(|category| {
        let mut names = category.operations().iter();
        names.find(|name| **name == operation).map(|name| (category, *name))
    });
    known.ok_or_else(|| {
        let what = format!("cognito-idp:{operation} counts in no known quota");
        Error::new(ErrorKind::Rejected, what)
    })
}

/// The pool that a call is about, as far as it names one.
pub(super) fn pool_of(input: &Value) -> &str {
    input.get("UserPoolId").and_then(Value::as_str).unwrap_or_default()
}

/// What `operation` answered. Operations without an answer may have an empty one.
///
/// # Errors
/// `Unavailable` when it is no JSON.
pub(super) fn read(operation: &str, answer: &[u8]) -> Result<Value, Error> {
    if answer.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    serde_json::from_slice(answer).map_err(|_| {
        let what = format!("cognito-idp:{operation} answered with something that is no JSON");
        Error::new(ErrorKind::Unavailable, what)
    })
}

/// Sends one attempt and returns the body of the answer.
pub(super) async fn send(
    client: &Client,
    operation: &'static str,
    input: String,
) -> Result<Vec<u8>, SdkError<GetSigningCertificateError, HttpResponse>> {
    let answer = Arc::new(Mutex::new(Vec::new()));
    let substitute = Substitute {
        operation,
        input,
        answer: Arc::clone(&answer),
    };
    // The smallest operation there is; its input is never sent.
    let carrier = client.get_signing_certificate().user_pool_id("none");
    carrier.customize().interceptor(substitute).send().await?;
    let answer = std::mem::take(&mut *answer.lock().unwrap_or_else(PoisonError::into_inner));
    Ok(answer)
}

/// Puts another operation in the place of the one that the SDK sends, and keeps the answer as it came.
struct Substitute {
    operation: &'static str,
    input: String,
    answer: Arc<Mutex<Vec<u8>>>,
}

impl std::fmt::Debug for Substitute {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Substitute")
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

impl Intercept for Substitute {
    fn name(&self) -> &'static str {
        "Substitute"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        config.interceptor_state().store_put(SensitiveOutput);
        let request = context.request_mut();
        let headers = request.headers_mut();
        headers.try_insert("x-amz-target", format!("{SERVICE}.{}", self.operation))?;
        headers.try_insert("content-length", self.input.len().to_string())?;
        *request.body_mut() = SdkBody::from(self.input.clone());
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(body) = context.response().body().bytes() {
            *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = body.to_vec();
        }
        Ok(())
    }
}
