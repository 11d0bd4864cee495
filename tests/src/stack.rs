//! A whole deployment for one test: a local cloud of its own, pools with users' app clients, `infra/primary.yaml` on it, and
//! `infra/recovery.yaml` where a test asks for it.
//!
//! Figures obtained with it are figures of the local cloud, not of AWS.
//!
//! * [`Stack::start`] brings everything up; dropping the stack ends it, also on a panic or when this process is killed.
//! * [`control::Control`] sets the scene (latency, quotas, faults, duplicates) and reads what happened.
//! * [`Stack::reconcile`], [`Stack::drill`] and [`Stack::restore`] run a state machine to its end.
//! * [`Stack::drained`], [`Stack::dead_letters`] and [`Stack::redrive`] are what a test waits for and looks at.
//!
//! Invariant: nothing is shared between stacks (ports, folders, processes, clients), so any number live side by side; no
//! client retries, so that every call a test counts is one that it made.

pub mod control;
mod pools;
mod process;
mod reconcile;
mod recovery;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use aws_config::{BehaviorVersion, Region, SdkConfig, retry::RetryConfig};
use aws_sdk_cognitoidentityprovider::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use serde::Deserialize;
use serde_json::{Value, json};

use control::Control;
pub use pools::{PoolHandle, PoolKind};
use process::LocalCloud;
pub use process::target_folder;
pub use reconcile::Execution;

/// Region of the pools.
pub const PRIMARY: &str = "us-east-1";
/// Region of the table's second replica.
pub const RECOVERY: &str = "eu-west-1";
/// Role that comparisons read under, so that their calls are counted apart from everybody else's.
pub const COMPARISON_ROLE: &str = "comparison";

const COMPARISON_KEY: &str = "AKIACOMPARISON";
const TEST_KEY: &str = "AKIATEST";
const POLL: Duration = Duration::from_millis(250);
/// How often in a row nothing must be under way: an event handed to a function is in no queue while the function runs.
const QUIET_POLLS: u32 = 6;

/// What went wrong, in words for whoever runs the test. Never holds a user's value.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(pub String);

impl Failure {
    /// A failure of `what`, because of `why`.
    pub fn new(what: &str, why: impl fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

// As its text, so that a test's `expect` reads well.
impl fmt::Debug for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Failure {}

/// Turns an SDK error into a failure that names the call and the service's code and message.
pub fn refused<E: ProvideErrorMetadata, R: fmt::Debug>(what: &str) -> impl FnOnce(SdkError<E, R>) -> Failure {
    move |error| match (error.code(), error.message()) {
        (Some(code), message) => Failure(format!("{what}: {code}: {}", message.unwrap_or("no message"))),
        (None, _) => Failure(format!("{what}: {error}")),
    }
}

/// How a stack is to be.
#[derive(Clone, Debug)]
pub struct Options {
    /// Names the run folder, for whoever reads logs afterwards.
    pub name: String,
    /// The pools to create and copy.
    pub pools: Vec<PoolKind>,
    /// Configuration of the local cloud (its README.md lists the settings); `callers` is added.
    pub config: Value,
    /// The event source mapping's batching window.
    pub batching_window_seconds: u32,
    /// Deliveries before a message is parked.
    pub max_receive_count: u32,
    /// How soon an unacknowledged message is delivered again.
    pub visibility_timeout_seconds: u32,
    /// Share of Cognito's quotas that replicator and reconciler may take.
    pub quota_share_percent: u32,
    /// When the schedule starts a reconcile; `None` = never, as a test wants it that counts.
    pub reconcile_schedule: Option<String>,
    /// Further variables of every function.
    pub environment: BTreeMap<String, String>,
    /// Whether the three triggers are attached to the pools.
    pub attach_triggers: bool,
    /// Whether the importer is deployed in [`RECOVERY`].
    pub recovery: bool,
    /// Where function binaries are looked for; `None` = beside this program.
    pub binaries: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            name: "stack".to_owned(),
            pools: vec![PoolKind::Username, PoolKind::Email],
            config: json!({}),
            batching_window_seconds: 1,
            max_receive_count: 10,
            visibility_timeout_seconds: 10,
            // Nobody else uses these pools.
            quota_share_percent: 100,
            reconcile_schedule: None,
            environment: BTreeMap::new(),
            attach_triggers: true,
            recovery: false,
            binaries: None,
        }
    }
}

/// What the deployer answers.
#[derive(Clone, Debug, Deserialize)]
pub struct Deployment {
    /// Name of the CloudFormation stack; the roles of the functions begin with it.
    pub stack: String,
    /// The queue of changes.
    pub queue_url: String,
    /// The dead-letter queue.
    pub dlq_url: String,
    /// The backup table, of the same name in both Regions.
    pub table: String,
    /// Binary name to function ARN.
    pub functions: BTreeMap<String, String>,
    /// UUID of the mapping from the queue to the replicator.
    pub event_source_mapping: String,
    /// ARN of the reconcile's state machine.
    pub state_machine: String,
    /// ARN of the drill's, in [`RECOVERY`]; only with [`Options::recovery`].
    #[serde(default)]
    pub drill: Option<String>,
    /// ARN of the restore's.
    #[serde(default)]
    pub restore: Option<String>,
}

/// A message of the dead-letter queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeadLetter {
    /// As it came.
    pub body: String,
    /// The reason's code; `None` when SQS moved it there itself.
    pub reason: Option<String>,
    receipt: String,
}

/// A running deployment.
#[derive(Debug)]
pub struct Stack {
    /// The gateway's control endpoint.
    pub control: Control,
    /// Cognito, as an operator of [`PRIMARY`].
    pub cognito: aws_sdk_cognitoidentityprovider::Client,
    /// Cognito under [`COMPARISON_ROLE`].
    pub cognito_of_comparison: aws_sdk_cognitoidentityprovider::Client,
    /// SQS in [`PRIMARY`].
    pub sqs: aws_sdk_sqs::Client,
    /// Lambda in [`PRIMARY`].
    pub lambda: aws_sdk_lambda::Client,
    /// DynamoDB in [`PRIMARY`].
    pub dynamodb: aws_sdk_dynamodb::Client,
    /// DynamoDB in [`RECOVERY`].
    pub dynamodb_recovery: aws_sdk_dynamodb::Client,
    /// The pools, in the order of [`Options::pools`].
    pub pools: Vec<PoolHandle>,
    /// What was deployed.
    pub deployment: Deployment,
    // Last: fields are dropped in order, and the clients should not outlive their server by long.
    cloud: LocalCloud,
}

impl Stack {
    /// Starts a local cloud, creates the pools, deploys the template, and attaches the triggers.
    ///
    /// # Errors
    /// Says which step failed, and for missing binaries how to build them.
    pub async fn start(options: Options) -> Result<Self, Failure> {
        let binaries = match &options.binaries {
            Some(folder) => folder.clone(),
            None => process::binaries_beside_us()?,
        };
        process::check_binaries(&binaries, options.recovery)?;
        let python = process::ensure_python().await?;
        let config = with_callers(&options.config);
        let cloud = LocalCloud::start(&binaries, &options.name, &config).await?;
        let endpoint = cloud.endpoint().to_owned();
        let control = Control::new(&endpoint);
        let primary = sdk_config(&endpoint, PRIMARY, TEST_KEY);
        let recovery = sdk_config(&endpoint, RECOVERY, TEST_KEY);
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&primary);

        let mut pools = Vec::with_capacity(options.pools.len());
        for (number, kind) in options.pools.iter().enumerate() {
            pools.push(pools::create(&cognito, *kind, number).await?);
        }
        let ids: Vec<&str> = pools.iter().map(|pool| pool.id.as_str()).collect();
        let deployment = process::deploy(&python, &binaries, &cloud, &ids, &options).await?;
        if options.attach_triggers {
            for pool in &pools {
                pools::attach_triggers(&cognito, pool, &deployment.functions).await?;
            }
        }
        Ok(Self {
            control,
            cognito,
            cognito_of_comparison: aws_sdk_cognitoidentityprovider::Client::new(&sdk_config(
                &endpoint,
                PRIMARY,
                COMPARISON_KEY,
            )),
            sqs: aws_sdk_sqs::Client::new(&primary),
            lambda: aws_sdk_lambda::Client::new(&primary),
            dynamodb: aws_sdk_dynamodb::Client::new(&primary),
            dynamodb_recovery: aws_sdk_dynamodb::Client::new(&recovery),
            pools,
            deployment,
            cloud,
        })
    }

    /// The one URL of this local cloud.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        self.cloud.endpoint()
    }

    /// Folder with the logs of gateway and emulator.
    #[must_use]
    pub fn run_folder(&self) -> &Path {
        self.cloud.folder()
    }

    /// The pool of a kind.
    ///
    /// # Panics
    /// When the stack was started without one.
    #[must_use]
    pub fn pool(&self, kind: PoolKind) -> &PoolHandle {
        self.pools
            .iter()
            .find(|pool| pool.kind == kind)
            .expect("the test asked for such a pool in its options")
    }

    /// Replaces the local cloud's configuration; what is omitted has its default.
    ///
    /// # Errors
    /// When a setting is unknown or impossible.
    pub async fn configure(&self, config: Value) -> Result<(), Failure> {
        self.control.configure(&with_callers(&config)).await
    }

    /// Waits until nothing is under way: no CloudTrail event, no message (visible, in flight or delayed), and no call by a
    /// function for more than a second.
    ///
    /// # Errors
    /// When `timeout` passes first; the failure says what was still there.
    pub async fn drained(&self, timeout: Duration) -> Result<(), Failure> {
        let begun = Instant::now();
        let mut quiet_polls = 0;
        let mut calls_before = BTreeMap::new();
        loop {
            let trail = self.control.quiet().await?;
            let messages = self.messages_under_way().await?;
            let mut calls = self.control.counters().await?.calls;
            // What the functions call; whoever watches meanwhile calls other services, and asks the queue for its length.
            calls.retain(|service, _| ["cognito-idp", "dynamodb", "sqs"].contains(&service.as_str()));
            if let Some(sqs) = calls.get_mut("sqs") {
                sqs.remove("GetQueueAttributes");
            }
            if trail && messages == 0 && calls == calls_before {
                quiet_polls += 1;
                if quiet_polls >= QUIET_POLLS {
                    return Ok(());
                }
            } else {
                quiet_polls = 0;
            }
            calls_before = calls;
            if begun.elapsed() > timeout {
                return Err(Failure(format!(
                    "not drained after {} s: {messages} messages, CloudTrail events {}",
                    timeout.as_secs(),
                    if trail { "all delivered" } else { "on their way" }
                )));
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Messages of the queue: visible, in flight and delayed.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn messages_under_way(&self) -> Result<u64, Failure> {
        self.messages_of(&self.deployment.queue_url).await
    }

    /// How many messages are in the dead-letter queue.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn parked(&self) -> Result<u64, Failure> {
        self.messages_of(&self.deployment.dlq_url).await
    }

    async fn messages_of(&self, queue: &str) -> Result<u64, Failure> {
        use QueueAttributeName::{
            ApproximateNumberOfMessages, ApproximateNumberOfMessagesDelayed, ApproximateNumberOfMessagesNotVisible,
        };
        let answer = self.sqs.get_queue_attributes().queue_url(queue);
        let answer = answer.set_attribute_names(Some(vec![
            ApproximateNumberOfMessages,
            ApproximateNumberOfMessagesDelayed,
            ApproximateNumberOfMessagesNotVisible,
        ]));
        let answer = answer.send().await.map_err(refused("GetQueueAttributes"))?;
        let counts = answer.attributes.unwrap_or_default();
        Ok(counts.values().filter_map(|count| count.parse::<u64>().ok()).sum())
    }

    /// Looks at the dead-letter queue without emptying it.
    ///
    /// # Errors
    /// When SQS refuses.
    pub async fn dead_letters(&self) -> Result<Vec<DeadLetter>, Failure> {
        let found = self.take_dead_letters().await?;
        for letter in &found {
            self.sqs
                .change_message_visibility()
                .queue_url(&self.deployment.dlq_url)
                .receipt_handle(&letter.receipt)
                .visibility_timeout(0)
                .send()
                .await
                .map_err(refused("ChangeMessageVisibility"))?;
        }
        Ok(found)
    }

    /// Moves every dead letter back to the queue, by the task that an operator starts; how many were moved.
    ///
    /// # Errors
    /// When SQS refuses, or the task fails.
    pub async fn redrive(&self) -> Result<u64, Failure> {
        let source = self.arn_of(&self.deployment.dlq_url).await?;
        let destination = self.arn_of(&self.deployment.queue_url).await?;
        let starting = self.sqs.start_message_move_task().source_arn(&source);
        let started = starting.destination_arn(destination).send().await;
        started.map_err(refused("StartMessageMoveTask"))?;
        loop {
            let listing = self.sqs.list_message_move_tasks().source_arn(&source).send().await;
            let listed = listing.map_err(refused("ListMessageMoveTasks"))?;
            let task = listed.results().first().cloned();
            let task = task.ok_or_else(|| Failure("ListMessageMoveTasks shows no task".to_owned()))?;
            match task.status() {
                Some("COMPLETED") => return Ok(u64::try_from(task.approximate_number_of_messages_moved).unwrap_or(0)),
                Some("RUNNING") => tokio::time::sleep(POLL).await,
                other => return Err(Failure(format!("the redrive: {other:?}: {:?}", task.failure_reason()))),
            }
        }
    }

    async fn arn_of(&self, queue: &str) -> Result<String, Failure> {
        let asking = self.sqs.get_queue_attributes().queue_url(queue);
        let answer = asking.attribute_names(QueueAttributeName::QueueArn).send().await;
        let mut attributes = answer
            .map_err(refused("GetQueueAttributes"))?
            .attributes
            .unwrap_or_default();
        let arn = attributes.remove(&QueueAttributeName::QueueArn);
        arn.ok_or_else(|| Failure("GetQueueAttributes answered no ARN".to_owned()))
    }

    async fn take_dead_letters(&self) -> Result<Vec<DeadLetter>, Failure> {
        let mut found = Vec::new();
        loop {
            let receiving = self.sqs.receive_message().queue_url(&self.deployment.dlq_url);
            let answer = receiving
                .max_number_of_messages(10)
                .visibility_timeout(60)
                .message_attribute_names("All")
                .send()
                .await
                .map_err(refused("ReceiveMessage"))?;
            let messages = answer.messages.unwrap_or_default();
            if messages.is_empty() {
                return Ok(found);
            }
            found.extend(messages.into_iter().map(|message| {
                let attributes = message.message_attributes.unwrap_or_default();
                DeadLetter {
                    body: message.body.unwrap_or_default(),
                    reason: attributes
                        .get("twinpool-reason")
                        .and_then(|value| value.string_value.clone()),
                    receipt: message.receipt_handle.unwrap_or_default(),
                }
            }));
        }
    }
}

/// The configuration with the roles of this harness, without which a comparison's reads would count as the operator's.
fn with_callers(config: &Value) -> Value {
    let mut config = config.clone();
    config["callers"][COMPARISON_KEY] = json!(format!("arn:aws:iam::111122223333:role/{COMPARISON_ROLE}"));
    config
}

/// Clients of this harness read nothing of the machine's AWS configuration and never retry.
fn sdk_config(endpoint: &str, region: &str, key: &str) -> SdkConfig {
    let credentials = Credentials::new(key, "secret", None, None, "tests");
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new(region.to_owned()))
        .endpoint_url(endpoint)
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .retry_config(RetryConfig::disabled())
        .build()
}
