//! Provisioned request rates.
//!
//! Invariant: what is told is what the double enforces.

use serde_json::{Value, json};

use super::errors::{Answer, invalid, refuse};
use super::quota::{ADJUSTABLE, DEFAULT_RATES};
use super::request::{Request, missing};

/// The account's maximum as a multiple of the default. AWS keeps one for each account and category in Service Quotas.
const MOST_TIMES_DEFAULT: u32 = 10;

/// The category of the call and AWS's default. Only adjustable categories can be provisioned.
fn category<'a>(request: &Request<'a>) -> Answer<(&'a str, u32)> {
    let definition = request
        .map("LimitDefinition")?
        .ok_or_else(|| missing("LimitDefinition"))?;
    let class = definition.get("LimitClass").and_then(Value::as_str);
    if class.ok_or_else(|| missing("LimitClass"))? != "API_CATEGORY" {
        return Err(invalid("LimitClass must be API_CATEGORY."));
    }
    let attributes = definition.get("Attributes").ok_or_else(|| missing("Attributes"))?;
    let category = attributes.get("Category").and_then(Value::as_str).unwrap_or_default();
    let default = DEFAULT_RATES.iter().find(|(name, _)| *name == category);
    let Some((_, default)) = default.filter(|_| ADJUSTABLE.contains(&category)) else {
        return Err(invalid(format!(
            "{category} is not a category with a provisioned limit."
        )));
    };
    Ok((category, *default))
}

fn answer(category: &str, provisioned: u32, default: u32) -> Value {
    let limit = json!({
        "LimitDefinition": { "LimitClass": "API_CATEGORY", "Attributes": { "Category": category } },
        "ProvisionedLimitValue": provisioned,
        "FreeLimitValue": default,
    });
    json!({ "Limit": limit })
}

pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
    let (category, default) = category(request)?;
    let rates = request
        .state
        .rates_in(request.call.region.as_deref().unwrap_or_default());
    Ok(answer(
        category,
        rates.get(category).copied().unwrap_or(default),
        default,
    ))
}

/// In force at once, in this Region.
pub(crate) fn update(request: &mut Request<'_>) -> Answer<Value> {
    let (category, default) = category(request)?;
    let wanted = request
        .number("RequestedLimitValue", 0, i64::from(u32::MAX))?
        .ok_or_else(|| missing("RequestedLimitValue"))?;
    let wanted = u32::try_from(wanted).unwrap_or(u32::MAX);
    if wanted < default {
        return Err(invalid(format!("The limit of {category} cannot be below {default}.")));
    }
    if wanted > default.saturating_mul(MOST_TIMES_DEFAULT) {
        return Err(refuse(
            "ServiceQuotaExceededException",
            format!("The limit of {category} cannot be above the account's maximum."),
        ));
    }
    let region = request.call.region.clone().unwrap_or_default();
    let key = (region, category.to_owned());
    request.state.provisioned.insert(key, wanted);
    Ok(answer(category, wanted, default))
}
