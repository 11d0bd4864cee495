//! The update against a pool that does what real ones may do: lose an answer, change under it, come out otherwise.
//!
//! Invariant under test: whatever happens, the pool is as wanted, or as it was, or the operator is told what is not.

mod scripted;

use self::scripted::{Does, Scripted, scripted, shown};
use super::*;

fn wanted() -> Value {
    json!({"PreSignUp": "f", "PostConfirmation": "ours"})
}

/// Sets the slots of a pool that does so: what came of it, and how many updates were sent.
async fn set(does: &[Does]) -> (Result<Outcome, Error>, Scripted) {
    set_in(scripted(does)).await
}

async fn set_in(scripted: Scripted) -> (Result<Outcome, Error>, Scripted) {
    let before = scripted.pool().show().await.expect("it shows itself");
    let outcome = scripted.pool().set(&before, &wanted()).await;
    (outcome, scripted)
}

/// What was said, when it went wrong.
fn said(outcome: Result<Outcome, Error>, kind: ErrorKind, texts: &[&str]) {
    let error = outcome.expect_err("it went wrong");
    assert_eq!(error.kind, kind, "{error}");
    for text in texts {
        assert!(error.what.contains(text), "{text} is not in: {}", error.what);
    }
}

/// The pool is as it was, but for the date.
fn assert_put_back(pool: &Scripted) {
    let state = pool.state();
    let mut expected = shown();
    expected["LastModifiedDate"] = json!(2);
    assert_eq!(state.pool, expected);
    let mfa = json!({"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": true}});
    assert_eq!(state.mfa, mfa);
}

fn named(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn an_update_says_everything_and_changes_the_slots() {
    let (outcome, pool) = set(&[]).await;
    assert_eq!(outcome, Ok(Outcome::Set));
    let sent = pool.state().sent.clone();
    let input = json!({"UserPoolId": "p", "PoolName": "main", "LambdaConfig": wanted(), "MfaConfiguration": "OPTIONAL",
        "Policies": {"PasswordPolicy": {"MinimumLength": 12}}, "UserPoolTags": {"team": "a"}});
    assert_eq!(sent, [(UPDATE_POOL.to_owned(), input)]);
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_settled_by_looking() {
    let (outcome, pool) = set(&[Does::LosesTheAnswer]).await;
    assert_eq!((outcome, pool.updates()), (Ok(Outcome::Set), 1), "never sent again");
    let (outcome, pool) = set(&[Does::LosesTheCall, Does::Concurrent]).await;
    assert_eq!((outcome, pool.updates()), (Ok(Outcome::Set), 3));
    let (outcome, pool) = set(&[Does::LosesTheCall; 4]).await;
    let error = outcome.expect_err("never answered");
    assert_eq!((error.kind, pool.updates()), (ErrorKind::Unavailable, 4));
    assert_eq!(pool.state().pool, shown());
}

#[tokio::test(start_paused = true)]
async fn somebody_elses_change_is_kept() {
    let (outcome, pool) = set(&[Does::MeetsSomebody]).await;
    assert_eq!(outcome, Ok(Outcome::Changed(named(&["UserPoolTags/team"]))));
    assert_eq!(
        (pool.updates(), &pool.state().pool["UserPoolTags"]["team"]),
        (1, &json!("b"))
    );

    let scripted = scripted(&[]);
    let before = scripted.pool().show().await.expect("it shows itself");
    scripted.state().pool["LastModifiedDate"] = json!(1.5);
    scripted.state().mfa["SoftwareTokenMfaConfiguration"]["Enabled"] = json!(false);
    let outcome = scripted.pool().set(&before, &wanted()).await;
    let changed = named(&["LastModifiedDate", "MFA/SoftwareTokenMfaConfiguration/Enabled"]);
    assert_eq!((outcome, scripted.updates()), (Ok(Outcome::Changed(changed)), 0));
}

#[tokio::test(start_paused = true)]
async fn what_came_out_otherwise_is_put_back_with_the_slots() {
    let (outcome, pool) = set(&[Does::ForgetsThePolicy]).await;
    let policy = named(&["Policies/PasswordPolicy/MinimumLength"]);
    assert_eq!(outcome, Ok(Outcome::PutBack(policy.clone())));
    assert_eq!(pool.state().sent.len(), 2, "the factors were right");
    assert_put_back(&pool);
    let (outcome, pool) = set(&[Does::ForgetsThePolicy; 2]).await;
    assert_eq!(
        (outcome, pool.updates()),
        (Ok(Outcome::Left(policy)), 2),
        "put back once"
    );
}

/// Cognito refuses MFA without a factor, so the factor has to be there before the rest is put back.
#[tokio::test(start_paused = true)]
async fn a_factor_is_put_back_before_the_rest_and_once_more_behind_it() {
    let forgotten = named(&[
        "MFA/MfaConfiguration",
        "MFA/SoftwareTokenMfaConfiguration/Enabled",
        "MfaConfiguration",
    ]);
    for (does, order) in [
        (&[Does::ForgetsTheFactor][..], &[UPDATE_POOL, SET_MFA, UPDATE_POOL][..]),
        (
            &[Does::ForgetsTheFactor; 2],
            &[UPDATE_POOL, SET_MFA, UPDATE_POOL, SET_MFA],
        ),
    ] {
        let (outcome, pool) = set(does).await;
        assert_eq!(outcome, Ok(Outcome::PutBack(forgotten.clone())), "{does:?}");
        let state = pool.state();
        let sent: Vec<&str> = state.sent.iter().map(|(operation, _)| operation.as_str()).collect();
        assert_eq!(sent, order);
        drop(state);
        assert_put_back(&pool);
    }
}

#[tokio::test(start_paused = true)]
async fn putting_back_is_tried_as_often_as_the_update() {
    for does in [
        &[Does::ForgetsThePolicy, Does::Concurrent, Does::LosesTheCall][..],
        &[Does::ForgetsThePolicy, Does::LosesTheAnswer],
    ] {
        let (outcome, pool) = set(does).await;
        assert!(matches!(outcome, Ok(Outcome::PutBack(_))), "{does:?}: {outcome:?}");
        assert_put_back(&pool);
    }
    let scripted = scripted(&[Does::ForgetsTheFactor]);
    scripted.state().mfa_does = vec![Does::Concurrent; 3];
    let (outcome, pool) = set_in(scripted).await;
    assert!(matches!(outcome, Ok(Outcome::PutBack(_))), "{outcome:?}");
    assert_put_back(&pool);
    // Somebody else's change is theirs even now.
    let (outcome, pool) = set(&[Does::ForgetsThePolicy, Does::MeetsSomebody]).await;
    assert!(matches!(outcome, Ok(Outcome::Left(_))), "{outcome:?}");
    assert_eq!(
        (pool.updates(), &pool.state().pool["UserPoolTags"]["team"]),
        (2, &json!("b"))
    );
}

#[tokio::test(start_paused = true)]
async fn why_it_was_not_put_back_is_said_with_the_code() {
    let (outcome, _) = set(&[Does::ForgetsThePolicy, Does::Refuses]).await;
    let texts = [
        "InvalidSmsRoleTrustRelationshipException",
        "left otherwise than before: LambdaConfig, Policies/PasswordPolicy/MinimumLength",
    ];
    said(outcome, ErrorKind::Unmet, &texts);
    let scripted = scripted(&[Does::ForgetsTheFactor]);
    scripted.state().mfa_does = vec![Does::Refuses; 2];
    let (outcome, pool) = set_in(scripted).await;
    let texts = [
        "SetUserPoolMfaConfig refuses the pool's own settings with InvalidSmsRoleAccessPolicyException",
        "UpdateUserPool refuses the pool's own settings with InvalidParameterException",
        "MFA/SoftwareTokenMfaConfiguration/Enabled",
    ];
    said(outcome, ErrorKind::Unmet, &texts);
    assert_eq!(pool.updates(), 2, "tried although the factor is not back");
}

#[tokio::test(start_paused = true)]
async fn what_was_sent_and_cannot_be_looked_at_is_said() {
    let blind = |does: &[Does], looks, kind| {
        let scripted = scripted(does);
        scripted.state().blind = Some((looks, kind));
        set_in(scripted)
    };
    for does in [Does::Applies, Does::LosesTheAnswer] {
        let (outcome, pool) = blind(&[does], 8, ErrorKind::Throttled).await;
        assert_eq!(
            (outcome, pool.updates()),
            (Ok(Outcome::Set), 1),
            "looked again until it was seen"
        );
        let texts = [
            "cognito-idp:UpdateUserPool was sent, not verified",
            "compare LambdaConfig",
        ];
        let (outcome, pool) = blind(&[does], usize::MAX, ErrorKind::Unavailable).await;
        said(outcome, ErrorKind::Unavailable, &texts);
        assert_eq!(pool.state().blind, Some((usize::MAX - 9, ErrorKind::Unavailable)));
        // Who may not look is not let in by waiting.
        let (outcome, pool) = blind(&[does], usize::MAX, ErrorKind::Denied).await;
        said(outcome, ErrorKind::Denied, &texts);
        assert_eq!(pool.state().blind, Some((usize::MAX - 1, ErrorKind::Denied)));
    }
    // Nothing was carried out then.
    let (outcome, _) = blind(&[Does::Concurrent], usize::MAX, ErrorKind::Denied).await;
    let error = outcome.expect_err("blind");
    assert!(!error.what.contains("was sent"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_update_is_no_bug_of_ours() {
    let (outcome, pool) = set(&[Does::Refuses]).await;
    let error = outcome.expect_err("refused");
    assert_eq!((error.kind, pool.updates()), (ErrorKind::Unmet, 1));
    assert!(
        error.what.contains("InvalidSmsRoleTrustRelationshipException"),
        "{}",
        error.what
    );
}
