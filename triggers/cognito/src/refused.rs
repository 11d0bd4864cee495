//! The chained function's refusal, on its way to Cognito; and the answer to a probe that found the function out of reach.
//!
//! Cognito shows `errorMessage` to the user's client, so it has to arrive as the function wrote it. See
//! `shared/docs/decisions/0002-chaining-fails-like-cognito.md`.
//!
//! Invariant: for an event of Cognito's only a chained function (or its lost or unusable answer) makes one; its text is never
//! logged.

use std::fmt;

use lambda_runtime::Diagnostic;
use serde_json::Value;
use twinpool_shared::{attach::PROBE_REFUSED, error::Error};

/// An invocation that fails, as the chained function wanted it or as it would have failed in the slot itself.
#[derive(Clone, PartialEq, Eq)]
pub struct Refused {
    error_type: String,
    error_message: String,
}

impl Refused {
    /// The function's own error: `errorType` and `errorMessage` of its `payload`.
    pub(crate) fn by_function(payload: &[u8]) -> Self {
        let payload: Value = serde_json::from_slice(payload).unwrap_or_default();
        let text = |name: &str| match payload.get(name) {
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Null) | None => None,
            Some(other) => Some(other.to_string()),
        };
        Self {
            // What Lambda itself says in the header of an error without a type.
            error_type: text("errorType").unwrap_or_else(|| "Unhandled".to_owned()),
            error_message: text("errorMessage").unwrap_or_default(),
        }
    }

    /// The function may have run, and no answer came.
    pub(crate) fn no_answer() -> Self {
        Self {
            error_type: "Twinpool.ChainNoAnswer".to_owned(),
            error_message: "the chained function gave no answer".to_owned(),
        }
    }

    /// The answer to a probe: the function may not be invoked.
    pub(crate) fn by_probe(error: &Error) -> Self {
        Self {
            error_type: PROBE_REFUSED.to_owned(),
            error_message: error.to_string(),
        }
    }

    /// The function answered with something that is not JSON, which Cognito would not take either.
    pub(crate) fn answer_is_not_json() -> Self {
        Self {
            error_type: "Twinpool.ChainAnswerNotJson".to_owned(),
            error_message: "the chained function's answer is not JSON".to_owned(),
        }
    }
}

/// The Lambda runtime logs an error with `Debug`; the message is the customer's and may name the user.
impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the chained function refused, gave no usable answer, or may not be invoked; its words are not logged",
        )
    }
}

impl From<Refused> for Diagnostic {
    fn from(refused: Refused) -> Self {
        Self {
            error_type: refused.error_type,
            error_message: refused.error_message,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn type_and_message_pass_through_and_are_not_printed() {
        for (payload, error_type, error_message) in [
            (
                r#"{"errorType":"NotInvited","errorMessage":"ann is not invited","trace":["x"]}"#,
                "NotInvited",
                "ann is not invited",
            ),
            (
                r#"{"errorMessage":"Task timed out after 3.00 seconds"}"#,
                "Unhandled",
                "Task timed out after 3.00 seconds",
            ),
            (r#"{"errorType":"Error","errorMessage":null}"#, "Error", ""),
            (r#"{"errorType":"Error","errorMessage":7}"#, "Error", "7"),
            (r#""ann""#, "Unhandled", ""),
            ("", "Unhandled", ""),
        ] {
            let refused = Refused::by_function(payload.as_bytes());
            assert!(!format!("{refused:?}").contains("ann"));
            let diagnostic = Diagnostic::from(refused);
            assert_eq!(
                (diagnostic.error_type.as_str(), diagnostic.error_message.as_str()),
                (error_type, error_message)
            );
        }
    }
}
