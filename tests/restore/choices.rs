//! What an operator may choose: the instant, the deleted ones, an existing pool, and to try again who failed.

use std::time::Duration;

use serde_json::{Value, json};
use twinpool_shared::{adapter::lambda::now, item::UserItem, personal::Personal, user::Tombstone};
use twinpool_tests::{
    reconciling::Scene,
    restoring::{Outage, portrait::Portrait, small},
    stand_ins::{Cognito, unique},
};

use super::{apply, assert_users, number, plan, rebuilt, refusals::lost, unpaced, verify};

/// Whose address changes, and who is deleted, in the backup alone.
const CHANGED: &str = "user04";
const DELETED: &str = "user08";

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_what_was_chosen() {
    Box::pin(an_instant_and_the_deleted()).await;
    Box::pin(another_try_for_who_failed()).await;
    Box::pin(a_closed_pool_to_be_opened()).await;
}

async fn an_instant_and_the_deleted() {
    let scene = Scene::start(json!({})).await;
    let made = small::create(&Cognito::new(scene.endpoint())).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    let pause = || tokio::time::sleep(Duration::from_millis(20));
    pause().await;
    let before = now();
    pause().await;
    let changed = |item: &mut UserItem| {
        let attributes = item.record.attributes.as_mut().expect("attributes");
        let address = Personal::new("changed@example.com");
        attributes.data.values.insert("email".to_owned(), address);
        written(item);
    };
    outage.night.edit(&outage.sub(CHANGED), changed).await;
    let deleted = |item: &mut UserItem| {
        item.record.deleted = Some(Tombstone {
            at: now(),
            cause: "test".to_owned(),
        });
        written(item);
    };
    outage.night.edit(&outage.sub(DELETED), deleted).await;

    // As it was: also whoever was deleted since.
    plan(&outage, &["--as-of", &before.to_string()]).await.ended(0);
    let there = rebuild(&outage).await;
    assert_users(&outage.before, &there);

    plan(&outage, &[]).await.ended(0);
    let there = rebuild(&outage).await;
    let gone = outage.sub(DELETED);
    assert_eq!(there.users.len(), outage.before.users.len() - 1);
    assert!(!there.users.contains_key(gone.as_str()));
    assert_eq!(there.named(CHANGED).attributes["email"], "changed@example.com");

    plan(&outage, &["--include-deleted"]).await.ended(0);
    let there = rebuild(&outage).await;
    assert_eq!(there.users.len(), outage.before.users.len());
    assert_eq!(there.named(DELETED).groups, outage.before.named(DELETED).groups);
    assert_eq!(outage.messages(), 0, "nobody is told of it");
}

/// As whoever changes an item does.
fn written(item: &mut UserItem) {
    item.written_at = now();
    item.content_hash = item.record.content_hash().to_string();
}

/// Carries the plan out, finds it equal, and removes the pool, so that the next one may have its domain.
async fn rebuild(outage: &Outage) -> Portrait {
    apply(outage, &[]).await.ended(0);
    let pool = rebuilt(outage).await;
    verify(outage, &pool, &[]).await.ended(0);
    let there = Portrait::of(&outage.recovery, &pool).await;
    super::kills::remove(outage, &pool).await;
    there
}

async fn another_try_for_who_failed() {
    let scene = Scene::start(json!({})).await;
    let outage = lost(&scene).await;
    let settings = json!({
        "PoolName": unique("standby"), "AliasAttributes": ["preferred_username"],
        "Schema": [{"Name": "plan", "AttributeDataType": "String", "Mutable": true}],
    });
    let made = outage.recovery.must("CreateUserPool", settings).await;
    let target = made["UserPool"]["Id"].as_str().expect("an id").to_owned();
    let stranger = json!({"UserPoolId": target, "Username": CHANGED});
    let mut invited = stranger.clone();
    invited["MessageAction"] = json!("SUPPRESS");
    outage.recovery.must("AdminCreateUser", invited).await;
    plan(&outage, &["--target", &target, "--into-existing", &target])
        .await
        .ended(0);
    let list = outage.path("failed.csv");
    let failed: Value = apply(&outage, &["--json", "--failed", &list]).await.ended(5).json();
    let listed = std::fs::read_to_string(&list).expect("it was written");
    let line = format!("{},create,name-taken", outage.sub(CHANGED));
    assert_eq!(listed.lines().collect::<Vec<_>>(), ["sub,stage,code", &line]);
    // The pool is alive: it is not closed for one whose name is taken.
    assert_eq!(failed["settings_failed"], json!([]), "{failed}");
    let there = Portrait::of(&outage.recovery, &target).await;
    let providers = &there.settings["client web 3"]["SupportedIdentityProviders"];
    assert_eq!(providers, &json!(["COGNITO", "Google"]));
    assert_eq!(failed["failed"], json!({"create: name-taken": 1}), "{failed}");
    let users = u64::try_from(outage.before.users.len()).expect("few");
    assert_eq!(number(&failed, "/users"), users - 1, "{failed}");
    let retry = failed["retry"].as_str().expect("a command");
    assert!(retry.ends_with("plan.json --retry-failed"), "{retry}");

    outage.recovery.must("AdminDeleteUser", stranger).await;
    let tried = outage.changes();
    apply(&outage, &[]).await.ended(5);
    assert_eq!(outage.changes(), tried, "not without being asked");
    let mended = apply(&outage, &["--retry-failed", "--json"]).await.ended(0).json();
    assert_eq!(
        (number(&mended, "/users"), number(&mended, "/failed_users")),
        (users, 0)
    );
    let there = Portrait::of(&outage.recovery, &target).await;
    assert_users(&outage.before, &there);
    verify(&outage, &target, &[]).await.ended(0);
    assert_eq!(outage.messages(), 0, "nobody is told of it");
}

async fn a_closed_pool_to_be_opened() {
    let scene = Scene::start(json!({})).await;
    let made = small::create(&Cognito::new(scene.endpoint())).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    // Nothing that Cognito would take.
    let spoilt = |item: &mut UserItem| {
        let attributes = item.record.attributes.as_mut().expect("attributes");
        let address = Personal::new("no address");
        attributes.data.values.insert("email".to_owned(), address);
        written(item);
    };
    outage.night.edit(&outage.sub(CHANGED), spoilt).await;
    plan(&outage, &[]).await.ended(0);
    let closed = apply(&outage, &["--json"]).await.ended(5).json();
    assert_eq!(number(&closed, "/failed_users"), 1, "{closed}");
    let left = closed["settings_failed"].as_array().expect("steps");
    let codes: Vec<&Value> = left.iter().map(|left| &left["code"]).collect();
    assert_eq!(codes, [&json!("SignUpStaysClosed"); 2], "{closed}");
    let told = closed["warnings"][0].as_str().expect("a warning");
    assert!(told.contains("--open-sign-up"), "{told}");
    let pool = rebuilt(&outage).await;
    let is_open = async || {
        let there = Portrait::of(&outage.recovery, &pool).await;
        let only_admins = there.settings["pool"]["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"].clone();
        (
            only_admins,
            there.settings["client web 3"]["SupportedIdentityProviders"].clone(),
        )
    };
    assert_eq!(is_open().await, (json!(true), json!(["COGNITO"])));
    let opened = apply(&outage, &["--open-sign-up", "--json"]).await.ended(5).json();
    assert_eq!(opened["settings_failed"], json!([]), "{opened}");
    assert_eq!(is_open().await, (json!(false), json!(["COGNITO", "Google"])));
}
