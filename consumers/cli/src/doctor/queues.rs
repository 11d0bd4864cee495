//! The queue of changes, its dead-letter queue, and what hands messages to the replicator.

use aws_sdk_lambda::{
    operation::list_event_source_mappings::ListEventSourceMappingsOutput, types::FunctionResponseType,
};
use twinpool_shared::{adapter::aws::classify, error::Error};

use super::{Finding, State, functions::name};
use crate::{context::Connection, queue::Queue};

const NOT_ASKED_QUEUE: &str = "give --queue-url, or set TWINPOOL_QUEUE_URL";
const NOT_ASKED_DLQ: &str = "give --dlq-url, or set TWINPOOL_DLQ_URL";

/// Reads and judges both queues, as far as they are named. The dead-letter queue's ARN comes back for its alarm.
pub(crate) async fn check(
    connection: &Connection,
    lambda: &aws_sdk_lambda::Client,
    queue_url: Option<&str>,
    dlq_url: Option<&str>,
) -> (Vec<Finding>, Option<String>) {
    let sqs = aws_sdk_sqs::Client::new(&connection.config);
    let mut findings = Vec::new();
    let dead_letters = match dlq_url {
        None => {
            findings.push(Finding::unknown("dead-letters", "not asked", NOT_ASKED_DLQ));
            None
        }
        Some(url) => match Queue::read(&sqs, url, "dead-letter queue").await {
            Ok(queue) => {
                findings.push(judge_dead_letters(&queue));
                Some(queue)
            }
            Err(error) => {
                findings.push(Finding::unread("dead-letters", &error));
                None
            }
        },
    };
    match queue_url {
        None => findings.push(Finding::unknown("queue", "not asked", NOT_ASKED_QUEUE)),
        Some(url) => match Queue::read(&sqs, url, "queue").await {
            Ok(queue) => {
                findings.extend(judge_queue(&queue, dead_letters.as_ref()));
                findings.push(match mappings(lambda, &queue.arn).await {
                    Ok(mappings) => judge_mappings(&mappings),
                    Err(error) => Finding::unread("queue.replicator", &error),
                });
            }
            Err(error) => findings.push(Finding::unread("queue", &error)),
        },
    }
    (findings, dead_letters.map(|queue| queue.arn))
}

async fn mappings(lambda: &aws_sdk_lambda::Client, queue: &str) -> Result<ListEventSourceMappingsOutput, Error> {
    let answer = lambda.list_event_source_mappings().event_source_arn(queue).send().await;
    answer.map_err(|error| classify("lambda:ListEventSourceMappings of the queue", &error))
}

fn judge_dead_letters(queue: &Queue) -> Finding {
    Finding::unless(
        queue.depth.visible == 0,
        "dead-letters",
        "nothing is parked",
        (
            State::Warn,
            &format!("{} messages are parked", queue.depth.visible),
            "read twinpool-reason and twinpool-explanation of the messages, mend the cause, then redrive the queue",
        ),
    )
}

fn judge_queue(queue: &Queue, dead_letters: Option<&Queue>) -> Vec<Finding> {
    let redrive = match (&queue.redrive, dead_letters) {
        (None, _) => Finding::fail(
            "queue.redrive",
            "the queue has no dead-letter queue",
            "deploy infra/primary.yaml again: without it a message that kills the replicator is tried for ever",
        ),
        (Some(redrive), Some(dead)) if redrive.target != dead.arn => Finding::fail(
            "queue.redrive",
            "the queue's dead letters go to another queue than the one named",
            "name that queue with --dlq-url, or correct the redrive policy",
        ),
        (Some(_), _) => Finding::ok("queue.redrive", "dead letters are kept"),
    };
    vec![
        Finding::ok("queue", queue.depth.describe()),
        redrive,
        Finding::unless(
            queue.key.is_some(),
            "queue.key",
            "encrypted with a key of this account",
            (
                State::Warn,
                "encrypted with a key of SQS's",
                "encrypt with a customer-managed key: changes hold attributes of users",
            ),
        ),
    ]
}

fn judge_mappings(mappings: &ListEventSourceMappingsOutput) -> Finding {
    let check = "queue.replicator";
    let mappings = mappings.event_source_mappings();
    let enabled = mappings.iter().find(|mapping| {
        mapping
            .state
            .as_deref()
            .is_some_and(|state| ["Enabled", "Enabling", "Updating"].contains(&state))
    });
    let Some(mapping) = enabled else {
        let what = if mappings.is_empty() {
            "no function takes messages from the queue"
        } else {
            "the replicator's event source mapping is not enabled"
        };
        return Finding::fail(check, what, "enable the mapping, or deploy infra/primary.yaml again");
    };
    let function = mapping.function_arn.as_deref().map_or("a function", name);
    Finding::unless(
        mapping
            .function_response_types()
            .contains(&FunctionResponseType::ReportBatchItemFailures),
        check,
        format!("{function} takes messages, and reports failures one by one"),
        (
            State::Fail,
            &format!(
                "{function} takes messages without ReportBatchItemFailures: failures are deleted with their batch"
            ),
            "set ReportBatchItemFailures on the event source mapping",
        ),
    )
}

#[cfg(test)]
mod tests {
    use aws_sdk_lambda::types::EventSourceMappingConfiguration;

    use super::*;
    use crate::{
        doctor::tests::states,
        queue::{Depth, Redrive},
    };

    fn mapping(state: &str, reports: bool) -> ListEventSourceMappingsOutput {
        let mapping = EventSourceMappingConfiguration::builder()
            .state(state)
            .function_arn("arn:aws:lambda:us-east-1:111122223333:function:twinpool-replicator")
            .set_function_response_types(reports.then(|| vec![FunctionResponseType::ReportBatchItemFailures]));
        ListEventSourceMappingsOutput::builder()
            .event_source_mappings(mapping.build())
            .build()
    }

    #[test]
    fn a_mapping_has_to_be_enabled_and_to_report_failures() {
        assert_eq!(judge_mappings(&mapping("Enabled", true)).state, State::Ok);
        assert_eq!(judge_mappings(&mapping("Enabled", false)).state, State::Fail);
        assert_eq!(judge_mappings(&mapping("Disabled", true)).state, State::Fail);
        let none = ListEventSourceMappingsOutput::builder().build();
        assert_eq!(judge_mappings(&none).state, State::Fail);
    }

    #[test]
    fn dead_letters_have_to_go_where_somebody_looks() {
        let dead = |arn: &str| Queue {
            arn: arn.to_owned(),
            ..Queue::default()
        };
        let queue = Queue {
            redrive: Some(Redrive { target: "dlq".into() }),
            key: Some("key".into()),
            ..Queue::default()
        };
        let redrive = |queue: &Queue, dead: Option<Queue>| states(&judge_queue(queue, dead.as_ref()))[1].1;
        assert_eq!(redrive(&queue, Some(dead("dlq"))), State::Ok);
        assert_eq!(redrive(&queue, None), State::Ok);
        assert_eq!(redrive(&queue, Some(dead("other"))), State::Fail);
        assert_eq!(redrive(&Queue::default(), None), State::Fail);
        assert_eq!(
            states(&judge_queue(&Queue::default(), None))[2],
            ("queue.key", State::Warn)
        );
    }

    #[test]
    fn parked_messages_are_a_warning() {
        let parked = |visible| Queue {
            depth: Depth {
                visible,
                ..Depth::default()
            },
            ..Queue::default()
        };
        assert_eq!(judge_dead_letters(&parked(0)).state, State::Ok);
        assert_eq!(judge_dead_letters(&parked(1)).state, State::Warn);
    }
}
