//! Calls about single users of the target, and what their refusals mean.
//!
//! Invariant: `AdminGetUser` is asked only about users whom the import made, which has made them billable already, or of whom
//! nobody knows whether it did. Errors and codes hold no value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use twinpool_shared::{
    error::{Directive, Error, ErrorKind},
    import::{
        ORIGINAL_SUB,
        progress::{GONE, UNANSWERED, UNREADABLE},
        shape::Shape,
    },
    observation::UserRead,
    personal::{Personal, Sub},
    port::{RawPool, ReadPool, Refusal, WritePool},
    time::Timestamp,
};

/// Cognito's code for a user who is not there.
const NO_USER: &str = "UserNotFoundException";

/// Why something could not be done for a user.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// It cannot be done for this user, for this reason.
    User(String),
    /// It could be done for nobody now: the import stops.
    Import(Error),
}

impl Trouble {
    /// Cognito answered, but not what it documents.
    pub(crate) fn unreadable() -> Self {
        Self::User(UNREADABLE.to_owned())
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        match (error.directive(), error.code()) {
            (Directive::Park, Some(code)) => Self::User(code.to_owned()),
            _ if error.kind == ErrorKind::Unavailable => Self::User(UNANSWERED.to_owned()),
            _ => Self::Import(error),
        }
    }
}

/// A user of the target.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) sub: Sub,
    /// Their user name. Whoever was asked for by an alias has another one.
    pub(crate) username: Personal,
    pub(crate) status: String,
    pub(crate) enabled: bool,
    pub(crate) attributes: BTreeMap<String, Personal>,
    /// When they were made; `None` where Cognito does not say.
    pub(crate) created: Option<Timestamp>,
    /// `UserMFASettingList`.
    pub(crate) factors: BTreeSet<String>,
    /// `PreferredMfaSetting`.
    pub(crate) preferred: Option<String>,
}

/// An instant as Cognito writes it: seconds since 1970, with a fraction.
pub(crate) fn instant(value: Option<&Value>) -> Option<Timestamp> {
    let number = value?.as_number()?.to_string();
    let (seconds, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let millis: String = fraction.chars().chain("000".chars()).take(3).collect();
    Some(Timestamp::from_millis(
        seconds.parse::<i64>().ok()? * 1_000 + millis.parse::<i64>().ok()?,
    ))
}

impl Found {
    /// From the answer of `AdminGetUser` or the `User` of `AdminCreateUser`, which name the list of attributes differently.
    pub(crate) fn read(user: &Value, attributes: &str) -> Option<Self> {
        let pair = |attribute: &Value| {
            let name = attribute.get("Name")?.as_str()?.to_owned();
            let value = attribute.get("Value").and_then(Value::as_str).unwrap_or_default();
            Some((name, Personal::new(value)))
        };
        let attributes: BTreeMap<String, Personal> =
            user.get(attributes)?.as_array()?.iter().filter_map(pair).collect();
        Some(Self {
            sub: Sub::new(attributes.get("sub")?.expose())?,
            username: Personal::new(user.get("Username")?.as_str()?),
            status: user.get("UserStatus")?.as_str()?.to_owned(),
            enabled: user.get("Enabled").and_then(Value::as_bool).unwrap_or(true),
            attributes,
            created: instant(user.get("UserCreateDate")),
            factors: user
                .get("UserMFASettingList")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
                .filter_map(|name| name.as_str().map(str::to_owned))
                .collect(),
            preferred: user
                .get("PreferredMfaSetting")
                .and_then(Value::as_str)
                .map(str::to_owned),
        })
    }

    /// From a list, which shows no MFA settings.
    fn listed(sub: &Sub, user: UserRead) -> Self {
        Self {
            sub: sub.clone(),
            username: user.attributes.username,
            status: user.status,
            enabled: user.account.enabled,
            attributes: user.attributes.values,
            created: Some(user.account.created),
            factors: BTreeSet::new(),
            preferred: None,
        }
    }

    /// Whether `name` is this user's own name, and not an alias of theirs.
    pub(crate) fn is_named(&self, name: &Personal, shape: &Shape) -> bool {
        let (own, name) = (self.username.expose(), name.expose());
        own == name || (!shape.case_sensitive && own.to_lowercase() == name.to_lowercase())
    }

    /// Whether an import made this user from `sub` of the backup.
    pub(crate) fn is_of(&self, sub: &Sub) -> bool {
        let marker = self.attributes.get(ORIGINAL_SUB);
        marker.is_some_and(|marker| marker.expose() == sub.as_str())
    }
}

/// The pool that is rebuilt.
#[derive(Debug)]
pub(crate) struct Target<'a, P, W> {
    pub(crate) reader: &'a P,
    pub(crate) writer: &'a W,
    pub(crate) pool: &'a str,
}

impl<P, W> Clone for Target<'_, P, W> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<P, W> Copy for Target<'_, P, W> {}

impl<P: ReadPool + RawPool, W: WritePool> Target<'_, P, W> {
    /// The input of a call about the user `name`.
    pub(crate) fn about(&self, name: &Personal) -> Value {
        json!({"UserPoolId": self.pool, "Username": name.expose()})
    }

    /// The user `name`, read consistently.
    pub(crate) async fn find(&self, name: &Personal) -> Result<Option<Found>, Trouble> {
        match self.reader.call("AdminGetUser", self.about(name)).await {
            Ok(user) => Found::read(&user, "UserAttributes")
                .map(Some)
                .ok_or_else(Trouble::unreadable),
            Err(error) if error.code() == Some(NO_USER) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The user whose `sub` is `new`. Names are given away again: whoever deleted themselves may have left theirs to somebody
    /// else, who is nobody of the import.
    ///
    /// Who came by a job is looked for in a list, which bills nobody.
    pub(crate) async fn look(&self, name: &Personal, new: &Sub, by_csv: bool) -> Result<Found, Trouble> {
        let found = if by_csv {
            let listed = self.reader.find_user(self.pool, new).await?;
            listed.map(|user| Found::listed(new, user))
        } else {
            self.find(name).await?
        };
        let same = found.filter(|found| found.sub == *new);
        same.ok_or_else(|| Trouble::User(GONE.to_owned()))
    }

    /// Makes a change that may come twice.
    pub(crate) async fn change(&self, operation: &str, input: Value) -> Result<(), Trouble> {
        match self.writer.change(operation, input).await {
            Ok(_) => Ok(()),
            Err(Refusal::Refused(code)) => Err(Trouble::User(code)),
            // Asked again and again already.
            Err(Refusal::Doubtful(_)) => Err(Trouble::User(UNANSWERED.to_owned())),
            Err(Refusal::Failed(error)) => Err(Trouble::Import(error)),
        }
    }

    /// Sets attributes of the user `name`.
    pub(crate) async fn set(&self, name: &Personal, attributes: &BTreeMap<String, Personal>) -> Result<(), Trouble> {
        if attributes.is_empty() {
            return Ok(());
        }
        let mut input = self.about(name);
        input["UserAttributes"] = pairs(attributes);
        self.change("AdminUpdateUserAttributes", input).await
    }

    /// Keeps the user `name` from signing in.
    pub(crate) async fn disable(&self, name: &Personal) -> Result<(), Trouble> {
        self.change("AdminDisableUser", self.about(name)).await
    }

    /// Puts the user `name` into a group. Who is in it already stays in it.
    pub(crate) async fn join(&self, name: &Personal, group: &str) -> Result<(), Trouble> {
        let mut input = self.about(name);
        input["GroupName"] = json!(group);
        self.change("AdminAddUserToGroup", input).await
    }
}

/// Attributes as Cognito lists them.
pub(crate) fn pairs(attributes: &BTreeMap<String, Personal>) -> Value {
    let pairs = attributes
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value.expose()}));
    Value::Array(pairs.collect())
}
