//! What every drill has: a deployed stack, CloudWatch's part of it, and its people.
//!
//! Invariant: a drill breaks things as AWS or a person breaks them, and mends them by the page alone, or as the page says that a
//! deployment does.

use std::time::{Duration, Instant};

use aws_sdk_sqs::types::MessageAttributeValue;
use serde_json::Value;
use twinpool_tests::{
    compare::{self, MfaSettings},
    stack::{Failure, Options, PRIMARY, PoolKind, RECOVERY, Stack},
    telemetry::Telemetry,
};

use super::town::Town;

/// Messages that were given back are tried again after 2, 8 and 30 s.
pub(super) const DRAINED_WITHIN: Duration = Duration::from_secs(90);
pub(super) const ENDS_WITHIN: Duration = Duration::from_secs(120);
const RINGS_WITHIN: Duration = Duration::from_secs(30);
pub(super) const MINUTE: Duration = Duration::from_secs(60);

/// A drill at work.
#[derive(Debug)]
pub(super) struct Drill {
    pub(super) stack: Stack,
    pub(super) telemetry: Telemetry,
    pub(super) town: Town,
}

impl Drill {
    pub(super) async fn start(name: &str, config: Value, attach_triggers: bool) -> Self {
        Self::of(Options {
            name: name.to_owned(),
            pools: vec![PoolKind::Username],
            config,
            attach_triggers,
            ..Options::default()
        })
        .await
    }

    pub(super) async fn of(options: Options) -> Self {
        let recovery = options.recovery;
        let stack = Stack::start(options).await.expect("the stack starts");
        let telemetry = if recovery {
            Telemetry::of(&stack, RECOVERY, "twinpool-recovery", "recovery.yaml").await
        } else {
            Telemetry::of(&stack, PRIMARY, &stack.deployment.stack, "primary.yaml").await
        };
        Self {
            telemetry: telemetry.expect("the alarms are readable"),
            stack,
            town: Town::default(),
        }
    }

    pub(super) fn pool(&self) -> &str {
        &self.stack.pools[0].id
    }

    /// Waits until all of these alarms are in ALARM.
    pub(super) async fn rings(&mut self, wanted: &[&str]) {
        let begun = Instant::now();
        loop {
            let ringing = self.telemetry.ringing(&self.stack).await.expect("CloudWatch");
            let missing: Vec<&&str> = wanted
                .iter()
                .filter(|name| !ringing.iter().any(|one| one == **name))
                .collect();
            if missing.is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < RINGS_WITHIN,
                "not in ALARM: {missing:?}; but {ringing:?}"
            );
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    /// None of these alarms is in ALARM.
    pub(super) async fn silent(&mut self, wanted: &[&str]) {
        let ringing = self.telemetry.ringing(&self.stack).await.expect("CloudWatch");
        let still: Vec<&&str> = wanted
            .iter()
            .filter(|name| ringing.iter().any(|one| one == **name))
            .collect();
        assert!(still.is_empty(), "in ALARM: {still:?}");
    }

    pub(super) async fn let_pass(&mut self, time: Duration) {
        self.telemetry.let_pass(&self.stack, time).await.expect("CloudWatch");
    }

    /// Breaks calls: a fault rule of the local cloud for each of `broken`.
    pub(super) async fn faults(&self, config: Value) {
        self.stack.configure(config).await.expect("a configuration");
    }

    pub(super) async fn drained(&self) {
        self.stack.drained(DRAINED_WITHIN).await.expect("drained");
    }

    /// Waits until a message is in the queue.
    pub(super) async fn something_waits(&self) {
        let waits = async {
            while self.stack.messages_under_way().await? == 0 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            Ok::<_, Failure>(())
        };
        let waits = tokio::time::timeout(RINGS_WITHIN, waits).await;
        waits.expect("a message comes").expect("SQS answers");
    }

    /// The URL of a queue, by its logical id in the template.
    pub(super) async fn queue(&self, id: &str) -> String {
        let listed = self.stack.sqs.list_queues().send().await.expect("ListQueues");
        let mut urls = listed.queue_urls.into_iter().flatten();
        urls.find(|url| url.contains(id))
            .unwrap_or_else(|| panic!("no queue {id}"))
    }

    /// A letter with the attributes that EventBridge and its Scheduler give to what they park; the emulator's park nothing.
    pub(super) async fn letter(&self, queue: &str, code: &str) {
        let text = |value: &str| {
            let value = MessageAttributeValue::builder().data_type("String").string_value(value);
            value.build().expect("an attribute")
        };
        let sending = self.stack.sqs.send_message().queue_url(queue).message_body("{}");
        let sending = sending.message_attributes("ERROR_CODE", text(code));
        let sending = sending.message_attributes("ERROR_MESSAGE", text("It was refused."));
        sending.send().await.expect("SendMessage");
    }

    /// How many are parked, once there are as many.
    pub(super) async fn parked(&self, count: u64) {
        let begun = Instant::now();
        loop {
            let parked = self.stack.parked().await.expect("SQS answers");
            if parked == count {
                return;
            }
            assert!(begun.elapsed() < RINGS_WITHIN, "{parked} parked, not {count}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Nothing is lost: pool and both copies say the same.
    pub(super) async fn agrees(&self, step: &str) {
        self.drained().await;
        let found = compare::compare(&self.stack, &self.town.deleted, MfaSettings::Skipped).await;
        let differences = found.expect("a comparison").differences;
        let named: Vec<String> = differences
            .iter()
            .map(|one| format!("{}: {}", one.subject, one.what))
            .collect();
        assert!(named.is_empty(), "{step}: {named:?}");
    }

    /// Whether the queue is polled for the replicator.
    pub(super) async fn polling(&self, enabled: bool) {
        let updating = self.stack.lambda.update_event_source_mapping().enabled(enabled);
        let updating = updating.uuid(&self.stack.deployment.event_source_mapping).send().await;
        updating.map(drop).expect("UpdateEventSourceMapping");
    }

    /// A function's reserved concurrency: 0 stops it, `None` lets it go.
    pub(super) async fn concurrency(&self, function: &str, reserved: Option<i32>) {
        let name = format!("{}-{function}", self.stack.deployment.stack);
        let lambda = &self.stack.lambda;
        match reserved {
            Some(count) => {
                let putting = lambda.put_function_concurrency().function_name(name);
                let putting = putting.reserved_concurrent_executions(count).send().await;
                putting.map(drop).expect("PutFunctionConcurrency");
            }
            None => {
                let deleting = lambda.delete_function_concurrency().function_name(name).send().await;
                deleting.map(drop).expect("DeleteFunctionConcurrency");
            }
        }
    }
}
