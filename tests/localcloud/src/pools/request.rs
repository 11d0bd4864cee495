//! One call on its way through a handler: reading its members, finding its pool, client and user, collecting its effects.
//!
//! Invariant: a refused call leaves no effect but what the trail needs (pool and `sub`).

use serde_json::{Map, Value};

use super::errors::{Answer, invalid, not_authorized, not_found, user_not_found};
use super::state::{Client, Pool, State, User};
use super::{Call, Message, TriggerCall, clients, signer};

/// What has to happen because of a call.
#[derive(Debug, Default)]
pub(crate) struct Effects {
    pub(crate) triggers: Vec<TriggerCall>,
    pub(crate) messages: Vec<Message>,
    pub(crate) became_active: Vec<String>,
    pub(crate) pool: Option<(String, String)>,
    /// The user concerned, once found.
    pub(crate) sub: Option<String>,
    /// `client_id` of the pseudo operations' service events.
    pub(crate) client: Option<String>,
}

pub(crate) struct Request<'a> {
    pub(crate) state: &'a mut State,
    pub(crate) call: &'a Call,
    pub(crate) now: i64,
    pub(crate) effects: Effects,
}

/// Who an access token speaks for.
#[derive(Debug)]
pub(crate) struct Bearer {
    pub(crate) pool: String,
    pub(crate) sub: String,
    pub(crate) client: String,
}

impl<'a> Request<'a> {
    pub(crate) fn value(&self, member: &str) -> Option<&'a Value> {
        let call: &'a Call = self.call;
        call.input.get(member).filter(|value| !value.is_null())
    }

    pub(crate) fn text(&self, member: &str) -> Answer<Option<&'a str>> {
        self.value(member)
            .map(|value| value.as_str().ok_or_else(|| wrong_type(member)))
            .transpose()
    }

    pub(crate) fn required(&self, member: &str) -> Answer<&'a str> {
        let text = self.text(member)?.ok_or_else(|| missing(member))?;
        if text.is_empty() {
            let name = lower_first(member);
            return Err(invalid(format!(
                "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length greater than or equal to 1"
            )));
        }
        Ok(text)
    }

    /// As [`Request::required`], of at most `most` characters.
    pub(crate) fn required_up_to(&self, member: &str, most: usize) -> Answer<&'a str> {
        let text = self.required(member)?;
        if text.chars().count() > most {
            let name = lower_first(member);
            return Err(invalid(format!(
                "1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length less than or equal to {most}"
            )));
        }
        Ok(text)
    }

    /// One of the documented values.
    pub(crate) fn one_of(&self, member: &str, allowed: &[&str]) -> Answer<Option<&'a str>> {
        let Some(text) = self.text(member)? else {
            return Ok(None);
        };
        if !allowed.contains(&text) {
            let (name, allowed) = (lower_first(member), allowed.join(", "));
            return Err(invalid(format!(
                "1 validation error detected: Value '{text}' at '{name}' failed to satisfy constraint: Member must satisfy enum value set: [{allowed}]"
            )));
        }
        Ok(Some(text))
    }

    /// As [`Request::one_of`], and not left out.
    pub(crate) fn required_of(&self, member: &str, allowed: &[&str]) -> Answer<&'a str> {
        self.one_of(member, allowed)?.ok_or_else(|| missing(member))
    }

    /// Those of `members` that the call gives, as they are.
    pub(crate) fn given(&self, members: &[&str]) -> Map<String, Value> {
        members
            .iter()
            .filter_map(|member| Some(((*member).to_owned(), self.value(member)?.clone())))
            .collect()
    }

    pub(crate) fn flag(&self, member: &str) -> Answer<bool> {
        Ok(self
            .value(member)
            .map(|value| value.as_bool().ok_or_else(|| wrong_type(member)))
            .transpose()?
            .unwrap_or(false))
    }

    /// A number within its documented range.
    pub(crate) fn number(&self, member: &str, least: i64, most: i64) -> Answer<Option<i64>> {
        let Some(value) = self.value(member) else {
            return Ok(None);
        };
        let number = value.as_i64().ok_or_else(|| wrong_type(member))?;
        let name = lower_first(member);
        if number < least {
            return Err(invalid(format!(
                "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value greater than or equal to {least}"
            )));
        }
        if number > most {
            return Err(invalid(format!(
                "1 validation error detected: Value '{number}' at '{name}' failed to satisfy constraint: Member must have value less than or equal to {most}"
            )));
        }
        Ok(Some(number))
    }

    pub(crate) fn map(&self, member: &str) -> Answer<Option<&'a Map<String, Value>>> {
        self.value(member)
            .map(|value| value.as_object().ok_or_else(|| wrong_type(member)))
            .transpose()
    }

    pub(crate) fn list(&self, member: &str) -> Answer<Option<&'a Vec<Value>>> {
        self.value(member)
            .map(|value| value.as_array().ok_or_else(|| wrong_type(member)))
            .transpose()
    }

    pub(crate) fn strings(&self, member: &str) -> Answer<Option<Vec<&'a str>>> {
        let Some(list) = self.list(member)? else {
            return Ok(None);
        };
        list.iter()
            .map(|entry| entry.as_str().ok_or_else(|| wrong_type(member)))
            .collect::<Answer<Vec<_>>>()
            .map(Some)
    }

    /// `[{Name, Value}]`, the form of attributes in the API; a value left out is empty.
    pub(crate) fn attributes(&self, member: &str) -> Answer<Vec<(&'a str, &'a str)>> {
        let Some(list) = self.list(member)? else {
            return Ok(Vec::new());
        };
        list.iter()
            .map(|entry| {
                let name = entry
                    .get("Name")
                    .and_then(Value::as_str)
                    .ok_or_else(|| missing("name"))?;
                let value = match entry.get("Value") {
                    None | Some(Value::Null) => "",
                    Some(value) => value.as_str().ok_or_else(|| wrong_type("value"))?,
                };
                Ok((name, value))
            })
            .collect()
    }

    pub(crate) fn text_in(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
        map.get(key).and_then(Value::as_str)
    }

    /// The pool named by `UserPoolId`, in the Region of the signature.
    pub(crate) fn named_pool(&mut self) -> Answer<String> {
        let id = self.required("UserPoolId")?;
        let here = self
            .state
            .pools
            .get(id)
            .filter(|pool| self.call.region.as_ref().is_none_or(|region| *region == pool.region));
        let pool = here.ok_or_else(|| not_found(format!("User pool {id} does not exist.")))?;
        self.effects.pool = Some((pool.region.clone(), pool.id.clone()));
        Ok(id.to_owned())
    }

    /// The pool and app client of an unsigned call.
    pub(crate) fn named_client(&mut self) -> Answer<(String, Client)> {
        let id = self.required("ClientId")?;
        let pool_id = self.state.pool_of_client.get(id).cloned();
        let pool = pool_id.as_ref().and_then(|pool| self.state.pools.get(pool));
        let client = pool.and_then(|pool| pool.clients.get(id)).cloned();
        let (Some(pool), Some(client)) = (pool, client) else {
            return Err(not_found(format!("User pool client {id} does not exist.")));
        };
        self.effects.pool = Some((pool.region.clone(), pool.id.clone()));
        Ok((pool.id.clone(), client))
    }

    /// As [`Request::named_client`], with the `SecretHash` of `username` checked.
    pub(crate) fn proven_client(&mut self, username: &str) -> Answer<(String, Client)> {
        let (pool, client) = self.named_client()?;
        clients::check_secret_hash(&client, self.text("SecretHash")?, &[username])?;
        Ok((pool, client))
    }

    /// The user named by `Username` in a pool; its `sub`.
    pub(crate) fn named_user(&mut self, pool: &str) -> Answer<String> {
        let name = self.required("Username")?;
        let sub = self
            .pool(pool)
            .find(name)
            .map(|user| user.sub.clone())
            .ok_or_else(user_not_found)?;
        self.effects.sub = Some(sub.clone());
        Ok(sub)
    }

    /// Pool and user of an administrator's call.
    pub(crate) fn subject(&mut self) -> Answer<(String, String)> {
        let pool = self.named_pool()?;
        let sub = self.named_user(&pool)?;
        Ok((pool, sub))
    }

    /// Whom the `AccessToken` speaks for, if it still does.
    pub(crate) fn bearer(&mut self) -> Answer<Bearer> {
        let claims =
            signer::claims_of(self.required("AccessToken")?).ok_or_else(|| not_authorized("Invalid Access Token"))?;
        let claim = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        if claim("token_use") != "access" {
            return Err(not_authorized("Invalid Access Token"));
        }
        let issuer = claim("iss");
        let pool_id = issuer.rsplit('/').next().unwrap_or_default();
        let pool = self
            .state
            .pools
            .get(pool_id)
            .ok_or_else(|| not_authorized("Invalid Access Token"))?;
        let bearer = Bearer {
            pool: pool.id.clone(),
            sub: claim("sub"),
            client: claim("client_id"),
        };
        let user = pool.user(&bearer.sub).ok_or_else(user_not_found)?;
        self.effects.pool = Some((pool.region.clone(), pool.id.clone()));
        self.effects.sub = Some(bearer.sub.clone());
        let jti = claim("jti");
        let until = pool
            .sign_ins
            .get(&bearer.sub)
            .and_then(|all| all.iter().find_map(|one| one.access.get(&jti)));
        match until {
            None => return Err(not_authorized("Access Token has been revoked")),
            Some(until) if *until <= self.now => return Err(not_authorized("Access Token has expired")),
            Some(_) => {}
        }
        if !user.enabled {
            return Err(not_authorized("User is disabled."));
        }
        Ok(bearer)
    }

    /// A pool that was found before in the same call.
    pub(crate) fn pool(&self, id: &str) -> &Pool {
        self.state
            .pools
            .get(id)
            .expect("the pool was found at the start of this call")
    }

    pub(crate) fn pool_mut(&mut self, id: &str) -> &mut Pool {
        self.state
            .pools
            .get_mut(id)
            .expect("the pool was found at the start of this call")
    }

    /// A user that was found before in the same call.
    pub(crate) fn user(&self, pool: &str, sub: &str) -> &User {
        self.pool(pool)
            .user(sub)
            .expect("the user was found at the start of this call")
    }

    /// Changes a user and moves its modification date.
    pub(crate) fn edit(&mut self, pool: &str, sub: &str, change: impl FnOnce(&mut User)) {
        let now = self.now;
        self.pool_mut(pool).edit(sub, now, true, change);
    }

    /// Counts the user as monthly active.
    pub(crate) fn activate(&mut self, pool: &str, sub: &str) {
        if self.state.active.insert((pool.to_owned(), sub.to_owned())) {
            self.effects.became_active.push(sub.to_owned());
        }
    }
}

pub(crate) fn missing(member: &str) -> super::ApiError {
    let name = lower_first(member);
    invalid(format!(
        "1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null"
    ))
}

fn wrong_type(member: &str) -> super::ApiError {
    super::errors::refuse("SerializationException", format!("{member} has the wrong type"))
}

/// The API's member names begin in upper case, its messages and trail records in lower case.
pub(crate) fn lower_first(name: &str) -> String {
    let mut letters = name.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

/// Timestamps travel as seconds with milliseconds behind the point.
pub(crate) fn seconds(millis: i64) -> Value {
    #[expect(
        clippy::cast_precision_loss,
        reason = "milliseconds of this century are far below 2^53"
    )]
    Value::from(millis as f64 / 1000.0)
}
