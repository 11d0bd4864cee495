//! Drill and restore as they are deployed: executions of the state machines in [`super::RECOVERY`].
//!
//! Invariant: Step Functions is asked as an operator asks it; no step is ordered past the state machine.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Execution, Failure, Stack};

impl Stack {
    /// Rehearses a restore as `input` orders, to its end.
    ///
    /// # Errors
    /// When it cannot be started, or has not ended within `timeout`. One that failed is no error.
    pub async fn drill(&self, input: &Value, timeout: Duration) -> Result<Execution, Failure> {
        self.import(self.deployment.drill.as_deref(), input, timeout).await
    }

    /// Rebuilds a pool as `input` orders, to its end.
    ///
    /// # Errors
    /// As [`Self::drill`].
    pub async fn restore(&self, input: &Value, timeout: Duration) -> Result<Execution, Failure> {
        self.import(self.deployment.restore.as_deref(), input, timeout).await
    }

    async fn import(&self, machine: Option<&str>, input: &Value, timeout: Duration) -> Result<Execution, Failure> {
        let machine = machine.ok_or_else(|| Failure("the stack was started without the importer".to_owned()))?;
        let arn = self.start_execution(machine, input).await?;
        self.ended(&arn, timeout).await
    }

    /// How often an execution entered the state `name`.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn entered(&self, execution: &str, name: &str) -> Result<usize, Failure> {
        let mut input = json!({"executionArn": execution, "maxResults": 1000});
        let mut entered = 0;
        loop {
            let page = self.step_functions(execution, "GetExecutionHistory", &input).await?;
            let events = page["events"].as_array().into_iter().flatten();
            entered += events
                .filter(|event| event["stateEnteredEventDetails"]["name"] == name)
                .count();
            match page.get("nextToken").filter(|token| !token.is_null()) {
                Some(token) => input["nextToken"] = token.clone(),
                None => return Ok(entered),
            }
        }
    }
}
