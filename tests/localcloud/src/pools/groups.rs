//! Groups and memberships.
//!
//! Invariant: a membership never moves a user's modification date, and no membership outlives its group.

use std::ops::Bound::{self, Unbounded};

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_found, refuse};
use super::list::{page_by_name, paged};
use super::request::{Request, seconds};
use super::state::{Group, Pool, User, keys_after};

const MOST_PER_POOL: usize = 10_000;
const MOST_PER_USER: usize = 100;

fn describe(pool: &str, group: &Group) -> Value {
    let mut shown = Map::new();
    shown.insert("GroupName".into(), json!(group.name));
    shown.insert("UserPoolId".into(), json!(pool));
    shown.extend(
        group
            .description
            .as_ref()
            .map(|text| ("Description".to_owned(), json!(text))),
    );
    shown.extend(group.role_arn.as_ref().map(|arn| ("RoleArn".to_owned(), json!(arn))));
    shown.extend(group.precedence.map(|number| ("Precedence".to_owned(), json!(number))));
    shown.insert("LastModifiedDate".into(), seconds(group.modified));
    shown.insert("CreationDate".into(), seconds(group.created));
    Value::Object(shown)
}

fn existing<'a>(request: &'a Request<'_>, pool: &str) -> Answer<&'a Group> {
    let name = request.required("GroupName")?;
    request
        .pool(pool)
        .groups
        .get(name)
        .ok_or_else(|| not_found("Group not found."))
}

fn description<'a>(request: &Request<'a>) -> Answer<Option<&'a str>> {
    let text = request.text("Description")?;
    if text.is_some_and(|text| text.chars().count() > 2048) {
        return Err(invalid(
            "1 validation error detected: Value at 'description' failed to satisfy constraint: Member must have length less than or equal to 2048",
        ));
    }
    Ok(text)
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let name = request.required("GroupName")?;
    if name.chars().count() > 128 || name.contains(char::is_whitespace) {
        return Err(invalid(
            "1 validation error detected: Value at 'groupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+",
        ));
    }
    let groups = &request.pool(&pool).groups;
    if groups.contains_key(name) {
        return Err(refuse("GroupExistsException", "A group with the name already exists."));
    }
    if groups.len() >= MOST_PER_POOL {
        return Err(refuse(
            "LimitExceededException",
            "The user pool has the most groups that it can have.",
        ));
    }
    let group = Group {
        name: name.to_owned(),
        description: description(request)?.map(str::to_owned),
        role_arn: request.text("RoleArn")?.map(str::to_owned),
        precedence: request.number("Precedence", 0, i64::from(i32::MAX))?,
        created: request.now,
        modified: request.now,
        members: std::collections::BTreeSet::new(),
    };
    let answer = json!({ "Group": describe(&pool, &group) });
    request.pool_mut(&pool).groups.insert(name.to_owned(), group);
    Ok(answer)
}

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    Ok(json!({ "Group": describe(&pool, existing(request, &pool)?) }))
}

/// What is left out stays as it is.
pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let mut group = existing(request, &pool)?.clone();
    group.description = description(request)?.map(str::to_owned).or(group.description);
    group.role_arn = request.text("RoleArn")?.map(str::to_owned).or(group.role_arn);
    group.precedence = request
        .number("Precedence", 0, i64::from(i32::MAX))?
        .or(group.precedence);
    group.modified = request.now;
    let answer = json!({ "Group": describe(&pool, &group) });
    request.pool_mut(&pool).groups.insert(group.name.clone(), group);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let group = existing(request, &pool)?.clone();
    let now = request.now;
    let home = request.pool_mut(&pool);
    for sub in &group.members {
        home.edit(sub, now, false, |user| {
            user.groups.remove(&group.name);
        });
    }
    home.groups.remove(&group.name);
    Ok(json!({}))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let size = request.number("Limit", 0, 60)?.filter(|size| *size > 0).unwrap_or(60);
    let groups = &request.pool(&pool).groups;
    let (page, next) = page_by_name(request, |after| keys_after(groups, after), size, "NextToken")?;
    let shown = page.iter().map(|name| describe(&pool, &groups[*name])).collect();
    Ok(paged("Groups", shown, next))
}

pub(crate) fn add_user(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let sub = request.named_user(&pool)?;
    let name = existing(request, &pool)?.name.clone();
    let user = request.user(&pool, &sub);
    if !user.groups.contains(&name) {
        if user.groups.len() >= MOST_PER_USER {
            return Err(refuse(
                "LimitExceededException",
                "The user is in the most groups that a user can be in.",
            ));
        }
        let now = request.now;
        request.pool_mut(&pool).edit(&sub, now, false, |user| {
            user.groups.insert(name);
        });
    }
    request.activate(&pool, &sub);
    Ok(json!({}))
}

pub(crate) fn remove_user(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let sub = request.named_user(&pool)?;
    let name = existing(request, &pool)?.name.clone();
    let now = request.now;
    if request.user(&pool, &sub).groups.contains(&name) {
        request.pool_mut(&pool).edit(&sub, now, false, |user| {
            user.groups.remove(&name);
        });
    }
    request.activate(&pool, &sub);
    Ok(json!({}))
}

pub(crate) fn list_for_user(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    let size = request.number("Limit", 0, 60)?.filter(|size| *size > 0).unwrap_or(60);
    let home = request.pool(&pool);
    let own = &request.user(&pool, &sub).groups;
    let names = |after: Bound<&str>| own.range::<str, _>((after, Unbounded)).map(String::as_str);
    let (page, next) = page_by_name(request, names, size, "NextToken")?;
    let groups = page.iter().filter_map(|name| home.groups.get(*name));
    Ok(paged(
        "Groups",
        groups.map(|group| describe(&pool, group)).collect(),
        next,
    ))
}

/// A user's groups, the one with the lowest precedence first, those without one last.
pub(crate) fn by_precedence<'a>(pool: &'a Pool, user: &User) -> Vec<&'a Group> {
    let mut groups: Vec<&Group> = user.groups.iter().filter_map(|name| pool.groups.get(name)).collect();
    groups.sort_by_key(|group| (group.precedence.unwrap_or(i64::MAX), group.name.clone()));
    groups
}
