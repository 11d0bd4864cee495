//! One invocation: the change goes to the queue and, beside it, the chained function is asked; then Cognito gets its event.
//!
//! Invariant: without a chained function the answer is the event, byte for byte. With one, its answer and its errors are the
//! answer, and they wait for nothing but [`capture::LIMIT`]. A probe sends nothing, counts nothing and runs no chained function;
//! it is an operator's, never Cognito's, so failing it fails no sign-in.

use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tracing::{error, info};
use twinpool_shared::{
    adapter::{
        chain::{Chain, ChainAnswer, ChainError},
        lambda::{emit, now},
        queue::Queue,
    },
    error::Error,
    metric::{CHAIN_NOT_INVOKED, CHANGE_NOT_SENT, CHANGE_SENT, EVENT_UNREADABLE, Metric},
};

use crate::{
    capture::{self, Missed},
    probe::is_probe,
    refused::Refused,
};

/// A trigger function.
#[derive(Debug)]
pub struct Trigger {
    function: &'static str,
    queue: Result<Queue, Error>,
    chain: Result<Option<Chain>, Error>,
}

impl Trigger {
    /// The trigger named `function`, as it stands in metrics. Where the settings are wrong there is an error instead of the
    /// queue or the chained function; it is logged with every event that misses them.
    #[must_use]
    pub fn new(function: &'static str, queue: Result<Queue, Error>, chain: Result<Option<Chain>, Error>) -> Self {
        Self { function, queue, chain }
    }

    /// Handles one event.
    ///
    /// # Errors
    /// [`Refused`], only with a chained function, or for a probe where its setting is wrong.
    pub async fn handle(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Box<RawValue>, Refused> {
        let (event, context) = event.into_parts();
        if is_probe(&event) {
            return self.probed(&context.request_id).await.map(|()| event);
        }
        let captured = self.capture(&event, &context.request_id);
        let ((), chained) = tokio::join!(captured, Box::pin(self.chained(&event, &context.request_id)));
        // The answer of the function that owns the slot, or else the event as it came.
        chained.map(|answer| answer.unwrap_or(event))
    }

    async fn capture(&self, event: &RawValue, request_id: &str) {
        let capture = capture::capture(self.queue.clone(), event.to_owned(), request_id.to_owned(), now());
        let (metric, what) = match capture::walled(capture, capture::LIMIT).await {
            Ok(change) => {
                self.count(CHANGE_SENT);
                info!(request_id, change = change.id, cause = change.cause, "change sent");
                return;
            }
            Err(Missed::Unreadable(what)) => (EVENT_UNREADABLE, what),
            Err(Missed::NotSent(error)) => (CHANGE_NOT_SENT, error.to_string()),
        };
        self.count(metric);
        error!(request_id, error = what, "no change was sent; the user goes through");
    }

    /// The chained function's answer; `None` when there is none to ask, or when it is our fault that it was not asked.
    async fn chained(&self, event: &RawValue, request_id: &str) -> Result<Option<Box<RawValue>>, Refused> {
        let error = match &self.chain {
            Ok(None) => return Ok(None),
            Ok(Some(chain)) => match chain.invoke(event.get().as_bytes()).await {
                Ok(ChainAnswer::Answered(answer)) => {
                    return serde_json::from_slice(&answer)
                        .map(Some)
                        .map_err(|_| Refused::answer_is_not_json());
                }
                Ok(ChainAnswer::Failed(payload)) => return Err(Refused::by_function(&payload)),
                Err(ChainError::NoAnswer(error)) => {
                    error!(request_id, error = %error, "the chained function gave no answer; the user's call fails");
                    return Err(Refused::no_answer());
                }
                Err(ChainError::NotInvoked(error)) => error,
            },
            Err(error) => error.clone(),
        };
        self.count(CHAIN_NOT_INVOKED);
        error!(request_id, error = %error, "the chained function was not invoked; the user goes through without it");
        Ok(None)
    }

    /// Whether the chained function, if there is one, could be invoked.
    async fn probed(&self, request_id: &str) -> Result<(), Refused> {
        let allowed = match &self.chain {
            Ok(None) => Ok(()),
            Ok(Some(chain)) => Box::pin(chain.may_be_invoked()).await,
            Err(error) => Err(error.clone()),
        };
        match allowed {
            Ok(()) => {
                info!(request_id, "a probe was answered; nothing was sent");
                Ok(())
            }
            Err(error) => {
                error!(request_id, error = %error, "a probe failed: the chained function may not be invoked; this was no user's call");
                Err(Refused::by_probe(&error))
            }
        }
    }

    fn count(&self, metric: Metric) {
        emit(self.function, &[(metric, vec![1.0])]);
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use aws_sdk_sqs::config::{BehaviorVersion, Credentials, Region};
    use lambda_runtime::Context;
    use proptest::prelude::*;
    use twinpool_shared::error::ErrorKind;

    use super::*;

    /// Any JSON, as text: odd numbers, doubled keys and spaces included, which no parsed value would keep.
    fn any_json() -> impl Strategy<Value = String> {
        let space = || prop_oneof![Just(""), Just(" "), Just("\n\t"), Just("  ")];
        let text = "[a-zA-Z0-9 éß☃/_-]{0,8}";
        let leaf = prop_oneof![
            Just("null".to_owned()),
            any::<bool>().prop_map(|flag| flag.to_string()),
            any::<i64>().prop_map(|number| number.to_string()),
            prop_oneof![
                Just("1.0"),
                Just("1e3"),
                Just("-0.00"),
                Just("1E+400"),
                Just("12345678901234567890123")
            ]
            .prop_map(str::to_owned),
            text.prop_map(|text| format!("{text:?}")),
            Just(r#""\ud83d\u00e9\/""#.to_owned()),
        ];
        let names = prop_oneof![
            Just("triggerSource".to_owned()),
            Just("userPoolId".to_owned()),
            Just("request".to_owned()),
            Just("userAttributes".to_owned()),
            Just("sub".to_owned()),
            Just("userName".to_owned()),
            text,
        ];
        leaf.prop_recursive(5, 40, 6, move |inner| {
            let array = (space(), prop::collection::vec(inner.clone(), 0..6))
                .prop_map(|(space, items)| format!("[{space}{}{space}]", items.join(&format!("{space},"))));
            let object = (space(), prop::collection::vec((names.clone(), inner), 0..6)).prop_map(|(space, members)| {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{name:?}{space}:{value}"))
                    .collect();
                format!("{{{space}{}}}", members.join(&format!(",{space}")))
            });
            prop_oneof![array, object]
        })
    }

    /// A queue whose host refuses connections.
    fn refusing() -> Queue {
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let config = aws_sdk_sqs::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("AKIDEXAMPLE", "secret", None, None, "test"))
            .endpoint_url(format!("http://{closed}"))
            .build();
        let client = aws_sdk_sqs::Client::from_conf(config);
        Queue::new(client, format!("http://{closed}/111122223333/changes"))
    }

    fn answer(trigger: &Trigger, runtime: &tokio::runtime::Runtime, event: &str) -> String {
        let payload = RawValue::from_string(event.to_owned()).unwrap();
        let event = LambdaEvent::new(payload, Context::default());
        runtime.block_on(trigger.handle(event)).unwrap().get().to_owned()
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
    }

    #[test]
    fn any_json_comes_back_as_it_was() {
        let trigger = Trigger::new("test", Ok(refusing()), Ok(None));
        let runtime = runtime();
        proptest!(ProptestConfig::with_cases(256), |(event in any_json())| {
            prop_assert_eq!(answer(&trigger, &runtime, &event), event);
        });
    }

    #[test]
    fn any_attributes_come_back_although_the_queue_refuses() {
        let trigger = Trigger::new("test", Ok(refusing()), Ok(None));
        let runtime = runtime();
        // Each of these is sent, in vain.
        proptest!(ProptestConfig::with_cases(16), |(attribute in any_json(), extra in any_json())| {
            let event = format!(
                r#"{{"triggerSource":"CustomMessage_SignUp","userPoolId":"us-east-1_A","extra":{extra}, "userName":"u",
                "request":{{"userAttributes":{{"sub":"3c9a1b2d-0051","email":{attribute}}}}},"response":{{}}}}"#
            );
            prop_assert_eq!(answer(&trigger, &runtime, &event), event);
        });
    }

    #[test]
    fn wrong_settings_cost_the_change_only() {
        let wrong = |name: &str| Error::new(ErrorKind::BadSetting, format!("{name} is not set"));
        let trigger = Trigger::new(
            "test",
            Err(wrong("TWINPOOL_QUEUE_URL")),
            Err(wrong("TWINPOOL_CHAIN_TO")),
        );
        assert_eq!(answer(&trigger, &runtime(), r#"{ "a" : 1.50 }"#), r#"{ "a" : 1.50 }"#);
    }
}
