//! Sessions, secrets, tags, replicas, limits, and the operations as a whole.
//!
//! Invariant: as in `configuration.rs`.

use serde_json::{Value, json};

use super::{Play, merge, text};
use crate::pools::operations;

#[test]
fn sessions_have_documented_defaults() {
    let mut play = Play::usual();
    let shown = play.ok_in_pool("GetUserPoolSessionConfiguration", json!({}));
    assert_eq!(
        shown,
        json!({ "UserPoolId": play.pool, "UserSessionTracking": "DISABLED", "TokenSession": { "MaxPerUser": 20 } })
    );
    let set = json!({ "UserSessionTracking": "ENABLED", "TokenSession": { "MaxPerUser": 3 } });
    let answer = play.ok_in_pool("SetUserPoolSessionConfiguration", set);
    assert_eq!(play.ok_in_pool("GetUserPoolSessionConfiguration", json!({})), answer);
    let half = json!({ "UserSessionTracking": "ENABLED" });
    assert!(
        play.refused_in_pool("SetUserPoolSessionConfiguration", half)
            .contains("tokenSession")
    );
    let single = json!({ "ClientId": play.client, "SSOSession": { "MaxValidityMinutes": 60 } });
    let answer = play.ok_in_pool("SetUserPoolClientSessionConfiguration", single);
    let named = json!({ "ClientId": play.client });
    assert_eq!(play.ok_in_pool("GetUserPoolClientSessionConfiguration", named), answer);
}

#[test]
fn a_secret_is_replaced_while_the_old_one_still_works() {
    let mut play = Play::usual();
    let mine = "a".repeat(24);
    let created = play.ok_in_pool(
        "CreateUserPoolClient",
        json!({ "ClientName": "s", "ClientSecret": mine, "ExplicitAuthFlows": ["ALLOW_USER_PASSWORD_AUTH"] }),
    );
    let id = created["UserPoolClient"]["ClientId"].clone();
    assert_eq!(created["UserPoolClient"]["ClientSecret"], mine.as_str());
    let named = json!({ "ClientId": id });
    let added = play.ok_in_pool("AddUserPoolClientSecret", named.clone())["ClientSecretDescriptor"].clone();
    let drawn = text(&added["ClientSecretValue"]);
    let error = play.refused_in_pool("AddUserPoolClientSecret", named.clone());
    assert!(error.starts_with("LimitExceededException"), "{error}");
    let list = play.ok_in_pool("ListUserPoolClientSecrets", named.clone())["ClientSecrets"].clone();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert!(!list.to_string().contains(&drawn), "a list shows no secret");
    play.member("ada");
    let sign_in = |secret: &str| {
        let hash = crate::pools::secret_hash(secret, "ada", id.as_str().unwrap_or_default());
        let parameters = json!({ "USERNAME": "ada", "PASSWORD": super::PASSWORD, "SECRET_HASH": hash });
        json!({ "ClientId": id, "AuthFlow": "USER_PASSWORD_AUTH", "AuthParameters": parameters })
    };
    play.ok("InitiateAuth", sign_in(&mine));
    play.ok("InitiateAuth", sign_in(&drawn));
    let old = merge(named.clone(), json!({ "ClientSecretId": list[0]["ClientSecretId"] }));
    play.ok_in_pool("DeleteUserPoolClientSecret", old.clone());
    assert!(
        play.refused("InitiateAuth", sign_in(&mine))
            .starts_with("NotAuthorizedException")
    );
    play.ok("InitiateAuth", sign_in(&drawn));
    let error = play.refused_in_pool("DeleteUserPoolClientSecret", old);
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
    let last = merge(named, json!({ "ClientSecretId": list[1]["ClientSecretId"] }));
    let error = play.refused_in_pool("DeleteUserPoolClientSecret", last);
    assert!(error.starts_with("InvalidParameterException"), "{error}");
    let public = json!({ "ClientId": play.client });
    assert!(
        play.refused_in_pool("AddUserPoolClientSecret", public)
            .starts_with("InvalidParameterException")
    );
    let short = json!({ "ClientName": "x", "ClientSecret": "short" });
    assert!(
        play.refused_in_pool("CreateUserPoolClient", short)
            .contains("clientSecret")
    );
}

#[test]
fn tags_are_those_of_the_pool() {
    let mut play = Play::with(json!({ "UserPoolTags": { "team": "identity" } }));
    let arn = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"]["Arn"].clone();
    let named = json!({ "ResourceArn": arn });
    play.ok(
        "TagResource",
        merge(named.clone(), json!({ "Tags": { "stage": "test", "team": "people" } })),
    );
    assert_eq!(
        play.ok("ListTagsForResource", named.clone()),
        json!({ "Tags": { "stage": "test", "team": "people" } })
    );
    play.ok(
        "UntagResource",
        merge(named.clone(), json!({ "TagKeys": ["team", "none"] })),
    );
    assert_eq!(
        play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"]["UserPoolTags"],
        json!({ "stage": "test" })
    );
    let reserved = merge(named, json!({ "Tags": { "aws:x": "y" } }));
    assert!(
        play.refused("TagResource", reserved)
            .starts_with("InvalidParameterException")
    );
    let other = json!({ "ResourceArn": format!("{}x", text(&arn)) });
    assert!(
        play.refused("ListTagsForResource", other)
            .starts_with("ResourceNotFoundException")
    );
}

#[test]
fn a_pool_has_one_replica_at_most() {
    let mut play = Play::usual();
    assert_eq!(
        play.ok_in_pool("ListUserPoolReplicas", json!({})),
        json!({ "UserPoolReplicas": [] })
    );
    let there = json!({ "RegionName": "eu-west-1" });
    let created = play.ok_in_pool("CreateUserPoolReplica", there.clone())["UserPoolReplica"].clone();
    assert_eq!(created["Status"], "CREATING");
    assert_eq!(
        created["UserPoolArn"],
        format!("arn:aws:cognito-idp:eu-west-1:111122223333:userpool/{}", play.pool)
    );
    let list = play.ok_in_pool("ListUserPoolReplicas", json!({}))["UserPoolReplicas"].clone();
    let roles: Vec<&Value> = list.as_array().into_iter().flatten().map(|one| &one["Role"]).collect();
    assert_eq!(roles, ["PRIMARY", "SECONDARY"]);
    let error = play.refused_in_pool("CreateUserPoolReplica", json!({ "RegionName": "us-east-1" }));
    assert!(error.starts_with("LimitExceededException"), "{error}");
    play.ok_in_pool(
        "UpdateUserPoolReplica",
        merge(there.clone(), json!({ "Status": "ACTIVE" })),
    );
    let error = play.refused_in_pool("DeleteUserPoolReplica", there.clone());
    assert!(error.starts_with("InvalidParameterException"), "{error}");
    assert!(
        play.refused_in_pool("DeleteUserPool", json!({}))
            .starts_with("LocalcloudUnsupported")
    );
    play.ok_in_pool(
        "UpdateUserPoolReplica",
        merge(there.clone(), json!({ "Status": "INACTIVE" })),
    );
    play.ok_in_pool("DeleteUserPoolReplica", there.clone());
    let error = play.refused_in_pool("DeleteUserPoolReplica", there.clone());
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
    let mut lite = Play::with(json!({ "UserPoolTier": "LITE" }));
    assert!(
        lite.refused_in_pool("CreateUserPoolReplica", there)
            .starts_with("FeatureUnavailableInTierException")
    );
}

#[test]
fn the_provisioned_limit_is_the_rate_in_force() {
    let mut play = Play::usual();
    let of = |category: &str| json!({ "LimitDefinition": { "LimitClass": "API_CATEGORY", "Attributes": { "Category": category } } });
    let limit = play.ok("GetProvisionedLimit", of("UserRead"))["Limit"].clone();
    assert_eq!(
        (&limit["ProvisionedLimitValue"], &limit["FreeLimitValue"]),
        (&json!(120), &json!(120))
    );
    play.cloud.set_rates(&[("UserRead".to_owned(), 200)].into());
    let limit = play.ok("GetProvisionedLimit", of("UserRead"))["Limit"].clone();
    assert_eq!(
        (&limit["ProvisionedLimitValue"], &limit["FreeLimitValue"]),
        (&json!(200), &json!(120))
    );
    for fixed in ["UserList", "UserUpdate", "Nothing"] {
        let error = play.refused("GetProvisionedLimit", of(fixed));
        assert!(error.starts_with("InvalidParameterException"), "{fixed}: {error}");
    }
}

#[test]
fn writes_leave_a_record_with_the_pool_and_without_a_secret() {
    let mut play = Play::usual();
    let provider = json!({
        "UserPoolId": play.pool, "ProviderName": "Google", "ProviderType": "Google",
        "ProviderDetails": { "client_id": "1", "client_secret": "marker-secret" },
    });
    let mut outcomes = vec![play.call("CreateIdentityProvider", provider)];
    let confidential = json!({ "UserPoolId": play.pool, "ClientName": "s", "GenerateSecret": true });
    let id = play.ok("CreateUserPoolClient", confidential)["UserPoolClient"]["ClientId"].clone();
    let named = json!({ "UserPoolId": play.pool, "ClientId": id });
    outcomes.push(play.call("AddUserPoolClientSecret", named));
    let drawn = outcomes[1]
        .answer
        .as_ref()
        .map(|answer| text(&answer["ClientSecretDescriptor"]["ClientSecretValue"]));
    let drawn = drawn.expect("a secret");
    for outcome in &outcomes {
        let [record] = &outcome.records[..] else {
            panic!("one record: {outcome:?}");
        };
        assert_eq!(record.detail["requestParameters"]["userPoolId"], play.pool.as_str());
        assert_eq!(record.detail["readOnly"], false);
        let written = record.detail.to_string();
        assert!(
            !written.contains("marker-secret") && !written.contains(&drawn),
            "{written}"
        );
    }
    let read = json!({ "UserPoolId": play.pool, "ProviderName": "Google" });
    assert_eq!(
        play.call("DescribeIdentityProvider", read).records[0].detail["readOnly"],
        true
    );
}

#[test]
fn an_operation_is_known_once_or_not_at_all() {
    let mut names: Vec<&str> = operations::all().map(|operation| operation.name).collect();
    let all = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), all);
    assert!(
        names
            .iter()
            .all(|name| operations::not_found(name).code == "UnknownOperationException")
    );
    let mut play = Play::usual();
    let unknown = play.call("ReadEverything", json!({}));
    assert_eq!(
        unknown.answer.expect_err("AWS has none").code,
        "UnknownOperationException"
    );
    assert!(unknown.records.is_empty());
}
