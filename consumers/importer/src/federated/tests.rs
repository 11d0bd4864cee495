//! Federated users, before and after they signed in.

use std::collections::BTreeMap;

use twinpool_shared::{adapter::lease::Holder, import::recreate::NotMade, personal::Personal, user::UserRecord};

use crate::testing::{User, World, facet, user};

fn people() -> Vec<UserRecord> {
    let mut people: Vec<UserRecord> = (0..5).map(user).collect();
    for federated in [2, 3] {
        people[federated].status = Some(facet("EXTERNAL_PROVIDER".to_owned()));
    }
    people
}

fn holder() -> Holder {
    Holder {
        owner: "test".to_owned(),
        seconds: 60,
        steal: false,
    }
}

#[tokio::test(start_paused = true)]
async fn who_signed_in_is_mended_and_who_did_not_waits() {
    let world = World::with(people());
    let tally = world.imported().await;
    assert_eq!(tally.not_made, BTreeMap::from([(NotMade::FederatedOnly, 2)]));
    world.finish(&tally).await;
    let signed_in = User {
        sub: "abababab-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "EXTERNAL_PROVIDER".to_owned(),
        ..User::default()
    };
    world.pool.put("user-3", signed_in);
    let importer = world.importer();
    for attempt in 0..2 {
        let report = importer.repair_federated(&world.plan, &holder()).await.expect("mended");
        assert_eq!(
            (report.federated, report.mended, report.waiting),
            (2, 1, 1),
            "attempt {attempt}"
        );
        assert_eq!(report.failed, BTreeMap::new());
    }
    let mended = &world.pool.users()["user-3"];
    assert_eq!(mended.attributes["custom:original_sub"], people()[3].sub.as_str());
    assert_eq!((mended.disabled, mended.passwords, mended.groups.len()), (true, 0, 2));
    let outcomes = world.outcomes().await;
    let outcome = outcomes
        .iter()
        .find(|outcome| outcome.sub == people()[3].sub)
        .expect("noted");
    assert_eq!(outcome.new.as_ref().map(ToString::to_string), Some(mended.sub.clone()));
}

#[tokio::test(start_paused = true)]
async fn who_is_disabled_is_shut_out_first_and_then_gets_what_no_provider_sets() {
    let mut people = people();
    let attributes = people[3].attributes.as_mut().expect("attributes");
    attributes.data.values.insert("name".to_owned(), Personal::new("Ann"));
    let mut world = World::with(people.clone());
    let tally = world.imported().await;
    world.finish(&tally).await;
    let signed_in = User {
        sub: "abababab-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "EXTERNAL_PROVIDER".to_owned(),
        ..User::default()
    };
    world.pool.put("user-3", signed_in);
    people[2].attributes = None;
    world.drift(people);
    world.pool.made();
    let report = world
        .importer()
        .repair_federated(&world.plan, &holder())
        .await
        .expect("mended");
    assert_eq!((report.mended, report.waiting), (1, 0));
    assert_eq!(report.failed, BTreeMap::from([("memberships: nameless".to_owned(), 1)]));
    let made: Vec<String> = world.pool.made().into_iter().map(|(operation, _)| operation).collect();
    let wanted = [
        "AdminDisableUser",
        "AdminUpdateUserAttributes",
        "AdminUpdateUserAttributes",
        "AdminAddUserToGroup",
        "AdminAddUserToGroup",
    ];
    assert_eq!(made, wanted);
    let mended = &world.pool.users()["user-3"];
    assert_eq!(mended.attributes.get("name").map(String::as_str), Some("Ann"));
    assert_eq!(mended.attributes.get("email"), None, "the provider sets it");
}

#[tokio::test(start_paused = true)]
async fn an_attribute_that_cognito_refuses_is_told_and_tried_again() {
    let world = World::with(people());
    let tally = world.imported().await;
    world.finish(&tally).await;
    let signed_in = User {
        sub: "abababab-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "EXTERNAL_PROVIDER".to_owned(),
        ..User::default()
    };
    world.pool.put("user-3", signed_in);
    world
        .pool
        .refuse("AdminUpdateUserAttributes", "user-3", Some("InvalidParameterException"));
    let report = world
        .importer()
        .repair_federated(&world.plan, &holder())
        .await
        .expect("told");
    assert_eq!(
        report.failed,
        BTreeMap::from([("memberships: InvalidParameterException".to_owned(), 1)])
    );
    assert!(world.pool.users()["user-3"].disabled, "shut out all the same");
    world.pool.refuse("AdminUpdateUserAttributes", "user-3", None);
    let report = world
        .importer()
        .repair_federated(&world.plan, &holder())
        .await
        .expect("mended");
    assert_eq!((report.mended, report.failed.len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_mended_before_the_users_are_made() {
    let world = World::with(people());
    let refused = world
        .importer()
        .repair_federated(&world.plan, &holder())
        .await
        .expect_err("not yet");
    assert!(refused.what.contains("twinpool apply"), "{refused}");
    assert_eq!(world.pool.made(), []);
}

#[tokio::test(start_paused = true)]
async fn further_identities_are_linked_and_a_failed_group_keeps_nothing_else_back() {
    let identities = r#"[{"providerName": "Google", "userId": "g-3", "primary": true},
        {"providerName": "SAML", "userId": "s-3", "primary": false}]"#;
    let mut people = people();
    let attributes = people[3].attributes.as_mut().expect("attributes");
    attributes.data.username = Personal::new("Google_g-3");
    attributes
        .data
        .values
        .insert("identities".to_owned(), Personal::new(identities));
    let world = World::with(people.clone());
    let tally = world.imported().await;
    world.finish(&tally).await;
    let signed_in = User {
        sub: "abababab-ffff-ffff-ffff-ffffffffffff".to_owned(),
        status: "EXTERNAL_PROVIDER".to_owned(),
        ..User::default()
    };
    world.pool.put("Google_g-3", signed_in);
    let importer = world.importer();
    let code = "ResourceNotFoundException";
    world.pool.refuse("AdminAddUserToGroup", "Google_g-3", Some(code));
    let report = importer.repair_federated(&world.plan, &holder()).await.expect("told");
    assert_eq!((report.mended, report.waiting), (0, 1));
    assert_eq!(report.failed, BTreeMap::from([(format!("memberships: {code}"), 1)]));
    let outcome = |outcomes: Vec<twinpool_shared::import::progress::Outcome>| {
        let found = outcomes.into_iter().find(|outcome| outcome.sub == people[3].sub);
        found.expect("noted")
    };
    let noted = outcome(world.outcomes().await);
    assert!(noted.new.is_some() && !noted.failed.is_empty(), "{noted:?}");
    let user = world.pool.users()["Google_g-3"].clone();
    assert_eq!(user.links, [("SAML".to_owned(), "s-3".to_owned())]);
    world.pool.refuse("AdminAddUserToGroup", "Google_g-3", None);
    let report = importer.repair_federated(&world.plan, &holder()).await.expect("mended");
    assert_eq!((report.mended, report.failed.len()), (1, 0));
    let noted = outcome(world.outcomes().await);
    assert_eq!((noted.links, noted.memberships, noted.failed.len()), (1, 2, 0));
    assert_eq!(world.pool.users()["Google_g-3"].links.len(), 1);
}
