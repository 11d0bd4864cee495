//! A user of the backup, as the calls that make them again, and what of them cannot come back.
//!
//! Statuses: `FORCE_CHANGE_PASSWORD` stays, because such a user was invited and never came; an administrator invites them again.
//! `UNCONFIRMED` and `EXTERNAL_PROVIDER` are not made, nor is whoever got a password beside an outside identity and still has the
//! user name of that identity, which Cognito keeps for itself. Everybody else becomes `CONFIRMED` with a random
//! password, because only then `ForgotPassword` works for them.
//!
//! Invariant: a pure function of the record and the target's shape. A record never leads to a message to its user.

mod attributes;
pub(super) mod factors;
pub(super) mod links;
mod username;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

pub(super) use self::attributes::is_cognitos_own;
pub use self::links::{LINKS_MAX, of_federated};
use super::shape::{Shape, UserNames};
use crate::{
    personal::{Personal, Sub},
    user::UserRecord,
};

/// What becomes of a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Made again.
    Made(Box<Recreation>),
    /// Not made, for this reason.
    NotMade(NotMade),
}

/// How to make a user again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recreation {
    /// `sub` in the backup.
    pub sub: Sub,
    /// The [`super::ORIGINAL_SUB`] that the backup has of them, when the pool was itself rebuilt once: kept in the sub map.
    pub first: Option<Sub>,
    /// What `AdminCreateUser` is given as `Username`: the user's own name or, where the pool's user names are addresses or
    /// numbers, one of these. Every later call takes it as well.
    pub username: Personal,
    /// Attributes at creation, with [`super::ORIGINAL_SUB`], without what Cognito makes itself. None is empty.
    pub attributes: BTreeMap<String, Personal>,
    /// Attributes that Cognito takes only once the user is confirmed: a preferred user name that is an alias.
    pub later: BTreeMap<String, Personal>,
    /// Whether a random permanent password is set, without which `ForgotPassword` refuses; not for those who were invited and
    /// never signed in.
    pub password: bool,
    /// Whether `AdminCreateUser` has to be given a random `TemporaryPassword`: where users sign in by a code, an invited user
    /// would otherwise come out confirmed. Never together with [`Self::password`].
    pub temporary_password: bool,
    /// Whether the user may sign in. A user of whom the backup has no authoritative read may.
    pub enabled: bool,
    /// Groups that count.
    pub groups: BTreeSet<String>,
    /// Outside identities to link, at most [`LINKS_MAX`].
    pub links: Vec<Link>,
    /// MFA preference, as far as Cognito takes it.
    pub factors: Option<Preference>,
    /// What does not come back.
    pub losses: BTreeSet<Loss>,
}

/// An outside identity.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link {
    /// Name of the identity provider in the pool.
    pub provider: String,
    /// The user's id there.
    pub user_id: Personal,
}

/// An MFA preference that `AdminSetUserMFAPreference` takes without the user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preference {
    /// Text messages are a factor.
    pub sms: bool,
    /// E-mail messages are a factor.
    pub email: bool,
    /// The preferred one of these, by the name that Cognito shows (`SMS_MFA`, `EMAIL_OTP`).
    pub preferred: Option<String>,
}

/// Why a user is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotMade {
    /// Never confirmed: Cognito lets nobody make an unconfirmed user without a message to them. They sign up again.
    Unconfirmed,
    /// Known by the name of an outside identity alone: Cognito makes such a user at their next sign-in; then they are mended.
    FederatedOnly,
    /// The backup knows no user name yet.
    Nameless,
    /// The target's user names are addresses or numbers, and the backup has none that can be a user name.
    NoAddress,
}

/// What of a user does not come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Loss {
    /// Cognito shows nobody a password. Reset by `ForgotPassword`, or invited again who was invited only.
    Password,
    /// No verified address or number that the target resets passwords by: the user needs an administrator.
    NoWayToReset,
    /// An authenticator app has to be registered again.
    Totp,
    /// Passkeys have to be registered again.
    Passkey,
    /// An MFA preference that the target's settings do not take.
    FactorNotTaken,
    /// A status that cannot be set without a message to the user; see SEMANTICS.md.
    Status,
    /// More than five outside identities.
    LinkBeyondFive,
    /// An outside identity that the backup holds in a form that Cognito does not document.
    LinkUnreadable,
    /// An attribute that the target's schema does not have, or whose value it does not take.
    Attribute,
}

impl NotMade {
    /// Every reason.
    pub const ALL: [Self; 4] = [Self::Unconfirmed, Self::FederatedOnly, Self::Nameless, Self::NoAddress];

    /// Name in plans and reports, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::FederatedOnly => "federated-only",
            Self::Nameless => "nameless",
            Self::NoAddress => "no-address",
        }
    }

    /// What it means for the user, in a sentence for a report.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Unconfirmed => "never confirmed the sign-up; they sign up again",
            Self::FederatedOnly => {
                "has the user name of an outside identity; made at their next sign-in through it, then mended"
            }
            Self::Nameless => "the backup has no user name of them",
            Self::NoAddress => "has no address or number that can be a user name of the target",
        }
    }
}

impl Loss {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Password,
        Self::NoWayToReset,
        Self::Totp,
        Self::Passkey,
        Self::FactorNotTaken,
        Self::Status,
        Self::LinkBeyondFive,
        Self::LinkUnreadable,
        Self::Attribute,
    ];

    /// Name in plans and reports, the same as in JSON.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::NoWayToReset => "no-way-to-reset",
            Self::Totp => "totp",
            Self::Passkey => "passkey",
            Self::FactorNotTaken => "factor-not-taken",
            Self::Status => "status",
            Self::LinkBeyondFive => "link-beyond-five",
            Self::LinkUnreadable => "link-unreadable",
            Self::Attribute => "attribute",
        }
    }

    /// What it means for the user, in a sentence for a report.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Password => "passwords cannot be read; reset by forgot-password, or invite again who never came",
            Self::NoWayToReset => "no verified address or number to reset the password by; needs an administrator",
            Self::Totp => "an authenticator app cannot be restored; register it again",
            Self::Passkey => "passkeys cannot be restored; register them again",
            Self::FactorNotTaken => "an MFA preference that the target's settings do not take",
            Self::Status => "a status that cannot be set without a message to the user; becomes CONFIRMED",
            Self::LinkBeyondFive => "Cognito links at most five outside identities",
            Self::LinkUnreadable => "an outside identity that cannot be read from the backup",
            Self::Attribute => "an attribute that the target's schema does not have or does not take",
        }
    }
}

/// How the user of `record` is made in a pool of the shape `target`, with these of their `groups`
/// ([`super::select::effective`]).
///
/// The target is assumed to have [`super::ORIGINAL_SUB`]; a plan refuses one that cannot ([`Shape::marker`]).
#[must_use]
pub fn recreate(record: &UserRecord, groups: BTreeSet<String>, target: &Shape) -> Fate {
    let status = record.status.as_ref().map(|facet| facet.data.as_str());
    match status {
        Some("UNCONFIRMED") => return Fate::NotMade(NotMade::Unconfirmed),
        Some("EXTERNAL_PROVIDER") => return Fate::NotMade(NotMade::FederatedOnly),
        _ => {}
    }
    let Some(known) = record.attributes.as_ref().map(|facet| &facet.data) else {
        return Fate::NotMade(NotMade::Nameless);
    };
    let username = match username::choose(known, target) {
        Ok(username) => username,
        Err(reason) => return Fate::NotMade(reason),
    };
    if target.names == UserNames::Own && username::is_reserved(known) {
        return Fate::NotMade(NotMade::FederatedOnly);
    }
    let mut losses = BTreeSet::from([Loss::Password]);
    let given = attributes::give(&record.sub, &known.values, target, &mut losses);
    let links = links::read(known.values.get(links::ATTRIBUTE), &mut losses);
    let factors = factors::prefer(record, &given.at_creation, target, &mut losses);
    let invited = status == Some("FORCE_CHANGE_PASSWORD");
    if !invited && status != Some("CONFIRMED") {
        losses.insert(Loss::Status);
    }
    if !invited && !factors::can_reset(&given.at_creation, factors.as_ref(), target) {
        losses.insert(Loss::NoWayToReset);
    }
    Fate::Made(Box::new(Recreation {
        sub: record.sub.clone(),
        first: given.first,
        username,
        attributes: given.at_creation,
        later: given.later,
        password: !invited,
        temporary_password: invited && target.signs_in_by_code(),
        enabled: record.account.as_ref().is_none_or(|facet| facet.data.enabled),
        groups,
        links,
        factors,
        losses,
    }))
}
