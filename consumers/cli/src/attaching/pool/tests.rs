//! The update against a pool that does what real ones may do: lose an answer, change under it, come out otherwise.

use std::sync::{Mutex, MutexGuard};

use super::*;

/// What happens to one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    Applies,
    /// Carries it out, and answers nothing.
    LosesTheAnswer,
    /// Answers nothing, and carries nothing out.
    LosesTheCall,
    /// The same, and somebody changes the pool meanwhile.
    MeetsSomebody,
    /// Carries it out, and sets the password policy back.
    ForgetsThePolicy,
    /// Carries it out, and turns a factor off.
    ForgetsTheFactor,
    /// Somebody else is at it.
    Concurrent,
    Refuses,
}

struct State {
    pool: Value,
    mfa: Value,
    does: Vec<Does>,
    sent: Vec<(String, Value)>,
}

struct Scripted(Mutex<State>);

fn shown() -> Value {
    json!({"Id": "p", "Name": "main", "LastModifiedDate": 1, "EstimatedNumberOfUsers": 7, "LambdaConfig": {"PreSignUp": "f"},
        "Policies": {"PasswordPolicy": {"MinimumLength": 12}}, "MfaConfiguration": "OPTIONAL", "UserPoolTags": {"team": "a"}})
}

fn scripted(does: &[Does]) -> Scripted {
    Scripted(Mutex::new(State {
        pool: shown(),
        mfa: json!({"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": true}}),
        does: does.iter().rev().copied().collect(),
        sent: Vec::new(),
    }))
}

impl Scripted {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panicked with it")
    }

    fn pool(&self) -> Pool<'_, Self, Self> {
        Pool {
            id: "p",
            reader: self,
            writer: self,
        }
    }

    fn updates(&self) -> usize {
        self.state()
            .sent
            .iter()
            .filter(|(operation, _)| operation == UPDATE_POOL)
            .count()
    }
}

impl RawPool for Scripted {
    async fn call(&self, operation: &str, input: Value) -> Result<Value, Error> {
        assert_eq!(input, json!({"UserPoolId": "p"}));
        let state = self.state();
        Ok(match operation {
            "DescribeUserPool" => json!({"UserPool": state.pool}),
            "GetUserPoolMfaConfig" => state.mfa.clone(),
            other => panic!("{other} is not asked"),
        })
    }
}

impl WritePool for Scripted {
    async fn change(&self, operation: &str, input: Value) -> Result<Value, Refusal> {
        let mut state = self.state();
        state.sent.push((operation.to_owned(), input.clone()));
        if operation == SET_MFA {
            state.mfa = input;
            state.mfa.as_object_mut().expect("settings").remove("UserPoolId");
            return Ok(json!({}));
        }
        let does = state.does.pop().unwrap_or(Does::Applies);
        let lost = || Refusal::Doubtful(Error::new(ErrorKind::Unavailable, "lost"));
        match does {
            Does::LosesTheCall => return Err(lost()),
            Does::Concurrent => return Err(Refusal::Refused(AT_THE_SAME_TIME.into())),
            Does::Refuses => return Err(Refusal::Refused("InvalidSmsRoleTrustRelationshipException".into())),
            Does::MeetsSomebody => {
                state.pool["UserPoolTags"]["team"] = json!("b");
                return Err(lost());
            }
            _ => {}
        }
        for name in ["LambdaConfig", "Policies", "MfaConfiguration", "UserPoolTags"] {
            state.pool[name] = input[name].clone();
        }
        state.pool["LastModifiedDate"] = json!(2);
        match does {
            Does::ForgetsThePolicy => state.pool["Policies"]["PasswordPolicy"]["MinimumLength"] = json!(8),
            Does::ForgetsTheFactor => state.mfa["SoftwareTokenMfaConfiguration"]["Enabled"] = json!(false),
            Does::LosesTheAnswer => return Err(lost()),
            _ => {}
        }
        Ok(json!({}))
    }
}

fn wanted() -> Value {
    json!({"PreSignUp": "f", "PostConfirmation": "ours"})
}

/// Sets the slots of a pool that does so: what came of it, and how many updates were sent.
async fn set(does: &[Does]) -> (Result<Outcome, Error>, Scripted) {
    let scripted = scripted(does);
    let before = scripted.pool().show().await.expect("it shows itself");
    let outcome = scripted.pool().set(&before, &wanted()).await;
    (outcome, scripted)
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
    for (does, name, calls) in [
        (Does::ForgetsThePolicy, "Policies/PasswordPolicy/MinimumLength", 2),
        (Does::ForgetsTheFactor, "MFA/SoftwareTokenMfaConfiguration/Enabled", 3),
    ] {
        let (outcome, pool) = set(&[does]).await;
        assert_eq!(outcome, Ok(Outcome::PutBack(named(&[name]))));
        let state = pool.state();
        assert_eq!(
            (state.sent.len(), &state.mfa["SoftwareTokenMfaConfiguration"]["Enabled"]),
            (calls, &json!(true))
        );
        assert_eq!(
            (&state.pool["LambdaConfig"], &state.pool["Policies"]),
            (&shown()["LambdaConfig"], &shown()["Policies"])
        );
    }
    let (outcome, pool) = set(&[Does::ForgetsThePolicy; 2]).await;
    let left = named(&["Policies/PasswordPolicy/MinimumLength"]);
    assert_eq!((outcome, pool.updates()), (Ok(Outcome::Left(left)), 2), "put back once");
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
