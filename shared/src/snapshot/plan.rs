//! The calls that show a pool's whole configuration, as data.
//!
//! Lambda triggers are in `DescribeUserPool`; groups are records of their own ([`crate::group`]). What it costs, for a pool
//! with c app clients, i identity providers, t terms documents and d domains (at most two), by operation:
//!
//! | operation | calls |
//! |---|---|
//! | `DescribeUserPool`, `GetUserPoolMfaConfig`, `GetLogDeliveryConfiguration`, `GetUserPoolSessionConfiguration`, `ListTagsForResource`, `ListUserPoolReplicas`, `GetUICustomization` | 1 each |
//! | `GetProvisionedLimit` | 6, at 1 RPS |
//! | `DescribeUserPoolDomain` | d |
//! | `ListIdentityProviders`, `ListResourceServers`, `ListTerms` | 1 each for up to 60, 50, 60 entries |
//! | `DescribeIdentityProvider`, `DescribeTerms` | i, t |
//! | `ListUserPoolClients`, `DescribeUserPoolClient` | c/60, c |
//! | `ListUserPoolClientSecrets` | one for each client that has a secret |
//! | `DescribeManagedLoginBrandingByClient` | c, when a domain has managed login |
//! | `GetUICustomization` | c, when a domain has the classic hosted UI |
//! | `DescribeRiskConfiguration` | 1 + c, when threat protection is on |
//! | `GetUserPoolClientSessionConfiguration` | c, when session tracking is on |
//!
//! So 17 calls for a bare pool, and one to six more for an app client. A member that is missing from its list is asked for by
//! name, and so is the pool once more when anything is gone. By category of [`crate::quota`]: `UserPoolRead` 1, `LimitManagement`
//! 6, `UserPoolResourceRead` 9 + d + i + t and up to 2c (+ 1), `UserPoolClientRead` c/60 and c to 3c.
//!
//! Source of operations, inputs and members: the API reference of Amazon Cognito user pools, 2016-04-18.
//!
//! Invariant: every operation here reads.

mod lists;

use serde_json::{Value, json};

pub use self::lists::{DOMAIN, Describe, LISTINGS, Listing};
use super::POOL_LEVEL;
use crate::marks::Part;

/// Which errors say that nothing is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absence {
    /// None: every pool has it. "Not found" is said about the pool.
    Never,
    /// "Not found" is said about this one member.
    NotFound,
    /// The same, and a tier, Region or pool may lack the whole feature. An empty answer says nothing is set.
    Feature,
}

/// A call that shows one member for the pool as a whole.
#[derive(Clone, Copy, Debug)]
pub struct Single {
    /// The part that it shows.
    pub part: Part,
    /// The operation; its input is the pool id.
    pub operation: &'static str,
    /// The member of the answer that is kept; `None` keeps the whole answer.
    pub keep: Option<&'static str>,
    /// Which errors say that nothing is there.
    pub absence: Absence,
}

/// The root: nothing else is asked before it is answered.
pub const POOL: Single = single(Part::Pool, "DescribeUserPool", Some("UserPool"), Absence::Never);

/// Asked for every pool.
pub const SINGLES: [Single; 4] = [
    single(Part::Mfa, "GetUserPoolMfaConfig", None, Absence::Never),
    single(
        Part::LogDelivery,
        "GetLogDeliveryConfiguration",
        Some("LogDeliveryConfiguration"),
        Absence::Feature,
    ),
    single(
        Part::Sessions,
        "GetUserPoolSessionConfiguration",
        None,
        Absence::Feature,
    ),
    single(
        Part::UiCustomization,
        "GetUICustomization",
        Some("UICustomization"),
        Absence::Feature,
    ),
];

/// Asked when threat protection is on.
pub const RISK: Single = single(
    Part::Risk,
    "DescribeRiskConfiguration",
    Some("RiskConfiguration"),
    Absence::Feature,
);

const fn single(part: Part, operation: &'static str, keep: Option<&'static str>, absence: Absence) -> Single {
    Single {
        part,
        operation,
        keep,
        absence,
    }
}

/// When a call is made for each app client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// A domain has managed login.
    ManagedLogin,
    /// A domain has the classic hosted UI.
    ClassicUi,
    /// Threat protection is on.
    ThreatProtection,
    /// Session tracking is on.
    SessionTracking,
}

/// A call that shows what one app client has of its own.
#[derive(Clone, Copy, Debug)]
pub struct OfClient {
    /// The part.
    pub part: Part,
    /// The operation; its input is pool id and client id.
    pub operation: &'static str,
    /// The member of the answer that is kept; `None` keeps the whole answer.
    pub keep: Option<&'static str>,
    /// When it is made. It is made anyway when the part is marked.
    pub when: When,
    /// Whether a client without settings of its own is answered with the pool's, told by another `ClientId`.
    pub falls_back: bool,
}

/// Asked for each app client.
pub const OF_CLIENT: [OfClient; 4] = [
    OfClient {
        part: Part::Branding,
        operation: "DescribeManagedLoginBrandingByClient",
        keep: Some("ManagedLoginBranding"),
        when: When::ManagedLogin,
        falls_back: false,
    },
    OfClient {
        part: Part::UiCustomization,
        operation: "GetUICustomization",
        keep: Some("UICustomization"),
        when: When::ClassicUi,
        falls_back: true,
    },
    OfClient {
        part: Part::Risk,
        operation: "DescribeRiskConfiguration",
        keep: Some("RiskConfiguration"),
        when: When::ThreatProtection,
        falls_back: true,
    },
    OfClient {
        part: Part::Sessions,
        operation: "GetUserPoolClientSessionConfiguration",
        keep: None,
        when: When::SessionTracking,
        falls_back: false,
    },
];

/// Tells that an app client has two secrets; it never shows them. Asked for a client that has a secret.
pub const CLIENT_SECRETS: &str = "ListUserPoolClientSecrets";
/// The pool's tags, by its ARN.
pub const TAGS: &str = "ListTagsForResource";
/// One category's quota.
pub const LIMIT: &str = "GetProvisionedLimit";
/// The categories whose quota can be bought.
pub const LIMIT_CATEGORIES: [&str; 6] = [
    "UserAuthentication",
    "UserCreation",
    "UserFederation",
    "UserRead",
    "UserResourceRead",
    "UserToken",
];

/// Name of the member that tells of a client's secrets.
#[must_use]
pub fn secrets_of(client: &str) -> String {
    format!("{client}{SECRETS_SUFFIX}")
}

const SECRETS_SUFFIX: &str = "/secrets";

/// The list that says whether a member still exists, and the name to look for in it; `None` for what goes with the pool alone.
#[must_use]
pub fn listed(part: Part, name: &str) -> Option<(Part, &str)> {
    match part {
        Part::Clients => Some((part, name.strip_suffix(SECRETS_SUFFIX).unwrap_or(name))),
        Part::Domain => Some((part, name)),
        _ if OF_CLIENT.iter().any(|call| call.part == part) => (name != POOL_LEVEL).then_some((Part::Clients, name)),
        _ => LISTINGS
            .iter()
            .any(|listing| listing.part == part)
            .then_some((part, name)),
    }
}

/// How a member of `part` is asked for by name.
#[must_use]
pub fn describe(part: Part) -> Option<Describe> {
    if part == Part::Domain {
        return Some(DOMAIN);
    }
    LISTINGS.iter().find(|listing| listing.part == part)?.describe
}

/// Input that is the pool alone.
#[must_use]
pub fn of_pool(pool: &str) -> Value {
    json!({"UserPoolId": pool})
}

/// Input that is an app client of the pool.
#[must_use]
pub fn of_client(pool: &str, client: &str) -> Value {
    json!({"UserPoolId": pool, "ClientId": client})
}
