//! Import jobs: states, uploads, one at a time, what they leave behind.
//!
//! Invariant: the file enters by the pseudo operation alone, as through the gateway.

use serde_json::{Value, json};

use super::{PASSWORD, Play, START, code, merge, text};

const ROLE: &str = "arn:aws:iam::111122223333:role/import";

/// The columns of the pool.
pub(super) fn header(play: &mut Play) -> Vec<String> {
    let answer = play.ok_in_pool("GetCSVHeader", json!({}));
    let columns = answer["CSVHeader"].as_array();
    columns.into_iter().flatten().map(text).collect()
}

/// A file with the pool's header and one row for each of `rows`, an object of columns.
pub(super) fn file(play: &mut Play, rows: &[Value]) -> String {
    let columns = header(play);
    let mut file = columns.join(",") + "\n";
    for row in rows {
        let values = columns.iter().map(|column| text(&row[column]).replace(',', "\\,"));
        file += &(values.collect::<Vec<_>>().join(",") + "\n");
    }
    file
}

/// A row that is taken.
pub(super) fn person(name: &str) -> Value {
    json!({ "cognito:username": name, "email": format!("{name}@example.com"), "email_verified": "TRUE" })
}

pub(super) fn created(play: &mut Play) -> Value {
    let input = json!({ "JobName": "restore", "CloudWatchLogsRoleArn": ROLE });
    play.ok_in_pool("CreateUserImportJob", input)["UserImportJob"].clone()
}

pub(super) fn upload(job: &Value, body: &str) -> Value {
    let url = text(&job["PreSignedUrl"]);
    let signature = url
        .rsplit_once("X-Amz-Signature=")
        .map(|(_, signature)| signature.to_owned());
    json!({
        "UserPoolId": job["UserPoolId"], "JobId": job["JobId"], "Signature": signature, "Encryption": "aws:kms", "Body": body,
    })
}

pub(super) fn named(job: &Value) -> Value {
    json!({ "JobId": job["JobId"] })
}

/// Imports a file and waits for the end.
pub(super) fn imported(play: &mut Play, body: &str) -> Value {
    let job = created(play);
    play.ok("LocalcloudUploadImportFile", upload(&job, body));
    play.ok_in_pool("StartUserImportJob", named(&job));
    play.now += 60_000;
    play.ok_in_pool("DescribeUserImportJob", named(&job))["UserImportJob"].clone()
}

#[test]
fn the_header_is_the_schema_in_awss_order() {
    let mut play = Play::with(json!({ "Schema": [{ "Name": "plan", "AttributeDataType": "String" }] }));
    assert_eq!(
        header(&mut play).join(","),
        "name,given_name,family_name,middle_name,nickname,preferred_username,profile,picture,website,email,email_verified,\
         gender,birthdate,zoneinfo,locale,phone_number,phone_number_verified,address,updated_at,custom:plan,\
         cognito:mfa_enabled,cognito:username"
    );
}

#[test]
fn a_job_makes_its_users_over_time_without_a_message_a_trigger_or_a_bill() {
    let mut play = Play::usual();
    play.cloud.set_import_pace(2, 1_000);
    let job = created(&mut play);
    assert_eq!((&job["Status"], job.get("StartDate")), (&json!("Created"), None));
    let rows = ["ada", "bob", "cy", "dee"].map(person);
    let body = file(&mut play, &rows);
    let put = play.call("LocalcloudUploadImportFile", upload(&job, &body));
    assert!(put.answer.is_ok() && put.records.is_empty(), "{put:?}");
    let started = play.call(
        "StartUserImportJob",
        merge(json!({ "UserPoolId": play.pool }), named(&job)),
    );
    let answer = started.answer.expect("a file is there")["UserImportJob"].clone();
    assert_eq!(
        (&answer["Status"], &answer["StartDate"]),
        (&json!("Pending"), &json!(1_770_114_030.123))
    );
    let record = started.records[0].detail.to_string();
    assert!(record.contains("StartUserImportJob") && !record.contains("Signature") && !record.contains("\"sub\""));

    let mut seen = Vec::new();
    for millis in [999, 1_000, 1_499, 1_500, 2_999, 3_000] {
        play.now = START + millis;
        let described = play.call(
            "DescribeUserImportJob",
            merge(json!({ "UserPoolId": play.pool }), named(&job)),
        );
        assert!(described.messages.is_empty() && described.triggers.is_empty() && described.became_active.is_empty());
        let now = described.answer.expect("the job is there")["UserImportJob"].clone();
        seen.push((
            text(&now["Status"]),
            now["ImportedUsers"].as_u64(),
            play.cloud.subs(&play.pool).len(),
        ));
    }
    let at = |status: &str, users: u64| (status.to_owned(), Some(users), usize::try_from(users).unwrap_or(0));
    let wanted = [
        at("Pending", 0),
        at("InProgress", 0),
        at("InProgress", 0),
        at("InProgress", 1),
        at("InProgress", 3),
        at("Succeeded", 4),
    ];
    assert_eq!(seen, wanted);
    assert_eq!(play.cloud.billable_this_month(&play.pool), 0);

    let ada = play.ok_in_pool("ListUsers", json!({ "Filter": "username = \"ada\"" }))["Users"][0].clone();
    assert_eq!(
        (&ada["UserStatus"], &ada["Enabled"], &ada["UserCreateDate"]),
        (&json!("RESET_REQUIRED"), &json!(true), &json!(1_770_114_031.623))
    );
    let any = play.sign_in("ada", "Any-Password-1");
    assert_eq!(
        any.answer.expect_err("no password").code,
        "PasswordResetRequiredException"
    );
    let forgot = play.by_app(json!({ "Username": "ada" }));
    let sent = play.call("ForgotPassword", forgot);
    let confirm = json!({ "Username": "ada", "ConfirmationCode": code(&sent), "Password": PASSWORD });
    let confirm = play.by_app(confirm);
    play.ok("ConfirmForgotPassword", confirm);
    play.tokens("ada");
}

#[test]
fn only_one_job_is_at_work_and_a_stopped_one_keeps_its_users() {
    let mut play = Play::usual();
    play.cloud.set_import_pace(1, 0);
    let jobs = [created(&mut play), created(&mut play)];
    let body = file(&mut play, &["ada", "bob"].map(person));
    let refusal = play.refused_in_pool("StartUserImportJob", named(&jobs[0]));
    assert_eq!(
        refusal,
        format!(
            "PreconditionNotMetException: No csv file was uploaded for {}",
            text(&jobs[0]["JobId"])
        )
    );
    for job in &jobs {
        play.ok("LocalcloudUploadImportFile", upload(job, &body));
    }
    play.ok_in_pool("StartUserImportJob", named(&jobs[0]));
    for input in [named(&jobs[0]), named(&jobs[1])] {
        let refusal = play.refused_in_pool("StartUserImportJob", input);
        assert!(refusal.starts_with("PreconditionNotMetException"), "{refusal}");
    }
    play.now += 1_500;
    let stopped = play.ok_in_pool("StopUserImportJob", named(&jobs[0]))["UserImportJob"].clone();
    assert_eq!(
        (
            &stopped["Status"],
            &stopped["ImportedUsers"],
            &stopped["CompletionMessage"]
        ),
        (
            &json!("Stopped"),
            &json!(1),
            &json!("The Import Job was stopped by the developer.")
        )
    );
    play.now += 60_000;
    assert_eq!(play.cloud.subs(&play.pool).len(), 1);
    let again = play.refused_in_pool("StopUserImportJob", named(&jobs[0]));
    assert!(again.starts_with("PreconditionNotMetException"), "{again}");
    play.ok_in_pool("StartUserImportJob", named(&jobs[1]));
    play.now += 60_000;
    let second = play.ok_in_pool("DescribeUserImportJob", named(&jobs[1]))["UserImportJob"].clone();
    assert_eq!(
        (&second["Status"], &second["SkippedUsers"], &second["ImportedUsers"]),
        (&json!("Succeeded"), &json!(1), &json!(1))
    );
}

#[test]
fn a_job_of_another_region_does_not_stand_in_the_way_and_dies_with_its_pool() {
    let mut play = Play::usual();
    play.cloud.set_import_pace(1, 0);
    let job = created(&mut play);
    let body = file(&mut play, &[person("ada")]);
    play.ok("LocalcloudUploadImportFile", upload(&job, &body));
    play.ok_in_pool("StartUserImportJob", named(&job));
    play.ok_in_pool("DeleteUserPool", json!({}));
    play.now += 60_000;
    let next = Play::usual();
    let mut other = Play {
        cloud: play.cloud,
        pool: String::new(),
        ..next
    };
    other.now = play.now;
    let pool = other.ok(
        "CreateUserPool",
        json!({ "PoolName": "x", "AutoVerifiedAttributes": ["email"] }),
    );
    other.pool = text(&pool["UserPool"]["Id"]);
    let body = file(&mut other, &[person("ada")]);
    assert_eq!(imported(&mut other, &body)["Status"], "Succeeded");
}

#[test]
fn an_upload_needs_the_url_the_header_and_to_be_in_time() {
    let mut play = Play::usual();
    let job = created(&mut play);
    let url = text(&job["PreSignedUrl"]);
    let place = format!(
        "/aws-cognito-idp-user-import-eu-central-1/111122223333/{}/{}?",
        play.pool,
        text(&job["JobId"])
    );
    assert!(url.contains(&place) && url.contains("X-Amz-Expires=900"), "{url}");
    let good = upload(&job, "x");
    for (change, code) in [
        (json!({ "Signature": "0" }), "SignatureDoesNotMatch"),
        (json!({ "Encryption": "AES256" }), "SignatureDoesNotMatch"),
        (json!({ "Encryption": null }), "SignatureDoesNotMatch"),
        (json!({ "JobId": "import-none" }), "SignatureDoesNotMatch"),
    ] {
        let refusal = play.refused("LocalcloudUploadImportFile", merge(good.clone(), change));
        assert!(refusal.starts_with(code), "{refusal}");
    }
    play.now += 15 * 60_000 - 1;
    play.ok("LocalcloudUploadImportFile", good.clone());
    play.now += 1;
    assert_eq!(
        play.refused("LocalcloudUploadImportFile", good),
        "AccessDenied: Request has expired"
    );
    play.now = START + 24 * 3_600_000;
    let described = play.ok_in_pool("DescribeUserImportJob", named(&job));
    assert_eq!(described["UserImportJob"]["Status"], "Expired");
    let late = play.refused_in_pool("StartUserImportJob", named(&job));
    assert!(late.starts_with("PreconditionNotMetException"), "{late}");
}

#[test]
fn jobs_are_listed_from_the_newest_in_pages() {
    let mut play = Play::usual();
    let mut wanted: Vec<String> = (0..5).map(|_| text(&created(&mut play)["JobId"])).collect();
    wanted.reverse();
    let (mut ids, mut token) = (Vec::new(), Value::Null);
    for _ in 0..3 {
        let page = play.ok_in_pool(
            "ListUserImportJobs",
            json!({ "MaxResults": 2, "PaginationToken": token }),
        );
        let jobs = page["UserImportJobs"].as_array();
        ids.extend(jobs.into_iter().flatten().map(|job| text(&job["JobId"])));
        token = page["PaginationToken"].clone();
    }
    assert_eq!((ids, token), (wanted, Value::Null));
    let unbounded = play.refused_in_pool("ListUserImportJobs", json!({}));
    assert!(unbounded.contains("maxResults"), "{unbounded}");
}

#[test]
fn what_a_job_needs_is_asked_for() {
    let mut play = Play::with(json!({}));
    for (input, problem) in [
        (json!({ "JobName": "x" }), "cloudWatchLogsRoleArn"),
        (json!({ "CloudWatchLogsRoleArn": ROLE }), "jobName"),
        (json!({ "JobName": "x", "CloudWatchLogsRoleArn": "role" }), "not an ARN"),
        (
            json!({ "JobName": "x", "CloudWatchLogsRoleArn": ROLE, "PasswordHashingAlgorithm": "BCRYPT" }),
            "does not support",
        ),
    ] {
        let refusal = play.refused_in_pool("CreateUserImportJob", input);
        assert!(refusal.contains(problem), "{refusal}");
    }
    let missing = play.refused_in_pool("StartUserImportJob", json!({ "JobId": "import-none" }));
    assert!(missing.starts_with("ResourceNotFoundException"), "{missing}");
    // Nothing is verified automatically in this pool.
    let job = created(&mut play);
    let body = file(&mut play, &[person("ada")]);
    play.ok("LocalcloudUploadImportFile", upload(&job, &body));
    let refusal = play.refused_in_pool("StartUserImportJob", named(&job));
    assert!(refusal.starts_with("PreconditionNotMetException"), "{refusal}");
}
