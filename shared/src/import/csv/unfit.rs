//! Who does not go by a CSV file, and why.
//!
//! Invariant: a disabled user never goes by the file. A job makes everybody enabled, and until the call that disables them they
//! could reset their password and sign in.

use serde::{Deserialize, Serialize};

use crate::import::{recreate::Recreation, shape::Shape};

/// Why a user goes by the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// The pool verifies no attribute automatically; no job would start.
    PoolVerifiesNothing,
    /// None of the attributes that the pool verifies automatically is verified.
    NothingVerified,
    /// A required attribute is missing.
    RequiredMissing,
    /// A job would make them enabled.
    Disabled,
    /// They were invited and never came; a job would make them a user who has a password to reset.
    Invited,
    /// They have outside identities; these are linked to users that the API made.
    Linked,
    /// They have an attribute that is set once they are confirmed.
    Later,
    /// They have an attribute without a column.
    NoColumn,
    /// A value has characters of which the rules do not say how they are read, or a user name has white space.
    Characters,
    /// A date of birth that is no date.
    Birthdate,
    /// The row is longer than [`super::ROW_CHARS_MAX`].
    RowTooLong,
}

impl Unfit {
    /// Name in plans and reports, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PoolVerifiesNothing => "pool-verifies-nothing",
            Self::NothingVerified => "nothing-verified",
            Self::RequiredMissing => "required-missing",
            Self::Disabled => "disabled",
            Self::Invited => "invited",
            Self::Linked => "linked",
            Self::Later => "later",
            Self::NoColumn => "no-column",
            Self::Characters => "characters",
            Self::Birthdate => "birthdate",
            Self::RowTooLong => "row-too-long",
        }
    }
}

/// Everything that does not depend on how a row is written.
pub(super) fn check(user: &Recreation, target: &Shape) -> Result<(), Unfit> {
    let is_verified = |address: &String| {
        let flag = user.attributes.get(&format!("{address}_verified"));
        flag.is_some_and(|flag| flag.expose() == "true") && user.attributes.contains_key(address)
    };
    let mut required = target.schema.iter().filter(|(_, attribute)| attribute.required);
    let reasons = [
        (target.auto_verified.is_empty(), Unfit::PoolVerifiesNothing),
        (!user.enabled, Unfit::Disabled),
        (!user.password, Unfit::Invited),
        (!user.links.is_empty(), Unfit::Linked),
        (!user.later.is_empty(), Unfit::Later),
        (!target.auto_verified.iter().any(is_verified), Unfit::NothingVerified),
        (
            required.any(|(name, _)| name != "sub" && !user.attributes.contains_key(name)),
            Unfit::RequiredMissing,
        ),
    ];
    match reasons.into_iter().find(|(applies, _)| *applies) {
        Some((_, reason)) => Err(reason),
        None => Ok(()),
    }
}
