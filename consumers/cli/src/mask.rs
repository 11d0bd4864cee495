//! What of a personal value is shown: enough to recognise a user one already knows, and no more.
//!
//! Invariant: at most the first character of a text, the country code and the last two digits of a phone number, and the
//! first character and the last label of a mail domain. A `sub` identifies a record, not a person, and is shown in full.

use twinpool_shared::{
    personal::{Personal, Sub},
    unforeseen::Unforeseen,
    user::UserRecord,
};

/// Whether personal values are shown in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Masking {
    /// Only as this module shows them.
    Masked,
    /// In full: `--show-personal`.
    Shown,
}

/// Attributes whose values describe no person: Cognito's own flags.
const FLAGS: [&str; 2] = ["email_verified", "phone_number_verified"];
/// Shorter numbers would be told by what a mask leaves.
const PHONE_DIGITS_MIN: usize = 7;

impl Masking {
    /// As JSON documents name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Masked => "masked",
            Self::Shown => "shown",
        }
    }

    /// The value of an attribute.
    pub(crate) fn attribute(self, name: &str, value: &Personal) -> String {
        if FLAGS.contains(&name) {
            value.expose().to_owned()
        } else {
            self.text(value)
        }
    }

    /// A user name. Where users are named by e-mail address or phone number, Cognito's user name is the `sub`.
    pub(crate) fn username(self, sub: &Sub, username: &Personal) -> String {
        if username.expose() == sub.as_str() {
            sub.to_string()
        } else {
            self.text(username)
        }
    }

    /// A record with its personal values as they may be shown.
    pub(crate) fn record(self, record: &UserRecord) -> UserRecord {
        let mut shown = record.clone();
        if let Some(facet) = &mut shown.attributes {
            facet.data.username = Personal::new(self.username(&record.sub, &facet.data.username));
            for (name, value) in &mut facet.data.values {
                *value = Personal::new(self.attribute(name, value));
            }
        }
        if self == Self::Masked {
            // Nobody knows whether what a newer version wrote is personal.
            shown.unforeseen = Unforeseen::default();
        }
        shown
    }

    fn text(self, value: &Personal) -> String {
        match self {
            Self::Shown => value.expose().to_owned(),
            Self::Masked => masked(value.expose()),
        }
    }
}

fn masked(value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    if let Some((local, domain)) = value.split_once('@')
        && let Some((host, top)) = domain.rsplit_once('.')
        && !local.is_empty()
        && !host.is_empty()
        && top.chars().all(char::is_alphanumeric)
    {
        return format!("{}@{}.{top}", first(local), first(host));
    }
    if let Some(digits) = value.strip_prefix('+')
        && digits.len() >= PHONE_DIGITS_MIN
        && digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        // Digits are one byte each. How many are hidden is hidden as well.
        let (country, rest) = digits.split_at(2);
        let last = &rest[rest.len() - 2..];
        return format!("+{country}*****{last}");
    }
    if value.chars().nth(1).is_none() {
        return "***".to_owned();
    }
    first(value)
}

fn first(text: &str) -> String {
    let first: String = text.chars().take(1).collect();
    format!("{first}***")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_kind_and_lose_the_person() {
        for (value, shown) in [
            ("ann@example.com", "a***@e***.com"),
            ("ann@mail.example.co.uk", "a***@m***.uk"),
            ("+31612345678", "+31*****78"),
            ("+1234567", "+12*****67"),
            ("+123456", "+***"),
            ("Ann", "A***"),
            ("A", "***"),
            ("", ""),
            ("Élodie", "É***"),
            ("@example.com", "@***"),
            ("ann@", "a***"),
            ("ann@localhost", "a***"),
            ("a@b.c d", "a***"),
        ] {
            assert_eq!(masked(value), shown, "{value}");
            assert_eq!(Masking::Shown.text(&Personal::new(value)), value);
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_shown_only_with_everything_else() {
        let mut json = serde_json::to_value(crate::fields::tests::record()).expect("JSON");
        json["nickname"] = serde_json::json!("Annie");
        let record: UserRecord = serde_json::from_value(json).expect("a record");
        let text = |masking: Masking| serde_json::to_string(&masking.record(&record)).expect("JSON");
        assert!(!text(Masking::Masked).contains("Annie"));
        assert!(text(Masking::Shown).contains("Annie"));
    }

    #[test]
    fn flags_and_subs_are_no_personal_values() {
        let masked = Masking::Masked;
        assert_eq!(masked.attribute("email_verified", &Personal::new("true")), "true");
        assert_eq!(masked.attribute("email", &Personal::new("true")), "t***");
        let sub = Sub::new("3c9a-1b").expect("a sub");
        assert_eq!(masked.username(&sub, &Personal::new("3c9a-1b")), "3c9a-1b");
        assert_eq!(masked.username(&sub, &Personal::new("3c9a")), "3***");
    }
}
