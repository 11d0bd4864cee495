//! The real trigger functions behind a user pool that is not ours: cognito-local fires, our binaries answer.
//!
//! Invariant: the pool gets every event back as it gave it, byte for byte, and the user's flow succeeds.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use aws_sdk_sqs::Client;
use serde_json::{Value, json};
use twinpool_shared::change::{Change, PoolRef, Subject};
use twinpool_tests::{
    runtime_host::{Function, Outcome},
    stand_ins::{CODE, Cognito, CognitoLocal, Functions, ministack, sdk_config, unique},
};

/// Longer than the delay of an announced change.
const ARRIVES_WITHIN: Duration = Duration::from_secs(30);

#[tokio::test]
async fn what_cognito_local_fires_reaches_the_queue() {
    let endpoint = ministack().await;
    let sqs = Client::new(&sdk_config(&endpoint).await);
    let url = sqs
        .create_queue()
        .queue_name(unique("changes"))
        .send()
        .await
        .expect("a queue");
    let url = url.queue_url.expect("a URL");
    let mut hosts = BTreeMap::new();
    for name in ["post-confirmation", "post-authentication", "custom-message"] {
        let function = Function::new(name)
            .with("TWINPOOL_QUEUE_URL", &url)
            .with("AWS_ENDPOINT_URL", &endpoint);
        hosts.insert(name.to_owned(), function.start().await);
    }
    let hosts = Arc::new(hosts);
    let functions = Functions::answering(move |name, event| {
        let hosts = hosts.clone();
        async move {
            match hosts[&name].invoke(event.clone()).await.outcome {
                Outcome::Response(answer) if answer == event => Ok(answer),
                other => Err(format!(r#"{{"errorMessage": "not the event: {other:?}"}}"#).into()),
            }
        }
    })
    .await;
    let pool = CognitoLocal::start(&functions).await;
    let cognito = Cognito::new(pool.endpoint());
    let users = flow(&cognito).await;
    assert_eq!(
        functions.take().len(),
        users.expected.len(),
        "each trigger was fired once"
    );

    let mut changes = Vec::new();
    let begun = Instant::now();
    while changes.len() < users.expected.len() && begun.elapsed() < ARRIVES_WITHIN {
        let received = sqs
            .receive_message()
            .queue_url(&url)
            .max_number_of_messages(10)
            .wait_time_seconds(1)
            .send()
            .await;
        for message in received.expect("the queue answers").messages.unwrap_or_default() {
            let receipt = message.receipt_handle.expect("a receipt");
            sqs.delete_message()
                .queue_url(&url)
                .receipt_handle(receipt)
                .send()
                .await
                .expect("it is deleted");
            changes.push(Change::parse(&message.body.expect("a body")).expect("a change"));
        }
    }
    for (cause, subject, email) in &users.expected {
        let matching = |change: &&Change| change.cause == *cause && change.subject == *subject;
        let change = changes
            .iter()
            .find(matching)
            .unwrap_or_else(|| panic!("no change for {cause}"));
        assert_eq!(change.pool, PoolRef::Id(users.pool.clone()), "{cause}");
        let carried = change
            .profile
            .as_ref()
            .and_then(|profile| profile.attributes.values.get("email"));
        assert_eq!(carried.map(|email| email.expose()), *email, "{cause}");
    }
    assert_eq!(changes.len(), users.expected.len());
}

struct Users {
    pool: String,
    /// Cause, subject, and the address that the change carries.
    expected: Vec<(&'static str, Subject, Option<&'static str>)>,
}

/// A user signs up, signs in, forgets the password and moves; an administrator creates another.
async fn flow(cognito: &Cognito) -> Users {
    let created = cognito
        .must(
            "CreateUserPool",
            json!({"PoolName": "p", "AutoVerifiedAttributes": ["email"]}),
        )
        .await;
    let pool = text(&created["UserPool"]["Id"]);
    let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
    let input = json!({"UserPoolId": pool, "ClientName": "app", "ExplicitAuthFlows": flows});
    let client = text(&cognito.must("CreateUserPoolClient", input).await["UserPoolClient"]["ClientId"]);
    let (old, new) = ("ann@example.com", "ann@new.example");
    let (first, second) = ("Perman3nt-1!", "Perman3nt-2!");
    let as_ann = |more: Value| {
        let mut input = json!({"ClientId": client, "Username": "ann"});
        for (name, value) in more.as_object().expect("members") {
            input[name] = value.clone();
        }
        input
    };
    let email = |value: &str| json!([{"Name": "email", "Value": value}]);
    let signed_up = cognito
        .must(
            "SignUp",
            as_ann(json!({"Password": first, "UserAttributes": email(old)})),
        )
        .await;
    cognito
        .must("ConfirmSignUp", as_ann(json!({"ConfirmationCode": CODE})))
        .await;
    cognito.must("ForgotPassword", as_ann(json!({}))).await;
    cognito
        .must(
            "ConfirmForgotPassword",
            as_ann(json!({"ConfirmationCode": CODE, "Password": second})),
        )
        .await;
    let parameters = json!({"USERNAME": "ann", "PASSWORD": second});
    let input = json!({"ClientId": client, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters});
    let signed_in = cognito.must("InitiateAuth", input).await;
    let token = text(&signed_in["AuthenticationResult"]["AccessToken"]);
    cognito
        .must(
            "UpdateUserAttributes",
            json!({"AccessToken": token, "UserAttributes": email(new)}),
        )
        .await;
    let input = json!({"AccessToken": token, "AttributeName": "email"});
    cognito.must("GetUserAttributeVerificationCode", input).await;
    let input = json!({
        "UserPoolId": pool, "Username": "bob", "DesiredDeliveryMediums": ["EMAIL"], "UserAttributes": email("bob@example.com"),
    });
    let admin_created = cognito.must("AdminCreateUser", input).await;
    let attributes = admin_created["User"]["Attributes"].as_array().expect("attributes");
    let bob = attributes
        .iter()
        .find(|attribute| attribute["Name"] == "sub")
        .map(|sub| text(&sub["Value"]));
    let subject = |sub: String| Subject::User(twinpool_shared::personal::Sub::new(&sub).expect("a sub"));
    let (ann, bob) = (subject(text(&signed_up["UserSub"])), subject(bob.expect("a sub")));
    Users {
        pool,
        expected: vec![
            ("CustomMessage_SignUp", ann.clone(), Some(old)),
            ("PostConfirmation_ConfirmSignUp", ann.clone(), Some(old)),
            ("CustomMessage_ForgotPassword", ann.clone(), Some(old)),
            ("PostConfirmation_ConfirmForgotPassword", ann.clone(), Some(old)),
            ("PostAuthentication_Authentication", ann.clone(), Some(old)),
            // Only announced: what they carry may not be in force yet.
            ("CustomMessage_UpdateUserAttribute", ann.clone(), None),
            ("CustomMessage_VerifyUserAttribute", ann, None),
            ("CustomMessage_AdminCreateUser", bob, Some("bob@example.com")),
        ],
    }
}

fn text(value: &Value) -> String {
    value.as_str().expect("text").to_owned()
}
