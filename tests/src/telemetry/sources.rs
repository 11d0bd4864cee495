//! Where datapoints come from: log lines, queues, invocations, executions, refused writes.
//!
//! Invariant: reads only, and nothing that a service would count as a delivery; no body of a message is kept or shown.

use serde_json::{Value, json};

use super::{
    alarm::{Datapoint, Series},
    ask,
    clock::Clock,
    emf,
};
use crate::stack::{Failure, Stack};

/// Operations of DynamoDB that write.
const WRITES: [&str; 5] = [
    "PutItem",
    "UpdateItem",
    "DeleteItem",
    "BatchWriteItem",
    "TransactWriteItems",
];
/// The listener, which fails its invocation when and only when it counts this.
const LISTENER: &str = "admin-events";
const NOT_SENT: &str = "ChangeNotSent";
const LAG: &str = "ReplicationLag";

/// What is looked at.
pub(super) struct View<'a> {
    pub(super) stack: &'a Stack,
    pub(super) region: &'a str,
    pub(super) prefix: &'a str,
    pub(super) since: i64,
    pub(super) clock: &'a Clock,
}

/// How many writes DynamoDB has refused for their number.
pub(super) async fn refused_writes(stack: &Stack) -> Result<u64, Failure> {
    let throttled = stack.control.counters().await?.throttled;
    let by_operation = throttled.get("dynamodb").into_iter().flatten();
    let writes = by_operation.filter(|(operation, _)| WRITES.contains(&operation.as_str()));
    Ok(writes.map(|(_, count)| count).sum())
}

impl View<'_> {
    fn point(&self, series: Series, at: i64, value: f64) -> Datapoint {
        Datapoint {
            series,
            at: self.clock.at(at),
            value,
        }
    }

    /// Metrics in the embedded format, and what follows from them.
    pub(super) async fn logs(&self) -> Result<Vec<Datapoint>, Failure> {
        let ask = json!({"logGroupNamePrefix": format!("/aws/lambda/{}", self.prefix)});
        let groups = self.logs_api("DescribeLogGroups", &ask).await?;
        let mut found = Vec::new();
        for group in names(&groups["logGroups"], "logGroupName") {
            let ask = json!({"logGroupName": group, "startTime": self.since, "filterPattern": "_aws"});
            let answer = self.logs_api("FilterLogEvents", &ask).await?;
            for line in names(&answer["events"], "message") {
                found.extend(emf::datapoints(&line).into_iter().map(|point| self.on_the_clock(point)));
            }
        }
        let failed: Vec<_> = found
            .iter()
            .filter(|point| point.series == Series::of("Twinpool", NOT_SENT, ("Function", LISTENER)))
            .cloned()
            .collect();
        let function = format!("{}{LISTENER}", self.prefix);
        found.extend(failed.into_iter().map(|point| Datapoint {
            series: Series::of("AWS/Lambda", "Errors", ("FunctionName", &function)),
            ..point
        }));
        Ok(found)
    }

    fn on_the_clock(&self, mut point: Datapoint) -> Datapoint {
        let at = self.clock.at(point.at);
        if point.series.name == LAG {
            #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a test")]
            let event = point.at - point.value as i64;
            point.value = as_value(at - self.clock.at(event));
        }
        point.at = at;
        point
    }

    async fn logs_api(&self, operation: &str, input: &Value) -> Result<Value, Failure> {
        let target = format!("Logs_20140328.{operation}");
        self.stack.control.aws_json(self.region, "logs", &target, input).await
    }

    /// Depth and age of every queue. The emulator is asked past its SQS, where receiving would count as a delivery.
    pub(super) async fn queues(&self, moment: i64) -> Result<Vec<Datapoint>, Failure> {
        let answer = self
            .stack
            .control
            .emulator(&format!("sqs/messages?region={}", self.region))
            .await?;
        let accounts = answer["messages"].as_object().into_iter().flatten();
        let regions = accounts.flat_map(|(_, regions)| regions.as_object().into_iter().flatten());
        let queues = regions.flat_map(|(_, queues)| queues.as_object().into_iter().flatten());
        let mut found = Vec::new();
        for (url, messages) in queues {
            let name = url.rsplit('/').next().unwrap_or(url);
            let of_queue = |metric: &str| Series::of("AWS/SQS", metric, ("QueueName", name));
            let messages = messages.as_array().map(Vec::as_slice).unwrap_or_default();
            let visible = messages
                .iter()
                .filter(|message| message["IsVisible"] == json!(true))
                .count();
            let sent = messages.iter().filter_map(|message| {
                let text = message["Attributes"]["SentTimestamp"].as_str()?;
                Some(self.clock.at(text.parse().ok()?))
            });
            let oldest = sent.min().map_or(0, |sent| self.clock.at(moment) - sent);
            #[expect(clippy::cast_precision_loss, reason = "a handful of messages")]
            let depth = visible as f64;
            found.push(self.point(of_queue("ApproximateNumberOfMessagesVisible"), moment, depth));
            found.push(self.point(
                of_queue("ApproximateAgeOfOldestMessage"),
                moment,
                as_value(oldest) / 1_000.0,
            ));
        }
        Ok(found)
    }

    /// Writes that were refused since the last look.
    pub(super) fn throttled_writes(&self, moment: i64, count: u64) -> Option<Datapoint> {
        let table = self.stack.deployment.table.as_str();
        let series = Series::of("AWS/DynamoDB", "WriteThrottleEvents", ("TableName", table));
        #[expect(clippy::cast_precision_loss, reason = "a handful of calls")]
        let value = count as f64;
        (count > 0).then(|| self.point(series, moment, value))
    }

    /// Errors and throttles of invocations that somebody waited for: the emulator counts those.
    pub(super) async fn invocations(&self, watched: &[Series]) -> Result<Vec<Datapoint>, Failure> {
        let mut series: Vec<&Series> = watched.iter().filter(|one| one.namespace == "AWS/Lambda").collect();
        series.sort();
        series.dedup();
        let queries = series.iter().enumerate().map(|(number, one)| {
            let dimensions = one
                .dimensions
                .iter()
                .map(|(name, value)| json!({"Name": name, "Value": value}));
            let metric = json!({
                "Namespace": one.namespace, "MetricName": one.name, "Dimensions": dimensions.collect::<Vec<_>>(),
            });
            json!({"Id": format!("m{number}"), "MetricStat": {"Metric": metric, "Period": 1, "Stat": "Sum"}})
        });
        let input = json!({
            "MetricDataQueries": queries.collect::<Vec<_>>(), "StartTime": self.since / 1_000, "EndTime": i64::from(u32::MAX),
        });
        let answer = ask(self.stack, self.region, "GetMetricData", &input).await?;
        let mut found = Vec::new();
        for (result, one) in answer["MetricDataResults"].as_array().into_iter().flatten().zip(series) {
            let instants = result["Timestamps"].as_array().into_iter().flatten();
            let values = result["Values"].as_array().into_iter().flatten();
            for (instant, value) in instants.zip(values) {
                // The end of the second, so that it is not taken for something from before a skip.
                let millis = instant
                    .as_i64()
                    .ok_or_else(|| Failure("GetMetricData: no instant".to_owned()))?
                    * 1_000
                    + 999;
                found.push(self.point(one.clone(), millis, value.as_f64().unwrap_or_default()));
            }
        }
        Ok(found)
    }

    /// Ends of executions of the state machines that an alarm names.
    pub(super) async fn executions(&self, watched: &[Series]) -> Result<Vec<Datapoint>, Failure> {
        let mut found = Vec::new();
        for one in watched.iter().filter(|one| one.namespace == "AWS/States") {
            let counted = match one.name.as_str() {
                "ExecutionsFailed" => "FAILED",
                "ExecutionsTimedOut" => "TIMED_OUT",
                other => return Err(Failure(format!("AWS/States {other} is not modelled"))),
            };
            let machine = one.dimensions.get("StateMachineArn").cloned().unwrap_or_default();
            let ask = json!({"stateMachineArn": machine, "statusFilter": counted});
            let target = "AWSStepFunctions.ListExecutions";
            let answer = self.stack.control.aws_json(self.region, "states", target, &ask).await?;
            for execution in answer["executions"].as_array().into_iter().flatten() {
                let ended = execution["stopDate"]
                    .as_f64()
                    .ok_or_else(|| Failure("ListExecutions: no stopDate".to_owned()))?;
                #[expect(clippy::cast_possible_truncation, reason = "an instant in seconds")]
                let millis = (ended * 1_000.0) as i64;
                found.push(self.point(one.clone(), millis, 1.0));
            }
        }
        Ok(found)
    }
}

fn names(list: &Value, member: &str) -> Vec<String> {
    let all = list.as_array().into_iter().flatten();
    all.filter_map(|one| one[member].as_str().map(str::to_owned)).collect()
}

fn as_value(millis: i64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "durations of a test")]
    let value = millis as f64;
    value
}
