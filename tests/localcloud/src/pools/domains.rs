//! Domains of the hosted pages: a prefix of Amazon's domain, or one of the customer's own.
//!
//! Invariant: a prefix belongs to one pool of its Region, a custom domain to one pool of all Regions; a pool has at most one
//! of each.

use serde_json::{Value, json};

use super::configuration::Domain;
use super::errors::{Answer, invalid, limit_exceeded, not_in_tier};
use super::request::{Request, missing};
use super::state::Pool;

const RESERVED: &[&str] = &["aws", "amazon", "cognito"];
const MOST_CUSTOM_PER_REGION: usize = 4;

/// A made-up address of the right form; only custom domains are told it when they are created.
fn cloud_front(domain: &str) -> String {
    format!("{}.localcloud.cloudfront.net", domain.replace('.', "-"))
}

fn no_such_domain() -> super::ApiError {
    invalid("No such domain or user pool exists.")
}

/// 1 is the classic hosted UI, 2 managed login.
fn version(request: &Request<'_>, pool: &Pool) -> Answer<Option<i64>> {
    let version = request.number("ManagedLoginVersion", 1, 2)?;
    if version == Some(2) && pool.settings.get("UserPoolTier") == Some(&json!("LITE")) {
        return Err(not_in_tier(
            "Managed login is not available in the feature plan of this user pool.",
        ));
    }
    Ok(version)
}

fn custom(request: &Request<'_>) -> Answer<Option<Value>> {
    let Some(config) = request.map("CustomDomainConfig")? else {
        return Ok(None);
    };
    let certificate = config.get("CertificateArn").and_then(Value::as_str);
    if !certificate
        .ok_or_else(|| missing("CertificateArn"))?
        .starts_with("arn:")
    {
        return Err(invalid("CertificateArn is not an ARN."));
    }
    Ok(Some(json!(config)))
}

fn routing(request: &Request<'_>, is_custom: bool) -> Answer<Option<Value>> {
    match request.map("Routing")? {
        Some(_) if !is_custom => Err(invalid("Routing is supported for custom domains only.")),
        given => Ok(given.map(|routing| json!(routing))),
    }
}

fn check_name(name: &str, is_custom: bool) -> Answer<()> {
    let plain = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let ends = name.starts_with(plain) && name.ends_with(plain);
    let within = |letter: char| plain(letter) || letter == '-' || (is_custom && letter == '.');
    if !ends || !name.chars().all(within) {
        return Err(invalid(
            "1 validation error detected: Value at 'domain' failed to satisfy constraint: Member must satisfy regular expression pattern: ^[a-z0-9](?:[a-z0-9\\-]{0,61}[a-z0-9])?$",
        ));
    }
    match RESERVED.iter().find(|word| name.contains(**word)) {
        Some(word) if !is_custom => Err(invalid(format!("Domain cannot contain reserved word: {word}"))),
        _ => Ok(()),
    }
}

fn answer(name: &str, domain: &Domain) -> Value {
    let mut answer = json!({ "ManagedLoginVersion": domain.managed_login_version });
    if domain.custom.is_some() {
        answer["CloudFrontDomain"] = json!(cloud_front(name));
    }
    answer
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let name = request.required_up_to("Domain", 63)?;
    let custom = custom(request)?;
    check_name(name, custom.is_some())?;
    let pool = request.pool(&id);
    let version = version(request, pool)?;
    let own = &pool.configuration.domains;
    if own.values().any(|domain| domain.custom.is_some() == custom.is_some()) {
        return Err(invalid("User pool already has a domain configured."));
    }
    let here = |other: &&Pool| other.region == pool.region;
    let all = request.state.pools.values();
    let taken = |other: &Pool| {
        let found = other.configuration.domains.get(name);
        found.is_some_and(|domain| domain.custom.is_some() || here(&other))
    };
    if all.clone().any(taken) {
        return Err(invalid("Domain already associated with another user pool."));
    }
    let domains = all.filter(here).flat_map(|other| other.configuration.domains.values());
    if custom.is_some() && domains.filter(|domain| domain.custom.is_some()).count() >= MOST_CUSTOM_PER_REGION {
        return Err(limit_exceeded(
            "The account has the most custom domains that it can have in this Region.",
        ));
    }
    let domain = Domain {
        managed_login_version: version.unwrap_or(1),
        routing: routing(request, custom.is_some())?,
        custom,
    };
    let answer = answer(name, &domain);
    let domains = &mut request.pool_mut(&id).configuration.domains;
    domains.insert(name.to_owned(), domain);
    Ok(answer)
}

/// An unknown domain is no error: its description is empty.
pub(crate) fn describe(request: &mut Request<'_>) -> Answer<Value> {
    let name = request.required("Domain")?;
    let here = |pool: &&Pool| request.call.region.as_ref().is_none_or(|region| *region == pool.region);
    let mut pools = request.state.pools.values().filter(here);
    let found = pools.find_map(|pool| Some((pool, pool.configuration.domains.get(name)?)));
    let Some((pool, domain)) = found else {
        return Ok(json!({ "DomainDescription": {} }));
    };
    let mut description = json!({
        "UserPoolId": pool.id,
        "AWSAccountId": request.state.account,
        "Domain": name,
        "S3Bucket": "localcloud-assets",
        "CloudFrontDistribution": cloud_front(name),
        "Version": "20260101000000",
        "Status": "ACTIVE",
        "CustomDomainConfig": domain.custom.clone().unwrap_or_else(|| json!({})),
        "ManagedLoginVersion": domain.managed_login_version,
    });
    if let Some(routing) = &domain.routing {
        description["Routing"] = routing.clone();
    }
    let home = (pool.region.clone(), pool.id.clone());
    request.effects.pool = Some(home);
    Ok(json!({ "DomainDescription": description }))
}

/// What is left out stays.
pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let name = request.required("Domain")?;
    let pool = request.pool(&id);
    let mut domain = pool
        .configuration
        .domains
        .get(name)
        .cloned()
        .ok_or_else(no_such_domain)?;
    let version = version(request, pool)?;
    if let Some(config) = custom(request)? {
        if domain.custom.is_none() {
            return Err(invalid("Cannot convert prefix domain to custom domain."));
        }
        domain.custom = Some(config);
    }
    domain.managed_login_version = version.unwrap_or(domain.managed_login_version);
    domain.routing = routing(request, domain.custom.is_some())?.or(domain.routing);
    let answer = answer(name, &domain);
    let domains = &mut request.pool_mut(&id).configuration.domains;
    domains.insert(name.to_owned(), domain);
    Ok(answer)
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let name = request.required("Domain")?;
    let removed = request.pool_mut(&id).configuration.domains.remove(name);
    removed.map(|_| json!({})).ok_or_else(no_such_domain)
}
