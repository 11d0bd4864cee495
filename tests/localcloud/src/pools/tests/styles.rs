//! Looks, terms, threat protection and log delivery.
//!
//! Invariant: as in `configuration.rs`.

use serde_json::{Value, json};

use super::{Play, merge, text};

fn client(play: &mut Play, name: &str) -> String {
    text(&play.ok_in_pool("CreateUserPoolClient", json!({ "ClientName": name }))["UserPoolClient"]["ClientId"])
}

#[test]
fn a_client_shows_the_hosted_ui_of_the_pool_until_it_has_its_own() {
    let mut play = Play::usual();
    let (own, other) = (play.client.clone(), client(&mut play, "other"));
    let css = |colour: &str| json!({ "CSS": format!(".banner {{ color: {colour} }}") });
    assert_eq!(
        play.ok_in_pool("GetUICustomization", json!({})),
        json!({ "UICustomization": {} })
    );
    let error = play.refused_in_pool("SetUICustomization", css("red"));
    assert!(error.contains("There has to be an existing domain"), "{error}");
    play.ok_in_pool("CreateUserPoolDomain", json!({ "Domain": "people" }));
    play.ok_in_pool(
        "SetUICustomization",
        merge(css("red"), json!({ "ImageFile": "aW1hZ2U=" })),
    );
    let shown = play.ok_in_pool("GetUICustomization", json!({ "ClientId": own }))["UICustomization"].clone();
    assert_eq!((&shown["ClientId"], &shown["CSS"]), (&json!("ALL"), &css("red")["CSS"]));
    assert!(text(&shown["ImageUrl"]).starts_with("https://"), "{shown}");
    play.now += 1_000;
    play.ok_in_pool("SetUICustomization", merge(css("blue"), json!({ "ClientId": own })));
    let shown = play.ok_in_pool("GetUICustomization", json!({ "ClientId": own }))["UICustomization"].clone();
    assert_eq!((&shown["ClientId"], &shown["CSS"]), (&json!(own), &css("blue")["CSS"]));
    assert_eq!(shown.get("ImageUrl"), None);
    let shown = play.ok_in_pool("GetUICustomization", json!({ "ClientId": other }))["UICustomization"].clone();
    assert_eq!(shown["ClientId"], "ALL");
    let error = play.refused_in_pool("SetUICustomization", json!({ "ClientId": "nobody" }));
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
}

#[test]
fn a_style_of_managed_login_keeps_what_an_update_leaves_out() {
    let mut play = Play::usual();
    let by_client = json!({ "ClientId": play.client });
    let logo =
        |bytes: &str| json!({ "Category": "FORM_LOGO", "ColorMode": "LIGHT", "Extension": "PNG", "Bytes": bytes });
    let style = json!({ "Settings": { "page": { "a": 1, "b": 2 } }, "Assets": [logo("YQ==")] });
    let input = merge(by_client.clone(), style);
    let created = play.ok_in_pool("CreateManagedLoginBranding", input.clone());
    let id = created["ManagedLoginBranding"]["ManagedLoginBrandingId"].clone();
    let error = play.refused_in_pool("CreateManagedLoginBranding", input);
    assert!(error.starts_with("ManagedLoginBrandingExistsException"), "{error}");
    let update = json!({
        "ManagedLoginBrandingId": id, "Settings": { "page": { "b": 3 } }, "Assets": [logo("Yg=="), {
            "Category": "FAVICON_ICO", "ColorMode": "DYNAMIC", "Extension": "ICO", "Bytes": "Yw==",
        }],
    });
    play.ok_in_pool("UpdateManagedLoginBranding", update);
    let shown = play.ok_in_pool("DescribeManagedLoginBrandingByClient", by_client.clone());
    let style = &shown["ManagedLoginBranding"];
    assert_eq!(style["Settings"], json!({ "page": { "a": 1, "b": 3 } }));
    let bytes: Vec<&Value> = style["Assets"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|one| &one["Bytes"])
        .collect();
    assert_eq!(bytes, ["Yg==", "Yw=="]);
    let named = json!({ "ManagedLoginBrandingId": id });
    assert_eq!(play.ok_in_pool("DescribeManagedLoginBranding", named.clone()), shown);
    let merged = merge(named.clone(), json!({ "ReturnMergedResources": true }));
    assert!(
        play.refused_in_pool("DescribeManagedLoginBranding", merged)
            .starts_with("LocalcloudUnsupported")
    );
    let both = merge(
        named.clone(),
        json!({ "UseCognitoProvidedValues": true, "Settings": {} }),
    );
    assert!(
        play.refused_in_pool("UpdateManagedLoginBranding", both)
            .starts_with("InvalidParameterException")
    );
    let reset = merge(named.clone(), json!({ "UseCognitoProvidedValues": true }));
    let shown = play.ok_in_pool("UpdateManagedLoginBranding", reset)["ManagedLoginBranding"].clone();
    assert_eq!((shown.get("Settings"), shown.get("Assets")), (None, None));
    play.ok_in_pool("DeleteManagedLoginBranding", named);
    let error = play.refused_in_pool("DescribeManagedLoginBrandingByClient", by_client);
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
}

#[test]
fn a_client_has_one_terms_document_of_a_name() {
    let mut play = Play::usual();
    let document = |name: &str| {
        json!({
            "TermsName": name, "TermsSource": "LINK", "Enforcement": "NONE", "Links": { "cognito:default": "https://example.com" },
        })
    };
    let by_client = json!({ "ClientId": play.client });
    let mut ids = Vec::new();
    for name in ["terms-of-use", "privacy-policy"] {
        let created = play.ok_in_pool("CreateTerms", merge(by_client.clone(), document(name)));
        ids.push(created["Terms"]["TermsId"].clone());
    }
    let error = play.refused_in_pool("CreateTerms", merge(by_client.clone(), document("terms-of-use")));
    assert!(error.starts_with("TermsExistsException"), "{error}");
    let rename = json!({ "TermsId": ids[0], "TermsName": "privacy-policy" });
    assert!(
        play.refused_in_pool("UpdateTerms", rename)
            .starts_with("TermsExistsException")
    );
    let links = json!({ "cognito:default": "https://example.org" });
    play.ok_in_pool("UpdateTerms", json!({ "TermsId": ids[0], "Links": links }));
    let named = merge(by_client, json!({ "TermsName": "terms-of-use" }));
    let shown = play.ok_in_pool("DescribeTermsByClient", named)["Terms"].clone();
    assert_eq!((&shown["Links"], &shown["Enforcement"]), (&links, &json!("NONE")));
    assert_eq!(
        play.ok_in_pool("DescribeTerms", json!({ "TermsId": ids[0] }))["Terms"],
        shown
    );
    let list = play.ok_in_pool("ListTerms", json!({}))["Terms"].clone();
    assert_eq!(list.as_array().map(Vec::len), Some(2));
    assert_eq!((list[0].get("Links"), list[0].get("ClientId")), (None, None));
    play.ok_in_pool("DeleteTerms", json!({ "TermsId": ids[0] }));
    let error = play.refused_in_pool("DescribeTerms", json!({ "TermsId": ids[0] }));
    assert!(error.starts_with("ResourceNotFoundException"), "{error}");
}

#[test]
fn threat_protection_needs_the_add_on_and_is_reset_by_silence() {
    let mut play = Play::usual();
    for operation in ["DescribeRiskConfiguration", "SetRiskConfiguration"] {
        let error = play.refused_in_pool(operation, json!({}));
        assert!(
            error.starts_with("UserPoolAddOnNotEnabledException"),
            "{operation}: {error}"
        );
    }
    let mut play = Play::with(json!({ "UserPoolAddOns": { "AdvancedSecurityMode": "ENFORCED" } }));
    let of_client = json!({ "ClientId": play.client });
    let nothing = play.ok_in_pool("DescribeRiskConfiguration", json!({}))["RiskConfiguration"].clone();
    assert_eq!(nothing, json!({ "UserPoolId": play.pool }));
    let block = json!({ "CompromisedCredentialsRiskConfiguration": { "Actions": { "EventAction": "BLOCK" } } });
    let skip = json!({ "RiskExceptionConfiguration": { "SkippedIPRangeList": ["192.0.2.0/24"] } });
    play.ok_in_pool("SetRiskConfiguration", block);
    let shown = play.ok_in_pool("DescribeRiskConfiguration", of_client.clone())["RiskConfiguration"].clone();
    assert_eq!(shown.get("ClientId"), None, "the pool's");
    play.ok_in_pool("SetRiskConfiguration", merge(of_client.clone(), skip.clone()));
    let shown = play.ok_in_pool("DescribeRiskConfiguration", of_client.clone())["RiskConfiguration"].clone();
    assert_eq!(shown["ClientId"], of_client["ClientId"]);
    assert_eq!(shown["RiskExceptionConfiguration"], skip["RiskExceptionConfiguration"]);
    assert_eq!(shown.get("CompromisedCredentialsRiskConfiguration"), None);
    play.ok_in_pool("SetRiskConfiguration", of_client.clone());
    play.ok_in_pool("SetRiskConfiguration", json!({}));
    let shown = play.ok_in_pool("DescribeRiskConfiguration", of_client)["RiskConfiguration"].clone();
    assert_eq!(shown, nothing);
    let half = json!({ "AccountTakeoverRiskConfiguration": {} });
    assert!(
        play.refused_in_pool("SetRiskConfiguration", half)
            .contains("Value null at 'actions'")
    );
}

#[test]
fn log_delivery_is_replaced_as_a_whole() {
    let mut play = Play::usual();
    let empty = play.ok_in_pool("GetLogDeliveryConfiguration", json!({}));
    assert_eq!(empty["LogDeliveryConfiguration"]["LogConfigurations"], json!([]));
    let group = json!({ "LogGroupArn": "arn:aws:logs:eu-central-1:111122223333:log-group:x" });
    let mails = json!({ "EventSource": "userNotification", "LogLevel": "ERROR", "CloudWatchLogsConfiguration": group });
    let set = play.ok_in_pool("SetLogDeliveryConfiguration", json!({ "LogConfigurations": [mails] }));
    assert_eq!(play.ok_in_pool("GetLogDeliveryConfiguration", json!({})), set);
    let activity = json!({ "EventSource": "userAuthEvents", "LogLevel": "INFO", "S3Configuration": { "BucketArn": "arn:aws:s3:::x" } });
    let error = play.refused_in_pool(
        "SetLogDeliveryConfiguration",
        json!({ "LogConfigurations": [activity] }),
    );
    assert!(error.starts_with("FeatureUnavailableInTierException"), "{error}");
    let wrong = merge(mails, json!({ "LogLevel": "INFO" }));
    let error = play.refused_in_pool("SetLogDeliveryConfiguration", json!({ "LogConfigurations": [wrong] }));
    assert!(error.starts_with("InvalidParameterException"), "{error}");
    play.ok_in_pool("SetLogDeliveryConfiguration", json!({ "LogConfigurations": [] }));
    assert_eq!(play.ok_in_pool("GetLogDeliveryConfiguration", json!({})), empty);
}

#[test]
fn nothing_of_a_client_outlives_it() {
    let mut play = Play::with(json!({ "UserPoolAddOns": { "AdvancedSecurityMode": "AUDIT" } }));
    let by_client = json!({ "ClientId": play.client });
    play.ok_in_pool("CreateUserPoolDomain", json!({ "Domain": "people" }));
    play.ok_in_pool("SetUICustomization", merge(by_client.clone(), json!({ "CSS": "" })));
    play.ok_in_pool("CreateManagedLoginBranding", by_client.clone());
    let document = json!({ "TermsName": "terms-of-use", "TermsSource": "LINK", "Enforcement": "NONE" });
    play.ok_in_pool("CreateTerms", merge(by_client.clone(), document));
    play.ok_in_pool(
        "SetRiskConfiguration",
        merge(by_client.clone(), json!({ "RiskExceptionConfiguration": {} })),
    );
    play.ok_in_pool("DeleteUserPoolClient", by_client.clone());
    assert_eq!(play.ok_in_pool("ListTerms", json!({}))["Terms"], json!([]));
    for operation in [
        "GetUICustomization",
        "DescribeManagedLoginBrandingByClient",
        "DescribeRiskConfiguration",
        "GetUserPoolClientSessionConfiguration",
    ] {
        let error = play.refused_in_pool(operation, by_client.clone());
        assert!(error.starts_with("ResourceNotFoundException"), "{operation}: {error}");
    }
}
