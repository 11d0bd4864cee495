//! Making and patching a target through doubles of the ports: lost answers, cut-offs, refusals.
//!
//! Invariant: the double makes a second pool or client when it is told to, as Cognito does, and counts.

mod double;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use serde_json::Value;
use tokio::time::Instant;
use twinpool_shared::{
    error::ErrorKind,
    import::{
        configure::{self, CREATE_CLIENT, CREATE_POOL},
        mapping::{Mapping, Place},
        plan::PLAN_TAG,
        select::{Class, Run},
    },
    marks::Part,
    snapshot::{
        Content, Json,
        past::{Configuration, Held},
    },
    time::Timestamp,
};

use self::double::{Cognito, Table, Trouble};
use super::*;
use crate::{HttpUpload, testing::World};

const SOURCE: &str = "us-east-1_Ab1Cd2Ef3";
const OWNER: &str = "host:1";
const PLAN: &str = "20261123T081316Z-0a1b2c3d";

/// The configuration with every part, as the fixture of the pure tests has it.
fn wanted() -> Wanted {
    let tree: Value =
        serde_json::from_str(include_str!("../../../../tests/fixtures/import/configuration.json")).unwrap();
    let mapping = Mapping::parse(include_str!("../../../../tests/fixtures/import/mapping.json")).unwrap();
    let mut recorded = Configuration::default();
    for (part, members) in tree.as_object().unwrap() {
        let part: Part = serde_json::from_value(part.as_str().into()).unwrap();
        for (name, json) in members.as_object().unwrap() {
            let held = Held {
                read_at: Timestamp::from_millis(0),
                source: "Describe".to_owned(),
                content: Content::Json(Json::new(json.clone())),
            };
            recorded.members.insert((part, name.clone()), held);
        }
    }
    let groups = ["a", "b", "c"].map(|name| (name.to_owned(), twinpool_shared::group::GroupRecord::new(name)));
    let place = Place::new(SOURCE, "us-west-2", "111122223333").unwrap();
    configure::steps(&recorded, &BTreeMap::from(groups), &mapping, &place, PLAN, "customers").unwrap()
}

fn importer(cognito: &Cognito, table: &Table) -> Importer<Cognito, Cognito, Table> {
    table.hold(keys::lease(SOURCE), OWNER);
    Importer {
        reader: cognito.clone(),
        writer: cognito.clone(),
        backup: table.clone(),
        clock: Arc::new(|| Timestamp::from_millis(1_795_392_000_000)),
        watch: Box::new(()),
        upload: Box::new(HttpUpload),
    }
}

fn new_pool() -> TargetPool {
    TargetPool::New {
        name: "customers".to_owned(),
    }
}

fn setting<'a>(target: &'a TargetPool, wanted: &'a Wanted) -> Setting<'a> {
    Setting {
        plan: PLAN,
        source: SOURCE,
        owner: OWNER,
        target,
        wanted,
    }
}

/// Configures again and again until it comes to an end, as an operator does after a cut-off.
async fn to_the_end(cognito: &Cognito, table: &Table, wanted: &Wanted) -> Configured {
    let target = new_pool();
    let mut errors = Vec::new();
    for _ in 0..3 {
        let importer = importer(cognito, table);
        let setting = setting(&target, wanted);
        match importer.configure(&setting).await {
            Ok(configured) => match importer.open(&setting, &configured.pool, &[]).await {
                Ok(_) => return configured,
                Err(error) => errors.push(error),
            },
            Err(error) => errors.push(error),
        }
    }
    panic!("it never ended: {errors:?}");
}

/// What the target is, whatever ids its pieces have.
async fn as_made(wanted: &Wanted) -> BTreeMap<String, Value> {
    let (cognito, table) = (Cognito::new(wanted), Table::default());
    let configured = to_the_end(&cognito, &table, wanted).await;
    cognito.shape(&configured)
}

#[tokio::test(start_paused = true)]
async fn an_empty_pool_gets_every_step_and_what_lets_people_in_last() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
    let configured = importer.configure(&setting).await.unwrap();
    assert_eq!(configured.failed, []);
    assert_eq!(configured.clients.len(), 2);
    let operations: Vec<&str> = wanted.steps.iter().map(|step| step.operation).collect();
    let before = wanted.steps.iter().filter(|step| !step.phase.is_after_users()).count();
    assert_eq!(cognito.changes(), operations[..before]);
    let web = || cognito.client(&configured.pool, &configured.clients["1web"]);
    assert_eq!(web()["SupportedIdentityProviders"], serde_json::json!(["COGNITO"]));
    let made = web();
    let pool = cognito.pool(&configured.pool);
    assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], true);
    assert!(pool["LambdaConfig"]["PostConfirmation"].is_string());
    assert_eq!(importer.open(&setting, &configured.pool, &[]).await.unwrap(), []);
    assert_eq!(cognito.changes(), operations);
    let opened = web();
    assert_eq!(
        opened["SupportedIdentityProviders"],
        serde_json::json!(["COGNITO", "Corp"])
    );
    for (member, value) in made.as_object().unwrap() {
        assert!(
            member == "SupportedIdentityProviders" || opened[member] == *value,
            "{member}"
        );
    }
    let pool = cognito.pool(&configured.pool);
    assert_eq!(pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"], false);
    assert_eq!(pool["UserPoolTags"][PLAN_TAG], PLAN);
    assert_eq!(pool["Policies"]["PasswordPolicy"]["MinimumLength"], 12);
    assert!(pool["LambdaConfig"]["PostConfirmation"].is_string());
}

#[tokio::test(start_paused = true)]
async fn chunks_that_are_laid_out_make_no_pool_doubtful() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
    let laid_out = State {
        layout: vec![Run {
            class: Class::Verified,
            chunks: 1,
        }],
        ..State::default()
    };
    let (documents, key) = (importer.documents(SOURCE), keys::state(SOURCE, PLAN));
    documents.replace(&key, &laid_out, Kept::Always).await.unwrap();
    let began = Instant::now();
    importer.configure(&setting).await.unwrap();
    assert!(
        began.elapsed() < Duration::from_secs(1),
        "it waited for a pool that nobody made"
    );
}

#[tokio::test(start_paused = true)]
async fn doing_it_again_changes_nothing() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let first = to_the_end(&cognito, &table, &wanted).await;
    let changes = cognito.changes().len();
    assert_eq!(to_the_end(&cognito, &table, &wanted).await, first);
    assert_eq!(cognito.changes().len(), changes);
}

#[tokio::test(start_paused = true)]
async fn lost_answers_make_nothing_twice() {
    let wanted = wanted();
    let undisturbed = as_made(&wanted).await;
    for number in 0..wanted.steps.len() {
        for is_carried_out in [true, false] {
            let (cognito, table) = (Cognito::new(&wanted), Table::default());
            cognito.trouble(number, Trouble::Lost { is_carried_out });
            let configured = to_the_end(&cognito, &table, &wanted).await;
            assert_eq!(cognito.shape(&configured), undisturbed, "{number} {is_carried_out}");
            assert_eq!(configured.failed, [], "{number} {is_carried_out}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_before_or_after_any_call_leads_to_the_same_end() {
    let wanted = wanted();
    let undisturbed = as_made(&wanted).await;
    for number in 0..wanted.steps.len() {
        for is_carried_out in [true, false] {
            let (cognito, table) = (Cognito::new(&wanted), Table::default());
            cognito.trouble(number, Trouble::Cut { is_carried_out });
            let configured = to_the_end(&cognito, &table, &wanted).await;
            assert_eq!(cognito.shape(&configured), undisturbed, "{number} {is_carried_out}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_off_at_any_write_of_the_table_leads_to_the_same_end() {
    let wanted = wanted();
    let undisturbed = as_made(&wanted).await;
    for number in 0..5 {
        let (cognito, table) = (Cognito::new(&wanted), Table::default());
        table.fail(number);
        let configured = to_the_end(&cognito, &table, &wanted).await;
        assert_eq!(cognito.shape(&configured), undisturbed, "{number}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_step_is_noted_and_tried_again_by_the_next_attempt() {
    let wanted = wanted();
    let undisturbed = as_made(&wanted).await;
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    // The domain: somebody else may have its prefix.
    let domain = wanted
        .steps
        .iter()
        .position(|step| step.operation == "CreateUserPoolDomain");
    cognito.trouble(domain.unwrap(), Trouble::Refused("InvalidParameterException"));
    let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
    let configured = importer.configure(&setting).await.unwrap();
    let refused = FailedStep {
        path: "domain/login".to_owned(),
        operation: "CreateUserPoolDomain".to_owned(),
        code: "InvalidParameterException".to_owned(),
    };
    assert_eq!(configured.failed, [refused]);
    let configured = to_the_end(&cognito, &table, &wanted).await;
    assert_eq!(configured.failed, []);
    assert_eq!(cognito.shape(&configured), undisturbed);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_refused_takes_only_what_is_its_own_with_it() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    let web = wanted
        .steps
        .iter()
        .position(|step| step.client.as_deref() == Some("1web"))
        .unwrap();
    cognito.trouble(web, Trouble::Refused("ScopeDoesNotExistException"));
    let configured = importer(&cognito, &table)
        .configure(&setting(&target, &wanted))
        .await
        .unwrap();
    let failed: Vec<_> = configured
        .failed
        .iter()
        .map(|failed| (failed.path.as_str(), failed.code.as_str()))
        .collect();
    assert_eq!(failed[0], ("clients/1web", "ScopeDoesNotExistException"));
    assert!(
        failed[1..].iter().all(|(path, code)| {
            (path.ends_with("/1web") || path.starts_with("terms/")) && *code == "ClientNotMade"
        })
    );
    assert_eq!(failed.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_refused_pool_ends_the_import_with_its_code() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    cognito.trouble(0, Trouble::Refused("InvalidParameterException"));
    let target = new_pool();
    let error = importer(&cognito, &table)
        .configure(&setting(&target, &wanted))
        .await
        .unwrap_err();
    assert_eq!(error.kind, ErrorKind::Rejected);
    assert_eq!(error.code(), Some("InvalidParameterException"));
}

#[tokio::test(start_paused = true)]
async fn a_pool_or_client_that_lists_show_late_is_not_made_twice() {
    let wanted = wanted();
    let undisturbed = as_made(&wanted).await;
    let made =
        [CREATE_POOL, CREATE_CLIENT].map(|operation| wanted.steps.iter().position(|step| step.operation == operation));
    for number in made {
        let (cognito, table) = (Cognito::new(&wanted), Table::default());
        cognito.trouble(number.unwrap(), Trouble::Lost { is_carried_out: true });
        cognito.lag(4);
        let configured = to_the_end(&cognito, &table, &wanted).await;
        assert_eq!(cognito.shape(&configured), undisturbed, "{number:?}");
        // The process ends before it looks.
        let (cognito, table) = (Cognito::new(&wanted), Table::default());
        cognito.trouble(number.unwrap(), Trouble::Cut { is_carried_out: true });
        cognito.lag(if number == Some(0) { 4 } else { 0 });
        let configured = to_the_end(&cognito, &table, &wanted).await;
        assert_eq!(cognito.shape(&configured), undisturbed, "{number:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn two_that_could_be_meant_are_an_error_that_names_both() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let input = wanted.steps[0].input.expose();
    for _ in 0..2 {
        cognito.change(CREATE_POOL, input.clone()).await.unwrap();
    }
    let target = new_pool();
    let importer = importer(&cognito, &table);
    let error = importer.configure(&setting(&target, &wanted)).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unmet);
    assert!(error.what.contains("id1 and id2"), "{error}");
    assert!(!cognito.changes()[2..].contains(&CREATE_POOL.to_owned()));
}

#[test]
fn a_make_is_looked_for_during_half_a_minute() {
    assert_eq!(steps::WAITS_SECONDS.iter().sum::<u64>(), 30);
    assert!(steps::WAITS_SECONDS.is_sorted());
}

#[tokio::test(start_paused = true)]
async fn outside_providers_wait_for_the_triggers_that_guard_them() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
    let configured = importer.configure(&setting).await.unwrap();
    let codes = |failed: Vec<FailedStep>| -> Vec<(String, String)> {
        failed.into_iter().map(|failed| (failed.path, failed.code)).collect()
    };
    let expected = |pool: &str, client: &str| {
        [("pool/pool", pool), ("clients/1web", client)].map(|(path, code)| (path.to_owned(), code.to_owned()))
    };
    let next = cognito.changes().len();
    let both = [configure::Phase::SignUp, configure::Phase::OutsideSignIn];
    let closed = importer.open(&setting, &configured.pool, &both).await.unwrap();
    assert_eq!(codes(closed), expected("SignUpStaysClosed", "SignUpStaysClosed"));
    assert_eq!(cognito.changes().len(), next);
    cognito.trouble(next, Trouble::Refused("InvalidLambdaResponseException"));
    let failed = importer.open(&setting, &configured.pool, &[]).await.unwrap();
    assert_eq!(
        codes(failed),
        expected("InvalidLambdaResponseException", "TriggersNotAttached")
    );
    assert_eq!(cognito.changes().len(), next + 1);
    // A provider that could not be made is refused where it is named; all the rest is open then.
    cognito.trouble(next + 2, Trouble::Refused("InvalidParameterException"));
    let failed = importer.open(&setting, &configured.pool, &[]).await.unwrap();
    assert_eq!(codes(failed), expected("", "InvalidParameterException")[1..]);
    assert_eq!(importer.open(&setting, &configured.pool, &[]).await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn sign_up_may_be_open_while_outside_providers_are_not() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let target = new_pool();
    let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
    let pool = importer.configure(&setting).await.unwrap().pool;
    let outside = [configure::Phase::OutsideSignIn];
    let closed = importer.open(&setting, &pool, &outside).await.unwrap();
    let closed: Vec<_> = closed
        .iter()
        .map(|left| (left.path.as_str(), left.code.as_str()))
        .collect();
    assert_eq!(closed, [("clients/1web", CLOSED)]);
    let made = cognito.changes().len();
    assert_eq!(importer.open(&setting, &pool, &[]).await.unwrap(), []);
    assert_eq!(cognito.changes().len(), made + 1, "sign-up is not opened again");
}

#[tokio::test(start_paused = true)]
async fn who_has_lost_the_lease_makes_nothing_more() {
    let wanted = wanted();
    for lost_after in [None, Some(0), Some(3)] {
        let (cognito, table) = (Cognito::new(&wanted), Table::default());
        let target = new_pool();
        let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
        let other = {
            let table = table.clone();
            move || table.hold(keys::lease(SOURCE), "host:2")
        };
        if lost_after.is_none() {
            other();
        }
        cognito.after(move |number| {
            if Some(number) == lost_after {
                other();
            }
        });
        let error = importer.configure(&setting).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Held, "{lost_after:?}");
        assert_eq!(cognito.changes().len(), lost_after.map_or(0, |number| number + 1));
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_over_what_a_successor_has_stored() {
    let wanted = wanted();
    let clients = wanted
        .steps
        .iter()
        .position(|step| step.operation == CREATE_CLIENT)
        .unwrap();
    // The pool's id, and the second client's.
    for (number, key) in [
        (0, keys::state(SOURCE, PLAN)),
        (clients + 1, keys::clients(SOURCE, PLAN)),
    ] {
        let (cognito, table) = (Cognito::new(&wanted), Table::default());
        let target = new_pool();
        let (importer, setting) = (importer(&cognito, &table), setting(&target, &wanted));
        let others = table.clone();
        cognito.after(move |made| {
            if made == number {
                others.overtake(&key);
            }
        });
        let error = importer.configure(&setting).await.unwrap_err();
        assert_eq!(error.kind, ErrorKind::Held, "{number}");
        assert_eq!(cognito.changes().len(), number + 1);
    }
}

#[tokio::test]
async fn attributes_for_developers_are_found_by_the_name_that_they_are_shown_with() {
    let mut wanted = wanted();
    let entries = serde_json::json!([{"Name": "own"}, {"Name": "dev", "DeveloperOnlyAttribute": true}]);
    let step = Step {
        operation: configure::ADD_ATTRIBUTES,
        input: Json::new(serde_json::json!({"CustomAttributes": entries})),
        ..wanted.steps[0].clone()
    };
    let mut pool = wanted.pool.expose().clone();
    pool["SchemaAttributes"] = serde_json::json!([{"Name": "custom:own"}, {"Name": "dev:custom:dev"}]);
    wanted.pool = Json::new(pool);
    let cognito = Cognito::new(&wanted);
    let made = cognito
        .change(CREATE_POOL, wanted.steps[0].input.expose().clone())
        .await
        .unwrap();
    let pool = made["UserPool"]["Id"].as_str().unwrap();
    let found = look::look(&cognito, pool, &BTreeMap::new(), &step).await.unwrap();
    assert_eq!(found, look::Look::There);
}

#[tokio::test(start_paused = true)]
async fn an_existing_target_that_changed_since_it_was_planned_is_refused() {
    let wanted = wanted();
    let (cognito, table) = (Cognito::new(&wanted), Table::default());
    let configured = to_the_end(&cognito, &table, &wanted).await;
    let importer = importer(&cognito, &table);
    let mut plan = World::with(Vec::new()).plan;
    plan.target.pool = TargetPool::Existing {
        id: configured.pool.clone(),
    };
    plan.changes = Some(Vec::new());
    assert_eq!(importer.is_as_planned(&plan, &wanted).await, Ok(()));
    let update = serde_json::json!({"UserPoolId": configured.pool, "DeletionProtection": "INACTIVE"});
    cognito.change("UpdateUserPool", update).await.unwrap();
    let error = importer.is_as_planned(&plan, &wanted).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unmet);
    for says in ["the target", "nothing was changed", "twinpool plan"] {
        assert!(error.what.contains(says), "{error}");
    }
}
