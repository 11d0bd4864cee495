//! A step: one call, and when it is made.
//!
//! Invariant: an input never holds the ids of the new pool and of the new app clients; they are put in when a call is made.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::{
    canon::content_hash,
    error::{Error, ErrorKind},
    marks::Part,
    snapshot::{Json, POOL_LEVEL},
};

/// When a step is carried out, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The pool itself, with all that cannot be changed later.
    Pool,
    /// Domains.
    Domains,
    /// MFA configuration, whose relying party may be a domain.
    Mfa,
    /// Resource servers.
    ResourceServers,
    /// Identity providers.
    IdentityProviders,
    /// App clients.
    Clients,
    /// Managed-login branding.
    Branding,
    /// Terms documents.
    Terms,
    /// Classic hosted-UI customisation.
    UserInterface,
    /// Threat protection.
    Risk,
    /// Log delivery.
    LogDelivery,
    /// Session configuration.
    Sessions,
    /// Groups.
    Groups,
    /// Lambda triggers that the making of a user does not fire.
    Triggers,
    /// What lets people in beside the import, after the users: sign-up and its triggers.
    SignUp,
    /// Outside providers of app clients, after the triggers that guard them.
    OutsideSignIn,
}

impl Phase {
    /// Name in plans and reports, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pool => "pool",
            Self::Mfa => "mfa",
            Self::Domains => "domains",
            Self::ResourceServers => "resource-servers",
            Self::IdentityProviders => "identity-providers",
            Self::Clients => "clients",
            Self::Branding => "branding",
            Self::Terms => "terms",
            Self::UserInterface => "user-interface",
            Self::Risk => "risk",
            Self::LogDelivery => "log-delivery",
            Self::Sessions => "sessions",
            Self::Groups => "groups",
            Self::Triggers => "triggers",
            Self::SignUp => "sign-up",
            Self::OutsideSignIn => "outside-sign-in",
        }
    }

    /// Whether it waits for the users.
    #[must_use]
    pub fn is_after_users(self) -> bool {
        matches!(self, Self::SignUp | Self::OutsideSignIn)
    }
}

/// One call that makes or changes something.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// When it is carried out.
    pub phase: Phase,
    /// The operation.
    pub operation: &'static str,
    /// What it makes or changes, for people: a client's name, a provider's, a group's. Never a secret.
    pub subject: String,
    /// The app client that it makes or is about, by its id in the backup.
    pub client: Option<String>,
    /// The input without the ids of the new pool and client. May hold secrets.
    pub input: Json,
}

impl Step {
    /// The part of a configuration that it sets; `None` for a group.
    #[must_use]
    pub fn part(&self) -> Option<Part> {
        Some(match self.phase {
            Phase::Groups => return None,
            Phase::Pool | Phase::Triggers | Phase::SignUp => Part::Pool,
            Phase::Mfa => Part::Mfa,
            Phase::Domains => Part::Domain,
            Phase::ResourceServers => Part::ResourceServers,
            Phase::IdentityProviders => Part::IdentityProviders,
            Phase::Clients | Phase::OutsideSignIn => Part::Clients,
            Phase::Branding => Part::Branding,
            Phase::Terms => Part::Terms,
            Phase::UserInterface => Part::UiCustomization,
            Phase::Risk => Part::Risk,
            Phase::LogDelivery => Part::LogDelivery,
            Phase::Sessions => Part::Sessions,
        })
    }

    /// Where what it sets stands in the backup: part and member.
    #[must_use]
    pub fn path(&self) -> String {
        let part = self.part().map_or("groups", Part::as_str);
        let name = match self.phase {
            Phase::Pool | Phase::Triggers | Phase::SignUp => POOL_LEVEL,
            Phase::Terms => &self.subject,
            _ => self.client.as_ref().unwrap_or(&self.subject),
        };
        format!("{part}/{name}")
    }

    /// Digest of the step: equal digest, equal call.
    #[must_use]
    pub fn digest(&self) -> String {
        let Self {
            phase,
            operation,
            subject,
            client,
            input,
        } = self;
        content_hash(&(phase, operation, subject, client, input)).to_string()
    }

    /// The input as it is sent: with the id of the pool and, when the step is about an app client that was made, with the
    /// client's new id.
    ///
    /// # Errors
    /// `NotFound` when the client was not made.
    pub fn call_input(&self, pool: &str, clients: &BTreeMap<String, String>) -> Result<Value, Error> {
        let mut input = self.input.expose().clone();
        if self.operation != CREATE_POOL {
            input["UserPoolId"] = json!(pool);
        }
        if let Some(old) = self.client.as_deref().filter(|_| self.operation != CREATE_CLIENT) {
            let new = clients.get(old).ok_or_else(|| {
                let what = format!(
                    "cognito-idp:{} needs the app client {old}, which was not made",
                    self.operation
                );
                Error::new(ErrorKind::NotFound, what)
            })?;
            input["ClientId"] = json!(new);
        }
        Ok(input)
    }
}

/// Makes the pool.
pub const CREATE_POOL: &str = "CreateUserPool";
/// Makes an app client.
pub const CREATE_CLIENT: &str = "CreateUserPoolClient";
/// Adds custom attributes.
pub const ADD_ATTRIBUTES: &str = "AddCustomAttributes";
/// Changes the pool. Its step holds what changes; the call has to say everything else again, see [`super::update_input`].
pub const UPDATE_POOL: &str = "UpdateUserPool";
/// Changes an app client. Its step after the users holds what changes; the call has to say everything else again, see
/// [`super::super::patch::update_client_input`].
pub const UPDATE_CLIENT: &str = "UpdateUserPoolClient";
/// Makes a domain.
pub(super) const CREATE_DOMAIN: &str = "CreateUserPoolDomain";
/// Sets the look of the classic hosted UI.
pub(super) const SET_USER_INTERFACE: &str = "SetUICustomization";
/// Makes a group.
pub const CREATE_GROUP: &str = "CreateGroup";
