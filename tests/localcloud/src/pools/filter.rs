//! The filter grammar of ListUsers: one attribute, `=` or `^=`, a quoted value.
//!
//! Invariant: only the documented searchable attributes match; anything else is refused, never ignored.

use super::errors::{Answer, invalid};
use super::state::User;

/// A parsed filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) attribute: String,
    pub(crate) prefix: bool,
    pub(crate) value: String,
}

const SEARCHABLE: &[&str] = &[
    "username",
    "email",
    "phone_number",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "cognito:user_status",
    "status",
    "sub",
];

impl Filter {
    /// Parses `attribute = "value"` or `attribute ^= "value"`; an empty text is no filter.
    pub(crate) fn parse(text: &str) -> Answer<Option<Self>> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if text.chars().count() > 256 {
            return Err(invalid(
                "1 validation error detected: Value at 'filter' failed to satisfy constraint: Member must have length less than or equal to 256",
            ));
        }
        let wrong = || invalid("Error while parsing filter.");
        let (left, right) = text.split_once('=').ok_or_else(wrong)?;
        let (attribute, prefix) = match left.strip_suffix('^') {
            Some(attribute) => (attribute, true),
            None => (left, false),
        };
        // The attribute may be quoted as well.
        let attribute = attribute.trim();
        let attribute = attribute
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(attribute);
        let value = unquote(right.trim()).ok_or_else(wrong)?;
        if !SEARCHABLE.contains(&attribute) {
            return Err(invalid(format!("Filtering by attribute {attribute} is not supported")));
        }
        Ok(Some(Self {
            attribute: attribute.to_owned(),
            prefix,
            value,
        }))
    }

    /// What this filter compares of a user.
    pub(crate) fn key<'u>(&self, user: &'u User) -> Option<&'u str> {
        match self.attribute.as_str() {
            "username" => Some(&user.username),
            "sub" => Some(&user.sub),
            "cognito:user_status" => Some(user.status.name()),
            "status" => Some(if user.enabled { "Enabled" } else { "Disabled" }),
            attribute => user.attribute(attribute),
        }
    }

    pub(crate) fn matches(&self, user: &User) -> bool {
        let Some(key) = self.key(user) else {
            return false;
        };
        // Statuses compare without case, everything else with it.
        if self.attribute == "cognito:user_status" || self.attribute == "status" {
            let (key, value) = (key.to_lowercase(), self.value.to_lowercase());
            return if self.prefix {
                key.starts_with(&value)
            } else {
                key == value
            };
        }
        if self.prefix {
            key.starts_with(&self.value)
        } else {
            key == self.value
        }
    }
}

/// A quoted string with `\"` and `\\` inside.
fn unquote(text: &str) -> Option<String> {
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    if text.len() < 2 {
        return None;
    }
    let mut value = String::new();
    let mut letters = inner.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => value.push(letters.next()?),
            '"' => return None,
            other => value.push(other),
        }
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_grammar_parses() {
        let parsed = Filter::parse("sub ^= \"0a\"").expect("valid").expect("some");
        assert_eq!(
            parsed,
            Filter {
                attribute: "sub".into(),
                prefix: true,
                value: "0a".into()
            }
        );
        assert_eq!(Filter::parse("  ").expect("valid"), None);
        let quoted = Filter::parse(r#""family_name" = "O\"Neil \\ = x""#)
            .expect("valid")
            .expect("some");
        assert_eq!(
            (quoted.attribute.as_str(), quoted.value.as_str()),
            ("family_name", r#"O"Neil \ = x"#)
        );
        assert!(
            Filter::parse("cognito:user_status=\"CONFIRMED\"")
                .expect("valid")
                .is_some()
        );
    }

    #[test]
    fn everything_else_is_refused() {
        for wrong in [
            "sub",
            "sub = 0a",
            "sub = \"0a",
            "custom:x = \"1\"",
            "locale = \"de\"",
            "sub != \"1\"",
            "sub = \"",
            "a = \"b\" and c = \"d\"",
        ] {
            let error = Filter::parse(wrong).expect_err(wrong);
            assert_eq!(error.code, "InvalidParameterException", "{wrong}");
        }
        assert!(Filter::parse(&format!("sub = \"{}\"", "a".repeat(300))).is_err());
    }
}
