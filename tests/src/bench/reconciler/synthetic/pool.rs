//! The pool: what a walk asks of it. Everything else is refused.
//!
//! Invariant: pages are as long as Cognito's.

use std::collections::BTreeSet;

use tokio::task::yield_now;
use twinpool_shared::{
    error::{Error, ErrorKind},
    group::GroupSettings,
    observation::UserRead,
    personal::{Personal, Sub},
    port::{Page, ReadPool},
    user::Factors,
};

use super::people::{GROUPS, People, group, group_name, read, sub};

const PAGE: usize = 60;

/// A page of `numbers` from where `token` says.
fn page<T>(
    numbers: impl Iterator<Item = usize>,
    token: Option<&str>,
    entry: impl Fn(usize) -> Option<T>,
) -> Result<Page<T>, Error> {
    let from = token.map_or(Ok(0), str::parse).map_err(|_| refused())?;
    let mut rest = numbers.skip(from);
    let entries: Option<Vec<T>> = rest.by_ref().take(PAGE).map(entry).collect();
    Ok(Page {
        entries: entries.ok_or_else(refused)?,
        token: rest.next().map(|_| (from + PAGE).to_string()),
    })
}

/// No walk without a suspect asks this.
fn refused() -> Error {
    Error::new(ErrorKind::Rejected, "a synthetic pool does not know this")
}

impl ReadPool for People {
    async fn find_user(&self, _pool: &str, _sub: &Sub) -> Result<Option<UserRead>, Error> {
        Err(refused())
    }

    async fn groups_of(&self, _pool: &str, _username: &Personal) -> Result<Option<BTreeSet<String>>, Error> {
        Err(refused())
    }

    async fn group(&self, _pool: &str, _name: &str) -> Result<Option<GroupSettings>, Error> {
        Err(refused())
    }

    async fn factors_of(&self, _pool: &str, _username: &Personal) -> Result<Option<Factors>, Error> {
        Err(refused())
    }

    async fn clients_of(&self, _pool: &str) -> Result<Vec<String>, Error> {
        Err(refused())
    }

    async fn users_page(
        &self,
        _pool: &str,
        prefix: Option<&str>,
        token: Option<&str>,
    ) -> Result<Page<(Sub, UserRead)>, Error> {
        yield_now().await;
        let numbers = self.of_prefix(prefix.unwrap_or_default());
        page(numbers, token, |number| Some((sub(number)?, read(number, false))))
    }

    async fn members_page(&self, _pool: &str, group: &str, token: Option<&str>) -> Result<Option<Page<Sub>>, Error> {
        yield_now().await;
        let first = group.strip_prefix("group-").and_then(|number| number.parse().ok());
        let first: usize = first.ok_or_else(refused)?;
        page((first..self.users).step_by(GROUPS), token, sub).map(Some)
    }

    async fn groups_page(&self, _pool: &str, token: Option<&str>) -> Result<Page<(String, GroupSettings)>, Error> {
        yield_now().await;
        page(0..GROUPS, token, |number| Some((group_name(number), group(number))))
    }

    async fn estimated_users(&self, _pool: &str) -> Result<u64, Error> {
        Ok(self.users as u64)
    }
}
