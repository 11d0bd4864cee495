//! The service's errors, with AWS's names and, where known, its wording.
//!
//! Invariant: a message never contains an attribute value, a password or a code.

use super::ApiError;

pub(crate) type Answer<T> = Result<T, ApiError>;

/// An error of the caller, HTTP 400.
pub(crate) fn refuse(code: &str, message: impl Into<String>) -> ApiError {
    ApiError {
        status: 400,
        code: code.to_owned(),
        message: message.into(),
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> ApiError {
    refuse("InvalidParameterException", message)
}

pub(crate) fn not_authorized(message: impl Into<String>) -> ApiError {
    refuse("NotAuthorizedException", message)
}

pub(crate) fn not_found(message: impl Into<String>) -> ApiError {
    refuse("ResourceNotFoundException", message)
}

pub(crate) fn user_not_found() -> ApiError {
    refuse("UserNotFoundException", "User does not exist.")
}

pub(crate) fn wrong_password() -> ApiError {
    not_authorized("Incorrect username or password.")
}

pub(crate) fn code_mismatch() -> ApiError {
    refuse(
        "CodeMismatchException",
        "Invalid verification code provided, please try again.",
    )
}

pub(crate) fn code_expired() -> ApiError {
    refuse(
        "ExpiredCodeException",
        "Invalid code provided, please request a code again.",
    )
}

pub(crate) fn limit_exceeded(message: impl Into<String>) -> ApiError {
    refuse("LimitExceededException", message)
}

pub(crate) fn not_in_tier(message: impl Into<String>) -> ApiError {
    refuse("FeatureUnavailableInTierException", message)
}

/// AWS says no more than the name.
pub(crate) fn unknown_operation() -> ApiError {
    refuse("UnknownOperationException", "")
}

/// What the double does not do. It says so instead of guessing.
pub(crate) fn unsupported(what: impl AsRef<str>) -> ApiError {
    refuse(
        "LocalcloudUnsupported",
        format!("localcloud does not support {}", what.as_ref()),
    )
}
