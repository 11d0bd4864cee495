//! Files of import jobs: what a row becomes, what fails it, and what fails the whole file.
//!
//! Invariant: as in `import_jobs.rs`.

use serde_json::{Value, json};

use super::import_jobs::{file, header, imported, person};
use super::{Play, attribute, merge, text};

fn counts(job: &Value) -> (&str, [u64; 3]) {
    let count = |member: &str| job[member].as_u64().unwrap_or_default();
    let counts = ["ImportedUsers", "SkippedUsers", "FailedUsers"].map(count);
    (job["Status"].as_str().unwrap_or_default(), counts)
}

fn only_user(play: &Play) -> Value {
    let subs = play.cloud.subs(&play.pool);
    let [sub] = &subs[..] else {
        panic!("one user: {subs:?}");
    };
    play.get(sub)
}

#[test]
fn a_row_becomes_a_user_with_its_attributes() {
    let mut play = Play::with(json!({
        "AutoVerifiedAttributes": ["email"],
        "Schema": [{ "Name": "origin", "AttributeDataType": "String", "Mutable": false }],
    }));
    let row = merge(
        person("ada"),
        json!({
            "name": "Ada, Countess of Lovelace", "nickname": "  Ädà \\ 数  ", "birthdate": "12/10/1815", "updated_at": "1471453471",
            "phone_number": "+491701234567", "phone_number_verified": "False", "custom:origin": "old-sub",
        }),
    );
    let body = file(&mut play, &[row]).replace('\n', "\r\n");
    assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", [1, 0, 0]));
    let user = only_user(&play);
    for (name, value) in [
        ("name", "Ada, Countess of Lovelace"),
        ("nickname", "Ädà \\ 数"),
        ("birthdate", "12/10/1815"),
        ("updated_at", "1471453471"),
        ("email_verified", "true"),
        ("phone_number_verified", "false"),
        ("custom:origin", "old-sub"),
    ] {
        assert_eq!(
            attribute(&user["UserAttributes"], name).as_deref(),
            Some(value),
            "{name}"
        );
    }
    assert_eq!(attribute(&user["UserAttributes"], "gender"), None);
}

#[test]
fn a_bad_row_fails_alone() {
    let mut play = Play::with(json!({
        "AutoVerifiedAttributes": ["email"], "AliasAttributes": ["email"],
        "Schema": [{ "Name": "given_name", "Required": true }, { "Name": "level", "AttributeDataType": "Number" }],
    }));
    play.create(
        "taken",
        json!({ "email": "held@example.com", "email_verified": "true" }),
    );
    let whole = |name: &str, more: Value| merge(merge(person(name), json!({ "given_name": "A" })), more);
    let bad = [
        json!({ "cognito:username": "" }),
        json!({ "cognito:username": "two words" }),
        json!({ "cognito:username": "some@example.com" }),
        json!({ "email_verified": "" }),
        json!({ "email_verified": "FALSE" }),
        json!({ "email": "" }),
        json!({ "email": "no address" }),
        json!({ "email": "held@example.com" }),
        json!({ "given_name": "" }),
        json!({ "birthdate": "1815-12-10" }),
        json!({ "birthdate": "13/10/1815" }),
        json!({ "updated_at": "yesterday" }),
        json!({ "custom:level": "high" }),
        json!({ "name": "n".repeat(2049) }),
        json!({ "nickname": "\"Ada\"" }),
        json!({ "cognito:mfa_enabled": "TRUE" }),
        json!({ "cognito:mfa_enabled": "maybe" }),
        json!({ "phone_number_verified": "TRUE" }),
    ];
    for (number, change) in bad.iter().enumerate() {
        let good: Vec<Value> = (0..2).map(|n| whole(&format!("good{number}-{n}"), json!({}))).collect();
        let rows = [whole("ada", change.clone()), good[0].clone(), good[1].clone()];
        let body = file(&mut play, &rows);
        assert_eq!(
            counts(&imported(&mut play, &body)),
            ("Succeeded", [2, 0, 1]),
            "{change}"
        );
    }
    let good = whole("more", json!({}));
    let skipped = [whole("taken", json!({})), good];
    let mut body = file(&mut play, &skipped);
    assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", [1, 1, 0]));
    // A comma that is not escaped shifts the values.
    body = file(&mut play, &["x1", "x2"].map(|name| whole(name, json!({})))) + "a,b\n";
    assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", [2, 0, 1]));
}

#[test]
fn a_job_in_which_most_rows_fail_fails_and_keeps_the_others() {
    let mut play = Play::usual();
    let unverified = |name: &str| merge(person(name), json!({ "email_verified": "" }));
    let rows = [person("ada"), unverified("bob"), unverified("cy")];
    let body = file(&mut play, &rows);
    let job = imported(&mut play, &body);
    assert_eq!(counts(&job), ("Failed", [1, 0, 2]));
    assert_eq!(
        job["CompletionMessage"],
        "Too many users have failed or been skipped during the import."
    );
    assert_eq!(only_user(&play)["Username"], "ada");
}

#[test]
fn a_file_that_cannot_be_read_fails_the_job() {
    let mut play = Play::usual();
    let good = file(&mut play, &[person("ada")]);
    let columns = header(&mut play).join(",");
    let row = good.lines().nth(1).unwrap_or_default().to_owned();
    let many = format!("{columns}\n{}", "x\n".repeat(500_001));
    for (body, problem) in [
        (format!("\u{feff}{good}"), "byte order mark"),
        (String::new(), "header"),
        (good.replace("nickname,", ""), "header"),
        (good.replace("nickname", "nickname2"), "header"),
        (good.replace("nickname", "gender"), "header"),
        (format!("{columns},password_hash\n{row},x\n"), "header"),
        (format!("{good}{}\n", "x".repeat(16_001)), "16,000"),
        (many, "500,000"),
    ] {
        let job = imported(&mut play, &body);
        assert_eq!(counts(&job), ("Failed", [0, 0, 0]), "{problem}");
        assert!(text(&job["CompletionMessage"]).contains(problem), "{job}");
    }
    let reversed = |line: &str| line.split(',').rev().collect::<Vec<_>>().join(",");
    let turned = format!("{}\n{}", reversed(&columns), reversed(&row));
    assert_eq!(
        counts(&imported(&mut play, &turned)),
        ("Succeeded", [1, 0, 0]),
        "any order will do"
    );
}

#[test]
fn a_file_in_another_encoding_fails_the_job() {
    let mut play = Play::usual();
    let job = super::import_jobs::created(&mut play);
    let mut put = super::import_jobs::upload(&job, "");
    put["Body"] = Value::Null;
    put["BodyBase64"] = json!("/w==");
    play.ok("LocalcloudUploadImportFile", put);
    play.ok_in_pool("StartUserImportJob", super::import_jobs::named(&job));
    play.now += 60_000;
    let job = play.ok_in_pool("DescribeUserImportJob", super::import_jobs::named(&job))["UserImportJob"].clone();
    assert!(text(&job["CompletionMessage"]).contains("UTF-8"), "{job}");
}

#[test]
fn whoever_can_sign_in_by_a_code_is_confirmed() {
    let sign_in = json!({ "SignInPolicy": { "AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"] } });
    let mut play = Play::with(json!({ "AutoVerifiedAttributes": ["email", "phone_number"], "Policies": sign_in }));
    let by_phone =
        json!({ "cognito:username": "bob", "phone_number": "+491701234567", "phone_number_verified": "true" });
    let body = file(&mut play, &[person("ada"), by_phone]);
    assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", [2, 0, 0]));
    let mut statuses: Vec<String> = play.cloud.subs(&play.pool).iter().map(|sub| play.status(sub)).collect();
    statuses.sort();
    assert_eq!(statuses, ["CONFIRMED", "RESET_REQUIRED"]);
}

#[test]
fn the_address_is_the_name_where_the_pool_has_it_so() {
    let mut play = Play::with(json!({
        "AutoVerifiedAttributes": ["email"], "UsernameAttributes": ["email"], "UsernameConfiguration": { "CaseSensitive": false },
    }));
    let row = json!({ "cognito:username": "Ada@example.com", "email": "Ada@example.com", "email_verified": "true" });
    let body = file(&mut play, &[row]);
    assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", [1, 0, 0]));
    let user = only_user(&play);
    assert_eq!(attribute(&user["UserAttributes"], "sub"), Some(text(&user["Username"])));
    let named = play.admin("AdminGetUser", "ada@EXAMPLE.com", json!({}));
    assert_eq!(named["Username"], user["Username"]);
    let job = imported(&mut play, &body);
    assert_eq!(counts(&job), ("Failed", [0, 1, 0]), "skipped again, and nothing else");
}

#[test]
fn the_mfa_column_follows_the_pool() {
    let sms = json!({ "SnsCallerArn": "arn:aws:iam::111122223333:role/sms" });
    for (mode, wanted) in [("ON", [1, 0, 1]), ("OPTIONAL", [2, 0, 0])] {
        let mut play = Play::with(
            json!({ "AutoVerifiedAttributes": ["email"], "MfaConfiguration": mode, "SmsConfiguration": sms }),
        );
        let on = json!({ "cognito:mfa_enabled": "true", "phone_number": "+491701234567" });
        let rows = [
            merge(person("ada"), on),
            merge(person("bob"), json!({ "cognito:mfa_enabled": "false" })),
        ];
        let body = file(&mut play, &rows);
        assert_eq!(counts(&imported(&mut play, &body)), ("Succeeded", wanted), "{mode}");
        let ada = play.ok_in_pool("ListUsers", json!({ "Filter": "username = \"ada\"" }))["Users"][0].clone();
        assert_eq!(ada["MFAOptions"][0]["DeliveryMedium"], "SMS", "{mode}");
    }
}
