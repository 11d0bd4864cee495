//! The contract of [`Queue`]: what is sent arrives as it was, not before its time, and a parked message can be redriven.
//!
//! Invariant: every test has queues of its own.

use std::time::{Duration, Instant};

use aws_sdk_sqs::{Client, types::Message};
use twinpool_shared::{
    adapter::queue::{EXPLANATION, PARKED_AT, Queue, REASON},
    change::{Change, PoolRef, SCHEMA_VERSION, Subject},
    error::ErrorKind,
    personal::Sub,
    port::{Outbox, Reason},
    time::Timestamp,
};
use twinpool_tests::stand_ins::{ministack, moto, sdk_config, unique};

#[tokio::test]
async fn over_ministack() {
    suite(&ministack().await).await;
}

#[tokio::test]
async fn over_moto() {
    suite(&moto().await).await;
}

async fn suite(endpoint: &str) {
    let bench = Bench {
        client: Client::new(&sdk_config(endpoint).await),
        endpoint: endpoint.to_owned(),
    };
    what_is_sent_arrives_as_it_was(&bench).await;
    a_delayed_change_arrives_later(&bench).await;
    a_parked_message_keeps_its_body_and_has_its_reason(&bench).await;
    the_probe_tells_whether_there_is_a_queue(&bench).await;
}

struct Bench {
    client: Client,
    endpoint: String,
}

impl Bench {
    async fn queue(&self) -> (Queue, String) {
        let created = self.client.create_queue().queue_name(unique("changes")).send().await;
        let url = created.expect("a queue").queue_url.expect("a URL");
        (Queue::new(self.client.clone(), url.clone()), url)
    }

    /// Everything that arrives within `seconds`, and at least `enough` of it at once.
    async fn receive(&self, url: &str, enough: usize, seconds: u64) -> Vec<Message> {
        let begun = Instant::now();
        let mut messages = Vec::new();
        while messages.len() < enough && begun.elapsed() < Duration::from_secs(seconds) {
            let request = self.client.receive_message().queue_url(url).max_number_of_messages(10);
            let request = request.message_attribute_names("All").wait_time_seconds(0);
            let received = request.send().await.expect("the queue answers");
            messages.extend(received.messages.unwrap_or_default());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        messages
    }
}

fn change(id: &str) -> Change {
    Change {
        schema_version: SCHEMA_VERSION,
        id: id.to_owned(),
        pool: PoolRef::Id("us-east-1_Contract".into()),
        subject: Subject::User(Sub::new("3c9a1b2d-0051").expect("a sub")),
        cause: "AdminUpdateUserAttributes".into(),
        occurred_at: Timestamp::from_millis(1_780_000_000_000),
        seen_at: Timestamp::from_millis(1_780_000_000_123),
        group: Some("Gäste & <co>".into()),
        profile: None,
        attempt: 1,
    }
}

async fn what_is_sent_arrives_as_it_was(bench: &Bench) {
    let (queue, url) = bench.queue().await;
    queue.send(&change("a"), 0).await.expect("it is sent");
    let messages = bench.receive(&url, 1, 5).await;
    let bodies: Vec<_> = messages.iter().filter_map(Message::body).collect();
    assert_eq!(bodies, [change("a").to_body()]);
    assert_eq!(Change::parse(bodies[0]), Ok(change("a")));
}

async fn a_delayed_change_arrives_later(bench: &Bench) {
    let (queue, url) = bench.queue().await;
    let sent = Instant::now();
    queue.send(&change("late"), 2).await.expect("it is sent");
    assert!(bench.receive(&url, 1, 1).await.is_empty(), "too early");
    let messages = bench.receive(&url, 1, 8).await;
    assert_eq!(messages.len(), 1);
    // Stand-ins keep whole seconds.
    assert!(sent.elapsed() >= Duration::from_secs(1));

    // More than SQS takes is cut, not refused.
    queue.send(&change("much later"), 86_400).await.expect("it is sent");
    assert!(bench.receive(&url, 1, 1).await.is_empty());
}

async fn a_parked_message_keeps_its_body_and_has_its_reason(bench: &Bench) {
    let (dead_letters, url) = bench.queue().await;
    // Not a change, and not even JSON: it has to come back as it came.
    let body = "{ \"schema_version\" : 1,\n\t\"odd\": \"ü & <x>\" } trailing";
    let reason = Reason {
        code: "unreadable",
        explanation: String::new(),
    };
    let at = Timestamp::from_millis(1_780_000_000_456);
    dead_letters.park(body, &reason, at).await.expect("it is parked");
    let messages = bench.receive(&url, 1, 5).await;
    let message = messages.first().expect("the message");
    assert_eq!(message.body(), Some(body));
    let attributes = message.message_attributes().expect("attributes");
    let attribute = |name: &str| attributes.get(name).and_then(|value| value.string_value());
    assert_eq!(attribute(REASON), Some("unreadable"));
    assert_eq!(attribute(EXPLANATION), Some("-"), "SQS refuses an empty value");
    assert_eq!(attribute(PARKED_AT), Some("2026-05-28T20:26:40.456Z"));

    // A redrive sends body and attributes to the source queue.
    let (_, source) = bench.queue().await;
    let redrive = bench
        .client
        .send_message()
        .queue_url(&source)
        .message_body(message.body().unwrap_or_default());
    let redrive = redrive.set_message_attributes(message.message_attributes.clone());
    redrive.send().await.expect("it is redriven");
    let redriven = bench.receive(&source, 1, 5).await;
    assert_eq!(redriven.first().and_then(Message::body), Some(body));
}

async fn the_probe_tells_whether_there_is_a_queue(bench: &Bench) {
    let (queue, url) = bench.queue().await;
    queue.probe("TWINPOOL_QUEUE_URL").await.expect("it is there");
    bench
        .client
        .delete_queue()
        .queue_url(url)
        .send()
        .await
        .expect("it is deleted");
    let missing = Queue::new(
        bench.client.clone(),
        format!("{}/111122223333/no-such-queue", bench.endpoint),
    );
    for queue in [queue, missing] {
        let error = queue.probe("TWINPOOL_QUEUE_URL").await.expect_err("it is gone");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
        assert!(error.what.contains("TWINPOOL_QUEUE_URL"), "{error}");
        let error = queue.send(&change("lost"), 0).await.expect_err("it is gone");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
}
