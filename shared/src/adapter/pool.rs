//! Reading a user pool.
//!
//! Invariant: never AdminGetUser but in [`PoolReader::factors_of`], whose callers have to ask
//! [`crate::settle::may_read_factors`] first: it makes a user billable. Pages are followed by their token alone; an empty page
//! is not the end.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cognitoidentityprovider::{Client, primitives::DateTime, types::AttributeType};

use super::aws::classify;
use crate::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    time::Timestamp,
    user::{Account, Attributes, Factors},
};

/// Most pages followed for one question. One user has at most 100 groups, one `sub` at most one user, an account 1,000 app
/// clients a pool; the rest allows for short and empty pages.
const PAGES_MAX: usize = 100;

/// Reads pools of one Region.
#[derive(Clone, Debug)]
pub struct PoolReader {
    client: Client,
}

impl PoolReader {
    /// A reader over `client`.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The user with this `sub`, by `ListUsers`, which bills nobody and is eventually consistent.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    pub async fn find_user(&self, pool: &str, sub: &Sub) -> Result<Option<UserRead>, Error> {
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .client
                .list_users()
                .user_pool_id(pool)
                .filter(format!("sub = \"{sub}\""))
                .limit(1);
            let page = request.set_pagination_token(token).send().await;
            let page = page.map_err(|error| classify("cognito-idp:ListUsers on the pool", &error))?;
            for user in page.users.unwrap_or_default() {
                let read = UserParts {
                    username: user.username,
                    attributes: user.attributes.unwrap_or_default(),
                    status: user.user_status.map(|status| status.as_str().to_owned()),
                    enabled: user.enabled,
                    created: user.user_create_date,
                    modified: user.user_last_modified_date,
                };
                let (found, read) = read.assemble()?;
                if found.as_ref() == Some(sub) {
                    return Ok(Some(read));
                }
            }
            token = page.pagination_token;
            if token.is_none() {
                return Ok(None);
            }
        }
        Err(endless("ListUsers"))
    }

    /// Names of the user's groups, or `None` when there is no such user.
    ///
    /// # Errors
    /// As Cognito answers.
    pub async fn groups_of(&self, pool: &str, username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        let mut groups = BTreeSet::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .client
                .admin_list_groups_for_user()
                .user_pool_id(pool)
                .username(username.expose())
                .limit(60);
            let page = match request.set_next_token(token).send().await {
                Ok(page) => page,
                Err(error)
                    if error
                        .as_service_error()
                        .is_some_and(|e| e.is_user_not_found_exception()) =>
                {
                    return Ok(None);
                }
                Err(error) => return Err(classify("cognito-idp:AdminListGroupsForUser on the pool", &error)),
            };
            groups.extend(
                page.groups
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|group| group.group_name),
            );
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(groups));
            }
        }
        Err(endless("AdminListGroupsForUser"))
    }

    /// The group's settings, or `None` when there is no such group.
    ///
    /// # Errors
    /// As Cognito answers. A pool that does not exist cannot be told from a group that does not; the check at start does.
    pub async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupSettings>, Error> {
        let answer = match self.client.get_group().user_pool_id(pool).group_name(name).send().await {
            Ok(answer) => answer,
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_resource_not_found_exception()) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(classify("cognito-idp:GetGroup on the pool", &error)),
        };
        let group = answer.group.ok_or_else(|| incomplete("GetGroup", "Group"))?;
        let created = instant(group.creation_date).ok_or_else(|| incomplete("GetGroup", "CreationDate"))?;
        Ok(Some(GroupSettings {
            description: group.description,
            precedence: group.precedence,
            role_arn: group.role_arn,
            created,
            modified: instant(group.last_modified_date).unwrap_or(created),
        }))
    }

    /// The user's MFA settings, or `None` when there is no such user. **Makes the user billable for the month.**
    ///
    /// # Errors
    /// As Cognito answers.
    pub async fn factors_of(&self, pool: &str, username: &Personal) -> Result<Option<Factors>, Error> {
        match self
            .client
            .admin_get_user()
            .user_pool_id(pool)
            .username(username.expose())
            .send()
            .await
        {
            Ok(user) => Ok(Some(Factors {
                preferred: user.preferred_mfa_setting.filter(|setting| !setting.is_empty()),
                enabled: user.user_mfa_setting_list.unwrap_or_default().into_iter().collect(),
            })),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|e| e.is_user_not_found_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(classify("cognito-idp:AdminGetUser on the pool", &error)),
        }
    }

    /// Ids of the pool's app clients.
    ///
    /// # Errors
    /// As Cognito answers; `NotFound` when the pool does not exist.
    pub async fn clients_of(&self, pool: &str) -> Result<Vec<String>, Error> {
        let mut clients = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self.client.list_user_pool_clients().user_pool_id(pool).max_results(60);
            let page = request.set_next_token(token).send().await;
            let page = page.map_err(|error| classify("cognito-idp:ListUserPoolClients on the pool", &error))?;
            clients.extend(
                page.user_pool_clients
                    .unwrap_or_default()
                    .into_iter()
                    .filter_map(|client| client.client_id),
            );
            token = page.next_token;
            if token.is_none() {
                return Ok(clients);
            }
        }
        Err(endless("ListUserPoolClients"))
    }
}

/// A user as an answer shows it, before it is known to be complete.
struct UserParts {
    username: Option<String>,
    attributes: Vec<AttributeType>,
    status: Option<String>,
    enabled: bool,
    created: Option<DateTime>,
    modified: Option<DateTime>,
}

impl UserParts {
    fn assemble(self) -> Result<(Option<Sub>, UserRead), Error> {
        let created = instant(self.created).ok_or_else(|| incomplete("ListUsers", "UserCreateDate"))?;
        let modified = instant(self.modified).ok_or_else(|| incomplete("ListUsers", "UserLastModifiedDate"))?;
        let username = self.username.ok_or_else(|| incomplete("ListUsers", "Username"))?;
        let mut sub = None;
        let mut values = BTreeMap::new();
        for attribute in self.attributes {
            let value = attribute.value.unwrap_or_default();
            if attribute.name == "sub" {
                sub = Sub::new(&value);
            } else {
                values.insert(attribute.name, Personal::new(value));
            }
        }
        let read = UserRead {
            attributes: Attributes {
                username: Personal::new(username),
                values,
            },
            status: self.status.ok_or_else(|| incomplete("ListUsers", "UserStatus"))?,
            account: Account {
                enabled: self.enabled,
                created,
                modified,
            },
        };
        Ok((sub, read))
    }
}

fn instant(instant: Option<DateTime>) -> Option<Timestamp> {
    instant
        .and_then(|instant| instant.to_millis().ok())
        .map(Timestamp::from_millis)
}

fn incomplete(operation: &str, member: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cognito-idp:{operation} answered without {member}"),
    )
}

fn endless(operation: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cognito-idp:{operation} went on for more than {PAGES_MAX} pages"),
    )
}
