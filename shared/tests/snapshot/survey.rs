//! What a survey asks, what it costs, and what it believes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use twinpool_shared::{
    error::ErrorKind,
    marks::Part,
    operation::{Meaning, Nothing, meaning},
    quota::{Category, category_of},
    snapshot::{POOL_LEVEL, plan, survey::NOT_ITS_OWN},
};

use super::answers::{Answers, MARK, POOL, Table, contents, day, kinds, taken_away};

fn cost(answers: &Answers, marked: &[Part]) -> BTreeMap<&'static str, u64> {
    answers.survey(BTreeMap::new(), marked, day(0)).expect("a pool").calls
}

#[test]
fn every_operation_reads_and_counts_in_a_known_quota() {
    let singles = plan::SINGLES
        .iter()
        .chain([&plan::POOL, &plan::RISK])
        .map(|single| single.operation);
    let lists = plan::LISTINGS.iter().map(|listing| listing.operation);
    let described = plan::LISTINGS
        .iter()
        .filter_map(|listing| Some(listing.describe?.operation));
    let of_client = plan::OF_CLIENT.iter().map(|call| call.operation);
    let others = [plan::DOMAIN.operation, plan::CLIENT_SECRETS, plan::TAGS, plan::LIMIT];
    for operation in singles.chain(lists).chain(described).chain(of_client).chain(others) {
        assert_eq!(
            meaning(operation),
            Some(Meaning::Nothing(Nothing::Reads)),
            "{operation}"
        );
        assert!(category_of(operation).is_some(), "{operation} counts in no known quota");
    }
}

#[test]
fn a_bare_pool_costs_seventeen_calls() {
    let calls = cost(&Answers::bare(), &[]);
    assert_eq!(calls.values().sum::<u64>(), 17, "{calls:?}");
    let mut categories: BTreeMap<Category, u64> = BTreeMap::new();
    for (operation, calls) in calls {
        *categories.entry(category_of(operation).expect("known")).or_default() += calls;
    }
    let expected = [
        (Category::UserPoolRead, 1),
        (Category::UserPoolResourceRead, 9),
        (Category::UserPoolClientRead, 1),
        (Category::LimitManagement, 6),
    ];
    assert_eq!(categories, BTreeMap::from(expected));
}

#[test]
fn an_app_client_costs_only_what_it_can_have() {
    let clients = ["c1", "c2", "c3"];
    let bare: u64 = cost(&Answers::bare(), &[]).values().sum();
    let mut answers = Answers::with_clients(&clients);
    assert_eq!(
        cost(&answers, &[]).values().sum::<u64>(),
        bare + 2 * 3,
        "description and secrets"
    );
    for client in clients {
        answers.edit("DescribeUserPoolClient", client, |answer| {
            answer["UserPoolClient"]
                .as_object_mut()
                .expect("an object")
                .remove("ClientSecret");
        });
    }
    assert_eq!(
        cost(&answers, &[]).values().sum::<u64>(),
        bare + 3,
        "a client without a secret"
    );

    let mut managed = answers.clone();
    managed.domain(2);
    let calls = cost(&managed, &[]);
    assert_eq!(
        (
            calls["DescribeManagedLoginBrandingByClient"],
            calls["GetUICustomization"]
        ),
        (3, 1)
    );
    let mut classic = answers.clone();
    classic.domain(1);
    let calls = cost(&classic, &[]);
    assert_eq!(
        (
            calls.get("DescribeManagedLoginBrandingByClient"),
            calls["GetUICustomization"]
        ),
        (None, 4)
    );
    let mut protected = answers.clone();
    protected.edit_pool(|pool| pool["UserPoolAddOns"]["AdvancedSecurityMode"] = json!("AUDIT"));
    assert_eq!(cost(&protected, &[])["DescribeRiskConfiguration"], 4);
    let mut tracked = answers.clone();
    tracked.edit("GetUserPoolSessionConfiguration", "", |answer| {
        answer["UserSessionTracking"] = json!("ENABLED");
    });
    assert_eq!(cost(&tracked, &[])["GetUserPoolClientSessionConfiguration"], 3);
}

#[test]
fn a_marked_part_is_asked_for_although_nothing_seems_to_be_there() {
    let answers = Answers::with_clients(&["c1"]);
    let calls = cost(&answers, &[Part::Branding, Part::Risk]);
    assert_eq!(
        (
            calls["DescribeManagedLoginBrandingByClient"],
            calls["DescribeRiskConfiguration"]
        ),
        (1, 2)
    );
}

#[test]
fn a_list_ends_where_its_token_ends_and_not_at_an_empty_page() {
    let mut answers = Answers::with_clients(&["c1", "c2"]);
    let page = |entries: Value, token: Option<&str>| json!({"UserPoolClients": entries, "NextToken": token});
    answers.set("ListUserPoolClients", "", page(json!([]), Some("t1")));
    answers.set(
        "ListUserPoolClients",
        "t1",
        page(json!([{"ClientId": "c1"}]), Some("t2")),
    );
    answers.set(
        "ListUserPoolClients",
        "t2",
        page(json!([{"ClientId": "c1"}, {"ClientId": "c2"}]), None),
    );
    let findings = answers.survey(BTreeMap::new(), &[], day(0)).expect("a pool");
    let contents = contents(&findings);
    assert!(contents.contains_key(&(Part::Clients, "c1")) && contents.contains_key(&(Part::Clients, "c2")));
    assert_eq!(
        findings.calls["DescribeUserPoolClient"], 2,
        "an entry that is shown twice is asked for once"
    );
}

#[test]
fn every_kind_of_member_is_captured_as_it_came() {
    let mut answers = Answers::with_clients(&["c1"]);
    answers.domain(2);
    let style = json!({"ManagedLoginBrandingId": "b1", "Settings": {"new": [1, 2]}});
    answers.set(
        "DescribeManagedLoginBrandingByClient",
        "c1",
        json!({"ManagedLoginBranding": style}),
    );
    answers.set(
        "ListIdentityProviders",
        "",
        json!({"Providers": [{"ProviderName": "idp"}]}),
    );
    let idp = json!({"ProviderName": "idp", "ProviderDetails": {"client_secret": format!("{MARK}idp")}});
    answers.set("DescribeIdentityProvider", "idp", json!({"IdentityProvider": idp}));
    let server = json!({"Identifier": "https://api/secrets", "Scopes": []});
    answers.set("ListResourceServers", "", json!({"ResourceServers": [server]}));
    answers.set("ListTerms", "", json!({"Terms": [{"TermsId": "t1"}]}));
    answers.set(
        "DescribeTerms",
        "t1",
        json!({"Terms": {"TermsId": "t1", "ClientId": "c1"}}),
    );
    let replica = json!({"RegionName": "us-west-2", "Role": "SECONDARY"});
    answers.set("ListUserPoolReplicas", "", json!({"UserPoolReplicas": [replica]}));
    let mut table = Table::default();
    let (findings, _) = table.capture(&answers, day(0));
    let contents = contents(&findings);
    for (part, name, expected) in [
        (Part::Branding, "c1", &style),
        (Part::IdentityProviders, "idp", &idp),
        (Part::ResourceServers, "https://api/secrets", &server),
        (Part::Terms, "t1", &json!({"TermsId": "t1", "ClientId": "c1"})),
        (Part::Replicas, "us-west-2", &replica),
        (Part::Tags, POOL_LEVEL, &json!({"Tags": {"team": "login"}})),
        (Part::Mfa, POOL_LEVEL, &json!({"MfaConfiguration": "OFF"})),
    ] {
        assert_eq!(contents.get(&(part, name)), Some(&expected), "{part:?} {name}");
    }
    assert!(findings.incomplete.is_empty(), "{:?}", findings.incomplete);
    assert_eq!(
        table.capture(&answers, day(1)).1,
        Vec::<String>::new(),
        "the second night writes nothing"
    );
}

#[test]
fn the_pools_own_look_is_not_taken_for_an_app_clients() {
    let mut answers = Answers::with_clients(&["c1", "c2"]);
    answers.domain(1);
    let all = json!({"UICustomization": {"UserPoolId": POOL, "ClientId": "ALL", "CSS": "a"}});
    let own = json!({"UICustomization": {"UserPoolId": POOL, "ClientId": "c2", "CSS": "b"}});
    answers.set("GetUICustomization", "", all.clone());
    answers.set("GetUICustomization", "c1", all);
    answers.set("GetUICustomization", "c2", own);
    let findings = answers.survey(BTreeMap::new(), &[], day(0)).expect("a pool");
    let looks: Vec<_> = contents(&findings)
        .into_keys()
        .filter(|(part, _)| *part == Part::UiCustomization)
        .collect();
    assert_eq!(
        looks,
        [(Part::UiCustomization, "c2"), (Part::UiCustomization, POOL_LEVEL)]
    );
    assert_eq!(findings.absent[&(Part::UiCustomization, "c1".to_owned())], NOT_ITS_OWN);
}

#[test]
fn a_feature_that_is_not_there_is_absent_and_is_asked_for_once() {
    let mut answers = Answers::with_clients(&["c1", "c2", "c3"]);
    answers.domain(2);
    answers.fail(
        "DescribeManagedLoginBrandingByClient",
        "FeatureUnavailableInTierException",
    );
    answers.fail("GetUserPoolSessionConfiguration", "UnknownOperationException");
    answers.fail("ListUserPoolReplicas", "OperationNotEnabledException");
    answers.refuse("GetProvisionedLimit", "UserToken", "InvalidParameterException");
    let mut table = Table::default();
    let (findings, written) = table.capture(&answers, day(0));
    assert!(findings.incomplete.is_empty(), "{:?}", findings.incomplete);
    assert_eq!(findings.calls["DescribeManagedLoginBrandingByClient"], 1);
    let code = |part, name: &str| findings.absent.get(&(part, name.to_owned())).map(String::as_str);
    assert_eq!(code(Part::Branding, "c3"), Some("FeatureUnavailableInTierException"));
    assert_eq!(code(Part::Sessions, POOL_LEVEL), Some("UnknownOperationException"));
    assert_eq!(
        code(Part::Replicas, "UserPoolReplicas"),
        Some("OperationNotEnabledException")
    );
    assert_eq!(code(Part::Limits, "UserToken"), Some("InvalidParameterException"));
    assert!(
        written.contains(&"config#sessions#pool".to_owned()),
        "that the pool has none is stored"
    );
    assert!(
        !written.iter().any(|key| key.contains("branding")),
        "what clients never had is not"
    );
    assert_eq!(table.capture(&answers, day(1)).1, Vec::<String>::new());
}

#[test]
fn a_refusal_is_a_finding_and_overwrites_nothing() {
    for code in [
        "AccessDeniedException",
        "TooManyRequestsException",
        "InternalErrorException",
    ] {
        let good = Answers::with_clients(&["c1", "c2", "c3", "c4"]);
        let mut table = Table::default();
        table.capture(&good, day(0));
        let before = table.documents.clone();
        let mut bad = good.clone();
        for operation in [
            "DescribeUserPoolClient",
            "GetUserPoolMfaConfig",
            "ListResourceServers",
            "ListTagsForResource",
        ] {
            bad.fail(operation, code);
        }
        let (findings, written) = table.capture(&bad, day(1));
        assert_eq!((written, &table.documents), (Vec::new(), &before), "{code}");
        let parts: Vec<Part> = kinds(&findings).into_keys().collect();
        assert_eq!(
            parts,
            [Part::Mfa, Part::Clients, Part::ResourceServers, Part::Tags],
            "{code}"
        );
        let asked = if code == "AccessDeniedException" { 1 } else { 3 };
        assert_eq!(findings.calls["DescribeUserPoolClient"], asked, "{code}");
    }
}

#[test]
fn every_operation_in_turn_may_be_denied_without_anything_being_lost() {
    let mut good = Answers::with_clients(&["c1"]);
    good.domain(1);
    let mut table = Table::default();
    let (findings, _) = table.capture(&good, day(0));
    for operation in findings
        .calls
        .keys()
        .filter(|operation| **operation != "DescribeUserPool")
    {
        let mut bad = good.clone();
        bad.fail(operation, "AccessDeniedException");
        let mut table = table.clone();
        let (findings, written) = table.capture(&bad, day(1));
        assert_eq!(written, Vec::<String>::new(), "{operation}");
        assert!(
            kinds(&findings).values().all(|kind| *kind == ErrorKind::Denied),
            "{operation}"
        );
        assert!(!findings.incomplete.is_empty(), "{operation}");
    }
}

#[test]
fn a_pool_that_is_denied_or_not_there_is_an_error() {
    for (code, kind) in [
        ("AccessDeniedException", ErrorKind::Denied),
        ("ResourceNotFoundException", ErrorKind::NotFound),
    ] {
        let mut answers = Answers::bare();
        answers.fail("DescribeUserPool", code);
        let error = answers.survey(BTreeMap::new(), &[], day(0)).expect_err("no pool");
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn a_deleted_app_client_goes_with_all_that_it_had() {
    let mut answers = Answers::with_clients(&["c1", "c2"]);
    answers.domain(2);
    answers.set(
        "DescribeManagedLoginBrandingByClient",
        "c1",
        json!({"ManagedLoginBranding": {"Settings": {}, "x": 1}}),
    );
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.list_clients(&["c2"]);
    answers.remove("DescribeUserPoolClient", "c1");
    let (findings, written) = table.capture(&answers, day(1));
    let gone = [
        (Part::Clients, "c1"),
        (Part::Clients, "c1/secrets"),
        (Part::Branding, "c1"),
    ];
    assert_eq!(taken_away(&findings), gone);
    assert_eq!(written.len(), 3, "{written:?}");
    assert_eq!(
        findings.calls["DescribeUserPool"], 2,
        "asked once more before anything is taken away"
    );
    assert_eq!(table.capture(&answers, day(2)).1, Vec::<String>::new(), "gone once");
}

#[test]
fn a_list_that_leaves_out_a_member_deletes_nothing() {
    let mut answers = Answers::with_clients(&["c1", "c2"]);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.list_clients(&[]);
    let (findings, written) = table.capture(&answers, day(1));
    assert_eq!((taken_away(&findings), written), (vec![], vec![]));
    assert_eq!(
        findings.calls["DescribeUserPoolClient"], 2,
        "both are asked for by name"
    );

    answers.fail("DescribeUserPoolClient", "TooManyRequestsException");
    let (findings, _) = table.capture(&answers, day(2));
    assert_eq!(taken_away(&findings), []);
    assert_eq!(kinds(&findings)[&Part::Clients], ErrorKind::Throttled);
}

#[test]
fn a_list_that_breaks_off_deletes_nothing() {
    let mut answers = Answers::with_clients(&["c1", "c2"]);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.set(
        "ListUserPoolClients",
        "",
        json!({"UserPoolClients": [{"ClientId": "c1"}], "NextToken": "t"}),
    );
    answers.refuse("ListUserPoolClients", "t", "InternalErrorException");
    answers.remove("DescribeUserPoolClient", "c2");
    let (findings, _) = table.capture(&answers, day(1));
    assert_eq!(taken_away(&findings), []);
    assert!(findings.incomplete.contains_key(&Part::Clients));
}

#[test]
fn a_list_without_an_end_is_given_up_and_deletes_nothing() {
    let mut answers = Answers::with_clients(&["c1"]);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    for token in ["", "t"] {
        answers.set(
            "ListUserPoolClients",
            token,
            json!({"UserPoolClients": [], "NextToken": "t"}),
        );
    }
    let (findings, _) = table.capture(&answers, day(1));
    assert_eq!(taken_away(&findings), []);
    assert_eq!(findings.calls["ListUserPoolClients"], 100);
    assert!(findings.incomplete.contains_key(&Part::Clients));
}

#[test]
fn a_pool_that_vanishes_at_any_call_takes_nothing_with_it() {
    let mut good = Answers::with_clients(&["c1", "c2"]);
    good.domain(1);
    let mut table = Table::default();
    let (findings, _) = table.capture(&good, day(0));
    let calls: u64 = findings.calls.values().sum();
    for after in 0..=usize::try_from(calls).expect("few") {
        let mut gone = good.clone();
        gone.gone_after = Some(after);
        match gone.survey(table.living(), &[], day(1)) {
            Err(error) => assert_eq!(error.kind, ErrorKind::NotFound),
            Ok(findings) => assert_eq!(taken_away(&findings), [], "after {after} calls"),
        }
    }
}

#[test]
fn a_domain_that_was_given_up_is_gone_also_when_somebody_else_has_its_name() {
    let mut answers = Answers::bare();
    answers.domain(1);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.edit_pool(|pool| pool["Domain"] = json!(""));
    answers.edit("DescribeUserPoolDomain", "login", |answer| {
        answer["DomainDescription"]["UserPoolId"] = json!("eu-west-1_b");
    });
    let (findings, _) = table.capture(&answers, day(1));
    assert_eq!(taken_away(&findings), [(Part::Domain, "login")]);
}

#[test]
fn an_empty_answer_about_a_member_is_no_evidence() {
    let mut answers = Answers::with_clients(&["c1"]);
    let mut table = Table::default();
    table.capture(&answers, day(0));
    answers.set("DescribeUserPoolClient", "c1", json!({}));
    answers.set("GetUserPoolMfaConfig", "", json!({}));
    let (findings, written) = table.capture(&answers, day(1));
    assert_eq!((taken_away(&findings), written), (vec![], vec![]));
    assert_eq!(
        kinds(&findings).into_keys().collect::<Vec<_>>(),
        [Part::Mfa, Part::Clients]
    );
}
