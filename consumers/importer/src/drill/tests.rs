//! What a drill removes, and what it leaves alone.

use std::sync::Arc;

use twinpool_shared::import::{
    estimate::Estimate,
    mapping::Mapping,
    plan::{Freshness, Source, Target, UserCounts, Users, UsersWay},
};

use super::*;
use crate::{
    plan::tests::double::Empty,
    testing::{Network, TableDouble, now},
};

fn plan(name: &str) -> Plan {
    let at = Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant");
    Plan {
        id: "20261123T080000Z-0a1b2c3d".to_owned(),
        made_at: at,
        made_by: "0.1.0".to_owned(),
        source: Source {
            table: "t".to_owned(),
            pool: "us-east-1_EXAMPLE".to_owned(),
            account: String::new(),
            as_of: at,
            freshness: Freshness::default(),
        },
        target: Target {
            region: "us-west-2".to_owned(),
            account: String::new(),
            pool: TargetPool::New { name: name.to_owned() },
        },
        users: Users {
            way: UsersWay::Api,
            include_deleted: false,
            deleted_after: None,
            counts: UserCounts::default(),
            digest: String::new(),
            chunks: 0,
        },
        mapping: Mapping::default(),
        steps: Vec::new(),
        changes: None,
        left_out: Vec::new(),
        manual: Vec::new(),
        estimate: Estimate::default(),
    }
}

#[test]
fn a_pool_is_removed_only_with_the_name_and_the_tag_of_the_drill() {
    let drill = name(Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant"));
    assert_eq!(drill, "twinpool-drill-20261123t080000000z");
    let pool = |name: &str, tag: &str| json!({"Name": name, "UserPoolTags": {PLAN_TAG: tag}});
    let plan_of_drill = plan(&drill);
    assert_eq!(is_of_drill(&pool(&drill, &plan_of_drill.id), &plan_of_drill), Ok(()));
    for (shown, planned) in [
        (pool(&drill, "another plan"), &plan_of_drill),
        (pool("twinpool-drill-of-others", &plan_of_drill.id), &plan_of_drill),
        (json!({"Name": drill}), &plan_of_drill),
        (Value::Null, &plan_of_drill),
        (pool("people", &plan_of_drill.id), &plan("people")),
    ] {
        let error = is_of_drill(&shown, planned).expect_err("a refusal");
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains("was not removed"), "{}", error.what);
    }
}

const POOL: &str = "us-west-2_Drill";

/// An importer with one pool, which shows `shown`, and no documents.
fn importer(shown: Option<Value>) -> Importer<Empty, Empty, TableDouble> {
    let pools = Empty::default();
    let shown = shown.map(|shown| (POOL.to_owned(), shown));
    pools.pools.lock().expect("no panic").extend(shown);
    Importer {
        reader: pools.clone(),
        writer: pools,
        backup: TableDouble::new(&Arc::new(Network::default()), Vec::new()),
        clock: Arc::new(now),
        watch: Box::new(()),
        upload: Box::new(crate::HttpUpload),
    }
}

fn holder(owner: &str) -> Holder {
    Holder {
        owner: owner.to_owned(),
        seconds: 120,
        steal: true,
    }
}

async fn store(importer: &Importer<Empty, Empty, TableDouble>, plan: &Plan) {
    let (source, text) = (plan.source.pool.as_str(), file::seal(plan).expect("text"));
    let key = keys::plan(source, &plan.id);
    let stored = importer.documents(source).replace(&key, &text, Kept::Always).await;
    stored.expect("stored");
}

fn drilled(plan: &Plan) -> Value {
    json!({"Id": POOL, "Name": plan.target_name(), "DeletionProtection": "ACTIVE", "MfaConfiguration": "OFF",
        "UserPoolTags": {PLAN_TAG: plan.id, "team": "people"}})
}

#[tokio::test]
async fn a_pool_that_no_document_knows_is_found_by_its_tag_and_removed() {
    let plan = plan("twinpool-drill-1");
    let importer = importer(Some(drilled(&plan)));
    store(&importer, &plan).await;
    let stored = importer
        .plan_of_drill(&plan.source.pool, &plan.id)
        .await
        .expect("the plan");
    assert_eq!(importer.remove_drill_as(&stored, &holder("a")).await, Ok(true));
    assert!(importer.reader.pools.lock().expect("no panic").is_empty());
    let gone = importer.plan_of_drill(&plan.source.pool, &plan.id).await;
    assert_eq!(gone.expect_err("removed").kind, ErrorKind::NotFound);
    assert_eq!(
        importer.remove_drill_as(&stored, &holder("a")).await,
        Ok(true),
        "gone is gone"
    );
}

#[tokio::test]
async fn lifting_the_protection_changes_nothing_else() {
    let plan = plan("twinpool-drill-1");
    let importer = importer(Some(drilled(&plan)));
    assert_eq!(importer.remove_drill(&plan).await, Ok(true));
    let updates = importer.reader.updates.lock().expect("no panic");
    assert_eq!(updates.len(), 1);
    assert_eq!(updates[0]["UserPoolTags"], drilled(&plan)["UserPoolTags"]);
    assert_eq!(
        (&updates[0]["DeletionProtection"], &updates[0]["UserPoolId"]),
        (&json!("INACTIVE"), &json!(POOL))
    );
}

#[tokio::test(start_paused = true)]
async fn both_pools_of_a_lost_answer_are_removed_also_where_one_is_known() {
    for known in [None, Some(POOL)] {
        let plan = plan("twinpool-drill-1");
        let importer = importer(Some(drilled(&plan)));
        let mut second = drilled(&plan);
        second["Id"] = json!("us-west-2_Second");
        importer
            .reader
            .pools
            .lock()
            .expect("no panic")
            .insert("us-west-2_Second".to_owned(), second);
        let state = State {
            making: true,
            pool: known.map(str::to_owned),
            ..State::default()
        };
        let (source, key) = (plan.source.pool.as_str(), keys::state(&plan.source.pool, &plan.id));
        importer
            .documents(source)
            .replace(&key, &state, Kept::Always)
            .await
            .expect("stored");
        assert_eq!(importer.remove_drill(&plan).await, Ok(true));
        assert!(importer.reader.pools.lock().expect("no panic").is_empty(), "{known:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_was_about_to_be_made_is_looked_for_until_it_is_listed() {
    let plan = plan("twinpool-drill-1");
    let importer = importer(Some(drilled(&plan)));
    importer.reader.lag.store(4, std::sync::atomic::Ordering::SeqCst);
    let state = State {
        making: true,
        ..State::default()
    };
    let (source, key) = (plan.source.pool.as_str(), keys::state(&plan.source.pool, &plan.id));
    importer
        .documents(source)
        .replace(&key, &state, Kept::Always)
        .await
        .expect("stored");
    assert_eq!(importer.remove_drill(&plan).await, Ok(true));
    assert!(importer.reader.pools.lock().expect("no panic").is_empty());
}

#[test]
fn a_removal_that_failed_is_told_with_what_removes() {
    let plan = plan("twinpool-drill-1");
    let told = still_there(&Error::new(ErrorKind::Denied, "no right"), &plan);
    for says in [
        "no right",
        "twinpool drill --target-region us-west-2 --pool us-east-1_EXAMPLE --table t --remove",
        &plan.id,
    ] {
        assert!(told.contains(says), "{told}");
    }
}

#[tokio::test]
async fn a_pool_of_another_plan_stays() {
    let (mine, mut other) = (plan("twinpool-drill-1"), plan("twinpool-drill-1"));
    other.id = "20261123T080000Z-ffffffff".to_owned();
    let importer = importer(Some(drilled(&other)));
    assert_eq!(importer.remove_drill(&mine).await, Ok(true));
    assert!(importer.reader.pools.lock().expect("no panic").contains_key(POOL));
}

#[tokio::test]
async fn nothing_is_removed_while_somebody_else_is_at_work() {
    let plan = plan("twinpool-drill-1");
    let importer = importer(Some(drilled(&plan)));
    let other = holder("somebody else");
    importer
        .tenure(&plan.source.pool, &other)
        .acquire()
        .await
        .expect("the lease");
    let error = importer.remove_drill_as(&plan, &holder("a")).await.expect_err("held");
    assert_eq!(error.kind, ErrorKind::Held);
    assert!(importer.reader.pools.lock().expect("no panic").contains_key(POOL));
}
