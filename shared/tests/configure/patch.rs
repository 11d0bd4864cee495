//! Existing targets: patched, gone on with, refused, compared.
//!
//! Invariant: the model of the target refuses to make anything twice.

use proptest::prelude::*;
use serde_json::json;
use twinpool_shared::{
    import::{
        configure::Step,
        mapping::DomainTarget,
        patch::{Patch, compare, patch, update_client_input},
        shape::Shape,
    },
    marks::Part,
};

use super::{target::Target, *};
use crate::generate::cases;

fn made(wanted: &Wanted) -> Target {
    let mut target = Target::default();
    for step in &wanted.steps {
        target.carry_out(step);
    }
    target
}

fn patched(wanted: &Wanted, target: &Target) -> Patch {
    patch(wanted, &target.clients, &target.found()).expect("nothing immutable differs")
}

fn operations(steps: &[Step]) -> Vec<(&'static str, &str)> {
    steps
        .iter()
        .map(|step| (step.operation, step.subject.as_str()))
        .collect()
}

fn unexpected(wanted: &Wanted, target: &Target) -> Vec<String> {
    let differences = compare(wanted, &target.clients, &target.found());
    let unexpected = differences
        .into_iter()
        .filter(|difference| difference.expected.is_none());
    unexpected.map(|difference| difference.path).collect()
}

#[test]
fn a_target_that_was_made_needs_nothing_and_differs_in_nothing_unexpected() {
    let wanted = wanted();
    let target = made(&wanted);
    assert_eq!(operations(&patched(&wanted, &target).steps), []);
    assert_eq!(unexpected(&wanted, &target), [""; 0]);
    let differences = compare(&wanted, &target.clients, &target.found());
    let expected: Vec<_> = differences.iter().map(|difference| difference.path.as_str()).collect();
    for path in [
        "domain/auth.example.com",
        "clients/1web/secrets",
        "ui-customization/pool/ImageUrl",
        "identity-providers/SignInWithApple",
    ] {
        assert!(expected.contains(&path), "{expected:?}");
    }
}

#[test]
fn whatever_drifted_is_mended_and_what_is_beyond_the_backup_stays() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let web = target.clients["1web"].clone();
    target.edit(Part::Pool, "pool")["Policies"]["PasswordPolicy"]["MinimumLength"] = json!(8);
    target.edit(Part::Pool, "pool")["LambdaConfig"] = json!({"PreSignUp": "arn:aws:lambda:us-west-2:1:function:own"});
    target.edit(Part::Clients, &web)["CallbackURLs"] = json!(["https://other.example.com"]);
    target.edit(Part::ResourceServers, "https://api.example.com")["Scopes"] =
        json!([{"ScopeName": "own", "ScopeDescription": "Own"}, {"ScopeName": "read", "ScopeDescription": "Other"}]);
    target.group("admins").precedence = Some(9);
    target.forget(Part::Risk, "pool");
    let differing = unexpected(&wanted, &target);
    for path in [
        "pool/pool/Policies/PasswordPolicy/MinimumLength",
        "clients/1web/CallbackURLs",
        "resource-servers/https://api.example.com/Scopes[read]/ScopeDescription",
        "groups/admins/Precedence",
        "risk/pool",
        "pool/pool/LambdaConfig/PostConfirmation",
    ] {
        assert!(
            differing.iter().any(|differing| differing == path),
            "{path}: {differing:?}"
        );
    }
    let patch = patched(&wanted, &target);
    assert_eq!(
        operations(&patch.steps),
        [
            ("UpdateUserPool", "settings"),
            ("UpdateResourceServer", "https://api.example.com"),
            ("UpdateUserPoolClient", "web"),
            ("SetRiskConfiguration", "pool"),
            ("UpdateGroup", "admins"),
            ("UpdateUserPool", "Lambda triggers"),
        ]
    );
    assert!(!patch.steps[5].phase.is_after_users());
    let scopes = patch.steps[1].input.expose()["Scopes"].as_array().expect("scopes");
    assert_eq!(scopes.len(), 3, "the target's own scope stays");
    assert!(patch.steps[2].input.expose().get("ClientSecret").is_none());
    assert!(
        patch
            .manual
            .iter()
            .any(|task| task.path == "pool/pool/LambdaConfig/PreSignUp")
    );
    for step in &patch.steps {
        target.carry_out(step);
    }
    assert_eq!(operations(&patched(&wanted, &target).steps), []);
}

#[test]
fn other_immutable_settings_are_refused_with_what_differs() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let pool = target.edit(Part::Pool, "pool");
    pool["UsernameAttributes"] = json!(["phone_number"]);
    pool["UsernameConfiguration"] = json!({"CaseSensitive": true});
    let schema = pool["SchemaAttributes"].as_array_mut().expect("a schema");
    for attribute in schema.iter_mut() {
        match attribute["Name"].as_str() {
            Some("name") => attribute["Required"] = json!(true),
            Some("custom:tenant") => attribute["Mutable"] = json!(true),
            _ => {}
        }
    }
    target.edit(Part::IdentityProviders, "Corp")["ProviderType"] = json!("SAML");
    let refused = patch(&wanted, &target.clients, &target.found()).expect_err("immutable");
    let paths: Vec<_> = refused.iter().map(|fixed| fixed.path.as_str()).collect();
    let expected = [
        "pool/pool/SchemaAttributes[custom:tenant]/Mutable",
        "pool/pool/SchemaAttributes[name]/Required",
        "pool/pool/UsernameAttributes",
        "pool/pool/UsernameConfiguration/CaseSensitive",
        "identity-providers/Corp/ProviderType",
    ];
    assert_eq!(paths, expected);
    let error = twinpool_shared::error::Error::from(refused);
    assert!(
        error
            .what
            .contains("pool/pool/UsernameAttributes is [\"phone_number\"] in the target and [\"email\"]"),
        "{error}"
    );
}

#[test]
fn what_cognito_makes_or_rounds_by_itself_in_a_schema_is_no_difference() {
    let mut recorded = recorded();
    let mut pool = recorded.json(Part::Pool, "pool").expect("a pool").clone();
    let schema = pool["SchemaAttributes"].as_array_mut().expect("a schema");
    schema.push(
        json!({"Name": "identities", "AttributeDataType": "String", "Mutable": true, "Required": false,
        "StringAttributeConstraints": {}}),
    );
    schema.push(
        json!({"Name": "custom:flag", "AttributeDataType": "Boolean", "Mutable": true, "Required": false,
        "DeveloperOnlyAttribute": false, "StringAttributeConstraints": {}}),
    );
    recorded
        .members
        .extend(configuration(&json!({"pool": {"pool": pool}})).members);
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    let mut target = made(&wanted);
    let schema = target.edit(Part::Pool, "pool")["SchemaAttributes"]
        .as_array_mut()
        .expect("a schema");
    for attribute in schema.iter_mut() {
        match attribute["Name"].as_str() {
            Some("sub") => attribute["StringAttributeConstraints"] = json!({"MinLength": "0", "MaxLength": "64"}),
            Some("birthdate") => {
                attribute["StringAttributeConstraints"] = json!({"MinLength": "0", "MaxLength": "2048"});
            }
            Some("name") => drop(
                attribute
                    .as_object_mut()
                    .expect("an object")
                    .remove("DeveloperOnlyAttribute"),
            ),
            Some("custom:flag") => drop(
                attribute
                    .as_object_mut()
                    .expect("an object")
                    .remove("StringAttributeConstraints"),
            ),
            _ => {}
        }
    }
    assert_eq!(operations(&patched(&wanted, &target).steps), []);
    assert_eq!(unexpected(&wanted, &target), [""; 0]);
}

#[test]
fn nothing_lets_people_in_before_the_users_are_made_in_an_import_that_goes_on() {
    let wanted = wanted();
    let mut target = Target::default();
    for step in wanted.steps.iter().filter(|step| !step.phase.is_after_users()) {
        target.carry_out(step);
    }
    let patch = patched(&wanted, &target);
    assert_eq!(
        operations(&patch.steps),
        [("UpdateUserPool", "sign-up"), ("UpdateUserPoolClient", "web")]
    );
    assert!(patch.steps.iter().all(|step| step.phase.is_after_users()));
    assert_eq!(
        unexpected(&wanted, &target),
        [
            "pool/pool/AdminCreateUserConfig/AllowAdminCreateUserOnly",
            "clients/1web/SupportedIdentityProviders"
        ]
    );
}

#[test]
fn a_client_that_may_not_write_the_original_sub_is_expected_to_differ() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let of_web = |target: &Target| -> Vec<Option<String>> {
        let differences = compare(&wanted, &target.clients, &target.found());
        let of_web = differences
            .into_iter()
            .filter(|difference| difference.path == "clients/1web/WriteAttributes");
        of_web.map(|difference| difference.expected).collect()
    };
    let expected = of_web(&target);
    assert!(
        matches!(&expected[..], [Some(why)] if why.contains("custom:original_sub")),
        "{expected:?}"
    );
    // One that may write it all the same is not what was meant.
    let web = target.clients["1web"].clone();
    target.edit(Part::Clients, &web)["WriteAttributes"] = json!(["custom:original_sub", "name"]);
    assert!(of_web(&target).contains(&None));
    assert!(operations(&patched(&wanted, &target).steps).contains(&("UpdateUserPoolClient", "web")));
}

#[test]
fn a_drill_takes_no_domain_of_the_backup_and_is_compared_with_what_a_drill_makes() {
    let mut mapping = complete_mapping();
    let certificate = Some("arn:aws:acm:us-east-1:111122223333:certificate/9f".to_owned());
    let custom = DomainTarget {
        name: "auth.example.com".to_owned(),
        certificate,
    };
    mapping.domains.insert("auth.example.com".to_owned(), Some(custom));
    let wanted = |name: &str| configure::steps(&recorded(), &groups(), &mapping, &place(), PLAN, name).expect("steps");
    let drill = wanted(&format!("{}1", configure::DRILL_PREFIX));
    let domains: Vec<_> = operations(&drill.steps)
        .into_iter()
        .filter(|(made, _)| *made == "CreateUserPoolDomain")
        .collect();
    assert_eq!(domains, [("CreateUserPoolDomain", "login-0a1b2c3d")]);
    let tasks: Vec<_> = drill
        .manual
        .iter()
        .filter(|task| task.path == "domain/auth.example.com")
        .collect();
    assert!(matches!(&tasks[..], [task] if task.is_gap), "{tasks:?}");
    let mut sent = Vec::new();
    drill
        .steps
        .iter()
        .for_each(|step| texts(step.input.expose(), &mut sent));
    assert!(
        sent.contains(&"login-0a1b2c3d.auth.us-west-2.amazoncognito.com".to_owned()),
        "the relying party"
    );
    assert!(!sent.iter().any(|text| text.contains("login.auth.")), "{sent:?}");
    let target = made(&drill);
    assert_eq!(unexpected(&drill, &target), [""; 0]);
    assert_eq!(unexpected(&wanted(""), &target), [""; 0]);
}

#[test]
fn another_client_of_the_target_that_may_write_the_original_sub_is_pointed_out() {
    let wanted = wanted();
    let target = made(&wanted);
    let lists = [
        ("open", json!(null)),
        ("named", json!(["custom:original_sub"])),
        ("closed", json!(["name"])),
    ];
    let others = lists.map(|(id, list)| {
        (
            id.to_owned(),
            json!({"ClientId": id, "ClientName": id, "WriteAttributes": list}),
        )
    });
    let mut found = target.found();
    let others = configuration(&json!({"clients": Value::Object(others.into_iter().collect())}));
    found.configuration.members.extend(others.members);
    let patch = patch(&wanted, &target.clients, &found).expect("nothing immutable");
    let paths: Vec<&str> = patch.manual.iter().map(|task| task.path.as_str()).collect();
    assert_eq!(paths, ["clients/named/WriteAttributes", "clients/open/WriteAttributes"]);
    assert_eq!(operations(&patch.steps), []);
}

#[test]
fn custom_attributes_that_are_missing_are_added() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let schema = target.edit(Part::Pool, "pool")["SchemaAttributes"]
        .as_array_mut()
        .expect("a schema");
    schema.retain(|attribute| {
        !["custom:level", "custom:original_sub"].contains(&attribute["Name"].as_str().unwrap_or(""))
    });
    let patch = patched(&wanted, &target);
    assert_eq!(operations(&patch.steps), [("AddCustomAttributes", "custom attributes")]);
    let names: Vec<_> = patch.steps[0].input.expose()["CustomAttributes"]
        .as_array()
        .expect("attributes")
        .iter()
        .map(|attribute| attribute["Name"].as_str())
        .collect();
    assert_eq!(names, [Some("level"), Some("original_sub")]);
}

#[test]
fn a_client_whose_id_was_not_stored_is_found_by_name_secret_and_settings() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let ids = std::mem::take(&mut target.clients);
    assert_eq!(patched(&wanted, &target).clients, ids);
    // One with another secret is another client.
    target.edit(Part::Clients, &ids["1web"])["ClientSecret"] = json!("another-secret-of-24-letters");
    let patch = patched(&wanted, &target);
    assert!(!patch.clients.contains_key("1web"));
    assert!(operations(&patch.steps).contains(&("CreateUserPoolClient", "web")));
}

#[test]
fn two_clients_of_one_name_are_two_clients() {
    let client = |id: &str| json!({"ClientId": id, "ClientName": "app", "EnableTokenRevocation": true});
    let tree = json!({"pool": {"pool": {"Id": SOURCE}}, "clients": {"a": client("a"), "b": client("b")}});
    let wanted = steps_of(&configuration(&tree), &Mapping::default()).expect("steps");
    let mut target = Target::default();
    for step in wanted.steps.iter().filter(|step| step.client.as_deref() != Some("b")) {
        target.carry_out(step);
    }
    let patch = patched(&wanted, &target);
    assert!(operations(&patch.steps).contains(&("CreateUserPoolClient", "app")));
    target.clients.clear();
    let patch = patched(&wanted, &target);
    assert_eq!(patch.clients.len(), 1);
    let made = operations(&patch.steps);
    assert_eq!(
        made.iter()
            .filter(|(operation, _)| *operation == "CreateUserPoolClient")
            .count(),
        1
    );
}

#[test]
fn a_target_with_another_domain_keeps_it() {
    let wanted = wanted();
    let mut target = made(&wanted);
    target.forget(Part::Domain, "login");
    let other = json!({"Domain": "other", "ManagedLoginVersion": 2});
    let mut found = target.found();
    found
        .configuration
        .members
        .extend(configuration(&json!({"domain": {"other": other}})).members);
    let patch = patch(&wanted, &target.clients, &found).expect("nothing immutable");
    assert_eq!(operations(&patch.steps), []);
    assert!(
        patch
            .manual
            .iter()
            .any(|task| task.path == "domain/login" && task.is_gap)
    );
    let differences = compare(&wanted, &target.clients, &found);
    let login: Vec<_> = differences
        .iter()
        .filter(|difference| difference.path == "domain/login")
        .collect();
    assert!(matches!(&login[..], [told] if told.expected.is_some()), "{login:?}");
}

#[test]
fn users_are_shaped_by_the_target_as_it_will_be() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let pool = target.edit(Part::Pool, "pool");
    pool["AutoVerifiedAttributes"] = json!([]);
    let schema = pool["SchemaAttributes"].as_array_mut().expect("a schema");
    schema.retain(|attribute| attribute["Name"] != "custom:level");
    *target.edit(Part::Mfa, "pool") = json!({"MfaConfiguration": "OFF"});
    let (pool, mfa) = patched(&wanted, &target).laid_over(&target.found());
    let shape = Shape::of(&pool, mfa.as_ref()).expect("a shape");
    let wanted = Shape::of(wanted.pool.expose(), recorded().json(Part::Mfa, "pool")).expect("a shape");
    assert_eq!(
        shape.schema.keys().collect::<Vec<_>>(),
        wanted.schema.keys().collect::<Vec<_>>()
    );
    assert_eq!((shape.mfa, shape.auto_verified), (wanted.mfa, wanted.auto_verified));
}

#[test]
fn what_the_lists_of_the_target_have_beyond_the_backup_stays() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let web = target.clients["1web"].clone();
    let client = target.edit(Part::Clients, &web);
    let mut urls = client["CallbackURLs"].as_array().expect("a list").clone();
    urls.insert(0, json!("https://own.example.com"));
    client["CallbackURLs"] = Value::Array(urls);
    client["SupportedIdentityProviders"] = json!(["Own", "Corp", "COGNITO"]);
    client["LogoutURLs"] = json!(["https://own.example.com/bye"]);
    target.edit(Part::IdentityProviders, "Corp")["IdpIdentifiers"] = json!(["own", "corp"]);
    assert_eq!(operations(&patched(&wanted, &target).steps), []);
    assert_eq!(unexpected(&wanted, &target), [""; 0]);
    // What has to be mended takes nothing away.
    let client = target.edit(Part::Clients, &web);
    client["CallbackURLs"] = json!(["https://own.example.com"]);
    client["SupportedIdentityProviders"] = json!(["Own"]);
    target.edit(Part::IdentityProviders, "Corp")["IdpIdentifiers"] = json!(["own"]);
    for step in patched(&wanted, &target).steps {
        let shown = target.found().configuration.json(Part::Clients, &web).cloned();
        if step.phase.is_after_users() {
            let changes = step.input.expose();
            let input = update_client_input(&shown.expect("a client"), changes);
            assert_eq!(input["SupportedIdentityProviders"], json!(["COGNITO", "Corp", "Own"]));
            assert_eq!(input["CallbackURLs"].as_array().map(Vec::len), Some(3));
            assert!(input.get("ClientSecret").is_none() && input["EnableTokenRevocation"] == true);
            target.edit(Part::Clients, &web)["SupportedIdentityProviders"] =
                input["SupportedIdentityProviders"].clone();
        } else {
            target.carry_out(&step);
        }
    }
    let provider = target.edit(Part::IdentityProviders, "Corp")["IdpIdentifiers"].clone();
    assert_eq!(provider, json!(["corp", "own"]));
    assert_eq!(operations(&patched(&wanted, &target).steps), []);
}

#[test]
fn clients_that_differ_in_outside_providers_alone_are_told_apart_once_these_are_set() {
    let client = |id: &str, providers: Value| json!({"ClientId": id, "ClientName": "app", "SupportedIdentityProviders": providers});
    let tree = json!({"pool": {"pool": {"Id": SOURCE}}, "clients": {
        "a": client("a", json!(["COGNITO"])), "b": client("b", json!(["COGNITO", "Corp"]))}});
    let mapping = complete_mapping();
    let wanted = steps_of(&configuration(&tree), &mapping).expect("steps");
    for order in [["a", "b"], ["b", "a"]] {
        let mut target = Target::default();
        let is_client = |step: &&Step| step.operation == "CreateUserPoolClient";
        wanted
            .steps
            .iter()
            .filter(|step| !is_client(step) && step.client.is_none())
            .for_each(|step| target.carry_out(step));
        for id in order {
            let made = wanted.steps.iter().filter(|step| step.client.as_deref() == Some(id));
            made.for_each(|step| target.carry_out(step));
        }
        let ids = std::mem::take(&mut target.clients);
        let patch = patched(&wanted, &target);
        assert_eq!((operations(&patch.steps), patch.clients), (Vec::new(), ids));
    }
}

#[test]
fn what_somebody_has_done_by_hand_is_no_longer_missing() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let told = |target: &Target| -> Vec<String> {
        let differences = compare(&wanted, &target.clients, &target.found());
        differences.into_iter().map(|difference| difference.path).collect()
    };
    let paths = [
        "domain/auth.example.com",
        "identity-providers/SignInWithApple",
        "clients/1web/SupportedIdentityProviders[SignInWithApple]",
        "clients/1web/secrets",
        "ui-customization/pool/ImageUrl",
    ];
    let before = told(&target);
    assert!(
        paths.iter().all(|path| before.iter().any(|told| told == path)),
        "{before:?}"
    );
    let web = target.clients["1web"].clone();
    target.edit(Part::Clients, &web)["SupportedIdentityProviders"] = json!(["COGNITO", "Corp", "SignInWithApple"]);
    target.edit(Part::UiCustomization, "pool")["ImageUrl"] = json!("https://example.com/logo.png");
    let done = json!({
        "domain": {"auth.example.com": {"Domain": "auth.example.com"}},
        "identity-providers": {"SignInWithApple": {"ProviderName": "SignInWithApple"}},
        "clients": {format!("{web}/secrets"): {"ClientSecrets": [{}, {}]}},
    });
    let mut found = target.found();
    found.configuration.members.extend(configuration(&done).members);
    let differences = compare(&wanted, &target.clients, &found);
    let after: Vec<&str> = differences.iter().map(|difference| difference.path.as_str()).collect();
    assert!(!paths.iter().any(|path| after.contains(path)), "{after:?}");
    assert_eq!(after.len() + paths.len(), before.len());
}

#[test]
fn a_secret_that_differs_is_a_difference_without_the_secret() {
    let wanted = wanted();
    let mut target = made(&wanted);
    let web = target.clients["1web"].clone();
    target.edit(Part::Clients, &web)["ClientSecret"] = json!("another-secret-of-24-letters");
    let differences = compare(&wanted, &target.clients, &target.found());
    let secret = differences
        .iter()
        .find(|difference| difference.path == "clients/1web/ClientSecret")
        .expect("a difference");
    assert_eq!(secret.expected, None);
    let shown = [&secret.wanted, &secret.found].map(|json| json.as_ref().map(|json| json.expose().to_string()));
    assert_eq!(shown[0].as_deref(), Some("\"[secret changed]\""));
    assert_eq!(shown[0], shown[1]);
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn an_import_that_was_cut_off_anywhere_goes_on_to_the_same_end(
        cut in 1_usize..40,
        skipped in prop::collection::btree_set(1_usize..40, 0..6),
        ids_are_stored: bool,
    ) {
        let wanted = wanted();
        let mut target = Target::default();
        let all = wanted.steps.iter().enumerate();
        let carried_out = all.filter(|(number, _)| *number < cut && !skipped.contains(number));
        for (_, step) in carried_out {
            // What an unmade client has of its own cannot be made.
            if step.call_input(TARGET, &target.clients).is_ok() || step.operation == "CreateUserPoolClient" {
                target.carry_out(step);
            }
        }
        let known = if ids_are_stored { target.clients.clone() } else { BTreeMap::new() };
        let patch = patch(&wanted, &known, &target.found()).expect("nothing immutable differs");
        target.clients = patch.clients.clone();
        for step in &patch.steps {
            target.carry_out(step);
        }
        prop_assert_eq!(unexpected(&wanted, &target), Vec::<String>::new());
        prop_assert_eq!(target.clients.len(), 2);
        prop_assert!(patched(&wanted, &target).steps.is_empty());
    }
}
