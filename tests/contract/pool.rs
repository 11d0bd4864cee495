//! The contract of [`PoolReader`]: what it reads of users, groups, clients and factors is what the pool holds, page by page.
//!
//! Invariant: every stand-in is asked the same questions; only what it cannot be asked at all is left to the local cloud.

mod walk;

use std::collections::BTreeMap;

use aws_sdk_cognitoidentityprovider::Client;
use serde_json::{Value, json};
use twinpool_localcloud::gateway::config::Config;
use twinpool_shared::{
    adapter::{
        governor::Governor,
        pool::{Patience, PoolReader},
    },
    error::ErrorKind,
    observation::UserRead,
    personal::{Personal, Sub},
    port::ReadPool,
    quota::Share,
};
use twinpool_tests::stand_ins::{Cognito, localcloud, ministack, moto, sdk_config, unique};

const PASSWORD: &str = "Correct-Horse-7";

#[tokio::test]
async fn over_localcloud() {
    let cloud = localcloud(&json!({"quotas": {"enabled": false}}), None).await;
    let bench = Bench::new(cloud.endpoint()).await;
    suite(&bench).await;
    a_user_to_reset_has_that_status(&bench).await;
    precedence_zero_is_kept(&bench).await;
    what_a_group_does_not_have_is_absent(&bench).await;
    a_federated_user_has_identities(&bench).await;
    factors_are_read(&bench).await;
    walk::the_estimate_is_told(&bench).await;
}

#[tokio::test]
async fn over_moto() {
    let bench = Bench::new(&moto().await).await;
    suite(&bench).await;
    a_user_to_reset_has_that_status(&bench).await;
    precedence_zero_is_kept(&bench).await;
    factors_are_read(&bench).await;
}

#[tokio::test]
async fn over_ministack() {
    let bench = Bench::new(&ministack().await).await;
    suite(&bench).await;
    a_user_to_reset_has_that_status(&bench).await;
    precedence_zero_is_kept(&bench).await;
}

/// Only the local cloud answers on request as Cognito does under load.
#[tokio::test]
async fn empty_pages_and_throttles_of_the_local_cloud() {
    let empty = json!([{"service": "cognito", "operation": "ListUsers", "count": 3, "kind": "empty_page"}]);
    let cloud = localcloud(&json!({"faults": empty}), None).await;
    let once = Patience {
        attempts: 1,
        ..Patience::REPLICATOR
    };
    let bench = Bench::patient(cloud.endpoint(), once).await;
    let pool = bench.pool().await;
    let sub = bench.create(&pool, "ann", &[("email", "ann@example.com")]).await;
    let ann = Personal::new("ann");
    let found = bench.reader.find_user(&pool, &sub).await;
    let found = found.expect("an empty page is not the end");
    assert_eq!(found.map(|user| user.attributes.username), Some(ann.clone()));

    let failing = json!({"faults": [
        {"service": "cognito", "operation": "ListUsers", "count": 1, "kind": "throttle"},
        {"service": "cognito", "operation": "AdminListGroupsForUser", "count": 1, "kind": "throttle"},
        {"service": "cognito", "operation": "AdminGetUser", "count": 1, "kind": "http500"},
        {"service": "cognito", "operation": "ListUserPoolClients", "count": 1, "kind": "drop_connection"},
    ]});
    cloud
        .gateway()
        .configure(Config::parse(failing.to_string().as_bytes()).expect("a configuration"));
    let reader = &bench.reader;
    for (what, answer, kind) in [
        (
            "users",
            reader.find_user(&pool, &sub).await.map(drop),
            ErrorKind::Throttled,
        ),
        (
            "groups",
            reader.groups_of(&pool, &ann).await.map(drop),
            ErrorKind::Throttled,
        ),
        (
            "factors",
            reader.factors_of(&pool, &ann).await.map(drop),
            ErrorKind::Unavailable,
        ),
        (
            "clients",
            reader.clients_of(&pool).await.map(drop),
            ErrorKind::Unavailable,
        ),
    ] {
        assert_eq!(answer.map_err(|error| error.kind), Err(kind), "{what}");
    }
    assert!(
        reader
            .find_user(&pool, &sub)
            .await
            .expect("all is well again")
            .is_some()
    );

    let failing = json!({"faults": [{"service": "cognito", "operation": "ListUsers", "count": 2, "kind": "throttle"}]});
    cloud
        .gateway()
        .configure(Config::parse(failing.to_string().as_bytes()).expect("a configuration"));
    let patient = Bench::new(cloud.endpoint()).await;
    patient.found(&pool, &sub).await;
    assert_eq!(
        patient.governor.calls().get("ListUsers"),
        Some(&3),
        "two attempts were refused"
    );
}

async fn suite(bench: &Bench) {
    a_user_is_found_exactly_or_not_at_all(bench).await;
    each_status_is_told(bench).await;
    a_disabled_user_is_told_apart(bench).await;
    groups_are_followed_over_pages(bench).await;
    a_group_has_its_settings_or_is_not_there(bench).await;
    clients_are_followed_over_pages(bench).await;
    a_missing_pool_is_named(bench).await;
    walk::everyone_and_every_group_is_met_once(bench).await;
    walk::what_is_empty_or_missing_is_told_apart(bench).await;
}

struct Bench {
    cognito: Cognito,
    governor: Governor,
    reader: PoolReader,
}

impl Bench {
    async fn new(endpoint: &str) -> Self {
        Self::patient(endpoint, Patience::REPLICATOR).await
    }

    /// At a full share: a test has the stand-in to itself.
    async fn patient(endpoint: &str, patience: Patience) -> Self {
        let governor = Governor::new(Share::new(100).expect("a share"), 1);
        let client = Client::new(&sdk_config(endpoint).await);
        Self {
            cognito: Cognito::new(endpoint),
            reader: PoolReader::new(client, governor.clone(), patience),
            governor,
        }
    }

    async fn pool(&self) -> String {
        let schema = json!([{"Name": "plan", "AttributeDataType": "String", "Mutable": true}]);
        let input = json!({"PoolName": unique("contract"), "Schema": schema, "AutoVerifiedAttributes": ["email"]});
        let created = self.cognito.must("CreateUserPool", input).await;
        created["UserPool"]["Id"].as_str().expect("an id").to_owned()
    }

    async fn client(&self, pool: &str, name: &str) -> String {
        let flows = ["ALLOW_USER_PASSWORD_AUTH", "ALLOW_REFRESH_TOKEN_AUTH"];
        let input = json!({"UserPoolId": pool, "ClientName": name, "ExplicitAuthFlows": flows});
        let created = self.cognito.must("CreateUserPoolClient", input).await;
        created["UserPoolClient"]["ClientId"]
            .as_str()
            .expect("an id")
            .to_owned()
    }

    async fn create(&self, pool: &str, username: &str, attributes: &[(&str, &str)]) -> Sub {
        let attributes = listed(attributes);
        let input = json!({"UserPoolId": pool, "Username": username, "UserAttributes": attributes, "MessageAction": "SUPPRESS"});
        let created = self.cognito.must("AdminCreateUser", input).await;
        let attributes = created["User"]["Attributes"].as_array().expect("attributes");
        let sub = attributes
            .iter()
            .find(|attribute| attribute["Name"] == "sub")
            .and_then(|sub| sub["Value"].as_str());
        Sub::new(sub.expect("a sub")).expect("a sub")
    }

    async fn group(&self, pool: &str, name: &str, settings: Value) {
        let mut input = settings;
        input["UserPoolId"] = json!(pool);
        input["GroupName"] = json!(name);
        self.cognito.must("CreateGroup", input).await;
    }

    async fn admin(&self, operation: &str, pool: &str, username: &str, more: &[(&str, Value)]) {
        let mut input = json!({"UserPoolId": pool, "Username": username});
        for (name, value) in more {
            input[*name] = value.clone();
        }
        self.cognito.must(operation, input).await;
    }

    async fn found(&self, pool: &str, sub: &Sub) -> UserRead {
        let found = self.reader.find_user(pool, sub).await.expect("the pool answers");
        found.expect("the user is there")
    }
}

fn listed(attributes: &[(&str, &str)]) -> Vec<Value> {
    attributes
        .iter()
        .map(|(name, value)| json!({"Name": name, "Value": value}))
        .collect()
}

async fn a_user_is_found_exactly_or_not_at_all(bench: &Bench) {
    let pool = bench.pool().await;
    let attributes = [
        ("email", "zoe+1@example.com"),
        ("email_verified", "true"),
        ("name", "Zoë \"Z\" 🦀"),
        ("custom:plan", "gold"),
    ];
    let sub = bench.create(&pool, "zoe", &attributes).await;
    bench.create(&pool, "other", &[("email", "other@example.com")]).await;
    let read = bench.found(&pool, &sub).await;
    let values: BTreeMap<String, Personal> = attributes
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Personal::new(*value)))
        .collect();
    let exposed = |values: &BTreeMap<String, Personal>| -> BTreeMap<String, String> {
        values
            .iter()
            .map(|(name, value)| (name.clone(), value.expose().to_owned()))
            .collect()
    };
    assert_eq!(exposed(&read.attributes.values), exposed(&values));
    assert_eq!(read.attributes.username.expose(), "zoe");
    assert!(read.account.enabled);
    assert!(read.account.modified >= read.account.created);
    assert!(
        read.account.created.as_seconds() > 1_700_000_000,
        "it is an instant in seconds, not in milliseconds"
    );

    let nobody = Sub::new("00000000-0000-0000-0000-000000000000").expect("a sub");
    assert_eq!(bench.reader.find_user(&pool, &nobody).await, Ok(None));
    bench.admin("AdminDeleteUser", &pool, "zoe", &[]).await;
    assert_eq!(bench.reader.find_user(&pool, &sub).await, Ok(None));
    let gone = Personal::new("zoe");
    assert_eq!(bench.reader.groups_of(&pool, &gone).await, Ok(None));
    assert_eq!(bench.reader.factors_of(&pool, &gone).await, Ok(None));
}

async fn each_status_is_told(bench: &Bench) {
    let pool = bench.pool().await;
    let client = bench.client(&pool, "app").await;
    let sub = bench.create(&pool, "ann", &[("email", "ann@example.com")]).await;
    assert_eq!(bench.found(&pool, &sub).await.status, "FORCE_CHANGE_PASSWORD");
    bench
        .admin(
            "AdminSetUserPassword",
            &pool,
            "ann",
            &[("Password", json!(PASSWORD)), ("Permanent", json!(true))],
        )
        .await;
    assert_eq!(bench.found(&pool, &sub).await.status, "CONFIRMED");
    let email = listed(&[("email", "bob@example.com")]);
    let input = json!({"ClientId": client, "Username": "bob", "Password": PASSWORD, "UserAttributes": email});
    let signed_up = bench.cognito.must("SignUp", input).await;
    let bob = Sub::new(signed_up["UserSub"].as_str().expect("a sub")).expect("a sub");
    assert_eq!(bench.found(&pool, &bob).await.status, "UNCONFIRMED");
    bench.admin("AdminConfirmSignUp", &pool, "bob", &[]).await;
    assert_eq!(bench.found(&pool, &bob).await.status, "CONFIRMED");
}

async fn a_user_to_reset_has_that_status(bench: &Bench) {
    let pool = bench.pool().await;
    let sub = bench
        .create(
            &pool,
            "ann",
            &[("email", "ann@example.com"), ("email_verified", "true")],
        )
        .await;
    bench
        .admin(
            "AdminSetUserPassword",
            &pool,
            "ann",
            &[("Password", json!(PASSWORD)), ("Permanent", json!(true))],
        )
        .await;
    bench.admin("AdminResetUserPassword", &pool, "ann", &[]).await;
    assert_eq!(bench.found(&pool, &sub).await.status, "RESET_REQUIRED");
}

async fn a_disabled_user_is_told_apart(bench: &Bench) {
    let pool = bench.pool().await;
    let sub = bench.create(&pool, "ann", &[]).await;
    for (operation, enabled) in [("AdminDisableUser", false), ("AdminEnableUser", true)] {
        bench.admin(operation, &pool, "ann", &[]).await;
        assert_eq!(bench.found(&pool, &sub).await.account.enabled, enabled, "{operation}");
    }
}

async fn groups_are_followed_over_pages(bench: &Bench) {
    let pool = bench.pool().await;
    let ann = Personal::new("ann");
    bench.create(&pool, "ann", &[]).await;
    assert_eq!(
        bench
            .reader
            .groups_of(&pool, &ann)
            .await
            .expect("it is read")
            .map(|groups| groups.len()),
        Some(0)
    );
    for n in 0..100 {
        let name = format!("group-{n:03}");
        bench
            .cognito
            .must("CreateGroup", json!({"UserPoolId": pool, "GroupName": name}))
            .await;
        bench
            .admin("AdminAddUserToGroup", &pool, "ann", &[("GroupName", json!(name))])
            .await;
    }
    let groups = bench
        .reader
        .groups_of(&pool, &ann)
        .await
        .expect("it is read")
        .expect("the user is there");
    assert_eq!(groups, (0..100).map(|n| format!("group-{n:03}")).collect());
    bench
        .admin(
            "AdminRemoveUserFromGroup",
            &pool,
            "ann",
            &[("GroupName", json!("group-042"))],
        )
        .await;
    let groups = bench
        .reader
        .groups_of(&pool, &ann)
        .await
        .expect("it is read")
        .expect("the user is there");
    assert_eq!((groups.len(), groups.contains("group-042")), (99, false));
}

async fn a_group_has_its_settings_or_is_not_there(bench: &Bench) {
    let pool = bench.pool().await;
    assert_eq!(bench.reader.group(&pool, "staff").await, Ok(None));
    let role = "arn:aws:iam::111122223333:role/staff";
    let settings = json!({"Description": "Größe L", "Precedence": 7, "RoleArn": role});
    bench.group(&pool, "staff", settings).await;
    let staff = bench.reader.group(&pool, "staff").await.expect("it is read");
    let staff = staff.expect("it is there");
    assert_eq!(staff.description.as_deref(), Some("Größe L"));
    assert_eq!((staff.precedence, staff.role_arn.as_deref()), (Some(7), Some(role)));
    assert!(staff.modified >= staff.created);
    let input = json!({"UserPoolId": pool, "GroupName": "staff"});
    bench.cognito.must("DeleteGroup", input).await;
    assert_eq!(bench.reader.group(&pool, "staff").await, Ok(None));
}

/// Not over the others: they show empty text, and MiniStack 0, where nothing was set.
async fn what_a_group_does_not_have_is_absent(bench: &Bench) {
    let pool = bench.pool().await;
    bench.group(&pool, "bare", json!({})).await;
    let bare = bench.reader.group(&pool, "bare").await.expect("it is read");
    let bare = bare.expect("it is there");
    assert_eq!((bare.description, bare.precedence, bare.role_arn), (None, None, None));
}

async fn precedence_zero_is_kept(bench: &Bench) {
    let pool = bench.pool().await;
    bench
        .cognito
        .must(
            "CreateGroup",
            json!({"UserPoolId": pool, "GroupName": "first", "Precedence": 0}),
        )
        .await;
    let first = bench
        .reader
        .group(&pool, "first")
        .await
        .expect("it is read")
        .expect("it is there");
    assert_eq!(first.precedence, Some(0));
}

async fn clients_are_followed_over_pages(bench: &Bench) {
    let pool = bench.pool().await;
    let mut created = Vec::new();
    for n in 0..70 {
        created.push(bench.client(&pool, &format!("app-{n}")).await);
    }
    let mut listed = bench.reader.clients_of(&pool).await.expect("they are read");
    created.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, created);
    let empty = bench.pool().await;
    assert_eq!(bench.reader.clients_of(&empty).await, Ok(vec![]));
}

async fn a_missing_pool_is_named(bench: &Bench) {
    let (pool, sub) = ("us-east-1_Missing00", Sub::new("3c9a1b2d-0051").expect("a sub"));
    let errors = [
        bench.reader.find_user(pool, &sub).await.map(drop),
        bench.reader.clients_of(pool).await.map(drop),
        bench.reader.groups_of(pool, &Personal::new("ann")).await.map(drop),
        bench.reader.factors_of(pool, &Personal::new("ann")).await.map(drop),
    ];
    for error in errors {
        let error = error.expect_err("there is no such pool");
        assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
    }
    // Documented: GetGroup says the same for a pool and for a group that is missing.
    assert_eq!(bench.reader.group(pool, "staff").await, Ok(None));
}

async fn a_federated_user_has_identities(bench: &Bench) {
    let pool = bench.pool().await;
    let client = bench.client(&pool, "app").await;
    let input = json!({
        "UserPoolId": pool, "ClientId": client, "ProviderName": "Corp", "ProviderUserId": "u-1",
        "Attributes": {"email": "fed@example.com"},
    });
    bench.cognito.must("LocalcloudFederatedSignIn", input).await;
    let users = bench.cognito.must("ListUsers", json!({"UserPoolId": pool})).await;
    let attributes = users["Users"][0]["Attributes"].as_array().expect("attributes").clone();
    let sub = attributes
        .iter()
        .find(|attribute| attribute["Name"] == "sub")
        .expect("a sub");
    let sub = Sub::new(sub["Value"].as_str().expect("text")).expect("a sub");
    let read = bench.found(&pool, &sub).await;
    assert_eq!(read.status, "EXTERNAL_PROVIDER");
    assert!(
        read.attributes.username.expose().starts_with("Corp_"),
        "the provider's name comes first"
    );
    let identities = read.attributes.values.get("identities").expect("identities").expose();
    let identities: Value = serde_json::from_str(identities).expect("a JSON document in a string");
    assert_eq!(
        (&identities[0]["providerName"], &identities[0]["userId"]),
        (&json!("Corp"), &json!("u-1"))
    );
}

async fn factors_are_read(bench: &Bench) {
    let pool = bench.pool().await;
    bench
        .create(
            &pool,
            "ann",
            &[("phone_number", "+31612345678"), ("phone_number_verified", "true")],
        )
        .await;
    let ann = Personal::new("ann");
    let none = bench
        .reader
        .factors_of(&pool, &ann)
        .await
        .expect("they are read")
        .expect("the user is there");
    assert_eq!((none.preferred, none.enabled.len()), (None, 0));
    let sms = json!({"Enabled": true, "PreferredMfa": true});
    bench
        .admin("AdminSetUserMFAPreference", &pool, "ann", &[("SMSMfaSettings", sms)])
        .await;
    let factors = bench
        .reader
        .factors_of(&pool, &ann)
        .await
        .expect("they are read")
        .expect("the user is there");
    assert_eq!(factors.preferred.as_deref(), Some("SMS_MFA"));
    assert_eq!(factors.enabled.into_iter().collect::<Vec<_>>(), ["SMS_MFA"]);
}
