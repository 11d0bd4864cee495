//! Pages 09 and 10: the recovery Region's copy, and a rehearsal that fails for a reference that nobody mapped.

use serde_json::{Value, json};
use twinpool_tests::stack::{Options, PRIMARY, PoolKind, RECOVERY};

use super::{
    drill::{Drill, ENDS_WITHIN, MINUTE},
    page::{Page, Terminal, said},
};

const FOREIGN: &str = "arn:aws:lambda:us-east-1:111122223333:function:greeter";

#[tokio::test(flavor = "multi_thread")]
async fn the_other_regions_copy_is_looked_at_and_a_failed_rehearsal_is_repeated() {
    let drill = Drill::of(Options {
        name: "runbook-elsewhere".to_owned(),
        pools: vec![PoolKind::Username],
        config: json!({"quotas": {"enabled": false}, "trail": {"drop_percent": 100}}),
        attach_triggers: false,
        recovery: true,
        ..Options::default()
    });
    let mut drill = drill.await;
    for number in 0..6 {
        let user = json!({
            "UserPoolId": drill.pool(), "Username": format!("user-{number}"), "MessageAction": "SUPPRESS",
            "UserAttributes": [{"Name": "email", "Value": format!("user-{number}@example.com")}, {"Name": "email_verified", "Value": "true"}],
        });
        by_hand(&drill, "AdminCreateUser", user).await;
    }
    // A trigger that lives in the lost Region.
    let mut pool = by_hand(&drill, "DescribeUserPool", json!({"UserPoolId": drill.pool()})).await["UserPool"].clone();
    let kept = ["AutoVerifiedAttributes", "MfaConfiguration", "SmsConfiguration"].map(|name| (name, pool[name].take()));
    let mut order = json!({"UserPoolId": drill.pool(), "LambdaConfig": {"PreSignUp": FOREIGN}});
    for (name, value) in kept {
        order[name] = value;
    }
    by_hand(&drill, "UpdateUserPool", order).await;
    let filled = drill
        .stack
        .reconcile(&json!({}), ENDS_WITHIN)
        .await
        .expect("an execution");
    assert!(filled.succeeded(), "{}", filled.cause);
    drill.agrees("before").await;
    Box::pin(behind(&drill)).await;
    Box::pin(failed(&mut drill)).await;
}

async fn by_hand(drill: &Drill, operation: &str, input: Value) -> Value {
    drill
        .stack
        .control
        .by_hand(operation, Some(PRIMARY), input)
        .await
        .expect("the pool accepts it")
}

/// Nothing is ever behind here: the lines that look.
async fn behind(drill: &Drill) {
    let mut page = Page::open("09-replica-behind.md");
    let mut terminal = Terminal::open(&drill.stack, &[("RECOVERY", RECOVERY)]).await;
    page.section(&mut terminal, "Your shell").await;
    let look = page.section(&mut terminal, "Look").await;
    assert!(said(&look, "Table.Replicas").contains(RECOVERY), "{look:?}");
    assert!(said(&look, "describe-table --region").starts_with("ACTIVE"), "{look:?}");
    let counted = |line: &str| {
        let output = look
            .iter()
            .find(|one| one.line == line)
            .map(|one| one.output.clone())
            .unwrap_or_default();
        let users: Vec<String> = output
            .lines()
            .filter(|line| line.contains("FORCE_CHANGE_PASSWORD"))
            .map(str::to_owned)
            .collect();
        assert!(!users.is_empty(), "{output}");
        users
    };
    assert_eq!(
        counted("twinpool status"),
        counted("twinpool status --region $RECOVERY")
    );
    page.section(&mut terminal, "Over").await;
    page.typed_whole();
}

/// The monthly drill has no line for the trigger in its mapping.
async fn failed(drill: &mut Drill) {
    let bare = drill
        .stack
        .drill(&json!({"pool": drill.pool()}), ENDS_WITHIN)
        .await
        .expect("an execution");
    assert_eq!(bare.status, "FAILED");
    drill.rings(&["drill-failed"]).await;
    let mut page = Page::open("10-drill-failed.md");
    let mapping = json!({"version": 1, "arns": {FOREIGN: null}}).to_string();
    let mut terminal = Terminal::open(&drill.stack, &[("MAPPING", &mapping)]).await;
    let shell = page.section(&mut terminal, "Your shell").await;
    assert!(
        said(&shell, "describe-alarms").contains("twinpool-recovery-drill-failed"),
        "{shell:?}"
    );
    let look = page.section(&mut terminal, "Look").await;
    let cause = said(&look, "[status, cause]");
    assert!(cause.starts_with("FAILED") && cause.contains(FOREIGN), "{cause}");
    let again = page.section(&mut terminal, "Rehearse again").await;
    assert!(said(&again, "describe-execution").starts_with("SUCCEEDED"), "{again:?}");
    drill.let_pass(10 * MINUTE).await;
    drill
        .silent(&["drill-failed", "drill-cut-off", "schedule-parked"])
        .await;
    let over = page.section(&mut terminal, "Over").await;
    assert_eq!(said(&over, "list-user-pools"), "", "a drill's pool is left");
    assert_eq!(said(&over, "describe-alarms"), "", "{over:?}");
    page.typed_whole();
}
