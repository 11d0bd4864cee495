//! The shape of a pool, as far as it decides how a user is made in it: user names, schema, recovery, MFA.
//!
//! Read from Cognito's own words: `UserPool` of `DescribeUserPool`, of the backup or of the target, and the answer of
//! `GetUserPoolMfaConfig`.
//!
//! Invariant: what Cognito leaves out has Cognito's default; what it says in a way that is not documented is an error, and
//! nothing is guessed.

pub mod attribute;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{ORIGINAL_SUB, shape::attribute::Attribute};
use crate::error::{Error, ErrorKind};

/// Most custom attributes of a pool; the quota cannot be raised.
pub const CUSTOM_MAX: usize = 50;

/// What a pool's user names are (`UsernameAttributes`; fixed when the pool is made).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UserNames {
    /// Names of the users' own choice.
    Own,
    /// E-mail addresses; Cognito makes the name itself, and it is the `sub`.
    Email,
    /// Phone numbers; likewise.
    Phone,
    /// Addresses or numbers; likewise.
    EmailOrPhone,
}

/// Which MFA preferences of a user a pool takes. All `false` when MFA is off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mfa {
    /// Nobody signs in without a second factor.
    pub required: bool,
    /// Text messages.
    pub sms: bool,
    /// E-mail messages.
    pub email: bool,
    /// Authenticator apps.
    pub totp: bool,
}

/// Whether users of a pool can bear [`ORIGINAL_SUB`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Marker {
    /// The schema has it.
    There,
    /// `AddCustomAttributes` can add it.
    Addable,
    /// The pool has as many custom attributes as it can.
    Full,
    /// An attribute of this name exists and does not take a `sub`, or cannot be changed later.
    Unfit,
}

/// The shape of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// What its user names are.
    pub names: UserNames,
    /// Attributes that users can sign in with instead of their name (`AliasAttributes`).
    pub aliases: BTreeSet<String>,
    /// Whether `Ann` and `ann` are two names.
    pub case_sensitive: bool,
    /// Attributes by full name (`custom:` included), with `sub` and `identities`, which nobody sets.
    pub schema: BTreeMap<String, Attribute>,
    /// Attributes to which Cognito sends a code by itself. A CSV import needs one.
    pub auto_verified: BTreeSet<String>,
    /// By which verified attributes a user can reset the password: `email`, `phone_number`. Empty: by an administrator alone.
    pub recovery: BTreeSet<String>,
    /// MFA.
    pub mfa: Mfa,
    /// `LITE`, `ESSENTIALS`, `PLUS`, or newer; `None` where Cognito does not say.
    pub tier: Option<String>,
    /// `AllowedFirstAuthFactors`: `PASSWORD`, `EMAIL_OTP`, `SMS_OTP`, `WEB_AUTHN`, or newer. Empty where nothing is set, which
    /// means the password alone.
    pub first_factors: BTreeSet<String>,
}

impl Shape {
    /// The shape of `pool`, the `UserPool` of a `DescribeUserPool` answer. `mfa` is the answer of `GetUserPoolMfaConfig`;
    /// without it, MFA is as far known as `pool` tells, which is nothing of e-mail messages and authenticator apps.
    ///
    /// # Errors
    /// `BadItem` with the path of the member that is missing or not what AWS documents.
    pub fn of(pool: &Value, mfa: Option<&Value>) -> Result<Self, Error> {
        let names = texts(pool, "/UsernameAttributes")?;
        let names = match (names.contains("email"), names.contains("phone_number")) {
            (false, false) if names.is_empty() => UserNames::Own,
            (true, false) => UserNames::Email,
            (false, true) => UserNames::Phone,
            (true, true) => UserNames::EmailOrPhone,
            (false, false) => return Err(bad("/UsernameAttributes", "names neither email nor phone_number")),
        };
        let schema = attribute::schema(member(pool, "/SchemaAttributes"))?;
        Ok(Self {
            names,
            aliases: texts(pool, "/AliasAttributes")?,
            // Pools from before this setting, and those that never set it, are case sensitive.
            case_sensitive: flag(pool, "/UsernameConfiguration/CaseSensitive")?.unwrap_or(true),
            schema,
            auto_verified: texts(pool, "/AutoVerifiedAttributes")?,
            recovery: recovery(pool)?,
            mfa: mfa_of(pool, mfa)?,
            tier: text(pool, "/UserPoolTier")?.map(str::to_owned),
            first_factors: texts(pool, "/Policies/SignInPolicy/AllowedFirstAuthFactors")?,
        })
    }

    /// This shape with [`ORIGINAL_SUB`] in its schema: that of a new pool, or of one to which a plan adds it.
    #[must_use]
    pub fn with_marker(mut self) -> Self {
        self.schema
            .entry(ORIGINAL_SUB.to_owned())
            .or_insert_with(Attribute::marker);
        self
    }

    /// Whether its users can bear [`ORIGINAL_SUB`].
    #[must_use]
    pub fn marker(&self) -> Marker {
        match self.schema.get(ORIGINAL_SUB) {
            Some(attribute) if attribute.is_marker() => Marker::There,
            Some(_) => Marker::Unfit,
            None if self.custom_attributes() < CUSTOM_MAX => Marker::Addable,
            None => Marker::Full,
        }
    }

    /// How many custom attributes it has.
    #[must_use]
    pub fn custom_attributes(&self) -> usize {
        self.schema.keys().filter(|name| name.starts_with("custom:")).count()
    }

    /// Whether `attribute` is an alias: only verified addresses and confirmed users make one.
    #[must_use]
    pub fn is_alias(&self, attribute: &str) -> bool {
        self.aliases.contains(attribute)
    }

    /// Whether users can sign in by a code alone. `AdminCreateUser` without a password then makes a confirmed user, and so does
    /// a CSV import.
    #[must_use]
    pub fn signs_in_by_code(&self) -> bool {
        ["EMAIL_OTP", "SMS_OTP"]
            .iter()
            .any(|factor| self.first_factors.contains(*factor))
    }
}

/// `AccountRecoverySetting`; where it is not set, both ways exist.
fn recovery(pool: &Value) -> Result<BTreeSet<String>, Error> {
    const PATH: &str = "/AccountRecoverySetting/RecoveryMechanisms";
    let Some(mechanisms) = member(pool, PATH) else {
        return Ok(["email", "phone_number"].map(str::to_owned).into());
    };
    let mechanisms = mechanisms.as_array().ok_or_else(|| bad(PATH, "is no list"))?;
    let names = mechanisms
        .iter()
        .map(|mechanism| text(mechanism, "/Name")?.ok_or_else(|| bad(PATH, "has an entry without Name")));
    let names: BTreeSet<&str> = names.collect::<Result<_, _>>()?;
    let ways = [("verified_email", "email"), ("verified_phone_number", "phone_number")];
    Ok(ways
        .into_iter()
        .filter(|(mechanism, _)| names.contains(mechanism))
        .map(|(_, attribute)| attribute.to_owned())
        .collect())
}

/// `MfaConfiguration` stands in both answers, the kinds of message in the second.
fn mfa_of(pool: &Value, mfa: Option<&Value>) -> Result<Mfa, Error> {
    const PATH: &str = "/MfaConfiguration";
    let stated = mfa.map_or(Ok(None), |mfa| text(mfa, PATH))?;
    let stated = stated.map_or_else(|| text(pool, PATH), |stated| Ok(Some(stated)))?;
    let required = match stated {
        None | Some("OFF") => return Ok(Mfa::default()),
        Some("ON") => true,
        Some("OPTIONAL") => false,
        Some(_) => return Err(bad(PATH, "is none of OFF, ON, OPTIONAL")),
    };
    let said = |path| mfa.and_then(|mfa| member(mfa, path));
    Ok(Mfa {
        required,
        sms: said("/SmsMfaConfiguration").is_some() || (mfa.is_none() && member(pool, "/SmsConfiguration").is_some()),
        email: said("/EmailMfaConfiguration").is_some(),
        totp: mfa.map_or(Ok(None), |mfa| flag(mfa, "/SoftwareTokenMfaConfiguration/Enabled"))? == Some(true),
    })
}

/// The member at `path`; JSON's null is none.
fn member<'a>(json: &'a Value, path: &str) -> Option<&'a Value> {
    json.pointer(path).filter(|value| !value.is_null())
}

fn text<'a>(json: &'a Value, path: &str) -> Result<Option<&'a str>, Error> {
    let text = member(json, path).map(|value| value.as_str().ok_or_else(|| bad(path, "is no text")));
    text.transpose()
}

fn flag(json: &Value, path: &str) -> Result<Option<bool>, Error> {
    let flag = member(json, path).map(|value| value.as_bool().ok_or_else(|| bad(path, "is neither true nor false")));
    flag.transpose()
}

fn texts(json: &Value, path: &str) -> Result<BTreeSet<String>, Error> {
    let Some(list) = member(json, path) else {
        return Ok(BTreeSet::new());
    };
    let list = list.as_array().ok_or_else(|| bad(path, "is no list"))?;
    let texts = list.iter().map(|one| {
        one.as_str()
            .map(str::to_owned)
            .ok_or_else(|| bad(path, "is no list of texts"))
    });
    texts.collect()
}

fn bad(path: &str, problem: &str) -> Error {
    let what = format!("the pool's settings are not what DescribeUserPool documents: {path} {problem}");
    Error::new(ErrorKind::BadItem, what)
}
