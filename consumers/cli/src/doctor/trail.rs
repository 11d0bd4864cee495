//! The trail without which EventBridge gets no event of Cognito's: it has to log, and to have the management events.

use serde_json::{Value, json};
use twinpool_shared::error::Error;

use super::Finding;
use crate::untyped::{CLOUDTRAIL, Untyped};

const CHECK: &str = "trail";
const EVENT_SOURCE: &str = "cognito-idp.amazonaws.com";

/// Reads and judges the trails that cover the Region.
pub(crate) async fn check(cloudtrail: &Untyped) -> Finding {
    let trails = match cloudtrail.call(CLOUDTRAIL, "DescribeTrails", &json!({})).await {
        Ok(answer) => answer["trailList"].as_array().cloned().unwrap_or_default(),
        Err(error) => return Finding::unread(CHECK, &error),
    };
    let mut unread = None;
    let mut useless = Vec::new();
    for trail in &trails {
        let name = trail["Name"].as_str().unwrap_or("unnamed");
        let arn = trail["TrailARN"].as_str().unwrap_or(name);
        match records(cloudtrail, arn).await {
            Ok(true) => return Finding::ok(CHECK, format!("{name} logs management events")),
            Ok(false) => useless.push(name),
            Err(error) => unread = Some(error),
        }
    }
    match unread {
        Some(error) => Finding::unread(CHECK, &error),
        None if useless.is_empty() => Finding::fail(
            CHECK,
            "no trail covers this Region: EventBridge gets no event of Cognito's",
            "create a trail that logs management events (its first copy is free)",
        ),
        None => Finding::fail(
            CHECK,
            format!("no trail logs the writing management events: {}", useless.join(", ")),
            "start the trail's logging, and select management events, write-only or all",
        ),
    }
}

/// Whether a trail is on and has Cognito's writes.
async fn records(cloudtrail: &Untyped, arn: &str) -> Result<bool, Error> {
    let status = cloudtrail
        .call(CLOUDTRAIL, "GetTrailStatus", &json!({"Name": arn}))
        .await?;
    if status["IsLogging"] != true {
        return Ok(false);
    }
    let selectors = cloudtrail
        .call(CLOUDTRAIL, "GetEventSelectors", &json!({"TrailName": arn}))
        .await?;
    Ok(selects_writes(&selectors))
}

fn selects_writes(selectors: &Value) -> bool {
    let classic = selectors["EventSelectors"].as_array().into_iter().flatten();
    let advanced = selectors["AdvancedEventSelectors"].as_array().into_iter().flatten();
    classic.into_iter().any(classic_selects) || advanced.into_iter().any(advanced_selects)
}

/// Both members have defaults: management events, all of them.
fn classic_selects(selector: &Value) -> bool {
    selector["IncludeManagementEvents"] != false && selector["ReadWriteType"] != "ReadOnly"
}

fn advanced_selects(selector: &Value) -> bool {
    let fields = selector["FieldSelectors"].as_array().cloned().unwrap_or_default();
    let field = |name: &str| fields.iter().find(|field| field["Field"] == name);
    let has = |field: &Value, condition: &str, value: &str| {
        let values = field[condition].as_array().into_iter().flatten();
        values.into_iter().any(|one| one == value)
    };
    field("eventCategory").is_some_and(|category| has(category, "Equals", "Management"))
        && field("readOnly").is_none_or(|read_only| has(read_only, "Equals", "false"))
        && field("eventSource").is_none_or(|source| {
            !has(source, "NotEquals", EVENT_SOURCE)
                && (source["Equals"].is_null() || has(source, "Equals", EVENT_SOURCE))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classic_selectors_take_writes_unless_told_otherwise() {
        for (selector, taken) in [
            (json!({"ReadWriteType": "All", "IncludeManagementEvents": true}), true),
            (json!({"ReadWriteType": "WriteOnly"}), true),
            (json!({"ReadWriteType": "ReadOnly"}), false),
            (json!({"ReadWriteType": "All", "IncludeManagementEvents": false}), false),
        ] {
            assert_eq!(
                selects_writes(&json!({"EventSelectors": [selector]})),
                taken,
                "{selector}"
            );
        }
        assert!(!selects_writes(&json!({})));
    }

    #[test]
    fn advanced_selectors_are_read_field_by_field() {
        let of = |fields: Value| selects_writes(&json!({"AdvancedEventSelectors": [{"FieldSelectors": fields}]}));
        let management = json!({"Field": "eventCategory", "Equals": ["Management"]});
        assert!(of(json!([management])));
        assert!(of(json!([management, {"Field": "readOnly", "Equals": ["false"]}])));
        assert!(!of(json!([management, {"Field": "readOnly", "Equals": ["true"]}])));
        assert!(!of(
            json!([management, {"Field": "eventSource", "NotEquals": [EVENT_SOURCE]}])
        ));
        assert!(of(
            json!([management, {"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}])
        ));
        assert!(!of(
            json!([management, {"Field": "eventSource", "Equals": ["ec2.amazonaws.com"]}])
        ));
        assert!(!of(json!([{"Field": "eventCategory", "Equals": ["Data"]}])));
    }
}
