//! Issues, refreshes and revokes the tokens of a sign-in.
//!
//! Invariant: a token works only while its sign-in is listed in the pool, so that every revocation takes effect at once.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};

use super::errors::{Answer, not_authorized, refuse};
use super::request::Request;
use super::state::{Client, SignIn};
use super::{clients, federation, groups, secrets};

/// A new sign-in of a user: the `AuthenticationResult`, with a refresh token.
pub(crate) fn sign_in(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client) -> Value {
    let now = request.now;
    let secret = request.state.random.text(48);
    let refresh = URL_SAFE_NO_PAD.encode(format!("{sub}:{secret}"));
    let origin = request.state.random.uuid();
    let all = request.pool_mut(pool).sign_ins.entry(sub.to_owned()).or_default();
    all.retain(|one| one.refresh_until > now || one.access.values().any(|until| *until > now));
    all.push(SignIn {
        client: client.id.clone(),
        refresh: refresh.clone(),
        refresh_until: now + clients::validity(client, "Refresh"),
        origin,
        at: now,
        access: BTreeMap::new(),
    });
    let mut result = issue(request, pool, sub, client, &refresh);
    result["RefreshToken"] = json!(refresh);
    result
}

/// Access and ID token of a sign-in that exists.
fn issue(request: &mut Request<'_>, pool_id: &str, sub: &str, client: &Client, refresh: &str) -> Value {
    let now = request.now;
    let (access_id, id_id, event) = (
        request.state.random.uuid(),
        request.state.random.uuid(),
        request.state.random.uuid(),
    );
    let (access_life, id_life) = (clients::validity(client, "Access"), clients::validity(client, "Id"));
    let mut sign_in = None;
    if let Some(one) = request
        .pool_mut(pool_id)
        .sign_ins
        .get_mut(sub)
        .and_then(|all| all.iter_mut().find(|one| one.refresh == refresh))
    {
        one.access.retain(|_, until| *until > now);
        one.access.insert(access_id.clone(), now + access_life);
        sign_in = Some((one.origin.clone(), one.at));
    }
    let (origin, signed_in_at) = sign_in.unwrap_or_else(|| (event.clone(), now));
    let pool = request.pool(pool_id);
    let user = request.user(pool_id, sub);
    let issuer = format!("https://cognito-idp.{}.amazonaws.com/{}", pool.region, pool.id);
    let in_groups = groups::by_precedence(pool, user);
    let names: Vec<&str> = in_groups.iter().map(|group| group.name.as_str()).collect();
    let mut common = Map::new();
    common.insert("sub".into(), json!(user.sub));
    common.insert("iss".into(), json!(issuer));
    common.insert("origin_jti".into(), json!(origin));
    common.insert("event_id".into(), json!(event));
    common.insert("auth_time".into(), json!(signed_in_at.div_euclid(1000)));
    common.insert("iat".into(), json!(now.div_euclid(1000)));
    if !names.is_empty() {
        common.insert("cognito:groups".into(), json!(names));
    }

    let mut access = common.clone();
    access.insert("token_use".into(), json!("access"));
    access.insert("client_id".into(), json!(client.id));
    access.insert("username".into(), json!(user.username));
    access.insert("scope".into(), json!("aws.cognito.signin.user.admin"));
    access.insert("exp".into(), json!((now + access_life).div_euclid(1000)));
    access.insert("jti".into(), json!(access_id));

    let mut id = common;
    id.insert("token_use".into(), json!("id"));
    id.insert("aud".into(), json!(client.id));
    id.insert("cognito:username".into(), json!(user.username));
    id.insert("exp".into(), json!((now + id_life).div_euclid(1000)));
    id.insert("jti".into(), json!(id_id));
    let roles: Vec<&str> = in_groups.iter().filter_map(|group| group.role_arn.as_deref()).collect();
    if let Some(first) = roles.first() {
        id.insert("cognito:preferred_role".into(), json!(first));
        id.insert("cognito:roles".into(), json!(roles));
    }
    let readable = clients::readable(client);
    for (name, value) in &user.attributes {
        if readable.is_some_and(|list| !list.iter().any(|entry| entry == name)) {
            continue;
        }
        // The flags are booleans in a token, everything else is text.
        let value = if name.ends_with("_verified") {
            json!(value.eq_ignore_ascii_case("true"))
        } else {
            json!(value)
        };
        id.insert(name.clone(), value);
    }
    if !user.identities.is_empty() {
        id.insert("identities".into(), federation::identities_claim(user));
    }
    let signer = &request.state.signer;
    json!({
        "AccessToken": signer.sign(&Value::Object(access)),
        "IdToken": signer.sign(&Value::Object(id)),
        "ExpiresIn": access_life / 1000,
        "TokenType": "Bearer",
    })
}

/// Whom a refresh token belongs to, whether it still works or not.
pub(crate) fn owner(token: &str) -> Option<String> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    text.split_once(':').map(|(sub, _)| sub.to_owned())
}

/// New tokens for a refresh token; no new refresh token (rotation is not supported).
pub(crate) fn refresh(
    request: &mut Request<'_>,
    pool: &str,
    client: &Client,
    token: &str,
    secret_hash: Option<&str>,
) -> Answer<Value> {
    let sub = owner(token).ok_or_else(|| not_authorized("Invalid Refresh Token"))?;
    if request.pool(pool).user(&sub).is_none() {
        return Err(not_authorized("Refresh Token has been revoked"));
    }
    request.effects.sub = Some(sub.clone());
    let user = request.user(pool, &sub);
    clients::check_secret_hash(client, secret_hash, &[&user.username, &user.sub])?;
    if !user.enabled {
        return Err(not_authorized("User is disabled."));
    }
    let known = request
        .pool(pool)
        .sign_ins
        .get(&sub)
        .and_then(|all| all.iter().find(|one| one.refresh == token));
    let known = known
        .filter(|one| one.client == client.id)
        .ok_or_else(|| not_authorized("Refresh Token has been revoked"))?;
    if known.refresh_until <= request.now {
        return Err(not_authorized("Refresh Token has expired"));
    }
    request.activate(pool, &sub);
    Ok(issue(request, pool, &sub, client, token))
}

pub(crate) fn revoke(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, client) = request.named_client()?;
    let token = request.required("Token")?;
    if !secrets::is_one_of(&client, request.text("ClientSecret")?) {
        return Err(refuse("UnauthorizedException", "Invalid client secret."));
    }
    if client.settings.get("EnableTokenRevocation") == Some(&json!(false)) {
        return Err(refuse(
            "UnsupportedOperationException",
            "Token revocation is not enabled for this client.",
        ));
    }
    let Some(sub) = owner(token) else {
        return Err(refuse(
            "UnsupportedTokenTypeException",
            "Only refresh tokens can be revoked.",
        ));
    };
    if request.pool(&pool).user(&sub).is_some() {
        request.effects.sub = Some(sub.clone());
    }
    // A token that is revoked or unknown already is no error.
    if let Some(all) = request.pool_mut(&pool).sign_ins.get_mut(&sub) {
        if all.iter().any(|one| one.refresh == token && one.client != client.id) {
            return Err(refuse(
                "UnauthorizedException",
                "The token was issued to another client.",
            ));
        }
        all.retain(|one| one.refresh != token);
    }
    Ok(json!({}))
}
