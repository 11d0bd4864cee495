//! What changed of a pool, by the names of the settings.
//!
//! Invariant: names only. A value may be a text of the customer's.

use std::collections::BTreeSet;

use serde_json::Value;

use super::LAMBDA_CONFIG;
use crate::{
    marks::Part,
    snapshot::{diff::diff_config, normal::clean},
};

/// When the pool was changed last, by anybody.
const MODIFIED: &str = "LastModifiedDate";

/// Settings that differ between two answers of `DescribeUserPool`, but for the trigger slots and the dates.
#[must_use]
pub fn beside_the_slots(before: &Value, after: &Value) -> BTreeSet<String> {
    let without = |shown: &Value| {
        let mut shown = shown.clone();
        if let Value::Object(members) = &mut shown {
            members.remove(LAMBDA_CONFIG);
        }
        clean(Part::Pool, shown)
    };
    let differences = diff_config(&without(before), &without(after));
    differences.into_iter().map(|difference| difference.path).collect()
}

/// Whatever differs between two such answers: settings, slots, and the date of the last change, which alone may tell of a change
/// and its way back.
#[must_use]
pub fn anything(before: &Value, after: &Value) -> BTreeSet<String> {
    let mut names = beside_the_slots(before, after);
    for name in [LAMBDA_CONFIG, MODIFIED] {
        if before.get(name) != after.get(name) {
            names.insert(name.to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_are_named_and_values_are_not() {
        let before = json!({"Name": "main", "LastModifiedDate": 1.5, "EstimatedNumberOfUsers": 3,
            "Policies": {"PasswordPolicy": {"MinimumLength": 12, "RequireSymbols": true}},
            "EmailVerificationSubject": "Welcome to Example", "LambdaConfig": {"PreSignUp": "f"}});
        let mut after = before.clone();
        after["LastModifiedDate"] = json!(2);
        after["EstimatedNumberOfUsers"] = json!(4);
        after["LambdaConfig"]["PostConfirmation"] = json!("g");
        assert!(beside_the_slots(&before, &after).is_empty());
        let named: Vec<String> = anything(&before, &after).into_iter().collect();
        assert_eq!(named, ["LambdaConfig", "LastModifiedDate"]);

        after["Policies"]["PasswordPolicy"]["MinimumLength"] = json!(8);
        after["EmailVerificationSubject"] = Value::Null;
        after["MfaConfiguration"] = json!("OFF");
        let named: Vec<String> = beside_the_slots(&before, &after).into_iter().collect();
        assert_eq!(
            named,
            [
                "EmailVerificationSubject",
                "MfaConfiguration",
                "Policies/PasswordPolicy/MinimumLength"
            ]
        );
    }

    #[test]
    fn the_order_of_a_list_without_one_is_no_change() {
        let shown = |order: [&str; 2]| json!({"AutoVerifiedAttributes": order});
        assert!(anything(&shown(["email", "phone_number"]), &shown(["phone_number", "email"])).is_empty());
    }
}
