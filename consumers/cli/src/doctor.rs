//! What `twinpool doctor` checks, by subject: each module reads what is there and judges it by pure functions.
//!
//! Invariant: reads only. A finding is `ok` only when it was seen to be so: what is not configured, not permitted or not
//! answered is `unknown`.

pub(crate) mod alarms;
pub(crate) mod caller;
pub(crate) mod events;
pub(crate) mod functions;
pub(crate) mod key;
pub(crate) mod pool;
pub(crate) mod queues;
pub(crate) mod table;
pub(crate) mod trail;
pub(crate) mod triggers;

use serde::Serialize;
use twinpool_shared::error::{Error, ErrorKind};

/// How a check came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum State {
    /// As it should be.
    Ok,
    /// Works, with less protection or later than it could.
    Warn,
    /// Does not work, or would not when it is needed.
    Fail,
    /// Could not be seen.
    Unknown,
}

impl State {
    /// As it is written.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
            Self::Unknown => "unknown",
        }
    }
}

/// Outcome of a check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Name, for example `table.replicas`.
    pub(crate) check: &'static str,
    /// How it came out.
    pub(crate) state: State,
    /// What was found.
    pub(crate) what: String,
    /// What to do; `None` when it is ok.
    pub(crate) fix: Option<String>,
}

impl Finding {
    /// As it should be.
    pub(crate) fn ok(check: &'static str, what: impl Into<String>) -> Self {
        Self {
            check,
            state: State::Ok,
            what: what.into(),
            fix: None,
        }
    }

    /// Works, but not as well as it could.
    pub(crate) fn warn(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::not_ok(check, State::Warn, what, fix)
    }

    /// Does not work.
    pub(crate) fn fail(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::not_ok(check, State::Fail, what, fix)
    }

    /// Could not be seen.
    pub(crate) fn unknown(check: &'static str, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::not_ok(check, State::Unknown, what, fix)
    }

    /// `good`, or else a finding in the state `otherwise`.
    pub(crate) fn unless(
        good: bool,
        check: &'static str,
        what: impl Into<String>,
        (otherwise, instead, fix): (State, &str, &str),
    ) -> Self {
        if good {
            Self::ok(check, what)
        } else {
            Self::not_ok(check, otherwise, instead, fix)
        }
    }

    /// A call that failed. Only what does not exist is a failure of what is checked; all else leaves it unknown.
    pub(crate) fn unread(check: &'static str, error: &Error) -> Self {
        let action = error.what.split_whitespace().next().unwrap_or_default();
        match error.kind {
            ErrorKind::Denied => Self::unknown(
                check,
                format!("not permitted: {}", error.what),
                format!("grant {action} to these credentials"),
            ),
            ErrorKind::NotFound => Self::fail(
                check,
                format!("not found: {}", error.what),
                "check the name, the Region and the account",
            ),
            ErrorKind::Rejected => Self::unknown(
                check,
                format!("refused: {}", error.what),
                "nothing, where this Region or partition does not have the operation; otherwise report it",
            ),
            _ => Self::unknown(
                check,
                format!("not answered: {}", error.what),
                "try again; if it persists, check the service's health in this Region",
            ),
        }
    }

    fn not_ok(check: &'static str, state: State, what: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check,
            state,
            what: what.into(),
            fix: Some(fix.into()),
        }
    }
}

/// The account in an ARN.
pub(crate) fn account_of(arn: &str) -> Option<&str> {
    arn.split(':').nth(4).filter(|account| !account.is_empty())
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// Each finding's check and state.
    pub(crate) fn states(findings: &[Finding]) -> Vec<(&'static str, State)> {
        findings.iter().map(|finding| (finding.check, finding.state)).collect()
    }

    #[test]
    fn a_denied_call_is_unknown_and_names_the_action_to_grant() {
        let error = Error::new(ErrorKind::Denied, "kms:DescribeKey failed with AccessDeniedException");
        let finding = Finding::unread("table.key", &error);
        assert_eq!(finding.state, State::Unknown);
        assert_eq!(
            finding.fix.as_deref(),
            Some("grant kms:DescribeKey to these credentials")
        );
    }

    #[test]
    fn what_does_not_exist_fails_and_what_does_not_answer_is_unknown() {
        let of = |kind| Finding::unread("table", &Error::new(kind, "dynamodb:DescribeTable on the table")).state;
        assert_eq!(of(ErrorKind::NotFound), State::Fail);
        assert_eq!(of(ErrorKind::Unavailable), State::Unknown);
        assert_eq!(of(ErrorKind::Throttled), State::Unknown);
        assert_eq!(of(ErrorKind::Rejected), State::Unknown);
    }

    #[test]
    fn accounts_are_read_from_arns() {
        assert_eq!(account_of("arn:aws:sqs:us-east-1:111122223333:q"), Some("111122223333"));
        assert_eq!(account_of("arn:aws:s3:::bucket"), None);
        assert_eq!(account_of(""), None);
    }
}
