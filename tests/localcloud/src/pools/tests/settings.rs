//! Pools and clients: defaults, updates, Regions, what is not supported.
//!
//! Invariant: what is read back is what a client of AWS would expect to read.

use serde_json::{Value, json};

use super::{Play, START};
use crate::pools::{Call, support_table};

fn describe(play: &mut Play) -> Value {
    let pool = play.pool.clone();
    play.ok("DescribeUserPool", json!({ "UserPoolId": pool }))["UserPool"].clone()
}

#[test]
fn an_update_resets_what_it_leaves_out_and_keeps_the_immutable() {
    let mut play = Play::with(json!({
        "UsernameAttributes": ["email"], "AutoVerifiedAttributes": ["email"], "DeletionProtection": "ACTIVE", "LambdaConfig": super::functions(),
        "Policies": { "PasswordPolicy": { "MinimumLength": 12, "RequireNumbers": true } }, "UserPoolTier": "LITE",
        "AdminCreateUserConfig": { "AllowAdminCreateUserOnly": true },
        "Schema": [{ "Name": "tenant", "AttributeDataType": "String", "Mutable": false }],
    }));
    let before = describe(&mut play);
    assert_eq!(before["Policies"]["PasswordPolicy"]["MinimumLength"], 12);
    assert_eq!(before["Policies"]["PasswordPolicy"]["RequireSymbols"], false);
    assert_eq!(before["AdminCreateUserConfig"]["UnusedAccountValidityDays"], 7);
    let sign_up = play.by_app(json!({ "Username": "a@example.com", "Password": super::PASSWORD }));
    assert!(play.refused("SignUp", sign_up).contains("SignUp is not permitted"));
    let pool = play.pool.clone();
    assert!(
        play.refused("DeleteUserPool", json!({ "UserPoolId": pool }))
            .contains("deletion protection")
    );
    play.now += 1;
    play.ok("UpdateUserPool", json!({ "UserPoolId": pool }));
    let after = describe(&mut play);
    assert_eq!(after["Policies"]["PasswordPolicy"]["MinimumLength"], 8);
    assert_eq!(after["Policies"]["PasswordPolicy"]["RequireSymbols"], true);
    assert_eq!(
        (&after["DeletionProtection"], &after["UserPoolTier"]),
        (&json!("INACTIVE"), &json!("ESSENTIALS"))
    );
    assert_eq!(
        (&after["LambdaConfig"], after.get("AutoVerifiedAttributes")),
        (&json!({}), None)
    );
    for kept in [
        "Name",
        "Id",
        "Arn",
        "UsernameAttributes",
        "SchemaAttributes",
        "CreationDate",
    ] {
        assert_eq!(after[kept], before[kept], "{kept}");
    }
    assert_eq!(after["LastModifiedDate"], json!(1_770_114_030.124));
    play.ok("DeleteUserPool", json!({ "UserPoolId": pool }));
    assert!(
        play.refused("DescribeUserPool", json!({ "UserPoolId": pool }))
            .starts_with("ResourceNotFoundException")
    );
    let client = play.by_app(json!({ "Username": "a" }));
    assert!(
        play.refused("ForgotPassword", client)
            .starts_with("ResourceNotFoundException")
    );
}

#[test]
fn a_pool_lives_in_one_region() {
    let mut play = Play::usual();
    assert!(play.pool.starts_with("eu-central-1_"));
    let call = Call {
        region: Some("us-east-1".into()),
        operation: "DescribeUserPool".into(),
        input: json!({ "UserPoolId": play.pool }),
        caller: None,
        stale_by_millis: 0,
    };
    assert_eq!(
        play.cloud.apply(&call, START).answer.expect_err("elsewhere").code,
        "ResourceNotFoundException"
    );
    let list = Call {
        operation: "ListUserPools".into(),
        input: json!({ "MaxResults": 10 }),
        ..call.clone()
    };
    assert_eq!(
        play.cloud.apply(&list, START).answer.expect("a list")["UserPools"],
        json!([])
    );
    let unsigned = Call { region: None, ..call };
    assert_eq!(
        play.cloud.apply(&unsigned, START).answer.expect_err("unsigned").code,
        "MissingAuthenticationTokenException"
    );
}

#[test]
fn pools_and_clients_are_listed_in_pages() {
    let mut play = Play::usual();
    for number in 0..4 {
        play.ok("CreateUserPool", json!({ "PoolName": format!("p{number}") }));
        let pool = play.pool.clone();
        play.ok(
            "CreateUserPoolClient",
            json!({ "UserPoolId": pool, "ClientName": format!("c{number}") }),
        );
    }
    for (operation, member, size) in [
        ("ListUserPools", "UserPools", 5),
        ("ListUserPoolClients", "UserPoolClients", 5),
    ] {
        let (mut seen, mut token) = (0, Value::Null);
        loop {
            let mut input = json!({ "MaxResults": 2, "NextToken": token });
            if operation == "ListUserPoolClients" {
                input["UserPoolId"] = json!(play.pool);
            }
            let page = play.ok(operation, input);
            seen += page[member].as_array().map_or(0, Vec::len);
            token = page["NextToken"].clone();
            if token.is_null() {
                break;
            }
        }
        assert_eq!(seen, size, "{operation}");
    }
}

#[test]
fn the_mfa_configuration_is_kept_apart() {
    let mut play = Play::usual();
    let pool = play.pool.clone();
    assert_eq!(
        play.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool })),
        json!({ "MfaConfiguration": "OFF" })
    );
    let on = json!({ "UserPoolId": pool, "MfaConfiguration": "ON" });
    assert!(
        play.refused("SetUserPoolMfaConfig", on)
            .starts_with("InvalidParameterException")
    );
    let set = json!({ "MfaConfiguration": "OPTIONAL", "SoftwareTokenMfaConfiguration": { "Enabled": true } });
    play.ok(
        "SetUserPoolMfaConfig",
        super::merge(set.clone(), json!({ "UserPoolId": pool })),
    );
    assert_eq!(play.ok("GetUserPoolMfaConfig", json!({ "UserPoolId": pool })), set);
    assert_eq!(describe(&mut play)["MfaConfiguration"], "OPTIONAL");
    let keys = play.refused("CreateUserPool", json!({ "PoolName": "x", "MfaConfiguration": "ON" }));
    assert!(keys.starts_with("InvalidParameterException"), "{keys}");
}

#[test]
fn what_is_not_supported_says_so() {
    let mut play = Play::usual();
    let pool = play.pool.clone();
    let outcome = play.call("AdminListDevices", json!({ "UserPoolId": pool }));
    let error = outcome.answer.expect_err("not there");
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        (
            "LocalcloudUnsupported",
            "localcloud does not support the operation AdminListDevices"
        )
    );
    assert!(outcome.records.is_empty());
    let member = json!({ "UserPoolId": pool, "ClientName": "x", "Colour": "red" });
    assert_eq!(
        play.refused("CreateUserPoolClient", member),
        "LocalcloudUnsupported: localcloud does not support the member Colour of CreateUserPoolClient"
    );
    let table = support_table();
    assert!(table.contains("| AdminGetUser | signature | no | yes |  |"));
    assert!(table.contains("| SignUp | app client | yes | partly |"));
    assert!(table.contains("GetCSVHeader"));
}

#[test]
fn wrong_types_and_missing_members_are_refused() {
    let mut play = Play::usual();
    let pool = play.pool.clone();
    assert!(
        play.refused("AdminGetUser", json!({ "UserPoolId": pool }))
            .contains("Value null at 'username'")
    );
    assert!(
        play.refused("AdminGetUser", json!({ "UserPoolId": pool, "Username": "" }))
            .contains("length greater than or equal to 1")
    );
    assert!(
        play.refused("AdminGetUser", json!({ "UserPoolId": pool, "Username": 5 }))
            .starts_with("SerializationException")
    );
    assert!(
        play.refused("ListUserPools", json!({ "MaxResults": 61 }))
            .contains("less than or equal to 60")
    );
}
