//! Users of outside identity providers: first and later sign-ins, links, and the hosted pages' calls.
//!
//! Invariant: one outside identity belongs to at most one user of a pool.

use serde_json::{Value, json};

use super::errors::{Answer, invalid, refuse, unsupported, user_not_found};
use super::request::Request;
use super::schema::{self, Writer};
use super::sign_up::{self, NewName};
use super::state::{Identity, Status, User};
use super::{tokens, triggers};

const MOST_LINKS: usize = 5;

/// Social providers are their own type; which of OIDC and SAML any other one is, the double does not know.
fn provider_type(name: &str) -> &str {
    match name {
        "Facebook" | "Google" | "LoginWithAmazon" | "SignInWithApple" => name,
        _ => "OIDC",
    }
}

fn shown(identity: &Identity, text: bool) -> Value {
    let created = if text {
        json!(identity.created)
    } else {
        json!(identity.created.to_string())
    };
    let primary = if text {
        json!(identity.primary)
    } else {
        json!(identity.primary.to_string())
    };
    json!({
        "userId": identity.user_id,
        "providerName": identity.provider,
        "providerType": provider_type(&identity.provider),
        "issuer": null,
        "primary": primary,
        "dateCreated": created,
    })
}

/// The `identities` attribute: a JSON text.
pub(crate) fn identities_attribute(user: &User) -> Option<String> {
    let list: Vec<Value> = user.identities.iter().map(|identity| shown(identity, true)).collect();
    (!list.is_empty()).then(|| Value::Array(list).to_string())
}

/// The `identities` claim of the ID token, in which everything is text.
pub(crate) fn identities_claim(user: &User) -> Value {
    user.identities.iter().map(|identity| shown(identity, false)).collect()
}

/// Plays a sign-in through an identity provider: the first creates the user.
pub(crate) fn sign_in(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let provider = request.required("ProviderName")?;
    let user_id = request.required("ProviderUserId")?;
    let client = match request.text("ClientId")? {
        Some(_) => Some(request.named_client()?),
        None => None,
    };
    if client.as_ref().is_some_and(|(home, _)| *home != pool) {
        return Err(invalid("The app client belongs to another user pool."));
    }
    let client = client.map(|(_, client)| client);
    let client_id = client
        .as_ref()
        .map_or(triggers::NO_CLIENT, |client| client.id.as_str())
        .to_owned();
    request.effects.client = Some(client_id.clone());
    let mapped = request.map("Attributes")?;
    let writes: Vec<(&str, &str)> = mapped
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)))
        .collect();
    let known = request
        .pool(&pool)
        .identities
        .get(&(provider.to_owned(), user_id.to_owned()))
        .cloned();
    schema::check(request.pool(&pool), &writes, Writer::Provider, known.is_none())?;
    let created = known.is_none();
    let sub = match known {
        Some(sub) => {
            request.effects.sub = Some(sub.clone());
            if !request.user(&pool, &sub).enabled {
                return Err(super::errors::not_authorized("User is disabled."));
            }
            let user = request.user(&pool, &sub);
            if writes.iter().any(|(name, value)| user.attribute(name) != Some(*value)) {
                request.edit(&pool, &sub, |user| {
                    user.attributes.extend(
                        writes
                            .iter()
                            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
                    );
                });
            }
            sub
        }
        None => create_user(request, &pool, provider, user_id, &writes)?,
    };
    request.activate(&pool, &sub);
    if created {
        triggers::post_confirmation(request, &pool, &sub, &client_id, "ConfirmSignUp");
    } else {
        triggers::post_authentication(request, &pool, &sub, &client_id);
    }
    let mut answer = json!({ "UserSub": sub, "Username": request.user(&pool, &sub).username, "Created": created });
    if let Some(client) = client {
        answer["AuthenticationResult"] = tokens::sign_in(request, &pool, &sub, &client);
    }
    Ok(answer)
}

fn create_user(
    request: &mut Request<'_>,
    pool: &str,
    provider: &str,
    user_id: &str,
    writes: &[(&str, &str)],
) -> Answer<String> {
    let username = format!("{provider}_{user_id}");
    if request.pool(pool).has_username(&username) {
        return Err(refuse("UsernameExistsException", "User already exists"));
    }
    let attributes = writes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let name = NewName {
        username: Some(username),
        attribute: None,
    };
    let mut user = sign_up::new_user(request, name, attributes, Status::ExternalProvider);
    let now = request.now;
    user.identities.push(Identity {
        provider: provider.to_owned(),
        user_id: user_id.to_owned(),
        primary: true,
        created: now,
    });
    let sub = user.sub.clone();
    request.effects.sub = Some(sub.clone());
    request.pool_mut(pool).insert(user, now);
    Ok(sub)
}

/// Provider and user id of a `ProviderUserIdentifierType`.
fn outside<'a>(request: &Request<'a>, member: &str) -> Answer<(&'a str, Option<&'a str>, &'a str)> {
    let map = request
        .map(member)?
        .ok_or_else(|| invalid(format!("{member} must not be null")))?;
    let text = |key: &str| Request::text_in(map, key);
    let provider = text("ProviderName").ok_or_else(|| invalid(format!("{member}.ProviderName must not be null")))?;
    let value = text("ProviderAttributeValue")
        .ok_or_else(|| invalid(format!("{member}.ProviderAttributeValue must not be null")))?;
    Ok((provider, text("ProviderAttributeName"), value))
}

pub(crate) fn link(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (home, _, name) = outside(request, "DestinationUser")?;
    let (provider, attribute, user_id) = outside(request, "SourceUser")?;
    if attribute != Some("Cognito_Subject") {
        return Err(unsupported(
            "AdminLinkProviderForUser by another attribute than Cognito_Subject",
        ));
    }
    if provider == "Cognito" {
        return Err(invalid("SourceUser cannot be a user of the user pool itself."));
    }
    let found = if home == "Cognito" {
        request.pool(&pool).find(name).map(|user| user.sub.clone())
    } else {
        request
            .pool(&pool)
            .identities
            .get(&(home.to_owned(), name.to_owned()))
            .cloned()
    };
    let sub = found.ok_or_else(user_not_found)?;
    request.effects.sub = Some(sub.clone());
    match request
        .pool(&pool)
        .identities
        .get(&(provider.to_owned(), user_id.to_owned()))
    {
        Some(owner) if *owner == sub => return Err(invalid("SourceUser is already linked to DestinationUser")),
        Some(_) => {
            return Err(invalid(
                "Merging is not currently supported, provide a SourceUser that has not been signed up in order to link",
            ));
        }
        None => {}
    }
    if request
        .user(&pool, &sub)
        .identities
        .iter()
        .filter(|one| !one.primary)
        .count()
        >= MOST_LINKS
    {
        return Err(refuse(
            "LimitExceededException",
            "The user has the most linked identities that a user can have.",
        ));
    }
    let now = request.now;
    request.edit(&pool, &sub, |user| {
        user.identities.push(Identity {
            provider: provider.to_owned(),
            user_id: user_id.to_owned(),
            primary: false,
            created: now,
        });
    });
    Ok(json!({}))
}

pub(crate) fn unlink(request: &mut Request<'_>) -> Answer<Value> {
    let pool = request.named_pool()?;
    let (provider, _, user_id) = outside(request, "User")?;
    if provider == "Cognito" {
        return Err(unsupported("AdminDisableProviderForUser for the provider Cognito"));
    }
    let key = (provider.to_owned(), user_id.to_owned());
    let sub = request
        .pool(&pool)
        .identities
        .get(&key)
        .cloned()
        .ok_or_else(user_not_found)?;
    request.effects.sub = Some(sub.clone());
    request.edit(&pool, &sub, |user| {
        user.identities
            .retain(|one| one.provider != provider || one.user_id != user_id);
    });
    Ok(json!({}))
}
