//! What the target has to show.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::json;
use twinpool_shared::{
    import::{
        expect::{Difference, Found, Reason, Verdict, Way, What, compare, compare_user},
        recreate::{Fate, Loss, NotMade, Recreation, recreate},
        shape::{Shape, UserNames},
    },
    observation::UserRead,
    personal::{Personal, Sub},
    user::{Attributes, Factors},
};

use super::{account, any_shape, any_user, made, shape, user, with_factors};
use crate::generate::{cases, sub};

/// A user of the target, as an import makes them.
#[derive(Clone)]
struct Shown {
    sub: Sub,
    user: UserRead,
    groups: BTreeSet<String>,
    factors: Factors,
}

impl Shown {
    fn of(wanted: &Recreation, target: &Shape) -> Self {
        let new = sub("new-sub");
        let mut values = wanted.attributes.clone();
        values.extend(wanted.later.clone());
        if !wanted.links.is_empty() {
            let identities = wanted.links.iter();
            let identities: Vec<_> = identities
                .map(|link| json!({"providerName": link.provider, "userId": link.user_id.expose(), "primary": false}))
                .collect();
            values.insert("identities".to_owned(), Personal::new(json!(identities).to_string()));
        }
        let preference = wanted.factors.clone().unwrap_or_default();
        let enabled = [(preference.sms, "SMS_MFA"), (preference.email, "EMAIL_OTP")];
        Self {
            user: UserRead {
                attributes: Attributes {
                    username: match target.names {
                        UserNames::Own => wanted.username.clone(),
                        _ => Personal::new(new.as_str()),
                    },
                    values,
                },
                status: if wanted.password {
                    "CONFIRMED"
                } else {
                    "FORCE_CHANGE_PASSWORD"
                }
                .to_owned(),
                account: account(wanted.enabled),
            },
            sub: new,
            groups: wanted.groups.clone(),
            factors: Factors {
                preferred: preference.preferred,
                enabled: enabled
                    .into_iter()
                    .filter(|(enabled, _)| *enabled)
                    .map(|(_, name)| name.to_owned())
                    .collect(),
            },
        }
    }

    fn found(&self) -> Found<'_> {
        Found {
            sub: &self.sub,
            user: &self.user,
            groups: &self.groups,
            case_sensitive: false,
            factors: Some(&self.factors),
        }
    }

    fn set(&mut self, name: &str, value: &str) {
        let values = &mut self.user.attributes.values;
        values.insert(name.to_owned(), Personal::new(value));
    }

    fn remove(&mut self, name: &str) {
        self.user.attributes.values.remove(name);
    }
}

fn rich() -> (Recreation, Shown) {
    let target = shape(&json!({"AliasAttributes": ["preferred_username"]}));
    let identities = r#"[{"providerName":"Google","userId":"1","primary":false}]"#;
    let record = user(
        "CONFIRMED",
        &[
            ("email", "ann@example.com"),
            ("email_verified", "true"),
            ("phone_number", "+31612345678"),
            ("phone_number_verified", "false"),
            ("birthdate", "1985-02-01"),
            ("preferred_username", "annie"),
            ("identities", identities),
        ],
    );
    let mut wanted = made(&with_factors(record, Some("SMS_MFA"), &["SMS_MFA"]), &target);
    wanted.groups.insert("staff".to_owned());
    let shown = Shown::of(&wanted, &target);
    (wanted, shown)
}

/// The differences but for the password, which everybody loses.
fn differences(wanted: &Recreation, way: Way, shown: &Shown) -> Vec<(String, What, Verdict)> {
    let all = compare_user(wanted, way, &shown.found());
    let tuples = all
        .into_iter()
        .map(|Difference { field, what, verdict }| (field, what, verdict));
    tuples
        .filter(|(_, _, verdict)| *verdict != Verdict::Expected(Reason::Loss(Loss::Password)))
        .collect()
}

#[test]
fn a_user_as_planned_differs_in_the_losses_only() {
    let (wanted, shown) = rich();
    assert_eq!(differences(&wanted, Way::Api, &shown), []);
    let all = compare_user(&wanted, Way::Api, &shown.found());
    assert_eq!(all.len(), 1);
    assert_eq!(all[0].field, "password");
}

#[test]
fn each_difference_is_found_and_named() {
    type Change = fn(&mut Shown);
    let changes: [(&str, What, Change); 20] = [
        ("username", What::Differs, |shown| {
            shown.user.attributes.username = Personal::new("bob");
        }),
        ("status", What::Differs, |shown| {
            shown.user.status = "RESET_REQUIRED".to_owned();
        }),
        ("status", What::Differs, |shown| {
            shown.user.status = "FORCE_CHANGE_PASSWORD".to_owned();
        }),
        ("enabled", What::Differs, |shown| shown.user.account.enabled = false),
        ("email", What::Differs, |shown| shown.set("email", "Ann@example.com")),
        ("email", What::Missing, |shown| shown.remove("email")),
        ("email", What::Missing, |shown| shown.set("email", "")),
        ("email_verified", What::Missing, |shown| {
            shown.set("email_verified", "false");
        }),
        ("email_verified", What::Missing, |shown| shown.remove("email_verified")),
        ("phone_number_verified", What::Differs, |shown| {
            shown.set("phone_number_verified", "true");
        }),
        ("birthdate", What::Differs, |shown| shown.set("birthdate", "02/01/1985")),
        ("preferred_username", What::Missing, |shown| {
            shown.remove("preferred_username");
        }),
        ("custom:original_sub", What::Differs, |shown| {
            shown.set("custom:original_sub", "another");
        }),
        ("custom:tier", What::Extra, |shown| shown.set("custom:tier", "gold")),
        ("groups/staff", What::Missing, |shown| shown.groups.clear()),
        ("groups/admins", What::Extra, |shown| {
            shown.groups.extend(["admins".to_owned()]);
        }),
        ("identities/Google", What::Missing, |shown| shown.remove("identities")),
        ("factors", What::Differs, |shown| shown.factors.preferred = None),
        ("factors", What::Differs, |shown| shown.factors.enabled.clear()),
        ("factors", What::Differs, |shown| {
            shown.factors.enabled.insert("EMAIL_OTP".to_owned());
        }),
    ];
    for (field, what, change) in changes {
        let (wanted, mut shown) = rich();
        change(&mut shown);
        let expected = [(field.to_owned(), what, Verdict::Unexpected)];
        assert_eq!(differences(&wanted, Way::Api, &shown), expected, "{field}");
    }
}

#[test]
fn identities_that_are_others_or_unreadable_are_found() {
    let (wanted, mut shown) = rich();
    shown.set(
        "identities",
        r#"[{"providerName":"Okta","userId":"1"},{"providerName":"Google","userId":"1"}]"#,
    );
    let extra = ("identities/Okta".to_owned(), What::Extra, Verdict::Unexpected);
    assert_eq!(differences(&wanted, Way::Api, &shown), [extra]);
    shown.set("identities", r#"[{"providerName":"Google","userId":"1"},7]"#);
    let unreadable = ("identities".to_owned(), What::Differs, Verdict::Unexpected);
    assert_eq!(differences(&wanted, Way::Api, &shown), [unreadable]);
}

#[test]
fn what_means_the_same_is_no_difference() {
    let (wanted, mut shown) = rich();
    shown.set("email_verified", "True");
    shown.remove("phone_number_verified");
    shown.set("custom:tier", "");
    shown.set("sub", "new-sub");
    shown.set("cognito:user_status", "CONFIRMED");
    shown.user.attributes.username = Personal::new("ANN");
    assert_eq!(differences(&wanted, Way::Api, &shown), []);
    shown.user.attributes.username = Personal::new("new-sub");
    assert_eq!(
        differences(&wanted, Way::Api, &shown),
        [],
        "Cognito makes the name itself"
    );
}

#[test]
fn factors_that_were_not_read_are_not_compared() {
    let (wanted, mut shown) = rich();
    shown.factors = Factors::default();
    let found = Found {
        factors: None,
        ..shown.found()
    };
    assert_eq!(compare_user(&wanted, Way::Api, &found).len(), 1, "the password");
}

#[test]
fn an_import_job_leaves_what_it_is_known_to_leave() {
    let (wanted, mut shown) = rich();
    assert_eq!(
        differences(&wanted, Way::Csv, &shown),
        [],
        "confirmed where a code signs in"
    );
    shown.user.status = "RESET_REQUIRED".to_owned();
    shown.set("birthdate", "02/01/1985");
    let expected = [
        (
            "status".to_owned(),
            What::Differs,
            Verdict::Expected(Reason::ResetRequired),
        ),
        (
            "birthdate".to_owned(),
            What::Differs,
            Verdict::Expected(Reason::BirthdateForm),
        ),
    ];
    assert_eq!(differences(&wanted, Way::Csv, &shown), expected);
    shown.factors.enabled.insert("EMAIL_OTP".to_owned());
    let factors = |verdict| ("factors".to_owned(), What::Differs, verdict);
    assert_eq!(differences(&wanted, Way::Csv, &shown)[2], factors(Verdict::Unexpected));
    shown.set("birthdate", "02/02/1985");
    let wrong = ("birthdate".to_owned(), What::Differs, Verdict::Unexpected);
    assert_eq!(differences(&wanted, Way::Csv, &shown)[1], wrong);
}

#[test]
fn an_import_job_gives_text_messages_where_the_pool_demands_a_factor() {
    let (mut wanted, mut shown) = rich();
    wanted.factors = None;
    let factors = |verdict| [("factors".to_owned(), What::Differs, verdict)];
    shown.factors.preferred = None;
    assert_eq!(
        differences(&wanted, Way::Csv, &shown),
        factors(Verdict::Expected(Reason::MfaOfPool))
    );
    assert_eq!(differences(&wanted, Way::Api, &shown), factors(Verdict::Unexpected));
    shown.factors.preferred = Some("SMS_MFA".to_owned());
    assert_eq!(differences(&wanted, Way::Csv, &shown), factors(Verdict::Unexpected));
}

#[test]
fn who_is_missing_is_missed_unless_they_were_not_to_be_made() {
    let (wanted, shown) = rich();
    let made = Fate::Made(Box::new(wanted));
    let found = Some(shown.found());
    let verdicts = |fate: &Fate, found: Option<&Found<'_>>| {
        let differences = compare(fate, Way::Api, found);
        differences
            .into_iter()
            .map(|one| (one.field, one.verdict))
            .collect::<Vec<_>>()
    };
    assert_eq!(verdicts(&made, None), [("user".to_owned(), Verdict::Unexpected)]);
    assert_eq!(verdicts(&made, found.as_ref()).len(), 1);
    let federated = Fate::NotMade(NotMade::FederatedOnly);
    let reason = Verdict::Expected(Reason::NotMade(NotMade::FederatedOnly));
    assert_eq!(verdicts(&federated, None), [("user".to_owned(), reason)]);
    assert_eq!(verdicts(&federated, found.as_ref()), [], "they signed in meanwhile");
}

#[test]
fn a_difference_is_written_in_plain_words() {
    let difference = Difference {
        field: "status".to_owned(),
        what: What::Differs,
        verdict: Verdict::Expected(Reason::Loss(Loss::Status)),
    };
    let written = json!({"field": "status", "what": "differs", "verdict": {"expected": {"loss": "status"}}});
    assert_eq!(serde_json::to_value(difference).unwrap(), written);
    for reason in [Reason::ResetRequired, Reason::BirthdateForm, Reason::MfaOfPool] {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert!(!reason.explanation().is_empty());
    }
    assert_eq!(Reason::Loss(Loss::Totp).as_str(), "totp");
    assert_eq!(
        Reason::NotMade(NotMade::NoAddress).explanation(),
        NotMade::NoAddress.explanation()
    );
}

proptest! {
    #![proptest_config(cases(300))]

    #[test]
    fn whoever_is_made_as_planned_has_no_unexpected_difference(record in any_user(), target in any_shape()) {
        let Fate::Made(wanted) = recreate(&record, BTreeSet::from(["g".to_owned()]), &target) else { return Ok(()) };
        let shown = Shown::of(&wanted, &target);
        for way in [Way::Api, Way::Csv] {
            let differences = compare_user(&wanted, way, &shown.found());
            prop_assert_eq!(differences.len(), wanted.losses.len(), "{:?}", differences);
            for difference in differences {
                prop_assert!(matches!(difference.verdict, Verdict::Expected(Reason::Loss(_))), "{difference:?}");
            }
        }
    }
}
