//! What the double knows of an operation: who may call it, what it takes, what is missing. The tables themselves are in
//! [`super::operations_table`] and [`super::configuration_table`].
//!
//! Invariant: an operation of AWS or a member that is not in these tables is answered with `LocalcloudUnsupported`.

use std::fmt::Write;

use serde_json::Value;

use super::ApiError;
use super::configuration_table::CONFIGURATION;
use super::errors::{Answer, unknown_operation, unsupported};
use super::operations_table::OPERATIONS;
use super::request::Request;

/// How a caller proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Auth {
    /// AWS signature.
    Signed,
    /// App client id (and secret hash).
    Client,
    /// Access token of a user.
    Token,
}

pub(crate) struct Operation {
    pub(crate) name: &'static str,
    pub(crate) handler: Handler,
    pub(crate) auth: Auth,
    pub(crate) mutates: bool,
    /// Members that are carried out or stored.
    pub(crate) members: &'static [&'static str],
    /// More of them: the settings that creating and updating share.
    pub(crate) settings: &'static [&'static str],
    /// What is missing or differs; empty = supported as documented.
    pub(crate) note: &'static str,
    /// Records of the hosted pages in place of the API call's own record.
    pub(crate) service_events: &'static [&'static str],
}

/// Members that are accepted everywhere and change nothing but the triggers' `clientMetadata`.
const INERT: &[&str] = &[
    "ClientMetadata",
    "ValidationData",
    "AnalyticsMetadata",
    "UserContextData",
    "ContextData",
];

pub(crate) type Handler = fn(&mut Request<'_>) -> Answer<Value>;

pub(crate) const fn entry(
    name: &'static str,
    handler: Handler,
    auth: Auth,
    mutates: bool,
    members: &'static [&'static str],
    note: &'static str,
) -> Operation {
    Operation {
        name,
        handler,
        auth,
        mutates,
        members,
        settings: &[],
        note,
        service_events: &[],
    }
}

pub(crate) const fn with_settings(settings: &'static [&'static str], operation: Operation) -> Operation {
    Operation { settings, ..operation }
}

pub(crate) const fn hosted(
    name: &'static str,
    handler: Handler,
    auth: Auth,
    members: &'static [&'static str],
    note: &'static str,
    service_events: &'static [&'static str],
) -> Operation {
    Operation {
        name,
        handler,
        auth,
        mutates: true,
        members,
        settings: &[],
        note,
        service_events,
    }
}

/// The other operations of AWS's model, by what they are about.
const NOT_SUPPORTED: &[(&[&str], &str)] = &[
    (
        &[
            "AdminForgetDevice",
            "AdminGetDevice",
            "AdminListDevices",
            "AdminUpdateDeviceStatus",
            "ConfirmDevice",
            "ForgetDevice",
            "GetDevice",
            "ListDevices",
            "UpdateDeviceStatus",
        ],
        "remembered devices",
    ),
    (
        &[
            "AdminListUserSessions",
            "AdminRevokeUserSession",
            "ListUserSessions",
            "RevokeUserSession",
        ],
        "sessions of a user",
    ),
    (
        &[
            "AdminGetUserAuthFactors",
            "AdminSetUserSettings",
            "CompleteWebAuthnRegistration",
            "DeleteWebAuthnCredential",
            "GetUserAuthFactors",
            "ListWebAuthnCredentials",
            "SetUserSettings",
            "StartWebAuthnRegistration",
        ],
        "passkeys and other factors",
    ),
    (
        &[
            "AdminListUserAuthEvents",
            "AdminUpdateAuthEventFeedback",
            "UpdateAuthEventFeedback",
        ],
        "events of threat protection",
    ),
    (
        &["GetClientToken", "GetDerivedToken", "GetTokensFromRefreshToken"],
        "other ways to tokens, as USER_SRP_AUTH, CUSTOM_AUTH, USER_AUTH, EMAIL_OTP and MFA_SETUP",
    ),
    (&["GetSigningCertificate"], "SAML signing"),
];

/// Every operation that the double carries out.
pub(crate) fn all() -> impl Iterator<Item = &'static Operation> {
    OPERATIONS.iter().chain(CONFIGURATION)
}

pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    all().find(|operation| operation.name == name)
}

/// Why an operation was not found: AWS has it and the double does not, or there is none.
pub(crate) fn not_found(name: &str) -> ApiError {
    if NOT_SUPPORTED.iter().any(|(names, _)| names.contains(&name)) {
        unsupported(format!("the operation {name}"))
    } else {
        unknown_operation()
    }
}

/// Refuses members that the double would have to ignore.
pub(crate) fn check_members(operation: &Operation, input: &Value) -> Answer<()> {
    let known = |member: &str| {
        operation.members.contains(&member) || operation.settings.contains(&member) || INERT.contains(&member)
    };
    let members = input
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null());
    match members.map(|(member, _)| member).find(|member| !known(member)) {
        Some(member) => Err(unsupported(format!("the member {member} of {}", operation.name))),
        None => Ok(()),
    }
}

/// What the double supports, as a Markdown table for the documentation.
pub fn support_table() -> String {
    let mut table = String::from("| Operation | Called with | Writes | Supported | Note |\n|---|---|---|---|---|\n");
    for operation in all() {
        let auth = match operation.auth {
            Auth::Signed => "signature",
            Auth::Client => "app client",
            Auth::Token => "access token",
        };
        let writes = if operation.mutates { "yes" } else { "no" };
        let support = if operation.note.is_empty() { "yes" } else { "partly" };
        // Writing into a String cannot fail.
        let _ = writeln!(
            table,
            "| {} | {auth} | {writes} | {support} | {} |",
            operation.name, operation.note
        );
    }
    for (names, note) in NOT_SUPPORTED {
        let names = names.join(", ");
        let _ = writeln!(
            table,
            "| {names} | | | no | {note}: answered with `LocalcloudUnsupported` |"
        );
    }
    table
}
