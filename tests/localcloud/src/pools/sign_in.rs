//! Sign-in with a password, its challenges, and refreshing.
//!
//! Invariant: tokens are issued, PostAuthentication fires and the user becomes active in one place, [`complete`].

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_authorized, refuse, unsupported, user_not_found, wrong_password};
use super::request::Request;
use super::schema::{self, Writer};
use super::state::{Challenge, Client, Status, User};
use super::{clients, delivery, passwords, tokens, totp, triggers, users};

pub(crate) fn initiate(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, client) = request.named_client()?;
    let flow = request.required("AuthFlow")?;
    match flow {
        "USER_PASSWORD_AUTH" => {
            demand(
                &client,
                "ALLOW_USER_PASSWORD_AUTH",
                "USER_PASSWORD_AUTH flow not enabled for this client",
            )?;
            with_password(request, &pool, &client)
        }
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => with_refresh_token(request, &pool, &client),
        other => Err(unsupported(format!("AuthFlow {other} of InitiateAuth"))),
    }
}

pub(crate) fn admin_initiate(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, client) = admin_client(request)?;
    match request.required("AuthFlow")? {
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => {
            demand(
                &client,
                "ALLOW_ADMIN_USER_PASSWORD_AUTH",
                "Auth flow not enabled for this client",
            )?;
            with_password(request, &pool, &client)
        }
        "REFRESH_TOKEN_AUTH" | "REFRESH_TOKEN" => with_refresh_token(request, &pool, &client),
        other => Err(unsupported(format!("AuthFlow {other} of AdminInitiateAuth"))),
    }
}

fn admin_client(request: &mut Request<'_>) -> Answer<(String, Client)> {
    let named = request.named_pool()?;
    let (pool, client) = request.named_client()?;
    if pool != named {
        return Err(super::errors::not_found(format!(
            "User pool client {} does not exist.",
            client.id
        )));
    }
    Ok((pool, client))
}

fn demand(client: &Client, flow: &str, message: &str) -> Answer<()> {
    if clients::allows(client, flow) {
        Ok(())
    } else {
        Err(invalid(message))
    }
}

fn parameter<'a>(request: &Request<'a>, member: &str, name: &str) -> Answer<Option<&'a str>> {
    Ok(request.map(member)?.and_then(|map| Request::text_in(map, name)))
}

fn needed<'a>(request: &Request<'a>, member: &str, name: &str) -> Answer<&'a str> {
    parameter(request, member, name)?.ok_or_else(|| invalid(format!("Missing required parameter {name}")))
}

fn with_refresh_token(request: &mut Request<'_>, pool: &str, client: &Client) -> Answer<Value> {
    demand(
        client,
        "ALLOW_REFRESH_TOKEN_AUTH",
        "REFRESH_TOKEN_AUTH flow not enabled for this client",
    )?;
    let token = needed(request, "AuthParameters", "REFRESH_TOKEN")?;
    let hash = parameter(request, "AuthParameters", "SECRET_HASH")?;
    let result = tokens::refresh(request, pool, client, token, hash)?;
    Ok(json!({ "AuthenticationResult": result, "ChallengeParameters": {} }))
}

fn with_password(request: &mut Request<'_>, pool: &str, client: &Client) -> Answer<Value> {
    let name = needed(request, "AuthParameters", "USERNAME")?;
    let password = needed(request, "AuthParameters", "PASSWORD")?;
    clients::check_secret_hash(client, parameter(request, "AuthParameters", "SECRET_HASH")?, &[name])?;
    let hidden = clients::hides_users(client);
    let user = request.pool(pool).find(name).cloned();
    let user = user.ok_or_else(|| if hidden { wrong_password() } else { user_not_found() })?;
    request.effects.sub = Some(user.sub.clone());
    check_password(request, &user, password, hidden)?;
    if user.status == Status::ForceChangePassword {
        return Ok(new_password_required(request, pool, &user, client));
    }
    second_factor(request, pool, &user.sub, client)
}

fn check_password(request: &Request<'_>, user: &User, password: &str, hidden: bool) -> Answer<()> {
    if !user.enabled {
        return Err(not_authorized("User is disabled."));
    }
    if user.status == Status::ResetRequired {
        let open = refuse("PasswordResetRequiredException", "Password reset required for the user");
        return Err(if hidden { wrong_password() } else { open });
    }
    if !passwords::is_right(user, password) {
        return Err(wrong_password());
    }
    if user.status == Status::Unconfirmed {
        return Err(refuse("UserNotConfirmedException", "User is not confirmed."));
    }
    if user.temporary_until.is_some_and(|until| until <= request.now) {
        return Err(not_authorized(
            "Temporary password has expired and must be reset by an administrator.",
        ));
    }
    Ok(())
}

/// Opens a challenge and returns its session.
fn open(
    request: &mut Request<'_>,
    pool: &str,
    name: &'static str,
    sub: &str,
    client: &Client,
    code: Option<String>,
) -> String {
    let minutes = client
        .settings
        .get("AuthSessionValidity")
        .and_then(Value::as_i64)
        .unwrap_or(3);
    let session = request.state.random.text(64);
    let now = request.now;
    let until = now + minutes * 60_000;
    let challenge = Challenge {
        name,
        sub: sub.to_owned(),
        client: client.id.clone(),
        until,
        code,
    };
    let challenges = &mut request.pool_mut(pool).challenges;
    // Sessions that ran out long ago would only pile up; those of the last hour still get their own message.
    challenges.retain(|_, one| one.until > now - 3_600_000);
    challenges.insert(session.clone(), challenge);
    session
}

fn new_password_required(request: &mut Request<'_>, pool: &str, user: &User, client: &Client) -> Value {
    let shown: Map<String, Value> = user
        .attributes
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)))
        .collect();
    let lacking: Vec<String> = schema::lacking(request.pool(pool), |name| user.attribute(name).is_some())
        .map(|name| format!("userAttributes.{name}"))
        .collect();
    let session = open(request, pool, "NEW_PASSWORD_REQUIRED", &user.sub, client, None);
    json!({
        "ChallengeName": "NEW_PASSWORD_REQUIRED",
        "Session": session,
        "ChallengeParameters": {
            "USER_ID_FOR_SRP": user.username,
            "requiredAttributes": json!(lacking).to_string(),
            "userAttributes": Value::Object(shown).to_string(),
        },
    })
}

/// Asks for the second factor where there is one, else completes the sign-in.
fn second_factor(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client) -> Answer<Value> {
    let user = request.user(pool, sub);
    let mode = request
        .pool(pool)
        .settings
        .get("MfaConfiguration")
        .and_then(Value::as_str)
        .unwrap_or("OFF");
    if mode == "OFF" {
        return Ok(complete(request, pool, sub, client));
    }
    let factors = &user.factors;
    let chosen = match (factors.sms, factors.totp, factors.email) {
        (false, false, false) if mode == "OPTIONAL" => return Ok(complete(request, pool, sub, client)),
        // A required factor that nobody set up is the SMS, if there is a phone number.
        (false, false, false) if user.attribute("phone_number").is_some() => "SMS_MFA",
        (false, false, false) => return Err(unsupported("the MFA_SETUP challenge")),
        (true, true, _) if factors.preferred.is_none() => return Ok(select_factor(request, pool, sub, client)),
        (_, _, true) if factors.preferred == Some("EMAIL_OTP") || !(factors.sms || factors.totp) => {
            return Err(unsupported("the EMAIL_OTP challenge"));
        }
        (true, false, _) => "SMS_MFA",
        (false, true, _) => "SOFTWARE_TOKEN_MFA",
        _ => factors.preferred.unwrap_or("SMS_MFA"),
    };
    Ok(ask_for_factor(request, pool, sub, client, chosen))
}

fn select_factor(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client) -> Value {
    let session = open(request, pool, "SELECT_MFA_TYPE", sub, client, None);
    let username = &request.user(pool, sub).username;
    json!({
        "ChallengeName": "SELECT_MFA_TYPE",
        "Session": session,
        "ChallengeParameters": {
            "USER_ID_FOR_SRP": username,
            "MFAS_CAN_CHOOSE": "[\"SMS_MFA\",\"SOFTWARE_TOKEN_MFA\"]",
        },
    })
}

fn ask_for_factor(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client, factor: &str) -> Value {
    let username = request.user(pool, sub).username.clone();
    if factor == "SOFTWARE_TOKEN_MFA" {
        let session = open(request, pool, "SOFTWARE_TOKEN_MFA", sub, client, None);
        return json!({
            "ChallengeName": "SOFTWARE_TOKEN_MFA", "Session": session, "ChallengeParameters": { "USER_ID_FOR_SRP": username },
        });
    }
    let code = request.state.random.code();
    let session = open(request, pool, "SMS_MFA", sub, client, Some(code.clone()));
    delivery::send(request, pool, sub, &client.id, "Authentication", "phone_number", &code);
    let to = delivery::details(
        "phone_number",
        request.user(pool, sub).attribute("phone_number").unwrap_or_default(),
    );
    json!({
        "ChallengeName": "SMS_MFA",
        "Session": session,
        "ChallengeParameters": {
            "CODE_DELIVERY_DELIVERY_MEDIUM": "SMS", "CODE_DELIVERY_DESTINATION": to["Destination"], "USER_ID_FOR_SRP": username,
        },
    })
}

fn complete(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client) -> Value {
    let result = tokens::sign_in(request, pool, sub, client);
    request.activate(pool, sub);
    triggers::post_authentication(request, pool, sub, &client.id);
    json!({ "AuthenticationResult": result, "ChallengeParameters": {} })
}

pub(crate) fn respond(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, client) = request.named_client()?;
    answer_challenge(request, &pool, &client)
}

pub(crate) fn admin_respond(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, client) = admin_client(request)?;
    answer_challenge(request, &pool, &client)
}

fn answer_challenge(request: &mut Request<'_>, pool: &str, client: &Client) -> Answer<Value> {
    let name = request.required("ChallengeName")?;
    if ![
        "NEW_PASSWORD_REQUIRED",
        "SMS_MFA",
        "SOFTWARE_TOKEN_MFA",
        "SELECT_MFA_TYPE",
    ]
    .contains(&name)
    {
        return Err(unsupported(format!("the challenge {name}")));
    }
    let session = request.required("Session")?;
    let given_name = needed(request, "ChallengeResponses", "USERNAME")?;
    let invalid_session = || not_authorized("Invalid session for the user.");
    let challenge = request
        .pool(pool)
        .challenges
        .get(session)
        .cloned()
        .ok_or_else(invalid_session)?;
    let named = request
        .pool(pool)
        .find(given_name)
        .is_some_and(|user| user.sub == challenge.sub);
    if challenge.name != name || challenge.client != client.id || !named {
        return Err(invalid_session());
    }
    let sub = challenge.sub.clone();
    request.effects.sub = Some(sub.clone());
    let user = request.user(pool, &sub);
    clients::check_secret_hash(
        client,
        parameter(request, "ChallengeResponses", "SECRET_HASH")?,
        &[given_name, &user.username, &user.sub],
    )?;
    if challenge.until <= request.now {
        return Err(not_authorized("Invalid session for the user, session is expired."));
    }
    if !user.enabled {
        return Err(not_authorized("User is disabled."));
    }
    let right = match name {
        "SMS_MFA" => challenge.code.as_deref() == Some(needed(request, "ChallengeResponses", "SMS_MFA_CODE")?),
        "SOFTWARE_TOKEN_MFA" => {
            let code = needed(request, "ChallengeResponses", "SOFTWARE_TOKEN_MFA_CODE")?;
            user.factors
                .totp_secret
                .as_ref()
                .is_some_and(|secret| totp::accepts(secret, code, request.now))
        }
        _ => true,
    };
    if !right {
        return Err(refuse(
            "CodeMismatchException",
            "Invalid code or auth state for the user.",
        ));
    }
    if name == "NEW_PASSWORD_REQUIRED" {
        set_new_password(request, pool, &sub, client)?;
    }
    let choice = parameter(request, "ChallengeResponses", "ANSWER")?;
    request.pool_mut(pool).challenges.remove(session);
    match name {
        "NEW_PASSWORD_REQUIRED" => second_factor(request, pool, &sub, client),
        "SELECT_MFA_TYPE" => match choice {
            Some(factor @ ("SMS_MFA" | "SOFTWARE_TOKEN_MFA")) => {
                Ok(ask_for_factor(request, pool, &sub, client, factor))
            }
            _ => Err(invalid("Missing required parameter ANSWER")),
        },
        _ => Ok(complete(request, pool, &sub, client)),
    }
}

/// The new password, and the attributes that came with it as `userAttributes.NAME`.
fn set_new_password(request: &mut Request<'_>, pool: &str, sub: &str, client: &Client) -> Answer<()> {
    let password = needed(request, "ChallengeResponses", "NEW_PASSWORD")?;
    passwords::check_policy(request.pool(pool), password)?;
    let writes: Vec<(&str, &str)> = request
        .map("ChallengeResponses")?
        .into_iter()
        .flatten()
        .filter_map(|(name, value)| Some((name.strip_prefix("userAttributes.")?, value.as_str()?)))
        .collect();
    schema::check(
        request.pool(pool),
        &writes,
        Writer::Client(clients::writable(client)),
        false,
    )?;
    let user = request.user(pool, sub);
    let has = |name: &str| user.attribute(name).is_some() || writes.iter().any(|(given, _)| *given == name);
    if let Some(name) = schema::lacking(request.pool(pool), has).next() {
        return Err(invalid(format!("Invalid attributes given, {name} is missing")));
    }
    if !writes.is_empty() {
        users::write_attributes(request, pool, sub, &client.id, &writes)?;
    }
    request.edit(pool, sub, |user| {
        user.password = Some(passwords::digest(&user.sub, password));
        user.status = Status::Confirmed;
        user.temporary_until = None;
    });
    Ok(())
}
