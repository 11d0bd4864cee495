//! Threat protection and log delivery.
//!
//! Invariant: both are stored only; no sign-in is judged and no log is delivered.

use serde_json::{Value, json};

use super::clients;
use super::configuration::Stored;
use super::errors::{Answer, invalid, not_in_tier, refuse};
use super::request::{Request, missing, seconds};
use super::state::Pool;

pub(crate) const RISK: &[&str] = &[
    "CompromisedCredentialsRiskConfiguration",
    "AccountTakeoverRiskConfiguration",
    "RiskExceptionConfiguration",
];
const DESTINATIONS: &[&str] = &[
    "CloudWatchLogsConfiguration",
    "S3Configuration",
    "FirehoseConfiguration",
];

fn needs_add_on(pool: &Pool) -> Answer<()> {
    let mode = pool.setting("UserPoolAddOns", "/AdvancedSecurityMode");
    if mode.is_none_or(|mode| mode == "OFF") {
        return Err(refuse(
            "UserPoolAddOnNotEnabledException",
            "This is an add on feature. Please update AdvancedSecurityMode for your user pool to access this API.",
        ));
    }
    Ok(())
}

fn describe(pool: &str, client: Option<&str>, risk: Option<&Stored>) -> Value {
    let mut shown = risk.map(|risk| risk.settings.clone()).unwrap_or_default();
    shown.insert("UserPoolId".into(), json!(pool));
    shown.extend(client.map(|client| ("ClientId".to_owned(), json!(client))));
    shown.extend(risk.map(|risk| ("LastModifiedDate".to_owned(), seconds(risk.modified))));
    json!({ "RiskConfiguration": shown })
}

/// Replaces everything; without any settings the pool has the defaults again, the client the pool's.
pub(crate) fn set_risk(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let client = clients::optional(request, &id)?;
    needs_add_on(request.pool(&id))?;
    for member in RISK {
        request.map(member)?;
    }
    for member in &RISK[..2] {
        if request.map(member)?.is_some_and(|risk| !risk.contains_key("Actions")) {
            return Err(missing("Actions"));
        }
    }
    let settings = request.given(RISK);
    let now = request.now;
    let all = &mut request.pool_mut(&id).configuration.risk;
    if settings.is_empty() {
        all.remove(&client);
        return Ok(describe(&id, client.as_deref(), None));
    }
    let risk = Stored::new(settings, now);
    let answer = describe(&id, client.as_deref(), Some(&risk));
    all.insert(client, risk);
    Ok(answer)
}

/// A client without its own has the pool's.
pub(crate) fn describe_risk(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let client = clients::optional(request, &id)?;
    let pool = request.pool(&id);
    needs_add_on(pool)?;
    let all = &pool.configuration.risk;
    let own = all.get(&client).filter(|_| client.is_some());
    match own {
        Some(own) => Ok(describe(&id, client.as_deref(), Some(own))),
        None => Ok(describe(&id, None, all.get(&None))),
    }
}

fn describe_logs(pool: &str, logs: &[Value]) -> Value {
    json!({ "LogDeliveryConfiguration": { "UserPoolId": pool, "LogConfigurations": logs } })
}

pub(crate) fn get_logs(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    Ok(describe_logs(&id, &request.pool(&id).configuration.log_delivery))
}

/// Replaces everything.
pub(crate) fn set_logs(request: &mut Request<'_>) -> Answer<Value> {
    let id = request.named_pool()?;
    let logs = request
        .list("LogConfigurations")?
        .ok_or_else(|| missing("LogConfigurations"))?;
    if logs.len() > 2 {
        return Err(invalid(
            "1 validation error detected: Value at 'logConfigurations' failed to satisfy constraint: Member must have length less than or equal to 2",
        ));
    }
    let is_plus = request.pool(&id).settings.get("UserPoolTier") == Some(&json!("PLUS"));
    for log in logs {
        let destinations: Vec<&str> = DESTINATIONS
            .iter()
            .copied()
            .filter(|name| log.get(*name).is_some_and(Value::is_object))
            .collect();
        match (log["EventSource"].as_str(), log["LogLevel"].as_str()) {
            (Some("userNotification"), Some("ERROR")) if destinations == ["CloudWatchLogsConfiguration"] => {}
            (Some("userAuthEvents"), Some("INFO")) if destinations.len() == 1 => {
                if !is_plus {
                    return Err(not_in_tier(
                        "The export of user activity is not available in the feature plan of this user pool.",
                    ));
                }
            }
            _ => {
                return Err(invalid(
                    "LogConfigurations must be userNotification at level ERROR to CloudWatch Logs, or userAuthEvents at level INFO to one destination.",
                ));
            }
        }
    }
    let answer = describe_logs(&id, logs);
    request.pool_mut(&id).configuration.log_delivery = logs.clone();
    Ok(answer)
}
