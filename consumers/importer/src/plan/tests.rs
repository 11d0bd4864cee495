//! Plans of a rich backup: what is in them, what is not, and what is refused.

pub(crate) mod double;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::json;
use twinpool_shared::{
    group::{GroupRecord, GroupSettings},
    import::{
        plan::file,
        progress::{self, State, Tally},
    },
    item::{GroupItem, SCHEMA_VERSION, UserItem},
    observation::UserRead,
    personal::Personal,
    port::Document,
    run::{GroupTally, Run, RunResult, UserTally, keys},
    snapshot::{Captured, Content, Json, plan::SINGLES, stored::writes},
    user::Attributes,
};

use self::double::{Empty, Held};
use super::*;
use crate::testing::{SOURCE, described, facet, now, user};

const SECRETS: [&str; 2] = ["the-clients-secret", "the-providers-secret"];
const LAMBDA: &str = "arn:aws:lambda:us-east-1:111122223333:function:sign-up";

fn captured(part: Part, name: &str, content: Content) -> Vec<Document> {
    let captured = Captured {
        part,
        name: name.to_owned(),
        source: "test",
        read_at: now().plus_millis(-7_200_000),
        content,
    };
    let written = writes(SOURCE, None, &captured, captured.read_at, 86_400).expect("a head");
    let written = written.expect("something new");
    written.chunks.into_iter().chain([written.head]).collect()
}

fn run(finished_millis_before: i64) -> Document {
    let finished_at = now().plus_millis(-finished_millis_before);
    let run = Run {
        id: finished_at.to_string(),
        started_at: finished_at,
        members_from: finished_at,
        prefixes: Vec::new(),
        group_lists: 0,
        estimated_users: None,
        sample: Vec::new(),
        groups: GroupTally::default(),
        result: Some(RunResult {
            finished_at,
            users: UserTally::default(),
            drift_found: 0,
            drift_left: 0,
            deleted: 0,
            reappeared: 0,
            guard: None,
        }),
    };
    Document {
        key: keys::run(SOURCE, &run.id),
        schema_version: SCHEMA_VERSION,
        pool: SOURCE.to_owned(),
        version: 1,
        written_at: finished_at,
        expires_at: None,
        body: Personal::new(serde_json::to_string(&run).expect("JSON")),
    }
}

/// A backup with secrets, personal values of every kind, and one user who is not made.
fn rich() -> Held {
    let mut pool = described();
    pool["Name"] = json!("people");
    pool["Id"] = json!(SOURCE);
    pool["Arn"] = json!(format!("arn:aws:cognito-idp:us-east-1:111122223333:userpool/{SOURCE}"));
    pool["UserPoolTier"] = json!("ESSENTIALS");
    let client = json!({"UserPoolId": SOURCE, "ClientId": "1client", "ClientName": "web", "ClientSecret": SECRETS[0]});
    let provider = json!({"UserPoolId": SOURCE, "ProviderName": "corp", "ProviderType": "OIDC",
        "ProviderDetails": {"client_id": "c", "client_secret": SECRETS[1], "oidc_issuer": "https://id.example.com"}});
    let content = |json| Content::Json(Json::new(json));
    let mut documents = captured(Part::Pool, POOL_LEVEL, content(pool));
    for single in SINGLES {
        documents.extend(captured(single.part, POOL_LEVEL, Content::Absent("test".to_owned())));
    }
    documents.extend(captured(Part::Clients, "1client", content(client)));
    documents.extend(captured(Part::IdentityProviders, "corp", content(provider)));
    documents.push(run(3_600_000));
    let mut users: Vec<_> = (0..20).map(user).collect();
    users[0].attributes = Some(facet(Attributes {
        username: Personal::new("zoe-the-person"),
        values: BTreeMap::from([
            ("email".to_owned(), Personal::new("zoe@personal.example")),
            ("email_verified".to_owned(), Personal::new("true")),
            ("name".to_owned(), Personal::new("Zoë Person, née \"Doe\"\n")),
        ]),
    }));
    users[1].status = Some(facet("UNCONFIRMED".to_owned()));
    let items = users
        .into_iter()
        .map(|record| UserItem::current(SOURCE, 1, record, now().plus_millis(-1), 86_400));
    Held {
        users: items.collect(),
        documents,
        ..Held::default()
    }
}

fn order() -> PlanOrder {
    PlanOrder {
        table: "twinpool-backup".to_owned(),
        pool: SOURCE.to_owned(),
        region: "us-west-2".to_owned(),
        account: "111122223333".to_owned(),
        target: Wish::New(None),
        as_of: None,
        deleted: Deleted::Not,
        way: UsersWay::Auto,
        mapping: Mapping::default(),
        allow_stale: false,
        retention_seconds: 35 * 86_400,
        maker: "host:1".to_owned(),
        version: "0.1.0".to_owned(),
        live: Live::new(),
        share: Share::new(100).expect("a share"),
    }
}

fn importer(backup: Held, pool: Empty) -> Importer<Empty, Empty, Held> {
    Importer {
        reader: pool.clone(),
        writer: pool,
        backup,
        clock: Arc::new(now),
        watch: Box::new(()),
        upload: Box::new(crate::HttpUpload),
    }
}

async fn planned(backup: Held, pool: Empty, order: &PlanOrder) -> Result<(Plan, Vec<Affected>), Error> {
    let importer = importer(backup, pool);
    let mut affected = Vec::new();
    let plan = importer
        .plan(order, |one| {
            affected.push(one.clone());
            Ok(())
        })
        .await?;
    Ok((plan, affected))
}

async fn refused(backup: Held, order: &PlanOrder) -> Error {
    planned(backup, Empty::default(), order).await.expect_err("a refusal")
}

#[tokio::test]
async fn a_plan_counts_everybody_and_holds_no_secret_and_nothing_personal() {
    let backup = rich();
    let (plan, affected) = planned(backup.clone(), Empty::default(), &order())
        .await
        .expect("a plan");
    assert_eq!((plan.users.counts.chosen, plan.users.counts.made), (20, 19));
    assert_eq!(plan.users.counts.statuses["UNCONFIRMED"], 1);
    assert_eq!(plan.users.chunks, 1);
    assert_eq!(plan.target_name(), "people");
    assert_eq!(plan.source.account, "111122223333");
    assert_eq!(plan.users.way, UsersWay::Api);
    assert!(plan.estimate.active_users_cents.is_some());
    let operations: Vec<&str> = plan.steps.iter().map(|step| step.operation.as_str()).collect();
    for operation in ["CreateUserPool", "CreateUserPoolClient", "CreateIdentityProvider"] {
        assert!(operations.contains(&operation), "{operations:?}");
    }
    assert!(affected.iter().any(|one| one.not_made.is_some()), "{affected:?}");
    let text = file::seal(&plan).expect("text");
    assert_eq!(file::open(&text).expect("a plan"), plan);
    for item in &backup.users {
        let facet = item.record.attributes.as_ref().expect("attributes");
        let values = facet.data.values.values().chain([&facet.data.username]);
        for value in values.map(Personal::expose).filter(|value| value.len() > 5) {
            assert!(!text.contains(value.trim()), "{value} is in the plan");
        }
        assert!(!text.contains(item.record.sub.as_str()), "a sub is in the plan");
    }
    for secret in SECRETS {
        assert!(!text.contains(secret), "{secret} is in the plan");
    }
}

#[tokio::test]
async fn the_same_backup_has_the_same_digests_and_another_user_another_one() {
    let (one, _) = planned(rich(), Empty::default(), &order()).await.expect("a plan");
    let (again, _) = planned(rich(), Empty::default(), &order()).await.expect("a plan");
    assert_eq!((&one.users.digest, &one.id), (&again.users.digest, &again.id));
    let mut changed = rich();
    changed.users.pop();
    let (other, _) = planned(changed, Empty::default(), &order()).await.expect("a plan");
    assert_ne!(one.users.digest, other.users.digest);
}

#[tokio::test]
async fn a_stale_backup_is_refused_unless_it_is_accepted() {
    let mut stale = rich();
    stale.documents.pop();
    stale.documents.push(run(27 * 3_600_000));
    stale.marks = vec![(Part::Clients, now().plus_millis(-1))];
    let error = refused(stale.clone(), &order()).await;
    assert_eq!(error.kind, ErrorKind::Unmet);
    for says in ["27 hours ago", "clients (changed and not read since)", "--allow-stale"] {
        assert!(error.what.contains(says), "{says}: {}", error.what);
    }
    let order = PlanOrder {
        allow_stale: true,
        ..order()
    };
    let (plan, _) = planned(stale, Empty::default(), &order).await.expect("a plan");
    assert_eq!(
        plan.source.freshness.accepted.len(),
        2,
        "{:?}",
        plan.source.freshness.accepted
    );
}

#[tokio::test]
async fn a_backup_without_settings_is_refused_with_what_captures_them() {
    let error = refused(Held::default(), &order()).await;
    assert_eq!(error.kind, ErrorKind::NotFound);
    assert!(error.what.contains("twinpool reconcile"), "{}", error.what);
}

#[tokio::test]
async fn an_instant_out_of_reach_is_refused() {
    for (as_of, says) in [
        (now().plus_millis(1), "future"),
        (now().plus_millis(-36 * 86_400_000), "reaches back to"),
    ] {
        let order = PlanOrder {
            as_of: Some(as_of),
            ..order()
        };
        let error = refused(rich(), &order).await;
        assert!(
            error.what.contains("--as-of") && error.what.contains(says),
            "{}",
            error.what
        );
    }
}

#[tokio::test]
async fn an_instant_is_out_of_reach_by_what_the_backup_itself_was_told_to_keep() {
    let mut backup = rich();
    let run = backup.documents.last_mut().expect("the run");
    run.expires_at = Some(run.written_at.as_seconds() + 30 * 86_400);
    let order = PlanOrder {
        as_of: Some(now().plus_millis(-31 * 86_400_000)),
        ..order()
    };
    let error = refused(backup, &order).await;
    assert!(error.what.contains("reaches back to"), "{}", error.what);
}

#[tokio::test]
async fn the_pool_of_the_backup_is_never_the_target() {
    for target in [Wish::Existing(SOURCE.to_owned()), Wish::Peopled(SOURCE.to_owned())] {
        let error = refused(rich(), &PlanOrder { target, ..order() }).await;
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains("the pool of the backup itself"), "{}", error.what);
    }
}

#[tokio::test]
async fn a_pool_with_people_of_its_own_is_filled_only_when_it_is_named_twice() {
    let somebody = |marker: &[&str]| {
        let values = marker.iter().map(|name| ((*name).to_owned(), Personal::new("x")));
        let read = UserRead {
            attributes: Attributes {
                username: Personal::new("somebody"),
                values: values.collect(),
            },
            status: "CONFIRMED".to_owned(),
            account: user(0).account.expect("an account").data,
        };
        (user(0).sub, read)
    };
    let theirs = Empty {
        people: vec![somebody(&[])],
        ..Empty::default()
    };
    let error = importer(rich(), theirs.clone())
        .may_be_filled(SOURCE, "us-west-2_a1")
        .await;
    let error = error.expect_err("people of its own");
    assert_eq!(error.kind, ErrorKind::BadSetting);
    assert!(error.what.ends_with("--into-existing us-west-2_a1"), "{}", error.what);
    for ours in [
        Empty::default(),
        Empty {
            people: vec![somebody(&["custom:original_sub"])],
            ..Empty::default()
        },
    ] {
        assert_eq!(
            importer(rich(), ours).may_be_filled(SOURCE, "us-west-2_a1").await,
            Ok(())
        );
    }
    // A tag counts with the import that it names.
    let tagged = Empty {
        tags: json!({"twinpool:plan": PLAN}),
        ..theirs
    };
    for (pool, is_ours) in [
        (None, false),
        (Some("us-west-2_b2"), false),
        (Some("us-west-2_a1"), true),
    ] {
        let mut backup = rich();
        backup.documents.extend(pool.map(|pool| state(PLAN, pool, false)));
        let may = importer(backup, tagged.clone())
            .may_be_filled(SOURCE, "us-west-2_a1")
            .await;
        assert_eq!(may.is_ok(), is_ours, "{pool:?}: {may:?}");
    }
}

const PLAN: &str = "20261123T080000Z-0a1b2c3d";

fn stored(key: twinpool_shared::item::Key, body: &impl serde::Serialize) -> Document {
    Document {
        key,
        schema_version: SCHEMA_VERSION,
        pool: SOURCE.to_owned(),
        version: 1,
        written_at: now(),
        expires_at: None,
        body: Personal::new(serde_json::to_string(body).expect("JSON")),
    }
}

/// How far the import of `plan` into `pool` has come.
fn state(plan: &str, pool: &str, is_finished: bool) -> Document {
    let state = State {
        pool: Some(pool.to_owned()),
        users: is_finished.then(Tally::default),
        ..State::default()
    };
    stored(progress::keys::state(SOURCE, plan), &state)
}

#[tokio::test]
async fn an_unfinished_import_is_the_first_that_is_told() {
    let plans = ["20261123T080000Z-0a1b2c3d", "20261123T070000Z-00000000"];
    let mut backup = rich();
    backup.documents.extend([
        state(plans[0], "us-west-2_half", false),
        state(plans[1], "us-west-2_whole", true),
        stored(progress::keys::imports(SOURCE), &BTreeSet::from(plans)),
    ]);
    let (plan, _) = planned(backup, Empty::default(), &order()).await.expect("a plan");
    assert!(
        plan.manual[0].starts_with("an import is unfinished: 20261123T080000Z-0a1b2c3d into us-west-2_half;"),
        "{:?}",
        plan.manual
    );
    assert!(!plan.manual.iter().any(|told| told.contains("us-west-2_whole")));
}

#[tokio::test]
async fn a_drill_that_was_cut_off_is_to_be_removed_and_not_gone_on_with() {
    let order = order();
    let of = async |name: &str| {
        let order = PlanOrder {
            target: Wish::New(Some(name.to_owned())),
            ..order.clone()
        };
        let (plan, _) = planned(rich(), Empty::default(), &order).await.expect("a plan");
        let mut backup = rich();
        let text = file::seal(&plan).expect("text");
        backup.documents.extend([
            state(&plan.id, "us-west-2_left", false),
            stored(progress::keys::imports(SOURCE), &BTreeSet::from([&plan.id])),
            stored(progress::keys::plan(SOURCE, &plan.id), &text),
        ]);
        let (next, _) = planned(backup, Empty::default(), &order).await.expect("a plan");
        (plan.id, next.manual[0].clone())
    };
    let (id, told) = of("twinpool-drill-20261123t080000000z").await;
    assert!(
        told.starts_with("a drill was cut off: ")
            && told.contains("twinpool drill ")
            && told.ends_with(&format!("--remove {id}")),
        "{told}"
    );
    // A restore of the state machine stores its plan as well.
    let (_, told) = of("people").await;
    assert!(told.starts_with("an import is unfinished: "), "{told}");
}

#[tokio::test]
async fn a_group_that_was_changed_after_the_instant_is_told() {
    let at = now().plus_millis(-600_000);
    let mut record = GroupRecord::new("admins");
    record.settings = Some(facet(GroupSettings {
        description: None,
        precedence: None,
        role_arn: None,
        created: at.plus_millis(-1_000),
        modified: at.plus_millis(1),
    }));
    let mut backup = rich();
    backup.groups = vec![GroupItem::current(SOURCE, 1, record, at)];
    let told = async |as_of: Timestamp| {
        let order = PlanOrder {
            as_of: Some(as_of),
            ..order()
        };
        let (plan, _) = planned(backup.clone(), Empty::default(), &order).await.expect("a plan");
        plan.manual
            .iter()
            .filter(|told| told.starts_with("groups/admins: role"))
            .count()
    };
    assert_eq!((told(at).await, told(at.plus_millis(1)).await), (1, 0));
}

#[tokio::test]
async fn users_whom_no_reconcile_has_read_are_counted_and_have_to_be_accepted() {
    let mut backup = rich();
    backup.users[2].record.account = None;
    backup.users[3].record.status = None;
    let error = refused(backup.clone(), &order()).await;
    assert_eq!(error.kind, ErrorKind::Unmet);
    assert!(error.what.contains("2 users are not reconciled yet"), "{}", error.what);
    let order = PlanOrder {
        allow_stale: true,
        ..order()
    };
    let (plan, _) = planned(backup, Empty::default(), &order).await.expect("a plan");
    assert_eq!(plan.source.freshness.accepted.len(), 1);
}

#[tokio::test]
async fn disabled_users_of_a_provider_are_to_be_blocked_there() {
    let mut backup = rich();
    let disabled = &mut backup.users[3].record;
    assert!(disabled.account.as_ref().is_some_and(|account| !account.data.enabled));
    disabled.status = Some(facet("EXTERNAL_PROVIDER".to_owned()));
    let (plan, affected) = planned(backup, Empty::default(), &order()).await.expect("a plan");
    assert_eq!(plan.users.counts.disabled_federated, 1);
    assert_eq!(affected.iter().filter(|one| one.let_in).count(), 1);
    assert!(
        plan.manual
            .iter()
            .any(|task| task.starts_with("block 1 disabled users")),
        "{:?}",
        plan.manual
    );
}

#[tokio::test]
async fn what_cannot_be_tried_is_named() {
    let (plan, _) = planned(rich(), Empty::default(), &order()).await.expect("a plan");
    let named = plan.manual.last().expect("a task");
    assert!(named.ends_with("cognito-idp:CreateUserPool, iam:PassRole"), "{named}");
}

#[tokio::test]
async fn a_reference_to_the_lost_region_is_refused_with_the_line_that_maps_it() {
    let mut backup = rich();
    let mut pool = described();
    pool["Name"] = json!("people");
    pool["LambdaConfig"] = json!({"PreSignUp": LAMBDA});
    backup
        .documents
        .retain(|document| !document.key.sk.starts_with("config#pool#"));
    backup
        .documents
        .extend(captured(Part::Pool, POOL_LEVEL, Content::Json(Json::new(pool))));
    let error = refused(backup.clone(), &order()).await;
    assert!(
        error.what.contains(LAMBDA) && error.what.contains("\"arns\""),
        "{}",
        error.what
    );
    let mapping = json!({"version": 1, "arns": {LAMBDA: null}}).to_string();
    let order = PlanOrder {
        mapping: Mapping::parse(&mapping).expect("a mapping"),
        ..order()
    };
    let (plan, _) = planned(backup, Empty::default(), &order).await.expect("a plan");
    assert!(
        plan.left_out.iter().any(|left| left.contains(LAMBDA)),
        "{:?}",
        plan.left_out
    );
}

#[tokio::test]
async fn missing_permissions_are_found_by_calls_about_nothing() {
    let pool = Empty {
        denied: BTreeSet::from(["AdminCreateUser", "AdminAddUserToGroup", "CreateUserPoolClient"]),
        ..Empty::default()
    };
    let error = planned(rich(), pool.clone(), &order()).await.expect_err("a refusal");
    assert_eq!(error.kind, ErrorKind::Denied);
    assert!(
        error.what.ends_with(
            "cognito-idp:AdminAddUserToGroup, cognito-idp:AdminCreateUser, cognito-idp:CreateUserPoolClient"
        ),
        "{}",
        error.what
    );
    let asked = pool.asked.lock().expect("no panic").clone();
    assert!(
        asked.len() > 2 && asked.values().all(|pool| pool == "us-west-2_twinpool"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn import_jobs_are_for_a_new_pool() {
    let mapping = json!({"version": 1, "import_logs_role": "arn:aws:iam::111122223333:role/import"}).to_string();
    let order = PlanOrder {
        way: UsersWay::Csv,
        mapping: Mapping::parse(&mapping).expect("a mapping"),
        ..order()
    };
    let (plan, _) = planned(rich(), Empty::default(), &order).await.expect("a plan");
    assert_eq!(plan.users.way, UsersWay::Csv);
    let id = "us-west-2_a1".to_owned();
    for target in [Wish::Existing(id.clone()), Wish::Peopled(id)] {
        let error = refused(
            rich(),
            &PlanOrder {
                target,
                ..order.clone()
            },
        )
        .await;
        assert_eq!(error.kind, ErrorKind::BadSetting);
        for told in ["--users csv", "--users api", "a new pool"] {
            assert!(error.what.contains(told), "{}", error.what);
        }
    }
}

#[tokio::test]
async fn import_jobs_need_a_role_for_their_logs() {
    let order = PlanOrder {
        way: UsersWay::Csv,
        ..order()
    };
    let error = refused(rich(), &order).await;
    assert!(
        error.what.contains("import_logs_role") && error.what.contains("--users api"),
        "{}",
        error.what
    );
}
