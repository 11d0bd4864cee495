//! A pool as Cognito's API shows it.
//!
//! Invariant: reads only, under a role of its own, so that the figures of the product's calls stay the product's.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_cognitoidentityprovider::{
    Client,
    error::{ProvideErrorMetadata, SdkError},
    primitives::DateTime,
};

use super::MfaSettings;
use crate::stack::{Failure, refused};

const PAGE: i32 = 60;
/// The list quotas are per second and shared with the product, which may still be at work.
const THROTTLED_PAUSE: Duration = Duration::from_millis(250);
const THROTTLED_TRIES: u32 = 80;

/// A user of the pool.
#[derive(Debug)]
pub(super) struct User {
    pub(super) username: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) status: String,
    pub(super) enabled: bool,
    pub(super) created_millis: Option<i64>,
    pub(super) modified_millis: Option<i64>,
    pub(super) groups: BTreeSet<String>,
    /// Preferred factor, and all enabled ones; `None` when not asked for.
    pub(super) factors: Option<(Option<String>, BTreeSet<String>)>,
}

/// A group of the pool.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) description: Option<String>,
    pub(super) precedence: Option<i32>,
    pub(super) role_arn: Option<String>,
    pub(super) created_millis: Option<i64>,
    pub(super) modified_millis: Option<i64>,
}

/// All of a pool.
#[derive(Debug, Default)]
pub(super) struct Pool {
    pub(super) users: BTreeMap<String, User>,
    pub(super) groups: BTreeMap<String, Group>,
}

pub(super) async fn read(cognito: &Client, id: &str, mfa: MfaSettings) -> Result<Pool, Failure> {
    let mut pool = Pool::default();
    read_users(cognito, id, &mut pool).await?;
    read_groups(cognito, id, &mut pool).await?;
    for name in pool.groups.keys().cloned().collect::<Vec<_>>() {
        read_members(cognito, id, &name, &mut pool).await?;
    }
    if mfa == MfaSettings::Compared {
        for user in pool.users.values_mut() {
            let asked = || {
                cognito
                    .admin_get_user()
                    .user_pool_id(id)
                    .username(&user.username)
                    .send()
            };
            let answer = patiently("AdminGetUser", asked).await?;
            let enabled = answer.user_mfa_setting_list.unwrap_or_default().into_iter().collect();
            user.factors = Some((answer.preferred_mfa_setting, enabled));
        }
    }
    Ok(pool)
}

async fn read_users(cognito: &Client, id: &str, pool: &mut Pool) -> Result<(), Failure> {
    let mut token: Option<String> = None;
    loop {
        let asked = || {
            let request = cognito.list_users().user_pool_id(id).limit(PAGE);
            request.set_pagination_token(token.clone()).send()
        };
        let page = patiently("ListUsers", asked).await?;
        for user in page.users.unwrap_or_default() {
            let mut attributes: BTreeMap<String, String> = user
                .attributes
                .unwrap_or_default()
                .into_iter()
                .map(|attribute| (attribute.name, attribute.value.unwrap_or_default()))
                .collect();
            // The backup has it as the key.
            let Some(sub) = attributes.remove("sub") else {
                return Err(Failure("ListUsers shows a user without a sub".to_owned()));
            };
            let user = User {
                username: user.username.unwrap_or_default(),
                attributes,
                status: user
                    .user_status
                    .map(|status| status.as_str().to_owned())
                    .unwrap_or_default(),
                enabled: user.enabled,
                created_millis: millis(user.user_create_date.as_ref()),
                modified_millis: millis(user.user_last_modified_date.as_ref()),
                groups: BTreeSet::new(),
                factors: None,
            };
            pool.users.insert(sub, user);
        }
        // A page may be short or empty: only the token says whether there is more.
        token = page.pagination_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn read_groups(cognito: &Client, id: &str, pool: &mut Pool) -> Result<(), Failure> {
    let mut token: Option<String> = None;
    loop {
        let asked = || {
            let request = cognito.list_groups().user_pool_id(id).limit(PAGE);
            request.set_next_token(token.clone()).send()
        };
        let page = patiently("ListGroups", asked).await?;
        for group in page.groups.unwrap_or_default() {
            let Some(name) = group.group_name else { continue };
            let group = Group {
                description: group.description,
                precedence: group.precedence,
                role_arn: group.role_arn,
                created_millis: millis(group.creation_date.as_ref()),
                modified_millis: millis(group.last_modified_date.as_ref()),
            };
            pool.groups.insert(name, group);
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn read_members(cognito: &Client, id: &str, group: &str, pool: &mut Pool) -> Result<(), Failure> {
    let mut token: Option<String> = None;
    loop {
        let asked = || {
            let request = cognito.list_users_in_group().user_pool_id(id).group_name(group);
            request.limit(PAGE).set_next_token(token.clone()).send()
        };
        let page = patiently("ListUsersInGroup", asked).await?;
        for member in page.users.unwrap_or_default() {
            let attributes = member.attributes.unwrap_or_default();
            let sub = attributes.into_iter().find(|attribute| attribute.name == "sub");
            let user = sub.and_then(|sub| pool.users.get_mut(&sub.value.unwrap_or_default()));
            if let Some(user) = user {
                user.groups.insert(group.to_owned());
            }
        }
        token = page.next_token;
        if token.is_none() {
            return Ok(());
        }
    }
}

async fn patiently<T, E, R, F>(what: &str, call: impl Fn() -> F) -> Result<T, Failure>
where
    E: ProvideErrorMetadata,
    R: std::fmt::Debug,
    F: Future<Output = Result<T, SdkError<E, R>>>,
{
    let mut tries = 0;
    loop {
        match call().await {
            Err(error) if error.code() == Some("TooManyRequestsException") && tries < THROTTLED_TRIES => {
                tries += 1;
                tokio::time::sleep(THROTTLED_PAUSE).await;
            }
            answer => return answer.map_err(refused(what)),
        }
    }
}

fn millis(date: Option<&DateTime>) -> Option<i64> {
    date.and_then(|date| date.to_millis().ok())
}
