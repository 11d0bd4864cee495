//! Whether the resource policy of a function lets Cognito invoke it for a pool.
//!
//! Source: Lambda developer guide, "Using resource-based policies"; IAM user guide, "Condition operators".
//!
//! Invariant: a statement that is not understood whole permits nothing.

use serde_json::Value;

/// Who invokes a trigger.
const COGNITO: &str = "cognito-idp.amazonaws.com";
const INVOKE: [&str; 3] = ["lambda:InvokeFunction", "lambda:*", "*"];

/// Whether `policy`, the text that `GetPolicy` answers, lets Cognito invoke the function for the pool with this ARN.
#[must_use]
pub fn may_invoke(policy: &str, pool_arn: &str) -> bool {
    let policy: Value = serde_json::from_str(policy).unwrap_or_default();
    let statements = each(&policy["Statement"]);
    let about_us: Vec<&Value> = statements
        .into_iter()
        .filter(|statement| is_cognito(&statement["Principal"]) && invokes(&statement["Action"]))
        .collect();
    let says = |statement: &Value, effect: &str| statement["Effect"] == effect;
    let denied = about_us
        .iter()
        .any(|statement| says(statement, "Deny") && applies(&statement["Condition"], pool_arn) != Some(false));
    !denied
        && about_us
            .iter()
            .any(|statement| says(statement, "Allow") && applies(&statement["Condition"], pool_arn) == Some(true))
}

/// A value, or each value of a list.
fn each(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(values) => values.iter().collect(),
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

fn is_cognito(principal: &Value) -> bool {
    let named = match principal {
        Value::Object(kinds) => kinds.get("Service").map(each).unwrap_or_default(),
        other => each(other),
    };
    named.into_iter().any(|name| name == COGNITO || name == "*")
}

fn invokes(action: &Value) -> bool {
    let named = each(action);
    named
        .into_iter()
        .filter_map(Value::as_str)
        .any(|name| INVOKE.iter().any(|invoke| invoke.eq_ignore_ascii_case(name)))
}

/// Whether a condition holds for the pool; `None` when it asks for something else than pool and account.
fn applies(condition: &Value, pool_arn: &str) -> Option<bool> {
    let account = pool_arn.split(':').nth(4).unwrap_or_default();
    let Value::Object(operators) = condition else {
        return Some(true);
    };
    let mut holds = true;
    for (operator, keys) in operators {
        let is_pattern = match operator.to_ascii_lowercase().as_str() {
            "arnlike" | "arnequals" | "stringlike" => true,
            "stringequals" => false,
            _ => return None,
        };
        for (key, wanted) in keys.as_object()? {
            let there = match key.to_ascii_lowercase().as_str() {
                "aws:sourcearn" => pool_arn,
                "aws:sourceaccount" => account,
                _ => return None,
            };
            holds &= each(wanted).into_iter().filter_map(Value::as_str).any(|wanted| {
                if is_pattern {
                    is_like(wanted, there)
                } else {
                    wanted == there
                }
            });
        }
    }
    Some(holds)
}

/// Whether `text` is as `pattern` says, where `*` is any text and `?` any character.
fn is_like(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    // Which beginnings of the text the pattern so far can be.
    let mut reach = vec![false; text.len() + 1];
    reach[0] = true;
    for wanted in pattern {
        let mut next = vec![false; text.len() + 1];
        for at in 0..=text.len() {
            next[at] = if wanted == '*' {
                reach[at] || (at > 0 && next[at - 1])
            } else {
                at > 0 && reach[at - 1] && (wanted == '?' || wanted == text[at - 1])
            };
        }
        reach = next;
    }
    reach[text.len()]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const POOL: &str = "arn:aws:cognito-idp:us-east-1:111122223333:userpool/us-east-1_EXAMPLE";

    fn statement(change: impl FnOnce(&mut Value)) -> Value {
        let mut statement = json!({"Sid": "a", "Effect": "Allow", "Principal": {"Service": COGNITO},
            "Action": "lambda:InvokeFunction", "Resource": "arn:aws:lambda:us-east-1:111122223333:function:f",
            "Condition": {"StringEquals": {"AWS:SourceAccount": "111122223333"}, "ArnLike": {"AWS:SourceArn": POOL}}});
        change(&mut statement);
        statement
    }

    fn of(statements: &[Value]) -> bool {
        may_invoke(
            &json!({"Version": "2012-10-17", "Statement": statements}).to_string(),
            POOL,
        )
    }

    #[test]
    fn the_policy_of_the_template_lets_cognito_in_and_nobody_elses() {
        assert!(of(&[statement(|_| ())]));
        assert!(of(&[statement(|s| {
            s["Condition"] =
                json!({"ArnLike": {"aws:SourceArn": "arn:aws:cognito-idp:*:*:userpool/us-east-1_EXAMPL?"}});
        })]));
        assert!(of(&[statement(|s| drop(
            s.as_object_mut().expect("a statement").remove("Condition")
        ))]));
        for (why, other) in [
            (
                "another service",
                statement(|s| s["Principal"]["Service"] = json!("sns.amazonaws.com")),
            ),
            (
                "another action",
                statement(|s| s["Action"] = json!("lambda:GetFunction")),
            ),
            (
                "another pool",
                statement(|s| s["Condition"]["ArnLike"]["AWS:SourceArn"] = json!(format!("{POOL}2"))),
            ),
            (
                "another account",
                statement(|s| s["Condition"]["StringEquals"]["AWS:SourceAccount"] = json!("4")),
            ),
            (
                "an unknown condition",
                statement(|s| s["Condition"]["Bool"] = json!({"aws:SecureTransport": "true"})),
            ),
            (
                "an unknown key",
                statement(|s| s["Condition"]["StringEquals"]["aws:PrincipalOrgID"] = json!("o-1")),
            ),
        ] {
            assert!(!of(&[other]), "{why}");
        }
        assert!(!of(&[]));
        assert!(!may_invoke("no policy", POOL));
    }

    #[test]
    fn a_denial_wins_even_when_it_is_not_understood() {
        let deny = statement(|s| s["Effect"] = json!("Deny"));
        assert!(!of(&[statement(|_| ()), deny.clone()]));
        let mut unclear = deny.clone();
        unclear["Condition"] = json!({"Bool": {"aws:SecureTransport": "false"}});
        assert!(!of(&[statement(|_| ()), unclear]));
        let mut elsewhere = deny;
        elsewhere["Condition"] = json!({"ArnLike": {"AWS:SourceArn": format!("{POOL}2")}});
        assert!(of(&[statement(|_| ()), elsewhere]), "another pool's denial");
    }
}
