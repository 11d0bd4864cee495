//! Reading a user pool, and changing one.
//!
//! Invariant: never AdminGetUser but in [`PoolReader::factors_of`], whose callers have to ask
//! [`crate::settle::may_read_factors`] first: it makes a user billable; and in raw JSON for users of a rebuilt pool, whom the
//! import has made billable itself. Pages are followed by their token alone; an empty page
//! is not the end.

mod calls;
mod raw;
mod shapes;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_cognitoidentityprovider::{
    Client,
    types::{LimitClass, LimitDefinitionType},
};

use super::governor::Governor;
use crate::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Page, ReadPool},
    quota::Category,
    user::Factors,
};

pub use calls::Patience;
use shapes::incomplete;
pub use write::PoolWriter;

/// Most pages followed for one question. One user has at most 100 groups, one `sub` at most one user, an account 1,000 app
/// clients a pool; the rest allows for short and empty pages.
const PAGES_MAX: usize = 100;
/// The largest page of every list.
const PAGE: i32 = 60;

/// Reads pools of one Region.
#[derive(Clone, Debug)]
pub struct PoolReader {
    client: Client,
    governor: Governor,
    patience: Patience,
}

impl PoolReader {
    /// A reader over `client`, whose own retries are switched off: every attempt is admitted by `governor`.
    #[must_use]
    pub fn new(client: Client, governor: Governor, patience: Patience) -> Self {
        Self {
            client: calls::without_retries(&client),
            governor,
            patience,
        }
    }

    /// Asks for the account's requests a second in `categories` and tells the governor. What the account may not ask, or gets
    /// no answer to, is `None`, and the documented default stays: AWS knows values of adjustable categories only
    /// ([`Category::is_adjustable`]). One call each, one a second at most.
    pub async fn live_limits(&self, categories: &[Category]) -> BTreeMap<Category, Option<f64>> {
        // Nobody waits minutes for a figure that has a default.
        let reader = Self {
            patience: Patience::REPLICATOR,
            ..self.clone()
        };
        let mut limits = BTreeMap::new();
        let mut denied = false;
        for &category in categories {
            let limit = if denied {
                Ok(None)
            } else {
                reader.live_limit(category).await
            };
            denied |= limit.as_ref().is_err_and(|error| error.kind == ErrorKind::Denied);
            let limit = limit.unwrap_or_default();
            if let Some(limit) = limit {
                self.governor.learn(category, limit);
            }
            limits.insert(category, limit);
        }
        limits
    }

    async fn live_limit(&self, category: Category) -> Result<Option<f64>, Error> {
        const OPERATION: &str = "GetProvisionedLimit";
        let definition = LimitDefinitionType::builder()
            .limit_class(LimitClass::ApiCategory)
            .attributes("Category", category.as_str())
            .build();
        let definition = definition.map_err(|_| incomplete(OPERATION, "LimitDefinition"))?;
        let request = self.client.get_provisioned_limit().limit_definition(definition);
        let answer = self.call(OPERATION, "", move || request.clone().send()).await?;
        let value = answer.limit.map(|limit| f64::from(limit.provisioned_limit_value));
        Ok(value.filter(|value| *value > 0.0))
    }
}

impl ReadPool for PoolReader {
    async fn find_user(&self, pool: &str, sub: &Sub) -> Result<Option<UserRead>, Error> {
        const OPERATION: &str = "ListUsers";
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .client
                .list_users()
                .user_pool_id(pool)
                .filter(format!("sub = \"{sub}\""))
                .limit(1)
                .set_pagination_token(token);
            let page = self.call(OPERATION, pool, move || request.clone().send()).await?;
            for user in page.users.unwrap_or_default() {
                let (found, read) = shapes::user(OPERATION, user)?;
                if found == *sub {
                    return Ok(Some(read));
                }
            }
            token = page.pagination_token;
            if token.is_none() {
                return Ok(None);
            }
        }
        Err(endless(OPERATION))
    }

    async fn groups_of(&self, pool: &str, username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        const OPERATION: &str = "AdminListGroupsForUser";
        let mut groups = BTreeSet::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .client
                .admin_list_groups_for_user()
                .user_pool_id(pool)
                .username(username.expose())
                .limit(PAGE)
                .set_next_token(token);
            let page = match self.call(OPERATION, pool, move || request.clone().send()).await {
                Ok(page) => page,
                Err(failure) if failure.says(|error| error.is_user_not_found_exception()) => return Ok(None),
                Err(failure) => return Err(failure.into()),
            };
            for group in page.groups.unwrap_or_default() {
                groups.insert(group.group_name.ok_or_else(|| incomplete(OPERATION, "GroupName"))?);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(Some(groups));
            }
        }
        Err(endless(OPERATION))
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupSettings>, Error> {
        const OPERATION: &str = "GetGroup";
        let request = self.client.get_group().user_pool_id(pool).group_name(name);
        match self.call(OPERATION, pool, move || request.clone().send()).await {
            Ok(answer) => {
                let group = answer.group.ok_or_else(|| incomplete(OPERATION, "Group"))?;
                shapes::group(OPERATION, group).map(|(_, settings)| Some(settings))
            }
            Err(failure) if failure.says(|error| error.is_resource_not_found_exception()) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn factors_of(&self, pool: &str, username: &Personal) -> Result<Option<Factors>, Error> {
        let request = self
            .client
            .admin_get_user()
            .user_pool_id(pool)
            .username(username.expose());
        match self.call("AdminGetUser", pool, move || request.clone().send()).await {
            Ok(user) => Ok(Some(Factors {
                preferred: user.preferred_mfa_setting.filter(|setting| !setting.is_empty()),
                enabled: user.user_mfa_setting_list.unwrap_or_default().into_iter().collect(),
            })),
            Err(failure) if failure.says(|error| error.is_user_not_found_exception()) => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }

    async fn clients_of(&self, pool: &str) -> Result<Vec<String>, Error> {
        const OPERATION: &str = "ListUserPoolClients";
        let mut clients = Vec::new();
        let mut token = None;
        for _ in 0..PAGES_MAX {
            let request = self
                .client
                .list_user_pool_clients()
                .user_pool_id(pool)
                .max_results(PAGE)
                .set_next_token(token);
            let page = self.call(OPERATION, pool, move || request.clone().send()).await?;
            for client in page.user_pool_clients.unwrap_or_default() {
                clients.push(client.client_id.ok_or_else(|| incomplete(OPERATION, "ClientId"))?);
            }
            token = page.next_token;
            if token.is_none() {
                return Ok(clients);
            }
        }
        Err(endless(OPERATION))
    }

    async fn users_page(
        &self,
        pool: &str,
        prefix: Option<&str>,
        token: Option<&str>,
    ) -> Result<Page<(Sub, UserRead)>, Error> {
        const OPERATION: &str = "ListUsers";
        let request = self
            .client
            .list_users()
            .user_pool_id(pool)
            .set_filter(prefix.map(|prefix| format!("sub ^= \"{prefix}\"")))
            .limit(PAGE)
            .set_pagination_token(token.map(str::to_owned));
        let page = self.call(OPERATION, pool, move || request.clone().send()).await?;
        let users = page.users.unwrap_or_default().into_iter();
        Ok(Page {
            entries: users
                .map(|user| shapes::user(OPERATION, user))
                .collect::<Result<_, _>>()?,
            token: page.pagination_token,
        })
    }

    async fn members_page(&self, pool: &str, group: &str, token: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        const OPERATION: &str = "ListUsersInGroup";
        let request = self
            .client
            .list_users_in_group()
            .user_pool_id(pool)
            .group_name(group)
            .limit(PAGE)
            .set_next_token(token.map(str::to_owned));
        let page = match self.call(OPERATION, pool, move || request.clone().send()).await {
            Ok(page) => page,
            Err(failure) if failure.says(|error| error.is_resource_not_found_exception()) => return Ok(None),
            Err(failure) => return Err(failure.into()),
        };
        let members = page.users.unwrap_or_default().into_iter();
        Ok(Some(Page {
            entries: members
                .map(|user| shapes::sub(OPERATION, user))
                .collect::<Result<_, _>>()?,
            token: page.next_token,
        }))
    }

    async fn groups_page(&self, pool: &str, token: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        const OPERATION: &str = "ListGroups";
        let request = self
            .client
            .list_groups()
            .user_pool_id(pool)
            .limit(PAGE)
            .set_next_token(token.map(str::to_owned));
        let page = self.call(OPERATION, pool, move || request.clone().send()).await?;
        let groups = page.groups.unwrap_or_default().into_iter();
        Ok(Page {
            entries: groups
                .map(|group| shapes::group(OPERATION, group))
                .collect::<Result<_, _>>()?,
            token: page.next_token,
        })
    }

    async fn estimated_users(&self, pool: &str) -> Result<u64, Error> {
        const OPERATION: &str = "DescribeUserPool";
        let request = self.client.describe_user_pool().user_pool_id(pool);
        let answer = self.call(OPERATION, pool, move || request.clone().send()).await?;
        let described = answer.user_pool.ok_or_else(|| incomplete(OPERATION, "UserPool"))?;
        u64::try_from(described.estimated_number_of_users)
            .map_err(|_| incomplete(OPERATION, "a usable EstimatedNumberOfUsers"))
    }
}

fn endless(operation: &str) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("cognito-idp:{operation} went on for more than {PAGES_MAX} pages"),
    )
}
