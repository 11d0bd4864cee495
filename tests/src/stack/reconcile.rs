//! The reconcile as it is deployed: an execution of the state machine. Executions of others are followed the same way.
//!
//! Invariant: Step Functions is asked as an operator asks it; no step is ordered past the state machine.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Failure, Stack};

const POLL: Duration = Duration::from_millis(250);

/// An execution of the state machine, as `DescribeExecution` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Execution {
    /// Its ARN.
    pub arn: String,
    /// `RUNNING`, `SUCCEEDED`, `FAILED`, `TIMED_OUT` or `ABORTED`.
    pub status: String,
    /// What it came to, pool by pool; null unless it succeeded.
    pub output: Value,
    /// Why it failed; empty unless it did.
    pub cause: String,
}

impl Execution {
    /// Whether it succeeded.
    #[must_use]
    pub fn succeeded(&self) -> bool {
        self.status == "SUCCEEDED"
    }

    /// What it came to for one pool; null when it has nothing of it.
    #[must_use]
    pub fn of(&self, pool: &str) -> Value {
        let pools = self.output.as_array().into_iter().flatten();
        pools
            .filter(|one| one["pool"] == pool)
            .cloned()
            .collect::<Vec<_>>()
            .pop()
            .unwrap_or_default()
    }
}

impl Stack {
    /// Reconciles as `input` orders (`{}` for all pools), to its end.
    ///
    /// # Errors
    /// When it cannot be started, or has not ended within `timeout`. One that failed is no error.
    pub async fn reconcile(&self, input: &Value, timeout: Duration) -> Result<Execution, Failure> {
        let arn = self.start_reconcile(input).await?;
        self.ended(&arn, timeout).await
    }

    /// The execution, once it has ended.
    pub(super) async fn ended(&self, arn: &str, timeout: Duration) -> Result<Execution, Failure> {
        let begun = Instant::now();
        loop {
            let execution = self.execution(arn).await?;
            if execution.status != "RUNNING" {
                return Ok(execution);
            }
            if begun.elapsed() > timeout {
                return Err(Failure(format!(
                    "the execution has not ended after {} s",
                    timeout.as_secs()
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Starts a reconcile and returns the ARN of its execution.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn start_reconcile(&self, input: &Value) -> Result<String, Failure> {
        self.start_execution(&self.deployment.state_machine, input).await
    }

    pub(super) async fn start_execution(&self, machine: &str, input: &Value) -> Result<String, Failure> {
        let order = json!({"stateMachineArn": machine, "input": input.to_string()});
        let answer = self.step_functions(machine, "StartExecution", &order).await?;
        text(&answer, "executionArn").ok_or_else(|| Failure("StartExecution answered no ARN".to_owned()))
    }

    /// The executions of the state machine that were started, newest first.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn reconciles(&self) -> Result<Vec<String>, Failure> {
        let order = json!({"stateMachineArn": self.deployment.state_machine});
        let machine = &self.deployment.state_machine;
        let answer = self.step_functions(machine, "ListExecutions", &order).await?;
        let executions = answer["executions"].as_array().into_iter().flatten();
        Ok(executions
            .filter_map(|execution| text(execution, "executionArn"))
            .collect())
    }

    /// How an execution is getting on.
    ///
    /// # Errors
    /// When Step Functions refuses.
    pub async fn execution(&self, arn: &str) -> Result<Execution, Failure> {
        let answer = self
            .step_functions(arn, "DescribeExecution", &json!({"executionArn": arn}))
            .await?;
        let status =
            text(&answer, "status").ok_or_else(|| Failure("DescribeExecution answered no status".to_owned()))?;
        let output = text(&answer, "output").filter(|_| status == "SUCCEEDED");
        let output = output.map(|output| serde_json::from_str(&output)).transpose();
        Ok(Execution {
            arn: arn.to_owned(),
            status,
            output: output
                .map_err(|error| Failure::new("the execution's output", error))?
                .unwrap_or_default(),
            cause: text(&answer, "cause").unwrap_or_default(),
        })
    }

    /// Asks Step Functions about what `arn` names, in its Region.
    pub(super) async fn step_functions(&self, arn: &str, operation: &str, input: &Value) -> Result<Value, Failure> {
        let region = arn
            .split(':')
            .nth(3)
            .ok_or_else(|| Failure(format!("{arn} is no ARN")))?;
        let target = format!("AWSStepFunctions.{operation}");
        self.control.aws_json(region, "states", &target, input).await
    }
}

fn text(answer: &Value, member: &str) -> Option<String> {
    answer[member].as_str().map(str::to_owned)
}
