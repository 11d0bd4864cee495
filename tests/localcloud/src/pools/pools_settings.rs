//! User pools and their settings.
//!
//! Invariant: an update sets every setting that it leaves out back to its default, and never touches the immutable ones.

use std::ops::Bound::{self, Unbounded};

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, unsupported};
use super::list::{page_by_name, paged};
use super::request::{Request, seconds};
use super::state::{Naming, Pool};
use super::{pools_checks, schema};

/// Settings that CreateUserPool and UpdateUserPool share.
pub(crate) const SETTINGS: &[&str] = &[
    "Policies",
    "DeletionProtection",
    "LambdaConfig",
    "AutoVerifiedAttributes",
    "SmsVerificationMessage",
    "EmailVerificationMessage",
    "EmailVerificationSubject",
    "VerificationMessageTemplate",
    "SmsAuthenticationMessage",
    "UserAttributeUpdateSettings",
    "MfaConfiguration",
    "DeviceConfiguration",
    "EmailConfiguration",
    "SmsConfiguration",
    "UserPoolTags",
    "AdminCreateUserConfig",
    "UserPoolAddOns",
    "AccountRecoverySetting",
    "UserPoolTier",
    "KeyConfiguration",
    "IssuerConfiguration",
    "DcrConfiguration",
    "AcrConfiguration",
];

fn defaults() -> Map<String, Value> {
    let Value::Object(map) = json!({
        "Policies": {},
        "DeletionProtection": "INACTIVE",
        "LambdaConfig": {},
        "VerificationMessageTemplate": { "DefaultEmailOption": "CONFIRM_WITH_CODE" },
        "MfaConfiguration": "OFF",
        "EmailConfiguration": { "EmailSendingAccount": "COGNITO_DEFAULT" },
        "UserPoolTags": {},
        "AdminCreateUserConfig": {},
        "AccountRecoverySetting": { "RecoveryMechanisms": [
            { "Priority": 1, "Name": "verified_email" }, { "Priority": 2, "Name": "verified_phone_number" }
        ] },
        "UserPoolTier": "ESSENTIALS",
    }) else {
        return Map::new();
    };
    map
}

/// Fills the members that AWS always shows into a setting that was given in part.
fn fill(settings: &mut Map<String, Value>, member: &str, defaults: Value) {
    let (Some(Value::Object(given)), Value::Object(defaults)) = (settings.get_mut(member), defaults) else {
        return;
    };
    for (key, value) in defaults {
        given.entry(key).or_insert(value);
    }
}

fn settings_of(request: &Request<'_>, region: &str, has_totp: bool) -> Answer<Map<String, Value>> {
    let mut settings = defaults();
    settings.extend(request.given(SETTINGS));
    pools_checks::check(&settings, region, has_totp)?;
    let policy = settings
        .get("Policies")
        .and_then(|policies| policies.get("PasswordPolicy"))
        .cloned();
    let mut policies = Map::new();
    // A policy given in part demands nothing that it leaves out.
    let demanded = policy.is_none();
    policies.insert("PasswordPolicy".into(), policy.unwrap_or_else(|| json!({})));
    fill(
        &mut policies,
        "PasswordPolicy",
        json!({
            "MinimumLength": 8, "RequireUppercase": demanded, "RequireLowercase": demanded, "RequireNumbers": demanded,
            "RequireSymbols": demanded, "TemporaryPasswordValidityDays": 7,
        }),
    );
    let days = policies["PasswordPolicy"]["TemporaryPasswordValidityDays"].clone();
    let sign_in = request
        .value("Policies")
        .and_then(|policies| policies.get("SignInPolicy"));
    let sign_in = sign_in.cloned();
    policies.insert(
        "SignInPolicy".into(),
        sign_in.unwrap_or_else(|| json!({ "AllowedFirstAuthFactors": ["PASSWORD"] })),
    );
    settings.insert("Policies".into(), Value::Object(policies));
    fill(
        &mut settings,
        "AdminCreateUserConfig",
        json!({ "AllowAdminCreateUserOnly": false, "UnusedAccountValidityDays": days }),
    );
    fill(
        &mut settings,
        "EmailConfiguration",
        json!({ "EmailSendingAccount": "COGNITO_DEFAULT" }),
    );
    fill(
        &mut settings,
        "VerificationMessageTemplate",
        json!({ "DefaultEmailOption": "CONFIRM_WITH_CODE" }),
    );
    Ok(settings)
}

/// The ARN of a pool, or of its replica, in a Region.
pub(crate) fn arn(region: &str, account: &str, id: &str) -> String {
    format!("arn:aws:cognito-idp:{region}:{account}:userpool/{id}")
}

fn describe(pool: &Pool, account: &str) -> Value {
    let mut shown = pool.settings.clone();
    shown.insert("Id".into(), json!(pool.id));
    shown.insert("Arn".into(), json!(arn(&pool.region, account, &pool.id)));
    shown.insert("CreationDate".into(), seconds(pool.created));
    shown.insert("LastModifiedDate".into(), seconds(pool.modified));
    shown.insert(
        "SchemaAttributes".into(),
        pool.schema.values().map(schema::describe).collect(),
    );
    shown.insert("EstimatedNumberOfUsers".into(), json!(pool.users().len()));
    if !pool.username_attributes.is_empty() {
        shown.insert("UsernameAttributes".into(), json!(pool.username_attributes));
    }
    if !pool.alias_attributes.is_empty() {
        shown.insert("AliasAttributes".into(), json!(pool.alias_attributes));
    }
    shown.extend(
        pool.username_configuration
            .clone()
            .map(|given| ("UsernameConfiguration".to_owned(), given)),
    );
    for (name, domain) in &pool.configuration.domains {
        let member = if domain.custom.is_some() {
            "CustomDomain"
        } else {
            "Domain"
        };
        shown.insert(member.into(), json!(name));
    }
    Value::Object(shown)
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("PoolName")?;
    let owned = |member: &str, allowed: &[&str]| -> Answer<Vec<String>> {
        let list = request.strings(member)?.unwrap_or_default();
        match list.iter().find(|entry| !allowed.contains(entry)) {
            Some(wrong) => Err(invalid(format!("{member} cannot contain {wrong}"))),
            None => Ok(list.into_iter().map(str::to_owned).collect()),
        }
    };
    let username_configuration = request.value("UsernameConfiguration").cloned();
    let naming = Naming {
        username_attributes: owned("UsernameAttributes", &["email", "phone_number"])?,
        alias_attributes: owned("AliasAttributes", &["email", "phone_number", "preferred_username"])?,
        case_sensitive: username_configuration
            .as_ref()
            .and_then(|value| value.get("CaseSensitive")?.as_bool())
            .unwrap_or(true),
        username_configuration,
    };
    if !naming.username_attributes.is_empty() && !naming.alias_attributes.is_empty() {
        return Err(invalid(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool.",
        ));
    }
    let mut attributes = schema::standard();
    if let Some(entries) = request.value("Schema") {
        schema::extend(&mut attributes, entries, false)?;
    }
    let is_alias = naming.alias_attributes.iter().any(|one| one == "preferred_username");
    if is_alias && attributes.get("preferred_username").is_some_and(|one| one.required) {
        return Err(invalid("preferred_username can be required or an alias, but not both."));
    }
    let region = request
        .call
        .region
        .clone()
        .ok_or_else(|| invalid("CreateUserPool needs a signature with a Region"))?;
    let mut settings = settings_of(request, &region, false)?;
    settings.insert("Name".into(), json!(name));
    let id = format!("{region}_{}", request.state.random.text(9));
    let mut pool = Pool::new(id.clone(), region.clone(), request.now, naming, settings, attributes);
    pool.sms_mfa = asks_for_sms(&pool);
    let answer = json!({ "UserPool": describe(&pool, &request.state.account) });
    request.state.pools.insert(id.clone(), pool);
    request.effects.pool = Some((region, id));
    Ok(answer)
}

pub(crate) fn describe_one(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    Ok(json!({ "UserPool": describe(request.pool(&id), &request.state.account) }))
}

pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let has_totp = has_totp(request.pool(&id));
    let mut settings = settings_of(request, &request.pool(&id).region, has_totp)?;
    let name = request.text("PoolName")?.map(|name| json!(name));
    let now = request.now;
    let pool = request.pool_mut(&id);
    let name = name.or_else(|| pool.settings.get("Name").cloned()).unwrap_or_default();
    settings.insert("Name".into(), name);
    pool.settings = settings;
    let has_sms = pool.settings.contains_key("SmsConfiguration");
    pool.sms_mfa = has_sms && (pool.sms_mfa || (!has_totp && asks_for_sms(pool)));
    pool.modified = now;
    Ok(json!({}))
}

/// MFA that is demanded without any other factor means text messages.
fn asks_for_sms(pool: &Pool) -> bool {
    pool.settings.get("MfaConfiguration") != Some(&json!("OFF")) && pool.settings.contains_key("SmsConfiguration")
}

fn has_totp(pool: &Pool) -> bool {
    pool.mfa
        .get("SoftwareTokenMfaConfiguration")
        .and_then(|value| value.get("Enabled"))
        == Some(&json!(true))
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    if request.pool(&id).settings.get("DeletionProtection") == Some(&json!("ACTIVE")) {
        return Err(invalid(
            "The user pool cannot be deleted because deletion protection is activated. Deletion protection must be inactivated first.",
        ));
    }
    let configuration = &request.pool(&id).configuration;
    if !configuration.domains.is_empty() {
        return Err(invalid(
            "User pool cannot be deleted. It has a domain configured that should be deleted first.",
        ));
    }
    if !configuration.replicas.is_empty() {
        return Err(unsupported("DeleteUserPool of a pool that has a replica"));
    }
    request.state.pools.remove(&id);
    request.state.pool_of_client.retain(|_, pool| *pool != id);
    request.state.active.retain(|(pool, _)| *pool != id);
    Ok(json!({}))
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let size = request.number("MaxResults", 1, 60)?.ok_or_else(|| invalid("1 validation error detected: Value null at 'maxResults' failed to satisfy constraint: Member must not be null"))?;
    let here = |pool: &&Pool| request.call.region.as_ref().is_none_or(|region| *region == pool.region);
    let pools = |after: Bound<&str>| {
        let all = request.state.pools.range::<str, _>((after, Unbounded));
        all.map(|(_, pool)| pool).filter(here).map(|pool| pool.id.as_str())
    };
    let (page, next) = page_by_name(request, pools, size, "NextToken")?;
    let shown = page
        .iter()
        .map(|id| {
            let pool = request.pool(id);
            json!({
                "Id": pool.id,
                "Name": pool.settings.get("Name"),
                "LambdaConfig": pool.settings.get("LambdaConfig"),
                "LastModifiedDate": seconds(pool.modified),
                "CreationDate": seconds(pool.created),
            })
        })
        .collect();
    Ok(paged("UserPools", shown, next))
}

pub(crate) fn add_custom_attributes(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let entries = request
        .value("CustomAttributes")
        .ok_or_else(|| invalid("CustomAttributes must not be null"))?;
    let mut attributes = request.pool(&id).schema.clone();
    schema::extend(&mut attributes, entries, true)?;
    let now = request.now;
    let pool = request.pool_mut(&id);
    pool.schema = attributes;
    pool.modified = now;
    Ok(json!({}))
}
