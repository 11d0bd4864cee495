//! Domains of the hosted pages.
//!
//! Invariant: as in `configuration.rs`.

use serde_json::{Value, json};

use super::{Play, merge, text};
use crate::pools::Call;

/// The same call in another Region, for the same or another pool.
fn elsewhere(play: &mut Play, operation: &str, input: Value) -> Result<Value, String> {
    let call = Call {
        region: Some("us-east-1".into()),
        operation: operation.into(),
        input,
        caller: None,
        stale_by_millis: 0,
    };
    play.cloud.apply(&call, play.now).answer.map_err(|error| error.code)
}

#[test]
fn a_prefix_domain_belongs_to_one_pool_of_its_region() {
    let mut play = Play::usual();
    let unknown = play.ok("DescribeUserPoolDomain", json!({ "Domain": "people" }));
    assert_eq!(unknown, json!({ "DomainDescription": {} }), "AWS makes no error of it");
    let created = play.ok_in_pool(
        "CreateUserPoolDomain",
        json!({ "Domain": "people", "ManagedLoginVersion": 2 }),
    );
    assert_eq!(created, json!({ "ManagedLoginVersion": 2 }));
    let shown = play.ok("DescribeUserPoolDomain", json!({ "Domain": "people" }))["DomainDescription"].clone();
    assert_eq!(shown["UserPoolId"], play.pool.as_str());
    assert_eq!(
        (&shown["Status"], &shown["ManagedLoginVersion"]),
        (&json!("ACTIVE"), &json!(2))
    );
    assert_eq!(
        play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"]["Domain"],
        "people"
    );
    let again = play.refused_in_pool("CreateUserPoolDomain", json!({ "Domain": "others" }));
    assert_eq!(
        again,
        "InvalidParameterException: User pool already has a domain configured."
    );
    let second = text(&play.ok("CreateUserPool", json!({ "PoolName": "second" }))["UserPool"]["Id"]);
    let taken = play.refused(
        "CreateUserPoolDomain",
        json!({ "UserPoolId": second, "Domain": "people" }),
    );
    assert_eq!(
        taken,
        "InvalidParameterException: Domain already associated with another user pool."
    );
    let far = elsewhere(&mut play, "CreateUserPool", json!({ "PoolName": "far" })).expect("a pool");
    let far_domain = json!({ "UserPoolId": far["UserPool"]["Id"], "Domain": "people" });
    elsewhere(&mut play, "CreateUserPoolDomain", far_domain).expect("a prefix is taken in its Region only");
    let theirs = elsewhere(&mut play, "DescribeUserPoolDomain", json!({ "Domain": "people" })).expect("a description");
    assert_eq!(theirs["DomainDescription"]["UserPoolId"], far["UserPool"]["Id"]);
}

#[test]
fn a_pool_with_a_domain_cannot_be_deleted() {
    let mut play = Play::usual();
    let domain = json!({ "Domain": "people" });
    play.ok_in_pool("CreateUserPoolDomain", domain.clone());
    let error = play.refused_in_pool("DeleteUserPool", json!({}));
    assert!(
        error.starts_with("InvalidParameterException: User pool cannot be deleted. It has a domain"),
        "{error}"
    );
    play.ok_in_pool("DeleteUserPoolDomain", domain.clone());
    let error = play.refused_in_pool("DeleteUserPoolDomain", domain);
    assert_eq!(error, "InvalidParameterException: No such domain or user pool exists.");
    play.ok_in_pool("DeleteUserPool", json!({}));
}

#[test]
fn a_custom_domain_stands_beside_the_prefix_and_is_unique_everywhere() {
    let mut play = Play::usual();
    play.ok_in_pool("CreateUserPoolDomain", json!({ "Domain": "people" }));
    let certificate =
        |number: u8| json!({ "CertificateArn": format!("arn:aws:acm:us-east-1:111122223333:certificate/{number}") });
    let custom = json!({ "Domain": "auth.example.com", "CustomDomainConfig": certificate(1) });
    let created = play.ok_in_pool("CreateUserPoolDomain", custom.clone());
    assert!(
        text(&created["CloudFrontDomain"]).ends_with(".cloudfront.net"),
        "{created}"
    );
    let shown = play.ok_in_pool("DescribeUserPool", json!({}))["UserPool"].clone();
    assert_eq!(
        (&shown["Domain"], &shown["CustomDomain"]),
        (&json!("people"), &json!("auth.example.com"))
    );
    let far = elsewhere(&mut play, "CreateUserPool", json!({ "PoolName": "far" })).expect("a pool");
    let far_domain = merge(custom, json!({ "UserPoolId": far["UserPool"]["Id"] }));
    let taken = elsewhere(&mut play, "CreateUserPoolDomain", far_domain).expect_err("taken");
    assert_eq!(taken, "InvalidParameterException");
    let renewed =
        json!({ "Domain": "auth.example.com", "CustomDomainConfig": certificate(2), "ManagedLoginVersion": 2 });
    play.ok_in_pool("UpdateUserPoolDomain", renewed);
    let routing = json!({ "Failover": { "SecondaryRegion": "eu-west-1", "PrimaryRoute53HealthCheckId": "check" } });
    play.ok_in_pool(
        "UpdateUserPoolDomain",
        json!({ "Domain": "auth.example.com", "Routing": routing }),
    );
    let shown = play.ok("DescribeUserPoolDomain", json!({ "Domain": "auth.example.com" }))["DomainDescription"].clone();
    assert_eq!(shown["CustomDomainConfig"], certificate(2));
    assert_eq!(
        (&shown["ManagedLoginVersion"], &shown["Routing"]),
        (&json!(2), &routing)
    );
    let convert = json!({ "Domain": "people", "CustomDomainConfig": certificate(1) });
    assert!(
        play.refused_in_pool("UpdateUserPoolDomain", convert)
            .starts_with("InvalidParameterException")
    );
}

#[test]
fn wrong_domains_are_refused() {
    let mut play = Play::usual();
    for (input, code) in [
        (json!({ "Domain": "People" }), "InvalidParameterException"),
        (json!({ "Domain": "-people" }), "InvalidParameterException"),
        (json!({ "Domain": "auth.example.com" }), "InvalidParameterException"),
        (
            json!({ "Domain": "my-cognito" }),
            "InvalidParameterException: Domain cannot contain reserved word: cognito",
        ),
        (
            json!({ "Domain": "people", "ManagedLoginVersion": 3 }),
            "InvalidParameterException",
        ),
        (
            json!({ "Domain": "people", "CustomDomainConfig": {} }),
            "InvalidParameterException",
        ),
        (
            json!({ "Domain": "people", "Routing": {} }),
            "InvalidParameterException",
        ),
    ] {
        let error = play.refused_in_pool("CreateUserPoolDomain", input.clone());
        assert!(error.starts_with(code), "{input}: {error}");
    }
    let error = play.refused_in_pool("UpdateUserPoolDomain", json!({ "Domain": "people" }));
    assert!(error.starts_with("InvalidParameterException"), "{error}");
    let mut lite = Play::with(json!({ "UserPoolTier": "LITE" }));
    let error = lite.refused_in_pool(
        "CreateUserPoolDomain",
        json!({ "Domain": "people", "ManagedLoginVersion": 2 }),
    );
    assert!(error.starts_with("FeatureUnavailableInTierException"), "{error}");
}
