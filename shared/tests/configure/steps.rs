//! A configuration with every part, as steps.
//!
//! Invariant: what is expected is a file that a person can read beside the configuration.

use serde_json::{Value, json};
use twinpool_shared::{
    error::Error,
    import::configure::{Refused, Step, update_input},
    marks::Part,
};

use super::*;

/// A step as the fixture shows it.
fn shown(step: &Step) -> Value {
    json!({"phase": step.phase, "operation": step.operation, "subject": step.subject, "client": step.client,
        "input": step.input.expose()})
}

#[test]
fn a_configuration_with_every_part_becomes_the_calls_that_make_it_again() {
    let wanted = wanted();
    let steps: Vec<Value> = wanted.steps.iter().map(shown).collect();
    let manual: Vec<String> = wanted.manual.iter().map(ToString::to_string).collect();
    let left_out: Vec<_> = wanted.left_out.iter().map(|left| [&left.path, &left.arn]).collect();
    let found = json!({"steps": steps, "manual": manual, "left_out": left_out});
    let expected: Value = serde_json::from_str(&fixture("steps.json")).expect("JSON");
    let text = |value: &Value| serde_json::to_string_pretty(value).expect("JSON");
    assert_eq!(text(&found), text(&expected));
}

#[test]
fn phases_come_in_their_order_and_what_lets_people_in_after_the_users() {
    let wanted = wanted();
    assert!(wanted.steps.is_sorted_by_key(|step| step.phase));
    assert_eq!(wanted.steps[0].operation, "CreateUserPool");
    let after: Vec<_> = wanted.steps.iter().filter(|step| step.phase.is_after_users()).collect();
    let after: Vec<_> = after
        .iter()
        .map(|step| (step.operation, step.subject.as_str()))
        .collect();
    assert_eq!(after, [("UpdateUserPool", "sign-up"), ("UpdateUserPoolClient", "web")]);
    let before: Vec<_> = wanted
        .steps
        .iter()
        .filter(|step| !step.phase.is_after_users())
        .collect();
    let triggers = before.last().expect("a step");
    assert_eq!(
        (triggers.operation, triggers.subject.as_str()),
        ("UpdateUserPool", "Lambda triggers")
    );
    assert!(triggers.input.expose()["LambdaConfig"]["PostConfirmation"].is_string());
}

#[test]
fn nobody_signs_up_and_no_function_runs_at_the_making_of_a_user_before_all_are_made() {
    let mut recorded = recorded();
    let mut pool = recorded.json(Part::Pool, "pool").expect("a pool").clone();
    let function = |name: &str| json!(format!("arn:aws:lambda:us-west-2:111122223333:function:{name}"));
    pool["LambdaConfig"] =
        json!({"PreSignUp": function("a"), "UserMigration": function("b"), "PostConfirmation": function("c")});
    let with = |pool: &Value| configuration(&json!({"pool": {"pool": pool}})).members;
    recorded.members.extend(with(&pool));
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    assert_eq!(
        wanted.steps[0].input.expose()["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"],
        true
    );
    assert!(wanted.steps[0].input.expose().get("LambdaConfig").is_none());
    let updates = wanted.steps.iter().filter(|step| step.operation == "UpdateUserPool");
    let updates: Vec<_> = updates
        .map(|step| (step.phase.is_after_users(), step.input.expose().clone()))
        .collect();
    let expected = [
        (false, json!({"LambdaConfig": {"PostConfirmation": function("c")}})),
        (
            true,
            json!({"AdminCreateUserConfig": {"AllowAdminCreateUserOnly": false},
            "LambdaConfig": {"PreSignUp": function("a"), "UserMigration": function("b")}}),
        ),
    ];
    assert_eq!(updates, expected);
    // A pool in which nobody could sign up stays one.
    pool["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"] = json!(true);
    pool["LambdaConfig"] = json!({});
    recorded.members.extend(with(&pool));
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    assert_eq!(
        wanted.steps[0].input.expose()["AdminCreateUserConfig"]["AllowAdminCreateUserOnly"],
        true
    );
    assert!(wanted.steps.iter().all(|step| step.operation != "UpdateUserPool"));
}

#[test]
fn no_client_can_write_the_original_sub_and_each_can_read_it() {
    let client = |id: &str, lists: Value| {
        let mut client = json!({"ClientId": id, "ClientName": id});
        client
            .as_object_mut()
            .expect("an object")
            .extend(lists.as_object().expect("an object").clone());
        client
    };
    let mut recorded = recorded();
    let clients = json!({
        "3lists": client("3lists", json!({"ReadAttributes": ["email"], "WriteAttributes": ["name", "custom:original_sub"]})),
        "4own": client("4own", json!({"ReadAttributes": ["email", "custom:original_sub"], "WriteAttributes": ["name"]})),
        "5only": client("5only", json!({"WriteAttributes": ["custom:original_sub"]})),
    });
    recorded
        .members
        .extend(configuration(&json!({"clients": clients})).members);
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    let lists = |id: &str| {
        let mut steps = wanted.steps.iter();
        let step = steps.find(|step| step.operation == "CreateUserPoolClient" && step.client.as_deref() == Some(id));
        let input = step.expect("a step").input.expose();
        [input["ReadAttributes"].clone(), input["WriteAttributes"].clone()]
    };
    // What a client without a list may write: all of the schema that users write themselves, also when they sign up.
    let all = json!([
        "birthdate",
        "custom:level",
        "custom:tenant",
        "email",
        "name",
        "updated_at"
    ]);
    assert_eq!(lists("1web"), [Value::Null, all]);
    assert_eq!(
        lists("3lists"),
        [json!(["email", "custom:original_sub"]), json!(["name"])]
    );
    assert_eq!(
        lists("4own"),
        [json!(["email", "custom:original_sub"]), json!(["name"])]
    );
    // An empty list would mean everything: Cognito takes it for none.
    assert_eq!(lists("5only"), [Value::Null, json!(["updated_at"])]);
    let adjusted: Vec<&str> = wanted.adjusted.iter().map(|adjusted| adjusted.path.as_str()).collect();
    let expected = [
        "clients/1web/WriteAttributes",
        "clients/2app/WriteAttributes",
        "clients/3lists/ReadAttributes",
        "clients/3lists/WriteAttributes",
        "clients/5only/WriteAttributes",
    ];
    assert_eq!(adjusted, expected);
}

#[test]
fn tags_of_twinpool_itself_are_no_settings() {
    let mut recorded = recorded();
    let tags = json!({"Tags": {"team": "identity", "twinpool:plan": "an older plan", "twinpool:other": "x"}});
    recorded
        .members
        .extend(configuration(&json!({"tags": {"pool": tags}})).members);
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    assert_eq!(wanted.pool.expose()["UserPoolTags"], json!({"team": "identity"}));
    let tags = json!({"team": "identity", "twinpool:plan": PLAN});
    assert_eq!(wanted.steps[0].input.expose()["UserPoolTags"], tags);
}

#[test]
fn the_relying_party_of_passkeys_is_set_when_its_domain_is_there() {
    let wanted = wanted();
    let place = |operation: &str| wanted.steps.iter().position(|step| step.operation == operation);
    assert!(place("CreateUserPoolDomain") < place("SetUserPoolMfaConfig"));
}

#[test]
fn nothing_secret_is_in_debug_in_digests_or_in_what_people_read() {
    let wanted = wanted();
    let mut read = format!("{wanted:?}");
    for step in &wanted.steps {
        read += &format!("{} {} {}", step.path(), step.subject, step.digest());
    }
    for task in &wanted.manual {
        read += &task.to_string();
    }
    for secret in SECRETS {
        assert!(!read.contains(secret));
    }
    let mut sent = Vec::new();
    for step in &wanted.steps {
        texts(step.input.expose(), &mut sent);
    }
    for secret in SECRETS {
        assert!(sent.iter().any(|text| text == secret), "the secret itself is sent");
    }
}

#[test]
fn a_step_has_another_digest_when_its_input_is_another() {
    let digests = |wanted: &Wanted| -> Vec<String> { wanted.steps.iter().map(Step::digest).collect() };
    let before = wanted();
    assert_eq!(digests(&before), digests(&wanted()));
    let mut changed = recorded();
    let client = json!({"ClientId": "2app", "ClientName": "app", "EnableTokenRevocation": false});
    let other = configuration(&json!({"clients": {"2app": client}}));
    changed.members.extend(other.members);
    let after = steps_of(&changed, &complete_mapping()).expect("everything is mapped");
    let pairs = before.steps.iter().zip(&after.steps);
    let differing: Vec<_> = pairs.filter(|(a, b)| a.digest() != b.digest()).collect();
    assert_eq!(differing.len(), 1);
    assert_eq!(differing[0].0.client.as_deref(), Some("2app"));
}

#[test]
fn nobody_comes_by_an_outside_provider_before_the_users_and_the_triggers_are_there() {
    let client =
        |id: &str, providers: Value| json!({"ClientId": id, "ClientName": id, "SupportedIdentityProviders": providers});
    let mut recorded = recorded();
    let clients = json!({
        "3own": client("3own", json!(["COGNITO"])),
        "4outside": client("4outside", json!(["Corp"])),
        "5apple": client("5apple", json!(["COGNITO", "SignInWithApple"])),
    });
    recorded
        .members
        .extend(configuration(&json!({"clients": clients})).members);
    let wanted = steps_of(&recorded, &complete_mapping()).expect("steps");
    let lists = |operation: &str| -> Vec<(String, Value)> {
        let steps = wanted.steps.iter().filter(|step| step.operation == operation);
        let list = |step: &Step| {
            step.input
                .expose()
                .get("SupportedIdentityProviders")
                .cloned()
                .unwrap_or_default()
        };
        steps.map(|step| (step.path(), list(step))).collect()
    };
    let expected = [
        ("clients/1web", json!(["COGNITO"])),
        ("clients/2app", Value::Null),
        ("clients/3own", json!(["COGNITO"])),
        ("clients/4outside", Value::Null),
        ("clients/5apple", json!(["COGNITO"])),
    ];
    assert_eq!(
        lists("CreateUserPoolClient"),
        expected.map(|(path, list)| (path.to_owned(), list))
    );
    let expected = [
        ("clients/1web", json!(["COGNITO", "Corp"])),
        ("clients/4outside", json!(["Corp"])),
    ];
    assert_eq!(
        lists("UpdateUserPoolClient"),
        expected.map(|(path, list)| (path.to_owned(), list))
    );
    let last: Vec<&str> = wanted.steps.iter().rev().take(3).map(|step| step.operation).collect();
    assert_eq!(last, ["UpdateUserPoolClient", "UpdateUserPoolClient", "UpdateUserPool"]);
}

#[test]
fn a_group_that_was_changed_after_the_instant_is_told() {
    let mut groups = groups();
    let settings = groups.get_mut("admins").and_then(|group| group.settings.as_mut());
    settings.expect("settings").data.modified = Timestamp::from_millis(2_000);
    assert_eq!(configure::newer_groups(&groups, Timestamp::from_millis(2_000)), []);
    let told = configure::newer_groups(&groups, Timestamp::from_millis(1_999));
    assert!(
        matches!(&told[..], [task] if task.path == "groups/admins" && !task.is_gap),
        "{told:?}"
    );
    assert!(told[0].what.contains("1970-01-01T00:00:02"), "{}", told[0].what);
}

const ROLE: &str = "arn:aws:iam::111122223333:role/cognito-sms";
const SES: &str = "arn:aws:ses:us-east-1:111122223333:identity/example.com";

/// The configuration with MFA as `mfa`, made with `null` for who sends its codes.
fn without_senders(mfa: Value) -> Result<Wanted, Refused> {
    let mut recorded = recorded();
    recorded
        .members
        .extend(configuration(&json!({"mfa": {"pool": mfa}})).members);
    let mut mapping = complete_mapping();
    mapping.arns.extend([(ROLE.to_owned(), None), (SES.to_owned(), None)]);
    steps_of(&recorded, &mapping)
}

#[test]
fn a_factor_without_its_sender_is_left_out_and_told() {
    let sms = json!({"SmsConfiguration": {"SnsCallerArn": ROLE, "SnsRegion": "us-east-1"}});
    let mfa = json!({"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": {"Enabled": true},
        "SmsMfaConfiguration": sms, "EmailMfaConfiguration": {"Subject": "Code", "Message": "{####}"}});
    let wanted = without_senders(mfa).expect("a factor is left");
    assert!(wanted.steps[0].input.expose().get("SmsConfiguration").is_none());
    let step = wanted
        .steps
        .iter()
        .find(|step| step.path() == "mfa/pool")
        .expect("a step");
    let expected = json!({"MfaConfiguration": "ON", "SoftwareTokenMfaConfiguration": {"Enabled": true}});
    assert_eq!(step.input.expose(), &expected);
    let gaps = wanted
        .manual
        .iter()
        .filter(|task| task.is_gap && task.path.starts_with("mfa/"));
    let gaps: Vec<&str> = gaps.map(|task| task.path.as_str()).collect();
    assert_eq!(gaps, ["mfa/pool/SmsMfaConfiguration", "mfa/pool/EmailMfaConfiguration"]);
}

#[test]
fn mfa_without_any_factor_is_refused_with_the_lines_that_took_them() {
    let sms = json!({"SmsConfiguration": {"SnsCallerArn": ROLE, "SnsRegion": "us-east-1"}});
    let mfa = json!({"MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": {"Enabled": false},
        "SmsMfaConfiguration": sms, "EmailMfaConfiguration": {"Message": "{####}"}});
    let Err(Refused::Unusable(error)) = without_senders(mfa) else {
        panic!("MFA without a factor");
    };
    for says in ["OPTIONAL", ROLE, SES, "null", "\"arns\""] {
        assert!(error.what.contains(says), "{says}: {error}");
    }
    let off = without_senders(json!({"MfaConfiguration": "OFF"}));
    assert!(off.is_ok(), "{off:?}");
}

#[test]
fn a_domain_becomes_one_of_its_own_kind() {
    let certificate = "arn:aws:acm:us-east-1:111122223333:certificate/9f";
    for (old, target, says) in [
        (
            "login",
            json!({"name": "login.example.com", "certificate": certificate}),
            "is a whole name",
        ),
        (
            "login",
            json!({"name": "login2", "certificate": certificate}),
            "has no certificate",
        ),
        ("auth.example.com", json!({"name": "auth"}), "is a prefix"),
        (
            "auth.example.com",
            json!({"name": "auth", "certificate": certificate}),
            "is a prefix",
        ),
    ] {
        let mut mapping: Value = serde_json::from_str(&fixture("mapping.json")).expect("JSON");
        mapping["domains"] = json!({old: target});
        let mapping = Mapping::parse(&mapping.to_string()).expect("a mapping");
        let Err(Refused::Unusable(error)) = steps_of(&recorded(), &mapping) else {
            panic!("{old} became {target}");
        };
        assert!(
            error.what.contains(says) && error.what.contains(&format!("\"{old}\"")),
            "{error}"
        );
    }
}

#[test]
fn ids_of_the_new_pool_and_client_are_put_in_when_a_call_is_made() {
    let wanted = wanted();
    let clients = BTreeMap::from([("1web".to_owned(), "9new".to_owned())]);
    for step in &wanted.steps {
        let input = step.input.expose();
        assert!(
            input.get("UserPoolId").is_none() && input.get("ClientId").is_none(),
            "{}",
            step.operation
        );
        match step.call_input(TARGET, &clients) {
            Ok(sent) if step.operation == "CreateUserPool" => assert!(sent.get("UserPoolId").is_none()),
            Ok(sent) => {
                assert_eq!(sent["UserPoolId"], TARGET);
                let has_client = step.client.is_some() && step.operation != "CreateUserPoolClient";
                assert_eq!(
                    sent.get("ClientId"),
                    has_client.then(|| json!("9new")).as_ref(),
                    "{}",
                    step.operation
                );
            }
            Err(error) => {
                assert_eq!(step.client.as_deref(), Some("2app"));
                assert!(error.what.contains("2app"), "{error}");
            }
        }
    }
}

#[test]
fn without_the_pool_there_are_no_steps() {
    let mut without = recorded();
    without.members.retain(|(part, _), _| *part != Part::Pool);
    let Err(Refused::Unusable(error)) = steps_of(&without, &complete_mapping()) else {
        panic!("steps without a pool");
    };
    assert!(error.what.contains("--as-of"), "{error}");
}

#[test]
fn a_member_that_history_forgot_is_a_task_and_never_taken_for_absent() {
    let mut forgetful = recorded();
    forgetful.unknown.insert((Part::Clients, "3old".to_owned()));
    let wanted = steps_of(&forgetful, &complete_mapping()).expect("steps");
    assert!(
        wanted
            .manual
            .iter()
            .any(|task| task.path == "clients/3old" && task.is_gap)
    );
}

#[test]
fn a_custom_domain_is_made_where_the_mapping_names_its_certificate() {
    let mut mapping: Value = serde_json::from_str(&fixture("mapping.json")).expect("JSON");
    let certificate = "arn:aws:acm:us-east-1:111122223333:certificate/9f";
    mapping["domains"] =
        json!({"auth.example.com": {"name": "auth2.example.com", "certificate": certificate}, "login": null});
    let mapping = Mapping::parse(&mapping.to_string()).expect("a mapping");
    let wanted = steps_of(&recorded(), &mapping).expect("steps");
    let domains: Vec<_> = wanted
        .steps
        .iter()
        .filter(|step| step.operation == "CreateUserPoolDomain")
        .collect();
    assert_eq!(domains.len(), 1);
    let expected = json!({"Domain": "auth2.example.com", "ManagedLoginVersion": 2,
        "CustomDomainConfig": {"CertificateArn": certificate}});
    assert_eq!(domains[0].input.expose(), &expected);
    assert!(
        wanted
            .manual
            .iter()
            .any(|task| task.path == "domain/login" && task.is_gap)
    );
}

#[test]
fn a_sender_that_is_left_out_is_replaced_by_cognitos_own() {
    let mut mapping = complete_mapping();
    mapping.arns.insert(
        "arn:aws:ses:us-east-1:111122223333:identity/example.com".to_owned(),
        None,
    );
    let wanted = steps_of(&recorded(), &mapping).expect("steps");
    let pool = wanted.steps[0].input.expose();
    assert_eq!(
        pool["EmailConfiguration"],
        json!({"EmailSendingAccount": "COGNITO_DEFAULT"})
    );
    let risk = wanted
        .steps
        .iter()
        .find(|step| step.path() == "risk/pool")
        .expect("a step");
    assert!(
        risk.input.expose()["AccountTakeoverRiskConfiguration"]
            .get("NotifyConfiguration")
            .is_none()
    );
    let left_out: Vec<_> = wanted.left_out.iter().map(|left| left.path.as_str()).collect();
    assert!(
        left_out.contains(&"pool/pool/EmailConfiguration/SourceArn"),
        "{left_out:?}"
    );
}

#[test]
fn attaching_triggers_keeps_everything_else() {
    let wanted = wanted();
    let mut updates = wanted.steps.iter().filter(|step| step.operation == "UpdateUserPool");
    let (made, triggers) = (&wanted.steps[0], updates.next().expect("a step"));
    let mut shown = made.input.expose().clone();
    shown["Id"] = json!(TARGET);
    let update = update_input(&shown, triggers.input.expose());
    for member in [
        "Policies",
        "DeletionProtection",
        "SmsConfiguration",
        "UserPoolTags",
        "SomethingNewer",
        "KeyConfiguration",
    ] {
        assert_eq!(update[member], shown[member], "{member}");
    }
    assert_eq!(update["LambdaConfig"], triggers.input.expose()["LambdaConfig"]);
    assert!(update.get("Id").is_none() && update.get("UsernameAttributes").is_none());
}

#[test]
fn a_refusal_is_an_error_that_names_every_line() {
    let refused = steps_of(&recorded(), &Mapping::default()).expect_err("nothing is mapped");
    let error = Error::from(refused);
    for line in [
        "pool/pool/LambdaConfig/PostConfirmation names a lambda ARN that is not mapped; add to \"arns\" in the mapping file: \
         \"arn:aws:lambda:us-east-1:111122223333:function:post-confirmation\": \
         \"arn:aws:lambda:us-west-2:111122223333:function:post-confirmation\"",
        "mfa/pool/SmsMfaConfiguration/SmsConfiguration/SnsRegion names a Region that is not mapped; add to \"regions\" in the \
         mapping file: \"us-east-1\": \"us-west-2\"",
        "risk/pool/AccountTakeoverRiskConfiguration/NotifyConfiguration/SourceArn names a ses ARN",
        "log-delivery/pool/LogConfigurations[1]/FirehoseConfiguration/StreamArn names a firehose ARN",
    ] {
        assert!(error.what.contains(line), "{}", error.what);
    }
    assert!(!error.what.contains("role/cognito-sms"), "IAM is one for all Regions");
}
