//! ListUsers, ListUsersInGroup and paging.
//!
//! A page costs what it holds, not what lies before it: tokens continue by key. Only ListUsers with a filter on another
//! attribute than `sub` looks at every user.
//!
//! Invariant: a walk meets every user that exists throughout it exactly once, whatever is created or deleted meanwhile: a
//! page token says after which user to go on, never at which position.

use std::ops::Bound::{self, Excluded, Unbounded};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::errors::{Answer, invalid, not_found};
use super::filter::Filter;
use super::request::Request;
use super::state::{Pool, User};
use super::users;

const PAGE: i64 = 60;
/// AWS lets a token live for an hour.
const TOKEN_MILLIS: i64 = 3_600_000;

/// Where a walk goes on: after this sort key, within it after this name.
#[derive(Clone, Debug, Default)]
struct Cursor {
    key: String,
    name: String,
}

impl Cursor {
    /// Behind the last user of a page; where the page began, when it is empty.
    fn behind<'u>(found: &[&'u User], key: impl FnOnce(&'u User) -> Option<&'u str>, began: Self) -> Self {
        let Some(last) = found.last().copied() else {
            return began;
        };
        Self {
            key: key(last).unwrap_or_default().to_owned(),
            name: last.sub.clone(),
        }
    }
}

/// What a token belongs to: it is refused anywhere else.
fn binding(request: &Request<'_>) -> String {
    let of = |member: &str| request.value(member).map(Value::to_string).unwrap_or_default();
    let parts = ["UserPoolId", "Filter", "GroupName", "Username"].map(of);
    format!("{}|{}", request.call.operation, parts.join("|"))
}

fn checksum(payload: &str, binding: &str) -> String {
    let digest = Sha256::digest(format!("localcloud page token\n{binding}\n{payload}").as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn write_token(request: &Request<'_>, cursor: &Cursor) -> String {
    let payload = json!([cursor.key, cursor.name, request.now]).to_string();
    let sum = checksum(&payload, &binding(request));
    URL_SAFE_NO_PAD.encode(format!("{sum}{payload}"))
}

fn read_token(request: &Request<'_>, member: &str) -> Answer<Option<Cursor>> {
    let Some(token) = request.text(member)? else {
        return Ok(None);
    };
    let wrong = || invalid("Invalid pagination token given.");
    let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (sum, payload) = text.split_at_checked(16).ok_or_else(wrong)?;
    if checksum(payload, &binding(request)) != sum {
        return Err(wrong());
    }
    let (key, name, at): (String, String, i64) = serde_json::from_str(payload).map_err(|_| wrong())?;
    if request.now - at > TOKEN_MILLIS {
        return Err(invalid("Pagination token has expired."));
    }
    Ok(Some(Cursor { key, name }))
}

/// A page of names in ascending order, and the token for the next one. `names` are those from a name on.
pub(crate) fn page_by_name<'n, I: Iterator<Item = &'n str>>(
    request: &Request<'_>,
    names: impl FnOnce(Bound<&str>) -> I,
    size: i64,
    member: &str,
) -> Answer<(Vec<&'n str>, Option<String>)> {
    let after = read_token(request, member)?;
    let size = usize::try_from(size).unwrap_or(60);
    let start = after
        .as_ref()
        .map_or(Unbounded, |cursor| Excluded(cursor.name.as_str()));
    let mut rest = names(start);
    let page: Vec<&str> = rest.by_ref().take(size).collect();
    let next = rest.next().and(page.last()).map(|last| {
        write_token(
            request,
            &Cursor {
                key: String::new(),
                name: (*last).to_owned(),
            },
        )
    });
    Ok((page, next))
}

/// The answer of a list: its entries, and the token if there is more.
pub(crate) fn paged(member: &str, entries: Vec<Value>, next: Option<String>) -> Value {
    let mut answer = json!({ member: entries });
    if let Some(token) = next {
        answer["NextToken"] = json!(token);
    }
    answer
}

pub(crate) fn list_users(request: &mut Request<'_>) -> Answer<Value> {
    let pool_id = request.named_pool()?;
    let size = page_size(request)?;
    let filter = Filter::parse(request.text("Filter")?.unwrap_or_default())?;
    let only = request.strings("AttributesToGet")?;
    let pool = request.pool(&pool_id);
    if let Some(only) = &only
        && let Some(unknown) = only.iter().find(|name| !pool.schema.contains_key(**name))
    {
        return Err(invalid(format!(
            "One or more requested attributes do not exist: {unknown}"
        )));
    }
    let at = request.now - request.call.stale_by_millis.max(0);
    let after = read_token(request, "PaginationToken")?.unwrap_or_default();
    let (found, more) = match &filter {
        None => page(
            pool.subs_after(&after.name).filter_map(|sub| pool.user_at(sub, at)),
            size,
        ),
        Some(filter) if filter.attribute == "sub" => find_by_sub(pool, at, &after, size, filter),
        Some(filter) => sorted(pool, at, &after, size, filter),
    };
    let next = more.then(|| {
        let key = |last| filter.as_ref().filter(|filter| filter.attribute != "sub")?.key(last);
        write_token(request, &Cursor::behind(&found, key, after))
    });
    let mut answer =
        json!({ "Users": found.iter().map(|user| users::user_type(user, only.as_deref())).collect::<Vec<_>>() });
    if let Some(token) = next {
        answer["PaginationToken"] = json!(token);
    }
    Ok(answer)
}

pub(crate) fn list_users_in_group(request: &mut Request<'_>) -> Answer<Value> {
    let pool_id = request.named_pool()?;
    let size = page_size(request)?;
    let name = request.required("GroupName")?;
    let pool = request.pool(&pool_id);
    let group = pool.groups.get(name).ok_or_else(|| not_found("Group not found."))?;
    let at = request.now - request.call.stale_by_millis.max(0);
    let after = read_token(request, "NextToken")?.unwrap_or_default();
    let (found, more) = if at == request.now {
        let members = group
            .members
            .range::<str, _>((Excluded(after.name.as_str()), Unbounded));
        page(members.filter_map(|sub| pool.user(sub)), size)
    } else {
        let members = pool.members_after(group, &after.name);
        let then = members.filter_map(|sub| pool.user_at(sub, at));
        page(then.filter(|user| user.groups.contains(name)), size)
    };
    let next = more.then(|| write_token(request, &Cursor::behind(&found, |_| None, after)));
    let shown = found.iter().map(|user| users::user_type(user, None)).collect();
    Ok(paged("Users", shown, next))
}

/// How many users a page may hold. A `Limit` of 0 means the default, a full page.
fn page_size(request: &mut Request<'_>) -> Answer<usize> {
    let size = request
        .number("Limit", 0, PAGE)?
        .filter(|size| *size > 0)
        .unwrap_or(PAGE);
    let size = usize::try_from(size).unwrap_or(60);
    let percent = u64::from(request.state.short_pages);
    if percent > 0 && request.state.random.next() % 100 < percent {
        return Ok(usize::try_from(request.state.random.next()).unwrap_or(0) % size);
    }
    Ok(size)
}

/// The first `size`, and whether there are more.
fn page<'p>(mut users: impl Iterator<Item = &'p User>, size: usize) -> (Vec<&'p User>, bool) {
    let found: Vec<&User> = users.by_ref().take(size).collect();
    (found, users.next().is_some())
}

/// `sub = ` and `sub ^= ` need no scan: `sub` is the order of the pool.
fn find_by_sub<'p>(pool: &'p Pool, at: i64, after: &Cursor, size: usize, filter: &Filter) -> (Vec<&'p User>, bool) {
    if !filter.prefix {
        let found = pool.user_at(&filter.value, at).into_iter();
        return page(found.filter(|user| user.sub > after.name), size);
    }
    // What comes right before the prefix: with the first walk nothing was read yet.
    let prefix = filter.value.as_str();
    let exact = (after.name.as_str() < prefix)
        .then(|| pool.user_at(prefix, at))
        .flatten();
    let start = if after.name.as_str() < prefix {
        prefix
    } else {
        after.name.as_str()
    };
    let rest = pool
        .subs_after(start)
        .take_while(|sub| sub.starts_with(prefix))
        .filter_map(|sub| pool.user_at(sub, at));
    page(exact.into_iter().chain(rest), size)
}

/// Filtered results are sorted by the attribute filtered on.
fn sorted<'p>(pool: &'p Pool, at: i64, after: &Cursor, size: usize, filter: &Filter) -> (Vec<&'p User>, bool) {
    let mut found: Vec<(&str, &User)> = pool
        .subs_after("")
        .filter_map(|sub| pool.user_at(sub, at))
        .filter(|user| filter.matches(user))
        .filter_map(|user| filter.key(user).map(|key| (key, user)))
        .filter(|(key, user)| (*key, user.sub.as_str()) > (after.key.as_str(), after.name.as_str()))
        .collect();
    found.sort_unstable_by(|a, b| (a.0, &a.1.sub).cmp(&(b.0, &b.1.sub)));
    page(found.into_iter().map(|(_, user)| user), size)
}
