//! Errors: kinds, each with one directive and one hint that an operator can act on.
//!
//! Invariant: no personal value. An AWS error keeps its code and request id; its message is dropped, because AWS quotes
//! rejected values in it.

use std::fmt;

/// What the code that meets an error does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Directive {
    /// Give the message back to the queue; it is expected to work later without anybody.
    RetryLater,
    /// Send the message to the dead-letter queue with its reason; trying again changes nothing.
    Park,
    /// Nothing can work until somebody acts: at start exit, at run time give everything back and say so.
    Stop,
}

/// Kind of an error. A new kind exists only where an operator would act differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// A quota or a throughput limit.
    Throttled,
    /// No answer, a connection error, a 5xx answer, or an answer that is not what the service documents.
    Unavailable,
    /// Too many writers changed the same item.
    Contended,
    /// IAM or a key policy refuses the call.
    Denied,
    /// The pool, table, queue or function does not exist.
    NotFound,
    /// A variable is missing or malformed.
    BadSetting,
    /// The message is no change.
    Unreadable,
    /// An item of the table is not one that Twinpool wrote.
    BadItem,
    /// Message or item was written by a newer version.
    Newer,
    /// The change is about a pool that is not configured.
    OtherPool,
    /// The service refuses the request itself.
    Rejected,
    /// Somebody else is at this work.
    Held,
    /// What has to hold before a command may begin does not: a backup that is stale, a plan that is outdated.
    Unmet,
}

impl ErrorKind {
    /// What to do next.
    #[must_use]
    pub fn directive(self) -> Directive {
        match self {
            Self::Throttled | Self::Unavailable | Self::Contended | Self::Newer | Self::Held => Directive::RetryLater,
            Self::Unreadable | Self::BadItem | Self::OtherPool | Self::Rejected => Directive::Park,
            Self::Denied | Self::NotFound | Self::BadSetting | Self::Unmet => Directive::Stop,
        }
    }

    /// Name in metrics, logs and parked messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Contended => "contended",
            Self::Denied => "denied",
            Self::NotFound => "not_found",
            Self::BadSetting => "bad_setting",
            Self::Unreadable => "unreadable",
            Self::BadItem => "bad_item",
            Self::Newer => "newer_format",
            Self::OtherPool => "other_pool",
            Self::Rejected => "rejected",
            Self::Held => "held",
            Self::Unmet => "unmet",
        }
    }

    /// What an operator can do about it.
    #[must_use]
    pub fn hint(self) -> &'static str {
        match self {
            Self::Throttled => "wait, or raise the quota; the message is tried again by itself",
            Self::Unavailable => "check the service's health in this Region; the message is tried again by itself",
            Self::Contended => "nothing to do unless it persists: lower the replicator's concurrency then",
            Self::Denied => {
                "grant the named permission to the function's role (and to the key), then redrive the dead-letter queue"
            }
            Self::NotFound => {
                "correct the named variable, or restore what it points to, then redrive the dead-letter queue"
            }
            Self::BadSetting => "correct the named environment variable and deploy again",
            Self::Unreadable => {
                "find out who writes to the queue; if it is Twinpool, keep the message and report a bug"
            }
            Self::BadItem => {
                "restore the user's or group's item from its last version, then redrive the dead-letter queue"
            }
            Self::Newer => {
                "deploy the newer version of the replicator; the message is tried again and, after its last delivery, parked: redrive it"
            }
            Self::OtherPool => {
                "add the pool to TWINPOOL_POOLS or detach the trigger, then redrive the dead-letter queue"
            }
            Self::Unmet => "do first what the message says",
            Self::Held => "wait until the other run is finished; `twinpool status` shows it",
            Self::Rejected => "report a bug with the error code; a redrive after the fix applies the change",
        }
    }
}

/// An error of Twinpool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Kind.
    pub kind: ErrorKind,
    /// What failed: a lowercase fragment with operation, code, variable or permission, and nothing personal.
    pub what: String,
}

impl Error {
    /// An error of `kind`.
    pub fn new(kind: ErrorKind, what: impl Into<String>) -> Self {
        Self {
            kind,
            what: what.into(),
        }
    }

    /// What to do next.
    #[must_use]
    pub fn directive(&self) -> Directive {
        self.kind.directive()
    }

    /// The error code of the service that refused a call, which [`Self::what`] then ends in.
    #[must_use]
    pub fn code(&self) -> Option<&str> {
        let (_, code) = self.what.rsplit_once(" failed with ")?;
        (!code.contains(' ')).then_some(code)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}); {}", self.what, self.kind.as_str(), self.kind.hint())
    }
}

impl std::error::Error for Error {}

impl From<crate::change::ChangeError> for Error {
    fn from(error: crate::change::ChangeError) -> Self {
        let kind = match error {
            crate::change::ChangeError::Unreadable { .. } => ErrorKind::Unreadable,
            crate::change::ChangeError::Newer(_) => ErrorKind::Newer,
        };
        Self::new(kind, error.to_string())
    }
}

/// Kind of an AWS error code, as the services document them. What is not listed is judged by its HTTP status.
#[must_use]
pub fn kind_of_code(code: &str, http_status: Option<u16>) -> ErrorKind {
    match code {
        "TooManyRequestsException"
        | "ThrottlingException"
        | "Throttling"
        | "RequestLimitExceeded"
        | "RequestThrottled"
        | "ProvisionedThroughputExceededException"
        | "LimitExceededException"
        | "KmsThrottled"
        | "KMS.ThrottlingException"
        | "SlowDown" => ErrorKind::Throttled,
        "AccessDeniedException"
        | "AccessDenied"
        | "AccessDeniedFault"
        | "NotAuthorizedException"
        | "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "ExpiredTokenException"
        | "MissingAuthenticationToken"
        // What SQS says of the key of a queue, by the model's name and by the code on the wire. [SQS API reference, SendMessage]
        // A key that is disabled or about to be deleted is for an operator, and passes when it is enabled.
        | "KmsAccessDenied"
        | "KMS.AccessDeniedException"
        | "KmsDisabled"
        | "KMS.DisabledException"
        | "KmsInvalidState"
        | "KMS.InvalidStateException"
        | "KmsInvalidKeyUsage"
        | "KMS.InvalidKeyUsageException"
        | "KmsNotFound"
        | "KMS.NotFoundException"
        | "KmsOptInRequired"
        | "KMS.OptInRequired" => ErrorKind::Denied,
        "ResourceNotFoundException"
        | "QueueDoesNotExist"
        | "AWS.SimpleQueueService.NonExistentQueue"
        | "TableNotFoundException" => ErrorKind::NotFound,
        "ConditionalCheckFailedException" | "TransactionConflictException" | "ReplicatedWriteConflictException" => {
            ErrorKind::Contended
        }
        _ => match http_status {
            Some(429) => ErrorKind::Throttled,
            Some(status) if (400..500).contains(&status) => ErrorKind::Rejected,
            _ => ErrorKind::Unavailable,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_map_to_kinds_and_kinds_to_directives() {
        for (code, status, kind, directive) in [
            (
                "TooManyRequestsException",
                Some(400),
                ErrorKind::Throttled,
                Directive::RetryLater,
            ),
            (
                "ProvisionedThroughputExceededException",
                Some(400),
                ErrorKind::Throttled,
                Directive::RetryLater,
            ),
            ("Anything", Some(429), ErrorKind::Throttled, Directive::RetryLater),
            (
                "InternalServerError",
                Some(500),
                ErrorKind::Unavailable,
                Directive::RetryLater,
            ),
            ("", None, ErrorKind::Unavailable, Directive::RetryLater),
            (
                "ConditionalCheckFailedException",
                Some(400),
                ErrorKind::Contended,
                Directive::RetryLater,
            ),
            ("AccessDeniedException", Some(400), ErrorKind::Denied, Directive::Stop),
            ("KMS.DisabledException", Some(400), ErrorKind::Denied, Directive::Stop),
            (
                "KMS.InvalidStateException",
                Some(400),
                ErrorKind::Denied,
                Directive::Stop,
            ),
            (
                "KMS.ThrottlingException",
                Some(400),
                ErrorKind::Throttled,
                Directive::RetryLater,
            ),
            (
                "ResourceNotFoundException",
                Some(400),
                ErrorKind::NotFound,
                Directive::Stop,
            ),
            ("ValidationException", Some(400), ErrorKind::Rejected, Directive::Park),
        ] {
            assert_eq!(kind_of_code(code, status), kind, "{code}");
            assert_eq!(kind.directive(), directive, "{code}");
        }
        assert_eq!(ErrorKind::BadSetting.directive(), Directive::Stop);
        assert_eq!(ErrorKind::Newer.directive(), Directive::RetryLater);
        assert_eq!(ErrorKind::Unreadable.directive(), Directive::Park);
        assert_eq!(ErrorKind::BadItem.directive(), Directive::Park);
        assert_eq!(ErrorKind::OtherPool.directive(), Directive::Park);
    }

    #[test]
    fn an_error_says_what_and_what_to_do() {
        let error = Error::new(ErrorKind::Denied, "dynamodb:PutItem on the table");
        assert_eq!(error.directive(), Directive::Stop);
        let text = error.to_string();
        assert!(
            text.starts_with("dynamodb:PutItem on the table (denied); grant the named permission"),
            "{text}"
        );
    }
}
