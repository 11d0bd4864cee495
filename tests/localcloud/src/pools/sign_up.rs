//! Sign-up by the user: SignUp, ConfirmSignUp, ResendConfirmationCode and the administrator's confirmation.
//!
//! Invariant: a user is inserted only after every check has passed.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::delivery;
use super::errors::{Answer, code_expired, invalid, not_authorized, refuse, unsupported, user_not_found};
use super::request::Request;
use super::schema::{self, Writer};
use super::state::{Factors, Pool, Purpose, Status, User};
use super::{clients, passwords, triggers};

/// The user name that a new user really gets, and the attribute that the given name is.
#[derive(Debug)]
pub(crate) struct NewName {
    /// `None`: the user name is the `sub`.
    pub(crate) username: Option<String>,
    pub(crate) attribute: Option<&'static str>,
}

/// Checks the name of a new user against the pool's naming rules and the names in use.
pub(crate) fn new_name(pool: &Pool, given: &str) -> Answer<NewName> {
    if given.chars().count() > 128 || given.contains(char::is_whitespace) {
        return Err(invalid(
            "1 validation error detected: Value at 'username' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+",
        ));
    }
    let takes = |attribute: &str| pool.username_attributes.iter().any(|one| one == attribute);
    if !pool.username_attributes.is_empty() {
        let attribute = if takes("email") && schema::looks_like_email(given) {
            "email"
        } else if takes("phone_number") && schema::looks_like_phone(given) {
            "phone_number"
        } else {
            return Err(invalid(match (takes("email"), takes("phone_number")) {
                (true, true) => "Username should be either an email or a phone number.",
                (true, false) => "Username should be an email.",
                _ => "Username should be a phone number.",
            }));
        };
        if pool.alias_owner(attribute, given).is_some() {
            let message = format!("An account with the given {attribute} already exists.");
            return Err(refuse("UsernameExistsException", message));
        }
        return Ok(NewName {
            username: None,
            attribute: Some(attribute),
        });
    }
    let aliases = |attribute: &str| pool.alias_attributes.iter().any(|one| one == attribute);
    if aliases("email") && schema::looks_like_email(given) {
        return Err(invalid(
            "Username cannot be of email format, since user pool is configured for email alias.",
        ));
    }
    if aliases("phone_number") && schema::looks_like_phone(given) {
        return Err(invalid(
            "Username cannot be of phone number format, since user pool is configured for phone number alias.",
        ));
    }
    if pool.has_username(given) {
        return Err(refuse("UsernameExistsException", "User already exists"));
    }
    Ok(NewName {
        username: Some(given.to_owned()),
        attribute: None,
    })
}

/// Takes an alias from whoever has it, or refuses; `force` is `ForceAliasCreation`.
pub(crate) fn claim_alias(
    request: &mut Request<'_>,
    pool: &str,
    claimant: &str,
    attribute: &str,
    value: &str,
    force: bool,
) -> Answer<()> {
    let Some(owner) = request
        .pool(pool)
        .alias_owner(attribute, value)
        .filter(|owner| *owner != claimant)
        .map(str::to_owned)
    else {
        return Ok(());
    };
    if !force {
        let message = format!("An account with the {attribute} already exists.");
        return Err(refuse("AliasExistsException", message));
    }
    // The alias works only for the last who verified the address.
    request.edit(pool, &owner, |user| {
        user.attributes
            .insert(format!("{attribute}_verified"), "false".to_owned());
    });
    Ok(())
}

/// Whether a user with these attributes can sign in by a code alone, as the pool's sign-in policy has it.
pub(crate) fn is_passwordless(pool: &Pool, attributes: &BTreeMap<String, String>) -> bool {
    [("EMAIL_OTP", "email"), ("SMS_OTP", "phone_number")]
        .iter()
        .any(|(factor, address)| {
            pool.lists("Policies", "/SignInPolicy/AllowedFirstAuthFactors", factor) && attributes.contains_key(*address)
        })
}

/// A user name attribute is a key of its own, verified or not: no two users share one.
pub(crate) fn check_username_attributes(pool: &Pool, attributes: &BTreeMap<String, String>) -> Answer<()> {
    for attribute in &pool.username_attributes {
        if attributes
            .get(attribute)
            .is_some_and(|value| pool.alias_owner(attribute, value).is_some())
        {
            let message = format!("An account with the given {attribute} already exists.");
            return Err(refuse("UsernameExistsException", message));
        }
    }
    Ok(())
}

/// In AWS's words.
pub(crate) fn preferred_name_too_early() -> super::ApiError {
    invalid(
        "Preferred username cannot be provided for unconfirmed account, since user pool is configured for preferred username alias.",
    )
}

pub(crate) fn new_user(
    request: &mut Request<'_>,
    name: NewName,
    attributes: BTreeMap<String, String>,
    status: Status,
) -> User {
    user(request.state.random.uuid(), name, attributes, status, request.now)
}

/// A user without password, groups, factors and links.
pub(crate) fn user(sub: String, name: NewName, attributes: BTreeMap<String, String>, status: Status, now: i64) -> User {
    User {
        username: name.username.unwrap_or_else(|| sub.clone()),
        sub,
        attributes,
        created: now,
        modified: now,
        enabled: true,
        status,
        password: None,
        temporary_until: None,
        groups: std::collections::BTreeSet::new(),
        factors: Factors::default(),
        identities: Vec::new(),
        pending: BTreeMap::new(),
    }
}

pub(crate) fn sign_up(request: &mut Request<'_>) -> Answer<Value> {
    let given = request.required("Username")?;
    let (pool_id, client) = request.proven_client(given)?;
    let writes = request.attributes("UserAttributes")?;
    let password = request.required("Password")?;
    let pool = request.pool(&pool_id);
    if pool.setting("AdminCreateUserConfig", "/AllowAdminCreateUserOnly") == Some(&json!(true)) {
        return Err(not_authorized("SignUp is not permitted for this user pool"));
    }
    passwords::check_policy(pool, password)?;
    schema::check(pool, &writes, Writer::Client(clients::writable(&client)), true)?;
    if pool.alias_attributes.iter().any(|one| one == "preferred_username")
        && writes.iter().any(|(name, _)| *name == "preferred_username")
    {
        return Err(preferred_name_too_early());
    }
    let name = new_name(pool, given)?;
    let mut attributes: BTreeMap<String, String> = writes
        .iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    if let Some(attribute) = name.attribute {
        attributes
            .entry(attribute.to_owned())
            .or_insert_with(|| given.to_owned());
    }
    schema::check_required(pool, |attribute| attributes.contains_key(attribute))?;
    check_username_attributes(pool, &attributes)?;
    for attribute in ["email", "phone_number"] {
        if attributes.contains_key(attribute) {
            attributes.insert(format!("{attribute}_verified"), "false".to_owned());
        }
    }
    let address = delivery::to_verify(pool, &attributes);
    if address == Some("email") && delivery::sends_links(pool) {
        return Err(unsupported("sign-up with a link in place of a code"));
    }
    let mut user = new_user(request, name, attributes, Status::Unconfirmed);
    user.password = Some(passwords::digest(&user.sub, password));
    let (sub, now) = (user.sub.clone(), request.now);
    request.pool_mut(&pool_id).insert(user, now);
    request.effects.sub = Some(sub.clone());
    request.activate(&pool_id, &sub);
    let mut answer = json!({ "UserConfirmed": false, "UserSub": sub });
    if let Some(attribute) = address {
        answer["CodeDeliveryDetails"] = delivery::send_code(
            request,
            (&pool_id, &sub),
            &client.id,
            "SignUp",
            Purpose::SignUp,
            attribute,
        );
    }
    Ok(answer)
}

pub(crate) fn confirm(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("Username")?;
    let (pool, client) = request.proven_client(name)?;
    let hidden = clients::hides_users(&client);
    let sub = request
        .named_user(&pool)
        .map_err(|_| if hidden { code_expired() } else { user_not_found() })?;
    let code = request.required("ConfirmationCode")?;
    let force = request.flag("ForceAliasCreation")?;
    check_unconfirmed(request.user(&pool, &sub))?;
    let user = request.user(&pool, &sub);
    // Whether the alias is free is asked before the code is used up.
    if let Some(code) = request
        .pool(&pool)
        .codes
        .get(&(sub.clone(), Purpose::SignUp))
        .filter(|one| one.value == code && one.until > request.now)
    {
        let attribute = code.attribute;
        if request.pool(&pool).alias_attributes.iter().any(|one| one == attribute) {
            let value = user.attribute(attribute).unwrap_or_default().to_owned();
            claim_alias(request, &pool, &sub, attribute, &value, force)?;
        }
    }
    let attribute = delivery::redeem(request, &pool, &sub, Purpose::SignUp, code)?;
    request.edit(&pool, &sub, |user| {
        user.status = Status::Confirmed;
        user.attributes
            .insert(format!("{attribute}_verified"), "true".to_owned());
    });
    request.activate(&pool, &sub);
    triggers::post_confirmation(request, &pool, &sub, &client.id, "ConfirmSignUp");
    Ok(json!({}))
}

pub(crate) fn resend(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("Username")?;
    let (pool, client) = request.proven_client(name)?;
    let sub = match request.named_user(&pool) {
        Ok(sub) => sub,
        Err(_) if clients::hides_users(&client) => {
            return Ok(json!({ "CodeDeliveryDetails": delivery::details("email", name) }));
        }
        Err(error) => return Err(error),
    };
    let user = request.user(&pool, &sub);
    if user.status != Status::Unconfirmed {
        return Err(invalid("User is already confirmed."));
    }
    let attribute = delivery::to_verify(request.pool(&pool), &user.attributes)
        .ok_or_else(|| invalid("Cannot resend codes. Auto verification not turned on."))?;
    if attribute == "email" && delivery::sends_links(request.pool(&pool)) {
        return Err(unsupported("sign-up with a link in place of a code"));
    }
    let sent = delivery::send_code(
        request,
        (&pool, &sub),
        &client.id,
        "ResendCode",
        Purpose::SignUp,
        attribute,
    );
    Ok(json!({ "CodeDeliveryDetails": sent }))
}

pub(crate) fn admin_confirm(request: &mut Request<'_>) -> Answer<Value> {
    let (pool, sub) = request.subject()?;
    check_unconfirmed(request.user(&pool, &sub))?;
    request.edit(&pool, &sub, |user| user.status = Status::Confirmed);
    request.activate(&pool, &sub);
    triggers::post_confirmation(request, &pool, &sub, triggers::NO_CLIENT, "ConfirmSignUp");
    Ok(json!({}))
}

fn check_unconfirmed(user: &User) -> Answer<()> {
    if user.status == Status::Unconfirmed {
        return Ok(());
    }
    Err(not_authorized(format!(
        "User cannot be confirmed. Current status is {}",
        user.status.name()
    )))
}
