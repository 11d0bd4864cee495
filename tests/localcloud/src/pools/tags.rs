//! Tags of a pool, by its ARN.
//!
//! Invariant: these are `UserPoolTags`, so an update of the pool that leaves them out removes them.

use serde_json::{Map, Value, json};

use super::errors::{Answer, invalid, not_found};
use super::pools_settings::arn;
use super::request::{Request, missing};
use super::state::Pool;

const MOST: usize = 50;

/// The pool of a `ResourceArn`, in the Region of the signature.
fn tagged_pool(request: &mut Request<'_>) -> Answer<String> {
    let given = request.required("ResourceArn")?;
    let here = |pool: &&Pool| request.call.region.as_ref().is_none_or(|region| *region == pool.region);
    let mut pools = request.state.pools.values().filter(here);
    let pool = pools
        .find(|pool| arn(&pool.region, &request.state.account, &pool.id) == given)
        .ok_or_else(|| not_found(format!("Resource {given} does not exist.")))?;
    let (region, id) = (pool.region.clone(), pool.id.clone());
    request.effects.pool = Some((region, id.clone()));
    Ok(id)
}

fn tags(pool: &Pool) -> Map<String, Value> {
    let tags = pool.settings.get("UserPoolTags").and_then(Value::as_object);
    tags.cloned().unwrap_or_default()
}

pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let pool = tagged_pool(request)?;
    Ok(json!({ "Tags": tags(request.pool(&pool)) }))
}

pub(crate) fn tag(request: &mut Request<'_>) -> Answer<Value> {
    let pool = tagged_pool(request)?;
    let new = request.map("Tags")?.ok_or_else(|| missing("Tags"))?;
    if new
        .iter()
        .any(|(key, value)| key.starts_with("aws:") || !value.is_string())
    {
        return Err(invalid("Tags must be texts, and their keys must not begin with aws:."));
    }
    let mut tags = tags(request.pool(&pool));
    tags.extend(new.clone());
    if tags.len() > MOST {
        return Err(invalid("A user pool can have 50 tags."));
    }
    let settings = &mut request.pool_mut(&pool).settings;
    settings.insert("UserPoolTags".into(), Value::Object(tags));
    Ok(json!({}))
}

pub(crate) fn untag(request: &mut Request<'_>) -> Answer<Value> {
    let pool = tagged_pool(request)?;
    let keys = request.strings("TagKeys")?.ok_or_else(|| missing("TagKeys"))?;
    let mut tags = tags(request.pool(&pool));
    tags.retain(|key, _| !keys.contains(&key.as_str()));
    let settings = &mut request.pool_mut(&pool).settings;
    settings.insert("UserPoolTags".into(), Value::Object(tags));
    Ok(json!({}))
}
