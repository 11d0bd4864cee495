//! Rebuilding a pool from its backup: decisions only.
//!
//! * What an import will do, fixed before it does anything: [`plan`], and how long it takes: [`estimate`].
//! * The configuration as calls: [`configure`], rewritten by a [`mapping`] file, laid over an existing target: [`patch`].
//! * Whom an import makes, and in which order: [`select`]; in which pool: [`shape`].
//! * What a user is made of again, and what cannot come back: [`recreate`]; as the file of an import job: [`csv`].
//! * What the target has to show of a user afterwards: [`expect`]; whose `sub` became which: [`sub_map`].
//! * What a user found in the target lacks: [`adopt`]; how far an import has come: [`progress`]; random [`password`]s.
//!
//! Invariant: nothing here sends a message to a user, and nothing that is wanted in the target makes Cognito send one.

pub mod adopt;
pub mod configure;
pub mod csv;
pub mod estimate;
pub mod expect;
pub mod mapping;
pub mod pairs;
pub mod password;
pub mod patch;
pub mod plan;
pub mod progress;
pub mod recreate;
pub mod select;
pub mod shape;
pub mod sub_map;

/// The attribute of the target that holds the `sub` of the backup: the marker by which a user is found again.
pub const ORIGINAL_SUB: &str = "custom:original_sub";

/// Operations that change a pool and end in the same state when they come twice, the second time possibly with a refusal that
/// says so: an attempt whose answer was lost may be repeated. Whatever makes something is not among them: it is looked for by
/// its marker first. Nor is `AdminSetUserPassword`: once it is carried out the person may choose a password, which a second one
/// would overwrite.
pub const REPEATABLE: [&str; 21] = [
    "AdminAddUserToGroup",
    "AdminDisableUser",
    "AdminSetUserMFAPreference",
    "AdminUpdateUserAttributes",
    "DeleteUserPool",
    "DeleteUserPoolDomain",
    "SetLogDeliveryConfiguration",
    "SetRiskConfiguration",
    "SetUICustomization",
    "SetUserPoolClientSessionConfiguration",
    "SetUserPoolMfaConfig",
    "SetUserPoolSessionConfiguration",
    "StartUserImportJob",
    "UpdateGroup",
    "UpdateIdentityProvider",
    "UpdateManagedLoginBranding",
    "UpdateResourceServer",
    "UpdateTerms",
    "UpdateUserPool",
    "UpdateUserPoolClient",
    "UpdateUserPoolDomain",
];

/// Whether `operation` is one of [`REPEATABLE`].
#[must_use]
pub fn repeatable(operation: &str) -> bool {
    REPEATABLE.contains(&operation)
}
