//! Marks: what the reconciler has to look at, because an event said that it changed and carries nothing of it.
//!
//! Invariant: a mark only moves forward in time, and is cleared by nobody but the reconciler.

use serde::{Deserialize, Serialize};

/// A part of a pool's configuration, or its users as a whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// The pool's own settings and schema.
    Pool,
    /// MFA configuration.
    Mfa,
    /// App clients and their secrets.
    Clients,
    /// Identity providers.
    IdentityProviders,
    /// Resource servers.
    ResourceServers,
    /// Domains.
    Domain,
    /// Managed-login branding.
    Branding,
    /// Terms documents.
    Terms,
    /// Classic hosted-UI customisation.
    UiCustomization,
    /// Threat protection.
    Risk,
    /// Log delivery.
    LogDelivery,
    /// Session configuration.
    Sessions,
    /// Tags.
    Tags,
    /// Native replicas (multi-Region replication).
    Replicas,
    /// Provisioned quotas of the account.
    Limits,
    /// Import jobs, and events that name no user: some user changed, and only a walk shows which.
    Users,
}

impl Part {
    /// Every part.
    pub const ALL: [Self; 16] = [
        Self::Pool,
        Self::Mfa,
        Self::Clients,
        Self::IdentityProviders,
        Self::ResourceServers,
        Self::Domain,
        Self::Branding,
        Self::Terms,
        Self::UiCustomization,
        Self::Risk,
        Self::LogDelivery,
        Self::Sessions,
        Self::Tags,
        Self::Replicas,
        Self::Limits,
        Self::Users,
    ];

    /// Name in keys and messages, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Mfa => "mfa",
            Self::Clients => "clients",
            Self::IdentityProviders => "identity-providers",
            Self::ResourceServers => "resource-servers",
            Self::Domain => "domain",
            Self::Branding => "branding",
            Self::Terms => "terms",
            Self::UiCustomization => "ui-customization",
            Self::Risk => "risk",
            Self::LogDelivery => "log-delivery",
            Self::Sessions => "sessions",
            Self::Tags => "tags",
            Self::Replicas => "replicas",
            Self::Limits => "limits",
            Self::Users => "users",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_in_keys_and_in_json() {
        for part in Part::ALL {
            assert_eq!(serde_json::to_value(part).unwrap(), part.as_str());
        }
    }
}
