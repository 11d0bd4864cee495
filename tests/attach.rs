//! `twinpool attach` and `twinpool detach` by the real binary, against a deployed stack and a pool that has everything that an
//! update of it could lose.
//!
//! Invariant under test: but for its slots the pool is the same, byte for byte, whatever happens on the way; after the
//! detachment its slots are, too. The function that had a slot before goes on being run and heard.

mod scene;

use std::{process::Stdio, time::Duration};

use serde_json::{Value, json};
use twinpool_tests::stack::{Options, PoolKind, Stack};

use scene::{
    BROKEN, by_hand, calls, command, forbid, function, kept, packed, permit, run, run_for, settings, shown, sign_in,
    sign_up,
};

const DRAINED_WITHIN: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_is_attached_and_detached_and_is_as_it_was() {
    let stack = Stack::start(Options {
        name: "attach".into(),
        pools: vec![PoolKind::Username],
        attach_triggers: false,
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let pool = stack.pools[0].clone();
    let (name, ours) = (stack.deployment.stack.clone(), stack.deployment.functions.clone());
    let welcome = function(&stack, "welcome").await;
    let tokens = json!({"LambdaVersion": "V2_0", "LambdaArn": function(&stack, "tokens").await});
    let triggers = json!({"PreSignUp": function(&stack, "screening").await, "PostConfirmation": welcome,
        "PreTokenGenerationConfig": tokens});
    by_hand(&stack, "UpdateUserPool", settings(&pool.id, "a", &triggers)).await;
    let mfa = json!({"UserPoolId": pool.id, "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": true},
        "SmsMfaConfiguration": {"SmsAuthenticationMessage": "Sign in with {####}"},
        "EmailMfaConfiguration": {"Message": "Code {####}", "Subject": "Code"},
        "WebAuthnConfiguration": {"RelyingPartyId": "example.com", "UserVerification": "required"}});
    by_hand(&stack, "SetUserPoolMfaConfig", mfa).await;
    let before = shown(&stack, &pool.id).await;
    let whole = kept(&stack, &pool.id, &[]).await;
    let beside = kept(&stack, &pool.id, &["LambdaConfig"]).await;

    // Nothing is changed by a refusal, a question, or a look.
    let stranger = by_hand(&stack, "CreateUserPool", json!({"PoolName": "stranger"})).await["UserPool"]["Id"].take();
    let refused = run_for(
        &stack,
        stranger.as_str().expect("an id"),
        &["attach", "--stack", &name, "--yes"],
    )
    .await;
    assert_eq!((refused.status, refused.stdout.as_str()), (6, ""), "{refused:?}");
    assert!(
        refused.stderr.contains("is not among UserPoolIds of the stack"),
        "{refused:?}"
    );
    let nowhere = run(&stack, &["attach", "--stack", "nowhere", "--yes"]).await;
    assert!(
        nowhere.status == 6 && nowhere.stderr.contains("there is no stack nowhere"),
        "{nowhere:?}"
    );
    let unasked = run(&stack, &["attach", "--stack", &name]).await;
    assert_eq!(unasked.status, 2, "{unasked:?}");
    assert!(unasked.stderr.contains("give --yes"), "{unasked:?}");
    assert!(
        unasked
            .stdout
            .contains(&format!("slot post-confirmation: {welcome} -> ")),
        "{unasked:?}"
    );
    assert!(
        unasked
            .stdout
            .contains(&format!("stack ChainPostConfirmation: \"\" -> \"{welcome}\"")),
        "{unasked:?}"
    );
    assert!(
        unasked.stdout.contains("note: trail: no trail covers this Region"),
        "{unasked:?}"
    );
    let planned = run(&stack, &["attach", "--stack", &name, "--dry-run", "--json"]).await;
    assert_eq!(
        (planned.status, &planned.json()["outcome"]),
        (3, &json!("planned")),
        "{planned:?}"
    );
    assert_eq!(shown(&stack, &pool.id).await, before, "not even the date moved");
    assert_eq!(calls(&stack, "cognito-idp", "UpdateUserPool").await, 0);
    assert_eq!(calls(&stack, "cloudformation", "UpdateStack").await, 0);

    // Both answers are lost, and neither update is sent again.
    let lost = |service: &str, operation: &str| json!({"service": service, "operation": operation, "count": 1, "kind": "lost_response"});
    let lost = json!({"faults": [lost("cloudformation", "UpdateStack"), lost("cognito", "UpdateUserPool")]});
    stack.configure(lost).await.expect("a configuration");
    let attached = run(&stack, &["attach", "--stack", &name, "--yes", "--json"]).await;
    assert_eq!(
        (attached.status, &attached.json()["outcome"]),
        (0, &json!("done")),
        "{attached:?}"
    );
    assert_eq!(calls(&stack, "cognito-idp", "UpdateUserPool").await, 1);
    assert_eq!(calls(&stack, "cloudformation", "UpdateStack").await, 1);
    let slots = json!({"PreSignUp": triggers["PreSignUp"], "PostConfirmation": ours["post-confirmation"],
        "PostAuthentication": ours["post-authentication"], "CustomMessage": ours["custom-message"],
        "PreTokenGenerationConfig": tokens});
    assert_eq!(shown(&stack, &pool.id).await.0["LambdaConfig"], slots);
    assert_eq!(kept(&stack, &pool.id, &["LambdaConfig"]).await, beside);
    let again = run(&stack, &["attach", "--stack", &name, "--yes", "--json"]).await;
    assert_eq!(
        (again.status, &again.json()["outcome"]),
        (0, &json!("nothing")),
        "{again:?}"
    );
    assert_eq!(
        calls(&stack, "cognito-idp", "UpdateUserPool").await,
        1,
        "a second time changes nothing"
    );
    assert_eq!(calls(&stack, "cloudformation", "UpdateStack").await, 1);

    // People come in, the customer's function decides who, and the change arrives.
    let (ann, confirmed) = sign_up(&stack, &pool, "ann").await;
    assert_eq!(confirmed, Ok(()));
    sign_in(&stack, &pool, "ann").await;
    let (_, refusal) = sign_up(&stack, &pool, "uninvited").await;
    let refusal = refusal.expect_err("the customer's function refuses");
    assert!(refusal.contains("not invited"), "{refusal}");
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let copied = run(&stack, &["show", &ann, "--json"]).await.json();
    assert_eq!(copied["record"]["status"]["data"], "CONFIRMED", "{copied}");

    // Somebody changes the pool after the operator was shown the difference.
    stack
        .configure(json!({"latency_ms": {"lambda": 700}}))
        .await
        .expect("a configuration");
    let stacks_before = calls(&stack, "cloudformation", "DescribeStacks").await;
    let mut detaching = command(&stack, &pool.id, &["detach", "--stack", &name, "--yes", "--json"]);
    let detaching = detaching.stdout(Stdio::piped()).stderr(Stdio::piped());
    let detaching = detaching.spawn().expect("twinpool starts");
    while calls(&stack, "cloudformation", "DescribeStacks").await == stacks_before {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    by_hand(&stack, "UpdateUserPool", settings(&pool.id, "b", &slots)).await;
    let stopped = detaching.wait_with_output().await.expect("it ends");
    let document: Value = serde_json::from_slice(&stopped.stdout).expect("a document");
    assert_eq!(
        (stopped.status.code(), &document["outcome"]),
        (Some(6), &json!("pool-changed")),
        "{stopped:?}"
    );
    assert_eq!(
        document["settings"],
        json!(["LastModifiedDate", "UserPoolTags/team"]),
        "{document}"
    );
    assert_eq!(
        calls(&stack, "cognito-idp", "UpdateUserPool").await,
        1,
        "theirs went past the counters"
    );
    stack.configure(json!({})).await.expect("a configuration");
    by_hand(&stack, "UpdateUserPool", settings(&pool.id, "a", &slots)).await;
    assert_eq!(kept(&stack, &pool.id, &["LambdaConfig"]).await, beside);

    // What the slot gets back would fail every confirmation, and the operator is told before.
    forbid(&stack, "welcome").await;
    let refused = run(&stack, &["detach", "--stack", &name, "--yes"]).await;
    assert_eq!(refused.status, 6, "{refused:?}");
    for says in ["whose policy does not let Cognito invoke it for this pool", "--force"] {
        assert!(refused.stderr.contains(says), "{refused:?}");
    }
    assert_eq!(
        shown(&stack, &pool.id).await.0["LambdaConfig"],
        slots,
        "nothing is left half"
    );
    permit(&stack, "welcome").await;

    // And back.
    let detached = run(&stack, &["detach", "--stack", &name, "--yes", "--json"]).await;
    assert_eq!(
        (detached.status, &detached.json()["outcome"]),
        (0, &json!("done")),
        "{detached:?}"
    );
    assert_eq!(kept(&stack, &pool.id, &[]).await, whole, "byte for byte");
    let configured = stack
        .lambda
        .get_function_configuration()
        .function_name(&ours["post-confirmation"]);
    let environment = configured
        .send()
        .await
        .expect("a function")
        .environment
        .and_then(|all| all.variables);
    let environment = environment.expect("variables");
    assert!(
        environment.contains_key("TWINPOOL_QUEUE_URL") && !environment.contains_key("TWINPOOL_CHAIN_TO"),
        "chained to nothing"
    );
    let nothing = run(&stack, &["detach", "--stack", &name, "--yes", "--json"]).await;
    assert_eq!(
        (nothing.status, &nothing.json()["outcome"]),
        (0, &json!("nothing")),
        "{nothing:?}"
    );
    sign_in(&stack, &pool, "ann").await;
    refused_for_a_function(&stack, &name).await;
    assert_eq!(kept(&stack, &pool.id, &[]).await, whole, "nothing was attached");
}

/// What would keep users out is found before pool and stack are touched: a function that Cognito may not invoke, and one that
/// does not answer.
async fn refused_for_a_function(stack: &Stack, name: &str) {
    let functions = &stack.deployment.functions;
    let updates = [("cognito-idp", "UpdateUserPool"), ("cloudformation", "UpdateStack")];
    let mut before = Vec::new();
    for (service, operation) in updates {
        before.push(calls(stack, service, operation).await);
    }
    let policy = stack
        .lambda
        .get_policy()
        .function_name(&functions["post-authentication"]);
    let policy = policy.send().await.expect("GetPolicy").policy.expect("a policy");
    let policy: Value = serde_json::from_str(&policy).expect("JSON");
    let statement = policy["Statement"][0]["Sid"].as_str().expect("a statement");
    let removing = stack
        .lambda
        .remove_permission()
        .function_name(&functions["post-authentication"]);
    removing.statement_id(statement).send().await.expect("RemovePermission");
    let refused = run(stack, &["attach", "--stack", name, "--yes"]).await;
    assert_eq!((refused.status, refused.stdout.as_str()), (6, ""), "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("post-authentication: the policy of the stack's function does not let Cognito invoke it"),
        "{refused:?}"
    );

    let breaking = stack
        .lambda
        .update_function_code()
        .function_name(&functions["custom-message"]);
    breaking
        .zip_file(packed("bootstrap", BROKEN).await)
        .send()
        .await
        .expect("UpdateFunctionCode");
    let arguments = [
        "attach",
        "--stack",
        name,
        "--yes",
        "--slot",
        "custom-message",
        "post-confirmation",
    ];
    let mut refused = run(stack, &arguments).await;
    // A function is not ready while it is updated.
    for _ in 0..20 {
        if !refused.stderr.contains("being updated") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
        refused = run(stack, &arguments).await;
    }
    assert_eq!(refused.status, 6, "{refused:?}");
    assert!(
        refused
            .stderr
            .contains("twinpool-custom-message does not answer an event of no user with itself"),
        "{refused:?}"
    );
    for ((service, operation), before) in updates.into_iter().zip(before) {
        assert_eq!(calls(stack, service, operation).await, before, "{operation}");
    }
}
