//! The configuration snapshot over the wire: raw calls as Cognito gets them, and a whole pool captured from the local cloud.

use std::{collections::BTreeSet, sync::Arc};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_dynamodb::types::{AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType};
use serde_json::{Value, json};
use twinpool_reconciler::configuration::capture;
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader},
        table::Table,
    },
    error::{Error, ErrorKind},
    marks::Part,
    port::{Clock, RawPool},
    quota::{Category, Share},
    snapshot::{Content, POOL_LEVEL, diff::diff_config, reading::at},
    time::Timestamp,
};
use twinpool_tests::{
    scripted_http::{Script, ScriptedServer},
    stand_ins::{Cognito, localcloud, ministack, sdk_config, unique},
};

const RETENTION_SECONDS: i64 = 35 * 86_400;
const SECRET: &str = "s3cret-of-a-provider";
const IMAGE_BYTES: usize = 900_000;

async fn reader(endpoint: &str, attempts: u32) -> PoolReader {
    let governor = Governor::new(Share::new(100).expect("a share"), 1);
    for category in Category::ALL {
        governor.learn(category, 1_000.0);
    }
    let patience = Patience {
        attempts,
        millis: 20_000,
    };
    PoolReader::new(Client::new(&sdk_config(endpoint).await), governor, patience)
}

async fn call(reader: &PoolReader, operation: &str, input: Value) -> Result<Value, Error> {
    RawPool::call(reader, operation, input).await
}

#[tokio::test]
async fn an_operation_that_the_sdk_does_not_know_is_sent_signed_and_answered_raw() {
    let answer = r#"{"UserSessionTracking":"ENABLED","New":{"of":[1,18446744073709551615,1795392000.123,null]}}"#;
    let server = ScriptedServer::start(Script::json(200, answer)).await;
    let reader = reader(server.endpoint(), 1).await;
    let input = json!({"UserPoolId": "us-east-1_a", "Newer": {"é": ["x", 2]}});
    let answered = call(&reader, "GetUserPoolSessionConfiguration", input.clone())
        .await
        .expect("an answer");
    assert_eq!(
        answered.to_string(),
        serde_json::from_str::<Value>(answer).expect("JSON").to_string()
    );
    let received = server.take_received();
    assert_eq!(received.len(), 1);
    assert_eq!(
        received[0].target,
        "AWSCognitoIdentityProviderService.GetUserPoolSessionConfiguration"
    );
    assert!(received[0].signed);
    assert_eq!(serde_json::from_slice::<Value>(&received[0].body).expect("JSON"), input);
}

#[tokio::test]
async fn an_answer_of_megabytes_arrives_whole() {
    let image = "A".repeat(3_000_000);
    let answer = json!({"ManagedLoginBranding": {"Assets": [{"Bytes": image}]}});
    let server = ScriptedServer::start(Script::json(200, answer.to_string())).await;
    let reader = reader(server.endpoint(), 1).await;
    let input = json!({"UserPoolId": "us-east-1_a", "ClientId": "c"});
    let answered = call(&reader, "DescribeManagedLoginBrandingByClient", input).await;
    assert!(answered == Ok(answer));
}

#[tokio::test]
async fn errors_of_every_operation_keep_their_code_and_lose_their_message() {
    let server = ScriptedServer::start(Script::Close).await;
    let reader = reader(server.endpoint(), 1).await;
    for (script, kind, ends_in) in [
        (
            Script::error(400, "AccessDeniedException"),
            ErrorKind::Denied,
            "AccessDeniedException",
        ),
        (
            Script::error(400, "ResourceNotFoundException"),
            ErrorKind::NotFound,
            "ResourceNotFoundException",
        ),
        (
            Script::error(400, "UserPoolAddOnNotEnabledException"),
            ErrorKind::Rejected,
            "UserPoolAddOnNotEnabledException",
        ),
        (
            Script::error(400, "UnknownOperationException"),
            ErrorKind::Rejected,
            "UnknownOperationException",
        ),
        (
            Script::error(400, "TooManyRequestsException"),
            ErrorKind::Throttled,
            "TooManyRequestsException",
        ),
        (
            Script::error(500, "InternalErrorException"),
            ErrorKind::Unavailable,
            "InternalErrorException",
        ),
        (
            Script::json(200, "<html>"),
            ErrorKind::Unavailable,
            "an answer that is none",
        ),
        (Script::Close, ErrorKind::Unavailable, "no connection or no answer"),
    ] {
        server.play(script);
        let error = call(&reader, "DescribeRiskConfiguration", json!({"UserPoolId": "p"})).await;
        let error = error.expect_err("refused");
        assert_eq!(error.kind, kind, "{error}");
        assert!(error.what.ends_with(ends_in), "{error}");
        assert!(error.what.contains("cognito-idp:DescribeRiskConfiguration"), "{error}");
        assert!(
            !error.to_string().contains("scripted"),
            "AWS's message is dropped: {error}"
        );
    }
    server.take_received();
    let error = call(&reader, "InventedByNobody", json!({})).await.expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert!(
        server.take_received().is_empty(),
        "what counts in no known quota is not sent"
    );
}

#[tokio::test]
async fn every_attempt_is_admitted_and_signed_anew() {
    let server = ScriptedServer::start(Script::error(400, "TooManyRequestsException")).await;
    let reader = reader(server.endpoint(), 2).await;
    let error = call(&reader, "ListTerms", json!({"UserPoolId": "p"}))
        .await
        .expect_err("refused");
    assert_eq!(error.kind, ErrorKind::Throttled);
    let received = server.take_received();
    assert_eq!(received.len(), 2);
    assert!(
        received
            .iter()
            .all(|request| request.signed && request.target.ends_with(".ListTerms"))
    );
    assert_eq!(received[0].body, received[1].body);
}

/// A pool with some of everything, in the local cloud.
struct Everything {
    cognito: Cognito,
    pool: String,
    client: String,
    domain: String,
}

impl Everything {
    async fn create(endpoint: &str) -> Self {
        let cognito = Cognito::new(endpoint);
        let created = json!({"PoolName": unique("configuration"), "UserPoolTier": "PLUS",
            "UserPoolAddOns": {"AdvancedSecurityMode": "AUDIT"}, "UserPoolTags": {"team": "login"}});
        let created = cognito.must("CreateUserPool", created).await;
        let pool = created["UserPool"]["Id"].as_str().expect("an id").to_owned();
        let of_pool = |more: Value| {
            let mut input = json!({"UserPoolId": pool});
            let members = more.as_object().cloned().unwrap_or_default();
            input.as_object_mut().expect("an object").extend(members);
            input
        };
        let client = of_pool(json!({"ClientName": "app", "GenerateSecret": true}));
        let client = cognito.must("CreateUserPoolClient", client).await;
        let client = client["UserPoolClient"]["ClientId"].as_str().expect("an id").to_owned();
        let domain = unique("login");
        let asset = json!({"Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG", "Bytes": "A".repeat(IMAGE_BYTES)});
        for (operation, input) in [
            (
                "CreateUserPoolDomain",
                json!({"Domain": domain, "ManagedLoginVersion": 2}),
            ),
            (
                "CreateManagedLoginBranding",
                json!({"ClientId": client, "Settings": {"a": [1]}, "Assets": [asset]}),
            ),
            (
                "CreateTerms",
                json!({"ClientId": client, "TermsName": "terms-of-use", "TermsSource": "LINK",
                "Enforcement": "NONE", "Links": {"cognito:default": "https://example.com"}}),
            ),
            (
                "CreateIdentityProvider",
                json!({"ProviderName": "Google", "ProviderType": "Google", "ProviderDetails":
                {"client_id": "1", "client_secret": SECRET, "authorize_scopes": "email"}}),
            ),
            (
                "CreateResourceServer",
                json!({"Identifier": "https://api/#1", "Name": "api",
                "Scopes": [{"ScopeName": "read", "ScopeDescription": "r"}]}),
            ),
            (
                "SetUserPoolSessionConfiguration",
                json!({"UserSessionTracking": "ENABLED", "TokenSession": {"MaxPerUser": 5}}),
            ),
            (
                "SetUserPoolClientSessionConfiguration",
                json!({"ClientId": client, "SSOSession": {"MaxValidityMinutes": 90}}),
            ),
            (
                "SetRiskConfiguration",
                json!({"ClientId": client, "RiskExceptionConfiguration": {"BlockedIPRangeList": ["10.0.0.0/8"]}}),
            ),
            (
                "SetLogDeliveryConfiguration",
                json!({"LogConfigurations": [{"LogLevel": "ERROR", "EventSource": "userNotification",
                "CloudWatchLogsConfiguration": {"LogGroupArn": "arn:aws:logs:us-east-1:000000000000:log-group:x"}}]}),
            ),
        ] {
            cognito.must(operation, of_pool(input)).await;
        }
        Self {
            cognito,
            pool,
            client,
            domain,
        }
    }
}

async fn table() -> Table {
    let client = aws_sdk_dynamodb::Client::new(&sdk_config(&ministack().await).await);
    let name = unique("configuration");
    let mut request = client
        .create_table()
        .table_name(&name)
        .billing_mode(BillingMode::PayPerRequest);
    for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        let definition = AttributeDefinition::builder()
            .attribute_name(attribute)
            .attribute_type(ScalarAttributeType::S);
        let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
        request = request
            .attribute_definitions(definition.build().expect("a definition"))
            .key_schema(key.build().expect("a key"));
    }
    request.send().await.expect("the table is created");
    Table::new(client, &name)
}

fn day(day: i64) -> Timestamp {
    Timestamp::from_millis(1_795_392_000_000 + day * 86_400_000)
}

fn clock(at_day: i64) -> Clock {
    Arc::new(move || day(at_day))
}

#[tokio::test]
async fn a_whole_pool_is_captured_once_and_its_changes_are_found() {
    let cloud = localcloud(&json!({"quotas": {"enabled": false}}), None).await;
    let everything = Everything::create(cloud.endpoint()).await;
    let (pool, client) = (everything.pool.as_str(), everything.client.as_str());
    let reader = reader(cloud.endpoint(), 3).await;
    let table = table().await;

    let first = capture(&reader, &table, &clock(0), pool, RETENTION_SECONDS)
        .await
        .expect("a capture");
    assert!(first.incomplete.is_empty(), "{:?}", first.incomplete);
    let written: BTreeSet<Part> = first.written.keys().copied().collect();
    let unset = [Part::Users, Part::UiCustomization, Part::Replicas];
    for part in Part::ALL.into_iter().filter(|part| !unset.contains(part)) {
        assert!(written.contains(&part), "{part:?} was not captured: {first:?}");
    }
    let second = capture(&reader, &table, &clock(1), pool, RETENTION_SECONDS)
        .await
        .expect("a capture");
    assert!(second.written.is_empty(), "{:?}", second.written);

    let seen = at(&table, pool, day(1)).await.expect("readable");
    for (part, name, operation, member, input) in [
        (
            Part::Branding,
            client,
            "DescribeManagedLoginBrandingByClient",
            Some("ManagedLoginBranding"),
            json!({"ClientId": client}),
        ),
        (
            Part::Clients,
            client,
            "DescribeUserPoolClient",
            Some("UserPoolClient"),
            json!({"ClientId": client}),
        ),
        (
            Part::Risk,
            client,
            "DescribeRiskConfiguration",
            Some("RiskConfiguration"),
            json!({"ClientId": client}),
        ),
        (
            Part::Sessions,
            client,
            "GetUserPoolClientSessionConfiguration",
            None,
            json!({"ClientId": client}),
        ),
        (
            Part::IdentityProviders,
            "Google",
            "DescribeIdentityProvider",
            Some("IdentityProvider"),
            json!({"ProviderName": "Google"}),
        ),
        (
            Part::ResourceServers,
            "https://api/#1",
            "DescribeResourceServer",
            Some("ResourceServer"),
            json!({"Identifier": "https://api/#1"}),
        ),
        (Part::Mfa, POOL_LEVEL, "GetUserPoolMfaConfig", None, json!({})),
    ] {
        let mut input = input;
        input["UserPoolId"] = json!(pool);
        let answer = everything.cognito.must(operation, input).await;
        let expected = member.map_or_else(|| answer.clone(), |member| answer[member].clone());
        let held = seen.members.get(&(part, name.to_owned()));
        let Some(Content::Json(json)) = held.map(|held| &held.content) else {
            panic!("{part:?} {name} is not there");
        };
        assert!(*json.expose() == expected, "{part:?} {name} differs from the wire");
    }
    assert!(seen.members.contains_key(&(Part::Domain, everything.domain.clone())));

    let input = json!({"UserPoolId": pool, "Identifier": "https://api/#1"});
    everything.cognito.must("DeleteResourceServer", input).await;
    let details = json!({"client_id": "1", "client_secret": "another", "authorize_scopes": "email"});
    let input = json!({"UserPoolId": pool, "ProviderName": "Google", "ProviderDetails": details});
    everything.cognito.must("UpdateIdentityProvider", input).await;
    let third = capture(&reader, &table, &clock(2), pool, RETENTION_SECONDS)
        .await
        .expect("a capture");
    assert_eq!(
        third.written.into_iter().collect::<Vec<_>>(),
        [(Part::IdentityProviders, 1), (Part::ResourceServers, 1)]
    );
    let now = at(&table, pool, day(2)).await.expect("readable");
    let found = diff_config(&seen.tree(), &now.tree());
    let paths: Vec<&str> = found.iter().map(|difference| difference.path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "identity-providers/Google/ProviderDetails/client_secret",
            "resource-servers/https://api/#1"
        ]
    );
    let shown = found[0].before.as_ref().map(|json| json.expose().to_string());
    assert!(shown.is_some_and(|shown| !shown.contains(SECRET)));
}
