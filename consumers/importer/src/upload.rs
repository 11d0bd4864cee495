//! Taking a file to a presigned URL.
//!
//! Invariant: HTTPS alone, but for loopback addresses; an error never holds the URL, which is a credential.

use std::{fmt, time::Duration};

use aws_smithy_runtime::client::orchestrator::operation::Operation;
use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::orchestrator::{HttpRequest, HttpResponse, OrchestratorError},
};
use aws_smithy_types::{body::SdkBody, timeout::TimeoutConfig};
use futures::{FutureExt, future::BoxFuture};
use twinpool_shared::{
    error::{Error, ErrorKind},
    personal::Personal,
};

/// The name of an upload in errors.
const CALL: &str = "the upload of the import job's file";
/// Opening a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// The whole upload: 16 MB at 0.5 Mbit/s.
const UPLOAD: Duration = Duration::from_secs(300);

/// Takes files to presigned URLs.
pub trait Upload: Send + Sync {
    /// Puts `body` to `url`, with the header that Cognito asks for.
    ///
    /// # Errors
    /// `Unavailable` without an answer, `Rejected` when it is refused.
    fn put<'a>(&'a self, url: &'a Personal, body: Vec<u8>) -> BoxFuture<'a, Result<(), Error>>;
}

/// Uploads by the HTTP client of the AWS SDK.
#[derive(Clone, Copy, Debug, Default)]
pub struct HttpUpload;

impl Upload for HttpUpload {
    fn put<'a>(&'a self, url: &'a Personal, body: Vec<u8>) -> BoxFuture<'a, Result<(), Error>> {
        put(url, body).boxed()
    }
}

async fn put(url: &Personal, body: Vec<u8>) -> Result<(), Error> {
    let (endpoint, path) = split(url.expose())
        .ok_or_else(|| Error::new(ErrorKind::Rejected, format!("{CALL} goes to no https address")))?;
    let path = path.to_owned();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_timeout(UPLOAD);
    let request = Operation::builder()
        .service_name("import")
        .operation_name("Upload")
        .behavior_version(aws_config::BehaviorVersion::latest())
        .endpoint_url(endpoint)
        .no_auth()
        .no_retry()
        .timeout_config(timeouts.build())
        .serializer(move |file: File| build(&path, file))
        .deserializer(read)
        .build();
    match request.invoke(File(body)).await {
        Ok(()) => Ok(()),
        Err(error) if error.as_service_error().is_some() => {
            Err(Error::new(ErrorKind::Rejected, format!("{CALL} was refused")))
        }
        Err(_) => Err(Error::new(ErrorKind::Unavailable, format!("{CALL} got no answer"))),
    }
}

/// Scheme and host, and the rest; `None` for what may not be called.
fn split(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = rest.find('/').map_or(rest, |slash| &rest[..slash]);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let loopback = host == "localhost"
        || host == "[::1]"
        || host
            .parse::<std::net::Ipv4Addr>()
            .is_ok_and(|address| address.is_loopback());
    let allowed = scheme == "https" || (scheme == "http" && loopback);
    let end = scheme.len() + "://".len() + authority.len();
    allowed.then(|| url.split_at(end))
}

/// What is uploaded. The SDK can log its inputs, and this one is personal.
struct File(Vec<u8>);

impl fmt::Debug for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "File({} bytes)", self.0.len())
    }
}

fn build(path: &str, file: File) -> Result<HttpRequest, BoxError> {
    let mut request = HttpRequest::new(SdkBody::from(file.0));
    request.set_method("PUT")?;
    request.set_uri(if path.is_empty() { "/" } else { path })?;
    // "You must include this header": developer guide, importing users from a CSV file.
    request
        .headers_mut()
        .try_insert("x-amz-server-side-encryption", "aws:kms")?;
    Ok(request)
}

fn read(response: &HttpResponse) -> Result<(), OrchestratorError<Refused>> {
    if response.status().is_success() {
        return Ok(());
    }
    Err(OrchestratorError::operation(Refused))
}

/// The upload was answered with a refusal.
#[derive(Debug)]
struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

impl std::error::Error for Refused {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_https_and_loopback_are_called() {
        let url = "https://bucket.s3.us-west-2.amazonaws.com/key?X-Amz-Signature=1";
        let parts = ("https://bucket.s3.us-west-2.amazonaws.com", "/key?X-Amz-Signature=1");
        assert_eq!(split(url), Some(parts));
        assert_eq!(split("http://127.0.0.1:4566/a"), Some(("http://127.0.0.1:4566", "/a")));
        for bad in [
            "http://bucket.s3.amazonaws.com/key",
            "ftp://127.0.0.1/a",
            "bucket",
            "http://10.0.0.1:80/a",
        ] {
            assert_eq!(split(bad), None, "{bad}");
        }
    }
}
