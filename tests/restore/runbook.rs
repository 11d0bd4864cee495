//! The runbook is what an operator types: its commands, one after the other, rehearse a restore and rebuild a lost pool.

use serde_json::json;
use twinpool_tests::{
    reconciling::Scene,
    restoring::{Outage, RECOVERY, portrait::Portrait, small},
    stand_ins::Cognito,
};

use super::{assert_users, rebuilt, unpaced};

const RUNBOOK: &str = include_str!("../../infra/runbooks/01-region-lost.md");
/// What the runbook types, in its order.
const TYPED: [&str; 9] = [
    "doctor",
    "status",
    "plan",
    "apply",
    "apply",
    "verify",
    "export-sub-map",
    "repair-federated",
    "drill",
];
/// Commands that ask before they begin; nobody is there to answer.
const ASKING: [&str; 2] = ["apply", "drill"];
/// Files that commands read and write.
const FILES: [&str; 7] = [
    "plan.json",
    "mapping.json",
    "plan.html",
    "affected.csv",
    "failed.csv",
    "verify.html",
    "drill.html",
];

/// The commands of the runbook's blocks that run `twinpool`, word by word, as they stand there.
fn commands() -> Vec<Vec<&'static str>> {
    let blocks = RUNBOOK.split("```").skip(1).step_by(2);
    let lines = blocks.flat_map(str::lines);
    let commands = lines.filter_map(|line| line.trim().strip_prefix("twinpool "));
    commands
        .map(|command| {
            assert!(!command.ends_with('\\'), "a command of two lines: {command}");
            let command = command.split(" > ").next().unwrap_or(command);
            command.split_whitespace().collect()
        })
        .collect()
}

/// A word as the operator would have it.
fn word(outage: &Outage, target: Option<&str>, word: &str) -> String {
    match word {
        "$RECOVERY" => RECOVERY.to_owned(),
        "$POOL" => outage.night.pool.clone(),
        "$TARGET" => target.expect("the pool is rebuilt before it is named").to_owned(),
        file if FILES.contains(&file) => outage.path(file),
        other => {
            assert!(!other.starts_with('$'), "nobody fills in {other}");
            other.to_owned()
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_runbook_rebuild_a_lost_pool() {
    let scene = Scene::start(json!({})).await;
    let made = small::create(&Cognito::new(scene.endpoint())).await;
    let outage = Outage::of(&scene, made, unpaced(), async |_| {}).await;
    let _mapping = outage.file("mapping.json", &json!({"version": 1}));
    let mut commands = commands();
    let names: Vec<&str> = commands.iter().map(|command| command[0]).collect();
    assert_eq!(names, TYPED, "left: the runbook, right: what is expected of each");
    // The rehearsal stands last and comes first: later the rebuilt pool would have the domain that a drill needs.
    commands.rotate_right(1);
    let mut target = None;
    for command in commands {
        let mut arguments: Vec<String> = command
            .iter()
            .map(|typed| word(&outage, target.as_deref(), typed))
            .collect();
        if ASKING.contains(&command[0]) {
            arguments.push("--yes".to_owned());
        }
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = outage.twinpool(&arguments).await;
        let typed = command.join(" ");
        if command[0] == "doctor" {
            // It also looks at what is lost; the runbook says which lines count.
            for fit in ["credentials", "table"] {
                assert!(ran.stdout.contains(fit), "{fit} is not looked at: {ran:?}");
            }
            assert_ne!(ran.status, 2, "{ran:?}");
            continue;
        }
        assert_eq!(ran.status, 0, "twinpool {typed}: {}\n{}", ran.stdout, ran.stderr);
        if command[0] == "drill" {
            assert_eq!(outage.rebuilt().await, Vec::<String>::new(), "the drill's pool is left");
        }
        if command[0] == "apply" {
            target = Some(rebuilt(&outage).await);
        }
    }
    let target = target.expect("it was rebuilt");
    assert_users(&outage.before, &Portrait::of(&outage.recovery, &target).await);
    assert_eq!(outage.messages(), 0, "nobody is told of it");
    for file in FILES {
        assert!(std::path::Path::new(&outage.path(file)).is_file(), "{file}");
    }
}
