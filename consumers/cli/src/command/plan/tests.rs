//! Arguments, the list of affected users, and the document.

use clap::Parser;
use twinpool_shared::{
    import::recreate::{Loss, NotMade},
    personal::Sub,
};

use super::*;
use crate::{arguments::Arguments, command::Command, output::tests::documented};

fn args(line: &str) -> Args {
    let arguments = Arguments::try_parse_from(format!("twinpool plan {line}").split_whitespace());
    match arguments.expect("a command line").command {
        Command::Plan(args) => args,
        other => panic!("{other:?}"),
    }
}

fn refused(line: &str) -> String {
    let arguments = Arguments::try_parse_from(format!("twinpool plan {line}").split_whitespace());
    arguments.expect_err(line).to_string()
}

#[test]
fn the_region_is_that_of_the_target_or_the_one_that_is_named() {
    assert_eq!(region(&args("--target us-west-2_a1")).as_deref(), Ok("us-west-2"));
    assert_eq!(region(&args("--target-region eu-west-1")).as_deref(), Ok("eu-west-1"));
    let error = region(&args("--target us-west-2_a1 --target-region eu-west-1")).expect_err("two Regions");
    assert!(error.what.contains("leave --target-region out"), "{}", error.what);
    assert!(refused("").contains("--target-region"));
    assert!(refused("--target us-west-2_a1 --name x").contains("cannot be used with"));
    assert!(refused("--target-region r --deleted-after 2026-11-23").contains("--include-deleted"));
}

#[test]
fn a_target_with_people_in_it_is_named_twice_by_the_same_id() {
    let of = |line: &str| wish(&args(line));
    assert_eq!(
        of("--target us-west-2_a1"),
        Ok(Wish::Existing("us-west-2_a1".to_owned()))
    );
    assert_eq!(
        of("--target us-west-2_a1 --into-existing us-west-2_a1"),
        Ok(Wish::Peopled("us-west-2_a1".to_owned()))
    );
    let error = of("--target us-west-2_a1 --into-existing us-west-2_b1").expect_err("two pools");
    assert!(
        error.what.contains("--into-existing names us-west-2_b1"),
        "{}",
        error.what
    );
    assert!(refused("--target-region us-west-2 --into-existing us-west-2_a1").contains("--target"));
}

#[test]
fn affected_users_are_listed_by_sub_with_reasons_and_nothing_else() {
    let sub = Sub::new("3c9a1b2d-0051-7076-79e2-0123456789ab").expect("a sub");
    let loses = lines_of(&Affected {
        sub: sub.clone(),
        not_made: None,
        let_in: false,
        losses: vec![Loss::Totp, Loss::Passkey],
    });
    let rows: Vec<&str> = loses.lines().collect();
    assert_eq!(rows.len(), 2, "{rows:?}");
    assert!(rows[0].starts_with("3c9a1b2d-0051-7076-79e2-0123456789ab,loses,totp,"));
    let gone = lines_of(&Affected {
        sub,
        not_made: Some(NotMade::FederatedOnly),
        let_in: true,
        losses: Vec::new(),
    });
    assert!(gone.contains(",not made,federated-only,"), "{gone}");
    assert!(gone.contains(",let in,disabled,"), "{gone}");
}

#[test]
fn the_documented_example_has_the_members_of_the_document() {
    let plan = view::tests::plan();
    let written = serde_json::to_value(document(&plan, &args("--target-region us-west-2"))).expect("JSON");
    assert_eq!(written, documented("planned"));
}
