//! Orders, as the state machine and its input write them.

use std::time::Duration;

use serde_json::json;
use twinpool_shared::{
    import::{
        plan::{TargetPool, UsersWay},
        select::Deleted,
    },
    time::Timestamp,
};

use super::*;
use crate::{configuration::FailedStep, plan::Wish, testing::World};

fn read(order: serde_json::Value) -> Result<Order, serde_json::Error> {
    serde_json::from_value(order)
}

fn place() -> Place {
    Place {
        table: "backup".to_owned(),
        region: "us-west-2".to_owned(),
        account: "111122223333".to_owned(),
        retention_seconds: 35 * 86_400,
        share: Share::default(),
        live: Live::default(),
    }
}

/// What is planned when the input says `wanted`.
fn planned(drill: bool, wanted: serde_json::Value) -> Result<PlanOrder, Error> {
    let order = json!({"step": "plan", "owner": "e", "pool": "us-east-1_a", "drill": drill, "wanted": wanted});
    let order = read(order).expect("an order");
    let Step::Plan { drill, wanted } = &order.step else {
        panic!("{order:?}");
    };
    let now = Timestamp::parse("2026-11-23T08:00:00Z").expect("an instant");
    wanted.order(&order, *drill, &place(), now)
}

#[test]
fn an_input_without_wishes_plans_all_of_the_present() {
    let order = read(json!({"step": "plan", "owner": "e", "pool": "us-east-1_a", "drill": false})).expect("an order");
    let whole = Step::Plan {
        drill: false,
        wanted: Wanted::default(),
    };
    assert_eq!(order.step, whole);
    let planned = planned(false, json!({})).expect("a plan's order");
    assert_eq!((planned.target, planned.as_of), (Wish::New(None), None));
    assert_eq!((planned.deleted, planned.way), (Deleted::Not, UsersWay::Auto));
    assert!(!planned.allow_stale);
}

#[test]
fn an_input_is_taken_as_the_options_of_the_command() {
    let wanted = json!({
        "name": "people", "users": "csv", "as_of": "2026-11-23T01:00:00Z", "include_deleted": true,
        "deleted_after": "2026-11-22T01:00:00Z", "allow_stale": true,
        "mapping": {"version": 1, "regions": {"us-east-1": "us-west-2"}},
    });
    let planned = planned(false, wanted).expect("a plan's order");
    let at = |text| Timestamp::parse(text).expect("an instant");
    assert_eq!(planned.target, Wish::New(Some("people".to_owned())));
    assert_eq!(planned.as_of, Some(at("2026-11-23T01:00:00Z")));
    assert_eq!(planned.deleted, Deleted::Since(Some(at("2026-11-22T01:00:00Z"))));
    assert_eq!((planned.way, planned.allow_stale), (UsersWay::Csv, true));
    assert_eq!(planned.mapping.regions["us-east-1"], "us-west-2");
}

#[test]
fn a_drill_names_its_pool_by_its_instant() {
    let name = Wish::New(Some("twinpool-drill-20261123t080000000z".to_owned()));
    assert_eq!(planned(true, json!({})).expect("a plan's order").target, name);
}

#[test]
fn an_input_that_says_what_nobody_reads_is_refused_with_what_to_do() {
    for (drill, wanted, told) in [
        (true, json!({"name": "people"}), "leave out name"),
        (
            false,
            json!({"deleted_after": "2026-11-22T01:00:00Z"}),
            "include_deleted",
        ),
        (false, json!({"mapping": {"version": 1, "arn": {}}}), "`arn`"),
        (false, json!({"mapping": {"version": 1, "arns": {"x": null}}}), "no ARN"),
    ] {
        let error = planned(drill, wanted).expect_err("a refusal");
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains(told), "{}", error.what);
    }
    let order = json!({"step": "plan", "owner": "e", "pool": "p", "drill": true, "wanted": {"user": "csv"}});
    let error = read(order).expect_err("a refusal").to_string();
    assert!(error.contains("`user`"), "{error}");
    assert!(read(json!({"step": "delete", "owner": "e", "pool": "p"})).is_err());
}

/// A plan that makes a new pool of this name.
fn plan(name: &str) -> Plan {
    let mut plan = World::with(Vec::new()).plan;
    plan.target.pool = TargetPool::New { name: name.to_owned() };
    plan
}

#[test]
fn a_machine_takes_no_plan_of_the_other_one() {
    let (drill, restore) = (plan("twinpool-drill-20261123t080000000z"), plan("people"));
    let existing = World::with(Vec::new()).plan;
    assert_eq!(of_machine(&drill, true), Ok(()));
    assert_eq!(of_machine(&restore, false), Ok(()));
    assert_eq!(of_machine(&existing, false), Ok(()));
    for (plan, drill, told) in [
        (&restore, true, "of a restore"),
        (&existing, true, "of a restore"),
        (&drill, false, "of a drill"),
    ] {
        let error = of_machine(plan, drill).expect_err("a refusal");
        assert_eq!(error.kind, ErrorKind::BadSetting);
        assert!(error.what.contains(told), "{}", error.what);
    }
}

#[test]
fn a_comparison_that_does_not_fit_is_refused_before_anything_is_made() {
    let invocation = Duration::from_secs(895);
    let of = |made, memberships, preferences| {
        let mut plan = plan("people");
        plan.users.counts.made = made;
        plan.users.counts.memberships = memberships;
        plan.users.counts.preferences = preferences;
        plan
    };
    let whole = Place {
        share: Share::new(100).expect("a share"),
        ..place()
    };
    // At half of the quota 15 lists and 60 single reads a second; users are listed twice.
    for (plan, fits) in [
        (of(400_000, 0, 0), true),
        (of(410_000, 0, 0), false),
        (of(200_000, 400_000, 0), true),
        (of(400_000, 400_000, 0), false),
        (of(1_000, 0, 53_000), true),
        (of(1_000, 0, 54_000), false),
    ] {
        let checked = fit::check(&plan, &place(), invocation);
        assert_eq!(checked.is_ok(), fits, "{:?}", plan.users.counts);
        let Err(error) = checked else { continue };
        assert_eq!(error.kind, ErrorKind::Unmet);
        for told in ["QuotaSharePercent", "`twinpool verify`", "895 s", "50 %"] {
            assert!(error.what.contains(told), "{}", error.what);
        }
        assert_eq!(fit::check(&plan, &whole, invocation), Ok(()));
    }
}

#[test]
fn an_apply_goes_on_without_a_word_about_failures() {
    let order = json!({"step": "apply", "owner": "e", "pool": "p", "plan": "x", "drill": false});
    let apply = read(order).expect("an order");
    let step = Step::Apply {
        plan: "x".to_owned(),
        drill: false,
        retry_failed: false,
        open_sign_up: false,
    };
    assert_eq!(apply.step, step);
}

/// A client that was not made, or stays as it is, with this code.
fn refused(code: &str) -> FailedStep {
    FailedStep {
        path: "clients/1example23456789".to_owned(),
        operation: "CreateUserPoolClient".to_owned(),
        code: code.to_owned(),
    }
}

#[test]
fn what_stays_closed_on_purpose_is_no_setting_that_was_refused() {
    for (codes, figures) in [
        (vec!["InvalidParameterException", CLOSED, CLOSED], (1, true)),
        (vec![CLOSED], (0, true)),
        (vec!["TriggersNotAttached"], (1, false)),
        (vec![], (0, false)),
    ] {
        let report = ApplyReport {
            settings_failed: codes.into_iter().map(refused).collect(),
            ..ApplyReport::default()
        };
        let of = Figures::from(report);
        assert_eq!((of.settings_failed, of.sign_up_closed), figures);
    }
}

#[test]
fn an_answer_holds_counts_and_no_name_of_a_setting_or_client() {
    let failed = refused("InvalidParameterException");
    let report = ApplyReport {
        pool: "us-west-2_b".to_owned(),
        clients: BTreeMap::from([("old".to_owned(), "new".to_owned())]),
        settings_failed: vec![failed],
        manual: vec!["set the domain's DNS".to_owned()],
        users: 3,
        ..ApplyReport::default()
    };
    let answer = Answer::Apply {
        done: true,
        figures: Some(report.into()),
    };
    let figures = json!({
        "pool": "us-west-2_b", "users": 3, "by_csv": 0, "memberships": 0, "links": 0, "clients": 1, "not_made": {},
        "failed": {}, "failed_users": 0, "settings_failed": 1, "sign_up_closed": false,
    });
    let expected = json!({"step": "apply", "done": true, "figures": figures});
    assert_eq!(serde_json::to_value(answer).expect("JSON"), expected);
}

#[test]
fn the_state_machine_orders_every_step_and_no_other() {
    let machine: serde_json::Value =
        serde_json::from_str(include_str!("../../../../infra/import.asl.json")).expect("JSON");
    let states = machine["States"].as_object().expect("states");
    let payloads = states
        .values()
        .filter_map(|state| state["Arguments"]["Payload"].as_str());
    let ordered: Vec<&str> = payloads
        .filter_map(|payload| payload.split("'step': '").nth(1)?.split('\'').next())
        .collect();
    assert_eq!(ordered.len(), 4, "{ordered:?}");
    for step in ["plan", "apply", "verify", "remove"] {
        assert!(ordered.contains(&step), "{step}");
    }
    for state in states.values() {
        for next in ["Next", "Default"].iter().filter_map(|name| state[*name].as_str()) {
            assert!(states.contains_key(next), "{next}");
        }
    }
}

#[test]
fn the_state_machine_opens_sign_up_if_its_input_says_so_and_fails_while_it_is_closed() {
    let machine: serde_json::Value =
        serde_json::from_str(include_str!("../../../../infra/import.asl.json")).expect("JSON");
    let states = &machine["States"];
    for (pointer, says) in [
        ("/Begin/Choices/0/Condition", "['pool', 'plan', 'open_sign_up']"),
        ("/Begin/Choices/0/Next", "TooMuch"),
        ("/GoOn/Output", "$exists($states.input.open_sign_up)"),
        ("/Plan/Output", "$exists($states.input.open_sign_up)"),
        ("/Plan/Arguments/Payload", "$not($name in ['pool', 'open_sign_up'])"),
        ("/Apply/Arguments/Payload", "'open_sign_up': $states.input.open_sign_up"),
        ("/Outcome/Choices/1/Condition", "$states.input.applied.sign_up_closed"),
        ("/Differs/Cause", "\"open_sign_up\": true"),
    ] {
        let text = states.pointer(pointer).and_then(serde_json::Value::as_str);
        assert!(text.is_some_and(|text| text.contains(says)), "{pointer}: {text:?}");
    }
}

#[test]
fn the_state_machine_tries_again_what_passes_by_itself() {
    let machine: serde_json::Value =
        serde_json::from_str(include_str!("../../../../infra/import.asl.json")).expect("JSON");
    let tasks = machine["States"].as_object().expect("states").values();
    for task in tasks.filter(|state| state["Type"] == "Task") {
        let retried = task["Retry"].as_array().expect("retries").iter();
        let retried: Vec<&str> = retried
            .flat_map(|retry| retry["ErrorEquals"].as_array().expect("names"))
            .filter_map(serde_json::Value::as_str)
            .filter(|name| !name.contains('.'))
            .collect();
        let passing = [ErrorKind::Throttled, ErrorKind::Unavailable, ErrorKind::Contended];
        assert_eq!(retried, passing.map(ErrorKind::as_str));
    }
}
