//! The parts of an ARN that decide where a resource is.
//!
//! Source: the AWS General Reference, "Amazon Resource Names": `arn:partition:service:region:account-id:resource`.
//!
//! Invariant: reads only; whether a resource exists is not known here.

/// An ARN, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arn<'a> {
    partition: &'a str,
    /// The service.
    pub(super) service: &'a str,
    /// The Region; empty for what has none in its name.
    pub(super) region: &'a str,
    /// The account; empty for what has none in its name.
    pub(super) account: &'a str,
    resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Reads `text` when it is one ARN and nothing else.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        if text.contains(char::is_whitespace) {
            return None;
        }
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next();
        let (prefix, partition, service) = (part()?, part()?, part()?);
        let (region, account, resource) = (part()?, part()?, part()?);
        let is_arn = prefix == "arn" && partition.starts_with("aws") && !service.is_empty() && !resource.is_empty();
        is_arn.then_some(Self {
            partition,
            service,
            region,
            account,
            resource,
        })
    }

    /// The same resource in another Region.
    pub(super) fn in_region(self, region: &str) -> String {
        let Self {
            partition,
            service,
            account,
            resource,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }

    /// The same resource in another account.
    pub(super) fn in_account(self, account: &str) -> String {
        let Self {
            partition,
            service,
            region,
            resource,
            ..
        } = self;
        format!("arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}
