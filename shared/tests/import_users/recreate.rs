//! What becomes of a user.

use std::collections::BTreeSet;

use proptest::{collection, prelude::*};
use serde_json::{Value, json};
use twinpool_shared::{
    import::{
        ORIGINAL_SUB,
        recreate::{Fate, Link, Loss, NotMade, Preference, recreate},
        shape::Shape,
    },
    personal::Personal,
    user::UserRecord,
};

use super::{SUB, any_shape, any_user, made, not_made, shape, user, with_factors};
use crate::generate::{cases, sub};

fn plain() -> Shape {
    shape(&json!({}))
}

/// Losses but for the password, which everybody loses.
fn losses(record: &UserRecord, target: &Shape) -> Vec<Loss> {
    let losses = made(record, target).losses;
    assert!(losses.contains(&Loss::Password));
    losses.into_iter().filter(|loss| *loss != Loss::Password).collect()
}

const VERIFIED: [(&str, &str); 2] = [("email", "ann@example.com"), ("email_verified", "true")];

#[test]
fn each_status_has_its_fate() {
    let plain = plain();
    let made = |status| made(&user(status, &VERIFIED), &plain);
    for (status, lost) in [
        ("CONFIRMED", false),
        ("RESET_REQUIRED", true),
        ("ARCHIVED", true),
        ("COMPROMISED", true),
        ("UNKNOWN", true),
        ("INVENTED", true),
    ] {
        let user = made(status);
        assert!(user.password && !user.temporary_password, "{status}");
        assert_eq!(user.losses.contains(&Loss::Status), lost, "{status}");
    }
    let invited = made("FORCE_CHANGE_PASSWORD");
    assert!(!invited.password && !invited.temporary_password);
    assert_eq!(invited.losses, BTreeSet::from([Loss::Password]));
    assert_eq!(not_made(&user("UNCONFIRMED", &VERIFIED), &plain), NotMade::Unconfirmed);
    assert_eq!(
        not_made(&user("EXTERNAL_PROVIDER", &VERIFIED), &plain),
        NotMade::FederatedOnly
    );
}

#[test]
fn an_unknown_status_is_lost_and_an_unknown_account_may_sign_in() {
    let mut record = user("CONFIRMED", &VERIFIED);
    record.status = None;
    record.account = None;
    let user = made(&record, &plain());
    assert!(user.losses.contains(&Loss::Status) && user.password && user.enabled);
}

#[test]
fn a_disabled_user_stays_disabled() {
    let mut record = user("CONFIRMED", &VERIFIED);
    record.account = Some(super::facet(super::account(false)));
    assert!(!made(&record, &plain()).enabled);
}

#[test]
fn an_invited_user_needs_a_temporary_password_where_a_code_signs_in() {
    let by_code = json!({"Policies": {"SignInPolicy": {"AllowedFirstAuthFactors": ["PASSWORD", "EMAIL_OTP"]}}});
    let invited = made(&user("FORCE_CHANGE_PASSWORD", &VERIFIED), &shape(&by_code));
    assert!(invited.temporary_password && !invited.password);
    let confirmed = made(&user("CONFIRMED", &VERIFIED), &shape(&by_code));
    assert!(!confirmed.temporary_password && confirmed.password);
}

#[test]
fn the_user_name_is_what_the_pool_takes() {
    const BOTH: [(&str, &str); 2] = [("email", "Ann@Example.com"), ("phone_number", "+31612345678")];
    let verified = |flag| BOTH.into_iter().chain([(flag, "True")]).collect::<Vec<_>>();
    let kinds = [
        json!([]),
        json!(["email"]),
        json!(["phone_number"]),
        json!(["email", "phone_number"]),
    ];
    let name = |kind: &Value, values: &[(&str, &str)]| {
        let user = made(
            &user("CONFIRMED", values),
            &shape(&json!({ "UsernameAttributes": kind })),
        );
        user.username.expose().to_owned()
    };
    let [own, email, phone, both] = &kinds;
    assert_eq!(name(own, &BOTH), "ann");
    assert_eq!(name(email, &BOTH), "Ann@Example.com", "case is kept");
    assert_eq!(name(phone, &BOTH), "+31612345678");
    assert_eq!(name(both, &BOTH), "Ann@Example.com", "the address first");
    assert_eq!(
        name(both, &verified("phone_number_verified")),
        "+31612345678",
        "but the verified one before it"
    );
    assert_eq!(name(both, &verified("email_verified")), "Ann@Example.com");
    assert_eq!(name(both, &BOTH[1..]), "+31612345678");
}

#[test]
fn nobody_is_made_without_a_name() {
    let named = |kind: Value| shape(&json!({ "UsernameAttributes": kind }));
    let phone = [("phone_number", "+31612345678")];
    assert_eq!(
        not_made(&user("CONFIRMED", &phone), &named(json!(["email"]))),
        NotMade::NoAddress
    );
    let long = format!("{}@example.com", "a".repeat(117));
    let long = [("email", long.as_str())];
    assert_eq!(
        not_made(&user("CONFIRMED", &long), &named(json!(["email"]))),
        NotMade::NoAddress
    );
    let mut record = user("CONFIRMED", &VERIFIED);
    record.attributes = None;
    assert_eq!(not_made(&record, &plain()), NotMade::Nameless);
    let mut record = user("CONFIRMED", &VERIFIED);
    record.attributes.as_mut().unwrap().data.username = Personal::new("");
    assert_eq!(not_made(&record, &plain()), NotMade::Nameless);
    assert_eq!(
        made(&record, &named(json!(["email"]))).username.expose(),
        "ann@example.com"
    );
}

#[test]
fn the_old_sub_is_borne_and_an_earlier_one_is_kept() {
    let user = made(&user("CONFIRMED", &[(ORIGINAL_SUB, "older-sub")]), &plain());
    assert_eq!(user.attributes[ORIGINAL_SUB].expose(), SUB);
    assert_eq!(user.first, Some(sub("older-sub")));
    let broken = made(&super::user("CONFIRMED", &[(ORIGINAL_SUB, "no sub at all")]), &plain());
    assert_eq!((broken.attributes[ORIGINAL_SUB].expose(), broken.first), (SUB, None));
    assert!(broken.losses.contains(&Loss::Attribute));
}

#[test]
fn an_attribute_that_is_not_taken_is_a_loss() {
    let plain = plain();
    for (name, value) in [("custom:gone", "x"), ("custom:tier", "too long"), ("birthdate", "1985")] {
        let record = user("CONFIRMED", &[VERIFIED[0], VERIFIED[1], (name, value)]);
        assert_eq!(losses(&record, &plain), [Loss::Attribute], "{name}");
        assert!(!made(&record, &plain).attributes.contains_key(name));
    }
    let record = user("CONFIRMED", &[VERIFIED[0], VERIFIED[1], ("custom:gone", "")]);
    assert_eq!(losses(&record, &plain), [], "an empty value is no value");
}

#[test]
fn flags_are_small_letters_and_never_without_their_address() {
    let plain = plain();
    let user_with = |values: &[(&str, &str)]| made(&user("CONFIRMED", values), &plain);
    let yes = user_with(&[("email", "a@example.com"), ("email_verified", "True")]);
    assert_eq!(yes.attributes["email_verified"].expose(), "true");
    let no = user_with(&[("phone_number_verified", "FALSE")]);
    assert_eq!(no.attributes["phone_number_verified"].expose(), "false");
    assert!(
        !no.losses.contains(&Loss::Attribute),
        "Cognito leaves such a flag behind"
    );
    let stray = user_with(&[("phone_number_verified", "true")]);
    assert!(!stray.attributes.contains_key("phone_number_verified") && stray.losses.contains(&Loss::Attribute));
}

#[test]
fn a_preferred_user_name_waits_only_where_it_is_an_alias() {
    let record = user("CONFIRMED", &[("preferred_username", "annie")]);
    let alias = made(&record, &shape(&json!({"AliasAttributes": ["preferred_username"]})));
    assert!(!alias.attributes.contains_key("preferred_username"));
    assert_eq!(alias.later["preferred_username"].expose(), "annie");
    let plain = made(&record, &plain());
    assert_eq!(plain.attributes["preferred_username"].expose(), "annie");
    assert!(plain.later.is_empty());
}

fn links(identities: &str) -> (Vec<(String, String)>, Vec<Loss>) {
    let record = user("CONFIRMED", &[VERIFIED[0], VERIFIED[1], ("identities", identities)]);
    let links = made(&record, &plain()).links.into_iter();
    let links = links.map(|Link { provider, user_id }| (provider, user_id.expose().to_owned()));
    (links.collect(), losses(&record, &plain()))
}

fn link(provider: &str, id: &str) -> (String, String) {
    (provider.to_owned(), id.to_owned())
}

#[test]
fn links_are_read_the_primary_one_first_and_none_twice() {
    let (found, lost) = links(
        r#"[{"userId":"1","providerName":"Google","providerType":"Google","issuer":null,"primary":false,"dateCreated":1},
            {"userId":2,"providerName":"Okta","primary":"false"},{"userId":"3","providerName":"Apple","primary":"true"},
            {"userId":"1","providerName":"Google","primary":false}]"#,
    );
    assert_eq!(found, [link("Apple", "3"), link("Google", "1"), link("Okta", "2")]);
    assert_eq!(lost, []);
    assert_eq!(links("[]"), (vec![], vec![]));
}

#[test]
fn links_that_cannot_be_read_are_a_loss_and_the_others_stay() {
    for broken in [
        "no JSON",
        "{}",
        "null",
        "7",
        "[",
        r#"[{"userId":"1"}]"#,
        r#"[{"providerName":"","userId":"1"}]"#,
        "[7]",
    ] {
        assert_eq!(links(broken), (vec![], vec![Loss::LinkUnreadable]), "{broken}");
    }
    let (found, lost) = links(r#"[{"providerName":"Okta","userId":true},{"providerName":"Google","userId":"1"}]"#);
    assert_eq!((found, lost), (vec![link("Google", "1")], vec![Loss::LinkUnreadable]));
}

#[test]
fn a_sixth_link_is_a_loss() {
    let six: Vec<_> = (0..6)
        .map(|n| json!({"providerName": "P", "userId": n.to_string(), "primary": n == 5}))
        .collect();
    let (found, lost) = links(&Value::from(six).to_string());
    assert_eq!(found.len(), 5);
    assert_eq!(found[0], link("P", "5"), "the primary one is not the one to lose");
    assert_eq!(lost, [Loss::LinkBeyondFive]);
}

const BOTH: [(&str, &str); 4] = [
    VERIFIED[0],
    VERIFIED[1],
    ("phone_number", "+31612345678"),
    ("phone_number_verified", "true"),
];

#[test]
fn messages_are_preferred_again_and_the_rest_is_a_loss() {
    let plain = plain();
    let base = || user("CONFIRMED", &BOTH);
    let both = with_factors(base(), Some("SMS_MFA"), &["SMS_MFA", "SOFTWARE_TOKEN_MFA", "WEB_AUTHN"]);
    let preference = Preference {
        sms: true,
        email: false,
        preferred: Some("SMS_MFA".to_owned()),
    };
    assert_eq!(made(&both, &plain).factors, Some(preference));
    assert_eq!(losses(&both, &plain), [Loss::Totp, Loss::Passkey]);

    let app = with_factors(base(), Some("SOFTWARE_TOKEN_MFA"), &["SOFTWARE_TOKEN_MFA", "EMAIL_OTP"]);
    let preference = Preference {
        sms: false,
        email: true,
        preferred: None,
    };
    assert_eq!(made(&app, &plain).factors, Some(preference));
    assert_eq!(losses(&app, &plain), [Loss::Totp]);

    let none = with_factors(base(), None, &[]);
    assert_eq!((made(&none, &plain).factors, losses(&none, &plain)), (None, vec![]));
}

#[test]
fn a_preference_that_the_target_does_not_take_is_a_loss() {
    let record = with_factors(user("CONFIRMED", &BOTH), Some("SMS_MFA"), &["SMS_MFA"]);
    let mut target = plain();
    target.mfa.sms = false;
    assert_eq!(
        (made(&record, &target).factors, losses(&record, &target)),
        (None, vec![Loss::FactorNotTaken])
    );
    let no_number = with_factors(user("CONFIRMED", &VERIFIED), None, &["SMS_MFA"]);
    assert_eq!(losses(&no_number, &plain()), [Loss::FactorNotTaken]);
    let invented = with_factors(user("CONFIRMED", &VERIFIED), None, &["INVENTED"]);
    assert_eq!(losses(&invented, &plain()), [Loss::FactorNotTaken]);
}

#[test]
fn who_cannot_reset_the_password_is_named() {
    let plain = plain();
    let can = |record: &UserRecord, target: &Shape| !made(record, target).losses.contains(&Loss::NoWayToReset);
    assert!(can(&user("CONFIRMED", &VERIFIED), &plain));
    assert!(!can(
        &user("CONFIRMED", &[VERIFIED[0], ("email_verified", "false")]),
        &plain
    ));
    assert!(!can(&user("CONFIRMED", &VERIFIED[..1]), &plain));
    let mut by_admin = plain.clone();
    by_admin.recovery.clear();
    assert!(!can(&user("CONFIRMED", &BOTH), &by_admin));
    let factor = |values: &[(&str, &str)]| with_factors(user("CONFIRMED", values), None, &["EMAIL_OTP"]);
    assert!(!can(&factor(&VERIFIED), &plain), "one channel cannot be both");
    assert!(can(&factor(&BOTH), &plain));
    assert!(
        can(&user("FORCE_CHANGE_PASSWORD", &[]), &plain),
        "is invited again anyway"
    );
}

#[test]
fn names_are_the_same_in_reports_and_in_json() {
    for loss in Loss::ALL {
        assert_eq!(serde_json::to_value(loss).unwrap(), loss.as_str());
        assert!(!loss.explanation().is_empty());
    }
    for reason in NotMade::ALL {
        assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        assert!(!reason.explanation().is_empty());
    }
}

proptest! {
    #![proptest_config(cases(500))]

    #[test]
    fn nothing_of_cognitos_own_is_sent_and_nothing_is_lost_silently(record in any_user(), target in any_shape()) {
        let Fate::Made(user) = recreate(&record, BTreeSet::new(), &target) else { return Ok(()) };
        let sent: Vec<_> = user.attributes.iter().chain(&user.later).collect();
        for (name, value) in &sent {
            prop_assert!(*name != "sub" && *name != "identities" && !name.starts_with("cognito:"), "{name}");
            prop_assert!(!value.expose().is_empty() && target.schema[*name].takes(value.expose()), "{name}");
        }
        prop_assert_eq!(user.attributes[ORIGINAL_SUB].expose(), SUB);
        let known = &record.attributes.as_ref().unwrap().data.values;
        for (name, value) in known {
            let own = name == "sub" || name == "identities" || name.starts_with("cognito:");
            if own || value.expose().is_empty() || user.losses.contains(&Loss::Attribute) {
                continue;
            }
            if name == ORIGINAL_SUB {
                prop_assert_eq!(user.first.as_ref().map(|first| first.as_str()), Some(value.expose()));
                continue;
            }
            let sent = sent.iter().find(|(sent, _)| *sent == name).map(|(_, value)| value.expose());
            let expected = if name.ends_with("_verified") { value.expose().to_lowercase() } else { value.expose().to_owned() };
            prop_assert_eq!(sent, Some(expected.as_str()), "{}", name);
        }
        prop_assert!(sent.len() <= known.len() + 1, "nothing is invented");
        prop_assert!(user.links.len() <= 5 && !(user.password && user.temporary_password));
    }

    #[test]
    fn debug_output_is_silent(
        values in collection::btree_map("[a-z]{1,8}", "PII-[a-z ]{0,8}", 0..6), id in "PII-[a-z]{0,4}", target in any_shape(),
    ) {
        let identities = json!([{"providerName": "Google", "userId": id}]).to_string();
        let mut record = user("CONFIRMED", &[("email", "PII-a@example.com"), ("identities", &identities)]);
        let data = &mut record.attributes.as_mut().unwrap().data;
        data.username = Personal::new("PII-ann");
        data.values.extend(values.into_iter().map(|(name, value)| (name, Personal::new(value))));
        let text = format!("{:?}", recreate(&record, BTreeSet::new(), &target));
        prop_assert!(!text.contains("PII-"), "{text}");
    }

    #[test]
    fn any_text_is_read_as_identities_without_a_panic(text in any::<String>(), json in crate::generate::json()) {
        for text in [text, json.to_string()] {
            made(&user("CONFIRMED", &[("identities", &text)]), &plain());
        }
    }
}
