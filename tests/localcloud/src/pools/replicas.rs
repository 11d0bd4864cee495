//! Replicas of a pool in another Region.
//!
//! Invariant: a replica is an entry in a list; nothing can be called in its Region.

use serde_json::{Value, json};

use super::errors::{Answer, invalid, limit_exceeded, not_found, not_in_tier};
use super::pools_settings::arn;
use super::request::Request;
use super::state::Pool;

/// Multi-Region replication has one secondary at most.
const MOST: usize = 1;

fn replica(account: &str, pool: &Pool, region: &str, role: &str, status: &str) -> Value {
    json!({
        "RegionName": region,
        "Role": role,
        "Status": status,
        "UserPoolArn": arn(region, account, &pool.id),
    })
}

/// Empty for a pool that is not replicated, else the primary as well.
pub(crate) fn list(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let pool = request.pool(&id);
    let account = &request.state.account;
    let mut shown = Vec::new();
    for (region, status) in &pool.configuration.replicas {
        shown.push(replica(account, pool, &pool.region, "PRIMARY", "ACTIVE"));
        shown.push(replica(account, pool, region, "SECONDARY", status));
    }
    Ok(json!({ "UserPoolReplicas": shown }))
}

pub(crate) fn create(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let region = request.required_up_to("RegionName", 32)?;
    let pool = request.pool(&id);
    if pool.settings.get("UserPoolTier") == Some(&json!("LITE")) {
        return Err(not_in_tier(
            "Multi-Region replication is not available in the feature plan of this user pool.",
        ));
    }
    if region == pool.region {
        return Err(invalid("The replica must be in another Region than the user pool."));
    }
    if pool.configuration.replicas.len() >= MOST {
        return Err(limit_exceeded("The user pool has the most replicas that it can have."));
    }
    let answer = replica(&request.state.account, pool, region, "SECONDARY", "CREATING");
    let replicas = &mut request.pool_mut(&id).configuration.replicas;
    replicas.insert(region.to_owned(), "INACTIVE".to_owned());
    Ok(json!({ "UserPoolReplica": answer }))
}

/// Region and status of the replica that is meant.
fn named_replica<'a, 'r>(request: &'r Request<'a>, pool: &str) -> Answer<(&'a str, &'r str)> {
    let region = request.required("RegionName")?;
    let status = request.pool(pool).configuration.replicas.get(region);
    let status = status.ok_or_else(|| not_found(format!("The user pool has no replica in {region}.")))?;
    Ok((region, status))
}

pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let (region, _) = named_replica(request, &id)?;
    let status = request.required_of("Status", &["ACTIVE", "INACTIVE"])?;
    let replicas = &mut request.pool_mut(&id).configuration.replicas;
    replicas.insert(region.to_owned(), status.to_owned());
    let answer = replica(&request.state.account, request.pool(&id), region, "SECONDARY", status);
    Ok(json!({ "UserPoolReplica": answer }))
}

pub(crate) fn delete(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let (region, status) = named_replica(request, &id)?;
    if status != "INACTIVE" {
        return Err(invalid("Only a replica that is INACTIVE can be deleted."));
    }
    request.pool_mut(&id).configuration.replicas.remove(region);
    let answer = replica(
        &request.state.account,
        request.pool(&id),
        region,
        "SECONDARY",
        "DELETING",
    );
    Ok(json!({ "UserPoolReplica": answer }))
}
