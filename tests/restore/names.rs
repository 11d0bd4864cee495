//! Every kind of user name, by the API and by import jobs.

use serde_json::{Value, json};
use twinpool_tests::{
    reconciling::Scene,
    restoring::{
        Outage,
        kinds::{self, Kind},
        portrait::Portrait,
        sign_in::App,
    },
    stand_ins::Cognito,
};

use super::{apply, assert_users, number, plan, unpaced, verify};

#[tokio::test(flavor = "multi_thread")]
async fn whoever_was_found_by_a_name_is_found_by_it_again() {
    for kind in Kind::ALL {
        Box::pin(every_name_leads_to_the_same_person(kind)).await;
    }
    Box::pin(import_jobs_bring_whom_they_can_and_bill_nobody()).await;
}

async fn every_name_leads_to_the_same_person(kind: Kind) {
    let scene = Scene::start(json!({})).await;
    let (made, subs) = kinds::create(&Cognito::new(scene.endpoint()), kind).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    plan(&outage, &["--users", "api"]).await.ended(0);
    apply(&outage, &[]).await.ended(0);
    let pool = super::rebuilt(&outage).await;
    verify(&outage, &pool, &["--json"]).await.ended(0);
    let there = Portrait::of(&outage.recovery, &pool).await;
    assert_users(&outage.before, &there);
    for (name, position) in kind.names() {
        let found = outage
            .recovery
            .must("AdminGetUser", json!({"UserPoolId": pool, "Username": name}))
            .await;
        let attributes = found["UserAttributes"].as_array().expect("attributes");
        let old = attributes.iter().find(|one| one["Name"] == "custom:original_sub");
        assert_eq!(
            old.map(|old| &old["Value"]),
            Some(&json!(subs[position])),
            "{kind:?}: {name}"
        );
    }
    assert_eq!(outage.messages(), 0, "{kind:?}");
}

/// Import jobs need a role for their log, which the mapping names.
fn with_log_role() -> Value {
    json!({"version": 1, "import_logs_role": "arn:aws:iam::111122223333:role/import-log"})
}

async fn import_jobs_bring_whom_they_can_and_bill_nobody() {
    let scene = Scene::start(json!({})).await;
    let (made, subs) = kinds::create(&Cognito::new(scene.endpoint()), Kind::Aliases).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    let mapping = outage.file("mapping.json", &with_log_role());
    plan(&outage, &["--users", "csv", "--mapping", &mapping]).await.ended(0);
    let tried = outage.calls("AdminCreateUser");
    let report = apply(&outage, &["--json"]).await.ended(0).json();
    // Cyd and Dan have a verified address and nothing that a file cannot carry; Ann has a preferred name, Bob no verified address.
    assert_eq!(
        (number(&report, "/by_csv"), number(&report, "/users")),
        (2, 4),
        "{report}"
    );
    assert_eq!(outage.calls("AdminCreateUser") - tried, 2);
    let pool = super::rebuilt(&outage).await;
    let there = Portrait::of(&outage.recovery, &pool).await;
    assert_eq!(there.users.len(), subs.len());
    let billed = outage
        .recovery
        .look(&format!("/_localcloud/billable?pool={pool}"))
        .await;
    assert!(billed.as_u64().is_some_and(|billed| billed <= 2), "{billed}");
    assert_eq!(there.named("cyd").status, "RESET_REQUIRED");
    verify(&outage, &pool, &["--json"]).await.ended(0);
    let app = App {
        cognito: &outage.recovery,
        pool: &pool,
        client: &there.clients["app"],
        secret: None,
    };
    let claims = app.comes_back("cyd", &there.named("cyd").sub).await;
    assert!(claims.is_ok(), "{claims:?}");
}
