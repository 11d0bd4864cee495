//! [`ReadPool`], call by call.
//!
//! Invariant: each method makes the call that the adapter over the SDK makes, with the same members.

use std::collections::BTreeSet;

use serde_json::json;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Page, ReadPool},
    user::Factors,
};

use super::{PoolDouble, answers, service_error};

impl ReadPool for PoolDouble {
    async fn find_user(&self, pool: &str, sub: &Sub) -> Result<Option<UserRead>, Error> {
        let filter = format!("sub = \"{sub}\"");
        let input = json!({ "UserPoolId": pool, "Filter": filter, "Limit": 1 });
        let answer = self.read("ListUsers", input, true).await?;
        let answer = answer.map_err(|error| service_error("ListUsers", &error))?;
        let users = answers::users(&answer)?;
        Ok(users.into_iter().find(|(found, _)| found == sub).map(|(_, read)| read))
    }

    async fn groups_of(&self, pool: &str, username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        let input = json!({ "UserPoolId": pool, "Username": username.expose(), "Limit": 60 });
        let answer = self
            .read_if_any("AdminListGroupsForUser", input, "UserNotFoundException")
            .await?;
        answer.as_ref().map(answers::group_names).transpose()
    }

    async fn group(&self, pool: &str, name: &str) -> Result<Option<GroupSettings>, Error> {
        let input = json!({ "UserPoolId": pool, "GroupName": name });
        let answer = self.read_if_any("GetGroup", input, "ResourceNotFoundException").await?;
        let group = answer.as_ref().map(|answer| answers::group(&answer["Group"]));
        Ok(group.transpose()?.map(|(_, settings)| settings))
    }

    async fn factors_of(&self, pool: &str, username: &Personal) -> Result<Option<Factors>, Error> {
        let input = json!({ "UserPoolId": pool, "Username": username.expose() });
        let answer = self.read_if_any("AdminGetUser", input, "UserNotFoundException").await?;
        Ok(answer.as_ref().map(answers::factors))
    }

    async fn clients_of(&self, pool: &str) -> Result<Vec<String>, Error> {
        let input = json!({ "UserPoolId": pool, "MaxResults": 60 });
        let answer = self.read("ListUserPoolClients", input, false).await?;
        let answer = answer.map_err(|error| service_error("ListUserPoolClients", &error))?;
        let clients = answer["UserPoolClients"].as_array().into_iter().flatten();
        Ok(clients.map(|client| answers::text(&client["ClientId"])).collect())
    }

    async fn users_page(
        &self,
        pool: &str,
        prefix: Option<&str>,
        token: Option<&str>,
    ) -> Result<Page<(Sub, UserRead)>, Error> {
        let mut input = json!({ "UserPoolId": pool });
        if let Some(prefix) = prefix {
            input["Filter"] = json!(format!("sub ^= \"{prefix}\""));
        }
        let page = self.page("ListUsers", input, "PaginationToken", token).await?;
        let page = page.map_err(|error| service_error("ListUsers", &error))?;
        Ok(Page {
            entries: page.answer.as_ref().map_or(Ok(Vec::new()), answers::users)?,
            token: page.token,
        })
    }

    async fn members_page(&self, pool: &str, group: &str, token: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        let input = json!({ "UserPoolId": pool, "GroupName": group });
        let page = match self.page("ListUsersInGroup", input, "NextToken", token).await? {
            Ok(page) => page,
            Err(error) if error.code == "ResourceNotFoundException" => return Ok(None),
            Err(error) => return Err(service_error("ListUsersInGroup", &error)),
        };
        let users = page.answer.as_ref().map_or(Ok(Vec::new()), answers::users)?;
        Ok(Some(Page {
            entries: users.into_iter().map(|(sub, _)| sub).collect(),
            token: page.token,
        }))
    }

    async fn groups_page(&self, pool: &str, token: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        let page = self.page("ListGroups", json!({ "UserPoolId": pool }), "NextToken", token);
        let page = page.await?.map_err(|error| service_error("ListGroups", &error))?;
        let groups = page.answer.as_ref().and_then(|answer| answer["Groups"].as_array());
        let groups = groups.into_iter().flatten().map(answers::group);
        Ok(Page {
            entries: groups.collect::<Result<_, _>>()?,
            token: page.token,
        })
    }

    async fn estimated_users(&self, pool: &str) -> Result<u64, Error> {
        let answer = self
            .read("DescribeUserPool", json!({ "UserPoolId": pool }), false)
            .await?;
        let answer = answer.map_err(|error| service_error("DescribeUserPool", &error))?;
        let estimate = answer["UserPool"]["EstimatedNumberOfUsers"].as_u64();
        estimate.ok_or_else(|| Error::new(ErrorKind::Unavailable, "DescribeUserPool answered without an estimate"))
    }
}
