//! What the double knows of an operation: who may call it, what it takes, what is missing. The table itself is in
//! [`super::operations_table`].
//!
//! Invariant: an operation or member that is not in this table is answered with `LocalcloudUnsupported`.

use std::fmt::Write;

use serde_json::Value;

use super::errors::{Answer, unsupported};
pub(crate) use super::operations_table::OPERATIONS;
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
    pub(crate) handler: fn(&mut Request<'_>) -> Answer<Value>,
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

type Handler = fn(&mut Request<'_>) -> Answer<Value>;

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

/// Operations that were left out on purpose, for the documentation.
const NOT_SUPPORTED: &[&str] = &[
    "CreateIdentityProvider, DescribeIdentityProvider, UpdateIdentityProvider, DeleteIdentityProvider, ListIdentityProviders",
    "CreateResourceServer, DescribeResourceServer, UpdateResourceServer, DeleteResourceServer, ListResourceServers",
    "CreateUserPoolDomain, DescribeUserPoolDomain, UpdateUserPoolDomain, DeleteUserPoolDomain",
    "GetCSVHeader, CreateUserImportJob, StartUserImportJob, StopUserImportJob, DescribeUserImportJob, ListUserImportJobs",
    "AdminListDevices and the other device operations, AdminListUserAuthEvents, AdminGetUserAuthFactors",
    "passkeys, USER_SRP_AUTH, CUSTOM_AUTH, USER_AUTH, EMAIL_OTP and MFA_SETUP challenges, GetTokensFromRefreshToken",
    "risk, user interface, log delivery and tagging settings, multi-Region replicas",
];

pub(crate) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
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
    for operation in OPERATIONS {
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
    for names in NOT_SUPPORTED {
        let _ = writeln!(table, "| {names} | | | no | answered with `LocalcloudUnsupported` |");
    }
    table
}
