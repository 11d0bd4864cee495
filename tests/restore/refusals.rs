//! What is refused, and that nothing was changed before it was.

use std::fs;

use serde_json::{Value, json};
use twinpool_shared::item::UserItem;
use twinpool_tests::{
    reconciling::Scene,
    restoring::{
        Outage, RECOVERY,
        portrait::Portrait,
        program::{self, Ran, twinpool},
        small, source, without_the_primary,
    },
    stand_ins::{Cognito, unique},
};

use super::{apply, plan, unpaced};

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_right_is_refused_before_anything_is_changed() {
    Box::pin(a_plan_that_is_not_as_it_was_written()).await;
    Box::pin(a_backup_that_is_not_as_it_was_planned()).await;
    Box::pin(what_the_mapping_does_not_name()).await;
    Box::pin(a_target_that_can_never_be_like_the_lost_pool()).await;
    Box::pin(a_permission_that_is_missing()).await;
}

/// That the program refused: the command line (2) or something that has to be put right first (6), with these words.
#[track_caller]
pub(super) fn assert_refused(ran: &Ran, says: &[&str]) {
    assert!(
        [2, 6].contains(&ran.status) && ran.stderr.starts_with("error: "),
        "{ran:?}"
    );
    for words in says {
        assert!(ran.stderr.contains(words), "{words} is not said: {}", ran.stderr);
    }
}

pub(super) async fn lost(scene: &std::sync::Arc<Scene>) -> Outage {
    let made = small::create(&Cognito::new(scene.endpoint())).await;
    Outage::of(scene, made, unpaced(), async |_| {}).await
}

async fn a_plan_that_is_not_as_it_was_written() {
    let scene = Scene::start(json!({})).await;
    let outage = lost(&scene).await;
    plan(&outage, &[]).await.ended(0);
    let planned = outage.changes();
    let path = outage.path("plan.json");
    let whole = fs::read_to_string(&path).expect("it was written");
    let newer = whole.replace("twinpool.plan.v1", "twinpool.plan.v2");
    let edited = whole.replace("\"include_deleted\": false", "\"include_deleted\": true");
    assert_ne!(edited, whole);
    for (text, status, says) in [
        (&whole[..whole.len() / 2], 2, "the plan file is cut off"),
        (edited.as_str(), 2, "the plan file was edited"),
        (newer.as_str(), 6, "twinpool.plan.v2"),
        ("{}", 2, "no plan"),
        ("", 2, "cut off"),
    ] {
        fs::write(&path, text).expect("it is written");
        let refused = apply(&outage, &[]).await.ended(status);
        assert!(refused.stderr.contains(says), "{says}: {}", refused.stderr);
    }
    fs::write(&path, &whole).expect("it is written");
    // The table of another deployment, and another pool.
    let other = Outage::of(&scene, small_again(&scene).await, unpaced(), async |_| {}).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", program::KEY),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", RECOVERY),
        ("AWS_ENDPOINT_URL", scene.endpoint()),
    ];
    for (pool, table) in [
        (outage.night.pool.as_str(), other.night.table_name()),
        (other.night.pool.as_str(), outage.night.table_name()),
    ] {
        let of_whom = [("TWINPOOL_POOLS", pool), ("TWINPOOL_TABLE", table)];
        let refused = twinpool(&[&variables[..], &of_whom].concat(), &["apply", &path, "--yes"]).await;
        assert_refused(&refused, &[]);
    }
    let elsewhere = outage
        .twinpool(&["--region", "eu-central-1", "apply", &path, "--yes"])
        .await;
    assert_refused(&elsewhere, &[]);
    assert_eq!(outage.changes(), planned, "nothing was changed");
    assert_eq!(outage.rebuilt().await, Vec::<String>::new());
}

/// The primary is refused by now; while this is made, it is not.
async fn small_again(scene: &Scene) -> (String, String) {
    scene.configure(unpaced());
    small::create(&Cognito::new(scene.endpoint())).await
}

async fn a_backup_that_is_not_as_it_was_planned() {
    let scene = Scene::start(json!({})).await;
    let outage = lost(&scene).await;
    plan(&outage, &[]).await.ended(0);
    // As if somebody wrote by hand what the plan has counted already.
    let sub = outage.sub("user03");
    let edit = |item: &mut UserItem| {
        item.record.status.as_mut().expect("a status").data = "UNCONFIRMED".to_owned();
        item.content_hash = item.record.content_hash().to_string();
    };
    outage.night.edit(&sub, edit).await;
    assert_refused(&apply(&outage, &[]).await, &["no longer those of the plan"]);

    // A backup that no reconcile has ever finished.
    let (pool, client) = small_again(&scene).await;
    let bare = twinpool_tests::reconciling::Night::of(&scene, (pool.clone(), client), RECOVERY).await;
    let variables = [
        ("AWS_ACCESS_KEY_ID", program::KEY),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_REGION", RECOVERY),
        ("AWS_ENDPOINT_URL", scene.endpoint()),
        ("TWINPOOL_POOLS", &pool),
        ("TWINPOOL_TABLE", bare.table_name()),
    ];
    let refused = twinpool(
        &variables,
        &["plan", "--target-region", RECOVERY, "--out", &outage.path("no.json")],
    )
    .await;
    assert_refused(&refused, &["reconcile"]);
    assert!(!fs::exists(outage.path("no.json")).expect("it can be asked"));
    assert_eq!(outage.rebuilt().await, Vec::<String>::new());
}

async fn what_the_mapping_does_not_name() {
    let scene = Scene::start(json!({})).await;
    let cognito = Cognito::new(scene.endpoint());
    let made = source::everything(&cognito).await;
    source::attach_functions(&cognito, &made.0).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    let whole = source::mapping();
    let refused = plan(&outage, &[]).await;
    for arn in whole["arns"].as_object().expect("ARNs").keys() {
        assert!(refused.stderr.contains(arn), "{arn} is not named: {}", refused.stderr);
    }
    for arn in whole["arns"].as_object().expect("ARNs").keys() {
        let mut mapping = whole.clone();
        mapping["arns"].as_object_mut().expect("ARNs").remove(arn);
        let file = outage.file("mapping.json", &mapping);
        assert_refused(&plan(&outage, &["--mapping", &file]).await, &[arn]);
    }
    for (text, says) in [(json!({"arn": {}}), "arn"), (json!([]), "mapping")] {
        let file = outage.file("mapping.json", &text);
        assert_refused(&plan(&outage, &["--mapping", &file]).await, &[says]);
    }
    assert!(!fs::exists(outage.path("plan.json")).expect("it can be asked"));
    assert_eq!(outage.changes(), 0, "nothing was even tried");
}

async fn a_target_that_can_never_be_like_the_lost_pool() {
    let scene = Scene::start(json!({})).await;
    let outage = lost(&scene).await;
    let make = async |settings: Value| {
        let mut input = settings;
        input["PoolName"] = json!(unique("target"));
        let made = outage.recovery.must("CreateUserPool", input).await;
        made["UserPool"]["Id"].as_str().expect("an id").to_owned()
    };
    for (settings, says) in [
        (json!({"UsernameAttributes": ["email"]}), "UsernameAttributes"),
        (
            json!({"AliasAttributes": ["preferred_username"], "UsernameConfiguration": {"CaseSensitive": false}}),
            "CaseSensitive",
        ),
        (
            json!({
                "AliasAttributes": ["preferred_username"],
                "Schema": [{"Name": "plan", "AttributeDataType": "Number", "Mutable": true}],
            }),
            "custom:plan",
        ),
    ] {
        let target = make(settings).await;
        let before = Portrait::of(&outage.recovery, &target).await;
        let refused = plan(&outage, &["--target", &target]).await;
        assert_refused(&refused, &[says]);
        assert_eq!(Portrait::of(&outage.recovery, &target).await, before, "{says}");
    }
}

async fn a_permission_that_is_missing() {
    let scene = Scene::start(json!({})).await;
    let outage = lost(&scene).await;
    let denied = ["CreateGroup", "AdminSetUserPassword"];
    let faults = denied.map(|operation| json!({"service": "cognito", "operation": operation, "kind": "deny"}));
    scene.configure(without_the_primary(
        json!({"quotas": {"enabled": false}, "faults": faults}),
    ));
    let refused = plan(&outage, &[]).await;
    assert_refused(
        &refused,
        &["cognito-idp:CreateGroup", "cognito-idp:AdminSetUserPassword"],
    );
    assert!(!fs::exists(outage.path("plan.json")).expect("it can be asked"));
    assert_eq!(outage.rebuilt().await, Vec::<String>::new());
}
