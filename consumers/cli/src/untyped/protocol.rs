//! How a service is spoken to: AWS JSON, or the query protocol ([`super::query`]).
//!
//! Invariant: of a refusal only the code is kept, never the message, which may quote what was sent.

use std::fmt;

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
};
use aws_smithy_types::{
    body::SdkBody,
    error::{ErrorMetadata, metadata::ProvideErrorMetadata},
};
use serde_json::Value;

use super::query;

/// How a service is spoken to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Protocol {
    /// AWS JSON.
    Json {
        /// What precedes the operation in `x-amz-target`.
        target: &'static str,
        /// Version of the protocol.
        version: &'static str,
    },
    /// AWS query: a form in, XML out.
    Query {
        /// Version of the service's API.
        version: &'static str,
    },
}

impl Protocol {
    /// The request of a call.
    ///
    /// # Errors
    /// When a part of it is no text for HTTP.
    pub(super) fn build(self, operation: &str, input: &Value) -> Result<HttpRequest, BoxError> {
        let body = match self {
            Self::Json { .. } => input.to_string(),
            Self::Query { version } => query::form(operation, version, input),
        };
        let mut request = HttpRequest::new(SdkBody::from(body));
        request.set_method("POST")?;
        request.set_uri("/")?;
        let headers = request.headers_mut();
        match self {
            Self::Json { target, version } => {
                headers.try_insert("x-amz-target", format!("{target}.{operation}"))?;
                headers.try_insert("content-type", format!("application/x-amz-json-{version}"))?;
            }
            Self::Query { .. } => drop(headers.try_insert("content-type", query::CONTENT_TYPE)?),
        }
        Ok(request)
    }

    /// What was answered.
    ///
    /// # Errors
    /// A refusal by its code; an answer that cannot be read.
    pub(super) fn read(self, operation: &str, response: &HttpResponse) -> Result<Value, OrchestratorError<Refused>> {
        let body = response.body().bytes().unwrap_or_default();
        let answer = match self {
            Self::Json { .. } => serde_json::from_slice::<Value>(body).ok(),
            Self::Query { .. } => query::read(body),
        };
        if !response.status().is_success() {
            let header = response.headers().get("x-amzn-errortype");
            let code = |answer: &Value| match self {
                Self::Json { .. } => answer["__type"].as_str().map(str::to_owned),
                Self::Query { .. } => answer["Error"]["Code"].as_str().map(str::to_owned),
            };
            let code = header.map(str::to_owned).or_else(|| answer.as_ref().and_then(code));
            return Err(OrchestratorError::operation(Refused::new(&code.unwrap_or_default())));
        }
        let mut answer = answer.ok_or_else(|| OrchestratorError::response("the answer cannot be read".into()))?;
        Ok(match self {
            Self::Json { .. } => answer,
            Self::Query { .. } => answer[format!("{operation}Result")].take(),
        })
    }
}

/// A service's refusal: its code.
#[derive(Debug)]
pub(super) struct Refused {
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
