//! The deployed stack follows a person's life: an ordinary AWS client on one side, both Regions' tables on the other, and
//! between them the real binaries, the real template and the local cloud.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, DeliveryMediumType, MessageActionType, SmsMfaSettingsType,
};
use serde_json::json;
use twinpool_shared::change::{Change, PoolRef, Subject};
use twinpool_tests::{
    compare::{self, Deleted, MfaSettings, What},
    life::Lives,
    runtime_host::Function,
    stack::{Options, PoolHandle, PoolKind, Stack, control::Counters},
};

const PASSWORD: &str = "Correct-Horse-7";
const DRAINED_WITHIN: Duration = Duration::from_secs(90);

fn attribute(name: &str, value: &str) -> AttributeType {
    AttributeType::builder()
        .name(name)
        .value(value)
        .build()
        .expect("a name is given")
}

/// Asserts that pool and backup agree in both Regions, once nothing is under way any more.
async fn agrees(stack: &Stack, deleted: &[Deleted], step: &str) {
    stack.drained(DRAINED_WITHIN).await.expect(step);
    let found = compare::compare(stack, deleted, MfaSettings::Skipped)
        .await
        .expect(step);
    let named: Vec<String> = found
        .differences
        .iter()
        .map(|d| format!("{}: {}", d.subject, d.what))
        .collect();
    assert!(named.is_empty(), "after {step}: {named:?}");
    assert_eq!(
        stack.parked().await.expect(step),
        0,
        "after {step}: something is parked"
    );
}

async fn sub_of(stack: &Stack, pool: &PoolHandle, username: &str) -> String {
    let users = stack
        .cognito
        .list_users()
        .user_pool_id(&pool.id)
        .filter(format!("username = \"{username}\""));
    let users = users.send().await.expect("ListUsers").users.expect("users");
    let attributes = users[0].attributes.clone().expect("attributes");
    attributes
        .into_iter()
        .find(|a| a.name == "sub")
        .and_then(|a| a.value)
        .expect("a sub")
}

/// Counters by caller, of Twinpool's functions only: their roles begin with the stack's name.
async fn own<T: Clone>(stack: &Stack, pick: impl Fn(&Counters) -> &BTreeMap<String, T>) -> Vec<T> {
    let counters = stack.control.counters().await.expect("counters");
    let ours = pick(&counters)
        .iter()
        .filter(|(role, _)| role.starts_with(&stack.deployment.stack));
    ours.map(|(_, count)| count.clone()).collect()
}

/// Calls to Cognito made by Twinpool's functions, by operation.
async fn own_calls(stack: &Stack, operation: &str) -> u64 {
    own(stack, |counters| &counters.by_caller)
        .await
        .iter()
        .filter_map(|calls| calls.get(operation))
        .sum()
}

async fn made_billable_by_us(stack: &Stack) -> u64 {
    own(stack, |counters| &counters.became_active).await.iter().sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_signs_up_signs_in_edits_is_disabled_grouped_and_deleted_and_both_regions_follow() {
    let stack = Stack::start(Options {
        name: "life".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let pool = stack.pool(PoolKind::Username).clone();
    let cognito = &stack.cognito;

    let sign_up = cognito
        .sign_up()
        .client_id(&pool.client_id)
        .username("ann")
        .password(PASSWORD);
    let sign_up = sign_up
        .user_attributes(attribute("email", "ann@example.com"))
        .send()
        .await
        .expect("SignUp");
    let sub = sign_up.user_sub;
    // A record of SignUp names no sub, so only the trigger has told about the user: without the flag and the dates, which
    // the confirmation's record brings.
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let found = compare::compare(&stack, &[], MfaSettings::Skipped)
        .await
        .expect("a comparison");
    let differs: Vec<What> = found
        .differences
        .into_iter()
        .map(|difference| difference.what)
        .collect();
    assert_eq!(differs, [What::Enabled, What::Created, What::Modified]);

    let code = stack
        .control
        .code(&pool.id, &sub, "SignUp")
        .await
        .expect("a code was mailed");
    let confirm = cognito
        .confirm_sign_up()
        .client_id(&pool.client_id)
        .username("ann")
        .confirmation_code(code);
    confirm.send().await.expect("ConfirmSignUp");
    agrees(&stack, &[], "confirmation").await;

    let sign_in = cognito
        .initiate_auth()
        .client_id(&pool.client_id)
        .auth_flow(AuthFlowType::UserPasswordAuth);
    let sign_in = sign_in
        .auth_parameters("USERNAME", "ann")
        .auth_parameters("PASSWORD", PASSWORD);
    let tokens = sign_in
        .clone()
        .send()
        .await
        .expect("InitiateAuth")
        .authentication_result
        .expect("tokens");
    let token = tokens.access_token.expect("an access token");
    agrees(&stack, &[], "sign-in").await;

    let edit = cognito.update_user_attributes().access_token(&token);
    let edit = edit
        .user_attributes(attribute("custom:plan", "gold, \"quoted\"\nüñí"))
        .user_attributes(attribute("name", "Ann"));
    edit.send().await.expect("UpdateUserAttributes");
    agrees(&stack, &[], "an edit").await;

    let group = cognito
        .create_group()
        .user_pool_id(&pool.id)
        .group_name("staff")
        .precedence(0)
        .description("all, of us");
    group.send().await.expect("CreateGroup");
    let join = cognito
        .admin_add_user_to_group()
        .user_pool_id(&pool.id)
        .username("ann")
        .group_name("staff");
    join.send().await.expect("AdminAddUserToGroup");
    agrees(&stack, &[], "joining a group").await;

    cognito
        .admin_disable_user()
        .user_pool_id(&pool.id)
        .username("ann")
        .send()
        .await
        .expect("AdminDisableUser");
    agrees(&stack, &[], "being disabled").await;
    sign_in.send().await.expect_err("a disabled user cannot sign in");
    cognito
        .admin_enable_user()
        .user_pool_id(&pool.id)
        .username("ann")
        .send()
        .await
        .expect("AdminEnableUser");
    agrees(&stack, &[], "being enabled").await;

    cognito
        .delete_group()
        .user_pool_id(&pool.id)
        .group_name("staff")
        .send()
        .await
        .expect("DeleteGroup");
    agrees(&stack, &[], "the group's deletion").await;

    cognito
        .admin_delete_user()
        .user_pool_id(&pool.id)
        .username("ann")
        .send()
        .await
        .expect("AdminDeleteUser");
    let deleted = Deleted {
        pool: pool.id.clone(),
        sub,
        was_seen: true,
    };
    agrees(&stack, &[deleted], "the deletion").await;

    assert_eq!(made_billable_by_us(&stack).await, 0);
    assert_eq!(own_calls(&stack, "AdminGetUser").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn factors_are_read_only_for_users_who_were_active_anyway() {
    let stack = Stack::start(Options {
        name: "billing".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let pool = stack.pool(PoolKind::Username).clone();
    let cognito = &stack.cognito;
    for name in ["seen", "unseen"] {
        let create = cognito
            .admin_create_user()
            .user_pool_id(&pool.id)
            .username(name)
            .message_action(MessageActionType::Suppress);
        let create = create.user_attributes(attribute("email", &format!("{name}@example.com")));
        let create = create.user_attributes(attribute("phone_number", "+31600000000"));
        create
            .user_attributes(attribute("phone_number_verified", "true"))
            .send()
            .await
            .expect("AdminCreateUser");
        let password = cognito
            .admin_set_user_password()
            .user_pool_id(&pool.id)
            .username(name)
            .password(PASSWORD);
        password.permanent(true).send().await.expect("AdminSetUserPassword");
    }
    agrees(&stack, &[], "creating two users").await;
    let sms = || SmsMfaSettingsType::builder().enabled(true).preferred_mfa(false).build();

    // An administrator sets the factors of a user who has not signed in: reading them could bill the user, so they wait.
    let set = cognito
        .admin_set_user_mfa_preference()
        .user_pool_id(&pool.id)
        .username("unseen")
        .sms_mfa_settings(sms());
    set.send().await.expect("AdminSetUserMFAPreference");
    agrees(&stack, &[], "an administrator's MFA preference").await;
    assert_eq!(own_calls(&stack, "AdminGetUser").await, 0, "nobody signed in");

    // The same for a user who signed in: they are billed for this month anyway.
    let sign_in = cognito
        .initiate_auth()
        .client_id(&pool.client_id)
        .auth_flow(AuthFlowType::UserPasswordAuth);
    let sign_in = sign_in
        .auth_parameters("USERNAME", "seen")
        .auth_parameters("PASSWORD", PASSWORD)
        .send()
        .await;
    let token = sign_in
        .expect("InitiateAuth")
        .authentication_result
        .and_then(|r| r.access_token)
        .expect("a token");
    agrees(&stack, &[], "a sign-in").await;
    let set = cognito
        .set_user_mfa_preference()
        .access_token(token)
        .sms_mfa_settings(sms());
    set.send().await.expect("SetUserMFAPreference");
    agrees(&stack, &[], "a user's own MFA preference").await;
    assert_eq!(
        own_calls(&stack, "AdminGetUser").await,
        1,
        "one factor event of an active user"
    );

    let found = compare::compare(&stack, &[], MfaSettings::Compared)
        .await
        .expect("a comparison");
    assert_eq!((found.differences.as_slice(), found.factors_due), (&[][..], 1));
    assert_eq!(made_billable_by_us(&stack).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_trigger_borne_change_costs_no_call_and_a_burst_costs_few() {
    let stack = Stack::start(Options {
        name: "calls".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let mut lives = Lives::new(7);
    lives.run(&stack, 12, 150, 6).await.expect("lives");
    agrees(&stack, lives.deleted(), "150 changes").await;
    let calls = own(&stack, |counters| &counters.by_caller).await;
    let operations: BTreeSet<&str> = calls
        .iter()
        .flat_map(|calls| calls.keys().map(String::as_str))
        .collect();
    assert!(
        operations.contains("ListUsers"),
        "the counters tell the functions' calls apart: {operations:?}"
    );
    let allowed = [
        "AdminGetUser",
        "AdminListGroupsForUser",
        "GetGroup",
        "ListUserPoolClients",
        "ListUsers",
    ];
    assert!(
        operations.iter().all(|operation| allowed.contains(operation)),
        "{operations:?}"
    );
    assert_eq!(made_billable_by_us(&stack).await, 0);
}

/// What cannot be read, and what no configured pool answers for, is parked with its reason.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_handled_is_parked_with_its_reason() {
    let stack = Stack::start(Options {
        name: "parked".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let pool = stack.pool(PoolKind::Username).clone();
    let create = stack.cognito.admin_create_user().user_pool_id(&pool.id).username("bob");
    let create = create
        .message_action(MessageActionType::Suppress)
        .desired_delivery_mediums(DeliveryMediumType::Email);
    create
        .user_attributes(attribute("email", "bob@example.com"))
        .send()
        .await
        .expect("AdminCreateUser");
    agrees(&stack, &[], "creating a user").await;
    let sub = sub_of(&stack, &pool, "bob").await;
    let good = json!({
        "schema_version": 1, "id": "by-hand", "pool": {"id": pool.id}, "subject": {"user": sub}, "cause": "SomethingNew",
        "occurred_at": "2026-01-10T12:00:00.000Z", "seen_at": "2026-01-10T12:00:00.000Z"
    });
    let with = |member: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[member] = value;
        body.to_string()
    };
    assert_eq!(
        Change::parse(&good.to_string()).map(|c| (c.pool, matches!(c.subject, Subject::User(_)))),
        Ok((PoolRef::Id(pool.id.clone()), true))
    );
    let bodies = [
        ("zq7personal is not JSON".to_owned(), "unreadable"),
        ("{}".to_owned(), "unreadable"),
        (with("pool", json!({"id": "us-east-1_Elsewhere"})), "other_pool"),
        (with("subject", json!({"thing": "x"})), "unreadable"),
    ];
    for (body, _) in &bodies {
        let send = stack
            .sqs
            .send_message()
            .queue_url(&stack.deployment.queue_url)
            .message_body(body);
        send.send().await.expect("SendMessage");
    }
    stack.drained(DRAINED_WITHIN).await.expect("drained");
    let mut letters = stack.dead_letters().await.expect("dead letters");
    letters.sort_by(|a, b| a.body.cmp(&b.body));
    let mut expected = bodies.to_vec();
    expected.sort();
    let found: Vec<(String, &str)> = letters
        .iter()
        .map(|l| (l.body.clone(), l.reason.as_deref().unwrap_or("none")))
        .collect();
    assert_eq!(found, expected, "each body as it came, with its reason");

    // Redriven, what nobody can read is parked again with its reason; nothing is lost and nothing goes round for ever.
    stack.redrive().await.expect("redrive");
    stack.drained(DRAINED_WITHIN).await.expect("drained after the redrive");
    assert_eq!(stack.parked().await.expect("parked"), bodies.len() as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replicator_with_bad_settings_says_in_one_line_what_to_correct() {
    let stack = Stack::start(Options {
        name: "settings".into(),
        ..Options::default()
    })
    .await
    .expect("the stack starts");
    let pool = &stack.pools[0].id;
    let good = || {
        Function::new("replicator")
            .with("AWS_ENDPOINT_URL", stack.endpoint())
            .with("TWINPOOL_QUEUE_URL", &stack.deployment.queue_url)
            .with("TWINPOOL_DLQ_URL", &stack.deployment.dlq_url)
            .with("TWINPOOL_TABLE", &stack.deployment.table)
            .with("TWINPOOL_POOLS", pool)
    };
    good().start().await.ready().await.expect("good settings start");
    for (function, named) in [
        (good().without("TWINPOOL_QUEUE_URL"), "TWINPOOL_QUEUE_URL is not set"),
        (
            good().with("TWINPOOL_QUEUE_URL", "changes"),
            "TWINPOOL_QUEUE_URL is not a queue URL",
        ),
        (
            good().with("TWINPOOL_QUEUE_URL", format!("{}/111122223333/none", stack.endpoint())),
            "TWINPOOL_QUEUE_URL",
        ),
        (good().without("TWINPOOL_DLQ_URL"), "TWINPOOL_DLQ_URL is not set"),
        (
            good().with("TWINPOOL_TABLE", "no such table"),
            "TWINPOOL_TABLE is not the name",
        ),
        (
            good().with("TWINPOOL_TABLE", "elsewhere"),
            "the table in TWINPOOL_TABLE",
        ),
        (good().without("TWINPOOL_POOLS"), "TWINPOOL_POOLS is not set"),
        (good().with("TWINPOOL_POOLS", "EXAMPLE"), "TWINPOOL_POOLS has"),
        (
            good().with("TWINPOOL_POOLS", "us-east-1_Unknown0"),
            "pool us-east-1_Unknown0 of TWINPOOL_POOLS",
        ),
        (
            good().with("TWINPOOL_RETENTION_DAYS", "ten"),
            "TWINPOOL_RETENTION_DAYS is not a whole number",
        ),
        (good().without("AWS_REGION"), "AWS_REGION is not set"),
    ] {
        let host = function.start().await;
        let status = host.exited().await;
        assert_eq!(status.code(), Some(1), "{named}");
        let output = host.finish().await;
        let lines: Vec<&String> = output.stderr.iter().filter(|line| !line.is_empty()).collect();
        assert_eq!(lines.len(), 1, "{named}: {lines:?}");
        assert!(lines[0].contains(named), "{named}: {lines:?}");
    }
}
