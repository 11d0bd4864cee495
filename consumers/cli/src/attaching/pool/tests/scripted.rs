//! A pool that does what real ones may do, as a test says.
//!
//! Invariant: an update keeps only what it is told, and MFA without a factor is refused, as by Cognito.

use std::sync::{Mutex, MutexGuard};

use super::*;

/// What happens to one update.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Applies,
    /// Carries it out, and answers nothing.
    LosesTheAnswer,
    /// Answers nothing, and carries nothing out.
    LosesTheCall,
    /// The same, and somebody changes the pool meanwhile.
    MeetsSomebody,
    /// Carries it out, and sets the password policy back.
    ForgetsThePolicy,
    /// Carries it out, and turns the only factor off, and MFA with it.
    ForgetsTheFactor,
    /// Somebody else is at it.
    Concurrent,
    Refuses,
}

pub(super) struct State {
    pub(super) pool: Value,
    pub(super) mfa: Value,
    does: Vec<Does>,
    /// The same for `SetUserPoolMfaConfig`: applies, concurrent, or refuses.
    pub(super) mfa_does: Vec<Does>,
    /// Looks that fail once something was sent.
    pub(super) blind: Option<(usize, ErrorKind)>,
    pub(super) sent: Vec<(String, Value)>,
}

/// Members of a pool that no update says.
const SHOWN_ONLY: [&str; 4] = ["Id", "LastModifiedDate", "EstimatedNumberOfUsers", "Arn"];

impl State {
    fn has_factor(&self) -> bool {
        self.mfa["SoftwareTokenMfaConfiguration"]["Enabled"] == json!(true)
    }

    /// What is not said is lost, and MFA without a factor is refused.
    fn update(&mut self, input: &Value) -> Result<(), Refusal> {
        let mfa = input.get("MfaConfiguration").cloned().unwrap_or(json!("OFF"));
        if mfa != "OFF" && !self.has_factor() {
            return Err(Refusal::Refused("InvalidParameterException".into()));
        }
        let mut pool = json!({});
        for name in SHOWN_ONLY {
            if !self.pool[name].is_null() {
                pool[name] = self.pool[name].clone();
            }
        }
        for (name, value) in input.as_object().expect("settings") {
            match name.as_str() {
                "UserPoolId" => {}
                "PoolName" => pool["Name"] = value.clone(),
                name => pool[name] = value.clone(),
            }
        }
        pool["MfaConfiguration"] = mfa.clone();
        pool["LastModifiedDate"] = json!(2);
        (self.pool, self.mfa["MfaConfiguration"]) = (pool, mfa);
        Ok(())
    }

    fn set_mfa(&mut self, mut input: Value) -> Result<(), Refusal> {
        match self.mfa_does.pop().unwrap_or(Does::Applies) {
            Does::Concurrent => return Err(Refusal::Refused(AT_THE_SAME_TIME.into())),
            Does::Refuses => return Err(Refusal::Refused("InvalidSmsRoleAccessPolicyException".into())),
            _ => {}
        }
        input.as_object_mut().expect("settings").remove("UserPoolId");
        self.pool["MfaConfiguration"] = input["MfaConfiguration"].clone();
        self.mfa = input;
        Ok(())
    }
}

pub(super) struct Scripted(Mutex<State>);

pub(super) fn shown() -> Value {
    json!({"Id": "p", "Name": "main", "LastModifiedDate": 1, "EstimatedNumberOfUsers": 7, "LambdaConfig": {"PreSignUp": "f"},
        "Policies": {"PasswordPolicy": {"MinimumLength": 12}}, "MfaConfiguration": "OPTIONAL", "UserPoolTags": {"team": "a"}})
}

pub(super) fn scripted(does: &[Does]) -> Scripted {
    Scripted(Mutex::new(State {
        pool: shown(),
        mfa: json!({"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": true}}),
        does: does.iter().rev().copied().collect(),
        mfa_does: Vec::new(),
        blind: None,
        sent: Vec::new(),
    }))
}

impl Scripted {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().expect("nobody panicked with it")
    }

    pub(super) fn pool(&self) -> Pool<'_, Self, Self> {
        Pool {
            id: "p",
            reader: self,
            writer: self,
        }
    }

    pub(super) fn updates(&self) -> usize {
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
        let mut state = self.state();
        if !state.sent.is_empty()
            && let Some((left @ 1.., kind)) = &mut state.blind
        {
            *left -= 1;
            return Err(Error::new(*kind, format!("cognito-idp:{operation} on the pool")));
        }
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
            return state.set_mfa(input).map(|()| json!({}));
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
        state.update(&input)?;
        match does {
            Does::ForgetsThePolicy => state.pool["Policies"]["PasswordPolicy"]["MinimumLength"] = json!(8),
            Does::ForgetsTheFactor => {
                state.mfa = json!({"MfaConfiguration": "OFF", "SoftwareTokenMfaConfiguration": {"Enabled": false}});
                state.pool["MfaConfiguration"] = json!("OFF");
            }
            Does::LosesTheAnswer => return Err(lost()),
            _ => {}
        }
        Ok(json!({}))
    }
}
