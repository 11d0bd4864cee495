//! Users and groups as Cognito's answers show them, made into ours.
//!
//! Invariant: what lacks a needed member is an error that names operation and member, never left out: who is missing in a walk
//! counts as deleted.

use std::collections::BTreeMap;

use aws_sdk_cognitoidentityprovider::{
    primitives::DateTime,
    types::{AttributeType, GroupType, UserType},
};

use crate::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    time::Timestamp,
    user::{Account, Attributes},
};

/// A user of `operation`'s answer.
pub(super) fn user(operation: &str, user: UserType) -> Result<(Sub, UserRead), Error> {
    let needs = |member| move || incomplete(operation, member);
    let created = instant(user.user_create_date).ok_or_else(needs("UserCreateDate"))?;
    let modified = instant(user.user_last_modified_date).ok_or_else(needs("UserLastModifiedDate"))?;
    let username = user.username.ok_or_else(needs("Username"))?;
    let status = user.user_status.ok_or_else(needs("UserStatus"))?;
    let mut attributes = user.attributes.unwrap_or_default();
    let sub = take_sub(operation, &mut attributes)?;
    let values = attributes
        .into_iter()
        .map(|attribute| (attribute.name, Personal::new(attribute.value.unwrap_or_default())));
    let read = UserRead {
        attributes: Attributes {
            username: Personal::new(username),
            values: values.collect::<BTreeMap<_, _>>(),
        },
        status: status.as_str().to_owned(),
        account: Account {
            enabled: user.enabled,
            created,
            modified,
        },
    };
    Ok((sub, read))
}

/// The `sub` of a user of `operation`'s answer.
pub(super) fn sub(operation: &str, user: UserType) -> Result<Sub, Error> {
    take_sub(operation, &mut user.attributes.unwrap_or_default())
}

/// A group of `operation`'s answer.
pub(super) fn group(operation: &str, group: GroupType) -> Result<(String, GroupSettings), Error> {
    let needs = |member| move || incomplete(operation, member);
    let created = instant(group.creation_date).ok_or_else(needs("CreationDate"))?;
    let settings = GroupSettings {
        description: group.description,
        precedence: group.precedence,
        role_arn: group.role_arn,
        created,
        modified: instant(group.last_modified_date).unwrap_or(created),
    };
    Ok((group.group_name.ok_or_else(needs("GroupName"))?, settings))
}

/// An answer without a member that it is documented to have.
pub(super) fn incomplete(operation: &str, member: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cognito-idp:{operation} answered without {member}"),
    )
}

/// Taken out, because it is the record's key and no attribute of it.
fn take_sub(operation: &str, attributes: &mut Vec<AttributeType>) -> Result<Sub, Error> {
    let missing = || incomplete(operation, "a usable sub");
    let place = attributes.iter().position(|attribute| attribute.name == "sub");
    let attribute = attributes.swap_remove(place.ok_or_else(missing)?);
    attribute.value.as_deref().and_then(Sub::new).ok_or_else(missing)
}

fn instant(instant: Option<DateTime>) -> Option<Timestamp> {
    instant
        .and_then(|instant| instant.to_millis().ok())
        .map(Timestamp::from_millis)
}

#[cfg(test)]
mod tests {
    use aws_sdk_cognitoidentityprovider::types::{UserStatusType, builders::UserTypeBuilder};

    use super::*;

    fn attribute(name: &str, value: &str) -> AttributeType {
        AttributeType::builder().name(name).value(value).build().unwrap()
    }

    fn whole() -> UserTypeBuilder {
        UserType::builder()
            .username("ann")
            .user_create_date(DateTime::from_secs(1))
            .user_last_modified_date(DateTime::from_millis(2_345))
            .user_status(UserStatusType::Confirmed)
            .enabled(true)
            .attributes(attribute("email", "ann@example.com"))
            .attributes(attribute("sub", "0f1e"))
    }

    #[test]
    fn a_whole_user_is_read_with_the_sub_apart() {
        let (sub, read) = user("ListUsers", whole().build()).unwrap();
        assert_eq!(sub.as_str(), "0f1e");
        assert_eq!(read.attributes.values.keys().collect::<Vec<_>>(), ["email"]);
        assert_eq!(
            (read.status.as_str(), read.account.modified.as_millis()),
            ("CONFIRMED", 2_345)
        );
    }

    #[test]
    fn whoever_lacks_a_needed_member_is_an_error_that_names_it() {
        for (lacking, member) in [
            (whole().set_username(None), "Username"),
            (whole().set_user_create_date(None), "UserCreateDate"),
            (whole().set_user_last_modified_date(None), "UserLastModifiedDate"),
            (whole().set_user_status(None), "UserStatus"),
            (whole().set_attributes(None), "a usable sub"),
            (
                whole().set_attributes(Some(vec![attribute("sub", "a\"b")])),
                "a usable sub",
            ),
        ] {
            let error = user("ListUsers", lacking.build()).unwrap_err();
            assert_eq!(error.kind, ErrorKind::Unavailable);
            assert_eq!(error.what, format!("cognito-idp:ListUsers answered without {member}"));
        }
        let nobody = UserType::builder().username("ann").build();
        let error = super::sub("ListUsersInGroup", nobody).unwrap_err();
        assert_eq!(error.what, "cognito-idp:ListUsersInGroup answered without a usable sub");
        let error = group("ListGroups", GroupType::builder().group_name("staff").build()).unwrap_err();
        assert_eq!(error.what, "cognito-idp:ListGroups answered without CreationDate");
    }
}
