//! What the target has to show of a user after the import.
//!
//! Invariant: a difference names fields and never values, and every difference is either expected, with its reason, or not.

mod attributes;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::recreate::{
    Fate, Loss, NotMade, Recreation,
    factors::{EMAIL, SMS},
    links,
};
use crate::{observation::UserRead, personal::Sub, user::Factors};

/// By which way a user was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    /// `AdminCreateUser`.
    Api,
    /// An import job.
    Csv,
}

/// A user of the target.
#[derive(Clone, Copy, Debug)]
pub struct Found<'a> {
    /// `sub` in the target.
    pub sub: &'a Sub,
    /// What `ListUsers` shows.
    pub user: &'a UserRead,
    /// Names of the user's groups.
    pub groups: &'a BTreeSet<String>,
    /// Whether the target tells user names apart by case.
    pub case_sensitive: bool,
    /// MFA settings, where they were read: that bills the user as active.
    pub factors: Option<&'a Factors>,
}

/// A difference between a user of the backup and of the target.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Difference {
    /// `user`, `username`, `status`, `enabled`, `factors`, `groups/{name}`, `identities/{provider}`, or the attribute's name.
    pub field: String,
    /// How the target differs.
    pub what: What,
    /// Whether it has to be so.
    pub verdict: Verdict,
}

/// How the target differs from the backup.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// The target does not have it.
    Missing,
    /// The target has something else.
    Differs,
    /// Only the target has it.
    Extra,
}

/// Whether a difference has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It has to be, for this reason.
    Expected(Reason),
    /// It is a failure of the import, or somebody changed the target.
    Unexpected,
}

/// Why a difference has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// It cannot come back.
    Loss(Loss),
    /// The user is not made.
    NotMade(NotMade),
    /// Import jobs leave users who have to reset their password before they sign in.
    ResetRequired,
    /// Import jobs take dates of birth in another form.
    BirthdateForm,
    /// Import jobs make text messages a factor where the pool demands one; the column is left blank.
    MfaOfPool,
}

impl Reason {
    /// Name in reports.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Loss(loss) => loss.as_str(),
            Self::NotMade(reason) => reason.as_str(),
            Self::ResetRequired => "reset-required",
            Self::BirthdateForm => "birthdate-form",
            Self::MfaOfPool => "mfa-of-pool",
        }
    }

    /// What it means for the user, in a sentence for a report.
    #[must_use]
    pub fn explanation(self) -> &'static str {
        match self {
            Self::Loss(loss) => loss.explanation(),
            Self::NotMade(reason) => reason.explanation(),
            Self::ResetRequired => "an import job leaves the status RESET_REQUIRED; forgot-password ends it",
            Self::BirthdateForm => "an import job takes dates of birth as mm/dd/yyyy",
            Self::MfaOfPool => "an import job gives users the factor that the pool demands",
        }
    }
}

/// Compares what was to become of a user with what the target has of them.
///
/// A user who was not made and is there all the same made themselves meanwhile, by signing up or in: no difference.
#[must_use]
pub fn compare(fate: &Fate, way: Way, found: Option<&Found<'_>>) -> Vec<Difference> {
    let missing = |verdict| vec![difference("user", What::Missing, verdict)];
    match (fate, found) {
        (Fate::Made(wanted), Some(found)) => compare_user(wanted, way, found),
        (Fate::Made(_), None) => missing(Verdict::Unexpected),
        (Fate::NotMade(reason), None) => missing(Verdict::Expected(Reason::NotMade(*reason))),
        (Fate::NotMade(_), Some(_)) => Vec::new(),
    }
}

/// Compares a user who was made. Losses are listed as expected differences, whether or not the target could show them.
#[must_use]
pub fn compare_user(wanted: &Recreation, way: Way, found: &Found<'_>) -> Vec<Difference> {
    let mut differences: Vec<Difference> = wanted.losses.iter().map(|loss| lost(*loss)).collect();
    differences.extend(username(wanted, found));
    differences.extend(status(wanted, way, found));
    if wanted.enabled != found.user.account.enabled {
        differences.push(difference("enabled", What::Differs, Verdict::Unexpected));
    }
    attributes::compare(wanted, way, found, &mut differences);
    sets("groups", &wanted.groups, found.groups, &mut differences);
    identities(wanted, found, &mut differences);
    differences.extend(factors(wanted, way, found));
    differences
}

fn difference(field: impl Into<String>, what: What, verdict: Verdict) -> Difference {
    let field = field.into();
    Difference { field, what, verdict }
}

/// The field that a loss is about.
fn lost(loss: Loss) -> Difference {
    let (field, what) = match loss {
        Loss::Password | Loss::NoWayToReset => ("password", What::Missing),
        Loss::Totp | Loss::Passkey | Loss::FactorNotTaken => ("factors", What::Missing),
        Loss::Status => ("status", What::Differs),
        Loss::LinkBeyondFive | Loss::LinkUnreadable => ("identities", What::Missing),
        Loss::Attribute => ("attributes", What::Missing),
    };
    difference(field, what, Verdict::Expected(Reason::Loss(loss)))
}

/// Where Cognito makes the names itself, a user's name is their `sub`. No user of their own name has that one.
fn username(wanted: &Recreation, found: &Found<'_>) -> Option<Difference> {
    let name = found.user.attributes.username.expose();
    let wanted = wanted.username.expose();
    let same = name == found.sub.as_str()
        || name == wanted
        || (!found.case_sensitive && name.to_lowercase() == wanted.to_lowercase());
    (!same).then(|| difference("username", What::Differs, Verdict::Unexpected))
}

fn status(wanted: &Recreation, way: Way, found: &Found<'_>) -> Option<Difference> {
    let verdict = match (way, wanted.password, found.user.status.as_str()) {
        // A job makes confirmed users where they sign in by a code; and whoever was fast has reset the password.
        (_, true, "CONFIRMED") | (_, false, "FORCE_CHANGE_PASSWORD") => return None,
        (Way::Csv, true, "RESET_REQUIRED") => Verdict::Expected(Reason::ResetRequired),
        _ => Verdict::Unexpected,
    };
    Some(difference("status", What::Differs, verdict))
}

fn identities(wanted: &Recreation, found: &Found<'_>, differences: &mut Vec<Difference>) {
    let (links, readable) = links::parse(found.user.attributes.values.get(links::ATTRIBUTE));
    if !readable {
        differences.push(difference("identities", What::Differs, Verdict::Unexpected));
    }
    let missing = wanted.links.iter().filter(|link| !links.contains(link));
    let extra = links.iter().filter(|link| !wanted.links.contains(link));
    let missing = missing.map(|link| (link, What::Missing));
    differences.extend(
        missing
            .chain(extra.map(|link| (link, What::Extra)))
            .map(|(link, what)| difference(format!("identities/{}", link.provider), what, Verdict::Unexpected)),
    );
}

fn sets(field: &str, wanted: &BTreeSet<String>, found: &BTreeSet<String>, differences: &mut Vec<Difference>) {
    let missing = wanted.difference(found).map(|name| (name, What::Missing));
    let extra = found.difference(wanted).map(|name| (name, What::Extra));
    differences.extend(
        missing
            .chain(extra)
            .map(|(name, what)| difference(format!("{field}/{name}"), what, Verdict::Unexpected)),
    );
}

fn factors(wanted: &Recreation, way: Way, found: &Found<'_>) -> Option<Difference> {
    let found = found.factors?;
    let wanted = wanted.factors.clone().unwrap_or_default();
    let names = |sms: bool| -> BTreeSet<String> {
        let names = [(sms, SMS), (wanted.email, EMAIL)].into_iter();
        names
            .filter(|(enabled, _)| *enabled)
            .map(|(_, name)| name.to_owned())
            .collect()
    };
    let same_choice = wanted.preferred == found.preferred;
    let verdict = if same_choice && names(wanted.sms) == found.enabled {
        return None;
    } else if same_choice && way == Way::Csv && names(true) == found.enabled {
        Verdict::Expected(Reason::MfaOfPool)
    } else {
        Verdict::Unexpected
    };
    Some(difference("factors", What::Differs, verdict))
}
