//! What a standard queue may do to messages: deliver late and deliver twice.
//!
//! Invariant: no message is lost or changed, and FIFO queues, which promise order and one delivery, are left alone.

use serde_json::{Value, json};

use super::chance::Chance;
use super::config::Sqs;

/// The request to forward, and a second one with what is to be doubled.
#[derive(Debug, PartialEq)]
pub(super) struct Tampered {
    pub(super) first: Value,
    pub(super) again: Option<Value>,
}

/// Whether any of this is asked for.
pub(super) fn applies(operation: &str, settings: &Sqs) -> bool {
    ["SendMessage", "SendMessageBatch"].contains(&operation)
        && (settings.duplicate_percent > 0.0 || settings.delay_percent > 0.0)
}

/// Decide for each message of a request.
pub(super) fn tamper(mut input: Value, settings: &Sqs, chance: &mut Chance) -> Tampered {
    if input["QueueUrl"].as_str().is_none_or(|url| url.ends_with(".fifo")) {
        return Tampered {
            first: input,
            again: None,
        };
    }
    let Some(entries) = input.get_mut("Entries").and_then(Value::as_array_mut) else {
        let again = chance.percent(settings.duplicate_percent).then(|| input.clone());
        delay(&mut input, settings, chance);
        return Tampered { first: input, again };
    };
    let doubled: Vec<Value> = entries
        .iter()
        .filter(|_| chance.percent(settings.duplicate_percent))
        .cloned()
        .collect();
    for entry in entries {
        delay(entry, settings, chance);
    }
    let again = (!doubled.is_empty()).then(|| json!({"QueueUrl": input["QueueUrl"], "Entries": doubled}));
    Tampered { first: input, again }
}

fn delay(message: &mut Value, settings: &Sqs, chance: &mut Chance) {
    if message.is_object() && chance.percent(settings.delay_percent) {
        let drawn = chance.between(1, u64::from(settings.delay_seconds_max));
        let asked = message["DelaySeconds"].as_u64().unwrap_or(0);
        message["DelaySeconds"] = json!(drawn.max(asked));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALWAYS: Sqs = Sqs {
        duplicate_percent: 100.0,
        delay_percent: 100.0,
        delay_seconds_max: 3,
    };

    #[test]
    fn messages_are_doubled_and_delayed_but_never_changed() {
        let mut chance = Chance::new(1);
        let single = tamper(
            json!({"QueueUrl": "http://h/q", "MessageBody": "b"}),
            &ALWAYS,
            &mut chance,
        );
        assert_eq!(
            single.again,
            Some(json!({"QueueUrl": "http://h/q", "MessageBody": "b"}))
        );
        assert_eq!(single.first["MessageBody"], "b");
        assert!((1..=3).contains(&single.first["DelaySeconds"].as_u64().expect("delayed")));
        let batch = json!({"QueueUrl": "http://h/q", "Entries": [{"Id": "1", "MessageBody": "b", "DelaySeconds": 60}]});
        let batch = tamper(batch, &ALWAYS, &mut chance);
        assert_eq!(batch.first["Entries"][0]["DelaySeconds"], 60);
        assert_eq!(batch.again.expect("doubled")["Entries"][0]["Id"], "1");
    }

    #[test]
    fn fifo_queues_are_left_alone() {
        let input = json!({"QueueUrl": "http://h/q.fifo", "MessageBody": "b"});
        assert_eq!(
            tamper(input.clone(), &ALWAYS, &mut Chance::new(1)),
            Tampered {
                first: input,
                again: None
            }
        );
    }
}
