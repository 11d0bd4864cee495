//! A pool that uses everything, and its users afterwards.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use twinpool_tests::{
    reconciling::Scene,
    restoring::{
        Outage, RECOVERY, people,
        portrait::Portrait,
        program::Ran,
        sign_in::App,
        source::{self, CORP_SECRET, DROPPED_FUNCTION, GOOGLE_SECRET, GROUPS, MAPPED_FUNCTION, WEB_SECRET},
    },
    stand_ins::{Cognito, REGION},
};

use super::{apply, assert_discreet, assert_users, expected_settings, number, plan, rebuilt, unpaced, verify};

#[tokio::test(flavor = "multi_thread")]
async fn a_pool_that_uses_everything_comes_back_but_for_what_cannot() {
    let scene = Scene::start(json!({})).await;
    let cognito = Cognito::new(scene.endpoint());
    let made = source::everything(&cognito).await;
    people::create(&cognito, &made.0, &made.1).await;
    source::attach_functions(&cognito, &made.0).await;
    let outage = Outage::of(&scene, made, unpaced(), people::replicate).await;
    let mapping = outage.file("mapping.json", &source::mapping());

    let page = outage.path("plan.html");
    let affected = outage.path("affected.csv");
    let more = [
        "--users",
        "api",
        "--mapping",
        &mapping,
        "--report",
        &page,
        "--affected",
        &affected,
    ];
    let planned = plan(&outage, &more).await.ended(0);
    assert_eq!(outage.rebuilt().await, Vec::<String>::new(), "a plan changes nothing");
    let tried = outage.calls("AdminCreateUser");
    let applied = apply(&outage, &["--json"]).await.ended(0);
    let pool = rebuilt(&outage).await;
    let there = Portrait::of(&outage.recovery, &pool).await;

    assert_users(&outage.before, &there);
    let made = outage.calls("AdminCreateUser") - tried;
    assert_eq!(
        made,
        u64::try_from(there.users.len()).expect("few"),
        "nobody is made twice"
    );
    assert_eq!(there.groups.len(), GROUPS);
    assert_eq!(there.groups, outage.before.groups);
    assert_eq!(there.secrets.len(), 3);
    assert_eq!(there.secrets, outage.before.secrets);
    let settings = expected_settings(&outage.before, |name, value| {
        if name == "pool" {
            // As the mapping says.
            value["LambdaConfig"] = json!({"DefineAuthChallenge": MAPPED_FUNCTION.replace(REGION, RECOVERY)});
        }
        if name.starts_with("client ") {
            marker_is_read_only(value, &outage.before.settings["pool"]);
        }
    });
    for (name, value) in &settings {
        assert_eq!(there.settings.get(name), Some(value), "{name}");
    }
    assert_eq!(there.settings.len(), settings.len());
    assert_eq!(outage.messages(), 0, "nobody is told of it");

    let report = outage.path("verify.html");
    let verified = verify(&outage, &pool, &["--json", "--report", &report]).await.ended(0);
    let verification = verified.json();
    assert_eq!(number(&verification, "/unexpected"), 0, "{verification:#}");
    assert!(number(&verification, "/expected") > 0, "{verification:#}");

    let read = |path: &str| std::fs::read_to_string(path).expect("it was written");
    let (plan_file, page, report) = (read(&outage.path("plan.json")), read(&page), read(&report));
    let texts = [
        ("the plan", plan_file.as_str()),
        ("the plan's page", &page),
        ("the verification's page", &report),
        ("what plan says", &said(&planned)),
        ("what apply says", &said(&applied)),
        ("what verify says", &said(&verified)),
        ("who is affected", &read(&affected)),
    ];
    let drawn: Vec<&str> = outage.before.secrets.values().map(String::as_str).collect();
    let secrets = [&[WEB_SECRET, GOOGLE_SECRET, CORP_SECRET][..], &drawn].concat();
    assert_discreet(&texts, &secrets);

    the_map_of_subs_is_complete(&outage, &there).await;
    again_changes_nothing(&outage, &there, &pool).await;
    people_come_back(&outage, &there, &pool).await;
    a_federated_user_is_mended_after_the_next_sign_in(&outage, &there, &pool).await;
}

/// No app client may write by which attribute users are found again; who may write all of them otherwise may write the others.
fn marker_is_read_only(client: &mut Value, pool: &Value) {
    if let Some(read) = client.get_mut("ReadAttributes").and_then(Value::as_array_mut) {
        read.push(json!("custom:original_sub"));
    }
    if client.get("WriteAttributes").is_none() {
        let schema = pool["SchemaAttributes"].as_array().expect("a schema").iter();
        let name = |attribute: &Value| attribute["Name"].as_str().expect("a name").to_owned();
        // What cannot be changed is written at sign-up.
        let is_writable = |attribute: &&Value| attribute["DeveloperOnlyAttribute"] != true;
        let names: BTreeSet<String> = schema.filter(is_writable).map(name).collect();
        let nobodys = ["sub", "identities", "email_verified", "phone_number_verified"];
        let names: Vec<&String> = names.iter().filter(|name| !nobodys.contains(&name.as_str())).collect();
        client["WriteAttributes"] = json!(names);
    }
}

/// Everything that a run wrote to the terminal.
fn said(ran: &Ran) -> String {
    [ran.stdout.as_str(), &ran.stderr].concat()
}

async fn the_map_of_subs_is_complete(outage: &Outage, there: &Portrait) {
    let plan = outage.path("plan.json");
    let exported = outage
        .twinpool(&["export-sub-map", &plan, "--format", "csv"])
        .await
        .ended(0);
    let rows = exported.stdout.lines().skip(1);
    let pairs: BTreeMap<String, String> = rows
        .map(|row| {
            let mut cells = row.trim_end().split(',').map(str::to_owned);
            (cells.next().expect("the old sub"), cells.next().expect("the new sub"))
        })
        .collect();
    let expected: BTreeMap<String, String> = there
        .users
        .iter()
        .map(|(first, face)| (first.clone(), face.sub.clone()))
        .collect();
    assert_eq!(pairs, expected);
}

async fn again_changes_nothing(outage: &Outage, there: &Portrait, pool: &str) {
    let before = outage.changes();
    apply(outage, &[]).await.ended(0);
    assert_eq!(outage.changes(), before, "what is done is not done again");
    assert_eq!(Portrait::of(&outage.recovery, pool).await, *there);
}

/// By forgot-password, as nobody's password comes back.
async fn people_come_back(outage: &Outage, there: &Portrait, pool: &str) {
    let public = App {
        cognito: &outage.recovery,
        pool,
        client: &there.clients["app"],
        secret: None,
    };
    let web = App {
        client: &there.clients["web"],
        secret: Some(WEB_SECRET),
        ..public.clone()
    };
    let sub = |name: &str| there.named(name).sub.clone();
    for (app, name, called) in [
        (&public, people::EVERYTHING, people::EVERYTHING),
        (&public, people::LINKED, people::LINKED),
        (&public, people::RESET, people::RESET),
        (&public, people::BY_SMS, people::BY_SMS),
        (&public, people::BY_APP, people::BY_APP),
        (&public, people::UNICODE, people::UNICODE),
        // By the e-mail address, written another way.
        (&public, "crowd03", "CROWD03@example.com"),
        (&web, "crowd04", "crowd04"),
    ] {
        let claims = app.comes_back(called, &sub(name)).await;
        let claims = claims.unwrap_or_else(|error| panic!("{name}: {error:?}"));
        assert_eq!(claims["sub"], json!(sub(name)));
        let groups = claims["cognito:groups"].as_array().cloned().unwrap_or_default();
        let mut groups: Vec<&str> = groups.iter().filter_map(Value::as_str).collect();
        groups.sort_unstable();
        let wanted: Vec<&str> = there.named(name).groups.iter().map(String::as_str).collect();
        assert_eq!(groups, wanted, "{name}");
    }
    for (name, code) in [
        (people::DISABLED, "NotAuthorizedException"),
        // An administrator invites them again.
        (people::INVITED, "NotAuthorizedException"),
        (people::UNVERIFIED, "InvalidParameterException"),
        (people::UNCONFIRMED, "UserNotFoundException"),
        (people::DELETED, "UserNotFoundException"),
    ] {
        let refused = public.forgets(name).await.expect_err(name);
        assert_eq!(refused.code, code, "{name}: {}", refused.message);
    }
    assert!(!there.settings["pool"].to_string().contains(DROPPED_FUNCTION));
}

async fn a_federated_user_is_mended_after_the_next_sign_in(outage: &Outage, there: &Portrait, pool: &str) {
    let plan = outage.path("plan.json");
    let old = outage.sub(people::FEDERATED);
    let waiting = outage
        .twinpool(&["repair-federated", &plan, "--json"])
        .await
        .ended(0)
        .json();
    assert_eq!(
        (number(&waiting, "/mended"), number(&waiting, "/waiting")),
        (0, 1),
        "{waiting}"
    );
    let sign_in = json!({
        "UserPoolId": pool, "ClientId": there.clients["app"], "ProviderName": "Corp", "ProviderUserId": "frank",
        "Attributes": {"email": "frank@corp.example.com"},
    });
    outage.recovery.must("LocalcloudFederatedSignIn", sign_in).await;
    let mended = outage
        .twinpool(&["repair-federated", &plan, "--json"])
        .await
        .ended(0)
        .json();
    assert_eq!(
        (number(&mended, "/mended"), number(&mended, "/waiting")),
        (1, 0),
        "{mended}"
    );
    let after = Portrait::of(&outage.recovery, pool).await;
    let (was, is) = (&outage.before.users[old.as_str()], &after.users[old.as_str()]);
    assert_eq!(
        (&is.status, &is.groups, is.enabled),
        (&was.status, &was.groups, was.enabled)
    );
    // A link is of use at once: whoever is linked signs in as themselves.
    let sign_in = json!({
        "UserPoolId": pool, "ClientId": there.clients["app"], "ProviderName": "Google", "ProviderUserId": "10001",
    });
    let linked = outage.recovery.must("LocalcloudFederatedSignIn", sign_in).await;
    assert_eq!(linked["UserSub"], json!(after.named(people::LINKED).sub));
}
