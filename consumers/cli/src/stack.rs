//! A CloudFormation stack: what it says of itself, and an update that changes parameters alone.
//!
//! Source: CloudFormation API reference, `DescribeStacks`, `UpdateStack` ("UsePreviousValue"; tags, role and notifications that
//! are not given stay as they are). `UsePreviousTemplate` is of no use: with `AWS::LanguageExtensions` it keeps the previous values
//! of parameters. So the stack has to say where its template is.
//!
//! Invariant: an update sends the very template that was deployed, and no value that was not asked for. It is settled by looking at the stack,
//! never by sending it twice.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use twinpool_shared::{
    attach::{ParameterChange, TEMPLATE, assignments},
    error::{Error, ErrorKind},
};

use crate::untyped::{CLOUDFORMATION, Untyped};

/// What every update of infra/primary.yaml has to acknowledge: roles, and the transforms.
const CAPABILITIES: [&str; 2] = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"];
/// The end of a good update.
const UPDATED: &str = "UPDATE_COMPLETE";
/// CloudFormation's answer to a name that it does not know, among others. [API reference, "Common errors"]
const INVALID: &str = "ValidationError";
const POLL_FIRST: Duration = Duration::from_millis(250);
const POLL_MAX: Duration = Duration::from_secs(3);
const SAID_EVERY: Duration = Duration::from_secs(10);
/// An update that was taken is shown within this.
const SEEN_WITHIN: Duration = Duration::from_secs(30);
/// Functions and role policies take a minute or two.
const UPDATED_WITHIN: Duration = Duration::from_secs(1_200);

/// A stack as `DescribeStacks` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Described {
    /// Its name.
    pub(crate) name: String,
    /// `StackStatus`.
    pub(crate) status: String,
    pub(crate) outputs: BTreeMap<String, String>,
    pub(crate) parameters: BTreeMap<String, String>,
    id: String,
    capabilities: BTreeSet<String>,
}

/// How an update stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stand {
    UnderWay,
    Done,
    /// It ended otherwise, or was never begun.
    Not,
}

impl Described {
    fn read(answer: &Value) -> Option<Self> {
        let stack = answer["Stacks"].as_array()?.first()?;
        let text = |name: &str| stack[name].as_str().map(str::to_owned);
        let pairs = |list: &str, key: &str, value: &str| {
            let entries = stack[list].as_array().into_iter().flatten();
            entries
                .filter_map(|entry| Some((entry[key].as_str()?.to_owned(), entry[value].as_str()?.to_owned())))
                .collect()
        };
        let capabilities = stack["Capabilities"].as_array().into_iter().flatten();
        Some(Self {
            name: text("StackName")?,
            status: text("StackStatus")?,
            id: text("StackId")?,
            outputs: pairs("Outputs", "OutputKey", "OutputValue"),
            parameters: pairs("Parameters", "ParameterKey", "ParameterValue"),
            capabilities: capabilities.filter_map(Value::as_str).map(str::to_owned).collect(),
        })
    }

    /// Input of `UpdateStack`: everything stays but `changes`. `None` when the stack does not say where its template is.
    fn update_input(&self, changes: &[ParameterChange]) -> Option<Value> {
        let template = self.parameters.get(TEMPLATE).filter(|url| !url.is_empty())?;
        let parameters: Vec<Value> = self
            .parameters
            .keys()
            .map(|name| match changes.iter().find(|change| change.name == name) {
                Some(change) => json!({"ParameterKey": name, "ParameterValue": change.after}),
                None => json!({"ParameterKey": name, "UsePreviousValue": true}),
            })
            .collect();
        let own = self.capabilities.iter().map(String::as_str);
        let capabilities: BTreeSet<&str> = own.chain(CAPABILITIES).collect();
        Some(
            json!({"StackName": self.id, "TemplateURL": template, "Parameters": parameters, "Capabilities": capabilities}),
        )
    }

    fn stand(&self, changes: &[ParameterChange]) -> Stand {
        let has = |change: &ParameterChange| self.parameters.get(change.name) == Some(&change.after);
        if self.status.ends_with("_IN_PROGRESS") {
            Stand::UnderWay
        } else if self.status == UPDATED && changes.iter().all(has) {
            Stand::Done
        } else {
            Stand::Not
        }
    }
}

/// The stacks of one Region.
#[derive(Debug)]
pub(crate) struct Stacks<'a> {
    untyped: &'a Untyped,
}

impl<'a> Stacks<'a> {
    /// Over `untyped`.
    pub(crate) fn new(untyped: &'a Untyped) -> Self {
        Self { untyped }
    }

    /// The stack of this name or ARN.
    ///
    /// # Errors
    /// `NotFound` when there is none; as CloudFormation answers.
    pub(crate) async fn describe(&self, name: &str) -> Result<Described, Error> {
        let input = json!({"StackName": name});
        let answer = self.untyped.call(CLOUDFORMATION, "DescribeStacks", &input).await;
        let answer = answer.map_err(|error| match error.code() {
            Some(INVALID) => Error::new(
                ErrorKind::NotFound,
                format!("there is no stack {name} in this account and Region"),
            ),
            _ => error,
        })?;
        Described::read(&answer).ok_or_else(|| {
            let what = "cloudformation:DescribeStacks answered something else than documented";
            Error::new(ErrorKind::Unavailable, what)
        })
    }

    /// Updates the stack, and waits until that is done. `says` is told now and then how it stands.
    ///
    /// # Errors
    /// `Unmet` when the stack does not say where its template is, or the update was rolled back or did not end; as CloudFormation
    /// answers.
    pub(crate) async fn update(
        &self,
        stack: &Described,
        changes: &[ParameterChange],
        says: impl Fn(&str),
    ) -> Result<(), Error> {
        let input = stack.update_input(changes).ok_or_else(|| {
            let what = format!(
                "the stack {} does not say where its template is: run make deploy-primary PARAMETERS=\"{}\"",
                stack.name,
                assignments(changes)
            );
            Error::new(ErrorKind::Unmet, what)
        })?;
        let sent = self.untyped.call_once(CLOUDFORMATION, "UpdateStack", &input).await;
        let begun = Instant::now();
        let (mut wait, mut said) = (POLL_FIRST, begun);
        loop {
            let seen = self.describe(&stack.id).await?;
            match (seen.stand(changes), &sent) {
                (Stand::Done, _) => return Ok(()),
                (Stand::UnderWay, _) if begun.elapsed() < UPDATED_WITHIN => {}
                // Taken, and not to be seen yet.
                (Stand::Not, Ok(_)) if seen.status == stack.status && begun.elapsed() < SEEN_WITHIN => {}
                (Stand::Not, Err(error)) => return Err(error.clone()),
                _ => return Err(unfinished(&seen)),
            }
            if said.elapsed() >= SAID_EVERY {
                said = Instant::now();
                says(&format!("the stack {} is {}", seen.name, seen.status));
            }
            sleep(wait).await;
            wait = wait.saturating_mul(2).min(POLL_MAX);
        }
    }
}

fn unfinished(stack: &Described) -> Error {
    let what = format!(
        "the update of the stack {name} did not succeed, it is {}; its events say why: aws cloudformation describe-stack-events \
         --stack-name {name}",
        stack.status,
        name = stack.name
    );
    Error::new(ErrorKind::Unmet, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(status: &str) -> Described {
        Described::read(
            &json!({"Stacks": [{"StackName": "twinpool", "StackStatus": status, "StackId": "arn:stack", "Tags": "",
            "Outputs": [{"OutputKey": "PostConfirmationArn", "OutputValue": "f"}],
            "Parameters": [{"ParameterKey": "ChainCustomMessage", "ParameterValue": ""},
                {"ParameterKey": "UserPoolIds", "ParameterValue": "us-east-1_a"}],
            "Capabilities": ["CAPABILITY_NAMED_IAM"]}]}),
        )
        .expect("a stack")
    }

    fn change() -> ParameterChange {
        ParameterChange {
            name: "ChainCustomMessage",
            before: String::new(),
            after: "g".into(),
        }
    }

    #[test]
    fn an_update_says_one_value_and_keeps_all_others() {
        let mut stack = described("CREATE_COMPLETE");
        assert_eq!(
            stack.update_input(&[change()]),
            None,
            "nobody knows where the template is"
        );
        let url = "https://s3.us-east-1.amazonaws.com/b/t";
        stack.parameters.insert(TEMPLATE.into(), url.into());
        assert_eq!(
            stack.update_input(&[change()]),
            Some(json!({"StackName": "arn:stack", "TemplateURL": url,
                "Parameters": [{"ParameterKey": "ChainCustomMessage", "ParameterValue": "g"},
                    {"ParameterKey": "TemplateUrl", "UsePreviousValue": true},
                    {"ParameterKey": "UserPoolIds", "UsePreviousValue": true}],
                "Capabilities": ["CAPABILITY_AUTO_EXPAND", "CAPABILITY_IAM", "CAPABILITY_NAMED_IAM"]}))
        );
    }

    #[test]
    fn an_update_is_done_when_the_stack_says_so_and_has_the_value() {
        let of = |status: &str, value: &str| {
            let mut stack = described(status);
            stack.parameters.insert("ChainCustomMessage".into(), value.into());
            stack.stand(&[change()])
        };
        assert_eq!(of("UPDATE_COMPLETE", "g"), Stand::Done);
        assert_eq!(of("UPDATE_COMPLETE", ""), Stand::Not, "the update before");
        assert_eq!(of("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS", "g"), Stand::UnderWay);
        assert_eq!(of("UPDATE_ROLLBACK_IN_PROGRESS", "g"), Stand::UnderWay);
        assert_eq!(of("UPDATE_ROLLBACK_COMPLETE", ""), Stand::Not);
    }

    #[test]
    fn what_is_no_stack_is_none() {
        for answer in [
            json!({}),
            json!({"Stacks": ""}),
            json!({"Stacks": [{"StackName": "a"}]}),
        ] {
            assert_eq!(Described::read(&answer), None, "{answer}");
        }
    }
}
