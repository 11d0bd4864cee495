//! `twinpool` as an operator meets it: the real binary, as a process, against a whole deployment.
//!
//! Invariant under test: what is shown is what the deployment's own functions wrote; personal values are shown when they are
//! asked for and not before; nothing but marks is written.

use std::{collections::BTreeSet, process::Stdio, time::Duration};

use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};
use serde_json::{Value, json};
use twinpool_tests::stack::{Options, PRIMARY, PoolKind, Stack, target_folder};

const DRAINED_WITHIN: Duration = Duration::from_secs(90);

/// What a run of the program came to.
#[derive(Debug)]
struct Ran {
    status: i32,
    stdout: String,
    stderr: String,
}

impl Ran {
    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs `twinpool`, which reads nothing of this machine's AWS configuration.
async fn twinpool(variables: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let own = std::env::current_exe().expect("the path of this program");
    let folder = own.parent().and_then(|deps| deps.parent()).expect("a build folder");
    let program = folder.join("twinpool");
    assert!(
        program.is_file(),
        "{} is not there; run: cargo build --workspace --bins",
        program.display()
    );
    let done = tokio::process::Command::new(program)
        .args(arguments)
        .env_clear()
        .env("HOME", target_folder().expect("a target folder").join("tmp/nobody"))
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .envs(variables.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("twinpool runs");
    Ran {
        status: done.status.code().expect("an exit status"),
        stdout: String::from_utf8(done.stdout).expect("text"),
        stderr: String::from_utf8(done.stderr).expect("text"),
    }
}

/// Runs it against a deployment, with the variables that an operator would set.
async fn on(stack: &Stack, arguments: &[&str]) -> Ran {
    let deployment = &stack.deployment;
    let variables = [
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", PRIMARY),
        ("AWS_ENDPOINT_URL", stack.endpoint()),
        ("TWINPOOL_POOLS", &stack.pools[0].id),
        ("TWINPOOL_TABLE", &deployment.table),
        ("TWINPOOL_QUEUE_URL", &deployment.queue_url),
        ("TWINPOOL_DLQ_URL", &deployment.dlq_url),
    ];
    twinpool(&variables, arguments).await
}

async fn stack(name: &str) -> Stack {
    let options = Options {
        name: name.to_owned(),
        pools: vec![PoolKind::Username],
        ..Options::default()
    };
    Stack::start(options).await.expect("the stack starts")
}

/// Creates a user as an administrator does; the `sub`.
async fn create(stack: &Stack, username: &str, email: &str) -> String {
    let attribute = AttributeType::builder().name("email").value(email);
    let creating = stack.cognito.admin_create_user().user_pool_id(&stack.pools[0].id);
    let created = creating
        .username(username)
        .user_attributes(attribute.build().expect("a name is given"))
        .message_action(MessageActionType::Suppress)
        .send()
        .await
        .expect("AdminCreateUser");
    let attributes = created.user.expect("a user").attributes.expect("attributes");
    let sub = attributes.into_iter().find(|attribute| attribute.name == "sub");
    sub.and_then(|attribute| attribute.value).expect("a sub")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_shown_with_a_history_and_masked_unless_asked() {
    let stack = stack("cli-show").await;
    let pool = stack.pools[0].id.clone();
    let cognito = &stack.cognito;
    let ann = create(&stack, "ann", "ann@example.com").await;
    let one = create(&stack, "one", "twins@example.com").await;
    let two = create(&stack, "two", "Twins@example.com").await;
    let creating = cognito.create_group().user_pool_id(&pool).group_name("admins");
    creating.send().await.expect("CreateGroup");
    let adding = cognito.admin_add_user_to_group().user_pool_id(&pool).username("ann");
    adding.group_name("admins").send().await.expect("AdminAddUserToGroup");
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let disabling = cognito.admin_disable_user().user_pool_id(&pool).username("ann");
    disabling.send().await.expect("AdminDisableUser");
    stack.drained(DRAINED_WITHIN).await.expect("drained");

    for user in [ann.as_str(), "ann", "ANN@example.com"] {
        let ran = on(&stack, &["show", user]).await;
        assert_eq!(ran.status, 0, "{ran:?}");
        assert!(
            ran.stdout.contains(&ann) && ran.stdout.contains("a***@e***.com"),
            "{ran:?}"
        );
        assert!(!ran.stdout.contains("example.com") && ran.stderr.is_empty(), "{ran:?}");
    }
    let shown = on(&stack, &["show", "ann", "--json"]).await.json();
    assert_eq!(shown["schema"], "twinpool.show.v1");
    assert_eq!((&shown["alive"], &shown["marked"]), (&json!(true), &json!(false)));
    assert_eq!(shown["record"]["account"]["data"]["enabled"], false);
    assert_eq!(shown["memberships"][0]["group"], "admins");
    assert_eq!(shown["memberships"][0]["counts"], true);
    assert_eq!(shown["indexes"], json!(["by-username", "by-email"]));
    let full = on(&stack, &["--show-personal", "show", "ann"]).await;
    assert!(full.stdout.contains("ann@example.com"), "{full:?}");

    // Two users with one address: nobody is picked.
    let several = on(&stack, &["show", "twins@example.com", "--json"]).await;
    assert_eq!(several.status, 2, "{several:?}");
    let several = several.json();
    let subs = several["matches"]
        .as_array()
        .expect("matches")
        .iter()
        .map(|user| &user["sub"]);
    let subs: BTreeSet<&str> = subs.map(|sub| sub.as_str().expect("a sub")).collect();
    assert_eq!(subs, BTreeSet::from([one.as_str(), two.as_str()]));
    let nobody = on(&stack, &["show", "nobody@example.com"]).await;
    assert_eq!((nobody.status, nobody.stdout.as_str()), (6, ""), "{nobody:?}");
    assert!(
        nobody.stderr.contains("error: the backup has no such user"),
        "{nobody:?}"
    );
    assert!(!nobody.stderr.contains("nobody@"), "{nobody:?}");

    let history = on(&stack, &["history", "ann", "--json"]).await.json();
    let versions = history["versions"].as_array().expect("versions");
    assert!(versions.len() >= 2, "{history}");
    let newest = versions[0]["changed"].as_array().expect("changes");
    let disabled = newest.iter().find(|change| change["field"] == "account.enabled");
    assert_eq!(
        disabled,
        Some(&json!({"field": "account.enabled", "from": "true", "to": "false"})),
        "{history}"
    );
    assert_eq!(history["older_expired"], false);
    let numbers: Vec<u64> = versions
        .iter()
        .map(|one| one["version"].as_u64().expect("a number"))
        .collect();
    let expected: Vec<u64> = (1..=numbers[0]).rev().collect();
    assert_eq!(numbers, expected, "every version from the first");

    let counters = stack.control.counters().await.expect("counters");
    assert_eq!(
        counters
            .by_caller
            .get("local-operator")
            .and_then(|calls| calls.get("AdminGetUser")),
        None
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deleted_are_listed_marked_and_kept_and_everybody_is_exported_and_counted() {
    let stack = stack("cli-undelete").await;
    let pool = stack.pools[0].id.clone();
    let ann = create(&stack, "ann", "ann@example.com").await;
    let bob = create(&stack, "bob", "bob@example.com").await;
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let deleting = stack.cognito.admin_delete_user().user_pool_id(&pool).username("bob");
    deleting.send().await.expect("AdminDeleteUser");
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let before = stack
        .control
        .counters()
        .await
        .expect("counters")
        .calls
        .remove("cognito-idp");

    let listed = on(&stack, &["undelete", "--json"]).await.json();
    assert_eq!(listed["deleted"].as_array().map(Vec::len), Some(1), "{listed}");
    let user = &listed["deleted"][0];
    assert_eq!((&user["sub"], &user["username"]), (&json!(bob), &json!("b***")));
    assert_eq!(
        (&user["deleted_by"], &user["marked"]),
        (&json!("AdminDeleteUser"), &json!(false))
    );
    assert!(user["expires_at"].is_string(), "{user}");
    let later = on(&stack, &["undelete", "--json", "--since", "2999-01-01"])
        .await
        .json();
    assert_eq!(later["deleted"], json!([]));

    let marked = on(&stack, &["undelete", "--mark", &bob, &ann, "--json"]).await;
    assert_eq!(marked.status, 5, "the living cannot be marked: {marked:?}");
    let marked = marked.json();
    assert_eq!(marked["newly_marked"], json!([bob]));
    assert_eq!(marked["failed"], json!({ann.as_str(): "the user is not deleted"}));
    assert_eq!(
        (&marked["deleted"][0]["marked"], &marked["deleted"][0]["expires_at"]),
        (&json!(true), &Value::Null)
    );
    let again = on(&stack, &["undelete", "--mark-all", "--json"]).await;
    assert_eq!((again.status, &again.json()["newly_marked"]), (0, &json!([])));
    let shown = on(&stack, &["show", &bob, "--json"]).await.json();
    assert_eq!(
        (&shown["alive"], &shown["marked"], &shown["expires_at"]),
        (&json!(false), &json!(true), &Value::Null)
    );
    assert_eq!(on(&stack, &["status", "--json"]).await.json()["undelete_marks"], 1);
    let unmarked = on(&stack, &["undelete", "--unmark", &bob, "--json"]).await.json();
    assert_eq!(unmarked["unmarked"], json!([bob]));
    assert_eq!(unmarked["deleted"][0]["marked"], false);
    assert!(unmarked["deleted"][0]["expires_at"].is_string(), "{unmarked}");

    let masked = on(&stack, &["export", "--format", "jsonl"]).await;
    let lines: Vec<Value> = masked
        .stdout
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line of JSON"))
        .collect();
    assert_eq!(lines.len(), 1, "{masked:?}");
    assert_eq!(lines[0]["sub"], json!(ann));
    assert!(masked.stderr.contains("--show-personal"), "{masked:?}");
    assert!(!masked.stdout.contains("ann@example.com"), "{masked:?}");
    let arguments = ["export", "--format", "csv", "--include-deleted", "--show-personal"];
    let csv = on(&stack, &arguments).await;
    let rows: Vec<&str> = csv.stdout.split_terminator("\r\n").collect();
    assert_eq!(rows.len(), 3, "{csv:?}");
    assert!(
        rows[0].starts_with("sub,alive,username,") && rows[0].contains(",email"),
        "{csv:?}"
    );
    assert!(
        csv.stdout.contains("ann@example.com") && csv.stdout.contains("bob@example.com"),
        "{csv:?}"
    );

    let status = on(&stack, &["status", "--json"]).await;
    assert_eq!(status.status, 0, "{status:?}");
    let status = status.json();
    assert_eq!(
        (&status["users"]["living"], &status["users"]["deleted"]),
        (&json!(1), &json!(1))
    );
    assert_eq!(status["users"]["by_status"], json!({"FORCE_CHANGE_PASSWORD": 1}));
    assert_eq!(
        status["queue"]["value"],
        json!({"visible": 0, "in_flight": 0, "delayed": 0})
    );
    assert_eq!(status["dead_letters"]["value"]["visible"], 0);
    assert_eq!((&status["last_run"], &status["lease"]), (&Value::Null, &Value::Null));
    let text = on(&stack, &["status", "--no-count", "--quiet"]).await;
    assert!(
        text.stdout.contains("not counted") && text.stderr.is_empty(),
        "{text:?}"
    );

    let after = stack
        .control
        .counters()
        .await
        .expect("counters")
        .calls
        .remove("cognito-idp");
    assert_eq!(before, after, "none of these commands asks the pool");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_tells_what_is_there_from_what_is_missing() {
    let stack = stack("cli-doctor").await;
    let ran = on(&stack, &["doctor", "--json"]).await;
    let diagnosis = ran.json();
    let state = |check: &str| {
        let findings = diagnosis["findings"].as_array().expect("findings");
        let found = findings.iter().find(|finding| finding["check"] == check);
        found.map(|finding| finding["state"].as_str().unwrap_or_default().to_owned())
    };
    for check in [
        "credentials",
        "table",
        "table.indexes",
        "table.replicas",
        "table.recovery",
        "table.ttl",
        "table.deletion-protection",
        "pool",
        "pool.mfa",
        "trigger.post-confirmation",
        "trigger.post-authentication",
        "trigger.custom-message",
        "quota.user-list",
        "queue",
        "queue.redrive",
        "queue.key",
        "queue.replicator",
        "dead-letters",
        "rule.api-calls",
        "rule.service-events",
    ] {
        assert_eq!(state(check).as_deref(), Some("ok"), "{check}: {diagnosis:#}");
    }
    // The local cloud needs no trail and has none; the emulator does not tell the key of a global table, nor the queries of
    // an alarm; and the template's alarms have no topic here.
    assert_eq!(state("trail").as_deref(), Some("fail"), "{diagnosis:#}");
    for check in [
        "table.key",
        "alarm.parked",
        "alarm.reconcile",
        "alarm.guard",
        "alarm.drift",
    ] {
        assert_eq!(state(check).as_deref(), Some("warn"), "{check}: {diagnosis:#}");
    }
    assert_eq!(ran.status, 6, "something failed");

    let unnamed = on(&stack, &["doctor", "--json", "--table", "nowhere"]).await.json();
    let table = unnamed["findings"].as_array().expect("findings");
    let table = table.iter().find(|finding| finding["check"] == "table");
    assert_eq!(
        table.map(|finding| &finding["state"]),
        Some(&json!("fail")),
        "{unnamed:#}"
    );
}

#[tokio::test]
async fn without_what_it_needs_it_says_what_to_give() {
    let credentials = [("AWS_ACCESS_KEY_ID", "AKIATEST"), ("AWS_SECRET_ACCESS_KEY", "secret")];
    let named = ["--pool", "us-east-1_a", "--table", "backup"];
    // Nobody listens on port 9, the discard protocol's.
    let nowhere = ["--endpoint-url", "http://127.0.0.1:9"];
    for (variables, arguments, status, says) in [
        (
            &credentials[..],
            vec!["status"],
            2,
            "give --pool, or set TWINPOOL_POOLS",
        ),
        (
            &credentials[..],
            vec!["status", "--pool", "us-east-1_a"],
            2,
            "give --table, or set TWINPOOL_TABLE",
        ),
        (
            &[][..],
            [&["status"][..], &named].concat(),
            6,
            "no AWS credentials were found",
        ),
        (
            &credentials[..],
            [&["show", "ann"][..], &named, &nowhere].concat(),
            7,
            "got no connection or no answer",
        ),
        (&[][..], vec!["export"], 2, "--format"),
        (&[][..], vec!["unheard-of"], 2, "unrecognized subcommand"),
    ] {
        let ran = twinpool(variables, &arguments).await;
        assert_eq!((ran.status, ran.stdout.as_str()), (status, ""), "{ran:?}");
        assert!(ran.stderr.contains(says), "{ran:?}");
    }
    let script = twinpool(&[], &["completions", "bash"]).await;
    assert!(script.status == 0 && script.stdout.contains("twinpool"), "{script:?}");
    let version = twinpool(&[], &["--version"]).await;
    assert!(
        version.status == 0 && version.stdout.starts_with("twinpool 0."),
        "{version:?}"
    );
}
