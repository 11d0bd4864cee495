//! Provisioned request rates.
//!
//! Invariant: what is told is what the double enforces.

use serde_json::{Value, json};

use super::errors::{Answer, invalid};
use super::quota::{ADJUSTABLE, DEFAULT_RATES};
use super::request::{Request, missing};

/// The rate that is enforced for a category, and AWS's default. Only adjustable categories can be provisioned.
pub(crate) fn get(request: &mut Request<'_>) -> Answer<Value> {
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
    let enforced = request.state.rates.get(category).unwrap_or(default);
    let limit = json!({
        "LimitDefinition": definition,
        "ProvisionedLimitValue": enforced,
        "FreeLimitValue": default,
    });
    Ok(json!({ "Limit": limit }))
}
