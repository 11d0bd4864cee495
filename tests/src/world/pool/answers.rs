//! From the double's JSON to the types of the port.
//!
//! Invariant: an answer without a documented member is an error, as in the adapter over the SDK.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    time::Timestamp,
    user::{Account, Attributes, Factors},
};

use super::UserTruth;

/// A text; empty when it is none.
pub(super) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn incomplete(member: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("the double answered without {member}"))
}

/// Seconds with milliseconds behind the point.
fn instant(value: &Value, member: &str) -> Result<Timestamp, Error> {
    let seconds = value[member].as_f64().ok_or_else(|| incomplete(member))?;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "milliseconds of this century are far below 2^53"
    )]
    let millis = (seconds * 1_000.0).round() as i64;
    Ok(Timestamp::from_millis(millis))
}

fn user(value: &Value, attributes: &str) -> Result<(Sub, UserRead), Error> {
    let mut sub = None;
    let mut values = BTreeMap::new();
    for attribute in value[attributes].as_array().into_iter().flatten() {
        let (name, content) = (text(&attribute["Name"]), text(&attribute["Value"]));
        if name == "sub" {
            sub = Sub::new(&content);
        } else {
            values.insert(name, Personal::new(content));
        }
    }
    let read = UserRead {
        attributes: Attributes {
            username: Personal::new(text(&value["Username"])),
            values,
        },
        status: text(&value["UserStatus"]),
        account: Account {
            enabled: value["Enabled"].as_bool().ok_or_else(|| incomplete("Enabled"))?,
            created: instant(value, "UserCreateDate")?,
            modified: instant(value, "UserLastModifiedDate")?,
        },
    };
    Ok((sub.ok_or_else(|| incomplete("sub"))?, read))
}

/// The users of a ListUsers or ListUsersInGroup answer.
pub(super) fn users(answer: &Value) -> Result<Vec<(Sub, UserRead)>, Error> {
    let users = answer["Users"].as_array().ok_or_else(|| incomplete("Users"))?;
    users.iter().map(|value| user(value, "Attributes")).collect()
}

/// The MFA settings of an AdminGetUser answer.
pub(super) fn factors(answer: &Value) -> Factors {
    let enabled = answer["UserMFASettingList"].as_array().into_iter().flatten();
    Factors {
        preferred: answer["PreferredMfaSetting"].as_str().map(str::to_owned),
        enabled: enabled.map(text).collect(),
    }
}

/// Everything about a user, from the double's own snapshot.
pub(super) fn user_truth(snapshot: &Value) -> Result<UserTruth, Error> {
    let groups = snapshot["Groups"].as_array().ok_or_else(|| incomplete("Groups"))?;
    Ok(UserTruth {
        read: user(snapshot, "UserAttributes")?.1,
        groups: groups.iter().map(text).collect(),
        factors: factors(snapshot),
    })
}

/// A group of a GetGroup or ListGroups answer.
pub(super) fn group(value: &Value) -> Result<(String, GroupSettings), Error> {
    let name = value["GroupName"].as_str().ok_or_else(|| incomplete("GroupName"))?;
    let settings = GroupSettings {
        description: value["Description"].as_str().map(str::to_owned),
        precedence: value["Precedence"]
            .as_i64()
            .and_then(|number| i32::try_from(number).ok()),
        role_arn: value["RoleArn"].as_str().map(str::to_owned),
        created: instant(value, "CreationDate")?,
        modified: instant(value, "LastModifiedDate")?,
    };
    Ok((name.to_owned(), settings))
}

/// The names of an AdminListGroupsForUser answer.
pub(super) fn group_names(answer: &Value) -> Result<BTreeSet<String>, Error> {
    let groups = answer["Groups"].as_array().ok_or_else(|| incomplete("Groups"))?;
    Ok(groups.iter().map(|group| text(&group["GroupName"])).collect())
}
