//! Who calls, and which Region and service they mean: read from the request's signature, as every AWS service does.
//!
//! Invariant: signatures are read, never verified, and never logged.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;

/// The account that everything local belongs to.
pub const ACCOUNT: &str = "111122223333";

/// The principal of a signed call whose key nobody was told about.
pub(super) const OPERATOR: &str = "arn:aws:sts::111122223333:assumed-role/local-operator/cli";

/// The role under which unsigned calls are counted: users themselves.
pub(super) const ANONYMOUS: &str = "anonymous";

/// The credential scope of a signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Scope {
    pub(super) key_id: String,
    pub(super) region: String,
    pub(super) service: String,
}

impl Scope {
    /// `None` for an unsigned call.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let header = headers.get(AUTHORIZATION)?.to_str().ok()?;
        let (_, credential) = header.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?;
        let credential = credential.split([',', ' ']).next()?;
        // From the right: nothing says that a key id holds no slash.
        let mut parts = credential.rsplitn(5, '/').skip(1);
        let service = parts.next()?.to_owned();
        let region = parts.next()?.to_owned();
        let key_id = parts.nth(1)?.to_owned();
        Some(Self {
            key_id,
            region,
            service,
        })
    }
}

/// A role's ARN as the principal of a call: what CloudTrail shows of it.
pub(super) fn as_principal(arn: &str, session: &str) -> String {
    match arn.split_once(":role/") {
        Some((_, path)) => {
            let account = arn.split(':').nth(4).unwrap_or(ACCOUNT);
            let role = path.rsplit('/').next().unwrap_or(path);
            format!("arn:aws:sts::{account}:assumed-role/{role}/{session}")
        }
        None => arn.to_owned(),
    }
}

/// The name that calls are counted under: the role of an assumed role, else the end of the ARN.
pub(super) fn role_name(caller: Option<&str>) -> &str {
    let Some(arn) = caller else { return ANONYMOUS };
    match arn.split_once(":assumed-role/") {
        Some((_, rest)) => rest.split('/').next().unwrap_or(rest),
        None => arn.rsplit([':', '/']).next().unwrap_or(arn),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_tells_key_region_and_service() {
        let mut headers = HeaderMap::new();
        assert_eq!(Scope::of(&headers), None);
        headers.insert(
            AUTHORIZATION,
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261122/eu-west-1/cognito-idp/aws4_request, SignedHeaders=host, Signature=00"
                .parse()
                .expect("a header"),
        );
        let scope = Scope::of(&headers).expect("signed");
        assert_eq!(
            (scope.key_id.as_str(), scope.region.as_str(), scope.service.as_str()),
            ("AKIDEXAMPLE", "eu-west-1", "cognito-idp")
        );
        headers.insert(AUTHORIZATION, "Bearer x".parse().expect("a header"));
        assert_eq!(Scope::of(&headers), None);
    }

    #[test]
    fn principals_and_roles() {
        let principal = as_principal("arn:aws:iam::111122223333:role/path/replicator", "fn");
        assert_eq!(principal, "arn:aws:sts::111122223333:assumed-role/replicator/fn");
        assert_eq!(role_name(Some(&principal)), "replicator");
        assert_eq!(role_name(Some("arn:aws:iam::111122223333:user/alice")), "alice");
        assert_eq!(role_name(None), "anonymous");
        assert_eq!(role_name(Some(OPERATOR)), "local-operator");
    }
}
