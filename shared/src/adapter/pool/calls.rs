//! How a call to Cognito is made: admitted by the governor, sent once, judged, and tried again while there is patience.
//!
//! Invariant: there is no other way to Cognito. The SDK's own retries are off, because they would pass the governor by. Through
//! [`PoolReader`] only operations that read are called, so that trying again changes nothing; what changes something goes
//! through [`super::write`], which says itself what may be tried again.

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::{
    Client,
    config::retry::RetryConfig,
    error::{ProvideErrorMetadata, SdkError},
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use tokio::time::{Instant, sleep, timeout_at};

use super::PoolReader;
use crate::{
    adapter::{aws::classify, governor::Governor},
    error::{Error, ErrorKind},
    operation::{Meaning, Nothing, meaning},
    quota::{Category, category_of},
};

/// Wait before the first repetition; it doubles from there. Quotas count by the second: sooner, a call is refused again.
const BACKOFF: Duration = Duration::from_millis(800);
/// Longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(20);

/// How long a call is tried that is refused for its quota, or gets no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// Attempts, the first included.
    pub attempts: u32,
    /// Milliseconds for all attempts and the waits before them.
    pub millis: u64,
}

impl Patience {
    /// A change waits in its queue anyway, and a Lambda invocation ends.
    pub const REPLICATOR: Self = Self {
        attempts: 3,
        millis: 12_000,
    };
    /// A walk has come far and would have to begin again: five minutes without an answer before it gives up.
    pub const WALK: Self = Self {
        attempts: u32::MAX,
        millis: 300_000,
    };

    /// The wait before attempt `attempt + 1`; `None` when there is none.
    fn wait_after(self, attempt: u32) -> Option<Duration> {
        let doubled = 2_u32.saturating_pow(attempt.saturating_sub(1));
        (attempt < self.attempts).then(|| BACKOFF.saturating_mul(doubled).min(BACKOFF_MAX))
    }
}

/// A call that was not answered with what was asked for.
pub(super) struct Failure<E> {
    pub(super) error: Error,
    /// What the service said, when it said something.
    service: Option<E>,
    /// Whether it was sent, and nobody knows what became of it.
    pub(super) lost: bool,
}

/// What follows a failed attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Another attempt, and slower ones from now on.
    Slower,
    /// Another attempt.
    Again,
    /// Nothing.
    End,
}

/// A call, as governor and errors know it.
pub(super) struct Call<'a> {
    /// For errors.
    pub(super) name: &'a str,
    pub(super) category: Category,
    pub(super) operation: &'static str,
    pub(super) pool: &'a str,
}

/// `client` without retries of its own: every attempt is admitted by a governor.
pub(super) fn without_retries(client: &Client) -> Client {
    let config = client.config().to_builder().retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

/// Whether `operation` is known to change nothing.
pub(super) fn reads(operation: &str) -> bool {
    meaning(operation) == Some(Meaning::Nothing(Nothing::Reads))
}

impl<E> Failure<E> {
    fn new(kind: ErrorKind, what: String) -> Self {
        Self {
            error: Error::new(kind, what),
            service: None,
            lost: false,
        }
    }

    /// Whether the service said what `is` recognises.
    pub(super) fn says(&self, is: impl FnOnce(&E) -> bool) -> bool {
        self.service.as_ref().is_some_and(is)
    }
}

impl<E: ProvideErrorMetadata> Failure<E> {
    /// The service's error code; empty when it gave none.
    pub(super) fn code(&self) -> &str {
        self.service.as_ref().and_then(E::code).unwrap_or_default()
    }
}

impl<E> From<Failure<E>> for Error {
    fn from(failure: Failure<E>) -> Self {
        failure.error
    }
}

impl PoolReader {
    /// Calls `operation` about `pool` until it is answered, refused for good, or patience has ended.
    pub(super) async fn call<T, E, F>(
        &self,
        operation: &'static str,
        pool: &str,
        send: impl Fn() -> F + Send,
    ) -> Result<T, Failure<E>>
    where
        E: ProvideErrorMetadata + Send,
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    {
        let name = format!("cognito-idp:{operation} on the pool");
        let Some(category) = category_of(operation).filter(|_| reads(operation)) else {
            let what = format!("{name} is not called: it is no read, or counts in no known quota");
            return Err(Failure::new(ErrorKind::Rejected, what));
        };
        let call = Call {
            name: &name,
            category,
            operation,
            pool,
        };
        let next = |failure: &Failure<E>| match failure.error.kind {
            ErrorKind::Throttled => Next::Slower,
            ErrorKind::Unavailable => Next::Again,
            _ => Next::End,
        };
        patiently(&self.governor, self.patience, &call, next, send).await
    }
}

/// Makes `call` until it is answered, `next` ends it, or patience has ended.
pub(super) async fn patiently<T, E, F>(
    governor: &Governor,
    patience: Patience,
    call: &Call<'_>,
    next: impl Fn(&Failure<E>) -> Next + Send,
    send: impl Fn() -> F + Send,
) -> Result<T, Failure<E>>
where
    E: ProvideErrorMetadata + Send,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
{
    let Call {
        name,
        category,
        operation,
        pool,
    } = *call;
    let deadline = Instant::now() + Duration::from_millis(patience.millis);
    let mut attempt = 1;
    loop {
        let admitted = governor.admit(category, operation, pool);
        if timeout_at(deadline, admitted).await.is_err() {
            let what = format!("{name} found no room in Twinpool's share of {category}");
            return Err(Failure::new(ErrorKind::Throttled, what));
        }
        let failure = match timeout_at(deadline, Box::pin(send())).await {
            Ok(Ok(answer)) => {
                governor.answered(category);
                return Ok(answer);
            }
            Ok(Err(error)) => failure(name, error),
            Err(_) => Failure {
                lost: true,
                ..Failure::new(ErrorKind::Unavailable, format!("{name} timed out"))
            },
        };
        match next(&failure) {
            Next::Slower => governor.throttled(category, operation),
            Next::Again => {}
            Next::End => {
                if !failure.lost {
                    // An answer as well, and as final.
                    governor.answered(category);
                }
                return Err(failure);
            }
        }
        let wait = patience.wait_after(attempt);
        let Some(wait) = wait.filter(|wait| Instant::now() + *wait < deadline) else {
            return Err(failure);
        };
        sleep(wait).await;
        attempt += 1;
    }
}

fn failure<E: ProvideErrorMetadata>(name: &str, error: SdkError<E, HttpResponse>) -> Failure<E> {
    let classified = classify(name, &error);
    Failure {
        lost: classified.kind == ErrorKind::Unavailable,
        error: classified,
        service: match error {
            SdkError::ServiceError(context) => Some(context.into_err()),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use aws_sdk_cognitoidentityprovider::{
        Client, Config,
        config::{BehaviorVersion, Region},
        error::ErrorMetadata,
        operation::list_users::ListUsersError,
    };
    use aws_smithy_runtime_api::http::StatusCode;
    use aws_smithy_types::body::SdkBody;

    use super::*;
    use crate::{
        adapter::governor::Governor,
        quota::{Category, Share},
    };

    const THROTTLED: &str = "TooManyRequestsException";

    type Answer = Result<&'static str, SdkError<ListUsersError, HttpResponse>>;

    fn reader(patience: Patience) -> PoolReader {
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"));
        PoolReader::new(
            Client::from_conf(config.build()),
            Governor::new(Share::default(), 1),
            patience,
        )
    }

    /// What the service does with an attempt.
    #[derive(Clone, Copy)]
    enum Does {
        Answer,
        Refuse(&'static str),
        KeepSilent,
    }

    /// Calls ListUsers with a service that does as `service` says, which is given the number of the attempt.
    async fn ask(reader: &PoolReader, service: impl Fn(u32) -> Does + Sync) -> (Result<&'static str, Error>, u32) {
        let attempts = AtomicU32::new(0);
        let send = || {
            let does = service(attempts.fetch_add(1, Ordering::Relaxed) + 1);
            std::future::ready(match does {
                Does::Answer => Answer::Ok("a page"),
                Does::Refuse(code) => {
                    let error = ListUsersError::generic(ErrorMetadata::builder().code(code).build());
                    let response = HttpResponse::new(StatusCode::try_from(400).unwrap(), SdkBody::empty());
                    Err(SdkError::service_error(error, response))
                }
                Does::KeepSilent => Err(SdkError::timeout_error("no answer")),
            })
        };
        let answer = reader.call("ListUsers", "us-east-1_EXAMPLE", send).await;
        (answer.map_err(Error::from), attempts.into_inner())
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_pass_is_tried_again_through_the_governor() {
        let reader = reader(Patience::REPLICATOR);
        let (answer, attempts) = ask(&reader, |attempt| match attempt {
            1 => Does::Refuse(THROTTLED),
            2 => Does::KeepSilent,
            _ => Does::Answer,
        })
        .await;
        assert_eq!((answer, attempts), (Ok("a page"), 3));
        assert_eq!(reader.governor.calls().get("ListUsers"), Some(&3));
        assert_eq!(reader.governor.throttles().get("ListUsers"), Some(&1));
        assert!(reader.governor.rate(Category::UserList) < 15.0);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_final_is_tried_once() {
        for (code, kind) in [
            ("ResourceNotFoundException", ErrorKind::NotFound),
            ("AccessDeniedException", ErrorKind::Denied),
            ("InvalidParameterException", ErrorKind::Rejected),
        ] {
            let (answer, attempts) = ask(&reader(Patience::WALK), |_| Does::Refuse(code)).await;
            assert_eq!((answer.map_err(|error| error.kind), attempts), (Err(kind), 1), "{code}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_replicator_tries_three_times_within_its_seconds() {
        let begun = Instant::now();
        let (answer, attempts) = ask(&reader(Patience::REPLICATOR), |_| Does::Refuse(THROTTLED)).await;
        assert_eq!((answer.unwrap_err().kind, attempts), (ErrorKind::Throttled, 3));
        assert!(begun.elapsed() <= Duration::from_millis(Patience::REPLICATOR.millis));
    }

    #[tokio::test(start_paused = true)]
    async fn a_walk_outlasts_minutes_of_refusals_and_then_gives_up() {
        let minutes = |minutes: u64| Instant::now() + Duration::from_secs(minutes * 60);
        let recovered = minutes(4);
        let (answer, attempts) = ask(&reader(Patience::WALK), |_| {
            if Instant::now() < recovered {
                Does::Refuse(THROTTLED)
            } else {
                Does::Answer
            }
        })
        .await;
        assert_eq!(answer, Ok("a page"));
        assert!((10..30).contains(&attempts), "{attempts} attempts in four minutes");

        let (earliest, latest) = (minutes(4), minutes(5));
        let (answer, _) = ask(&reader(Patience::WALK), |_| Does::KeepSilent).await;
        assert_eq!(answer.unwrap_err().kind, ErrorKind::Unavailable);
        assert!((earliest..=latest).contains(&Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_that_hangs_ends_with_patience() {
        let begun = Instant::now();
        let hangs = || std::future::pending::<Answer>();
        let reader = reader(Patience::REPLICATOR);
        let answer = reader.call("ListUsers", "us-east-1_EXAMPLE", hangs).await;
        let error = Error::from(answer.err().unwrap());
        assert_eq!(error.what, "cognito-idp:ListUsers on the pool timed out");
        assert_eq!(begun.elapsed(), Duration::from_millis(Patience::REPLICATOR.millis));
    }

    #[tokio::test(start_paused = true)]
    async fn what_may_change_something_or_has_no_known_quota_is_not_called() {
        let reader = reader(Patience::WALK);
        for operation in ["AdminDeleteUser", "ListEverything"] {
            let send = || std::future::ready(Answer::Ok("deleted"));
            let answer = reader.call(operation, "", send).await;
            assert_eq!(answer.err().unwrap().error.kind, ErrorKind::Rejected, "{operation}");
        }
        assert_eq!(reader.governor.calls().len(), 0);
    }
}
