//! Redrive of a dead-letter queue: `StartMessageMoveTask` and `ListMessageMoveTasks` of SQS, which the emulator does not know.
//! The task has ended when its start is answered.
//!
//! Invariant: a message is deleted at its source only after the destination has taken it, with its body and attributes; and a task
//! moves no more than was there when it began, so that what comes straight back does not keep it going.

use http_body_util::BodyExt;
use hyper::Response;
use serde_json::{Value, json};

use super::answers::{self, Body};
use super::upstream::Upstream;
use super::{Gateway, locked, now_millis};

/// What SQS answers when it is not asked for more.
const LISTED: usize = 1;
const AT_ONCE: u64 = 10;

/// A task that has ended.
#[derive(Clone, Debug)]
pub(super) struct Task {
    source: String,
    destination: String,
    to_move: u64,
    moved: u64,
    failure: Option<String>,
    started_millis: i64,
}

/// An error in SQS's words.
struct Refusal(&'static str, String);

/// Whether this module answers in the emulator's place.
pub(super) fn plays(operation: &str) -> bool {
    ["StartMessageMoveTask", "ListMessageMoveTasks"].contains(&operation)
}

/// Answers one of the two operations.
pub(super) async fn answer(
    gateway: &Gateway,
    upstream: &Upstream,
    region: &str,
    operation: &str,
    body: Body,
) -> Response<Body> {
    let bytes = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let input: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let id = gateway.request_id();
    let answered = match operation {
        "StartMessageMoveTask" => start(upstream, region, &input).await.map(|task| {
            locked(&gateway.redrives).push(task);
            json!({"TaskHandle": id})
        }),
        _ => list(&locked(&gateway.redrives), &input),
    };
    match answered {
        Ok(body) => answers::aws_json(&id, &body),
        Err(Refusal(code, message)) => answers::aws_error(&id, 400, &format!("com.amazonaws.sqs#{code}"), &message),
    }
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_StartMessageMoveTask.html>
async fn start(upstream: &Upstream, region: &str, input: &Value) -> Result<Task, Refusal> {
    let source = arn(input, "SourceArn")?;
    if input["DestinationArn"].is_null() {
        let why = "The emulator does not note where a message came from: name the destination.";
        return Err(Refusal("LocalcloudUnsupported", why.to_owned()));
    }
    let destination = arn(input, "DestinationArn")?;
    let attributes = attributes(upstream, region, &source).await?;
    attributes_of_destination(upstream, region, &destination).await?;
    if !is_dead_letter_queue(upstream, region, &source).await? {
        let why = "Source queue must be configured as a Dead Letter Queue.";
        return Err(Refusal("UnsupportedOperation", why.to_owned()));
    }
    let waiting = attributes["ApproximateNumberOfMessages"].as_str();
    let mut task = Task {
        source,
        destination,
        to_move: waiting.and_then(|count| count.parse().ok()).unwrap_or_default(),
        moved: 0,
        failure: None,
        started_millis: now_millis(),
    };
    while task.moved < task.to_move && task.failure.is_none() {
        match carry(upstream, region, &task).await {
            Ok(0) => break,
            Ok(moved) => task.moved += moved,
            Err(Refusal(code, _)) => task.failure = Some(code.to_owned()),
        }
    }
    Ok(task)
}

/// Moves up to ten messages; how many.
async fn carry(upstream: &Upstream, region: &str, task: &Task) -> Result<u64, Refusal> {
    let (from, to) = (url(&task.source)?, url(&task.destination)?);
    let receive = json!({
        "QueueUrl": from, "MaxNumberOfMessages": AT_ONCE.min(task.to_move - task.moved), "VisibilityTimeout": 60,
        "MessageAttributeNames": ["All"],
    });
    let answer = sqs(upstream, region, "ReceiveMessage", &receive).await?;
    let mut moved = 0;
    for message in answer["Messages"].as_array().into_iter().flatten() {
        let mut send = json!({"QueueUrl": to, "MessageBody": message["Body"]});
        if message["MessageAttributes"].is_object() {
            send["MessageAttributes"] = message["MessageAttributes"].clone();
        }
        sqs(upstream, region, "SendMessage", &send).await?;
        let delete = json!({"QueueUrl": from, "ReceiptHandle": message["ReceiptHandle"]});
        sqs(upstream, region, "DeleteMessage", &delete).await?;
        moved += 1;
    }
    Ok(moved)
}

/// <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ListMessageMoveTasks.html>
fn list(tasks: &[Task], input: &Value) -> Result<Value, Refusal> {
    let source = arn(input, "SourceArn")?;
    let most = input["MaxResults"].as_u64().and_then(|most| usize::try_from(most).ok());
    let newest_first = tasks.iter().rev().filter(|task| task.source == source);
    let results = newest_first.take(most.unwrap_or(LISTED)).map(|task| {
        let mut shown = json!({
            "Status": if task.failure.is_some() { "FAILED" } else { "COMPLETED" },
            "SourceArn": task.source, "DestinationArn": task.destination,
            "ApproximateNumberOfMessagesMoved": task.moved, "ApproximateNumberOfMessagesToMove": task.to_move,
            "StartedTimestamp": task.started_millis,
        });
        if let Some(failure) = &task.failure {
            shown["FailureReason"] = json!(failure);
        }
        shown
    });
    Ok(json!({"Results": results.collect::<Vec<_>>()}))
}

async fn is_dead_letter_queue(upstream: &Upstream, region: &str, source: &str) -> Result<bool, Refusal> {
    let listed = sqs(upstream, region, "ListQueues", &json!({})).await?;
    for queue in listed["QueueUrls"].as_array().into_iter().flatten() {
        let ask = json!({"QueueUrl": queue, "AttributeNames": ["RedrivePolicy"]});
        let answer = sqs(upstream, region, "GetQueueAttributes", &ask).await?;
        let policy = answer["Attributes"]["RedrivePolicy"].as_str().unwrap_or_default();
        let policy: Value = serde_json::from_str(policy).unwrap_or_default();
        if policy["deadLetterTargetArn"] == source {
            return Ok(true);
        }
    }
    Ok(false)
}

async fn attributes(upstream: &Upstream, region: &str, arn: &str) -> Result<Value, Refusal> {
    let ask = json!({"QueueUrl": url(arn)?, "AttributeNames": ["All"]});
    let answer = sqs(upstream, region, "GetQueueAttributes", &ask).await?;
    Ok(answer["Attributes"].clone())
}

/// Asked for its existence alone.
async fn attributes_of_destination(upstream: &Upstream, region: &str, arn: &str) -> Result<(), Refusal> {
    attributes(upstream, region, arn).await.map(drop)
}

fn arn(input: &Value, member: &str) -> Result<String, Refusal> {
    let given = input[member].as_str().unwrap_or_default();
    url(given)?;
    Ok(given.to_owned())
}

/// A queue's URL; the emulator looks at account and name alone.
fn url(arn: &str) -> Result<String, Refusal> {
    match arn.split(':').collect::<Vec<_>>()[..] {
        ["arn", _, "sqs", _, account, name] => Ok(format!("http://localhost/{account}/{name}")),
        _ => Err(Refusal(
            "InvalidAddress",
            "The specified ARN is not that of a queue.".to_owned(),
        )),
    }
}

async fn sqs(upstream: &Upstream, region: &str, operation: &str, input: &Value) -> Result<Value, Refusal> {
    let target = format!("AmazonSQS.{operation}");
    match upstream.aws_json(region, "sqs", &target, input).await {
        Ok(answer) if answer.status.is_success() => Ok(answer.json()),
        Ok(answer) if answer.status.is_client_error() => {
            let why = format!("The resource that you specified for {operation} doesn't exist.");
            Err(Refusal("ResourceNotFoundException", why))
        }
        Ok(_) | Err(_) => Err(Refusal("InternalError", format!("{operation} was not answered."))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(source: &str, failure: Option<&str>) -> Task {
        Task {
            source: source.to_owned(),
            destination: "arn:aws:sqs:us-east-1:111122223333:q".to_owned(),
            to_move: 3,
            moved: 2,
            failure: failure.map(str::to_owned),
            started_millis: 1,
        }
    }

    #[test]
    fn the_newest_task_of_the_queue_is_listed_and_a_failure_says_why() {
        let dead = "arn:aws:sqs:us-east-1:111122223333:dead";
        let tasks = [
            task(dead, None),
            task("arn:aws:sqs:us-east-1:111122223333:x", None),
            task(dead, Some("Why")),
        ];
        let Ok(one) = list(&tasks, &json!({"SourceArn": dead})) else {
            panic!("it is listed")
        };
        assert_eq!(one["Results"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            (&one["Results"][0]["Status"], &one["Results"][0]["FailureReason"]),
            (&json!("FAILED"), &json!("Why"))
        );
        let Ok(both) = list(&tasks, &json!({"SourceArn": dead, "MaxResults": 10})) else {
            panic!("they are listed")
        };
        assert_eq!(both["Results"][1]["Status"], "COMPLETED");
        assert_eq!(both["Results"].as_array().map(Vec::len), Some(2));
        assert!(list(&tasks, &json!({"SourceArn": "dead"})).is_err());
    }
}
