//! Pages 05, 06 and 07: no reconcile, one that fails, a day whose events were lost and come late and twice, and the guard.

use std::time::Duration;

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value, json};
use twinpool_tests::{
    compare::Deleted,
    stack::{Failure, PRIMARY},
};

use super::{
    drill::{Drill, ENDS_WITHIN, MINUTE},
    page::{Page, Terminal, outcome, said},
};

const USERS: usize = 120;
/// More than DriftAlarmThreshold.
const EDITED: usize = 110;
/// More than 20 and more than 2 %.
const DELETED: usize = 25;
const HOUR: Duration = Duration::from_secs(3_600);

fn quiet() -> Value {
    json!({"quotas": {"enabled": false}, "trail": {"delay_ms": 0}})
}

async fn by_hand(drill: &Drill, operation: &str, mut input: Value) -> Result<Value, Failure> {
    input["UserPoolId"] = json!(drill.pool());
    drill.stack.control.by_hand(operation, Some(PRIMARY), input).await
}

async fn for_each(
    drill: &Drill,
    numbers: std::ops::Range<usize>,
    operation: &str,
    input: impl Fn(&str) -> Value,
) -> Vec<Value> {
    let input = &input;
    let calls = stream::iter(numbers).map(|number| async move {
        let name = format!("user-{number:03}");
        let mut input = input(&name);
        input["Username"] = json!(name);
        by_hand(drill, operation, input).await
    });
    calls.buffered(8).try_collect().await.expect("the pool accepts it")
}

async fn rules(drill: &Drill, operation: &str) {
    let listed = aws_events(drill, "ListRules", &json!({"NamePrefix": drill.stack.deployment.stack})).await;
    let names = listed["Rules"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|rule| rule["EventPattern"].is_string());
    for rule in names {
        aws_events(drill, operation, &json!({"Name": rule["Name"]})).await;
    }
}

async fn aws_events(drill: &Drill, operation: &str, input: &Value) -> Value {
    let target = format!("AWSEvents.{operation}");
    drill
        .stack
        .control
        .aws_json(PRIMARY, "events", &target, input)
        .await
        .expect("EventBridge")
}

async fn reconcile(drill: &Drill, input: Value) -> twinpool_tests::stack::Execution {
    drill.stack.reconcile(&input, ENDS_WITHIN).await.expect("an execution")
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_reconciles_lost_events_and_the_guard_are_mended_by_their_pages() {
    let mut drill = Drill::start("runbook-nights", quiet(), false).await;
    // Nobody hears anything: the rules are off.
    rules(&drill, "DisableRule").await;
    let email = |name: &str| json!({"UserAttributes": [{"Name": "email", "Value": format!("{name}@example.com")}], "MessageAction": "SUPPRESS"});
    let made = for_each(&drill, 0..USERS, "AdminCreateUser", email).await;
    let attributes = made
        .iter()
        .map(|answer| answer["User"]["Attributes"].as_array().into_iter().flatten());
    let subs = attributes.filter_map(|mut all| {
        all.find(|one| one["Name"] == "sub")?["Value"]
            .as_str()
            .map(str::to_owned)
    });
    let subs: Vec<String> = subs.collect();
    Box::pin(missing(&mut drill)).await;
    Box::pin(lost_day(&mut drill)).await;
    Box::pin(guard(&mut drill, &subs)).await;
}

/// There was never a reconcile; the schedule could not start one; one of another pool fails; a permission is missing.
async fn missing(drill: &mut Drill) {
    drill.rings(&["reconcile-missing"]).await;
    let other = reconcile(drill, json!({"pools": ["us-east-1_NotOurs1"]})).await;
    assert_eq!(other.status, "FAILED");
    // As EventBridge Scheduler parks what it could not start.
    let queue = drill.queue("ScheduleDeadLetterQueue").await;
    drill.letter(&queue, "AWSStates.StateMachineDoesNotExist").await;
    let mut denied = quiet();
    denied["faults"] = json!([{"service": "cognito", "operation": "GetUICustomization", "kind": "deny"}]);
    drill.faults(denied).await;
    let incomplete = reconcile(drill, json!({})).await;
    drill
        .rings(&["reconcile-failed", "schedule-parked", "configuration-incomplete"])
        .await;

    let mut page = Page::open("05-reconcile-missing.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    page.section(&mut terminal, "Your shell").await;
    let look = page.section(&mut terminal, "Look").await;
    assert!(
        said(&look, "receive-message").contains("StateMachineDoesNotExist"),
        "{look:?}"
    );
    assert!(
        said(&look, "filter-log-events").contains("GetUICustomization"),
        "{look:?} {incomplete:?}"
    );
    assert!(said(&look, "--query cause").contains("(other_pool)"), "{look:?}");
    // The stack is deployed again.
    drill.faults(quiet()).await;
    let by_hand = page.section(&mut terminal, "Start one by hand").await;
    assert!(
        said(&by_hand, "describe-execution").starts_with("SUCCEEDED"),
        "{by_hand:?}"
    );
    drill.agrees("after a reconcile by hand").await;
    drill.rings(&[]).await;
    drill.let_pass(25 * HOUR).await;
    drill
        .silent(&[
            "reconcile-missing",
            "reconcile-failed",
            "schedule-parked",
            "configuration-incomplete",
        ])
        .await;
    let over = page.section(&mut terminal, "Over").await;
    let on = said(&over, "describe-alarms");
    assert!(!on.contains("reconcile-") && !on.contains("schedule-parked"), "{on}");
    page.typed_whole();
}

/// A day's events are lost, and come a day later, twice.
async fn lost_day(drill: &mut Drill) {
    let mut deaf = quiet();
    deaf["trail"]["drop_percent"] = json!(100);
    drill.faults(deaf).await;
    let renamed = |name: &str| json!({"UserAttributes": [{"Name": "name", "Value": format!("Once {name}")}]});
    for_each(drill, 0..EDITED, "AdminUpdateUserAttributes", renamed).await;
    let night = reconcile(drill, json!({})).await;
    assert!(night.succeeded(), "{}", night.cause);
    assert_eq!(night.of(drill.pool())["drift_found"], json!(EDITED), "{}", night.output);
    drill.rings(&["drift-high"]).await;

    let mut page = Page::open("07-drift-high.md");
    let mut terminal = Terminal::open(&drill.stack, &[]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-drift-high"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    assert!(said(&look, "list-rules").contains("DISABLED"), "{look:?}");
    // That section also switches the rules on.
    drill.faults(quiet()).await;
    let again = |name: &str| json!({"UserAttributes": [{"Name": "name", "Value": format!("Twice {name}")}]});
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    for_each(drill, 0..10, "AdminUpdateUserAttributes", again).await;
    drill.agrees("heard again").await;
    let missed = drill.stack.control.redeliver(2).await.expect("the local cloud answers");
    assert!(
        missed >= EDITED as u64,
        "{missed} records were lost, with those of reads"
    );
    drill.agrees("after a day's old records, twice").await;
    let counters = drill.stack.control.counters().await.expect("counters");
    assert!(counters.trail.delivered >= 2 * EDITED as u64, "{:?}", counters.trail);
    drill.let_pass(25 * HOUR).await;
    drill.silent(&["drift-high"]).await;
    let over = page.section(&mut terminal, "Over").await;
    let outcome = outcome(&over);
    assert!(
        outcome.starts_with("SUCCEEDED") && outcome.contains("\"drift_found\":0"),
        "{outcome}"
    );
    drill.silent(&["drift-high"]).await;
    page.typed_whole();
}

/// Somebody deletes many, on purpose.
async fn guard(drill: &mut Drill, subs: &[String]) {
    let mut deaf = quiet();
    deaf["trail"]["drop_percent"] = json!(100);
    drill.faults(deaf).await;
    for_each(drill, 0..DELETED, "AdminDeleteUser", |_| json!({})).await;
    let refused = reconcile(drill, json!({})).await;
    assert_eq!(
        refused.of(drill.pool())["drift_left"],
        json!(DELETED),
        "{}",
        refused.output
    );
    drill.rings(&["guard-tripped", "drift-left"]).await;

    let mut page = Page::open("06-guard-tripped.md");
    let allowed = DELETED.to_string();
    let mut terminal = Terminal::open(&drill.stack, &[("ALLOWED", &allowed)]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-guard-tripped"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    assert!(
        said(&look, "nothing was deleted").contains("too_many_missing"),
        "{look:?}"
    );
    assert!(said(&look, "--dry-run").contains(&allowed), "{look:?}");
    let meant = page.section(&mut terminal, "It was meant").await;
    let outcome = outcome(&meant);
    assert!(
        outcome.contains(&format!("\"deleted\":{DELETED}")) && !outcome.contains("\"guard\""),
        "{outcome}"
    );
    assert!(said(&meant, "twinpool undelete").contains(&subs[0][..8]), "{meant:?}");
    let pool = drill.pool().to_owned();
    let gone = subs[..DELETED].iter().map(|sub| Deleted {
        pool: pool.clone(),
        sub: sub.clone(),
        was_seen: true,
    });
    drill.town.deleted.extend(gone);
    drill.agrees("after what was meant").await;
    drill.let_pass(25 * HOUR + MINUTE).await;
    drill.silent(&["guard-tripped", "drift-left"]).await;
    let over = page.section(&mut terminal, "Over").await;
    assert!(!said(&over, "describe-alarms").contains("guard-tripped"), "{over:?}");
    page.typed_whole();
}
