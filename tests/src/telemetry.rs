//! Amazon CloudWatch's part of a deployed stack: metrics from what really happened, and the state of the template's alarms.
//!
//! The local cloud's emulator keeps metrics and alarms, but takes no metrics out of logs, publishes none of SQS, Step Functions and
//! event source mappings, and judges an alarm without its dimensions, periods and missing data. So this module plays CloudWatch:
//! it reads the functions' log lines ([`emf`]), the queues' messages, the executions and the refused writes, judges the deployed
//! definitions ([`alarm`]) and tells the emulator the states, so that an operator's `describe-alarms` shows them. Alarms over an
//! expression cannot be created there (`localcloud/deploy/overlay.md`); they are taken from the template.
//!
//! Not shown, because nothing local is like it: `AWS/DynamoDB` `ReplicationLatency` (so `replica-silent` is always on), failures of
//! the replicator's invocations.
//!
//! Invariant: every datapoint was read from the local cloud; none is made up. Only time passes faster, by [`Telemetry::let_pass`].

pub mod alarm;
pub mod clock;
pub mod emf;
mod sources;
mod template;

use std::{collections::BTreeMap, time::Duration};

use serde_json::{Value, json};
use twinpool_shared::adapter::lambda::now;

use crate::stack::{Failure, PRIMARY, Stack};
use alarm::{Alarm, Datapoint, State};
use clock::Clock;
pub use template::described;

const CLOUDWATCH: &str = "GraniteServiceVersion20100801";
const SECOND_MILLIS: i64 = 1_000;

/// The alarms of one CloudFormation stack.
#[derive(Debug)]
pub struct Telemetry {
    region: String,
    prefix: String,
    since: i64,
    clock: Clock,
    alarms: Vec<Alarm>,
    /// As the emulator was told last; without those that it does not know.
    told: BTreeMap<String, State>,
    /// What is gone when it is looked for later: depths, ages, counts.
    seen: Vec<Datapoint>,
    refused_writes: u64,
}

impl Telemetry {
    /// Watches the alarms of the CloudFormation stack `name` in `region`, made from `infra/{template}`.
    ///
    /// # Errors
    /// When a definition asks for what is not modelled.
    pub async fn of(stack: &Stack, region: &str, name: &str, template: &str) -> Result<Self, Failure> {
        let mut alarms = Vec::new();
        let mut told = BTreeMap::new();
        let prefix = format!("{name}-");
        let asked = json!({"AlarmNamePrefix": prefix, "MaxRecords": 100});
        let deployed = ask(stack, region, "DescribeAlarms", &asked).await?;
        for given in deployed["MetricAlarms"].as_array().into_iter().flatten() {
            let alarm = Alarm::read(given).map_err(Failure)?;
            told.insert(alarm.name.clone(), State::InsufficientData);
            alarms.push(alarm);
        }
        for given in template::over_expressions(template, name)? {
            alarms.push(Alarm::read(&given).map_err(Failure)?);
        }
        Ok(Self {
            region: region.to_owned(),
            prefix,
            since: now().as_millis(),
            clock: Clock::default(),
            alarms,
            told,
            seen: Vec::new(),
            refused_writes: sources::refused_writes(stack).await?,
        })
    }

    /// The names of the alarms, without the stack's.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let names = self.alarms.iter().map(|alarm| alarm.name.as_str());
        names
            .map(|name| name.strip_prefix(&self.prefix).unwrap_or(name))
            .collect()
    }

    /// Looks at everything, judges every alarm, and tells the emulator; the names of those in ALARM, without the stack's.
    ///
    /// # Errors
    /// When the local cloud does not answer.
    pub async fn ringing(&mut self, stack: &Stack) -> Result<Vec<String>, Failure> {
        let points = self.observe(stack).await?;
        let at = self.clock.at(now().as_millis());
        let mut ringing = Vec::new();
        for alarm in &self.alarms {
            let state = alarm.state(&points, at).map_err(Failure)?;
            let short = alarm.name.strip_prefix(&self.prefix).unwrap_or(&alarm.name);
            if state == State::Alarm {
                ringing.push(short.to_owned());
            }
            let Some(told) = self.told.get_mut(&alarm.name) else {
                continue;
            };
            if *told != state {
                let told_why = "as the local telemetry judges it";
                let order = json!({"AlarmName": alarm.name, "StateValue": state.name(), "StateReason": told_why});
                ask(stack, &self.region, "SetAlarmState", &order).await?;
                *told = state;
            }
        }
        ringing.sort();
        Ok(ringing)
    }

    /// Lets `time` pass for metrics and alarms at once, while nothing happens.
    ///
    /// # Errors
    /// When the local cloud does not answer.
    pub async fn let_pass(&mut self, stack: &Stack, time: Duration) -> Result<(), Failure> {
        self.observe(stack).await?;
        let at = now().as_millis();
        self.clock.skip(at, time);
        // Some sources give whole seconds: what happens after this is not to be taken for something before it.
        let rest = SECOND_MILLIS - at.rem_euclid(SECOND_MILLIS);
        tokio::time::sleep(Duration::from_millis(u64::try_from(rest).unwrap_or_default())).await;
        Ok(())
    }

    /// All datapoints up to now.
    async fn observe(&mut self, stack: &Stack) -> Result<Vec<Datapoint>, Failure> {
        let moment = now().as_millis();
        let watched: Vec<_> = self.alarms.iter().flat_map(Alarm::watched).cloned().collect();
        let view = sources::View {
            stack,
            region: &self.region,
            prefix: &self.prefix,
            since: self.since,
            clock: &self.clock,
        };
        self.seen.extend(view.queues(moment).await?);
        let refused = sources::refused_writes(stack).await?;
        // A test may have set the counters to zero meanwhile.
        let more = refused.checked_sub(self.refused_writes).unwrap_or(refused);
        self.refused_writes = refused;
        self.seen.extend(view.throttled_writes(moment, more));
        let mut points = self.seen.clone();
        points.extend(view.logs().await?);
        points.extend(view.invocations(&watched).await?);
        points.extend(view.executions(&watched).await?);
        Ok(points)
    }
}

/// How many changes the functions said they could not send; users went on without.
///
/// # Errors
/// When the emulator refuses.
pub async fn changes_not_sent(stack: &Stack) -> Result<usize, Failure> {
    let mut count = 0;
    for function in stack.deployment.functions.values() {
        let name = function.rsplit(':').next().unwrap_or_default();
        let input = json!({"logGroupName": format!("/aws/lambda/{name}"), "filterPattern": "ChangeNotSent"});
        let target = "Logs_20140328.FilterLogEvents";
        let answer = stack.control.aws_json(PRIMARY, "logs", target, &input).await?;
        count += answer["events"].as_array().map_or(0, Vec::len);
    }
    Ok(count)
}

async fn ask(stack: &Stack, region: &str, operation: &str, input: &Value) -> Result<Value, Failure> {
    let target = format!("{CLOUDWATCH}.{operation}");
    stack.control.aws_json(region, "monitoring", &target, input).await
}
