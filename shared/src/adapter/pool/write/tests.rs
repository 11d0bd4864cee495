//! What the writer repeats, and what it tells.

use aws_sdk_cognitoidentityprovider::{
    Config,
    config::{BehaviorVersion, Region},
    error::{ErrorMetadata, SdkError},
    operation::list_users::ListUsersError,
};
use aws_smithy_runtime_api::{client::orchestrator::HttpResponse, http::StatusCode};
use aws_smithy_types::body::SdkBody;
use serde_json::json;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::quota::{Category, Share};

/// What the service does with an attempt.
#[derive(Clone, Copy)]
enum Does {
    Answer,
    Refuse(u16, &'static str),
    KeepSilent,
}

/// Changes something by a service that does as `service` says, which is given the number of the attempt.
async fn change(operation: &'static str, service: impl Fn(u32) -> Does + Sync) -> (Result<&'static str, Refusal>, u32) {
    let attempts = AtomicU32::new(0);
    let send = || {
        let does = service(attempts.fetch_add(1, Ordering::Relaxed) + 1);
        std::future::ready(match does {
            Does::Answer => Ok("changed"),
            Does::Refuse(status, code) => {
                let error = ListUsersError::generic(ErrorMetadata::builder().code(code).build());
                let response = HttpResponse::new(StatusCode::try_from(status).unwrap(), SdkBody::empty());
                Err::<_, SdkError<ListUsersError, HttpResponse>>(SdkError::service_error(error, response))
            }
            Does::KeepSilent => Err(SdkError::timeout_error("no answer")),
        })
    };
    let governor = Governor::new(Share::default(), 1);
    let (category, operation) = raw::known(operation).unwrap();
    let call = Call {
        name: operation,
        category,
        operation,
        pool: "us-west-2_EXAMPLE",
    };
    let next = |failure: &Failure<_>| next(failure, repeatable(operation));
    let answer = patiently(&governor, Patience::REPLICATOR, &call, next, send).await;
    (answer.map_err(refusal), attempts.into_inner())
}

#[tokio::test(start_paused = true)]
async fn a_throttle_changed_nothing_and_is_always_repeated() {
    for operation in ["AdminCreateUser", "AdminAddUserToGroup"] {
        let (answer, attempts) = change(operation, |attempt| match attempt {
            1 => Does::Refuse(400, "TooManyRequestsException"),
            2 => Does::Refuse(400, "ConcurrentModificationException"),
            _ => Does::Answer,
        })
        .await;
        assert_eq!((answer, attempts), (Ok("changed"), 3), "{operation}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_repeated_only_where_a_second_one_changes_nothing() {
    for lost in [Does::KeepSilent, Does::Refuse(500, "InternalErrorException")] {
        let service = |attempt| if attempt == 1 { lost } else { Does::Answer };
        assert_eq!(change("AdminAddUserToGroup", service).await, (Ok("changed"), 2));
        for made in [
            "AdminCreateUser",
            "CreateUserPool",
            "AdminLinkProviderForUser",
            "CreateUserImportJob",
        ] {
            let (answer, attempts) = change(made, service).await;
            assert!(matches!(answer, Err(Refusal::Doubtful(_))), "{made}: {answer:?}");
            assert_eq!(attempts, 1, "{made}");
        }
    }
    let (answer, attempts) = change("AdminAddUserToGroup", |_| Does::KeepSilent).await;
    assert!(matches!(answer, Err(Refusal::Doubtful(_))), "{answer:?}");
    assert_eq!(attempts, 3);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_final_and_told_by_its_code() {
    for code in [
        "UsernameExistsException",
        "ResourceNotFoundException",
        "NotAuthorizedException",
        "LimitExceededException",
        "AnythingNewException",
    ] {
        let (answer, attempts) = change("AdminAddUserToGroup", |_| Does::Refuse(400, code)).await;
        assert_eq!((answer, attempts), (Err(Refusal::Refused(code.to_owned())), 1));
    }
    let (answer, attempts) = change("AdminCreateUser", |_| Does::Refuse(400, "AccessDeniedException")).await;
    let Err(Refusal::Failed(error)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((error.kind, attempts), (ErrorKind::Denied, 1));
    let (answer, attempts) = change("AdminCreateUser", |_| Does::Refuse(400, "TooManyRequestsException")).await;
    let Err(Refusal::Failed(error)) = answer else {
        panic!("{answer:?}");
    };
    assert_eq!((error.kind, attempts), (ErrorKind::Throttled, 3));
}

#[tokio::test]
async fn what_reads_or_has_no_known_quota_is_not_sent() {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-west-2"));
    let client = Client::from_conf(config.build());
    let governor = Governor::new(Share::default(), 1);
    let writer = PoolWriter::new(client, governor.clone(), Patience::REPLICATOR);
    for operation in ["ListUsers", "AdminGetUser", "DeleteEverything"] {
        let answer = writer.change(operation, json!({})).await;
        let Err(Refusal::Failed(error)) = answer else {
            panic!("{operation}: {answer:?}");
        };
        assert_eq!(error.kind, ErrorKind::Rejected, "{operation}");
    }
    assert_eq!(governor.calls().len(), 0);
    assert_eq!(raw::known("AdminCreateUser").unwrap().0, Category::UserCreation);
}

#[test]
fn every_repeatable_operation_is_a_known_change() {
    for operation in crate::import::REPEATABLE {
        assert!(raw::known(operation).is_ok(), "{operation} counts in no known quota");
        assert!(!reads(operation), "{operation} changes nothing");
        assert!(
            !operation.starts_with("Create") && !operation.starts_with("Add"),
            "{operation}"
        );
    }
}
