//! What an answer says: that something is set, that nothing is, or neither.
//!
//! Invariant: an error that is not listed here is a failure, and a failure is evidence of nothing.

use serde_json::Value;

use crate::{
    error::{Error, ErrorKind},
    snapshot::plan::{Absence, LIMIT},
};

/// The answer is empty: nothing was ever set.
pub const NOTHING_SET: &str = "NothingSet";
/// The answer shows the settings of somebody else, which apply because there are none of its own.
pub const NOT_ITS_OWN: &str = "NotItsOwn";

/// Said about a feature that a tier, a Region, an older pool or a secondary replica has not.
const FEATURE_CODES: [&str; 5] = [
    "FeatureUnavailableInTierException",
    "OperationNotEnabledException",
    "UnknownOperationException",
    "UnsupportedOperationException",
    "UserPoolAddOnNotEnabledException",
];
const NOT_FOUND_CODE: &str = "ResourceNotFoundException";
/// What `GetProvisionedLimit` says about a category whose quota cannot be bought in this Region.
const INVALID_CODE: &str = "InvalidParameterException";

/// What an error means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// Nothing is set, says this code.
    Absent(String),
    /// The operation has nothing to say in this pool, says this code, whatever it is asked about.
    Unavailable(String),
    /// Nothing is known.
    Failed,
}

pub(super) fn meaning(operation: &str, error: &Error, absence: Absence) -> Meaning {
    let Some(code) = code_of(error) else {
        return Meaning::Failed;
    };
    let feature = absence == Absence::Feature;
    let not_found = code == NOT_FOUND_CODE && absence != Absence::Never;
    let not_for_sale = code == INVALID_CODE && operation == LIMIT && feature;
    if not_found || not_for_sale {
        Meaning::Absent(code.to_owned())
    } else if feature && FEATURE_CODES.contains(&code) {
        Meaning::Unavailable(code.to_owned())
    } else {
        Meaning::Failed
    }
}

/// The AWS error code, when the service refused a call for good.
fn code_of(error: &Error) -> Option<&str> {
    let refused = matches!(error.kind, ErrorKind::NotFound | ErrorKind::Rejected);
    error.code().filter(|_| refused)
}

/// The part of an answer that is kept. An empty answer has the empty part.
pub(super) fn part_of(operation: &str, member: Option<&str>, mut answer: Value) -> Result<Value, Error> {
    let Some(member) = member else {
        return Ok(answer);
    };
    if is_empty(&answer) {
        return Ok(answer);
    }
    let part = answer.get_mut(member).map(Value::take);
    part.ok_or_else(|| without(operation, member))
}

pub(super) fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Whether an answer says no more than what it is about.
pub(super) fn sets_nothing(value: &Value) -> bool {
    const ABOUT: [&str; 2] = ["UserPoolId", "ClientId"];
    let members = value.as_object();
    value.is_null() || members.is_some_and(|members| members.keys().all(|name| ABOUT.contains(&name.as_str())))
}

pub(super) fn without(operation: &str, member: &str) -> Error {
    let what = format!("cognito-idp:{operation} answered without {member}");
    Error::new(ErrorKind::Unavailable, what)
}

pub(super) fn endless(operation: &str, pages: u32) -> Error {
    let what = format!("cognito-idp:{operation} went on for more than {pages} pages");
    Error::new(ErrorKind::Unavailable, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(kind: ErrorKind, code: &str) -> Error {
        Error::new(kind, format!("cognito-idp:X on the pool failed with {code}"))
    }

    #[test]
    fn only_listed_codes_say_that_nothing_is_there() {
        let gone = refused(ErrorKind::NotFound, NOT_FOUND_CODE);
        let absent = Meaning::Absent(NOT_FOUND_CODE.to_owned());
        assert_eq!(meaning("X", &gone, Absence::Never), Meaning::Failed);
        assert_eq!(meaning("X", &gone, Absence::NotFound), absent);
        assert_eq!(meaning("X", &gone, Absence::Feature), absent);
        for code in FEATURE_CODES {
            let error = refused(ErrorKind::Rejected, code);
            assert_eq!(meaning("X", &error, Absence::NotFound), Meaning::Failed, "{code}");
            assert_eq!(
                meaning("X", &error, Absence::Feature),
                Meaning::Unavailable(code.to_owned())
            );
        }
        let invalid = refused(ErrorKind::Rejected, INVALID_CODE);
        assert_eq!(meaning("X", &invalid, Absence::Feature), Meaning::Failed);
        assert_eq!(
            meaning(LIMIT, &invalid, Absence::Feature),
            Meaning::Absent(INVALID_CODE.to_owned())
        );
    }

    #[test]
    fn what_is_denied_or_gets_no_answer_says_nothing() {
        for kind in [ErrorKind::Denied, ErrorKind::Throttled, ErrorKind::Unavailable] {
            let error = refused(kind, NOT_FOUND_CODE);
            assert_eq!(meaning("X", &error, Absence::Feature), Meaning::Failed, "{kind:?}");
        }
        let timeout = Error::new(ErrorKind::Unavailable, "cognito-idp:X on the pool timed out");
        assert_eq!(meaning("X", &timeout, Absence::Feature), Meaning::Failed);
    }
}
